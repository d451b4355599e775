"""A test file of a runbook (`incident-test/v1`): its keys are these fields; the guide explains them.

What a test says the chain answers is read by `recording`, what it expects by `expected`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from incident_cli.binding import DURATION, IDENTIFIER, INTEGER, SLUG, TEXT, Binder, one_of
from incident_cli.document import Document, Items, Node, Place, Table, Text, WrongFile, deepest, read_document
from incident_cli.errors import Misused
from incident_cli.runbook.bind import Bound, bind
from incident_cli.runbook.deployment import TOKEN_SYMBOL
from incident_cli.runbook.expected import Expected, read_expectations
from incident_cli.runbook.kinds import MARKET
from incident_cli.runbook.load import LoadedRunbook, load_runbook
from incident_cli.runbook.made_up import deployment_of
from incident_cli.runbook.recording import Recording
from incident_cli.runbook.recording_file import RecordingBuilder
from incident_cli.runbook.shipped import find_runbook
from incident_cli.text import plain

SCHEMA = "incident-test/v1"
ENDINGS = ("contained", "stood-down", "not-contained", "stopped")
NOTHING = Table({}, Place(1, 1))
Name = Annotated[str, IDENTIFIER]
Duration = Annotated[int, DURATION]


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A walk through the runbook from `start` (without it: from the first sample at which a check is not quiet).

    `answers` by step; without one the walk stops there. `path`: the steps it takes; `calls`: what it proposes; both
    whole, unless they end with `...`.
    """

    start: Duration | None = None
    answers: Mapping[Name, Node] = field(default_factory=dict)
    path: Items | None = None
    calls: Items | None = None
    ends: Annotated[str, one_of("ending", *ENDINGS)] | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the chain answers: of the whole file, and of a case, whose entries come first."""

    prices: Table = NOTHING
    reads: Table = NOTHING
    events: Table = NOTHING
    storage: Table = NOTHING
    code: Table = NOTHING
    benchmarks: Table = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Given):
    """One story: what the chain answers over time, what the checks must say of it, and the walk through it."""

    name: Annotated[str, TEXT]
    before: Annotated[str, one_of("before", "missing", "constant")] = "missing"
    expect: tuple[Table, ...] = ()
    walk: Walk | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile(Given):
    """The mapping at the top of a test file."""

    schema: Annotated[str, one_of("schema", SCHEMA)]
    runbook: Annotated[str, SLUG]
    interval: Duration = 12
    market: Annotated[str, MARKET]
    markets: tuple[Annotated[str, MARKET], ...] = ()
    tokens: Mapping[Annotated[str, TOKEN_SYMBOL], Annotated[int, INTEGER]] = field(default_factory=dict)
    params: Mapping[Name, Annotated[str, TEXT]] = field(default_factory=dict)
    cases: tuple[Case, ...]
    place: Place

    def __post_init__(self) -> None:
        if not 1 <= self.interval <= 86_400:
            raise ValueError("interval is from 1s to 1d")
        if not self.cases:
            raise ValueError("a test file has at least one case")


@dataclass(frozen=True, slots=True)
class BoundCase:
    """A case with its names resolved: typed answers over time, and typed expectations."""

    case: Case
    recording: Recording
    expected: tuple[Expected, ...]


@dataclass(frozen=True, slots=True)
class LoadedCases:
    """A sound test file, its runbook bound to a made-up deployment, and its cases."""

    file: CaseFile
    document: Document
    bound: Bound
    cases: tuple[BoundCase, ...]


def find_cases(name: str) -> Path:
    """The test file of a runbook given by its file or its shipped id, or a test file itself; raises Misused."""
    path = find_runbook(name)
    if is_cases(path):
        return path
    found = path.parent / "tests" / f"{path.stem}.yaml"
    if not found.is_file():
        raise Misused(f"{plain(path.name)} has no tests", f"write them in {plain(found)} (schema: {SCHEMA})")
    return found


def is_cases(path: Path) -> bool:
    """Whether a file says itself that it is a test file."""
    root = read_document(path).root
    said = root.entries.get("schema") if isinstance(root, Table) else None
    return said is not None and isinstance(said.value, Text) and said.value.value.startswith("incident-test/")


def load_cases(path: Path) -> LoadedCases:
    """Read a test file and the runbook it tests; raises WrongFile with every problem."""
    document = read_document(path)
    file: CaseFile | None = Binder(document).root(CaseFile)
    document.refuse_if_wrong()
    assert file is not None, "a document without problems binds"
    bound = bind_to_nothing(file, document, runbook_of(file, document, path))
    cases = tuple(bind_case(document, bound, file, one) for one in file.cases)
    document.refuse_if_wrong()
    return LoadedCases(file, document, bound, cases)


def runbook_of(file: CaseFile, document: Document, path: Path) -> LoadedRunbook:
    """The runbook in the folder above, or beside the test file."""
    folders = (path.parent.parent, path.parent)
    found = next(
        (one for folder in folders if (one := folder / f"{file.runbook}.yaml").is_file() and one != path), None
    )
    if found is None:
        message = f"there is no {file.runbook}.yaml in the folder above or beside this file"
        document.wrong(place_of(document, "runbook"), "unknown-name", message)
        raise WrongFile([document])
    return load_runbook(found)


def place_of(document: Document, *path: str | int) -> Place:
    """Where a value of the file stands."""
    return Place(1, 1) if document.root is None else deepest(document.root, *path).place


def bind_to_nothing(file: CaseFile, document: Document, loaded: LoadedRunbook) -> Bound:
    """The runbook bound to made-up addresses; what does not fit is a problem of the test file."""
    benchmarks = {*file.benchmarks.entries, *(name for one in file.cases for name in one.benchmarks.entries)}
    markets = dict.fromkeys([*file.markets, file.market])
    try:
        deployment, made = deployment_of(loaded, tuple(markets), file.tokens, sorted(benchmarks))
        return bind(loaded, deployment, made, file.market, dict(file.params))
    except WrongFile:
        raise
    except Misused as problem:
        place = place_of(document, "params" if file.params else "market")
        document.wrong(place, "bad-value", problem.message, problem.hint)
        raise WrongFile([document]) from problem


def bind_case(document: Document, bound: Bound, file: CaseFile, case: Case) -> BoundCase:
    """A case with the file's answers behind its own; problems are noted in the document."""
    builder = RecordingBuilder(document, bound, file.interval, case.before == "constant")
    for given in (case, file):
        builder.add(given.prices, given.reads, given.events, given.storage, given.code, given.benchmarks)
    expected = tuple(read_expectations(document, bound, file.interval, case.expect))
    if case.walk is not None:
        review_walk(document, bound, file.interval, case.walk)
    if not expected and case.walk is None:
        document.wrong(case.place, "missing-key", "the case expects nothing: give it `expect` or `walk`")
    return BoundCase(case, builder.finish(), expected)


def review_walk(document: Document, bound: Bound, interval: int, walk: Walk) -> None:
    """Every step that is named exists, and the start is a sample."""
    known = {one.id for one in bound.runbook.steps}
    named = [(name, walk.place) for name in walk.answers]
    named += [(text, node.place) for node, text in texts(document, walk.path) if text != "..."]
    texts(document, walk.calls)
    for answer in walk.answers.values():
        for node in answer.items if isinstance(answer, Items) else (answer,):
            Binder(document).try_bind(str, node)
    for name, place in named:
        if name not in known:
            document.wrong(place, "unknown-step", f"{name!r} is no step of {bound.runbook.id}")
    if walk.start is not None and walk.start % interval:
        document.wrong(walk.place, "bad-value", f"start is no multiple of the interval, {interval}s")


def texts(document: Document, items: Items | None) -> list[tuple[Node, str]]:
    """The scalars of a list; anything else is noted."""
    found: list[tuple[Node, str]] = []
    for node in items.items if items is not None else ():
        text = Binder(document).try_bind(str, node)
        if isinstance(text, str):
            found.append((node, text))
    return found
