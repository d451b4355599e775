"""A runbook's slot bound to a chain: which protocol stands at which addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from incident_cli.abi import Parameter
from incident_cli.evm import Address, CallRead, LogsRead
from incident_cli.expression import Value, evaluate
from incident_cli.protocols.definitions import ReadDefinition
from incident_cli.protocols.protocol import Protocol
from incident_cli.protocols.worth import applied, computed, fitted
from incident_cli.units import Amount, Span

NOTHING: Mapping[str, Value] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Market:
    """One market of an exchange: the name people use, and the id its contracts use (32 bytes)."""

    name: str
    id: bytes

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Fixed:
    """The names that a read's `with` may say: what is given (a lever's arguments and `by`), and the slots."""

    given: Mapping[str, Value]
    addresses: Mapping[str, Address]

    def name(self, dotted: str) -> Value:
        """A value; raises LookupError."""
        return self.given[dotted] if dotted in self.given else self.addresses[dotted]

    def call(self, dotted: str, args: tuple[Value, ...]) -> Value:
        """A function of protocol files."""
        return applied(dotted, args)


@dataclass(frozen=True, slots=True)
class BoundSlot:
    """A slot with its protocol, its chain and the addresses of the protocol's own slots."""

    name: str
    protocol: Protocol
    chain: str
    addresses: Mapping[str, Address]

    def read(self, name: str, args: Sequence[object] = (), given: Mapping[str, Value] = NOTHING) -> CallRead:
        """The read of that name with values for the parameters its `with` leaves open, in order.

        `given` are the lever's arguments and `by` that its `with` may name. Raises ValueError or ExpressionError where
        a value does not serve.
        """
        definition = self.protocol.reads[name]
        values = tuple(self.arguments(definition, iter(args), given))
        return CallRead(self.addresses[definition.on], definition.call, values, self.chain, definition.path)

    def arguments(
        self, definition: ReadDefinition, args: Iterator[object], given: Mapping[str, Value]
    ) -> Iterator[object]:
        """Every ABI argument of a read: fixed by its `with`, else the next of those given."""
        for one in definition.call.inputs:
            yield self.fixed(one, definition, given) if one.name in definition.with_ else abi_value(next(args))

    def fixed(self, parameter: Parameter, definition: ReadDefinition, given: Mapping[str, Value]) -> object:
        """The value that the protocol file fixes a parameter to."""
        names = Fixed({name: abi_value(value) for name, value in given.items()}, self.addresses)
        value = computed(definition.with_[parameter.name], lambda formula: evaluate(formula, names))
        return fitted(parameter.type, value, parameter.components)

    def derived(self) -> dict[str, CallRead]:
        """The slots whose addresses are read from the chain, and the read that says each."""
        return {
            name: CallRead(self.addresses[one.read.on], one.read.call, (), self.chain)
            for name, one in self.protocol.slots.items()
            if one.read is not None
        }

    def logs(self, name: str, window: Span, only: Mapping[str, object] = MappingProxyType({})) -> LogsRead:
        """The events of that name in the window before the block; `only` holds indexed values to a value each."""
        definition = self.protocol.events[name]
        indexed = [one.name for one in definition.event.inputs if one.indexed]
        topics = tuple(definition.event.topic_of(one, abi_value(only[one])) if one in only else None for one in indexed)
        while topics and topics[-1] is None:
            topics = topics[:-1]
        return LogsRead(self.addresses[definition.on], definition.event, window, topics, chain=self.chain)


def abi_value(value: object) -> object:
    """A typed value as the chain takes it: a market is its id, an amount its base units."""
    if isinstance(value, Market):
        return value.id
    if isinstance(value, Amount):
        return value.units
    return value
