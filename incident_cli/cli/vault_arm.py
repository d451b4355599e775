"""incident vault arm | sign | export | add-signatures"""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli import settings
from incident_cli.cli.keys import Account, External, Keystore, LedgerPath, signer_of
from incident_cli.cli.terminal import Desk, Printer, parse_pairs, print_json, require_terminal
from incident_cli.cli.vault_ladder import ladder_object, phrase_of, show_ladder
from incident_cli.cli.vault_opening import (
    KEY_FD,
    File,
    Json,
    KeyPassphraseFd,
    PassphraseFd,
    new_passphrase,
    opened,
    rewrite,
)
from incident_cli.errors import Refused, Waiting

if TYPE_CHECKING:
    from incident_cli.flows.vault.arming import Armed, ArmOrder
    from incident_cli.safe.signing import Signer
    from incident_cli.safe.vault import Rung, Vault

ARM_EXAMPLE = (
    "Example: incident vault arm oracle-divergence pause --deployment production.yaml --market ETH-USD --rungs 10"
    " --vault eth-usd.vault --keystore owner.json"
)
SIGN_EXAMPLE = "Example: incident vault sign eth-usd.vault --keystore owner.json"
EXPORT_EXAMPLE = "Example: incident vault export eth-usd.vault --out to-sign"
ADD_EXAMPLE = "Example: incident vault add-signatures eth-usd.vault 0x….signatures.json"
Runbook = Annotated[str, typer.Argument(metavar="RUNBOOK", help="A shipped runbook's id, or a file.")]
Step = Annotated[str, typer.Argument(metavar="STEP", help="The contain step that is signed in advance.")]
Markets = Annotated[list[str], typer.Option("--market", help="Which market; repeatable: at each nonce any of them.")]
Params = Annotated[list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A parameter; repeatable.")]
HELP = "Each rung that stands above is one transaction. Signed, it can be fired by whoever holds the vault."
DECLINED = "run it again when everybody is sure; nothing was written"


def arm(
    runbook: Runbook,
    step: Step,
    *,
    deployment: Annotated[Path, typer.Option(help="The deployment file: chains, addresses, markets.")],
    market: Markets,
    rungs: Annotated[int, typer.Option(metavar="N", help="How many nonces the ladder has.")],
    vault: Annotated[Path, typer.Option("--vault", metavar="FILE", help="Where the encrypted vault is written.")],
    from_nonce: Annotated[int | None, typer.Option(metavar="N", help="The first nonce; else the Safe's own.")] = None,
    param: Params = None,
    keystore: Keystore = None,
    signer: External = None,
    account: Account = None,
    ledger: LedgerPath = None,
    passphrase_fd: PassphraseFd = None,
    key_passphrase_fd: KeyPassphraseFd = None,
    as_json: Json = False,
) -> None:
    """Plan, try and write a ladder of pre-signed containments. With a key it is signed at once by that owner."""
    from incident_cli.safe.vault_file import require_absent

    require_absent(vault)
    desk = Desk(in_walk=False)
    holder = holder_of(desk, keystore, signer, account, ledger, key_passphrase_fd)
    order = order_of(runbook, step, deployment, (market, rungs, from_nonce), param or [])
    armed = prepared(desk.printer, order)
    require_left(armed.vault, holder)
    passphrase = new_passphrase(desk.printer, vault, passphrase_fd)  # before a signature is made that could not be kept
    finished = armed.vault if holder is None else signed(desk, armed.vault, holder)
    write(desk.printer, vault, finished, passphrase)
    told(desk.printer, vault, finished, armed.notes, as_json, deployment)


def order_of(
    runbook: str, step: str, deployment: Path, ladder: tuple[list[str], int, int | None], params: list[str]
) -> ArmOrder:
    """What was asked for."""
    from incident_cli.flows.vault.arming import ArmOrder
    from incident_cli.runbook.shipped import find_runbook

    markets, rungs, from_nonce = ladder
    path = find_runbook(runbook)
    return ArmOrder(path, step, deployment, tuple(markets), rungs, from_nonce, parse_pairs(params))


def prepared(printer: Printer, order: ArmOrder) -> Armed:
    """The ladder, shown."""
    from incident_cli.flows.clock import SystemClock
    from incident_cli.flows.vault.arming import arm as arm_vault

    with printer.working("planning and trying every rung"):
        armed = arm_vault(order, settings.variable, SystemClock())
    show_ladder(printer, armed.vault)
    for note in armed.notes:
        printer.line(f"note: {note}", "yellow", hanging=6)
    return armed


def signed(desk: Desk, vault: Vault, signer: Signer) -> Vault:
    """The vault with the signer's signatures, once the phrase is typed; an owner is asked, and nobody else."""
    from incident_cli.flows.desk import Answer, Prompt
    from incident_cli.flows.vault.signing import sign_ladder, unsigned_by

    require_left(vault, signer)
    count, phrase = len(unsigned_by(vault, signer.address)), phrase_of(vault)
    question = f"Sign {count} transactions as {signer.address} ({signer.kind})? Type the markets and the rungs"
    prompt = Prompt("vault", "type", f"{question}: {phrase}", phrase=phrase, help=HELP)
    if desk.asker.ask(prompt) != Answer(phrase):
        raise Waiting("nothing was signed", "operator", DECLINED)
    with ExitStack() as turning:

        def said(one: Rung) -> None:
            turning.pop_all().close()
            desk.printer.line(f"signing {one.safe_tx_hash}")
            turning.enter_context(desk.printer.working(f"signing the rung at nonce {one.tx.nonce}"))

        return sign_ladder(vault, signer, said)


def holder_of(
    desk: Desk,
    keystore: Path | None,
    external: str | None,
    account: str | None,
    ledger: str | None,
    passphrase_fd: str | None,
) -> Signer | None:
    """The owner's signer; where one is named and nobody can type, that is said before a passphrase is asked for."""
    if keystore is not None or external is not None or ledger is not None:
        question = "whoever signs is asked to type the markets and the rungs"
        require_terminal(question, "run it in a terminal, or leave the key away", "Nothing was signed or written.")
    return signer_of(desk.printer, keystore, external, account, ledger, passphrase_fd, fd_flag=KEY_FD)


def require_left(vault: Vault, signer: Signer | None) -> None:
    """Raises Refused for a signer who is no owner, or has signed every rung."""
    from incident_cli.flows.vault.signing import unsigned_by

    if signer is not None and not unsigned_by(vault, signer.address):
        raise Refused(f"{signer.address} has signed every rung", "nothing is left to sign for this owner")


def write(printer: Printer, path: Path, vault: Vault, passphrase: str) -> None:
    """The new file."""
    from incident_cli.safe.vault_file import seal, write_sealed

    with printer.working("closing the vault"):
        write_sealed(path, seal(vault, passphrase))


def told(
    printer: Printer, path: Path, vault: Vault, notes: tuple[str, ...], as_json: bool, deployment: Path | None = None
) -> None:
    """Where it is, and what comes next; the `deployment` is known where it was armed."""
    printer.line(f"written: {path}", "green")
    missing, file = max(vault.threshold - len(one.signatures) for one in vault.rungs), shlex.quote(str(path))
    if missing > 0:
        printer.command(f"{missing} more must sign", f"vault sign {file} --keystore FILE")
    else:
        where = "FILE" if deployment is None else shlex.quote(str(deployment))
        printer.command("look at it every day", f"vault status {file} --deployment {where}")
    if as_json:
        print_json({"schema": "incident.vault-arm/v1", "file": str(path), **ladder_object(vault), "notes": list(notes)})


def sign(
    file: File,
    keystore: Keystore = None,
    signer: External = None,
    account: Account = None,
    ledger: LedgerPath = None,
    passphrase_fd: PassphraseFd = None,
    key_passphrase_fd: KeyPassphraseFd = None,
    as_json: Json = False,
) -> None:
    """Add an owner's signatures to every rung of a vault."""
    from incident_cli.errors import Misused

    desk = Desk(in_walk=False)
    holder = holder_of(desk, keystore, signer, account, ledger, key_passphrase_fd)
    if holder is None:
        raise Misused("whose signature is to be added?", "give --keystore FILE, --signer URL or --ledger")
    found = opened(desk.printer, file, passphrase_fd)
    show_ladder(desk.printer, found.vault)
    finished = signed(desk, found.vault, holder)
    rewrite(desk.printer, found, finished)
    told(desk.printer, file, finished, (), as_json)


def add_signatures(
    file: File,
    signatures: Annotated[list[Path], typer.Argument(metavar="SIGNATURES…", help="Files of signatures of its rungs.")],
    passphrase_fd: PassphraseFd = None,
    as_json: Json = False,
) -> None:
    """Add signatures from files that owners wrote with `incident safe sign`. Needs no key."""
    from incident_cli.flows.vault.signing import with_signatures
    from incident_cli.safe.signature_file import read_signature_file

    printer = Printer()
    given = [read_signature_file(one) for one in signatures]
    found = opened(printer, file, passphrase_fd)
    pairs = [(one.tx, {each.owner: each.signature for each in one.signatures}) for one in given]
    vault, count = with_signatures(found.vault, pairs)
    if count:
        rewrite(printer, found, vault)
    printer.line(f"{count} new signatures", "green")
    told(printer, file, vault, (), as_json)


def export(
    file: File,
    *,
    out: Annotated[Path, typer.Option(help="Where a file for each rung is written.")],
    passphrase_fd: PassphraseFd = None,
    as_json: Json = False,
) -> None:
    """Write every rung as a file to sign with `incident safe sign`. No signature is in it, and it fires nothing."""
    from incident_cli.flows.vault.exporting import export as export_vault

    printer = Printer()
    vault = opened(printer, file, passphrase_fd).vault
    files = export_vault(vault, out)
    show_ladder(printer, vault)
    printer.line(f"{len(files)} files written to {out}", "green")
    printer.command("each owner, for each file", "safe sign FILE --deployment FILE --keystore FILE")
    printer.command("then whoever holds the vault", f"vault add-signatures {shlex.quote(str(file))} SIGNATURES…")
    if as_json:
        print_json({"schema": "incident.vault-export/v1", **ladder_object(vault), "files": [str(one) for one in files]})
