"""Pulling a lever: read what stands, work out the call, say what it must show and how it is undone. Pure.

The order is always the same: `needed` says what to read; the reads happen elsewhere at one block; `plan`
turns the answers into a call, its expectations and its undo, or says that nothing needs to be done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from incident_cli.abi import Parameter, Signature
from incident_cli.errors import Refused, Unread
from incident_cli.evm import Address, Call, CallRead, Missing, Snapshot, to_hex
from incident_cli.expression import Expression, ExpressionError, Unknown, Value, evaluate
from incident_cli.levers.expectation import Expectation
from incident_cli.protocols.protocol import LeverDefinition, ReadDefinition, fixed_value
from incident_cli.protocols.slot import BoundSlot, abi_value
from incident_cli.units import format_duration


@dataclass(frozen=True, slots=True)
class Pull:
    """One lever of one bound slot with its typed arguments, to be pulled by the account `by`."""

    slot: BoundSlot
    name: str
    args: Mapping[str, object]
    by: Address

    @property
    def label(self) -> str:
        """`exchange.pause_market(market = ETH-USD)`: as people read it."""
        kinds = self.definition.args
        shown = ", ".join(f"{name} = {words(kinds[name].type, value)}" for name, value in self.args.items())
        return f"{self.slot.name}.{self.name}({shown})"

    @property
    def definition(self) -> LeverDefinition:
        """What the protocol file says of it."""
        return self.slot.protocol.levers[self.name]

    def read(self, name: str) -> CallRead:
        """A read of the protocol; a parameter it does not fix itself is the lever's argument of the same name."""
        definition = self.slot.protocol.reads[name]
        return self.slot.read(name, tuple(self.read_value(definition, one) for one in definition.call.inputs))

    def read_value(self, read: ReadDefinition, parameter: Parameter) -> object:
        """The value of one parameter of a read; raises Refused where the protocol file fixes it to what it is not."""
        formula = read.with_.get(parameter.name)
        if formula is None:
            return self.args[parameter.name]
        try:
            return fixed_value(parameter.type, formula_value(formula, Standing(self, {})))
        except ValueError as problem:
            raise Refused(
                f"{formula.source!r} is no {parameter.type}: {problem}", "correct the protocol file"
            ) from problem


def words(kind: str, value: object) -> str:
    """An argument as people read it: durations in hours and minutes, truth in lower case."""
    if kind == "duration" and isinstance(value, int):
        return format_duration(value)
    if isinstance(value, bytes):
        return to_hex(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class Undo:
    """How to put back what stood before: only if the chain still shows `only_if`, and then it must show `expect`."""

    by: str
    call: Call
    only_if: tuple[Expectation, ...]
    expect: tuple[Expectation, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A pulled lever: its call, its meaning in words, what must be seen after it, and its undo."""

    pull: Pull
    call: Call
    satisfied: bool
    expect: tuple[Expectation, ...]
    undo: Undo | None

    @property
    def plain(self) -> str:
        """The meaning in one sentence with the arguments."""
        return f"{self.pull.label}: {self.pull.definition.does}"


def needed(pull: Pull) -> dict[str, CallRead]:
    """Every read the lever's formulas mention, by name."""
    definition, reads = pull.definition, pull.slot.protocol.reads
    mentioned = {name.removeprefix("before.") for one in definition.formulas() for name in one.names}
    return {name: pull.read(name) for name in reads if name in mentioned or name in definition.expect}


@dataclass(frozen=True, slots=True)
class Standing:
    """Names inside a lever's formulas: its arguments, `by`, and the reads as they stand now."""

    pull: Pull
    values: Mapping[str, Value]

    def name(self, dotted: str) -> Value:
        """The value of a name; arguments come before reads."""
        if dotted in self.pull.args:
            return abi_value(self.pull.args[dotted])
        if dotted == "by":
            return self.pull.by
        return self.values[dotted.removeprefix("before.")]

    def call(self, dotted: str, args: tuple[Value, ...]) -> Value:
        """A lever's formulas call nothing."""
        raise ExpressionError(f"{dotted} cannot be called here", 1)


def plan(pull: Pull, snapshot: Snapshot) -> Plan:
    """The call and everything about it; raises Unread where a needed read is missing, Refused without the role."""
    reads = needed(pull)
    standing = Standing(pull, {name: known(pull, name, snapshot.value(read)) for name, read in reads.items()})
    definition = pull.definition
    satisfied = definition.satisfied is not None and formula_value(definition.satisfied, standing) is True
    if not satisfied:
        check_role(pull, standing)
    call = Call(pull.slot.addresses[definition.on], definition.call, fill(definition.call, definition.with_, standing))
    expect = tuple(
        Expectation(describe(pull, name), reads[name], formula_value(formula, standing))
        for name, formula in definition.expect.items()
    )
    return Plan(pull, call, satisfied, expect, undo_of(pull, standing, reads, expect))


def known(pull: Pull, name: str, answer: object | Missing) -> Value:
    """A value that was read; a lever is never pulled blind."""
    if isinstance(answer, Missing):
        raise Unread(
            f"{pull.slot.name}.{name} could not be read: {answer.reason}",
            "the lever needs this value to keep what stands and to be undone; try again, or use another node",
        )
    return answer


def check_role(pull: Pull, standing: Standing) -> None:
    """Refuse where the chain says that `by` may not pull this lever."""
    role = pull.definition.role
    if role is None or formula_value(role.when, standing) is True:
        return
    raise Refused(
        f"{pull.by} does not hold the role {pull.slot.name}.{pull.name} needs: {role.when.source} does not hold",
        "ask governance who holds it now; a call without the role would revert",
    )


def fill(signature: Signature, given: Mapping[str, Expression], standing: Standing) -> tuple[object, ...]:
    """The ABI arguments in order: from the formula of that name, else from the lever's argument of that name."""
    return tuple(
        formula_value(given[one.name], standing) if one.name in given else standing.name(one.name)
        for one in signature.inputs
    )


def undo_of(
    pull: Pull, standing: Standing, reads: Mapping[str, CallRead], expect: tuple[Expectation, ...]
) -> Undo | None:
    """The way back, worked out now from the values that stand before the lever is pulled."""
    definition = pull.definition
    if definition.undo is None:
        return None
    signature = definition.undo.call or definition.call
    call = Call(pull.slot.addresses[definition.on], signature, fill(signature, definition.undo.with_, standing))
    back = tuple(Expectation(describe(pull, name), reads[name], standing.values[name]) for name in definition.expect)
    return Undo(definition.undo.by, call, only_if=expect, expect=back)


def describe(pull: Pull, read: str) -> str:
    """`exchange.market_paused(ETH-USD)`."""
    parameters = pull.slot.protocol.reads[read].parameters
    kinds = pull.definition.args
    shown = ", ".join(words(kinds[one.name].type, pull.args[one.name]) for one in parameters)
    return f"{pull.slot.name}.{read}({shown})"


def formula_value(formula: Expression, standing: Standing) -> Value:
    """A formula's value; a formula that does not fit its values is a fault of the protocol file."""
    try:
        value = evaluate(formula, standing)
    except ExpressionError as problem:
        raise Refused(
            f"the protocol file {standing.pull.slot.protocol.protocol}: {formula.source!r}: {problem.message}",
            "correct the protocol file; nothing was sent",
        ) from problem
    if isinstance(value, Unknown):
        raise Unread(f"{formula.source!r} is unknown: {value.reason}")
    return value
