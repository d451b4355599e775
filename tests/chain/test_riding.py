"""Reads that ride with another exchange: answered at the same block, and never at that exchange's cost."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from incident_cli.chain.answers import LATEST_BLOCK
from incident_cli.chain.riding import Riding
from incident_cli.evm import Missing
from incident_cli.transport import Json, Request, RpcError
from tests.chain.paper import CODE, TOTAL, PaperChain

ASKED = [Request("eth_chainId"), LATEST_BLOCK]
REFUSAL = RpcError(-32601, "no")


class Counted:
    """A chain on paper that remembers what was asked together; `change` spoils its answers."""

    name = "paper"

    def __init__(self, chain: PaperChain) -> None:
        self.chain = chain
        self.trips: list[int] = []
        self.most = 100

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        self.trips.append(len(requests))
        if len(requests) > self.most:
            return [REFUSAL] * len(requests)
        return [self.chain.answer(one) for one in requests]


def chain() -> Counted:
    return Counted(PaperChain([1_700_000_000 + 12 * number for number in range(5)]))


def test_they_are_answered_in_the_same_exchange_at_its_block() -> None:
    node = chain()
    riding = Riding(node, "ethereum", [TOTAL, CODE])
    answers = riding.exchange(ASKED)
    assert answers == ["0x1", node.chain.header(4)] and node.trips == [4]
    assert riding.block == node.chain.block(4)
    assert riding.answers[TOTAL] == (1_004,) and not isinstance(riding.answers[CODE], Missing)


def test_they_ride_once() -> None:
    node = chain()
    riding = Riding(node, "ethereum", [TOTAL])
    riding.exchange(ASKED), riding.exchange(ASKED)
    assert node.trips == [3, 2]


def test_they_wait_for_an_exchange_at_the_head() -> None:
    node = chain()
    riding = Riding(node, "ethereum", [TOTAL])
    riding.exchange([Request("eth_chainId")])
    assert (riding.block, riding.answers, node.trips) == (None, {}, [1])
    riding.exchange(ASKED)
    assert riding.answers == {TOTAL: (1_004,)}


def test_answers_of_another_block_are_not_taken() -> None:
    """A node behind which several take turns: the reads see one block, the exchange ends with another."""
    node = chain()
    honest = node.chain.header
    node.chain.header = lambda number: honest(number - 1)  # type: ignore[method-assign]
    riding = Riding(node, "ethereum", [TOTAL])
    assert riding.exchange(ASKED)[1] == honest(3)
    assert (riding.block, riding.answers) == (None, {})


@pytest.mark.parametrize("last", [None, REFUSAL])
def test_without_a_block_behind_them_they_are_not_taken(last: Json | RpcError) -> None:
    node = chain()
    node.chain.header = lambda number: last  # type: ignore[method-assign,assignment,return-value]
    riding = Riding(node, "ethereum", [TOTAL])
    assert riding.exchange(ASKED) == ["0x1", last]
    assert riding.block is None


def test_a_chain_without_multicall_answers_the_exchange_alone() -> None:
    node = chain()
    node.chain.multicall = False
    riding = Riding(node, "ethereum", [TOTAL])
    assert riding.exchange(ASKED) == ["0x1", node.chain.header(4)]
    assert riding.block is None


def test_a_node_that_takes_so_many_at_a_time_is_asked_again_without_them() -> None:
    node = chain()
    node.most = 12
    requests = [*[Request("eth_chainId")] * 11, LATEST_BLOCK]
    riding = Riding(node, "ethereum", [TOTAL, CODE])
    assert riding.exchange(requests) == [*["0x1"] * 11, node.chain.header(4)]
    assert (riding.block, node.trips) == (None, [14, 12])
