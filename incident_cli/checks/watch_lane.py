"""A cross-chain lane that its own guardians have cursed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from incident_cli.binding import EXPRESSION
from incident_cli.checks.check import Reading, Wanted, Wiring
from incident_cli.checks.measure import truth
from incident_cli.checks.watch import Watch, unknown
from incident_cli.checks.window import NOW, later_reads, reads_at
from incident_cli.evm import Missing, Read, Snapshot
from incident_cli.expression import Expression
from incident_cli.text import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneWatch(Watch):
    """A lane is cursed when the expression is True, for instance `rmn.is_cursed(subject)` (CCIP's RMNRemote)."""

    cursed: Annotated[Expression, EXPRESSION]

    def formulas(self) -> Iterator[tuple[Expression, Wanted]]:
        """The curse."""
        yield self.cursed, "truth"

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """What the expression asks for."""
        return reads_at([self.cursed], wiring, [NOW])

    def then(self, wiring: Wiring, snapshot: Snapshot) -> tuple[Read, ...]:
        """The reads whose arguments are answers."""
        return later_reads((self.cursed,), wiring, snapshot, (NOW,))

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """One where it is cursed."""
        found = truth(self.cursed, wiring, snapshot)
        if isinstance(found, Missing):
            return unknown(found)
        return Reading(found, int(found), 0, "", f"{plain(self.cursed.source)} is {found}")
