"""What each verb does with quiet, pending, unknown, skips, and steps gone through twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident_cli.errors import NotProven, Unread, Waiting
from incident_cli.flows import drill as flow
from incident_cli.flows.desk import Back, Note, Prompt, Skip, Stop
from incident_cli.flows.drill import Drill
from incident_cli.flows.drill_report import exit_code, report
from incident_cli.flows.walk import walk
from incident_cli.incident.events import Kind
from incident_cli.incident.walk import Ending
from incident_cli.transport import RpcError
from tests.fakes.desk import Scripted
from tests.flows import lies
from tests.flows.rehearsal import begun, executed_hashes, is_paused, lie, nonce_of, of_kind

LATEST_ROUND = "latestRoundData() returns (uint80, int256, uint256, uint256, uint80)"
PAUSED = "marketPaused(bytes32) returns (bool)"


def outcomes(drill: Drill) -> dict[str, str]:
    """How each step ended."""
    return {one["id"]: one["outcome"] for one in report(drill)["steps"]}


def stops(drill: Drill) -> Waiting:
    """Run until the operator stops."""
    with pytest.raises(Waiting) as caught:
        flow.run(drill)
    assert caught.value.exit_code == 5
    return caught.value


def fault_ends(drill: Drill) -> None:
    """From the next block on every source is honest."""
    drill.live.end_fault()
    drill.live.advance(12)


def test_quiet_twice_stands_down_by_the_runbook(tmp_path: Path) -> None:
    drill = begun(tmp_path, answerer=Scripted())
    flow.watch(drill)
    fault_ends(drill)
    answerer = drill.session.answerer
    assert isinstance(answerer, Scripted)
    assert walk(drill.session) is Ending.STOOD_DOWN  # detect asks, for it has no retry; confirm is quiet twice
    assert len(answerer.questions("detect")) == 1
    assert outcomes(drill)["confirm"] == "quiet"
    assert outcomes(drill)["stand_down"] == "done"
    samples = [event for event in of_kind(drill, Kind.FINDINGS) if event.step == "confirm"]
    assert len(samples) == 2


def test_one_quiet_sample_stands_nothing_down(tmp_path: Path) -> None:
    drill = begun(tmp_path, answerer=Scripted({"detect": [Stop()]}))
    flow.watch(drill)
    fault_ends(drill)
    with pytest.raises(Waiting):
        walk(drill.session)
    assert "detect" not in [event.step for event in of_kind(drill, Kind.STEP_ENDED)]


def test_unknown_is_asked_about_and_never_quiet(tmp_path: Path) -> None:
    drill = begun(tmp_path, answerer=Scripted({"confirm": [Stop()]}))
    flow.watch(drill)
    lie(drill, lies.reverting(LATEST_ROUND))
    with pytest.raises(Waiting):
        walk(drill.session)
    answerer = drill.session.answerer
    assert isinstance(answerer, Scripted)
    (question,) = answerer.questions("confirm")
    assert "UNKNOWN: that is not quiet" in question.text
    assert next(word for word, _ in question.choices) == "again"
    samples = [event for event in of_kind(drill, Kind.FINDINGS) if event.step == "confirm"]
    assert len(samples) == 5
    assert {one["verdict"] for event in samples for one in event.data["findings"]} == {"unknown"}


def test_a_silent_node_is_unknown_too(tmp_path: Path) -> None:
    drill = begun(tmp_path, answerer=Scripted({"detect": [Stop()]}))
    flow.watch(drill)
    lie(drill, lambda request, answer: RpcError(-32000, "busy"))
    with pytest.raises((Waiting, Unread)):
        walk(drill.session)
    latest = of_kind(drill, Kind.FINDINGS)[-1]
    assert latest.data["findings"][0]["verdict"] == "unknown"


def test_pending_after_every_retry_is_asked_about(tmp_path: Path) -> None:
    drill = begun(tmp_path, "oracle-divergence", answerer=Scripted({"confirm": ["again", Stop()]}))
    flow.watch(drill)
    drill.session.pace = Flickering(drill)
    with pytest.raises(Waiting):
        walk(drill.session)
    answerer = drill.session.answerer
    assert isinstance(answerer, Scripted)
    assert "not held long enough" in answerer.questions("confirm")[0].text


class Flickering:
    """Chain time in which the fault comes and goes: quiet for a block, then back."""

    def __init__(self, drill: Drill) -> None:
        self.drill = drill

    def wait(self, seconds: int) -> None:
        self.drill.live.world.fault_over = True
        self.drill.live.advance(12)
        self.drill.session.judge_checks(["divergence"], None)
        self.drill.live.world.fault_over = False
        self.drill.live.advance(12)

    def recovered(self) -> None:
        pass


def test_firing_is_judged_again_right_before_it_is_confirmed(tmp_path: Path) -> None:
    def mended(prompt: Prompt) -> str:
        fault_ends(drill)
        return "yes"

    drill = begun(tmp_path, answerer=Scripted({"declare": [mended], "pause": ["stop"]}))
    assert "does not hold" in stops(drill).message
    assert not of_kind(drill, Kind.PLANNED)


def test_a_condition_that_does_not_hold_may_be_skipped_and_stands_down(tmp_path: Path) -> None:
    def mended(prompt: Prompt) -> str:
        fault_ends(drill)
        return "yes"

    drill = begun(tmp_path, answerer=Scripted({"declare": [mended], "pause": ["skip"]}))
    assert flow.run(drill) is Ending.STOOD_DOWN
    assert (outcomes(drill)["pause"], outcomes(drill)["prove"]) == ("not-needed", "not-needed")
    assert exit_code(drill) == 6
    assert report(drill)["verdict"].startswith("Wrong")


def test_a_skipped_containment_times_out_unproven_and_is_never_contained(tmp_path: Path) -> None:
    drill = begun(tmp_path, answerer=Scripted({"pause": [Skip("the desk said so")]}))
    with pytest.raises(NotProven) as caught:
        flow.run(drill)
    assert caught.value.exit_code == 6
    assert report(drill)["outcome"] == "not-contained" and exit_code(drill) == 6
    assert outcomes(drill)["pause"] == "skipped"
    reasons = [event.data["reason"] for event in of_kind(drill, Kind.STEP_ENDED) if event.step == "pause"]
    assert reasons == ["the desk said so"]
    assert "market_paused(market) == True does not hold" in caught.value.message
    failed, started = of_kind(drill, Kind.FAILED)[-1], of_kind(drill, Kind.STEP_STARTED)[-1]
    assert failed.block is not None and started.block is not None
    assert 300 <= failed.block.timestamp - started.block.timestamp <= 330
    with pytest.raises(NotProven):
        flow.run(drill)
    drill.session.answerer = Scripted({"prove": ["leave"], "reopen": [Skip("nothing to reopen")]})
    assert flow.run(drill) is Ending.NOT_CONTAINED
    assert exit_code(drill) == 6


def test_back_and_back_again_never_goes_forward(tmp_path: Path) -> None:
    drill = begun(tmp_path, answerer=Scripted({"pause": [Back()], "declare": ["yes", Back(), Stop()]}))
    stops(drill)
    reopened = [event.step for event in of_kind(drill, Kind.STEP_REOPENED)]
    assert reopened == ["declare", "confirm"]
    assert outcomes(drill)["declare"] == "not-reached" and not of_kind(drill, Kind.CONFIRMED)


def test_back_to_the_proof_looks_again(tmp_path: Path) -> None:
    drill = begun(tmp_path, answerer=Scripted({"cause": [Back(), Stop()]}))
    stops(drill)
    assert [event.step for event in of_kind(drill, Kind.STEP_REOPENED)] == ["prove"]
    assert len([event for event in of_kind(drill, Kind.PROVEN) if event.step == "prove"]) == 2
    assert len(of_kind(drill, Kind.PLANNED)) == 1


def reopen_declare(drill: Drill) -> None:
    """As if the operator had gone back step by step to the decision."""
    step = drill.session.bound.runbook.step("declare")
    drill.session.record(Kind.STEP_REOPENED, step, reason="back from cause")


def test_a_containment_that_stands_is_not_proposed_twice(tmp_path: Path) -> None:
    drill = begun(tmp_path, answerer=Scripted({"cause": [Stop(), Stop()]}))
    stops(drill)
    reopen_declare(drill)
    with pytest.raises(Waiting):
        walk(drill.session)
    world = drill.live.world
    assert outcomes(drill)["pause"] == "already-satisfied"
    assert len(of_kind(drill, Kind.PLANNED)) == 1
    assert nonce_of(world, world.addresses.council) == 1
    assert len(executed_hashes(world, world.addresses.council)) == 1
    assert report(drill)["outcome"] == "contained"


def test_a_containment_gone_through_twice_is_still_reopened(tmp_path: Path) -> None:
    drill = begun(tmp_path, answerer=Scripted({"cause": [Stop()]}))
    stops(drill)
    reopen_declare(drill)
    assert walk(drill.session) is Ending.CONTAINED
    assert (outcomes(drill)["pause"], outcomes(drill)["reopen"]) == ("already-satisfied", "done")
    assert not is_paused(drill.live.world)


def test_back_at_the_confirmation_plans_anew(tmp_path: Path) -> None:
    drill = begun(tmp_path, answerer=Scripted({"pause": [Back()], "cause": [Stop()]}))
    stops(drill)
    plans, confirmed = of_kind(drill, Kind.PLANNED), of_kind(drill, Kind.CONFIRMED)
    assert (len(plans), len(confirmed)) == (2, 1)
    assert nonce_of(drill.live.world, drill.live.world.addresses.council) == 1
    assert len(report(drill)["proposals"]) == 1


def test_a_note_is_recorded_and_the_question_stands(tmp_path: Path) -> None:
    drill = begun(tmp_path, answerer=Scripted({"declare": [Note("woke the second on call"), Stop()]}))
    stops(drill)
    assert [event.data["text"] for event in of_kind(drill, Kind.NOTED)] == ["woke the second on call"]
    answerer = drill.session.answerer
    assert isinstance(answerer, Scripted) and len(answerer.questions("declare")) == 2


def test_back_at_the_first_step_stays_there(tmp_path: Path) -> None:
    drill = begun(tmp_path, answerer=Scripted({"detect": [Back(), Stop()]}))
    flow.watch(drill)
    fault_ends(drill)
    with pytest.raises(Waiting):
        walk(drill.session)
    assert not of_kind(drill, Kind.STEP_REOPENED)


def test_a_no_to_the_lead_goes_where_the_runbook_says(tmp_path: Path) -> None:
    drill = begun(tmp_path, answerer=Scripted({"declare": ["no"]}))
    assert flow.run(drill) is Ending.STOOD_DOWN
    assert outcomes(drill)["stand_down"] == "done" and outcomes(drill)["pause"] == "not-reached"
    assert report(drill)["verdict"].startswith("Wrong")


def test_a_false_alarm_that_is_contained_is_wrong_and_exit_1(tmp_path: Path) -> None:
    drill = begun(tmp_path, "false-alarm", answerer=Scripted({"cause": [Stop()]}))
    stops(drill)
    assert report(drill)["outcome"] == "contained"
    assert report(drill)["verdict"].startswith("Wrong") and exit_code(drill) == 1
