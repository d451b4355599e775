"""The `incident` command: groups, exit codes, and the last line of defence."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from incident_cli import __version__
from incident_cli.cli import check, drill, explain, respond, runbook
from incident_cli.errors import IncidentError

LATEST = "latest"
INTERRUPTED, BUG = 130, 70

app = typer.Typer(
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="Example: incident drill --auto",
)
app.command("drill", epilog=drill.EXAMPLE, short_help="Rehearse an incident on an embedded chain.")(drill.drill)
app.command("respond", epilog=respond.EXAMPLE, short_help="Respond to an incident on a real chain.")(respond.respond)
app.command("explain", epilog=explain.EXAMPLE, short_help="Explain a code, a kind of check or a verb.")(explain.explain)
app.command("check", epilog=check.EXAMPLE, short_help="Judge a runbook's checks now.")(check.check)
app.add_typer(runbook.app, name="runbook")


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="List the open incidents as JSON.")] = False,
) -> None:
    """Incident runbooks for DeFi protocols: detect, decide, contain through a Safe, and prove it on chain."""
    if version:
        from incident_cli.cli.terminal import print_text

        print_text(f"incident {__version__}")
    elif context.invoked_subcommand is None:
        from incident_cli.cli.overview import show_open

        show_open(as_json)


def run() -> None:
    """The console script: every expected failure is a line and its exit code, every other one a report."""
    fill_closed_streams()
    try:
        app(with_optional_values(sys.argv[1:]), prog_name="incident")
    except IncidentError as problem:
        sys.exit(failed(problem))
    except BrokenPipeError:
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as bug:  # the only broad except: nothing may end in a traceback
        sys.exit(crashed(bug))


def fill_closed_streams() -> None:
    """A stream closed by the caller leaves its number to the next file opened: the journal must never get it."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 (open until the process ends)


def with_optional_values(arguments: list[str]) -> list[str]:
    """`--resume` without an id means the latest incident."""
    found: list[str] = []
    for place, argument in enumerate(arguments):
        found.append(argument)
        following = arguments[place + 1] if place + 1 < len(arguments) else "-"
        if argument == "--resume" and following.startswith("-"):
            found.append(LATEST)
    return found


def failed(problem: IncidentError) -> int:
    """Print an expected failure; with --json it is an object on stdout as well."""
    from incident_cli.cli.terminal import Printer, print_json

    Printer().error(problem)
    if "--json" in sys.argv:
        code = problem.exit_code
        with suppress(IncidentError):  # where stdout cannot be written, that was the failure
            found = {"message": problem.message, "hint": problem.hint, "exit_code": code}
            print_json({"schema": "incident.error/v1", **found})
    return problem.exit_code


def crashed(bug: Exception) -> int:
    """A bug of this program: one line, and a report file without secrets."""
    from incident_cli.cli.bug_report import write_report
    from incident_cli.cli.terminal import Printer

    printer = Printer()
    printer.line(f"This is a bug in incident {__version__}: {type(bug).__name__}.", "bold red")
    printer.line(f"next: nothing recorded is lost; the report is {write_report(bug)}", "yellow")
    return BUG


if __name__ == "__main__":
    run()
