"""From a file to a card without a chain: what runs is decoded here, what the file says is its author's word."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.abi import encode_call, parse_signature
from incident_cli.cli import safe_card
from incident_cli.errors import IncidentError, Misused, Refused
from incident_cli.evm import Call, checksummed, to_hex
from incident_cli.flows.multisig.aids import Aids
from incident_cli.flows.multisig.carding import card_of, rivals_of
from incident_cli.flows.multisig.inspecting import inspect_transaction
from incident_cli.flows.multisig.loading import Loaded, loaded
from incident_cli.report.signing_card import SigningCard, text
from incident_cli.report.signing_sheet import sheet
from incident_cli.safe.batch import fold, rejection
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.rotation import ADD
from incident_cli.safe.transaction import SafeTx
from tests.safe.test_any_json import JSON, paths_in, spoiled

SAFE, VENUE = checksummed(b"\x5a" * 20), checksummed(b"\xfe" * 20)
PAUSE = parse_signature("set_paused(bytes32 market, bool paused)")
CALLS = [Call(VENUE, PAUSE, (bytes([one]) * 32, True)) for one in (1, 2)]
HOSTILE = "\x1b]52;c;AAAA\x07<script>alert(1)</script>\u202e\u2028" + "x" * 50


def tx_of(*calls: Call, nonce: int = 7) -> SafeTx:
    """The calls as one transaction."""
    return fold(calls, chain_id=1, safe=SAFE, version="1.4.1", nonce=nonce)


def proposal(tx: SafeTx, calls: list[Call], **changes: Any) -> Loaded:
    """A proposal file, loaded."""
    records = [
        {"to": one.to, "signature": one.signature.source, "data": to_hex(one.data), "plain": f"stops market {number}"}
        for number, one in enumerate(calls, 1)
    ]
    hash_ = hash_transaction(tx).safe_tx_hash
    found = {"schema": "incident.proposal/v1", "safe_tx": tx.to_json(), "safe_tx_hash": hash_, "calls": records}
    return loaded(json.loads(json.dumps({**found, **changes})), "proposal.json")


def flat(tx: SafeTx) -> Loaded:
    """A flat file, loaded."""
    return loaded(json.loads(json.dumps(tx.to_json())), "flat.json")


def card(found: Loaded) -> SigningCard:
    """Its card, with no chain."""
    return card_of(found, inspect_transaction(found, Aids(), lambda name: None), None)


def test_each_call_has_its_own_sentence_and_its_decoded_arguments() -> None:
    made = card(proposal(tx_of(*CALLS), CALLS))
    assert made.batch and list(made.claims) == [("call 1", "stops market 1"), ("call 2", "stops market 2")]
    assert [one.function for one in made.calls] == [f"{PAUSE.canonical} (named by the file alone)"] * 2
    assert made.calls[1].args == {"market": "0x" + "02" * 32, "paused": "true"}


def test_a_sentence_for_another_call_is_not_shown() -> None:
    made = card(proposal(tx_of(*CALLS), [CALLS[1], CALLS[0]]))
    assert not made.claims
    assert any("call-differs" in one for one in made.warnings)


def test_what_nobody_knows_is_shown_as_its_bytes() -> None:
    tx = replace(tx_of(CALLS[0]), data=b"\xde\xad\xbe\xef\x01", value=3)
    (call,) = card(flat(tx)).calls
    assert call.function == "unknown function 0xdeadbeef" and call.args == {"data": "0xdeadbeef01"} and call.value == 3


def test_a_delegatecall_stands_out() -> None:
    tx = replace(tx_of(CALLS[0]), operation=1)
    assert card(flat(tx)).calls[0].function.startswith("DELEGATECALL")


def test_an_empty_rejection_has_no_call() -> None:
    tx = rejection(chain_id=1, safe=SAFE, version="1.4.1", nonce=7)
    assert "uses up nonce 7" in text(card(flat(tx)))


def test_a_simulation_of_the_file_is_called_the_files() -> None:
    simulation = {"state": "passed", "method": "eth_simulateV1", "reason": "", "overridden": [f"approval of {SAFE}"]}
    made = card(proposal(tx_of(*CALLS), CALLS, simulation=simulation))
    assert made.claims[-1] == ("simulation", f"passed by eth_simulateV1; approval of {SAFE}")
    for one in (made, card(proposal(tx_of(*CALLS), CALLS, simulation=None))):
        assert "NOT SIMULATED: nobody tried it" in text(one) and "Passed" not in text(one)


def test_overrides_name_who_overruled() -> None:
    people = [{"name": "Ann", "reason": "seen on a fork"}, {"name": "Bob", "reason": "same"}]
    overrides = [{"code": "not-simulated", "message": "no node can", "people": people}, {"people": 1}, "odd"]
    made = card(proposal(tx_of(*CALLS), CALLS, overrides=overrides))
    said = [words for about, words in made.claims if about == "overruled"]
    assert said[0] == "not-simulated: no node can; overruled by Ann (seen on a fork), Bob (same)"
    assert "nobody who is named" in said[1] and said[2] == "odd"
    assert "OVERRULED BY" not in text(made)


def test_hostile_words_everywhere_stay_words() -> None:
    changes: dict[str, Any] = dict.fromkeys(("incident", "runbook", "market", "because", "reopening"), HOSTILE)
    changes["overrides"] = [{"code": HOSTILE, "message": HOSTILE, "people": [{"name": HOSTILE, "reason": HOSTILE}]}]
    changes["simulation"] = {"state": HOSTILE, "method": HOSTILE, "reason": HOSTILE, "overridden": [HOSTILE] * 300}
    found = proposal(tx_of(*CALLS), CALLS, **changes)
    for record in found.document["calls"]:
        record["plain"] = HOSTILE
    shown, page = text(card(found)), sheet(card(found))
    assert not set(shown) & set("\x1b\x07\u202e\u2028") and not set(page) & set("\x1b\x07\u202e\u2028")
    assert "<script" not in page and "&lt;script&gt;" in page


@pytest.mark.parametrize("field", ["incident", "simulation", "overrides", "reopening"])
@pytest.mark.parametrize("value", [1, None, [], {}, "x", [None], {"state": 5}])
def test_odd_fields_never_break_a_card(field: str, value: Any) -> None:
    assert text(card(proposal(tx_of(*CALLS), CALLS, **{field: value})))


def test_fields_of_gas_and_refund_are_on_the_card() -> None:
    tx = replace(tx_of(CALLS[0]), gas_price=7, base_gas=2, gas_token=VENUE, refund_receiver=SAFE)
    assert card(flat(tx)).extras == {"baseGas": "2", "gasPrice": "7", "gasToken": VENUE, "refundReceiver": SAFE}
    assert not card(flat(tx_of(CALLS[0]))).extras


def test_a_safes_own_function_is_not_named_by_the_file() -> None:
    add = Call(SAFE, ADD, (VENUE, 2))
    assert "named by the file" not in card(proposal(tx_of(add), [add])).calls[0].function
    elsewhere = replace(add, to=VENUE)
    made = card(proposal(tx_of(elsewhere), [elsewhere])).calls[0].function
    assert made.startswith("addOwnerWithThreshold(address,uint256)")


def refused_card(tx: SafeTx, capsys: pytest.CaptureFixture[str], folder: Path) -> int:
    """The exit of `safe card` without a deployment; nothing is written."""
    path, out = folder / "tx.json", folder / "card.txt"
    path.write_text(json.dumps(tx.to_json()))
    with pytest.raises(Refused, match="is refused") as caught:
        safe_card.card(str(path), out=out)
    assert not out.exists() and not capsys.readouterr().out
    return caught.value.exit_code


def test_there_is_no_card_of_what_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    tx = tx_of(CALLS[0])
    wrongs: tuple[dict[str, Any], ...] = ({"operation": 1}, {"gas_price": 1, "refund_receiver": VENUE}, {"base_gas": 1})
    for wrong in wrongs:
        assert refused_card(replace(tx, **wrong), capsys, tmp_path) == 1


FULL = proposal(
    tx_of(*CALLS),
    CALLS,
    simulation={"state": "passed", "method": "m", "reason": "", "not_exercised": ["a"], "overridden": ["b"]},
    overrides=[{"code": "a", "message": "b", "people": [{"name": "c", "reason": "d"}]}],
    excluded=[SAFE],
    because="e",
    reopening="f",
).document


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_a_card_of_any_file_is_made_or_refused_in_words(data: st.DataObject) -> None:
    changed = spoiled(FULL, data.draw(st.sampled_from(paths_in(FULL))), data.draw(JSON))
    with contextlib.suppress(IncidentError):
        made = card(loaded(changed, "proposal.json"))
        assert sheet(made).encode() and not set(text(made)) & set("\x1b\x07\u202e\u2028")


def test_rivals_are_of_the_same_safe_and_nonce() -> None:
    own, other = tx_of(CALLS[0]), tx_of(CALLS[1])
    (rival,) = rivals_of(own, [flat(one) for one in (other, own)])
    assert rival.safe_tx_hash == hash_transaction(other).safe_tx_hash and VENUE in rival.does
    with pytest.raises(Misused, match="nonce 8"):
        rivals_of(own, [flat(tx_of(CALLS[1], nonce=8))])


def test_arguments_in_another_encoding_are_not_shown_as_if_they_were_plain() -> None:
    odd = parse_signature("note(string text)")
    data = encode_call(odd, ("harmless",)) + b"\x01" * 32
    made = card(flat(replace(tx_of(CALLS[0]), data=data)))
    assert made.calls[0].args == {"data": to_hex(data)}
