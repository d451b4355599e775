"""incident safe queue"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from incident_cli.cli import settings
from incident_cli.cli.safe_desk import INDENT, Deployment, Json, counter_at, show_queued
from incident_cli.cli.terminal import Printer, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from incident_cli.evm import Address
    from incident_cli.flows.multisig.place import Place
    from incident_cli.flows.multisig.queueing import AtNonce, NonceChoice, Queue

EXAMPLE = "Example: incident safe queue council --deployment production.yaml"
Slot = Annotated[str, typer.Argument(metavar="SLOT|ADDRESS", help="The Safe: its slot's name, or its whole address.")]


def queue(slot: Slot, *, deployment: Deployment, as_json: Json = False) -> None:
    """Show what stands at each nonce: by the service and by this machine's open incidents, rivals first. Exit: 0, or 3
    where the service or a journal could not be read."""
    from incident_cli.flows.multisig.plainly import describer
    from incident_cli.flows.multisig.queueing import queue_of
    from incident_cli.flows.multisig.reservations import reserved_here

    printer, counter = Printer(), counter_at(deployment)
    place = counter.place(slot)
    with printer.working("reading the queue"):
        reserved = reserved_here(settings.incident_home(), place.chain_id, place.safe, 0)
        found = queue_of(place, counter.services(place.chain), reserved, describer(place, counter.aids.catalog))
    show(printer, place, found)
    if as_json:
        print_json(document(place, found))
    raise typer.Exit(0 if found.is_known else 3)


def document(place: Place, found: Queue) -> dict[str, Any]:
    """As `--json` prints it."""
    return {
        "schema": "incident.safe-queue/v1",
        "safe": place.safe,
        "chain_id": place.chain_id,
        **found.to_json(),
    }


def show(printer: Printer, place: Place, found: Queue) -> None:
    """The Safe and its nonce, then each nonce in its order, then the choices for a new transaction."""
    from incident_cli.flows.multisig.queueing import choices_of

    printer.line(f"Safe {place.safe} on {place.chain}, chain {place.chain_id}", "bold", hanging=INDENT)
    printer.line(f"nonce {found.nonce} in block {found.block.number}; {found.threshold} owners must confirm")
    if not found.at:
        printer.line("nothing is queued" if found.is_whole and found.is_known else "nothing is known to be queued")
    names = {one.owner: one.name for one in place.deployment.contacts}
    for one in found.at:
        printer.line()
        show_nonce(printer, one, found.nonce, names)
    show_unknown(printer, found)
    printer.line()
    printer.line("a new transaction may take", "bold")
    for choice in choices_of(found):
        printer.line(f"{' ' * INDENT}{choice.how:<11}{choice_words(choice)}", hanging=13)


def choice_words(choice: NonceChoice) -> str:
    """A choice beside what stands above it already."""
    if not choice.displaces:
        return choice.words
    count = len(choice.displaces)
    return f"nonce {choice.nonce}: displaces what stands there ({count} transaction{'' if count == 1 else 's'})"


def show_nonce(printer: Printer, at: AtNonce, nonce: int, names: Mapping[Address, str]) -> None:
    """Everything at one nonce; rivals are alarmed, a gap before it is said."""
    from incident_cli.flows.multisig.queueing import before

    when = "next to execute" if at.nonce == nonce else f"after {before(at.nonce, at.nonce - nonce)}"
    printer.line(f"nonce {at.nonce}: {when}", "bold")
    if at.are_rivals:
        words = f"RIVALS: {len(at.hashes)} transactions want this nonce; whichever executes first displaces the others"
        printer.line(words, "bold red", hanging=INDENT)
    for one in at.queued:
        show_queued(printer, one, "queued", "", names)
    for mine in at.reserved:
        printer.line(f"here: {mine.label}", "cyan", hanging=2 * INDENT)
        printer.line(f"{' ' * INDENT}{mine.safe_tx_hash}", hanging=INDENT)
        printer.line(f"{' ' * INDENT}incident {mine.incident}, step {mine.step}: {mine.stage}", hanging=INDENT)


def show_unknown(printer: Printer, found: Queue) -> None:
    """Gaps, and what could not be read."""
    if found.gaps:
        gaps = ", ".join(str(one) for one in found.gaps[:20])
        printer.line()
        known = "nothing stands" if found.is_whole and found.is_known else "nothing is known to stand"
        printer.line(f"{known} at nonce {gaps}: what lies behind cannot execute yet", "yellow", hanging=INDENT)
    if not found.asked:
        printer.line("The deployment names no transaction service: only this machine's own are known.", "yellow")
    if found.service_problem:
        printer.line()
        printer.line(f"what else is queued is UNKNOWN: {found.service_problem}", "bold magenta", hanging=INDENT)
    for name in found.unread:
        printer.line(f"the journal of {name} does not verify: what it reserved is UNKNOWN", "bold magenta")
