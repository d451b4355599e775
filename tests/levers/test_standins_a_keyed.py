"""Levers on stand-ins whose flags are kept by key: Synthetix v3's features, GMX v2's DataStore, MetaMorpho's caps."""

from __future__ import annotations

import pytest

from incident_cli.abi import encode
from incident_cli.evm import ZERO, Address, Call, checksummed, keccak
from incident_cli.protocols.catalog import Catalog
from incident_cli.protocols.slot import Market
from tests.levers.driving import STRANGER, Ground
from tests.levers.standins import Stage, call, only_for, selector, stopped


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage.new()


# Synthetix v3 ---------------------------------------------------------------------------------------------------------

WITHDRAW, DENY = b"withdraw".ljust(32, b"\0"), "setFeatureFlagDenyAll(bytes32 feature, bool denyAll)"


def synthetix(stage: Stage) -> tuple[Ground, Address, Call]:
    """A system in which the council may deny withdrawals, and a withdrawal."""
    system = stage.deploy("synthetix_v3", stage.governance.address)
    naming = call(system, "setDeniers(bytes32 feature, address[] deniers)", WITHDRAW, [stage.council.address])
    stage.execute(stage.governance, [naming])
    withdrawal = call(system, "withdraw(uint128 account, address token, uint256 amount)", 1, ZERO, 5)
    return stage.ground("synthetix-v3", system=system), system, withdrawal


def test_a_denier_denies_and_only_the_owner_takes_it_back(stage: Stage) -> None:
    ground, _, withdrawal = synthetix(stage)
    saying = "FeatureUnavailable(bytes32)"
    assert "does not hold the role" in ground.refuses("deny_feature", feature=WITHDRAW)
    denial = call(ground.slot.addresses["system"], DENY, WITHDRAW, True)
    stage.refuses(denial, saying="Unauthorized(address)")
    made = stopped(stage, ground, "deny_feature", stage.council, withdrawal, saying, feature=WITHDRAW)
    assert made.call.data[:4] == selector("setFeatureFlagDenyAll(bytes32,bool)")
    assert made.undo is not None and made.undo.by == "governance"
    stage.refuses(made.undo.call, stage.council.address, saying="Unauthorized(address)")
    ground.undo(made, stage.one_by_one(stage.governance))
    stage.act(withdrawal)


def test_a_misspelt_feature_is_denied_without_any_effect(stage: Stage) -> None:
    ground, _, withdrawal = synthetix(stage)
    misspelt = b"withdrawal".ljust(32, b"\0")
    assert "does not hold the role" in ground.refuses("deny_feature", stage.council.address, feature=misspelt)
    ground.pull("deny_feature", stage.governance.address, stage.together(stage.governance), feature=misspelt)
    stage.act(withdrawal)


def test_opening_a_feature_to_all_ends_the_denial(stage: Stage) -> None:
    ground, system, withdrawal = synthetix(stage)
    made = ground.pull("deny_feature", stage.council.address, stage.together(stage.council), feature=WITHDRAW)
    opening = call(system, "setFeatureFlagAllowAll(bytes32 feature, bool allowAll)", WITHDRAW, True)
    stage.execute(stage.governance, [opening])
    stage.act(withdrawal)
    assert made.undo is not None and ground.unmet(made.undo.only_if)  # there is nothing left to be undone


# GMX v2 ---------------------------------------------------------------------------------------------------------------

MARKET, OTHER_MARKET = checksummed(b"\x31" * 20), checksummed(b"\x32" * 20)
ORDER_TYPES = {"market_swaps": 0, "limit_swaps": 1, "market_increases": 2, "limit_increases": 3, "stop_increases": 8}
CLOSING, LIQUIDATION = (4, 5, 6), 7
FEATURES = [(f"stop_{verb}_{name}", verb, kind) for verb in ("new", "executing") for name, kind in ORDER_TYPES.items()]
BASE = {"new": "CREATE_ORDER_FEATURE_DISABLED", "executing": "EXECUTE_ORDER_FEATURE_DISABLED"}


