"""A chain that answers from a test's series: the same reader for checks and walks, and no node behind it.

Time stands still until it is told to go on. What a rehearsed execution brought about is read from then on instead of
the series. A Safe stands with nonce 0, two of three owners and version 1.4.1, a time-lock with a delay of an hour,
unless the test says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType

from incident_cli.errors import Waiting
from incident_cli.evm import (
    Address,
    BenchmarkRead,
    Block,
    CallRead,
    LogsRead,
    Missing,
    PastRead,
    Read,
    Snapshot,
    StateRead,
    added,
)
from incident_cli.flows.proposal import SAFE_READS
from incident_cli.flows.reading import Reader
from incident_cli.protocols.slot import BoundSlot
from incident_cli.runbook.bind import Bound
from incident_cli.runbook.made_up import CHAIN, CHAIN_ID, made_up
from incident_cli.runbook.recording import NOT_GIVEN, Answer, Recording
from incident_cli.units import Span, format_duration

OWNERS = tuple(made_up(f"owner {number}") for number in (1, 2, 3))
SAFE_VALUES: dict[str, object] = {"nonce": 0, "threshold": 2, "owners": OWNERS, "version": "1.4.1"}
TIMELOCK_VALUES: dict[str, object] = {"delay": 3_600, "operation_state": 0, "operation_timestamp": 0}
PAST_OF_BENCHMARK = Missing("a benchmark belongs to no block: its past cannot be read")
UNENDING = 2_000  # samples after which a walk over values that hold for ever is over all the same
Key = tuple[Address, str, tuple[object, ...]]


class SeriesReader(Reader):
    """The reader of a walk over a recording."""

    def __init__(self, recording: Recording, bound: Bound) -> None:
        self.chain, self.chain_id, self.others = CHAIN, CHAIN_ID, {}
        self.head: Block | None = None
        self.forget()  # there is no look of a moment ago
        self.recording = recording
        self.index = 0
        self.changed: dict[Key, list[tuple[int, object]]] = {}
        self.standing = standing(bound)

    def parent_of(self, block: Block) -> Block | None:
        """None: series are not executed on."""
        return None

    def block(self, wanted: int | str) -> Block:
        """The block of a sample by its number: nothing is ever reorganised here."""
        return self.recording.block(int(wanted) - self.recording.block(0).number)

    def hashes_at(self, numbers: Sequence[int]) -> Mapping[int, str]:
        """None: nothing is ever reorganised here."""
        return {}

    @contextmanager
    def judgement(self) -> Iterator[None]:
        """Without an end: a test's answers take no time."""
        yield

    def read_at(
        self, reads: Sequence[Read], block: Block | None, others: Mapping[str, Block] = MappingProxyType({})
    ) -> Snapshot:
        """All answers at a block; at the present one where none is given. A test has one chain alone."""
        index = self.index if block is None else self.recording.index_of(block)
        answers: dict[Read, Answer] = {one: self.answer(one, index, now=block is None) for one in reads}
        spans = dict.fromkeys(span for one in reads for span in spans_of(one))
        earlier = {span: self.recording.earlier(index, span) for span in spans}
        known = {span: at for span, at in earlier.items() if at >= 0 or self.recording.backwards}
        past_blocks = {(CHAIN, span): self.recording.block(at) for span, at in known.items()}
        return Snapshot(self.recording.block(index), answers, {}, past_blocks)

    def answer(self, read: Read, index: int, *, now: bool) -> Answer:
        """One answer at a sample."""
        if isinstance(read, BenchmarkRead):
            return self.recording.benchmark(read, index) if now else PAST_OF_BENCHMARK
        if isinstance(read, LogsRead):
            return self.recording.events(read, index)
        if isinstance(read, PastRead):
            return self.state(read.read, self.recording.earlier(index, read.ago))
        return self.state(read, index)

    def state(self, read: StateRead, index: int) -> Answer:
        """State at a sample: what was brought about, else the series, else what stands in every test."""
        if not isinstance(read, CallRead):
            return self.recording.state(read, index)
        key = (read.to, read.signature.canonical, read.args)
        later = [value for at, value in self.changed.get(key, ()) if at <= index]
        if later:
            return (later[-1],)
        if self.recording.source(read) is None and key[:2] in self.standing:
            return (self.standing[key[:2]],)
        found = self.recording.state(read, index)
        return Missing(f"{read.signature.name}: {found.reason}") if found is NOT_GIVEN else found

    def change(self, read: CallRead, value: object, at: int) -> None:
        """From a sample on, a read answers this."""
        key = (read.to, read.signature.canonical, read.args)
        self.changed.setdefault(key, []).append((at, value))

    def advance(self, seconds: int) -> Block:
        """Chain time goes on by at least so many seconds; raises Waiting where the test's series are over."""
        steps = max(1, -(-seconds // self.recording.interval))
        last = (self.recording.length or UNENDING) - 1
        if self.index + steps > last:
            ended = format_duration(last * self.recording.interval)
            raise Waiting(f"the test's series end at {ended}", "operator", "make the longest one longer")
        self.index += steps
        self.head = self.recording.block(self.index)
        return self.head


def spans_of(read: Read) -> tuple[Span, ...]:
    """How far back a read looks."""
    if isinstance(read, PastRead):
        return (read.ago,)
    if not isinstance(read, LogsRead):
        return ()
    try:
        return (read.until, added(read.until, read.window))
    except ValueError:
        return ()


def standing(bound: Bound) -> dict[tuple[Address, str], object]:
    """What every Safe and every time-lock of a test answers unless it says otherwise."""
    found: dict[tuple[Address, str], object] = {}
    for slot in bound.slots.values():
        for safe in safes_of(slot):
            found |= {(safe, SAFE_READS[name].canonical): value for name, value in SAFE_VALUES.items()}
        if slot.protocol.protocol == "timelock":
            reads = {name: slot.protocol.reads[name] for name in TIMELOCK_VALUES if name in slot.protocol.reads}
            for name, read in reads.items():
                found[(slot.addresses[read.on], read.call.canonical)] = TIMELOCK_VALUES[name]
    return found


def safes_of(slot: BoundSlot) -> list[Address]:
    """The Safes of a slot: itself, or the one that proposes to a time-lock."""
    wanted = {"safe": "safe", "timelock": "proposer"}.get(slot.protocol.protocol)
    return [slot.addresses[wanted]] if wanted is not None and wanted in slot.addresses else []
