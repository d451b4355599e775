"""The rungs of the ladder over answers in the shapes that nodes give them, and over the chain of the drill."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_cli.abi import encode, parse_signature
from incident_cli.chain.simulate import (
    SNAPSHOT,
    THROUGH_HANDLER,
    TRACE,
    V1,
    Simulation,
    Trial,
    simulate,
    simulate_execution,
)
from incident_cli.chain.state_diff import StateDiff
from incident_cli.errors import Unread
from incident_cli.evm import ZERO, Block, Call, CallRead, Missing, Read, checksummed
from incident_cli.safe.signatures import pre_validated
from incident_cli.transport import Json, Request, RpcError
from tests.fakes.safe_chain import EXEC, Chain

SAFE, OWNER, SECOND, TARGET = (checksummed("0x" + two * 20) for two in ("5a", "0e", "0f", "7a"))
HASH, PARENT, TX_HASH = ("0x" + two * 32 for two in ("bb", "aa", "cc"))
BLOCK = Block("paper", 100, HASH, 1_700_000_000)
HEADER = {"number": "0x64", "hash": HASH, "parentHash": PARENT, "timestamp": hex(BLOCK.timestamp), "gasLimit": "0x1"}
PAUSE = Call(TARGET, parse_signature("pause()"))
PAUSED = CallRead(TARGET, parse_signature("paused() returns (bool)"))
TRIAL = Trial(b"\x6a\x76\x12\x02", OWNER, (SECOND,), TX_HASH)
LONE = Trial(b"\x6a\x76\x12\x02", OWNER)
GONE = RpcError(-32601, "the method eth_simulateV1 does not exist/is not available")
TRUE, REVERTED = "0x" + "0" * 63 + "1", "0x08c379a0" + encode(["string"], ["GS013"]).hex()


def word(number: int) -> str:
    return f"0x{number:064x}"


def read_round(*values: int, number: int = 101, parent: str = HASH, timestamp: int = BLOCK.timestamp + 12) -> str:
    """The answer of Multicall3 inside the block after the head, as geth simulates it."""
    seen = [number.to_bytes(32), bytes.fromhex(parent[2:]), timestamp.to_bytes(32)]
    results = [(True, one) for one in [*seen, *(value.to_bytes(32) for value in values)]]
    return "0x" + encode(["(bool,bytes)[]"], [results]).hex()


def outcome(data: str, *, status: str = "0x1", **more: Json) -> dict[str, Json]:
    return {"returnData": data, "logs": [], "gasUsed": "0x5208", "maxUsedGas": "0x5208", "status": status, **more}


GETH_ERROR: Json = {"code": 3, "message": "execution reverted: GS013", "data": REVERTED}


def simulated(executed: Json = None, probe: int = 1, after: str = "", parent: str = HASH) -> list[Any]:
    """What geth answers to eth_simulateV1."""
    calls = [outcome(read_round(probe, 0)), executed or outcome(TRUE), outcome(after or read_round(1))]
    header = {"number": "0x65", "hash": "0x" + "dd" * 32, "parentHash": parent, "timestamp": "0x6553f10c"}
    return [{**header, "logsBloom": "0x" + "0" * 512, "transactions": [], "calls": calls}]


FAILED = simulated(outcome(REVERTED, status="0x0", error=GETH_ERROR))
DIFF: dict[str, Any] = {
    "pre": {SAFE.lower(): {"balance": "0x0", "storage": {word(5): word(1)}}, TARGET.lower(): {"balance": "0x0"}},
    "post": {SAFE.lower(): {"storage": {word(5): word(2)}}, TARGET.lower(): {"storage": {word(0): word(1)}}},
}
TRACED: dict[str, Json] = {"type": "CALL", "from": OWNER, "to": SAFE, "gas": "0x1", "gasUsed": "0x1", "output": TRUE}
TRACED_FAILURE: dict[str, Json] = {**TRACED, "output": REVERTED, "error": "execution reverted", "revertReason": "GS013"}
Answered = Json | RpcError


@dataclass
class Paper:
    """A node made of answers; what it was not given does not exist."""

    simulation: Answered = GONE
    diff: Answered = GONE
    trace: Answered = GONE
    call: Answered = field(default_factory=lambda: RpcError(-32000, "no such call"))
    headers: list[Answered] = field(default_factory=list)
    others: dict[str, Answered] = field(default_factory=dict)
    name: str = "paper"
    exchanges: list[list[Request]] = field(default_factory=list)

    def exchange(self, requests: Sequence[Request]) -> list[Answered]:
        self.exchanges.append(list(requests))
        return [self.answer(one) for one in requests]

    def answer(self, request: Request) -> Answered:
        if request.method == "debug_traceCall":
            options = request.params[2]
            assert isinstance(options, dict) and options["stateOverrides"]
            return self.diff if options["tracer"] == "prestateTracer" else self.trace
        if request.method == "eth_getBlockByNumber":
            return self.headers.pop(0) if self.headers else dict(HEADER)
        known: dict[str, Answered] = {
            "eth_simulateV1": self.simulation, "eth_call": self.call, "eth_getCode": "0x6001", **self.others
        }  # fmt: skip
        return known.get(request.method, GONE)

    @property
    def methods(self) -> list[list[str]]:
        return [[one.method for one in batch] for batch in self.exchanges]


def ran(node: Any, trial: Trial = TRIAL, at: Block | None = None) -> Simulation:
    return simulate(node, "paper", SAFE, [PAUSE], [PAUSED], at, trial)


@pytest.mark.parametrize("at", [None, BLOCK])
def test_the_best_rung_is_one_exchange_in_the_shape_of_geth(at: Block | None) -> None:
    node = Paper(simulated(), DIFF)
    found = ran(node, at=at)
    assert (found.state, found.method, found.reason, found.block) == ("passed", V1, "", BLOCK)
    assert (found.before, found.after) == ({PAUSED: (False,)}, {PAUSED: (True,)})
    assert isinstance(found.diff, StateDiff) and found.not_exercised == ("signatures",)
    assert node.methods == [["eth_simulateV1", "debug_traceCall", "eth_getCode", "eth_getBlockByNumber"]]
    pins = [one.params[1] for one in node.exchanges[0][:3]]
    assert pins == ["latest" if at is None else {"blockHash": HASH}] * 3


def test_what_is_asked_is_the_owners_transaction_with_the_overrides() -> None:
    node = Paper(simulated(), DIFF)
    ran(node, LONE)
    payload: Any = node.exchanges[0][0].params[0]
    (block,) = payload["blockStateCalls"]
    assert block["stateOverrides"] == {SAFE: {"stateDiff": {word(4): word(1)}}}
    assert block["calls"][1] == {"from": OWNER, "to": SAFE, "data": "0x6a761202"}


def test_the_gas_of_the_execution_is_what_the_node_says_without_refunds() -> None:
    node = Paper(simulated(outcome(TRUE, gasUsed="0x186a0", maxUsedGas="0x1adb0")), DIFF)
    assert ran(node).gas == 110_000
    assert ran(Paper(diff=DIFF, trace={**TRACED, "gasUsed": "0x186a0"}, call=TRUE)).gas == 100_000
    unsaid = {key: value for key, value in outcome(TRUE).items() if key not in ("gasUsed", "maxUsedGas")}
    assert (ran(Paper(simulated(unsaid), DIFF)).state, ran(Paper(simulated(unsaid), DIFF)).gas) == ("passed", None)


@pytest.mark.parametrize(("gas", "state"), [(2**24, "passed"), (2**24 + 1, "failed")])
def test_more_gas_than_one_transaction_may_use_fails(gas: int, state: str) -> None:
    found = ran(Paper(simulated(outcome(TRUE, gasUsed=hex(gas))), DIFF))
    traced = ran(Paper(diff=DIFF, trace={**TRACED, "gasUsed": hex(gas)}, call=TRUE))
    assert (found.state, found.method, found.gas) == (state, V1, gas)
    assert (traced.state, traced.method, traced.gas) == (state, TRACE, gas)
    if state == "failed":
        assert "EIP-7825" in found.reason and "EIP-7825" in traced.reason and "guard" not in found.reason
        assert isinstance(found.after[PAUSED], Missing)


def test_a_revert_is_a_verdict_and_no_reason_to_try_another_rung() -> None:
    node = Paper(FAILED, DIFF, trace=TRACED)
    found = ran(node)
    assert (found.state, found.method) == ("failed", V1)
    assert found.reason == "execTransaction reverted: GS013 (the Safe's call fails)"
    assert isinstance(found.diff, Missing) and isinstance(found.after[PAUSED], Missing)
    assert "debug_traceCall" not in [one for batch in node.methods[1:] for one in batch]
    whole = ran(Paper(RpcError(3, "execution reverted", REVERTED), DIFF, trace=TRACED))
    assert (whole.state, whole.method, "GS013" in whole.reason) == ("failed", V1, True)
    false = ran(Paper(simulated(outcome(word(0))), DIFF))
    assert (false.state, "nonce would be spent" in false.reason) == ("failed", True)
    gas = ran(Paper(simulated(outcome("0x", status="0x0", error={"code": -32015, "message": "out of gas"})), DIFF))
    assert (gas.state, gas.reason) == ("failed", "execTransaction out of gas")


def test_a_trace_of_another_transaction_is_no_diff() -> None:
    others: list[Any] = [{"pre": {}, "post": {}}, {**DIFF, "more": 1}, RpcError(-32000, "tracer not found"), None]
    for other in others:
        found = ran(Paper(simulated(), other))
        assert (found.state, found.method) == ("passed", V1)
        assert isinstance(found.diff, Missing) and found.not_exercised == ("signatures", "state changes")


@pytest.mark.parametrize(("told", "state"), [(7, "passed"), (1, "not-simulated"), (0, "not-simulated")])
def test_a_later_nonce_is_tried_only_where_the_node_takes_it_as_given(told: int, state: str) -> None:
    """A node that keeps the Safe's own nonce would run another transaction, or none."""
    later = replace(LONE, nonce=7)
    before: list[Any] = simulated()
    before[0]["calls"][0] = outcome(read_round(1, told, 0))
    node = Paper(before, DIFF)
    found = ran(node, later)
    assert found.state == state
    payload: Any = node.exchanges[0][0].params[0]
    (block,) = payload["blockStateCalls"]
    assert block["stateOverrides"] == {SAFE: {"stateDiff": {word(4): word(1), word(5): word(7)}}}
    assert ("the Safe's nonce taken as 7, what comes before not executed" in found.overridden) is (state == "passed")


