"""incident safe sign"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli.keys import Account, External, Keystore, LedgerPath, PassphraseFd, signer_of
from incident_cli.cli.safe_hash import File, Json, stdin_bytes
from incident_cli.errors import Misused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from incident_cli.cli.terminal import Printer
    from incident_cli.flows.multisig.signing import SignedFile, SigningDesk
    from incident_cli.report.signing_card import Rival, SigningCard
    from incident_cli.safe.signing import Signer
    from incident_cli.safe.transaction import SafeTx

EXAMPLE = "Example: incident safe sign proposal.json --deployment production.yaml --keystore me.json --out signatures"
TONES = {"good": "green", "bad": "bold red", "warn": "yellow"}
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the file of signatures is written.")]
Displaces = Annotated[
    list[str] | None,
    typer.Option("--displaces", metavar="FILE", help="A transaction at the same nonce, to show; repeatable."),
]
Weaken = Annotated[
    bool, typer.Option("--weaken", help="Allow a rotation after which fewer keys act for the Safe; asked once more.")
]
Deployment = Annotated[Path, typer.Option("--deployment", metavar="FILE", help="The deployment that names the Safe.")]


def sign(
    file: File,
    *,
    deployment: Deployment,
    keystore: Keystore = None,
    signer: External = None,
    account: Account = None,
    ledger: LedgerPath = None,
    passphrase_fd: PassphraseFd = None,
    displaces: Displaces = None,
    weaken: Weaken = False,
    out: Out = Path(),
    as_json: Json = False,
) -> None:
    """Sign a Safe transaction as one of its owners: examined, shown, and confirmed by typing the end of its hash."""
    from incident_cli.cli.terminal import Printer, print_json, require_terminal
    from incident_cli.flows.multisig.aids import aids_of
    from incident_cli.flows.multisig.loading import load_transaction
    from incident_cli.flows.multisig.signing import SigningOrder
    from incident_cli.flows.multisig.signing import sign as signed

    printer, loaded, aids = Printer(), load_transaction(file, stdin_bytes()), aids_of(deployment, (), (), None, None)
    rivals = displaced(loaded.tx, displaces)
    require_terminal("the last characters of the safeTxHash are typed", "sign in a terminal", "Nothing was signed.")
    chosen = require_signer(signer_of(printer, keystore, signer, account, ledger, passphrase_fd))
    found = signed(SigningOrder(loaded, aids, chosen, out, rivals, weaken), desk_of(printer))
    print_json(found.to_json()) if as_json else tell(printer, found, deployment)


def displaced(tx: SafeTx, files: list[str] | None) -> Sequence[Rival] | None:
    """The transactions of these files as rivals of this one; None where none was named. Raises Misused."""
    from incident_cli.flows.multisig.carding import rivals_of
    from incident_cli.flows.multisig.loading import load_transaction

    return None if not files else rivals_of(tx, [load_transaction(one, None) for one in files])


def require_signer(signer: Signer | None) -> Signer:
    """The signer; raises Misused where none was named."""
    if signer is None:
        raise Misused("nobody was named to sign", "Name a key: --keystore FILE, --signer URL or --ledger default.")
    return signer


def desk_of(printer: Printer) -> SigningDesk:
    """The terminal, the clock and the home of this command."""
    from incident_cli.cli import settings
    from incident_cli.cli.terminal import Desk
    from incident_cli.flows.clock import SystemClock
    from incident_cli.flows.multisig.signing import SigningDesk

    def show(card: SigningCard) -> None:
        show_card(printer, card)

    def say(text: str, tone: str) -> None:
        printer.line(text, TONES.get(tone, ""), hanging=4)

    home = settings.incident_home()
    return SigningDesk(show, say, Desk(printer, in_walk=False).asker, SystemClock(), home, settings.variable)


def show_card(printer: Printer, card: SigningCard) -> None:
    """The card as it is sent in a chat; what warns stands out."""
    from incident_cli.report.signing_card import text

    for line in text(card).split("\n"):
        style = "bold red" if line.startswith("!") else "bold" if line.isupper() else ""
        printer.write([line], style)


def tell(printer: Printer, found: SignedFile, deployment: Path) -> None:
    """What was written, and what comes next."""
    printer.line(f"signed by {found.signer}: {len(found.owners)} of {found.threshold} signatures are here", "green")
    printer.line(f"written: {found.path}", hanging=9)
    left = found.threshold - len(found.owners)
    where = f"--deployment {shlex.quote(str(deployment))}"
    next_ = f"safe merge {shlex.quote(str(found.path))} {'FILE… ' if left > 0 else ''}{where}"
    printer.command("next, with the other owners' files" if left > 0 else "next", next_)
