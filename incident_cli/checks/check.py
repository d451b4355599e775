"""What a check is: reads to make, and a pure judgement of the answers. `for` turns a reading into a verdict.

A kind of check is one frozen dataclass: its fields are its YAML parameters, its docstring its explanation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from incident_cli.binding import DURATION
from incident_cli.document import Place
from incident_cli.evm import Block, Read, Snapshot
from incident_cli.protocols.slot import BoundSlot
from incident_cli.text import plain

# A run of samples with a longer silence in it (or longer than `for`) starts again: five minutes, after which
# Prometheus too holds a series to be stale (its default look-back), so that thinking does not disarm a check.
LONGEST_GAP_SECONDS = 300


class Verdict(StrEnum):
    """What a check says of the chain at one block."""

    QUIET = "quiet"
    PENDING = "pending"
    FIRING = "firing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SourceReading:
    """What one source answered: a value in units of 10^-18, or why there is none."""

    name: str
    independence: str
    value: int | None
    updated_at: int | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A judgement of one snapshot, before `for`: `holds` is None where it cannot be said."""

    holds: bool | None
    value: int | None
    limit: int
    unit: str
    reason: str
    sources: tuple[SourceReading, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict of one check at one block. `since` is the block time from which it has held without a break."""

    check: str
    kind: str
    verdict: Verdict
    reading: Reading
    block: Block
    since: int | None = None
    summary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The parameters every kind has, and what it must answer."""

    for_: Annotated[int, DURATION] = 0
    summary: str = ""
    false_positives: tuple[str, ...] = ()
    place: Place

    def required(self) -> Mapping[str, tuple[str, ...]]:
        """The slots it reads, each with the names of the reads its protocol must have."""
        raise NotImplementedError

    def reads(self, slots: Mapping[str, BoundSlot]) -> tuple[Read, ...]:
        """What to read, all at one block."""
        raise NotImplementedError

    def judge(self, slots: Mapping[str, BoundSlot], snapshot: Snapshot) -> Reading:
        """The reading of a snapshot; a source that could not be read is never quiet."""
        raise NotImplementedError


def find(name: str, kind: str, check: Check, reading: Reading, block: Block, history: Sequence[Finding]) -> Finding:
    """The finding at `block`, given the earlier findings of the same check, oldest first."""
    summary = render_summary(check.summary, reading)
    if reading.holds is None:
        return Finding(name, kind, Verdict.UNKNOWN, reading, block, None, summary)
    if not reading.holds:
        return Finding(name, kind, Verdict.QUIET, reading, block, None, summary)
    since = holding_since(history, block, max(check.for_, LONGEST_GAP_SECONDS))
    verdict = Verdict.FIRING if block.timestamp - since >= check.for_ else Verdict.PENDING
    return Finding(name, kind, verdict, reading, block, since, summary)


def holding_since(history: Sequence[Finding], block: Block, longest_gap: int) -> int:
    """The block time at which the present run began: quiet or a long silence ends a run, unknown does not."""
    since = later = block.timestamp
    for finding in reversed(history):
        if finding.verdict is Verdict.QUIET or later - finding.block.timestamp > longest_gap:
            break
        later = finding.block.timestamp
        if finding.verdict is not Verdict.UNKNOWN:
            since = min(since, finding.since if finding.since is not None else later)
    return since


def render_summary(template: str, reading: Reading) -> str:
    """The display template with `{source}`, `{value}` and `{limit}` filled in; only ever text on a screen."""
    values: dict[str, Any] = {one.name: describe_source(one) for one in reading.sources}
    values |= {"value": describe(reading.value, reading.unit), "limit": describe(reading.limit, reading.unit)}
    shown = template
    for name, value in values.items():
        shown = shown.replace(f"{{{name}}}", str(value))
    return plain(shown, 300)


def describe(value: int | None, unit: str) -> str:
    """A number with its unit, or `unknown`."""
    return "unknown" if value is None else f"{value:,} {unit}"


def describe_source(source: SourceReading) -> str:
    """`feed 3,900.00`, or the problem."""
    if source.value is None:
        return f"{source.name} unknown ({source.problem})"
    return f"{source.name} {source.value // 10**16 / 100:,.2f}"
