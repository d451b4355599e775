"""Typed data of every Safe version against eth_account's encoder, which knows nothing of Safes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.errors import Refused
from incident_cli.evm import ZERO, checksummed, to_hex
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.typed_data import safe_tx_typed_data
from tests.fakes.signers import digest_of

VERSIONS = ("0.0.2", "0.1.0", "1.0.0", "1.1.1", "1.2.0", "1.3.0", "1.3.0+L2", "1.4.1", "1.5.0")
SMALL, FULL = 25, 5_000
words = st.one_of(st.integers(0, 3), st.integers(0, 2**256 - 1))
addresses = st.binary(min_size=20, max_size=20).map(checksummed)
SAFE, TARGET = checksummed(b"\x11" * 20), checksummed(b"\x22" * 20)
TX = SafeTx(chain_id=1, safe=SAFE, version="1.4.1", to=TARGET, value=0, data=b"\x01", operation=0, nonce=7)


def transactions() -> st.SearchStrategy[SafeTx]:
    """Any well-formed transaction."""
    gas = dict.fromkeys(("safe_tx_gas", "base_gas", "gas_price"), words)
    tokens = dict.fromkeys(("gas_token", "refund_receiver"), addresses)
    plain = {"chain_id": words, "safe": addresses, "to": addresses, "value": words, "nonce": words}
    rest = {"data": st.binary(max_size=100), "operation": st.integers(0, 1), "version": st.sampled_from(VERSIONS)}
    return st.builds(SafeTx, **plain, **rest, **gas, **tokens)


def agrees(tx: SafeTx) -> None:
    """The JSON, hashed by eth_account, is what is signed here and what the Safe hashes; nothing in it is a number."""
    found = safe_tx_typed_data(tx)
    document = json.loads(json.dumps(found.to_json()))
    assert digest_of(document) == found.digest
    assert to_hex(found.digest) == hash_transaction(tx).safe_tx_hash
    assert all(isinstance(value, str) for value in [*document["message"].values(), *document["domain"].values()])


@settings(max_examples=SMALL, deadline=None)
@given(transactions())
def test_eth_account_hashes_the_same(tx: SafeTx) -> None:
    agrees(tx)


@pytest.mark.campaign
@settings(max_examples=FULL, deadline=None)
@given(transactions())
def test_eth_account_hashes_the_same_at_length(tx: SafeTx) -> None:
    agrees(tx)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_has_its_own_domain_and_names(version: str) -> None:
    tx = replace(TX, version=version)
    document = safe_tx_typed_data(tx).to_json()
    before_names = version in ("0.0.2", "0.1.0")
    assert ("dataGas" in document["message"]) == before_names != ("baseGas" in document["message"])
    assert ("chainId" in document["domain"]) == (version >= "1.3.0")
    assert document["message"]["gasToken"] == ZERO
    agrees(tx)


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(Refused):
        safe_tx_typed_data(replace(TX, version="9.9.9"))
