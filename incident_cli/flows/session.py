"""One incident being walked: the runbook bound to a deployment, the record, the chain, the people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from incident_cli.binding import Given
from incident_cli.checks.check import Finding, Found, Verdict
from incident_cli.errors import Unread, Waiting
from incident_cli.evm import Block, Missing, Read, Snapshot
from incident_cli.expression import Expression, Unknown
from incident_cli.flows.desk import Answer, Answerer, Back, Header, Note, Prompt, Screen, Skip
from incident_cli.flows.judging import Bench, not_now, wired
from incident_cli.flows.reading import Reader
from incident_cli.flows.recorder import Recorder
from incident_cli.incident.conditions import Conditions, judge, reads_needed
from incident_cli.incident.events import Event, Kind, finding_to_json, findings
from incident_cli.incident.timeline import moments
from incident_cli.incident.walk import compared, expected, handled
from incident_cli.runbook.bind import Bound
from incident_cli.runbook.kinds import VALUE_KINDS
from incident_cli.runbook.model import Step

if TYPE_CHECKING:
    from incident_cli.flows.delivery import Delivery
    from incident_cli.flows.proposal import Override


SETTLE_SECONDS = 12  # a block of Ethereum
MOST_AGE_SECONDS = 300  # an older head is a chain that stands still, or a node that does not follow it


class Pace(Protocol):
    """How chain time passes: a live chain's by waiting, a drill's by mining."""

    def wait(self, seconds: int) -> None:
        """Return once the chain's time has moved on by at least this much."""

    def recovered(self) -> None:
        """The cause has been mended: a drill's fault ends here, a live chain knows nothing of it."""


