"""Every address that a deployment names, with the name it is pinned under."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from incident_cli.evm import Address
from incident_cli.runbook.deployment import Deployment, SlotEntry


@dataclass(frozen=True, slots=True)
class Standing:
    """An address of a deployment: `exchange.exchange`, or `feed.feed@ETH-USD` where the market gives it."""

    name: str
    chain: str
    address: Address


def places_of(deployment: Deployment) -> Iterator[Standing]:
    """Every address of every slot, those of the markets included; one that has several names once for each."""
    yield from of_slots(deployment.slots, "")
    for market, entry in deployment.markets.items():
        yield from of_slots(entry.slots, f"@{market}")


def of_slots(slots: Mapping[str, SlotEntry], suffix: str) -> Iterator[Standing]:
    """The addresses of some slots."""
    for slot, entry in slots.items():
        for own, address in entry.addresses.items():
            yield Standing(f"{slot}.{own}{suffix}", entry.chain, address)


def slot_name(deployment: Deployment, market: str, slot: str) -> str:
    """A slot's name in a preflight: with its market where that is what gives its addresses."""
    return f"{slot}@{market}" if slot in deployment.markets[market].slots else slot
