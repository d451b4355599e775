"""Liquidations that set off each other: their rate against what is usual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from incident_cli.binding import INTEGER, SPAN
from incident_cli.checks.check import Reading, Wiring
from incident_cli.checks.event_log import EventName, Only, amounts, conditions, logged, logs_of
from incident_cli.checks.window import MeasuredCheck, length, require_window, same_unit
from incident_cli.evm import LogsRead, Missing, Read, Snapshot
from incident_cli.units import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidationCascade(MeasuredCheck):
    """Fires when a `window` has more than `times` as many events as its `baseline` leads one to expect, and `least`.

    Expected = events of the baseline · window / baseline, where the baseline is the stretch that ends as the window
    begins. With `amount`, a whole number of the event is summed (in its base units) instead of counting; `least` stays
    a number of events. It is meant for liquidations, and does for any burst of events.
    """

    event: EventName
    only: Only = field(default_factory=dict)
    window: Annotated[Span, SPAN]
    baseline: Annotated[Span, SPAN]
    times: Annotated[int, INTEGER]
    least: Annotated[int, INTEGER]
    amount: str | None = None

    def review(self) -> None:
        """A baseline longer than the window, in the same unit; a multiple; at least one event."""
        tuple(conditions(self.only))
        require_window(self.window)
        if not same_unit(self.window, self.baseline):
            raise ValueError("window and baseline count both in time, or both in blocks")
        if length(self.baseline) < length(self.window):
            raise ValueError("the baseline is at least as long as the window")
        if self.times < 1 or self.least < 1:
            raise ValueError("times and least are 1 or more")

    def events(self) -> Mapping[str, tuple[str, ...]]:
        """The event that is counted."""
        return {self.event.slot: (self.event.name,)}

    def logs(self, wiring: Wiring) -> tuple[LogsRead | Missing, LogsRead | Missing]:
        """The events of the window, and those of the baseline before it."""
        present = logs_of(self.event, self.only, wiring, self.window)
        return present, logs_of(self.event, self.only, wiring, self.baseline, self.window)

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """The events of both stretches."""
        return tuple(one for one in self.logs(wiring) if not isinstance(one, Missing))

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """The events (or their sum) of the window against the largest whole number that is still usual."""
        present, before = (self.counted(one, snapshot) for one in self.logs(wiring))
        unit = "events" if self.amount is None else "base units"
        if isinstance(present, Missing):
            return self.unknown(self.least - 1, unit, present)
        if isinstance(before, Missing):
            return self.unknown(self.least - 1, unit, before)
        (events, total), (_, usual) = present, before
        limit = self.times * usual * length(self.window) // length(self.baseline)
        if self.amount is None:
            limit = max(limit, self.least - 1)
        reason = f"{events} {self.event.name} in {self.window}, {before[0]} in the {self.baseline} before"
        return Reading(total > limit and events >= self.least, total, limit, unit, reason)

    def counted(self, read: LogsRead | Missing, snapshot: Snapshot) -> tuple[int, int] | Missing:
        """How many events, and their sum (their number, where nothing is summed)."""
        logs = logged(read, snapshot)
        if isinstance(logs, Missing) or isinstance(read, Missing):
            return logs if isinstance(logs, Missing) else Missing("it was not read")
        if self.amount is None:
            return len(logs), len(logs)
        found = amounts(read, logs, self.amount)
        return found if isinstance(found, Missing) else (len(logs), sum(found))
