"""Values over time as promtool writes them: `4000+0x3 3900-10x6 _x2 true`. Pure, and exact: no floats.

One sample, or a run: `4000x3` is 4000 and then three more; `4000-10x5` is 4000 and then five more, each 10 less;
`_` is a missing sample and `_x5` five of them. A series of one sample that is no run holds for the whole test; any
other ends with its last sample.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal

from incident_cli.evm import Missing

MOST_SAMPLES = 20_000
TOKEN = re.compile(r"\S+")
NUMBER = r"[0-9]{1,78}(?:_[0-9]{3}){0,25}(?:\.[0-9]{1,36})?(?:e-?[0-9]{1,2})?"
RUN = re.compile(rf"(?P<first>-?{NUMBER})(?:(?P<step>[+-]{NUMBER})?x(?P<more>[0-9]{{1,5}}))?")
WORD = re.compile(r"(?P<first>0x[0-9a-fA-F]*|.+?)(?:x(?P<more>[0-9]{1,5}))?")
GAP = re.compile(r"_(?:x(?P<count>[0-9]{1,5}))?")
FORM = "a series is written 4000, 4000x3 (three more), 4000-10x3, _ (missing)"

EXACT = Context(prec=200)

Value = Callable[[str], object]
Number = Callable[[Decimal], object]


class SeriesError(ValueError):
    """The text is no series; `column` (from 1) is where."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True, slots=True)
class Series:
    """A value a sample, None where it is missing; `constant` holds for ever."""

    values: tuple[object | None, ...]
    constant: bool = False

    @property
    def length(self) -> int:
        """How many samples it gives; 0 for one that holds for ever."""
        return 0 if self.constant else len(self.values)

    def at(self, index: int, *, backwards: bool = False) -> object | Missing:
        """The value of a sample; before the first one it is missing, or with `backwards` the first."""
        if self.constant or (index < 0 and backwards):
            index = 0
        if index < 0:
            return Missing("the test begins later (before: constant extends the first value into the past)")
        if index >= len(self.values):
            return Missing(f"the test gives {len(self.values)} samples of it, not this one")
        found = self.values[index]
        return Missing("no value in this test") if found is None else found


@dataclass(frozen=True, slots=True)
class Run:
    """The samples of one token; `single`: one value, written without a count."""

    values: tuple[object | None, ...]
    single: bool = False


def parse_numbers(text: str, finish: Number) -> Series:
    """A series of numbers, each exact and then given to `finish` (which raises ValueError); raises SeriesError."""

    def run(token: str) -> Run:
        match = RUN.fullmatch(token)
        if match is None:
            raise ValueError(f"{token!r} is no number or run of numbers: {FORM}")
        first, step = decimal(match["first"]), decimal(match["step"] or "0")
        places = range(int(match["more"] or 0) + 1)
        values = (EXACT.add(first, EXACT.multiply(step, Decimal(place))) for place in places)
        return Run(tuple(finish(one) for one in values), match["more"] is None)

    return collected(text, run)


def parse_words(text: str, value: Value) -> Series:
    """A series of values that are no numbers (`falsex3 true`, `0xab…`); raises SeriesError."""

    def run(token: str) -> Run:
        match = WORD.fullmatch(token)
        assert match is not None, "a token has a character"
        return Run((value(match["first"]),) * (int(match["more"] or 0) + 1), match["more"] is None)

    return collected(text, run)


def collected(text: str, run: Callable[[str], Run]) -> Series:
    """Every token's samples in a row; raises SeriesError with the token's column."""
    runs: list[Run] = []
    for token in TOKEN.finditer(text):
        gap = GAP.fullmatch(token.group())
        try:
            runs.append(Run((None,) * int(gap["count"] or 1)) if gap else run(token.group()))
            if sum(len(one.values) for one in runs) > MOST_SAMPLES:
                raise ValueError(f"a series has at most {MOST_SAMPLES:,} samples")
        except ValueError as problem:
            raise SeriesError(str(problem), token.start() + 1) from problem
    if not runs:
        raise SeriesError(f"there is no sample: {FORM}", 1)
    return Series(tuple(value for one in runs for value in one.values), len(runs) == 1 and runs[0].single)


def decimal(text: str) -> Decimal:
    """A number exactly as written."""
    return Decimal(text.replace("_", ""))


def whole(value: Decimal) -> int:
    """The number as an integer; raises ValueError where it is none."""
    if value != value.to_integral_value():
        raise ValueError(f"{value} is no whole number: base units are written 250000e6")
    return int(value)
