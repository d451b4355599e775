"""How fast value leaves: a leaky bucket over events, or what a window has left of the liquidity at its start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from incident_cli.binding import AMOUNT_KIND, BPS, EXPRESSION, SPAN
from incident_cli.checks.check import WHOLE_BPS, Reading, Wiring
from incident_cli.checks.event_log import EventName, Only, amounts, conditions, logged, logs_of
from incident_cli.checks.leaky_bucket import Bucket, time_to_empty
from incident_cli.checks.measure import in_words, measure
from incident_cli.checks.window import MeasuredCheck, length, like, measured_at, require_window, same_unit
from incident_cli.checks.wording import to_the_limit
from incident_cli.evm import Log, LogsRead, Missing, Read, Snapshot
from incident_cli.expression import Expression
from incident_cli.units import Amount, Span, format_amount, parse_amount

BUCKET = ("event", "amount", "rate", "per", "capacity")
RETAINED = ("value", "retained", "window")
DRAINS_REPLAYED = 3  # so that a steady outflow fires from 4/3 of the rate, and little is unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Outflow(MeasuredCheck):
    """Fires when more leaves than a rate allows: give `event`, `amount`, `rate`, `per` and `capacity` for a leaky
    bucket, or `value`, `window` and `retained` for a window.

    Leaky bucket (a token bucket upside down; Chainlink CCIP, RateLimiter: tokens = min(capacity, tokens + rate · Δt)):
    level = max(0, level − rate · Δt) + amount at every event, never carried above the capacity but in the last
    capacity / rate, in which it is counted in full. It trips when the level now is above the capacity, so no longer
    than a full bucket takes to run empty; the value is the level in basis points of the capacity. Amounts of the event
    are base units of the capacity's token; Δt is in seconds of block time, or in blocks where `per` is.
    It is replayed over `window`: unless said 3 · capacity / rate, and one at least. How full it was before is not
    known: above the capacity even from empty fires (the value is the least it can be), not above it even from full is
    quiet (the most), and between is unknown: then more than the rate left for long.

    Window (ERC-7265, circuit breaker: L + d < L · retained, with d the net flow of the window): it trips when what is
    there now is less than `retained` of what was there at the window's start. Its tests use 70 % and 4 h.
    """

    event: EventName | None = None
    amount: str | None = None
    only: Only = field(default_factory=dict)
    rate: Annotated[str | Amount, AMOUNT_KIND] | None = None
    per: Annotated[Span, SPAN] | None = None
    capacity: Annotated[str | Amount, AMOUNT_KIND] | None = None
    value: Annotated[Expression, EXPRESSION] | None = None
    window: Annotated[Span, SPAN] | None = None
    retained: Annotated[int, BPS] | None = None

    def review(self) -> None:
        """All of one group and nothing of the other."""
        group, other = (RETAINED, BUCKET) if self.event is None else (BUCKET, RETAINED[:2])
        missing = [name for name in group if getattr(self, name) is None]
        extra = [name for name in other if getattr(self, name) is not None]
        if missing or extra:
            problem = f"{missing[0]!r} is missing" if missing else f"{extra[0]!r} belongs to the other"
            raise ValueError(f"outflow takes {', '.join(BUCKET)}, or {', '.join(RETAINED)}: {problem}")
        if self.event is None:
            self.review_retained()
        else:
            tuple(conditions(self.only))
            self.replayed()

    def review_retained(self) -> None:
        """A window, a part of the whole, and no filter of events."""
        assert self.window is not None and self.value is not None and self.retained is not None
        require_window(self.window, [self.value])
        if not 0 < self.retained < WHOLE_BPS:
            raise ValueError("retained is more than 0 bps and less than 100%")
        if self.only:
            raise ValueError("`only` chooses among events: without `event` there are none")

    def replayed(self) -> Span:
        """How far back the bucket is replayed; raises ValueError where a full one would not have run empty."""
        assert self.capacity is not None and self.rate is not None and self.per is not None
        least = time_to_empty(self.capacity, self.rate, self.per)
        if self.window is None:
            return like(least, DRAINS_REPLAYED * length(least))
        if not same_unit(self.window, least):
            raise ValueError("window and per count both in time, or both in blocks")
        if length(self.window) < length(least):
            raise ValueError(f"the window is at least {least}, the time a full bucket takes to run empty")
        return self.window

    def events(self) -> Mapping[str, tuple[str, ...]]:
        """The event that fills the bucket."""
        return {} if self.event is None else {self.event.slot: (self.event.name,)}

    def spans(self) -> tuple[Span, ...]:
        """The window's start, where a value is compared with it."""
        return (self.window,) if self.event is None and self.window else ()

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """The events of the window, or the value at both its ends."""
        found = self.logs(wiring)
        measured = MeasuredCheck.reads(self, wiring)
        return measured if isinstance(found, Missing) else (*measured, found)

    def logs(self, wiring: Wiring) -> LogsRead | Missing:
        """The read of the events."""
        if self.event is None:
            return Missing("it reads no events")
        return logs_of(self.event, self.only, wiring, self.replayed())

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """The level of the bucket, or the part retained, in basis points."""
        return self.judge_retained(wiring, snapshot) if self.event is None else self.judge_bucket(wiring, snapshot)

    def judge_bucket(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """The level in basis points of the capacity (floor), and whether it is above it exactly: see the class."""
        assert self.amount is not None and self.per is not None
        read, limits = self.logs(wiring), self.limits(wiring)
        logs = logged(read, snapshot)
        if isinstance(limits, Missing) or isinstance(logs, Missing) or isinstance(read, Missing):
            problem = next(one for one in (limits, logs, read) if isinstance(one, Missing))
            return self.unknown(WHOLE_BPS, "bps", problem)
        taken, block = amounts(read, logs, self.amount), snapshot.block_of(read.chain)
        if isinstance(taken, Missing) or isinstance(block, Missing):
            problem = next(one for one in (taken, block) if isinstance(one, Missing))
            return self.unknown(WHOLE_BPS, "bps", problem)
        now = block.number if self.per.blocks else block.timestamp
        bucket = Bucket(limits[0].units, length(self.per), limits[1].units)
        flows = zip((self.moment(one) for one in logs), taken, strict=True)
        least, most = bucket.bounds(flows, now, now - length(self.replayed()))
        return self.level_reading(bucket, limits[1], least, most, len(logs))

    def level_reading(self, bucket: Bucket, capacity: Amount, least: int, most: int, count: int) -> Reading:
        """The reading of a level between two bounds."""
        low, high = (format_amount(one // bucket.per, capacity.token) for one in (least, most))
        after = f"of {capacity} after {count} event{'' if count == 1 else 's'} in {self.replayed()}"
        holds = bucket.overflows(least)
        if bucket.overflows(most) and not holds:
            why = "what left before decides, a longer `window` says more"
            return self.unknown(WHOLE_BPS, "bps", f"the bucket holds {low} to {high} {after}; {why}")
        bound = "" if least == most else " at least" if holds else " at most"
        reason = f"the bucket holds{bound} {low if holds else high} {after}"
        value = (least if holds else most) * WHOLE_BPS // (bucket.capacity * bucket.per)
        return to_the_limit(Reading(holds, value, WHOLE_BPS, "bps", reason))

    def moment(self, log: Log) -> int:
        """When it was logged, as the bucket counts."""
        return log.block if self.per is not None and self.per.blocks else log.timestamp

    def limits(self, wiring: Wiring) -> tuple[Amount, Amount] | Missing:
        """Rate and capacity in base units, or why they are not known."""
        try:
            rate, capacity = (base_units(one, wiring) for one in (self.rate, self.capacity))
        except ValueError as problem:
            return Missing(str(problem))
        return rate, capacity

    def judge_retained(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """What is left of the start in basis points (floor), and whether it is below `retained` exactly."""
        assert self.window is not None and self.value is not None and self.retained is not None
        now = measure(self.value, wiring, snapshot)
        then = measured_at(self.value, wiring, snapshot, self.window)
        if isinstance(now, Missing) or isinstance(then, Missing):
            problem = next(one for one in (now, then) if isinstance(one, Missing))
            return self.unknown(self.retained, "bps", problem)
        if then.value <= 0:
            return self.unknown(self.retained, "bps", f"there was nothing {self.window} ago: nothing to retain")
        reason = f"{in_words(now, wiring.tokens)} of {in_words(then, wiring.tokens)} {self.window} ago are left"
        value = now.value * WHOLE_BPS // then.value
        holds = now.value * WHOLE_BPS < self.retained * then.value
        return Reading(holds, value, self.retained, "bps", reason, trips="below")


def base_units(amount: str | Amount | None, wiring: Wiring) -> Amount:
    """An amount in base units of a token of the deployment; raises ValueError."""
    if isinstance(amount, Amount):
        return amount
    found = parse_amount(amount or "", dict(wiring.tokens))
    if found.units <= 0:
        raise ValueError(f"{amount} is nothing")
    return found
