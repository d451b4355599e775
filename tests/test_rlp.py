"""Own serialisation against the rlp library: the same bytes for any list, the same refusals for any bytes."""

from __future__ import annotations

from typing import Any

import pytest
import rlp as library
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli import rlp

SMALL, FULL = 150, 20_000
texts = st.one_of(st.binary(max_size=3), st.binary(min_size=53, max_size=58), st.binary(max_size=400))
numbers = st.one_of(st.integers(0, 300), st.integers(0, 2**256 - 1))
lists = st.lists(st.one_of(texts, numbers, st.just(())), max_size=14)
heads = st.sampled_from([0x00, 0x7F, 0x80, 0x81, 0xB7, 0xB8, 0xB9, 0xBF, 0xC0, 0xC1, 0xF7, 0xF8, 0xF9, 0xFF, 0x38])
scraps = st.lists(st.one_of(heads, st.integers(0, 255)), max_size=80).map(bytes)


def theirs(raw: bytes) -> Any:
    """What the library reads, or None where it refuses or finds what has no place in a transaction here."""
    try:
        found = library.decode(raw, strict=True)
    except library.exceptions.RLPException:
        return None
    if isinstance(found, bytes) or any(one for one in found if not isinstance(one, bytes)):
        return None
    return [one if isinstance(one, bytes) else () for one in found]


def ours(raw: bytes) -> Any:
    """What is read here, or None."""
    try:
        return rlp.decode(raw)
    except ValueError:
        return None


def agree(items: list[rlp.Item]) -> None:
    """One writing, and it is read back."""
    raw = rlp.encode(items)
    assert raw == library.encode([list(one) if isinstance(one, tuple) else one for one in items])
    assert ours(raw) == theirs(raw) is not None


@settings(max_examples=SMALL, deadline=None)
@given(lists)
def test_the_same_bytes(items: list[rlp.Item]) -> None:
    agree(items)


@settings(max_examples=2 * SMALL, deadline=None)
@given(scraps)
def test_the_same_refusals(raw: bytes) -> None:
    assert ours(raw) == theirs(raw)


@settings(max_examples=SMALL, deadline=None)
@given(lists, st.integers(0, 500), st.integers(0, 255), st.sampled_from(["change", "cut", "add", "insert"]))
def test_the_same_refusals_of_what_was_damaged(items: list[rlp.Item], at: int, byte: int, how: str) -> None:
    raw = rlp.encode(items)
    at %= len(raw)
    cut = {"change": (at, at + 1), "cut": (at, len(raw)), "add": (len(raw), len(raw)), "insert": (at, at)}[how]
    damaged = raw[: cut[0]] + (b"" if how == "cut" else bytes([byte])) + raw[cut[1] :]
    assert ours(damaged) == theirs(damaged)


@pytest.mark.campaign
@settings(max_examples=FULL, deadline=None)
@given(lists, scraps)
def test_the_same_at_length(items: list[rlp.Item], raw: bytes) -> None:
    agree(items)
    assert ours(raw) == theirs(raw)


def test_there_is_no_negative_number() -> None:
    with pytest.raises(OverflowError):
        rlp.encode([-1])


@pytest.mark.parametrize("raw", [b"", b"\x80", b"\xc2\x81\x01", b"\xc1\xc1", b"\xc0\x00", b"\xf8\x00"])
def test_what_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        rlp.decode(raw)
