"""State over time: from the readings of a check at one block after another to its verdict. Pure.

A reading says whether the condition holds at a block. Over the readings, in this order: hysteresis (once firing, it
holds until the value is back beyond `clear_at` of the limit), m-of-n, `for` (pending until it has held so long), and
`keep_firing`, counted from where it last held. A reading that holds is pending at least, even where m-of-n is not yet
reached. A reading that could not be made makes this verdict unknown; it ends no run and begins none.

A silence (no block judged, or none that could be read) longer than a minute and an eighth of `for` ends a run: `for`
is evidence that something lasted, and there is none; the chain's own past is asked then. What was firing goes on over
five minutes of silence, so that thinking does not disarm a check, and over `keep_firing`, as in Prometheus.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from incident_cli.checks.check import WHOLE_BPS, Check, Finding, Reading, Verdict
from incident_cli.checks.wording import render_summary
from incident_cli.evm import Block

# Five minutes, after which Prometheus too holds a series to be stale (its default look-back).
LONGEST_SILENCE_SECONDS = 300
LEAST_GAP_SECONDS, LEAST_GAP_BLOCKS = 60, 5
PART = 8  # of `for`, that may pass unseen


@dataclass(frozen=True, slots=True)
class Sample:
    """A reading at a block; `shown` where it was found firing then, and since when."""

    block: Block
    reading: Reading
    shown: Block | None = None


@dataclass(slots=True)
class Course:
    """A check's state while its samples go by, oldest first.

    `since` is the block from which readings have held, `began` the one at which m-of-n was first reached, `last_held`
    the time of the one at which it last was, and `recent` says whether the last n readings held.
    """

    check: Check
    verdict: Verdict = Verdict.QUIET
    since: Block | None = None
    began: Block | None = None
    last_held: int | None = None
    firing: bool = False
    recent: list[bool | None] = field(default_factory=list)
    last_known: Block | None = None

    def step(self, sample: Sample) -> None:
        """The state after one more sample."""
        block = sample.block
        if self.last_known is not None and is_silence(self.check, self.last_known, block):
            self.forget(self.last_known, block)
        holds = self.held(sample.reading)
        self.recent = [*self.recent, holds][-self.check.samples.of :]
        if holds is not None:
            self.last_known = block
        self.settle(holds, block)
        if sample.shown is not None and self.verdict is Verdict.PENDING:
            self.since, self.firing, self.verdict = sample.shown, True, Verdict.FIRING

    def forget(self, before: Block, now: Block) -> None:
        """A silence too long: nothing is known of what lay in it, but what fired is not forgotten at once."""
        self.recent = []
        if self.kept(now):
            return
        self.since, self.began = None, None
        if now.timestamp - before.timestamp > LONGEST_SILENCE_SECONDS:
            self.last_held, self.firing = None, False

    def held(self, reading: Reading) -> bool | None:
        """Whether a reading holds; once firing, until it is cleared."""
        if reading.holds is False and self.firing and not cleared(reading, self.check.clear_at):
            return True
        return reading.holds

    def reached(self) -> bool | None:
        """Whether m of the last n readings hold; None where an unknown one decides."""
        sure = self.recent.count(True)
        possible = sure + self.recent.count(None)
        if sure >= self.check.samples.hold:
            return True
        return False if possible < self.check.samples.hold else None

    def settle(self, holds: bool | None, block: Block) -> None:
        """The verdict at a block, given whether its reading holds."""
        reached = self.reached()
        if holds is None or (reached is None and not holds):
            self.verdict = Verdict.UNKNOWN
        elif reached or (reached is None and self.began is not None):
            self.run_on(block)
        elif self.kept(block):
            self.verdict = Verdict.FIRING
        elif holds:
            self.verdict, self.began, self.firing = Verdict.PENDING, None, False
            self.since = self.since or block
        else:
            self.verdict, self.since, self.began, self.firing = Verdict.QUIET, None, None, False

    def run_on(self, block: Block) -> None:
        """It holds here: pending, or firing once it has lasted."""
        self.began = self.began or block
        self.since = self.since or self.began
        self.last_held = block.timestamp
        self.firing = self.firing or self.lasted(self.began, block)
        self.verdict = Verdict.FIRING if self.firing else Verdict.PENDING

    def kept(self, now: Block) -> bool:
        """Whether it is still within `keep_firing` of where it last held."""
        return self.firing and self.last_held is not None and now.timestamp - self.last_held < self.check.keep_firing

    def lasted(self, began: Block, now: Block) -> bool:
        """Whether it has held for `for`, in seconds of block time or in blocks."""
        span = self.check.for_
        if span.blocks:
            return now.number - began.number >= span.blocks
        return now.timestamp - began.timestamp >= span.seconds


def is_silence(check: Check, before: Block, now: Block) -> bool:
    """Whether so much passed unseen between two readings that nothing can be said to have lasted over it.

    Between a block and the next one nothing passes unseen, however long it takes.
    """
    if now.number - before.number <= 1:
        return False
    if now.timestamp - before.timestamp <= max(LEAST_GAP_SECONDS, check.for_.seconds // PART):
        return False
    return not check.for_.blocks or now.number - before.number > max(LEAST_GAP_BLOCKS, check.for_.blocks // PART)


def cleared(reading: Reading, clear_at: int) -> bool:
    """Whether the value is back beyond `clear_at` (bps) of the limit; without a value, whatever `holds` says.

    Above 150 at 80 % it is cleared from 120 down; below 100 at 80 % from 125 up; with limits under zero likewise.
    """
    if reading.value is None or clear_at == WHOLE_BPS:
        return True
    value, limit = (reading.value, reading.limit) if reading.trips == "above" else (-reading.value, -reading.limit)
    if limit >= 0:
        return value * WHOLE_BPS <= limit * clear_at
    return value * clear_at <= limit * WHOLE_BPS


def course(check: Check, samples: Iterable[Sample]) -> Course:
    """The state after all samples, oldest first."""
    found = Course(check)
    for sample in samples:
        found.step(sample)
    return found


def find(name: str, kind: str, check: Check, reading: Reading, block: Block, history: Sequence[Finding]) -> Finding:
    """The finding at `block`, given the earlier findings of the same check in the order they were made."""
    state = course(check, [*lineage(history, block), Sample(block, reading)])
    since = state.since if state.verdict in (Verdict.PENDING, Verdict.FIRING) else None
    summary = render_summary(check.summary, reading, check.finds())
    if since is None:
        return Finding(name, kind, state.verdict, reading, block, summary=summary)
    return Finding(name, kind, state.verdict, reading, block, since.timestamp, summary, since.number)


def lineage(history: Iterable[Finding], block: Block) -> list[Sample]:
    """The samples before a block, by height, each block once.

    A block judged at a height where another was known shows a reorganisation: what was judged there and above lay on
    the chain that is gone. A block judged twice counts once, by what could be read; one below the newest fills in.
    """
    kept: dict[int, Sample] = {}
    for one in history:
        known = kept.get(one.block.number)
        if known is not None and known.block.hash != one.block.hash:
            kept = {number: sample for number, sample in kept.items() if number < one.block.number}
            known = None
        if known is None or one.reading.holds is not None:
            kept[one.block.number] = Sample(one.block, one.reading, shown_firing(one))
    return [kept[number] for number in sorted(kept) if number < block.number]


def shown_firing(finding: Finding) -> Block | None:
    """Where the run of a finding that fired began, as it was recorded."""
    if finding.verdict is not Verdict.FIRING or finding.since is None or finding.since_block is None:
        return None
    return Block(finding.block.chain, finding.since_block, "", finding.since)


def is_covered(check: Check, finding: Finding, history: Sequence[Finding]) -> bool:
    """Whether the findings before settle the verdict, so that no older block could change it.

    For m of n, n − 1 readings just before it must be known; and of a pending run a reading from before its beginning.
    """
    if finding.verdict in (Verdict.FIRING, Verdict.UNKNOWN):
        return True
    known = unbroken(check, [one for one in lineage(history, finding.block) if one.reading.holds is not None], finding)
    if len(known) < check.samples.of - 1:
        return False
    if finding.verdict is Verdict.QUIET or finding.since is None:
        return True
    return any(one.block.timestamp < finding.since for one in known)


def unbroken(check: Check, known: Sequence[Sample], finding: Finding) -> list[Sample]:
    """The samples before a finding that no silence parts from it, oldest first."""
    found: list[Sample] = []
    later = finding.block
    for one in reversed(known):
        if is_silence(check, one.block, later):
            break
        found.insert(0, one)
        later = one.block
    return found
