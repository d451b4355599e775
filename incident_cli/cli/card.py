"""The card of a proposal: what it does in words, then everything that a signer compares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from incident_cli.cli.wrapping import wrapped
from incident_cli.flows.desk import CallLine, Card
from incident_cli.text import plain

if TYPE_CHECKING:
    from rich.text import Text

LABEL_WIDTH = 14
Row = tuple[str, str, str]


def card_text(card: Card, width: int) -> Text:
    """The card in lines of at most `width` columns; every hash and address is whole on one line."""
    return rows_text(list(card_rows(card)), width, LABEL_WIDTH)


def rows_text(rows: Sequence[Row], width: int, label_width: int) -> Text:
    """Label, value and style a row; a value stands beside its label and wraps there."""
    from rich.text import Text

    shown = Text()
    for number, (label, value, style) in enumerate(rows):
        shown.append("\n" if number else "")
        beside = f"{label} ".ljust(label_width)
        shown.append(beside, "dim")
        lines = wrapped(plain(value), width, label_width, first=len(beside))
        shown.append("\n".join([lines[0].lstrip(" "), *lines[1:]]), style)
    return shown


def card_rows(card: Card) -> Iterator[Row]:
    """Every row of a card: label, value, style."""
    for number, call in enumerate(card.calls, 1):
        yield from call_rows(f"call {number} of {len(card.calls)}", call)
    yield from labelled(
        ("because", [card.because] if card.because else [], ""),
        ("dropped", card.dropped, "yellow"),
        ("displaces", card.displaces, "bold red"),
        ("meanwhile", card.blast, "yellow"),
        ("ends", card.lapses, "yellow"),
        ("reopening", [card.reopening] if card.reopening else [], "yellow"),
        ("Safe", [card.safe], ""),
        ("signers", [f"{card.threshold} of {len(card.owners)} owners:"], ""),
        ("", card.owners, ""),
        ("chain, nonce", [f"{card.chain_id}, {card.nonce}"], ""),
        ("will show", card.shows, ""),
        ("stays", card.unchanged, ""),
        ("simulation", [card.simulation], "green" if card.simulated else "bold red"),
        ("OVERRULED", card.overrides, "bold red"),
        ("agreed by", [", ".join(card.agreed_by)], ""),
    )
    for name, value in card.hashes.items():  # last: they stand beside the question on a small screen
        yield hash_row(name, value)


def labelled(*groups: tuple[str, Sequence[str], str]) -> Iterator[Row]:
    """A row for each value, with the label and style of its group."""
    for label, values, style in groups:
        yield from ((label, one, style) for one in values)


def hash_row(name: str, value: str) -> Row:
    """A hash with its name and what is said about it; at 80 columns it stands below them, whole."""
    digest, _, aside = value.partition(" ")
    return f"{name} {aside}".rstrip(), digest, "bold" if name == "safeTxHash" else ""


def call_rows(place: str, call: CallLine) -> Iterator[Row]:
    """One call: its label, what it does, its traps, and how it is encoded."""
    yield place, call.label, "bold"
    yield "", call.plain, ""
    for trap in call.traps:
        yield "beware", trap, "yellow"
    yield "to", call.to, "dim"
    yield "function", call.function, "dim"
    for name, value in call.args.items():
        yield "", f"{name} = {value}", "dim"
