"""One lever of one bound slot with its arguments: its names, its reads, and what its formulas are worth. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from incident_cli.abi import Parameter, Signature
from incident_cli.errors import Refused, Unread
from incident_cli.evm import Address, CallRead, to_hex
from incident_cli.expression import Expression, ExpressionError, Unknown, Value, evaluate
from incident_cli.protocols.definitions import LeverDefinition, Worths
from incident_cli.protocols.slot import BoundSlot, abi_value
from incident_cli.protocols.worth import Worth, applied, computed, fitted
from incident_cli.units import format_duration

SLOT_READ = "slots."  # the reads that say where a derived slot stands, beside those of the protocol file


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
        """A read of the protocol; a parameter it does not fix itself is the lever's argument, or the slot, of that
        name. Raises Refused where the protocol file fixes it to what it is not."""
        definition = self.slot.protocol.reads[name]
        open_values = [self.given(one.name) for one in definition.parameters]
        try:
            return self.slot.read(name, open_values, {**self.args, "by": self.by})
        except (ExpressionError, ValueError) as problem:
            raise Refused(
                f"the protocol file {self.slot.protocol.protocol}: the read {name}: {problem}",
                "correct the protocol file; nothing was sent",
            ) from problem

    def given(self, parameter: str) -> object:
        """The lever's argument of that name, else the address of the slot of that name."""
        return self.args[parameter] if parameter in self.args else self.slot.addresses[parameter]

    def describe(self, read: str) -> str:
        """`exchange.market_paused(ETH-USD)`."""
        kinds = self.definition.args
        parameters = [one.name for one in self.slot.protocol.reads[read].parameters]
        shown = ", ".join(words(kinds[one].type if one in kinds else "address", self.given(one)) for one in parameters)
        return f"{self.slot.name}.{read}({shown})"


def words(kind: str, value: object) -> str:
    """An argument as people read it: durations in hours and minutes, truth in lower case."""
    if kind == "duration" and isinstance(value, int):
        return format_duration(value)
    if isinstance(value, bytes):
        return to_hex(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def needed(pull: Pull) -> dict[str, CallRead]:
    """Every read the lever's formulas mention, by name, and those that say where its derived slots stand."""
    mentioned, reads = pull.definition.mentioned(), pull.slot.protocol.reads
    found = {name: pull.read(name) for name in reads if name in mentioned}
    return {**found, **{SLOT_READ + name: read for name, read in pull.slot.derived().items()}}


def measured(pull: Pull) -> dict[str, CallRead]:
    """The reads that say how much the lever concerns, by name."""
    return {name: pull.read(name) for name in pull.definition.measures}


@dataclass(frozen=True, slots=True)
class Standing:
    """Names inside a lever's formulas: its arguments, `by`, the reads as they stand now, and the slots."""

    pull: Pull
    values: Mapping[str, Value]

    def name(self, dotted: str) -> Value:
        """The value of a name: an argument, `by`, a read (`before.` or not), or a slot's address."""
        if dotted in self.pull.args:
            return abi_value(self.pull.args[dotted])
        if dotted == "by":
            return self.pull.by
        read = dotted.removeprefix("before.")
        return self.values[read] if read in self.values else self.pull.slot.addresses[dotted]

    def call(self, dotted: str, args: tuple[Value, ...]) -> Value:
        """A function of protocol files; a lever's formulas call nothing else."""
        return applied(dotted, args)

    def worth(self, worth: Worth) -> Value:
        """What a formula, or a list of them, is worth; raises Refused where it does not fit its values."""
        return computed(worth, self.formula)

    def formula(self, formula: Expression) -> Value:
        """A formula's value; a formula that does not fit its values is a fault of the protocol file."""
        try:
            value = evaluate(formula, self)
        except ExpressionError as problem:
            raise Refused(
                f"the protocol file {self.pull.slot.protocol.protocol}: {formula.source!r}: {problem.message}",
                "correct the protocol file; nothing was sent",
            ) from problem
        if isinstance(value, Unknown):
            raise Unread(f"{formula.source!r} is unknown: {value.reason}")
        return value

    def fill(self, signature: Signature, given: Worths) -> tuple[object, ...]:
        """The ABI arguments in order: each from `with`, else the lever's argument or the slot of that name."""
        return tuple(
            self.fit(one.type, self.worth(given[one.name]), one.components)
            if one.name in given
            else abi_value(self.pull.given(one.name))
            for one in signature.inputs
        )

    def fit(self, kind: str, value: Value, components: tuple[Parameter, ...] = ()) -> Value:
        """A value as its ABI type takes it; raises Refused where it cannot be."""
        try:
            return fitted(kind, value, components)
        except ValueError as problem:
            raise Refused(
                f"the protocol file {self.pull.slot.protocol.protocol}: {value!r} is no {kind}: {problem}",
                "correct the protocol file; nothing was sent",
            ) from problem
