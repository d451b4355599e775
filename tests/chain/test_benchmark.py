"""Numbers from a JSON service: exact, in time, and never a guess."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.chain.benchmark import at_pointer, parse_exact, read_benchmark, seconds, units
from incident_cli.errors import Misused
from incident_cli.evm import BenchmarkRead, Missing
from incident_cli.web import fetch, is_loopback
from tests.fakes.node import closed_port

ETHER = 10**18


@contextmanager
def service(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            pass

    seen: list[dict[str, str]] = []
    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/price"
    server.shutdown()
    server.server_close()
    assert all("content-type" not in one for one in seen)


def read(body: bytes, pointer: str = "/price", time_pointer: str = "") -> object:
    with service(body) as url:
        return read_benchmark(BenchmarkRead("a service", url, pointer, time_pointer))


def test_a_number_and_its_time() -> None:
    body = b'{"price": 4000.25, "at": 1700000000, "data": [{"p": "0.000000000000000001"}]}'
    assert read(body) == (4_000_250_000_000_000_000_000, None)
    assert read(body, "/price", "/at") == (4_000_250_000_000_000_000_000, 1_700_000_000)
    assert read(body, "/data/0/p", "/at") == (1, 1_700_000_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("65000.123456789012345678", 65_000_123456789012345678),
        ("0.1", ETHER // 10),
        ("1e3", 1_000 * ETHER),
        ("-2.5", -5 * ETHER // 2),
        (
            '"115792089237316195423570985008687907853269984665640564039457"',
            10**18 * int("115792089237316195423570985008687907853269984665640564039457"),
        ),
        ("0.0000000000000000019", 1),
    ],
)
def test_numbers_are_exact(text: str, expected: int) -> None:
    assert read(f'{{"price": {text}, "other": 1e-999}}'.encode()) == (expected, None)


@pytest.mark.parametrize(
    "text",
    ["null", "true", "[]", "{}", '""', '"4,000"', '"NaN"', '"0x10"', "1e999", "9" * 200, '" 4000"', '"٤"', '"1_000"'],
)
def test_what_is_no_number_is_missing(text: str) -> None:
    assert isinstance(read(f'{{"price": {text}}}'.encode()), Missing)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1700000000", 1_700_000_000),
        ("1700000000123", 1_700_000_000),
        ("1700000000.9", 1_700_000_000),
        ('"1700000000"', 1_700_000_000),
        ('"2023-11-14T22:13:20Z"', 1_700_000_000),
        ('"2023-11-14T23:13:20.5+01:00"', 1_700_000_000),
        ('"2023-11-14T22:13:20"', 1_700_000_000),
    ],
)
def test_times_are_seconds_milliseconds_or_iso(text: str, expected: int) -> None:
    assert seconds(at_pointer(parse_exact(f'{{"at": {text}}}'.encode()), "/at")) == expected


@pytest.mark.parametrize(
    "text", ["null", "-1", "1e30", '"yesterday"', '""', "[]", '"2023-99-99"', '"0001-01-01T00:00:00+23:59"']
)
def test_a_time_that_is_none_makes_the_number_missing(text: str) -> None:
    assert isinstance(read(f'{{"price": 1, "at": {text}}}'.encode(), "/price", "/at"), Missing)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{",
        b"[" * 50_000,
        b'{"price": NaN}',
        b'{"price": 1, "price": 2}',
        b"\xff",
        b'{"price": "' + b"x" * 70_000,
    ],
)
def test_strange_bodies_are_missing(body: bytes) -> None:
    assert isinstance(read(body), Missing)


@pytest.mark.parametrize("status", [301, 302, 404, 429, 500])
def test_only_200_counts_and_nothing_is_followed(status: int) -> None:
    with service(b'{"price": 1}', status, {"location": "http://127.0.0.1:1/"}) as url:
        assert isinstance(read_benchmark(BenchmarkRead("a service", url, "/price")), Missing)


def test_a_service_that_is_not_there_or_not_https_is_missing() -> None:
    gone = read_benchmark(BenchmarkRead("a service", f"http://127.0.0.1:{closed_port()}/", "/price"))
    assert gone == Missing("a service refused the connection")
    plain = read_benchmark(BenchmarkRead("a service", "http://prices.example/", "/price"))
    assert plain == Missing("the URL of a service is not https://")


def test_a_slow_service_ends_in_time() -> None:
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)  # accepts, and never answers
    with pytest.raises(Exception, match="did not answer"):
        fetch(f"http://127.0.0.1:{server.server_port}/", "a service", seconds=0.2)
    server.server_close()


def test_this_machine_is_known_by_its_address() -> None:
    assert [is_loopback(host) for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1")] == [True] * 4
    assert [is_loopback(host) for host in ("127.0.0.1.example", "10.0.0.1", "2130706433", "")] == [False] * 4
    with pytest.raises(Misused):
        fetch("http://127.0.0.1.example/", "a service")


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [("", None), ("/foo", None), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/c%d", 2), ("/m~0n", 8), ("/~01", 9)],
)
def test_pointers_as_rfc_6901_has_them(pointer: str, expected: object) -> None:
    body = parse_exact(b'{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "m~n": 8, "~1": 9}')
    found = at_pointer(body, pointer)
    assert found is not None
    assert expected is None or found == expected


@pytest.mark.parametrize(
    "pointer", ["foo", "/x", "/foo/2", "/foo/-", "/foo/00", "/foo/-1", "/foo/0/0", "/foo/9999999999"]
)
def test_a_pointer_to_nothing_is_no_value(pointer: str) -> None:
    with pytest.raises(ValueError, match=r"nothing at|begins with"):
        at_pointer(parse_exact(b'{"foo": ["bar", "baz"]}'), pointer)


@settings(max_examples=100)
@given(st.integers(-(10**40), 10**40), st.integers(0, 18))
def test_no_digit_is_lost(number: int, decimals: int) -> None:
    digits = str(abs(number)).rjust(decimals + 1, "0")
    text = ("-" if number < 0 else "") + (f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits)
    assert units(at_pointer(parse_exact(json.dumps({"p": text}).encode()), "/p")) == number * 10 ** (18 - decimals)
    assert units(at_pointer(parse_exact(f'{{"p": {text}}}'.encode()), "/p")) == number * 10 ** (18 - decimals)
