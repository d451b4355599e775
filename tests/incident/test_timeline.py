"""The timeline: spans in seconds and blocks; what did not happen is None and never zero."""

from __future__ import annotations

from typing import Any

from incident_cli.evm import Block
from incident_cli.incident.events import Event, Kind, Outcome, block_to_json
from incident_cli.incident.timeline import Moment, Span, metrics, moments, span
from incident_cli.runbook.load import load_runbook
from incident_cli.runbook.shipped import find_runbook

RUNBOOK = load_runbook(find_runbook("oracle-divergence")).runbook


def block(number: int) -> Block:
    return Block("ethereum", number, f"0x{number:064x}", 1_700_000_000 + 12 * number)


def event(kind: Kind, at: int | None, step: str | None = None, **data: Any) -> Event:
    return Event(0, kind, "", step, 1, None if at is None else block(at), data)


def ended(step: str, at: int, outcome: Outcome, **data: Any) -> Event:
    return event(Kind.STEP_ENDED, at, step, outcome=outcome.value, **data)


def test_moments_and_spans_of_a_whole_incident() -> None:
    events = [
        event(Kind.OPENED, 10),
        ended("detect", 12, Outcome.FIRING),
        ended("declare", 14, Outcome.YES),
        event(Kind.CONFIRMED, 15, "pause"),
        event(Kind.CONFIRMED, 16, "pause"),
        event(Kind.EXECUTED, 20, "pause"),
        ended("prove", 23, Outcome.DONE, proof_block=block_to_json(block(21))),
    ]
    found = moments(RUNBOOK, events)
    assert {name: one.block.number for name, one in found.items()} == {
        "opened": 10,
        "detected": 12,
        "acknowledged": 14,
        "proposed": 15,
        "executed": 20,
        "contained": 21,
    }
    measured = metrics({**found, "fault": Moment("fault", block(7))})
    assert measured == {
        "time_to_detection": Span(60, 5),
        "time_to_proposal": Span(36, 3),
        "time_to_containment": Span(108, 9),
    }
    assert Span(60, 5).to_json() == {"seconds": 60, "blocks": 5}


def test_what_did_not_happen_is_unknown_and_never_zero() -> None:
    assert metrics({}) == {"time_to_detection": None, "time_to_proposal": None, "time_to_containment": None}
    assert span(Moment("a", block(1)), None) is None
    assert span(Moment("a", block(1)), Moment("b", block(1))) == Span(0, 0)


def test_a_step_that_ended_badly_marks_nothing() -> None:
    events = [
        ended("detect", 1, Outcome.QUIET),
        ended("prove", 2, Outcome.FAILED),
        ended("prove", 3, Outcome.SKIPPED),
        event(Kind.EXECUTED, None, "pause"),
    ]
    assert moments(RUNBOOK, events) == {}
