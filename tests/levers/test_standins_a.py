"""Levers pulled on stand-ins: what they stop stops and comes back, strangers are refused, and every trap is there."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from incident_cli.abi import encode
from incident_cli.evm import ZERO, Address, Call
from tests.levers.driving import STRANGER, Ground
from tests.levers.standins import Stage, call, only_for, selector, stopped

ILK = b"ETH-A".ljust(32, b"\0")


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage.new()


# Compound III ---------------------------------------------------------------------------------------------------------

NOTHING = {"supply": False, "transfer": False, "withdraw": False, "absorb": False, "buy": False}
COMET = {
    "supply": ("supply(address asset, uint256 amount)", (ZERO, 5)),
    "transfer": ("transfer(address receiver, uint256 amount)", (STRANGER, 5)),
    "withdraw": ("withdraw(address asset, uint256 amount)", (ZERO, 5)),
    "absorb": ("absorb(address absorber, address[] accounts)", (STRANGER, [STRANGER])),
    "buy": ("buyCollateral(address asset, uint256 least, uint256 amount, address receiver)", (ZERO, 1, 5, STRANGER)),
}
PAUSE = "pause(bool supply, bool transfer, bool withdraw, bool absorb, bool buy)"


def comet_operation(comet: Address, name: str) -> Call:
    signature, args = COMET[name]
    return call(comet, signature, *args)


@pytest.mark.parametrize("operation", COMET)
def test_comet_stops_what_is_chosen_and_the_guardian_reopens_it(stage: Stage, operation: str) -> None:
    comet = stage.deploy("compound_v3", stage.governance.address, stage.council.address)
    ground, args = stage.ground("compound-v3", comet=comet), {**NOTHING, operation: True}
    only_for(stage, ground, "pause", stage.council, "Unauthorized()", **args)
    made = stopped(stage, ground, "pause", stage.council, comet_operation(comet, operation), "Paused()", **args)
    assert made.call.data[:4] == selector("pause(bool,bool,bool,bool,bool)")
    for other in set(COMET) - {operation}:
        stage.act(comet_operation(comet, other))  # transfers, repayments, liquidations: whatever was not chosen goes on
    ground.undo(made, stage.one_by_one(stage.council))
    stage.act(comet_operation(comet, operation))


def test_comet_keeps_the_flags_that_one_naive_call_would_clear(stage: Stage) -> None:
    comet = stage.deploy("compound_v3", stage.governance.address, stage.council.address)
    ground = stage.ground("compound-v3", comet=comet)
    stage.execute(stage.governance, [call(comet, PAUSE, False, False, False, True, False)])
    made = ground.pull("pause", stage.council.address, stage.together(stage.council), **{**NOTHING, "supply": True})
    stage.refuses(comet_operation(comet, "absorb"), saying="Paused()")
    ground.undo(made, stage.together(stage.council))
    stage.refuses(comet_operation(comet, "absorb"), saying="Paused()")
    stage.execute(stage.council, [call(comet, PAUSE, True, False, False, False, False)])
    stage.act(comet_operation(comet, "absorb"))


def test_comet_is_satisfied_only_where_all_that_is_chosen_is_paused(stage: Stage) -> None:
    comet = stage.deploy("compound_v3", stage.governance.address, stage.council.address)
    ground, by = stage.ground("compound-v3", comet=comet), stage.council.address
    ground.pull("pause", by, stage.together(stage.council), **{**NOTHING, "supply": True, "withdraw": True})
    assert ground.plan("pause", by, **{**NOTHING, "withdraw": True}).satisfied
    assert not ground.plan("pause", by, **{**NOTHING, "withdraw": True, "buy": True}).satisfied


# Maker ----------------------------------------------------------------------------------------------------------------

THRESHOLD = 50


def maker(stage: Stage) -> tuple[Ground, Mapping[str, Address]]:
    """A shutdown module whose End the council may cage, and the addresses of its parts."""
    parts = {name: stage.deploy("maker_part", ZERO, ZERO) for name in ("flapper", "flopper")}
    parts["vow"] = stage.deploy("maker_part", parts["flapper"], parts["flopper"])
    parts |= {name: stage.deploy("maker_part", ZERO, ZERO) for name in ("vat", "cat", "dog", "pot", "spot", "cure")}
    inside = [parts[name] for name in ("vat", "cat", "dog", "vow", "pot", "spot", "cure")]
    parts["end"] = stage.deploy("maker_end", stage.council.address, inside)
    parts["esm"] = stage.deploy("maker_esm", parts["end"], stage.governance.address, THRESHOLD)
    allowed = [(one, parts["end"]) for one in inside] + [(parts["vat"], stage.governance.address)]
    allowed += [(parts[one], parts["vow"]) for one in ("flapper", "flopper")]
    allowed += [(parts["end"], parts["esm"]), (parts["vat"], parts["esm"])]
    for contract, account in allowed:
        stage.act(call(contract, "rely(address account)", account))
    return stage.ground("maker-shutdown", **{one: parts[one] for one in ("end", "esm", "vow")}), parts


def join(stage: Stage, esm: Address, wad: int) -> None:
    stage.act(call(esm, "fund(address holder, uint256 wad)", stage.anyone, wad))
    stage.act(call(esm, "join(uint256 wad)", wad))


def assert_ended(stage: Stage, parts: Mapping[str, Address]) -> None:
    """Every part is caged, and nobody cages twice."""
    assert {stage.view(call(one, "live() returns (uint256)")) for one in parts.values() if one != parts["esm"]} == {0}
    stage.refuses(call(parts["end"], "cage()"), stage.council.address, saying="End/not-live")


def test_cage_ends_every_part_for_good(stage: Stage) -> None:
    ground, parts = maker(stage)
    price, draw = call(parts["end"], "cage(bytes32 ilk)", ILK), call(parts["vat"], "frob(uint256 wad)", 1)
    only_for(stage, ground, "cage", stage.council, "End/not-authorized")
    stage.refuses(price, saying="End/still-live")
    made = stopped(stage, ground, "cage", stage.council, draw, "Vat/not-live")
    assert made.call.data == selector("cage()")
    assert made.undo is None and made.pull.definition.irreversible
    assert set(made.writes) == set(parts.values()) - {parts["esm"]}
    assert_ended(stage, parts)
    stage.act(price)  # by anybody, and once
    stage.refuses(price, saying="End/tag-ilk-already-defined")


def test_fire_is_anybodys_once_enough_was_joined(stage: Stage) -> None:
    ground, parts = maker(stage)
    join(stage, parts["esm"], THRESHOLD - 1)
    assert "joined >= threshold" in ground.refuses("fire")
    stage.refuses(call(parts["esm"], "fire()"), saying="ESM/min-not-reached")
    join(stage, parts["esm"], 1)
    assert ground.plan("fire", STRANGER).call.data == selector("fire()")
    draw = call(parts["vat"], "frob(uint256 wad)", 1)
    stopped(stage, ground, "fire", stage.council, draw, "Vat/not-live")
    assert_ended(stage, parts)
    assert stage.view(call(parts["esm"], "purse(address holder) returns (uint256)", stage.anyone)) == 0  # it is gone
    governor = call(parts["vat"], "wards(address account) returns (uint256)", stage.governance.address)
    assert stage.view(governor) == 0


def test_a_module_that_was_switched_off_does_not_fire(stage: Stage) -> None:
    ground, parts = maker(stage)
    join(stage, parts["esm"], THRESHOLD)
    stage.act(call(parts["esm"], "cage()"))
    assert "esm_live == 1" in ground.refuses("fire", stage.council.address)
    stage.refuses(call(parts["esm"], "fire()"), saying="ESM/permanently-disabled")
    ground.pull("cage", stage.council.address, stage.together(stage.council))


PEEK, PEEP, POKE = "peek() returns (bytes32 val, bool has)", "peep() returns (bytes32 val, bool has)", "poke()"


def oracle(stage: Stage) -> tuple[Ground, Address]:
    osm = stage.deploy("maker_osm", stage.council.address, 100)
    stage.act(call(osm, "kiss(address reader)", stage.anyone))
    return stage.ground("maker-osm", osm=osm), osm


def prices(stage: Stage, osm: Address) -> tuple[int, int]:
    """The price in use and the one that waits, as a kissed reader sees them."""
    current, coming = (stage.view(call(osm, one), stage.anyone) for one in (PEEK, PEEP))
    assert isinstance(current, bytes) and isinstance(coming, bytes)
    return int.from_bytes(current), int.from_bytes(coming)


def poke(stage: Stage, osm: Address) -> Call:
    """The next poke, at a time when it may be made."""
    stage.chain.advance(3_600)
    return call(osm, POKE)


def test_a_stopped_oracle_keeps_its_price_and_then_takes_the_one_that_waited(stage: Stage) -> None:
    ground, osm = oracle(stage)
    only_for(stage, ground, "stop", stage.council, "OSM/not-authorized")
    stage.act(call(osm, "publish(uint256 price)", 60))
    made = stopped(stage, ground, "stop", stage.council, poke(stage, osm), "OSM/is-stopped")
    assert made.call.data == selector("stop()")
    stage.act(call(osm, "publish(uint256 price)", 40))
    stage.refuses(poke(stage, osm), saying="OSM/is-stopped")
    assert prices(stage, osm) == (100, 60)
    stage.refuses(call(osm, PEEK), saying="OSM/contract-not-whitelisted")
    ground.undo(made, stage.one_by_one(stage.council))
    assert made.undo is not None and made.undo.call.data == selector("start()")
    stage.act(poke(stage, osm))
    assert prices(stage, osm) == (60, 40)


def test_a_voided_oracle_has_no_price_until_two_pokes_later(stage: Stage) -> None:
    ground, osm = oracle(stage)
    only_for(stage, ground, "void", stage.council, "OSM/not-authorized")
    made = stopped(stage, ground, "void", stage.council, poke(stage, osm), "OSM/is-stopped")
    assert made.call.data == selector("void()")
    assert made.undo is None and prices(stage, osm) == (0, 0)
    stage.execute(stage.council, [call(osm, "start()")])
    for expected in ((0, 100), (100, 100)):
        stage.act(poke(stage, osm))
        assert prices(stage, osm) == expected


def test_void_is_never_taken_for_done_because_the_oracle_is_stopped(stage: Stage) -> None:
    ground, osm = oracle(stage)
    ground.pull("stop", stage.council.address, stage.together(stage.council))
    plan = ground.plan("void", stage.council.address)
    assert not plan.satisfied and ground.unmet(plan.expect) == []  # `stopped` alone does not show it
    stage.execute(stage.council, plan.calls)
    assert prices(stage, osm) == (0, 0)


# Opyn Gamma -----------------------------------------------------------------------------------------------------------

ACTION = (
    "uint8 kind, address owner, address second, address asset, uint256 vault, uint256 amount, uint256 index, bytes data"
)
OPEN_VAULT, SETTLE_VAULT, REDEEM, LIQUIDATE, DEPOSIT_COLLATERAL = 0, 7, 8, 10, 5


def operate(controller: Address, kind: int) -> Call:
    return call(controller, f"operate(({ACTION})[] actions)", [(kind, STRANGER, STRANGER, ZERO, 1, 1, 0, b"")])


def gamma(stage: Stage) -> tuple[Ground, Address]:
    controller = stage.deploy("opyn_gamma", stage.council.address, stage.governance.address)
    return stage.ground("opyn-gamma", controller=controller), controller


def test_a_partial_pause_leaves_redeeming_and_settling_open(stage: Stage) -> None:
    ground, controller = gamma(stage)
    only_for(stage, ground, "pause_partially", stage.council, "CO2")
    vault = operate(controller, OPEN_VAULT)
    made = stopped(stage, ground, "pause_partially", stage.council, vault, "CO4")
    assert made.call.data[:4] == selector("setSystemPartiallyPaused(bool)")
    for kind in (LIQUIDATE, DEPOSIT_COLLATERAL):
        stage.refuses(operate(controller, kind), saying="CO4")
    for kind in (SETTLE_VAULT, REDEEM):
        stage.act(operate(controller, kind))
    stage.refuses(made.call, stage.council.address, saying="CO9")
    ground.undo(made, stage.one_by_one(stage.council))
    stage.act(vault)


def test_a_full_pause_stops_redeeming_too_and_ends_no_partial_one(stage: Stage) -> None:
    ground, controller = gamma(stage)
    only_for(stage, ground, "pause_fully", stage.governance, "CO1")
    assert "does not hold the role" in ground.refuses("pause_fully", stage.council.address)
    assert "does not hold the role" in ground.refuses("pause_partially", stage.governance.address)
    ground.pull("pause_partially", stage.council.address, stage.together(stage.council))
    redeem = operate(controller, REDEEM)
    made = stopped(stage, ground, "pause_fully", stage.governance, redeem, "CO5")
    assert made.call.data[:4] == selector("setSystemFullyPaused(bool)")
    stage.refuses(made.call, stage.governance.address, saying="CO9")
    ground.undo(made, stage.one_by_one(stage.governance))
    stage.act(redeem)
    stage.refuses(operate(controller, OPEN_VAULT), saying="CO4")


# Derive v2 ------------------------------------------------------------------------------------------------------------

TRADE, OUT = "trade(uint256 account, int256 amount)", "withdraw(uint256 account, uint256 amount, address receiver)"


def derive(stage: Stage) -> tuple[Ground, Address, Address]:
    manager = stage.deploy("derive_v2", stage.governance.address, stage.council.address)
    asset = stage.deploy("derive_v2_asset", stage.governance.address, manager, 100)
    return stage.ground("derive-v2", manager=manager, asset=asset), manager, asset


def test_paused_adjustments_stop_trades_and_withdrawals_but_no_auction(stage: Stage) -> None:
    ground, manager, _ = derive(stage)
    only_for(stage, ground, "pause_adjustments", stage.council, "BM_GuardianOnly()")
    stage.act(call(manager, TRADE, 1, 5))
    out = call(manager, OUT, 1, 5, STRANGER)
    made = stopped(stage, ground, "pause_adjustments", stage.council, out, "BM_AdjustmentsPaused()")
    assert made.call.data[:4] == selector("setAdjustmentsPaused(bool)")
    stage.refuses(call(manager, TRADE, 1, 5), saying="BM_AdjustmentsPaused()")
    stage.act(call(manager, "startInsolventAuction(uint256 account)", 1))
    ground.undo(made, stage.one_by_one(stage.council))
    stage.refuses(out, saying="CA_WithdrawBlockedByOngoingAuction()")  # whatever the pause is
    stage.act(call(manager, "bid(uint256 account, uint256 bidder)", 1, 2))
    stage.act(out)


def test_another_manager_goes_on_and_the_owner_must_make_itself_guardian(stage: Stage) -> None:
    ground, manager, _ = derive(stage)
    other = stage.deploy("derive_v2", stage.governance.address, stage.council.address)
    ground.pull("pause_adjustments", stage.council.address, stage.together(stage.council))
    stage.act(call(other, TRADE, 1, 5))
    reopen = call(manager, "setAdjustmentsPaused(bool paused)", False)
    stage.refuses(reopen, stage.governance.address, saying="BM_GuardianOnly()")
    taking_over = call(manager, "setGuardian(address guardian)", stage.governance.address)
    stage.execute(stage.governance, [taking_over, reopen])
    stage.act(call(manager, TRADE, 1, 5))


def test_a_lower_cap_keeps_what_is_open_and_is_never_zero(stage: Stage) -> None:
    ground, manager, asset = derive(stage)
    only_for(stage, ground, "lower_position_cap", stage.governance, "not the owner", cap=10)
    assert "does not hold the role" in ground.refuses("lower_position_cap", stage.council.address, cap=10)
    opening = call(asset, "open(address manager, uint256 amount)", manager, 20)
    made = stopped(stage, ground, "lower_position_cap", stage.governance, opening, "cap exceeded", cap=0)
    assert made.call.data == selector("setTotalPositionCap(address,uint256)") + encode(
        ["address", "uint256"], [manager, 1]
    )
    stage.act(call(asset, "close(address manager, uint256 amount)", manager, 5))
    ground.undo(made, stage.one_by_one(stage.governance))
    stage.act(opening)


def test_a_cap_is_never_raised(stage: Stage) -> None:
    ground, _, _ = derive(stage)
    plan = ground.plan("lower_position_cap", stage.governance.address, cap=1_000)
    assert plan.satisfied and plan.call.args[1] == 100
