"""Protocol files: the shipped ones are sound and fit the contracts; a broken one reports everything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from incident_cli.abi import Parameter, Signature
from incident_cli.evm import Address
from incident_cli.protocols.catalog import SHIPPED, Catalog, catalog_beside
from incident_cli.protocols.protocol import Protocol, load_protocol
from incident_cli.protocols.slot import BoundSlot, Market, abi_value
from incident_cli.units import Amount, Token

CONTRACTS = SHIPPED.parent / "drills" / "contracts"
SHIPPED_NAMES = sorted(path.stem for path in SHIPPED.glob("*.yaml"))

BROKEN = """protocol: broken
source: nowhere
slots: {exchange: address, other: addres}
reads:
  paused: {on: exchang, call: "paused()"}
  guardian: {on: exchange, call: "guardian( returns (address)"}
levers:
  class: {does: x, scope: markets, on: exchange, call: "stop()", expect: {}, writes: [], irreversible: true}
  halt: {does: "", scope: market, on: exchange, call: "stop()", expect: {paused: "1 or"}, writes: [], irreversible: yes}
"""
MISNAMED = """protocol: misnamed
source: nowhere
slots: {exchange: address}
reads:
  paused: {on: exchang, call: "paused()"}
levers:
  halt:
    does: stops
    scope: market
    args: {market: {type: market}}
    on: exchange
    call: "stop(bytes32 market, bool, uint256 until)"
    with: {untl: "1"}
    expect: {pausd: "markt == True"}
    writes: [exchnge]
    satisfied: "before.paused and befor.paused"
"""


def shipped(name: str) -> Protocol:
    protocol, document = load_protocol(SHIPPED / f"{name}.yaml")
    assert protocol is not None, document.report()
    return protocol


def of_abi(entry: dict[str, Any]) -> Signature:
    """An ABI entry of the compiler as a signature."""

    def parameters(many: list[dict[str, Any]]) -> tuple[Parameter, ...]:
        return tuple(Parameter(one["type"], one["name"]) for one in many)

    return Signature(entry["name"], parameters(entry["inputs"]), parameters(entry["outputs"]))


def functions(artefact: str) -> dict[str, Signature]:
    abi = json.loads((CONTRACTS / f"{artefact}.json").read_text())["abi"]
    found = [of_abi(one) for one in abi if one["type"] == "function"]
    return {one.canonical: one for one in found}


def events(artefact: str) -> dict[str, list[bool]]:
    """Each event's canonical form, and which of its inputs are indexed."""
    abi = json.loads((CONTRACTS / f"{artefact}.json").read_text())["abi"]
    return {
        f"{one['name']}({','.join(part['type'] for part in one['inputs'])})": [
            part["indexed"] for part in one["inputs"]
        ]
        for one in abi
        if one["type"] == "event"
    }


def test_every_shipped_protocol_file_is_sound() -> None:
    assert Catalog().names() == SHIPPED_NAMES
    assert [shipped(name).protocol for name in SHIPPED_NAMES] == SHIPPED_NAMES


@pytest.mark.parametrize(
    ("name", "artefact"),
    [
        ("drill-exchange", "options_exchange"),
        ("drill-margin", "margin_market"),
        ("drill-options", "option_marks"),
        ("timelock", "timelock"),
        ("chainlink-feed", "price_feed"),
        ("ccip-rmn", "rmn"),
        ("token", "usd_token"),
    ],
)
def test_every_signature_is_the_contracts_own(name: str, artefact: str) -> None:
    protocol, known = shipped(name), functions(artefact)
    for read in protocol.reads.values():
        assert read.call.output_types == known[read.call.canonical].output_types
    for lever in protocol.levers.values():
        assert lever.call.inputs == known[lever.call.canonical].inputs, "arguments are filled by their ABI names"
    for event in protocol.events.values():
        logged = events(artefact)[event.event.canonical]
        assert [one.indexed for one in event.event.inputs] == logged


def test_every_expectation_of_a_shipped_lever_is_a_read_of_one_output() -> None:
    for name in SHIPPED_NAMES:
        protocol = shipped(name)
        for lever in protocol.levers.values():
            assert lever.expect and lever.traps
            assert all(len(protocol.reads[read].answer_types) == 1 for read in lever.expect)


