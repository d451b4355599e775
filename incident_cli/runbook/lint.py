"""What is sound in a runbook but may let somebody down at 03:00. Pure: findings from a loaded runbook, never errors."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from incident_cli.document import Document, Place, Problem, Table, Text, deepest, read_document, render
from incident_cli.errors import IncidentError
from incident_cli.runbook.codes import codes
from incident_cli.runbook.load import LoadedRunbook
from incident_cli.runbook.model import AskStep, CheckStep, ContainStep, RestoreStep, Runbook, Step, VerifyStep
from incident_cli.runbook.review import transitions
from incident_cli.units import format_duration

PLACEHOLDER = re.compile(
    r"\W*(?:(?:todo|tbd|tba|fixme|xxx+|change.?me)\b.*|n/?a|none|nobody|unknown|(?:the )?owner|somebody|someone)?\W*",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Drilled:
    """How long ago (seconds) a drill of exactly this runbook ended on this machine; None: never."""

    age: int | None


@dataclass(slots=True)
class Lint:
    """One pass over one runbook. `tests` are the texts of its test files; `drilled` None: nobody looked."""

    loaded: LoadedRunbook
    tests: Sequence[str] = ()
    drilled: Drilled | None = None
    findings: list[Problem] = field(default_factory=list)

    @property
    def runbook(self) -> Runbook:
        """The runbook."""
        return self.loaded.runbook

    def run(self) -> list[Problem]:
        """Every finding, in the order of the file."""
        self.owner()
        self.drill()
        self.checks()
        self.walk()
        self.containments()
        return sorted(set(self.findings))

    def found(self, place: Place, code: str, message: str) -> None:
        """Note a finding; its hint is what the code says everywhere."""
        self.findings.append(Problem(place, code, message, f"incident explain {code}"))

    def top(self, *path: str) -> Place:
        """Where something at the top of the file stands."""
        root = self.loaded.document.root
        return Place(1, 1) if root is None else deepest(root, *path).place

    def owner(self) -> None:
        if PLACEHOLDER.fullmatch(self.runbook.meta.owner.strip()):
            message = f"the owner {self.runbook.meta.owner!r} is nobody who can be called"
            self.found(self.top("meta", "owner"), "no-owner", message)

    def drill(self) -> None:
        every, status = self.runbook.meta.drill_every, self.runbook.meta.status
        if every is None or self.drilled is None or status == "retired":
            return
        age = self.drilled.age
        if age is None or age > every:
            last = (
                "no drill of this text is recorded here" if age is None else f"the last was {format_duration(age)} ago"
            )
            message = f"a drill is due every {format_duration(every)}, and {last}"
            self.found(self.top("meta", "drill_every"), "drill-overdue", message)

    def checks(self) -> None:
        used = {check for step in self.runbook.steps for check in named_checks(step)}
        for name, check in self.runbook.checks.items():
            place = self.key("checks", name)
            if name not in used:
                self.found(place, "unused-check", f"no step and no expression names the check {name!r}")
            if not check.sample.false_positives:
                self.found(place, "no-false-positives", f"{name!r} does not say what else looks like this")
            if not any(re.search(rf"\b{re.escape(name)}\b", text) for text in self.tests):
                self.found(place, "untested-threshold", f"no test of this runbook mentions the check {name!r}")

    def key(self, section: str, name: str) -> Place:
        """Where the name of an entry stands."""
        root = self.loaded.document.root
        table = None if root is None else deepest(root, section)
        return table.entries[name].key.place if isinstance(table, Table) and name in table.entries else Place(1, 1)

    def place(self, step: Step, key: str = "id") -> Place:
        """Where a key's value of a step stands."""
        table = next(one for one in self.runbook.tables if one.place == step.place)
        node = deepest(table, key)
        return self.loaded.document.place_in(node, 1) if isinstance(node, Text) else node.place

    def walk(self) -> None:
        reached = reachable(self.runbook, start(self.runbook))
        for step in self.runbook.steps:
            if step.id not in reached:
                self.found(self.place(step), "unreachable-step", f"no step that can be reached goes to {step.id!r}")
            following = self.runbook.after(step.id)
            if step.only_by_goto and following is not None:
                message = f"{step.id!r} is only reached by goto, but runs on into {following.id!r}"
                self.found(self.place(step), "falls-through", message)

    def containments(self) -> None:
        steps = {step.id: step for step in self.runbook.steps}
        for step in self.runbook.steps:
            if not isinstance(step, ContainStep):
                continue
            asked = {one.id for one in steps.values() if isinstance(one, AskStep) and asks_always(one, step)}
            if step.id in reachable(self.runbook, start(self.runbook), asked):
                message = f"{step.id!r} can be reached without anybody having been asked"
                self.found(self.place(step), "contains-unasked", message)
            if not any(isinstance(steps[one], VerifyStep) for one in reachable(self.runbook, step.id)):
                self.found(self.place(step), "unproven-containment", f"nothing is verified after {step.id!r}")
            self.patience(step)
            self.other_values(step)

    def other_values(self, step: ContainStep) -> None:
        named = {check for one in self.following(step) for check in named_checks(one)}
        for check in dict.fromkeys(name.split(".")[1] for name in bound_names(step)):
            if check not in named:
                message = f"{step.id!r} acts on one value that {check!r} found, and {check!r} is not judged after it"
                self.found(self.place(step), "unchecked-remainder", message)

    def following(self, step: Step) -> list[Step]:
        """The steps that a walk may come to after this one, before it comes to this one again."""
        found = {name for first in goes_to(self.runbook, step) for name in reachable(self.runbook, first, {step.id})}
        return [one for one in self.runbook.steps if one.id in found]

    def patience(self, step: ContainStep) -> None:
        for name in sorted(step.when.checks if step.when else ()):
            check = self.runbook.checks.get(name)
            if check is not None and not check.sample.for_ and check.sample.samples.hold == 1:
                message = f"{step.id!r} acts on {name!r}, which fires at its first sample (no `for`, no `samples`)"
                self.found(self.place(step, "when"), "acts-on-one-sample", message)


