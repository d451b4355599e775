"""incident init"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from incident_cli.cli.terminal import Printer
    from incident_cli.flows.init import Initialised, InitOrder

EXAMPLE = "Example: incident init --chain 1 --rpc URL --safe 0x… --contract vault=0x…"
LABELS = {
    "runbook validate": "check what you wrote",
    "runbook test": "test it, offline",
    "preflight": "ask whether the Safe could act now",
    "drill": "rehearse it on a copy of the chain",
}
Contracts = Annotated[list[str] | None, typer.Option("--contract", metavar="NAME=0x…", help="A contract; repeatable.")]
Abis = Annotated[
    list[str] | None, typer.Option("--abi", metavar="[NAME=]FILE", help="Its ABI: an artefact or a bare array.")
]


def init(
    chain: Annotated[int, typer.Option(metavar="ID", help="The chain's id; the node must say the same.")],
    rpc: Annotated[str, typer.Option(metavar="URL", help="A node of that chain.")],
    safe: Annotated[str, typer.Option(metavar="0x…", help="The Safe that may stop the contracts.")],
    contract: Contracts = None,
    abi: Abis = None,
    folder: Annotated[Path, typer.Option("--dir", help="The folder to write into.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Write a deployment, protocol files and a first runbook with tests; nothing is ever overwritten."""
    from incident_cli.cli.terminal import Printer, print_json
    from incident_cli.flows.init import initialise

    order = order_of(chain, rpc, safe, contract or [], abi or [], folder)
    printer = Printer()
    with printer.working("reading the chain"):
        done = initialise(order)
    show(printer, done)
    if as_json:
        print_json(done.to_json())


def order_of(chain: int, rpc: str, safe: str, contracts: list[str], abis: list[str], folder: Path) -> InitOrder:
    """What was asked for; raises Misused. A URL is never repeated: it may hold a key."""
    from incident_cli.errors import Misused
    from incident_cli.evm import parse_address
    from incident_cli.flows.init import InitOrder, parse_abis, parse_contracts
    from incident_cli.runbook.deployment import parse_url
    from incident_cli.runbook.first_deployment import Where

    if chain < 1:
        raise Misused(f"{chain} is no chain id", "Ethereum's is 1")
    try:
        where, council = Where(chain, parse_url(rpc)), parse_address(safe)
    except ValueError as problem:
        raise Misused(str(problem), "--rpc takes a URL, --safe an address with its checksum") from problem
    named = parse_contracts(contracts)
    return InitOrder(where, council, named, parse_abis(abis, named), folder)


def show(printer: Printer, done: Initialised) -> None:
    """What was written and kept, the Safe, and what comes next."""
    safe = done.safe
    printer.line(f"Safe {safe.version} at {safe.seen.address}: {safe.threshold} of {len(safe.owners)} owners sign")
    for owner in safe.owners:
        printer.line(f"  owner {owner}")
    for path in done.written:
        printer.line(f"written: {path}", "green")
    for path in done.kept:
        other = path in done.differing
        printer.line(f"there already{', with other content' if other else ''}; left as it is: {path}", "yellow")
    printer.line("next, in order:", "yellow")
    for path, count in Counter(one.file for one in done.review).items():
        printer.line(f"  answer what is marked REVIEW in {path}: {count} line{'s' if count > 1 else ''}", hanging=4)
    for command in done.next:
        words = command.removeprefix("incident ")
        label = next((label for start, label in LABELS.items() if words.startswith(start)), None)
        if label is None:
            printer.line(f"  {command}")
        else:
            printer.command(f"  {label}", words)
