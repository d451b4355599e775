"""A survey: one exchange for a round at the head, several chains at once, and nothing untrue where one fails."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest

from incident_cli.chain.nodes import ChainNodes
from incident_cli.chain.survey import survey
from incident_cli.errors import Misused, Refused, Unread
from incident_cli.evm import (
    BenchmarkRead,
    Block,
    CallRead,
    CodeRead,
    LogsRead,
    Missing,
    PastRead,
    Read,
    StorageRead,
)
from incident_cli.transport import Json, Request, RpcError
from incident_cli.units import Span
from tests.chain.paper import CHAIN_ID, CODE, MOVED, TOKEN, TOTAL, WORD, PaperChain, PaperNode, address, regular
from tests.fakes.node import closed_port, serving


def nodes(*members: PaperNode, quorum: int = 1, chain: str = "ethereum") -> ChainNodes:
    return ChainNodes(members, chain, CHAIN_ID, quorum)


def one(node: PaperNode, reads: Sequence[Read], at: Block | None = None) -> list[object]:
    snapshot = survey({"ethereum": nodes(node)}, "ethereum", reads, at)
    assert set(snapshot.answers) == set(reads)
    return [snapshot.answers[read] for read in reads]


def mixed(count: int) -> list[Read]:
    """Reads of the three kinds, all different."""
    found: list[Read] = []
    for number in range(count):
        kinds = (replace(TOTAL, to=address(number)), CodeRead(address(number)), StorageRead(TOKEN, number))
        found.append(kinds[number % 3])
    return found


@pytest.mark.parametrize("kinds", [1, 3])
def test_500_reads_at_the_head_are_exactly_one_http_request(kinds: int) -> None:
    reads = mixed(500) if kinds == 3 else [replace(TOTAL, to=address(n)) for n in range(500)]
    node = PaperNode(regular())
    with serving(node) as served:
        chain = ChainNodes([served.endpoint()], "ethereum", CHAIN_ID)
        snapshot = survey({"ethereum": chain}, "ethereum", reads)
        assert (served.exchanges, chain.requests) == (1, 1)
        assert not any(isinstance(answer, Missing) for answer in snapshot.answers.values())
        survey({"ethereum": chain}, "ethereum", reads)
        assert (served.exchanges, chain.requests) == (2, 2)
    assert snapshot.block == node.chain.block(199)


def test_a_quorum_takes_two_http_requests_of_each_node() -> None:
    paper = regular()
    with serving(PaperNode(paper)) as first, serving(PaperNode(paper)) as second, serving(PaperNode(paper)) as third:
        served = (first, second, third)
        endpoints = [one.endpoint(f"node {place}") for place, one in enumerate(served, 1)]
        chain = ChainNodes(endpoints, "ethereum", CHAIN_ID, quorum=2)
        snapshot = survey({"ethereum": chain}, "ethereum", mixed(500))
        assert [one.exchanges for one in served] == [2, 2, 2]
    assert (chain.requests, chain.failures, chain.disagreements) == (6, {}, {})
    assert chain.answered == ("node 1", "node 2", "node 3")
    assert not any(isinstance(answer, Missing) for answer in snapshot.answers.values())


def test_every_kind_of_read_is_answered_under_the_read_as_it_was_given() -> None:
    window = LogsRead(TOKEN, MOVED, Span(blocks=2))
    past = PastRead(TOTAL, Span(blocks=5))
    named = replace(TOTAL, chain="ethereum")
    total, same, code, word, earlier, logs = one(PaperNode(regular()), [TOTAL, named, CODE, WORD, past, window])
    assert (total, same, code) == ((1_199,), (1_199,), (b"\x60\x01",))
    assert (word, earlier) == (((199).to_bytes(32, "big"),), (1_194,))
    assert isinstance(logs, tuple)
    assert [log.block for log in logs if not isinstance(log, Missing)] == [198, 199]


def test_a_pinned_survey_reads_everything_from_there() -> None:
    paper = regular()
    past, window = PastRead(TOTAL, Span(blocks=5)), LogsRead(TOKEN, MOVED, Span(blocks=1))
    benchmark = BenchmarkRead("a service", f"http://127.0.0.1:{closed_port()}/", "")
    found = one(PaperNode(paper), [TOTAL, past, window, benchmark], paper.block(150))
    assert found[:2] == [(1_150,), (1_145,)]
    assert found[2] != ()
    assert found[3] == Missing("a benchmark belongs to no block: its past cannot be read")


def test_chains_are_read_at_a_block_each() -> None:
    here, there = regular(200), regular(90, 2)
    chains = {"ethereum": nodes(PaperNode(here)), "base": nodes(PaperNode(there), chain="base")}
    far, past = replace(TOTAL, chain="base"), PastRead(replace(TOTAL, chain="base"), Span(seconds=24))
    snapshot = survey(chains, "ethereum", [TOTAL, far, past])
    assert snapshot.block == here.block(199)
    assert snapshot.others == {"base": there.block(89, "base")}
    assert [snapshot.value(read) for read in (TOTAL, far, past)] == [1_199, 1_089, 1_077]
    earlier = snapshot.back(Span(seconds=24))
    assert not isinstance(earlier, Missing)
    assert (earlier.block, earlier.block_of("base")) == (here.block(197), there.block(77, "base"))
    assert earlier.value(far) == 1_077


def test_a_chain_without_reads_is_not_asked_and_main_always_is() -> None:
    here, there = PaperNode(regular()), PaperNode(regular())
    survey({"ethereum": nodes(here), "base": nodes(there, chain="base")}, "ethereum", [])
    assert (len(here.sent), len(there.sent)) == (1, 0)


@pytest.mark.parametrize("trouble", ["dead", "other chain", "not named"])
def test_another_chain_that_cannot_be_read_is_missing_with_its_reason(trouble: str) -> None:
    here = nodes(PaperNode(regular()))
    far = replace(TOTAL, chain="base")
    chains = {"ethereum": here}
    if trouble != "not named":
        change = dying if trouble == "dead" else strange
        chains["base"] = nodes(PaperNode(regular(), change=change), chain="base")
    snapshot = survey(chains, "ethereum", [TOTAL, far])
    assert snapshot.value(TOTAL) == 1_199
    assert isinstance(snapshot.value(far), Missing)
    assert isinstance(snapshot.block_of("base"), Missing)


def dying(request: Request, answer: Json | RpcError) -> Json | RpcError:
    raise Unread("node 1 is dead")


def strange(request: Request, answer: Json | RpcError) -> Json | RpcError:
    return "0x5" if request.method == "eth_chainId" else answer


def test_main_that_cannot_be_read_is_unread_and_another_chain_is_refused() -> None:
    with pytest.raises(Unread, match="node 1 is dead"):
        one(PaperNode(regular(), change=dying), [TOTAL])
    with pytest.raises(Refused, match="serves the chain with id 5"):
        one(PaperNode(regular(), change=strange), [TOTAL])


def test_the_next_node_answers_where_the_first_fails_or_makes_no_sense() -> None:
    def headless(request: Request, answer: Json | RpcError) -> Json | RpcError:
        return None if request.method == "eth_getBlockByNumber" else answer

    for change in (dying, headless):
        first, second = PaperNode(regular(), "node 1", change), PaperNode(regular(), "node 2")
        chain = nodes(first, second)
        assert survey({"ethereum": chain}, "ethereum", [TOTAL]).value(TOTAL) == 1_199
        assert chain.answered == ("node 2",)
        assert set(chain.failures) == {"node 1"}
        survey({"ethereum": chain}, "ethereum", [TOTAL])
        assert len(first.sent) == 1  # the one that failed is asked last from then on


def test_a_black_hole_leaves_time_for_the_next_node() -> None:
    hole, sound = PaperNode(regular(), "hole"), PaperNode(regular(), "sound")
    hole.stuck = threading.Event()
    chain = nodes(hole, sound)
    assert survey({"ethereum": chain}, "ethereum", [TOTAL], seconds=0.6).value(TOTAL) == 1_199
    assert "hole" in chain.failures
    hole.stuck.set()


def test_three_black_holes_end_in_time() -> None:
    event = threading.Event()
    holes = [PaperNode(regular(), f"hole {place}") for place in range(3)]
    for hole in holes:
        hole.stuck = event
    for quorum in (1, 2):
        with pytest.raises(Unread, match="hole 0 did not answer"):
            survey({"ethereum": nodes(*holes, quorum=quorum)}, "ethereum", [TOTAL], seconds=0.3)
    event.set()


def test_a_node_that_limits_batches_gets_smaller_ones() -> None:
    paper = regular()

    class Narrow(PaperNode):
        def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
            found = super().exchange(requests)
            return [RpcError(-32600, "batch too large")] * len(requests) if len(requests) > 100 else found

    node = Narrow(paper)
    found = one(node, [StorageRead(TOKEN, number) for number in range(300)])
    assert not any(isinstance(answer, Missing) for answer in found)
    assert len(node.sent) <= 7


def test_a_node_that_takes_no_batches_is_asked_one_by_one() -> None:
    class Single(PaperNode):
        def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
            found = super().exchange(requests)
            return [RpcError(-32600, "batches are off")] * len(requests) if len(requests) > 1 else found

    node = Single(regular())
    reads: list[Read] = [replace(TOTAL, to=address(number)) for number in range(40)]
    assert one(node, [*reads, CODE]) == [(1_199,)] * 40 + [(b"\x60\x01",)]


def test_a_chain_without_multicall3_lends_its_code_to_the_round() -> None:
    paper = PaperChain(regular().times, multicall=False)
    node = PaperNode(paper)
    reads: list[Read] = [replace(TOTAL, to=address(number)) for number in range(400)]
    assert one(node, reads) == [(1_199,)] * 400
    assert len(node.sent) == 2
    lent = node.sent[1][0].params[2]
    assert isinstance(lent, dict)
    assert all(str(value["code"]).startswith("0x6080") for value in lent.values() if isinstance(value, dict))


def test_a_round_that_is_too_heavy_is_halved() -> None:
    paper = regular()

    def change(request: Request, answer: Json | RpcError) -> Json | RpcError:
        heavy = request.method == "eth_call" and len(str(request.params[0])) > 70_000
        return RpcError(-32000, "out of gas") if heavy else answer

    node = PaperNode(paper, change=change)
    reads: list[Read] = [CallRead(address(number), TOTAL.signature) for number in range(500)]
    assert one(node, reads) == [(1_199,)] * 500
    assert len(node.sent) <= 4  # one of them because the node may have meant the pin by hash


def test_a_quorum_that_the_nodes_cannot_have_is_misuse() -> None:
    for quorum in (0, 2):
        with pytest.raises(Misused, match="quorum"):
            nodes(PaperNode(regular()), quorum=quorum)
    with pytest.raises(Misused, match="has no node"):
        nodes()
