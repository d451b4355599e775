"""What the drill's chain answers with: logs, receipts, blocks, and the ways a transaction or call may fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from incident_cli.errors import Refused
from incident_cli.evm import Address, Block

Topics = Sequence[Sequence[bytes] | None]


class InvalidTransaction(Refused):
    """The transaction may not enter a block: its nonce, funds, fee, gas, chain or signature is wrong."""


class Reverted(Exception):
    """The call failed: `data` is what it reverted with, `reason` why it halted where it did not revert."""

    def __init__(self, data: bytes, reason: str = "") -> None:
        super().__init__(reason or "execution reverted")
        self.data, self.reason = data, reason


class UnknownBlock(LookupError):
    """There is no such block on this chain."""


@dataclass(frozen=True, slots=True)
class Log:
    """One event: the contract that emitted it, its topics of 32 bytes each, and its data."""

    address: Address
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction: `status` 1 or 0, `first_log` its first log's place in the block, fees in wei."""

    transaction_hash: str
    index: int
    block_number: int
    block_hash: str
    status: int
    gas_used: int
    cumulative_gas: int
    logs: tuple[Log, ...]
    first_log: int
    contract_address: Address | None
    sender: Address
    to: Address | None
    effective_gas_price: int
    bloom: int
    type: int


@dataclass(frozen=True, slots=True)
class Emitted:
    """A log in its place: `index` counts within the block."""

    log: Log
    index: int
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Mined:
    """A block and the receipts of its transactions, in order."""

    block: Block
    receipts: tuple[Receipt, ...]


@dataclass(frozen=True, slots=True)
class Executed:
    """Executed in a block not yet sealed: py-evm's transaction and receipt, and ours without a block hash."""

    transaction: Any
    encoded: Any
    receipt: Receipt


def emitted_in(mined: Mined) -> Iterator[Emitted]:
    """The logs of a block in order."""
    for receipt in mined.receipts:
        for place, log in enumerate(receipt.logs):
            yield Emitted(log, receipt.first_log + place, receipt)


def matches(log: Log, topics: Topics) -> bool:
    """Whether a log has these topics at their places."""
    pairs = zip(log.topics, topics, strict=False)
    return len(topics) <= len(log.topics) and all(allowed is None or topic in allowed for topic, allowed in pairs)
