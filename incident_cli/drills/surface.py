"""The marks of a market's options, consistent with Black-76: exact decimals, so that every machine finds the same.

C = D·(F·N(d1) − K·N(d2)) and P = C − D·(F − K), with d1 = (ln(F/K) + σ²T/2) / (σ√T) and d2 = d1 − σ√T
(F. Black, "The pricing of commodity contracts", 1976).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

YEAR = 31_536_000  # seconds
DAY = 86_400
EXPIRIES = (30 * DAY, 90 * DAY)  # seconds after the genesis
STRIKES = (80, 90, 100, 110, 120)  # percent of the market's first price
BENT = len(STRIKES) // 2  # the call that `surface-bent` bends: first expiry, middle strike
RATE = Decimal("0.04")  # a year, continuously compounded
VOLATILITY = Decimal("0.65")  # a year, at the money
SMILE = Decimal("0.25")  # added per squared logarithm of strike over forward
UNIT = 10**8
WAD = 10**18
EXACT = Context(prec=34, rounding=ROUND_HALF_EVEN)
HALF, TWO = Decimal("0.5"), Decimal(2)
ROOT_OF_TWO_PI = Decimal("2.506628274631000502415765284811045")
BPS = 10_000


@dataclass(frozen=True, slots=True)
class Marks:
    """What is pushed for one market: 8 decimals, discounts and volatilities 18; per expiry and strike row by row."""

    calls: tuple[int, ...]
    puts: tuple[int, ...]
    forwards: tuple[int, ...]
    discounts: tuple[int, ...]
    ivs: tuple[int, ...]

    def bent(self, move: int) -> Marks:
        """The same with one call's mark moved by basis points."""
        wrong = self.calls[BENT] * (BPS + move) // BPS
        calls = (*self.calls[:BENT], wrong, *self.calls[BENT + 1 :])
        return Marks(calls, self.puts, self.forwards, self.discounts, self.ivs)

    def arguments(self) -> tuple[tuple[int, ...], ...]:
        """In the order of the contract's struct."""
        return self.calls, self.puts, self.forwards, self.discounts, self.ivs


@dataclass(frozen=True, slots=True)
class Mark:
    """One strike at one expiry."""

    call: int
    put: int
    iv: int


def strikes(first_price: int) -> tuple[int, ...]:
    """The strikes of a market, 8 decimals."""
    return tuple(first_price * percent // 100 for percent in STRIKES)


def marks(spot: int, first_price: int, seconds_left: Sequence[int]) -> Marks:
    """Marks at a true price (8 decimals) for the expiries that many seconds away."""
    with localcontext(EXACT):
        years = [Decimal(max(1, seconds)) / YEAR for seconds in seconds_left]
        discounts = [(-RATE * time).exp() for time in years]
        forwards = [Decimal(spot) / UNIT / discount for discount in discounts]
        levels = [Decimal(one) / UNIT for one in strikes(first_price)]
        terms = zip(forwards, discounts, years, strict=True)
        found = [mark(forward, strike, discount, time) for forward, discount, time in terms for strike in levels]
        return Marks(
            tuple(one.call for one in found),
            tuple(one.put for one in found),
            tuple(whole(one * UNIT) for one in forwards),
            tuple(whole(one * WAD) for one in discounts),
            tuple(one.iv for one in found),
        )


def mark(forward: Decimal, strike: Decimal, discount: Decimal, years: Decimal) -> Mark:
    """Black-76 at the smile's volatility; the put follows from parity."""
    moneyness = (forward / strike).ln()
    volatility = VOLATILITY + SMILE * moneyness * moneyness
    deviation = volatility * years.sqrt()
    d1 = moneyness / deviation + deviation / TWO
    call = discount * (forward * normal(d1) - strike * normal(d1 - deviation))
    put = call - discount * (forward - strike)
    return Mark(whole(call * UNIT), whole(put * UNIT), whole(volatility * WAD))


def normal(x: Decimal) -> Decimal:
    """The standard normal distribution function: 1/2 + φ(x)·(x + x³/3 + x⁵/15 + …), to 20 decimals (G. Marsaglia)."""
    if abs(x) > 10:
        return Decimal(1 if x > 0 else 0)
    term = total = x
    count = 1
    while abs(term) > Decimal("1e-22"):
        count += 2
        term = term * x * x / count
        total += term
    return HALF + total * (-x * x / TWO).exp() / ROOT_OF_TWO_PI


def whole(value: Decimal) -> int:
    """Rounded to a whole number, never below nothing."""
    return max(0, int(value.to_integral_value()))
