"""What a service says is read strictly: a record is whole and in range, or it is none; nothing else ever happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from incident_cli.errors import IncidentError, Refused, Unread
from incident_cli.flows.explaining import explain
from incident_cli.safe.service_explanations import EXPLANATIONS, see
from incident_cli.safe.service_records import Malformed, page_of, parse_delegate, parse_transaction
from incident_cli.safe.service_road import asked_to_wait, flat
from tests.fakes.signers import mirrored
from tests.safe.service_desk import CHAIN_ID, FIRST, HASH, OWNERS, SAFE, SECOND, TRUST, TX, client, kept, serving

RECORD: dict[str, Any] = {**kept(TX, FIRST, SECOND).to_json(), "submissionDate": "2026-11-22T17:00:00Z"}
DELEGATE: dict[str, Any] = {"safe": SAFE, "delegate": TRUST[0], "delegator": TRUST[1], "label": "x", "expiryDate": None}
SIGNED = ("to", "value", "data", "operation", "gasToken", "safeTxGas", "baseGas", "gasPrice", "refundReceiver", "nonce")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)
BAD: list[tuple[str, Any]] = [
    ("safe", SAFE.lower()),
    ("to", "0x12"),
    ("to", None),
    ("value", "1.5"),
    ("value", "-1"),
    ("value", "0x10"),
    ("value", " 1"),
    ("value", "٣"),
    ("value", True),
    ("value", str(2**256)),
    ("value", 1.0),
    ("nonce", None),
    ("nonce", -1),
    ("data", "0x1"),
    ("data", "8456cb59"),
    ("data", 7),
    ("operation", "call"),
    ("gasToken", "0x"),
    ("safeTxHash", "0x12"),
    ("safeTxHash", None),
    ("isExecuted", "false"),
    ("isExecuted", None),
    ("isSuccessful", 1),
    ("trusted", "yes"),
    ("proposer", "somebody"),
    ("transactionHash", "0x"),
    ("confirmations", {}),
    ("confirmations", [None]),
    ("confirmations", [{}] * 501),
    ("confirmations", [{"owner": SAFE, "signature": "zz", "signatureType": "EOA"}]),
    ("confirmations", [{"owner": "me", "signature": "0x", "signatureType": "EOA"}]),
]


@pytest.mark.parametrize(("field", "value"), BAD)
def test_a_field_that_is_out_of_its_range_makes_it_no_record(field: str, value: Any) -> None:
    with pytest.raises(Malformed):
        parse_transaction({**RECORD, field: value})


def test_numbers_may_be_numbers_and_what_may_be_null_may_be_null() -> None:
    changed = {"nonce": 7, "value": 0, "gasToken": None, "refundReceiver": None, "safeTxGas": 0, "origin": None}
    found = parse_transaction({**RECORD, **changed, "confirmations": None, "proposer": None})
    assert found.safe_tx(CHAIN_ID, "1.4.1") == TX
    assert (found.origin, found.proposer, found.confirmations) == ("", None, ())


def test_what_reaches_a_screen_is_plain() -> None:
    confirmation: dict[str, Any] = {"owner": OWNERS[0].address, "signature": None, "signatureType": "EOA\x1b[2J"}
    found = parse_transaction({**RECORD, "origin": "a\u202eb" * 200, "confirmations": [confirmation]})
    assert "\u202e" not in found.origin and len(found.origin) < 2_000
    assert found.confirmations[0].kind == "EOA<U+001B>[2J"
    assert found.proven == {}


@pytest.mark.parametrize("field", SIGNED)
def test_one_changed_field_is_another_transaction_and_refused(field: str) -> None:
    value = "0x" + "99" * 20 if field in ("to", "gasToken", "refundReceiver") else "0x00" if field == "data" else 1
    with pytest.raises(Refused, match="hash to"):
        parse_transaction({**RECORD, field: value}).safe_tx(CHAIN_ID, "1.4.1")


def test_what_no_transaction_can_hold_is_refused_when_it_is_rebuilt() -> None:
    for changed in ({"operation": 2}, {"data": "0x" + "00" * 200_000}):
        with pytest.raises(Refused, match="cannot be a Safe transaction"):
            parse_transaction({**RECORD, **changed}).safe_tx(CHAIN_ID, "1.4.1")


def test_only_a_signature_that_is_recovered_here_is_proven() -> None:
    owner = OWNERS[0].address
    for signature in (SECOND, bytes(65), FIRST[:64] + b"\x01", FIRST[:64] + b"\x00", FIRST + b"\x00", b""):
        shown: dict[str, Any] = {"owner": owner, "signature": "0x" + signature.hex(), "signatureType": "EOA"}
        assert parse_transaction({**RECORD, "confirmations": [shown]}).proven == {}
    assert parse_transaction(RECORD).proven == {owner: FIRST, OWNERS[1].address: SECOND}
    other: dict[str, Any] = {"owner": owner, "signature": "0x" + mirrored(FIRST).hex(), "signatureType": "EOA"}
    assert parse_transaction({**RECORD, "confirmations": [other]}).proven == {owner: mirrored(FIRST)}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(RECORD)), ANYTHING)
def test_whatever_stands_in_a_field_it_is_a_record_or_it_is_none(field: str, value: Any) -> None:
    try:
        found = parse_transaction({**RECORD, field: value})
        found.safe_tx(CHAIN_ID, "1.4.1")
    except (Malformed, IncidentError):
        return
    assert found.safe_tx_hash == HASH


@settings(max_examples=200, deadline=None)
@given(ANYTHING)
def test_whatever_comes_is_read_or_malformed(value: Any) -> None:
    for parse in (parse_transaction, parse_delegate, page_of):
        try:
            parse(value)
        except Malformed as problem:
            assert str(problem)
    assert all(isinstance(one, str) for one in flat(value))


@settings(max_examples=60, deadline=None)
@given(ANYTHING)
@example(None)
@example({})
@example([])
def test_whatever_a_service_answers_is_believed_only_as_what_it_is(value: Any) -> None:
    with serving() as service:
        service.body = json.dumps(value).encode()
        desk = client(service)
        reads: list[Callable[[], object]] = [
            lambda: desk.pending(SAFE, 7),
            lambda: desk.delegates(SAFE),
            lambda: desk.transaction(HASH),
        ]
        for read in reads:
            with pytest.raises(Unread):
                read()


@pytest.mark.parametrize(("field", "value"), [("delegate", "x"), ("delegator", None), ("safe", "0x"), ("safe", 3)])
def test_a_delegate_that_is_none(field: str, value: Any) -> None:
    assert parse_delegate(DELEGATE).safe == SAFE
    assert parse_delegate({**DELEGATE, "safe": None}).safe is None
    with pytest.raises(Malformed):
        parse_delegate({**DELEGATE, field: value})


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-reset": "7"}, 7),
        ({"retry-after": "7"}, 7),
        ({"x-ratelimit-reset": "0"}, 1),
        ({"x-ratelimit-reset": "soon", "retry-after": " 3 "}, 3),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "9" * 5000}, None),
        ({"x-ratelimit-reset": "999999999999"}, 999_999_999_999),
        ({}, None),
    ],
)
def test_how_long_it_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_to_wait(headers)[0] == seconds


def test_every_code_of_the_service_can_be_explained() -> None:
    for code, words in EXPLANATIONS.items():
        assert (explain(code).word, explain(code).text) == (code, words)
        assert f"incident explain {code}" in see(code, "Do this.")
