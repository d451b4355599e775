"""The values of the expression language: kinds, three-valued logic, comparison, arithmetic and the fixed functions.

Nothing here knows the syntax. Values of different kinds are never compared or combined: that is a `MismatchError`,
not False. `Unknown` follows Kleene: it spreads through everything but a decided `and` or `or`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Any, TypeGuard

from incident_cli.evm import ADDRESS, BYTES32, Missing, hex_bytes
from incident_cli.text import plain
from incident_cli.units import UNIT_WORDS, Amount, Token, parse_bps, parse_duration

RESULT_LIMIT = 2**512
PRECISION = 200
ARITHMETIC = Context(prec=PRECISION, traps=[DivisionByZero, InvalidOperation, Overflow])


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that could not be had, and why. It is neither true nor false: asking Python for its truth raises."""

    reason: str

    def __bool__(self) -> bool:
        raise TypeError("an unknown is neither true nor false")


Value = bool | int | Decimal | str | bytes | Unknown | Amount | object


class MismatchError(ValueError):
    """Values that do not go together; the expression adds the column."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def admit(value: Value) -> Value:
    """A value from outside or from arithmetic, refused where the language has no such value."""
    if isinstance(value, Missing):
        return Unknown(plain(value.reason))
    if isinstance(value, float):
        raise MismatchError("a floating-point number is never a value here", "use whole numbers, or decimals as text")
    if isinstance(value, Decimal) and not (value.is_finite() and abs(value.adjusted()) <= PRECISION):
        raise MismatchError("a number is out of bounds")
    size = value.units if isinstance(value, Amount) else value
    if isinstance(size, int) and abs(size) > RESULT_LIMIT:
        raise MismatchError("a number is beyond 2**512")
    return value


def is_number(value: Value) -> bool:
    """A whole number or a Decimal; True and False are not numbers."""
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def kind(value: Value) -> object:
    """What a value may be compared with: values of one kind have equal answers here."""
    if is_number(value):
        return Decimal
    return (Amount, value.token) if isinstance(value, Amount) else type(value)


def described(value: Value) -> str:
    """The kind of a value in words."""
    if isinstance(value, bool):
        return "True or False"
    if is_number(value):
        return "a number"
    if isinstance(value, Amount):
        return plain(f"an amount of {value.token.symbol}")
    if isinstance(value, str | bytes):
        return "text" if isinstance(value, str) else "bytes"
    return f"a value of type {type(value).__name__}"


def with_unit(value: Value, unit: str | None, tokens: Mapping[str, Token]) -> Value:
    """A read's answer with the unit its protocol file declares: base units of a token become an Amount, whole numbers
    of bps, seconds and time stay as they are. Unknown where the deployment does not have the token."""
    if unit is None or unit in UNIT_WORDS or not is_whole(value):
        return value
    token = tokens.get(unit)
    if token is None:
        return Unknown(plain(f"the deployment has no token {unit}, in which this is counted"))
    return Amount(value, token)


def first_unknown(values: Iterable[Value]) -> Unknown | None:
    """The first unknown among values."""
    return next((one for one in values if isinstance(one, Unknown)), None)


def truth(value: Value) -> bool | Unknown:
    """A truth value; numbers and text are not true or false by themselves."""
    if isinstance(value, bool | Unknown):
        return value
    raise MismatchError(f"True or False is needed, this is {described(value)}", "compare it, as in `x > 0`")


def negated(value: Value) -> bool | Unknown:
    """Kleene's not."""
    found = truth(value)
    return found if isinstance(found, Unknown) else not found


COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compared(symbol: str, left: Value, right: Value) -> bool | Unknown:
    """Two values of one kind compared; only numbers and amounts have an order."""
    unknown = first_unknown((left, right))
    if unknown is not None:
        return unknown
    left, right = same_kind(*zero_as_amount(left, right))
    if symbol not in ("==", "!=") and not (is_number(left) or isinstance(left, Amount)):
        raise MismatchError(f"'{symbol}' compares numbers or amounts, this is {described(left)}", "use == or !=")
    return bool(COMPARISONS[symbol](left, right))


