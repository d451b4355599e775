"""Whose keys a response has at hand: the signer's, and those of whoever pays for the execution."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli import settings
from incident_cli.cli.keys import Account, External, Keystore, LedgerPath, PassphraseFd, passphrases, signer_of
from incident_cli.cli.terminal import Printer
from incident_cli.errors import Misused
from incident_cli.text import plain

if TYPE_CHECKING:
    from incident_cli.flows.handing_over import Keys
    from incident_cli.safe.signing import Signer

__all__ = ["Account", "Broadcaster", "External", "Keystore", "LedgerPath", "PassphraseFd", "Private", "Wait", "at_hand"]
SAME = "same"
Broadcaster = Annotated[
    str | None,
    typer.Option("--broadcaster", metavar="FILE|same", help="Execute it, paid by this keystore or the signer's key."),
]
Private = Annotated[
    str | None, typer.Option("--private", metavar="VARIABLE", help="Send first to the node whose URL this holds.")
]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the owners here, or come back with --resume.")]


def at_hand(
    printer: Printer,
    keystore: Path | None,
    external: str | None,
    account: str | None,
    ledger: str | None,
    passphrase_fd: str | None,
    broadcaster: str | None,
    private: str | None,
) -> Keys:
    """The keys that the options name; raises Misused for options that do not go together."""
    from incident_cli.flows.handing_over import Keys

    signer = signer_of(printer, keystore, external, account, ledger, passphrase_fd)
    payer = broadcaster_of(printer, broadcaster, signer)
    if private is not None and payer is None:
        raise Misused("--private is given without --broadcaster", "It says where the broadcaster's transaction goes.")
    url = None if private is None else settings.variable(private)
    if private is not None and url is None:
        raise Misused(f"--private names {private}, which is not set", f"export {private}=https://…")
    return Keys(signer, payer, url)


def broadcaster_of(printer: Printer, broadcaster: str | None, signer: Signer | None) -> Signer | None:
    """Who pays: nobody, the signer, or the key of a keystore, whose passphrase is asked for."""
    if broadcaster is None:
        return None
    if broadcaster == SAME:
        if signer is None:
            raise Misused("--broadcaster same needs a signer", "name one: --keystore FILE, --signer URL or --ledger")
        return signer
    return opened(printer, Path(broadcaster))


def opened(printer: Printer, path: Path) -> Signer:
    """The broadcaster's keystore, its passphrase asked for now and not when the last owner has signed."""
    from incident_cli.safe.keystore import KeystoreSigner
    from incident_cli.safe.signing import unlocked

    ask, known = passphrases(printer, f"passphrase of the broadcaster {plain(path)}", None), list[bytes]()

    def give(attempt: int) -> bytes | None:
        if attempt or not known:
            known[:] = [found] if (found := ask(attempt)) is not None else []
        return known[0] if known else None

    signer = KeystoreSigner(path, give)
    with unlocked(signer):
        pass
    return signer
