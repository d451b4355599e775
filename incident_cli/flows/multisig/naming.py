"""Names for addresses: what a deployment calls them on one chain, and the canonical contracts that everybody knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from incident_cli.evm import ZERO, Address
from incident_cli.runbook.deployment import Deployment, SlotEntry
from incident_cli.safe.contracts import MULTICALL3, RELEASES
from incident_cli.text import plain
from incident_cli.units import Token

NAME_CAP = 80
Named = tuple[Address, str]


@dataclass(frozen=True, slots=True)
class Names:
    """Names by address. `own` are the addresses of the deployment (None: there is none); `tokens` their units;
    `markets` names by id (0x hex, lower case)."""

    by_address: Mapping[Address, str] = field(default_factory=dict)
    own: frozenset[Address] | None = None
    tokens: Mapping[Address, Token] = field(default_factory=dict)
    markets: Mapping[str, str] = field(default_factory=dict)

    def of(self, address: str) -> str:
        """The name, or nothing."""
        return self.by_address.get(Address(address), "")

    def beside(self, address: str) -> str:
        """The whole address (or the id of a market) with its name beside it."""
        name = self.of(address) or self.markets.get(address, "")
        return f"{address} ({name})" if name else address


def names_of(deployment: Deployment | None, chain: str | None, safe: Address) -> Names:
    """The names on a chain of a deployment (none of its own where the chain is not the deployment's)."""
    own: dict[Address, str] = {}
    tokens: dict[Address, Token] = {}
    if deployment is not None and chain is not None:
        for address, name in named_in(deployment, chain):
            own[address] = f"{own[address]}, {name}" if address in own and name not in own[address] else name
        tokens = {
            one.address: Token(symbol, one.decimals) for symbol, one in deployment.tokens.items() if one.chain == chain
        }
    every = dict(canonical()) | {address: plain(name, NAME_CAP) for address, name in own.items()}
    every[safe] = f"this Safe, {every[safe]}" if safe in every else "this Safe"
    if deployment is None:
        return Names(every)
    markets = {one.id.lower(): f"market {name}" for name, one in deployment.markets.items()}
    return Names(every, frozenset(own), tokens, markets)


def canonical() -> Iterator[Named]:
    """The contracts at the same address everywhere."""
    yield ZERO, "the zero address"
    yield MULTICALL3, "Multicall3"
    for release in RELEASES.values():
        yield from ((one, f"MultiSendCallOnly {release.version}") for one in release.multisend_call_only)
        yield from ((one, f"Safe {release.version}") for one in release.singletons)
        yield from ((one, f"SafeL2 {release.version}") for one in release.singletons_l2)
        yield from ((one, f"Safe proxy factory {release.version}") for one in release.proxy_factories)
        yield from ((one, f"Safe fallback handler {release.version}") for one in release.fallback_handlers)


def named_in(deployment: Deployment, chain: str) -> Iterator[Named]:
    """Every address that a deployment names on a chain; people have theirs on all of them."""
    for slot, entry in deployment.slots.items():
        yield from slot_names(slot, entry, chain)
    for market, one in deployment.markets.items():
        for slot, entry in one.slots.items():
            yield from slot_names(f"{market} {slot}", entry, chain)
    yield from ((one.address, symbol) for symbol, one in deployment.tokens.items() if one.chain == chain)
    for pin in (one for one in deployment.pins if one.chain == chain):
        yield pin.address, pin.name
        if pin.implementation is not None:
            yield pin.implementation, f"{pin.name}'s implementation"
    yield from ((one.address, f"broadcaster {one.name}") for one in deployment.broadcasters if one.chain == chain)
    yield from ((one.owner, one.name) for one in deployment.contacts)


def slot_names(slot: str, entry: SlotEntry, chain: str) -> Iterator[Named]:
    """The addresses of a slot: a slot with one address is that contract."""
    if entry.chain != chain:
        return
    for name, address in entry.addresses.items():
        yield address, slot if len(entry.addresses) == 1 else f"{slot}.{name}"