class GoBack(Exception):
    """The operator went back: to the step named, else the one before. `shown`: found values they were asked about."""

    def __init__(self, to: str | None = None, shown: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(to)
        self.to = to
        self.shown = shown


class SkipStep(Exception):
    """The operator left the step undone."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Session:
    """Everything a step needs."""

    bound: Bound
    recorder: Recorder
    reader: Reader
    screen: Screen
    answerer: Answerer
    delivery: Delivery
    pace: Pace
    runbook_hash: str
    attempt: int = 0
    overrides: list[Override] = field(default_factory=list)  # what two people overruled for the whole session
    own: Reader | None = None  # of the incident's own chain, where `reader` is that of another chain's leg
    legs: int = 0  # how many legs its step carries side by side: none of them waits by itself; 0 where this one does

    @property
    def elsewhere(self) -> str:
        """The chain of `reader` where that is not the incident's own; else empty."""
        return "" if self.own is None else self.reader.chain

    def on(self, chain: str) -> Session:
        """The same incident on another of its chains: plans, proposals and proofs are made there.

        Checks and expressions stay with the incident's own chain.
        """
        if chain == self.reader.chain:
            return self
        home = self.own or self.reader
        return replace(self, reader=home.on(chain), own=None if chain == home.chain else home)

    @property
    def events(self) -> Sequence[Event]:
        """Everything recorded so far."""
        return self.recorder.events

    def record(
        self, kind: Kind, step: Step, block: Block | None = None, safe_tx_hash: str | None = None, **data: Any
    ) -> Event:
        """Record an event of the present attempt at a step, at the last block read unless another is given."""
        place = block or self.reader.head
        self.reader.forget()
        return self.recorder.record(
            kind, step=step.id, attempt=self.attempt, block=place, proposal=safe_tx_hash, data=data
        )

    def ask(self, step: Step, prompt: Prompt) -> str:
        """An answer to a question; notes are recorded and the question asked again."""
        while True:
            self.reader.forget()  # people take their time: what was looked at before is old
            reply = self.answerer.ask(prompt)
            if isinstance(reply, Answer):
                chain: dict[str, Any] = {"chain": self.elsewhere} if self.elsewhere else {}
                self.record(Kind.ANSWERED, step, question=prompt.text, answer=reply.text, **chain)
                return reply.text
            if isinstance(reply, Note):
                self.record(Kind.NOTED, step, text=reply.text)
                self.screen.say("noted", "good")
            elif isinstance(reply, Back):
                raise GoBack
            elif isinstance(reply, Skip):
                raise SkipStep(reply.reason)
            else:
                raise Waiting("stopped by the operator; nothing is lost", "operator")

    def judge_checks(self, names: Sequence[str], step: Step | None, *, show: bool = True) -> list[Finding]:
        """Judge checks at one block; the findings are recorded and shown."""
        judged = self.bench.judge(names, self.events)
        found = [finding_to_json(one) for one in judged.findings]
        remembered = {"reads": list(judged.remembered)} if judged.remembered else {}
        self.recorder.record(
            Kind.FINDINGS,
            step=step.id if step else None,
            attempt=self.attempt if step else 0,
            block=judged.snapshot.block,
            data={"findings": found, **remembered},
        )
        if step is not None and show:
            self.screen.findings(judged.findings)
        return list(judged.findings)

    @property
    def bench(self) -> Bench:
        """What its checks are judged with."""
        return Bench(self.own or self.reader, wired(self.bound), self.block_age)

    def judge_until_settled(self, names: Sequence[str], step: Step, *, show: bool = True) -> list[Finding]:
        """Judge, and while a check is pending (it holds, but not for long enough yet) wait and judge again."""
        spans = [self.bound.checks[name].for_ for name in names]
        longest = max((one.seconds + one.blocks * SETTLE_SECONDS for one in spans), default=0)
        for _ in range(longest // SETTLE_SECONDS + 2):
            found = self.judge_checks(names, step, show=show)
            if not any(one.verdict is Verdict.PENDING for one in found):
                return found
            with self.screen.working("pending: it holds, but not for long enough yet; judging again"):
                self.pace.wait(SETTLE_SECONDS)
        return found

    def fresh(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot; on a live chain whose newest block is old, every answer is missing: old is not now."""
        age = self.block_age(snapshot.block)
        reason = "" if age is None else not_now(snapshot.block, age, MOST_AGE_SECONDS, self.reader.chain_id)
        return Snapshot(snapshot.block, {read: Missing(reason) for read in snapshot.answers}) if reason else snapshot

    def snapshot(self, reads: Sequence[Read]) -> Snapshot:
        """A round of reads. Where the chain cannot be read at all, every answer is missing at the last block seen."""
        reader = self.own or self.reader
        try:
            return self.fresh(reader.read(reads))
        except Unread as problem:
            if reader.head is None:
                raise
            return Snapshot(reader.head, {read: Missing(problem.message) for read in reads})

    def holds(self, expression: Expression) -> bool | Unknown:
        """An expression's truth now: its reads are made, its checks' latest findings used."""
        conditions = self.conditions()
        reads = reads_needed(expression, conditions)
        snapshot = self.snapshot(reads) if reads else None
        return judge(expression, self.conditions(snapshot))

    def conditions(self, snapshot: Snapshot | None = None) -> Conditions:
        """What expressions may ask, with the answers of a snapshot."""
        history = {name: findings(self.events, name) for name in self.bound.checks}
        wiring = self.bound.wiring
        values = {**wiring.values, **{name: given.value for name, given in self.found().items()}}
        return Conditions(replace(wiring, values=values), history, snapshot)

    def found(self) -> dict[str, Given]:
        """The typed values that checks came upon last, as steps name them: `checks.upstream.operation_id`."""
        parsed = {name: (one.kind, VALUE_KINDS[one.kind].parse(one.text)) for name, one in self.found_values().items()}
        return {name: Given(kind, value) for name, (kind, value) in parsed.items()}

    def found_values(self) -> dict[str, Found]:
        """What checks came upon last: where one found several things, the first that nobody has dealt with."""
        checks = [name for name, one in self.bound.checks.items() if one.finds()]
        values: dict[str, Found] = {}
        for check in checks:
            known = [one for one in last_found(findings(self.events, check)) if one.kind in VALUE_KINDS]
            values |= self.foremost(grouped(f"checks.{check}.", known))
        return values

    def foremost(self, groups: Sequence[Mapping[str, Found]]) -> Mapping[str, Found]:
        """The first thing that is neither handled nor expected; where there is none, the one handled last."""
        if not groups:
            return {}
        done = {name: handled(self.events, name) for name in groups[0]}
        over = {name: {*done[name], *expected(self.events, name)} for name in done}
        told = [name for name in over if over[name]]
        for group in groups:
            if not told or any(group[name].text not in over[name] for name in told if name in group):
                return group
        return {name: replace(one, text=(done[name] or [one.text])[-1]) for name, one in groups[0].items()}

    def compared(self, names: Iterable[str]) -> dict[str, str]:
        """Of these names (`checks.CHECK.VALUE`), the values that the operator was shown first and compared."""
        shown = {name: compared(self.bound.runbook, self.events, name.split(".")[1]) for name in names}
        return {name: values[name] for name, values in shown.items() if name in values}

    def block_age(self, block: Block | None) -> int | None:
        """How old a live chain's block is by the wall clock, in seconds; a drill's time is its own."""
        if block is None or self.recorder.is_rehearsal:
            return None
        return int(self.recorder.clock.now().timestamp()) - block.timestamp

    def header(self, step: Step) -> Header:
        """The screen's constant part for a step."""
        block = self.reader.head
        detected = moments(self.bound.runbook, self.events).get("detected")
        since = block.timestamp - detected.block.timestamp if block and detected else None
        steps = [one.id for one in self.bound.runbook.steps]
        ahead = self.bound.runbook.steps[steps.index(step.id) :]
        deadline = next((one.deadline for one in ahead if one.deadline is not None), None)
        left = None if deadline is None or since is None else deadline - since
        return Header(
            self.recorder.mode,
            self.recorder.incident,
            self.bound.runbook.title,
            self.bound.market.name,
            block,
            self.block_age(block),
            since,
            steps.index(step.id) + 1,
            len(steps),
            left,
        )


def last_found(history: Sequence[Finding]) -> tuple[Found, ...]:
    """What the latest finding that came upon something carries: it stays known after the check is quiet again."""
    return next((one.reading.found for one in reversed(history) if one.reading.found), ())


def grouped(prefix: str, found: Sequence[Found]) -> list[dict[str, Found]]:
    """What belongs together: the first value of each name, the second of each, and so on; by full names."""
    groups: list[dict[str, Found]] = []
    counts: Counter[str] = Counter()
    for one in found:
        if counts[one.name] == len(groups):
            groups.append({})
        groups[counts[one.name]][prefix + one.name] = one
        counts[one.name] += 1
    return groups
