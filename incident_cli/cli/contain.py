"""incident contain"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli.respond import surroundings, walk_session
from incident_cli.cli.terminal import Printer, parse_pairs, require_terminal

if TYPE_CHECKING:
    from incident_cli.flows.break_glass import GlassOrder

EXAMPLE = (
    "Example: incident contain exchange.pause_market --deployment production.yaml --market ETH-USD"
    ' --because "the feed was seen to be wrong by two of us"'
)
Lever = Annotated[str, typer.Argument(metavar="SLOT.LEVER", help="The lever to pull, as slot.lever.")]
Args = Annotated[list[str] | None, typer.Argument(metavar="[NAME=VALUE]…", help="The lever's arguments.")]


def contain(
    lever: Lever,
    args: Args = None,
    *,
    deployment: Annotated[Path, typer.Option(help="The deployment file; its slots name their protocols.")],
    market: Annotated[str, typer.Option(help="Which market; there is no default.")],
    because: Annotated[str, typer.Option(metavar="TEXT", help="Why, in a sentence: recorded, and shown to signers.")],
    by: Annotated[str | None, typer.Option(metavar="SLOT", help="Which Safe pulls it, where several could.")] = None,
    severity: Annotated[str, typer.Option(help="SEV1 (the worst) to SEV5.")] = "SEV1",
    out: Annotated[Path | None, typer.Option(help="Where the proposal is written.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Pull one lever without a firing check: the same safety, record and proof. Needs no key."""
    from incident_cli.flows.break_glass import GlassOrder

    order = GlassOrder(lever, deployment, market, parse_pairs(args or []), because, by, severity, out)
    raise typer.Exit(break_glass(Printer(), order, as_json))


def break_glass(printer: Printer, order: GlassOrder, as_json: bool) -> int:
    """Walk it like a response; a wrong order is said first, whoever may be there to answer."""
    from incident_cli.flows.break_glass import begin, glass_of

    glass_of(order)
    require_terminal("it asks before anything is proposed", "run it in a terminal", "Nothing was begun.")
    return walk_session(printer, begin(order, surroundings(printer)), as_json)
