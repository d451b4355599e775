"""Addresses that look like known ones: the same first and last digits, or a long end of them, and another between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from incident_cli.evm import Address, checksummed

ENDS = 2  # bytes at each end: the four digits that wallets leave of an address, and that people compare
LONG = 8  # digits at one end: more than anybody meets by chance
SMALLEST = 2**64  # below are precompiles and placeholders, whose ends are zeros and small numbers
HIDDEN_MOST = 1_000  # that are looked for in one calldata; each of them forbids it
Keys = tuple[tuple[str, str], ...]


def ends_of(address: str) -> tuple[str, str]:
    """The digits at both ends."""
    digits = address[2:].lower()
    return digits[: 2 * ENDS], digits[-2 * ENDS :]


def keys_of(address: str) -> Keys:
    """By what an address is mistaken for another: both ends, or eight digits at one of them (zeros are no mark)."""
    digits = address[2:].lower()
    ends = [("first", digits[:LONG]), ("last", digits[-LONG:])]
    return (ends_of(address), *(one for one in ends if one[1].strip("0")))


def lookalikes(addresses: Iterable[Address], known: Iterable[Address]) -> Iterator[tuple[Address, Address]]:
    """Each address with one it can be mistaken for: a known one, or the first of those before it."""
    seen: dict[tuple[str, str], Address] = {}
    familiar = frozenset(known)
    for address in sorted(familiar):
        remember(address, seen)
    for address in dict.fromkeys(addresses):
        if address in familiar or int(address, 16) < SMALLEST:
            continue
        alike = next((seen[key] for key in keys_of(address) if key in seen), None)
        if alike is not None:
            yield address, alike
        remember(address, seen)


def remember(address: Address, seen: dict[tuple[str, str], Address]) -> None:
    """Keep the first address of each key."""
    if int(address, 16) >= SMALLEST:
        for key in keys_of(address):
            seen.setdefault(key, address)


def hidden_in(data: bytes, known: Iterable[Address]) -> Iterator[tuple[Address, Address]]:
    """Addresses anywhere in calldata that begin and end like a known one whose ends are not zeros, with that one."""
    every = frozenset(known)
    alike: dict[tuple[bytes, bytes], Address] = {}
    for one in sorted(every):
        digits = bytes.fromhex(one[2:])
        if any(digits[:ENDS]) and any(digits[-ENDS:]):
            alike.setdefault((digits[:ENDS], digits[-ENDS:]), one)
    firsts, seen = frozenset(first for first, _ in alike), set[bytes]()
    for at in range(len(data) - 19):
        if data[at : at + ENDS] not in firsts:
            continue
        other = alike.get((data[at : at + ENDS], data[at + 20 - ENDS : at + 20]))
        if other is None or (found := data[at : at + 20]) in seen or found == bytes.fromhex(other[2:]):
            continue
        seen.add(found)
        yield checksummed(found), other
        if len(seen) >= HIDDEN_MOST:
            return
