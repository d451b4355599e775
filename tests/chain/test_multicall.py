"""The codec of a round, and reverts in words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.abi import decode, encode
from incident_cli.chain.multicall import (
    AGGREGATE3,
    BLOCK_READS,
    MULTICALL3,
    Result,
    Target,
    decode_round,
    encode_round,
    revert_reason,
)
from incident_cli.evm import checksummed

RESULTS = "(bool,bytes)[]"
BLOCK = [(True, bytes(31) + b"\x05"), (True, b"\xaa" * 32), (True, bytes(31) + b"\x09")]
results = st.lists(st.tuples(st.booleans(), st.binary(max_size=70)), max_size=6)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.binary(min_size=20, max_size=20), st.binary(max_size=70)), max_size=6))
def test_a_round_holds_the_block_and_then_every_target_allowed_to_fail(pairs: list[tuple[bytes, bytes]]) -> None:
    data = encode_round([Target(checksummed(to), call) for to, call in pairs])
    (calls,) = decode(AGGREGATE3.input_types, data[4:])
    assert isinstance(calls, tuple)
    assert data[4:] == encode(AGGREGATE3.input_types, [calls])
    assert data[:4].hex() == "82ad56cb"  # aggregate3, as deployed
    assert calls[:3] == tuple((MULTICALL3, True, selector) for selector in BLOCK_READS)
    assert calls[3:] == tuple((checksummed(to), True, call) for to, call in pairs)


@settings(max_examples=50, deadline=None)
@given(results)
def test_results_come_back_in_order(given_results: list[tuple[bool, bytes]]) -> None:
    seen, found = decode_round(encode([RESULTS], [BLOCK + given_results]), len(given_results))
    assert (seen.number, seen.parent_hash, seen.timestamp) == (5, "0x" + "aa" * 32, 9)
    assert found == [Result(success, data) for success, data in given_results]


def test_answers_that_share_their_bytes_are_refused_before_they_fill_the_memory() -> None:
    whole = bytearray(encode([RESULTS], [[*BLOCK, (True, b"a" * 4_000), (True, b"b" * 4_000)]]))
    fourth, fifth = 64 + 3 * 32, 64 + 4 * 32
    whole[fifth : fifth + 32] = whole[fourth : fourth + 32]
    assert decode_round(bytes(whole), 2)[1][0] == decode_round(bytes(whole), 2)[1][1]
    with pytest.raises(ValueError, match="overlap"):
        decode_round(bytes(whole[: 64 + 5 * 32 + 3 * 128 + 64 + 32 + 4_000]), 2)


@settings(max_examples=100, deadline=None)
@given(results, st.data())
def test_a_round_cut_or_changed_is_a_value_error_or_a_round(
    given_results: list[tuple[bool, bytes]], draw: st.DataObject
) -> None:
    whole = bytearray(encode([RESULTS], [BLOCK + given_results]))
    place = draw.draw(st.integers(0, len(whole) - 1))
    whole[place] = draw.draw(st.integers(0, 255))
    try:
        found = decode_round(bytes(whole[: draw.draw(st.integers(place, len(whole)))]), len(given_results))[1]
    except ValueError:
        return
    assert len(found) == len(given_results)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 64,
        b"\xff" * 128,
        encode([RESULTS], [BLOCK]),
        encode([RESULTS], [[(False, b""), *BLOCK[1:], (True, b"")]]),
        encode([RESULTS], [[(True, b"\x05"), *BLOCK[1:], (True, b"")]]),
        encode([RESULTS], [[*BLOCK, (True, b"")]])[:-64],
    ],
)
def test_what_is_no_round_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        decode_round(data, 1)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_revert_has_words_a_terminal_can_show(data: bytes) -> None:
    assert revert_reason(data).isprintable()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "reverted without a reason"),
        (bytes.fromhex("08c379a0") + encode(["string"], ["GS201"]), "reverted: GS201"),
        (bytes.fromhex("08c379a0") + encode(["string"], ["a\x1b[2J"]), "reverted: a<U+001B>[2J"),
        (bytes.fromhex("4e487b71") + encode(["uint256"], [0x11]), "panicked: an arithmetic overflow (0x11)"),
        (bytes.fromhex("4e487b71") + encode(["uint256"], [0x77]), "panicked: an unknown code (0x77)"),
        (bytes.fromhex("08c379a0") + b"\xff" * 32, "reverted with the custom error 0x08c379a0" + "ff" * 32),
        (bytes.fromhex("12345678"), "reverted with the custom error 0x12345678"),
    ],
)
def test_reverts_in_words(data: bytes, words: str) -> None:
    assert revert_reason(data) == words
