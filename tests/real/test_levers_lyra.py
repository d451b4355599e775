"""The levers of lyra-v1.yaml and lyra-v1-settlement.yaml, pulled by a 2-of-3 Safe while calls are traded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from incident_cli.evm import Address, Missing, checksummed, keccak, to_hex
from incident_cli.levers.lever import Plan
from tests.contracts.lyra import BOARD, ONE, Lyra, build_lyra
from tests.contracts.lyra_parameters import HOUR, POOL_DEPOSIT, SPOT
from tests.contracts.lyra_system import ARTIFACTS
from tests.contracts.packages import Packages
from tests.contracts.refusals import refuses
from tests.contracts.safes import Safe2of3
from tests.fakes.anvil import Anvil
from tests.levers.driving import STRANGER, Ground
from tests.real.pulling import Lever, council_on, foreign, sender, shipped

ALL_PAUSED = "AllMarketsPaused(address thrower, address marketAddress)"
MARKET_PAUSED = "MarketIsPaused(address thrower, address marketAddress)"
FROZEN = "BoardIsFrozen(address thrower, uint256 boardId)"
NOT_FROZEN = "BoardNotFrozen(address thrower, uint256 boardId)"
SETTLED = "BoardAlreadySettled(address thrower, uint256 boardId)"
NOT_OWNER = "OnlyOwner(address thrower, address caller, address owner)"
REFUSALS = {"pause_market": MARKET_PAUSED, "pause_all": ALL_PAUSED, "freeze_board": FROZEN}
PAUSES = ("pause_market", "pause_all")
EACH = pytest.mark.parametrize("name", REFUSALS)
PAUSE = pytest.mark.parametrize("name", PAUSES)
TRANSFER = to_hex(keccak(b"Transfer(address,address,uint256)"))
LIQUIDATE = "liquidatePosition(uint256 positionId, address rewardBeneficiary)"
ADD = "addCollateral(uint256 positionId, uint256 amountCollateral)"
STALE = "isBoardCacheStale(uint256 boardId) returns (bool)"


@dataclass(frozen=True, slots=True)
class Stage:
    """The market, the Safe that owns its levers, and the base asset's token."""

    lyra: Lyra
    safe: Safe2of3
    base: Address

    def lever(self, name: str, board: int = BOARD) -> Lever:
        """A lever of this market; all but the pauses take a board."""
        ground = self.settlement() if name == "settle_board" else self.ground()
        return Lever(ground, name, self.safe, {} if name in PAUSES else {"board": board})

    def ground(self, market: Address | None = None) -> Ground:
        """`lyra-v1` on this market, or on another address for one."""
        slots = {"adapter": self.lyra.adapter, "option_market": market or self.lyra.market, "pool": self.lyra.pool}
        return Ground.of(self.lyra.anvil.endpoint(), self.lyra.anvil.chain_id, "lyra-v1", slots)

    def settlement(self) -> Ground:
        """`lyra-v1-settlement`; both assets are plain tokens here."""
        lyra = self.lyra
        slots = {"adapter": lyra.adapter, "option_market": lyra.market, "pool": lyra.pool}
        slots |= {"greek_cache": lyra.greeks, "short_collateral": lyra.collateral}
        slots |= dict.fromkeys(("quote_balances", "quote_logic"), lyra.quote)
        slots |= dict.fromkeys(("base_balances", "base_logic"), self.base)
        return Ground.of(lyra.anvil.endpoint(), lyra.anvil.chain_id, "lyra-v1-settlement", slots)


def base_of(lyra: Lyra) -> Address:
    """The base asset: the other token that moves when a call is written that base covers."""
    before = lyra.anvil.snapshot()
    logs = lyra.trade("openPosition", ONE, kind=2, collateral=ONE)["logs"]
    lyra.anvil.revert(before)
    (base,) = {checksummed(one["address"]) for one in logs if one["topics"][0] == TRANSFER} - {lyra.quote, lyra.token}
    return base


@pytest.fixture(scope="module")
def built(packages: Packages) -> Iterator[Stage]:
    """The market, deployed once."""
    with Anvil(packages.anvil) as anvil:
        safe = council_on(anvil)
        lyra = build_lyra(anvil, packages, safe.address)
        yield Stage(lyra, safe, base_of(lyra))


