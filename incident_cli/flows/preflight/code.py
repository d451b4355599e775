"""What stands at the addresses: the code as it was pinned, and the tokens' decimals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from incident_cli.abi import parse_signature
from incident_cli.evm import Address, CallRead, Read, Snapshot
from incident_cli.flows.guarding import demand
from incident_cli.flows.pinning.pinned import differences, pin_reads
from incident_cli.flows.pinning.places import Standing, slot_name
from incident_cli.flows.preflight.item import Item, judged, not_ready, ready
from incident_cli.runbook.bind import Bound
from incident_cli.runbook.deployment import Deployment, PinEntry, TokenEntry

DECIMALS = parse_signature("decimals() view returns (uint8)")


def used_places(bounds: Sequence[Bound]) -> dict[Standing, None]:
    """Every address of every slot of the runbooks given, under the name it is pinned by."""
    found: dict[Standing, None] = {}
    for bound in bounds:
        for slot in bound.slots.values():
            name, _, market = slot_name(bound.deployment, bound.market.name, slot.name).partition("@")
            for own in slot.protocol.given_slots:
                suffix = f"@{market}" if market else ""
                found[Standing(f"{name}.{own}{suffix}", slot.chain, slot.addresses[own])] = None
    return found


def pins_of(deployment: Deployment, chain: str) -> list[PinEntry]:
    """The pins of a chain."""
    return [one for one in deployment.pins if one.chain == chain]


def code_reads(deployment: Deployment, chain: str) -> list[Read]:
    """What must be read for a chain's pins and tokens."""
    tokens = [token_read(one) for one in deployment.tokens.values() if one.chain == chain]
    return [*(read for one in pins_of(deployment, chain) for read in pin_reads(one)), *tokens]


def pin_items(deployment: Deployment, chain: str, places: Sequence[Standing], snapshot: Snapshot) -> Iterator[Item]:
    """One item for each address that the runbooks use, and for each other pin of the chain."""
    pins = {one.address: one for one in pins_of(deployment, chain)}
    mine = [one for one in places if one.chain == chain]
    for place in mine:
        yield pin_item(f"pin:{place.name}", place.address, pins, snapshot)
    used = {one.address for one in mine}
    for pin in pins_of(deployment, chain):
        if pin.address not in used:
            yield pin_item(f"pin:{pin.name}", pin.address, pins, snapshot)


def pin_item(name: str, address: Address, pins: Mapping[Address, PinEntry], snapshot: Snapshot) -> Item:
    """Whether what stands at an address is what was pinned."""
    pin = pins.get(address)
    if pin is None:
        return not_ready(name, f"{address} is not pinned: nobody would see its code change", "Run `incident pin`.")

    def look() -> Item:
        changes = list(differences(pin, snapshot, strict=True))
        if changes:
            fix = "Find out who changed it and whether the levers still fit; then `incident pin --accept-changes`."
            return not_ready(name, "; ".join(changes), fix)
        return ready(name, f"the code at {address} is what was pinned")

    return judged(name, look)


def token_read(token: TokenEntry) -> CallRead:
    """What a token says of itself."""
    return CallRead(token.address, DECIMALS, (), token.chain)


def token_items(deployment: Deployment, chain: str, snapshot: Snapshot) -> Iterator[Item]:
    """Whether each token of a chain has the decimals that amounts are counted in."""
    for symbol, token in deployment.tokens.items():
        if token.chain == chain:
            name = f"token:{symbol}"
            yield judged(name, partial(token_item, name, token, snapshot))


def token_item(name: str, token: TokenEntry, snapshot: Snapshot) -> Item:
    """One token."""
    said = demand(f"the decimals of {token.address}", snapshot.value(token_read(token)))
    if said != token.decimals:
        words = f"{token.address} says {said} decimals, the deployment {token.decimals}: every amount would be wrong"
        return not_ready(name, words, "Correct the token's address or decimals in the deployment.")
    return ready(name, f"{token.address} has {token.decimals} decimals")
