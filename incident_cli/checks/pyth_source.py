"""A price from Pyth, told stale from divergent.

Pyth is pull-based: its contract holds the last price that somebody pushed, however old (Pyth, IPyth.getPriceUnsafe).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from incident_cli.binding import BPS, BYTES32_KIND, DURATION
from incident_cli.checks.check import WHOLE_BPS, SourceReading, Wiring
from incident_cli.checks.price_source import MOST_DECIMALS, SCALE, SlotSource, scaled, time_on, whole_numbers
from incident_cli.evm import CallRead, Missing, Read, Snapshot, hex_bytes
from incident_cli.units import format_duration

READ = "price_unsafe"


@dataclass(frozen=True, slots=True, kw_only=True)
class PythSource(SlotSource):
    """The price of the feed `id`: price × 10^expo, with its confidence interval and publish time.

    A publish time further than `max_age` from the block's (before or after it, as Pyth's getPriceNoOlderThan
    measures) is stale: no price, but no divergence either. So is a confidence interval wider than `max_confidence`
    of the price: the publishers do not agree among themselves.
    """

    id: Annotated[str, BYTES32_KIND]
    max_age: Annotated[int, DURATION] = 60
    max_confidence: Annotated[int, BPS] = 100

    def review(self) -> None:
        """An age is some time, a confidence some part of the price."""
        if self.max_age <= 0:
            raise ValueError("max_age must be more than 0s")
        if not 0 < self.max_confidence <= WHOLE_BPS:
            raise ValueError("max_confidence is from 0.01% to 100% of the price")

    def required(self) -> Mapping[str, tuple[str, ...]]:
        """The slot is Pyth's contract."""
        return {self.slot: (READ,)}

    def read(self, wiring: Wiring) -> CallRead:
        """The price as last pushed, of whatever age."""
        return wiring.slots[self.slot].read(READ, (hex_bytes(self.id),))

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """The price as last pushed."""
        return (self.read(wiring),)

    def price(self, wiring: Wiring, snapshot: Snapshot) -> SourceReading:
        """The price, unless it is stale, uncertain or absurd."""
        served = whole_numbers(snapshot.answer(self.read(wiring)), 4)
        now = time_on(wiring.slots[self.slot].chain, snapshot)
        if isinstance(served, Missing):
            return self.unread(served)
        if isinstance(now, Missing):
            return self.unread(now)
        price, confidence, exponent, published = served
        fault = self.stale(now - published) or self.fault(price, confidence, exponent)
        return self.unread(fault, published) if fault else self.read_as(scaled(price, -exponent), published)

    def stale(self, age: int) -> str:
        """Why a price published that long ago (seconds) is none, or nothing."""
        if abs(age) <= self.max_age:
            return ""
        when = f"{format_duration(abs(age))} {'ago' if age > 0 else 'ahead of the block'}"
        return f"stale, not divergent: published {when}, more than {format_duration(self.max_age)}"

    def fault(self, price: int, confidence: int, exponent: int) -> str:
        """Why an answer must not be believed, or nothing."""
        if price <= 0:
            return f"it answers {price}"
        if not -MOST_DECIMALS <= exponent <= SCALE:
            return f"an exponent of {exponent} is absurd"
        if not 0 <= confidence * WHOLE_BPS <= self.max_confidence * price:
            width = f"{confidence * WHOLE_BPS // price} bps"
            return f"uncertain: its confidence interval is {width} of the price, more than {self.max_confidence}"
        return ""