def problems(tmp_path: Path, text: str) -> list[tuple[int, str]]:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    protocol, document = load_protocol(path)
    assert protocol is None
    return [(one.place.line, one.code) for one in sorted(document.problems)]


def test_a_broken_file_reports_every_wrong_value_at_once(tmp_path: Path) -> None:
    assert problems(tmp_path, BROKEN) == [
        (3, "bad-value"),
        (6, "bad-signature"),
        (8, "bad-value"),
        (8, "bad-value"),
        (9, "bad-value"),
        (9, "bad-expression"),
        (9, "bad-value"),
    ]


def test_every_name_a_protocol_mentions_must_exist(tmp_path: Path) -> None:
    path = tmp_path / "misnamed.yaml"
    path.write_text(MISNAMED)
    _, document = load_protocol(path)
    assert sorted((one.code, one.message) for one in document.problems) == [
        ("argument-without-value", "the call stop(bytes32,bool,uint256) has no value for 'an unnamed parameter'"),
        ("argument-without-value", "the call stop(bytes32,bool,uint256) has no value for 'until'"),
        ("no-outputs", "the read 'paused' returns nothing: add returns (…)"),
        ("undo-or-irreversible", "a lever has an undo, or is irreversible: true"),
        ("unknown-argument", "stop(bytes32,bool,uint256) has no parameter 'untl'"),
        ("unknown-name", "'befor.paused' in 'before.paused and befor.paused' is not known"),
        ("unknown-name", "'markt' in 'markt == True' is not known"),
        ("unknown-read", "'pausd' is no read of this protocol"),
        ("unknown-slot", "'exchang' is no slot of this protocol"),
        ("unknown-slot", "'exchnge' is no slot of this protocol"),
    ]
    hints = {one.message: one.hint for one in document.problems}
    assert hints["'markt' in 'markt == True' is not known"] == "did you mean 'market'?"


@pytest.mark.parametrize("key", ["authority: [council]", "default: 1"])
def test_a_key_that_would_be_read_and_ignored_is_refused(tmp_path: Path, key: str) -> None:
    assert problems(tmp_path, f"protocol: a\nsource: b\nslots: {{a: address}}\n{key}\n") == [(4, "unknown-key")]


def test_an_in_house_file_beside_the_runbook_comes_before_the_shipped(tmp_path: Path) -> None:
    own = tmp_path / "protocols"
    own.mkdir()
    (own / "safe.yaml").write_text("protocol: safe\nsource: in-house\nslots: {safe: address}\n")
    catalog = catalog_beside(tmp_path / "runbook.yaml")
    found = catalog.find("safe")
    assert found is not None and found.source == "in-house"
    assert catalog.find("timelock") is not None
    assert catalog.documents["safe"].raw.startswith(b"protocol: safe\nsource: in-house")
    assert catalog.names() == SHIPPED_NAMES


def test_a_broken_in_house_file_is_never_replaced_by_the_shipped_one(tmp_path: Path) -> None:
    own = tmp_path / "protocols"
    own.mkdir()
    (own / "safe.yaml").write_text("protocol: safe\n")
    catalog = catalog_beside(tmp_path / "runbook.yaml")
    assert catalog.find("safe") is None
    assert catalog.documents["safe"].problems


