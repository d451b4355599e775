"""Signatures: the contract's rules, with keys made for the test."""

from __future__ import annotations

import pytest
from eth_keys import keys
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.errors import Misused, Refused
from incident_cli.evm import Address, checksummed, keccak, to_hex
from incident_cli.safe.signatures import (
    LENGTH,
    check,
    contract_head,
    contract_signature,
    kind_of,
    owner_of,
    pack,
    pre_validated,
    recover,
    unpack,
)

HASH = "0x" + "5a" * 32
DIGEST = bytes.fromhex(HASH[2:])
KEYS = [keys.PrivateKey(bytes([number]) * 32) for number in range(1, 6)]
OWNERS = [checksummed(one.public_key.to_canonical_address()) for one in KEYS]


def sign(key: keys.PrivateKey, digest: bytes = DIGEST, extra: int = 27) -> bytes:
    made = key.sign_msg_hash(digest)
    return bytes(made.to_bytes()[:64]) + bytes([made.v + extra])


def eth_sign(key: keys.PrivateKey) -> bytes:
    return sign(key, keccak(b"\x19Ethereum Signed Message:\n32" + DIGEST), extra=31)


SIGNED = {owner: sign(key) for owner, key in zip(OWNERS, KEYS, strict=True)}


def test_each_kind_is_recognised() -> None:
    for owner, key in zip(OWNERS, KEYS, strict=True):
        assert recover(HASH, sign(key)) == recover(HASH, eth_sign(key)) == recover(HASH, pre_validated(owner)) == owner


def test_another_hash_gives_another_signer() -> None:
    assert recover("0x" + "5b" * 32, SIGNED[OWNERS[0]]) != OWNERS[0]


@pytest.mark.parametrize(
    ("signature", "why"),
    [
        (b"", "65 bytes"),
        (bytes(66), "65 bytes"),
        (bytes(64) + b"\x1b", "empty"),
        (bytes(64) + b"\0", "EIP-1271"),
        (bytes(64) + b"\x1d", "v = 29"),
        (b"\xff" * 64 + b"\x1b", "not valid"),
        (b"\xff" * 64 + b"\x01", "no address"),
    ],
)
def test_bad_signatures_are_refused(signature: bytes, why: str) -> None:
    with pytest.raises(Refused, match=why):
        recover(HASH, signature)


def test_a_hash_is_a_hash() -> None:
    with pytest.raises(Misused, match="safeTxHash"):
        recover("0x12", SIGNED[OWNERS[0]])


@settings(max_examples=40, deadline=None)
@given(st.permutations(OWNERS), st.integers(1, 5))
def test_packing_sorts_by_owner_and_is_accepted(order: list[Address], count: int) -> None:
    packed = pack({owner: SIGNED[owner] for owner in order[:count]})
    assert len(packed) == LENGTH * count
    signers = check(HASH, packed, OWNERS, count)
    assert list(signers) == sorted(order[:count], key=lambda owner: int(owner, 16))
    if count < 5:
        with pytest.raises(Refused, match=f"{count} of {count + 1}"):
            check(HASH, packed, OWNERS, count + 1)


def test_the_contracts_rules() -> None:
    first, second = sorted(OWNERS[:2], key=lambda owner: int(owner, 16))
    unsorted = SIGNED[second] + SIGNED[first]
    for packed, why in (
        (unsorted, "not sorted"),
        (SIGNED[first] * 2, "twice"),
        (SIGNED[first], "1 of 2"),
        (b"", "0 of 2"),
        (SIGNED[first][:-1], "whole number"),
    ):
        with pytest.raises(Refused, match=why):
            check(HASH, packed, OWNERS, 2)
    with pytest.raises(Refused, match="no owner"):
        check(HASH, pack(SIGNED), OWNERS[1:], 2)
    with pytest.raises(Refused, match="guards nothing"):
        check(HASH, pack(SIGNED), OWNERS, 0)


def test_an_approval_counts_only_where_it_was_read() -> None:
    packed = pack({**SIGNED, OWNERS[0]: pre_validated(OWNERS[0])})
    with pytest.raises(Refused, match="no approval"):
        check(HASH, packed, OWNERS, 2)
    assert len(check(HASH, packed, OWNERS, 5, approved=[OWNERS[0]])) == 5


