"""One exchange over real HTTP: what is asked, what is believed, and when it ends."""

from __future__ import annotations

import base64
import json
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.errors import Misused, Unread
from incident_cli.transport import (
    HttpEndpoint,
    Json,
    Request,
    RpcError,
    match_answers,
    revert_data,
)
from incident_cli.web import Unusable, parse_url
from tests.fakes.node import Fault, Node, closed_port

SECRET = "s3cr3tkey"
PAIR = [Request("eth_chainId"), Request("eth_blockNumber")]
ENDINGS: dict[str, str] = {
    "silent": "did not answer",
    "drip": "slowly|did not answer within",
    "drip headers": "did not answer within",
    "status 429": "throttling",
    "status 401": "credential",
    "html 500": "HTTP 500",
    "html 200": "JSON",
    "truncated": "broke off",
    "truncated chunk": "broke off",
    "wrong id": "was not asked",
    "text id": "was not asked",
    "missing": "answered 1 of 2",
    "duplicate": "was not asked",
    "null": "JSON-RPC",
    "no result": "neither",
    "oversized": "larger than",
    "encoded": "encoded",
    "redirect": "redirects",
    "reset": "broke off",
    "infinity": "JSON",
    "nested": "JSON",
}


def echo(request: Request) -> Json | RpcError:
    return request.method


def test_one_request_is_an_object_and_several_are_a_batch_on_one_connection() -> None:
    with Node(echo) as node:
        endpoint = node.endpoint()
        assert endpoint.exchange([]) == []
        assert endpoint.exchange(PAIR[:1]) == ["eth_chainId"]
        assert endpoint.exchange(PAIR) == ["eth_chainId", "eth_blockNumber"]
        assert (node.exchanges, len(node.requests), node.connections) == (2, 3, 1)


def test_answers_are_matched_by_their_ids() -> None:
    with Node(echo, "shuffled") as node:
        assert node.endpoint().exchange(PAIR) == ["eth_chainId", "eth_blockNumber"]


def test_every_fault_has_its_ending() -> None:
    assert set(ENDINGS) == set(get_args(Fault)) - {"shuffled", "batch refused"}


@pytest.mark.parametrize("fault", ENDINGS)
def test_a_fault_is_unread_in_words_without_the_url(fault: Fault) -> None:
    with Node(echo, fault) as node:
        url = f"http://user:{SECRET}@127.0.0.1:{node.url.split(':')[-1].strip('/')}/v3/{SECRET}?key={SECRET}"
        endpoint = HttpEndpoint(url, name="node-a", connect_seconds=0.2, read_seconds=0.3, cap_bytes=100_000)
        with pytest.raises(Unread, match=ENDINGS[fault]) as caught:
            endpoint.exchange(PAIR)
        assert node.exchanges == 1
    shown = f"{caught.value.message} {caught.value.hint} {endpoint!r}"
    assert caught.value.message.startswith("node-a ")
    assert caught.value.hint
    assert SECRET not in shown
    assert "127.0.0.1" not in shown


def test_an_endpoint_works_again_after_a_fault() -> None:
    with Node(echo, "drip") as node:
        endpoint = node.endpoint(connect_seconds=0.1, read_seconds=0.2)
        with pytest.raises(Unread):
            endpoint.exchange(PAIR)
        node.fault = None
        assert endpoint.exchange(PAIR) == ["eth_chainId", "eth_blockNumber"]


def test_a_closed_port_and_an_unknown_host() -> None:
    with pytest.raises(Unread, match="node-b refused the connection"):
        HttpEndpoint(f"http://127.0.0.1:{closed_port()}", name="node-b").exchange(PAIR)
    with pytest.raises(Unread, match="node-b "):
        HttpEndpoint("http://nowhere.invalid", name="node-b", read_seconds=0.5, connect_seconds=0.5).exchange(PAIR)


def test_a_batch_refused_as_a_whole_is_an_error_for_each() -> None:
    with Node(echo, "batch refused") as node:
        assert node.endpoint().exchange(PAIR) == [RpcError(-32600, "batches are off")] * 2


def test_an_error_keeps_its_code_and_revert_data_and_loses_control_characters() -> None:
    with Node(lambda request: RpcError(3, "execution reverted: \x1b[2Jgone", "0xABcd")) as node:
        assert node.endpoint().exchange(PAIR[:1]) == [RpcError(3, "execution reverted: <U+001B>[2Jgone", "0xabcd")]


def test_the_userinfo_of_a_url_becomes_a_header_and_given_headers_are_sent() -> None:
    with Node(echo) as node:
        port = node.url.split(":")[-1].strip("/")
        endpoint = HttpEndpoint(f"http://us%65r:p%40ss@127.0.0.1:{port}/v1/x?y=1", name="n", headers={"X-Key": "k"})
        endpoint.exchange(PAIR)
        assert node.headers[0]["authorization"] == "Basic " + base64.b64encode(b"user:p@ss").decode()
        assert node.headers[0]["x-key"] == "k"
        assert node.paths == ["/v1/x?y=1"]


def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    with Node(echo) as node:
        assert node.endpoint().exchange(PAIR[:1]) == ["eth_chainId"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "node",
        "ftp://host",
        "http://",
        "http://host:99999",
        "http://host:0",
        "http://a b",
        "http://h\n",
        "http://[::1",
    ],
)
def test_a_url_that_is_none_is_misuse_and_not_quoted(url: str) -> None:
    with pytest.raises(Misused, match="the URL of node-a") as caught:
        HttpEndpoint(url, name="node-a")
    assert caught.value.message.removeprefix("the URL of node-a ").startswith(("is not", "holds a"))


def test_a_malformed_header_is_misuse_without_its_value() -> None:
    with pytest.raises(Misused, match="x-key") as caught:
        HttpEndpoint("https://host", name="n", headers={"x-key": f"{SECRET}\r\n"})
    assert SECRET not in caught.value.message


def test_a_url_keeps_its_host_port_and_query() -> None:
    assert parse_url("https://u:p@[::1]:8545/a?b=c#d", "n")[0] == "https://[::1]:8545/a?b=c"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("0xAB", "0xab"),
        ("Reverted 0x08c379a0", "0x08c379a0"),
        ({"data": "0x01"}, "0x01"),
        ({"message": "x", "data": {"result": "0x02"}}, "0x02"),
        ("0xabc", ""),
        ("see 0xabcd", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_revert_data_is_found_where_each_client_puts_it(data: Json, found: str) -> None:
    assert revert_data(data) == found


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 8) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["id", "result", "error", "code", "message", "data"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(json_values)
def test_any_json_is_an_answer_to_each_request_or_unusable(body: Json) -> None:
    try:
        answers = match_answers([1, 2], body)
    except Unusable:
        return
    assert len(answers) == 2


@settings(max_examples=50, deadline=None)
@given(st.permutations([1, 2, 3, 4]), st.lists(json_values, min_size=4, max_size=4))
def test_answers_come_in_the_order_asked_whatever_the_order_sent(order: list[int], results: list[Json]) -> None:
    body: Json = [{"id": number, "result": results[number - 1]} for number in order]
    assert match_answers([1, 2, 3, 4], json.loads(json.dumps(body))) == results
