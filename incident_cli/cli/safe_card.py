"""incident safe card"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli.safe_hash import File, Json, stdin_bytes
from incident_cli.cli.safe_sign import Displaces, Weaken, displaced

if TYPE_CHECKING:
    from incident_cli.cli.terminal import Printer
    from incident_cli.flows.multisig.aids import Aids
    from incident_cli.flows.multisig.loading import Loaded
    from incident_cli.report.signing_card import SigningCard

EXAMPLE = "Example: incident safe card proposal.json --deployment production.yaml --format html --out card.html"


class CardFormat(StrEnum):
    """The forms of a card."""

    TEXT = "text"
    HTML = "html"


Deployment = Annotated[Path | None, typer.Option("--deployment", metavar="FILE", help="Names, levers, and its chain.")]
Form = Annotated[CardFormat, typer.Option("--format", help="Text for a chat, or one page to print.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where it is written; else stdout.")]


def card(
    file: File,
    deployment: Deployment = None,
    form: Form = CardFormat.TEXT,
    displaces: Displaces = None,
    weaken: Weaken = False,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Write the card that a signer reads before signing: plain words, whole addresses, hashes, how to verify."""
    from incident_cli.cli.terminal import Printer, print_json
    from incident_cli.flows.multisig.aids import aids_of
    from incident_cli.flows.multisig.loading import load_transaction
    from incident_cli.report.signing_card import address

    loaded, aids = load_transaction(file, stdin_bytes()), aids_of(deployment, (), (), None, None)
    made = made_card(loaded, aids, displaces, weaken)
    content = written(made, form)
    if out is not None:
        save(out, content)
    if as_json:
        found = {"safe_tx_hash": made.hashes.safe_tx_hash, "format": form.value, "qr": address(made)}
        where = {"path": str(out) if out else None, "content": None if out else content}
        held = {"held_against_chain": made.nonce_on_chain is not None}
        print_json({"schema": "incident.safe-card/v1", **found, **held, **where})
    else:
        tell(Printer(), made, content, form, out)


def made_card(loaded: Loaded, aids: Aids, displaces: list[str] | None, weaken: bool = False) -> SigningCard:
    """The card; raises Refused for what may not be signed, Unread where a deployment was named and cannot be read."""
    from incident_cli.cli.settings import variable
    from incident_cli.flows.multisig.carding import card_of
    from incident_cli.flows.multisig.examining import examine, inspected, require_safe
    from incident_cli.flows.multisig.trying import tried

    rivals = displaced(loaded.tx, displaces)
    if aids.deployment is None:
        found = inspected(loaded, aids, variable)
        require_safe(found)  # a card is an invitation to sign: there is none of what inspect refuses
        return card_of(loaded, found, rivals)
    place, found, view = examine(loaded, aids, variable, weaken=weaken)
    return card_of(loaded, found, rivals, place.chain, tried(loaded, place, view))


def written(card: SigningCard, form: CardFormat) -> str:
    """The card in its form."""
    from incident_cli.report.signing_card import text
    from incident_cli.report.signing_sheet import sheet

    return text(card) if form is CardFormat.TEXT else sheet(card)


def save(out: Path, content: str) -> None:
    """Write it, whole or not at all, over an earlier card; raises Misused."""
    from incident_cli.safe.files import guarded, opened_directory
    from incident_cli.safe.signature_file import exchange

    with guarded(out), opened_directory(out.parent) as folder:
        exchange(folder, out, content.encode())


def tell(printer: Printer, card: SigningCard, content: str, form: CardFormat, out: Path | None) -> None:
    """The card on stdout, or where it is; at a terminal that shows colours, the code for a phone's camera below it."""
    from incident_cli.cli.terminal import print_text
    from incident_cli.report.signing_card import BY_EYE, address, code_rows

    if out is not None:
        printer.line(f"written: {out}", hanging=9)
    else:
        print_text(content)
    if printer.seen and printer.styled and form is CardFormat.TEXT:
        printer.write(code_rows(card), "black on white")
        printer.line(address(card))
        printer.line(BY_EYE)
