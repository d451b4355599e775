"""Rounds of reads: over real HTTP, on a real chain, and against nodes that move or lie."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest

from incident_cli.abi import parse_signature
from incident_cli.chain.batch import head, read_round
from incident_cli.chain.multicall import MULTICALL3
from incident_cli.chain.nodes import connect
from incident_cli.errors import Unread
from incident_cli.evm import Address, Block, CallRead, CodeRead, Missing, Read
from incident_cli.transport import Json, Request, RpcError
from tests.fakes.node import serving
from tests.fakes.safe_chain import CHAIN_ID, GET_THRESHOLD, Chain, Safe

NOBODY = Address("0x" + "0" * 38 + "99")
IS_OWNER = parse_signature("isOwner(address owner) returns (bool)")
BALANCE = parse_signature("getEthBalance(address account) returns (uint256)")


@cache
def shared(multicall: bool = True) -> Safe:
    """A chain that no test of this file changes."""
    return Chain(multicall=multicall).deploy_safe()


def many(safe: Safe, count: int) -> list[CallRead]:
    return [CallRead(safe.address, IS_OWNER, (Address(f"0x{n:040x}"),)) for n in range(1, count + 1)]


def answered(endpoint: Changed | Chain, reads: Sequence[Read], at: Block | None = None) -> list[object]:
    snapshot = read_round(endpoint, "real", reads, at)
    return [snapshot.value(read) for read in reads]


class Changed:
    """The real chain behind a function that may change each exchange's answers; it counts them."""

    name = "changed"

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.sent: list[list[Request]] = []

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        self.sent.append(list(requests))
        return [self.change(one, two) for one, two in zip(requests, self.chain.exchange(requests), strict=True)]

    def change(self, request: Request, answer: Json | RpcError) -> Json | RpcError:
        return answer


class Refusing(Changed):
    """A node that does not know EIP-1898."""

    def change(self, request: Request, answer: Json | RpcError) -> Json | RpcError:
        if any(isinstance(one, dict) and "blockHash" in one for one in request.params):
            return RpcError(-32602, "invalid params: expected a block number")
        return answer


def test_500_reads_at_the_head_are_one_http_request() -> None:
    safe = shared()
    reads: list[Read] = [*many(safe, 498), safe.threshold, CodeRead(safe.address)]
    with serving(safe.chain) as node:
        endpoint = connect([node.endpoint()], "real", CHAIN_ID)
        snapshot = read_round(endpoint, "real", reads)
        assert node.exchanges == 1
        assert [one.method for one in node.requests] == [
            "eth_chainId",
            "eth_call",
            "eth_getCode",
            "eth_getBlockByNumber",
        ]
    assert snapshot.block == head(safe.chain, "real") == Block("real", *block_fields(safe))
    assert len(snapshot.answers) == 500
    assert snapshot.value(safe.threshold) == 2


def block_fields(safe: Safe) -> tuple[int, str, int]:
    found = safe.chain.engine.head
    return found.number, found.hash, found.timestamp


def test_more_than_500_reads_are_rounds_that_all_saw_the_same_block() -> None:
    safe = shared()
    endpoint = Changed(safe.chain)
    assert answered(endpoint, many(safe, 1_001)) == [False] * 1_001
    assert [one.method for one in endpoint.sent[0]] == ["eth_call"] * 3 + ["eth_getBlockByNumber"]
    assert len(endpoint.sent) == 1


def test_a_read_is_asked_once_and_answers_are_typed() -> None:
    safe = shared()
    endpoint = Changed(safe.chain)
    found = answered(endpoint, [safe.owner_list, safe.owner_list, CodeRead(NOBODY)])
    owners = tuple(owner.address for owner in safe.owners)
    assert found == [owners, owners, b""]
    assert len(read_round(endpoint, "real", [safe.threshold] * 9).answers) == 1


def test_a_failing_read_is_missing_with_its_reason_and_the_others_are_not() -> None:
    safe = shared()
    reads: list[Read] = [
        CallRead(
            safe.address,
            parse_signature("execTransactionFromModule(address a, uint256 b, bytes c, uint8 d)"),
            (NOBODY, 0, b"", 0),
        ),
        CallRead(NOBODY, GET_THRESHOLD),
        CallRead(safe.address, parse_signature("getThreshold() returns (string)")),
        CallRead(safe.address, parse_signature("isOwner(address owner) returns (bool)"), ("not an address",)),
        safe.threshold,
    ]
    reverted, nothing, undecoded, unencoded, fine = answered(safe.chain, reads)
    assert reverted == Missing("reverted: GS104")
    assert nothing == Missing(f"no contract answered at {NOBODY}")
    assert isinstance(undecoded, Missing)
    assert isinstance(unencoded, Missing)
    assert fine == 2


