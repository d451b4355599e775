"""Pulling levers on hand-made snapshots: calls, expectations, undo, role, and never blind."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident_cli.abi import encode_call, parse_signature
from incident_cli.errors import Refused, Unread
from incident_cli.evm import Address, Block, CallRead, Missing, Read, Snapshot, checksummed
from incident_cli.levers.expectation import Expectation, same
from incident_cli.levers.lever import Pull, needed, plan
from incident_cli.protocols.catalog import Catalog
from incident_cli.protocols.protocol import load_protocol
from incident_cli.protocols.slot import BoundSlot, Market
from incident_cli.units import Amount, Token

EXCHANGE, COUNCIL, GOVERNANCE = (checksummed(bytes([one]) * 20) for one in (0xA1, 0xB2, 0xC3))
MARKET = Market("ETH-USD", b"\x11" * 32)
USDC = Token("USDC", 6)
BLOCK = Block("ethereum", 100, "0x" + "1" * 64, 1_700_000_000)

COMET = """protocol: compound-like
source: Comet.sol and CometExt.sol
slots: {comet: address}
reads:
  supply_paused: {on: comet, call: "isSupplyPaused() returns (bool)"}
  transfer_paused: {on: comet, call: "isTransferPaused() returns (bool)"}
  withdraw_paused: {on: comet, call: "isWithdrawPaused() returns (bool)"}
  absorb_paused: {on: comet, call: "isAbsorbPaused() returns (bool)"}
  buy_paused: {on: comet, call: "isBuyPaused() returns (bool)"}
  guardian: {on: comet, call: "pauseGuardian() returns (address)"}
levers:
  pause:
    does: "Stops the chosen operations of this market; flags already set stay set."
    scope: market
    args: {supply: {type: bool, default: "true"}, withdraw: {type: bool, default: "true"}}
    on: comet
    call: "pause(bool supply, bool transfer, bool withdraw, bool absorb, bool buy)"
    with:
      supply: "supply or before.supply_paused"
      transfer: before.transfer_paused
      withdraw: "withdraw or before.withdraw_paused"
      absorb: before.absorb_paused
      buy: before.buy_paused
    expect: {supply_paused: "supply or before.supply_paused", withdraw_paused: "withdraw or before.withdraw_paused"}
    writes: [comet]
    satisfied: "supply_paused and withdraw_paused"
    undo:
      by: same
      with:
        supply: before.supply_paused
        transfer: before.transfer_paused
        withdraw: before.withdraw_paused
        absorb: before.absorb_paused
        buy: before.buy_paused
    role: {holder: by, when: "guardian == by"}
    traps: ["It overwrites all five flags: the current ones are read and kept."]
