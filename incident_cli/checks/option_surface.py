"""A surface of option marks that can be traded against without risk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, cast

from incident_cli.binding import BPS, IDENTIFIER, TEXT, Kind
from incident_cli.checks.check import WHOLE_BPS, Check, Reading, Wiring
from incident_cli.checks.option_arbitrage import YEAR, Arbitrage, Row, arbitrages
from incident_cli.checks.price_source import time_on
from incident_cli.checks.wording import describe, to_the_limit
from incident_cli.evm import CallRead, Missing, Read, Snapshot
from incident_cli.protocols.slot import Market

ARRAYS = ("expiries", "strikes", "calls", "puts", "forwards", "discounts", "ivs")
MARKET = Kind("market", TEXT.parse)  # the kind of the parameter that `{market}` stands for
MOST_OPTIONS = 1_024
LARGEST = 2**128  # no price, discount or volatility comes near
LONGEST = 100 * YEAR
HUNDREDTHS = 100
UNIT = "10^-2 bps"


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionSurface(Check):
    """Fires when the marks of a surface allow an arbitrage worth more than `tolerance` basis points of the forward.

    Calendar: total variance w = iv²·T (T in years of 365 days) must not fall with expiry at equal forward-moneyness
    K / F; where strikes differ, w is interpolated linearly inside the common range. Butterfly: calls must fall with
    the strike, no faster than the discount, and be convex in it, at any spacing. Parity: |C − P − DF·(F − K)|
    (Carr and Madan 2005; Gatheral and Jacquier 2014). Each counts by what trading it earns, the calendar by the
    difference of two undiscounted Black-76 calls; value = the worst, `tolerance` covers fees and spread.
    `slot`.`read` answers expiries (times), strikes, calls, puts, forwards (one unit), discounts and annualised
    volatilities (10^-18), expiry by expiry, of `market` if one is given; a lens contract can serve any desk's marks
    so. A malformed surface, or one with an expiry that has passed, is unknown.
    """

    slot: Annotated[str, IDENTIFIER]
    read: Annotated[str, IDENTIFIER] = "surface"
    market: Annotated[str, MARKET] | None = None
    tolerance: Annotated[int, BPS] = 50

    def review(self) -> None:
        """Marks are rounded, so some tolerance there must be."""
        if not 0 < self.tolerance <= WHOLE_BPS:
            raise ValueError("tolerance is from 1 bps to 100% of the forward")

    def required(self) -> Mapping[str, tuple[str, ...]]:
        """The slot serves a surface."""
        return {self.slot: (self.read,)}

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """The surface, if it can be asked for."""
        read = self.surface(wiring)
        return () if isinstance(read, Missing) else (read,)

    def surface(self, wiring: Wiring) -> CallRead | Missing:
        """The read of the surface: of the market if one is given."""
        slot = wiring.slots[self.slot]
        takes = slot.protocol.reads[self.read].call.input_types
        if takes != ([] if self.market is None else ["bytes32"]):
            return Missing(f"{self.read} takes ({', '.join(takes)}): give {'a' if takes else 'no'} market")
        if self.market is None:
            return slot.read(self.read)
        markets = [one for one in wiring.values.values() if isinstance(one, Market) and one.name == str(self.market)]
        return slot.read(self.read, (markets[0],)) if markets else Missing(f"{self.market} is not the market here")

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """The worst arbitrage in hundredths of a basis point of the forward."""
        rows = self.rows(wiring, snapshot)
        limit = self.tolerance * HUNDREDTHS
        if isinstance(rows, Missing):
            return Reading(None, None, limit, UNIT, f"{self.slot}: {rows.reason}")
        worst = max(arbitrages(rows), key=lambda one: one.size, default=Arbitrage(Fraction(0), ""))
        value = worst.size * WHOLE_BPS * HUNDREDTHS
        count = len(rows) * len(rows[0].strikes)
        reason = f"{worst.what}: {describe(int(value), UNIT)} of the forward" if worst.what else ""
        reason = reason or f"no arbitrage among {count} options"
        return to_the_limit(Reading(value > limit, int(value), limit, UNIT, reason))

    def rows(self, wiring: Wiring, snapshot: Snapshot) -> list[Row] | Missing:
        """The surface by expiry, or what is wrong with it."""
        read, now = self.surface(wiring), time_on(wiring.slots[self.slot].chain, snapshot)
        answer = read if isinstance(read, Missing) else snapshot.answer(read)
        if isinstance(answer, Missing):
            return answer
        if isinstance(now, Missing):
            return now
        fault = misshapen(answer) or misplaced(cast("Sequence[Sequence[int]]", answer), now)
        return Missing(fault) if fault else rows_of(cast("Sequence[Sequence[int]]", answer), now)


def misshapen(answer: Sequence[object]) -> str:
    """Why an answer is no surface by its shape, or nothing."""
    if len(answer) != len(ARRAYS):
        return f"it answers {len(answer)} values, a surface has {len(ARRAYS)}"
    for name, one in zip(ARRAYS, answer, strict=True):
        if not isinstance(one, list | tuple) or not all(isinstance(x, int) and 0 <= x < LARGEST for x in one):
            return f"its {name} are not a list of numbers below 2^128"
    expiries, strikes, calls, puts, forwards, discounts, ivs = (len(cast("Sequence[int]", one)) for one in answer)
    if not 0 < expiries * strikes <= MOST_OPTIONS:
        return (
            f"it has {expiries} expiries and {strikes} strikes; there must be some, and at most {MOST_OPTIONS} options"
        )
    if not calls == puts == ivs == expiries * strikes or not forwards == discounts == expiries:
        return f"its lists do not have the lengths that {expiries} expiries and {strikes} strikes need"
    return ""


def misplaced(answer: Sequence[Sequence[int]], now: int) -> str:
    """Why the numbers of a surface are none, or nothing. `now` is the block time in seconds."""
    expiries, strikes, _, _, forwards, discounts, _ = answer
    for name, ordered in (("expiries", expiries), ("strikes", strikes)):
        if list(ordered) != sorted(set(ordered)):
            return f"its {name} do not rise"
    if expiries[0] <= now:
        return f"its first expiry, {expiries[0]}, has passed"
    if expiries[-1] > now + LONGEST:
        return f"its last expiry, {expiries[-1]}, is more than a hundred years away"
    if not all((strikes[0], *forwards, *discounts)):
        return "it has a strike, a forward or a discount of zero"
    return ""


def rows_of(answer: Sequence[Sequence[int]], now: int) -> list[Row]:
    """The rows of a sound surface, by expiry."""
    expiries, strikes, calls, puts, forwards, discounts, ivs = answer
    width = len(strikes)
    found = []
    for place, expiry in enumerate(expiries):
        cells = slice(place * width, (place + 1) * width)
        found.append(
            Row(
                expiry,
                expiry - now,
                strikes,
                calls[cells],
                puts[cells],
                forwards[place],
                discounts[place],
                ivs[cells],
            )
        )
    return found
