"""Simulation against real Safe contracts on py-evm."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest

from incident_cli.abi import parse_signature
from incident_cli.chain.batch import read_round
from incident_cli.chain.simulate import (
    DIRECTLY,
    EXECUTION,
    NOT_EXERCISED,
    THROUGH_HANDLER,
    Simulation,
    execution_verdict,
    simulate,
    simulate_execution,
)
from incident_cli.errors import Unread
from incident_cli.evm import ZERO, Address, Block, Call, CallRead, CodeRead, Missing
from incident_cli.transport import Json, Request, RpcError
from tests.fakes.safe_chain import HANDLER, Chain, Safe

NOBODY = Address("0x" + "0" * 38 + "99")


@cache
def safe_of(version: str = "1.4.1", handler: bool = True, multicall: bool = True) -> Safe:
    """One chain for several tests: simulating changes nothing on it."""
    chain = Chain(version=version, multicall=multicall)
    return chain.deploy_safe() if handler else chain.deploy_safe(ZERO)


def ran(safe: Safe, *calls: Call, at: Block | None = None) -> Simulation:
    return simulate(safe.chain, "real", safe.address, calls, [safe.threshold], at)


@pytest.mark.parametrize("version", ["1.3.0", "1.4.1", "1.5.0"])
@pytest.mark.parametrize(("handler", "method"), [(True, THROUGH_HANDLER), (False, DIRECTLY)])
def test_calls_are_made_as_the_safe_and_leave_nothing_behind(version: str, handler: bool, method: str) -> None:
    safe = safe_of(version, handler)
    found = ran(safe, safe.change_threshold(1))  # reverts with GS031 unless msg.sender is the Safe itself
    assert (found.state, found.reason, found.method) == ("passed", "", method)
    assert found.not_exercised == NOT_EXERCISED
    assert found.before == {safe.threshold: (2,)}
    assert found.after == {safe.threshold: (1,)}
    assert found.block == safe.chain.engine.head
    assert read_round(safe.chain, "real", [safe.threshold]).value(safe.threshold) == 2


def test_a_simulation_at_the_head_is_one_exchange() -> None:
    safe = safe_of()
    before = len(safe.chain.exchanges)
    ran(safe, safe.change_threshold(1), safe.change_threshold(2))
    assert len(safe.chain.exchanges) - before == 1


def test_calls_build_on_each_other_in_order() -> None:
    safe = safe_of()
    found = ran(safe, safe.change_threshold(1), safe.change_threshold(3))
    assert (found.state, found.after) == ("passed", {safe.threshold: (3,)})


@pytest.mark.parametrize("handler", [True, False])
def test_one_failing_call_fails_the_batch_and_is_named(handler: bool) -> None:
    safe = safe_of(handler=handler)
    found = ran(safe, safe.change_threshold(1), safe.change_threshold(9))
    assert found.state == "failed"
    assert found.reason == f"call 2 of 2 (changeThreshold on {safe.address}) reverted: GS201"
    assert found.before == {safe.threshold: (2,)}
    assert isinstance(found.after[safe.threshold], Missing)


def test_a_call_that_only_others_may_make_fails() -> None:
    safe = safe_of()
    found = ran(safe, safe.chain.deploy_safe().change_threshold(1))
    assert (found.state, "GS031" in found.reason) == ("failed", True)


def test_a_call_to_an_address_without_code_is_no_success() -> None:
    found = ran(safe_of(), Call(NOBODY, parse_signature("pause()")))
    assert (found.state, "without code" in found.reason) == ("failed", True)


def test_a_simulation_at_a_past_block_shows_that_block() -> None:
    safe = Chain().deploy_safe()
    past = safe.chain.engine.head
    safe.chain.send(safe.address, safe.executed(safe.change_threshold(3))[1])
    assert ran(safe, safe.change_threshold(1), at=past).before == {safe.threshold: (2,)}
    found = ran(safe, safe.change_threshold(1))
    assert found.before == {safe.threshold: (3,)}
    assert found.block == safe.chain.engine.head


def test_reads_that_a_simulation_cannot_make_are_missing() -> None:
    safe = safe_of()
    code, wrong = CodeRead(safe.address), CallRead(safe.address, parse_signature("f(uint8 n) returns (bool)"), (999,))
    found = simulate(safe.chain, "real", safe.address, [safe.change_threshold(1)], [code, wrong, safe.threshold])
    assert found.state == "passed"
    assert isinstance(found.before[code], Missing)
    assert isinstance(found.after[wrong], Missing)
    assert found.after[safe.threshold] == (1,)


def test_an_address_without_a_safe_is_not_simulated() -> None:
    safe = safe_of()
    found = simulate(safe.chain, "real", NOBODY, [safe.change_threshold(1)], [safe.threshold])
    assert (found.state, "no Safe of version 1.3.0 or later answered" in found.reason) == ("not-simulated", True)
    found = simulate(safe.chain, "real", HANDLER, [safe.change_threshold(1)], [safe.threshold])
    assert found.state == "not-simulated"


def test_without_multicall3_nothing_passes() -> None:
    safe = safe_of(multicall=False)
    found = ran(safe, safe.change_threshold(1))
    assert (found.state, "no Multicall3 answered" in found.reason) == ("not-simulated", True)


def test_values_empty_batches_and_wrong_arguments_are_not_simulated() -> None:
    safe = safe_of()
    assert ran(safe).state == "not-simulated"
    assert ran(safe, Call(safe.address, parse_signature("f()"), (), 1)).state == "not-simulated"
    assert ran(safe, Call(safe.address, parse_signature("f(uint8 n)"), (256,))).state == "not-simulated"


class Spoiled:
    """The real chain with one method's answers replaced."""

    name = "spoiled"

    def __init__(self, chain: Chain, method: str, answer: Json | RpcError) -> None:
        self.chain, self.method, self.answer = chain, method, answer

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        found = self.chain.exchange(requests)
        return [self.answer if one.method == self.method else two for one, two in zip(requests, found, strict=True)]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        7,
        "0x",
        "0x" + "00" * 31 + "01",
        "0x" + "ff" * 256,
        "nonsense",
        RpcError(-32000, "out of gas"),
        RpcError(3, "execution reverted", "0x" + "00" * 64),
        RpcError(3, "execution reverted", "0x" + "00" * 31 + "01" + "00" * 31 + "20"),
        RpcError(3, "execution reverted", "0x" + "00" * 31 + "01" + "00" * 32),
    ],
)
def test_no_strange_answer_passes(answer: Json | RpcError) -> None:
    safe = safe_of()
    endpoint = Spoiled(safe.chain, "eth_call", answer)
    found = simulate(endpoint, "real", safe.address, [safe.change_threshold(1)], [safe.threshold])
    assert found.state == "not-simulated"
    assert found.reason


