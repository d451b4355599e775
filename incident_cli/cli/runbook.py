"""incident runbook list | show | validate, and the group with the commands beside them"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli.named import Command, Loaded, Words, group
from incident_cli.errors import IncidentError, Misused
from incident_cli.text import plain

if TYPE_CHECKING:
    from incident_cli.cli.terminal import Printer
    from incident_cli.document import Node
    from incident_cli.runbook.model import Runbook, Step

EXAMPLE = "Example: incident runbook list"
SHOW_EXAMPLE = "Example: incident runbook show oracle-divergence"
VALIDATE_EXAMPLE = "Example: incident runbook validate runbooks/oracle-divergence.yaml"
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def list_(as_json: Json = False) -> None:
    """List the shipped runbooks."""
    from incident_cli.cli.terminal import Printer, print_json
    from incident_cli.runbook.load import load_runbook
    from incident_cli.runbook.shipped import shipped_runbooks

    found = [load_runbook(path).runbook for path in shipped_runbooks()]
    if as_json:
        print_json({"schema": "incident.runbook-list/v1", "runbooks": [summary(one) for one in found]})
        return
    printer, width = Printer(), max(len(one.id) for one in found)
    for one in found:
        beside = f"{one.id:<{width}}  {one.meta.severity}  "
        printer.line(f"{beside}{one.title}", hanging=len(beside))


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
    from incident_cli.runbook.shipped import find_runbook, is_there

    try:
        path = Path(name) if is_there(Path(name).is_dir) else find_runbook(name)
        require_runbook(path)
        load_runbook(path)
    except IncidentError as problem:
        return problem
    return None


def require_runbook(path: Path) -> None:
    """Raises Misused where the path is a folder, or a file that says itself that it is something else."""
    from incident_cli.document import Table, Text, read_document

    if path.is_dir():
        raise Misused(f"{plain(path)} is a directory; validate reads runbooks", "name its files")
    root = read_document(path).root
    said = root.entries.get("schema") if isinstance(root, Table) else None
    schema = said.value.value if said is not None and isinstance(said.value, Text) else ""
    kind, slash, _ = schema.removeprefix("incident-").partition("/")
    if schema.startswith("incident-") and slash:
        hint = "a deployment is checked by `respond`, a scenario and its answers by `drill`"
        article = "an" if kind[:1] in set("aeiou") else "a"
        raise Misused(f"{plain(path)} is {article} {plain(kind, 40)} file; validate reads runbooks", hint)


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
        printer.line(f"  {number}. {step.id} [{step.verb}] {purpose(step)}{aside}", hanging=5)
        for line in said_by(step):
            printer.line(f"     {line}", hanging=7)


def said_by(step: Step) -> Iterator[str]:
    """What a step asks or says, and the calls it makes."""
    from incident_cli.runbook.model import AskStep, ContainStep, ManualStep

    if isinstance(step, AskStep):
        yield step.ask
    if isinstance(step, ManualStep):
        yield step.manual
    if isinstance(step, ContainStep):
        for one in step.levers:
            arguments = [f"{name} = {as_written(entry.value)}" for name, entry in one.args.entries.items()]
            yield f"{one.lever}({', '.join(arguments)})"


def as_written(node: Node) -> str:
    """A value of the file, in short."""
    from incident_cli.document import Text

    return node.value if isinstance(node, Text) else "…"


def own(name: str) -> Loaded:
    """`list`, `show` and `validate`."""
    found: dict[str, Loaded] = {
        "list": (list_, EXAMPLE),
        "show": (show, SHOW_EXAMPLE),
        "validate": (validate, VALIDATE_EXAMPLE),
    }
    return found[name]


def linting(name: str) -> Loaded:
    """`lint`."""
    from incident_cli.cli import runbook_lint

    return runbook_lint.lint, runbook_lint.EXAMPLE


def writing(name: str) -> Loaded:
    """`new` and `schema`."""
    from incident_cli.cli import runbook_new

    found: dict[str, Loaded] = {
        "new": (runbook_new.new, runbook_new.NEW_EXAMPLE),
        "schema": (runbook_new.schema, runbook_new.SCHEMA_EXAMPLE),
    }
    return found[name]


def testing(name: str) -> Loaded:
    """`test`."""
    from incident_cli.cli import runbook_test

    return runbook_test.test, runbook_test.EXAMPLE


TABLE = {
    "lint": Command("Say what may let somebody down.", linting),
    "new": Command("Write a runbook to fill in.", writing),
    "schema": Command("Print the schema for editors.", writing),
    "test": Command("Test runbooks, offline.", testing),
    "list": Command("List the shipped runbooks.", own),
    "show": Command("Show a runbook: its parameters, checks and steps.", own),
    "validate": Command("Check runbooks.", own),
}


def runbooks(short: str, words: Words) -> typer.Typer:
    """The group, with the command that the words name."""
    return group(short, EXAMPLE, TABLE, words)
