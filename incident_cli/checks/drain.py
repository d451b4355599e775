"""Value that leaves a protocol: the fall from the highest value of a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from incident_cli.binding import BPS, EXPRESSION, INTEGER, SPAN
from incident_cli.checks.check import WHOLE_BPS, Reading, Wiring
from incident_cli.checks.measure import Measured, in_words, measure
from incident_cli.checks.window import MeasuredCheck, measured_at, points_of, require_points, require_window
from incident_cli.checks.wording import to_the_limit
from incident_cli.evm import Missing, Snapshot
from incident_cli.expression import Expression
from incident_cli.units import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain(MeasuredCheck):
    """Fires when `value` has fallen by more than `max` from its highest in the `window`.

    The drawdown: 1 − V now / max V, over now and `points` equally distant points of the window, in basis points.
    `value` is counted in units of the token, never in USD: a falling price drains nothing. A past point that cannot
    be read may have been the highest, so the drawdown is then a lower bound: it can fire, but it is never quiet. A
    value that is zero all through the window is unknown: it may have been drained before.
    """

    value: Annotated[Expression, EXPRESSION]
    window: Annotated[Span, SPAN]
    points: Annotated[int, INTEGER] = 10
    max: Annotated[int, BPS]

    def review(self) -> None:
        """A window with room for the points, and a limit between nothing and everything."""
        require_window(self.window, [self.value])
        require_points(self.window, self.points)
        if not 0 < self.max < WHOLE_BPS:
            raise ValueError("max is more than 0 bps and less than 100%")

    def spans(self) -> tuple[Span, ...]:
        """The points of the window."""
        return points_of(self.window, self.points)

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """The drawdown in basis points (floor), and whether it exceeds `max` exactly."""
        now = measure(self.value, wiring, snapshot)
        if isinstance(now, Missing):
            return self.unknown(self.max, "bps", now)
        past = [measured_at(self.value, wiring, snapshot, span) for span in self.spans()]
        lost = [one for one in past if isinstance(one, Missing)]
        top = max(one.value for one in (now, *past) if isinstance(one, Measured))
        gaps = f"{len(lost)} of {len(past)} past points could not be read ({lost[0].reason})" if lost else ""
        if top <= 0:
            return self.unknown(self.max, "bps", gaps or f"it is {in_words(now, wiring.tokens)} all through the window")
        fall = top - now.value
        drawdown = fall * WHOLE_BPS // top
        holds = fall * WHOLE_BPS > self.max * top
        highest = in_words(Measured(top, now.unit), wiring.tokens)
        reason = f"{in_words(now, wiring.tokens)} now, {highest} at its highest in {self.window}: {drawdown} bps less"
        if lost and not holds:
            return self.unknown(self.max, "bps", f"{gaps}: it fell by {drawdown} bps at least")
        reason = f"{reason} at least; {gaps}" if gaps else reason
        return to_the_limit(Reading(holds, drawdown, self.max, "bps", reason))
