"""What a test says the chain answers, sample by sample: the answer of any read at any sample. Pure.

Sample 0 is at chain time GENESIS in block FIRST_BLOCK; each further one is `interval` seconds and one block later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from incident_cli.abi_events import EventSignature
from incident_cli.evm import (
    Address,
    BenchmarkRead,
    Block,
    CallRead,
    CodeRead,
    Log,
    LogsRead,
    Missing,
    StateRead,
    StorageRead,
    added,
    keccak,
    to_hex,
)
from incident_cli.runbook.expected import FIRST_BLOCK, GENESIS
from incident_cli.runbook.made_up import CHAIN
from incident_cli.runbook.series import Series
from incident_cli.units import Span

FEED_DECIMALS = 8
FIRST_ROUND = 1_000
Answer = tuple[object, ...] | Missing


class Source(Protocol):
    """The outputs of one call over the samples."""

    @property
    def length(self) -> int:
        """How many samples it gives; 0 where it holds for ever."""

    def at(self, index: int, backwards: bool) -> Answer:
        """All outputs at a sample."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """One series for each output."""

    series: tuple[Series, ...]

    @property
    def length(self) -> int:
        """The longest of them."""
        return max((one.length for one in self.series), default=0)

    def at(self, index: int, backwards: bool) -> Answer:
        """All outputs at a sample; missing where one is."""
        values = tuple(one.at(index, backwards=backwards) for one in self.series)
        for value in values:
            if isinstance(value, Missing):
                return value
        return values


@dataclass(frozen=True, slots=True)
class Feed:
    """A Chainlink-style round: an answer of 8 decimals, updated at every sample unless `updated` says when."""

    price: Series
    updated: Series | None
    interval: int

    @property
    def length(self) -> int:
        """The longer of the two."""
        return max(self.price.length, self.updated.length if self.updated else 0)

    def at(self, index: int, backwards: bool) -> Answer:
        """The five outputs of latestRoundData; missing where the price is."""
        price = self.price.at(index, backwards=backwards)
        updated = index * self.interval if self.updated is None else self.updated.at(index, backwards=backwards)
        if isinstance(price, Missing):
            return price
        if isinstance(updated, Missing):
            return updated
        assert isinstance(updated, int), "an update time is a whole number"
        number, moment = FIRST_ROUND + FIRST_BLOCK + index, GENESIS + updated
        return (number, price, moment, moment, number)


@dataclass(frozen=True, slots=True)
class Logged:
    """Events that a contract logged in one sample's block."""

    index: int
    count: int
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Logs:
    """Everything a contract logged of one event, oldest first."""

    entries: tuple[Logged, ...]
    length: int


@dataclass(frozen=True, slots=True)
class Recording:
    """The answers of a case. `any_args` are reads whose arguments do not matter, by contract and function."""

    interval: int
    backwards: bool
    calls: Mapping[tuple[Address, str, tuple[object, ...]], Source] = field(default_factory=dict)
    any_args: Mapping[tuple[Address, str], Source] = field(default_factory=dict)
    storage: Mapping[tuple[Address, int], Series] = field(default_factory=dict)
    code: Mapping[Address, Series] = field(default_factory=dict)
    logs: Mapping[tuple[Address, str], Logs] = field(default_factory=dict)
    benchmarks: Mapping[str, Series] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """How many samples the longest series gives; 0 where everything holds for ever."""
        sources: list[Source | Series | Logs] = [*self.calls.values(), *self.any_args.values(), *self.logs.values()]
        sources += [*self.storage.values(), *self.code.values(), *self.benchmarks.values()]
        return max((one.length for one in sources), default=0)

    def block(self, index: int) -> Block:
        """The block of a sample; its hash is the number's."""
        number = FIRST_BLOCK + index
        return Block(CHAIN, number, to_hex(keccak(number.to_bytes(32))), GENESIS + index * self.interval)

    def index_of(self, block: Block) -> int:
        """The sample of a block."""
        return block.number - FIRST_BLOCK

    def earlier(self, index: int, ago: Span) -> int:
        """The sample that many blocks earlier, or the last one whose time is not later than so many seconds ago."""
        return index - ago.blocks + (-ago.seconds // self.interval)

    def state(self, read: StateRead, index: int) -> Answer:
        """The answer of a read of state at a sample."""
        if isinstance(read, CodeRead):
            return one_of(self.code.get(read.to), index, self.backwards)
        if isinstance(read, StorageRead):
            return one_of(self.storage.get((read.to, read.position)), index, self.backwards)
        found = self.source(read)
        return found.at(index, self.backwards) if found else NOT_GIVEN

    def source(self, read: CallRead) -> Source | None:
        """What answers a call."""
        name = read.signature.canonical
        return self.calls.get((read.to, name, read.args)) or self.any_args.get((read.to, name))

    def benchmark(self, read: BenchmarkRead, index: int) -> Answer:
        """A benchmark's number, served at the sample's own time."""
        found = one_of(self.benchmarks.get(read.name), index, self.backwards)
        return found if isinstance(found, Missing) else (found[0], GENESIS + index * self.interval)

    def events(self, read: LogsRead, index: int) -> Answer:
        """The events of a window; before the first sample there were none only where `before` is constant."""
        found = self.logs.get((read.to, read.event.canonical))
        if found is None:
            return NOT_GIVEN
        try:
            first = self.earlier(index, added(read.until, read.window)) + 1
        except ValueError:
            return Missing("seconds and blocks of a window cannot be added")
        last = self.earlier(index, read.until)
        if first < 0 and not self.backwards:
            return Missing("its window begins before the test (before: constant means that nothing was logged then)")
        if last >= found.length > 0:
            return Missing(f"the test gives {found.length} samples of it, not this one")
        chosen = (one for one in found.entries if first <= one.index <= last and fits(read, one))
        logs = [log for one in chosen for log in [self.log(one)] * one.count]
        return tuple(logs)

    def log(self, one: Logged) -> Log:
        """An event as the chain has it."""
        block = self.block(one.index)
        return Log(block.number, block.timestamp, one.values)


NOT_GIVEN = Missing("no value in this test")


def one_of(series: Series | None, index: int, backwards: bool) -> Answer:
    """The single output of a series."""
    found = NOT_GIVEN if series is None else series.at(index, backwards=backwards)
    return found if isinstance(found, Missing) else (found,)


def fits(read: LogsRead, one: Logged) -> bool:
    """Whether an event has the topics that are asked for."""
    wanted = dict(zip(indexed(read.event), read.topics, strict=False))
    values = {one.name: value for one, value in zip(read.event.inputs, one.values, strict=True)}
    return all(topic is None or read.event.topic_of(name, values[name]) == topic for name, topic in wanted.items())


def indexed(event: EventSignature) -> list[str]:
    """The names of the indexed values, in order."""
    return [one.name for one in event.inputs if one.indexed]
