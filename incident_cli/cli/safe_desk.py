"""What the commands of the Safe desk share: how a transaction is named, and how what is queued is shown."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli import settings
from incident_cli.errors import Misused

if TYPE_CHECKING:
    from incident_cli.cli.terminal import Printer
    from incident_cli.evm import Address
    from incident_cli.flows.multisig.queued import Queued
    from incident_cli.flows.multisig.taking_up import Counter, Matter
    from incident_cli.safe.signing import Signer

Target = Annotated[
    str, typer.Argument(metavar="HASH|FILE", help="A safe_tx_hash that the service knows, or a file (-: stdin).")
]
File = Annotated[str, typer.Argument(metavar="FILE", help="A flat SafeTx object or a proposal file; - is stdin.")]
Deployment = Annotated[Path, typer.Option("--deployment", metavar="FILE", help="The deployment file.")]
Safe = Annotated[str, typer.Option("--safe", metavar="SLOT", help="The Safe: its slot's name, or its whole address.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
INDENT = 2


def counter_at(path: Path) -> Counter:
    """The counter of a deployment, with this machine's environment and clock."""
    from incident_cli.flows.clock import SystemClock
    from incident_cli.flows.multisig.taking_up import counter_of

    return counter_of(path, settings.variable, SystemClock().sleep)


def matter_at(counter: Counter, target: str) -> Matter:
    """The transaction that was named."""
    return counter.matter(target, sys.stdin.buffer if target == "-" and sys.stdin is not None else None)


def signer_at_hand(
    printer: Printer,
    keystore: Path | None,
    external: str | None,
    account: str | None,
    ledger: str | None,
    passphrase_fd: str | None,
    question: str = "the end of the hash is typed before it is signed",
) -> Signer | None:
    """The signer that the options name, None where they name none. Where one is named and nobody can answer the
    `question`, that is said before a passphrase is asked for: NeedsTerminal."""
    from incident_cli.cli.keys import signer_of
    from incident_cli.cli.terminal import require_terminal

    if keystore is not None or external is not None or ledger is not None:
        require_terminal(question, "run it in a terminal: no option answers it", "Nothing was done.")
    return signer_of(printer, keystore, external, account, ledger, passphrase_fd)


def command_path(path: Path | str) -> str:
    """A path as it is typed in a shell."""
    return shlex.quote(str(path))


def show_queued(
    printer: Printer, one: Queued, word: str, style: str, names: Mapping[Address, str] = MappingProxyType({})
) -> None:
    """A transaction of the queue: what it does, its hash, how many it claims to have, who put it there and whence."""
    from incident_cli.flows.multisig.provenance import provenance

    printer.line(f"{word}: {one.label}", style, hanging=2 * INDENT)
    printer.line(f"{' ' * INDENT}{one.safe_tx_hash}", hanging=INDENT)
    count = len(one.confirmed_by)
    by = f"{count} confirmation{'' if count == 1 else 's'} by the service's count"
    trust = "" if one.trusted else "; NOT trusted by the service: anybody may have put it there"
    printer.line(f"{' ' * INDENT}{by}{trust}", hanging=INDENT)
    for words in provenance(one.proposer, one.origin, names):
        printer.line(f"{' ' * INDENT}{words}", hanging=INDENT)


def address_given(flag: str, text: str | None) -> Address | None:
    """An address from the command line, whole and checksummed; raises Misused."""
    from incident_cli.evm import parse_address
    from incident_cli.text import plain

    if text is None:
        return None
    try:
        return parse_address(text)
    except ValueError as problem:
        raise Misused(f"{flag} {plain(text, 80)}: {problem}", "Copy it whole.") from None