def gmx(stage: Stage) -> tuple[Ground, Address, Address]:
    """The levers, the order handler and the liquidation handler."""
    config = stage.deploy("gmx_v2", stage.council.address)
    orders, liquidations = (stage.deploy("gmx_v2_handler", config) for _ in range(2))
    ground = stage.ground(
        "gmx-v2", config=config, order_handler=orders, liquidation_handler=liquidations, market=MARKET
    )
    return ground, orders, liquidations


def order(handler: Address, verb: str, kind: int, market: Address = MARKET) -> Call:
    name = "createOrder" if verb == "new" else "executeOrder"
    return call(handler, f"{name}(address market, uint256 kind)", market, kind)


def liquidate(handler: Address, market: Address = MARKET) -> Call:
    return call(handler, "executeLiquidation(address market, address account)", market, STRANGER)


@pytest.mark.parametrize(("lever", "verb", "kind"), FEATURES)
def test_one_order_type_stops_and_closing_and_liquidating_go_on(stage: Stage, lever: str, verb: str, kind: int) -> None:
    ground, orders, liquidations = gmx(stage)
    protected, other_verb = order(orders, verb, kind), "executing" if verb == "new" else "new"
    only_for(stage, ground, lever, stage.council, "Unauthorized(address,string)")
    made = stopped(stage, ground, lever, stage.council, protected, "DisabledFeature(bytes32)")
    key, data = keccak(encode(["string"], [BASE[verb]])), encode(["address", "uint256"], [orders, kind])
    assert made.call.data == selector("setBool(bytes32,bytes,bool)") + encode(
        ["bytes32", "bytes", "bool"], [key, data, True]
    )
    stage.act(liquidate(liquidations))
    for going_on in {*CLOSING, *ORDER_TYPES.values()} - {kind}:
        stage.act(order(orders, verb, going_on))
    stage.act(order(orders, other_verb, kind))
    stage.act(order(stage.deploy("gmx_v2_handler", ground.slot.addresses["config"]), verb, kind))  # another handler
    ground.undo(made, stage.one_by_one(stage.council))
    stage.act(protected)


def test_a_disabled_market_stops_its_liquidations_too(stage: Stage) -> None:
    ground, orders, liquidations = gmx(stage)
    only_for(stage, ground, "disable_market", stage.council, "Unauthorized(address,string)")
    opening, saying = order(orders, "new", 2), "DisabledMarket(address)"
    made = stopped(stage, ground, "disable_market", stage.council, opening, saying)
    assert made.call.data[:4] == selector("setBool(bytes32,bytes,bool)")
    for one in (liquidate(liquidations), *(order(orders, "executing", kind) for kind in CLOSING)):
        stage.refuses(one, saying=saying)
    for one in (liquidate(liquidations, OTHER_MARKET), order(orders, "new", 2, OTHER_MARKET)):
        stage.act(one)
    ground.undo(made, stage.one_by_one(stage.council))
    stage.act(liquidate(liquidations))


def test_no_lever_sets_the_flag_of_liquidations_or_of_closing(stage: Stage) -> None:
    ground, orders, liquidations = gmx(stage)
    protocol = Catalog().find("gmx-v2")
    assert protocol is not None and set(protocol.levers) == {one for one, _, _ in FEATURES} | {"disable_market"}
    calls = [ground.plan(lever, stage.council.address).call for lever in protocol.levers]
    keys = {one.data[4:36] + data for one in calls if isinstance(data := one.args[1], bytes)}
    assert len(keys) == len(calls)
    for handler in (orders, liquidations):
        for kind in (*CLOSING, LIQUIDATION):
            parts = encode(["address", "uint256"], [handler, kind])
            assert not keys & {keccak(encode(["string"], [base])) + parts for base in BASE.values()}


def test_a_stopped_liquidation_can_be_read(stage: Stage) -> None:
    ground, _, liquidations = gmx(stage)
    read = ground.slot.read("liquidations_disabled")
    assert ground.reader.read([read]).value(read) is False
    base, data = keccak(encode(["string"], [BASE["executing"]])), encode(["address", "uint256"], [liquidations, 7])
    setting = call(ground.slot.addresses["config"], "setBool(bytes32 base, bytes data, bool on)", base, data, True)
    stage.execute(stage.council, [setting])
    stage.refuses(liquidate(liquidations), saying="DisabledFeature(bytes32)")
    assert ground.reader.read([read]).value(read) is True


