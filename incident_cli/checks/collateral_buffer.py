"""What stands between a stressed loss and the users: its coverage by funds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

from incident_cli.binding import BPS, EXPRESSION
from incident_cli.checks.check import WHOLE_BPS, Reading, Wanted, Wiring
from incident_cli.checks.measure import Exact, Measured, in_words, measure, of_one_unit
from incident_cli.checks.window import MeasuredCheck
from incident_cli.document import Place
from incident_cli.evm import Missing, Snapshot
from incident_cli.expression import Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Fund:
    """One reserve, and the part of it (bps) that cannot be counted on under stress."""

    value: Annotated[Expression, EXPRESSION]
    haircut: Annotated[int, BPS] = 0
    place: Place

    def __post_init__(self) -> None:
        if not 0 <= self.haircut < WHOLE_BPS:
            raise ValueError("a haircut is from 0 bps to less than 100%")

    def counted(self, value: Exact) -> Exact:
        """What counts of it, in units of a basis point's share; a fund below zero counts in full."""
        return value * (WHOLE_BPS - self.haircut) if value > 0 else value * WHOLE_BPS


@dataclass(frozen=True, slots=True, kw_only=True)
class CollateralBuffer(MeasuredCheck):
    """Fires when the funds cover less than `min` of the loss under stress.

    Coverage = Σ fund · (1 − haircut) / stressed loss, in basis points: 10000 is exactly enough. Customary lines: warn
    below 150 %, act below 100 %; each is a check of its own, or `warn` is said in the reason. No loss under the
    stress is quiet. Funds and loss are counted in one token, or the verdict is unknown.
    """

    funds: tuple[Fund, ...]
    stressed_loss: Annotated[Expression, EXPRESSION]
    min: Annotated[int, BPS] = WHOLE_BPS
    warn: Annotated[int, BPS] | None = None

    def review(self) -> None:
        """At least one fund; a warning line above the limit."""
        if not self.funds:
            raise ValueError("collateral_buffer needs at least one fund")
        if self.min <= 0:
            raise ValueError("min must be more than 0 bps")
        if self.warn is not None and self.warn <= self.min:
            raise ValueError("warn lies above min")

    def formulas(self) -> Iterator[tuple[Expression, Wanted]]:
        """The funds and the loss."""
        for fund in self.funds:
            yield fund.value, "number"
        yield self.stressed_loss, "number"

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """The coverage in basis points (floor), and whether it is below `min` exactly."""
        loss = measure(self.stressed_loss, wiring, snapshot)
        funds = [measure(fund.value, wiring, snapshot) for fund in self.funds]
        if isinstance(loss, Missing):
            return self.unknown(self.min, "bps", loss)
        known = [one for one in funds if isinstance(one, Measured)]
        if len(known) < len(funds):
            return self.unknown(self.min, "bps", next(one for one in funds if isinstance(one, Missing)))
        problem = of_one_unit(loss, *known)
        if problem is not None:
            return self.unknown(self.min, "bps", problem)
        if loss.value <= 0:
            return Reading(False, None, self.min, "bps", "no loss under the stress", trips="below")
        counted = sum(fund.counted(one.value) for fund, one in zip(self.funds, known, strict=True))
        coverage = counted // loss.value
        buffer = Measured(Fraction(counted) / WHOLE_BPS, loss.unit)
        words = f"{in_words(buffer, wiring.tokens)} against a loss of {in_words(loss, wiring.tokens)}"
        line = f"; below the warning line of {self.warn} bps" if self.warn and counted < self.warn * loss.value else ""
        return Reading(counted < self.min * loss.value, coverage, self.min, "bps", words + line, trips="below")
