"""The walk: the same events give the same next step, whatever happened, and nothing skipped is contained."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.errors import JournalBroken
from incident_cli.incident.events import Event, Kind, Outcome, event_of, last, within
from incident_cli.incident.walk import (
    Ending,
    Finished,
    Next,
    before,
    compared,
    expected,
    handled,
    latest_outcomes,
    what_next,
)
from incident_cli.runbook.load import load_runbook
from incident_cli.runbook.shipped import find_runbook

RUNBOOK = load_runbook(find_runbook("oracle-divergence")).runbook
IDS = [step.id for step in RUNBOOK.steps]
STAMP = "2026-11-01T03:00:00Z"
NOISE = [Kind.FINDINGS, Kind.ANSWERED, Kind.PLANNED, Kind.CONFIRMED, Kind.SUBMITTED, Kind.EXECUTED, Kind.FAILED]


def event(seq: int, kind: Kind, step: str | None = None, **data: Any) -> Event:
    return Event(seq, kind, STAMP, step, data=data)


def ended(seq: int, step: str, outcome: Outcome, to: str | None = None) -> list[Event]:
    """A step that was started and ended."""
    data = {"outcome": outcome.value} | ({} if to is None else {"to": to})
    return [event(seq, Kind.STEP_STARTED, step), event(seq + 1, Kind.STEP_ENDED, step, **data)]


Move = tuple[Kind, Outcome, str | None]
MOVES = st.lists(
    st.tuples(
        st.sampled_from([Kind.STEP_STARTED, Kind.STEP_ENDED, Kind.STEP_ENDED, Kind.STEP_REOPENED, *NOISE]),
        st.sampled_from(list(Outcome)),
        st.sampled_from([None, None, None, *IDS]),
    ),
    max_size=30,
)


def story(moves: list[Move]) -> list[Event]:
    """Events as the flows write them: each move acts on the step the walk stands at."""
    events = [event(0, Kind.OPENED)]
    for kind, outcome, to in moves:
        following = what_next(RUNBOOK, events)
        if isinstance(following, Finished):
            break
        if kind is Kind.STEP_REOPENED:
            events.append(event(len(events), kind, to or following.step.id))
            continue
        if not following.started:
            events.append(event(len(events), Kind.STEP_STARTED, following.step.id))
        if kind is Kind.STEP_ENDED:
            data = {"outcome": outcome.value} | ({} if to is None else {"to": to})
            events.append(event(len(events), kind, following.step.id, **data))
        elif kind is not Kind.STEP_STARTED:
            events.append(event(len(events), kind, following.step.id))
    return events


@given(MOVES)
@settings(max_examples=150)
def test_any_story_has_a_next_step_or_an_end(moves: list[Move]) -> None:
    events = story(moves)
    for at in range(len(events) + 1):
        following = what_next(RUNBOOK, events[:at])
        if isinstance(following, Next):
            assert following.attempt >= 1
            assert all(one.step == following.step.id for one in following.events)
            assert following.started is bool(following.events)


@given(MOVES)
@settings(max_examples=100)
def test_a_walk_resumed_from_its_record_is_the_same_walk(moves: list[Move]) -> None:
    events = story(moves)
    recorded = [{"kind": one.kind.value, "at": one.at, "step": one.step, "data": dict(one.data)} for one in events]
    resumed = [event_of(seq, body) for seq, body in enumerate(recorded)]
    assert resumed == events
    for at in range(len(events) + 1):
        assert what_next(RUNBOOK, resumed[:at]) == what_next(RUNBOOK, events[:at])
    assert what_next(RUNBOOK, [*events, event(len(events), Kind.RESUMED)]) == what_next(RUNBOOK, events)


@given(MOVES)
@settings(max_examples=150)
def test_only_a_goto_reaches_a_step_that_is_only_reached_by_goto(moves: list[Move]) -> None:
    sent = {to for _, _, to in moves}
    reached = {one.step for one in story(moves)}
    assert "stand_down" not in reached or "stand_down" in sent


@given(MOVES)
@settings(max_examples=150)
def test_what_was_skipped_or_failed_is_never_contained(moves: list[Move]) -> None:
    events = story(moves)
    following = what_next(RUNBOOK, events)
    outcomes = latest_outcomes(events)
    if isinstance(following, Finished) and following.ending is Ending.CONTAINED:
        assert outcomes.get("pause") in (Outcome.DONE, Outcome.SATISFIED)
        assert outcomes.get("prove") is Outcome.DONE


@pytest.mark.parametrize(
    ("pause", "prove", "ending"),
    [
        (Outcome.DONE, Outcome.DONE, Ending.CONTAINED),
        (Outcome.SATISFIED, Outcome.DONE, Ending.CONTAINED),
        (Outcome.DONE, Outcome.FAILED, Ending.NOT_CONTAINED),
        (Outcome.DONE, Outcome.SKIPPED, Ending.NOT_CONTAINED),
        (Outcome.SKIPPED, Outcome.DONE, Ending.NOT_CONTAINED),
        (Outcome.FAILED, Outcome.DONE, Ending.NOT_CONTAINED),
        (Outcome.NOT_NEEDED, Outcome.DONE, Ending.STOOD_DOWN),
    ],
)
def test_how_an_incident_ends(pause: Outcome, prove: Outcome, ending: Ending) -> None:
    events = [*ended(0, "pause", pause), *ended(2, "prove", prove), *ended(4, "reopen", Outcome.DONE)]
    assert what_next(RUNBOOK, events) == Finished(ending)


def test_a_stand_down_without_a_containment_is_a_stand_down() -> None:
    events = [*ended(0, "detect", Outcome.FIRING), *ended(2, "confirm", Outcome.QUIET, "stand_down")]
    following = what_next(RUNBOOK, events)
    assert isinstance(following, Next) and following.step.id == "stand_down"
    assert what_next(RUNBOOK, [*events, *ended(4, "stand_down", Outcome.DONE)]) == Finished(Ending.STOOD_DOWN)


def test_a_step_that_was_started_again_has_not_ended_yet() -> None:
    events = [*ended(0, "pause", Outcome.DONE), event(2, Kind.STEP_REOPENED, "pause")]
    assert latest_outcomes(events) == {}
    assert what_next(RUNBOOK, events) == Next(RUNBOOK.step("pause"), 2, ())
    started = event(3, Kind.STEP_STARTED, "pause")
    assert what_next(RUNBOOK, [*events, started]) == Next(RUNBOOK.step("pause"), 2, (started,))
    assert within([*events, started], "pause") == [started]


def test_back_goes_to_the_step_before() -> None:
    events = [*ended(0, "detect", Outcome.FIRING), event(2, Kind.STEP_STARTED, "confirm")]
    found = before(RUNBOOK, events, "confirm")
    assert found is not None and found.id == "detect"
    assert before(RUNBOOK, events[:1], "detect") is None
    assert last(events, Kind.STEP_STARTED) == events[2]


@pytest.mark.parametrize(
    "body",
    [{}, {"kind": "exploded", "at": STAMP}, {"kind": "opened"}, {"kind": "opened", "at": STAMP, "block": {}}],
)
def test_a_record_that_is_no_event_is_a_broken_journal(body: dict[str, Any]) -> None:
    with pytest.raises(JournalBroken, match="record 7 of the journal"):
        event_of(7, body)


KEY = load_runbook(find_runbook("compromised-key")).runbook
ID = "checks.hostile.operation_id"


def finding(seq: int, step: str | None, *ids: str) -> Event:
    """A finding of `hostile`."""
    found = [{"name": "operation_id", "kind": "bytes32", "text": one} for one in ids]
    return event(seq, Kind.FINDINGS, step, findings=[{"check": "hostile", "found": found}])


def test_what_was_compared_is_what_was_shown_first() -> None:
    monitored = finding(0, None, "0xaa")
    shown = [monitored, event(1, Kind.STEP_STARTED, "detect"), finding(2, "detect", "0xbb", "0xcc")]
    assert compared(KEY, [monitored], "hostile") == {}
    assert compared(KEY, shown, "hostile") == {ID: "0xbb"}
    assert compared(KEY, [*shown, finding(3, "detect", "0xcc"), finding(4, "cancel", "0xdd")], "hostile") == {
        ID: "0xbb"
    }
    assert compared(KEY, shown, "guardian") == {}


def test_what_is_compared_is_another_once_it_was_shown_anew_or_the_first_is_dealt_with() -> None:
    shown = [event(1, Kind.STEP_STARTED, "detect"), finding(2, "detect", "0xbb")]
    later = finding(9, "another", "0xcc")
    anew = [*shown, event(3, Kind.STEP_STARTED, "detect"), finding(4, "detect", "0xcc"), finding(5, "detect", "0xdd")]
    assert compared(KEY, anew, "hostile") == {ID: "0xcc"}
    assert compared(KEY, [*shown, later], "hostile") == {ID: "0xbb"}
    assert compared(KEY, [*shown, *ended(3, "cancel", Outcome.DONE), later], "hostile") == {ID: "0xcc"}
    asked = event(3, Kind.STEP_REOPENED, "declare", shown={ID: "0xee"})
    assert compared(KEY, [*shown, asked, later], "hostile") == {ID: "0xee"}


def test_only_a_containment_that_ended_well_has_dealt_with_a_value() -> None:
    def cancelled(outcome: Outcome, value: str) -> Event:
        return event(1, Kind.STEP_ENDED, "cancel", outcome=outcome.value, bound={ID: value})

    events = [cancelled(one, one.value) for one in Outcome]
    assert handled(events, ID) == ["done", "already-satisfied"]
    assert handled(events, "checks.other.operation_id") == []
    assert handled([event(1, Kind.STEP_ENDED, "cancel", outcome="done")], ID) == []  # an older journal
    assert expected([event(1, Kind.NOTED, "prove", expected={ID: ["0x01"]}), event(2, Kind.NOTED, "x")], ID) == ["0x01"]
