"""The static arbitrages of a surface of option marks, and what each earns as a part of the forward.

Calls and puts as Carr and Madan (2005) and Gatheral and Jacquier (2014) bound them; Black (1976) for the calendar's
price. Fractions, so that comparisons are exact; Decimal where a normal distribution is needed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

EXACT = Context(prec=28)
ONE = 10**18  # discounts and volatilities
YEAR = 365 * 86_400
TWO_PI = Decimal("6.283185307179586476925286766559")
FARTHEST = 9  # standard deviations, beyond which the normal distribution has less than 10^-18


@dataclass(frozen=True, slots=True)
class Row:
    """The options of one expiry. `lasting`: seconds until it; prices in one unit; discount and ivs in 10^-18."""

    expiry: int
    lasting: int
    strikes: Sequence[int]
    calls: Sequence[int]
    puts: Sequence[int]
    forward: int
    discount: int
    ivs: Sequence[int]

    @property
    def date(self) -> str:
        """The expiry, in words."""
        return f"{datetime.fromtimestamp(self.expiry, UTC):%Y-%m-%d %H:%M}"

    def variances(self) -> list[tuple[Fraction, Fraction]]:
        """Forward-moneyness K / F and total variance iv²·T of each option, by moneyness."""
        return [
            (Fraction(strike, self.forward), Fraction(iv * iv * self.lasting, ONE * ONE * YEAR))
            for strike, iv in zip(self.strikes, self.ivs, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Arbitrage:
    """What an arbitrage earns, as a part of the forward, and which it is."""

    size: Fraction
    what: str


def arbitrages(rows: Sequence[Row]) -> Iterator[Arbitrage]:
    """Every arbitrage of the rows (by expiry), however small."""
    for row in rows:
        yield from parity(row)
        yield from verticals(row)
        yield from butterflies(row)
    for near, far in pairwise(rows):
        yield from calendars(near, far)


def parity(row: Row) -> Iterator[Arbitrage]:
    """|C − P − DF·(F − K)|: a conversion or a reversal."""
    for strike, call, put in zip(row.strikes, row.calls, row.puts, strict=True):
        gap = abs((call - put) * ONE - row.discount * (row.forward - strike))
        if gap:
            yield Arbitrage(Fraction(gap, ONE * row.forward), f"put–call parity, {at(row, strike)}")


def verticals(row: Row) -> Iterator[Arbitrage]:
    """−DF ≤ ΔC / ΔK ≤ 0: a call spread that costs less than nothing or more than it can pay."""
    for (low, dearer), (high, cheaper) in pairwise(zip(row.strikes, row.calls, strict=True)):
        fall, most = Fraction(dearer - cheaper), Fraction(row.discount * (high - low), ONE)
        excess = max(-fall, fall - most)
        if excess > 0:
            yield Arbitrage(excess / row.forward, f"call spread, {at(row, low)} to {high}")


def butterflies(row: Row) -> Iterator[Arbitrage]:
    """Calls convex in the strike at any spacing: a butterfly that costs less than nothing."""
    options = list(zip(row.strikes, row.calls, strict=True))
    for (low, left), (middle, body), (high, right) in zip(options, options[1:], options[2:], strict=False):
        wings = Fraction((high - middle) * left + (middle - low) * right, high - low)
        if body > wings:
            yield Arbitrage((body - wings) / row.forward, f"butterfly, {at(row, low)}, {middle} and {high}")


def calendars(near: Row, far: Row) -> Iterator[Arbitrage]:
    """Total variance that falls with expiry at equal moneyness: a calendar spread that costs less than nothing."""
    before, after = near.variances(), far.variances()
    lowest, highest = max(before[0][0], after[0][0]), min(before[-1][0], after[-1][0])
    for moneyness in sorted({one for one, _ in (*before, *after) if lowest <= one <= highest}):
        earlier, later = interpolated(before, moneyness), interpolated(after, moneyness)
        if earlier > later:
            size = Fraction(black(moneyness, earlier) - black(moneyness, later))
            what = f"calendar, {near.date} to {far.date} at {int(moneyness * 100)} % of the forward"
            yield Arbitrage(size, what)


def at(row: Row, strike: int) -> str:
    """An option in words."""
    return f"{row.date} strike {strike}"


def interpolated(points: Sequence[tuple[Fraction, Fraction]], wanted: Fraction) -> Fraction:
    """The linear interpolation of points (by their first value) at a place among them."""
    place = bisect_left(points, wanted, key=lambda one: one[0])
    right, above = points[place]
    if right == wanted:
        return above
    left, below = points[place - 1]
    return below + (above - below) * (wanted - left) / (right - left)


def black(moneyness: Fraction, variance: Fraction) -> Decimal:
    """The undiscounted Black-76 call as a part of the forward: N(d₁) − m·N(d₂)."""
    with localcontext(EXACT):
        strike = Decimal(moneyness.numerator) / moneyness.denominator
        deviation = (Decimal(variance.numerator) / variance.denominator).sqrt()
        if not deviation:
            return max(Decimal(0), 1 - strike)
        first = deviation / 2 - strike.ln() / deviation
        return normal(first) - strike * normal(first - deviation)


def normal(x: Decimal) -> Decimal:
    """The standard normal distribution function: ½ + φ(x)·(x + x³/3 + x⁵/(3·5) + …) (Marsaglia 2004)."""
    if abs(x) > FARTHEST:
        return Decimal(1 if x > 0 else 0)
    term, total, odd = x, x, 1
    while abs(term) > Decimal("1e-30"):
        odd += 2
        term = term * x * x / odd
        total += term
    return Decimal("0.5") + total * (-x * x / 2).exp() / TWO_PI.sqrt()
