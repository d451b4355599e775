"""incident preflight"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli import settings
from incident_cli.cli.terminal import Printer, parse_pairs, print_json
from incident_cli.errors import Misused

if TYPE_CHECKING:
    from incident_cli.flows.preflight.checklist import Preflight, PreflightOrder
    from incident_cli.flows.preflight.item import Item

EXAMPLE = "Example: incident preflight oracle-divergence --deployment production.yaml --all-markets"
Runbooks = Annotated[list[str], typer.Argument(metavar="RUNBOOK…", help="Shipped runbooks' ids, or files.")]
Deployment = Annotated[Path | None, typer.Option(help="The deployment file: chains, addresses, markets.")]
Markets = Annotated[list[str] | None, typer.Option(help="Which market; repeatable.")]
Every = Annotated[bool, typer.Option("--all-markets", help="Every market of the deployment.")]
Params = Annotated[list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A parameter; repeatable.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
EXITS = {"ready": 0, "not-ready": 1, "unknown": 3}
STYLES = {"ready": "green", "not-ready": "bold red", "unknown": "bold magenta"}
GROUPS = {
    "chains and nodes": ("chain-id", "nodes", "head"),
    "contracts": ("slots", "pin", "token"),
    "the Safe": (
        "safe-version",
        "safe-owners",
        "safe-threshold",
        "safe-guard",
        "safe-module-guard",
        "safe-modules",
        "safe-fallback-handler",
    ),
    "power": ("authority", "role", "role-expiry", "delay", "over-privilege"),
    "people, service and gas": ("contacts", "service", "nonce-queue", "delegates", "gas"),
    "every step, now": ("simulate", "undo"),
    "rehearsed": ("drill-age",),
}
INDENT = 11


def preflight(
    runbook: Runbooks,
    deployment: Deployment = None,
    market: Markets = None,
    all_markets: Every = False,
    param: Params = None,
    as_json: Json = False,
) -> None:
    """Ask whether the Safe could act now. Exit: 0 all ready, 1 something is not ready, 3 something is unknown."""
    from incident_cli.flows.clock import SystemClock
    from incident_cli.flows.preflight.checklist import preflight as look

    order = order_of(runbook, deployment, market or [], all_markets, param or [])
    printer = Printer()
    found = look(order, settings.variable, SystemClock(), printer.working)
    show(printer, found)
    if as_json:
        print_json(found.to_json())
    raise typer.Exit(EXITS[found.status])


def order_of(
    runbooks: list[str], deployment: Path | None, markets: list[str], all_markets: bool, params: list[str]
) -> PreflightOrder:
    """What was asked for; raises Misused."""
    from incident_cli.flows.preflight.checklist import PreflightOrder
    from incident_cli.runbook.shipped import find_runbook

    if deployment is None:
        hint = f"{settings.command()} {EXAMPLE.partition('incident ')[2]}"
        raise Misused("--deployment FILE must be given: it says where the runbooks' contracts stand", hint)
    if markets and all_markets:
        raise Misused("--market and --all-markets exclude each other", "leave one of them out")
    wanted = None if all_markets else markets
    paths = [find_runbook(one) for one in runbooks]
    return PreflightOrder(paths, deployment, wanted, parse_pairs(params), settings.incident_home())


def show(printer: Printer, found: Preflight) -> None:
    """The checklist, group by group, then what is to be done in one place."""
    for title, kinds in GROUPS.items():
        items = [one for one in found.items if one.group in kinds]
        if items:
            good = sum(one.status == "ready" for one in items)
            printer.line()
            printer.line(f"{title}: {good} of {len(items)} ready", "bold")
            for one in sorted(items, key=lambda item: kinds.index(item.group)):
                show_item(printer, one)
    printer.line()
    counts = {status: sum(one.status == status for one in found.items) for status in EXITS}
    words = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    printer.line(f"together: {found.status} ({words})", STYLES[found.status])


def show_item(printer: Printer, item: Item) -> None:
    """One line of the checklist: its status as a word, and what to do where it is not ready."""
    printer.line(f"{item.status.upper():<{INDENT}}{item.id}", STYLES[item.status], hanging=INDENT)
    printer.line(" " * INDENT + item.detail, hanging=INDENT)
    if item.status != "ready" and item.fix:
        printer.line(" " * INDENT + f"do: {item.fix}", "yellow", hanging=INDENT + 4)
