"""Addresses, hex and snapshots."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.abi import parse_signature
from incident_cli.evm import (
    ZERO,
    Block,
    CallRead,
    CodeRead,
    Missing,
    Snapshot,
    checksummed,
    hex_bytes,
    keccak,
    parse_address,
    to_hex,
)

VECTORS = [  # EIP-55's own
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]


@pytest.mark.parametrize("address", VECTORS)
def test_eip_55(address: str) -> None:
    assert parse_address(address) == checksummed(address.lower()) == checksummed(bytes.fromhex(address[2:])) == address


def test_keccak_is_the_hash_of_the_evm() -> None:
    assert keccak(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


def test_a_wrong_checksum_says_what_it_should_read() -> None:
    mistyped = VECTORS[4].replace("5aA", "5aa")
    with pytest.raises(ValueError, match=f"the checksum is wrong.*{VECTORS[4]}"):
        parse_address(mistyped)


@pytest.mark.parametrize(
    "text", ["", "0x", "0x5aAe…BeAed", VECTORS[4][:-1], VECTORS[4] + "0", "5aAe", "0X" + VECTORS[4][2:]]
)
def test_an_address_is_whole(text: str) -> None:
    with pytest.raises(ValueError, match="never abbreviated"):
        parse_address(text)


@pytest.mark.parametrize("text", ["0x" + "g" * 40, "0x" + "١" * 40, b"\x00" * 19, "0x1"])
def test_what_has_no_20_bytes_has_no_checksum(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="an address"):
        checksummed(text)


@given(st.binary(max_size=40))
@settings(max_examples=30)
def test_hex_round_trips(data: bytes) -> None:
    assert hex_bytes(to_hex(data)) == data


@pytest.mark.parametrize("text", ["", "12", "0x1", "0x12 34", "0xzz", "0x1２", "0x12\n"])
def test_what_is_no_hex_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"hex"):
        hex_bytes(text)


def test_a_snapshot_never_answers_what_was_not_read() -> None:
    read, empty = CallRead(ZERO, parse_signature("a() returns (bool)")), CodeRead(ZERO)
    snapshot = Snapshot(Block("ethereum", 1, "0x01", 12), {empty: ()})
    assert snapshot.answer(read) == Missing("it was not read")
    assert snapshot.value(read) == Missing("it was not read")
    assert snapshot.value(empty) == Missing("the call answered nothing")
