"""A price from any view of any contract: an expression over declared reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from incident_cli.binding import EXPRESSION, IDENTIFIER, INTEGER
from incident_cli.checks.check import SourceReading, Wiring
from incident_cli.checks.measure import in_words, measure, reads_of
from incident_cli.checks.price_source import MOST_DECIMALS, PriceSource, scaled
from incident_cli.evm import Missing, Read, Snapshot
from incident_cli.expression import Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSource(PriceSource):
    """The number that `value` has, such as `exchange.mark(market)`, divided by 10^`decimals`.

    It has no update time of its own, so how old it is cannot be told here. Zero and less are no price.
    """

    name_: Annotated[str, IDENTIFIER]
    value: Annotated[Expression, EXPRESSION]
    decimals: Annotated[int, INTEGER]

    @property
    def name(self) -> str:
        """Its own: an expression may read several slots."""
        return self.name_

    def review(self) -> None:
        """Decimals are those of a price."""
        if not 0 <= self.decimals <= MOST_DECIMALS:
            raise ValueError(f"decimals are from 0 to {MOST_DECIMALS}")

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """What the expression reads."""
        return reads_of(self.value, wiring)

    def then(self, wiring: Wiring, snapshot: Snapshot) -> tuple[Read, ...]:
        """What it reads with other reads' answers as arguments."""
        return reads_of(self.value, wiring, snapshot)

    def price(self, wiring: Wiring, snapshot: Snapshot) -> SourceReading:
        """The number, unless there is none or it is no price."""
        found = measure(self.value, wiring, snapshot)
        if isinstance(found, Missing):
            return self.unread(found)
        if found.value <= 0:
            return self.unread(f"it answers {in_words(found, wiring.tokens)}")
        return self.read_as(scaled(found.value, self.decimals), None)