@pytest.fixture
def stage(built: Stage) -> Iterator[Stage]:
    """The market as it was built, for this test alone."""
    before = built.lyra.anvil.snapshot()
    yield built
    built.lyra.anvil.revert(before)


def measured(made: Plan) -> list[object]:
    """What the blast radius was measured at, all of it known."""
    found = [one.amount for one in made.blast if one.label]
    assert found
    assert not any(isinstance(one, Missing) for one in found)
    return found


def test_every_lever_is_pulled_here_and_every_signature_is_the_contracts_own(packages: Packages) -> None:
    names = ("SynthetixAdapter", "OptionMarket", "LiquidityPool", "OptionGreekCache")
    files = [packages.path(f"{ARTIFACTS}/contracts/{one}.sol/{one}.json") for one in names]
    abis = [json.loads(one.read_text("utf-8"))["abi"] for one in files]
    market, settlement = shipped("lyra-v1"), shipped("lyra-v1-settlement")
    assert [set(market.levers), set(settlement.levers)] == [set(REFUSALS), {"settle_board"}]
    assert foreign(market, *abis) == foreign(settlement, *abis) == []


@EACH
def test_calls_are_bought_until_a_lever_is_pulled_and_again_when_it_is_undone(stage: Stage, name: str) -> None:
    lyra, lever = stage.lyra, stage.lever(name)
    held = lyra.buy_call()
    made = lever.pull()
    with refuses(REFUSALS[name]):
        lyra.buy_call()
    with refuses(REFUSALS[name]):
        lyra.sell_call(held)
    assert lever.is_satisfied()
    lever.undo(made)
    assert lyra.buy_call() == held + 1
    lyra.sell_call(held)


@EACH
def test_a_stranger_is_refused_by_the_file_and_by_the_contract(stage: Stage, name: str) -> None:
    lever, lyra = stage.lever(name), stage.lyra
    for account in (STRANGER, lyra.owner):
        assert "does not hold the role" in lever.refused(account)
        with refuses(NOT_OWNER):
            sender(lyra.anvil, account)(lever.calls())
    lyra.buy_call()


