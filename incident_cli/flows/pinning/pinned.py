"""Whether contracts are still what they were when they were pinned: their code, and what a proxy runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from incident_cli.errors import Unread
from incident_cli.evm import Address, CodeRead, Missing, Read, Snapshot, StorageRead, keccak, to_hex
from incident_cli.flows.looking import Source
from incident_cli.flows.pinning.proxies import address_in, beacon_of, code_hash_behind, followed, runs, state_reads
from incident_cli.flows.proposal import Objection
from incident_cli.runbook.deployment import PinEntry
from incident_cli.safe import contracts

POINTERS = {
    "singleton": int(contracts.SINGLETON_SLOT, 16),
    "guard": int(contracts.GUARD_SLOT, 16),
    "module-guard": int(contracts.MODULE_GUARD_SLOT, 16),
    "fallback-handler": int(contracts.FALLBACK_HANDLER_SLOT, 16),
}


@dataclass(frozen=True, slots=True)
class Watched:
    """The pins that count for a proposal, and what was pinned of the inside of its Safe, by `singleton`, `guard`, …."""

    chain: str
    safe: Address
    pins: tuple[PinEntry, ...]
    parts: Mapping[str, PinEntry]

    @property
    def addresses(self) -> list[Address]:
        """What they pin."""
        return [one.address for one in self.pins]

    @property
    def pointers(self) -> dict[str, StorageRead]:
        """Where the Safe keeps what runs inside it, where that was pinned."""
        found = {part: StorageRead(self.safe, slot, self.chain) for part, slot in POINTERS.items()}
        return found if "singleton" in self.parts else {}

    def reads(self) -> list[Read]:
        """Everything to compare them with, but for what their beacons answer."""
        return [*(read for one in self.pins for read in pin_reads(one)), *self.pointers.values()]


def watched(pins: Sequence[PinEntry], chain: str, addresses: Collection[Address], safe: Address) -> Watched:
    """The pins of a chain that count where a proposal of this Safe touches these addresses."""
    here = [one for one in pins if one.chain == chain]
    parts = parts_of(here, safe)
    mine = [one for one in here if one.address in addresses or one in parts.values()]
    return Watched(chain, safe, tuple(mine), parts)


def changed_since_pinned(source: Source, pinned: Watched) -> list[Objection]:
    """An objection for each pinned contract among these that is not what it was, and for what runs inside the Safe
    (its singleton, guards, handler and modules) where that was pinned; raises Unread where not known."""
    if not pinned.pins:
        return []
    snapshot = source.read(pinned.reads())
    snapshot = followed(source, snapshot, pinned.addresses, pinned.chain)
    words = [one for pin in pinned.pins for one in differences(pin, snapshot, strict=True)]
    for part, read in pinned.pointers.items():
        words += repointed(part, pinned.safe, pinned.parts.get(part), snapshot.value(read))
    return [Objection("code-changed", one) for one in words]


def parts_of(pins: Sequence[PinEntry], safe: Address) -> dict[str, PinEntry]:
    """What was pinned of the inside of this Safe, by `singleton`, `guard`, …: named after its slot."""
    slots = {one.name.partition(".")[0] for one in pins if one.address == safe and one.name.partition(".")[2]}
    named = [(one.name.partition("."), one) for one in pins]
    return {part: one for (slot, _, part), one in named if slot in slots and one.address != safe}


def repointed(part: str, safe: Address, pinned: PinEntry | None, word: object) -> Iterator[str]:
    """What stands in a place of the Safe and did not when it was pinned; raises Unread where it cannot be read."""
    if not isinstance(word, bytes):
        raise Unread(f"the {part} of the Safe {safe} could not be compared with its pin")
    found, wanted = address_in(word), None if pinned is None else pinned.address
    if found != wanted:
        yield f"the {part} of the Safe {safe} is {found or 'none'} now, pinned was {wanted or 'none'}"


def pin_reads(pin: PinEntry) -> list[Read]:
    """What must be read to compare a pin."""
    reads = state_reads(pin.address, pin.chain)
    return [*reads, CodeRead(pin.implementation, pin.chain)] if pin.implementation else reads


def differences(pin: PinEntry, snapshot: Snapshot, *, strict: bool = False) -> Iterator[str]:
    """What is not as it was pinned, in words; with `strict` raises Unread where something is missing."""
    found = code_hash(answer(pin, snapshot.value(CodeRead(pin.address, pin.chain)), strict))
    if found is not None and found != pin.codehash.lower():
        yield f"the code of {pin.name} at {pin.address} has changed: {found}, pinned was {pin.codehash}"
    inner = answer(pin, runs(snapshot, pin.address, pin.chain), strict)
    if not isinstance(inner, tuple):
        return
    if len(inner) > 1:
        yield f"{pin.name} at {pin.address} names several contracts that it may run: {', '.join(inner)}"
    elif inner != (() if pin.implementation is None else (pin.implementation,)):
        now, before = "".join(inner) or "nothing else", pin.implementation or "nothing else"
        yield f"{pin.name} at {pin.address} was upgraded: it runs {now}, pinned was {before}"
    elif pin.implementation is not None and pin.implementation_codehash is not None:
        yield from changed_behind(pin, pin.implementation, snapshot, strict)


def changed_behind(pin: PinEntry, implementation: Address, snapshot: Snapshot, strict: bool) -> Iterator[str]:
    """Whether the code that a proxy runs, or the beacon that tells it so, is not what was pinned."""
    code = answer(pin, snapshot.value(CodeRead(implementation, pin.chain)), strict)
    beacon = beacon_of(snapshot, pin.address, pin.chain)
    assert pin.implementation_codehash is not None, "asked only where it was pinned"
    if isinstance(code, bytes) and code_hash_behind(code, beacon) != pin.implementation_codehash.lower():
        either = f" or its beacon {beacon}" if beacon else ""
        yield f"the code behind {pin.name} at {implementation}{either} has changed: {code_hash(code)}"


def answer(pin: PinEntry, found: object, strict: bool) -> object:
    """An answer; raises Unread where it is missing and must not be."""
    if isinstance(found, Missing) and strict:
        raise Unread(f"{pin.name} at {pin.address} could not be compared with its pin: {found.reason}")
    return found


def code_hash(code: object) -> str | None:
    """Keccak-256 of code as 0x hex, or None where it is missing."""
    return to_hex(keccak(code)) if isinstance(code, bytes) else None
