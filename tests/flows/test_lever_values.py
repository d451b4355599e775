"""Answers of reads as people type them, by their ABI types: exactly those values, or a ValueError."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.abi import Parameter, parse_signature
from incident_cli.evm import checksummed, to_hex
from incident_cli.flows.catalog.values import parse_answer

POOL = checksummed(b"\xa1" * 20)


@pytest.mark.parametrize(
    ("returns", "text", "value"),
    [
        ("bool", "true", True),
        ("int8", "-128", -128),
        ("address", POOL, POOL),
        ("bytes4", "0xa1b2c3d4", b"\xa1\xb2\xc3\xd4"),
        ("bytes", "0x", b""),
        ("string", "true", "true"),
        ("uint64[]", "[1, 2]", (1, 2)),
        ("uint256[1]", f"[{2**255}]", (2**255,)),
        ("(bool on, uint128 rate)", '{"rate": 3, "on": true}', (True, 3)),
        ("(bool on, (bytes1 a, address b)[] parts)", f'[false, [["0x01", "{POOL}"]]]', (False, ((b"\x01", POOL),))),
    ],
)
def test_an_answer_by_its_type(returns: str, text: str, value: object) -> None:
    (kind,) = parse_signature(f"f() returns ({returns})").outputs
    found = parse_answer(kind, text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("returns", "text"),
    [
        ("bool", "1"),
        ("bool", "True"),
        ("uint8", "256"),
        ("uint8", "-1"),
        ("uint8", "1.0"),
        ("address", POOL.lower()),
        ("bytes4", "0xa1b2"),
        ("bytes4", "0xa1b2c3d4f"),
        ("uint64[]", "1"),
        ("uint64[]", "[1.0]"),
        ("uint64[]", "[true]"),
        ("uint64[]", "[null]"),
        ("uint64[]", "[NaN]"),
        ("uint64[]", "[" * 5_000),
        ("uint64[]", f"[{'9' * 5_000}]"),
        ("uint64[2]", "[1]"),
        ("(bool on, uint128 rate)", "[true]"),
        ("(bool on, uint128 rate)", '{"on": true}'),
        ("(bool on, uint128 rate)", '{"on": true, "on": true, "rate": 1}'),
        ("(bool on, uint128 rate)", '{"on": true, "rate": 1, "more": 2}'),
        ("(bool on, uint128 rate)", "\ud800"),
    ],
)
def test_what_is_no_answer_of_that_type(returns: str, text: str) -> None:
    (kind,) = parse_signature(f"f() returns ({returns})").outputs
    with pytest.raises(ValueError):
        parse_answer(kind, text)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2**128 - 1), st.binary(min_size=4, max_size=4)), max_size=5))
def test_a_list_of_tuples_is_read_as_it_was_written(values: list[tuple[bool, int, bytes]]) -> None:
    (kind,) = parse_signature("f() returns ((bool on, uint128 rate, bytes4 kind)[])").outputs
    assert parse_answer(kind, json.dumps([[a, b, to_hex(c)] for a, b, c in values])) == tuple(values)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["bool", "uint64[]", "(bool on, bytes b)", "bytes32", "address"]), st.text(max_size=30))
def test_any_text_is_an_answer_or_a_value_error(kind: str, text: str) -> None:
    parameter: Parameter = parse_signature(f"f() returns ({kind})").outputs[0]
    try:
        parse_answer(parameter, text)
    except ValueError as problem:
        assert str(problem)
