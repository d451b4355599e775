"""The past: which block it was, in how few exchanges, and what a node that forgot it may say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.chain.history import BEFORE_GENESIS, TRIPS, locate
from incident_cli.chain.node_round import read_node
from incident_cli.evm import Block, Missing, PastRead
from incident_cli.transport import Json, Request, RpcError
from incident_cli.units import Span
from tests.chain.paper import CODE, TOTAL, WORD, PaperChain, PaperNode, regular


def expected(chain: PaperChain, span: Span) -> Block | Missing:
    """The block by looking at every one of them."""
    if span.blocks:
        return chain.block(chain.head - span.blocks) if span.blocks <= chain.head else BEFORE_GENESIS
    time = chain.times[chain.head] - span.seconds
    older = [number for number in range(chain.head + 1) if chain.times[number] <= time]
    return chain.block(older[-1]) if older else BEFORE_GENESIS


def test_spans_in_blocks_take_one_trip() -> None:
    node = PaperNode(regular())
    spans = [Span(blocks=n) for n in (1, 5, 199, 200)]
    found = locate(node, node.chain.block(199), spans)
    assert found == {span: expected(node.chain, span) for span in spans}
    assert len(node.sent) == 1


@pytest.mark.parametrize("seconds", [1, 2, 12])
def test_times_on_a_regular_chain_take_two_trips(seconds: int) -> None:
    chain = regular(5_000, seconds)
    node = PaperNode(chain)
    spans = [Span(seconds=n) for n in (1, 30, 60, 600, 3_600, 4_000)]
    assert locate(node, chain.block(chain.head), spans) == {span: expected(chain, span) for span in spans}
    assert len(node.sent) <= 2


steps = st.lists(st.sampled_from([0, 1, 2, 12, 12, 12, 24, 36, 900]), min_size=1, max_size=400)


@settings(max_examples=60, deadline=None)
@given(steps, st.lists(st.integers(1, 6_000), min_size=1, max_size=12))
def test_a_time_is_found_exactly_or_not_at_all(gaps: list[int], ago: list[int]) -> None:
    times = [1_700_000_000]
    for gap in gaps:
        times.append(times[-1] + gap)
    chain = PaperChain(times)
    node = PaperNode(chain)
    spans = [Span(seconds=one) for one in ago]
    found = locate(node, chain.block(chain.head), spans)
    assert len(node.sent) <= TRIPS
    for span, one in found.items():
        assert one == expected(chain, span) or one == Missing(f"the block {span} ago was not found")


def test_missed_slots_do_not_cost_more_trips_than_six() -> None:
    times = [1_700_000_000]
    for number in range(20_000):
        times.append(times[-1] + (24 if number * 7_919 % 97 < 2 else 12))
    chain = PaperChain(times)
    node = PaperNode(chain)
    spans = [Span(seconds=60 * n) for n in (1, 5, 30, 60, 240, 1_440, 2_880)]
    assert locate(node, chain.block(chain.head), spans) == {span: expected(chain, span) for span in spans}
    assert len(node.sent) <= TRIPS


def test_sixty_times_are_found_together() -> None:
    chain = regular(20_000)
    node = PaperNode(chain)
    spans = [Span(seconds=97 * n) for n in range(1, 61)]
    assert locate(node, chain.block(chain.head), spans) == {span: expected(chain, span) for span in spans}
    assert len(node.sent) <= TRIPS


def test_times_that_run_backwards_are_missing() -> None:
    chain = regular()
    chain.times[150] = chain.times[199] + 5
    found = locate(PaperNode(chain), chain.block(199), [Span(seconds=590), Span(blocks=49)])
    assert all(isinstance(one, Missing) for one in found.values())


def test_past_reads_are_one_exchange_after_the_search() -> None:
    chain = regular()
    node = PaperNode(chain)
    reads = [PastRead(read, Span(blocks=n)) for n in (10, 20, 30) for read in (TOTAL, CODE, WORD)]
    found = read_node(node, "ethereum", [TOTAL, *reads], None)
    assert found.answers[TOTAL] == (1_199,)
    assert found.answers[PastRead(TOTAL, Span(blocks=20))] == (1_179,)
    assert found.answers[PastRead(WORD, Span(blocks=30))] == ((169).to_bytes(32, "big"),)
    assert found.past_blocks[Span(blocks=20)] == chain.block(179)
    assert node.methods == [
        ["eth_call", "eth_getBlockByNumber"],
        ["eth_getBlockByNumber"] * 3,
        ["eth_call", "eth_getCode", "eth_getStorageAt"] * 3 + ["eth_getBlockByNumber"] * 3,
    ]


def forgetful(message: str, before: int) -> PaperNode:
    """A node without the state before a block."""
    chain = regular()

    def change(request: Request, answer: Json | RpcError) -> Json | RpcError:
        old = any(
            isinstance(one, dict) and "blockHash" in one and int(str(one["blockHash"]), 16) <= before
            for one in request.params
        )
        return RpcError(-32000, message) if old else answer

    return PaperNode(chain, change=change)


@pytest.mark.parametrize(
    "message",
    ["missing trie node 12ab (path )", "header not found", "required historical state unavailable", "state pruned"],
)
def test_a_state_that_the_node_forgot_asks_for_an_archive(message: str) -> None:
    node = forgetful(message, before=150)
    young, old = PastRead(TOTAL, Span(blocks=20)), PastRead(TOTAL, Span(blocks=100))
    found = read_node(node, "ethereum", [TOTAL, young, old], None)
    assert found.answers[TOTAL] == (1_199,)
    assert found.answers[young] == (1_179,)
    assert found.answers[old] == Missing("the node no longer has the state of block 99: an archive node is needed")


def test_blocks_that_the_node_forgot_are_missing() -> None:
    chain = regular()

    def change(request: Request, answer: Json | RpcError) -> Json | RpcError:
        old = isinstance(answer, dict) and int(str(answer["number"]), 16) < 100
        return None if old and request.method == "eth_getBlockByNumber" else answer

    node = PaperNode(chain, change=change)
    reads = [PastRead(TOTAL, span) for span in (Span(blocks=150), Span(seconds=1_800), Span(seconds=600))]
    found = read_node(node, "ethereum", reads, None).answers
    assert found[reads[0]] == Missing("the node does not have block 49")
    assert isinstance(found[reads[1]], Missing)
    assert found[reads[2]] == (1_149,)


@pytest.mark.parametrize("pinned", [True, False])
def test_a_rollup_whose_contracts_see_the_chain_below_is_read_pinned_to_its_hash(pinned: bool) -> None:
    chain = regular()
    chain.rollup = True
    node = PaperNode(chain)
    past = PastRead(TOTAL, Span(seconds=120))
    found = read_node(node, "ethereum", [TOTAL, past], chain.block(190) if pinned else None)
    number = 190 if pinned else 199
    assert (found.answers[TOTAL], found.answers[past]) == ((1_000 + number,), (990 + number,))
    calls = [one for some in node.sent for one in some if one.method == "eth_call" and one.params[1] != "latest"]
    assert all(isinstance(one.params[1], dict) for one in calls)


def test_a_past_before_multicall3_was_deployed_is_read_by_single_calls() -> None:
    chain = regular()
    chain.multicall = False
    past = PastRead(TOTAL, Span(blocks=9))
    assert read_node(PaperNode(chain), "ethereum", [past], None).answers[past] == (1_190,)
