"""Measuring over time: points of the past in a window, and the reads that an expression needs at each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from incident_cli.checks.check import Check, Reading, Wiring
from incident_cli.checks.measure import Measured, measure, reads_of
from incident_cli.evm import Missing, PastRead, Read, Snapshot, past
from incident_cli.expression import Expression
from incident_cli.units import Span

MOST_POINTS = 64
NOW = Span()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredCheck(Check):
    """A check of expressions over the chain, measured now and at each of its `spans` of the past."""

    def spans(self) -> tuple[Span, ...]:
        """How far back it measures, besides now."""
        return ()

    def expressions(self) -> tuple[Expression, ...]:
        """What it evaluates at every point."""
        return tuple(expression for expression, _ in self.formulas())

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """What every expression asks for, at every point."""
        return reads_at(self.expressions(), wiring, (NOW, *self.spans()))

    def then(self, wiring: Wiring, snapshot: Snapshot) -> tuple[Read, ...]:
        """The reads whose arguments are answers of the first round."""
        return later_reads(self.expressions(), wiring, snapshot, (NOW, *self.spans()))

    def unknown(self, limit: int, unit: str, problem: Missing | str) -> Reading:
        """Nothing can be said, and why."""
        return Reading(None, None, limit, unit, problem.reason if isinstance(problem, Missing) else problem)


def reads_at(expressions: Iterable[Expression], wiring: Wiring, spans: Iterable[Span]) -> tuple[Read, ...]:
    """What expressions ask for at each point, each read once."""
    asked = [read for one in expressions for read in reads_of(one, wiring)]
    return tuple(dict.fromkeys(moved(read, span) for span in spans for read in asked))


def later_reads(
    expressions: tuple[Expression, ...], wiring: Wiring, snapshot: Snapshot, spans: tuple[Span, ...]
) -> tuple[Read, ...]:
    """What they ask for once the first round is answered, and had not asked for before."""
    asked = dict.fromkeys(
        moved(read, span)
        for span in spans
        if not isinstance(view := at(snapshot, span), Missing)
        for one in expressions
        for read in reads_of(one, wiring, view)
    )
    before = set(reads_at(expressions, wiring, spans))
    return tuple(read for read in asked if read not in before)


def moved(read: Read, span: Span) -> Read:
    """The read as it was `span` ago; itself for now."""
    return past(read, span) if span else read


def at(snapshot: Snapshot, span: Span) -> Snapshot | Missing:
    """The snapshot as it was `span` ago; itself for now. Where it is missing, why its reads are."""
    found = snapshot.back(span) if span else snapshot
    if isinstance(found, Missing):
        reads = (read for read in snapshot.answers if isinstance(read, PastRead) and read.ago == span)
        lost = (snapshot.answers[read] for read in reads)
        return next((one for one in lost if isinstance(one, Missing)), found)
    return found


def measured_at(expression: Expression, wiring: Wiring, snapshot: Snapshot, span: Span) -> Measured | Missing:
    """The number an expression had `span` ago."""
    view = at(snapshot, span)
    return view if isinstance(view, Missing) else measure(expression, wiring, view)


def points_of(window: Span, count: int) -> tuple[Span, ...]:
    """`count` points at equal distances, the farthest at the window's start; at least one second or block apart."""
    size = length(window)
    return tuple(like(window, size * step // count) for step in range(1, count + 1))


def length(span: Span) -> int:
    """Its seconds or its blocks."""
    return span.blocks or span.seconds


def like(span: Span, size: int) -> Span:
    """A span of another length in the same unit."""
    return Span(blocks=size) if span.blocks else Span(seconds=size)


def same_unit(one: Span, other: Span) -> bool:
    """Whether both count seconds, or both blocks."""
    return bool(one.blocks) == bool(other.blocks)


def require_window(window: Span, expressions: Iterable[Expression] = ()) -> None:
    """Raises ValueError where nothing lies in the window, or an `ago` inside it counts in the other unit."""
    if not window:
        raise ValueError("the window must be more than 0s")
    for expression in expressions:
        for mention in expression.mentions:
            if mention.span and not same_unit(mention.span, window):
                message = f"{expression.source!r} looks back {mention.span} and the window is {window}"
                raise ValueError(f"{message}: count both in time, or both in blocks")


def require_points(window: Span, count: int) -> None:
    """Raises ValueError where so many points do not fit."""
    if not 1 <= count <= MOST_POINTS:
        raise ValueError(f"points is from 1 to {MOST_POINTS}")
    if length(window) < count:
        raise ValueError(f"{count} points do not fit in a window of {window}")


def merged(parts: Iterable[Mapping[str, tuple[str, ...]]]) -> Mapping[str, tuple[str, ...]]:
    """The names of several, taken together by slot."""
    found: dict[str, tuple[str, ...]] = {}
    for part in parts:
        for slot, names in part.items():
            found[slot] = tuple(dict.fromkeys((*found.get(slot, ()), *names)))
    return found
