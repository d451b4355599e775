"""A rollup's sequencer that is down, or only just up again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from incident_cli.binding import DURATION, IDENTIFIER
from incident_cli.checks.check import Check, Reading, Wiring
from incident_cli.checks.price_source import time_on, whole_numbers
from incident_cli.evm import Missing, Read, Snapshot
from incident_cli.units import format_duration

READ = "latest_round"
UP, DOWN = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SequencerUptime(Check):
    """Fires while a rollup's sequencer is down, and until it has been up again for `grace`.

    Chainlink's L2 sequencer uptime feed: the answer of latestRoundData is 0 while up and 1 while down, startedAt the
    time since which that is so. While it is down only those who can go around it trade, and prices wait; the grace
    lets them catch up and others repay (Chainlink's own example takes 3600 s). value = seconds it has been up, 0 while
    down. startedAt 0 is a feed that has not begun: unknown. Where nothing reaches the rollup at all no newer block
    comes either: `freshness` says so.
    """

    slot: Annotated[str, IDENTIFIER]
    grace: Annotated[int, DURATION] = 3_600

    def review(self) -> None:
        """A grace is some time: without one there is no telling up from just up."""
        if self.grace <= 0:
            raise ValueError("grace must be more than 0s")

    def required(self) -> Mapping[str, tuple[str, ...]]:
        """The slot serves a Chainlink-style round."""
        return {self.slot: (READ,)}

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """The latest round."""
        return (wiring.slots[self.slot].read(READ),)

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """How long it has been up, in seconds, against the grace."""
        slot = wiring.slots[self.slot]
        latest, now = whole_numbers(snapshot.answer(slot.read(READ)), 5), time_on(slot.chain, snapshot)
        if isinstance(latest, Missing):
            return self.unknown(latest.reason)
        if isinstance(now, Missing):
            return self.unknown(now.reason)
        _, answer, started, _, _ = latest
        if answer not in (UP, DOWN):
            return self.unknown(f"it answers {answer}, which is neither up (0) nor down (1)")
        if not 0 < started <= now:
            return self.unknown("it has not begun" if started == 0 else f"its start {started} is not a past time")
        return self.reading(answer == UP, now - started)

    def reading(self, up: bool, elapsed: int) -> Reading:
        """Down, or up for `elapsed` seconds."""
        for_ = format_duration(elapsed)
        reason = f"the sequencer has been {'up' if up else 'down'} for {for_} ({self.slot})"
        value = elapsed if up else 0
        return Reading(value < self.grace, value, self.grace, "s", reason, trips="below")

    def unknown(self, problem: str) -> Reading:
        """It cannot be said."""
        return Reading(None, None, self.grace, "s", f"{self.slot}: {problem}", trips="below")
