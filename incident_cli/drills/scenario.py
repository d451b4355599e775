"""A drill's script as values: which market goes wrong, how, for how long, and what the right ending is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FaultKind = Literal["feed-moved", "reference-moved", "feed-frozen"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong in one market.

    `feed-moved` and `reference-moved`: that source is pushed at the true price moved by `move` bps (signed).
    `feed-frozen`: the feed is not pushed, and the true price drifts by `move` bps a block on top of its walk. An
    attacker gains where the feed is left below the price: a negative move of a feed, a positive drift.
    `at_block` counts from the world's first block (its height 0); `lasts` is in blocks, None is to the end.
    """

    kind: FaultKind
    market: str
    at_block: int
    move: int
    lasts: int | None = None

    def is_active(self, height: int) -> bool:
        """Whether it shows in the block at this height."""
        return self.at_block <= height and (self.lasts is None or height < self.at_block + self.lasts)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A drill's script. `market` is the one a right answer contains; `answers` are rehearsed ones by step id."""

    id: str
    title: str
    runbook: str
    market: str
    intended: Literal["contained", "stood-down"]
    faults: tuple[Fault, ...]
    attacker: bool = False
    answers: Mapping[str, str] = field(default_factory=dict)
    recovers_after_containment: bool = True