def zero_as_amount(left: Value, right: Value) -> tuple[Value, Value]:
    """A whole 0 beside an amount as nothing of the same token: the one number that needs no unit."""
    if isinstance(left, Amount) and is_whole(right) and right == 0:
        return left, Amount(0, left.token)
    if isinstance(right, Amount) and is_whole(left) and left == 0:
        return Amount(0, right.token), right
    return left, right


def same_kind(left: Value, right: Value) -> tuple[Value, Value]:
    """Both values in one comparable form: addresses without their case, hex text beside bytes as bytes."""
    if isinstance(left, bytes) and isinstance(right, str):
        return left, bytes_like(right, left)
    if isinstance(left, str) and isinstance(right, bytes):
        return bytes_like(left, right), right
    if kind(left) != kind(right):
        raise MismatchError(f"{described(left)} cannot be compared with {described(right)}", hint_for(left, right))
    if isinstance(left, str) and isinstance(right, str) and is_hex(left) and is_hex(right):
        return left.lower(), right.lower()  # one address or id, whichever case its digits have
    return left, right


def is_hex(text: str) -> bool:
    """An address, or 32 bytes."""
    return bool(ADDRESS.fullmatch(text) or BYTES32.fullmatch(text))


def bytes_like(text: str, beside: bytes) -> bytes:
    """Hex text as bytes of the same length as those it is compared with."""
    try:
        found = hex_bytes(text)
    except ValueError as problem:
        raise MismatchError("bytes can only be compared with bytes or 0x… text") from problem
    if len(found) != len(beside):
        raise MismatchError(f"{len(found)} bytes are compared with {len(beside)} bytes")
    return found


def hint_for(left: Value, right: Value) -> str:
    """What to write instead, for the mistakes people make."""
    if isinstance(left, Amount) or isinstance(right, Amount):
        return "an amount is compared with an amount of the same token"
    if isinstance(left, bool) or isinstance(right, bool):
        return "a truth value is compared with True or False"
    return "both sides must be of one kind"


def floor_division(left: int | Decimal, right: int | Decimal) -> tuple[int | Decimal, int | Decimal]:
    """Quotient and remainder rounded down for both kinds of number (Decimal's own operators round to zero)."""
    if isinstance(left, int) and isinstance(right, int):
        return divmod(left, right)
    quotient, remainder = ARITHMETIC.divmod(Decimal(left), Decimal(right))
    if remainder and (remainder < 0) != (right < 0):
        return ARITHMETIC.subtract(quotient, Decimal(1)), ARITHMETIC.add(remainder, Decimal(right))
    return quotient, remainder


def number_result(symbol: str, left: int | Decimal, right: int | Decimal) -> int | Decimal:
    """Arithmetic of two numbers; `/` always gives a Decimal."""
    if symbol == "/":
        return ARITHMETIC.divide(Decimal(left), Decimal(right))
    if symbol in ("//", "%"):
        return floor_division(left, right)[symbol == "%"]
    if isinstance(left, int) and isinstance(right, int):
        return {"+": operator.add, "-": operator.sub, "*": operator.mul}[symbol](left, right)  # type: ignore[no-any-return]
    exact = {"+": ARITHMETIC.add, "-": ARITHMETIC.subtract, "*": ARITHMETIC.multiply}[symbol]
    return exact(Decimal(left), Decimal(right))


