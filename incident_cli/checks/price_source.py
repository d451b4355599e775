"""Where a price comes from: one class for each kind of source, chosen by the key `from`.

A source names its reads and judges their answers before it is believed; the price is in units of 10^-18, and
one too small for that is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from math import floor
from typing import Annotated, ClassVar, cast

from incident_cli.binding import IDENTIFIER, SLUG
from incident_cli.checks.check import SourceReading, Wiring
from incident_cli.checks.measure import Exact
from incident_cli.document import Place
from incident_cli.evm import Missing, Read, Snapshot
from incident_cli.expression import Expression

SCALE = 18
FEWEST_UNITS = 10**6  # with fewer, what the cut at 18 decimals leaves out is more than 0.01 bps of the price
MOST_DECIMALS = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSource:
    """A source of a price, and what it depends on: sources of the same independence fail together."""

    has_past: ClassVar[bool] = True  # whether its reads can be made at a past block

    independence: Annotated[str, SLUG]
    place: Place

    def __post_init__(self) -> None:
        self.review()

    def review(self) -> None:
        """Raises ValueError where parameters do not go together."""

    @property
    def name(self) -> str:
        """How findings and summaries call it; `reference` names one of these."""
        raise NotImplementedError

    def required(self) -> Mapping[str, tuple[str, ...]]:
        """The slots it reads, each with the names of the reads its protocol must have."""
        return {}

    def formulas(self) -> Iterator[Expression]:
        """Every expression over the chain that it evaluates; each must be a number."""
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, Expression):
                yield value

    def benchmarks(self) -> tuple[str, ...]:
        """The benchmarks that a deployment must list for it."""
        return ()

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """What to read."""
        raise NotImplementedError

    def then(self, wiring: Wiring, snapshot: Snapshot) -> tuple[Read, ...]:
        """What else to read, given the answers of the first round."""
        return ()

    def price(self, wiring: Wiring, snapshot: Snapshot) -> SourceReading:
        """The price in units of 10^-18, or the problem."""
        raise NotImplementedError

    def unread(self, problem: str | Missing, updated_at: int | None = None) -> SourceReading:
        """No price, and why."""
        reason = problem.reason if isinstance(problem, Missing) else problem
        return SourceReading(self.name, self.independence, None, updated_at, reason)

    def read_as(self, price: int, updated_at: int | None) -> SourceReading:
        """A price that may be compared: 10^-12 or more, so that 18 decimals hold all that counts of it."""
        if price < FEWEST_UNITS:
            return self.unread("its price is below 10^-12: too small to be compared at 18 decimals", updated_at)
        return SourceReading(self.name, self.independence, price, updated_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotSource(PriceSource):
    """A source that is one slot, and is called by its name unless `name` says otherwise."""

    slot: Annotated[str, IDENTIFIER]
    name_: Annotated[str, IDENTIFIER] | None = None

    @property
    def name(self) -> str:
        """The given name, else the slot's."""
        return self.name_ or self.slot


def scaled(value: Exact, decimals: int) -> int:
    """A number with `decimals` decimals (negative: with as many zeros left out) in units of 10^-18, rounded down."""
    zeros: int = 10 ** max(0, SCALE - decimals)
    part: int = 10 ** max(0, decimals - SCALE)
    return floor(value * zeros / part) if isinstance(value, Fraction) else value * zeros // part


def whole_numbers(answer: tuple[object, ...] | Missing, count: int) -> tuple[int, ...] | Missing:
    """The `count` whole numbers of an answer, or why they are none: a protocol file may declare a read otherwise."""
    if isinstance(answer, Missing):
        return answer
    if len(answer) != count or not all(isinstance(one, int) and not isinstance(one, bool) for one in answer):
        return Missing(f"its read does not answer {count} whole number{'' if count == 1 else 's'}")
    return cast("tuple[int, ...]", answer)


def time_on(chain: str, snapshot: Snapshot) -> int | Missing:
    """The block time (seconds) of a chain in a snapshot."""
    block = snapshot.block_of(chain)
    return block if isinstance(block, Missing) else block.timestamp
