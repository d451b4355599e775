"""The chain of hashes: every damage shows, and a redacted subset still verifies."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.journal.record import (
    FIRST_PREV,
    LINE_LIMIT,
    Record,
    RecordError,
    canonical,
    from_line,
    make,
    redact,
    to_line,
    verify,
)

SALT = "00112233445566778899aabbccddeeff"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def chain(count: int = 6) -> list[bytes]:
    lines: list[bytes] = []
    prev = FIRST_PREV
    for seq in range(1, count + 1):
        record = make(seq, prev, f"{seq:032x}", {"kind": "check", "n": seq, "text": "ü\n"})
        lines.append(to_line(record))
        prev = record.hash
    return lines


def verified(data: bytes) -> bool:
    """Whether damaged bytes would pass as whole: a torn tail does not."""
    found = verify(data.splitlines(keepends=True))
    return found.valid and not found.torn


def test_the_hash_is_the_documented_formula() -> None:
    record = make(1, FIRST_PREV, SALT, {"b": 1, "a": "ü"})
    digest = hashlib.sha256(bytes.fromhex(SALT) + b'{"a":"\\u00fc","b":1}').digest()
    assert record.hash == hashlib.sha256(bytes(32) + digest).hexdigest()
    assert record.digest == digest.hex()


def test_a_chain_verifies_and_reads_back() -> None:
    found = verify(chain())
    assert (found.valid, found.problem, found.line, found.torn) == (True, "", None, False)
    assert [one.seq for one in found.records] == [1, 2, 3, 4, 5, 6]
    assert found.head == found.records[-1].hash
    assert found.size == len(b"".join(chain()))
    assert verify([]).head == FIRST_PREV


def test_every_flipped_bit_shows() -> None:
    data = b"".join(chain())
    for at in range(len(data)):
        for mask in (1, 2, 4, 8, 16, 32, 64, 128, 255):
            damaged = data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]
            assert not verified(damaged), (at, mask)


def test_every_removed_or_inserted_byte_shows() -> None:
    data = b"".join(chain())
    for at in range(len(data)):
        assert not verified(data[:at] + data[at + 1 :]), at
        assert not verified(data[:at] + b" " + data[at:]), at


def test_every_removed_doubled_or_swapped_line_shows() -> None:
    lines = chain()
    for first in range(6):
        assert not verified(b"".join(lines[:first] + lines[first + 1 :])) or first == 5
        assert not verified(b"".join(lines[: first + 1] + lines[first:]))
        for second in range(first):
            swapped = list(lines)
            swapped[first], swapped[second] = swapped[second], swapped[first]
            assert not verified(b"".join(swapped))


def test_every_truncation_is_torn_or_a_shorter_chain() -> None:
    lines = chain()
    data = b"".join(lines)
    ends = {len(b"".join(lines[:count])): count for count in range(7)}
    for at in range(len(data)):
        found = verify(data[:at].splitlines(keepends=True))
        assert found.valid and found.torn == (at not in ends)
        assert found.size == max(end for end in ends if end <= at)


def test_damage_names_its_line() -> None:
    lines = chain()
    lines[3] = lines[3].replace(b'"n":4', b'"n":5')
    found = verify(lines)
    assert (found.valid, found.line, len(found.records)) == (False, 4, 3)
    assert "hash" in found.problem


def test_a_record_of_another_chain_does_not_fit() -> None:
    lines = chain()
    lines[2] = to_line(make(3, FIRST_PREV, SALT, {"forged": True}))
    assert verify(lines).line == 3


def test_any_subset_may_be_redacted_and_still_verifies() -> None:
    records = [from_line(line) for line in chain()]
    for chosen in range(64):
        shown = [redact(one) if chosen >> number & 1 else one for number, one in enumerate(records)]
        found = verify(to_line(one) for one in shown)
        assert found.valid and found.head == records[-1].hash
        assert found.records == tuple(shown)


def test_a_redacted_line_tells_nothing_of_its_body() -> None:
    line = to_line(redact(from_line(chain()[0])))
    assert set(json.loads(line)) == {"seq", "prev", "digest", "hash"}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"null\n",
        b"[]\n",
        b"{}\n",
        b"[" * 100_000 + b"\n",
        b'{"body":{},"body":{},"hash":"","prev":"","salt":"","seq":1}\n',
        b"\xff\n",
        b"9" * 10_000 + b"\n",
        b" " * (LINE_LIMIT + 1),
        to_line(make(1, FIRST_PREV, SALT, {})).upper(),
        to_line(make(1, FIRST_PREV, SALT, {}))[:-1] + b"\r\n",
        to_line(make(1, FIRST_PREV, SALT, {})).replace(b'"seq":1', b'"seq":true'),
        to_line(make(1, FIRST_PREV, SALT, {})).replace(b'"seq":1', b'"seq":1.0'),
        to_line(make(1, FIRST_PREV, SALT, {})).replace(b'"seq":1', b'"extra":1,"seq":1'),
    ],
)
def test_a_line_that_is_no_record_is_refused(line: bytes) -> None:
    with pytest.raises(RecordError):
        from_line(line)


@pytest.mark.parametrize(
    "body",
    [
        {"price": 1.5},
        {"price": [float("nan")]},
        {"raw": b"bytes"},
        {1: "number as key"},
        {"set": {1}},
        {"object": object()},
        {"huge": 10**5_000},
        {"long": "x" * LINE_LIMIT},
    ],
)
def test_a_body_that_is_not_plain_json_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(RecordError):
        make(1, FIRST_PREV, SALT, body)


def test_a_deep_body_is_refused() -> None:
    body: dict[str, object] = {}
    for _ in range(5_000):
        body = {"deeper": body}
    with pytest.raises(RecordError):
        make(1, FIRST_PREV, SALT, body)


@pytest.mark.parametrize("salt", ["", "00", SALT.upper(), SALT + "0", "zz" * 16])
def test_a_salt_is_sixteen_bytes_of_hex(salt: str) -> None:
    with pytest.raises(RecordError):
        make(1, FIRST_PREV, salt, {})


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=8), json_values, max_size=5))
def test_any_json_body_survives_its_line(body: dict[str, object]) -> None:
    record = make(1, FIRST_PREV, SALT, body)
    assert record.body == body
    assert from_line(to_line(record)) == record
    assert to_line(record).count(b"\n") == 1 and to_line(record).isascii()


@settings(max_examples=60, deadline=None)
@given(json_values)
def test_the_canonical_form_has_one_spelling(value: object) -> None:
    assert canonical(json.loads(canonical(value))) == canonical(value)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.binary(max_size=60) | st.sampled_from(chain()), max_size=5))
def test_arbitrary_lines_never_raise(lines: list[bytes]) -> None:
    found = verify(lines)
    assert all(isinstance(one, Record) for one in found.records)