# MetaMorpho -----------------------------------------------------------------------------------------------------------

TIMELOCK = 86_400
LOAN_TOKEN, COLLATERAL, ORACLE, RATES = (checksummed(bytes([one]) * 20) for one in (0x41, 0x42, 0x43, 0x44))
PARAMS = (LOAN_TOKEN, COLLATERAL, ORACLE, RATES, 860_000_000_000_000_000)
PARAMS_TYPE = "(address loanToken, address collateralToken, address oracle, address irm, uint256 lltv)"
PLAIN_TYPE = "(address,address,address,address,uint256)"
ID = keccak(encode(["address", "address", "address", "address", "uint256"], PARAMS))
WETH = Market("WETH-USDC", ID)
DEPOSIT, QUEUE = "deposit(uint256 assets, address receiver)", "setSupplyQueue(bytes32[] newSupplyQueue)"


def submit_cap(vault: Address, cap: int) -> Call:
    return call(vault, f"submitCap({PARAMS_TYPE} params, uint256 newSupplyCap)", PARAMS, cap)


def accept_cap(vault: Address) -> Call:
    return call(vault, f"acceptCap({PARAMS_TYPE} params)", PARAMS)


def morpho(stage: Stage) -> tuple[Ground, Address, Call]:
    """A vault whose curator is the council and whose guardian is governance, with one market of cap 1000; a deposit."""
    roles = (stage.council.address, stage.governance.address, stage.anyone)
    vault = stage.deploy("metamorpho", *roles, LOAN_TOKEN, TIMELOCK)
    stage.act(call(vault, f"createMarket({PARAMS_TYPE} params)", PARAMS))
    stage.execute(stage.council, [submit_cap(vault, 1_000)])
    stage.chain.advance(TIMELOCK)
    stage.act(accept_cap(vault))
    stage.act(call(vault, QUEUE, [ID]))
    return stage.ground("metamorpho", vault=vault), vault, call(vault, DEPOSIT, 5, STRANGER)


def test_a_cut_cap_comes_back_through_the_time_lock_alone(stage: Stage) -> None:
    ground, vault, deposit = morpho(stage)
    only_for(stage, ground, "cut_cap", stage.council, "NotCuratorRole()", market=WETH)
    assert "does not hold the role" in ground.refuses("cut_cap", stage.governance.address, market=WETH)
    made = stopped(stage, ground, "cut_cap", stage.council, deposit, "AllCapsReached()", market=WETH)
    assert made.call.data[:4] == selector(f"submitCap({PLAIN_TYPE},uint256)") and len(made.calls) == 1
    stage.act(call(vault, "withdraw(uint256 assets, address receiver, address owner)", 1, STRANGER, STRANGER))
    assert made.undo is not None and made.undo.call.data[:4] == selector(f"acceptCap({PLAIN_TYPE})")
    stage.refuses(made.undo.call, saying="NoPendingValue()")
    stage.execute(stage.council, [submit_cap(vault, 1_000)])
    stage.refuses(made.undo.call, saying="TimelockNotElapsed()")
    stage.chain.advance(TIMELOCK)
    ground.undo(made, stage.one_by_one(stage.council))
    stage.act(deposit)


@pytest.mark.parametrize("batched", [False, True])
def test_a_pending_cap_is_revoked_first(stage: Stage, batched: bool) -> None:
    ground, vault, deposit = morpho(stage)
    stage.execute(stage.council, [submit_cap(vault, 9_000)])
    stage.refuses(submit_cap(vault, 0), stage.council.address, saying="AlreadyPending()")
    execute = stage.together(stage.council) if batched else stage.one_by_one(stage.council)
    made = ground.pull("cut_cap", stage.council.address, execute, market=WETH)
    assert [one.data[:4] for one in made.calls] == [
        selector("revokePendingCap(bytes32)"),
        selector(f"submitCap({PLAIN_TYPE},uint256)"),
    ]
    stage.refuses(deposit, saying="AllCapsReached()")
    stage.chain.advance(TIMELOCK)
    stage.refuses(accept_cap(vault), saying="NoPendingValue()")


