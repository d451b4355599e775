"""Every kind of price source, by the word it has under `from` in YAML, and what checks that use some have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from incident_cli.binding import Variants
from incident_cli.checks.check import Check, SourceReading, Wanted, Wiring
from incident_cli.checks.named_classes import NamedClasses
from incident_cli.checks.price_source import PriceSource
from incident_cli.evm import Read, Snapshot
from incident_cli.expression import Expression

SOURCES: Mapping[str, type[PriceSource]] = NamedClasses(
    PriceSource,
    {
        "chainlink": "chainlink_source.ChainlinkSource",
        "pyth": "pyth_source.PythSource",
        "uniswap_v3": "uniswap_source.UniswapSource",
        "view": "view_source.ViewSource",
        "benchmark": "benchmark_source.BenchmarkSource",
    },
)
Source = Annotated[PriceSource, Variants("from", SOURCES, "chainlink")]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceCheck(Check):
    """A check that judges prices: it reads what its sources read, and names them."""

    def used(self) -> tuple[PriceSource, ...]:
        """Its sources."""
        raise NotImplementedError

    def required(self) -> Mapping[str, tuple[str, ...]]:
        """What each source reads; a slot that serves several of them has all their reads."""
        found: dict[str, tuple[str, ...]] = {}
        for one in self.used():
            for slot, reads in one.required().items():
                found[slot] = tuple(dict.fromkeys((*found.get(slot, ()), *reads)))
        return found

    def formulas(self) -> Iterator[tuple[Expression, Wanted]]:
        """The expressions of its sources."""
        for one in self.used():
            for formula in one.formulas():
                yield formula, "number"

    def names(self) -> tuple[str, ...]:
        """The sources."""
        return tuple(one.name for one in self.used())

    def benchmarks(self) -> tuple[str, ...]:
        """Those that its sources read."""
        return tuple(name for one in self.used() for name in one.benchmarks())

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """What every source reads."""
        return tuple(dict.fromkeys(read for one in self.used() for read in one.reads(wiring)))

    def then(self, wiring: Wiring, snapshot: Snapshot) -> tuple[Read, ...]:
        """What every source reads in the second round."""
        return tuple(dict.fromkeys(read for one in self.used() for read in one.then(wiring, snapshot)))

    def prices(self, wiring: Wiring, snapshot: Snapshot) -> tuple[SourceReading, ...]:
        """What every source answers, in order."""
        return tuple(one.price(wiring, snapshot) for one in self.used())


def unread(readings: tuple[SourceReading, ...]) -> str:
    """Which sources have no price, and why; empty where all have one."""
    return "; ".join(f"{one.name}: {one.problem}" for one in readings if one.value is None)