def test_reads_that_an_override_falsifies_are_missing() -> None:
    nonce, threshold = (
        CallRead(SAFE, parse_signature(f"{one}() returns (uint256)")) for one in ("nonce", "getThreshold")
    )
    answers: dict[Read, Any] = {nonce: (7,), threshold: (1,), PAUSED: (True,)}
    hidden = {read for read, one in replace(LONE, nonce=7).unhidden(SAFE, answers).items() if isinstance(one, Missing)}
    assert hidden == {nonce, threshold}
    assert not [one for one in TRIAL.unhidden(SAFE, answers).values() if isinstance(one, Missing)]


def test_a_node_that_ignores_the_overrides_is_not_believed() -> None:
    for trial in (TRIAL, LONE):
        found = ran(Paper(simulated(probe=2), DIFF), trial)
        assert (found.state, "ignores the overrides" in found.reason) == ("not-simulated", True)
    ignored = {**TRACED_FAILURE, "output": "0x08c379a0" + encode(["string"], ["GS020"]).hex()}
    assert ran(Paper(trace=ignored, diff=DIFF), LONE).state == "not-simulated"


def test_a_head_that_moved_is_asked_again_by_its_hash() -> None:
    moved: dict[str, Json] = {**HEADER, "number": "0x65", "hash": "0x" + "ee" * 32, "parentHash": HASH}
    node = Paper(simulated(), DIFF, headers=[moved, dict(moved)])
    found = ran(node)
    assert (found.state, "simulated on another block" in found.reason) == ("not-simulated", True)
    assert node.exchanges[1][0].params[1] == {"blockHash": moved["hash"]}
    node = Paper(
        simulated(), DIFF, headers=[{**HEADER, "hash": "0x" + "ee" * 32}, {**HEADER, "hash": "0x" + "ee" * 32}]
    )
    assert ran(node).state == "not-simulated"


