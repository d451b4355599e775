"""`incident` with one command more: `sign-once` signs a Safe transaction and another one with whatever signer is named.

It runs as a process of its own, with everything logged, so that a test can look at all that a signing command leaves.
"""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from incident_cli.cli import main
from incident_cli.cli.keys import Account, External, Keystore, LedgerPath, PassphraseFd, signer_of
from incident_cli.cli.terminal import Printer, print_json
from incident_cli.evm import checksummed, to_hex
from incident_cli.outgoing import Outgoing
from incident_cli.safe import keystore as keystore_file
from incident_cli.safe import ledger as ledger_device
from incident_cli.safe.signing import raw_by, signed_by, unlocked
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.typed_data import safe_tx_typed_data
from tests.fakes.signers import Device

SAFE, TARGET = checksummed(b"\x11" * 20), checksummed(b"\x22" * 20)
TX = SafeTx(chain_id=1, safe=SAFE, version="1.4.1", to=TARGET, value=0, data=b"\x01", operation=0, nonce=7)
SENT = Outgoing(1, 3, TARGET, b"\x01\x02", 100_000, 30 * 10**9, 10**9, 5)
HOLDING = "the key is held"


def crash(*secrets: object) -> bytes:
    """A library that fails, with the key in its message."""
    raise ValueError(f"cannot sign with {secrets!r}")


def sign_once(
    keystore: Keystore = None,
    external: External = None,
    account: Account = None,
    ledger: LedgerPath = None,
    passphrase_fd: PassphraseFd = None,
    crashes: Annotated[bool, typer.Option("--crashes")] = False,
    holds: Annotated[bool, typer.Option("--holds")] = False,
    status: Annotated[str, typer.Option("--status")] = "",
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Sign one Safe transaction and one that is sent."""
    device = Device()
    ledger_device.open_device = lambda: device.exchange
    signer = signer_of(Printer(), keystore, external, account, ledger, passphrase_fd)
    device.status = int(status, 16) if status else None
    if signer is None:
        print_json({"schema": "test.signed/v1", "signature": None})
        return
    if crashes:
        keystore_file.sign = crash  # type: ignore[assignment, attr-defined]
    with unlocked(signer):
        if holds:
            Printer().line(HOLDING)
            sys.stdin.readline()
        signature, raw = signed_by(signer, safe_tx_typed_data(TX)), raw_by(signer, SENT)
    found = {"address": signer.address, "signature": to_hex(signature), "raw": to_hex(raw)}
    logging.getLogger("signing").debug("%r signed %s", signer, found)
    print_json({"schema": "test.signed/v1", **found})


def whole() -> typer.Typer:
    """Every command there is, and one more."""
    app = main.program(None)
    app.command("sign-once")(sign_once)
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG)
    program = whole()
    main.program = lambda words: program
    main.run()
