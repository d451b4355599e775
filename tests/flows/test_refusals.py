"""Whatever lies, fails or was stolen: a clear refusal or exit 6, and never "contained"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incident_cli.chain.execution import SUCCESS_TOPIC
from incident_cli.drills.accounts import population
from incident_cli.drills.founding import encoded
from incident_cli.errors import IncidentError, NotProven, Refused, Unread, Waiting
from incident_cli.evm import hex_bytes, keccak, to_hex
from incident_cli.flows import drill as flow
from incident_cli.flows.desk import Prompt, Stop
from incident_cli.flows.drill import Drill
from incident_cli.flows.drill_report import exit_code, report
from incident_cli.incident.events import Kind
from incident_cli.incident.walk import Ending
from incident_cli.transport import Json, Request, RpcError
from tests.fakes.desk import Scripted
from tests.flows import lies
from tests.flows.rehearsal import (
    HASH,
    Answered,
    begun,
    council_sends,
    executed_hashes,
    governance_executes,
    governance_schedules,
    is_paused,
    lie,
    nonce_of,
    of_kind,
    once_sending,
    pause_data,
    taken_up,
)

PAUSED = "marketPaused(bytes32) returns (bool)"


def stopped(drill: Drill, kind: type[IncidentError]) -> IncidentError:
    """Run into a failure of this kind: whatever happened, nobody is told that the market is contained."""
    with pytest.raises(kind) as caught:
        flow.run(drill)
    never_contained(drill)
    return caught.value


def never_contained(drill: Drill) -> None:
    """Neither the report nor the record says contained."""
    found = report(drill)
    assert found["outcome"] != Ending.CONTAINED.value
    assert exit_code(drill) == 6
    assert not of_kind(drill, Kind.CLOSED)
    assert {one["id"]: one["outcome"] for one in found["steps"]}["pause"] == "not-reached"


def nothing_sent(drill: Drill) -> None:
    """The Safe has executed nothing, and no transaction was even intended."""
    assert not of_kind(drill, Kind.SUBMIT_INTENDED)
    assert executed_hashes(drill.live.world, drill.live.world.addresses.council) == []
    assert not is_paused(drill.live.world)


def resumed(drill: Drill, home: Path) -> Drill:
    """Taken up again with an honest node, the drill goes on until the market is proven contained."""
    drill.recorder.journal.close()
    again = taken_up(home, Scripted({"cause": [Stop()]}))
    with pytest.raises(Waiting):
        flow.run(again)
    assert report(again)["outcome"] == Ending.CONTAINED.value
    assert is_paused(again.live.world)
    return again


# what the chain refuses


def test_a_council_without_its_role_is_refused_before_anything_is_signed(tmp_path: Path) -> None:
    stranger = population(7, []).executor.address
    drill = begun(tmp_path, guardian=stranger)
    problem = stopped(drill, Refused)
    assert "does not hold the role" in problem.message
    nothing_sent(drill)
    assert not of_kind(drill, Kind.PLANNED)


def test_a_threshold_raised_before_the_execution_is_refused_and_then_planned_anew(tmp_path: Path) -> None:
    def raise_threshold(prompt: Prompt) -> str:
        council = drill.live.world.addresses.council
        council_sends(drill.live, council, encoded("changeThreshold(uint256)", 3))
        return prompt.phrase

    drill = begun(tmp_path, answerer=Scripted({"pause": [raise_threshold]}))
    problem = stopped(drill, Refused)
    assert "GS020" in problem.message or "signatures" in problem.message
    assert not of_kind(drill, Kind.SUBMIT_INTENDED)
    assert not is_paused(drill.live.world)
    again = resumed(drill, tmp_path)
    plans = [event.data["proposal"] for event in of_kind(again, Kind.PLANNED) if event.step == "pause"]
    assert [one["safe"]["threshold"] for one in plans] == [2, 3]
    assert [one["safe_tx"]["nonce"] for one in plans] == [0, 1]
    first, second, *_ = report(again)["proposals"]
    assert first["transaction_hash"] is None and second["transaction_hash"] is not None


def test_a_node_that_lowers_the_threshold_gets_no_execution(tmp_path: Path) -> None:
    drill = begun(tmp_path)
    lie(drill, lies.answering("getThreshold() returns (uint256)", 1))
    assert "the Safe's threshold would not be 1: it would be 2" in stopped(drill, Refused).message
    nothing_sent(drill)


def test_a_limit_that_is_tighter_already_is_dropped(tmp_path: Path) -> None:
    drill = begun(tmp_path, answerer=Scripted({"cause": [Stop()]}))
    data = encoded("setWithdrawalLimit(uint256,uint256)", 100_000 * 10**6, 7_200)
    council_sends(drill.live, drill.live.world.addresses.exchange, data)
    with pytest.raises(Waiting):
        flow.run(drill)
    plan = next(event for event in of_kind(drill, Kind.PLANNED) if event.step == "pause")
    assert [one["function"] for one in plan.data["proposal"]["calls"]] == ["setMarketPaused(bytes32,bool)"]
    assert len(plan.data["dropped"]) == 1 and "limit_withdrawals" in plan.data["dropped"][0]


def test_a_call_that_loosens_is_refused_in_the_simulation(tmp_path: Path) -> None:
    drill = begun(tmp_path)
    # a smaller bucket that refills faster: not satisfied, and the contract lets the guardian only tighten
    data = encoded("setWithdrawalLimit(uint256,uint256)", 300_000 * 10**6, 36_000)
    council_sends(drill.live, drill.live.world.addresses.exchange, data)
    problem = stopped(drill, Refused)
    assert "simulation failed" in problem.message and "may only tighten" in problem.message
    assert not of_kind(drill, Kind.PLANNED)
    assert not is_paused(drill.live.world)


def test_a_market_paused_by_others_before_signing_is_refused_and_then_found_satisfied(tmp_path: Path) -> None:
    def paused_meanwhile(prompt: Prompt) -> str:
        governance_executes(drill.live, pause_data(drill.live.world, "ETH-USD"))
        return prompt.phrase

    drill = begun(tmp_path, answerer=Scripted({"pause": [paused_meanwhile]}))
    governance_schedules(drill.live, pause_data(drill.live.world, "ETH-USD"))
    problem = stopped(drill, Waiting)
    assert "what stands on chain changed while you were asked" in problem.message
    assert not of_kind(drill, Kind.CONFIRMED) and not of_kind(drill, Kind.SUBMIT_INTENDED)
    again = resumed(drill, tmp_path)
    plan = [event for event in of_kind(again, Kind.PLANNED) if event.step == "pause"][-1]
    assert any("pause_market" in one for one in plan.data["dropped"])


def test_an_execution_that_reverts_on_chain_is_exit_6_and_never_contained(tmp_path: Path) -> None:
    drill = begun(tmp_path)
    data = pause_data(drill.live.world, "ETH-USD")
    governance_schedules(drill.live, data)
    once_sending(drill, lambda: governance_executes(drill.live, data))
    problem = stopped(drill, NotProven)
    assert problem.exit_code == 6 and "not proven" in problem.message
    assert executed_hashes(drill.live.world, drill.live.world.addresses.council) == []
    again = resumed(drill, tmp_path)
    assert nonce_of(again.live.world, again.live.world.addresses.council) == 1


# what a node lies about


def test_no_lying_receipt_proves_anything_and_an_honest_node_then_proves_the_one_execution(tmp_path: Path) -> None:
    drill = begun(tmp_path)
    honest = drill.session.reader.endpoint
    for words, change in lies.LYING_RECEIPTS.items():
        drill.session.reader.endpoint = honest
        lie(drill, lies.in_receipts(change))
        assert stopped(drill, NotProven).exit_code == 6, words
        assert not of_kind(drill, Kind.EXECUTED) and not of_kind(drill, Kind.PROVEN), words
    again = resumed(drill, tmp_path)
    assert nonce_of(again.live.world, again.live.world.addresses.council) == 1
    assert len(of_kind(again, Kind.SUBMIT_INTENDED)) == len(of_kind(again, Kind.EXECUTED)) == 1


def test_a_node_that_tells_of_a_failure_gets_no_second_proposal(tmp_path: Path) -> None:
    drill = begun(tmp_path)
    lie(drill, lies.in_receipts(lies.failure_event))
    assert "ExecutionSuccess failure" in stopped(drill, NotProven).message
    again = resumed(drill, tmp_path)
    assert nonce_of(again.live.world, again.live.world.addresses.council) == 1
    assert len(of_kind(again, Kind.PLANNED)) == 1


def test_a_receipt_that_is_not_there_proves_nothing(tmp_path: Path) -> None:
    drill = begun(tmp_path)
    lie(drill, lambda request, answer: None if request.method == "eth_getTransactionReceipt" else answer)
    assert "not mined" in stopped(drill, NotProven).message


def test_a_swallowed_transaction_with_a_forged_receipt_proves_nothing(tmp_path: Path) -> None:
    drill = begun(tmp_path)
    honest = drill.session.reader.endpoint
    forged: dict[str, Any] = {}

    class Swallowing:
        """Takes transactions and sends none; its receipts look right."""

        name = "a swallowing node"

        def exchange(self, requests: Any) -> list[Answered]:
            return [self.answer(one) for one in requests] if len(requests) == 1 else honest.exchange(requests)

        def answer(self, request: Request) -> Answered:
            if request.method == "eth_sendRawTransaction":
                forged["hash"] = to_hex(keccak(hex_bytes(str(request.params[0]))))
                return str(forged["hash"])
            if request.method == "eth_getTransactionReceipt" and forged:
                return self.receipt()
            return honest.exchange([request])[0]

        def receipt(self) -> Answered:
            head = drill.live.world.engine.head
            plan = of_kind(drill, Kind.PLANNED)[-1].data["proposal"]
            place: dict[str, Json] = {
                "transactionHash": forged["hash"],
                "blockHash": head.hash,
                "blockNumber": hex(head.number),
            }
            topics: Json = [SUCCESS_TOPIC, plan["safe_tx_hash"]]
            log: Json = {"address": plan["safe"]["address"], "topics": topics, "data": "0x" + "0" * 64, **place}
            return {**place, "status": "0x1", "logs": [log]}

    drill.session.reader.endpoint = Swallowing()
    problem = stopped(drill, NotProven)
    assert "does not hold the transaction" in problem.message
    assert not is_paused(drill.live.world)


def test_a_wrong_hash_from_the_safe_is_a_refusal(tmp_path: Path) -> None:
    drill = begun(tmp_path)

    def told(data: bytes) -> tuple[bool, bytes] | None:
        return (True, b"\x22" * 32) if data[:4] == HASH.selector else None

    lie(drill, lies.in_views(told))
    assert "disputed" in stopped(drill, Refused).message
    nothing_sent(drill)


def test_a_wrong_chain_id_is_a_refusal(tmp_path: Path) -> None:
    drill = begun(tmp_path)
    drill.session.reader.chain_id = 1
    assert "disputed" in stopped(drill, Refused).message
    nothing_sent(drill)


def test_what_cannot_be_simulated_is_not_proposed(tmp_path: Path) -> None:
    drill = begun(tmp_path)

    def about(request: Request, answer: Answered) -> Answered:
        simulating = lies.calldata(request)[:4] in (lies.SIMULATE.selector, lies.SIMULATE_AND_REVERT.selector)
        return RpcError(-32601, "this node simulates nothing") if simulating else answer

    lie(drill, about)
    assert "not-simulated" in stopped(drill, Refused).message
    nothing_sent(drill)
    assert not of_kind(drill, Kind.PLANNED)


def test_a_call_that_changes_another_market_is_refused(tmp_path: Path) -> None:
    drill = begun(tmp_path)
    lie(drill, lies.in_simulation(PAUSED, True, drill.live.world.markets["BTC-USD"]))
    problem = stopped(drill, Refused)
    assert "market_paused(BTC-USD) would not be false: it would be true" in problem.message
    nothing_sent(drill)


def test_a_simulation_without_the_stated_effect_is_refused(tmp_path: Path) -> None:
    drill = begun(tmp_path)
    lie(drill, lies.in_simulation(PAUSED, False, drill.live.world.markets["ETH-USD"]))
    problem = stopped(drill, Refused)
    assert "market_paused(ETH-USD) would not be true: it would be false" in problem.message
    nothing_sent(drill)


def test_a_read_that_fails_while_planning_is_unread_and_exit_3(tmp_path: Path) -> None:
    drill = begun(tmp_path)
    lie(drill, lies.reverting("withdrawalCapacity()"))
    problem = stopped(drill, Unread)
    assert problem.exit_code == 3 and "withdrawal_capacity could not be read" in problem.message
    nothing_sent(drill)


def test_a_node_that_goes_silent_while_planning_is_unread(tmp_path: Path) -> None:
    def silence(prompt: Prompt) -> str:
        class Silent:
            name = "a silent node"

            def exchange(self, requests: Any) -> list[Answered]:
                raise Unread("a silent node did not answer in time")

        drill.session.reader.endpoint = Silent()
        return "yes"

    drill = begun(tmp_path, answerer=Scripted({"declare": [silence]}))
    stopped(drill, Unread)
    nothing_sent(drill)
    resumed(drill, tmp_path)


def test_a_receipt_alone_is_not_containment(tmp_path: Path) -> None:
    """Everything about the execution holds, and yet the chain shows an open market afterwards."""
    drill = begun(tmp_path)
    lie(drill, lies.answering(PAUSED, False, drill.live.world.markets["ETH-USD"]))
    problem = stopped(drill, NotProven)
    assert "market_paused(ETH-USD) is false, not true" in problem.message
    assert len(of_kind(drill, Kind.EXECUTED)) == 1 and not of_kind(drill, Kind.PROVEN)
    again = resumed(drill, tmp_path)
    assert nonce_of(again.live.world, again.live.world.addresses.council) == 1


def test_a_confirmation_that_differs_sends_nothing(tmp_path: Path) -> None:
    drill = begun(tmp_path, answerer=Scripted({"pause": ["BTC-USD"]}))
    stopped(drill, Waiting)
    nothing_sent(drill)
