"""What a protocol file computes: a formula, or a list of formulas for a tuple or an array of the ABI.

Beside the functions of every expression, those of a protocol file build what contracts use as keys and bitmaps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any

from incident_cli.abi import Parameter, encode, parse_signature
from incident_cli.binding import EXPRESSION, Nested
from incident_cli.evm import hex_bytes, keccak
from incident_cli.expression import Expression, ExpressionError, Value, evaluate

Worth = Annotated[Any, Nested(EXPRESSION)]  # an Expression, or a tuple of such, tuples within tuples included
WORD_BITS = 256
TEXT_BYTES = 32


def expressions(worth: Worth) -> Iterator[Expression]:
    """Every formula of a worth."""
    if isinstance(worth, Expression):
        yield worth
    else:
        for one in worth:
            yield from expressions(one)


def computed(worth: Worth, value_of: Callable[[Expression], Value]) -> Value:
    """The value: a formula's, or a tuple of values."""
    return value_of(worth) if isinstance(worth, Expression) else tuple(computed(one, value_of) for one in worth)


def fitted(kind: str, value: Value, components: Sequence[Parameter] = ()) -> Value:
    """A value as its ABI type takes it: hex text becomes bytes where bytes are wanted; raises ValueError."""
    if not isinstance(value, tuple | list):
        return fixed_value(kind, value)
    if kind.endswith("]"):
        inner = kind[: kind.rindex("[")]
        return tuple(fitted(inner, one, components) for one in value)
    if len(components) != len(value):
        raise ValueError(f"{kind} has {len(components)} parts, here it has {len(value)}")
    return tuple(fitted(one.type, part, one.components) for one, part in zip(components, value, strict=True))


def fixed_value(kind: str, value: Value) -> Value:
    """A value for a parameter of this ABI type: hex text becomes bytes where bytes are wanted; raises ValueError."""
    if not (isinstance(value, str) and kind.startswith("bytes")):
        return value
    found, size = hex_bytes(value), kind.removeprefix("bytes")
    if size.isdigit() and len(found) != int(size):
        raise ValueError(f"it has {len(found)} bytes")  # the codec would fill it up with zeros
    return found


def hashed(value: Value) -> bytes:
    """`keccak(x)`: Keccak-256 of bytes, or of a text's UTF-8 (`keccak('PAUSER_ROLE')`)."""
    return keccak(value if isinstance(value, bytes) else text(value).encode())


def packed(types: Value, *values: Value) -> bytes:
    """`abi('address,uint256', a, b)`: the values as Solidity's abi.encode writes them."""
    wanted = parse_signature(f"encode({text(types)})").inputs
    if len(wanted) != len(values):
        raise ValueError(f"abi({text(types)!r}) takes {len(wanted)} values, here it has {len(values)}")
    fit = [fitted(one.type, value, one.components) for one, value in zip(wanted, values, strict=True)]
    return encode([one.type for one in wanted], fit)


def joined(*parts: Value) -> bytes:
    """`concat(a, b)`: bytes one after the other."""
    if not all(isinstance(one, bytes) for one in parts):
        raise ValueError("concat joins bytes, such as those of abi(…), keccak(…) and hex('0x…')")
    return b"".join(one for one in parts if isinstance(one, bytes))


def from_hex(value: Value) -> bytes:
    """`hex('0x…')`: the bytes of hex text."""
    return hex_bytes(text(value))


def text32(value: Value) -> bytes:
    """`text32('sETH')`: ASCII text as bytes32, filled up with zeros on the right."""
    found = text(value).encode("ascii")
    if not 0 < len(found) <= TEXT_BYTES:
        raise ValueError("a text of 1 to 32 bytes is needed")
    return found.ljust(TEXT_BYTES, b"\0")


def with_bit(value: Value, bit: Value) -> int:
    """`set_bit(x, n)`: x with its n-th bit set, counted from 0."""
    return whole(value) | 1 << whole(bit, WORD_BITS)


def has_bit(value: Value, bit: Value) -> bool:
    """`has_bit(x, n)`: whether the n-th bit of x is set."""
    return bool(whole(value) >> whole(bit, WORD_BITS) & 1)


def contains(many: Value, one: Value) -> bool:
    """`contains(callers, by)`: whether a list holds a value."""
    if not isinstance(many, tuple | list):
        raise ValueError("a list is needed first, such as the answer of a view that returns address[]")
    return one in many


def either(condition: Value, yes: Value, no: Value) -> Value:
    """`either(limited, capacity, 0)`: the second where the first holds, else the third."""
    if not isinstance(condition, bool):
        raise ValueError("a condition is needed first")
    return yes if condition else no


def text(value: Value) -> str:
    """Text; raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("a text in quotes is needed")
    return value


def whole(value: Value, below: int = 1 << WORD_BITS) -> int:
    """A whole number from 0; raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < below:
        raise ValueError(f"a whole number from 0 to {below - 1 if below <= WORD_BITS else '2^256 - 1'} is needed")
    return value


FUNCTIONS: Mapping[str, Callable[..., Value]] = MappingProxyType(
    {
        "keccak": hashed,
        "abi": packed,
        "concat": joined,
        "hex": from_hex,
        "text32": text32,
        "set_bit": with_bit,
        "has_bit": has_bit,
        "contains": contains,
        "either": either,
    }
)


def applied(name: str, args: tuple[Value, ...]) -> Value:
    """What a function of protocol files gives; raises ExpressionError where its arguments do not serve."""
    if name not in FUNCTIONS:
        raise LookupError(name)
    try:
        return FUNCTIONS[name](*args)
    except (TypeError, ValueError) as problem:
        raise ExpressionError(f"{name}: {problem}") from problem


class Literals:
    """Resolves no name, only the functions of protocol files: for formulas of literals alone."""

    def name(self, dotted: str) -> Value:
        """There is none."""
        raise LookupError(dotted)

    def call(self, dotted: str, args: tuple[Value, ...]) -> Value:
        """A function's value."""
        return applied(dotted, args)


def misfit(formula: Expression, kind: str) -> str | None:
    """Why a literal is no value of this ABI type, or None where it is one."""
    try:
        encode([kind], [fixed_value(kind, evaluate(formula, Literals()))])
    except (ExpressionError, ValueError) as problem:
        return str(problem)
    return None
