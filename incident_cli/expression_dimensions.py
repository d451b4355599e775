"""The types of values, and what becomes of them in a calculation: dimensions, as in physics.

A number carries its dimension: basis points, seconds and a token, each with an exponent, so that
`capacity * max_drop // 10_000` is an amount again and `capacity * seconds` compares with its like. A point in time is
a type of its own: two of them differ by seconds. `ANY` is a type that is not known at load; it is never an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

ANY_TOKEN = "?"  # noqa: S105 - of a deployment, not of a service
Sort = Literal["any", "truth", "number", "time", "text", "bytes", "address", "market", "other"]


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a value. Numbers have a dimension (`token` and the exponents of `bps` and `seconds`); `whole` is
    false for fractions and `size` is the length of bytes where it is fixed: neither makes another type."""

    sort: Sort
    token: str = ""
    bps: int = 0
    seconds: int = 0
    abi: str = ""
    whole: bool = field(default=True, compare=False)
    size: int = field(default=0, compare=False)

    def __str__(self) -> str:
        if self in WORDS or self.sort != "number":
            return WORDS.get(self, self.abi or self.sort)
        powers = [("bps", self.bps), ("seconds", self.seconds)]
        amount = [WORDS.get(amount_of(self.token), f"an amount of {self.token}")] if self.token else []
        return " × ".join(amount + [name if power == 1 else f"{name}^{power}" for name, power in powers if power])

    @property
    def is_number(self) -> bool:
        """Whether it is counted, in whatever unit."""
        return self.sort == "number"

    @property
    def is_ordered(self) -> bool:
        """Whether < and > make sense."""
        return self.sort in ("number", "time", "any")


def amount_of(token: str) -> Type:
    """An amount of a token; `?` where the token is not known at load."""
    return Type("number", token=token)


ANY, TRUTH, NUMBER, TIME = Type("any"), Type("truth"), Type("number"), Type("time")
BPS, SECONDS = Type("number", bps=1), Type("number", seconds=1)
TEXT, BYTES, ADDRESS, MARKET = Type("text"), Type("bytes"), Type("address"), Type("market")
AMOUNT_OF_ANY_TOKEN = amount_of(ANY_TOKEN)
WORDS: Mapping[Type, str] = {
    TRUTH: "True or False",
    NUMBER: "a number",
    BPS: "bps",
    SECONDS: "seconds",
    TIME: "a time",
    TEXT: "text",
    ADDRESS: "an address",
    MARKET: "a market",
    AMOUNT_OF_ANY_TOKEN: "an amount",
    ANY: "unknown",
}


PARAMETERS: Mapping[str, Type] = {
    "market": MARKET,
    "bool": TRUTH,
    "int": NUMBER,
    "bps": BPS,
    "duration": SECONDS,
    "amount": AMOUNT_OF_ANY_TOKEN,
    "address": ADDRESS,
    "bytes32": replace(BYTES, size=32),
    "bytes16": replace(BYTES, size=16),
}
UNITS: Mapping[str, Type] = {"bps": BPS, "seconds": SECONDS, "time": TIME, "number": NUMBER}
COUNTED = re.compile(r"u?int[0-9]{1,3}")
FIXED_BYTES = re.compile(r"bytes([0-9]{1,2})")


def type_of_parameter(kind: str) -> Type:
    """The type of a parameter declared in YAML as `market`, `bps`, …; ANY for a kind that is not known here."""
    return PARAMETERS.get(kind, ANY)


def type_of_abi(abi: str, unit: str | None = None) -> Type:
    """The type of a value of an ABI type; `unit` says what a number means (bps, seconds, time, number or a token)."""
    if COUNTED.fullmatch(abi):
        return NUMBER if unit is None else UNITS.get(unit, amount_of(unit))
    fixed = FIXED_BYTES.fullmatch(abi)
    if fixed is not None:
        return replace(BYTES, size=int(fixed.group(1)))
    return {"bool": TRUTH, "address": ADDRESS, "string": TEXT, "bytes": BYTES}.get(abi, Type("other", abi=abi))


@dataclass(frozen=True, slots=True)
class Call:
    """A declared read as a call: the ABI types of its arguments and the type of its value."""

    inputs: tuple[str, ...]
    output: Type


def call_of(inputs: Sequence[str], outputs: Sequence[str], unit: str | None = None) -> Call:
    """A read that takes and gives these ABI types; several outputs are one value that only equals its like."""
    value = type_of_abi(outputs[0], unit) if len(outputs) == 1 else Type("other", abi=f"({','.join(outputs)})")
    return Call(tuple(inputs), value)


def fits_abi(abi: str, value: Type) -> bool:
    """Whether a value is taken as an argument of this ABI type."""
    if value == ANY or (value == MARKET and abi == "bytes32"):
        return True
    if COUNTED.fullmatch(abi):
        return (value.is_number or value == TIME) and value.whole
    return alike(type_of_abi(abi), value) is not None


def same_token(left: Type, right: Type) -> tuple[Type, Type]:
    """Both types, a token that is not known taken for the other's."""
    if left.token == ANY_TOKEN and right.token:
        return replace(left, token=right.token), right
    if right.token == ANY_TOKEN and left.token:
        return left, replace(right, token=left.token)
    return left, right


def alike(left: Type, right: Type) -> Type | None:
    """The type of two values of one kind; None where they are of two."""
    if ANY in (left, right):
        return ANY
    left, right = same_token(left, right)
    if left != right or (left.size and right.size and left.size != right.size):
        return None
    return replace(left, whole=left.whole and right.whole)


def total(symbol: str, left: Type, right: Type) -> Type | None:
    """left + right and left - right: of one kind, or a time and seconds."""
    if left == TIME and right in (SECONDS, TIME) and (symbol == "-" or right == SECONDS):
        return replace(SECONDS if right == TIME else TIME, whole=left.whole and right.whole)
    if symbol == "+" and (left, right) == (SECONDS, TIME):
        return replace(TIME, whole=left.whole and right.whole)
    return alike(left, right) if left.is_number and right.is_number else None


def product(left: Type, right: Type) -> Type | None:
    """left * right; None where two tokens would be multiplied, or an amount by a fraction."""
    whole, token = left.whole and right.whole, left.token or right.token
    if not (left.is_number and right.is_number) or (left.token and right.token) or (token and not whole):
        return None
    return Type("number", token, left.bps + right.bps, left.seconds + right.seconds, whole=whole)


def quotient(symbol: str, left: Type, right: Type) -> Type | None:
    """left / right and left // right; None where an amount would be divided into fractions, or divide what is none."""
    if left == TIME and symbol == "//" and right in (SECONDS, NUMBER) and left.whole and right.whole:
        return NUMBER  # the number of a day, as in `updated // 86_400`
    left, right = same_token(left, right)
    if not (left.is_number and right.is_number) or (right.token and left.token != right.token):
        return None
    token = "" if right.token else left.token
    if token and (symbol == "/" or not right.whole):
        return None
    whole = symbol == "//" and left.whole and right.whole
    return Type("number", token, left.bps - right.bps, left.seconds - right.seconds, whole=whole)


def remainder(left: Type, right: Type) -> Type | None:
    """left % right: of one kind, or by a number; a time by seconds is the time of day."""
    whole = left.whole and right.whole
    if left == TIME:
        return replace(SECONDS, whole=whole) if right in (SECONDS, NUMBER) else None
    if not (left.is_number and right.is_number):
        return None
    return replace(left, whole=whole) if right == NUMBER and not left.token else alike(left, right)
