"""Reopening: only what the containment set, only once it is required to be quiet, only after the delay."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident_cli.abi import encode
from incident_cli.drills.engine_values import Reverted
from incident_cli.drills.founding import encoded
from incident_cli.errors import Refused, Waiting
from incident_cli.evm import Block, hex_bytes, keccak
from incident_cli.flows import drill as flow
from incident_cli.flows.desk import Back, Prompt, Skip, Stop
from incident_cli.flows.drill import Drill
from incident_cli.flows.drill_report import report
from incident_cli.flows.proposal import call_from_json
from incident_cli.incident.events import Kind
from incident_cli.incident.walk import Ending
from incident_cli.levers.delay import OPERATION
from tests.fakes.desk import Said, Scripted
from tests.flows.rehearsal import (
    begun,
    council_sends,
    governance_executes,
    governance_schedules,
    is_paused,
    nonce_of,
    of_kind,
    pause_data,
    taken_up,
)

MARKET = "ETH-USD"


def contained(home: Path, *reopen: Said, cause: Said = "Mended.") -> Drill:
    """The short drill with a restore; the answers are those given while it reopens."""
    return begun(home, answerer=Scripted({"reopen": list(reopen), "cause": [cause]}))


def legs(drill: Drill) -> list[str]:
    """The legs of the reopening that were executed."""
    return [event.data["leg"] for event in of_kind(drill, Kind.EXECUTED) if event.step == "reopen"]


def test_what_somebody_changed_since_is_not_overwritten(tmp_path: Path) -> None:
    def unpaused_by_hand(prompt: Prompt) -> str:
        data = pause_data(drill.live.world, MARKET, paused=False)
        governance_schedules(drill.live, data)
        governance_executes(drill.live, data)
        return "Mended."

    drill = contained(tmp_path, cause=unpaused_by_hand)
    with pytest.raises(Refused) as caught:
        flow.run(drill)
    assert f"market_paused({MARKET}) is false, not true as the containment left it" in caught.value.message
    assert not [event for event in of_kind(drill, Kind.PLANNED) if event.step == "reopen"]


def test_a_change_while_it_is_scheduled_is_seen_and_may_be_left(tmp_path: Path) -> None:
    def paused_no_more(prompt: Prompt) -> str:
        governance_executes(drill.live, data)
        return prompt.phrase

    drill = contained(tmp_path, lambda prompt: prompt.phrase, paused_no_more)
    data = pause_data(drill.live.world, MARKET, paused=False)
    with pytest.raises(Waiting):
        drill.session.answerer = Scripted({"cause": [Stop()]})
        flow.run(drill)
    governance_schedules(drill.live, data)
    drill.session.answerer = Scripted({"reopen": [lambda prompt: prompt.phrase, paused_no_more]})
    with pytest.raises(Refused) as caught:
        flow.run(drill)
    assert "with its signatures the transaction would fail" in caught.value.message
    with pytest.raises(Refused) as again:
        flow.run(drill)
    assert "as the containment left it" in again.value.message
    assert legs(drill) == ["schedule"]


def test_the_timelock_really_holds(tmp_path: Path) -> None:
    drill = contained(tmp_path)
    assert flow.run(drill) is Ending.CONTAINED
    world = drill.live.world
    assert legs(drill) == ["schedule", "execute"] and not is_paused(world, MARKET)
    scheduled, executed = (event for event in of_kind(drill, Kind.EXECUTED) if event.step == "reopen")
    assert isinstance(scheduled.block, Block) and isinstance(executed.block, Block)
    assert executed.block.timestamp - scheduled.block.timestamp >= 3_600
    execution = next(
        event.data["proposal"]
        for event in of_kind(drill, Kind.PLANNED)
        if event.step == "reopen" and event.data["leg"] == "execute"
    )
    early = scheduled.block.number
    with pytest.raises(Reverted):
        for call in execution["calls"]:
            world.engine.call(call["to"], hex_bytes(call["data"]), sender=world.addresses.governance, block=early)


def test_requires_is_waited_for_and_one_quiet_sample_is_not_enough(tmp_path: Path) -> None:
    drill = contained(tmp_path)
    flow.run(drill)
    started = next(event for event in of_kind(drill, Kind.STEP_STARTED) if event.step == "reopen")
    planned = next(event for event in of_kind(drill, Kind.PLANNED) if event.step == "reopen")
    assert started.block is not None and planned.block is not None
    assert planned.block.timestamp - started.block.timestamp >= 300


class NeverMended:
    """Chain time in which nobody mends the cause."""

    def __init__(self, drill: Drill) -> None:
        self.drill = drill

    def wait(self, seconds: int) -> None:
        self.drill.live.advance(seconds)

    def recovered(self) -> None:
        pass


def test_while_it_fires_nothing_reopens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("incident_cli.flows.steps.restore_step.MOST_SAMPLES", 5)
    drill = contained(tmp_path)
    drill.session.pace = NeverMended(drill)
    with pytest.raises(Waiting) as caught:
        flow.run(drill)
    assert caught.value.waiting_for == "quiet" and "stays contained" in caught.value.message
    assert is_paused(drill.live.world, MARKET) and legs(drill) == []
    assert report(drill)["outcome"] == "contained"


def test_an_unconfirmed_plan_does_not_stand_in_for_quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drill = contained(tmp_path, Stop())
    with pytest.raises(Waiting):
        flow.run(drill)
    drill.recorder.journal.close()
    monkeypatch.setattr("incident_cli.flows.steps.restore_step.MOST_SAMPLES", 3)
    again = taken_up(tmp_path, Scripted())
    again.session.pace = NeverMended(again)
    again.live.world.fault_over = False
    for _ in range(5):
        again.live.advance(12)
    with pytest.raises(Waiting) as caught:
        flow.run(again)
    assert caught.value.waiting_for == "quiet"
    assert legs(again) == []


def test_a_fault_that_returns_during_the_delay_keeps_it_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drill = contained(tmp_path)

    class Returning(flow.DrillPace):
        """The fault comes back while the time-lock runs."""

        def wait(self, seconds: int) -> None:
            if seconds > 600:
                self.live.world.fault_over = False
                monkeypatch.setattr("incident_cli.flows.steps.restore_step.MOST_SAMPLES", 4)
            super().wait(seconds)

    drill.session.pace = Returning(drill.live)
    with pytest.raises(Waiting) as caught:
        flow.run(drill)
    assert caught.value.waiting_for == "quiet"
    assert legs(drill) == ["schedule"] and is_paused(drill.live.world, MARKET)


def test_back_in_the_middle_of_a_reopening_does_not_schedule_twice(tmp_path: Path) -> None:
    drill = contained(tmp_path, lambda prompt: prompt.phrase, Back())
    assert flow.run(drill) is Ending.CONTAINED
    assert legs(drill) == ["schedule", "execute"]
    assert nonce_of(drill.live.world, drill.live.world.addresses.governance) == 2
    assert not is_paused(drill.live.world, MARKET)


def test_a_skipped_reopening_stays_contained(tmp_path: Path) -> None:
    drill = contained(tmp_path, Skip("governance wants a vote first"))
    assert flow.run(drill) is Ending.CONTAINED
    assert is_paused(drill.live.world, MARKET)
    assert {one["id"]: one["outcome"] for one in report(drill)["steps"]}["reopen"] == "skipped"


def operations(drill: Drill) -> list[bytes]:
    """The ids of what the reopening scheduled."""
    plan = next(one for one in of_kind(drill, Kind.PLANNED) if one.step == "reopen" and one.data["leg"] == "schedule")
    calls = [call_from_json(record) for record in plan.data["proposal"]["calls"]]
    return [keccak(encode(OPERATION, call.args[:5])) for call in calls]


def test_a_reopening_that_was_cancelled_is_scheduled_again_only_when_somebody_says_so(tmp_path: Path) -> None:
    drill = contained(tmp_path, lambda prompt: prompt.phrase, Stop())
    with pytest.raises(Waiting):
        flow.run(drill)
    for one in operations(drill):
        council_sends(drill.live, drill.live.world.addresses.timelock, encoded("cancel(bytes32)", one))
    drill.session.answerer = Scripted({"reopen": ["stop"]})
    with pytest.raises(Waiting, match="not scheduled any more"):
        flow.run(drill)
    assert legs(drill) == ["schedule"] and is_paused(drill.live.world, MARKET)
    drill.session.answerer = Scripted({"reopen": ["again"]})
    assert flow.run(drill) is Ending.CONTAINED
    assert legs(drill) == ["schedule", "schedule", "execute"] and not is_paused(drill.live.world, MARKET)


def test_one_drill_does_not_hold_up_the_next(tmp_path: Path) -> None:
    for _ in range(2):
        drill = contained(tmp_path)
        assert flow.run(drill) is Ending.CONTAINED
        assert not of_kind(drill, Kind.OVERRULED)
        drill.recorder.journal.close()
