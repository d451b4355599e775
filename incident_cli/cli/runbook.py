"""incident runbook list | show | validate"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.errors import IncidentError, Misused
from incident_cli.text import plain

if TYPE_CHECKING:
    from incident_cli.cli.terminal import Printer
    from incident_cli.runbook.model import Runbook

EXAMPLE = "Example: incident runbook list"
app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The runbooks: list, show, validate.", epilog=EXAMPLE
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


@app.command("list", epilog=EXAMPLE)
def list_(as_json: Json = False) -> None:
    """List the shipped runbooks."""
    from incident_cli.cli.terminal import Printer, print_json
    from incident_cli.runbook.load import load_runbook
    from incident_cli.runbook.shipped import shipped_runbooks

    found = [load_runbook(path).runbook for path in shipped_runbooks()]
    if as_json:
        print_json({"schema": "incident.runbook-list/v1", "runbooks": [summary(one) for one in found]})
        return
    for one in found:
        Printer().line(f"{one.id:<22} {one.meta.severity}  {one.title}")


@app.command(epilog="Example: incident runbook show oracle-divergence")
def show(
    runbook: Annotated[str, typer.Argument(help="A shipped runbook's id, or a file.")], as_json: Json = False
) -> None:
    """Show a runbook: its parameters, checks and steps."""
    from incident_cli.cli.terminal import Printer, print_json
    from incident_cli.runbook.load import load_runbook
    from incident_cli.runbook.shipped import find_runbook

    found = load_runbook(find_runbook(runbook)).runbook
    if as_json:
        print_json({"schema": "incident.runbook/v1", **details(found)})
    else:
        show_runbook(Printer(), found)


@app.command(epilog="Example: incident runbook validate runbooks/oracle-divergence.yaml", short_help="Check runbooks.")
def validate(
    runbooks: Annotated[list[str], typer.Argument(help="Files, or ids of shipped runbooks.")], as_json: Json = False
) -> None:
    """Check runbooks and the protocol files they use; every error of every file, with its place."""
    from incident_cli.cli.terminal import Printer, print_json

    problems = {name: problem for name in runbooks if (problem := problem_of(name)) is not None}
    if as_json:
        results = [result(name, problems.get(name)) for name in runbooks]
        print_json({"schema": "incident.runbook-validate/v1", "valid": not problems, "runbooks": results})
    printer = Printer()
    for name in runbooks:
        if name in problems:
            printer.error(problems[name])
        else:
            printer.line(f"{name}: sound", "green")
    if problems:
        raise typer.Exit(Misused.exit_code)


def problem_of(name: str) -> IncidentError | None:
    """What is wrong with a runbook, or nothing."""
    from incident_cli.runbook.load import load_runbook
    from incident_cli.runbook.shipped import find_runbook

    try:
        load_runbook(find_runbook(name))
    except IncidentError as problem:
        return problem
    return None


def result(name: str, problem: IncidentError | None) -> dict[str, object]:
    """One file's result for scripts."""
    from incident_cli.document import WrongFile

    if isinstance(problem, WrongFile):
        found = [
            {"file": plain(one.name), "line": each.place.line, "column": each.place.column, "code": each.code,
             "message": each.message, "hint": each.hint}
            for one in problem.documents
            for each in sorted(set(one.problems))
        ]  # fmt: skip
        return {"runbook": name, "valid": False, "problems": found}
    problems = [] if problem is None else [{"message": problem.message, "hint": problem.hint}]
    return {"runbook": name, "valid": problem is None, "problems": problems}


def summary(runbook: Runbook) -> dict[str, str]:
    """A runbook in one object."""
    return {
        "id": runbook.id,
        "title": runbook.title,
        "severity": runbook.meta.severity,
        "owner": runbook.meta.owner,
        "status": runbook.meta.status,
    }


def details(runbook: Runbook) -> dict[str, object]:
    """A runbook with what it needs and does."""
    return {
        **summary(runbook),
        "params": {name: {"type": one.type, "default": one.default} for name, one in runbook.params.items()},
        "slots": {name: one.protocol for name, one in runbook.slots.items()},
        "checks": {name: one.kind for name, one in runbook.checks.items()},
        "steps": [{"id": one.id, "verb": one.verb} for one in runbook.steps],
    }


def show_runbook(printer: Printer, runbook: Runbook) -> None:
    """A runbook on one page."""
    from incident_cli.cli.screen import purpose

    meta = runbook.meta
    printer.line(f"{runbook.id}: {runbook.title}", "bold")
    printer.line(f"{meta.severity}, owner {meta.owner}, {meta.status}, reviewed {meta.reviewed or 'never'}")
    printer.line()
    for name, one in runbook.params.items():
        default = "must be given" if one.default is None else f"default {one.default}"
        printer.line(f"  param {name}: {one.type}, {default}")
    for name, slot in runbook.slots.items():
        printer.line(f"  slot {name}: {slot.protocol}")
    for name, check in runbook.checks.items():
        printer.line(f"  check {name}: {check.kind}")
    printer.line()
    for number, step in enumerate(runbook.steps, 1):
        aside = "  (only by goto)" if step.only_by_goto else ""
        printer.line(f"  {number}. {step.id} [{step.verb}] {purpose(step)}{aside}")
