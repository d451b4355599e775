"""What a walk looks like: a header that says DRILL or LIVE in words, one step, one card, one line at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from incident_cli.checks.check import Finding, Verdict, describe
from incident_cli.cli.terminal import Printer
from incident_cli.flows.desk import CallLine, Card, Header
from incident_cli.runbook.model import (
    AskStep,
    CheckStep,
    ContainStep,
    ManualStep,
    RestoreStep,
    Step,
    VerifyStep,
)
from incident_cli.text import plain
from incident_cli.units import format_duration

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.text import Text

LABEL_WIDTH, LONGEST_BESIDE = 12, 50
MODES = {"drill": ("DRILL", "green"), "live": ("LIVE", "bold red")}
TONES = {"plain": "", "good": "green", "bad": "bold red", "warn": "yellow"}
MARKS = {"good": "  ok ", "bad": " BAD ", "warn": "warn ", "plain": "     "}
VERDICT_STYLE = {
    Verdict.QUIET: "green",
    Verdict.PENDING: "yellow",
    Verdict.FIRING: "bold red",
    Verdict.UNKNOWN: "bold magenta",
}


@dataclass(frozen=True, slots=True)
class WalkScreen:
    """Shows a walk on a printer."""

    printer: Printer
    mode: str

    def step(self, header: Header, step: Step) -> None:
        """The header in its frame, then the step."""
        from rich.panel import Panel

        word, style = MODES[header.mode]
        title = f" {word} · {plain(header.title)} · {header.market} "
        self.printer.line()
        self.printer.show(
            Panel(header_text(header), title=title, title_align="left", border_style=style, subtitle_align="right")
        )
        number = f"step {header.step_number} of {header.steps}"
        self.printer.line(f"{number}  {step.id}: {purpose(step)}", "bold")

    def findings(self, findings: Sequence[Finding]) -> None:
        """One line a check, with its verdict in words and colour, and the sources that could not be read."""
        for one in findings:
            text = styled(f"  {one.verdict.value.upper():<8}", VERDICT_STYLE[one.verdict])
            text.append(plain(one.summary or one.reading.reason))
            if one.verdict is Verdict.UNKNOWN:
                text.append(f" [{plain(one.reading.reason)}]")
            else:
                text.append(f"  ({describe(one.reading.value, one.reading.unit)} of {one.reading.limit})", "dim")
            self.printer.show(text)

    def card(self, card: Card) -> None:
        """The proposal: what it does in words, then everything a signer compares."""
        from rich.panel import Panel

        word, style = MODES[self.mode]
        self.printer.show(Panel(card_group(card), title=f" {word} PROPOSAL ", title_align="left", border_style=style))

    def say(self, text: str, tone: Literal["plain", "good", "bad", "warn"] = "plain") -> None:
        """One line; good and bad are also words."""
        self.printer.show(styled(MARKS[tone], TONES[tone]).append(plain(text)))

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """A spinner where there is a terminal; nothing in a log."""
        if not self.printer.console.is_terminal:
            yield
            return
        with self.printer.console.status(plain(text)):
            yield


def styled(text: str, style: str) -> Text:
    """A rich text of one style; the text is data, never markup."""
    from rich.text import Text

    return Text(text, style=style)


def header_text(header: Header) -> Text:
    """The chain, its block and its age, the time since detection, the next deadline."""
    parts = [plain(header.incident)]
    if header.block is not None:
        moment = datetime.fromtimestamp(header.block.timestamp, UTC)
        parts.append(f"{header.block.chain} block {header.block.number} at {moment:%Y-%m-%d %H:%M:%S} UTC")
    if header.block_age is not None:
        parts.append(f"{format_duration(header.block_age)} old")
    if header.since_detection is not None:
        parts.append(f"detected {format_duration(header.since_detection)} ago")
    text = styled(" · ".join(parts), "")
    if header.deadline_in is not None:
        late = header.deadline_in < 0
        words = f"deadline passed {format_duration(-header.deadline_in)} ago" if late else ""
        words = words or f"deadline in {format_duration(header.deadline_in)}"
        text.append(f" · {words}", "bold red" if late else "yellow")
    return text


def purpose(step: Step) -> str:
    """What a step is about, in a few words."""
    if isinstance(step, CheckStep):
        return f"judge {', '.join(step.check)}"
    if isinstance(step, AskStep):
        return f"a decision for the {step.role.replace('_', ' ')}"
    if isinstance(step, ManualStep):
        return "something for a person"
    if isinstance(step, ContainStep):
        return f"contain through {step.contain.by}: {', '.join(one.lever for one in step.levers)}"
    if isinstance(step, VerifyStep):
        return f"prove on chain that {' and '.join(one.source for one in step.verify)}"
    if isinstance(step, RestoreStep):
        return f"undo {step.restore} through {step.by}"
    return step.verb


def card_group(card: Card) -> Group:
    """Label and value; a hash has a line of its own, so that it can be compared and copied whole at 80 columns."""
    from rich.console import Group
    from rich.table import Table

    things: list[RenderableType] = []
    table: Table | None = None
    for label, value, style in card_rows(card):
        if value.startswith("0x") and len(value) > LONGEST_BESIDE:
            things += [styled(label, "dim"), styled(f"  {plain(value)}", style)]
            table = None
            continue
        if table is None:
            table = Table.grid(padding=(0, 2))
            table.add_column(style="dim", no_wrap=True, min_width=LABEL_WIDTH)
            table.add_column(overflow="fold")
            things.append(table)
        table.add_row(label, styled(plain(value), style))
    return Group(*things)


def card_rows(card: Card) -> Iterator[tuple[str, str, str]]:
    """Every row of a card: label, value, style."""
    for number, call in enumerate(card.calls, 1):
        yield from call_rows(number, len(card.calls), call)
    for dropped in card.dropped:
        yield "dropped", dropped, "yellow"
    yield "Safe", card.safe, ""
    owners = f"{card.threshold} of {len(card.owners)} owners: {', '.join(card.owners)}"
    yield "signers", owners, ""
    yield "chain, nonce", f"{card.chain_id}, {card.nonce}", ""
    for name, value in card.hashes.items():
        yield name, value, "bold" if name == "safeTxHash" else ""
    yield "agreed by", ", ".join(card.agreed_by), ""
    yield "simulation", card.simulation, "green"
    for shown in card.shows:
        yield "will show", shown, ""
    for unchanged in card.unchanged:
        yield "stays", unchanged, ""
    if card.reopening:
        yield "reopening", card.reopening, "yellow"


def call_rows(number: int, calls: int, call: CallLine) -> Iterator[tuple[str, str, str]]:
    """One call: its label, what it does, how it is encoded, and its traps."""
    place = f"call {number} of {calls}"
    yield place, call.label, "bold"
    yield "", call.plain, ""
    args = ", ".join(f"{name} = {value}" for name, value in call.args.items())
    yield "", f"{call.to}.{call.function}  {args}", "dim"
    for trap in call.traps:
        yield "know", trap, "yellow"
