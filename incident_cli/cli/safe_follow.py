"""incident safe status"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from incident_cli.cli.safe_desk import (
    INDENT,
    Deployment,
    Json,
    Target,
    command_path,
    counter_at,
    matter_at,
    show_queued,
)
from incident_cli.cli.terminal import Printer, print_json
from incident_cli.errors import Unread

if TYPE_CHECKING:
    from datetime import datetime

    from incident_cli.evm import Address
    from incident_cli.flows.multisig.following import Followed, Watch
    from incident_cli.flows.multisig.standing import Standing

EXAMPLE = "Example: incident safe status 0x… --deployment production.yaml --wait"
Signatures = Annotated[
    list[Path] | None, typer.Option("--signatures", metavar="FILE", help="A file of signatures; repeatable.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Follow it until it is ready, executed, or never can be.")]
Every = Annotated[int, typer.Option("--every", metavar="SECONDS", min=2, max=3600, help="How often, with --wait.")]
STYLES = {"ready": "bold green", "executed": "bold green", "waiting": "yellow", "queued": "yellow"}
LABEL = 12
ROADS = {"service": "the service", "file": "a file"}
TITLES = {
    "ready": "READY: simulated with these very signatures; anybody may execute it",
    "executed": "EXECUTED",
    "failed": "FAILED",
    "displaced": "DISPLACED",
    "waiting": "WAITING",
    "queued": "QUEUED",
    "refused": "NOT READY, although enough confirmed: the execution would fail",
    "unknown": "UNKNOWN",
}


def status(
    target: Target,
    *,
    deployment: Deployment,
    signatures: Signatures = None,
    wait: Wait = False,
    every: Every = 10,
    as_json: Json = False,
) -> None:
    """Show how a transaction stands by chain, service and files. Exit: 0 executed or ready, 5 waiting, 1 it never can
    execute or would fail, 3 something could not be read."""
    from incident_cli.flows.clock import SystemClock
    from incident_cli.flows.multisig.following import follow

    printer, clock, counter = Printer(), SystemClock(), counter_at(deployment)
    with printer.working("reading the chain and the service"):
        watch = follow(counter, matter_at(counter, target), signatures or [])
        found = watch.look()
    line = next_words(deployment, signatures or [])
    show(printer, found, clock.now(), line)
    if wait:
        found = waited(printer, watch, found, every, line)
    print_json(document(found, clock.now())) if as_json else None
    raise typer.Exit(found.exit_code)


def next_words(deployment: Path, signatures: Sequence[Path]) -> str:
    """The options that the next command needs too."""
    given = [f" --signatures {command_path(one)}" for one in signatures]
    return f"--deployment {command_path(deployment)}{''.join(given)}"


def waited(printer: Printer, watch: Watch, found: Followed, every: int, options: str) -> Followed:
    """The first look at which nothing more is waited for; each that differs is shown. A node or a service that fails
    meanwhile is said, and asked again."""
    from incident_cli.flows.clock import SystemClock

    clock = SystemClock()
    while found.is_open:
        with printer.working(f"{found.words}; looking again every {every} s, Ctrl-C ends it"):
            clock.sleep(every)
            try:
                now = watch.look()
            except Unread as problem:
                printer.settle()
                printer.line(f"UNKNOWN for the moment: {problem.message}", "bold magenta", hanging=INDENT)
                continue
        if now.fingerprint != found.fingerprint:
            show(printer, now, clock.now(), options)
        found = now
    return found


def document(found: Followed, now: datetime) -> dict[str, Any]:
    """As `--json` prints it."""
    return {"schema": "incident.safe-status/v1", **found.to_json(now)}


def show(printer: Printer, found: Followed, now: datetime, options: str) -> None:
    """What it is, who confirmed, who did not and what time it is there, what else stands in its way; last the state,
    and with the `options` that it needs the command that comes next."""
    from incident_cli.flows.multisig.provenance import provenance

    standing = found.standing
    printer.line()
    printer.line(found.label, "bold", hanging=INDENT)
    printer.line(f"Safe {standing.tx.safe} on {found.place.chain}, chain {standing.tx.chain_id}", hanging=INDENT)
    printer.line(f"hash {standing.safe_tx_hash}", hanging=INDENT)
    printer.line(nonce_words(standing))
    for words in provenance("", standing.origin, found.names):
        printer.line(words, hanging=INDENT)
    if standing.fate == "open":
        show_people(printer, found, now)
        show_queue(printer, standing, names=found.names)
    show_state(printer, found, options)


def nonce_words(standing: Standing) -> str:
    """Its nonce beside the Safe's."""
    own, chain = standing.tx.nonce, standing.nonce
    words = "next to execute" if own == chain else f"{own - chain} must execute first" if own > chain else "spent"
    return f"nonce {own}; the Safe is at {chain} in block {standing.block.number}: {words}"


