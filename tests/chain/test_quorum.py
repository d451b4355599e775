"""A quorum of two of three: one node that lies, lags, is dead, slow or elsewhere changes no verdict and is named."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from incident_cli.abi import decode, encode
from incident_cli.chain.nodes import ChainNodes
from incident_cli.chain.survey import survey
from incident_cli.errors import Refused, Unread
from incident_cli.evm import LogsRead, Missing, PastRead, Read, Snapshot
from incident_cli.transport import Json, Request, RpcError
from incident_cli.units import Span
from tests.chain.paper import CHAIN_ID, CODE, MOVED, TOKEN, TOTAL, WORD, PaperChain, PaperNode, regular

PAST, LATER = PastRead(TOTAL, Span(blocks=5)), PastRead(TOTAL, Span(seconds=120))
LOGS = LogsRead(TOKEN, MOVED, Span(blocks=3))
READS: tuple[Read, ...] = (TOTAL, CODE, WORD, PAST, LATER, LOGS)
Spoil = Callable[[PaperNode], None]


def three(spoil: Spoil | None = None, place: int = 2, quorum: int = 2) -> tuple[ChainNodes, list[PaperNode]]:
    members = [PaperNode(regular(), f"node {number}") for number in (1, 2, 3)]
    if spoil is not None:
        spoil(members[place])
    return ChainNodes(members, "ethereum", CHAIN_ID, quorum), members


def read(nodes: ChainNodes, reads: tuple[Read, ...] = READS, seconds: float = 5) -> Snapshot:
    return survey({"ethereum": nodes}, "ethereum", reads, seconds=seconds)


def changing(method: str, change: Callable[[Json | RpcError], Json | RpcError]) -> Spoil:
    def spoil(node: PaperNode) -> None:
        node.change = lambda request, answer: change(answer) if request.method == method else answer

    return spoil


def dead(node: PaperNode) -> None:
    def die(request: Request, answer: Json | RpcError) -> Json | RpcError:
        raise Unread(f"{node.name} refused the connection")

    node.change = die


def other_fork(node: PaperNode) -> None:
    node.chain.salt = 5


def lagging(node: PaperNode) -> None:
    node.chain.head -= 40


def one_behind(node: PaperNode) -> None:
    node.chain.head -= 1


def boasting(node: PaperNode) -> None:
    """It says that it is a thousand blocks ahead, and has them."""
    node.chain = regular(1_200)
    node.chain.salt = 9


def elsewhere(node: PaperNode) -> None:
    node.change = lambda request, answer: "0x5" if request.method == "eth_chainId" else answer


def wrong_price(answer: Json | RpcError) -> Json | RpcError:
    """Every call of a round answers one more."""
    data = bytes.fromhex(str(answer)[2:])
    (results,) = decode(["(bool,bytes)[]"], data)
    assert isinstance(results, tuple)
    lied = [(True, (int.from_bytes(one[1]) + 1).to_bytes(32, "big")) for one in results[3:]]
    return "0x" + encode(["(bool,bytes)[]"], [[*results[:3], *lied]]).hex()


def other_logs(answer: Json | RpcError) -> Json | RpcError:
    assert isinstance(answer, list)
    return answer[1:]


ONE_BAD_NODE: dict[str, Spoil] = {
    "dead": dead,
    "other fork": other_fork,
    "lagging": lagging,
    "one behind": one_behind,
    "boasting": boasting,
    "elsewhere": elsewhere,
    "lies about calls": changing("eth_call", wrong_price),
    "lies about code": changing("eth_getCode", lambda answer: "0x"),
    "lies about storage": changing("eth_getStorageAt", lambda answer: "0x" + "00" * 32),
    "leaves out logs": changing("eth_getLogs", other_logs),
    "no headers": changing("eth_getBlockByNumber", lambda answer: None),
    "refuses calls": changing("eth_call", lambda answer: RpcError(-32005, "limit exceeded")),
    "refuses everything": lambda node: setattr(node, "change", lambda request, answer: RpcError(-32005, "limit")),
}
SOUND_UNNAMED = {"one behind"}  # nothing is wrong with it


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("fault", ONE_BAD_NODE)
def test_one_bad_node_of_three_changes_nothing_and_is_named(fault: str, place: int) -> None:
    sound = read(three()[0])
    assert not any(isinstance(one, Missing) for one in sound.answers.values())
    nodes, _ = three(ONE_BAD_NODE[fault], place)
    found = read(nodes)
    assert found.answers == sound.answers
    assert (found.block, found.past_blocks) == (sound.block, sound.past_blocks)
    named = set(nodes.failures) | set(nodes.disagreements)
    assert named == {f"node {place + 1}"} or (fault in SOUND_UNNAMED and not named - {f"node {place + 1}"})


@pytest.mark.parametrize("place", [0, 2])
def test_a_black_hole_is_left_behind(place: int) -> None:
    nodes, members = three()
    event = members[place].stuck = threading.Event()
    found = read(nodes, seconds=1.2)
    assert found.answers == read(three()[0]).answers
    assert set(nodes.failures) == {f"node {place + 1}"}
    event.set()


def test_two_nodes_that_disagree_are_unknown_and_both_are_named() -> None:
    members = [PaperNode(regular(), f"node {number}") for number in (1, 2)]
    ONE_BAD_NODE["lies about calls"](members[1])
    nodes = ChainNodes(members, "ethereum", CHAIN_ID, 2)
    found = read(nodes)
    reason = found.answers[TOTAL]
    assert reason == Missing("nodes disagree: node 1 says 1199; node 2 says 1200")
    assert found.answers[CODE] == (b"\x60\x01",)


def test_one_node_of_two_is_not_enough_for_any_read() -> None:
    nodes, _ = three(dead, 0)
    dead(_[1])
    found = read(nodes)
    assert found.block == regular().block(199)
    for one in found.answers.values():
        assert isinstance(one, Missing)
        assert one.reason.startswith("only 1 of 2 nodes answered: node 1 refused")


def test_two_forks_of_equal_size_are_no_block_to_judge_at() -> None:
    members = [PaperNode(PaperChain(regular().times, salt=place // 2), f"node {place}") for place in range(4)]
    found = read(ChainNodes(members, "ethereum", CHAIN_ID, 2))
    for one in found.answers.values():
        assert isinstance(one, Missing)
        assert one.reason.startswith("nodes disagree about the block")


def test_a_lying_head_beside_a_node_one_block_behind_is_read_one_block_earlier() -> None:
    nodes, members = three(boasting, 0)
    one_behind(members[2])
    found = read(nodes)
    assert found.block == regular().block(198)
    assert found.answers[TOTAL] == (1_198,)


def test_where_all_serve_another_chain_the_deployment_is_wrong() -> None:
    nodes, members = three(elsewhere, 0)
    for member in members:
        elsewhere(member)
    with pytest.raises(Refused, match="node 1 serves the chain with id 5"):
        read(nodes)


def test_no_node_at_all_is_unread_with_every_reason() -> None:
    nodes, members = three()
    for member in members:
        dead(member)
    with pytest.raises(Unread, match=r"node 1 refused.*node 2 refused.*node 3 refused"):
        read(nodes)


def test_a_quorum_reads_a_past_block_in_one_trip_and_only_where_it_is_canonical() -> None:
    nodes, members = three(other_fork)
    block = members[0].chain.block(150)
    found = survey({"ethereum": nodes}, "ethereum", [TOTAL], block)
    assert (found.block, found.value(TOTAL)) == (block, 1_150)
    assert [len(member.sent) for member in members[:2]] == [1, 1]
    assert set(nodes.failures) == {"node 3"}
    lost = survey({"ethereum": nodes}, "ethereum", [TOTAL], replace(block, hash="0x" + "ee" * 32))
    assert isinstance(lost.value(TOTAL), Missing)


def test_nodes_that_give_times_with_logs_agree_with_those_that_do_not() -> None:
    def timed(node: PaperNode) -> None:
        changing("eth_getLogs", lambda answer: [with_time(one, node.chain) for one in as_list(answer)])(node)

    nodes, _ = three(timed)
    found = read(nodes)
    assert found.answers == read(three()[0]).answers
    assert nodes.disagreements == {}


def as_list(answer: Json | RpcError) -> list[Json]:
    assert isinstance(answer, list)
    return answer


def with_time(log: Json, chain: PaperChain) -> Json:
    assert isinstance(log, dict)
    return {**log, "blockTimestamp": hex(chain.times[int(str(log["blockNumber"]), 16)] - 1)}


def test_a_revert_that_a_quorum_agrees_on_keeps_its_reason() -> None:
    def reverting(answer: Json | RpcError) -> Json | RpcError:
        (results,) = decode(["(bool,bytes)[]"], bytes.fromhex(str(answer)[2:]))
        assert isinstance(results, tuple)
        return "0x" + encode(["(bool,bytes)[]"], [[*results[:3], *[(False, b"")] * (len(results) - 3)]]).hex()

    nodes, members = three()
    for member in members[:2]:
        changing("eth_call", reverting)(member)
    assert read(nodes).answers[TOTAL] == Missing("reverted without a reason")
    assert set(nodes.disagreements) == {"node 3"}
