"""Tokens minted without what should stand behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from incident_cli.binding import BPS, EXPRESSION, SPAN
from incident_cli.checks.check import WHOLE_BPS, Reading, Wiring
from incident_cli.checks.measure import Exact, Measured, in_words, measure, of_one_unit
from incident_cli.checks.window import MeasuredCheck, measured_at, require_window
from incident_cli.checks.wording import to_the_limit
from incident_cli.evm import Missing, Snapshot
from incident_cli.expression import Expression
from incident_cli.units import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply(MeasuredCheck):
    """Fires when `supply` exceeds its `backing` by more than `max_excess`.

    Without a window: (S − B) / B in basis points. With one, growth against growth: (ΔS − ΔB) / S at its start, which
    finds a mint without backing in a token that is over- or under-backed by design. Both are counted in one unit:
    convert shares inside the expression.
    """

    supply: Annotated[Expression, EXPRESSION]
    backing: Annotated[Expression, EXPRESSION]
    max_excess: Annotated[int, BPS] = 0
    window: Annotated[Span, SPAN] | None = None

    def review(self) -> None:
        """A limit that is none below nothing, and a window where one is given."""
        if self.max_excess < 0:
            raise ValueError("max_excess is 0 bps or more")
        if self.window is not None:
            require_window(self.window, [self.supply, self.backing])

    def spans(self) -> tuple[Span, ...]:
        """The window's start, if there is one."""
        return () if self.window is None else (self.window,)

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """The excess in basis points (floor), and whether it exceeds `max_excess` exactly."""
        wanted = (self.supply, self.backing)
        found = [measure(one, wiring, snapshot) for one in wanted]
        found += [measured_at(one, wiring, snapshot, span) for span in self.spans() for one in wanted]
        known = [one for one in found if isinstance(one, Measured)]
        if len(known) < len(found):
            return self.unknown(self.max_excess, "bps", next(one for one in found if isinstance(one, Missing)))
        problem = of_one_unit(*known)
        if problem is not None or any(one.value < 0 for one in known):
            return self.unknown(self.max_excess, "bps", problem or "a supply or a backing is below zero")
        supply, backing, *before = (one.value for one in known)
        words = [in_words(one, wiring.tokens) for one in known]
        if not before:
            return self.reading(supply - backing, backing, f"{words[0]} stand on {words[1]}")
        excess = (supply - before[0]) - (backing - before[1])
        reason = f"supply {words[2]} to {words[0]}, backing {words[3]} to {words[1]} in {self.window}"
        return self.reading(excess, before[0], reason)

    def reading(self, excess: Exact, base: Exact, reason: str) -> Reading:
        """The excess over a base; over nothing, any excess is too much."""
        holds = excess * WHOLE_BPS > self.max_excess * base
        value = excess * WHOLE_BPS // base if base else None if excess > 0 else 0
        return to_the_limit(Reading(holds, value, self.max_excess, "bps", reason))
