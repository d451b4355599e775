"""A runbook's slot bound to a chain: which protocol stands at which addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from incident_cli.evm import Address, CallRead, LogsRead
from incident_cli.protocols.protocol import Protocol
from incident_cli.units import Amount, Span


@dataclass(frozen=True, slots=True)
class Market:
    """One market of an exchange: the name people use, and the id its contracts use (32 bytes)."""

    name: str
    id: bytes

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class BoundSlot:
    """A slot with its protocol, its chain and the addresses of the protocol's own slots."""

    name: str
    protocol: Protocol
    chain: str
    addresses: Mapping[str, Address]

    def read(self, name: str, args: tuple[object, ...] = ()) -> CallRead:
        """The read of that name with values for its ABI parameters."""
        definition = self.protocol.reads[name]
        values = tuple(abi_value(one) for one in args)
        return CallRead(self.addresses[definition.on], definition.call, values, self.chain)

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