def test_reads_of_two_blocks_are_no_simulation() -> None:
    for after in (read_round(1, number=102), read_round(1, timestamp=1), read_round(1, parent=PARENT)):
        assert ran(Paper(simulated(after=after), DIFF)).state == "not-simulated"


def test_a_block_that_only_its_header_places_is_accepted_and_one_that_nothing_places_is_not() -> None:
    inside = {"number": 7, "parent": PARENT}  # a rollup tells contracts the block of the chain below it
    rounds = [outcome(read_round(1, 0, **inside)), outcome(TRUE), outcome(read_round(1, **inside))]  # type: ignore[arg-type]
    stated = simulated()
    stated[0]["calls"] = rounds
    assert ran(Paper(stated, DIFF)).state == "passed"
    astray = simulated(parent=PARENT)
    astray[0]["calls"] = rounds
    assert ran(Paper(astray, DIFF)).state == "not-simulated"


def test_only_a_trace_has_its_reads_from_multicall_or_none() -> None:
    node = Paper(trace=TRACED, diff=DIFF)
    found = ran(node)
    assert (found.state, found.method, found.block) == ("passed", TRACE, BLOCK)
    assert isinstance(found.diff, StateDiff)
    assert isinstance(found.after[PAUSED], Missing), "no expectation is met by a read that was not made"
    failed = ran(Paper(trace=TRACED_FAILURE, diff=DIFF))
    assert (failed.state, failed.method, "GS013" in failed.reason) == ("failed", TRACE, True)


