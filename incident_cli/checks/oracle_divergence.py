"""A price feed against independent prices."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

from incident_cli.binding import BPS, IDENTIFIER
from incident_cli.checks.check import WHOLE_BPS, Reading, SourceReading, Wiring
from incident_cli.checks.measure import Exact, distance
from incident_cli.checks.price_source import PriceSource
from incident_cli.checks.sources import PriceCheck, Source, unread
from incident_cli.checks.wording import to_the_limit
from incident_cli.evm import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleDivergence(PriceCheck):
    """Fires when prices that should agree differ by more than `max` basis points for `for`.

    Two sources: |a / b − 1| against the declared `reference` (their median would halve the gap: 3 % would show
    as 148 bps). Three or more: the largest |p / median − 1|. Integers throughout; the comparison is exact.
    A source that cannot be read, or serves an answer that must not be believed, makes the verdict unknown.
    """

    sources: tuple[Source, ...]
    reference: Annotated[str, IDENTIFIER] | None = None
    max: Annotated[int, BPS]

    def review(self) -> None:
        """Two or more different sources, of more than one independence; two have a reference among them."""
        names = [one.name for one in self.sources]
        if len(names) < 2 or len(set(names)) != len(names):
            raise ValueError("oracle_divergence needs at least two different sources")
        if len({one.independence for one in self.sources}) < 2:
            raise ValueError("all sources share one independence: they would be wrong together")
        if len(names) == 2 and self.reference not in names:
            raise ValueError("with two sources, `reference` must name one of them")
        if self.reference is not None and self.reference not in names:
            raise ValueError("`reference` must name one of the sources")
        if len(names) > 2 and self.reference is not None:
            raise ValueError("three or more sources are measured against their median: leave `reference` out")
        if self.max <= 0:
            raise ValueError("max must be more than 0 bps")

    def used(self) -> tuple[PriceSource, ...]:
        """Its sources."""
        return self.sources

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """The divergence in basis points (floor), and whether it exceeds `max` exactly."""
        readings = self.prices(wiring, snapshot)
        if problems := unread(readings):
            return Reading(None, None, self.max, "bps", problems, readings)
        gap, base, farthest = self.widest(readings)
        holds = gap * WHOLE_BPS > self.max * base
        reason = f"{farthest} is {gap * WHOLE_BPS // base} bps from {self.centre()}"
        return to_the_limit(Reading(holds, gap * WHOLE_BPS // base, self.max, "bps", reason, readings))

    def widest(self, readings: tuple[SourceReading, ...]) -> tuple[Exact, Exact, str]:
        """The widest gap, the price it is measured against, and the source that shows it."""
        prices = {one.name: one.value for one in readings if one.value is not None}
        base: Exact = prices[self.reference or ""] if len(prices) == 2 else median(sorted(prices.values()))
        gaps = {name: distance(price, base) for name, price in prices.items()}
        farthest = max(gaps, key=lambda name: gaps[name])
        return gaps[farthest], base, farthest

    def centre(self) -> str:
        """What the gap is measured against, in words."""
        return str(self.reference) if len(self.sources) == 2 else "the median"


def median(ordered: list[int]) -> Exact:
    """The middle of sorted integers; of an even number, the mean of the two middle ones."""
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else Fraction(ordered[middle - 1] + ordered[middle], 2)
