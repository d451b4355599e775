"""incident explain"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from incident_cli.cli.terminal import Printer
    from incident_cli.runbook.explain import Explanation
    from incident_cli.runbook.keys import Key

EXAMPLE = "Example: incident explain oracle_divergence"
HEADINGS = {
    "verb": "verbs of a step",
    "kind": "kinds of check",
    "code": "error codes",
    "warning": "warnings of lint",
    "inspection": "findings about a Safe transaction",
    "service": "failures of the transaction service",
}


def explain(
    word: Annotated[str | None, typer.Argument(help="An error code, a kind of check, or a verb.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Explain an error code, a kind of check or a verb."""
    from incident_cli.cli.terminal import Printer, print_json
    from incident_cli.flows.explaining import explain as explained
    from incident_cli.flows.explaining import words

    if word is None:
        if as_json:
            print_json({"schema": "incident.explain-list/v1", **{key: list(group) for key, group in words().items()}})
        else:
            show_words(Printer())
        return
    found = explained(word)
    if as_json:
        print_json({"schema": "incident.explain/v1", **asdict(found)})
    else:
        show(Printer(), found)


def show_words(printer: Printer) -> None:
    """Every word, by what it is."""
    from incident_cli.flows.explaining import words

    for what, group in words().items():
        printer.line(HEADINGS[what], "bold")
        printer.line(f"  {'  '.join(group)}", hanging=2)
    printer.command("Explain one", "explain WORD")


def show(printer: Printer, found: Explanation) -> None:
    """One word on one page."""
    printer.line(f"{found.word} ({found.what})", "bold")
    for line in found.text.split("\n"):
        indent = len(line) - len(line.lstrip())
        printer.line(line, hanging=indent)
    if found.keys:
        printer.line()
        show_keys(printer, found.keys)


def show_keys(printer: Printer, keys: tuple[Key, ...]) -> None:
    """The keys as a table: how each is written, its type, and its default."""
    width = max(len(one.key) for one in keys)
    for one in keys:
        default = "required" if one.required else f"default {one.default}"
        beside = f"  {one.key:<{width}}  "
        printer.line(f"{beside}{one.type}; {default}", hanging=len(beside))
