"""`incident pin`: what stands at every address of a deployment now, against what its file says, and the new `pins:`.

Pinned are the addresses of all slots, the markets' included, and of each Safe what acts with it: its singleton, guards,
modules and fallback handler. An account without code is pinned as such, so that code that comes there is a change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from incident_cli.errors import Refused, Unread
from incident_cli.evm import ZERO, Address, CodeRead, Missing, Snapshot, keccak, to_hex
from incident_cli.flows.connecting import Environment, nodes_of
from incident_cli.flows.pinning.file import written
from incident_cli.flows.pinning.places import Standing, places_of
from incident_cli.flows.pinning.proxies import beacon_of, code_hash_behind, followed, runs, state_reads
from incident_cli.flows.preflight.safe import SafeAt, SafeSeen
from incident_cli.flows.reading import Reader
from incident_cli.runbook.deployment import Deployment, PinEntry, load_deployment
from incident_cli.safe import contracts

SCHEMA = "incident.pin/v1"
State = Literal["new", "changed", "gone", "same"]
PARTS = ("singleton", "guard", "module-guard", "fallback-handler")
MODULE = "module-"
NO_CODE = to_hex(keccak(b""))


@dataclass(frozen=True, slots=True)
class Pin:
    """A contract as it stands now, under the name it is pinned by."""

    name: str
    chain: str
    address: Address
    codehash: str
    implementation: Address | None = None
    implementation_codehash: str | None = None

    @classmethod
    def of(cls, entry: PinEntry) -> Pin:
        """As the file has it."""
        inner = entry.implementation_codehash
        return cls(
            entry.name,
            entry.chain,
            entry.address,
            entry.codehash.lower(),
            entry.implementation,
            None if inner is None else inner.lower(),
        )

    def to_json(self) -> dict[str, str | None]:
        """As the file and `--json` hold it."""
        return {
            "name": self.name,
            "chain": self.chain,
            "address": self.address,
            "codehash": self.codehash,
            "implementation": self.implementation,
            "implementation_codehash": self.implementation_codehash,
        }


@dataclass(frozen=True, slots=True)
class Compared:
    """A pin as it would be written, and what the file says of it."""

    pin: Pin
    before: Pin | None
    is_gone: bool = False

    @property
    def state(self) -> State:
        """Whether the file says the same, something else, nothing, or what is no part of its Safe any more."""
        if self.is_gone:
            return "gone"
        if self.before is None:
            return "new"
        return "same" if self.pin == self.before else "changed"

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        was = None if self.state != "changed" or self.before is None else self.before.to_json()
        return {**self.pin.to_json(), "state": self.state, "was": was}


@dataclass(frozen=True, slots=True)
class Looked:
    """Every pin of a deployment against its file, as it was when it was read."""

    path: Path
    deployment: Deployment
    raw: bytes
    pins: tuple[Compared, ...]

    def of(self, state: State) -> tuple[Compared, ...]:
        """Those in this state."""
        return tuple(one for one in self.pins if one.state == state)

    def write(self) -> None:
        """Write the pins into the file; raises Refused or Misused where it is not as it was read, or cannot be."""
        written(self.path, self.raw, [one.pin.to_json() for one in self.pins if not one.is_gone])

    def to_json(self, *, is_written: bool) -> dict[str, Any]:
        """The object `incident pin --json` prints."""
        return {
            "schema": SCHEMA,
            "deployment": self.deployment.name,
            "file": str(self.path),
            "written": is_written,
            "pins": [one.to_json() for one in self.pins],
        }


def look(path: Path, environment: Environment) -> Looked:
    """Read everything that is to be pinned; raises WrongFile, Misused, or Unread where any of it cannot be read."""
    deployment, document = load_deployment(path)
    known = [Pin.of(one) for one in deployment.pins]
    places = [*places_of(deployment), *(Standing(one.name, one.chain, one.address) for one in known)]
    found: list[Pin] = []
    for chain in dict.fromkeys(one.chain for one in places):
        nodes = nodes_of(deployment, chain, environment)
        own = [one for one in known if one.chain == chain]
        found += pins_on(Reader(nodes, chain, nodes.chain_id), [one for one in places if one.chain == chain], own)
    return Looked(path, deployment, document.raw, tuple(compared(found, known)))


def pins_on(reader: Reader, places: Sequence[Standing], known: Sequence[Pin]) -> Iterator[Pin]:
    """The pins of one chain: the addresses, then what each Safe among them acts with; raises Unread."""
    names = named(places, known)
    candidates = [SafeAt(owner(name), reader.chain, one) for one, name in names.items()]
    reads = [read for one in names for read in state_reads(one, reader.chain)]
    first = reader.read([*reads, *(read for one in candidates for read in one.reads)])
    safes = [seen for one in candidates if (seen := SafeSeen(one, first)) and is_safe(seen)]
    prefixes = {one.safe.name for one in safes}
    entries = [(name, address) for address, name in names.items() if not is_part(name, prefixes)]
    entries += [part for one in safes for part in parts_of(one)]
    addresses = list(dict.fromkeys(address for _, address in entries))
    more = [read for one in addresses if one not in names for read in state_reads(one, reader.chain)]
    second = reader.read(more) if more else first
    first, second = (followed(reader, one, addresses, reader.chain) for one in (first, second))
    states = {one: first if one in names else second for one in addresses}
    inner = {one: implementation(states[one], one, reader.chain) for one in addresses}
    codes = [CodeRead(one, reader.chain) for one in dict.fromkeys(inner.values()) if one is not None]
    third = reader.read(codes) if codes else first
    for name, address in entries:
        to, outer = inner[address], to_hex(keccak(code_at(states[address], address, reader.chain)))
        beacon = beacon_of(states[address], address, reader.chain)
        behind = None if to is None else code_hash_behind(code_at(third, to, reader.chain), beacon)
        yield Pin(name, reader.chain, address, outer, to, behind)


def named(places: Sequence[Standing], known: Sequence[Pin]) -> dict[Address, str]:
    """One name for each address: the file's own, unless that name stands for another address by now."""
    slots = {one.name: one.address for one in reversed(places[: len(places) - len(known)])}
    kept = {one.address: one.name for one in reversed(known) if slots.get(one.name, one.address) == one.address}
    found: dict[Address, str] = {}
    for place in places[: len(places) - len(known)]:
        found.setdefault(place.address, kept.get(place.address, place.name))
    return {**found, **{address: name for address, name in kept.items() if address not in found}}


