"""incident safe merge | export | import"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli.safe_desk import command_path
from incident_cli.cli.safe_hash import File, Json, stdin_bytes
from incident_cli.errors import Misused

if TYPE_CHECKING:
    from incident_cli.cli.terminal import Printer
    from incident_cli.flows.multisig.importing import Imported, Kept
    from incident_cli.flows.multisig.merging import MergeResult
    from incident_cli.runbook.deployment import Deployment

MERGE_EXAMPLE = "Example: incident safe merge mine.signatures.json theirs.signatures.json --deployment production.yaml"
EXPORT_EXAMPLE = "Example: incident safe export proposal.json --format tx-builder --out handover"
IMPORT_EXAMPLE = "Example: incident safe import batch.json --deployment production.yaml --safe council --out proposals"
STDOUT = "-"


class ExportFormat(StrEnum):
    """The forms in which a transaction is handed on."""

    TX_BUILDER = "tx-builder"
    SAFE_TX = "safe-tx"
    SIGNATURES = "signatures"
    CALLDATA = "calldata"


Files = Annotated[list[str], typer.Argument(metavar="FILE…", help="Files of one transaction; - reads stdin.")]
On = Annotated[Path | None, typer.Option("--deployment", metavar="FILE", help="Hold it against this chain, now.")]
Into = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where it is written; else beside the first.")]
Form = Annotated[ExportFormat, typer.Option("--format", help="The form.")]
Out = Annotated[str, typer.Option("--out", metavar="DIR", help="Where it is written; - writes to stdout.")]
Required = Annotated[Path, typer.Option("--deployment", metavar="FILE", help="The deployment that names the Safe.")]
Slot = Annotated[str, typer.Option("--safe", metavar="SLOT", help="The Safe: its slot's name, or its whole address.")]
Nonce = Annotated[int | None, typer.Option("--nonce", min=0, help="For a batch, which has none; else the chain's.")]
Folder = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the file is written.")]


def merge(files: Files, deployment: On = None, out: Into = None, as_json: Json = False) -> None:
    """Put signatures of one transaction together: each verified, none dropped, ready only once simulated."""
    from incident_cli.cli.settings import variable
    from incident_cli.cli.terminal import Printer, print_json
    from incident_cli.flows.multisig.loading import STDIN, load_transaction
    from incident_cli.flows.multisig.merging import merge_files

    loaded = [load_transaction(one, stdin_bytes()) for one in files]
    folder = out or (Path() if files[0] == STDIN else Path(files[0]).parent)
    found = merge_files(loaded, deployment_of(deployment), variable, folder)
    print_json(found.to_json()) if as_json else show_merged(Printer(), found, deployment)
    raise typer.Exit(found.exit_code)


def deployment_of(path: Path | None) -> Deployment | None:
    """The deployment of a file; None where none was named. Raises WrongFile."""
    from incident_cli.runbook.deployment import load_deployment

    return None if path is None else load_deployment(path)[0]


def show_merged(printer: Printer, found: MergeResult, deployment: Path | None) -> None:
    """Every signature and whether it counts; then what is missing."""
    document = found.to_json()
    printer.line(f"safeTxHash {found.file.safe_tx_hash}", "bold")
    for one in document["signatures"]:
        mark = {True: "counts", False: f"DOES NOT COUNT: {one['reason']}", None: "not held against the chain"}
        printer.line(f"  {one['owner']}  {one['kind']}: {mark[one['counts']]}", hanging=4)
    show_others(printer, found)
    if found.standing is None:
        printer.line(f"{len(found.file.signatures)} signatures. How many are needed was not read: name --deployment")
    elif found.readiness is not None:
        state, reason = found.readiness.state, found.readiness.reason
        printer.line(f"{state}{f': {reason}' if reason else ''}", "green" if state == "ready" else "yellow", hanging=2)
        for waiter in found.standing.waiting if found.standing.missing else ():
            printer.line(f"  waiting for {waiter.owner} {waiter.name}".rstrip(), hanging=4)
    printer.line(f"written: {found.path}", hanging=9)
    if found.readiness is not None and found.readiness.state == "ready":
        where = f"{command_path(found.path or 'FILE')} --deployment {command_path(deployment or 'FILE')}"
        printer.command("anybody with a funded key", f"safe execute {where} --keystore FILE")


def show_others(printer: Printer, found: MergeResult) -> None:
    """What is not counted on: further claims, what was set aside, and the signatures of those who go."""
    from incident_cli.safe.leaving import GONE

    for one in found.file.claims:
        printer.line(f"  {one.owner}  {one.kind}: a further claim, kept apart; nothing proves it", "yellow", hanging=4)
    for one in found.set_aside:
        words = f"a further {one.kind} signature of {one.owner} is set aside: one owner counts once"
        printer.line(f"  {words}", "yellow", hanging=4)
    for one in found.excluded:
        printer.line(f"  {one.owner}  {one.kind}: LEFT OUT: {GONE}", "bold red", hanging=4)


def export(file: File, *, form: Form, out: Out, deployment: On = None, as_json: Json = False) -> None:
    """Write a transaction as a Transaction Builder batch, as its SafeTx, its signatures, or calldata to execute."""
    from incident_cli.cli.settings import variable
    from incident_cli.cli.terminal import Printer, print_json, print_text
    from incident_cli.flows.clock import SystemClock
    from incident_cli.flows.multisig.exporting import SCHEMA, write
    from incident_cli.flows.multisig.exporting import export as exported
    from incident_cli.flows.multisig.loading import load_transaction

    now = int(SystemClock().now().timestamp() * 1_000)
    loaded, beside = load_transaction(file, stdin_bytes()), None if file == STDOUT else Path(file).parent
    found = exported(loaded, form.value, now, deployment_of(deployment), variable, beside)
    if out == STDOUT and as_json:
        raise Misused("--json and --out - both write to stdout", "Give a folder, or leave out --json.")
    paths = () if out == STDOUT else write(Path(out), found)
    if out == STDOUT:
        print_text(json.dumps(found.document, indent=2))
    if as_json:
        about = {"format": found.format, "paths": [str(one) for one in paths], "says": found.says or None}
        print_json({"schema": SCHEMA, **about})
        return
    for line in (*(f"written: {one}" for one in paths), found.says):
        if line:
            Printer().line(line, hanging=9)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A batch, a service's record, or a SafeTx.")],
    *,
    deployment: Required,
    safe: Slot,
    nonce: Nonce = None,
    out: Folder = Path(),
    as_json: Json = False,
) -> None:
    """Take a transaction made elsewhere: rebuilt for the Safe you name, examined, written as one file to sign."""
    from incident_cli.cli.settings import variable
    from incident_cli.cli.terminal import Printer, print_json
    from incident_cli.flows.multisig.aids import aids_of
    from incident_cli.flows.multisig.importing import Into, import_file, keep
    from incident_cli.flows.multisig.place import place_of_slot

    aids = aids_of(deployment, (), (), None, None)
    assert aids.deployment is not None, "a deployment was named"
    place = place_of_slot(aids.deployment, safe, variable)
    found = import_file(file, Into(place, aids, variable), nonce)
    kept = keep(out, found)
    print_json(kept.to_json(found)) if as_json else show_imported(Printer(), found, kept, deployment)


def show_imported(printer: Printer, found: Imported, kept: Kept, deployment: Path) -> None:
    """What it does, what is worth a second look, where it is."""
    from incident_cli.cli.safe_inspect import show_call

    for one in found.examined.calls:
        show_call(printer, one, found.examined.outermost, found.examined)
    for finding in found.examined.findings:
        printer.line(f"{finding.severity} {finding.code}: {finding.message}", "yellow", hanging=2)
    for words in found.says:
        printer.line(words, "yellow", hanging=2)
    printer.line(f"nonce {found.examined.tx.nonce}, safeTxHash {found.safe_tx_hash}", "bold", hanging=2)
    for path in filter(None, (kept.path, kept.signatures_path)):
        printer.line(f"written: {path}", hanging=9)
    where = f"{command_path(kept.path)} --deployment {command_path(deployment)}"
    printer.command("next", f"safe sign {where} --keystore FILE")
