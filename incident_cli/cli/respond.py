"""incident respond"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli import settings
from incident_cli.cli.at_hand import (
    Account,
    Broadcaster,
    External,
    Keystore,
    LedgerPath,
    PassphraseFd,
    Private,
    Wait,
    at_hand,
)
from incident_cli.cli.terminal import Desk, Printer, parse_pairs, print_json, require_terminal
from incident_cli.errors import IncidentError, Misused, Waiting
from incident_cli.text import plain

if TYPE_CHECKING:
    from incident_cli.flows.handing_over import Keys
    from incident_cli.flows.respond import Order, Surroundings
    from incident_cli.flows.session import Session
    from incident_cli.incident.walk import Ending

EXAMPLE = "Example: incident respond oracle-divergence --deployment production.yaml --market ETH-USD"
LATEST = "latest"
Runbook = Annotated[str | None, typer.Argument(help="A shipped runbook's id, or a file.")]
Deployment = Annotated[Path | None, typer.Option(help="The deployment file: chain, addresses, markets.")]
Market = Annotated[str | None, typer.Option(help="Which market; there is no default.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Params = Annotated[list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A parameter; repeatable.")]
Out = Annotated[Path | None, typer.Option(help="Where proposals are written; by default the incident's folder.")]
Resume = Annotated[str | None, typer.Option(metavar="[ID]", help="Go on with an incident; without ID, the latest.")]


def respond(
    runbook: Runbook = None,
    deployment: Deployment = None,
    market: Market = None,
    param: Params = None,
    out: Out = None,
    as_json: Json = False,
    resume: Resume = None,
    wait: Wait = True,
    keystore: Keystore = None,
    external: External = None,
    account: Account = None,
    ledger: LedgerPath = None,
    passphrase_fd: PassphraseFd = None,
    broadcaster: Broadcaster = None,
    private: Private = None,
) -> None:
    """Respond to an incident: judge the checks, walk the runbook, propose to the Safe and follow it. Needs no key."""
    printer = Printer()
    order = None if resume else order_of(runbook, deployment, market, param or [], out)
    require_ready(order, resume, bool(runbook or deployment or market))
    keys = at_hand(printer, keystore, external, account, ledger, passphrase_fd, broadcaster, private)
    raise typer.Exit(walk_live(surroundings(printer, keys, wait), printer, order, id_of(resume), as_json))


def id_of(resume: str | None) -> str:
    """The incident that is named; empty for the latest."""
    return "" if resume in (None, LATEST) else str(resume)


def require_ready(order: Order | None, resume: str | None, mixed: bool) -> None:
    """Raises Misused for options that do not go together, NeedsTerminal where nobody is there."""
    from incident_cli.flows.incidents import locate

    if resume and mixed:
        raise Misused("--resume goes on with an incident as it was begun", "leave out the runbook and its options")
    if resume:
        locate(settings.incident_home(), id_of(resume), "live")
    done = "Nothing was begun." if order else "Nothing was done; the incident stays as it is."
    require_terminal("the walk asks before anything is proposed", "run it in a terminal", done)


def order_of(
    runbook: str | None, deployment: Path | None, market: str | None, params: list[str], out: Path | None
) -> Order:
    """What was asked for; raises Misused naming everything that is missing at once."""
    from incident_cli.flows.respond import Order, bind_order
    from incident_cli.runbook.shipped import find_runbook

    given = {"RUNBOOK": runbook, "--deployment FILE": deployment, "--market MARKET": market}
    missing = [name for name, value in given.items() if value is None]
    if runbook is None or deployment is None or market is None:
        hint = f"{settings.command()} {EXAMPLE.partition('incident ')[2]}"
        raise Misused(f"{' and '.join(missing)} must be given: what is contained never has a default", hint)
    order = Order(find_runbook(runbook), deployment, market, parse_pairs(params), out)
    bind_order(order)  # a wrong file is said first, whoever may be there to answer
    return order


def surroundings(printer: Printer, keys: Keys, wait: bool) -> Surroundings:
    """Where this command runs, and whose keys are at hand."""
    from incident_cli.cli.screen import WalkScreen
    from incident_cli.flows.clock import SystemClock
    from incident_cli.flows.respond import Surroundings

    screen, asker = WalkScreen(printer, "live"), Desk(printer).asker
    return Surroundings(settings.incident_home(), SystemClock(), settings.variable, screen, asker, keys, wait)


def walk_live(around: Surroundings, printer: Printer, order: Order | None, incident: str, as_json: bool) -> int:
    """Begin or resume, and walk."""
    from incident_cli.flows.respond import begin, take_up

    return walk_session(printer, begin(order, around) if order else take_up(incident, around), as_json)


def walk_session(printer: Printer, session: Session, as_json: bool) -> int:
    """Walk, whatever stops it; the exit code says how it stands."""
    from incident_cli.flows.respond import report
    from incident_cli.flows.walk import walk
    from incident_cli.incident.walk import Ending

    introduce(printer, session)
    try:
        ending = walk(session)
    except KeyboardInterrupt:
        how_to_resume(printer, session, "interrupted; everything up to here is recorded")
        raise
    except IncidentError as problem:
        printer.error(problem)
        how_to_resume(printer, session, "")
        if as_json:
            print_json(report(session, problem.waiting_for if isinstance(problem, Waiting) else "operator"))
        return problem.exit_code
    printer.line(f"{ended_words(session, ending)}; the journal is", "bold")
    printer.write([plain(session.recorder.directory / "journal.jsonl")])
    if as_json:
        print_json(report(session, None))
    return 6 if ending is Ending.NOT_CONTAINED else 0


def ended_words(session: Session, ending: Ending) -> str:
    """How it ended; what was contained and opened again is not said to be contained."""
    from incident_cli.flows.incidents import outstanding

    standing, _ = outstanding(session.events)
    return "contained, and opened again since" if ending.value == "contained" and not standing else ending.value


def introduce(printer: Printer, session: Session) -> None:
    """Which incident; and where its chain is one that drills are served on, that."""
    from incident_cli.drills.world import CHAIN_ID

    printer.line(f"LIVE {session.recorder.incident}", "bold red")
    if session.bound.deployment.chains[session.bound.chain].id == CHAIN_ID:
        printer.line(f"chain {CHAIN_ID} is a drill's chain: nothing on it is real money", "green")


def how_to_resume(printer: Printer, session: Session, words: str) -> None:
    """The command that goes on."""
    if words:
        printer.line()
        printer.line(words, "yellow")
    printer.command("resume", f"respond --resume {session.recorder.incident}", "yellow")
