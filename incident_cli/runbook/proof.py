"""What an expression can prove: one that is never false, whatever the chain says, proves nothing.

It is evaluated in made-up worlds: the same read with the same arguments has one value in each, every other value is
free. Nothing is refused that was false, or could not be computed, in any of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from incident_cli.binding import Given
from incident_cli.expression import Expression, ExpressionError, Unknown, Value, evaluate
from incident_cli.expression_syntax import AGO, AMOUNT, NAME_ARGUMENTS, NOW
from incident_cli.expression_values import with_unit
from incident_cli.runbook.proof_values import ONE_TOKEN, constants, domain, is_token, tokens, two_values, units_of

MOST_WORLDS = 512
MOST_EVALUATIONS = 10_000  # of one runbook: each expression that needs them all is refused anyway
Choice = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Output:
    """What a read answers: the ABI types of its values, and the unit its protocol file declares."""

    types: tuple[str, ...]
    unit: str | None = None


class Nothing:
    """Knows nothing: every name and every read is unknown."""

    def name(self, dotted: str) -> Value:
        """Unknown."""
        return Unknown(f"{dotted} is not known")

    def call(self, dotted: str, args: tuple[Value, ...]) -> Value:
        """Unknown."""
        return Unknown(f"{dotted} is not known")


@dataclass(slots=True)
class World:
    """A made-up chain. Free values are numbered in the order in which they are first asked for."""

    outputs: Mapping[str, Output]
    scope: Mapping[str, Given]
    pool: Sequence[object]
    numbers: dict[str, int] = field(default_factory=dict)
    domains: list[Sequence[Value]] = field(default_factory=list)
    start: int = 0
    chosen: Choice = field(default_factory=dict)
    sample: int = 0

    def name(self, dotted: str) -> Value:
        """A parameter's first or second sample."""
        given = self.scope.get(dotted)
        return Unknown(f"{dotted} is not known") if given is None else two_values(given)[self.sample]

    def call(self, dotted: str, args: tuple[Value, ...]) -> Value:
        """The value of a read, of its past, of a check's verdict or of the time in this world."""
        if dotted == AMOUNT:
            return units_of(str(args[0]))
        read = str(args[0]) if dotted == AGO else dotted
        output = Output(("bool",)) if dotted in NAME_ARGUMENTS else self.outputs.get(read)
        output = Output(("uint64",)) if dotted == NOW else output
        values = () if output is None or len(output.types) != 1 else domain(output.types[0], self.pool)
        if output is None or not values:
            return Unknown(f"{dotted} has a value of no simple type")
        unit = ONE_TOKEN.symbol if is_token(output.unit) else output.unit
        return with_unit(self.free(f"{dotted}{args!r}", values), unit, tokens())

    def free(self, key: str, values: Sequence[Value]) -> Value:
        """The value chosen for one thing that may have any."""
        if key not in self.numbers:
            self.numbers[key] = len(self.domains)
            self.domains.append(values)
        number = self.numbers[key]
        return values[self.chosen.get(number, self.start) % len(values)]


@dataclass(slots=True)
class Prover:
    """Judges the expressions of one runbook, with a bound on the work."""

    outputs: Mapping[str, Output]
    scope: Mapping[str, Given]
    left: int = MOST_EVALUATIONS

    def is_empty(self, formula: Expression) -> bool:
        """Whether an expression cannot be false, as `exchange.pool() >= 0` cannot; False where that is not known."""
        try:
            if evaluate(formula, Nothing()) is True:
                return True
            return self.is_never_false(formula)
        except ExpressionError:
            return False

    def is_never_false(self, formula: Expression) -> bool:
        """Whether it is true in every world; raises ExpressionError where it cannot be computed in one."""
        pool = constants(formula, [value for given in self.scope.values() for value in two_values(given)])
        world = World(self.outputs, self.scope, pool)
        for start, chosen, sample in itertools.islice(worlds(world), MOST_WORLDS):
            world.start, world.chosen, world.sample = start, chosen, sample
            self.left -= 1
            if self.left < 0 or evaluate(formula, world) is not True:
                return False
        return True


def worlds(world: World) -> Iterator[tuple[int, Choice, int]]:
    """All free values alike, then each one apart from the others, then mixed; the world learns of them meanwhile."""
    longest = 1
    at = 0
    while at < longest:
        for sample in (0, 1):
            yield at, {}, sample
        longest = max([longest, *map(len, world.domains)])
        at += 1
    for at in range(longest):
        for number in range(len(world.domains)):
            for start in (0, 1, 5):
                yield start, {number: at}, at % 2
    for turn in range(MOST_WORLDS):
        yield 0, {number: (turn * (2 * number + 3)) // (number + 1) for number in range(len(world.domains))}, turn % 2
