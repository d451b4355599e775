"""What a contract runs: which reads tell it, and what they answer. One place for pins, containing, preflight and init.

Followed are EIP-1967 (implementation and beacon), the older slot of OpenZeppelin's first proxies (USDC's kind) and
EIP-1822. A beacon is asked in a second round. Where a contract's code names some of these positions, only those count:
what else stands in its storage is not read by it.

Sources: EIP-1967; EIP-1822; zos-lib, UpgradeabilityProxy.sol.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from incident_cli.abi import parse_signature
from incident_cli.errors import IncidentError
from incident_cli.evm import (
    Address,
    CallRead,
    CodeRead,
    Missing,
    Read,
    Snapshot,
    StorageRead,
    checksummed,
    keccak,
    to_hex,
)
from incident_cli.flows.looking import Source

IMPLEMENTATION_SLOT = int.from_bytes(keccak(b"eip1967.proxy.implementation")) - 1
BEACON_SLOT = int.from_bytes(keccak(b"eip1967.proxy.beacon")) - 1
POSITIONS = (
    IMPLEMENTATION_SLOT,
    int.from_bytes(keccak(b"org.zeppelinos.proxy.implementation")),
    int.from_bytes(keccak(b"PROXIABLE")),
    BEACON_SLOT,
)
BEACON_RUNS = parse_signature("implementation() view returns (address)")


def state_reads(address: Address, chain: str = "") -> list[Read]:
    """Its code, and every position where a proxy keeps what it runs."""
    return [CodeRead(address, chain), *(StorageRead(address, one, chain) for one in POSITIONS)]


def beacon_reads(snapshot: Snapshot, addresses: Collection[Address], chain: str = "") -> list[CallRead]:
    """What to ask the beacons of these contracts: what they run."""
    beacons = [one for one in (beacon_of(snapshot, address, chain) for address in addresses) if one is not None]
    return [CallRead(one, BEACON_RUNS, (), chain) for one in dict.fromkeys(beacons)]


def followed(source: Source, snapshot: Snapshot, addresses: Collection[Address], chain: str = "") -> Snapshot:
    """The snapshot with what the beacons of these contracts run, read at its own block; `state_reads` are in it.

    A beacon that cannot be read is Missing in it, with the reason.
    """
    asked = beacon_reads(snapshot, addresses, chain)
    if not asked:
        return snapshot
    try:
        answers = source.read_at(asked, snapshot.block, snapshot.others).answers
    except IncidentError as problem:
        answers = dict.fromkeys(asked, Missing(problem.message))
    return replace(snapshot, answers={**snapshot.answers, **answers})


def beacon_of(snapshot: Snapshot, address: Address, chain: str = "") -> Address | None:
    """The beacon that a contract asks what to run, or None where it has none, or where that could not be read."""
    held = pointers(snapshot, address, chain)
    return None if isinstance(held, Missing) else held.get(BEACON_SLOT)


def runs(snapshot: Snapshot, address: Address, chain: str = "") -> tuple[Address, ...] | Missing:
    """What a contract runs: nothing where it is no proxy; several where its storage names several and its code does not
    say which. Missing where it could not be read."""
    held = pointers(snapshot, address, chain)
    if isinstance(held, Missing):
        return held
    found = dict.fromkeys(to for position, to in held.items() if position != BEACON_SLOT)
    if BEACON_SLOT in held:
        behind = snapshot.value(CallRead(held[BEACON_SLOT], BEACON_RUNS, (), chain))
        if not isinstance(behind, str):
            reason = behind.reason if isinstance(behind, Missing) else "no address"
            return Missing(f"its beacon {held[BEACON_SLOT]} does not say what it runs: {reason}")
        found[checksummed(behind)] = None
    return tuple(found)


def pointers(snapshot: Snapshot, address: Address, chain: str = "") -> dict[int, Address] | Missing:
    """The positions that count and the addresses in them, empty ones left out; Missing where one could not be read."""
    code, *words = (snapshot.value(read) for read in state_reads(address, chain))
    for one in (code, *words):
        if not isinstance(one, bytes):
            return one if isinstance(one, Missing) else Missing("no bytes")
    held = dict(present(words))
    named = {position: to for position, to in held.items() if position.to_bytes(32) in bytes_of(code)}
    return named or held


def present(words: Collection[object]) -> Iterator[tuple[int, Address]]:
    """Each position with the address in its word, where there is one."""
    for position, word in zip(POSITIONS, words, strict=True):
        if (found := address_in(bytes_of(word))) is not None:
            yield position, found


def bytes_of(answer: object) -> bytes:
    """An answer that is known to be bytes."""
    assert isinstance(answer, bytes), "looked at before"
    return answer


def address_in(word: bytes) -> Address | None:
    """The address in a word of storage, or None where it is zero."""
    return checksummed(word[-20:]) if any(word) else None


def code_hash_behind(code: bytes, beacon: Address | None) -> str:
    """What a pin keeps of the code that a proxy runs, as 0x hex: its Keccak-256; behind a beacon the beacon's address
    comes first, so that another beacon is a change even while it runs the same."""
    return to_hex(keccak((bytes.fromhex(beacon[2:]) if beacon else b"") + code))
