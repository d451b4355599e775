"""What an expression can prove: one that is true even where nothing is known proves nothing."""

from __future__ import annotations

from incident_cli.expression import Expression, ExpressionError, Unknown, Value, evaluate


class Nothing:
    """Knows nothing: every name and every read is unknown."""

    def name(self, dotted: str) -> Value:
        """Unknown."""
        return Unknown(f"{dotted} is not known")

    def call(self, dotted: str, args: tuple[Value, ...]) -> Value:
        """Unknown."""
        return Unknown(f"{dotted} is not known")


def is_empty(formula: Expression) -> bool:
    """Whether an expression is true whatever the chain says, as `exchange.paused() or True` is."""
    try:
        return evaluate(formula, Nothing()) is True
    except ExpressionError:
        return False