def test_a_file_says_the_name_it_has(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("protocol: yours\nsource: b\nslots: {a: address}\n")
    catalog = Catalog((tmp_path,))
    assert catalog.find("mine") is None
    assert [one.code for one in catalog.documents["mine"].problems] == ["wrong-name"]
    assert catalog.find("none") is None
    assert "none" not in catalog.documents


def test_a_bound_slot_reads_at_its_own_addresses_with_abi_values() -> None:
    token, market = Token("USDC", 6), Market("ETH-USD", b"\x01" * 32)
    slot = BoundSlot("exchange", shipped("drill-exchange"), "ethereum", {"exchange": Address("0x" + "0" * 40)})
    read = slot.read("market_paused", (market,))
    assert (read.to, read.signature.name, read.args) == ("0x" + "0" * 40, "marketPaused", (b"\x01" * 32,))
    assert (abi_value(Amount(5, token)), abi_value(True), str(market)) == (5, True, "ETH-USD")


SOUND = """protocol: sound
source: nowhere
slots: {exchange: address, other: address}
reads:
  paused: {on: exchange, call: "paused(bytes32 market) returns (bool)"}
  cap: {on: exchange, call: "cap() returns (uint256)"}
levers:
  halt:
    does: stops
    scope: market
    args: {market: {type: market}, most: {type: amount}}
    on: exchange
    call: "stop(bytes32 market, uint256 most)"
    expect: {paused: "True"}
    writes: [exchange]
    satisfied: "paused and cap <= most"
    irreversible: true
    consequence: stop this market for good
"""


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("exchange: address", "exchange: address", []),
        ('expect: {paused: "True"}', "expect: {}", ["no-proof"]),
        ("paused and cap <= most", "True", ["no-proof"]),
        ("paused and cap <= most", "most > 0 or by == by", ["no-proof"]),
        ("paused and cap <= most", "before.cap <= most", []),
        ("writes: [exchange]", "writes: []", ["undeclared-write"]),
        ("writes: [exchange]", "writes: [other]", ["undeclared-write"]),
        ("writes: [exchange]", "writes: [other, exchange]", []),
        ("bytes32 market, uint256 most)", "uint256 market, uint256 most)", ["wrong-type"]),
        ("uint256 most)", "address most)", ["wrong-type"]),
        ("uint256 most)", "uint256[] most)", ["wrong-type"]),
        ("uint256 most)", "int128 most)", []),
        ("{type: amount}", "{type: bps}", []),
        ("{type: amount}", "{type: address}", ["wrong-type"]),
        ("{type: amount}", "{type: bool}", ["wrong-type"]),
        ("paused(bytes32 market)", "paused(string market)", ["wrong-type"]),
        ("paused(bytes32 market)", "paused(bytes32 id)", ["argument-without-value"]),
        ("cap()", "cap(bool most)", ["wrong-type"]),
    ],
)
def test_a_lever_proves_its_effect_names_its_writes_and_fits_its_types(
    tmp_path: Path, before: str, after: str, wanted: list[str]
) -> None:
    path = tmp_path / "sound.yaml"
    path.write_text(SOUND.replace(before, after, 1))
    _, document = load_protocol(path)
    assert [one.code for one in document.problems] == wanted


FIXED = """protocol: fixed
source: nowhere
slots: {lock: address}
reads:
  canceller:
    on: lock
    call: "hasRole(bytes32 role, address account) returns (bool)"
    with: {role: "'0xfd643c72710c63c0180259aba6b2d05451e3591a24e58b62239378085726f783'", account: by}
  state: {on: lock, call: "state(bytes32 id) returns (uint8)"}
levers:
  cancel:
    does: cancels
    scope: function
    args: {id: {type: bytes32}}
    on: lock
    call: "cancel(bytes32 id)"
    expect: {state: "0"}
    writes: [lock]
    role: {when: canceller}
    irreversible: true
    consequence: stop this market for good
"""


def test_a_read_may_fix_its_parameters_by_literals_and_by_the_caller() -> None:
    timelock = shipped("timelock")
    canceller, state = (timelock.reads[name] for name in ("canceller", "operation_state"))
    assert (canceller.parameters, timelock.stands_alone(canceller)) == ((), False)
    assert ([one.name for one in state.parameters], timelock.stands_alone(state)) == (["id"], True)


def test_a_fixed_read_asks_the_lever_for_the_rest_alone(tmp_path: Path) -> None:
    path = tmp_path / "fixed.yaml"
    path.write_text(FIXED)
    protocol, document = load_protocol(path)
    assert protocol is not None, document.report()


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (", account: by}", "}", "argument-without-value"),
        ("account: by", "acount: by", "unknown-argument"),
        ("account: by", "account: before.state", "unknown-name"),
        ("account: by", "account: idd", "unknown-name"),
        ("account: by", "account: firing(x)", "unknown-name"),
        ("account: by", "account: 7", "wrong-type"),
        ("085726f783'", "085726f7'", "wrong-type"),
        ("\"'0xfd643c72710c63c0180259aba6b2d05451e3591a24e58b62239378085726f783'\"", '"True"', "wrong-type"),
    ],
)
def test_a_read_that_is_fixed_wrongly_is_refused(old: str, new: str, code: str, tmp_path: Path) -> None:
    assert old in FIXED
    assert code in [found for _, found in problems(tmp_path, FIXED.replace(old, new))]
