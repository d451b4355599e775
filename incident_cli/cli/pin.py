"""incident pin"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli import settings
from incident_cli.cli.terminal import Desk, print_json
from incident_cli.errors import NeedsTerminal, Waiting

if TYPE_CHECKING:
    from incident_cli.cli.terminal import Printer
    from incident_cli.flows.pinning.look import Compared, Looked, State

EXAMPLE = "Example: incident pin production.yaml"
STYLES = {"changed": "bold red", "gone": "bold red", "new": "yellow", "same": "green"}
FIELDS = ("address", "codehash", "implementation", "implementation_codehash")
INDENT = 9
STATES: tuple[State, ...] = ("changed", "gone", "new", "same")
Deployment = Annotated[Path, typer.Argument(metavar="DEPLOYMENT", help="The deployment file to pin.")]
Yes = Annotated[bool, typer.Option("--yes", help="Write what is new without asking; never what has changed.")]
Accept = Annotated[bool, typer.Option("--accept-changes", help="Write what has changed as well, without asking.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def pin(deployment: Deployment, yes: Yes = False, accept_changes: Accept = False, as_json: Json = False) -> None:
    """Write the code hashes of every contract into the deployment, after showing them; nothing else is changed."""
    from incident_cli.flows.pinning.look import look

    desk = Desk(in_walk=False)
    with desk.printer.working("reading the code of every contract"):
        found = look(deployment, settings.variable)
    show(desk.printer, found)
    wanted = len(found.of("same")) < len(found.pins)
    if wanted:
        require_consent(desk, found, yes, accept_changes)
        found.write()
        desk.printer.line(f"written: {deployment}", "green")
    else:
        desk.printer.line("everything is as it is pinned; nothing was written", "green")
    if as_json:
        print_json(found.to_json(is_written=wanted))


def require_consent(desk: Desk, found: Looked, yes: bool, accept_changes: bool) -> None:
    """Ask unless a flag answers; raises Waiting where it is declined, NeedsTerminal where nobody can be asked."""
    from incident_cli.cli.terminal import is_interactive
    from incident_cli.flows.desk import Answer, Prompt

    changed, fresh = (*found.of("changed"), *found.of("gone")), found.of("new")
    if (not changed or accept_changes) and (not fresh or yes or accept_changes):
        return
    flag = "--accept-changes" if changed else "--yes"
    words = f"{len(changed)} contracts are NOT what was pinned" if changed else f"{len(fresh)} contracts are not pinned"
    if not is_interactive():
        raise NeedsTerminal(
            f"{words}, and there is no terminal to ask: nothing was written", f"look at them, then {flag}"
        )
    phrase = found.deployment.name if changed else ""
    question = f"{words}. Type the deployment's name to pin them as they are now." if changed else f"{words}. Pin them?"
    prompt = Prompt("pin", "type" if changed else "yes-no", question, phrase=phrase)
    if desk.asker.ask(prompt) != Answer(phrase or "yes"):
        raise Waiting("nothing was written", "operator", "run it again when it is known why they are so")


def show(printer: Printer, found: Looked) -> None:
    """Every pin: what is new, what has changed and from what, what is the same."""
    for one in sorted(found.pins, key=lambda pin: [*STYLES].index(pin.state)):
        printer.line(
            f"{one.state.upper():<{INDENT}}{one.pin.name} on {one.pin.chain}", STYLES[one.state], hanging=INDENT
        )
        for line in details(one):
            printer.line(" " * INDENT + line, hanging=INDENT)
    counts = ", ".join(f"{len(found.of(state))} {state}" for state in STATES)
    printer.line(f"{len(found.pins)} contracts: {counts}", "bold")


def details(one: Compared) -> list[str]:
    """The fields, and what each was where it differs."""
    from incident_cli.flows.pinning.look import NO_CODE

    now, before = one.pin.to_json(), one.before.to_json() if one.before is not None else {}
    lines = []
    for name in FIELDS:
        was = before.get(name)
        if now[name] is not None or was is not None:
            note = " (an account without code)" if now[name] == NO_CODE else ""
            changed = f", pinned was {was or 'none'}" if before and was != now[name] else ""
            lines.append(f"{name}: {now[name] or 'none'}{note}{changed}")
    return lines
