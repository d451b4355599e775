"""The leaky bucket: what flows out fills it, time empties it. Integers throughout.

A token bucket upside down (Chainlink CCIP, RateLimiter: tokens = min(capacity, tokens + rate · Δt)), whose level is
never carried above its capacity: what overflows is not owed for ever. It is counted in full for as long as a full
bucket takes to run empty, so that an overflow can be seen after the block it happened in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from incident_cli.checks.window import length, like
from incident_cli.units import Amount, Span, amount_parts


@dataclass(frozen=True, slots=True)
class Bucket:
    """It loses `rate` base units per `per` (seconds or blocks), and is full at `capacity` base units."""

    rate: int
    per: int
    capacity: int

    @property
    def drain(self) -> int:
        """How long a full one takes to run empty (seconds or blocks), rounded up."""
        return -(-self.capacity * self.per // self.rate)

    def level(self, flows: Iterable[tuple[int, int]], now: int, since: int = 0, held: int = 0) -> int:
        """The level at `now` times `per`, from (time, amount) in order and with `held` base units in it at `since`:
        level = max(0, level − rate · Δt) + amount, at most the capacity where that is `drain` or longer ago."""
        full, level, at = self.capacity * self.per, held * self.per, since
        for when, amount in flows:
            level = self.leaked(level, when - at) + amount * self.per
            level = min(level, full) if when <= now - self.drain else level
            at = max(at, when)
        return self.leaked(level, now - at)

    def leaked(self, level: int, elapsed: int) -> int:
        """What is left of a level (as `level` gives it) after some time."""
        return max(0, level - self.rate * max(0, elapsed))

    def bounds(self, flows: Iterable[tuple[int, int]], now: int, since: int) -> tuple[int, int]:
        """The lowest and the highest level at `now` (as `level` gives it): empty at `since`, and full at `since`."""
        known = tuple(flows)
        return self.level(known, now, since), self.level(known, now, since, self.capacity)

    def overflows(self, level: int) -> bool:
        """Whether a level (as `level` gives it) is above the capacity."""
        return level > self.capacity * self.per


def time_to_empty(capacity: str | Amount, rate: str | Amount, per: Span) -> Span:
    """How long a full bucket takes to run empty, rounded up; raises ValueError where the two do not go together."""
    (size, token), (loss, other) = parts(capacity), parts(rate)
    if token != other:
        raise ValueError(f"rate and capacity are amounts of one token, not of {other} and {token}")
    if size <= 0 or loss <= 0:
        raise ValueError("rate and capacity must be more than 0")
    if not per:
        raise ValueError("per must be more than 0s")
    return like(per, ceil(size / loss * length(per)))


def parts(amount: str | Amount) -> tuple[Fraction, str]:
    """The number of whole tokens, and the token's symbol; raises ValueError."""
    if isinstance(amount, Amount):
        return Fraction(amount.units, 10**amount.token.decimals), amount.token.symbol
    match = amount_parts(amount)
    number = f"{match.group('whole')}.{match.group('fraction') or '0'}".replace("_", "")
    return Fraction(number), match.group("token")
