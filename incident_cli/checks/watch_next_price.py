"""A delayed oracle whose next price is far from the one in force."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from incident_cli.binding import BPS, EXPRESSION
from incident_cli.checks.check import WHOLE_BPS, Reading, Wanted, Wiring
from incident_cli.checks.measure import distance, measure, of_one_unit
from incident_cli.checks.watch import Watch, unknown
from incident_cli.checks.window import NOW, later_reads, reads_at
from incident_cli.evm import Missing, Read, Snapshot
from incident_cli.expression import Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class NextPriceWatch(Watch):
    """|next / now − 1| > max, as with Maker's OSM, whose `peep` takes effect an hour after it could be seen."""

    now: Annotated[Expression, EXPRESSION]
    next: Annotated[Expression, EXPRESSION]
    max: Annotated[int, BPS]

    def __post_init__(self) -> None:
        if self.max <= 0:
            raise ValueError("max must be more than 0 bps")

    def formulas(self) -> Iterator[tuple[Expression, Wanted]]:
        """Both prices."""
        yield self.now, "number"
        yield self.next, "number"

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """What both ask for."""
        return reads_at([self.now, self.next], wiring, [NOW])

    def then(self, wiring: Wiring, snapshot: Snapshot) -> tuple[Read, ...]:
        """The reads whose arguments are answers."""
        return later_reads((self.now, self.next), wiring, snapshot, (NOW,))

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """One where they are too far from each other."""
        now, coming = measure(self.now, wiring, snapshot), measure(self.next, wiring, snapshot)
        if isinstance(now, Missing):
            return unknown(now)
        if isinstance(coming, Missing):
            return unknown(coming)
        problem = of_one_unit(now, coming)
        if problem is not None or now.value <= 0 or coming.value <= 0:
            return unknown(problem or Missing("a price of zero or less is no price"))
        gap = distance(coming.value, now.value)
        holds = gap * WHOLE_BPS > self.max * now.value
        reason = f"the next price is {gap * WHOLE_BPS // now.value} bps from the one in force"
        return Reading(holds, int(holds), 0, "", reason)
