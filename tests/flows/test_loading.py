"""The transaction of a file: every form that is accepted, and each reason why another is not."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from incident_cli.errors import Misused, Refused
from incident_cli.flows.multisig.loading import FILE_CAP, load_transaction
from incident_cli.safe.hashes import hash_transaction
from tests.flows.inspected import PAUSE, STRANGER, made, proposal

TX = made([PAUSE])


def load(document: object, tmp_path: Path) -> Any:
    path = tmp_path / "tx.json"
    path.write_text(json.dumps(document))
    return load_transaction(path, None)


def signatures() -> dict[str, Any]:
    stated = hash_transaction(TX).safe_tx_hash
    return {
        "schema": "incident.signatures/v1",
        "safe_tx": TX.to_json(),
        "safe_tx_hash": stated,
        "signatures": [{"owner": STRANGER, "signature": "0x", "kind": "eoa"}],
    }


def test_the_three_forms(tmp_path: Path) -> None:
    flat = load(TX.to_json(), tmp_path)
    assert (flat.tx, flat.proposal) == (TX, None)
    whole = load(proposal([PAUSE]), tmp_path)
    assert whole.tx == TX
    assert whole.proposal is not None
    assert whole.proposal["calls"][0]["plain"] == "as planned"
    signed = load(signatures(), tmp_path)
    assert (signed.tx, signed.proposal) == (TX, None)
    assert len(signed.document["signatures"]) == 1


def test_stdin() -> None:
    content = json.dumps(TX.to_json()).encode()
    found = load_transaction("-", io.BytesIO(content))
    assert (found.tx, found.source) == (TX, "stdin")
    with pytest.raises(Misused, match="closed"):
        load_transaction("-", None)
    with pytest.raises(Misused, match="not JSON"):
        load_transaction("-", io.BytesIO(b"{"))
    with pytest.raises(Misused, match="larger"):
        load_transaction("-", io.BytesIO(b" " * (FILE_CAP + 1)))


@pytest.mark.parametrize("name", ["safe_tx_hash", "domain_hash", "message_hash", "calldata_digest", "calldata_bytes"])
def test_a_file_that_states_another_hash_was_changed(name: str, tmp_path: Path) -> None:
    lie: object = 1 if name == "calldata_bytes" else "0x" + "ab" * 32
    for value in (lie, None, [], str(lie), True):
        if name == "safe_tx_hash" and not isinstance(value, str):
            continue
        with pytest.raises(Refused, match=f"was changed: it states the {name}"):
            load(proposal([PAUSE], **{name: value}), tmp_path)
    with pytest.raises(Refused, match="was changed"):
        load({**signatures(), "safe_tx": {**TX.to_json(), "nonce": 8}}, tmp_path)


def test_hashes_are_compared_whatever_their_case(tmp_path: Path) -> None:
    stated = hash_transaction(TX).safe_tx_hash
    assert load(proposal([PAUSE], safe_tx_hash="0x" + stated[2:].upper()), tmp_path).tx == TX


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"safeTxHash": "0x", "to": STRANGER, "nonce": 7}, "record of a transaction service"),
        ({"contractTransactionHash": "0x", "confirmations": []}, "record of a transaction service"),
        ({"version": "1.0", "chainId": "1", "meta": {}, "transactions": []}, "Transaction Builder"),
        ({"schema": "incident.reopening/v1", "safe_tx": {}}, "incident.reopening/v1"),
        ({"safe_tx": {}}, "schema"),
        ({"schema": "incident.proposal/v1", "safe_tx": TX.to_json()}, "lacks safe_tx_hash"),
        ([], "no JSON object"),
        ({}, "lacks chainId"),
        ({**TX.to_json(), "nonce": "7"}, "nonce is wrong"),
        ({**TX.to_json(), "value": 7}, "value is wrong"),
        ({**TX.to_json(), "extra": 7}, "no field extra"),
        ({"\x1b[2J": 1}, "<U"),
    ],
)
def test_what_is_no_such_file_is_named(document: object, words: str, tmp_path: Path) -> None:
    with pytest.raises(Misused) as caught:
        load(document, tmp_path)
    assert words in caught.value.message
    assert "\x1b" not in caught.value.message


def test_the_way_out_of_a_service_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misused) as caught:
        load({"safeTxHash": "0x"}, tmp_path)
    assert "incident safe import" in caught.value.hint
    assert "incident safe confirm" in caught.value.hint
    assert "version and chain id" in caught.value.message


def test_files_are_read_carefully(tmp_path: Path) -> None:
    target, link = tmp_path / "a.json", tmp_path / "b.json"
    target.write_text(json.dumps(TX.to_json()))
    link.symlink_to(target)
    for path in (link, tmp_path, tmp_path / "missing.json"):
        with pytest.raises(Misused):
            load_transaction(path, None)
    target.write_text('{"nonce": 1, "nonce": 2}')
    with pytest.raises(Misused, match="twice"):
        load_transaction(target, None)
