"""Both implementations against real transactions, against each other, and against the contracts themselves."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from incident_cli.errors import Refused
from incident_cli.evm import checksummed, keccak, to_hex
from incident_cli.safe.hashes import SafeHashes, hash_transaction
from incident_cli.safe.second_opinion import agree, agree_with_contract, hashes_by_safe_eth
from incident_cli.safe.transaction import FIELDS, SHOWN_NAMES, SafeTx

VECTORS = Path(__file__).parents[2].parent / "shared" / "data" / "safe_tx_vectors.json"
VERSIONS = ("1.0.0", "1.1.1", "1.2.0", "1.3.0", "1.3.0+L2", "1.4.1", "1.5.0")
SMALL, FULL = 60, 10_000

words = st.one_of(st.integers(0, 3), st.integers(0, 2**256 - 1))
addresses = st.binary(min_size=20, max_size=20).map(checksummed)


def transactions(versions: tuple[str, ...] = VERSIONS) -> st.SearchStrategy[SafeTx]:
    """Any well-formed transaction."""
    return st.builds(
        SafeTx,
        chain_id=words,
        safe=addresses,
        version=st.sampled_from(versions),
        to=addresses,
        value=words,
        data=st.binary(max_size=100),
        operation=st.integers(0, 1),
        safe_tx_gas=words,
        base_gas=words,
        gas_price=words,
        gas_token=addresses,
        refund_receiver=addresses,
        nonce=words,
    )


def vectors() -> list[dict[str, Any]]:
    if not VECTORS.exists():
        pytest.skip("the 204 real Safe transactions (shared/data/safe_tx_vectors.json) are not beside this checkout")
    found: list[dict[str, Any]] = json.loads(VECTORS.read_text())["vectors"]
    return found


def test_real_transactions_by_both_implementations() -> None:
    known = vectors()
    assert len(known) == 204
    for vector in known:
        flat = {name: vector[name] for name in SHOWN_NAMES}
        tx = SafeTx.from_json(flat)
        assert tx.to_json() == flat
        hashes = agree(tx, contract_hash=vector["safeTxHash"])
        assert (hashes.domain_hash, hashes.message_hash) == (vector["domainHash"], vector["messageHash"])
        assert hashes.calldata_digest == to_hex(keccak(len(tx.data).to_bytes(32, "big") + tx.data))
        assert hashes.calldata_bytes == len(tx.data)


def same_by_both(tx: SafeTx) -> None:
    assert agree(tx, contract_hash=None) == hash_transaction(tx)


@settings(max_examples=SMALL, deadline=None)
@given(transactions(("0.0.2", "0.1.0", *VERSIONS)))
def test_both_implementations_agree(tx: SafeTx) -> None:
    same_by_both(tx)


@pytest.mark.campaign
def test_both_implementations_agree_at_length(request: pytest.FixtureRequest) -> None:
    if "campaign" not in str(request.config.getoption("markexpr")):
        pytest.skip("a long campaign: run with -m campaign")
    settings(max_examples=FULL, deadline=None)(given(transactions())(same_by_both))()


@settings(max_examples=100, deadline=None)
@given(transactions(), transactions(), st.sampled_from([name for name, *_ in FIELDS if name != "version"]))
def test_every_field_is_signed(tx: SafeTx, other: SafeTx, field: str) -> None:
    changed = dataclasses.replace(tx, **{field: getattr(other, field)})
    assume(changed != tx)
    before, after = hash_transaction(tx), hash_transaction(changed)
    replays = field == "chain_id" and tx.version in ("1.0.0", "1.1.1", "1.2.0")
    assert (before.safe_tx_hash == after.safe_tx_hash) is replays
    assert (before.domain_hash != after.domain_hash) is (field in ("safe", "chain_id") and not replays)
    assert (before.calldata_digest != after.calldata_digest) is (field == "data")


def example() -> SafeTx:
    return SafeTx(
        chain_id=5,
        safe=checksummed(b"\x11" * 20),
        version="1.4.1",
        to=checksummed(b"\x22" * 20),
        value=0,
        data=b"",
        operation=0,
        nonce=0,
    )


def test_a_dispute_is_refused_and_shows_every_value() -> None:
    tx, lie = example(), "0x" + "ab" * 32
    ours = hash_transaction(tx).safe_tx_hash
    asks: list[Callable[[], SafeHashes]] = [
        lambda: agree(tx, contract_hash=lie),
        lambda: agree_with_contract(tx, lie),
    ]
    for ask in asks:
        with pytest.raises(Refused) as caught:
            ask()
        assert lie in caught.value.message
        assert ours in caught.value.message
    for nonsense in ("", "0x", ours[:-1], ours + "\x1b]52;"):
        with pytest.raises(Refused) as caught:
            agree(tx, contract_hash=nonsense)
        assert "\x1b" not in caught.value.message
    assert agree(tx, contract_hash=ours.upper().replace("0X", "0x")) == agree_with_contract(tx, ours)


def test_unknown_versions_are_not_hashed() -> None:
    for version in ("0.0.1", "1.5.1", "1.6.0", "2.0.0"):
        with pytest.raises(Refused, match="not known"):
            hash_transaction(dataclasses.replace(example(), version=version))


def test_no_nonce_and_no_chain_is_still_no_network() -> None:
    tx = dataclasses.replace(example(), nonce=0, chain_id=0, version="1.3.0")
    assert isinstance(agree(tx, contract_hash=None), SafeHashes)
    assert hashes_by_safe_eth(tx).safe_tx_hash == hash_transaction(tx).safe_tx_hash
