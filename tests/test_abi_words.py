"""The quick road for values of one word: never another result than eth_abi's own codec."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.abi import codec, decode, decode_words, encode, encode_words
from incident_cli.evm import checksummed

KINDS = [
    "address",
    "bool",
    "bytes1",
    "bytes4",
    "bytes31",
    "bytes32",
    "uint8",
    "uint128",
    "uint256",
    "int8",
    "int24",
    "int256",
]
kinds = st.lists(st.sampled_from([*KINDS, "string", "uint8[]", "(bool,int8)"]), max_size=4)
word = st.one_of(
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**256 - 1).map(lambda n: n.to_bytes(32, "big")),
    st.integers(-300, 300).map(lambda n: n.to_bytes(32, "big", signed=True)),
    st.binary(min_size=20, max_size=20).map(lambda one: one.rjust(32, b"\0")),
    st.binary(min_size=4, max_size=4).map(lambda one: one.ljust(32, b"\0")),
)
values = st.one_of(
    st.integers(-(2**255), 2**256),
    st.integers(-200, 300),
    st.booleans(),
    st.binary(max_size=33),
    st.text(max_size=5),
    st.none(),
    st.floats(),
    st.binary(min_size=20, max_size=20).map(checksummed),
    st.binary(min_size=20, max_size=20).map(lambda one: "0x" + one.hex()),
    st.binary(min_size=20, max_size=20).map(lambda one: checksummed(one).swapcase()),
)


@settings(max_examples=400)
@given(kinds, st.lists(word, max_size=5).map(b"".join), st.binary(max_size=3))
def test_decoding_is_eth_abis(types: list[str], data: bytes, tail: bytes) -> None:
    quick = decode_words(types, data + tail)
    if quick is None:
        return
    slow = codec().decode(types, data + tail)
    assert quick == slow
    assert [type(one) for one in quick] == [type(one) for one in slow]


@settings(max_examples=400)
@given(st.lists(st.tuples(st.sampled_from([*KINDS, "string"]), values), max_size=4))
def test_encoding_is_eth_abis(pairs: list[tuple[str, object]]) -> None:
    types, args = [kind for kind, _ in pairs], [value for _, value in pairs]
    quick = encode_words(types, args)
    if quick is not None:
        assert quick == codec().encode(types, args)


@given(st.lists(st.sampled_from(KINDS), max_size=4), st.data())
@settings(max_examples=100)
def test_what_fits_takes_the_quick_road_there_and_back(types: list[str], data: st.DataObject) -> None:
    args = [data.draw(fitting(kind)) for kind in types]
    quick = encode_words(types, args)
    assert quick is not None
    assert decode_words(types, quick) == tuple(args)


def fitting(kind: str) -> st.SearchStrategy[object]:
    """Values of a type."""
    if kind == "address":
        return st.binary(min_size=20, max_size=20).map(checksummed)
    if kind == "bool":
        return st.booleans()
    if kind.startswith("bytes"):
        size = int(kind[5:])
        return st.binary(min_size=size, max_size=size)
    bits = int(kind.lstrip("uint"))
    return st.integers(0, 2**bits - 1) if kind[0] == "u" else st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("bool", (2).to_bytes(32, "big")),
        ("address", b"\x01" * 32),
        ("uint8", (256).to_bytes(32, "big")),
        ("int8", (128).to_bytes(32, "big")),
        ("bytes4", b"\x01" * 32),
        ("uint256", b"\x01" * 31),
        ("uint256", b""),
    ],
)
def test_a_word_of_another_type_is_refused_in_the_codecs_words(kind: str, found: bytes) -> None:
    assert decode_words([kind], found) is None
    with pytest.raises(ValueError, match=f"the data are not \\({kind}\\)"):
        decode([kind], found)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("uint8", 256), ("uint8", True), ("bool", 1), ("bytes4", b"12345"), ("address", "0x12"), ("int8", 1.0)],
)
def test_a_value_of_another_type_is_refused_in_the_codecs_words(kind: str, value: object) -> None:
    assert encode_words([kind], [value]) is None
    with pytest.raises(ValueError, match="do not fit"):
        encode([kind], [value])
