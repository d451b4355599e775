"""The closing page of a drill: how it ended, a timeline, what it cost and saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from incident_cli.cli.card import rows_text
from incident_cli.cli.terminal import Printer
from incident_cli.cli.wrapping import flowed
from incident_cli.drills.score import HORIZON_BLOCKS, TOKEN, Losses
from incident_cli.incident.timeline import Moment
from incident_cli.units import format_amount, format_duration

LABEL_WIDTH, FRAME = 24, 4
NAME_WIDTH, SPAN_WIDTH = 14, 10
METRIC_WORDS = {
    "time_to_detection": "time to detection",
    "time_to_proposal": "time to proposal",
    "time_to_containment": "time to containment",
}


def show_scorecard(
    printer: Printer, report: Mapping[str, Any], moments: Mapping[str, Moment], losses: Losses | None
) -> None:
    """Everything about the drill on one page."""
    from rich.panel import Panel

    style = "green" if report["outcome"] == report["intended"] else "bold red"
    width = printer.width - FRAME
    rows = [("outcome", f"{report['outcome']}. {report['verdict']}", style)]
    rows += [(words, span_words(report["metrics"][name]), "") for name, words in METRIC_WORDS.items()]
    rows += [(label, value, "") for label, value in loss_rows(losses)]
    steps = flowed([f"{one['id']} {one['outcome']}" for one in report["steps"]], width - LABEL_WIDTH, " · ")
    rows += [("steps" if number == 0 else "", line, "") for number, line in enumerate(steps)]
    text = rows_text(rows, width, LABEL_WIDTH)
    printer.line()
    printer.show(Panel(text, title=" DRILL SCORECARD ", title_align="left", border_style=style))
    for line in timeline(list(moments.values()), printer.width):
        printer.line(line)
    for line in conclusion(report, moments):
        printer.line(line, style, hanging=2)
    printer.line(f"journal {report['journal']}")


def span_words(span: Mapping[str, int] | None) -> str:
    """`36s, 3 blocks`, or that one of its ends was not reached."""
    if span is None:
        return "not reached"
    return f"{format_duration(span['seconds'])}, {span['blocks']} block{'' if span['blocks'] == 1 else 's'}"


def loss_rows(losses: Losses | None) -> Sequence[tuple[str, str]]:
    """What was lost when, and what was saved; nothing of either where nobody took advantage, or nobody knows."""
    if losses is None:
        return [("lost", "not known: nobody takes advantage on a fork")]
    if not losses.at_stake:
        return [("lost", "nothing: in this scenario nobody takes advantage")]
    rows = [("lost before detection", format_amount(losses.before_detection, TOKEN))]
    after = format_amount(losses.until_contained, TOKEN)
    if losses.avoided is None:
        return [*rows, ("lost since detection", after), ("saved", "nothing was contained")]
    against = f", against the same attack left alone for {HORIZON_BLOCKS} blocks more"
    return [*rows, ("lost until containment", after), ("saved", format_amount(losses.avoided, TOKEN) + against)]


def timeline(moments: Sequence[Moment], width: int) -> list[str]:
    """Moments one below the other, each at its block on an axis to scale; what comes after containment is off it."""
    if not moments:
        return []
    ordered = sorted(moments, key=lambda one: one.block.number)
    on_axis = [one.block.number for one in ordered if one.name != "recovered"] or [ordered[0].block.number]
    first, last, start = on_axis[0], on_axis[-1], ordered[0].block.timestamp
    block_width = len(f"block {ordered[-1].block.number}")
    axis = max(10, width - 2 - NAME_WIDTH - block_width - 2 - SPAN_WIDTH - 1)
    lines = [""]
    for one in ordered:
        block = f"block {one.block.number}".ljust(block_width)
        since = f"+{format_duration(one.block.timestamp - start)}"
        mark = bar(one.block.number, first, last, axis)
        lines.append(f"  {one.name:<{NAME_WIDTH}}{block}  {since:<{SPAN_WIDTH}}{mark}")
    return lines


def bar(number: int, first: int, last: int, width: int) -> str:
    """`────■` to scale; an arrow where the block lies beyond the axis."""
    if number > last:
        return "─" * (width - 1) + "→"
    place = 0 if last == first else (number - first) * (width - 1) // (last - first)
    return "─" * place + "■"


def conclusion(report: Mapping[str, Any], moments: Mapping[str, Moment]) -> list[str]:
    """The last words: the Safe, the hash, and the block that proves it."""
    safe = report["safe"]
    lines = ["", *([f"Safe {safe['address']} ({safe['threshold']} of {len(safe['owners'])})"] if safe else [])]
    lines += [f"safeTxHash {one['safe_tx_hash']}" for one in report["proposals"][:1]]
    if report["outcome"] == "contained" and "contained" in moments:
        block = moments["contained"].block
        return [*lines, f"contained: block {block.number}, hash {block.hash} proves it"]
    return [*lines, str(report["outcome"])]
