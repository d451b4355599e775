"""Whether contracts are still what they were when they were pinned: their code, and what a proxy points to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from incident_cli.errors import Unread
from incident_cli.evm import Address, CodeRead, Missing, Read, Snapshot, StorageRead, checksummed, keccak, to_hex
from incident_cli.flows.proposal import Objection
from incident_cli.flows.reading import Reader
from incident_cli.runbook.deployment import PinEntry

# EIP-1967: keccak256("eip1967.proxy.implementation") - 1
IMPLEMENTATION_SLOT = int.from_bytes(keccak(b"eip1967.proxy.implementation")) - 1


def changed_since_pinned(reader: Reader, pins: Sequence[PinEntry], addresses: Collection[Address]) -> list[Objection]:
    """An objection for each pinned contract among these that is not what it was; raises Unread where not known."""
    mine = [one for one in pins if one.chain == reader.chain and one.address in addresses]
    if not mine:
        return []
    snapshot = reader.read([read for one in mine for read in pin_reads(one)])
    return [Objection("code-changed", words) for one in mine for words in differences(one, snapshot, strict=True)]


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