def in_its_place(success: bool) -> str:
    """What the Safe's fallback handler answers to `simulate`, with the pause as the one call."""
    seen = [one.to_bytes(32) for one in (BLOCK.number, int(PARENT, 16), BLOCK.timestamp)]
    reads = [(True, bytes(32)), (success, b""), (True, (1).to_bytes(32))]
    inside = encode(["(bool,bytes)[]"], [[*((True, one) for one in seen), *reads]])
    return "0x" + encode(["bytes"], [inside]).hex()


def test_a_trace_and_multicall_must_both_pass() -> None:
    found = ran(Paper(trace=TRACED, diff=DIFF, call=in_its_place(True)))
    assert (found.state, found.method, found.after) == ("passed", TRACE, {PAUSED: (True,)})
    found = ran(Paper(trace=TRACED, diff=DIFF, call=in_its_place(False)))
    assert (found.state, found.method) == ("failed", TRACE)
    assert found.reason == (
        f"call 1 of 1 (pause on {TARGET}) reverted without a reason when made in the Safe's place,"
        " though execTransaction succeeds"
    )
    assert isinstance(found.after[PAUSED], Missing)


def test_a_failure_is_explained_by_the_call_that_fails_alone() -> None:
    found = ran(Paper(FAILED, DIFF, call=in_its_place(False)))
    assert found.reason == (
        "execTransaction reverted: GS013 (the Safe's call fails);"
        f" call 1 of 1 (pause on {TARGET}) reverted without a reason"
    )
    found = ran(Paper(FAILED, DIFF, call=in_its_place(True)))
    assert found.reason.endswith("; made in the Safe's place, without its guard, they succeed")


def test_a_success_with_an_error_and_an_answer_of_no_safe_do_not_pass() -> None:
    found = ran(Paper(simulated(outcome(TRUE, error={"code": 3, "message": "but"})), DIFF))
    assert (found.state, "both succeeds and fails" in found.reason) == ("not-simulated", True)
    for data in ("0x", "0x01", word(2), TRUE + "00"):
        found = ran(Paper(simulated(outcome(data)), DIFF))
        assert (found.state, "no Safe answered" in found.reason) == ("not-simulated", True)


def test_a_node_without_anything_says_everything_and_is_not_written_to() -> None:
    node = Paper()
    found = ran(node)
    assert found.state == "not-simulated"
    assert found.not_exercised == ("guards", "signatures", "state changes")
    assert "eth_simulateV1 does not exist" in found.reason and "no development chain" in found.reason
    said = [one for batch in node.methods for one in batch]
    assert not [one for one in said if one.startswith(("evm_", "hardhat_set", "hardhat_imp", "eth_send"))]
    assert "debug_traceCall" not in [one for batch in node.methods[1:] for one in batch]


