"""A price from a Chainlink-style feed, judged before it is believed.

A feed can serve −1 with updatedAt = 1 without reverting, so sign, round and time are checked
(Chainlink, AggregatorV3Interface; the zero address's −1 answer was measured on a real aggregator).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, cast

from incident_cli.binding import IDENTIFIER, SLUG
from incident_cli.checks.check import SourceReading
from incident_cli.document import Place
from incident_cli.evm import Missing, Read, Snapshot
from incident_cli.protocols.slot import BoundSlot

READS = ("latest_round", "decimals")
SCALE = 18
MOST_DECIMALS = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSource:
    """A slot that serves a price, and what it depends on: sources of the same independence fail together."""

    slot: Annotated[str, IDENTIFIER]
    independence: Annotated[str, SLUG]
    place: Place


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
    answer, decimals = snapshot.answer(slot.read(READS[0])), snapshot.value(slot.read(READS[1]))
    if isinstance(answer, Missing):
        return answer
    if isinstance(decimals, Missing):
        return decimals
    if cast(int, decimals) > MOST_DECIMALS:
        return Missing(f"{decimals} decimals is absurd")
    round_id, price, _, updated_at, answered_in = cast(Sequence[int], answer)
    return Round(price, cast(int, decimals), updated_at, round_id, answered_in)


def fault_of(latest: Round, now: int) -> str:
    """Why a round must not be believed, or nothing. `now` is the block's time."""
    if latest.answer <= 0:
        return f"it answers {latest.answer}"
    if latest.updated_at <= 0 or latest.updated_at > now:
        return f"its update time {latest.updated_at} is not a past time"
    if latest.answered_in_round < latest.round_id:
        return f"round {latest.round_id} was answered in round {latest.answered_in_round}"
    return ""


def read_price(source: PriceSource, slot: BoundSlot, snapshot: Snapshot) -> SourceReading:
    """The price in units of 10^-18, or the problem."""
    latest = latest_round(slot, snapshot)
    if isinstance(latest, Missing):
        return SourceReading(source.slot, source.independence, None, None, latest.reason)
    fault = fault_of(latest, snapshot.block.timestamp)
    if fault:
        return SourceReading(source.slot, source.independence, None, latest.updated_at, fault)
    scaled = latest.answer * 10**SCALE // 10**latest.decimals
    return SourceReading(source.slot, source.independence, scaled, latest.updated_at)
