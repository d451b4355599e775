"""A lever's calldata without a chain: what the mechanics plan, from values given; what is missing is said at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from incident_cli.abi import encode_call, parse_signature
from incident_cli.document import WrongFile
from incident_cli.errors import Misused
from incident_cli.evm import Block, Read, Snapshot, checksummed, to_hex
from incident_cli.flows.catalog.encode import encode
from incident_cli.flows.catalog.find import NamedLever, catalog_with, every_lever, find_lever
from incident_cli.flows.catalog.given import EncodeOrder
from incident_cli.flows.catalog.needs import needs_of, snippet
from incident_cli.flows.catalog.page import page
from incident_cli.flows.catalog.values import parse_answer
from incident_cli.levers.lever import needed, plan
from incident_cli.protocols.catalog import SHIPPED, Catalog
from incident_cli.runbook.kinds import VALUE_KINDS
from incident_cli.runbook.load import load_runbook
from tests.flows.lever_orders import MARKET, MARKET_ID, order_for

BLOCK = Block("", 100, "0x" + "1" * 64, 1_700_000_000)
COUNCIL, POOL, RATES = (checksummed(bytes([one]) * 20) for one in (0xB2, 0xA1, 0xA2))
OWN = """protocol: own-pool
source: "own/pool, Pool.sol"
slots:
  pool: address
  rates: {read: "pool.rateLimiter() returns (address)"}
reads:
  pending: {on: pool, call: "pending(bytes4 kind) returns (bool)"}
  limit:
    on: rates
    call: "limits(bytes4 kind) returns ((bool on, uint128 rate) limit, uint256 since)"
    take: limit.rate
  steps: {on: rates, call: "steps(bytes4 kind) returns (uint64[])"}
  watched: {on: pool, call: "watched(address who) returns (bool)", with: {who: by}}
  guardian: {on: pool, call: "guardian() returns (address)"}
levers:
  slow_down:
    does: "Lets less through of one kind."
    scope: function
    args: {kind: {type: bytes4}, rate: {type: bps, default: "150"}}
    first:
      - {when: pending, on: pool, call: "revoke(bytes4 kind)"}
    on: rates
    call: "setLimit(bytes4 kind, (bool on, uint128 rate) limit, uint64[] steps)"
    with: {limit: ["True", "min(rate, before.limit)"], steps: before.steps}
    expect: {limit: "min(rate, before.limit)"}
    writes: [rates, pool]
    satisfied: "limit <= rate and by != pool"
    undo: {by: same, with: {limit: ["True", before.limit], steps: before.steps}}
    role: {when: "guardian == by"}
  watch:
    does: "Watches whoever makes the call."
    scope: function
    on: pool
    call: "watch(address who)"
    with: {who: by}
    expect: {watched: "True"}
    writes: [pool]
    irreversible: true
    consequence: watch this account for good
