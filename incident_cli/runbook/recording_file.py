"""What a test file says the chain answers, from nodes to typed series; problems are noted with their place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated

from incident_cli.abi import Signature
from incident_cli.binding import DURATION, INTEGER, Binder, did_you_mean
from incident_cli.document import Document, Entry, Items, Node, Place, Table, Text
from incident_cli.evm import Address, hex_bytes
from incident_cli.protocols.slot import BoundSlot, abi_value
from incident_cli.runbook.abi_series import NOTED, NoValue, constant_of, number_kind, parse_value, series_of
from incident_cli.runbook.bind import Bound
from incident_cli.runbook.recording import FEED_DECIMALS, Feed, Logged, Logs, Outputs, Recording, Source
from incident_cli.runbook.series import (
    EXACT,
    MOST_SAMPLES,
    Number,
    Series,
    SeriesError,
    parse_numbers,
    parse_words,
    whole,
)
from incident_cli.units import parse_integer

READ = re.compile(r"(?P<slot>[a-z][a-z0-9_]*)\.(?P<name>[a-z][a-z0-9_]*)(?:\((?P<args>.*)\))?")
ANY_ARGS = "*"
BENCHMARK_DECIMALS = 18
WORD_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """A feed with the times of its updates, in seconds since the first sample."""

    price: Text
    updated: Text | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEntry:
    """Events of one kind: `count` of them `at` a time, or `counts`, a series of how many at each sample."""

    at: Annotated[int, DURATION] | None = None
    count: Annotated[int, INTEGER] = 1
    counts: Text | None = None
    values: Table
    place: Place

    def __post_init__(self) -> None:
        if (self.at is None) is (self.counts is None):
            raise ValueError("an event is either `at` a time, or `counts` says how many there are at each sample")
        if not 1 <= self.count <= MOST_SAMPLES:
            raise ValueError(f"count is from 1 to {MOST_SAMPLES:,}")


@dataclass(slots=True)
class RecordingBuilder:
    """Collects answers; what was added first hides what is added later."""

    document: Document
    bound: Bound
    interval: int
    backwards: bool
    calls: dict[tuple[Address, str, tuple[object, ...]], Source] = field(default_factory=dict)
    any_args: dict[tuple[Address, str], Source] = field(default_factory=dict)
    storage: dict[tuple[Address, int], Series] = field(default_factory=dict)
    code: dict[Address, Series] = field(default_factory=dict)
    logs: dict[tuple[Address, str], Logs] = field(default_factory=dict)
    benchmarks: dict[str, Series] = field(default_factory=dict)

    def add(self, prices: Table, reads: Table, events: Table, storage: Table, code: Table, benchmarks: Table) -> None:
        """Everything that one level of the file gives."""
        for adding, table in (
            (self.add_read, reads),
            (self.add_price, prices),
            (self.add_event, events),
            (self.add_storage, storage),
            (self.add_code, code),
            (self.add_benchmark, benchmarks),
        ):
            for entry in table.entries.values():
                try:
                    adding(entry)
                except NoValue as problem:
                    if problem.code != NOTED:
                        self.document.wrong(problem.place, problem.code, str(problem), problem.hint)

    def finish(self) -> Recording:
        """The answers."""
        return Recording(
            self.interval,
            self.backwards,
            self.calls,
            self.any_args,
            self.storage,
            self.code,
            self.logs,
            self.benchmarks,
        )

    def slot(self, name: str, place: Place) -> BoundSlot:
        """A slot of the runbook; raises NoValue."""
        if name not in self.bound.slots:
            hint = did_you_mean(name, self.bound.slots).removeprefix("; ")
            raise NoValue(place, "unknown-slot", f"{name!r} is no slot of {self.bound.runbook.id}", hint)
        return self.bound.slots[name]

    def add_price(self, entry: Entry) -> None:
        """A Chainlink-style feed: its series of prices, or {price, updated}."""
        slot = self.slot(entry.key.value, entry.key.place)
        if not {"latest_round", "decimals"} <= set(slot.protocol.reads):
            message = f"{slot.name} is a {slot.protocol.protocol}: a price is for a chainlink-feed"
            raise NoValue(entry.key.place, "unknown-slot", message, "give its reads under `reads`")
        feed = self.feed(entry.value)
        latest, decimals = slot.read("latest_round"), slot.read("decimals")
        self.calls.setdefault((latest.to, latest.signature.canonical, ()), feed)
        constant = Outputs((Series((FEED_DECIMALS,), constant=True),))
        self.calls.setdefault((decimals.to, decimals.signature.canonical, ()), constant)

    def feed(self, node: Node) -> Feed:
        """The rounds of a feed; raises NoValue."""
        if isinstance(node, Text):
            return Feed(self.numbers(node, scale(FEED_DECIMALS)), None, self.interval)
        entry: FeedEntry | None = Binder(self.document).try_bind(FeedEntry, node)
        if entry is None:
            raise NoValue.noted()
        updated = None if entry.updated is None else self.numbers(entry.updated, whole)
        return Feed(self.numbers(entry.price, scale(FEED_DECIMALS)), updated, self.interval)

    def numbers(self, node: Node, finish: Number) -> Series:
        """A series of numbers; raises NoValue at the sample that is none."""
        return self.parsed(node, lambda text: parse_numbers(text, finish))

    def parsed(self, node: Node, parse: Callable[[str], Series]) -> Series:
        """A series; raises NoValue at the sample that is wrong."""
        if not isinstance(node, Text):
            raise NoValue(node.place, "wrong-type", "a series is needed here, not a list or a mapping")
        try:
            return parse(node.value)
        except SeriesError as problem:
            raise NoValue(self.document.place_in(node, problem.column), "bad-value", str(problem)) from problem

    def add_read(self, entry: Entry) -> None:
        """`slot.read(args): series`, with `*` for any arguments, and a series for each output where there are more."""
        slot, name, args = self.parse_key(entry.key)
        definition = slot.protocol.reads[name]
        source = self.outputs(definition.call, entry.value)
        address, function = slot.addresses[definition.on], definition.call.canonical
        if args is None:
            self.any_args.setdefault((address, function), source)
        else:
            self.calls.setdefault((address, function, args), source)

    def parse_key(self, key: Text) -> tuple[BoundSlot, str, tuple[object, ...] | None]:
        """The slot, the read and its arguments (None: any); raises NoValue."""
        match = READ.fullmatch(key.value)
        if match is None:
            hint = "in braces, quotes around it hold its commas together" if "(" in key.value else ""
            raise NoValue(key.place, "unknown-read", "a read is written slot.read or slot.read(arguments)", hint)
        slot = self.slot(match["slot"], key.place)
        definition = slot.protocol.reads.get(match["name"])
        if definition is None:
            hint = did_you_mean(match["name"], slot.protocol.reads).removeprefix("; ")
            message = f"{slot.protocol.protocol} has no read {match['name']!r}"
            raise NoValue(self.document.place_in(key, match.start("name") + 1), "unknown-read", message, hint)
        written = (match["args"] or "").strip()
        if written == ANY_ARGS:
            return slot, match["name"], None
        words = [one.strip() for one in written.split(",")] if written else []
        if len(words) != len(definition.call.inputs):
            count = len(definition.call.inputs)
            message = f"{key.value!r} has {len(words)} arguments, {definition.call.canonical} takes {count}"
            raise NoValue(key.place, "wrong-arguments", message, f"{slot.name}.{match['name']}(*): any arguments")
        kinds = definition.call.input_types
        return slot, match["name"], tuple(map(self.argument, kinds, words, [key.place] * len(words)))

    def argument(self, kind: str, word: str, place: Place) -> object:
        """An argument: a parameter of the runbook, or a literal of its ABI type; raises NoValue."""
        given = self.bound.scope.get(word)
        if given is not None:
            return abi_value(self.bound.typed(given.kind, given.value))
        try:
            return parse_integer(word) if number_kind(kind) else parse_value(kind, word, self.bound)
        except ValueError as problem:
            raise NoValue(place, "bad-value", f"{word!r} is no {kind}: {problem}") from problem

    def outputs(self, signature: Signature, node: Node) -> Outputs:
        """The series of every output; raises NoValue."""
        kinds = signature.output_types
        if len(kinds) == 1:
            return Outputs((self.output(kinds[0], node),))
        if isinstance(node, Items) and len(node.items) == len(kinds):
            return Outputs(tuple(map(self.output, kinds, node.items)))
        names = [one.name or f"_{place}" for place, one in enumerate(signature.outputs)]
        if not isinstance(node, Table) or set(node.entries) != set(names):
            message = f"{signature.name} answers {', '.join(names)}: give a series for each of them"
            raise NoValue(node.place, "wrong-type", message, f"{{{': …, '.join(names)}: …}}")
        values = zip(kinds, names, strict=True)
        return Outputs(tuple(self.output(kind, node.entries[name].value) for kind, name in values))

    def output(self, kind: str, node: Node) -> Series:
        """The series of one output; a list stands for an array (or a tuple) that never changes."""
        if isinstance(node, Items):
            return Series((constant_of(kind, node, self.bound),), constant=True)
        return self.parsed(node, lambda text: series_of(kind, text, self.bound))

    def add_event(self, entry: Entry) -> None:
        """`slot.event: [{at, values}]`: everything that was logged of it; an empty list says: nothing was."""
        slot_name, _, name = entry.key.value.partition(".")
        slot = self.slot(slot_name, entry.key.place)
        definition = slot.protocol.events.get(name)
        if definition is None:
            hint = did_you_mean(name, slot.protocol.events).removeprefix("; ")
            message = f"{slot.protocol.protocol} has no event {name!r}"
            raise NoValue(entry.key.place, "unknown-event", message, hint)
        if not isinstance(entry.value, Items):
            raise NoValue(entry.value.place, "wrong-type", "a list of events is needed here, [] where there were none")
        kinds = {one.name: one.type for one in definition.event.inputs}
        groups = [self.logged(kinds, node) for node in entry.value.items]
        entries = sorted((one for group, _ in groups for one in group), key=lambda one: one.index)
        length = max((length for _, length in groups), default=0)
        key = (slot.addresses[definition.on], definition.event.canonical)
        self.logs.setdefault(key, Logs(tuple(entries), length))

    def logged(self, kinds: Mapping[str, str], node: Node) -> tuple[list[Logged], int]:
        """One entry's events, and how many samples it speaks of (0: of all); raises NoValue."""
        entry: EventEntry | None = Binder(self.document).try_bind(EventEntry, node)
        if entry is None:
            raise NoValue.noted()
        if set(entry.values.entries) != set(kinds):
            raise NoValue(entry.values.place, "wrong-type", f"an event has the values {', '.join(kinds)}")
        given = {name: one.value for name, one in entry.values.entries.items()}
        values = tuple(self.output(kind, given[name]).values[0] for name, kind in kinds.items())
        if entry.counts is not None:
            counts = self.numbers(entry.counts, whole)
            numbered = [(place, int(str(count))) for place, count in enumerate(counts.values) if count]
            return [Logged(place, count, values) for place, count in numbered if count > 0], len(counts.values)
        assert entry.at is not None, "an entry has a time or counts"
        if entry.at % self.interval:
            raise NoValue(entry.place, "bad-value", f"{entry.at}s is no multiple of the interval, {self.interval}s")
        return [Logged(entry.at // self.interval, entry.count, values)], 0

    def add_storage(self, entry: Entry) -> None:
        """`slot: {position: series of 32 bytes}`."""
        address = self.address(entry.key)
        if not isinstance(entry.value, Table):
            raise NoValue(entry.value.place, "wrong-type", "a mapping of positions to series is needed here")
        for one in entry.value.entries.values():
            try:
                text = one.key.value
                position = int.from_bytes(hex_bytes(text)) if text.startswith("0x") else parse_integer(text)
            except ValueError as problem:
                raise NoValue(one.key.place, "bad-value", f"{one.key.value!r} is no position: {problem}") from problem
            self.storage.setdefault((address, position), self.parsed(one.value, storage_words))

    def add_code(self, entry: Entry) -> None:
        """`slot: series of code` (any bytes: only their hash is compared)."""
        series = self.parsed(entry.value, lambda text: parse_words(text, hex_bytes))
        self.code.setdefault(self.address(entry.key), series)

    def address(self, key: Text) -> Address:
        """The address of `slot` (its first) or `slot.name`; raises NoValue."""
        try:
            found = parse_value("address", key.value, self.bound)
        except ValueError as problem:
            raise NoValue(key.place, "unknown-slot", str(problem)) from problem
        assert isinstance(found, str), "an address is text"
        return Address(found)

    def add_benchmark(self, entry: Entry) -> None:
        """`name: series` of numbers."""
        self.benchmarks.setdefault(entry.key.value, self.numbers(entry.value, scale(BENCHMARK_DECIMALS)))


def storage_words(text: str) -> Series:
    """A series of words of storage: hex of at most 32 bytes, filled up at the left; raises SeriesError."""

    def word(token: str) -> bytes:
        found = hex_bytes(token)
        if len(found) > WORD_BYTES:
            raise ValueError("a word of storage has 32 bytes")
        return found.rjust(WORD_BYTES, b"\0")

    return parse_words(text, word)


def scale(decimals: int) -> Number:
    """A number in units of 10^-decimals; the function raises ValueError where it has more decimals."""

    def finish(value: Decimal) -> int:
        try:
            return whole(EXACT.scaleb(value, decimals))
        except ValueError:
            raise ValueError(f"{value} has more than {decimals} decimals") from None

    return finish
