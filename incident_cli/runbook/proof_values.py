"""The values that a made-up world gives to reads and parameters: the edges of each type, and what is written."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from incident_cli.binding import Given
from incident_cli.evm import ADDRESS, BYTES32, checksummed, hex_bytes
from incident_cli.expression import Expression, Value
from incident_cli.expression_dimensions import COUNTED, FIXED_BYTES
from incident_cli.expression_syntax import literal
from incident_cli.units import UNIT_WORDS, Amount, Token, parse_amount, parse_bps, parse_duration

ONE_TOKEN = Token("TOKEN", 18)  # for every amount: that two tokens never meet, the types have seen to
COUNTS = (0, 1, 2, 7, 10**18)
MOST_CONSTANTS = 12
MOST_VALUES = 60
ADDRESSES = ("0x" + "0" * 40, checksummed(b"\x01" * 20), checksummed(b"\xfe" * 20))
TEXTS = ("", "a", "b")


def tokens() -> Mapping[str, Token]:
    """The one token there is."""
    return {ONE_TOKEN.symbol: ONE_TOKEN}


def is_token(unit: str | None) -> bool:
    """Whether a unit is a token's symbol."""
    return unit is not None and unit not in UNIT_WORDS


def units_of(text: str) -> Amount:
    """`250000 USDC` in the one token; more decimals than it has are cut."""
    number = text.partition(" ")[0].replace("_", "")
    whole, _, fraction = number.partition(".")
    return parse_amount(f"{whole}.{fraction[:18] or 0} {ONE_TOKEN.symbol}", dict(tokens()))


def two_values(given: Given) -> tuple[Value, Value]:
    """Two values that a parameter may have."""
    value = given.value
    if given.kind == "amount" and isinstance(value, str):
        amount = units_of(value)
        return amount, Amount(2 * amount.units + 1, ONE_TOKEN)
    if isinstance(value, bool):
        return value, not value
    if isinstance(value, int):
        return value, 2 * value + 1
    if given.kind == "address":
        return value, ADDRESSES[1]
    return (value, "0x" + "11" * 32) if given.kind == "bytes32" else (value, value)


def constants(formula: Expression, others: Iterable[Value]) -> tuple[object, ...]:
    """What the expression names by itself, parameters included: numbers (amounts in base units), hex text, text."""
    written = [one for node in ast.walk(formula.tree) if isinstance(node, ast.Constant) for one in meant(node, formula)]
    given = [one.units if isinstance(one, Amount) else one for one in others]
    found: list[object] = [one for one in (*written, *given) if not isinstance(one, bool)]
    return tuple(dict.fromkeys(one for one in found if isinstance(one, int | str)))


def meant(node: ast.Constant, formula: Expression) -> Iterator[object]:
    """A constant as a number or text; text with a unit as each number it may stand for."""
    value = literal(node, formula.text)
    if not isinstance(value, str):
        yield int(value) if isinstance(value, int) else int(str(value).partition(".")[0])
        return
    yield value
    for parse in (parse_bps, parse_duration, lambda text: units_of(text).units):
        try:
            yield parse(value)
        except ValueError:
            continue


def domain(abi: str, pool: Sequence[object]) -> tuple[Value, ...]:
    """The values tried for an ABI type; none for arrays, tuples and the like."""
    texts = [one for one in pool if isinstance(one, str)]
    if COUNTED.fullmatch(abi):
        return counts(abi, [one for one in pool if isinstance(one, int)])
    if abi == "bool":
        return (False, True)
    if abi == "address":
        return (*ADDRESSES, *(one for one in texts if ADDRESS.fullmatch(one)))
    fixed = FIXED_BYTES.fullmatch(abi)
    if fixed is not None:
        return byte_values(int(fixed.group(1)), texts)
    return (*TEXTS, *texts) if abi == "string" else ()


def byte_values(size: int, texts: Iterable[str]) -> tuple[Value, ...]:
    """Bytes of a fixed size."""
    written = (hex_bytes(one) for one in texts if BYTES32.fullmatch(one) or re.fullmatch("0x(?:[0-9a-fA-F]{2})+", one))
    return (bytes(size), b"\x01" * size, b"\xff" * size, *(one for one in written if len(one) == size))


def counts(abi: str, written: Sequence[int]) -> tuple[Value, ...]:
    """Whole numbers of a type: its edges, what is written, its neighbours, and what two written ones make."""
    signed, bits = abi.startswith("int"), int(abi.lstrip("uint"))
    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    named = written[:MOST_CONSTANTS]
    near = [one + step for one in named for step in (0, 1, -1)]
    pairs = [(one, other) for one in named for other in named]
    made = [each for one, other in pairs for each in (one * other, one + other, one - other, one // (other or 1))]
    candidates = (*COUNTS, most, -1, least, *near, *made)
    return tuple(dict.fromkeys(one for one in candidates if least <= one <= most))[:MOST_VALUES]
