"""Evidence of an execution: against the real Safe, and against receipts that lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from incident_cli.chain.execution import (
    FAILURE_TOPIC,
    LOG_RANGE_BLOCKS,
    SUCCESS_TOPIC,
    Execution,
    execution_of,
    find_execution,
    receipt,
    send_raw,
)
from incident_cli.errors import Refused, Unread
from incident_cli.evm import Address
from incident_cli.transport import Json, Request, RpcError
from tests.fakes.safe_chain import Chain, Safe, hash_of

OTHER_HASH = "0x" + "ee" * 32
STRANGER = "0x" + "99" * 20


@dataclass(frozen=True, slots=True)
class Done:
    """An execution on the real chain."""

    safe: Safe
    safe_tx_hash: str
    transaction_hash: str

    def proof(self, endpoint: Chain | Edited | None = None) -> Execution:
        asked = endpoint or self.safe.chain
        return execution_of(asked, "real", self.safe.address, self.safe_tx_hash, self.transaction_hash)


@cache
def done(version: str = "1.4.1", threshold: int = 1, safe_tx_gas: int = 0) -> Done:
    chain = Chain(version=version)
    safe = chain.deploy_safe()
    safe_tx_hash, data = safe.executed(safe.change_threshold(threshold), safe_tx_gas=safe_tx_gas)
    raw = chain.signed(safe.address, data)
    sent = send_raw(chain, raw)
    chain.advance(12)
    return Done(safe, safe_tx_hash, sent)


class Edited:
    """The real chain with one method's answers edited."""

    name = "edited"

    def __init__(self, chain: Chain, method: str, edit: Callable[[Any], Json | RpcError]) -> None:
        self.chain, self.method, self.edit = chain, method, edit

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        found = self.chain.exchange(requests)
        return [self.edit(two) if one.method == self.method else two for one, two in zip(requests, found, strict=True)]


@pytest.mark.parametrize("version", ["1.3.0", "1.4.1", "1.5.0"])  # 1.3.0 does not index the hash
def test_a_success_is_proven_by_the_safes_own_event(version: str) -> None:
    found = done(version).proof()
    assert found == Execution(True, 1, "success", found.block)
    assert found.block is not None
    assert found.succeeded


@pytest.mark.parametrize("version", ["1.3.0", "1.4.1"])
def test_a_mined_transaction_whose_call_failed_is_a_failure(version: str) -> None:
    found = done(version, 9, 100_000).proof()  # with safeTxGas the Safe swallows the revert and spends the nonce
    assert (found.mined, found.status, found.safe_outcome, found.succeeded) == (True, 1, "failure", False)


def test_a_reverted_transaction_is_mined_without_an_outcome() -> None:
    found = done("1.4.1", 9).proof()
    assert (found.mined, found.status, found.safe_outcome, found.problem, found.succeeded) == (
        True,
        0,
        "absent",
        "",
        False,
    )


def test_a_status_without_the_event_for_this_hash_is_no_success() -> None:
    one = done()
    found = execution_of(one.safe.chain, "real", one.safe.address, OTHER_HASH, one.transaction_hash)
    assert (found.mined, found.status, found.safe_outcome, found.succeeded) == (True, 1, "absent", False)
    assert "states no outcome" in found.problem


def test_a_transaction_that_is_not_mined_is_no_problem_and_no_proof() -> None:
    one = done()
    found = execution_of(one.safe.chain, "real", one.safe.address, one.safe_tx_hash, OTHER_HASH)
    assert found == Execution(False, None, "absent", None)
    assert receipt(one.safe.chain, "real", OTHER_HASH) is None


def each_log(**changes: Any) -> Callable[[Any], Any]:
    return lambda found: {**found, "logs": [{**log, **changes} for log in found["logs"]]}


def with_topic(topic: str) -> Callable[[Any], Any]:
    return lambda found: {
        **found,
        "logs": [*found["logs"], {**found["logs"][-1], "topics": [topic, done().safe_tx_hash]}],
    }


