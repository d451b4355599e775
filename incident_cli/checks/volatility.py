"""A price that moves far more than it has of late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from itertools import pairwise
from typing import Annotated

from incident_cli.binding import BPS, DURATION, INTEGER
from incident_cli.checks.check import WHOLE_BPS, Reading, SourceReading, Wiring
from incident_cli.checks.price_source import PriceSource
from incident_cli.checks.sources import PriceCheck, Source
from incident_cli.checks.wording import to_the_limit
from incident_cli.evm import Missing, Read, Snapshot, past
from incident_cli.units import Span

EXACT = Context(prec=28)
FEWEST, MOST = 5, 720  # points of the past
LEAST_SIGMA = Decimal("0.000001")  # 0.01 bps: a price that has not moved at all still has a scale
HUNDREDTHS = 100
UNIT = "10^-2 sigma"


@dataclass(frozen=True, slots=True)
class Point:
    """A price (10^-18) at a block time (seconds)."""

    time: int
    price: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Volatility(PriceCheck):
    """Fires when the newest log return is beyond `k` sigmas of its recent volatility and beyond `floor`.

    The price is read every `every` over `window`. EWMA (RiskMetrics, J.P. Morgan 1996; λ = `decay`):
    σ²ₜ = λσ²ₜ₋₁ + (1−λ)r²ₜ; z = |rₜ| / σₜ₋₁ is scored before rₜ enters the estimate. Blocks do not come on the
    dot, so λ = exp(−Δt/τ) with τ = −every / ln `decay` and Δt between the blocks read. The first return starts σ².
    A feed that stood still has a tiny σ: the floor keeps small moves from tripping it. value = z in hundredths, but
    never beyond the part of `k` that |r| is of the floor, so that value > limit says both.
    A point of the past that has no price is skipped while `least` of them have one (half, unless given); its return
    then spans the gap and is scored whole, which errs towards alarm. Without the present price it is unknown.
    Price moves alone are no reason to pause: 5 % in an hour comes 19 times a year. Ask for a divergence as well.
    """

    source: Source
    window: Annotated[int, DURATION] = 3_600
    every: Annotated[int, DURATION] = 60
    decay: Annotated[int, BPS] = 9_400
    k: Annotated[int, INTEGER] = 6
    floor: Annotated[int, BPS] = 100
    least: Annotated[int, INTEGER] | None = None

    def review(self) -> None:
        """Enough points to estimate from, not too many to read, and a source that has a past."""
        if self.every <= 0 or not FEWEST <= self.points <= MOST:
            raise ValueError(f"window / every must give {FEWEST} to {MOST} points of the past")
        if not WHOLE_BPS // 2 <= self.decay < WHOLE_BPS:
            raise ValueError("decay is from 50% to 99.99%, written 94%")
        if not 1 <= self.k <= 1_000:
            raise ValueError("k is from 1 to 1000 sigmas")
        if not 0 <= self.floor <= WHOLE_BPS:
            raise ValueError("floor is from 0 bps to 100%")
        if not 2 <= self.needed <= self.points:
            raise ValueError(f"least is from 2 to the {self.points} points of the window")
        if not self.source.has_past:
            raise ValueError("a benchmark has no past: volatility needs a source on the chain")
        if any(one.span is not None for formula in self.source.formulas() for one in formula.mentions):
            raise ValueError("volatility asks for the past itself: its source has no `ago`")

    @property
    def points(self) -> int:
        """How many points of the past the window has."""
        return self.window // self.every if self.every else 0

    @property
    def needed(self) -> int:
        """How many of them must have a price."""
        return (self.points + 1) // 2 if self.least is None else self.least

    def used(self) -> tuple[PriceSource, ...]:
        """Its source."""
        return (self.source,)

    def spans(self) -> Iterator[Span]:
        """How far back each point of the past lies, the farthest first."""
        return (Span(seconds=self.every * place) for place in range(self.points, 0, -1))

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """What the source reads, now and at every point of the past."""
        now = self.source.reads(wiring)
        return (*now, *(past(read, span) for span in self.spans() for read in now))

    def then(self, wiring: Wiring, snapshot: Snapshot) -> tuple[Read, ...]:
        """What the source reads in the second round, now and at every point of the past."""
        found = list(self.source.then(wiring, snapshot))
        for span in self.spans():
            earlier = snapshot.back(span)
            if isinstance(earlier, Snapshot):
                found.extend(past(read, span) for read in self.source.then(wiring, earlier))
        return tuple(found)

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """The newest return in sigmas of those before it."""
        present = self.source.price(wiring, snapshot)
        if present.value is None:
            return self.unknown(f"{present.name}: {present.problem}", present)
        points, missing = self.history(wiring, snapshot)
        if len(points) < self.needed:
            last = f"; the last one missing: {missing[-1]}" if missing else ""
            return self.unknown(f"only {len(points)} of {self.points} points of the past have a price{last}", present)
        with localcontext(EXACT):
            return self.reading([*points, Point(snapshot.block.timestamp, present.value)], present)

    def history(self, wiring: Wiring, snapshot: Snapshot) -> tuple[list[Point], list[str]]:
        """The points of the past that have a price, oldest first and each block once; and why others have none."""
        found: list[Point] = []
        missing: list[str] = []
        for span in self.spans():
            then = snapshot.back(span)
            if isinstance(then, Missing):
                missing.append(then.reason)
                continue
            price = self.source.price(wiring, then)
            if price.value is None:
                missing.append(price.problem)
            elif (found[-1].time if found else -1) < then.block.timestamp < snapshot.block.timestamp:
                found.append(Point(then.block.timestamp, price.value))
        return found, missing

    def reading(self, points: Sequence[Point], present: SourceReading) -> Reading:
        """The score of the last point."""
        latest = abs(log_return(points[-2], points[-1]))
        sigma = max(volatility(points[:-1], self.every, Decimal(self.decay) / WHOLE_BPS), LEAST_SIGMA)
        z, floor = latest / sigma, Decimal(self.floor) / WHOLE_BPS
        score = min(z, latest * self.k / floor) if floor else z
        moved, elapsed = f"{latest * WHOLE_BPS:.1f} bps", points[-1].time - points[-2].time
        reason = f"{self.source.name} moved {moved} in {elapsed} s: {z:.2f} sigma of {sigma * WHOLE_BPS:.2f} bps"
        if z > self.k and latest <= floor:
            reason += f", but no more than the floor of {self.floor} bps"
        holds = z > self.k and latest > floor
        return to_the_limit(Reading(holds, int(score * HUNDREDTHS), self.k * HUNDREDTHS, UNIT, reason, (present,)))

    def unknown(self, problem: str, present: SourceReading) -> Reading:
        """It cannot be said."""
        return Reading(None, None, self.k * HUNDREDTHS, UNIT, problem, (present,))


def log_return(before: Point, after: Point) -> Decimal:
    """ln(after / before)."""
    return (Decimal(after.price) / Decimal(before.price)).ln()


def volatility(points: Sequence[Point], every: int, decay: Decimal) -> Decimal:
    """σ of the log returns between points (two or more, oldest first), exponentially weighted by elapsed time."""
    variance = log_return(points[0], points[1]) ** 2
    for before, after in pairwise(points[1:]):
        weight = decay ** (Decimal(after.time - before.time) / every)  # = exp(−Δt/τ)
        variance = weight * variance + (1 - weight) * log_return(before, after) ** 2
    return variance.sqrt()