def amount_result(symbol: str, left: Value, right: Value) -> Value:
    """Arithmetic with amounts: sums and ratios of one token, whole multiples and parts."""
    if symbol in ("+", "-"):
        left, right = zero_as_amount(left, right)
    if isinstance(left, Amount) and isinstance(right, Amount):
        if left.token == right.token and symbol in ("+", "-"):
            return Amount(left.units + right.units if symbol == "+" else left.units - right.units, left.token)
        if left.token == right.token and symbol in ("/", "//"):
            return number_result(symbol, left.units, right.units)
        if left.token == right.token and symbol == "%":
            return Amount(left.units % right.units, left.token)
    elif isinstance(left, Amount) and is_whole(right) and symbol in ("*", "//"):
        return Amount(left.units * right if symbol == "*" else left.units // right, left.token)
    elif isinstance(right, Amount) and is_whole(left) and symbol == "*":
        return Amount(left * right.units, right.token)
    raise MismatchError(
        f"'{symbol}' cannot join {described(left)} and {described(right)}",
        "amounts: sums and ratios of one token, whole multiples (* 7) and whole parts (// 10)",
    )


def is_whole(value: Value) -> TypeGuard[int]:
    """A whole number, and not a truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def computed(symbol: str, left: Value, right: Value) -> Value:
    """`left symbol right` for numbers and amounts; text is never added or multiplied."""
    unknown = first_unknown((left, right))
    if unknown is not None:
        return unknown
    try:
        if (
            isinstance(left, int | Decimal)
            and isinstance(right, int | Decimal)
            and is_number(left)
            and is_number(right)
        ):
            return admit(number_result(symbol, left, right))
        return admit(amount_result(symbol, left, right))
    except ZeroDivisionError as problem:
        raise MismatchError("division by zero", "guard it, as in `x != 0 and y / x > 2`") from problem
    except InvalidOperation as problem:  # 0 / 0 among decimals, or a quotient of too many digits
        raise MismatchError("this division has no answer") from problem
    except Overflow as problem:
        raise MismatchError("a number is out of bounds") from problem


def minus(value: Value) -> Value:
    """The negative of a number or an amount."""
    if isinstance(value, Unknown):
        return value
    if isinstance(value, Amount):
        return Amount(-value.units, value.token)
    return computed("-", 0, value)


def magnitude(value: Value) -> Value:
    """abs(x)"""
    return minus(value) if compared("<", value, computed("-", value, value)) else value


def zeros_as_amounts(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Every whole 0 among amounts as nothing of the token of the first."""
    amount = next((one for one in values if isinstance(one, Amount)), None)
    return values if amount is None else tuple(zero_as_amount(amount, one)[1] for one in values)


def smallest(*values: Value) -> Value:
    """min(a, b, …)"""
    chosen, *_ = values = zeros_as_amounts(values)
    for value in values[1:]:
        chosen = value if compared("<", value, chosen) else chosen
    return chosen


def largest(*values: Value) -> Value:
    """max(a, b, …)"""
    chosen, *_ = values = zeros_as_amounts(values)
    for value in values[1:]:
        chosen = value if compared(">", value, chosen) else chosen
    return chosen


def basis_points(value: Value) -> int:
    """bps(150), bps('1.5%') → 150"""
    if is_whole(value):
        return value
    return parsed(parse_bps, value)


def seconds(value: Value) -> int:
    """duration('1h30m') → 5400; whole seconds stay as they are"""
    if is_whole(value):
        return value
    return parsed(parse_duration, value)


def parsed(parse: Callable[[str], int], value: Value) -> int:
    """Text with a unit, read by its parser."""
    if not isinstance(value, str):
        raise MismatchError(f"text with a unit is needed, this is {described(value)}")
    try:
        return parse(value)
    except ValueError as problem:
        raise MismatchError(str(problem)) from problem


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the fixed table: what it computes and how many arguments it takes (`most` -1: any number)."""

    compute: Callable[..., Value]
    least: int = 1
    most: int = 1


FUNCTIONS: Mapping[str, Function] = {
    "abs": Function(magnitude),
    "min": Function(smallest, 1, -1),
    "max": Function(largest, 1, -1),
    "bps": Function(basis_points),
    "duration": Function(seconds),
}


def applied(name: str, args: Sequence[Value]) -> Value:
    """A fixed function applied; an unknown argument makes an unknown result."""
    unknown = first_unknown(args)
    return admit(FUNCTIONS[name].compute(*args)) if unknown is None else unknown
