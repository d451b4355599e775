"""Whom a transaction takes out of a Safe's owners, read from its own calls: no file is asked who may not sign it."""

from __future__ import annotations

from collections.abc import Iterator

from incident_cli.evm import Address, checksummed
from incident_cli.safe.rotation import REMOVE, SWAP
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.unfolding import unfold

GONE = "it is being rotated out: the key may be in other hands, its signature is not taken"
OUTGOING = slice(4 + 32 + 12, 4 + 64)  # both functions name who goes as their second argument
SELECTORS = (SWAP.selector, REMOVE.selector)


def leaving(tx: SafeTx) -> tuple[Address, ...]:
    """The owners whom any call of this transaction swaps or removes, each once, in the order of the calls."""
    return tuple(dict.fromkeys(outgoing_in(tx)))


def outgoing_in(tx: SafeTx) -> Iterator[Address]:
    """Read leniently: calldata that is too odd to run takes nobody out, and it is refused elsewhere."""
    for made in unfold(tx).calls:
        call = made.call
        if call.to == tx.safe and call.data[:4] in SELECTORS and len(call.data) >= OUTGOING.stop:
            yield checksummed(call.data[OUTGOING])
