"""The fault table: whatever a node does, at whichever answer of a round, nothing untrue and an end in time."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import get_args

import pytest

from incident_cli.chain.nodes import ChainNodes
from incident_cli.chain.survey import survey
from incident_cli.errors import IncidentError, Refused, Unread
from incident_cli.evm import LogsRead, Missing, PastRead, Read, Snapshot
from incident_cli.transport import HttpEndpoint, Json, Request, RpcError
from incident_cli.units import Span
from tests.chain.paper import CHAIN_ID, CODE, MOVED, TOKEN, TOTAL, WORD, PaperNode, regular
from tests.fakes.node import Fault, closed_port, serving

PAST = PastRead(TOTAL, Span(seconds=120))
LOGS = LogsRead(TOKEN, MOVED, Span(blocks=3))
READS: tuple[Read, ...] = (TOTAL, CODE, WORD, PAST, LOGS)
EXCHANGES = 5  # of such a round: the head, two for the time, the past, the logs
GUARD_SECONDS = 10  # generous: the rounds here end within two


def read(nodes: ChainNodes, seconds: float = 1.5) -> Snapshot | IncidentError:
    begun = time.monotonic()
    try:
        return survey({"ethereum": nodes}, "ethereum", READS, seconds=seconds)
    except (Unread, Refused) as problem:
        return problem
    finally:
        assert time.monotonic() - begun < GUARD_SECONDS


@functools.cache
def sound() -> Snapshot:
    found = read(ChainNodes([PaperNode(regular())], "ethereum", CHAIN_ID))
    assert isinstance(found, Snapshot)
    assert not any(isinstance(one, Missing) for one in found.answers.values())
    return found


def never_untrue(found: Snapshot | IncidentError) -> None:
    """Each answer is the true one, or missing with a reason."""
    if isinstance(found, IncidentError):
        assert found.message
        return
    for one, answer in found.answers.items():
        assert isinstance(answer, Missing) or answer == sound().answers[one], one
        assert not isinstance(answer, Missing) or answer.reason


HARMLESS = {"shuffled", "batch refused"}


@pytest.mark.parametrize("place", range(EXCHANGES))
@pytest.mark.parametrize("fault", get_args(Fault))
def test_a_fault_of_the_connection_at_each_exchange(fault: Fault, place: int) -> None:
    with serving(PaperNode(regular())) as node:
        node.fault, node.spare_first = fault, place
        endpoint = node.endpoint(connect_seconds=0.1, read_seconds=0.2, cap_bytes=500_000)
        found = read(ChainNodes([endpoint], "ethereum", CHAIN_ID))
    never_untrue(found)
    whole = isinstance(found, Snapshot) and not any(isinstance(one, Missing) for one in found.answers.values())
    assert whole == (fault == "shuffled")
    assert isinstance(found, Snapshot) == (place > 0 or fault in HARMLESS - {"batch refused"})


@pytest.mark.parametrize("place", [0, 3])
@pytest.mark.parametrize("fault", ["silent", "status 429", "truncated", "null"])
def test_the_next_node_takes_over_in_the_middle_of_a_round(fault: Fault, place: int) -> None:
    with serving(PaperNode(regular())) as first, serving(PaperNode(regular())) as second:
        first.fault, first.spare_first = fault, place
        endpoints = [
            first.endpoint("first", connect_seconds=0.1, read_seconds=0.2),
            second.endpoint("second", connect_seconds=0.1, read_seconds=0.2),
        ]
        nodes = ChainNodes(endpoints, "ethereum", CHAIN_ID)
        assert read(nodes) == sound()
        assert set(nodes.failures) == {"first"}


def test_a_refused_connection_is_unread() -> None:
    endpoint = HttpEndpoint(f"http://127.0.0.1:{closed_port()}", name="node 1")
    found = read(ChainNodes([endpoint], "ethereum", CHAIN_ID))
    assert isinstance(found, Unread)
    assert "node 1 refused the connection" in found.message


VALUES: dict[str, Json | RpcError] = {
    "null": None,
    "true": True,
    "zero": 0,
    "huge integer": 2**300,
    "huge quantity": "0x" + "f" * 64,
    "longer than a quantity": "0x" + "f" * 400,
    "empty": "",
    "0x": "0x",
    "odd": "0x1",
    "no hex": "0xzz",
    "underscores": "0x1_0",
    "blank": "0x 1",
    "words": "0x" + "00" * 32 * 9,
    "all ones": "0x" + "ff" * 32 * 9,
    "a loop": "0x" + "".join(f"{32:064x}" for _ in range(40)),
    "list": [],
    "list of lists": [[[]]],
    "object": {},
    "deep": {"a": {"b": [{"c": {}}]}},
    "empty block": {"number": "0x0", "hash": "0x" + "00" * 32, "parentHash": "0x" + "00" * 32, "timestamp": "0x0"},
    "text": "\x1b[31mred\u202e",
    "busy": RpcError(-32005, "too many requests"),
    "reverted": RpcError(3, "execution reverted", "0x08c379a0"),
    "reverted in words": RpcError(-32000, "execution reverted: \x1b]52;c;x\x07"),
    "out of gas": RpcError(-32000, "out of gas"),
    "no state": RpcError(-32000, "missing trie node"),
    "no method": RpcError(-32601, "the method does not exist"),
}
METHODS = ("eth_chainId", "eth_call", "eth_getCode", "eth_getStorageAt", "eth_getBlockByNumber", "eth_getLogs")
# What these say in place of a whole answer is a value like any other: nothing shows that it is not the node's own.
PLAUSIBLE = {
    ("eth_getCode", one) for one in ("0x", "words", "all ones", "a loop", "huge quantity", "longer than a quantity")
}
PLAUSIBLE |= {("eth_getStorageAt", "huge quantity"), ("eth_getLogs", "list")}


def nth(
    method: str, place: int | None, value: Json | RpcError
) -> Callable[[Request, Json | RpcError], Json | RpcError]:
    """Spoils the answers to a method: all of them, or one."""
    count = iter(range(10**6))

    def change(request: Request, answer: Json | RpcError) -> Json | RpcError:
        if request.method != method:
            return answer
        return value if place is None or next(count) == place else answer

    return change


@pytest.mark.parametrize("place", [None, 0, 1, 2])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", VALUES)
def test_a_strange_value_at_each_answer(value: str, method: str, place: int | None) -> None:
    node = PaperNode(regular(), change=nth(method, place, VALUES[value]))
    found = read(ChainNodes([node], "ethereum", CHAIN_ID))
    every_call = method == "eth_call" and place is None  # and so are the same words to every single call
    if (method, value) not in PLAUSIBLE and not (every_call and not isinstance(VALUES[value], RpcError)):
        never_untrue(found)
    texts = [found.message] if isinstance(found, IncidentError) else [str(one) for one in found.answers.values()]
    assert not any("\x1b" in text or "\u202e" in text for text in texts)


HEADER_LIES: dict[str, dict[str, Json]] = {
    "another hash": {"hash": "0x" + "99" * 32},
    "another parent": {"parentHash": "0x" + "99" * 32},
    "another number": {"number": "0x5"},
    "an absurd number": {"number": "0x" + "f" * 64},
    "an absurd time": {"timestamp": "0x" + "f" * 64},
    "time zero": {"timestamp": "0x0"},
    "no hash": {"hash": None},
    "a pending block": {"hash": None, "number": None},
}


@pytest.mark.parametrize("place", [None, 0, 1, 2, 4])
@pytest.mark.parametrize("lie", HEADER_LIES)
def test_a_block_that_is_none_is_never_judged_at(lie: str, place: int | None) -> None:
    count = iter(range(10**6))

    def change(request: Request, answer: Json | RpcError) -> Json | RpcError:
        if not isinstance(answer, dict) or (place is not None and next(count) != place):
            return answer
        return {**answer, **HEADER_LIES[lie]}

    found = read(ChainNodes([PaperNode(regular(), change=change)], "ethereum", CHAIN_ID))
    never_untrue(found) if (lie, place) != ("another hash", None) else None
    if isinstance(found, Snapshot) and lie not in ("another hash", "another parent"):
        assert found.block.number == 199


def test_a_stale_head_is_shown_with_its_own_time() -> None:
    node = PaperNode(regular())
    node.chain.head = 50
    found = read(ChainNodes([node], "ethereum", CHAIN_ID))
    assert isinstance(found, Snapshot)
    assert found.block == node.chain.block(50)
