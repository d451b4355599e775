"""The vault as values: what is never signed in advance, what is no vault, and what an answer of the chain says."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.abi import encode, encode_call, parse_signature
from incident_cli.drills.accounts import account
from incident_cli.errors import IncidentError, Misused, Refused
from incident_cli.evm import CallRead, Missing, checksummed, hex_bytes, keccak
from incident_cli.levers.expectation import Expectation
from incident_cli.safe.contracts import EXEC_TRANSACTION, RELEASES
from incident_cli.safe.execution_data import execution_data
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.vault import Effect, Fact, Rung, Target, Vault, beyond, packed, require_harmless

SAFE, MARKET = checksummed(b"\x5a" * 20), checksummed(b"\x3a" * 20)
OWNERS = tuple(account(3, f"owner {one}") for one in (1, 2, 3))
PAUSED = parse_signature("paused() returns (bool)")
PAIR = parse_signature("limits() returns (uint256 daily, uint256 weekly)")
EXEC = parse_signature(EXEC_TRANSACTION)


def transaction(nonce: int = 7, **changes: Any) -> SafeTx:
    made = SafeTx(
        chain_id=1, safe=SAFE, version="1.4.1", to=MARKET, value=0, data=b"\x84\x56\xcb\x59", operation=0, nonce=nonce
    )
    return replace(made, **changes)


def rung(nonce: int = 7, signers: int = 2) -> Rung:
    tx = transaction(nonce)
    digest = hex_bytes(hash_transaction(tx).safe_tx_hash)
    return Rung("ETH-USD", tx, {one.address: one.sign_hash(digest) for one in OWNERS[:signers]})


def vault(rungs: int = 3) -> Vault:
    read = CallRead(MARKET, PAUSED)
    target = Target(
        "ETH-USD", "ab" * 32, ({"to": MARKET, "plain": "Stops."},), (Effect(Expectation("paused", read, True), None),)
    )
    return Vault(
        deployment="test",
        chain="ethereum",
        chain_id=1,
        safe=SAFE,
        version="1.4.1",
        threshold=2,
        owners=tuple(one.address for one in OWNERS),
        runbook="emergency",
        step="stop",
        armed_at="2026-11-22T03:00:00.000Z",
        block={"number": 5, "hash": "0x" + "11" * 32, "timestamp": 9},
        facts=(Fact("threshold", "call", SAFE, b"\xe7\x52\x35\xb8", encode(["uint256"], [2])),),
        targets=(target,),
        rungs=tuple(rung(7 + one) for one in range(rungs)),
    )


def test_a_vault_is_what_its_document_says() -> None:
    made = vault()
    again = Vault.from_json(json.loads(json.dumps(made.to_json())))
    assert again.to_json() == made.to_json() and again.rungs == made.rungs and again.facts == made.facts
    assert (made.nonces, made.left(8), made.markets) == ((7, 8, 9), (8, 9), ("ETH-USD",))
    with pytest.raises(Misused, match="holds nothing"):
        made.target("BTC-USD")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": "1.1.1"}, "cannot hold pre-signed"),
        ({"version": "1.2.0"}, "cannot hold pre-signed"),
        ({"safe_tx_gas": 1}, "safeTxGas"),
        ({"base_gas": 1}, "baseGas"),
        ({"gas_price": 1}, "gasPrice"),
        ({"gas_token": MARKET}, "gasToken"),
        ({"refund_receiver": MARKET}, "refundReceiver"),
        ({"operation": 1}, "delegatecall"),
    ],
)
def test_what_is_never_signed_in_advance(changes: dict[str, Any], words: str) -> None:
    require_harmless(transaction())
    with pytest.raises(Refused, match=words):
        require_harmless(transaction(**changes))


def test_a_batch_through_multisend_call_only_may_be() -> None:
    require_harmless(transaction(to=RELEASES["1.4.1"].multisend_call_only[0], operation=1))


def damaged(change: Callable[[dict[str, Any]], object]) -> str:
    document = copy.deepcopy(json.loads(json.dumps(vault().to_json())))
    change(document)
    with pytest.raises(IncidentError) as caught:
        Vault.from_json(document)
    return caught.value.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda one: one.update(schema="other/v1"), "no vault"),
        (lambda one: one["rungs"].pop(1), "gap"),
        (lambda one: one["rungs"].append(one["rungs"][0]), "one rung for each market"),
        (lambda one: one["rungs"].clear(), "one rung for each market"),
        (lambda one: one["rungs"][0]["safe_tx"].update(to=SAFE), "is not the transaction"),
        (lambda one: one["rungs"][0].update(safe_tx_hash="0x" + "22" * 32), "is not the transaction"),
        (lambda one: one["rungs"][0]["safe_tx"].update(safeTxGas="9"), "safeTxGas"),
        (lambda one: one["rungs"][0]["signatures"][0].update(signature="0x00"), "65 bytes"),
        (lambda one: one.update(chain_id=2), "another Safe or chain"),
        (lambda one: one.update(safe="0x12"), "abbreviated"),
        (lambda one: one.update(threshold=True), "a number"),
        (lambda one: one["targets"].clear(), "one rung for each market"),
        (lambda one: one["targets"][0]["expect"][0].pop("call"), "call"),
        (lambda one: one["facts"][0].update(ask="shell"), "shell"),
        (lambda one: one.pop("block"), "block"),
        (lambda one: one.update(rungs=7), "list"),
    ],
)
def test_a_changed_document_is_no_vault(change: Callable[[dict[str, Any]], object], words: str) -> None:
    assert words in damaged(change)


@pytest.mark.parametrize("document", [None, [], "x", {}, {"schema": "incident.vault/v1"}])
def test_other_documents_are_no_vault(document: object) -> None:
    with pytest.raises(Misused):
        Vault.from_json(document)


def effect(value: object, before: object) -> Effect:
    return Effect(Expectation("daily", CallRead(MARKET, PAIR, path=(1,)), value), before)


def test_an_effect_is_shown_open_or_would_be_loosened() -> None:
    lowering = effect(20, 100)
    said = {found: lowering.judge(encode(["uint256", "uint256"], [1, found])) for found in (20, 100, 50, 5, 200)}
    assert said == {20: "shown", 100: "open", 50: "open", 5: "loosens", 200: "open"}
    raising = effect(100, 20)
    assert raising.judge(encode(["uint256", "uint256"], [1, 500])) == "loosens"
    assert isinstance(lowering.judge(b"\x01"), Missing) and isinstance(lowering.judge(b""), Missing)
    again = Effect.from_json(json.loads(json.dumps(lowering.to_json())))
    assert again == lowering


def test_truth_is_no_number() -> None:
    paused = Effect(Expectation("paused", CallRead(MARKET, PAUSED), True), False)
    assert paused.judge(encode(["bool"], [False])) == "open" and paused.judge(encode(["bool"], [True])) == "shown"
    assert not beyond(False, True, 2) and not beyond(0, 1, True) and beyond(0, 1, 2)


def test_a_fact_of_code_is_held_by_its_hash() -> None:
    code = Fact("code", "code", MARKET, b"", keccak(b"\x60\x00"))
    assert code.holds(b"\x60\x00") and not code.holds(b"") and not code.holds(b"\x60\x01")


def test_signatures_are_packed_ascending_and_only_of_owners() -> None:
    made, owners = rung(signers=3), [one.address for one in OWNERS]
    pieces = packed(made, owners, 2)
    rising = sorted(owners, key=lambda one: int(one, 16))
    assert pieces == b"".join(made.signatures[one] for one in rising[:2])
    assert packed(made, rising[1:], 2) == b"".join(made.signatures[one] for one in rising[1:])
    assert packed(made, rising[2:], 2) == made.signatures[rising[2]]


@settings(max_examples=150, deadline=None)
@given(
    data=st.binary(max_size=200),
    signatures=st.binary(max_size=200),
    value=st.integers(0, 2**256 - 1),
    numbers=st.tuples(*[st.integers(0, 2**256 - 1)] * 3),
    to=st.binary(min_size=20, max_size=20),
    operation=st.integers(0, 1),
)
def test_the_calldata_are_what_the_codec_writes(
    data: bytes, signatures: bytes, value: int, numbers: tuple[int, int, int], to: bytes, operation: int
) -> None:
    tx = transaction(
        data=data,
        value=value,
        to=checksummed(to),
        operation=operation,
        safe_tx_gas=numbers[0],
        base_gas=numbers[1],
        gas_price=numbers[2],
        gas_token=MARKET,
        refund_receiver=SAFE,
    )
    assert execution_data(tx, signatures) == encode_call(EXEC, (*tx.arguments, signatures))