def test_a_node_that_refuses_the_batch_is_asked_without_simulation_once_more() -> None:
    class Strict(Paper):
        def exchange(self, requests: Sequence[Request]) -> list[Answered]:
            self.exchanges.append(list(requests))
            if any(one.method in ("eth_simulateV1", "debug_traceCall") for one in requests):
                raise Unread("strict answered 403")
            return [self.answer(one) for one in requests]

    node = Strict()
    found = ran(node)
    assert (found.state, "strict answered 403" in found.reason) == ("not-simulated", True)
    assert [one for batch in node.methods[1:] for one in batch if one.startswith(("debug_", "evm_", "anvil_"))] == []

    class Down(Paper):
        def exchange(self, requests: Sequence[Request]) -> list[Answered]:
            self.exchanges.append(list(requests))
            raise Unread("down refused the connection")

    down = Down()
    assert (ran(down).reason, len(down.exchanges)) == ("down refused the connection", 2)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(inner for key, one in children for inner in places(one, (*path, key)))]


JUNK: list[Any] = [
    None,
    True,
    0,
    1,
    -1,
    "",
    "0x",
    "0x0",
    "0x1",
    "0xzz",
    TRUE,
    word(0),
    "\x1b[2J",
    [],
    {},
    [[]],
    {"calls": []},
]
JUNK += [read_round(1), read_round(1, 1), "0x" + "ff" * 96]


def spoiled(value: Any, path: tuple[Any, ...], junk: Any) -> Any:
    """The value with junk at one place, or without what is there."""
    if not path:
        return junk
    whole = copy.deepcopy(value)
    inner = whole
    for key in path[:-1]:
        inner = inner[key]
    if junk == "removed":
        del inner[path[-1]]
    else:
        inner[path[-1]] = junk
    return whole


@given(st.sampled_from(places(FAILED)), st.sampled_from([*JUNK, "removed"]))
def test_no_spoiled_answer_makes_a_failure_pass(path: tuple[Any, ...], junk: Any) -> None:
    assert ran(Paper(spoiled(FAILED, path, junk), DIFF)).state != "passed"


@given(st.sampled_from(places(TRACED_FAILURE)), st.sampled_from([*JUNK, "removed"]))
def test_no_spoiled_trace_makes_a_failure_pass(path: tuple[Any, ...], junk: Any) -> None:
    assert ran(Paper(trace=spoiled(TRACED_FAILURE, path, junk), diff=DIFF)).state != "passed"


@given(st.sampled_from(places(simulated())), st.sampled_from([*JUNK, "removed"]))
def test_a_spoiled_success_shows_the_same_or_is_none(path: tuple[Any, ...], junk: Any) -> None:
    found = ran(Paper(spoiled(simulated(), path, junk), DIFF))
    if found.state == "passed":
        assert (found.method, found.block) == (V1, BLOCK)
        assert found.before[PAUSED] == (False,) or path[-1:] == ("returnData",)
    assert "\x1b" not in found.reason


@given(st.sampled_from(JUNK))
def test_junk_is_never_a_simulation(junk: Any) -> None:
    assert ran(Paper(junk, junk, junk, junk)).state != "passed"
    assert ran(Paper(junk, junk, junk, junk, others=dict.fromkeys(WRITES, junk))).state != "passed"


WRITES = (
    "anvil_nodeInfo",
    "hardhat_getAutomine",
    "evm_snapshot",
    "evm_revert",
    "eth_sendTransaction",
    "hardhat_setBalance",
)
DEVELOPMENT: dict[str, Answered] = {
    "anvil_nodeInfo": {"hardFork": "Prague"},
    "hardhat_getAutomine": True,
    "evm_snapshot": "0x0",
    "evm_revert": True,
    **dict.fromkeys(("hardhat_setStorageAt", "hardhat_setBalance", "hardhat_impersonateAccount"), True),
    "hardhat_stopImpersonatingAccount": True,
    "eth_sendTransaction": TX_HASH,
    "eth_getTransactionReceipt": {"status": "0x1"},
}


