"""A block by number or hash, and the hashes at numbers: a quorum's word, never that of one node against the others."""

from __future__ import annotations

import threading

import pytest

from incident_cli.chain.asks import REQUESTS_PER_EXCHANGE
from incident_cli.chain.blocks import block_of, hashes_at
from incident_cli.chain.nodes import ChainNodes
from incident_cli.errors import Unread
from incident_cli.flows.check import pinned
from incident_cli.flows.reading import Reader
from incident_cli.transport import Json, RpcError
from tests.chain.paper import CHAIN_ID, PaperNode, regular
from tests.chain.test_quorum import ONE_BAD_NODE, Spoil, changing, dead, three

HONEST = regular().block(150)


def earlier(answer: Json | RpcError) -> Json | RpcError:
    if not isinstance(answer, dict):
        return answer
    return {**answer, "timestamp": hex(int(str(answer["timestamp"]), 16) - 5)}


BAD: dict[str, Spoil] = {
    **ONE_BAD_NODE,
    "another time": changing("eth_getBlockByNumber", earlier),
    "another block": changing("eth_getBlockByNumber", lambda answer: regular().header(3)),
}
HARMLESS = {"lagging", "one behind", "lies about calls", "lies about code", "lies about storage", "leaves out logs"}
HARMLESS |= {"refuses calls"}


@pytest.mark.parametrize("place", [0, 2])
@pytest.mark.parametrize("fault", BAD)
def test_one_bad_node_of_three_changes_no_block_and_is_named(fault: str, place: int) -> None:
    nodes, _ = three(BAD[fault], place)
    assert block_of(nodes, 150) == HONEST
    named = set(nodes.failures) | set(nodes.disagreements)
    assert named == (set() if fault in HARMLESS else {f"node {place + 1}"})
    assert hashes_at(nodes, [150, 149, 150, 300]) == {150: HONEST.hash, 149: regular().hash(149)}


def test_a_block_by_its_hash() -> None:
    nodes, members = three(ONE_BAD_NODE["other fork"], 0)
    assert block_of(nodes, HONEST.hash) == HONEST
    with pytest.raises(Unread, match="no 2 nodes of ethereum agree"):
        block_of(nodes, members[0].chain.hash(150))


def test_two_nodes_that_disagree_have_no_block_and_no_hash() -> None:
    nodes = ChainNodes([PaperNode(regular(), "node 1"), PaperNode(regular(), "node 2")], "ethereum", CHAIN_ID, 2)
    ONE_BAD_NODE["other fork"](nodes.members[1]._endpoint)  # type: ignore[arg-type]
    with pytest.raises(Unread, match=r"agree on block 150: node 1 has 0x\w+; node 2 has 0x"):
        block_of(nodes, 150)
    assert hashes_at(nodes, [150]) == {}


@pytest.mark.parametrize("fault", ["dead", "no headers", "refuses everything"])
def test_a_quorum_of_one_takes_the_next_node(fault: str) -> None:
    nodes, _ = three(ONE_BAD_NODE[fault], 0, quorum=1)
    assert block_of(nodes, 150) == HONEST
    assert hashes_at(nodes, [150]) == {150: HONEST.hash}


def test_no_node_that_has_it_is_unread() -> None:
    for quorum in (1, 2):
        with pytest.raises(Unread):
            block_of(three(quorum=quorum)[0], 300)


def test_of_a_chain_that_cannot_be_read_no_hash_is_known() -> None:
    for quorum in (1, 2):
        nodes, members = three(dead, 0, quorum)
        for one in members:
            dead(one)
        assert hashes_at(nodes, [150]) == {}
        assert hashes_at(nodes, []) == {}


def test_a_block_that_no_node_has_is_not_waited_for() -> None:
    nodes, members = three()
    event = members[2].stuck = threading.Event()
    with nodes.judgement():
        nodes.tardy[nodes.members[2]] = "node 3 was late"
        assert hashes_at(nodes, [150, 300], seconds=3_600) == {150: HONEST.hash}
        with pytest.raises(Unread):
            block_of(nodes, 300, seconds=3_600)
    event.set()


def test_check_at_a_block_does_not_take_the_first_nodes_word_for_it() -> None:
    for fault in ("other fork", "another time", "another block"):
        nodes, _ = three(BAD[fault], 0)
        assert pinned(Reader(nodes, "ethereum", CHAIN_ID), "150") == HONEST


def test_many_numbers_are_few_exchanges() -> None:
    node = PaperNode(regular(2_000))
    wanted = range(REQUESTS_PER_EXCHANGE - 1)
    assert hashes_at(ChainNodes([node], "ethereum", CHAIN_ID), wanted) == {n: node.chain.hash(n) for n in wanted}
    assert len(node.sent) == 1