"""
SLOW_DOWN = EncodeOrder(
    at={"pool": POOL, "rates": RATES},
    args={"kind": "0xa1b2c3d4"},
    before={"pending": "true", "limit": "90", "steps": "[1, 2]"},
)


def shipped(name: str) -> NamedLever:
    return find_lever(Catalog((SHIPPED,)), name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """In-house protocol files."""
    (tmp_path / "own-pool.yaml").write_text(OWN)
    return tmp_path


def own(folder: Path, name: str) -> NamedLever:
    return find_lever(catalog_with(folder), f"own-pool.{name}")


def sound_levers() -> list[NamedLever]:
    return every_lever(Catalog((SHIPPED,)))[0]


def changing(order: EncodeOrder, **parts: Any) -> EncodeOrder:
    """The order with other parts."""
    return replace(order, **parts)


def refused(lever: NamedLever, order: EncodeOrder) -> tuple[str, str]:
    with pytest.raises(Misused) as caught:
        encode(lever, order)
    return caught.value.message, caught.value.hint


# --- what is encoded


@pytest.mark.parametrize("name", [one.full_name for one in sound_levers() if one.proof == "drill"])
def test_it_is_what_the_mechanics_plan(name: str) -> None:
    lever = shipped(name)
    found = encode(lever, order_for(lever))
    answers: dict[Read, tuple[object, ...]] = {}
    for read_name, read in needed(found.plan.pull).items():
        order = order_for(lever)
        kind = lever.protocol.reads[read_name].value_type
        value = parse_answer(kind, order.before[read_name]) if read_name in order.before else None
        by = found.plan.pull.by
        answers[read] = (value if value is not None else by if kind.type == "address" else False,)
    planned = plan(found.plan.pull, Snapshot(BLOCK, dict(answers)))
    assert found.plan.calls == planned.calls
    assert found.plan.expect == planned.expect
    assert found.plan.undo == planned.undo
    assert found.satisfied in (planned.satisfied, None)


def test_pausing_a_market_of_the_drill_exchange() -> None:
    lever = shipped("drill-exchange.pause_market")
    order = EncodeOrder(at={"exchange": POOL}, markets={MARKET: MARKET_ID}, before={"market_paused": "false"})
    found = encode(lever, order).to_json()
    call = parse_signature("setMarketPaused(bytes32 market, bool paused)")
    market = b"\x11" * 32
    assert [(one["to"], one["data"], one["value"]) for one in found["calls"]] == [
        (POOL, to_hex(encode_call(call, (market, True))), "0")
    ]
    assert found["calls"][0]["function"] == "setMarketPaused(bytes32,bool)"
    assert found["calls"][0]["args"] == {"market": MARKET_ID, "paused": "true"}
    assert found["calls"][0]["plain"].startswith("exchange.pause_market(market = ETH-USD): Stops trading")
    shown = [{"read": "exchange.market_paused(ETH-USD)", "equals": "true"}]
    assert found["expect"] == shown
    assert (found["undo"]["by"], found["undo"]["only_if"]) == ("governance", shown)
    assert found["undo"]["data"] == to_hex(encode_call(call, (market, False)))
    assert found["undo"]["expect"] == [{"read": "exchange.market_paused(ETH-USD)", "equals": "false"}]
    assert len(found["traps"]) == 2
    assert any("role not checked: no chain" in one for one in found["not_checked"])
    assert found["satisfied"] is False


def test_what_must_come_first_comes_first_and_tuples_and_derived_slots_serve(folder: Path) -> None:
    found = encode(own(folder, "slow_down"), SLOW_DOWN)
    first, last = found.plan.calls
    assert (first.to, first.data) == (POOL, encode_call(parse_signature("revoke(bytes4)"), (b"\xa1\xb2\xc3\xd4",)))
    wanted = parse_signature("setLimit(bytes4,(bool,uint128),uint64[])")
    assert (last.to, last.data) == (RATES, encode_call(wanted, (b"\xa1\xb2\xc3\xd4", (True, 90), (1, 2))))
    assert found.to_json()["calls"][0]["plain"].startswith("first revoke: ")
    assert any("address of rates not checked: pool.rateLimiter()" in one for one in found.not_checked)
    assert found.undo is not None and found.undo_by == "whoever pulled it"


def test_what_need_not_come_first_is_left_out(folder: Path) -> None:
    found = encode(own(folder, "slow_down"), replace(SLOW_DOWN, before={**SLOW_DOWN.before, "pending": "false"}))
    assert [one.signature.name for one in found.plan.calls] == ["setLimit"]


def test_a_tuple_of_formulas_takes_what_stands_now(folder: Path) -> None:
    found = encode(own(folder, "slow_down"), replace(SLOW_DOWN, before={**SLOW_DOWN.before, "limit": "200"}))
    assert found.plan.call.args[1] == (True, 150), "the default of the file is tighter"


def test_who_makes_the_call_is_asked_only_where_it_matters(folder: Path) -> None:
    lever = own(folder, "watch")
    assert refused(lever, EncodeOrder(at={"pool": POOL}))[1] == "add --by ADDRESS"
    found = encode(lever, EncodeOrder(at={"pool": POOL}, by=COUNCIL))
    assert (found.plan.call.args, found.to_json()["undo"]) == ((COUNCIL,), None)
    assert not needs_of(own(folder, "slow_down")).by, "its role alone names it"
    assert needs_of(own(folder, "watch")).slots == ("pool",)


@pytest.mark.parametrize(("paused", "satisfied"), [("true", True), ("false", False)])
def test_what_stands_already_is_said(paused: str, satisfied: bool) -> None:
    lever = shipped("drill-exchange.pause_market")
    assert encode(lever, replace(order_for(lever), before={"market_paused": paused})).satisfied is satisfied


def test_what_only_an_optional_read_tells_is_unknown_without_it() -> None:
    lever = shipped("drill-exchange.shutdown")
    assert encode(lever, order_for(lever)).satisfied is None
    assert encode(lever, replace(order_for(lever), before={"shut_down": "true"})).satisfied is True


def test_whether_it_stands_is_unknown_without_who_makes_the_call(folder: Path) -> None:
    lever = own(folder, "slow_down")
    assert encode(lever, SLOW_DOWN).satisfied is None
    assert encode(lever, replace(SLOW_DOWN, by=COUNCIL)).satisfied is True
    assert encode(lever, replace(SLOW_DOWN, by=POOL)).satisfied is False


@pytest.mark.parametrize("lever", sound_levers(), ids=lambda one: one.full_name)
def test_every_lever_of_the_catalogue_is_encoded_from_what_it_says_it_needs(lever: NamedLever) -> None:
    found = encode(lever, order_for(lever))
    json.dumps(found.to_json())
    for call in found.plan.calls:
        assert call.data[:4] == call.signature.selector
    known = {one for formula in lever.definition.formulas() for one in formula.names}
    for name, address in order_for(lever).at.items():
        assert name in known or address in repr((found.plan.calls, found.plan.expect, found.plan.undo)), name
    assert page(lever)["source"] == lever.protocol.source
    assert (found.plan.undo is None) is lever.definition.irreversible


@pytest.mark.parametrize("lever", sound_levers(), ids=lambda one: one.full_name)
def test_without_any_one_of_them_it_is_refused(lever: NamedLever) -> None:
    order = order_for(lever)
    for flag, part in (("--at", "at"), ("--arg", "args"), ("--before", "before")):
        group = getattr(order, part)
        for name in group:
            kept = {key: value for key, value in group.items() if key != name}
            assert f"{flag} {name}=" in refused(lever, changing(order, **{part: kept}))[1]


# --- what is refused


def test_everything_missing_is_named_at_once_with_its_flags() -> None:
    message, hint = refused(shipped("drill-exchange.limit_withdrawals"), EncodeOrder())
    assert "5 missing" in message
    assert hint == (
        "add --at exchange=ADDRESS --arg capacity=AMOUNT --token SYMBOL=DECIMALS --arg per=DURATION "
        "--before withdrawal_capacity=UINT256 --before withdrawal_period=UINT256"
    )


def test_everything_wrong_is_named_at_once() -> None:
    message, hint = refused(
        shipped("drill-exchange.limit_withdrawals"),
        EncodeOrder(
            at={"exchang": POOL, "exchange": POOL.lower()},
            args={"capacity": "250000 USDC", "per": "an hour", "rate": "1"},
            before={"withdrawal_capacity": "-1", "guardian": COUNCIL},
            by="0x12",
            markets={"eth usd": MARKET_ID, "ETH-USD": "0x11"},
            tokens={"DAI": "78"},
        ),
    )
    for said in (
        "--at exchang=0xA1",
        "did you mean 'exchange'?",
        "the checksum is wrong",
        "--arg per=an hour: a duration is needed",
        "--arg rate=1: unknown here; known: capacity, per",
        "--before withdrawal_capacity=-1",
        "--before guardian=",
        "--by 0x12: an address is 0x and 40 hex digits",
        "--market eth usd=",
        "32 bytes are 0x and 64 hex digits",
        "--token DAI=78: a token has 0 to 77 decimals",
    ):
        assert said in message, message
    assert "--arg capacity" not in message, "its token is missing, nothing about it is wrong"
    assert hint == "add --token USDC=DECIMALS --before withdrawal_period=UINT256"


@pytest.mark.parametrize(
    ("part", "values", "words"),
    [
        ("args", {"capacity": f"{'9' * 79} USDC"}, "an amount and its token are needed"),
        ("args", {"capacity": "1.2345678 USDC"}, "USDC has 6 decimals"),
        ("args", {"capacity": "1 USDC\x1b[2J"}, "<U+001B>"),
        ("before", {"withdrawal_capacity": "9" * 78}, "do not fit"),
        ("before", {"withdrawal_capacity": "9" * 5_000}, "a whole number is needed"),
        ("before", {"withdrawal_capacity": "0x10"}, "a whole number is needed"),
        ("before", {"withdrawal_capacity": "true"}, "a whole number is needed"),
        ("tokens", {"USDC": "1" * 5_000}, "0 to 77 decimals"),
        ("tokens", {"USDC": "٣"}, "0 to 77 decimals"),
        ("tokens", {"USDC": "77"}, "do not fit"),
    ],
)
def test_a_hostile_value_is_refused_in_words(part: str, values: Mapping[str, str], words: str) -> None:
    lever = shipped("drill-exchange.limit_withdrawals")
    order = order_for(lever)
    message, _ = refused(lever, changing(order, **{part: {**getattr(order, part), **values}}))
    assert words in message, message
    assert "\x1b" not in message and len(message) < 2_000


def test_a_formula_that_does_not_fit_is_refused(folder: Path) -> None:
    message, hint = refused(own(folder, "slow_down"), replace(SLOW_DOWN, args={"kind": "0xa1b2c3d4", "rate": "-5"}))
    assert "own_pool.slow_down" in message and "cannot be encoded" in message
    assert hint == "see `incident lever show own-pool.slow_down`"


def test_of_two_markets_one_must_be_chosen() -> None:
    lever = shipped("drill-exchange.pause_market")
    two = replace(order_for(lever), markets={MARKET: MARKET_ID, "BTC-USD": "0x" + "22" * 32})
    assert refused(lever, two)[1] == "add --market NAME=BYTES32"
    assert encode(lever, replace(two, args={"market": "BTC-USD"})).plan.call.args[0] == b"\x22" * 32
    assert "no market of that name" in refused(lever, replace(two, args={"market": "SOL-USD"}))[0]


# --- the catalogue


def test_in_house_files_come_first_and_are_marked(folder: Path) -> None:
    found, wrong = every_lever(catalog_with(folder))
    mine = [one for one in found if not one.shipped]
    assert ([one.full_name for one in mine], wrong) == (["own-pool.slow_down", "own-pool.watch"], [])
    drills = [one.protocol.protocol.startswith("drill-") for one in found]
    assert drills == sorted(drills), "drills come last"


def test_a_wrong_file_hides_no_other(folder: Path) -> None:
    (folder / "wrong-pool.yaml").write_text("protocol: wrong-pool\nslots: {}\n")
    found, wrong = every_lever(catalog_with(folder))
    assert "own-pool.watch" in [one.full_name for one in found]
    assert [Path(one.name).name for one in wrong] == ["wrong-pool.yaml"]
    with pytest.raises(WrongFile, match="'source' is missing"):
        find_lever(catalog_with(folder), "wrong-pool.stop")


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="is no folder"):
        catalog_with(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("drill-exchange.pause_markt", "did you mean 'pause_market'?"),
        ("drill-exchang.pause_market", "did you mean 'drill-exchange'?"),
        ("pause_quoting", "did you mean 'drill-options.pause_quoting'?"),
        ("drill-exchange.pause_market.now", "has no lever 'pause_market.now'"),
        ("../drill-exchange.pause_market", "there is no protocol ''"),
        ("safe.pause", "safe has no lever 'pause'"),
        ("\x1b[2J.\x1b", "there is no protocol '<U+001B>[2J'"),
        ("", "'' is not PROTOCOL.LEVER"),
        ("x" * 100_000, "is not PROTOCOL.LEVER"),
    ],
)
def test_a_name_that_is_none(name: str, words: str) -> None:
    with pytest.raises(Misused) as caught:
        shipped(name)
    assert words in caught.value.message
    assert "\x1b" not in caught.value.message and len(caught.value.message) < 400


# --- what a runbook says

RUNBOOK = """schema: incident/v1
id: example
title: An example
meta: {owner: nobody, severity: SEV2}
"""
REST = """  - {id: note, manual: "Write down what you saw."}
"""


def written_in_a_runbook() -> list[NamedLever]:
    """The levers whose arguments a runbook can give."""
    every = sound_levers()
    return [one for one in every if {each.type for each in one.definition.args.values()} <= set(VALUE_KINDS)]


@pytest.mark.parametrize("lever", written_in_a_runbook(), ids=lambda one: one.full_name)
def test_the_snippet_is_sound_in_a_runbook(lever: NamedLever, tmp_path: Path) -> None:
    filled = "\n".join(snippet(lever))
    for kind, size in (("BYTES32", 32), ("BYTES16", 16), ("BYTES4", 4)):
        filled = filled.replace(f'"{kind}"', f'"0x{"11" * size}"')
    path = tmp_path / "example.yaml"
    path.write_text(f"{RUNBOOK}{filled}\n{REST}")
    step = load_runbook(path).runbook.steps[0]
    assert step.id == lever.name
