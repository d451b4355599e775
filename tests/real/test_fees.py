"""Quotes against a real node: what they price is mined, replaced and refused as they say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from incident_cli.abi import parse_signature
from incident_cli.chain.execution import send_raw
from incident_cli.chain.fees import cost, outgoing_for, quote
from incident_cli.drills.accounts import account
from incident_cli.errors import Refused
from incident_cli.evm import ZERO, Call
from incident_cli.safe.signing import raw_by
from tests.contracts.packages import Packages
from tests.contracts.safes import build_safe
from tests.fakes.anvil import Anvil
from tests.fakes.signers import AccountSigner

PAYER = account(5, "broadcaster")
POOR = account(5, "poor")


@pytest.fixture(scope="module")
def pool(packages: Packages) -> Iterator[Anvil]:
    """A node that mines when it is told to, and an account with a coin on it."""
    with Anvil(packages.anvil, automine=False) as running:
        for one in (PAYER, POOR):
            running.rpc("anvil_setBalance", one.address, hex(10**18 if one is PAYER else 10**9))
        yield running


@pytest.fixture(scope="module")
def mining(packages: Packages) -> Iterator[Anvil]:
    with Anvil(packages.anvil) as running:
        running.rpc("anvil_setBalance", PAYER.address, hex(10**18))
        yield running


def test_an_execution_of_a_safe_is_priced_and_mined(mining: Anvil) -> None:
    safe = build_safe(mining, "1.4.1")
    tx = safe.transaction([Call(safe.address, parse_signature("nonce() view returns (uint256)"))])
    data = safe.execution(tx, safe.owners[:2])
    endpoint, chain_id = mining.endpoint(), mining.chain_id
    outgoing = outgoing_for(endpoint, chain_id, PAYER.address, safe.address, data)
    sent = send_raw(endpoint, raw_by(AccountSigner(PAYER), outgoing))
    receipt = mining.receipt(sent)
    assert receipt["status"] == "0x1"
    assert int(receipt["gasUsed"], 16) <= outgoing.gas
    assert int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16) <= cost(outgoing)
    with pytest.raises(Refused, match="would fail: reverted: GS026"):  # the nonce is spent
        outgoing_for(endpoint, chain_id, PAYER.address, safe.address, data)


def test_a_stuck_transaction_is_seen_and_replaced(pool: Anvil) -> None:
    endpoint, chain_id, signer = pool.endpoint(), pool.chain_id, AccountSigner(PAYER)
    first = quote(endpoint, chain_id, PAYER.address, ZERO, b"", value=1)
    send_raw(endpoint, raw_by(signer, first.outgoing))
    behind = quote(endpoint, chain_id, PAYER.address, ZERO, b"", value=1)
    assert (behind.sender.waiting, behind.outgoing.nonce) == (1, first.outgoing.nonce + 1)
    again = outgoing_for(endpoint, chain_id, PAYER.address, ZERO, b"\x01", replacing=first.outgoing)
    sent = send_raw(endpoint, raw_by(signer, again))
    pool.mine()
    assert pool.receipt(sent)["status"] == "0x1"
    with pytest.raises(Refused, match="is spent"):
        outgoing_for(endpoint, chain_id, PAYER.address, ZERO, b"", replacing=again)


def test_who_cannot_pay(pool: Anvil) -> None:
    with pytest.raises(Refused, match=f"{POOR.address} holds 0.000000001 coins"):
        outgoing_for(pool.endpoint(), pool.chain_id, POOR.address, ZERO, b"")
