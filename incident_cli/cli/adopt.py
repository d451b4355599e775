"""incident adopt"""

from __future__ import annotations

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
from incident_cli.cli.terminal import Printer, require_terminal

if TYPE_CHECKING:
    from incident_cli.flows.respond import Surroundings
    from incident_cli.flows.session import Session

EXAMPLE = "Example: incident adopt 0x5b6f…(64 hex digits) --incident 20261122-0301-oracle-divergence-1f3a"
Target = Annotated[
    str,
    typer.Argument(metavar="HASH|FILE", help="A safe_tx_hash that a service knows or a Safe has executed, or a file."),
]
Incident = Annotated[str, typer.Option("--incident", metavar="ID", help="The incident; else the latest open one.")]


def adopt(
    target: Target,
    incident: Incident = "",
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
    """Take a transaction made elsewhere, or fired from a vault, into an open incident that stands at its containment:
    its calls must be exactly what the step would propose. The incident then goes on with it, and proves it."""
    printer = Printer()
    require_terminal("what is adopted is confirmed first", "run it in a terminal", "Nothing was recorded.")
    keys = at_hand(printer, keystore, external, account, ledger, passphrase_fd, broadcaster, private)
    session = adopted(incident, target, surroundings(printer, keys, wait))
    raise typer.Exit(walk_session(printer, session, as_json))


def adopted(incident: str, target: str, around: Surroundings) -> Session:
    """The incident taken up with the transaction in it."""
    from incident_cli.flows.adopting import take_in

    return take_in(incident, target, around)
