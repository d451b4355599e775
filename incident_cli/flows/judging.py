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
from incident_cli.evm import ZERO as ANY_ADDRESS
from incident_cli.evm import Block, CodeRead, LogsRead, Missing, PastRead, Read, Snapshot, past
from incident_cli.flows.memory import Recalled, kept, recall
from incident_cli.flows.reading import Reader
from incident_cli.incident.events import Event, findings
from incident_cli.runbook.bind import Bound
from incident_cli.units import Span, format_duration

MOST_POINTS = 16  # of the past, when `for` is looked up on the chain
BLOCK_SECONDS = 12
MOST_HISTORY = 500
MOST_VERIFIED = 32  # blocks of a run that are held against the chain
AHEAD_SECONDS = 60  # by which a block may be ahead of the wall clock
LOCAL_CHAIN = 31_337  # of development chains (Hardhat, anvil, the drill): their time is their own


@dataclass(frozen=True, slots=True)
class Judged:
    """The findings of a round, its snapshot, what of it the journal should remember, and whose past is not known.

    `unproven` says why, by check, an earlier block could still change the verdict.
    """

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
        groups = [(depth, {n: c for n, c in chosen.items() if c.check.depth == depth}) for depth in depths]
        with self.reader.judgement():
            if at is not None or depths == [0]:
                return self.at_one_block(chosen, events, at)
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
                return self.reader.read_to_judge(reads) if at is None else self.reader.read_at(reads, at)
            return self.read_the_rest(reads, events)
        except Unread as problem:
            return Snapshot(self.head(problem), {read: Missing(problem.message) for read in reads})

    def read_the_rest(self, reads: Sequence[Read], events: Sequence[Event]) -> Snapshot:
        """The present from the chain, and of the past what the journal does not hold."""
        present = [one for one in reads if not isinstance(one, PastRead)]
        snapshot = self.reader.read_to_judge(present)
        recalled = self.remembered(reads, events, snapshot.block)
        missing = [one for one in reads if isinstance(one, PastRead) and one not in recalled.answers]
        if missing:
            earlier = self.reader.read_at(missing, snapshot.block)
            answers = {**earlier.answers, **snapshot.answers}
            snapshot = Snapshot(snapshot.block, answers, snapshot.others, earlier.past_blocks)
        return recalled.joined(snapshot)

    def remembered(self, reads: Sequence[Read], events: Sequence[Event], now: Block) -> Recalled:
        """The past that the journal holds, without what a reorganisation has taken away since."""
        recalled = recall(reads, events, now)
        if not recalled.blocks:
            return recalled
        gone = self.gone(recalled.blocks.values())
        return recall(reads, events, now, lambda block: block.hash not in gone) if gone else recalled

    def gone(self, blocks: Iterable[Block]) -> frozenset[str]:
        """The hashes of those blocks that the chain does not have; what cannot be asked is not gone."""
        wanted = {one.number: one for one in blocks if one.chain == self.reader.chain}
        try:
            found = self.reader.hashes_at(sorted(wanted))
        except Unread:
            return frozenset()
        return frozenset(one.hash for number, one in wanted.items() if found.get(number, one.hash) != one.hash)

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
            finding = find(name, one.kind, one.check, reading, snapshot.block, history[name])
            history[name] = self.still_there(finding, history[name])
            found[name] = find(name, one.kind, one.check, reading, snapshot.block, history[name])
        open_ = {name: one for name, one in checks.items() if not is_covered(one.check, found[name], history[name])}
        for name, (finding, problem) in self.looked_up(open_, found, history).items():
            found[name] = finding
            if problem:
                unproven[name] = problem
        return Judged(tuple(found.values()), snapshot, tuple(kept(reads, snapshot)), unproven)

    def still_there(self, finding: Finding, history: Sequence[Finding]) -> Sequence[Finding]:
        """The earlier findings without those that a run rests on and the chain no longer has."""
        if finding.since is None or finding.verdict not in (Verdict.PENDING, Verdict.FIRING):
            return history
        run = [one.block for one in history if finding.since <= one.block.timestamp < finding.block.timestamp]
        gone = self.gone(run[-MOST_VERIFIED:]) if run else frozenset()
        return [one for one in history if one.block.hash not in gone] if gone else history

    def fresh(self, one: Wired, reading: Reading, snapshot: Snapshot) -> Reading:
        """The reading; where a chain's newest block is older than the check allows it is unknown: old is not now."""
        for chain in dict.fromkeys(("", *(read.chain for read in one.reads()))):
            block = snapshot.block_of(chain)
            age = None if isinstance(block, Missing) else self.age(block)
            if isinstance(block, Missing) or age is None:
                continue
            nodes = self.reader.others.get(chain, self.reader.nodes)
            reason = not_now(block, age, one.check.freshness, nodes.chain_id)
            if reason:
                return replace(reading, holds=None, reason=reason)
        return reading

    def looked_up(
        self, checks: Mapping[str, Wired], found: Mapping[str, Finding], history: Mapping[str, Sequence[Finding]]
    ) -> dict[str, tuple[Finding, str]]:
        """Pending findings whose beginning is looked up on the chain: the finding, and why its past is not known."""
        if not checks:
            return {}
        block = next(iter(found.values())).block
        points = {name: self.points(one, block) for name, one in checks.items()}
        reads = [one for name, check in checks.items() for one in self.past_reads(check, points[name])]
        snapshot = self.read_more(Snapshot(block), reads)
        further = [one for name, check in checks.items() for one in self.past_then(check, points[name], snapshot)]
        if further:
            snapshot = self.read_more(snapshot, further)
        return {
            name: self.with_past(check, found[name], history[name], [snapshot.back(one) for one in points[name]])
            for name, check in checks.items()
        }

    def points(self, one: Wired, now: Block) -> list[Span]:
        """Where in the past a check is judged again."""
        count = one.check.samples.of - 1
        if not count or not is_timed(one.reads()):
            return points_of(one.check, [Span(blocks=place) for place in range(1, count + 1)])
        blocks = [Span(blocks=place) for place in range(1, count + 1)]
        headers = self.read_more(Snapshot(now), [past(CodeRead(ANY_ADDRESS), span) for span in blocks])
        views = [headers.back(span) for span in blocks]
        ages = [now.timestamp - view.block.timestamp for view in views if isinstance(view, Snapshot)]
        return points_of(one.check, [Span(seconds=age) for age in ages if age > 0])

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
        few = len({seen.block.number for seen in earlier if seen.reading.holds is not None}) < one.check.samples.of - 1
        why = problem or lost or ("too few blocks before it could be read" if few else "")
        return finding, why if finding.verdict in (Verdict.PENDING, Verdict.QUIET) else ""


