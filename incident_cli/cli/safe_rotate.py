"""incident safe rotate"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli import settings
from incident_cli.cli.terminal import Desk, print_json, require_terminal
from incident_cli.cli.vault_opening import PassphraseFd, opened
from incident_cli.errors import Waiting

if TYPE_CHECKING:
    from incident_cli.cli.terminal import Printer
    from incident_cli.flows.multisig.rotating import PlannedRotation
    from incident_cli.safe.survival import PreSigned as PreSignedTx
    from incident_cli.safe.transaction import SafeTx

EXAMPLE = "Example: incident safe rotate --deployment production.yaml --safe council --out-owner 0x… --in-owner 0x…"
INDENT = 2
STYLES = {"dead": "bold red", "eaten": "bold red", "repack": "yellow", "alive": "green", "stale": ""}
Addresses = list[str] | None
Out = Annotated[Addresses, typer.Option("--out-owner", metavar="0x…", help="Who goes, never to sign; repeatable.")]
In = Annotated[Addresses, typer.Option("--in-owner", metavar="0x…", help="Who takes its place; repeatable.")]
Files = list[Path] | None
PreSigned = Annotated[
    Files, typer.Option("--vault", metavar="FILE", help="A vault, or .json signatures: which die with it; repeatable.")
]


def rotate(
    *,
    deployment: Annotated[Path, typer.Option(help="The deployment file that names the Safe.")],
    safe: Annotated[str, typer.Option(metavar="SLOT", help="The Safe: its slot's name, or its whole address.")],
    out_owner: Out = None,
    in_owner: In = None,
    threshold: Annotated[int | None, typer.Option(help="How many must sign afterwards; else as many as now.")] = None,
    weaken: Annotated[bool, typer.Option("--weaken", help="Allow one signer alone, or less than a majority.")] = False,
    vault: PreSigned = None,
    passphrase_fd: PassphraseFd = None,
    out: Annotated[Path, typer.Option(help="Where the file for the owners is written.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Prepare a change of a Safe's owners for those who stay to sign. Needs no key; whoever goes cannot sign it."""
    from incident_cli.flows.multisig.rotating import RotationOrder, plan

    desk, gone, new = Desk(in_walk=False), tuple(out_owner or ()), tuple(in_owner or ())
    known = signed_before(desk.printer, vault or [], passphrase_fd)
    order = RotationOrder(deployment, safe, gone, new, threshold, weaken, known)
    with desk.printer.working("reading the Safe"):
        planned = plan(order, settings.variable)
    show(desk.printer, planned)
    require_consent(desk, planned)
    finish(desk.printer, planned, planned.write(out), as_json, deployment)


def signed_before(
    printer: Printer, files: list[Path], passphrase_fd: str | None
) -> tuple[tuple[SafeTx, PreSignedTx], ...]:
    """What files of signatures (.json) and vaults (anything else, opened by their passphrase) hold."""
    from incident_cli.flows.multisig.pre_signed import of_vault, pre_signed_of

    parts = [
        pre_signed_of([one]) if one.suffix == ".json" else of_vault(opened(printer, one, passphrase_fd).vault)
        for one in files
    ]
    return tuple(each for part in parts for each in part)


def require_consent(desk: Desk, planned: PlannedRotation) -> None:
    """The phrase, typed; raises NeedsTerminal where nobody can type it, Waiting where it is not."""
    from incident_cli.flows.desk import Answer, Prompt

    question = (
        "Type the last 8 characters of each new owner's address, as its holder reads them to you by another road."
    )
    if not planned.rotation.incoming:  # whoever goes is not asked: it may be the one who is suspected
        question = "Type the last 8 characters of the address of each owner who goes, as your own records have it."
    require_terminal(question, "run it in a terminal", "Nothing was written.")
    phrase = planned.rotation.phrase
    prompt = Prompt("rotate", "type", question, phrase=phrase, typed=True, help="Several are parted by a space.")
    if desk.asker.ask(prompt) != Answer(phrase):
        raise Waiting("nothing was written", "operator", "run it again when the address is confirmed")


