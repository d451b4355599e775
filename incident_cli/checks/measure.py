"""An expression over reads, evaluated on a snapshot: `exchange.pool()`, `vault.assets() - vault.debts()`.

Two passes, as everywhere: `reads_of` evaluates with every read unknown and collects what it asks for; `measure`
evaluates with the answers. A read inside another's arguments is asked in the first round, the outer one in the second.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import cast

from incident_cli.checks.check import Wiring
from incident_cli.checks.wording import decimal
from incident_cli.evm import CallRead, Missing, Read, Snapshot, past
from incident_cli.expression import Expression, ExpressionError, Resolver, Unknown, Value, evaluate
from incident_cli.expression_values import with_unit
from incident_cli.protocols.slot import BoundSlot
from incident_cli.protocols.worth import fixed_value
from incident_cli.units import Amount, Token, format_amount, parse_amount, parse_span

Exact = int | Fraction
MOST_PLACES = 18  # of a fraction in words


@dataclass(frozen=True, slots=True)
class ChainValues:
    """Gives names their parameter's value and declared reads their answer; everything asked for is in `asked`."""

    wiring: Wiring
    snapshot: Snapshot | None = None
    asked: list[Read] = field(default_factory=list)

    def name(self, dotted: str) -> Value:
        """A parameter's value; raises LookupError."""
        return self.wiring.values[dotted]

    def call(self, dotted: str, args: tuple[Value, ...]) -> Value:
        """A declared read, now or `ago`; or an amount of a token of the deployment."""
        if dotted == "amount":
            return parse_amount(str(args[0]), dict(self.wiring.tokens))
        if dotted == "now":
            return Unknown("it has not been read yet") if self.snapshot is None else self.snapshot.block.timestamp
        if dotted == "ago":
            read, inner, text = args
            span = parse_span(str(text))
            return self.answered(str(read), cast("tuple[Value, ...]", inner), lambda one: past(one, span))
        return self.answered(dotted, args, lambda one: one)

    def answered(self, dotted: str, args: tuple[Value, ...], moved: Callable[[CallRead], Read]) -> Value:
        """The answer to a declared read, with its unit; several outputs are one value. Unknown where there is none."""
        slot, _, name = dotted.partition(".")
        bound = self.wiring.slots[slot]
        read = moved(bound.read(name, abi_arguments(bound, name, args)))
        self.asked.append(read)
        if self.snapshot is None:
            return Unknown("it has not been read yet")
        definition = bound.protocol.reads[name]
        several = len(definition.call.outputs) > 1 and definition.take is None
        answer = self.snapshot.answer(read) if several else self.snapshot.value(read)
        if isinstance(answer, Missing):
            return Unknown(f"{dotted}: {answer.reason}")
        return with_unit(answer, definition.unit, self.wiring.tokens)


def abi_arguments(slot: BoundSlot, name: str, args: tuple[Value, ...]) -> tuple[Value, ...]:
    """The arguments of a read as its ABI types take them: hex text becomes bytes where bytes are wanted."""
    kinds = [one.type for one in slot.protocol.reads[name].parameters]
    if len(kinds) != len(args):
        raise ValueError(f"{slot.name}.{name} takes {len(kinds)} arguments, here it has {len(args)}")
    return tuple(fixed_value(kind, one) for kind, one in zip(kinds, args, strict=True))


def reads_of(expression: Expression, wiring: Wiring, snapshot: Snapshot | None = None) -> tuple[Read, ...]:
    """Every read an expression asks for; with the answers of a first round, those that depend on them too."""
    probe = ChainValues(wiring, snapshot)
    value_of(expression, probe)
    return tuple(dict.fromkeys(probe.asked))


def value_of(expression: Expression, values: Resolver) -> Value:
    """The value of an expression; what does not go together is unknown with that reason."""
    try:
        return evaluate(expression, values)
    except ExpressionError as problem:
        return Unknown(f"{expression.source!r}: {problem.message}")
    except ValueError as problem:
        return Unknown(f"{expression.source!r}: {problem}")


@dataclass(frozen=True, slots=True)
class Measured:
    """An exact number and its unit (a token's symbol, whose base units it counts, or nothing).

    Compare it before anything is rounded: a ratio of 1.99 that falls to 1.01 has halved.
    """

    value: Exact
    unit: str = ""


def measure(expression: Expression, wiring: Wiring, snapshot: Snapshot) -> Measured | Missing:
    """The number an expression has on a snapshot, or why it has none. A fraction stays one."""
    found = value_of(expression, ChainValues(wiring, snapshot))
    if isinstance(found, Unknown):
        return Missing(found.reason)
    if isinstance(found, Amount):
        return Measured(found.units, found.token.symbol)
    if isinstance(found, bool) or not isinstance(found, int | Decimal):
        return Missing(f"{expression.source!r} is no number")
    return Measured(found if isinstance(found, int) else Fraction(found))


def truth(expression: Expression, wiring: Wiring, snapshot: Snapshot) -> bool | Missing:
    """Whether an expression holds on a snapshot, or why that cannot be said."""
    found = value_of(expression, ChainValues(wiring, snapshot))
    if isinstance(found, Unknown):
        return Missing(found.reason)
    return found if isinstance(found, bool) else Missing(f"{expression.source!r} is neither true nor false")


def in_words(found: Measured, tokens: Mapping[str, Token]) -> str:
    """`1,234.50 USDC`, `1.99` or the number itself; what is beyond 18 decimals is left out."""
    token = tokens.get(found.unit)
    if token is not None:
        return format_amount(math.floor(found.value), token)
    whole = found.value.denominator == 1
    shown = f"{int(found.value):,}" if whole else decimal(math.floor(found.value * 10**MOST_PLACES), MOST_PLACES, 2)
    return f"{shown} {found.unit}".rstrip()


def distance(one: Exact, other: Exact) -> Exact:
    """|one − other|"""
    return one - other if one > other else other - one


def of_one_unit(*found: Measured) -> Missing | None:
    """Why these numbers cannot be set against each other, or None where they can."""
    units = list(dict.fromkeys(one.unit or "a number without a unit" for one in found))
    return None if len(units) < 2 else Missing(f"{units[0]} cannot be set against {units[1]}")