def not_now(block: Block, age: int, most: int, chain_id: int) -> str:
    """Why a block is no present: older than `most` seconds, or ahead of the clock; empty where it is one."""
    if age < -AHEAD_SECONDS and chain_id != LOCAL_CHAIN:
        return f"the newest block of {block.chain}, {block.number}, is {format_duration(-age)} ahead of the clock"
    if age > most:
        return f"the newest block of {block.chain}, {block.number}, is {format_duration(age)} old"
    return ""


def is_timed(reads: Sequence[Read]) -> bool:
    """Whether reads reach back in time; then so must whoever moves them, for blocks and seconds cannot be added."""
    return any(one.ago.seconds for one in reads if isinstance(one, PastRead)) or any(
        one.window.seconds for one in reads if isinstance(one, LogsRead)
    )


def points_of(check: Check, before: Sequence[Span]) -> list[Span]:
    """Where in the past a check is judged again to see how long it has held.

    The blocks just before, for m-of-n; and of `for` at most 16 points, the last at its beginning.
    """
    span = check.for_
    if span.blocks:
        count = min(span.blocks, MOST_POINTS)
        return [*before, *(Span(blocks=-(-span.blocks * place // count)) for place in range(1, count + 1))]
    if not span:
        return list(before)
    count = max(1, min(span.seconds // BLOCK_SECONDS, MOST_POINTS))
    return [*before, *(Span(seconds=-(-span.seconds * place // count)) for place in range(1, count + 1))]


def wired(bound: Bound) -> dict[str, Wired]:
    """The checks of a bound runbook with what their names stand for."""
    kinds, wiring = bound.runbook.checks, bound.wiring
    return {name: Wired(check, kinds[name].kind, wiring) for name, check in bound.checks.items()}
