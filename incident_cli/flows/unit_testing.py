"""Unit tests of runbooks: what the checks say of a test's series, and the walk that given answers lead through.

The checks are judged by the same bench as live, the steps are performed by the same code; only the chain, the clock
and the people are the test's.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from incident_cli.checks.check import Finding, Verdict, worst
from incident_cli.document import Items, Place, Text
from incident_cli.errors import IncidentError
from incident_cli.flows.judging import Bench, wired
from incident_cli.flows.recorder import Recorder
from incident_cli.flows.rehearsing import GivenAnswers, MemoryJournal, SeriesClock, SeriesHands, SeriesPace, Unseen
from incident_cli.flows.series_chain import SeriesReader
from incident_cli.flows.session import Session
from incident_cli.flows.steps import contain_step, restore_step
from incident_cli.flows.steps.registry import PERFORMERS, Performer
from incident_cli.flows.walk import walk
from incident_cli.incident.events import Event, Kind
from incident_cli.runbook.bind import Bound
from incident_cli.runbook.cases import BoundCase, LoadedCases, Walk
from incident_cli.runbook.expected import Expected
from incident_cli.runbook.made_up import CHAIN
from incident_cli.runbook.model import CheckStep

MORE = "..."
STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that is not as expected, and where the expectation stands."""

    what: str
    expected: str
    found: str
    place: Place
    at: int | None = None
    reason: str = ""

    @property
    def line(self) -> str:
        """In one line."""
        when = "" if self.at is None else f"at {seconds(self.at)} "
        why = f" ({self.reason})" if self.reason else ""
        return f"{when}{self.what}: expected {self.expected}, found {self.found}{why}"