def test_code_that_could_not_be_read_does_not_pass() -> None:
    safe = safe_of()
    endpoint = Spoiled(safe.chain, "eth_getCode", RpcError(-32000, "no"))
    assert simulate(endpoint, "real", safe.address, [safe.change_threshold(1)], []).state == "failed"


def test_an_unreachable_node_is_not_simulated() -> None:
    class Down:
        name = "down"

        def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
            raise Unread("down refused the connection")

    safe = safe_of()
    found = simulate(Down(), "real", safe.address, [safe.change_threshold(1)], [])
    assert (found.state, found.reason) == ("not-simulated", "down refused the connection")
    assert simulate_execution(Down(), "real", safe.address, b"", NOBODY).state == "not-simulated"


def test_an_execution_with_enough_signatures_passes_and_sends_nothing() -> None:
    safe = safe_of()
    head = safe.chain.engine.head
    found = simulate_execution(safe.chain, "real", safe.address, safe.executed(safe.change_threshold(1))[1], NOBODY)
    assert (found.state, found.method, found.reason, found.block) == ("passed", EXECUTION, "", head)
    assert safe.chain.engine.head == head


def test_an_execution_fails_with_the_safes_own_reason() -> None:
    safe = safe_of()

    def reason(data: bytes) -> tuple[str, str]:
        found = simulate_execution(safe.chain, "real", safe.address, data, NOBODY)
        return found.state, found.reason

    state, said = reason(safe.executed(safe.change_threshold(1), signers=1)[1])
    assert (state, "GS020 (there are fewer signatures than the threshold)" in said) == ("failed", True)
    state, said = reason(safe.executed(safe.change_threshold(9))[1])
    assert (state, "GS013 (the Safe's call fails)" in said) == ("failed", True)
    state, said = reason(safe.executed(safe.change_threshold(9), safe_tx_gas=100_000)[1])
    assert (state, "nonce would be spent" in said) == ("failed", True)


@pytest.mark.parametrize("answer", ["0x", None, True, 1, "0x01", "0x" + "0" * 63 + "2"])
def test_only_the_word_true_passes(answer: Json) -> None:
    assert execution_verdict(answer)[0] == "not-simulated"
