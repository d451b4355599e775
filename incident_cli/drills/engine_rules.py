"""The rules a transaction meets on the drill's chain beyond py-evm's own, and the receipt it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from incident_cli.drills.engine_values import Executed, InvalidTransaction, Log, Receipt
from incident_cli.evm import checksummed, to_hex

NEWEST_TYPE = 2
TRANSFER_GAS, CREATE_GAS = 21_000, 32_000
TOKENS_PER_BYTE, FLOOR_PER_TOKEN = 4, 10  # EIP-7623


def receipt_of(
    header: Any, transaction: Any, computation: Any, encoded: Any, gas_used: int, before: Sequence[Executed]
) -> Receipt:
    """Our receipt of an executed transaction; the block's hash is not known yet."""
    created, tip = computation.msg.is_create, transaction.max_priority_fee_per_gas + header.base_fee_per_gas
    return Receipt(
        transaction_hash=to_hex(transaction.hash),
        index=len(before),
        block_number=header.block_number,
        block_hash="",
        status=0 if computation.is_error else 1,
        gas_used=gas_used,
        cumulative_gas=encoded.gas_used,
        logs=tuple(
            Log(checksummed(one.address), tuple(topic.to_bytes(32, "big") for topic in one.topics), bytes(one.data))
            for one in encoded.logs
        ),
        first_log=sum(len(one.receipt.logs) for one in before),
        contract_address=checksummed(computation.msg.storage_address) if created else None,
        sender=checksummed(transaction.sender),
        to=None if created else checksummed(transaction.to),
        effective_gas_price=min(transaction.max_fee_per_gas, tip),
        bloom=encoded.bloom,
        type=transaction.type_id or 0,
    )


def check(transaction: Any, chain_id: int, gas_left: int) -> None:
    """What py-evm leaves unchecked, or would say less plainly; raises InvalidTransaction."""
    least = max(transaction.intrinsic_gas, gas_before_execution(transaction.to or None, transaction.data)[1])
    if (transaction.type_id or 0) > NEWEST_TYPE:
        raise InvalidTransaction(f"the drill's chain takes transactions of type 0 to {NEWEST_TYPE}")
    if transaction.chain_id not in (None, chain_id):
        raise InvalidTransaction(f"signed for chain {transaction.chain_id}, this is chain {chain_id}")
    if not least <= transaction.gas <= gas_left:
        raise InvalidTransaction(f"{transaction.gas} gas: it needs {least} to begin, and the block has {gas_left} left")
    if transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas:
        raise InvalidTransaction("the priority fee is above the greatest fee")


def check_nonce(found: int, wanted: int) -> None:
    """Raise InvalidTransaction in geth's words, which clients know how to read."""
    if found != wanted:
        raise InvalidTransaction(
            f"nonce too {'low' if found < wanted else 'high'}: next nonce {wanted}, tx nonce {found}"
        )


def gas_before_execution(to: object, data: bytes) -> tuple[int, int]:
    """The intrinsic gas of a transaction, and the least it pays for its data (EIP-7623)."""
    zeros = data.count(0)
    tokens = zeros + TOKENS_PER_BYTE * (len(data) - zeros)
    intrinsic = TRANSFER_GAS + TOKENS_PER_BYTE * tokens + (CREATE_GAS if to is None else 0)
    return intrinsic, TRANSFER_GAS + FLOOR_PER_TOKEN * tokens
