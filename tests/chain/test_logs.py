"""Events over a window: all of them or none, whatever the node refuses, leaves out or makes up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from incident_cli.chain.logs import LOGS_PER_READ, REQUESTS_PER_READ
from incident_cli.chain.node_round import read_node
from incident_cli.evm import Log, LogsRead, Missing
from incident_cli.transport import Json, Request, RpcError
from incident_cli.units import Span
from tests.chain.paper import MOVED, TOKEN, WHO, PaperChain, PaperNode, regular

TEN = LogsRead(TOKEN, MOVED, Span(blocks=10))


def read(node: PaperNode, wanted: LogsRead = TEN) -> tuple[object, ...] | Missing:
    return read_node(node, "ethereum", [wanted], None).answers[wanted]


def blocks(node: PaperNode, wanted: LogsRead) -> list[int]:
    found = read(node, wanted)
    assert not isinstance(found, Missing), found.reason
    return [one.block for one in found if isinstance(one, Log)]


@pytest.mark.parametrize(
    ("window", "until", "first", "last"),
    [
        (Span(blocks=1), Span(), 199, 199),
        (Span(blocks=10), Span(), 190, 199),
        (Span(seconds=120), Span(), 190, 199),
        (Span(seconds=119), Span(), 190, 199),
        (Span(seconds=121), Span(), 189, 199),
        (Span(blocks=10), Span(blocks=5), 185, 194),
        (Span(seconds=120), Span(seconds=60), 185, 194),
        (Span(blocks=190), Span(), 10, 199),
        (Span(blocks=500), Span(), 0, 199),
        (Span(seconds=999_999), Span(), 0, 199),
    ],
)
def test_a_window_holds_its_own_block_and_not_the_one_before_it(
    window: Span, until: Span, first: int, last: int
) -> None:
    assert blocks(PaperNode(regular()), LogsRead(TOKEN, MOVED, window, until=until)) == list(range(first, last + 1))


def test_a_window_of_mixed_units_is_missing_and_others_are_not() -> None:
    mixed = LogsRead(TOKEN, MOVED, Span(blocks=2), until=Span(seconds=60))
    found = read_node(PaperNode(regular()), "ethereum", [mixed, TEN], None).answers
    assert isinstance(found[mixed], Missing)
    assert not isinstance(found[TEN], Missing)


def test_the_filter_names_address_and_topics_and_one_block_is_pinned_by_hash() -> None:
    node = PaperNode(regular())
    topic = MOVED.topic_of("who", WHO)
    read(node, LogsRead(TOKEN, MOVED, Span(blocks=10), (topic,)))
    read(node, LogsRead(TOKEN, MOVED, Span(blocks=1), (None,)))
    first, second = (one.params[0] for some in node.sent for one in some if one.method == "eth_getLogs")
    assert first == {"fromBlock": "0xbe", "toBlock": "0xc7", "address": TOKEN, "topics": [MOVED.topic, topic]}
    assert second == {"blockHash": node.chain.hash(199), "address": TOKEN, "topics": [MOVED.topic, None]}


def test_logs_have_their_values_and_their_blocks_time() -> None:
    found = read(PaperNode(regular()), LogsRead(TOKEN, MOVED, Span(blocks=2)))
    times = regular().times
    assert found == (Log(198, times[198], (WHO, 198)), Log(199, times[199], (WHO, 199)))


AT = [hex(time) for time in regular(250).times]


def times_read(changed: dict[int, Json]) -> list[int]:
    """The times of the logs of blocks 190 to 199, from a node that says these and else the truth."""
    chain = regular()

    def change(request: Request, answer: Json | RpcError) -> Json | RpcError:
        if request.method != "eth_getLogs":
            return answer
        return [chain.log(n, blockTimestamp=changed.get(n, hex(chain.times[n]))) for n in range(190, 200)]

    found = read(PaperNode(chain, change=change))
    assert not isinstance(found, Missing)
    return [one.timestamp for one in found if isinstance(one, Log)]


def test_times_are_the_nodes_own_where_they_can_be_right() -> None:
    times = regular().times
    assert times_read({193: hex(times[193] - 5)})[3] == times[193] - 5


@pytest.mark.parametrize(
    ("number", "time"),
    [
        *((193, AT[number]) for number in (200, 188, 191, 195)),
        *((199, AT[number]) for number in (198, 200)),
        *((193, odd) for odd in ("0x0", None, "soon", "0x" + "f" * 64, 5)),
    ],
)
def test_times_that_run_backwards_or_leave_the_window_make_all_of_them_estimates(number: int, time: Json) -> None:
    sound: dict[int, Json] = {197: hex(regular().times[197] - 5)}
    assert times_read({**sound, number: time}) == regular().times[190:200]


def test_a_range_that_is_too_long_is_asked_for_in_halves() -> None:
    chain = regular()
    chain.log_limit = 10
    node = PaperNode(chain)
    assert blocks(node, LogsRead(TOKEN, MOVED, Span(blocks=150))) == list(range(50, 200))
    assert sum(one.method == "eth_getLogs" for some in node.sent for one in some) <= REQUESTS_PER_READ


def test_halving_ends() -> None:
    chain = regular()
    chain.log_limit = 0
    node = PaperNode(chain)
    found = read(node, LogsRead(TOKEN, MOVED, Span(blocks=150)))
    assert isinstance(found, Missing)
    assert "the node refused the logs: query exceeds" in found.reason
    assert sum(one.method == "eth_getLogs" for some in node.sent for one in some) <= REQUESTS_PER_READ


def test_a_node_without_the_method_is_asked_once() -> None:
    def change(request: Request, answer: Json | RpcError) -> Json | RpcError:
        return RpcError(-32601, "no such method") if request.method == "eth_getLogs" else answer

    node = PaperNode(regular(), change=change)
    assert read(node) == Missing("the node refused the logs: no such method")
    assert sum(one.method == "eth_getLogs" for some in node.sent for one in some) == 1


def test_too_many_events_are_missing() -> None:
    chain = regular()

    def change(request: Request, answer: Json | RpcError) -> Json | RpcError:
        if request.method != "eth_getLogs":
            return answer
        return [chain.log(195, logIndex=hex(index)) for index in range(LOGS_PER_READ + 1)]

    assert read(PaperNode(chain, change=change)) == Missing(f"more than {LOGS_PER_READ} events in the window")


def test_order_is_by_block_and_index() -> None:
    chain = regular()

    def change(request: Request, answer: Json | RpcError) -> Json | RpcError:
        if request.method != "eth_getLogs":
            return answer
        return [
            chain.log(195, logIndex="0xa", data="0x" + "00" * 31 + "0a"),
            chain.log(195, logIndex="0x9", data="0x" + "00" * 31 + "09"),
            chain.log(191),
        ]

    found = read(PaperNode(chain, change=change))
    assert not isinstance(found, Missing)
    assert [one.values[1] for one in found if isinstance(one, Log)] == [191, 9, 10]


def other(**changes: Json) -> Callable[[PaperChain], Json]:
    return lambda chain: [chain.log(195, **changes)]


FORK = "0x" + "dd" * 32
OF_ANOTHER_CHAIN: dict[str, Callable[[PaperChain], Json]] = {
    "removed": lambda chain: [chain.log(194), chain.log(195, removed=True)],
    "perhaps removed": lambda chain: [chain.log(195, removed="true")],
    "two blocks at one height": lambda chain: [chain.log(195), chain.log(195, logIndex="0x1", blockHash=FORK)],
    "one block at two heights": lambda chain: [chain.log(194, blockHash=FORK), chain.log(195, blockHash=FORK)],
    "the block of another height": lambda chain: [chain.log(195, blockHash=chain.hash(199))],
    "another head": lambda chain: [chain.log(199, blockHash=FORK)],
}


@pytest.mark.parametrize("kind", OF_ANOTHER_CHAIN)
def test_logs_that_a_reorganisation_removed_or_of_another_fork_spoil_the_whole(kind: str) -> None:
    chain = regular()

    def change(request: Request, answer: Json | RpcError) -> Json | RpcError:
        return OF_ANOTHER_CHAIN[kind](chain) if request.method == "eth_getLogs" else answer

    found = read(PaperNode(chain, change=change))
    assert isinstance(found, Missing)
    assert "removed logs" in found.reason or "other blocks" in found.reason


SPOILED: dict[str, Callable[[PaperChain], Json]] = {
    "another address": other(address="0x" + "99" * 20),
    "another event": other(topics=["0x" + "99" * 32]),
    "a range below": other(blockNumber="0x1"),
    "a range above": other(blockNumber="0xffff"),
    "twice the same": lambda chain: [chain.log(195), chain.log(195)],
    "another head": lambda chain: [chain.log(199, blockHash="0x" + "99" * 32)],
    "too few topics": other(topics=[MOVED.topic]),
    "too many topics": other(topics=[MOVED.topic, "0x" + "00" * 32, "0x" + "00" * 32]),
    "short data": other(data="0x12"),
    "no hex": other(data="zz"),
    "a dirty address": other(topics=[MOVED.topic, "0x" + "ff" * 32]),
    "no number": other(blockNumber=None),
    "an absurd number": other(blockNumber="0x" + "f" * 64),
    "no index": other(logIndex="1"),
    "no topics": other(topics=None),
    "null": lambda chain: None,
    "an object": lambda chain: {},
    "numbers": lambda chain: [1, 2],
    "a string": lambda chain: "0x",
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_a_log_that_was_not_asked_for_spoils_the_whole(spoiled: str) -> None:
    chain = regular()

    def change(request: Request, answer: Json | RpcError) -> Json | RpcError:
        return SPOILED[spoiled](chain) if request.method == "eth_getLogs" else answer

    topic = MOVED.topic_of("who", WHO)
    assert isinstance(read(PaperNode(chain, change=change)), Missing)
    with_topic = LogsRead(TOKEN, MOVED, Span(blocks=10), (topic,))
    assert isinstance(read(PaperNode(chain, change=change), with_topic), Missing)


def test_logs_of_another_account_are_not_the_ones_asked_for() -> None:
    topic = MOVED.topic_of("who", TOKEN)
    found = read(PaperNode(regular()), LogsRead(TOKEN, MOVED, Span(blocks=10), (topic,)))
    assert found == Missing("the node answered with other logs than were asked for")


def test_a_chain_that_moved_on_under_the_window_is_missing() -> None:
    class Moving(PaperNode):
        def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
            self.chain.salt = 3 if requests[0].method == "eth_getLogs" else self.chain.salt
            return super().exchange(requests)

    found = read(Moving(regular()))
    assert isinstance(found, Missing)
    assert "no longer has block 199" in found.reason
