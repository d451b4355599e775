"""What `incident check` shows: where it looked, each check with its margin to the limit as a bar, what is not said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from incident_cli.checks.check import Reading, Verdict
from incident_cli.checks.wording import describe, describe_source
from incident_cli.text import plain
from incident_cli.units import format_duration

if TYPE_CHECKING:
    from incident_cli.cli.terminal import Printer
    from incident_cli.flows.check import CheckReport, Post

BAR = 20
STYLE = {Verdict.QUIET: "green", Verdict.PENDING: "yellow", Verdict.FIRING: "bold red", Verdict.UNKNOWN: "bold magenta"}
INDENT = 9
NOT_COVERED = (
    "These checks cover only what is listed here, at this block. Quiet does not answer a report of anything else: "
    "look at what the report claims."
)


def show(printer: Printer, report: CheckReport) -> None:
    """The whole report."""
    for line in where(report):
        printer.line(line, hanging=2)
    for post in report.posts:
        printer.line()
        verdict = post.finding.verdict
        printer.line(f"{verdict.value.upper():<{INDENT}}{title(post)}", STYLE[verdict], hanging=INDENT)
        for line in details(post, report):
            printer.line(" " * INDENT + line, hanging=INDENT)
    printer.line()
    printer.line(f"together: {report.verdict.value}", STYLE[report.verdict])
    printer.line(NOT_COVERED)
    if report.verdict is Verdict.UNKNOWN:
        printer.line("next: look at the reasons above; try again, or name another node in the deployment", "yellow")


def where(report: CheckReport) -> Iterator[str]:
    """The blocks, and the nodes that answered or did not."""
    for block in report.blocks:
        age = report.age(block)
        when = f"{format_duration(age)} old" if age >= 0 else f"{format_duration(-age)} ahead of the clock"
        yield f"{plain(block.chain)}: block {block.number}, {when}"
        yield f"  {block.hash}"
    every = [report.reader.nodes, *report.reader.others.values()]
    for nodes in every:
        asked = f"{nodes.requests} request{'' if nodes.requests == 1 else 's'}"
        yield plain(f"{nodes.chain}: {len(nodes.answered)} of {len(nodes.names)} nodes answered, {asked}")
        for name, problem in {**nodes.failures, **nodes.disagreements}.items():
            yield plain(f"  {problem}" if problem.startswith(name) else f"  {name}: {problem}", 300)


def title(post: Post) -> str:
    """`ETH-USD  divergence  (oracle_divergence)`."""
    return f"{plain(post.market)}  {post.check}  ({post.finding.kind})"


def details(post: Post, report: CheckReport) -> Iterator[str]:
    """The bar, the reason, the sources, and what to look at before believing it."""
    finding = post.finding
    reading = finding.reading
    if reading.value is not None and (reading.limit or reading.unit):  # a count of signs has no margin
        yield f"{bar(reading)}  {describe(reading.value, reading.unit)}, {margin(reading)}"
    yield plain(reading.reason, 500)
    if finding.summary:
        yield plain(finding.summary)
    elif reading.sources:
        yield " · ".join(plain(describe_source(one), 200) for one in reading.sources)
    if finding.block != report.snapshot.block:
        yield f"judged at block {finding.block.number}, {post.wired.check.depth} below the head"
    if finding.since is not None and finding.since_block is not None:
        held = format_duration(finding.block.timestamp - finding.since)
        yield f"it has held at least since block {finding.since_block}, {held} before"
    if finding.verdict in (Verdict.FIRING, Verdict.PENDING):
        for one in post.wired.check.false_positives:
            yield f"known false alarm: {plain(one)}"


def bar(reading: Reading) -> str:
    """How far the value has gone towards the limit; full at the limit."""
    filled = min(BAR, max(0, share(reading) * BAR // 100))
    return "█" * filled + "░" * (BAR - filled)


def share(reading: Reading) -> int:
    """The value as a percentage of the way to the limit; 100 at the limit and beyond it more."""
    value = reading.value or 0
    near, far = (value, reading.limit) if reading.trips == "above" else (reading.limit, value)
    if far <= 0:
        return 1_000 if near > 0 else 0
    return max(0, near * 100 // far)


def margin(reading: Reading) -> str:
    """What is left to the limit, or by how much it is passed."""
    limit = describe(reading.limit, reading.unit)
    if reading.value is None:
        return f"the limit is {limit}"
    word = "limit" if reading.trips == "above" else "floor"
    return f"{share(reading)}% of the {word} {limit}" if reading.trips == "above" else f"the {word} is {limit}"
