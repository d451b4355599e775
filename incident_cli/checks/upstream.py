"""Trouble in what a protocol depends on, before it arrives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from incident_cli.binding import Variants
from incident_cli.checks.check import Check, Reading, Wanted, Wiring
from incident_cli.checks.named_classes import NamedClasses
from incident_cli.checks.watch import Watch
from incident_cli.checks.window import merged
from incident_cli.evm import Read, Snapshot
from incident_cli.expression import Expression

WATCHES: Mapping[str, type[Watch]] = NamedClasses(
    Watch,
    {
        "timelock": "watch_timelock.TimelockWatch",
        "proxy": "watch_proxy.ProxyWatch",
        "lane": "watch_lane.LaneWatch",
        "next_price": "watch_next_price.NextPriceWatch",
    },
)
MOST_WATCHES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream(Check):
    """Fires when one of the things it watches shows a sign of trouble; the value counts the signs.

    `what: timelock`: an operation waits in a time-lock and is not allowed. `what: proxy`: an implementation, admin or
    code is another than it was. `what: lane`: a cross-chain lane is cursed. `what: next_price`: a delayed oracle has a
    price in its queue that is far from the one in force. One that cannot be read makes the verdict unknown, unless
    another one fires. What was found (`operation_id`, `new_value`) can be bound by a step.
    """

    watch: tuple[Annotated[Watch, Variants("what", WATCHES, "timelock")], ...]

    def review(self) -> None:
        """Something to watch, and not everything."""
        if not 1 <= len(self.watch) <= MOST_WATCHES:
            raise ValueError(f"upstream watches 1 to {MOST_WATCHES} things")

    def required(self) -> Mapping[str, tuple[str, ...]]:
        """What each of them reads."""
        return merged([one.required() for one in self.watch])

    def events(self) -> Mapping[str, tuple[str, ...]]:
        """What each of them listens to."""
        return merged([one.events() for one in self.watch])

    def formulas(self) -> Iterator[tuple[Expression, Wanted]]:
        """The expressions of each."""
        for one in self.watch:
            yield from one.formulas()

    def finds(self) -> Mapping[str, str]:
        """What each of them may find."""
        return {name: kind for one in self.watch for name, kind in one.finds().items()}

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """What each of them reads first."""
        return tuple(dict.fromkeys(read for one in self.watch for read in one.reads(wiring)))

    def then(self, wiring: Wiring, snapshot: Snapshot) -> tuple[Read, ...]:
        """What each of them reads once that is answered."""
        return tuple(dict.fromkeys(read for one in self.watch for read in one.then(wiring, snapshot)))

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """The worst of all: one that fires before one that is unknown, and that before quiet."""
        readings = [one.judge(wiring, snapshot) for one in self.watch]
        firing = [one for one in readings if one.holds]
        unread = [one for one in readings if one.holds is None]
        reason = "; ".join(one.reason for one in (*firing, *unread) or readings)
        if not firing and unread:
            return Reading(None, None, 0, "", reason)
        found = tuple(value for one in firing for value in one.found)
        return Reading(bool(firing), sum(one.value or 0 for one in firing), 0, "", reason, found=found)
