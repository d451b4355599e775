"""incident contain"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
from incident_cli.cli.respond import Json, surroundings, walk_session
from incident_cli.cli.terminal import Printer, parse_pairs, require_terminal

if TYPE_CHECKING:
    from incident_cli.flows.break_glass import GlassOrder
    from incident_cli.flows.respond import Surroundings

EXAMPLE = (
    "Example: incident contain exchange.pause_market --deployment production.yaml --market ETH-USD"
    ' --because "the feed was seen to be wrong by two of us"'
)
Lever = Annotated[str, typer.Argument(metavar="SLOT.LEVER", help="The lever to pull, as slot.lever.")]
Args = Annotated[list[str] | None, typer.Argument(metavar="[NAME=VALUE]…", help="The lever's arguments.")]
Deployment = Annotated[Path, typer.Option(help="The deployment file; its slots name their protocols.")]
Market = Annotated[str, typer.Option(help="Which market; there is no default.")]
Because = Annotated[str, typer.Option(metavar="TEXT", help="Why, in a sentence: recorded, and shown to signers.")]
By = Annotated[str | None, typer.Option(metavar="SLOT", help="Which Safe pulls it, where several could.")]
Severity = Annotated[str, typer.Option(help="SEV1 (the worst) to SEV5.")]
Out = Annotated[Path | None, typer.Option(help="Where the proposal is written.")]


def contain(
    lever: Lever,
    args: Args = None,
    *,
    deployment: Deployment,
    market: Market,
    because: Because,
    by: By = None,
    severity: Severity = "SEV1",
    out: Out = None,
    as_json: Json = False,
    wait: Wait = True,
    keystore: Keystore = None,
    external: External = None,
    account: Account = None,
    ledger: LedgerPath = None,
    passphrase_fd: PassphraseFd = None,
    broadcaster: Broadcaster = None,
    private: Private = None,
) -> None:
    """Pull one lever without a firing check: the same safety, record and proof. Needs no key."""
    printer = Printer()
    order = ordered(lever, deployment, market, args, because, by, severity, out)
    keys = at_hand(printer, keystore, external, account, ledger, passphrase_fd, broadcaster, private)
    raise typer.Exit(break_glass(printer, order, surroundings(printer, keys, wait), as_json))


def ordered(
    lever: str,
    deployment: Path,
    market: str,
    args: list[str] | None,
    because: str,
    by: str | None,
    severity: str,
    out: Path | None,
) -> GlassOrder:
    """The order; a wrong one is said first, whoever may be there to answer."""
    from incident_cli.flows.break_glass import GlassOrder, glass_of

    order = GlassOrder(lever, deployment, market, parse_pairs(args or []), because, by, severity, out)
    glass_of(order)
    require_terminal("it asks before anything is proposed", "run it in a terminal", "Nothing was begun.")
    return order


def break_glass(printer: Printer, order: GlassOrder, around: Surroundings, as_json: bool) -> int:
    """Walk it like a response."""
    from incident_cli.flows.break_glass import begin

    return walk_session(printer, begin(order, around), as_json)
