"""A price from a Chainlink-style feed, judged before it is believed.

A feed can serve −1 with updatedAt = 1 without reverting, so sign, round and time are checked
(Chainlink, AggregatorV3Interface; the zero address's −1 answer was measured on a real aggregator).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from incident_cli.binding import DURATION, INTEGER
from incident_cli.checks.check import SourceReading, Wiring
from incident_cli.checks.price_source import MOST_DECIMALS, SlotSource, scaled, time_on, whole_numbers
from incident_cli.evm import Missing, Read, Snapshot
from incident_cli.protocols.slot import BoundSlot
from incident_cli.units import format_duration

READS = ("latest_round", "decimals")


@dataclass(frozen=True, slots=True)
class Bounds:
    """The answers between which an aggregator is bound (its minAnswer and maxAnswer, as served), where known."""

    lowest: int | None = None
    highest: int | None = None

    def review(self) -> None:
        """Raises ValueError where nothing lies between them."""
        if self.lowest is not None and self.highest is not None and self.lowest >= self.highest:
            raise ValueError("`lowest` must be below `highest`")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainlinkSource(SlotSource):
    """The latest round of a Chainlink-style feed.

    An answer at `lowest` or `highest` (the aggregator's minAnswer and maxAnswer) is a bound, not a price; with
    `max_age`, an older answer is none either. Without it an old answer counts: a feed that stands still while others
    move diverges from them.
    """

    lowest: Annotated[int, INTEGER] | None = None
    highest: Annotated[int, INTEGER] | None = None
    max_age: Annotated[int, DURATION] | None = None

    def review(self) -> None:
        """Bounds have something between them, an age is some time."""
        Bounds(self.lowest, self.highest).review()
        if self.max_age is not None and self.max_age <= 0:
            raise ValueError("max_age must be more than 0s")

    def required(self) -> Mapping[str, tuple[str, ...]]:
        """The slot serves a round."""
        return {self.slot: READS}

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """The latest round and the decimals."""
        return reads_of(wiring.slots[self.slot])

    def price(self, wiring: Wiring, snapshot: Snapshot) -> SourceReading:
        """The answer, unless it must not be believed."""
        slot = wiring.slots[self.slot]
        latest, now = latest_round(slot, snapshot), time_on(slot.chain, snapshot)
        if isinstance(latest, Missing):
            return self.unread(latest)
        if isinstance(now, Missing):
            return self.unread(now, latest.updated_at)
        fault = fault_of(latest, now, Bounds(self.lowest, self.highest)) or self.too_old(now - latest.updated_at)
        if fault:
            return self.unread(fault, latest.updated_at)
        return self.read_as(scaled(latest.answer, latest.decimals), latest.updated_at)

    def too_old(self, age: int) -> str:
        """Why an answer of that age is no price, or nothing."""
        if self.max_age is None or age <= self.max_age:
            return ""
        return f"stale: its update is {format_duration(age)} old, at most {format_duration(self.max_age)} is allowed"


@dataclass(frozen=True, slots=True)
class Round:
    """The latest round of a feed: answer as served, decimals, and the time of its update (seconds)."""

    answer: int
    decimals: int
    updated_at: int
    round_id: int
    answered_in_round: int


def reads_of(slot: BoundSlot) -> tuple[Read, ...]:
    """The reads of a feed."""
    return tuple(slot.read(name) for name in READS)


def latest_round(slot: BoundSlot, snapshot: Snapshot) -> Round | Missing:
    """The latest round as served, unjudged."""
    served = whole_numbers(snapshot.answer(slot.read(READS[0])), 5)
    decimals = whole_numbers(snapshot.answer(slot.read(READS[1])), 1)
    if isinstance(served, Missing):
        return served
    if isinstance(decimals, Missing):
        return decimals
    if not 0 <= decimals[0] <= MOST_DECIMALS:
        return Missing(f"{decimals[0]} decimals is absurd")
    round_id, answer, _, updated_at, answered_in = served
    return Round(answer, decimals[0], updated_at, round_id, answered_in)


def fault_of(latest: Round, now: int, bounds: Bounds) -> str:
    """Why a round must not be believed, or nothing. `now` is the block's time."""
    if latest.answer <= 0:
        return f"it answers {latest.answer}"
    if latest.updated_at <= 0 or latest.updated_at > now:
        return f"its update time {latest.updated_at} is not a past time"
    if latest.answered_in_round < latest.round_id:
        return f"round {latest.round_id} was answered in round {latest.answered_in_round}"
    if bounds.lowest is not None and latest.answer <= bounds.lowest:
        return f"it answers its lower bound, {latest.answer}"
    if bounds.highest is not None and latest.answer >= bounds.highest:
        return f"it answers its upper bound, {latest.answer}"
    return ""