def owner(name: str) -> str:
    """The name of the slot in `council.safe` or `council.safe@ETH-USD`."""
    whole, at, market = name.partition("@")
    return whole.partition(".")[0] + at + market


def is_part(name: str, safes: Collection[str]) -> bool:
    """Whether a pin's name is that of a part of one of these Safes."""
    safe, _, part = name.rpartition(".")
    return safe in safes and (part in PARTS or part.startswith(MODULE))


def is_safe(seen: SafeSeen) -> bool:
    """Whether what stands there answers as a Safe, and is a proxy: a singleton answers as one too, but runs itself."""
    version = seen.snapshot.value(seen.safe.call(contracts.VERSION))
    threshold = seen.snapshot.value(seen.safe.call(contracts.GET_THRESHOLD))
    return isinstance(version, str) and isinstance(threshold, int) and seen.held("singleton") != ZERO


def parts_of(seen: SafeSeen) -> Iterator[tuple[str, Address]]:
    """What a Safe acts with, and its address; raises Unread where any of it is not known."""
    for part in PARTS:
        address = seen.held(part)
        if address != ZERO:
            yield f"{seen.safe.name}.{part}", address
    for number, module in enumerate(seen.modules, 1):
        yield f"{seen.safe.name}.{MODULE}{number}", module


def code_at(snapshot: Snapshot, address: Address, chain: str) -> bytes:
    """The code at an address; raises Unread: a pin is written whole or not at all."""
    found = snapshot.value(CodeRead(address, chain))
    if not isinstance(found, bytes):
        raise unreadable(address, found.reason if isinstance(found, Missing) else "no bytes")
    return found


def implementation(snapshot: Snapshot, address: Address, chain: str) -> Address | None:
    """What a proxy runs; raises Unread, and Refused where it names several."""
    found = runs(snapshot, address, chain)
    if isinstance(found, Missing):
        raise unreadable(address, found.reason)
    if len(found) > 1:
        words = f"{address} names several contracts that it may run: {', '.join(found)}"
        raise Refused(words, "Find out which it runs and have the other place emptied; nothing was written.")
    return found[0] if found else None


def unreadable(address: Address, reason: str) -> Unread:
    """Why nothing is pinned."""
    return Unread(f"{address} could not be read: {reason}", "Try again, or name another node; nothing was written.")


def compared(found: Sequence[Pin], known: Sequence[Pin]) -> Iterator[Compared]:
    """Each pin against the file's of that name; then what the file has of a Safe that is no part of it any more."""
    by_name = {(one.chain, one.name): one for one in known}
    names = {(one.chain, one.name) for one in found}
    for one in found:
        yield Compared(one, by_name.get((one.chain, one.name)))
    for one in known:
        if (one.chain, one.name) not in names:
            yield Compared(one, one, is_gone=True)