LIES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "another transaction": (lambda found: {**found, "transactionHash": OTHER_HASH}, "another transaction"),
    "status 2": (lambda found: {**found, "status": "0x2"}, "neither success nor failure"),
    "no status": (lambda found: {**found, "status": None}, "neither success nor failure"),
    "failed with events": (lambda found: {**found, "status": "0x0"}, "yet holds events"),
    "a block of its own": (
        lambda found: {**each_log(blockHash=OTHER_HASH)(found), "blockHash": OTHER_HASH},
        "not on the chain",
    ),
    "a block that is not there": (lambda found: {**found, "blockNumber": "0xffff"}, "no block 65535"),
    "a block before it": (lambda found: {**found, "blockNumber": "0x1"}, "not on the chain"),
    "a stranger's event": (each_log(address=STRANGER), "not by the Safe"),
    "a removed event": (each_log(removed=True), "another transaction or block"),
    "an event of another block": (each_log(blockHash=OTHER_HASH), "another transaction or block"),
    "an event of another transaction": (each_log(transactionHash=OTHER_HASH), "another transaction or block"),
    "no events": (lambda found: {**found, "logs": []}, "states no outcome"),
    "both outcomes": (with_topic(FAILURE_TOPIC), "more than one outcome"),
    "the outcome twice": (with_topic(SUCCESS_TOPIC), "more than one outcome"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_receipt_has_a_problem_and_never_succeeds(lie: str) -> None:
    edit, problem = LIES[lie]
    found = done().proof(Edited(done().safe.chain, "eth_getTransactionReceipt", edit))
    assert problem in found.problem
    assert found.safe_outcome == "absent"
    assert not found.succeeded


def test_a_block_that_does_not_hold_the_transaction_is_a_problem() -> None:
    edited = Edited(done().safe.chain, "eth_getBlockByNumber", lambda found: {**found, "transactions": []})
    assert "does not hold the transaction" in done().proof(edited).problem


@pytest.mark.parametrize(
    "answer",
    [RpcError(-32000, "busy"), 7, "0x", [], {}, {"logs": 1}, {"logs": [], "transactionHash": "0x1"}],
)
def test_a_receipt_that_is_none_is_unread(answer: Json | RpcError) -> None:
    with pytest.raises(Unread, match="no readable receipt"):
        done().proof(Edited(done().safe.chain, "eth_getTransactionReceipt", lambda found: answer))


def test_a_stranger_beside_the_safes_own_event_changes_nothing() -> None:
    def crowd(found: Any) -> Json:
        fake = {**found["logs"][-1], "address": STRANGER, "topics": [FAILURE_TOPIC, done().safe_tx_hash]}
        return {**found, "logs": [fake, *found["logs"]]}

    assert done().proof(Edited(done().safe.chain, "eth_getTransactionReceipt", crowd)).succeeded


def test_sending_again_is_no_failure() -> None:
    chain = Chain()
    raw = chain.signed(chain.sender.address, b"", 100_000)
    assert send_raw(chain, raw) == hash_of(raw)
    assert send_raw(
        Edited(chain, "eth_sendRawTransaction", lambda _: RpcError(-32000, "nonce too low")), raw
    ) == hash_of(raw)
    assert send_raw(
        Edited(chain, "eth_sendRawTransaction", lambda _: RpcError(-32000, "already known")), raw
    ) == hash_of(raw)


def said(words: str) -> Callable[[Any], Json | RpcError]:
    return lambda _: RpcError(-32000, words)


def test_a_rejected_transaction_is_refused() -> None:
    chain = Chain()
    raw = chain.signed(chain.sender.address, b"", 100_000)
    for words in ("nonce too low", "insufficient funds \x1b[2J"):
        edited = Edited(chain, "eth_sendRawTransaction", said(words))
        with pytest.raises(Refused, match="did not take the transaction") as caught:
            send_raw(edited, raw[:-1] + bytes([raw[-1] ^ 1]))
        assert "\x1b" not in caught.value.message


@pytest.mark.parametrize("answer", [OTHER_HASH, None, 5, "0x"])
def test_a_node_that_names_another_hash_is_not_believed(answer: Json) -> None:
    chain = Chain()
    raw = chain.signed(chain.sender.address, b"", 100_000)
    with pytest.raises(Unread, match=hash_of(raw)):
        send_raw(Edited(chain, "eth_sendRawTransaction", lambda _: answer), raw)


@pytest.mark.parametrize("version", ["1.3.0", "1.4.1"])
@pytest.mark.parametrize(("threshold", "safe_tx_gas"), [(1, 0), (9, 100_000)])
def test_an_execution_is_found_by_its_hash_whatever_its_outcome(version: str, threshold: int, safe_tx_gas: int) -> None:
    one = done(version, threshold, safe_tx_gas)
    chain, safe = one.safe.chain, one.safe.address
    assert find_execution(chain, "real", safe, one.safe_tx_hash, 0) == one.transaction_hash
    assert find_execution(chain, "real", safe, OTHER_HASH, 0) is None
    assert find_execution(chain, "real", Address(STRANGER), one.safe_tx_hash, 0) is None
    assert find_execution(chain, "real", safe, one.safe_tx_hash, chain.engine.head.number) is None


class Long:
    """A chain of many blocks that remembers which ranges it was asked for."""

    name = "long"

    def __init__(self, last: int, logs: Json | RpcError) -> None:
        self.last, self.logs, self.ranges, self.exchanges = last, logs, list[tuple[int, int]](), 0

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        self.exchanges += 1
        return [self.one(request) for request in requests]

    def one(self, request: Request) -> Json | RpcError:
        wanted = request.params[0]
        if isinstance(wanted, dict):
            self.ranges.append((int(str(wanted["fromBlock"]), 16), int(str(wanted["toBlock"]), 16)))
            return self.logs
        return {"number": hex(self.last), "hash": OTHER_HASH, "parentHash": OTHER_HASH, "timestamp": "0x1"}


def test_the_search_covers_every_block_once_in_ranges_of_at_most_5000() -> None:
    chain = Long(61_234, [])
    assert find_execution(chain, "long", Address(STRANGER), OTHER_HASH, 1_000) is None
    assert chain.ranges[0][0] == 1_000
    assert chain.ranges[-1][1] == 61_234
    assert all(one[1] + 1 == two[0] for one, two in zip(chain.ranges, chain.ranges[1:], strict=False))
    assert all(last - first < LOG_RANGE_BLOCKS for first, last in chain.ranges)
    assert chain.exchanges == 3


@pytest.mark.parametrize("logs", [RpcError(-32005, "too many"), None, {}, [{}], [7]])
def test_a_range_that_could_not_be_searched_is_unread(logs: Json | RpcError) -> None:
    with pytest.raises(Unread):
        find_execution(Long(10, logs), "long", Address(STRANGER), OTHER_HASH, 0)
