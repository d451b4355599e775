"""A transaction against the proposal it should be: every field and every call that differs, as expected and found."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from incident_cli.errors import Misused
from incident_cli.evm import Call, to_hex
from incident_cli.flows.multisig.expectation import expected_of
from incident_cli.flows.multisig.inspecting import Inspection, judge
from incident_cli.flows.multisig.loading import Loaded
from incident_cli.flows.multisig.loading import loaded as load
from incident_cli.safe.transaction import FIELDS, SafeTx
from tests.flows.inspected import LIMIT, PAUSE, STRANGER, aids, codes, loaded, look, made, proposal, view

OTHERS: dict[str, Any] = {
    "chain_id": 10, "safe": STRANGER, "version": "1.3.0", "to": STRANGER, "value": 1, "data": b"\x01", "operation": 1,
    "safe_tx_gas": 1, "base_gas": 1, "gas_price": 1, "gas_token": STRANGER, "refund_receiver": STRANGER, "nonce": 8,
}  # fmt: skip


def proposed(*calls: Call) -> Loaded:
    return load(proposal(calls), "proposal.json")


def shown(found: Inspection) -> list[tuple[str, str, str]]:
    return [(one.what, one.expected, one.found) for one in found.differences]


def test_a_proposal_that_is_what_it_says_is_clean() -> None:
    for calls in ([PAUSE], [PAUSE, LIMIT]):
        own = judge(proposed(*calls), aids(), view(made(calls)))
        assert (own.verdict, own.differences) == ("clean", ())
        held = look(made(calls), expect=proposed(*calls))
        assert (held.verdict, held.differences) == ("clean", ())


@pytest.mark.parametrize("name", [one for one, *_ in FIELDS])
def test_each_field_that_differs_is_in_the_table(name: str) -> None:
    json_name = {one: shown_name for one, shown_name, _, _ in FIELDS}[name]
    other: SafeTx = dataclasses.replace(made([PAUSE]), **{name: OTHERS[name]})
    found = look(other, expect=proposed(PAUSE))
    assert "field-differs" in codes(found, "refused")
    row = (json_name, str(made([PAUSE]).to_json()[json_name]), str(other.to_json()[json_name]))
    assert row in shown(found)


def test_an_argument_that_differs_is_named() -> None:
    other = dataclasses.replace(LIMIT, args=(250_000_000_000, 7_200))
    found = look(made([PAUSE, other]), expect=proposed(PAUSE, LIMIT))
    assert "call-differs" in codes(found, "refused")
    assert ("call 2 period", "3600", "7200") in shown(found)
    assert not any(what.startswith("call 1") for what, _, _ in shown(found))


def test_another_function_another_value_and_a_call_more_or_less() -> None:
    swapped = look(made([LIMIT, PAUSE]), expect=proposed(PAUSE, LIMIT))
    assert ("call 1 data", to_hex(PAUSE.data), to_hex(LIMIT.data)) in shown(swapped)
    assert ("call 1 function", "setMarketPaused(bytes32,bool)", "function 0x1a01a7ba") in shown(swapped)
    paid = look(made([dataclasses.replace(PAUSE, value=5)]), expect=proposed(PAUSE))
    assert ("call 1 value", "0", "5") in shown(paid)
    assert "unexpected-value" in codes(paid, "refused")
    more = look(made([PAUSE, LIMIT]), expect=proposed(PAUSE))
    assert "call-count" in codes(more, "refused")
    assert any(what == "call 2" and not expected for what, expected, _ in shown(more))
    fewer = look(made([PAUSE]), expect=proposed(PAUSE, LIMIT))
    assert any(what == "call 2" and not there for what, _, there in shown(fewer))
    padded = look(dataclasses.replace(made([PAUSE]), data=PAUSE.data + b"\0"), expect=proposed(PAUSE))
    assert "padded-calldata" in codes(padded, "refused")


def test_a_proposal_whose_calls_are_not_its_transaction_is_refused() -> None:
    """The hashes cover the transaction alone: the words and the calls beside it could be anybody's."""
    records = proposal([LIMIT])["calls"]
    found = judge(load(proposal([PAUSE], calls=records), "p.json"), aids(), view(made([PAUSE])))
    assert "call-differs" in codes(found, "refused")
    assert found.calls[0].plain.startswith("exchange.pause_market: ")


def test_the_words_of_a_proposal_are_not_repeated() -> None:
    records = [{**proposal([PAUSE])["calls"][0], "plain": "Nothing to see here."}]
    found = judge(load(proposal([PAUSE], calls=records), "p.json"), aids(), view(made([PAUSE])))
    assert "Nothing to see" not in str(found.to_json())


@pytest.mark.parametrize(
    "change",
    [
        {"to": STRANGER.lower()}, {"to": 5}, {"signature": "no signature"}, {"data": "0x12"}, {"data": "zz"},
        {"data": to_hex(PAUSE.data) + "00"}, {"value": "-1"}, {"value": "1\x1b"}, {"signature": None},
    ],
)  # fmt: skip
def test_calls_that_are_not_written_as_incident_writes_them(change: dict[str, object]) -> None:
    records = [{**proposal([PAUSE])["calls"][0], **change}]
    with pytest.raises(Misused, match=r"call 1 of p\.json"):
        expected_of(load(proposal([PAUSE], calls=records), "p.json"))


@pytest.mark.parametrize("calls", [None, {}, [5], [{}] * 2_001])
def test_a_proposal_lists_its_calls(calls: object) -> None:
    with pytest.raises(Misused):
        expected_of(load(proposal([PAUSE], calls=calls), "p.json"))
    with pytest.raises(Misused, match="lists no calls"):
        expected_of(loaded(made([PAUSE])))