@EACH
def test_liquidations_stop_with_a_lever(stage: Stage, name: str) -> None:
    lyra, lever = stage.lyra, stage.lever(name)
    under, liquidator = lyra.write_call(ONE // 2), lyra.anvil.accounts[7]
    lyra.price(3_400 * ONE)
    lyra.refresh()
    made = lever.pull()
    with refuses(REFUSALS[name]):
        lyra.anvil.transact(liquidator, lyra.market, LIQUIDATE, under, liquidator)
    lever.undo(made)
    lyra.anvil.transact(liquidator, lyra.market, LIQUIDATE, under, liquidator)


@EACH
def test_collateral_is_added_unless_everything_is_paused(stage: Stage, name: str) -> None:
    lyra, held = stage.lyra, stage.lyra.write_call(ONE // 2)
    stage.lever(name).pull()
    if name == "pause_all":
        with refuses(ALL_PAUSED):
            lyra.anvil.transact(lyra.trader, lyra.market, ADD, held, ONE // 4)
    else:
        lyra.anvil.transact(lyra.trader, lyra.market, ADD, held, ONE // 4)


@EACH
def test_the_queues_of_liquidity_stop_with_a_pause_and_go_on_beside_a_frozen_board(stage: Stage, name: str) -> None:
    lyra = stage.lyra
    lyra.queue_deposit(100 * ONE)
    made = stage.lever(name).pull()
    assert (100 * ONE in measured(made)) is (name == "pause_market")
    for queue in ("processDepositQueue(uint256 limit)", "processWithdrawalQueue(uint256 limit)"):
        if name == "freeze_board":
            lyra.anvil.transact(lyra.trader, lyra.pool, queue, 10)
        else:
            with refuses(REFUSALS[name]):
                lyra.anvil.transact(lyra.trader, lyra.pool, queue, 10)


@EACH
def test_the_blast_radius_is_measured_before_and_unknown_where_a_pause_hides_it(stage: Stage, name: str) -> None:
    assert POOL_DEPOSIT in measured(stage.lever(name).pull())
    again = stage.lever(name).ground.plan(name, stage.safe.address, **stage.lever(name).args)
    hidden = [one for one in again.blast if "pool_value" in one.label and isinstance(one.amount, Missing)]
    assert bool(hidden) is (name != "freeze_board")


@PAUSE
def test_the_greeks_are_stale_when_a_long_pause_ends_until_anybody_updates_them(stage: Stage, name: str) -> None:
    lyra = stage.lyra
    made = stage.lever(name).pull()
    with refuses(REFUSALS[name]):
        lyra.refresh()
    lyra.anvil.mine(1, seconds=4 * HOUR)
    stage.lever(name).undo(made)
    assert lyra.read(lyra.greeks, STALE, BOARD) is True
    lyra.refresh()
    assert lyra.read(lyra.greeks, STALE, BOARD) is False


def test_undoing_one_lever_leaves_the_others(stage: Stage) -> None:
    made = {name: stage.lever(name).pull() for name in REFUSALS}
    stage.lever("pause_all").undo(made["pause_all"])
    with refuses(MARKET_PAUSED):
        stage.lyra.buy_call()
    stage.lever("pause_market").undo(made["pause_market"])
    with refuses(FROZEN):
        stage.lyra.buy_call()


def test_a_wrong_market_is_paused_without_a_word_and_the_right_one_goes_on(stage: Stage) -> None:
    wrong = stage.ground(stage.lyra.pool)
    wrong.pull("pause_market", stage.safe.address, stage.safe.execute)
    assert not stage.lever("pause_market").is_satisfied()
    stage.lyra.buy_call()


def test_a_frozen_board_still_moves_collateral_which_a_pause_stops(stage: Stage) -> None:
    held = stage.lyra.buy_call()
    stage.lever("freeze_board").pull()
    stage.lyra.trade("openPosition", 0, position=held)
    stage.lever("pause_market").pull()
    with refuses(MARKET_PAUSED):
        stage.lyra.trade("openPosition", 0, position=held)


@pytest.mark.parametrize("board", [0, BOARD + 1])
def test_a_board_that_does_not_exist_is_refused_before_anything_is_proposed(stage: Stage, board: int) -> None:
    assert "board_id == board" in stage.lever("freeze_board", board).refused(stage.safe.address)


def test_a_frozen_board_is_settled_for_good_and_its_holders_are_paid_at_that_price(stage: Stage) -> None:
    lyra, settle = stage.lyra, stage.lever("settle_board")
    held = lyra.buy_call()
    lyra.write_call(ONE)
    stage.lever("freeze_board").pull()
    lyra.price(SPOT + 500 * ONE)
    made = settle.pull()
    assert (made.undo, made.pull.definition.consequence) == (None, "settle this board at the price of now for good")
    assert (settle.is_satisfied(), lyra.breaker_until > lyra.anvil.now() + 5 * HOUR) == (True, True)
    lyra.price(SPOT)
    before = balance(lyra)
    lyra.settle(held)
    assert balance(lyra) > before
    lyra.freeze_board(stage.safe.address, False)
    with refuses(SETTLED):
        lyra.buy_call()


def balance(lyra: Lyra) -> int:
    """The trader's quote."""
    found = lyra.read(lyra.quote, "balanceOf(address account) returns (uint256)", lyra.trader)
    assert isinstance(found, int)
    return found


def test_an_open_board_is_not_settled(stage: Stage) -> None:
    settle, safe = stage.lever("settle_board"), stage.safe
    assert "board_frozen" in settle.refused(safe.address)
    stage.lever("freeze_board").pull()
    calls = settle.calls()
    stage.lyra.freeze_board(safe.address, False)
    with refuses(NOT_FROZEN):
        safe.execute(calls)


def test_a_stranger_settles_nothing(stage: Stage) -> None:
    stage.lever("freeze_board").pull()
    settle = stage.lever("settle_board")
    assert "does not hold the role" in settle.refused(STRANGER)
    with refuses(NOT_OWNER):
        sender(stage.lyra.anvil, STRANGER)(settle.calls())


@PAUSE
def test_nothing_is_settled_or_paid_while_paused(stage: Stage, name: str) -> None:
    lyra, settle = stage.lyra, stage.lever("settle_board")
    held = lyra.buy_call()
    stage.lever("freeze_board").pull()
    calls = settle.calls()
    made = stage.lever(name).pull()
    assert "does not hold" in settle.refused(stage.safe.address)
    with refuses(REFUSALS[name]):
        stage.safe.execute(calls)
    stage.lever(name).undo(made)
    settle.pull()
    stage.lever(name).pull()
    with refuses(REFUSALS[name]):
        lyra.settle(held)
