"""Rows of the Safe desk: a label, a value beside it; hashes and addresses whole, long data cut and said to be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from incident_cli.cli.wrapping import wrapped
from incident_cli.evm import ZERO, Address
from incident_cli.safe.contracts import MULTISEND_CODE_HASHES
from incident_cli.text import plain

if TYPE_CHECKING:
    from incident_cli.cli.terminal import Printer
    from incident_cli.flows.multisig.naming import Names
    from incident_cli.safe.transaction import SafeTx

LABEL = 17
LONGEST = 2_400  # characters of one value; what is longer is whole in --json, and the digest covers every byte
Row = tuple[str, str]


def show_row(printer: Printer, label: str, value: str, style: str = "") -> None:
    """One row; a value that does not fit beside its label stands below it."""
    text = plain(value, LONGEST)
    beside = f"  {plain(label, 60)} ".ljust(LABEL)
    lines = wrapped(text, printer.width, LABEL, first=len(beside))
    printer.write([(beside + lines[0].lstrip(" ")).rstrip(), *lines[1:]], style)


def field_rows(tx: SafeTx, names: Names | None = None) -> Iterator[Row]:
    """Every field that is signed, and the two that decide how."""
    yield "chain", f"{tx.chain_id}"
    yield "Safe", f"{tx.safe} version {tx.version}"
    yield "nonce", f"{tx.nonce}"
    yield "to", named(tx.to, names)
    yield "value", f"{tx.value} wei"
    yield "operation", f"{tx.operation}, {operation_words(tx.operation, tx.to)}"
    yield "data", f"{len(tx.data)} bytes"
    gas = (("safeTxGas", tx.safe_tx_gas), ("baseGas", tx.base_gas), ("gasPrice", tx.gas_price))
    if not any(amount for _, amount in gas) and tx.gas_token == tx.refund_receiver == ZERO:
        yield "refund", "none: safeTxGas, baseGas, gasPrice 0; gasToken, refundReceiver zero"
        return
    yield from ((name, f"{amount}") for name, amount in gas)
    yield "gasToken", named(tx.gas_token, names)
    yield "refundReceiver", named(tx.refund_receiver, names)


def operation_words(operation: int, to: Address) -> str:
    """What an operation is; the one delegatecall that is expected is told from all others."""
    if operation == 1:
        return (
            "a delegatecall, as a batch needs it" if to in MULTISEND_CODE_HASHES else "a DELEGATECALL to foreign code"
        )
    return "no operation there is" if operation else "a call"


def named(address: str, names: Names | None) -> str:
    """An address, with its name where one is known."""
    return address if names is None else names.beside(address)
