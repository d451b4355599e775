"""Outgoing transactions against eth_account: the same bytes for any fields."""

from __future__ import annotations

import pytest
from eth_account import Account as EthAccount
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.drills.accounts import account
from incident_cli.evm import checksummed
from incident_cli.outgoing import Outgoing, signature_in
from tests.fakes.signers import outgoing_in

SENDER = account(1, "council 1")
KEY = SENDER._key.to_bytes()
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
