"""The `incident` command: groups, exit codes, and the last line of defence."""

from __future__ import annotations

import io
import sys
from contextlib import suppress
from typing import Annotated, Any

import typer

from incident_cli import __version__
from incident_cli.cli import (
    adopt,
    check,
    contain,
    drill,
    explain,
    init,
    lever,
    pin,
    preflight,
    respond,
    runbook,
    safe,
    streams,
    vault,
)
from incident_cli.cli.keys import DEFAULT
from incident_cli.errors import IncidentError, Misused
from incident_cli.text import plain_lines

OPTIONAL = {"--resume": "latest", "--ledger": DEFAULT}
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
app.command("contain", epilog=contain.EXAMPLE, short_help="Pull one lever without a firing check.")(contain.contain)
app.command("adopt", epilog=adopt.EXAMPLE, short_help=adopt.SHORT)(adopt.adopt)
app.command("explain", epilog=explain.EXAMPLE, short_help="Explain a code, a kind of check or a verb.")(explain.explain)
app.command("init", epilog=init.EXAMPLE, short_help="Begin with your own protocol: write its first files.")(init.init)
app.command("preflight", epilog=preflight.EXAMPLE, short_help="Ask whether the Safe could act now.")(
    preflight.preflight
)
app.command("pin", epilog=pin.EXAMPLE, short_help="Write down the code of every contract.")(pin.pin)
app.command("check", epilog=check.EXAMPLE, short_help="Judge a runbook's checks now.")(check.check)
app.add_typer(runbook.app, name="runbook")
app.add_typer(lever.app, name="lever")
app.add_typer(safe.app, name="safe")
app.add_typer(vault.app, name="vault")


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
    """The console script."""
    streams.guard()
    sys.exit(ended())


def ended() -> int:
    """The exit code: every expected failure is a line and its code, every other one a report."""
    try:
        code = app(with_optional_values(sys.argv[1:]), prog_name="incident", standalone_mode=False)
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
        if argument in OPTIONAL and is_no_value(argument, following):
            found.append(OPTIONAL[argument])
    return found


def is_no_value(option: str, following: str) -> bool:
    """Whether what follows an option is not its value: a device's path begins with m/, an id with no dash."""
    if option == "--ledger":
        return not following.startswith("m/") and following != DEFAULT
    return following.startswith("-")


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
