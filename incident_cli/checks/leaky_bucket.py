"""The leaky bucket: what flows out fills it, time empties it. Integers throughout."""

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

    def level(self, flows: Iterable[tuple[int, int]], now: int) -> int:
        """The level at `now` times `per`, from (time, amount) in order: level = max(0, level − rate · Δt) + amount."""
        level = at = 0
        for when, amount in flows:
            level = max(0, level - self.rate * max(0, when - at)) + amount * self.per
            at = max(at, when)
        return max(0, level - self.rate * max(0, now - at))

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
