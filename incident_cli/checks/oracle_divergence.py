"""A price feed against independent prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from incident_cli.binding import BPS, IDENTIFIER
from incident_cli.checks.check import Check, Reading, SourceReading
from incident_cli.checks.price_source import READS, PriceSource, read_price, reads_of
from incident_cli.evm import Read, Snapshot
from incident_cli.protocols.slot import BoundSlot

SCALE_BPS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleDivergence(Check):
    """Fires when prices that should agree differ by more than `max` basis points for `for`.

    Two sources: |a / b − 1| against the declared `reference` (their median would halve the gap: 3 % would show
    as 148 bps). Three or more: the largest |p / median − 1|. Integers throughout; the comparison is exact.
    A source that cannot be read, or serves an answer that must not be believed, makes the verdict unknown.
    """

    sources: tuple[PriceSource, ...]
    reference: Annotated[str, IDENTIFIER] | None = None
    max: Annotated[int, BPS]

    def __post_init__(self) -> None:
        names = [one.slot for one in self.sources]
        if len(names) < 2 or len(set(names)) != len(names):
            raise ValueError("oracle_divergence needs at least two different sources")
        if len({one.independence for one in self.sources}) < 2:
            raise ValueError("all sources share one independence: they would be wrong together")
        if len(names) == 2 and self.reference not in names:
            raise ValueError("with two sources, `reference` must name one of them")
        if self.reference is not None and self.reference not in names:
            raise ValueError("`reference` must name one of the sources")
        if self.max <= 0:
            raise ValueError("max must be more than 0 bps")

    def required(self) -> Mapping[str, tuple[str, ...]]:
        """Each source's slot serves a Chainlink-style round."""
        return {one.slot: READS for one in self.sources}

    def reads(self, slots: Mapping[str, BoundSlot]) -> tuple[Read, ...]:
        """The latest round and the decimals of every source."""
        return tuple(read for one in self.sources for read in reads_of(slots[one.slot]))

    def judge(self, slots: Mapping[str, BoundSlot], snapshot: Snapshot) -> Reading:
        """The divergence in basis points (floor), and whether it exceeds `max` exactly."""
        readings = tuple(read_price(one, slots[one.slot], snapshot) for one in self.sources)
        unread = [one for one in readings if one.value is None]
        if unread:
            reason = "; ".join(f"{one.name}: {one.problem}" for one in unread)
            return Reading(None, None, self.max, "bps", reason, readings)
        gap, base, farthest = self.widest(readings)
        holds = gap * SCALE_BPS > self.max * base
        reason = f"{farthest} is {gap * SCALE_BPS // base} bps from {self.centre()}"
        return Reading(holds, gap * SCALE_BPS // base, self.max, "bps", reason, readings)

    def widest(self, readings: tuple[SourceReading, ...]) -> tuple[int, int, str]:
        """The widest gap, the price it is measured against, and the source that shows it."""
        prices = {one.name: one.value for one in readings if one.value is not None}
        base = prices[self.reference or ""] if len(prices) == 2 else median(sorted(prices.values()))
        farthest = max(prices, key=lambda name: abs(prices[name] - base))
        return abs(prices[farthest] - base), base, farthest

    def centre(self) -> str:
        """What the gap is measured against, in words."""
        return str(self.reference) if len(self.sources) == 2 else "the median"


def median(ordered: list[int]) -> int:
    """The middle of sorted integers; of an even number, the floor of the two middle ones' mean."""
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) // 2
