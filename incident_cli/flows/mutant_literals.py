"""The numbers that an expression writes itself, doubled and halved: `* 8 // 10`, `amount('100000 USDC')`, `'1h'`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from incident_cli.expression import Expression, ExpressionError, parse
from incident_cli.expression_syntax import literal, segment
from incident_cli.runbook.series import EXACT
from incident_cli.units import AMOUNT, Span, format_span, parse_bps, parse_span

SCALES = (Decimal(2), Decimal("0.5"))


@dataclass(frozen=True, slots=True)
class Changed:
    """An expression with one literal scaled: what was written (from `column` on), what is now, and the whole."""

    column: int
    was: str
    becomes: str
    formula: Expression


def changed_literals(formula: Expression) -> Iterator[Changed]:
    """Every sound variant of an expression; 0, 1, True and text without a number stay."""
    for node in ast.walk(formula.tree):
        if isinstance(node, ast.Constant):
            yield from variants(formula, node)


def variants(formula: Expression, node: ast.Constant) -> Iterator[Changed]:
    """One literal doubled and halved."""
    written = segment(node, formula.text)
    for scale in SCALES:
        becomes = scaled_literal(node, formula, scale)
        if becomes is None or becomes == written:
            continue
        text = formula.text[: node.col_offset] + becomes + formula.text[node.end_col_offset :]
        try:
            yield Changed(node.col_offset + 1, written, becomes, parse(text))
        except ExpressionError:
            continue  # it would not load: no test is needed


def scaled_literal(node: ast.Constant, formula: Expression, scale: Decimal) -> str | None:
    """A literal as it is written scaled (whole numbers rounded down); None where there is nothing to scale."""
    value = literal(node, formula.text)
    if isinstance(value, bool) or value in (0, 1):
        return None
    if isinstance(value, int):
        return str(times(value, scale))
    if isinstance(value, Decimal):
        return f"{EXACT.multiply(value, scale):f}"
    text = scaled_text(value, scale) if isinstance(value, str) else None
    return None if text is None else f"'{text}'"


def scaled_text(text: str, scale: Decimal) -> str | None:
    """A duration, a number of blocks, basis points or an amount, scaled; None for any other text, and for nothing."""
    try:
        span = parse_span(text)
        scaled = Span(times(span.seconds, scale), times(span.blocks, scale))
        return format_span(scaled) if scaled else None
    except ValueError:
        pass
    try:
        return f"{times(parse_bps(text), scale)} bps" if parse_bps(text) else None
    except ValueError:
        return scaled_amount(text, scale)


def scaled_amount(text: str, scale: Decimal) -> str | None:
    """`250000 USDC` scaled; None for what is no amount, and for nothing."""
    match = AMOUNT.fullmatch(text)
    if match is None:
        return None
    number = Decimal(f"{match['whole']}.{match['fraction'] or 0}".replace("_", ""))
    return f"{EXACT.multiply(number, scale):f} {match['token']}" if number else None


def times(value: int, scale: Decimal) -> int:
    """A whole number scaled, rounded down towards zero."""
    return int(EXACT.multiply(Decimal(value), scale))
