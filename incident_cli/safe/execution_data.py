"""Calldata of execTransaction, packed word by word: on the quickest road no codec is loaded for it. Pure."""

from __future__ import annotations

from incident_cli.safe.hashes import address_word, number_word
from incident_cli.safe.transaction import SafeTx

SELECTOR = bytes.fromhex("6a761202")  # of contracts.EXEC_TRANSACTION
HEAD_WORDS = 10


def execution_data(tx: SafeTx, signatures: bytes) -> bytes:
    """What is sent to the Safe to execute a transaction with these packed signatures."""
    data = padded(tx.data)
    head = (
        address_word(tx.to),
        number_word(tx.value),
        number_word(32 * HEAD_WORDS),
        number_word(tx.operation),
        number_word(tx.safe_tx_gas),
        number_word(tx.base_gas),
        number_word(tx.gas_price),
        address_word(tx.gas_token),
        address_word(tx.refund_receiver),
        number_word(32 * HEAD_WORDS + len(data)),
    )
    return SELECTOR + b"".join(head) + data + padded(signatures)


def padded(content: bytes) -> bytes:
    """A dynamic argument: its length, and its bytes filled up to whole words."""
    return number_word(len(content)) + content + bytes(-len(content) % 32)
