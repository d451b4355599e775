"""Bare `incident`: the open incidents and the next command for each."""

from __future__ import annotations

from incident_cli.cli import settings
from incident_cli.cli.terminal import Printer, print_json
from incident_cli.flows.incidents import COMMANDS, FORK_IS_GONE, Standing, standings

SCHEMA = "incident.open/v1"


def show_open(as_json: bool) -> None:
    """List what is open; a journal that does not verify is always listed."""
    every = standings(settings.incident_home())
    found = [one for one in every if one.is_open or (one.reminders and one.mode == "live")]
    if as_json:
        print_json({"schema": SCHEMA, "incidents": [as_object(one) for one in found]})
        return
    printer = Printer()
    if not found:
        printer.line("No open incident.", "green")
        printer.command("Rehearse one", "drill")
        printer.command("Respond to one", "respond RUNBOOK --deployment FILE --market MARKET")
        printer.command("See the runbooks", "runbook list")
        return
    printer.line(f"{len(found)} open incident{'' if len(found) == 1 else 's'}, the latest last:", "bold")
    for one in found:
        show_one(printer, one)


def show_one(printer: Printer, one: Standing) -> None:
    """One incident in two lines."""
    if one.problem:
        printer.line(f"BROKEN  {one.incident}: {one.problem}", "bold red")
        return
    mode = {"live": "LIVE ", "fork": "FORK "}.get(one.mode, "DRILL")
    printer.line(f"{mode}  {one.incident}  {one.market}  at step {one.step}", "bold red" if one.mode == "live" else "")
    for reminder in one.reminders:
        printer.line(f"       {reminder}", "yellow")
    if one.mode in COMMANDS:
        printer.command("       next", next_words(one))
    elif one.mode == "fork":
        printer.line(f"       it cannot be resumed: {FORK_IS_GONE}")


def next_command(one: Standing) -> str:
    """The command that goes on with an incident."""
    return f"{settings.command()} {next_words(one)}" if one.mode in COMMANDS else ""


def next_words(one: Standing) -> str:
    """The same without the program."""
    return f"{COMMANDS[one.mode]} {one.incident}"


def as_object(one: Standing) -> dict[str, str | list[str]]:
    """An incident for scripts."""
    return {
        "incident": one.incident,
        "mode": one.mode,
        "runbook": one.runbook,
        "market": one.market,
        "step": one.step,
        "problem": one.problem,
        "next": next_command(one),
        "reminders": list(one.reminders),
    }
