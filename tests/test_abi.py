"""Contract signatures: read, written back, hashed, and refused with the place where they are wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.abi import (
    Parameter,
    Signature,
    SignatureError,
    decode,
    decode_call,
    encode,
    encode_call,
    parse_signature,
)
from incident_cli.evm import Address, Call

NAMES = st.from_regex(r"[a-z][A-Za-z0-9]{0,8}", fullmatch=True)
WIDTHS = st.integers(1, 32).map(lambda size: size * 8)
ELEMENTARY = st.one_of(
    st.sampled_from(["address", "bool", "string", "bytes"]),
    WIDTHS.map(lambda bits: f"uint{bits}"),
    WIDTHS.map(lambda bits: f"int{bits}"),
    st.integers(1, 32).map(lambda size: f"bytes{size}"),
)
TYPES = st.recursive(
    ELEMENTARY,
    lambda inner: st.one_of(
        inner.map(lambda one: f"{one}[]"),
        inner.map(lambda one: f"{one}[3]"),
        st.lists(inner, min_size=1, max_size=3).map(lambda many: f"({','.join(many)})"),
    ),
    max_leaves=4,
)
PARAMETERS = st.lists(st.builds(Parameter, TYPES, NAMES | st.just("")), max_size=4).map(tuple)


@given(st.builds(Signature, NAMES, PARAMETERS, PARAMETERS))
@settings(max_examples=100)
def test_the_source_of_a_signature_is_read_back(signature: Signature) -> None:
    modifiers = {"memory", "calldata", "indexed", "payable", "storage"}
    if not any(one.name in modifiers for one in (*signature.inputs, *signature.outputs)):
        assert parse_signature(signature.source) == signature


@given(st.text(max_size=60) | st.from_regex(r"f\([a-z0-9()\[\], ]{0,40}", fullmatch=True))
@settings(max_examples=200)
def test_any_text_is_a_signature_or_a_signature_error(text: str) -> None:
    try:
        signature = parse_signature(text)
    except SignatureError:
        return
    assert parse_signature(signature.source) == signature


@pytest.mark.parametrize(
    ("text", "selector"),
    [
        ("transfer(address to, uint256 amount) returns (bool)", "a9059cbb"),
        ("balanceOf(address)", "70a08231"),
        ("function pause(bool supply, bool transfer, bool withdraw, bool absorb, bool buy) external", "44c35d07"),
        ("latestRoundData() view returns (uint80, int256, uint256, uint256, uint80)", "feaf968c"),
        ("decimals() returns (uint8)", "313ce567"),
        ("getThreshold() returns (uint256)", "e75235b8"),
        ("getOwners() returns (address[])", "a0e67e2b"),
        (
            "execTransaction(address,uint,bytes calldata,uint8,uint,uint,uint,address,address payable,bytes memory)",
            "6a761202",
        ),
        ("aggregate3(tuple(address target, bool allowFailure, bytes callData)[] calls)", "82ad56cb"),
    ],
)
def test_selectors_of_known_functions(text: str, selector: str) -> None:
    assert parse_signature(text).selector.hex() == selector


@pytest.mark.parametrize(
    "text",
    [
        *("", "f", "f(", "f)", "f(uint a", "f(uint a,)", "f(,)", "f()x", "1f()", "f() returns", "f() returns uint"),
        *("f(uint7)", "f(uint08)", "f(uint264)", "f(uint0)", "f(bytes0)", "f(bytes33)", "f(fixed)", "f(Uint256)"),
        *("f(uint[0])", "f(uint[03])", "f(uint[-1])", "f(uint[)", "f(tuple uint)", "f(tupleuint256 a)", "f(tuple)"),
        *("f(uint256\u202e a)", "f\u200b()", "f(uint２56)", "ｆ()", "f(uint a); selfdestruct()", "f(uint a)\n()"),
        "f(" + "(" * 500 + "uint" + ")" * 500 + ")",
        "f(uint" + "[]" * 600 + ")",
        "f(" + "uint," * 1_000 + "uint)",
        "x" * 129 + "()",
    ],
)
def test_a_hostile_or_broken_signature_is_refused(text: str) -> None:
    with pytest.raises(SignatureError):
        parse_signature(text)


def test_the_error_names_the_place() -> None:
    with pytest.raises(SignatureError, match=r"column 9, found 'uint7 b\)'"):
        parse_signature("f(int a,uint7 b)")


@given(st.lists(st.tuples(st.integers(0, 2**128 - 1), st.booleans()), max_size=4), st.binary(max_size=40))
@settings(max_examples=50)
def test_calldata_is_decoded_to_what_was_encoded(pairs: list[tuple[int, bool]], data: bytes) -> None:
    signature = parse_signature("f((uint128 amount, bool flag)[] pairs, bytes data)")
    assert decode_call(signature, encode_call(signature, (tuple(pairs), data))) == (tuple(pairs), data)


def test_addresses_come_back_with_their_checksum() -> None:
    address = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    assert decode(["address", "address[]"], encode(["address", "address[]"], [address, [address]])) == (
        address,
        (address,),
    )


@pytest.mark.parametrize(
    ("types", "args"),
    [
        (["uint8"], [256]),
        (["uint256"], [-1]),
        (["bool"], [1]),
        (["address"], ["0x12"]),
        (["uint256"], ["7"]),
        (["uint8"], []),
    ],
)
def test_a_value_that_does_not_fit_is_a_value_error(types: list[str], args: list[object]) -> None:
    with pytest.raises(ValueError, match=r"do not fit|argument|types"):
        encode(types, args)


@pytest.mark.parametrize("data", [b"", b"\x00" * 31, b"\xff" * 32, b"\x00" * 31 + b"\x02"])
def test_data_that_are_no_answer_of_that_type_are_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="the data are not"):
        decode(["bool"], data)


def test_calldata_of_another_function_are_refused() -> None:
    call = Call(Address("0x" + "0" * 40), parse_signature("f(bool on)"), (True,))
    with pytest.raises(ValueError, match="not a call of"):
        decode_call(parse_signature("g(bool on)"), call.data)
