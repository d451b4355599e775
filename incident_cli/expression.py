"""The safe expression language of runbooks: `firing(divergence) and not exchange.market_paused(market)`.

Names and calls mean what the `Resolver` says; everything else is a fixed table. `parse` when the runbook is loaded,
`check` what it mentions against what is declared, `evaluate` as often as needed. No Python is ever run.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from incident_cli import expression_values as values
from incident_cli.expression_syntax import (
    AGO,
    ARITHMETIC,
    COMPARISONS,
    LASTING,
    NAME_ARGUMENTS,
    RESOLVED,
    Expression,
    ExpressionError,
    Mention,
    dotted,
    literal,
    parse,
    with_column,
)
from incident_cli.expression_values import FUNCTIONS, Unknown, Value
from incident_cli.text import plain

__all__ = [
    "NAME_ARGUMENTS",
    "Expression",
    "ExpressionError",
    "Resolver",
    "Unknown",
    "Value",
    "check",
    "evaluate",
    "parse",
]


class Resolver(Protocol):
    """Gives names and calls their values. A LookupError says that there is no such name."""

    def name(self, dotted: str) -> Value:
        """The value of a name such as `market` or `before.supply_paused`; Unknown where it could not be had."""

    def call(self, dotted: str, args: tuple[Value, ...]) -> Value:
        """The value of a call. For `NAME_ARGUMENTS` the first argument is the name itself; durations are seconds.
        `amount` is given its text; `ago` a read's name, the tuple of its arguments and the span as text."""


def check(
    expression: Expression,
    names: Collection[str],
    calls: Mapping[str, int],
    checks: Collection[str] | None = None,
) -> list[ExpressionError]:
    """Every name, call and check that is not declared. `calls` gives the number of arguments of each declared read
    (-1: any number); `checks` None means that this place may not ask about checks."""
    functions = {*FUNCTIONS, *RESOLVED, *(() if checks is None else NAME_ARGUMENTS)}
    found: list[ExpressionError] = []
    for one in expression.mentions:
        if one.role == "call" and one.name in calls:
            found.extend(wrong_count(one, calls[one.name]))
        elif one.role == "call" and one.name not in functions:
            found.append(unknown_mention(one, {*calls, *functions}, "function or read", names))
        elif one.role == "name" and one.name not in names:
            found.append(unknown_mention(one, names, "name", calls))
        elif one.role == "check" and checks is not None and one.name not in checks:
            found.append(unknown_mention(one, checks, "check", ()))
    return found


def wrong_count(mention: Mention, wanted: int) -> list[ExpressionError]:
    """The error for a declared call with the wrong number of arguments, or none."""
    if wanted in (-1, len(mention.args)):
        return []
    message = f"{mention.name} takes {wanted} argument{'' if wanted == 1 else 's'}, here it has {len(mention.args)}"
    return [ExpressionError(message, mention.column)]


def unknown_mention(mention: Mention, known: Collection[str], what: str, other: Collection[str]) -> ExpressionError:
    """A name that is not declared, with the nearest one that is."""
    if mention.name in other:
        hint = f"write `{mention.name}`" if mention.role == "call" else f"write `{mention.name}(…)`"
    else:
        near = difflib.get_close_matches(mention.name, sorted(known), 1)
        hint = f"did you mean `{near[0]}`?" if near else ""
    return ExpressionError(f"there is no {what} `{mention.name}` here", mention.column, hint)


def evaluate(expression: Expression, resolve: Resolver) -> Value:
    """The value of an expression; raises ExpressionError where values do not go together."""
    return Evaluation(expression.text, resolve).value(expression.tree)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation. `and`, `or` and chained comparisons stop as soon as they are decided."""

    text: str
    resolve: Resolver

    def value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant():
                return literal(node, self.text)
            case ast.BoolOp():
                return self.decided(node.values, isinstance(node.op, ast.Or))
            case ast.UnaryOp():
                sign = values.negated if isinstance(node.op, ast.Not) else values.minus
                operand = self.value(node.operand)
                return with_column(node.operand, lambda: sign(operand))
            case ast.BinOp():
                left, right = self.value(node.left), self.value(node.right)
                return with_column(node.right, lambda: values.computed(ARITHMETIC[type(node.op)], left, right))
            case ast.Compare():
                return self.chain(node)
            case ast.Call():
                return self.call(node)
            case _:
                name = dotted(node) or ""
                return self.resolved(node, name, lambda: self.resolve.name(name))

    def decided(self, nodes: Sequence[ast.expr], decisive: bool) -> bool | Unknown:
        """Kleene's or (`decisive` True) and and (`decisive` False)."""
        unknown: Unknown | None = None
        for node in nodes:
            value = self.value(node)
            found = with_column(node, lambda value=value: values.truth(value))  # type: ignore[misc]
            if found is decisive:
                return decisive
            if unknown is None and isinstance(found, Unknown):
                unknown = found
        return unknown if unknown is not None else not decisive

    def chain(self, node: ast.Compare) -> bool | Unknown:
        """`a < b < c` as `a < b and b < c`, with b evaluated once."""
        unknown: Unknown | None = None
        left = self.value(node.left)
        for operation, operand in zip(node.ops, node.comparators, strict=True):
            right = self.value(operand)
            found = self.compared(COMPARISONS[type(operation)], left, right, operand)
            if found is False:
                return False
            if unknown is None and isinstance(found, Unknown):
                unknown = found
            left = right
        return True if unknown is None else unknown

    def compared(self, symbol: str, left: Value, right: Value, place: ast.expr) -> bool | Unknown:
        return with_column(place, lambda: values.compared(symbol, left, right))

    def call(self, node: ast.Call) -> Value:
        name = dotted(node.func) or ""
        if name in NAME_ARGUMENTS:
            return self.resolved(node, name, lambda: self.resolve.call(name, self.check_arguments(name, node)))
        if name == AGO:
            return self.ago(node)
        args = tuple(self.value(one) for one in node.args)
        if name in FUNCTIONS:
            return with_column(node, lambda: values.applied(name, args))
        unknown = values.first_unknown(args)
        return unknown if unknown is not None else self.resolved(node, name, lambda: self.resolve.call(name, args))

    def ago(self, node: ast.Call) -> Value:
        """A read as it was: its arguments are evaluated now, its value is the resolver's to find."""
        read, span = node.args
        assert isinstance(read, ast.Call), "parsed"
        args = tuple(self.value(one) for one in read.args)
        unknown = values.first_unknown(args)
        if unknown is not None:
            return unknown
        asked = (dotted(read.func) or "", args, literal(span, self.text) if isinstance(span, ast.Constant) else "")
        return self.resolved(node, AGO, lambda: self.resolve.call(AGO, asked))

    def check_arguments(self, name: str, node: ast.Call) -> tuple[Value, ...]:
        """The check's name, and for `quiet_for` and `firing_for` the seconds."""
        check_name = dotted(node.args[0]) or ""
        if name not in LASTING:
            return (check_name,)
        lasting = self.value(node.args[1])
        return check_name, with_column(node.args[1], lambda: values.applied("duration", [lasting]))

    def resolved(self, node: ast.expr, name: str, resolve: Callable[[], Value]) -> Value:
        """What the resolver answers, admitted as a value."""
        try:
            value = resolve()
        except LookupError as problem:
            raise ExpressionError(f"there is no `{plain(name)}` here", node.col_offset + 1) from problem
        return with_column(node, lambda: values.admit(value))