def test_where_only_a_rise_is_pending_it_is_revoked_and_not_cut(stage: Stage) -> None:
    ground, vault, _ = morpho(stage)
    by = stage.council.address
    ground.pull("cut_cap", by, stage.together(stage.council), market=WETH)
    stage.execute(stage.council, [submit_cap(vault, 9_000)])
    assert "cap > 0" in ground.refuses("cut_cap", by, market=WETH)
    ground.pull("revoke_pending_cap", by, stage.together(stage.council), market=WETH)
    assert ground.plan("cut_cap", by, market=WETH).satisfied
    stage.refuses(submit_cap(vault, 0), by, saying="AlreadySet()")


def test_an_empty_queue_stops_deposits_until_an_allocator_writes_it_anew(stage: Stage) -> None:
    ground, vault, deposit = morpho(stage)
    only_for(stage, ground, "empty_supply_queue", stage.council, "NotAllocatorRole()")
    assert "does not hold the role" in ground.refuses("empty_supply_queue", stage.governance.address)
    made = stopped(stage, ground, "empty_supply_queue", stage.council, deposit, "AllCapsReached()")
    assert made.call.data == selector("setSupplyQueue(bytes32[])") + encode(["bytes32[]"], [[]])
    assert made.undo is None and made.pull.definition.irreversible
    assert ground.plan("empty_supply_queue", stage.anyone).satisfied  # the allocator may pull it too
    stage.act(call(vault, QUEUE, [ID]))
    stage.act(deposit)


REVOKING = [
    ("revoke_pending_cap", "revokePendingCap(bytes32)", "acceptCap", "NotCuratorNorGuardianRole()"),
    ("revoke_pending_removal", "revokePendingMarketRemoval(bytes32)", "", "NotCuratorNorGuardianRole()"),
    ("revoke_pending_timelock", "revokePendingTimelock()", "acceptTimelock()", "NotGuardianRole()"),
    ("revoke_pending_guardian", "revokePendingGuardian()", "acceptGuardian()", "NotGuardianRole()"),
]


def make_pending(stage: Stage, vault: Address, lever: str) -> None:
    """Somebody submits what the lever revokes."""
    if lever == "revoke_pending_cap":
        stage.execute(stage.council, [submit_cap(vault, 9_000)])
    elif lever == "revoke_pending_removal":
        stage.execute(stage.council, [call(vault, f"submitMarketRemoval({PARAMS_TYPE} params)", PARAMS)])
    elif lever == "revoke_pending_timelock":
        stage.act(call(vault, "submitTimelock(uint256 newTimelock)", 1))
    else:
        stage.act(call(vault, "submitGuardian(address newGuardian)", STRANGER))


@pytest.mark.parametrize(("lever", "canonical", "accepting", "saying"), REVOKING)
def test_the_guardian_revokes_what_is_pending(
    stage: Stage, lever: str, canonical: str, accepting: str, saying: str
) -> None:
    ground, vault, _ = morpho(stage)
    by, args = stage.governance, {"market": WETH} if canonical.endswith("(bytes32)") else {}
    assert ground.plan(lever, STRANGER, **args).satisfied
    if lever == "revoke_pending_removal":  # only a market without a cap is removed
        stage.execute(stage.council, [submit_cap(vault, 0)])
    make_pending(stage, vault, lever)
    only_for(stage, ground, lever, by, saying, **args)
    made = ground.pull(lever, by.address, stage.together(by), **args)
    assert made.call.data[:4] == selector(canonical)
    assert made.pull.definition.cancels and made.undo is None
    assert ground.plan(lever, by.address, **args).satisfied
    stage.chain.advance(TIMELOCK)
    if accepting:
        accept = accept_cap(vault) if accepting == "acceptCap" else call(vault, accepting)
        stage.refuses(accept, saying="NoPendingValue()")
    make_pending(stage, vault, lever)  # the same can be submitted again
    assert not ground.plan(lever, by.address, **args).satisfied
