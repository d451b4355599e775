"""Both roads over the curve give the same bytes, and those of eth_account; neither shows a key."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator

import pytest
from eth_account import Account as EthAccount
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli import curve
from incident_cli.curve import ORDER, Native, Portable, Road, installed

SMALL, FULL = 15, 2_000
LARGEST = ORDER.to_bytes(32, "big")
HAS_NATIVE = isinstance(installed(), Native)
needs_native = pytest.mark.skipif(not HAS_NATIVE, reason="coincurve is not installed")
words = st.one_of(st.integers(0, 3), st.integers(ORDER - 3, ORDER + 3), st.integers(0, 2**256 - 1)).map(
    lambda number: number.to_bytes(32, "big")
)
keys = words.filter(lambda one: 0 < int.from_bytes(one, "big") < ORDER)


@pytest.fixture(params=["native", "portable"])
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Road]:
    """What is installed; then the same with coincurve away."""
    if request.param == "native" and not HAS_NATIVE:
        pytest.skip("coincurve is not installed")
    if request.param == "portable":
        monkeypatch.setitem(sys.modules, "coincurve", None)
    installed.cache_clear()
    assert isinstance(installed(), Native if request.param == "native" else Portable)
    yield installed()
    installed.cache_clear()


def answer(work: Callable[[], bytes]) -> bytes | None:
    """What a road answers; None where it fails."""
    try:
        return work()
    except Exception:
        return None


def agree(private: bytes, digest: bytes) -> None:
    """Both roads and eth_account give one signature and one address, and recover it."""
    theirs, reduced = EthAccount.from_key(private), curve.reduced(digest)
    address, signed = curve.address_of(private), curve.sign(private, digest)
    assert address == theirs.address
    assert Native().public(private) == Portable().public(private)
    assert (
        Native().sign(private, reduced) == Portable().sign(private, reduced) == signed[:64] + bytes([signed[64] - 27])
    )
    assert signed == bytes(theirs.unsafe_sign_hash(reduced).signature)
    assert int.from_bytes(signed[32:64], "big") <= ORDER // 2
    assert curve.recover(digest, signed[:64], signed[64] - 27) == address
    mirrored = (ORDER - int.from_bytes(signed[32:64], "big")).to_bytes(32, "big")
    assert curve.recover(digest, signed[:32] + mirrored, 28 - signed[64]) == address


@needs_native
@settings(max_examples=SMALL, deadline=None)
@given(keys, words)
def test_both_roads_give_the_bytes_of_eth_account(private: bytes, digest: bytes) -> None:
    agree(private, digest)


@needs_native
@pytest.mark.campaign
@settings(max_examples=FULL, deadline=None)
@given(keys, words)
def test_both_roads_give_the_bytes_of_eth_account_at_length(private: bytes, digest: bytes) -> None:
    agree(private, digest)


@needs_native
@settings(max_examples=SMALL, deadline=None)
@given(words, keys, keys, st.integers(0, 1))
def test_both_roads_recover_the_same_from_anything(digest: bytes, r: bytes, s: bytes, parity: int) -> None:
    given = (curve.reduced(digest), r + s + bytes([parity]))
    assert answer(lambda: Native().recover(*given)) == answer(lambda: Portable().recover(*given))


def test_a_known_signature(road: Road) -> None:
    """RFC 6979 on secp256k1 with SHA-256: the key 1 over the hash of "Satoshi Nakamoto"."""
    digest = bytes.fromhex("a0dc65ffca799873cbea0ac274015b9526505daaaed385155425f7337704883e")
    signed = curve.sign((1).to_bytes(32, "big"), digest)
    assert signed[:32].hex() == "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
    assert signed[32:64].hex() == "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5"
    assert curve.address_of((1).to_bytes(32, "big")) == "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"


def test_a_signature_nobody_can_have_given(road: Road) -> None:
    """r is no x of the curve (5); the point at infinity (s·R = z·G, with R = G)."""
    no_point = (5).to_bytes(32, "big") + (1).to_bytes(32, "big")
    gx = Portable().public((1).to_bytes(32, "big"))
    digest = (7).to_bytes(32, "big")
    for signature, parity in ((no_point, 0), (gx[:32] + digest, gx[63] & 1)):
        with pytest.raises(ValueError, match="no key can have given"):
            curve.recover(digest, signature, parity)


@pytest.mark.parametrize(
    ("signature", "parity"),
    [
        (bytes(64), 0),
        (bytes([1]) * 63, 0),
        (bytes([1]) * 65, 0),
        (LARGEST + bytes([1]) * 32, 0),
        (bytes([1]) * 32 + LARGEST, 0),
        (bytes([1]) * 64, 2),
        (bytes([1]) * 64, -1),
    ],
)
def test_a_signature_out_of_range(signature: bytes, parity: int, road: Road) -> None:
    with pytest.raises(ValueError, match="out of range"):
        curve.recover(bytes(32), signature, parity)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_digest_of_another_length(length: int, road: Road) -> None:
    key = bytes([1]) * 32
    for work in (lambda: curve.sign(key, bytes(length)), lambda: curve.recover(bytes(length), bytes([1]) * 64, 0)):
        with pytest.raises(ValueError, match="a digest has 32 bytes"):
            work()


@pytest.mark.parametrize("private", [b"", bytes(32), LARGEST, b"\xff" * 32, b"\xab" * 31, b"\xab" * 33])
def test_what_is_no_key_is_never_shown(private: bytes, road: Road) -> None:
    for work in (lambda: curve.address_of(private), lambda: curve.sign(private, bytes(32))):
        with pytest.raises(ValueError, match="a private key is") as raised:
            work()
        told = "".join(traceback.format_exception(raised.value))
        assert raised.value.__context__ is None
        assert not private or (private.hex() not in told and repr(private) not in told)
        assert not private or str(int.from_bytes(private, "big")) not in told or not any(private)