@pytest.mark.parametrize("count", [3, 250])
def test_without_multicall3_the_calls_are_pinned_to_the_head_in_one_more_exchange_per_hundred(count: int) -> None:
    # More than a hundred first ask for a state override, which this chain does not know.
    safe = shared(False)
    endpoint = Changed(safe.chain)
    assert answered(endpoint, [*many(safe, count - 1), CodeRead(NOBODY)]) == [False] * (count - 1) + [b""]
    assert len(endpoint.sent) == 1 + -(-count // 99) + (count > 99)
    assert all(len(some) <= 100 for some in endpoint.sent)
    pin = {"blockHash": safe.chain.engine.head.hash}
    singles = [one for some in endpoint.sent[1:] for one in some[:-1] if len(one.params) == 2]
    assert len(singles) == count
    assert all(one.params[1] == pin for one in singles)


def test_without_multicall3_a_revert_keeps_its_reason() -> None:
    safe = shared(False)
    signature = parse_signature("changeThreshold(uint256 threshold)")
    assert answered(safe.chain, [CallRead(safe.address, signature, (1,))]) == [Missing("reverted: GS031")]


def test_a_pinned_round_shows_the_past() -> None:
    safe = Chain().deploy_safe()
    past = head(safe.chain, "real")
    safe.chain.send(safe.address, safe.executed(safe.change_threshold(1))[1])
    for endpoint in (Changed(safe.chain), Refusing(safe.chain)):
        snapshot = read_round(endpoint, "real", [safe.threshold, CodeRead(MULTICALL3)], past)
        assert snapshot.block == past
        assert snapshot.value(safe.threshold) == 2
        assert answered(endpoint, [safe.threshold]) == [1]


@pytest.mark.parametrize("kind", [Changed, Refusing])
def test_a_block_that_the_chain_lost_is_unread(kind: type[Changed]) -> None:
    safe = Chain().deploy_safe()
    mark = safe.chain.engine.snapshot()
    safe.chain.advance(12)
    lost = head(safe.chain, "real")
    safe.chain.engine.revert(mark)
    safe.chain.advance(24)
    with pytest.raises(Unread, match="does not have block"):
        read_round(kind(safe.chain), "real", [safe.threshold], lost)


class Moving(Changed):
    """A chain whose head moves between the round and the block, the first `times` times."""

    def __init__(self, chain: Chain, times: int) -> None:
        super().__init__(chain)
        self.times = times

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        self.sent.append(list(requests))
        first = self.chain.exchange(requests[:-1])
        if self.times:
            self.times -= 1
            self.chain.advance(12)
        return [*first, *self.chain.exchange(requests[-1:])]


def test_a_head_that_moves_within_the_round_is_asked_again_at_its_hash() -> None:
    safe = Chain().deploy_safe()
    endpoint = Moving(safe.chain, 1)
    snapshot = read_round(endpoint, "real", [safe.threshold])
    assert (len(endpoint.sent), snapshot.value(safe.threshold)) == (2, 2)
    assert snapshot.block == head(safe.chain, "real")


class Elsewhere(Changed):
    """A node that names a block its calls did not see."""

    def change(self, request: Request, answer: Json | RpcError) -> Json | RpcError:
        if request.method == "eth_getBlockByNumber" and isinstance(answer, dict):
            return {**answer, "timestamp": "0x1"}
        return answer


def test_a_block_that_no_round_saw_is_given_up_after_three_attempts() -> None:
    safe = shared()
    endpoint = Elsewhere(safe.chain)
    with pytest.raises(Unread, match="another block"):
        read_round(endpoint, "real", [safe.threshold])
    assert sum(one.params[-1] == "latest" for some in endpoint.sent for one in some) == 3


class Heavy(Changed):
    """A node whose gas limit does not allow a round."""

    def change(self, request: Request, answer: Json | RpcError) -> Json | RpcError:
        target = request.params[0]
        heavy = isinstance(target, dict) and target.get("to") == MULTICALL3
        return RpcError(-32000, "out of gas") if heavy else answer


def test_a_round_that_is_too_heavy_is_asked_one_by_one() -> None:
    safe = shared()
    assert answered(Heavy(safe.chain), [*many(safe, 3), safe.threshold]) == [False, False, False, 2]


class Pruned(Changed):
    """A node without the state of the block."""

    def change(self, request: Request, answer: Json | RpcError) -> Json | RpcError:
        return answer if request.method == "eth_getBlockByNumber" else RpcError(-32000, "missing trie node <U+0007>")


def test_a_node_without_the_state_is_not_asked_for_ever() -> None:
    safe = shared()
    endpoint = Pruned(safe.chain)
    found = answered(endpoint, many(safe, 400), head(safe.chain, "real"))
    assert len(endpoint.sent) == 1
    gone = f"the node no longer has the state of block {safe.chain.engine.head.number}: an archive node is needed"
    assert found == [Missing(gone)] * 400


@pytest.mark.parametrize(
    "block",
    [
        None,
        RpcError(-32000, "busy"),
        {},
        {"number": "0x1", "hash": "0x12", "parentHash": "0x", "timestamp": "0x1"},
        "x",
    ],
)
def test_a_head_that_is_none_is_unread(block: Json | RpcError) -> None:
    class Blind(Changed):
        def change(self, request: Request, answer: Json | RpcError) -> Json | RpcError:
            return block if request.method == "eth_getBlockByNumber" else answer

    with pytest.raises(Unread, match="the block of real could not be read"):
        head(Blind(shared().chain), "real")
    with pytest.raises(Unread):
        read_round(Blind(shared().chain), "real", [shared().threshold])


@pytest.mark.parametrize("answer", [None, 5, True, "0x1", "zz", [], {}])
def test_strange_answers_are_missing_and_never_values(answer: Json) -> None:
    class Strange(Changed):
        def change(self, request: Request, found: Json | RpcError) -> Json | RpcError:
            return found if request.method == "eth_getBlockByNumber" else answer

    found = answered(Strange(shared().chain), [shared().threshold])
    assert isinstance(found[0], Missing)