@pytest.mark.parametrize(
    "broken", [one for one in DEVELOPMENT if one not in ("anvil_nodeInfo", "hardhat_getAutomine", "evm_snapshot")]
)
@pytest.mark.parametrize("how", [GONE, None, "0x", {}], ids=["refused", "null", "empty", "object"])
def test_whatever_breaks_on_a_development_chain_it_is_returned(broken: str, how: Answered) -> None:
    node = Paper(call=TRUE, others={**DEVELOPMENT, broken: how})
    found = ran(node)
    taken = [one for batch in node.methods for one in batch]
    assert taken.count("evm_snapshot") == taken.count("evm_revert") == 1
    if broken == "evm_revert":
        assert (found.state, "NOT as before" in found.reason) == ("not-simulated", True)
    if broken in ("eth_sendTransaction", "eth_getTransactionReceipt"):
        assert found.state != "passed"


def test_on_a_development_chain_only_true_passes() -> None:
    reads = {"eth_getCode": "0x6001"}
    assert ran(Paper(call=TRUE, others={**DEVELOPMENT, **reads})).state == "passed"
    for answer, state in ((word(0), "failed"), (word(2), "failed"), ("0x", "not-simulated"), (None, "not-simulated")):
        found = ran(Paper(call=answer, others={**DEVELOPMENT, **reads}))
        assert (found.state, found.after.get(PAUSED, None) != (True,)) == (state, True)
    failed: dict[str, Json] = {"eth_getTransactionReceipt": {"status": "0x0"}}
    assert ran(Paper(call=TRUE, others={**DEVELOPMENT, **failed})).state == "failed"
    bare = {"eth_getCode": "0x"}
    assert ran(Paper(call=TRUE, others={**DEVELOPMENT, **bare})).state == "failed"


def test_a_development_chain_lost_in_the_middle_is_returned_or_said_not_to_be() -> None:
    class Dying(Paper):
        last = "eth_sendTransaction"

        def answer(self, request: Request) -> Answered:
            if request.method == self.last:
                raise Unread("the node went away")
            return super().answer(request)

    node = Dying(call=TRUE, others=DEVELOPMENT)
    assert ran(node).state == "not-simulated"
    assert "evm_revert" in node.methods[-1]
    node.last = "evm_revert"
    assert "NOT as before" in ran(node).reason


def drilled(value: int = 0, **more: Any) -> tuple[Chain, Simulation]:
    """A call of a real Safe on the chain of the drill, which has neither eth_simulateV1 nor a tracer."""
    chain = Chain(**more)
    safe = chain.deploy_safe()
    call = Call(safe.address, safe.change_threshold(3).signature, (3,), value)
    first = safe.owners[0].address
    data = EXEC.selector + encode(
        EXEC.input_types, [call.to, value, call.data, 0, 0, 0, 0, ZERO, ZERO, pre_validated(first)]
    )
    chain.exchanges.clear()
    return chain, simulate(chain, "real", safe.address, [call], [safe.threshold], trial=Trial(data, first))


def test_the_chain_of_a_drill_falls_through_and_says_so() -> None:
    chain, found = drilled()
    assert (found.state, found.method, found.reason) == ("passed", THROUGH_HANDLER, "")
    assert found.not_exercised == ("guards", "signatures", "state changes")
    assert isinstance(found.diff, Missing) and found.overridden == ()
    assert [*found.before.values(), *found.after.values()] == [(2,), (3,)]
    assert len(chain.exchanges) == 2


def test_what_the_chain_of_a_drill_cannot_do_is_not_simulated() -> None:
    chain, found = drilled(value=1)
    assert (found.state, "sends value" in found.reason) == ("not-simulated", True)
    assert "no development chain" in found.reason
    assert found.method != SNAPSHOT
    assert not [one for batch in chain.exchanges for one in batch if one.method.startswith("evm_")]


def test_the_second_simulation_still_stands() -> None:
    assert simulate_execution(Paper(call=TRUE), "paper", SAFE, b"", OWNER).state == "passed"
