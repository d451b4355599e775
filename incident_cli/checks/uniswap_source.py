"""A time-weighted average price of a Uniswap v3 pool.

tick = floor((c₀ − c_T) / T) towards −∞ and P = 1.0001^tick, in token1 per token0, base units
(Uniswap v3 whitepaper 5.2 and 6.1; v3-periphery, OracleLibrary.consult).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Annotated

from incident_cli.binding import BOOLEAN, DURATION, INTEGER
from incident_cli.checks.check import SourceReading, Wiring
from incident_cli.checks.price_source import MOST_DECIMALS, SCALE, SlotSource, whole_numbers
from incident_cli.evm import CallRead, Missing, Read, Snapshot
from incident_cli.units import format_duration

LARGEST_TICK = 887_272  # TickMath.MAX_TICK; the smallest is its negative
LONGEST_WINDOW = 7 * 86_400
TICK_BASE = Decimal("1.0001")
FORGOTTEN = re.compile(r"\bOLD\b")  # how Oracle.observeSingle reverts
DIGITS = Context(prec=80)  # 38 digits before the point and 36 after it leave none of the 80 in doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class UniswapSource(SlotSource):
    """The geometric mean price of a pool over `window`, from two of its cumulative ticks.

    The price is that of token0 in token1, with `invert` that of token1 in token0; `base_decimals` are those of the
    priced token, `quote_decimals` of the other. `least_liquidity` (in-range, as the pool counts it): with less, the
    price says nothing. A pool remembers only as many swaps as it was paid to (its observation cardinality).
    """

    window: Annotated[int, DURATION] = 1_800
    base_decimals: Annotated[int, INTEGER]
    quote_decimals: Annotated[int, INTEGER]
    invert: Annotated[bool, BOOLEAN] = False
    least_liquidity: Annotated[int, INTEGER] = 0

    def review(self) -> None:
        """A window is some time; decimals are those of tokens."""
        if not 0 < self.window <= LONGEST_WINDOW:
            raise ValueError(f"window is from 1s to {format_duration(LONGEST_WINDOW)}")
        if not all(0 <= one <= MOST_DECIMALS for one in (self.base_decimals, self.quote_decimals)):
            raise ValueError(f"a token has 0 to {MOST_DECIMALS} decimals")
        if self.least_liquidity < 0:
            raise ValueError("least_liquidity is not negative")

    def required(self) -> Mapping[str, tuple[str, ...]]:
        """The slot is a pool."""
        return {self.slot: ("observe", "liquidity") if self.least_liquidity else ("observe",)}

    def observation(self, wiring: Wiring) -> CallRead:
        """The cumulative ticks at the window's two ends."""
        return wiring.slots[self.slot].read("observe", ((self.window, 0),))

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """The cumulative ticks, and the liquidity if it matters."""
        liquidity = (wiring.slots[self.slot].read("liquidity"),) if self.least_liquidity else ()
        return (self.observation(wiring), *liquidity)

    def price(self, wiring: Wiring, snapshot: Snapshot) -> SourceReading:
        """The average price, unless the pool does not remember it or is too thin."""
        ticks = cumulative_ticks(snapshot.answer(self.observation(wiring)))
        if isinstance(ticks, Missing):
            return self.unread(self.forgotten(ticks))
        thin = self.thin(wiring, snapshot)
        if thin is not None:
            return self.unread(thin)
        tick = (ticks[1] - ticks[0]) // self.window
        if abs(tick) > LARGEST_TICK:
            return self.unread(f"a mean tick of {tick} is none that a pool can have")
        return self.read_as(price_at(-tick if self.invert else tick, self.base_decimals - self.quote_decimals), None)

    def forgotten(self, missing: Missing) -> str:
        """Why there are no cumulative ticks; the pool reverts with OLD where it does not remember so far back."""
        if not FORGOTTEN.search(missing.reason):
            return missing.reason
        window = format_duration(self.window)
        return f"the pool's memory is shorter than {window}: someone must raise its observation cardinality (OLD)"

    def thin(self, wiring: Wiring, snapshot: Snapshot) -> str | Missing | None:
        """Why the pool is too thin to be believed, None where it is not."""
        if not self.least_liquidity:
            return None
        liquidity = whole_numbers(snapshot.answer(wiring.slots[self.slot].read("liquidity")), 1)
        if isinstance(liquidity, Missing):
            return liquidity
        short = liquidity[0] < self.least_liquidity
        return f"its liquidity in range is {liquidity[0]}, less than {self.least_liquidity}" if short else None


def cumulative_ticks(answer: tuple[object, ...] | Missing) -> tuple[int, ...] | Missing:
    """The two cumulative ticks of an `observe`, older first."""
    if isinstance(answer, Missing):
        return answer
    ticks = answer[0] if answer else None
    return whole_numbers(tuple(ticks) if isinstance(ticks, Sequence) else (), 2)


def price_at(tick: int, shift: int) -> int:
    """1.0001^tick × 10^shift in units of 10^-18, rounded down; good to at least 60 digits before rounding."""
    return int(DIGITS.scaleb(DIGITS.power(TICK_BASE, tick), SCALE + shift))