def show_people(printer: Printer, found: Followed, now: datetime) -> None:
    """Each owner, one after the other."""
    standing, names = found.standing, found.names
    printer.line()
    printer.line(f"{len(standing.confirmations)} of {standing.threshold} confirmations", "bold")
    for one in standing.confirmations:
        how = one.kind if one.road == "chain" else f"{one.kind}, from {ROADS[one.road]}"
        row(printer, "confirmed", [names.get(one.owner, ""), one.owner, how], "green")
    word, style = ("missing", "yellow") if standing.missing else ("not needed", "")
    for waiter in standing.waiting:
        reach = f"reach by {waiter.reach}" if waiter.reach else "no contact in the deployment"
        row(printer, word, [waiter.name, waiter.owner, reach, waiter.local_time(now)], style)
    for bad in standing.invalid:
        row(
            printer,
            "NOT VALID",
            [names.get(bad.owner, ""), bad.owner, f"from {ROADS.get(bad.road, bad.road)}: {bad.reason}"],
            "bold red",
        )


def row(printer: Printer, label: str, parts: Sequence[str], style: str) -> None:
    """A person: the name and the address, the rest below."""
    first, *rest = [one for one in parts if one]
    lines = [f"{first}  {rest.pop(0)}" if rest and rest[0].startswith("0x") else first, *rest]
    printer.line(f"  {label:<{LABEL}}{lines[0]}", style, hanging=LABEL + 2)
    if lines[1:]:
        printer.line(" " * (LABEL + 2) + "; ".join(lines[1:]), hanging=LABEL + 2)


def show_queue(printer: Printer, standing: Standing, names: Mapping[Address, str]) -> None:
    """Rivals, loudly; what must come first; what could not be seen."""
    if standing.rivals or standing.earlier or standing.service_problem:
        printer.line()
    for one in standing.rivals:
        show_queued(printer, one, f"RIVAL at nonce {one.nonce}", "bold red", names)
    if standing.rivals:
        printer.line("Whichever of them executes first displaces the others.", "bold red")
    for one in standing.earlier:
        show_queued(printer, one, f"must execute first, nonce {one.nonce}", "yellow", names)
    if standing.service_problem:
        words = "Confirmations and rivals in the service are UNKNOWN"
        printer.line(f"{words}: {standing.service_problem}", "bold magenta", hanging=INDENT)


def show_state(printer: Printer, found: Followed, options: str) -> None:
    """The state and what to do next."""
    printer.line()
    style = STYLES.get(found.state, "bold red")
    printer.line(TITLES[found.state], style, hanging=INDENT)
    if found.reason:
        printer.line(found.reason, hanging=INDENT)
    if not options:
        return
    which = found.standing.safe_tx_hash if found.standing.on_service else command_path(found.source)
    if found.state == "ready":
        printer.command("next", f"safe execute {which} {options} --keystore FILE")
    elif found.state == "waiting":
        verb, only = "confirm" if found.standing.on_service else "sign", options.partition(" --signatures ")[0]
        printer.command("each owner", f"safe {verb} {which} {only} --keystore FILE")
