"""Whether contracts are still what they were when they were pinned: their code, and what a proxy points to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from incident_cli.errors import Unread
from incident_cli.evm import Address, CodeRead, Missing, Read, Snapshot, StorageRead, checksummed, keccak, to_hex
from incident_cli.flows.proposal import Objection
from incident_cli.flows.reading import Reader
from incident_cli.runbook.deployment import PinEntry
from incident_cli.safe import contracts

POINTERS = {
    "singleton": int(contracts.SINGLETON_SLOT, 16),
    "guard": int(contracts.GUARD_SLOT, 16),
    "module-guard": int(contracts.MODULE_GUARD_SLOT, 16),
    "fallback-handler": int(contracts.FALLBACK_HANDLER_SLOT, 16),
}
# EIP-1967: keccak256("eip1967.proxy.implementation") - 1
IMPLEMENTATION_SLOT = int.from_bytes(keccak(b"eip1967.proxy.implementation")) - 1


def changed_since_pinned(
    reader: Reader, pins: Sequence[PinEntry], addresses: Collection[Address], safe: Address
) -> list[Objection]:
    """An objection for each pinned contract among these that is not what it was, and for what runs inside the Safe
    (its singleton, guards, handler and modules) where that was pinned; raises Unread where not known."""
    here = [one for one in pins if one.chain == reader.chain]
    parts = parts_of(here, safe)
    mine = [one for one in here if one.address in addresses or one in parts.values()]
    if not mine:
        return []
    pointers = {part: StorageRead(safe, slot, reader.chain) for part, slot in POINTERS.items() if "singleton" in parts}
    snapshot = reader.read([*(read for one in mine for read in pin_reads(one)), *pointers.values()])
    words = [one for pin in mine for one in differences(pin, snapshot, strict=True)]
    words += [
        one for part, read in pointers.items() for one in repointed(part, safe, parts.get(part), snapshot.value(read))
    ]
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
    reads: list[Read] = [CodeRead(pin.address, pin.chain), StorageRead(pin.address, IMPLEMENTATION_SLOT, pin.chain)]
    return [*reads, CodeRead(pin.implementation, pin.chain)] if pin.implementation else reads


def differences(pin: PinEntry, snapshot: Snapshot, *, strict: bool = False) -> Iterator[str]:
    """What is not as it was pinned, in words; with `strict` raises Unread where something is missing."""
    code, slot, *inner = pin_reads(pin)
    found = code_hash(answer(pin, snapshot, code, strict))
    if found is not None and found != pin.codehash.lower():
        yield f"the code of {pin.name} at {pin.address} has changed: {found}, pinned was {pin.codehash}"
    word = answer(pin, snapshot, slot, strict)
    points_to = address_in(word) if isinstance(word, bytes) else pin.implementation
    if points_to != pin.implementation:
        yield f"{pin.name} at {pin.address} was upgraded: it runs {points_to}, pinned was {pin.implementation}"
    elif inner and pin.implementation_codehash is not None:
        found = code_hash(answer(pin, snapshot, inner[0], strict))
        if found is not None and found != pin.implementation_codehash.lower():
            yield f"the code behind {pin.name} at {pin.implementation} has changed: {found}"


def answer(pin: PinEntry, snapshot: Snapshot, read: Read, strict: bool) -> object:
    """An answer; raises Unread where it is missing and must not be."""
    found = snapshot.value(read)
    if isinstance(found, Missing) and strict:
        raise Unread(f"{pin.name} at {pin.address} could not be compared with its pin: {found.reason}")
    return found


def code_hash(code: object) -> str | None:
    """Keccak-256 of code as 0x hex, or None where it is missing."""
    return to_hex(keccak(code)) if isinstance(code, bytes) else None


def address_in(word: bytes) -> Address | None:
    """The address in a word of storage, or None where it is zero."""
    return checksummed(word[-20:]) if any(word) else None
