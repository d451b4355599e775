"""What a check is: reads to make, and a pure judgement of the answers. `lasting` turns readings into a verdict.

A kind of check is one frozen dataclass: its fields are its YAML parameters, its docstring its explanation.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Annotated, Literal

from incident_cli.binding import BPS, DURATION, INTEGER, SPAN, Kind
from incident_cli.document import Place
from incident_cli.evm import BenchmarkRead, Block, Read, Snapshot
from incident_cli.expression import Expression
from incident_cli.protocols.slot import BoundSlot
from incident_cli.units import NO_SPAN, Span, Token

WHOLE_BPS = 10_000
Wanted = Literal["truth", "number", "value"]  # what an expression must be; `value` is of any kind


class Verdict(StrEnum):
    """What a check says of the chain at one block."""

    QUIET = "quiet"
    PENDING = "pending"
    FIRING = "firing"
    UNKNOWN = "unknown"


# Firing wins over unknown, unknown over pending and quiet.
GRAVEST_FIRST = (Verdict.FIRING, Verdict.UNKNOWN, Verdict.PENDING, Verdict.QUIET)


def worst(verdicts: Collection[Verdict]) -> Verdict:
    """The verdict of several checks together; raises ValueError where there are none: nothing is not quiet."""
    if not verdicts:
        raise ValueError("no check was judged")
    return next(one for one in GRAVEST_FIRST if one in verdicts)


@dataclass(frozen=True, slots=True)
class SourceReading:
    """What one source answered: a value in units of 10^-18, or why there is none."""

    name: str
    independence: str
    value: int | None
    updated_at: int | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A typed value that a check came upon, for a step to bind: `{checks.upstream.operation_id}`."""

    name: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A judgement of one snapshot, before time is considered: `holds` is None where it cannot be said.

    `value` and `limit` are whole numbers of `unit`; the check trips when the value is above (or below) the limit.
    """

    holds: bool | None
    value: int | None
    limit: int
    unit: str
    reason: str
    sources: tuple[SourceReading, ...] = ()
    trips: Literal["above", "below"] = "above"
    found: tuple[Found, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict of one check at one block.

    `since` and `since_block` are the time and the number of the block from which it has held without a break.
    """

    check: str
    kind: str
    verdict: Verdict
    reading: Reading
    block: Block
    since: int | None = None
    summary: str = ""
    since_block: int | None = None


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a check's names stand for: slots with addresses, typed parameters, benchmarks, tokens, market ids."""

    slots: Mapping[str, BoundSlot]
    values: Mapping[str, object] = field(default_factory=dict)
    benchmarks: Mapping[str, BenchmarkRead] = field(default_factory=dict)
    tokens: Mapping[str, Token] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Samples:
    """`m of n`: of the last n judged blocks, at least m must hold."""

    hold: int
    of: int


def parse_samples(text: str) -> Samples:
    """`2 of 3`; raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,2}) of ([0-9]{1,2})", text)
    if match is None or not 1 <= int(match.group(1)) <= int(match.group(2)):
        raise ValueError("it is written `2 of 3`: how many of the last samples must hold")
    return Samples(int(match.group(1)), int(match.group(2)))


SAMPLES = Kind("samples", parse_samples)
EVERY_SAMPLE = Samples(1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The parameters every kind has, and what it must answer.

    `for`: how long it must hold before it fires, in time or blocks. `samples`: `2 of 3` of the last judged blocks.
    `clear_at`: once firing it goes on until the value is back beyond this part of the limit (hysteresis), such as 80%.
    `keep_firing`: how long it goes on after it last held. `freshness`: an older block is no present (seconds).
    `depth`: judge this many blocks below the head, where a reorganisation no longer reaches.
    """

    for_: Annotated[Span, SPAN] = NO_SPAN
    samples: Annotated[Samples, SAMPLES] = EVERY_SAMPLE
    clear_at: Annotated[int, BPS] = WHOLE_BPS
    keep_firing: Annotated[int, DURATION] = 0
    freshness: Annotated[int, DURATION] = 300
    depth: Annotated[int, INTEGER] = 0
    summary: str = ""
    false_positives: tuple[str, ...] = ()
    place: Place

    def __post_init__(self) -> None:
        if not 0 < self.clear_at <= WHOLE_BPS:
            raise ValueError("clear_at is from 0.01% to 100% of the limit")
        if not 0 <= self.depth <= 128:
            raise ValueError("depth is from 0 to 128 blocks: nodes without an archive keep about 128")
        if self.freshness < 1:
            raise ValueError("freshness must be more than 0s")
        self.review()

    def review(self) -> None:
        """Raises ValueError where parameters do not go together."""

    def required(self) -> Mapping[str, tuple[str, ...]]:
        """The slots it reads, each with the names of the reads its protocol must have."""
        return {}

    def events(self) -> Mapping[str, tuple[str, ...]]:
        """The slots whose events it reads, each with the names of the events its protocol must have."""
        return {}

    def formulas(self) -> Iterator[tuple[Expression, Wanted]]:
        """Every expression over the chain that it evaluates, and what each must be."""
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, Expression):
                yield value, "number"

    def finds(self) -> Mapping[str, str]:
        """The typed values its finding may carry for a step to bind: name → kind of value."""
        return {}

    def names(self) -> tuple[str, ...]:
        """What its summary may mention besides `value` and `limit`: the sources its readings have."""
        return ()

    def benchmarks(self) -> tuple[str, ...]:
        """The benchmarks that a deployment must list for it."""
        return ()

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """What to read, all at one block; reads of the past are wrapped by `evm.past`."""
        raise NotImplementedError

    def then(self, wiring: Wiring, snapshot: Snapshot) -> tuple[Read, ...]:
        """What else to read at the same block, given the answers of the first round; there is no third."""
        return ()

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """The reading of a snapshot; a source that could not be read is never quiet."""
        raise NotImplementedError