"""


def exchange() -> BoundSlot:
    protocol = Catalog().find("drill-exchange")
    assert protocol is not None
    return BoundSlot("exchange", protocol, "ethereum", {"exchange": EXCHANGE})


def pull(name: str, by: Address = COUNCIL, **args: object) -> Pull:
    return Pull(exchange(), name, args, by)


def answering(one: Pull, **values: object) -> Snapshot:
    """A snapshot of everything the lever needs, with these values; a value not given is missing."""
    answers: dict[Read, tuple[object, ...] | Missing] = {}
    for name, read in needed(one).items():
        value = values.get(name, Missing("the node timed out"))
        answers[read] = value if isinstance(value, Missing) else (value,)
    return Snapshot(BLOCK, answers)


def roles() -> dict[str, object]:
    return {"guardian": COUNCIL, "governance": GOVERNANCE}


def test_pausing_a_market() -> None:
    lever = pull("pause_market", market=MARKET)
    planned = plan(lever, answering(lever, market_paused=False, **roles()))
    assert planned.call.to == EXCHANGE
    assert planned.call.data == encode_call(parse_signature("setMarketPaused(bytes32,bool)"), (MARKET.id, True))
    assert not planned.satisfied
    (expected,) = planned.expect
    assert (expected.label, expected.value) == ("exchange.market_paused(ETH-USD)", True)
    assert planned.plain.startswith("exchange.pause_market(market = ETH-USD): Stops trading")
    undo = planned.undo
    assert undo is not None
    assert (undo.by, undo.call.args, undo.only_if) == ("governance", (MARKET.id, False), planned.expect)
    assert [one.value for one in undo.expect] == [False]


def test_a_limit_is_undone_to_the_values_that_stood_before() -> None:
    lever = pull("limit_withdrawals", capacity=Amount(250_000 * 10**6, USDC), per=3_600)
    planned = plan(lever, answering(lever, withdrawal_capacity=9 * 10**12, withdrawal_period=86_400, **roles()))
    assert planned.call.args == (250_000 * 10**6, 3_600)
    assert [one.value for one in planned.expect] == [250_000 * 10**6, 3_600]
    assert planned.undo is not None
    assert planned.undo.call.args == (9 * 10**12, 86_400)
    assert [one.value for one in planned.undo.expect] == [9 * 10**12, 86_400]


def test_what_already_holds_is_satisfied_and_asks_for_no_role() -> None:
    lever = pull("pause_market", by=EXCHANGE, market=MARKET)
    assert plan(lever, answering(lever, market_paused=True, **roles())).satisfied


@pytest.mark.parametrize(
    ("capacity", "period", "satisfied"),
    [
        (250_000, 3_600, True),
        (249_999, 3_600, True),
        (250_000, 3_599, False),
        (250_001, 3_600, False),
        (1, 86_400, True),
    ],
)
def test_a_limit_is_satisfied_by_a_tighter_one_only(capacity: int, period: int, satisfied: bool) -> None:
    lever = pull("limit_withdrawals", capacity=Amount(250_000, USDC), per=3_600)
    found = plan(lever, answering(lever, withdrawal_capacity=capacity, withdrawal_period=period, **roles()))
    assert found.satisfied is satisfied


def test_without_the_role_it_is_refused() -> None:
    lever = pull("pause_market", by=EXCHANGE, market=MARKET)
    with pytest.raises(Refused, match=r"does not hold the role exchange.pause_market needs"):
        plan(lever, answering(lever, market_paused=False, **roles()))


@pytest.mark.parametrize("missing", ["market_paused", "guardian", "governance"])
def test_a_lever_is_never_pulled_blind(missing: str) -> None:
    lever = pull("pause_market", market=MARKET)
    values = {"market_paused": False} | roles()
    del values[missing]
    with pytest.raises(Unread, match=f"exchange.{missing} could not be read: the node timed out"):
        plan(lever, answering(lever, **values))


def test_the_irreversible_has_no_undo() -> None:
    lever = pull("shutdown")
    assert plan(lever, answering(lever, shut_down=False, **roles())).undo is None


def comet(tmp_path: Path) -> BoundSlot:
    (tmp_path / "compound-like.yaml").write_text(COMET)
    protocol, document = load_protocol(tmp_path / "compound-like.yaml")
    assert protocol is not None, document.report()
    return BoundSlot("comet", protocol, "ethereum", {"comet": EXCHANGE})


@pytest.mark.parametrize("flags", [(False,) * 5, (False, True, False, True, True), (True, False, False, True, False)])
def test_read_modify_write_keeps_the_flags_already_set(tmp_path: Path, flags: tuple[bool, ...]) -> None:
    names = ("supply_paused", "transfer_paused", "withdraw_paused", "absorb_paused", "buy_paused")
    lever = Pull(comet(tmp_path), "pause", {"supply": False, "withdraw": True}, COUNCIL)
    planned = plan(lever, answering(lever, guardian=COUNCIL, **dict(zip(names, flags, strict=True))))
    assert planned.call.args == (flags[0], flags[1], True, flags[3], flags[4])
    assert [one.value for one in planned.expect] == [flags[0], True]
    assert planned.undo is not None and planned.undo.call.args == flags


def test_one_missing_flag_stops_a_read_modify_write(tmp_path: Path) -> None:
    lever = Pull(comet(tmp_path), "pause", {"supply": True, "withdraw": True}, COUNCIL)
    known = dict.fromkeys(("supply_paused", "transfer_paused", "withdraw_paused", "buy_paused"), False)
    with pytest.raises(Unread, match=r"comet.absorb_paused could not be read"):
        plan(lever, answering(lever, guardian=COUNCIL, **known))


def test_a_formula_that_does_not_fit_its_values_is_a_fault_of_the_protocol_file() -> None:
    lever = pull("limit_withdrawals", capacity=Amount(1, USDC), per=1)
    with pytest.raises(Refused, match="the protocol file drill-exchange"):
        plan(lever, answering(lever, withdrawal_capacity=True, withdrawal_period="x", **roles()))


@pytest.mark.parametrize(
    ("call", "args", "value"),
    [
        ("marketPaused(bytes32 market) returns (bool)", (b"\x11" * 32,), True),
        ("withdrawalCapacity() returns (uint256)", (), 2**256 - 1),
        ("guardian() returns (address)", (), COUNCIL),
        ("owners() returns (address[])", (), (COUNCIL, GOVERNANCE)),
        ("pair((uint8,bool) key) returns ((uint8,bool))", ((1, True),), (2, False)),
        ("round() returns (uint80, int256)", (), 5),
    ],
)
def test_an_expectation_survives_its_record(call: str, args: tuple[object, ...], value: object) -> None:
    expectation = Expectation("x.y()", CallRead(EXCHANGE, parse_signature(call), args), value)
    assert Expectation.from_json(expectation.to_json()) == expectation


def test_an_expectation_is_judged_by_equality_and_missing_is_not_false() -> None:
    read = CallRead(EXCHANGE, parse_signature("paused() returns (bool)"))
    expectation = Expectation("paused", read, True)
    assert expectation.judge(Snapshot(BLOCK, {read: (True,)})) is True
    assert expectation.judge(Snapshot(BLOCK, {read: (False,)})) is False
    assert expectation.judge(Snapshot(BLOCK, {read: (1,)})) is False
    assert expectation.judge(Snapshot(BLOCK)) == Missing("it was not read")


def test_true_is_not_one_at_any_depth() -> None:
    assert not same(True, 1)
    assert not same((True, (0,)), (1, (False,)))
    assert not same((1,), (1, 2))
    assert same((True, ("a", b"")), (True, ("a", b"")))


CANCELLER = bytes.fromhex("fd643c72710c63c0180259aba6b2d05451e3591a24e58b62239378085726f783")
OPERATION = b"\x77" * 32


def cancel(by: Address = COUNCIL) -> Pull:
    protocol = Catalog().find("timelock")
    assert protocol is not None
    addresses = {"timelock": EXCHANGE, "proposer": GOVERNANCE}
    return Pull(BoundSlot("governance", protocol, "ethereum", addresses), "cancel_operation", {"id": OPERATION}, by)


def answers(state: int, holds: bool) -> Snapshot:
    found = needed(cancel())
    return Snapshot(BLOCK, {found["operation_state"]: (state,), found["canceller"]: (holds,)})


def test_a_role_is_asked_of_the_account_that_pulls() -> None:
    reads = needed(cancel())
    assert set(reads) == {"operation_state", "canceller"}
    assert reads["canceller"].args == (CANCELLER, COUNCIL)
    assert needed(cancel(GOVERNANCE))["canceller"].args == (CANCELLER, GOVERNANCE)


def test_an_operation_is_cancelled_by_a_canceller_alone_and_for_good() -> None:
    made = plan(cancel(), answers(1, holds=True))
    assert (made.call.to, made.call.args, made.undo, made.satisfied) == (EXCHANGE, (OPERATION,), None, False)
    assert [one.value for one in made.expect] == [0]
    assert plan(cancel(), answers(0, holds=False)).satisfied
    with pytest.raises(Refused, match="canceller does not hold"):
        plan(cancel(), answers(1, holds=False))


@pytest.mark.parametrize(("road", "seconds", "waits"), [("timelock", "0", True), ("access_manager", "0", False)])
def test_a_time_lock_is_gone_through_whatever_its_delay(tmp_path: Path, road: str, seconds: str, waits: bool) -> None:
    text = COMET.replace("slots: {comet: address}", "slots: {comet: address, lock: address}")
    text += f'    delay: {{road: {road}, on: lock, seconds: "{seconds}"}}\n'
    path = tmp_path / "compound-like.yaml"
    path.write_text(text)
    protocol, document = load_protocol(path)
    assert protocol is not None, document.report()
    slot = BoundSlot("comet", protocol, "ethereum", {"comet": EXCHANGE, "lock": GOVERNANCE})
    one = Pull(slot, "pause", {"supply": True, "withdraw": True}, COUNCIL)
    flags = {name: False for name in needed(one) if name != "guardian"}
    made = plan(one, answering(one, **flags, guardian=COUNCIL))
    assert (made.delay is not None) is waits
    if made.delay is not None:
        assert made.delay.scheduled(made.call, bytes(32), 0).value == 2, "ready at once"
