"""A drill's script as values: what goes wrong, where, for how long, and what the right ending is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

FaultKind = Literal[
    "feed-moved",
    "reference-moved",
    "feed-frozen",
    "feed-shaken",
    "price-crash",
    "withdrawal-rush",
    "surface-bent",
    "buffer-spent",
    "hostile-operation",
    "lane-cursed",
]
FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
EVERYWHERE: frozenset[FaultKind] = frozenset({"withdrawal-rush", "hostile-operation", "lane-cursed"})
UNMEASURED: frozenset[FaultKind] = frozenset({"hostile-operation", "lane-cursed"})
AT_ONCE: frozenset[FaultKind] = frozenset({"hostile-operation"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    `feed-moved` and `reference-moved`: that source is pushed at the true price moved by `move` bps (signed).
    `feed-frozen`: the feed is not pushed, and the true price drifts by `move` bps a block on top of its walk. An
    attacker gains where the feed is left below the price: a negative move of a feed, a positive drift.
    `feed-shaken`: the feed is pushed at the true price moved by +`move` and −`move`, in turn.
    `price-crash`: the true price drifts by `move` bps a block, and every source shows it.
    `withdrawal-rush`: the provider and the traders take out `move` bps of the founding withdrawal limit each block.
    `surface-bent`: the mark of one call, the nearest expiry's middle strike, is pushed wrong by `move` bps.
    `buffer-spent`: the borrower with the most room left borrows `move` bps of it, each block.
    `hostile-operation`: the stolen operations key schedules a new guardian, the attacker, in the block `at_block`.
    `lane-cursed`: the lane is cursed.
    `market` is None for EVERYWHERE, `move` 0 for UNMEASURED, `lasts` None for AT_ONCE.
    `at_block` counts from the world's first block (its height 0); `lasts` is in blocks, None is to the end.
    """

    kind: FaultKind
    market: str | None
    at_block: int
    move: int = 0
    lasts: int | None = None

    def is_active(self, height: int) -> bool:
        """Whether it shows in the block at this height."""
        return self.at_block <= height and (self.lasts is None or height < self.at_block + self.lasts)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A drill's script. `market` is the one a right answer contains; `answers` are rehearsed ones by step id.

    `appetite` multiplies what the attacker wants to gain in a block. For `lived` seconds before the drill the feeds
    were pushed every minute, so that a window of prices has a past.
    """

    id: str
    title: str
    runbook: str
    market: str
    intended: Literal["contained", "stood-down"]
    faults: tuple[Fault, ...]
    attacker: bool = False
    answers: Mapping[str, str] = field(default_factory=dict)
    recovers_after_containment: bool = True
    appetite: int = 1
    lived: int = 0

    def has(self, *kinds: FaultKind) -> bool:
        """Whether a fault of one of these kinds is in the script."""
        return any(fault.kind in kinds for fault in self.faults)

    def active(self, height: int, over: bool, *kinds: FaultKind) -> tuple[Fault, ...]:
        """The faults that show at this height, of these kinds or of all; none once they were ended."""
        showing = () if over else self.faults
        return tuple(one for one in showing if one.is_active(height) and (not kinds or one.kind in kinds))
