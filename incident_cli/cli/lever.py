"""incident lever list | show | encode"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.errors import Misused
from incident_cli.text import plain

if TYPE_CHECKING:
    from incident_cli.flows.catalog.given import EncodeOrder

EXAMPLE = "Example: incident lever list"
SHOW_EXAMPLE = "Example: incident lever show drill-exchange.pause_market"
ENCODE_EXAMPLE = (
    "Example: incident lever encode drill-exchange.pause_market --at exchange=0x… --market ETH-USD=0x… "
    "--before market_paused=false"
)
app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The levers of the catalogue: list, show, encode.",
    epilog=EXAMPLE,
)
Lever = Annotated[str, typer.Argument(metavar="PROTOCOL.LEVER", help="A lever, as `list` names it.")]
Folder = Annotated[Path | None, typer.Option("--protocols", metavar="DIR", help="In-house files; else ./protocols.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Pairs = list[str] | None
At = Annotated[Pairs, typer.Option("--at", metavar="SLOT=0x…", help="Where a contract stands; repeatable.")]
Arg = Annotated[Pairs, typer.Option("--arg", metavar="NAME=VALUE", help="An argument; repeatable.")]
Before = Annotated[Pairs, typer.Option("--before", metavar="READ=VALUE", help="What a read answers now; repeatable.")]
By = Annotated[str | None, typer.Option("--by", metavar="0x…", help="Who makes the call.")]
Market = Annotated[Pairs, typer.Option("--market", metavar="NAME=0x…", help="A market and its id; repeatable.")]
Tokens = Annotated[Pairs, typer.Option("--token", metavar="SYMBOL=DECIMALS", help="A token; repeatable.")]


@app.command("list", epilog=EXAMPLE, short_help="List every lever.")
def list_(
    protocol: Annotated[str | None, typer.Option("--protocol", metavar="NAME", help="Only this protocol.")] = None,
    only: Annotated[str | None, typer.Argument(metavar="[PROTOCOL]", help="The same.")] = None,
    protocols: Folder = None,
    as_json: Json = False,
) -> None:
    """List every lever: what it does, how far it reaches, and how it was proven."""
    from incident_cli.cli.lever_show import show_levers, wrong_object
    from incident_cli.cli.terminal import Printer, print_json
    from incident_cli.document import WrongFile
    from incident_cli.flows.catalog.find import catalog_with, every_lever

    found, wrong = every_lever(catalog_with(protocols), only or protocol)
    if as_json:
        levers, problems = [one.to_json() for one in found], wrong_object(wrong)
        print_json({"schema": "incident.lever-list/v1", "levers": levers, "problems": problems})
    printer = Printer()
    if not as_json:
        show_levers(printer, found)
    if wrong:
        printer.error(WrongFile(wrong))
        raise typer.Exit(Misused.exit_code)


@app.command(epilog=SHOW_EXAMPLE, short_help="Show all there is to know of a lever.")
def show(lever: Lever, protocols: Folder = None, as_json: Json = False) -> None:
    """Show a lever: effect, arguments, role, undo, traps, proof, and how it is written."""
    from incident_cli.cli.lever_show import show_lever
    from incident_cli.cli.terminal import Printer, print_json
    from incident_cli.flows.catalog.find import catalog_with, find_lever
    from incident_cli.flows.catalog.page import page

    found = find_lever(catalog_with(protocols), lever)
    if as_json:
        print_json({"schema": "incident.lever/v1", **page(found)})
    else:
        show_lever(Printer(), found)


@app.command(epilog=ENCODE_EXAMPLE, short_help="Write calldata; no chain is read.")
def encode(
    lever: Lever,
    at: At = None,
    arg: Arg = None,
    before: Before = None,
    by: By = None,
    market: Market = None,
    token: Tokens = None,
    protocols: Folder = None,
    as_json: Json = False,
) -> None:
    """Write a lever's calldata from values you give; no chain is read, and no role is checked."""
    from incident_cli.cli.lever_show import show_encoded
    from incident_cli.cli.terminal import Printer, print_json
    from incident_cli.flows.catalog.encode import encode as encoded
    from incident_cli.flows.catalog.find import catalog_with, find_lever

    found = encoded(find_lever(catalog_with(protocols), lever), order_of(at, arg, before, by, market, token))
    if as_json:
        print_json({"schema": "incident.lever-encode/v1", **found.to_json()})
    else:
        show_encoded(Printer(), found)


def order_of(at: Pairs, arg: Pairs, before: Pairs, by: str | None, market: Pairs, token: Pairs) -> EncodeOrder:
    """What was given; raises Misused where something is not NAME=VALUE."""
    from incident_cli.flows.catalog.given import EncodeOrder

    return EncodeOrder(
        pairs("--at", at or ()),
        pairs("--arg", arg or ()),
        pairs("--before", before or ()),
        by,
        pairs("--market", market or ()),
        pairs("--token", token or ()),
    )


def pairs(flag: str, given: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` as a mapping; raises Misused."""
    found: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name or name in found:
            message = f"{flag} {plain(one, 80)!r} is not NAME=VALUE, or names one twice"
            raise Misused(message, "`incident lever encode --help` shows how each is written")
        found[name] = value
    return found
