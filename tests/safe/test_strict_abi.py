"""The strict decoder: whatever it reads is the one encoding of what it says, and nothing makes it slow."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.abi import encode, encode_call, parse_signature
from incident_cli.evm import checksummed
from incident_cli.safe.strict_abi import NotCanonical, decode_arguments, decode_exactly, decode_sequence

WORD = 32
LEAVES: dict[str, st.SearchStrategy[object]] = {
    "uint256": st.integers(0, 2**256 - 1),
    "int24": st.integers(-(2**23), 2**23 - 1),
    "address": st.binary(min_size=20, max_size=20).map(checksummed),
    "bool": st.booleans(),
    "bytes4": st.binary(min_size=4, max_size=4),
    "bytes": st.binary(max_size=70),
    "string": st.text(max_size=20),
}
types = st.recursive(
    st.sampled_from(sorted(LEAVES)),
    lambda inner: st.one_of(
        inner.map(lambda one: f"{one}[]"),
        inner.map(lambda one: f"{one}[2]"),
        st.lists(inner, min_size=1, max_size=3).map(lambda some: f"({','.join(some)})"),
    ),
    max_leaves=4,
)


def value_of(draw: st.DrawFn, kind: str) -> object:
    from incident_cli.safe.strict_abi import element_of, parts_of

    if kind.endswith("]"):
        element, size = element_of(kind)
        return tuple(value_of(draw, element) for _ in range(draw(st.integers(0, 3)) if size is None else size))
    if kind.startswith("("):
        return tuple(value_of(draw, one) for one in parts_of(kind))
    return draw(LEAVES[kind])


@st.composite
def encoded(draw: st.DrawFn) -> tuple[list[str], tuple[object, ...], bytes]:
    kinds = draw(st.lists(types, min_size=1, max_size=4))
    values = tuple(value_of(draw, one) for one in kinds)
    return kinds, values, encode(kinds, values)


@settings(max_examples=300, deadline=None)
@given(encoded())
def test_what_an_encoder_writes_is_read_back(case: tuple[list[str], tuple[object, ...], bytes]) -> None:
    kinds, values, data = case
    assert decode_sequence(kinds, data, 0) == (values, len(data))


@settings(max_examples=500, deadline=None)
@given(encoded(), st.data())
def test_whatever_is_read_has_no_other_encoding(
    case: tuple[list[str], tuple[object, ...], bytes], data: st.DataObject
) -> None:
    kinds, values, whole = case
    changed = bytearray(whole)
    at = data.draw(st.integers(0, max(len(changed) - 1, 0)))
    if changed:
        changed[at] ^= data.draw(st.integers(1, 255))
    try:
        found, end = decode_sequence(kinds, bytes(changed), 0)
    except NotCanonical:
        return
    assert encode(kinds, found) == bytes(changed[:end])
    assert bytes(changed) == whole or found != values or end != len(whole)


def test_what_follows_is_counted_and_refused() -> None:
    signature = parse_signature("transfer(address to, uint256 amount)")
    data = encode_call(signature, (checksummed(b"\x11" * 20), 5))
    assert decode_arguments(signature, data + b"\0\0")[1] == 2
    with pytest.raises(NotCanonical, match="2 bytes follow"):
        decode_exactly(signature, data + b"\0\0")
    for wrong in (data[:-1], data[:4], b"", b"\xff" + data[1:], data[:4] + b"\x01" + data[5:]):
        with pytest.raises(NotCanonical):
            decode_exactly(signature, wrong)


def test_other_encodings_of_the_same_arguments_are_refused() -> None:
    text = parse_signature("say(bytes words)")
    head = text.selector
    plainly = head + encode(["bytes"], [b"abc"])
    assert decode_exactly(text, plainly) == (b"abc",)
    moved = head + (64).to_bytes(WORD, "big") + bytes(WORD) + plainly[4 + WORD :]
    dirty = plainly[:-1] + b"\x01"
    for other in (moved, dirty, plainly + bytes(WORD)):
        with pytest.raises(NotCanonical):
            decode_exactly(text, other)


@pytest.mark.parametrize("kind", ["uint256[][][][]", "bytes[]", "(bytes[],bytes[])[]", "()[]", "uint8[9999][9999][]"])
def test_a_bomb_is_refused_and_not_unfolded(kind: str) -> None:
    """Arrays whose elements all lead to the same bytes would unfold without end; a count is not believed either."""
    back = (32).to_bytes(WORD, "big") + (2_000).to_bytes(WORD, "big") * 3_000
    huge = (32).to_bytes(WORD, "big") + b"\xff" * WORD * 3_000
    for data in (back, huge):
        with pytest.raises(NotCanonical):
            decode_sequence([kind], data, 0)
