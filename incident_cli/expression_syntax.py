"""The syntax of the expression language: what is allowed, what is mentioned, and where.

Python's grammar is borrowed (`ast.parse`), but a scanner refuses foreign characters before it and a reader foreign
nodes after it. Integers and decimals come from the source text, everything is bounded, every refusal has a column.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeVar

from incident_cli import expression_values as values
from incident_cli.expression_values import FUNCTIONS, MismatchError, Value
from incident_cli.text import plain
from incident_cli.units import Span, amount_parts, parse_span

SOURCE_LIMIT = 500
NODE_LIMIT = 100
DEPTH_LIMIT = 20
NAME_PARTS = 8
INTEGER_LIMIT = 2**256

Found = TypeVar("Found")

NAME_ARGUMENTS = frozenset({"firing", "quiet", "unknown", "pending", "quiet_for", "firing_for"})
LASTING = frozenset({"quiet_for", "firing_for"})
AMOUNT, AGO, NOW = "amount", "ago", "now"
RESOLVED: Mapping[str, int] = {AMOUNT: 1, AGO: 2, NOW: 0}  # answered by the resolver; the number of arguments

TOKEN = re.compile(
    r"""[ ]+|'[^'\\]*'|"[^"\\]*"|[0-9][0-9_]*(?:\.[0-9]+)?(?![\w.])|[A-Za-z_]\w*(?![\w'"])|"""
    r"""[=!<>]=|//|[-+*/%<>(),]|\.(?![0-9])""",
    re.ASCII,
)
HINTS = {
    "=": "equality is ==",
    "&": "write `and`",
    "|": "write `or`",
    "!": "write `not`, or != for inequality",
    "\\": "text has no escapes",
    ".": "write 0.5",
    "#": "an expression has no comments",
}
COMPARISONS: Mapping[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
ARITHMETIC: Mapping[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
}


class ExpressionError(ValueError):
    """What is wrong with an expression, the column (1-based) and a hint."""

    def __init__(self, message: str, column: int = 1, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.column = column
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Mention:
    """A name, a call or a check's name as the source mentions it; `span` where `ago` asks for a call's past."""

    role: Literal["name", "call", "check"]
    name: str
    column: int
    args: tuple[str, ...] = ()
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression and everything it mentions."""

    source: str
    mentions: tuple[Mention, ...]
    tree: ast.expr = field(repr=False, compare=False)

    @property
    def text(self) -> str:
        """The source on one line: what columns count in."""
        return one_line(self.source)

    @property
    def names(self) -> frozenset[str]:
        """The dotted names whose values are needed."""
        return frozenset(one.name for one in self.mentions if one.role == "name")

    @property
    def checks(self) -> frozenset[str]:
        """The checks it asks about, as in `firing(divergence)`."""
        return frozenset(one.name for one in self.mentions if one.role == "check")

    @property
    def calls(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Every call, as its name and the source of its arguments, in reading order."""
        return tuple((one.name, one.args) for one in self.mentions if one.role == "call")

    @property
    def amounts(self) -> tuple[str, ...]:
        """The texts of its amounts, such as `250000 USDC`: their tokens must be the deployment's."""
        return tuple(one.args[0][1:-1] for one in self.mentions if one.role == "call" and one.name == AMOUNT)

    @property
    def reads(self) -> tuple[Mention, ...]:
        """Every declared read it calls, in reading order; those with a `span` are asked for their past value only."""
        return tuple(one for one in self.mentions if one.role == "call" and arity(one.name) is None)


def parse(source: str) -> Expression:
    """Read an expression; raises ExpressionError."""
    text = one_line(source)
    scan(text)
    tree = grammar(text)
    reader = Reader(text)
    reader.read(tree, 1)
    return Expression(source, tuple(sorted(reader.mentions, key=lambda one: one.column)), tree)


def one_line(source: str) -> str:
    """Line breaks and tabs as blanks, as folded YAML text brings them; every column stays."""
    return re.sub(r"[\t\r\n]", " ", source)


def scan(text: str) -> None:
    """Refuse every character and number the language does not have, before Python's parser sees it."""
    if len(text) > SOURCE_LIMIT:
        raise ExpressionError(f"an expression has at most {SOURCE_LIMIT} characters, this has {len(text)}")
    if not text.strip():
        raise ExpressionError("an expression is needed")
    for at, character in enumerate(text):
        if not " " <= character <= "~":
            raise ExpressionError(f"{plain(character)} has no place in an expression", at + 1, "use plain ASCII")
    at = 0
    while at < len(text):
        token = TOKEN.match(text, at)
        if token is None:
            raise misplaced(text, at)
        at = token.end()


def misplaced(text: str, at: int) -> ExpressionError:
    """Why no token begins here."""
    character = text[at]
    if character.isdigit():
        return ExpressionError("this is not a number", at + 1, "write 250_000 or 0.5; addresses go in quotes")
    if character in "'\"":
        return ExpressionError("this text does not end, or has a backslash in it", at + 1)
    if character.isalpha() or character == "_":
        return ExpressionError("text has no prefix letter", at + 1)
    return ExpressionError(f"{character!r} has no place in an expression", at + 1, HINTS.get(character, ""))


def grammar(text: str) -> ast.expr:
    """Python's syntax tree, its columns counted in `text`."""
    indent = len(text) - len(text.lstrip())
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as problem:
        column = min(max(problem.offset or 1, 1) + indent, len(text))
        raise ExpressionError(f"it does not read as an expression: {plain(problem.msg)}", column) from problem
    except (ValueError, MemoryError, RecursionError) as problem:
        raise ExpressionError("it is nested too deeply") from problem
    for node in ast.walk(tree):
        if isinstance(node, ast.expr | ast.keyword):
            node.col_offset += indent
            node.end_col_offset = (node.end_col_offset or 0) + indent
    return tree


def column(node: ast.expr) -> int:
    """Where a node begins, 1-based."""
    return node.col_offset + 1


def segment(node: ast.expr, text: str) -> str:
    """The source of a node."""
    return text[node.col_offset : node.end_col_offset]


def dotted(node: ast.expr) -> str | None:
    """`a.b.c` for a chain of attributes over a name, None for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None


def refused_name(name: str) -> bool:
    """Names that lead into Python rather than into the runbook."""
    parts = name.split(".")
    return len(parts) > NAME_PARTS or any(part.startswith("_") or part.endswith("__") for part in parts)


def literal(node: ast.Constant, text: str) -> Value:
    """True, False, text, or the number as the source writes it."""
    if isinstance(node.value, bool):
        return node.value
    if isinstance(node.value, str):
        if len(segment(node, text)) != len(node.value) + 2:  # '' 'a', or three quotes
            raise ExpressionError("text stands in one pair of quotes", column(node))
        return node.value
    if not isinstance(node.value, int | float):
        raise ExpressionError(f"{segment(node, text)} is no value here", column(node))
    digits = segment(node, text)
    if "." in digits:
        return Decimal(digits)
    number = int(digits)
    if number > INTEGER_LIMIT:
        raise ExpressionError("a number is beyond 2**256", column(node))
    return number


class Reader:
    """Walks a tree once: refuses what is not allowed, notes what is mentioned."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.nodes = 0
        self.mentions: list[Mention] = []

    def read(self, node: ast.expr, depth: int) -> None:
        self.count(node, depth)
        match node:
            case ast.Name() | ast.Attribute():
                self.mentions.append(Mention("name", self.name(node), column(node)))
            case ast.Constant():
                literal(node, self.text)
            case ast.BoolOp():
                self.read_all(node.values, depth)
            case ast.UnaryOp(op=ast.Not() | ast.USub()):
                self.read_all([node.operand], depth)
            case ast.BinOp() if type(node.op) in ARITHMETIC:
                self.read_all([node.left, node.right], depth)
            case ast.Compare() if all(type(one) in COMPARISONS for one in node.ops):
                self.read_all([node.left, *node.comparators], depth)
            case ast.Call():
                self.read_call(node, depth)
            case _:
                raise ExpressionError(f"`{segment(node, self.text)[:40]}` is not part of the language", column(node))

    def count(self, node: ast.expr, depth: int) -> None:
        self.nodes += 1
        if self.nodes > NODE_LIMIT:
            raise ExpressionError(f"an expression has at most {NODE_LIMIT} parts", column(node))
        if depth > DEPTH_LIMIT:
            raise ExpressionError(f"an expression nests at most {DEPTH_LIMIT} deep", column(node))

    def read_all(self, nodes: Sequence[ast.expr], depth: int) -> None:
        for node in nodes:
            self.read(node, depth + 1)

    def name(self, node: ast.expr) -> str:
        name = dotted(node)
        if name is None:
            raise ExpressionError("a value has no attributes", column(node), "only declared names have dots")
        if refused_name(name):
            raise ExpressionError(f"`{name[:60]}` is not a name here", column(node))
        return name

    def read_call(self, node: ast.Call, depth: int, span: Span | None = None) -> None:
        name = self.name(node.func)
        if node.keywords:
            raise ExpressionError("arguments have no names here", column(node))
        args = tuple(segment(one, self.text) for one in node.args)
        self.mentions.append(Mention("call", name, column(node), args, span))
        check_arity(name, len(args), column(node))
        if name in NAME_ARGUMENTS:
            self.count(node.args[0], depth + 1)
            self.mentions.append(Mention("check", check_name(name, node.args[0]), column(node.args[0])))
        if name == AGO:
            self.count(node.args[1], depth + 1)
            self.count(node.args[0], depth + 1)
            self.read_call(past_read(node.args[0]), depth + 1, past_span(node.args[1]))
            return
        self.read_all(node.args[1:] if name in NAME_ARGUMENTS else node.args, depth)
        check_units(name, node.args)


def arity(name: str) -> tuple[int, int] | None:
    """The least and most arguments of a function of the language (-1: any number), None for declared reads."""
    if name in NAME_ARGUMENTS:
        return (2, 2) if name in LASTING else (1, 1)
    if name in RESOLVED:
        return RESOLVED[name], RESOLVED[name]
    return (FUNCTIONS[name].least, FUNCTIONS[name].most) if name in FUNCTIONS else None


def check_arity(name: str, count: int, at: int) -> None:
    """Refuse a function of the language with the wrong number of arguments."""
    wanted = arity(name)
    if wanted is None or (wanted[0] <= count and (wanted[1] == -1 or count <= wanted[1])):
        return
    least = f"{wanted[0]} or more" if wanted[1] == -1 else str(wanted[0])
    raise ExpressionError(f"{name} takes {least} argument{'' if least == '1' else 's'}, here it has {count}", at)


def check_name(function: str, node: ast.expr) -> str:
    """The check's name in `firing(divergence)`."""
    name = dotted(node)
    if name is None or refused_name(name):
        raise ExpressionError(f"{function} takes the name of a check", column(node), "write it without quotes")
    return name


def literal_text(node: ast.expr) -> str | None:
    """The text of a text literal, None for anything else."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def past_read(node: ast.expr) -> ast.Call:
    """The read in `ago(exchange.withdrawal_available(), '1h')`."""
    if isinstance(node, ast.Call) and arity(dotted(node.func) or "") is None:
        return node
    hint = "write ago(slot.read(), '1h')"
    raise ExpressionError("ago takes a read of the chain and nothing else", column(node), hint)


def past_span(node: ast.expr) -> Span:
    """How far back `ago` looks."""
    text = literal_text(node)
    hint = "write '1h' or '50 blocks', in quotes"
    if text is None:
        raise ExpressionError("ago takes a duration or a number of blocks as text", column(node), hint)
    try:
        span = parse_span(text)
    except ValueError as problem:
        raise ExpressionError(str(problem), column(node), hint) from problem
    if not span:
        raise ExpressionError("ago looks back: 0 is now", column(node), hint)
    return span


def check_amount(node: ast.expr) -> None:
    """Refuse what `amount` cannot take: it needs a number and a token as text."""
    text = literal_text(node)
    hint = "write amount('250000 USDC')"
    if text is None:
        raise ExpressionError("amount takes text with a token", column(node), hint)
    try:
        amount_parts(text)
    except ValueError as problem:
        raise ExpressionError(str(problem), column(node), hint) from problem


def check_units(name: str, args: Sequence[ast.expr]) -> None:
    """Text with a unit is read when the runbook is, not when it is needed."""
    if name == AMOUNT:
        check_amount(args[0])
    function, node = ("duration", args[1]) if name in LASTING else (name, args[0] if args else None)
    text = None if node is None or function not in ("duration", "bps") else literal_text(node)
    if node is not None and text is not None:
        with_column(node, lambda: values.applied(function, [text]))


def with_column(node: ast.expr, compute: Callable[[], Found]) -> Found:
    """What `compute` gives; its MismatchError as an error at this node."""
    try:
        return compute()
    except MismatchError as problem:
        raise ExpressionError(problem.message, column(node), problem.hint) from problem