def lint(loaded: LoadedRunbook, tests: Sequence[str] = (), drilled: Drilled | None = None) -> list[Problem]:
    """Every finding of a sound runbook, in the order of the file."""
    return Lint(loaded, tests, drilled).run()


def shown(document: Document, findings: Sequence[Problem]) -> list[str]:
    """Findings as people read them: `file:line:col: warning[CODE]: message`, source line, caret, hint."""
    return [render(document.name, one, document.lines, codes()[one.code].level) for one in findings]


def written_tests(loaded: LoadedRunbook) -> list[str]:
    """The text of every sound YAML file in `tests/` beside the runbook that says it tests this runbook."""
    found: list[str] = []
    for path in sorted((loaded.path.parent / "tests").glob("*.yaml")):
        try:
            document = read_document(path)
        except IncidentError:
            continue
        said = None if document.root is None else deepest(document.root, "runbook")
        if isinstance(said, Text) and said.value == loaded.runbook.id and not document.problems:
            found.append(document.raw.decode("utf-8-sig"))
    return found


def named_checks(step: Step) -> Iterator[str]:
    """Every check a step judges or asks about."""
    formulas = [step.when, *(step.verify if isinstance(step, VerifyStep) else ())]
    formulas += [step.requires] if isinstance(step, RestoreStep) else []
    yield from step.check if isinstance(step, CheckStep) else ()
    for formula in formulas:
        yield from formula.checks if formula is not None else ()


def bound_names(step: ContainStep) -> tuple[str, ...]:
    """The values found by checks that the calls of a step take: `checks.CHECK.VALUE`."""
    written = [entry.value for call in step.levers for entry in call.args.entries.values()]
    texts = [node.value for node in written if isinstance(node, Text)]
    return tuple(dict.fromkeys(text[1:-1] for text in texts if text.startswith("{checks.")))


def asks_always(asking: AskStep, step: Step) -> bool:
    """Whether somebody is asked whenever this step is done: always, or under the step's own condition."""
    return asking.when is None or (step.when is not None and asking.when.text == step.when.text)


def start(runbook: Runbook) -> str | None:
    """The step a walk begins with."""
    return next((one.id for one in runbook.steps if not one.only_by_goto), None)


def reachable(runbook: Runbook, first: str | None, around: Collection[str] = ()) -> set[str]:
    """The steps that a walk from `first` may come to without passing one of `around`."""
    following = {step.id: tuple(goes_to(runbook, step)) for step in runbook.steps}
    reached: set[str] = set()
    waiting = [] if first is None else [first]
    while waiting:
        step = waiting.pop()
        if step not in reached and step not in around:
            reached.add(step)
            waiting += following[step]
    return reached


def goes_to(runbook: Runbook, step: Step) -> Iterator[str]:
    """The step that follows, and those it may send the walk to."""
    following = runbook.after(step.id)
    if following is not None:
        yield following.id
    yield from (one.to for one in transitions(step).values() if one.to is not None)
