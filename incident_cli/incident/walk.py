"""Given the runbook and what happened so far, what comes next. Pure: no clock, no chain, no file.

The rules:
- A step that was started and has not ended is the next step, with what already happened in it.
- A step that ended sends the walk where its last event says (`to`), else to the following step.
- Steps marked `only_by_goto` are reached by goto alone.
- A skipped or failed containment never ends as contained; nothing done and the walk ended is a stand-down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from incident_cli.incident.events import Event, Kind, Outcome, within
from incident_cli.runbook.model import ContainStep, RestoreStep, Runbook, Step, VerifyStep

ENDED_WELL = frozenset({Outcome.DONE, Outcome.SATISFIED})
UNSEEN = (ContainStep, VerifyStep, RestoreStep)  # what they judge is no finding that somebody looks into


class Ending(StrEnum):
    """How an incident ends."""

    CONTAINED = "contained"
    STOOD_DOWN = "stood-down"
    NOT_CONTAINED = "not-contained"


@dataclass(frozen=True, slots=True)
class Next:
    """A step to do: `events` are those of the present attempt, empty where it has not been started."""

    step: Step
    attempt: int
    events: tuple[Event, ...]

    @property
    def started(self) -> bool:
        """Whether the present attempt has begun."""
        return bool(self.events)


@dataclass(frozen=True, slots=True)
class Finished:
    """The walk is over."""

    ending: Ending


def what_next(runbook: Runbook, events: Sequence[Event]) -> Next | Finished:
    """The step to do next, or how the incident ended."""
    step = standing(runbook, events)
    if step is None:
        return Finished(ending(runbook, events))
    attempts = sum(1 for event in events if event.kind is Kind.STEP_STARTED and event.step == step.id)
    present = within(events, step.id)
    if not present or present[-1].kind in (Kind.STEP_ENDED, Kind.STEP_REOPENED):
        return Next(step, attempts + 1, ())
    return Next(step, attempts, tuple(present))


def standing(runbook: Runbook, events: Sequence[Event]) -> Step | None:
    """The step the walk stands at, or None at the end."""
    for event in reversed(events):
        if event.kind is Kind.STEP_STARTED and event.step is not None:
            return runbook.step(event.step)
        if event.kind is Kind.STEP_REOPENED and event.step is not None:
            return runbook.step(event.step)
        if event.kind is Kind.STEP_ENDED and event.step is not None:
            to = event.data.get("to")
            return runbook.step(to) if to else runbook.after(event.step)
    return next((one for one in runbook.steps if not one.only_by_goto), None)


def ending(runbook: Runbook, events: Sequence[Event]) -> Ending:
    """How the incident stands if the walk ends now."""
    outcomes = latest_outcomes(events)
    contained = {step.id: outcomes.get(step.id) for step in runbook.steps if isinstance(step, ContainStep)}
    reached = {name: outcome for name, outcome in contained.items() if outcome is not None}
    if not reached or set(reached.values()) == {Outcome.NOT_NEEDED}:
        return Ending.STOOD_DOWN
    proven = any(outcomes.get(one.id) in ENDED_WELL for one in runbook.steps if one.marks == "contained")
    wanted = {name: outcome for name, outcome in reached.items() if outcome is not Outcome.NOT_NEEDED}
    return Ending.CONTAINED if proven and set(wanted.values()) <= ENDED_WELL else Ending.NOT_CONTAINED


def latest_outcomes(events: Sequence[Event]) -> dict[str, Outcome]:
    """Step → how it ended last; a step that was started again and has not ended is not in it."""
    outcomes: dict[str, Outcome] = {}
    for event in events:
        if event.step is None:
            continue
        if event.kind is Kind.STEP_ENDED:
            outcomes[event.step] = Outcome(event.data["outcome"])
        elif event.kind in (Kind.STEP_STARTED, Kind.STEP_REOPENED):
            outcomes.pop(event.step, None)
    return outcomes


def before(runbook: Runbook, events: Sequence[Event], step: str) -> Step | None:
    """The step that led to this one: where `back` goes, and going back again goes further back."""
    path: list[str] = []
    for event in events:
        if event.step is None or event.kind not in (Kind.STEP_STARTED, Kind.STEP_REOPENED):
            continue
        path = path[: path.index(event.step)] if event.step in path else path
        path.append(event.step)
    earlier = path[: path.index(step)] if step in path else path
    return runbook.step(earlier[-1]) if earlier else None


def compared(runbook: Runbook, events: Sequence[Event], check: str) -> Mapping[str, str]:
    """What the operator compared of a check: the values it found when it was first shown, by `checks.CHECK.VALUE`.

    They stay as they are, whatever it finds later, until a containment is done, the step that showed them is begun
    again, or the operator was asked about a change: then they saw the new one.
    """
    values: Mapping[str, str] = {}
    source: str | None = None
    is_settled = False
    for event in events:
        if told := of_check(event.data.get("shown", {}), check):
            values, source, is_settled = told, None, True
        elif begins_anew(runbook, event, source):
            is_settled = False
        elif not is_settled and (found := shown_values(runbook, event, check)):
            values, source, is_settled = found, event.step, True
    return values


def of_check(values: Mapping[str, str], check: str) -> Mapping[str, str]:
    """Those of the values that are this check's."""
    return {name: text for name, text in values.items() if name.startswith(f"checks.{check}.")}


def begins_anew(runbook: Runbook, event: Event, source: str | None) -> bool:
    """Whether what is shown next is to be compared: a containment is done, or the step that showed it begins again."""
    if event.kind is Kind.STEP_STARTED:
        return event.step is not None and event.step == source
    return event.kind is Kind.STEP_ENDED and isinstance(runbook.step(event.step or ""), ContainStep)


def shown_values(runbook: Runbook, event: Event, check: str) -> Mapping[str, str]:
    """The values of a check that a step showed: of several of one name the first."""
    if event.kind is not Kind.FINDINGS or event.step is None or isinstance(runbook.step(event.step), UNSEEN):
        return {}
    found = [one for record in event.data["findings"] if record["check"] == check for one in record.get("found", ())]
    return {f"checks.{check}.{one['name']}": one["text"] for one in reversed(found)}


def handled(events: Sequence[Event], name: str) -> list[str]:
    """The values of `checks.CHECK.VALUE` that a containment dealt with, oldest first."""
    ended = [one.data for one in events if one.kind is Kind.STEP_ENDED and Outcome(one.data["outcome"]) in ENDED_WELL]
    return [data["bound"][name] for data in ended if name in data.get("bound", {})]


def expected(events: Sequence[Event], name: str) -> list[str]:
    """The values of `checks.CHECK.VALUE` that the operator said are expected, oldest first."""
    said = [one.data.get("expected", {}).get(name, ()) for one in events if one.kind is Kind.NOTED]
    return [value for values in said for value in values]
