"""The `incident` command: groups, exit codes, and the last line of defence."""

from __future__ import annotations

import io
import sys
from contextlib import suppress
from typing import Annotated, Any

import typer

from incident_cli import __version__
from incident_cli.cli import streams
from incident_cli.cli.every import TABLE
from incident_cli.cli.named import Words, fill
from incident_cli.errors import IncidentError, Misused
from incident_cli.text import plain_lines

INTERRUPTED, BUG = 130, 70


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


def program(words: Words) -> typer.Typer:
    """The command for what was typed; with None, everything it has."""
    app = typer.Typer(
        callback=main,
        invoke_without_command=True,
        no_args_is_help=False,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["--help", "-h"]},
        epilog="Example: incident drill --auto",
    )
    fill(app, TABLE, words)
    return app


def run() -> None:
    """The console script."""
    streams.guard()
    sys.exit(ended())


def ended() -> int:
    """The exit code: every expected failure is a line and its code, every other one a report."""
    try:
        words = with_optional_values(sys.argv[1:])
        code = program(words)(words, prog_name="incident", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except IncidentError as problem:
        return failed(problem)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as problem:  # the only broad except: nothing may end in a traceback
        return misused(problem) if is_usage(problem) else crashed(problem)


def is_usage(problem: Exception) -> bool:
    """Whether it is an error of the command line, which shows itself; typer does not export its class."""
    return hasattr(problem, "format_message") and hasattr(problem, "show")


def misused(problem: Any) -> int:
    """Print an error of the command line, which repeats what was typed."""
    shown = io.StringIO()
    problem.show(file=shown)
    for line in plain_lines(shown.getvalue().rstrip("\n")):
        sys.stderr.write(line + "\n")
    return Misused.exit_code


def with_optional_values(arguments: list[str]) -> list[str]:
    """`--resume` without an id means the latest incident, `--ledger` without a path the usual one."""
    found: list[str] = []
    for place, argument in enumerate(arguments):
        found.append(argument)
        following = arguments[place + 1] if place + 1 < len(arguments) else "-"
        if argument == "--resume" and following.startswith("-"):
            found.append("latest")
        elif argument == "--ledger":
            found += usual_path(following)
    return found


def usual_path(following: str) -> list[str]:
    """The path of a Ledger's first account, unless what follows is a path or that word itself."""
    from incident_cli.cli.keys import DEFAULT

    return [] if following.startswith("m/") or following == DEFAULT else [DEFAULT]


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
