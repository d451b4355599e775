"""The types of expressions, known when a runbook is loaded: `infer` finds what would not go together at run time.

It walks the same tree as the evaluation, once, and notes every operand that does not fit, at its column.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from incident_cli.evm import ADDRESS as ADDRESS_FORM
from incident_cli.evm import checksummed, hex_bytes
from incident_cli.expression_dimensions import (
    ADDRESS,
    AMOUNT_OF_ANY_TOKEN,
    ANY,
    ANY_TOKEN,
    BPS,
    BYTES,
    MARKET,
    NUMBER,
    SECONDS,
    TEXT,
    TIME,
    TRUTH,
    Call,
    Type,
    alike,
    amount_of,
    call_of,
    fits_abi,
    product,
    quotient,
    remainder,
    total,
    type_of_abi,
    type_of_parameter,
)
from incident_cli.expression_syntax import (
    AGO,
    AMOUNT,
    ARITHMETIC,
    COMPARISONS,
    LASTING,
    NAME_ARGUMENTS,
    NOW,
    Expression,
    ExpressionError,
    column,
    dotted,
    literal_text,
    segment,
)
from incident_cli.units import amount_parts

__all__ = [
    "ADDRESS",
    "AMOUNT_OF_ANY_TOKEN",
    "ANY",
    "BPS",
    "BYTES",
    "MARKET",
    "NUMBER",
    "SECONDS",
    "TEXT",
    "TIME",
    "TRUTH",
    "Call",
    "Inferred",
    "Type",
    "amount_of",
    "call_of",
    "infer",
    "type_of_abi",
    "type_of_parameter",
]

BPS_IN_ONE = 10_000
SHOWN = 40
LITERALS: Mapping[type, Type] = {bool: TRUTH, str: TEXT, int: NUMBER}


@dataclass(frozen=True, slots=True)
class Inferred:
    """What an expression's value will be (ANY where that is not known), and every operand that is wrong."""

    type: Type
    errors: tuple[ExpressionError, ...]


def infer(
    expression: Expression, names: Mapping[str, Type], calls: Mapping[str, Call], wanted: Type | None = None
) -> Inferred:
    """The type of an expression and every operand that does not fit, in reading order. `wanted` is the type its place
    needs (TRUTH for `when`). A name or call that is not declared is ANY: that it is missing, `check` says."""
    inference = Inference(expression.text, names, calls)
    found = inference.type(expression.tree)
    if wanted is not None:
        inference.needed(expression.tree, found, wanted)
    return Inferred(found, tuple(sorted(inference.errors, key=lambda one: one.column)))


