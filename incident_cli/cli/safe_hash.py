"""incident safe hash"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

if TYPE_CHECKING:
    from incident_cli.cli.terminal import Printer
    from incident_cli.safe.hashes import SafeHashes
    from incident_cli.safe.transaction import SafeTx

EXAMPLE = "Example: incident safe hash proposal.json"
File = Annotated[str, typer.Argument(metavar="FILE", help="A SafeTx, proposal or signatures file; - reads stdin.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
WHERE = (
    ("domain hash", "domain_hash", "a Ledger or Trezor shows it first when it signs typed data blindly"),
    ("message hash", "message_hash", "the same device shows it second"),
    ("safeTxHash", "safe_tx_hash", "Safe's own app and every co-signer's `incident safe hash` show it"),
    ("calldata digest", "calldata_digest", "a wallet that follows ERC-8213 shows it"),
)


def hash_(file: File, as_json: Json = False) -> None:
    """Compute the hashes of a Safe transaction by two independent implementations; no chain is read."""
    from incident_cli.cli.terminal import Printer, print_json
    from incident_cli.flows.multisig.hashing import hash_object, hashed
    from incident_cli.flows.multisig.loading import load_transaction

    loaded = load_transaction(file, stdin_bytes())
    hashes = hashed(loaded)
    if as_json:
        print_json(hash_object(loaded, hashes))
    else:
        show(Printer(), loaded.tx, hashes)


def stdin_bytes() -> BinaryIO | None:
    """stdin as bytes; None where it is closed."""
    return None if sys.stdin is None else sys.stdin.buffer


def show(printer: Printer, tx: SafeTx, hashes: SafeHashes) -> None:
    """The fields, then each hash on a line of its own with where it is compared."""
    from incident_cli.cli.safe_rows import field_rows, show_row

    printer.line("The transaction", "bold")
    for label, value in field_rows(tx):
        show_row(printer, label, value)
    printer.line()
    show_hashes(printer, hashes, "Compare every digit before you sign (incident and safe-eth-py agree)")


def show_hashes(printer: Printer, hashes: SafeHashes, heading: str) -> None:
    """The four values, whole."""
    printer.line(heading, "bold", hanging=2)
    for label, field, where in WHERE:
        aside = f", of {hashes.calldata_bytes} bytes" if field == "calldata_digest" else ""
        printer.line(f"  {label}{aside}: {where}", hanging=4)
        printer.write([f"    {getattr(hashes, field)}"], "bold")