@dataclass(frozen=True, slots=True)
class Walked:
    """A walk: the steps it took, the calls it carried out, how it ended, and why it stopped where it did."""

    path: tuple[str, ...]
    calls: tuple[str, ...]
    ending: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of a case; `exercised` are the verdicts that it expected and found."""

    name: str
    failures: tuple[Failure, ...]
    exercised: frozenset[tuple[str, str]] = frozenset()
    walked: Walked | None = None

    @property
    def passed(self) -> bool:
        """Nothing differs."""
        return not self.failures


@dataclass(frozen=True, slots=True)
class Coverage:
    """What no case of a file exercises: verdicts of checks, and steps."""

    never_exercised: tuple[tuple[str, str], ...]
    steps_never_walked: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Nothing is left out."""
        return not (self.never_exercised or self.steps_never_walked)


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of a test file."""

    loaded: LoadedCases
    cases: tuple[CaseResult, ...]
    coverage: Coverage = field(default_factory=lambda: Coverage((), ()))

    @property
    def passed(self) -> bool:
        """Every case passed."""
        return all(one.passed for one in self.cases)


def run_file(loaded: LoadedCases) -> FileResult:
    """Every case, and what none of them exercises."""
    cases = tuple(run_case(loaded.bound, one) for one in loaded.cases)
    return FileResult(loaded, cases, coverage_of(loaded.bound, cases))


def run_case(bound: Bound, one: BoundCase) -> CaseResult:
    """One case: its findings, then its walk."""
    failures, exercised = judge_case(bound, one)
    if one.case.walk is None:
        return CaseResult(one.case.name, tuple(failures), frozenset(exercised))
    walked = take_walk(bound, one, one.case.walk)
    failures += compare_walk(one.case.walk, walked)
    return CaseResult(one.case.name, tuple(failures), frozenset(exercised), walked)


def judge_case(bound: Bound, one: BoundCase) -> tuple[list[Failure], set[tuple[str, str]]]:
    """What differs from the expectations, and the verdicts that were expected and found."""
    failures: list[Failure] = []
    exercised: set[tuple[str, str]] = set()
    found = findings_of(bound, one)
    for expected in one.expected:
        finding = found[expected.index][expected.check]
        failure = compare(bound, expected, finding)
        if failure is not None:
            failures.append(failure)
        elif expected.field == "verdict":
            exercised.add((expected.check, expected.text))
    return failures, exercised


def is_contradicted(bound: Bound, one: BoundCase, check: str) -> bool:
    """Whether a finding of this check is not as expected, judged by itself and only as far as the first that is not.

    A `limit` that differs is none: it repeats the threshold, and says nothing of what the check does with it.
    """
    wanted = tuple(each for each in one.expected if each.check == check and each.field != "limit")
    return any(
        compare(bound, expected, found[check]) is not None
        for index, found in judged(bound, replace(one, expected=wanted))
        for expected in wanted
        if expected.index == index
    )


def findings_of(bound: Bound, one: BoundCase) -> dict[int, dict[str, Finding]]:
    """Sample → check → finding."""
    return dict(judged(bound, one))


def judged(bound: Bound, one: BoundCase) -> Iterator[tuple[int, dict[str, Finding]]]:
    """Each sample with its findings, up to the last sample that is expected: every one is judged, as a monitor does."""
    if not one.expected:
        return
    names = sorted({expected.check for expected in one.expected})
    reader, known = SeriesReader(one.recording, bound), {name: list[Finding]() for name in names}
    bench = Bench(reader, wired(bound), lambda block: None, lambda events, name: known[name])
    for index in range(max(expected.index for expected in one.expected) + 1):
        reader.index = index
        found = {finding.check: finding for finding in bench.judge(names, ()).findings}
        for name in names:
            known[name].append(found[name])
        yield index, found


def compare(bound: Bound, expected: Expected, finding: Finding) -> Failure | None:
    """What differs, or nothing."""
    try:
        differs = expected.mismatch(finding, bound.deployment.token_units())
    except ValueError as problem:
        differs = (f"{expected.text} ({problem})", "")
    if differs is None:
        return None
    reason = finding.reading.reason if expected.field in ("verdict", "value", "since") else ""
    what = f"{expected.check}.{expected.field}"
    return Failure(what, *differs, expected.place, expected.at, reason)


def take_walk(bound: Bound, one: BoundCase, wanted: Walk) -> Walked:
    """The walk from its start, or from the first sample at which the first check step's checks are not all quiet."""
    reader, answers = SeriesReader(one.recording, bound), GivenAnswers(wanted.answers)
    hands = SeriesHands(reader)
    recorder = Recorder(MemoryJournal(), SeriesClock(reader), "test", "drill", CHAIN)
    session = Session(bound, recorder, reader, Unseen(), answers, hands, SeriesPace(reader), "")
    performers: dict[str, Performer] = {
        **PERFORMERS,
        "contain": functools.partial(contain_step.perform, prepare=hands.prepare),
        "restore": functools.partial(restore_step.perform, prepare=hands.prepare),
    }
    ending, reason = STOPPED, ""
    try:
        watch(session, reader, None if wanted.start is None else wanted.start // one.recording.interval)
        ending = walk(session, performers).value
    except IncidentError as problem:
        reason = (answers.unanswered and f"no answer was given to {answers.unanswered}") or problem.message
    return Walked(path_of(session.events), tuple(hands.calls), ending, reason)


def watch(session: Session, reader: SeriesReader, start: int | None) -> None:
    """The monitor's part: the first check step's checks at every sample before the walk. Raises Waiting at the end."""
    names = next((step.check for step in session.bound.runbook.steps if isinstance(step, CheckStep)), ())
    reader.head = reader.recording.block(0)
    while start is None or reader.index < start:
        found = session.judge_checks(names, None) if names else []
        if start is None and (not found or worst([one.verdict for one in found]) is not Verdict.QUIET):
            return
        reader.advance(1)


def path_of(events: Sequence[Event]) -> tuple[str, ...]:
    """The steps in the order in which they were begun."""
    return tuple(event.step for event in events if event.kind is Kind.STEP_STARTED and event.step is not None)


def compare_walk(wanted: Walk, walked: Walked) -> list[Failure]:
    """What differs of the path, the calls and the ending."""
    failures = [
        *compare_list("walk.path", wanted.path, walked.path, walked.reason),
        *compare_list("walk.calls", wanted.calls, walked.calls, walked.reason),
    ]
    if wanted.ends is not None and wanted.ends != walked.ending:
        failures.append(Failure("walk.ends", wanted.ends, walked.ending, wanted.place, reason=walked.reason))
    return failures


def compare_list(what: str, wanted: Items | None, found: Sequence[str], reason: str) -> Iterator[Failure]:
    """The first place at which two lists differ; a wanted list that ends with `...` may be shorter."""
    if wanted is None:
        return
    nodes = [node for node in wanted.items if isinstance(node, Text)]
    is_open = bool(nodes) and nodes[-1].value == MORE
    nodes = nodes[:-1] if is_open else nodes
    for number, node in enumerate(nodes):
        actual = found[number] if number < len(found) else "the end"
        if actual != node.value:
            yield Failure(f"{what}[{number}]", node.value, actual, node.place, reason=reason)
            return
    if len(found) > len(nodes) and not is_open:
        yield Failure(f"{what}[{len(nodes)}]", "the end", found[len(nodes)], wanted.place, reason=reason)


def coverage_of(bound: Bound, cases: Sequence[CaseResult]) -> Coverage:
    """Each check needs a quiet, a firing and an unknown case; each step a walk that reaches it."""
    exercised = {pair for one in cases for pair in one.exercised}
    wanted = [(check, verdict.value) for check in bound.checks for verdict in COVERED]
    walked = {step for one in cases if one.walked for step in one.walked.path}
    steps = tuple(step.id for step in bound.runbook.steps if step.id not in walked)
    return Coverage(tuple(pair for pair in wanted if pair not in exercised), steps)


COVERED = (Verdict.QUIET, Verdict.FIRING, Verdict.UNKNOWN)


def seconds(count: int) -> str:
    """A time of a test as it is written there."""
    return f"{count}s"


def report_of(result: FileResult) -> Mapping[str, object]:
    """A file's result as `--json` prints it."""
    coverage = result.coverage
    return {
        "file": result.loaded.document.name,
        "runbook": result.loaded.bound.runbook.id,
        "cases": [case_to_json(one) for one in result.cases],
        "never_exercised": [{"check": check, "verdict": verdict} for check, verdict in coverage.never_exercised],
        "steps_never_walked": list(coverage.steps_never_walked),
    }


def case_to_json(one: CaseResult) -> dict[str, object]:
    """A case's result as `--json` prints it."""
    failures = [
        {
            "at": None if failure.at is None else seconds(failure.at),
            "what": failure.what,
            "expected": failure.expected,
            "found": failure.found,
            "reason": failure.reason,
            "line": failure.place.line,
            "column": failure.place.column,
        }
        for failure in one.failures
    ]
    return {"name": one.name, "passed": one.passed, "failures": failures}
