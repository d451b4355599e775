"""A mark that has left its index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from incident_cli.binding import BPS
from incident_cli.checks.check import WHOLE_BPS, Reading, Wiring
from incident_cli.checks.price_source import PriceSource
from incident_cli.checks.sources import PriceCheck, Source, unread
from incident_cli.checks.wording import to_the_limit
from incident_cli.evm import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis(PriceCheck):
    """Fires when a perpetual's or a wrapped asset's mark is more than `max` basis points from its index for `for`.

    basis = (mark − index) / index; the size of it counts, the reason says the side. Integers; the comparison is
    exact. A mark may trade away from its index for a while: give it a `for` of minutes. Independence is declared but
    not asked for: an index often feeds the mark.
    """

    mark: Source
    index: Source
    max: Annotated[int, BPS]

    def review(self) -> None:
        """Two different sources, and a limit."""
        if self.mark.name == self.index.name:
            raise ValueError(f"mark and index are both called {self.mark.name}: they must be two sources")
        if self.max <= 0:
            raise ValueError("max must be more than 0 bps")

    def used(self) -> tuple[PriceSource, ...]:
        """The mark and the index."""
        return (self.mark, self.index)

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """The size of the basis in basis points (floor), and whether it exceeds `max` exactly."""
        readings = self.prices(wiring, snapshot)
        mark, index = readings[0].value, readings[1].value
        if mark is None or index is None:
            return Reading(None, None, self.max, "bps", unread(readings), readings)
        gap = abs(mark - index)
        basis = gap * WHOLE_BPS // index
        side = "above" if mark >= index else "below"
        reason = f"{self.mark.name} is {basis} bps {side} {self.index.name}"
        holds = gap * WHOLE_BPS > self.max * index
        return to_the_limit(Reading(holds, basis, self.max, "bps", reason, readings))
