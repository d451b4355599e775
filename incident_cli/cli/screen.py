"""What a walk looks like: a header that says DRILL or LIVE in words, one step, one card, one line at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from incident_cli.checks.check import Finding, Verdict
from incident_cli.checks.wording import describe
from incident_cli.cli.card import card_text
from incident_cli.cli.terminal import Printer
from incident_cli.cli.wrapping import paths_apart, wrapped
from incident_cli.flows.desk import Card, Header
from incident_cli.runbook.model import (
    AskStep,
    CheckStep,
    ContainStep,
    ManualStep,
    NotifyStep,
    RestoreStep,
    Step,
    VerifyStep,
)
from incident_cli.text import plain
from incident_cli.units import format_duration

if TYPE_CHECKING:
    from rich.text import Text

FRAME = 4  # the columns a panel takes from a line
MODES = {"drill": ("DRILL", "green"), "fork": ("FORK DRILL", "green"), "live": ("LIVE", "bold red")}
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
        title = panel_title(word, header, self.printer.width - FRAME)
        self.printer.line()
        text = header_text(header, self.printer.width - FRAME)
        self.printer.show(Panel(text, title=title, title_align="left", border_style=style))
        number = f"step {header.step_number} of {header.steps}  "
        self.printer.line(f"{number}{step.id}: {purpose(step)}", "bold", hanging=len(number))

    def findings(self, findings: Sequence[Finding]) -> None:
        """One line a check, with its verdict in words and colour, and the sources that could not be read."""
        for one in findings:
            mark = f"  {one.verdict.value.upper():<8} "
            lines = finding_lines(one, self.printer.width, len(mark), named=len(findings) > 1)
            self.printer.show(styled(mark, VERDICT_STYLE[one.verdict]).append("\n".join(lines).lstrip(" ")))

    def card(self, card: Card) -> None:
        """The proposal: what it does in words, then everything a signer compares."""
        from rich.panel import Panel

        word, style = MODES[self.mode]
        text = card_text(card, self.printer.width - FRAME)
        self.printer.show(Panel(text, title=f" {word} PROPOSAL ", title_align="left", border_style=style))

    def say(self, text: str, tone: Literal["plain", "good", "bad", "warn"] = "plain") -> None:
        """One line; good and bad are also words; a path stands below them, whole."""
        first, *others = paths_apart(plain(text))
        lines = wrapped(first, self.printer.width, len(MARKS[tone]))
        self.printer.show(styled(MARKS[tone], TONES[tone]).append("\n".join(lines).lstrip(" ")))
        self.printer.write(others)

    def working(self, text: str) -> AbstractContextManager[None]:
        """A spinner where there is a terminal; nothing in a log."""
        return self.printer.working(text)


def panel_title(mode: str, header: Header, width: int) -> str:
    """The mode, the runbook's title, the market: where that is too long, it is the title that is cut."""
    title, market = plain(header.title), plain(header.market)
    room = max(width - len(f"  {mode} ·  · {market}  "), 1)
    shown = title if len(title) <= room else title[: room - 1].rstrip() + "…"
    return f" {mode} · {shown} · {market} "


def styled(text: str, style: str) -> Text:
    """A rich text of one style; the text is data, never markup."""
    from rich.text import Text

    return Text(text, style=style)


def finding_lines(finding: Finding, width: int, indent: int, *, named: bool) -> list[str]:
    """The block and what was read there; then, unbroken, the reason or the number that the summary leaves unsaid."""
    reading, name = finding.reading, f"{finding.check} at " if named else ""
    said = finding.summary or reading.reason
    lines = wrapped(plain(f"{name}block {finding.block.number}: {said}"), width, indent)
    value = describe(reading.value, reading.unit)
    aside = f"({value}, limit {reading.limit})" if value not in said and (reading.limit or reading.unit) else ""
    if finding.verdict is Verdict.UNKNOWN:
        aside = f"[{plain(reading.reason)}]" if finding.summary else ""
    if aside and len(lines[-1]) + 1 + len(aside) <= width:
        lines[-1] += f" {aside}"
    elif aside:
        lines += wrapped(aside, width, indent)
    return lines


def header_text(header: Header, width: int) -> Text:
    """The incident, the chain's block and its age, the time since detection, the next deadline; broken between."""
    text, column = styled("", ""), 0
    for words, style in header_parts(header):
        if column and column + 3 + len(words) > width:
            text.append("\n")
            column = 0
        gap = " · " if column else ""
        text.append(gap).append(words, style)
        column += len(gap) + len(words)
    return text


def header_parts(header: Header) -> Iterator[tuple[str, str]]:
    """What is never broken: words and style."""
    yield plain(header.incident), ""
    if header.block is not None:
        moment = datetime.fromtimestamp(header.block.timestamp, UTC)
        yield f"{plain(header.block.chain)} block {header.block.number}", ""
        yield f"{moment:%Y-%m-%d %H:%M:%S} UTC{local_time(moment) if header.mode == 'live' else ''}", ""
    if header.block_age is not None:
        ahead = header.block_age < 0
        yield f"{format_duration(abs(header.block_age))} {'ahead of this clock' if ahead else 'old'}", ""
    if header.since_detection is not None:
        yield f"detected {format_duration(header.since_detection)} ago", ""
    if header.deadline_in is not None:
        late = header.deadline_in < 0
        if late:
            yield f"deadline passed {format_duration(-header.deadline_in)} ago", "bold red"
        else:
            yield f"deadline in {format_duration(header.deadline_in)}", "yellow"


def local_time(moment: datetime) -> str:
    """The same moment on the reader's clock, where that differs from UTC."""
    local = moment.astimezone()
    return f" ({local:%H:%M} {local:%Z})" if local.utcoffset() else ""


def purpose(step: Step) -> str:
    """What a step is about, in a few words."""
    if isinstance(step, CheckStep):
        return f"judge {', '.join(step.check)}"
    if isinstance(step, AskStep):
        return f"a decision for the {step.role.replace('_', ' ')}"
    if isinstance(step, ManualStep):
        return f"for the {step.role.replace('_', ' ')} to do"
    if isinstance(step, ContainStep):
        return f"contain through {' and '.join(step.authorities)}: {', '.join(one.lever for one in step.levers)}"
    if isinstance(step, VerifyStep):
        return f"prove on chain that {' and '.join(one.source for one in step.verify)}"
    if isinstance(step, NotifyStep):
        return f"word the notice `{step.notify.template}` ({step.notify.audience}); nothing is sent"
    if isinstance(step, RestoreStep):
        return f"undo {step.restore} through {step.by}"
    return step.verb
