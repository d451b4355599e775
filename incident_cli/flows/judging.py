"""Judging checks: one round of reads (a second where a check needs it), the past from the journal or the chain.

The same for a live response, a drill and `incident check`. A check that holds now, and whose `for` the findings so
far do not cover, is judged again at points of the chain's own past.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from incident_cli.checks.check import Check, Finding, Reading, Verdict, Wiring
from incident_cli.checks.lasting import find, is_covered
from incident_cli.errors import Unread
from incident_cli.evm import Block, LogsRead, Missing, PastRead, Read, Snapshot, past
from incident_cli.flows.memory import kept, recall
from incident_cli.flows.reading import Reader
from incident_cli.incident.events import Event, findings
from incident_cli.runbook.bind import Bound
from incident_cli.units import Span, format_duration

MOST_POINTS = 16  # of the past, when `for` is looked up on the chain
BLOCK_SECONDS = 12
MOST_HISTORY = 500


@dataclass(frozen=True, slots=True)
class Judged:
    """The findings of a round, its snapshot, what of it the journal should remember, and whose past is not known."""

    findings: tuple[Finding, ...]
    snapshot: Snapshot
    remembered: tuple[dict[str, str], ...] = ()
    unproven: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wired:
    """A check with what its names stand for."""

    check: Check
    kind: str
    wiring: Wiring

    def reads(self) -> tuple[Read, ...]:
        """What it reads."""
        return self.check.reads(self.wiring)


@dataclass(frozen=True, slots=True)
class Bench:
    """What checks are judged with. `age` gives the age of a block by the wall clock, in seconds, or None in a drill;
    `earlier` what was found before: of the events and of a check, its findings, oldest first."""

    reader: Reader
    checks: Mapping[str, Wired]
    age: Callable[[Block | None], int | None]
    earlier: Callable[[Sequence[Event], str], Sequence[Finding]] = findings

    def judge(self, names: Sequence[str], events: Sequence[Event], at: Block | None = None) -> Judged:
        """The findings of these checks, all at one block; raises Unread where no block was ever seen."""
        chosen = {name: self.checks[name] for name in names}
        depths = sorted({one.check.depth for one in chosen.values()})
        if at is not None or depths == [0]:
            return self.at_one_block(chosen, events, at)
        groups = [(depth, {n: c for n, c in chosen.items() if c.check.depth == depth}) for depth in depths]
        parts = [self.at_depth(some, events, depth) for depth, some in groups]
        found = {one.check: one for part in parts for one in part.findings}
        unproven = {name: why for part in parts for name, why in part.unproven.items()}
        remembered = tuple(record for part in parts for record in part.remembered)
        return Judged(tuple(found[name] for name in names), parts[0].snapshot, remembered, unproven)

    def at_depth(self, checks: Mapping[str, Wired], events: Sequence[Event], depth: int) -> Judged:
        """Judged below the head, where a reorganisation no longer reaches."""
        block = self.reader.below(depth) if depth else None
        if isinstance(block, Missing):
            snapshot = Snapshot(self.head(Unread(block.reason)))
            return self.concluded(checks, events, snapshot, ())
        return self.at_one_block(checks, events, block)

    def at_one_block(self, checks: Mapping[str, Wired], events: Sequence[Event], at: Block | None) -> Judged:
        reads = tuple(dict.fromkeys(read for one in checks.values() for read in one.reads()))
        snapshot = self.read(reads, events, at)
        further = tuple(read for one in checks.values() for read in one.check.then(one.wiring, snapshot))
        if further:
            snapshot = self.read_more(snapshot, further)
        return self.concluded(checks, events, snapshot, reads)

    def read(self, reads: Sequence[Read], events: Sequence[Event], at: Block | None) -> Snapshot:
        """One round. Where the chain cannot be read at all, every answer is missing at the last block seen."""
        try:
            known = self.reader.head
            recalled = recall(reads, events, known) if known is not None and at is None else None
            if recalled is None or not recalled.answers:
                return self.reader.read(reads) if at is None else self.reader.read_at(reads, at)
            return self.read_the_rest(reads, events)
        except Unread as problem:
            return Snapshot(self.head(problem), {read: Missing(problem.message) for read in reads})

    def read_the_rest(self, reads: Sequence[Read], events: Sequence[Event]) -> Snapshot:
        """The present from the chain, and of the past what the journal does not hold."""
        present = [one for one in reads if not isinstance(one, PastRead)]
        snapshot = self.reader.read(present)
        recalled = recall(reads, events, snapshot.block)
        missing = [one for one in reads if isinstance(one, PastRead) and one not in recalled.answers]
        if missing:
            earlier = self.reader.read_at(missing, snapshot.block)
            answers = {**earlier.answers, **snapshot.answers}
            snapshot = Snapshot(snapshot.block, answers, snapshot.others, earlier.past_blocks)
        return recalled.joined(snapshot)

    def read_more(self, snapshot: Snapshot, reads: Sequence[Read]) -> Snapshot:
        """The second round, at the block of the first."""
        try:
            more = self.reader.read_at(reads, snapshot.block, snapshot.others)
        except Unread as problem:
            more = Snapshot(snapshot.block, {read: Missing(problem.message) for read in reads})
        answers = {**snapshot.answers, **more.answers}
        blocks = {**snapshot.past_blocks, **more.past_blocks}
        return Snapshot(snapshot.block, answers, {**snapshot.others, **more.others}, blocks)

    def head(self, problem: Unread) -> Block:
        if self.reader.head is None:
            raise problem
        return self.reader.head

    def concluded(
        self, checks: Mapping[str, Wired], events: Sequence[Event], snapshot: Snapshot, reads: Sequence[Read]
    ) -> Judged:
        """The findings of a snapshot."""
        history = {name: self.earlier(events, name)[-MOST_HISTORY:] for name in checks}
        found, unproven = {}, {}
        for name, one in checks.items():
            reading = self.fresh(one, one.check.judge(one.wiring, snapshot), snapshot)
            found[name] = find(name, one.kind, one.check, reading, snapshot.block, history[name])
        open_ = {name: one for name, one in checks.items() if not is_covered(one.check, found[name], history[name])}
        for name, (finding, problem) in self.looked_up(open_, found, history).items():
            found[name] = finding
            if problem:
                unproven[name] = problem
        return Judged(tuple(found.values()), snapshot, tuple(kept(reads, snapshot)), unproven)

    def fresh(self, one: Wired, reading: Reading, snapshot: Snapshot) -> Reading:
        """The reading; where a chain's newest block is older than the check allows it is unknown: old is not now."""
        for chain in dict.fromkeys(("", *(read.chain for read in one.reads()))):
            block = snapshot.block_of(chain)
            age = self.age(block) if isinstance(block, Block) else None
            if isinstance(block, Block) and age is not None and age > one.check.freshness:
                reason = f"the newest block of {block.chain}, {block.number}, is {format_duration(age)} old"
                return replace(reading, holds=None, reason=reason)
        return reading

    def looked_up(
        self, checks: Mapping[str, Wired], found: Mapping[str, Finding], history: Mapping[str, Sequence[Finding]]
    ) -> dict[str, tuple[Finding, str]]:
        """Pending findings whose beginning is looked up on the chain: the finding, and why its past is not known."""
        if not checks:
            return {}
        points = {name: points_of(one.check, one.reads()) for name, one in checks.items()}
        reads = [one for name, check in checks.items() for one in self.past_reads(check, points[name])]
        block = next(iter(found.values())).block
        snapshot = self.read_more(Snapshot(block), reads)
        further = [one for name, check in checks.items() for one in self.past_then(check, points[name], snapshot)]
        if further:
            snapshot = self.read_more(snapshot, further)
        return {
            name: self.with_past(check, found[name], history[name], [snapshot.back(one) for one in points[name]])
            for name, check in checks.items()
        }

    def past_reads(self, one: Wired, points: Iterable[Span]) -> list[Read]:
        """The reads of a check at every point; none where its own reads reach back in another unit."""
        try:
            return [past(read, point) for point in points for read in one.reads()]
        except ValueError:
            return []

    def past_then(self, one: Wired, points: Iterable[Span], snapshot: Snapshot) -> list[Read]:
        """The second round of a check at every point; none where it reaches back in another unit."""
        views = [(point, snapshot.back(point)) for point in points]
        try:
            return [
                past(read, point)
                for point, view in views
                if isinstance(view, Snapshot)
                for read in one.check.then(one.wiring, view)
            ]
        except ValueError:
            return []

    def with_past(
        self, one: Wired, now: Finding, history: Sequence[Finding], views: Sequence[Snapshot | Missing]
    ) -> tuple[Finding, str]:
        """The finding with the chain's past before it, and why that past is not known."""
        earlier: list[Finding] = []
        problem = ""
        for view in sorted((view for view in views if isinstance(view, Snapshot)), key=lambda view: view.block.number):
            reading = one.check.judge(one.wiring, view)
            problem = problem or (reading.reason if reading.holds is None else "")
            earlier.append(find(now.check, now.kind, one.check, reading, view.block, earlier))
        lost = next((view.reason for view in views if isinstance(view, Missing)), "")
        finding = find(now.check, now.kind, one.check, now.reading, now.block, [*earlier, *history])
        return finding, (problem or lost) if finding.verdict is Verdict.PENDING else ""


