"""incident check"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli import settings
from incident_cli.cli.terminal import Printer, parse_pairs, print_json
from incident_cli.errors import Misused

if TYPE_CHECKING:
    from incident_cli.flows.check import CheckOrder

EXAMPLE = "Example: incident check oracle-divergence --deployment production.yaml --all-markets"
Deployment = Annotated[Path | None, typer.Option(help="The deployment file: chains, addresses, markets.")]
Markets = Annotated[list[str] | None, typer.Option(help="Which market; repeatable.")]
Every = Annotated[bool, typer.Option("--all-markets", help="Every market of the deployment.")]
Only = Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this check; repeatable.")]
Params = Annotated[list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A parameter; repeatable.")]
Block = Annotated[str | None, typer.Option(metavar="N|HASH", help="Judge at this block instead of the latest.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def check(
    runbook: Annotated[str, typer.Argument(help="A shipped runbook's id, or a file.")],
    deployment: Deployment = None,
    market: Markets = None,
    all_markets: Every = False,
    only: Only = None,
    param: Params = None,
    block: Block = None,
    as_json: Json = False,
) -> None:
    """Judge a runbook's checks now, at one block. Exit: 0 quiet, 1 one fires, 3 one is unknown."""
    from incident_cli.cli.check_table import show
    from incident_cli.flows.check import check as judge
    from incident_cli.flows.check import to_json
    from incident_cli.flows.clock import SystemClock

    order = order_of(runbook, deployment, market or [], all_markets, only or [], param or [], block)
    printer = Printer()
    with printer.working("reading the chain"):
        found = judge(order, settings.variable, SystemClock())
    show(printer, found)
    if as_json:
        print_json(to_json(found))
    raise typer.Exit(exit_code(found.verdict.value))


def exit_code(verdict: str) -> int:
    """0 quiet (or only pending), 1 firing, 3 unknown."""
    return {"firing": 1, "unknown": 3}.get(verdict, 0)


def order_of(
    runbook: str,
    deployment: Path | None,
    markets: list[str],
    all_markets: bool,
    only: list[str],
    params: list[str],
    block: str | None,
) -> CheckOrder:
    """What was asked for; raises Misused."""
    from incident_cli.flows.check import CheckOrder
    from incident_cli.runbook.shipped import find_runbook

    if deployment is None:
        hint = f"{settings.command()} {EXAMPLE.partition('incident ')[2]}"
        raise Misused("--deployment FILE must be given: it says where the runbook's contracts stand", hint)
    if markets and all_markets:
        raise Misused("--market and --all-markets exclude each other", "leave one of them out")
    wanted = None if all_markets else markets
    return CheckOrder(find_runbook(runbook), deployment, wanted, only, parse_pairs(params), block)