CONTRACT_OWNER = checksummed(b"\xc0" * 20)
LOW_OWNER = checksummed(b"\0" * 19 + b"\x09")


def test_a_contracts_signature_is_packed_behind_the_others_and_read_back() -> None:
    first, second = contract_signature(LOW_OWNER, b"first"), contract_signature(CONTRACT_OWNER, b"s" * 40)
    every = {CONTRACT_OWNER: second, **SIGNED, LOW_OWNER: first}
    packed = pack(every)
    heads = len(every) * LENGTH
    assert packed[heads:] == (5).to_bytes(32) + b"first" + (40).to_bytes(32) + b"s" * 40
    assert int.from_bytes(packed[32:64]) == heads and packed[64] == 0
    assert unpack(packed) == tuple(every[one] for one in sorted(every, key=lambda owner: int(owner, 16)))
    assert owner_of(HASH, first) == LOW_OWNER and kind_of(first) == "contract"
    assert pack({LOW_OWNER: first}) == first  # alone it is packed already


def test_safe_eth_reads_packed_contract_signatures_alike() -> None:
    from safe_eth.safe.safe_signature import SafeSignature

    every = {**SIGNED, CONTRACT_OWNER: contract_signature(CONTRACT_OWNER, b"inner"), OWNERS[1]: eth_sign(KEYS[1])}
    theirs = list(SafeSignature.parse_signature(pack(every), DIGEST))
    assert {one.owner for one in theirs} == set(every)
    (contract,) = [one for one in theirs if one.owner == CONTRACT_OWNER]
    assert bytes(contract.contract_signature) == b"inner"
    assert pack({CONTRACT_OWNER: bytes(contract.export_signature())}) == every[CONTRACT_OWNER]  # its zeros are dropped


@pytest.mark.parametrize(
    ("signature", "why"),
    [
        (bytes(65), "right behind it"),
        (contract_head(CONTRACT_OWNER, 65), "outside"),
        (contract_head(CONTRACT_OWNER, 65) + (9).to_bytes(32) + b"short", "outside"),
        (contract_head(CONTRACT_OWNER, 97) + bytes(32) + bytes(32), "right behind it"),
        (contract_signature(CONTRACT_OWNER, b"x") + b"more", "follows"),
        (contract_signature(CONTRACT_OWNER, b"x") + bytes(32), "follows"),
        (contract_signature(CONTRACT_OWNER, bytes(2**16 + 1)), "longer"),
        (contract_signature(LOW_OWNER, b"x"), "not 0x"),
        (SIGNED[OWNERS[0]] + b"\0", "no known kind"),
        (SIGNED[OWNERS[0]][:64] + b"\x1d", "no known kind"),
        (b"", "no known kind"),
    ],
)
def test_what_is_not_well_formed_is_not_packed(signature: bytes, why: str) -> None:
    with pytest.raises(Refused, match=why):
        pack({CONTRACT_OWNER: signature})


def test_what_points_into_the_signatures_is_not_read() -> None:
    with pytest.raises(Refused, match="into the signatures"):
        unpack(SIGNED[OWNERS[0]] + contract_head(CONTRACT_OWNER, 65) + bytes(32))
    with pytest.raises(Refused, match="whole number"):
        unpack(SIGNED[OWNERS[0]] + b"\x01")


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(range(1, 9)), st.binary(max_size=70), max_size=5), st.integers(0, 5))
def test_whatever_is_packed_is_read_back(contracts: dict[int, bytes], plain_ones: int) -> None:
    made = {checksummed(bytes([one] * 20)): data for one, data in contracts.items()}
    every = {owner: SIGNED[owner] for owner in OWNERS[:plain_ones]}
    every |= {owner: contract_signature(owner, data) for owner, data in made.items()}
    assert unpack(pack(every)) == tuple(every[one] for one in sorted(every, key=lambda owner: int(owner, 16)))


def test_safe_eth_reads_the_packed_signatures_alike() -> None:
    from safe_eth.safe.safe_signature import SafeSignature

    mixed = {**SIGNED, OWNERS[1]: eth_sign(KEYS[1]), OWNERS[2]: pre_validated(OWNERS[2])}
    packed = pack(mixed)
    theirs = [one.owner for one in SafeSignature.parse_signature(packed, DIGEST)]
    assert theirs == list(check(to_hex(DIGEST), packed, OWNERS, 5, approved=[OWNERS[2]]))
