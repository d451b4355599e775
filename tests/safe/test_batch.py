"""Folding calls, and the one encoding of a batch that is accepted."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.abi import parse_signature
from incident_cli.errors import Misused, Refused
from incident_cli.evm import Call, checksummed
from incident_cli.safe.batch import (
    MULTI_SEND_SELECTOR,
    BatchError,
    InnerCall,
    decode_batch,
    encode_batch,
    fold,
    rejection,
)
from incident_cli.safe.contracts import MULTI_SEND, RELEASES

SAFE = checksummed(b"\x11" * 20)
TARGET = checksummed(b"\x22" * 20)
PAUSE = Call(TARGET, parse_signature("pause(uint256 market)"), (3,))
LIMIT = Call(checksummed(b"\x33" * 20), parse_signature("limit(uint256 most)"), (9,), value=5)

addresses = st.binary(min_size=20, max_size=20).map(checksummed)
plain_data = st.binary(max_size=80).filter(lambda data: data[:4] != MULTI_SEND_SELECTOR)
entries = st.builds(InnerCall, st.integers(0, 255), addresses, st.integers(0, 2**256 - 1), plain_data)


def test_one_call_is_itself() -> None:
    tx = fold([LIMIT], chain_id=1, safe=SAFE, version="1.1.1", nonce=4)
    assert (tx.operation, tx.to, tx.value, tx.data, tx.nonce) == (0, LIMIT.to, 5, LIMIT.data, 4)


@pytest.mark.parametrize("version", ["1.3.0", "1.3.0+L2", "1.4.1", "1.5.0"])
def test_several_go_through_multisend_call_only(version: str) -> None:
    tx = fold([PAUSE, LIMIT], chain_id=1, safe=SAFE, version=version, nonce=4)
    assert (tx.operation, tx.value) == (1, 0)
    assert tx.to == RELEASES[version.removesuffix("+L2")].multisend_call_only[0]
    assert decode_batch(tx.data) == tuple(InnerCall(0, one.to, one.value, one.data) for one in (PAUSE, LIMIT))
    other = RELEASES["1.3.0"].multisend_call_only[1]
    assert fold([PAUSE] * 2, chain_id=1, safe=SAFE, version=version, nonce=4, multisend=other).to == other


def test_nothing_to_fold_and_nothing_to_fold_with() -> None:
    with pytest.raises(Misused, match="no call"):
        fold([], chain_id=1, safe=SAFE, version="1.4.1", nonce=0)
    with pytest.raises(Refused, match=r"1\.1\.1"):
        fold([PAUSE, LIMIT], chain_id=1, safe=SAFE, version="1.1.1", nonce=0)


def test_a_rejection_is_the_empty_call_to_itself() -> None:
    tx = rejection(chain_id=1, safe=SAFE, version="1.4.1", nonce=9)
    assert (tx.to, tx.value, tx.data, tx.operation, tx.nonce) == (SAFE, 0, b"", 0, 9)


@settings(max_examples=80, deadline=None)
@given(st.lists(entries, min_size=1, max_size=5))
def test_decoding_undoes_encoding(batch: list[InnerCall]) -> None:
    assert decode_batch(encode_batch(batch)) == tuple(batch)


@settings(max_examples=80, deadline=None)
@given(st.lists(entries, min_size=1, max_size=3), st.data())
def test_a_batch_has_exactly_one_encoding(batch: list[InnerCall], data: st.DataObject) -> None:
    encoded = bytearray(encode_batch(batch))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    try:
        decoded = decode_batch(bytes(encoded))
    except BatchError:
        return
    assert decoded != tuple(batch)
    if not any(one.inner for one in decoded):
        assert encode_batch(decoded) == bytes(encoded)


def test_encoding_is_the_one_of_the_field() -> None:
    from safe_eth.safe.multi_send import MultiSendOperation, MultiSendTx

    from incident_cli.abi import encode_call

    batch = [InnerCall(0, PAUSE.to, 0, PAUSE.data), InnerCall(0, LIMIT.to, 5, LIMIT.data)]
    theirs = b"".join(
        bytes(MultiSendTx(MultiSendOperation(one.operation), one.to, one.value, one.data).encoded_data) for one in batch
    )
    assert encode_batch(batch) == encode_call(parse_signature(MULTI_SEND), (theirs,))


def wrapped(packed: bytes) -> bytes:
    """Calldata of multiSend(bytes) around any bytes."""
    from incident_cli.abi import encode_call

    return encode_call(parse_signature(MULTI_SEND), (packed,))


def test_malformed_batches_are_refused() -> None:
    good = encode_batch([InnerCall(0, TARGET, 0, b"\x01" * 5)])
    for bad, why in (
        (b"\0" * 4 + good[4:], "not multiSend"),
        (good[:4] + (64).to_bytes(32, "big") + good[36:], "offset"),
        (good[:40], "before the length"),
        (good + b"\0" * 32, "in all"),
        (good[:-1], "in all"),
        (good[:-1] + b"\1", "padding"),
        (wrapped(good[68 : 68 + 84]), "too few"),
        (wrapped(good[68 : 68 + 88]), "more than there are"),
        (wrapped(good[68 : 68 + 90] + b"\0"), "1 bytes at offset 90 are too few"),
        (good[:36] + b"\xff" * 32 + good[68:], "in all"),
        (encode_batch([]), "without a call"),
    ):
        with pytest.raises(BatchError, match=why):
            decode_batch(bad)


def test_nesting_is_kept_and_bounded() -> None:
    data = encode_batch([InnerCall(0, TARGET, 0, b"")])
    for _ in range(3):
        data = encode_batch([InnerCall(0, TARGET, 0, data)])
    assert decode_batch(data)[0].inner[0].inner[0].inner[0].data == b""
    with pytest.raises(BatchError, match="deep"):
        decode_batch(encode_batch([InnerCall(0, TARGET, 0, data)]))