def points_of(check: Check, reads: Sequence[Read]) -> list[Span]:
    """Where in the past a check is judged again to see how long it has held.

    Of `for` at most 16 points, the last at its beginning; of m-of-n the blocks just before, counted in time where the
    check itself reaches back in time (the two cannot be added).
    """
    span = check.for_
    timed = any(one.ago.seconds for one in reads if isinstance(one, PastRead))
    timed |= any(one.window.seconds for one in reads if isinstance(one, LogsRead))
    size = Span(seconds=BLOCK_SECONDS) if timed else Span(blocks=1)
    before = [Span(size.seconds * place, size.blocks * place) for place in range(1, check.samples.of)]
    if span.blocks:
        count = min(span.blocks, MOST_POINTS)
        return [*before, *(Span(blocks=-(-span.blocks * place // count)) for place in range(1, count + 1))]
    if not span:
        return before
    count = max(1, min(span.seconds // BLOCK_SECONDS, MOST_POINTS))
    return [*before, *(Span(seconds=-(-span.seconds * place // count)) for place in range(1, count + 1))]


def wired(bound: Bound) -> dict[str, Wired]:
    """The checks of a bound runbook with what their names stand for."""
    kinds, wiring = bound.runbook.checks, bound.wiring
    return {name: Wired(check, kinds[name].kind, wiring) for name, check in bound.checks.items()}
