"""The price of a vault's share against what it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from incident_cli.binding import BPS, EXPRESSION, SPAN
from incident_cli.checks.check import WHOLE_BPS, Reading, Wiring
from incident_cli.checks.measure import in_words, measure
from incident_cli.checks.window import MeasuredCheck, measured_at, require_window
from incident_cli.checks.wording import to_the_limit
from incident_cli.evm import Missing, Snapshot
from incident_cli.expression import Expression
from incident_cli.units import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class SharePrice(MeasuredCheck):
    """Fires when the `price` of a share has fallen by more than `max_fall`, or risen by more than `max_rise`.

    (P now − P then) / P then against the start of the `window`, in basis points, for instance of ERC-4626's
    `convertToAssets` of one share. A vault's share price falls only by a declared loss, so `max_fall` is 0 unless said;
    a jump upwards is a donation, as in the inflation attack on an empty vault. A start at zero is unknown.
    """

    price: Annotated[Expression, EXPRESSION]
    window: Annotated[Span, SPAN]
    max_fall: Annotated[int, BPS] = 0
    max_rise: Annotated[int, BPS] | None = None

    def review(self) -> None:
        """A window; limits that a price can pass."""
        require_window(self.window, [self.price])
        if not 0 <= self.max_fall < WHOLE_BPS:
            raise ValueError("max_fall is from 0 bps to less than 100%")
        if self.max_rise is not None and self.max_rise <= 0:
            raise ValueError("max_rise must be more than 0 bps")

    def spans(self) -> tuple[Span, ...]:
        """The window's start."""
        return (self.window,)

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """The fall or the rise in basis points (floor), and whether it exceeds its limit exactly."""
        now = measure(self.price, wiring, snapshot)
        then = measured_at(self.price, wiring, snapshot, self.window)
        if isinstance(now, Missing):
            return self.unknown(self.max_fall, "bps", now)
        if isinstance(then, Missing):
            return self.unknown(self.max_fall, "bps", then)
        if then.value <= 0 or now.value < 0:
            worth = in_words(min(now, then, key=lambda one: one.value), wiring.tokens)
            return self.unknown(self.max_fall, "bps", f"a share is worth {worth}: no price")
        rise = now.value - then.value
        rises = rise > 0 and self.max_rise is not None
        change, limit = (rise, self.max_rise or 0) if rises else (max(-rise, 0), self.max_fall)
        words = "rose" if rise > 0 else "fell" if rise else "did not move"
        reason = f"it {words}: {in_words(now, wiring.tokens)}, {in_words(then, wiring.tokens)} {self.window} ago"
        holds = change * WHOLE_BPS > limit * then.value
        return to_the_limit(Reading(holds, change * WHOLE_BPS // then.value, limit, "bps", reason))
