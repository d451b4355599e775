"""Several nodes as one endpoint."""

from __future__ import annotations

import pytest

from incident_cli.chain.nodes import connect
from incident_cli.errors import Misused, Refused, Unread
from incident_cli.transport import HttpEndpoint, Json, Request, RpcError
from tests.fakes.node import Node, closed_port

NUMBER = Request("eth_blockNumber")
SEND = Request("eth_sendRawTransaction", ("0x00",))


def serves(chain_id: Json | RpcError, number: str = "0x1") -> Node:
    return Node(lambda request: chain_id if request.method == "eth_chainId" else number)


def dead(name: str) -> HttpEndpoint:
    return HttpEndpoint(f"http://127.0.0.1:{closed_port()}", name=name)


def test_the_chain_id_rides_in_the_first_exchange_and_is_asked_once() -> None:
    with serves("0x1") as node:
        endpoint = connect([node.endpoint()], "ethereum", 1)
        assert endpoint.exchange([NUMBER]) == ["0x1"]
        assert (node.exchanges, len(node.requests)) == (1, 2)
        assert endpoint.exchange([NUMBER, NUMBER]) == ["0x1", "0x1"]
        assert (node.exchanges, len(node.requests)) == (2, 4)


def test_no_transaction_reaches_a_node_before_its_chain_is_known() -> None:
    with serves("0x5") as node:
        with pytest.raises(Refused):
            connect([node.endpoint()], "ethereum", 1).exchange([SEND])
        assert node.count("eth_sendRawTransaction") == 0
    with serves("0x1") as node:
        assert connect([node.endpoint()], "ethereum", 1).exchange([SEND]) == ["0x1"]
        assert [one.method for one in node.requests] == ["eth_chainId", "eth_sendRawTransaction"]


def test_a_node_of_another_chain_is_refused_with_both_ids() -> None:
    with (
        serves("0xa") as node,
        pytest.raises(Refused, match="node-a serves the chain with id 10, but ethereum has id 1"),
    ):
        connect([node.endpoint()], "ethereum", 1).exchange([NUMBER])


def test_a_dead_node_is_passed_over_once() -> None:
    with serves("0x1") as node:
        endpoint = connect([dead("one"), node.endpoint("two")], "ethereum", 1)
        assert endpoint.exchange([NUMBER]) == ["0x1"]
        assert endpoint.name == "two"
        assert endpoint.exchange([NUMBER]) == ["0x1"]


def test_a_spare_node_must_prove_its_chain_too() -> None:
    with serves("0x1") as one, serves("0x2") as two:
        endpoint = connect([one.endpoint("one"), two.endpoint("two")], "ethereum", 1)
        endpoint.exchange([NUMBER])
        one.fault = "html 500"
        with pytest.raises(Refused, match="two serves the chain with id 2"):
            endpoint.exchange([NUMBER])


def test_where_none_works_every_reason_is_told() -> None:
    with Node(lambda request: "0x1", "status 429") as node:
        endpoint = connect([dead("one"), node.endpoint("two")], "ethereum", 1)
        with pytest.raises(Unread, match=r"ethereum.*one refused the connection; two is throttling") as caught:
            endpoint.exchange([NUMBER])
        assert caught.value.hint


@pytest.mark.parametrize("answer", [None, 1, "1", "0xzz", RpcError(-32000, "busy")])
def test_a_node_that_does_not_tell_its_chain_is_unread(answer: Json | RpcError) -> None:
    with serves(answer) as node, pytest.raises(Unread, match="does not say which chain"):
        connect([node.endpoint()], "ethereum", 1).exchange([NUMBER])


def test_a_node_that_refuses_batches_is_still_asked_one_by_one() -> None:
    with serves("0x1") as node:
        node.fault = "batch refused"
        node.spare_singles = True
        assert connect([node.endpoint()], "ethereum", 1).exchange([NUMBER]) == ["0x1"]


def test_a_chain_without_a_node_is_misuse() -> None:
    with pytest.raises(Misused, match="ethereum"):
        connect([], "ethereum", 1)
