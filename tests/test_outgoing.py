"""Outgoing transactions against eth_account: the same bytes for any fields."""

from __future__ import annotations

import pytest
from eth_account import Account as EthAccount
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli import rlp
from incident_cli.drills.accounts import account
from incident_cli.evm import checksummed
from incident_cli.outgoing import TYPE, Outgoing, outgoing_of, signature_in
from tests.fakes.signers import outgoing_in

SENDER = account(1, "council 1")
KEY = SENDER._key
SMALL, FULL = 40, 3_000
words = st.one_of(st.integers(0, 300), st.integers(0, 2**256 - 1))
small = st.one_of(st.integers(0, 300), st.integers(0, 2**64 - 1))
addresses = st.binary(min_size=20, max_size=20).map(checksummed)
transactions = st.builds(Outgoing, small, small, addresses, st.binary(max_size=300), small, words, words, words)


def agrees(outgoing: Outgoing) -> None:
    """The raw bytes are eth_account's, and everything can be read back from them."""
    rpc = outgoing.to_rpc(SENDER.address)
    numbers = {name: int(text, 16) for name, text in rpc.items() if name not in ("from", "to", "data")}
    wanted = {**numbers, "to": outgoing.to, "data": outgoing.data}
    theirs = EthAccount.sign_transaction(wanted, KEY)
    raw = outgoing.signed(SENDER.sign_hash(outgoing.digest()))
    assert raw == bytes(theirs.raw_transaction)
    assert outgoing.signed(signature_in(raw)) == raw
    assert outgoing_in(dict(rpc)) == outgoing


@settings(max_examples=SMALL, deadline=None)
@given(transactions)
def test_the_same_bytes_as_eth_account(outgoing: Outgoing) -> None:
    agrees(outgoing)


@pytest.mark.campaign
@settings(max_examples=FULL, deadline=None)
@given(transactions)
def test_the_same_bytes_as_eth_account_at_length(outgoing: Outgoing) -> None:
    agrees(outgoing)


def written(fields: list[rlp.Item]) -> bytes:
    return TYPE + rlp.encode(fields)


FIELDS: list[rlp.Item] = [1, 3, 10**9, 2 * 10**9, 21_000, b"\x22" * 20, 5, b"\x01\x02", (), 1, 7, 9]


def test_a_raw_transaction_is_read() -> None:
    found = outgoing_of(written(FIELDS))
    assert found == Outgoing(1, 3, checksummed(b"\x22" * 20), b"\x01\x02", 21_000, 2 * 10**9, 10**9, 5)
    assert signature_in(written(FIELDS)) == (7).to_bytes(32, "big") + (9).to_bytes(32, "big") + b"\x1c"


@pytest.mark.parametrize(
    ("place", "value"),
    [(0, ()), (1, b"\x00\x01"), (4, b"\x01" * 33), (5, b""), (5, b"\x22" * 21), (6, ()), (7, ()), (8, b"")],
)
def test_what_is_no_transaction_of_ours(place: int, value: rlp.Item) -> None:
    with pytest.raises(ValueError, match=r"its fields|it calls"):
        outgoing_of(written([*FIELDS[:place], value, *FIELDS[place + 1 :]]))


@pytest.mark.parametrize(("place", "value"), [(9, 2), (9, ()), (10, b"\x00"), (11, b"\x01" * 33)])
def test_what_is_no_signature(place: int, value: rlp.Item) -> None:
    with pytest.raises(ValueError, match=r"its fields|its signature"):
        signature_in(written([*FIELDS[:place], value, *FIELDS[place + 1 :]]))


@pytest.mark.parametrize("raw", [b"", b"\x01\xc0", b"\x02", b"\x02\xc0", b"\x02\x80", written([*FIELDS, 1])])
def test_what_is_no_transaction(raw: bytes) -> None:
    for read in (outgoing_of, signature_in):
        with pytest.raises(ValueError, match=r"it is of another type|its fields"):
            read(raw)
