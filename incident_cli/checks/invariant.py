"""What must always hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from incident_cli.binding import EXPRESSION
from incident_cli.checks.check import Reading, Wanted, Wiring
from incident_cli.checks.measure import truth
from incident_cli.checks.window import MeasuredCheck
from incident_cli.evm import Missing, Snapshot
from incident_cli.expression import Expression
from incident_cli.text import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant(MeasuredCheck):
    """Fires when what must hold does not: `exchange.pool() >= exchange.liabilities()`.

    The value is 1 where it is broken and 0 where it holds. Logic is three-valued (Kleene): a read that could not be
    made leaves it unknown, unless the others already decide.
    """

    holds: Annotated[Expression, EXPRESSION]

    def formulas(self) -> Iterator[tuple[Expression, Wanted]]:
        """The condition."""
        yield self.holds, "truth"

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """Whether it is broken."""
        found = truth(self.holds, wiring, snapshot)
        if isinstance(found, Missing):
            return self.unknown(0, "", found)
        return Reading(
            not found, int(not found), 0, "", f"{plain(self.holds.source)} {'holds' if found else 'is broken'}"
        )
