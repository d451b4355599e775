"""The closing page of a drill: how it ended, a timeline, what it cost and saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from incident_cli.cli.screen import styled
from incident_cli.cli.terminal import Printer
from incident_cli.drills.score import HORIZON_BLOCKS, TOKEN, Losses
from incident_cli.incident.timeline import Moment
from incident_cli.text import plain
from incident_cli.units import format_amount, format_duration

WIDTH = 44
METRIC_WORDS = {
    "time_to_detection": "time to detection",
    "time_to_proposal": "time to proposal",
    "time_to_containment": "time to containment",
}


def show_scorecard(printer: Printer, report: Mapping[str, Any], moments: Mapping[str, Moment], losses: Losses) -> None:
    """Everything about the drill on one page."""
    from rich.panel import Panel
    from rich.table import Table

    good = report["outcome"] == report["intended"]
    style = "green" if good else "bold red"
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("outcome", styled(f"{report['outcome']}. {report['verdict']}", style))
    for name, words in METRIC_WORDS.items():
        table.add_row(words, span_words(report["metrics"][name]))
    for label, value in loss_rows(losses):
        table.add_row(label, value)
    table.add_row("steps", ", ".join(f"{one['id']} {one['outcome']}" for one in report["steps"]))
    table.add_row("journal", plain(report["journal"]))
    printer.line()
    printer.show(Panel(table, title=" DRILL SCORECARD ", title_align="left", border_style=style))
    for line in timeline(list(moments.values())):
        printer.line(line)
    for line in conclusion(report, moments):
        printer.line(line, style)


def span_words(span: Mapping[str, int] | None) -> str:
    """`36s, 3 blocks`, or unknown."""
    if span is None:
        return "unknown"
    return f"{format_duration(span['seconds'])}, {span['blocks']} block{'' if span['blocks'] == 1 else 's'}"


def loss_rows(losses: Losses) -> Sequence[tuple[str, str]]:
    """What was lost when, and what was saved."""
    avoided = "unknown" if losses.avoided is None else format_amount(losses.avoided, TOKEN)
    return (
        ("lost before detection", format_amount(losses.before_detection, TOKEN)),
        ("lost until containment", format_amount(losses.until_contained, TOKEN)),
        (f"saved, {HORIZON_BLOCKS} blocks on", f"{avoided} against the same attack left alone"),
    )


def timeline(moments: Sequence[Moment]) -> list[str]:
    """Moments on one line of blocks, then one line each: `■` marks, the distance is to scale."""
    if not moments:
        return []
    ordered = sorted(moments, key=lambda one: one.block.number)
    shown = [one for one in ordered if one.name != "recovered"]
    first, last = shown[0].block.number, shown[-1].block.number
    axis = ["─"] * (WIDTH + 1)
    for one in shown:
        axis[position(one.block.number, first, last)] = "■"
    start = shown[0].block.timestamp
    lines = ["", f"  block {first} {''.join(axis)} {last}"]
    for one in ordered:
        seconds = one.block.timestamp - start
        place = position(min(one.block.number, last), first, last)
        sign = f"+{format_duration(seconds)}"
        lines.append(f"  {' ' * (6 + len(str(first)) + place)} {'└'} {one.name}, block {one.block.number}, {sign}")
    return lines


def position(number: int, first: int, last: int) -> int:
    """Where a block stands on the axis."""
    return 0 if last == first else (number - first) * WIDTH // (last - first)


def conclusion(report: Mapping[str, Any], moments: Mapping[str, Moment]) -> list[str]:
    """The last words: the Safe, the hash, and the block that proves it."""
    lines = [f"Safe {report['safe']['address']} (2 of 3)"]
    lines += [f"safeTxHash {one['safe_tx_hash']}" for one in report["proposals"][:1]]
    if report["outcome"] == "contained" and "contained" in moments:
        block = moments["contained"].block
        lines.append(f"contained: block {block.number} {block.hash} proves it")
    else:
        lines.append(str(report["outcome"]))
    return ["", *lines]
