"""Addresses that look like known ones: the same first and last digits, and another address between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from incident_cli.evm import Address, checksummed

ENDS = 2  # bytes at each end: the four digits that wallets leave of an address, and that people compare
SMALLEST = 2**64  # below are precompiles and placeholders, whose ends are zeros and small numbers


def ends_of(address: str) -> tuple[str, str]:
    """The digits at both ends."""
    digits = address[2:].lower()
    return digits[: 2 * ENDS], digits[-2 * ENDS :]


def lookalikes(addresses: Iterable[Address], known: Iterable[Address]) -> Iterator[tuple[Address, Address]]:
    """Each address with the known one it can be mistaken for; and each that poses as one before it."""
    seen: dict[tuple[str, str], list[Address]] = {}
    familiar = frozenset(known)
    for address in sorted(familiar):
        seen.setdefault(ends_of(address), []).append(address)
    for address in dict.fromkeys(addresses):
        if address in familiar or int(address, 16) < SMALLEST:
            continue
        alike = seen.setdefault(ends_of(address), [])
        yield from ((address, one) for one in alike if one != address and int(one, 16) >= SMALLEST)
        alike.append(address)


def hidden_in(data: bytes, known: Iterable[Address]) -> Iterator[Address]:
    """Addresses anywhere in calldata that begin and end like a known one whose ends are not zeros."""
    for one in known:
        digits = bytes.fromhex(one[2:])
        first, last = digits[:ENDS], digits[-ENDS:]
        if not any(first) or not any(last):
            continue
        at = data.find(first)
        while at != -1:
            found = data[at : at + 20]
            if len(found) == 20 and found.endswith(last) and found != digits:
                yield checksummed(found)
            at = data.find(first, at + 1)
