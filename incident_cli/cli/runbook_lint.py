"""incident runbook lint"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.errors import IncidentError, Misused
from incident_cli.text import plain

if TYPE_CHECKING:
    from incident_cli.cli.terminal import Printer
    from incident_cli.document import Problem
    from incident_cli.runbook.lint import Drilled
    from incident_cli.runbook.load import LoadedRunbook

EXAMPLE = "Example: incident runbook lint runbooks/oracle-divergence.yaml"


@dataclass(frozen=True, slots=True)
class Linted:
    """What was found in one file, or why it could not be looked at."""

    name: str
    loaded: LoadedRunbook | None = None
    findings: tuple[Problem, ...] = ()
    problem: IncidentError | None = None


def lint(
    runbooks: Annotated[list[str], typer.Argument(help="Files, or ids of shipped runbooks.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Say what is sound but may let somebody down at 03:00; exit 1 where anything was found."""
    from incident_cli.cli.terminal import Printer, print_json

    results = [linted(name) for name in runbooks]
    clean = not any(one.findings or one.problem for one in results)
    if as_json:
        found = [as_object(one) for one in results]
        print_json({"schema": "incident.runbook-lint/v1", "clean": clean, "runbooks": found})
    printer = Printer()
    for one in results:
        show(printer, one)
    if not clean:
        raise typer.Exit(Misused.exit_code if any(one.problem for one in results) else 1)


def linted(name: str) -> Linted:
    """The findings of one runbook."""
    from incident_cli.cli.runbook import require_runbook
    from incident_cli.runbook.lint import lint, written_tests
    from incident_cli.runbook.load import load_runbook
    from incident_cli.runbook.shipped import find_runbook

    try:
        path = find_runbook(name)
        require_runbook(path)
        loaded = load_runbook(path)
        return Linted(name, loaded, tuple(lint(loaded, written_tests(loaded), drilled(loaded))))
    except IncidentError as problem:
        return Linted(name, problem=problem)


def drilled(loaded: LoadedRunbook) -> Drilled | None:
    """How long ago exactly this text was drilled here; None where it asks for no drills, so that nothing is read."""
    import hashlib

    from incident_cli.cli.settings import incident_home
    from incident_cli.flows.clock import SystemClock
    from incident_cli.flows.incidents import needing
    from incident_cli.flows.last_drills import last_drills
    from incident_cli.runbook.lint import Drilled

    if loaded.runbook.meta.drill_every is None:
        return None
    home = incident_home()
    with needing(home):
        last = last_drills(home).get(hashlib.sha256(loaded.document.raw).hexdigest())
    return Drilled(None if last is None else int((SystemClock().now() - last).total_seconds()))


def as_object(one: Linted) -> dict[str, object]:
    """One file's findings for scripts."""
    if one.loaded is None:
        message = "" if one.problem is None else one.problem.message
        return {"runbook": one.name, "findings": [], "error": message}
    file = plain(one.loaded.document.name)
    places = [
        {"file": file, "line": each.place.line, "column": each.place.column, "severity": "warning", "code": each.code,
         "message": each.message, "hint": each.hint}
        for each in one.findings
    ]  # fmt: skip
    return {"runbook": one.loaded.runbook.id, "findings": places}


def show(printer: Printer, one: Linted) -> None:
    """One file's findings for people, or that there are none."""
    from incident_cli.runbook.lint import shown

    if one.problem is not None:
        printer.error(one.problem)
    elif one.loaded is not None and not one.findings:
        printer.line(f"{one.name}: clean", "green")
    elif one.loaded is not None:
        printer.write([line for found in shown(one.loaded.document, one.findings) for line in found.split("\n")])
        count = len(one.findings)
        printer.line(f"{one.name}: sound, with {count} warning{'' if count == 1 else 's'}", "yellow")