def literal_number(node: ast.expr) -> int | float | None:
    """The value of a number without a unit as the source writes it, None for anything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = literal_number(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return node.value
    return None


def described(operand: Operand) -> str:
    """The type of an operand in words, fractions told from whole numbers."""
    return "a fraction" if operand.type == NUMBER and not operand.type.whole else str(operand.type)


@dataclass(frozen=True, slots=True)
class Operand:
    """An operand with its type."""

    node: ast.expr
    type: Type

    @property
    def is_bare(self) -> bool:
        """Whether it is a number without a unit as the source writes it."""
        return self.type == NUMBER and literal_number(self.node) is not None

    @property
    def is_nothing(self) -> bool:
        """Whether it is the literal 0, which needs no unit."""
        return isinstance(self.node, ast.Constant) and type(self.node.value) is int and self.node.value == 0

    @property
    def takes_nothing(self) -> bool:
        """Whether 0 may stand beside it."""
        return self.type.is_number or self.type == TIME


def hint_beside(lone: Operand, other: Type) -> str:
    """What to write instead of a number or a text that has no unit beside something that has one."""
    number, text = literal_number(lone.node), literal_text(lone.node)
    written = str(number) if isinstance(number, int) else ""
    if other == BPS:
        return f"write bps({written}) or bps('1.5%')" if written else "write bps('1.5%')"
    if other == TIME:
        span = written or "'1h'"
        return f"write duration({span}) to add it; an age is `now() - …`, compared with duration('1h')"
    if other == SECONDS:
        return f"write duration({written}) or duration('1h')" if written else f"write duration('{text or '1h'}')"
    if other.token and other == amount_of(other.token):
        return f"write amount('250000 {'USDC' if other.token == ANY_TOKEN else other.token}')"
    return ""


def hint_between(left: Type, right: Type, both: str) -> str:
    """What to do about two kinds that do not go together; `both` says which is what."""
    hint = f"both sides must be of one kind: {both}"
    if left.token and right.token and left.bps != right.bps:
        return f"{hint}; a share in bps is divided by 10_000, as in `x * max // 10_000`"
    if NUMBER in (left, right) and (left.token or right.token):
        return f"{hint}; a read counts base units unless its protocol file declares `unit:`"
    if NUMBER in (left, right) and (left.is_ordered and right.is_ordered):
        return f"{hint}; a protocol file declares a read's `unit:`"
    return hint


def fits_text(text: str, wanted: Type) -> bool:
    """Whether literal text stands for an address or for bytes of the right length, written in hex."""
    if wanted == ADDRESS and ADDRESS_FORM.fullmatch(text):
        return text == text.lower() or text == checksummed(text)
    try:
        return wanted == BYTES and wanted.size in (0, len(hex_bytes(text)))
    except ValueError:
        return False


class Inference:
    """Walks one expression's tree once and notes what does not fit."""

    def __init__(self, text: str, names: Mapping[str, Type], calls: Mapping[str, Call]) -> None:
        self.text = text
        self.names = names
        self.calls = calls
        self.errors: list[ExpressionError] = []

    def wrong(self, node: ast.expr, message: str, hint: str = "") -> Type:
        self.errors.append(ExpressionError(message, column(node), hint))
        return ANY

    def said(self, node: ast.expr) -> str:
        """An operand as the source writes it, cut."""
        source = segment(node, self.text)
        return f"`{source if len(source) <= SHOWN else source[:SHOWN] + '…'}`"

    def type(self, node: ast.expr) -> Type:
        match node:
            case ast.Constant():
                return LITERALS.get(type(node.value), replace(NUMBER, whole=False))
            case ast.BoolOp():
                return self.truths(node.values)
            case ast.UnaryOp(op=ast.Not()):
                return self.truths([node.operand])
            case ast.UnaryOp():
                return self.counted(node.operand, "a minus sign takes")
            case ast.BinOp():
                return self.arithmetic(node)
            case ast.Compare():
                return self.chain(node)
            case ast.Call():
                return self.call(dotted(node.func) or "", node)
            case _:
                return self.names.get(dotted(node) or "", ANY)

    def operand(self, node: ast.expr) -> Operand:
        return Operand(node, self.type(node))

    def truths(self, nodes: Sequence[ast.expr]) -> Type:
        for node in nodes:
            self.needed(node, self.type(node), TRUTH)
        return TRUTH

    def needed(self, node: ast.expr, found: Type, wanted: Type) -> None:
        """Notes a value that is not of the wanted type."""
        if alike(found, wanted) is None:
            comparable = wanted == TRUTH and found.is_ordered and not isinstance(node, ast.Constant)
            hint = f"compare it, as in `{segment(node, self.text)[:SHOWN]} > …`" if comparable else ""
            self.wrong(node, f"{wanted} is needed here, {self.said(node)} is {found}", hint)

    def counted(self, node: ast.expr, what: str) -> Type:
        """The type of an operand that must be a number or an amount."""
        found = self.type(node)
        if found == ANY or found.is_number:
            return found
        return self.wrong(node, f"{what} a number or an amount, {self.said(node)} is {found}")

    def mismatch(self, message: str, left: Operand, right: Operand) -> Type:
        """Two operands of two kinds; what has no unit is the wrong one, else the right one."""
        lone, other = right, left
        if right.takes_nothing and not right.is_bare and (left.is_bare or literal_text(left.node) is not None):
            lone, other = left, right
        hint = hint_beside(lone, other.type) if lone.is_bare or literal_text(lone.node) is not None else ""
        both = ", ".join(f"{self.said(one.node)} is {one.type}" for one in (left, right))
        return self.wrong(lone.node, message, hint or hint_between(left.type, right.type, both))

    def joined(self, message: str, left: Operand, right: Operand) -> Type:
        """The one type of two operands; a literal 0 is of every numeric kind, hex text is an address or bytes."""
        for one, other in ((left, right), (right, left)):
            if one.is_nothing and other.takes_nothing:
                return other.type
            text = literal_text(one.node)
            if text is not None and other.type in (ADDRESS, BYTES):
                return self.hex_text(one.node, text, other.type)
        found = alike(left.type, right.type)
        if found is not None:
            return found
        return self.mismatch(message.format(left.type, right.type), left, right)

    def hex_text(self, node: ast.expr, text: str, wanted: Type) -> Type:
        """Text that must stand for an address or bytes."""
        if fits_text(text, wanted):
            return wanted
        size = f" of {wanted.size} bytes" if wanted.size else ""
        what = "an address with its checksum" if wanted == ADDRESS else f"hex text{size}"
        return self.wrong(node, f"{self.said(node)} is not {what}", "write '0x…' in full")

    def arithmetic(self, node: ast.BinOp) -> Type:
        left, right, symbol = self.operand(node.left), self.operand(node.right), ARITHMETIC[type(node.op)]
        for one, other in ((left, right), (right, left)):
            if not one.type.is_ordered:
                message = f"'{symbol}' computes with numbers, {self.said(one.node)} is {one.type}"
                return self.wrong(one.node, message, hint_beside(one, other.type) if one.type == TEXT else "")
        if ANY in (left.type, right.type):
            return ANY
        found = self.computed(symbol, left, right)
        if found is not None:
            return found
        if symbol in ("*", "/", "//") and left.type.is_number and right.type.is_number:
            hint = "amounts: ratios of one token, whole multiples (* 3) and whole parts (// 2)"
            return self.wrong(right.node, f"'{symbol}' cannot join {described(left)} and {described(right)}", hint)
        return self.mismatch(f"'{symbol}' cannot join {left.type} and {right.type}", left, right)

    def computed(self, symbol: str, left: Operand, right: Operand) -> Type | None:
        """The type of a calculation; None where it makes no sense."""
        if symbol in ("+", "-"):
            if right.is_nothing and left.takes_nothing:
                return left.type
            if left.is_nothing and (right.type.is_number or (symbol == "+" and right.type == TIME)):
                return right.type
            return total(symbol, left.type, right.type)
        if symbol == "*":
            return product(left.type, right.type)
        if symbol == "%":
            return remainder(left.type, right.type)
        found = quotient(symbol, left.type, right.type)
        if found is not None and left.type.bps > 0 and literal_number(right.node) == BPS_IN_ONE:
            return replace(found, bps=found.bps - 1)  # 150 bps / 10_000 is the share itself
        return found

    def chain(self, node: ast.Compare) -> Type:
        operands = [self.operand(one) for one in (node.left, *node.comparators)]
        for left, right, operation in zip(operands, operands[1:], node.ops, strict=False):
            symbol = COMPARISONS[type(operation)]
            found = self.joined("{} cannot be compared with {}", left, right)
            if symbol not in ("==", "!=") and not found.is_ordered:
                message = f"'{symbol}' compares numbers, amounts or times, {self.said(right.node)} is {found}"
                self.wrong(right.node, message, "use == or !=")
        return TRUTH

    def call(self, name: str, node: ast.Call) -> Type:
        if name in NAME_ARGUMENTS:
            if name in LASTING:
                self.unit_text("duration", node.args[1], SECONDS)
            return TRUTH
        if name == AGO:
            return self.type(node.args[0])
        if name == NOW:
            return TIME
        if name == AMOUNT:
            return amount_of(amount_parts(literal_text(node.args[0]) or "")["token"])
        if name in ("bps", "duration"):
            return self.unit_text(name, node.args[0], BPS if name == "bps" else SECONDS)
        if name == "abs":
            return self.counted(node.args[0], "abs takes")
        if name in ("min", "max"):
            return self.extreme(name, node.args)
        return self.read(name, node)

    def unit_text(self, name: str, node: ast.expr, unit: Type) -> Type:
        """The argument of `bps` or `duration`: text with a unit, or a whole number that is given it."""
        found = self.type(node)
        if literal_text(node) is None and found not in (ANY, unit) and found != NUMBER:
            self.wrong(node, f"{name} takes text with a unit or a whole number, {self.said(node)} is {found}")
        elif not found.whole:
            self.wrong(node, f"{name} takes a whole number, {self.said(node)} is a fraction", "divide with //")
        return unit

    def extreme(self, name: str, nodes: Sequence[ast.expr]) -> Type:
        """The arguments of `min` and `max`: all of one ordered kind."""
        chosen = self.operand(nodes[0])
        for one in map(self.operand, nodes[1:]):
            found = self.joined(f"{name} takes values of one kind, not {{}} and {{}}", chosen, one)
            chosen = Operand(one.node if chosen.is_nothing else chosen.node, found)
        if not chosen.type.is_ordered:
            message = f"{name} takes numbers, amounts or times, {self.said(chosen.node)} is {chosen.type}"
            return self.wrong(chosen.node, message)
        return chosen.type

    def read(self, name: str, node: ast.Call) -> Type:
        """A declared read: each argument fits its ABI type."""
        call = self.calls.get(name)
        types = [self.type(one) for one in node.args]
        if call is None:
            return ANY
        for one, found, abi in zip(node.args, types, call.inputs, strict=False):
            self.argument(name, one, found, abi)
        return call.output

    def argument(self, name: str, node: ast.expr, found: Type, abi: str) -> None:
        text, wanted = literal_text(node), type_of_abi(abi)
        if text is not None and wanted in (ADDRESS, BYTES):
            self.hex_text(node, text, wanted)
        elif not fits_abi(abi, found):
            what = f"{found}" if found.whole else "a fraction"
            self.wrong(node, f"{name} takes {abi} here, {self.said(node)} is {what}")
        elif abi.startswith("uint") and (literal_number(node) or 0) < 0:
            self.wrong(node, f"{name} takes {abi} here, {self.said(node)} is negative")
