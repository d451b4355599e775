"""Fees, gas, nonce and balance of what is sent: one request, and nothing that a node does not take or cannot pay."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_cli.abi import encode
from incident_cli.chain.fees import (
    CAP,
    GWEI,
    PER_TRANSACTION,
    Fees,
    Market,
    bumped,
    capped,
    cost,
    ether,
    fees_of,
    gas_limit,
    outgoing_for,
    quote,
    raised,
    shown,
)
from incident_cli.errors import Refused, Unread
from incident_cli.evm import checksummed, to_hex
from incident_cli.outgoing import Outgoing
from incident_cli.transport import Json, Request, RpcError
from tests.fakes.node import Node

SENDER, TARGET = checksummed(b"\x11" * 20), checksummed(b"\x22" * 20)
DATA = b"\x01\x02"
BASE, TIP = 20 * GWEI, 2 * GWEI
HELD = 10**18
SENT = Outgoing(1, 7, TARGET, DATA, 125_000, 42 * GWEI, TIP)
ERROR = bytes.fromhex("08c379a0") + encode(["string"], ["GS026"])


def history(*tips: int, following: int = BASE) -> Json:
    """A fee history of one block for each tip."""
    fees: list[Json] = [*(hex(BASE) for _ in tips), hex(following)]
    return {"oldestBlock": "0x1", "baseFeePerGas": fees, "reward": [[hex(one)] for one in tips]}


def block(**changes: Json) -> Json:
    return {"number": "0x9", "baseFeePerGas": hex(BASE), "gasLimit": hex(30_000_000), **changes}


@dataclass
class Chain:
    """A node whose answers are given by method; an answer for a count of transactions by its block."""

    changes: dict[str, Json | RpcError] = field(default_factory=dict)
    name: str = "node-a"
    asked: list[Sequence[Request]] = field(default_factory=list)

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        self.asked.append(requests)
        return [self.answer(one) for one in requests]

    def answer(self, request: Request) -> Json | RpcError:
        usual: dict[str, Json] = {
            "eth_chainId": "0x1",
            "eth_getBlockByNumber": block(),
            "eth_feeHistory": history(TIP, TIP, TIP),
            "eth_maxPriorityFeePerGas": hex(GWEI),
            "latest": "0x7",
            "pending": "0x7",
            "eth_getBalance": hex(HELD),
            "eth_estimateGas": hex(100_000),
        }
        key = str(request.params[1]) if request.method == "eth_getTransactionCount" else request.method
        return {**usual, **self.changes}[key]


def asked(chain: Chain, **options: Any) -> Outgoing:
    return outgoing_for(chain, 1, SENDER, TARGET, DATA, **options)


def test_everything_in_one_request() -> None:
    chain = Chain()
    found = quote(chain, 1, SENDER, TARGET, DATA)
    assert found.outgoing == SENT
    assert found.most_cost == 125_000 * 42 * GWEI
    assert (found.market, found.sender.waiting, found.sender.balance) == (Market(BASE, TIP, 30_000_000), 0, HELD)
    assert len(chain.asked) == 1
    estimate = next(one for one in chain.asked[0] if one.method == "eth_estimateGas")
    assert estimate.params == ({"from": SENDER, "to": TARGET, "data": "0x0102", "value": "0x0"}, "latest")


def test_over_http_it_is_one_post() -> None:
    with Node(Chain().answer) as node:
        assert outgoing_for(node.endpoint(), 1, SENDER, TARGET, DATA) == SENT
        assert (node.exchanges, len(node.requests)) == (1, 8)


def test_a_node_that_takes_no_batch_is_asked_one_by_one() -> None:
    with Node(Chain().answer, "batch refused") as node:
        node.spare_singles = True
        assert outgoing_for(node.endpoint(), 1, SENDER, TARGET, DATA) == SENT
        assert node.exchanges == 9


def test_the_next_block_s_base_fee_counts_where_it_is_higher() -> None:
    assert asked(Chain({"eth_feeHistory": history(TIP, following=22 * GWEI)})).max_fee == 44 * GWEI + TIP
    assert asked(Chain({"eth_feeHistory": history(TIP, following=18 * GWEI)})).max_fee == 40 * GWEI + TIP


@pytest.mark.parametrize(
    ("tips", "suggested", "tip"),
    [
        ((1, 5, 9), "0x0", 5),
        ((1, 5, 9), "0x7", 7),
        ((0, 0, 9), "0x0", 9),
        ((0, 0, 0), "0x0", 1),
        ((), "0x3", 3),
        ((5,), RpcError(-32601, "no such method"), 5),
        ((), None, 1),
    ],
)
def test_the_tip(tips: tuple[int, ...], suggested: Json | RpcError, tip: int) -> None:
    assert asked(Chain({"eth_feeHistory": history(*tips), "eth_maxPriorityFeePerGas": suggested})).priority_fee == tip


@pytest.mark.parametrize(
    "answer", [None, RpcError(-32601, "no such method"), [], {"reward": None}, {"reward": [7, []]}]
)
def test_a_node_without_a_fee_history(answer: Json | RpcError) -> None:
    assert asked(Chain({"eth_feeHistory": answer})).max_fee == 2 * BASE + GWEI


def test_what_waits_in_the_pool_is_said_and_comes_first() -> None:
    found = quote(Chain({"pending": "0x9"}), 1, SENDER, TARGET, DATA)
    assert (found.outgoing.nonce, found.sender.waiting) == (9, 2)
    found = quote(Chain({"pending": "0x0"}), 1, SENDER, TARGET, DATA)  # a node that forgot
    assert (found.outgoing.nonce, found.sender.waiting) == (7, 0)


def test_a_replacement_outbids_at_the_same_nonce() -> None:
    before = replace(SENT, max_fee=100 * GWEI, priority_fee=3 * GWEI + 1)
    found = asked(Chain({"pending": "0x8"}), replacing=before)
    assert (found.nonce, found.max_fee, found.priority_fee) == (7, 112_500_000_000, 3_375_000_002)
    assert asked(Chain({"pending": "0x8"}), replacing=replace(SENT, max_fee=1, priority_fee=1)).max_fee == 42 * GWEI


def test_what_was_mined_is_not_replaced() -> None:
    with pytest.raises(Refused, match=r"nonce 7 .* is spent"):
        asked(Chain({"latest": "0x8", "pending": "0x8"}), replacing=SENT)


def test_the_cap() -> None:
    assert asked(Chain(), cap=30 * GWEI).max_fee == 30 * GWEI
    with pytest.raises(Refused, match=r"takes 22 gwei per gas, and the cap is 21.999999999 gwei"):
        asked(Chain(), cap=22 * GWEI - 1)
    with pytest.raises(Refused, match=r"takes 47.25 gwei per gas"):
        asked(Chain(), cap=45 * GWEI, replacing=SENT)
    dear = Chain({"eth_getBlockByNumber": block(baseFeePerGas=hex(CAP)), "eth_feeHistory": None})
    with pytest.raises(Refused, match="the cap is 1000 gwei"):
        asked(dear)


def test_who_cannot_pay_is_told_how_much() -> None:
    with pytest.raises(Refused, match=r"holds 0.005 coins, and this can cost 0.00525 coins") as caught:
        asked(Chain({"eth_getBalance": hex(5 * 10**15)}))
    assert "Send it 0.00025 coins" in caught.value.hint
    assert "40000000000 wei per gas" in caught.value.hint
    assert asked(Chain({"eth_getBalance": hex(5 * 10**15)}), cap=40 * GWEI).max_fee == 40 * GWEI
    with pytest.raises(Refused, match="holds nothing"):
        asked(Chain({"eth_getBalance": "0x0"}))
    with pytest.raises(Refused, match="holds 1 coins"):
        asked(Chain(), value=HELD)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (RpcError(3, "execution reverted: GS026", to_hex(ERROR)), "reverted: GS026"),
        (RpcError(3, "execution reverted"), "would fail: execution reverted"),
        (RpcError(-32000, "gas required exceeds allowance; execution reverted"), "would fail"),
    ],
)
def test_what_would_revert_is_not_sent(answer: RpcError, words: str) -> None:
    with pytest.raises(Refused, match=words):
        asked(Chain({"eth_estimateGas": answer}))


UNREAD: list[tuple[dict[str, Json | RpcError], str]] = [
    ({"eth_chainId": "0x5"}, "on chain 5, not 1"),
    ({"eth_chainId": None}, "did not state its chain id"),
    ({"eth_getBlockByNumber": None}, "no latest block"),
    ({"eth_getBlockByNumber": block(baseFeePerGas=None)}, "older than EIP-1559"),
    ({"eth_getBlockByNumber": block(baseFeePerGas="7")}, "base fee"),
    ({"eth_getBlockByNumber": block(gasLimit=None)}, "block gas"),
    ({"latest": RpcError(-32000, "busy")}, "nonce: busy"),
    ({"pending": []}, "nonce"),
    ({"eth_getBalance": "0x"}, "balance"),
    ({"eth_estimateGas": RpcError(-32601, "no such method")}, "no estimate of the gas: no such method"),
    ({"eth_estimateGas": 21_000}, "estimate"),
]


@pytest.mark.parametrize(("changes", "words"), UNREAD, ids=[words for _, words in UNREAD])
def test_what_a_node_does_not_say_is_unread(changes: dict[str, Json | RpcError], words: str) -> None:
    with pytest.raises(Unread, match=words):
        asked(Chain(changes))


def test_gas() -> None:
    assert gas_limit(100_000, 0, 30_000_000) == 125_000
    assert gas_limit(100_000, 126_000, 30_000_000) == 160_000  # 126,000 used: 64/63 of it, and a quarter
    assert gas_limit(29_000_000, 0, 30_000_000) == 29_000_000
    assert gas_limit(16_000_000, 0, 30_000_000) == PER_TRANSACTION
    assert gas_limit(9_000_000, 0, 10_000_000) == 10_000_000
    with pytest.raises(Refused, match="a block holds 10000000"):
        gas_limit(10_000_001, 0, 10_000_000)


def test_a_simulation_that_used_more_than_the_estimate_counts() -> None:
    assert asked(Chain(), used=126_000).gas == 160_000


amounts = st.integers(0, 10**22)


@given(amounts, amounts, amounts, amounts)
def test_a_replacement_is_always_taken(base: int, tip: int, before: int, before_tip: int) -> None:
    earlier = replace(SENT, max_fee=max(before, before_tip), priority_fee=before_tip)
    found = bumped(fees_of(Market(base, tip, 1)), earlier)
    assert found.max_fee * 8 >= earlier.max_fee * 9
    assert found.priority_fee * 8 >= earlier.priority_fee * 9
    assert found.max_fee >= found.priority_fee


@given(amounts, amounts, amounts)
def test_within_the_cap_and_enough_for_the_next_block(base: int, tip: int, cap: int) -> None:
    market = Market(base, tip, 1)
    if base + tip > cap:
        with pytest.raises(Refused):
            capped(fees_of(market), market, cap, False)
        return
    found = capped(fees_of(market), market, cap, False)
    assert base + tip <= found.max_fee <= cap
    assert found.priority_fee == tip <= found.max_fee


@given(st.integers(21_000, 10**8), st.integers(0, 10**8), st.integers(21_000, 10**8))
def test_gas_is_never_less_than_what_is_needed(estimate: int, used: int, block_gas: int) -> None:
    if max(estimate, -(-used * 64 // 63)) > block_gas:
        return
    found = gas_limit(estimate, used, block_gas)
    assert max(estimate, used) <= found <= block_gas
    assert (found * 63) // 64 >= used or found == block_gas or used == 0 or found >= PER_TRANSACTION


@given(amounts)
def test_amounts_are_shown_exactly(wei: int) -> None:
    if wei:
        assert parsed(ether(wei).removesuffix(" coins"), 18) == wei
    assert parsed(shown(wei).removesuffix(" gwei"), 9) == wei


def parsed(text: str, decimals: int) -> int:
    whole, _, rest = text.partition(".")
    return int(f"{whole}{rest.ljust(decimals, '0')}")


def test_rounding_of_a_bump() -> None:
    assert (raised(8), raised(9), raised(1), raised(0)) == (9, 11, 2, 0)
    assert bumped(Fees(5, 1), None) == Fees(5, 1)
    assert cost(replace(SENT, value=7)) == SENT.gas * SENT.max_fee + 7
    assert json.dumps(SENT.to_rpc(SENDER))