def finish(printer: Printer, planned: PlannedRotation, path: Path, as_json: bool, deployment: Path) -> None:
    """Where the file is, and who does what with it."""
    printer.line(f"written: {path}", "green")
    weaken = " --weaken" if planned.is_weakening else ""
    where = f"{shlex.quote(str(path))} --deployment {shlex.quote(str(deployment))}"
    printer.command("each owner who stays", f"safe sign {where} --keystore FILE{weaken}")
    if as_json:
        print_json({**planned.document(), "file": str(path)})


def show(printer: Printer, planned: PlannedRotation) -> None:
    """Exactly what changes, what it is signed as, who may sign it, and what dies with it."""
    tx, rotation = planned.tx, planned.rotation
    printer.line("OWNER ROTATION", "bold")
    printer.line(f"Safe {tx.safe} ({tx.version}) on {planned.place.chain}, chain {tx.chain_id}, nonce {tx.nonce}")
    show_owners(printer, planned)
    printer.line(
        f"threshold: {rotation.threshold} of {len(rotation.owners)} before,"
        f" {rotation.new_threshold} of {len(rotation.owners_after)} after",
        "bold" if rotation.new_threshold != rotation.threshold else "",
    )
    section(printer, "calls of the Safe to itself", [f"{one.label}: {one.plain}" for one in planned.calls])
    section(printer, "hashes, the same by incident, safe-eth-py and the Safe", hash_lines(planned))
    section(printer, "simulated by owners who stay", simulation_lines(planned))
    show_signers(printer, planned)
    show_pre_signed(printer, planned)
    for one in planned.findings:
        printer.line(f"look twice: {one.message} ({one.code})", "yellow", hanging=INDENT)


def section(printer: Printer, title: str, lines: list[str]) -> None:
    """A title and its lines."""
    printer.line(f"{title}:")
    for line in lines:
        printer.line(" " * INDENT + line, hanging=2 * INDENT)


def show_owners(printer: Printer, planned: PlannedRotation) -> None:
    """Before and after, in whole, in the Safe's own order."""
    rotation = planned.rotation
    for title, owners, marked, word, style in (
        ("owners before", rotation.owners, rotation.outgoing, "GOES", "bold red"),
        ("owners after", rotation.owners_after, rotation.incoming, "COMES", "bold green"),
    ):
        printer.line(f"{title}:")
        for one in owners:
            name = planned.name_of(one)
            changes = one in marked
            text = f"{one}{f'  {name}' if name else ''}{f'  {word}' if changes else ''}"
            printer.line(" " * INDENT + text, style if changes else "", hanging=2 * INDENT)


def hash_lines(planned: PlannedRotation) -> list[str]:
    """What a signing device shows."""
    hashes = planned.hashes
    return [
        f"safe_tx_hash     {hashes.safe_tx_hash}",
        f"domain_hash      {hashes.domain_hash}",
        f"message_hash     {hashes.message_hash}",
        f"calldata_digest  {hashes.calldata_digest} ({hashes.calldata_bytes} bytes)",
    ]


def simulation_lines(planned: PlannedRotation) -> list[str]:
    """How, and what was not tried."""
    shown = planned.simulation
    lines = [f"{shown.state}: {shown.method}"]
    lines += [f"overridden: {', '.join(shown.overridden)}"] if shown.overridden else []
    return lines + ([f"not exercised: {', '.join(shown.not_exercised)}"] if shown.not_exercised else [])


def show_signers(printer: Printer, planned: PlannedRotation) -> None:
    """Who may sign, and who may not."""
    rotation = planned.rotation
    named = [f"{one}{f'  {name}' if (name := planned.name_of(one)) else ''}" for one in rotation.remaining]
    section(printer, f"may sign ({rotation.threshold} must)", named)
    for one in rotation.outgoing:
        printer.line(
            f"may NOT sign: {one}; its signature is refused wherever it comes from", "bold red", hanging=INDENT
        )


def show_pre_signed(printer: Printer, planned: PlannedRotation) -> None:
    """What was signed before and dies."""
    section(printer, "of what was signed before (also the rungs of a vault)", list(planned.statement))
    for one in planned.survivals:
        line = f"{one.survives.upper():<7}{one.signed.label}, nonce {one.signed.nonce}: {one.reason}"
        printer.line(" " * INDENT + line, STYLES[one.survives], hanging=2 * INDENT)
