"""Lyra v1's own options market while calls are traded: what each lever stops, who may pull it, and what it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from incident_cli.evm import Address
from tests.contracts.lyra import BOARD, ONE, POSITION, STRIKE, Lyra, build_lyra
from tests.contracts.lyra_parameters import DAY, HOUR, SPOT, WEEK
from tests.contracts.packages import Packages
from tests.contracts.refusals import refuses
from tests.fakes.anvil import Anvil

ALL_PAUSED = "AllMarketsPaused(address thrower, address marketAddress)"
MARKET_PAUSED = "MarketIsPaused(address thrower, address marketAddress)"
FROZEN = "BoardIsFrozen(address thrower, uint256 boardId)"
NOT_FROZEN = "BoardNotFrozen(address thrower, uint256 boardId)"
SETTLED = "BoardAlreadySettled(address thrower, uint256 boardId)"
NO_BOARD = "InvalidBoardId(address thrower, uint256 boardId)"
NOT_OWNER = "OnlyOwner(address thrower, address caller, address owner)"
LIVE = "getLiveBoards() returns (uint256[] liveBoards)"
PRICE_AT_EXPIRY = "boardToPriceAtExpiry(uint256 boardId) returns (uint256)"
OPEN_STATE, CLOSED_STATE, LIQUIDATED_STATE = 1, 2, 3

Lever = Callable[[Lyra, Address, bool], None]
LEVERS: dict[str, tuple[Lever, str]] = {
    "market": (Lyra.pause_market, MARKET_PAUSED),
    "all": (Lyra.pause_all, ALL_PAUSED),
    "board": (Lyra.freeze_board, FROZEN),
}
PAUSES = {name: LEVERS[name] for name in ("market", "all")}


@pytest.fixture(scope="module")
def built(packages: Packages) -> Iterator[Lyra]:
    """The market, deployed once; the council is an account of the node."""
    with Anvil(packages.anvil) as anvil:
        yield build_lyra(anvil, packages, anvil.accounts[1])


@pytest.fixture
def lyra(built: Lyra) -> Iterator[Lyra]:
    """The market as it was built, for this test alone."""
    before = built.anvil.snapshot()
    yield built
    built.anvil.revert(before)


def states(lyra: Lyra) -> dict[str, bool]:
    """What each lever's view shows."""
    return {"market": lyra.market_paused, "all": lyra.all_paused, "board": lyra.board_frozen}


def position(lyra: Lyra, number: int) -> tuple[object, ...]:
    """A position of the trader: id, strike, type, amount, collateral, state."""
    found = lyra.read(lyra.token, POSITION, number)
    assert isinstance(found, tuple)
    return found


def thrower(lyra: Lyra, error: str) -> tuple[object, ...]:
    """The arguments of a lever's refusal."""
    return (lyra.market, BOARD) if error == FROZEN else (lyra.adapter, lyra.market)


@pytest.mark.parametrize("name", LEVERS)
def test_each_lever_stops_a_trader_until_it_is_let_go(lyra: Lyra, name: str) -> None:
    pull, error = LEVERS[name]
    held = lyra.buy_call()
    assert position(lyra, held) == (held, STRIKE, 0, ONE, 0, OPEN_STATE)
    assert states(lyra) == dict.fromkeys(LEVERS, False)
    pull(lyra, lyra.council, True)
    assert states(lyra) == {one: one == name for one in LEVERS}
    with refuses(error, *thrower(lyra, error)):
        lyra.buy_call()
    with refuses(error, *thrower(lyra, error)):
        lyra.sell_call(held)
    pull(lyra, lyra.council, False)
    assert states(lyra) == dict.fromkeys(LEVERS, False)
    assert lyra.buy_call() == held + 1
    lyra.sell_call(held)
    assert position(lyra, held)[-1] == CLOSED_STATE


@pytest.mark.parametrize("name", LEVERS)
def test_only_the_owner_pulls_a_lever_and_the_deployer_is_that_no_more(lyra: Lyra, name: str) -> None:
    pull, _ = LEVERS[name]
    owned = lyra.market if name == "board" else lyra.adapter
    for sender in (lyra.anvil.accounts[9], lyra.trader, lyra.owner):
        with refuses(NOT_OWNER, owned, sender, lyra.council):
            pull(lyra, sender, True)
    lyra.buy_call()


@pytest.mark.parametrize("name", LEVERS)
def test_a_lever_may_be_pulled_twice(lyra: Lyra, name: str) -> None:
    pull, error = LEVERS[name]
    for _ in range(2):
        pull(lyra, lyra.council, True)
        assert states(lyra)[name]
    with refuses(error):
        lyra.buy_call()


def test_the_levers_are_independent_of_each_other(lyra: Lyra) -> None:
    for pull, _ in LEVERS.values():
        pull(lyra, lyra.council, True)
    for name, error in (("all", ALL_PAUSED), ("market", MARKET_PAUSED), ("board", FROZEN)):
        with refuses(error):
            lyra.buy_call()
        LEVERS[name][0](lyra, lyra.council, False)
    lyra.buy_call()


def test_a_frozen_board_still_moves_collateral_which_a_pause_stops(lyra: Lyra) -> None:
    held = lyra.buy_call()
    lyra.freeze_board(lyra.council, True)
    lyra.trade("openPosition", 0, position=held)
    lyra.freeze_board(lyra.council, False)
    lyra.pause_market(lyra.council, True)
    with refuses(MARKET_PAUSED):
        lyra.trade("openPosition", 0, position=held)


@pytest.mark.parametrize("name", LEVERS)
def test_each_lever_stops_liquidations_too(lyra: Lyra, name: str) -> None:
    pull, error = LEVERS[name]
    under = lyra.write_call(ONE // 2)
    lyra.price(3_400 * ONE)
    lyra.refresh()
    liquidate = "liquidatePosition(uint256 positionId, address rewardBeneficiary)"
    liquidator = lyra.anvil.accounts[7]
    pull(lyra, lyra.council, True)
    with refuses(error):
        lyra.anvil.transact(liquidator, lyra.market, liquidate, under, liquidator)
    pull(lyra, lyra.council, False)
    lyra.anvil.transact(liquidator, lyra.market, liquidate, under, liquidator)
    assert position(lyra, under)[-1] == LIQUIDATED_STATE


@pytest.mark.parametrize("name", LEVERS)
def test_collateral_is_added_unless_everything_is_paused(lyra: Lyra, name: str) -> None:
    pull, error = LEVERS[name]
    held, add = lyra.write_call(ONE // 2), "addCollateral(uint256 positionId, uint256 amountCollateral)"
    pull(lyra, lyra.council, True)
    if name == "all":
        with refuses(error):
            lyra.anvil.transact(lyra.trader, lyra.market, add, held, ONE // 4)
        return
    lyra.anvil.transact(lyra.trader, lyra.market, add, held, ONE // 4)
    assert position(lyra, held)[4] == ONE * 3 // 4


@pytest.mark.parametrize("queue", ["Deposit", "Withdrawal"])
@pytest.mark.parametrize("name", LEVERS)
def test_a_pause_stops_the_queues_of_liquidity_and_a_frozen_board_does_not(lyra: Lyra, name: str, queue: str) -> None:
    pull, error = LEVERS[name]
    process = f"process{queue}Queue(uint256 limit)"
    pull(lyra, lyra.council, True)
    if name != "board":
        with refuses(error):
            lyra.anvil.transact(lyra.trader, lyra.pool, process, 10)
        pull(lyra, lyra.council, False)
    lyra.anvil.transact(lyra.trader, lyra.pool, process, 10)


@pytest.mark.parametrize("name", LEVERS)
def test_no_lever_stops_who_asks_to_withdraw_liquidity(lyra: Lyra, name: str) -> None:
    LEVERS[name][0](lyra, lyra.council, True)
    withdraw = "initiateWithdraw(address beneficiary, uint256 amountLiquidityToken)"
    lyra.anvil.transact(lyra.owner, lyra.pool, withdraw, lyra.owner, 100 * ONE)
    assert lyra.read(lyra.pool, "totalQueuedWithdrawals() returns (uint256)") == 100 * ONE


@pytest.mark.parametrize("name", PAUSES)
def test_a_pause_stops_whatever_asks_for_the_price_and_the_caches_go_stale(lyra: Lyra, name: str) -> None:
    pull, error = PAUSES[name]
    stale = "isBoardCacheStale(uint256 boardId) returns (bool)"
    spot, worth = "getSpotPriceForMarket(address market) returns (uint256)", "getTokenPrice() returns (uint256)"
    assert (lyra.read(lyra.adapter, spot, lyra.market), lyra.read(lyra.greeks, stale, BOARD)) == (SPOT, False)
    assert lyra.read(lyra.pool, worth) == ONE
    pull(lyra, lyra.council, True)
    for place, view, args in (
        (lyra.adapter, spot, (lyra.market,)),
        (lyra.greeks, stale, (BOARD,)),
        (lyra.pool, worth, ()),
    ):
        with refuses(error, lyra.adapter, lyra.market):
            lyra.read(place, view, *args)
    with refuses(error, lyra.adapter, lyra.market):
        lyra.refresh()
    lyra.anvil.mine(1, seconds=4 * HOUR)
    pull(lyra, lyra.council, False)
    assert lyra.read(lyra.greeks, stale, BOARD) is True
    lyra.buy_call()
    lyra.refresh()
    assert lyra.read(lyra.greeks, stale, BOARD) is False


def test_only_a_frozen_board_is_settled_by_force_and_that_is_for_ever(lyra: Lyra) -> None:
    held = lyra.buy_call()
    with refuses(NOT_FROZEN, lyra.market, BOARD):
        lyra.settle_board(lyra.council)
    lyra.freeze_board(lyra.council, True)
    with refuses(NOT_OWNER, lyra.market, lyra.owner, lyra.council):
        lyra.settle_board(lyra.owner)
    assert (lyra.read(lyra.market, LIVE), lyra.read(lyra.market, PRICE_AT_EXPIRY, BOARD)) == ((BOARD,), 0)
    lyra.settle_board(lyra.council)
    assert (lyra.read(lyra.market, LIVE), lyra.read(lyra.market, PRICE_AT_EXPIRY, BOARD)) == ((), SPOT)
    assert lyra.board_frozen
    with refuses(SETTLED, lyra.market, BOARD):
        lyra.settle_board(lyra.council)
    lyra.freeze_board(lyra.council, False)
    with refuses(SETTLED, lyra.market, BOARD):
        lyra.buy_call()
    lyra.settle(held)


def test_what_is_settled_by_force_is_paid_at_the_price_of_that_moment(lyra: Lyra) -> None:
    held = lyra.buy_call()
    lyra.freeze_board(lyra.council, True)
    lyra.price(2_500 * ONE)
    lyra.settle_board(lyra.council)
    lyra.price(3_000 * ONE)
    balance = "balanceOf(address account) returns (uint256)"
    before = lyra.read(lyra.quote, balance, lyra.trader)
    lyra.settle(held)
    after = lyra.read(lyra.quote, balance, lyra.trader)
    assert isinstance(before, int) and isinstance(after, int)
    assert after - before == 500 * ONE


@pytest.mark.parametrize("name", PAUSES)
def test_a_pause_stops_the_forced_settlement_and_the_payout_after_it(lyra: Lyra, name: str) -> None:
    pull, error = PAUSES[name]
    held = lyra.buy_call()
    lyra.freeze_board(lyra.council, True)
    pull(lyra, lyra.council, True)
    with refuses(error):
        lyra.settle_board(lyra.council)
    pull(lyra, lyra.council, False)
    lyra.settle_board(lyra.council)
    pull(lyra, lyra.council, True)
    with refuses(error):
        lyra.settle(held)
    pull(lyra, lyra.council, False)
    lyra.settle(held)


def test_a_board_that_does_not_exist_is_refused(lyra: Lyra) -> None:
    for board in (0, BOARD + 1):
        with refuses(NO_BOARD, lyra.market, board):
            lyra.freeze_board(lyra.council, True, board=board)
        with refuses(NO_BOARD, lyra.market, board):
            lyra.settle_board(lyra.council, board=board)


def test_a_market_that_does_not_exist_is_paused_without_a_word(lyra: Lyra) -> None:
    signature = "setMarketPaused(address contractAddress, bool isPaused)"
    lyra.anvil.transact(lyra.council, lyra.adapter, signature, lyra.pool, True)
    assert lyra.read(lyra.adapter, "isMarketPaused(address market) returns (bool)", lyra.pool) is True
    lyra.buy_call()


@pytest.mark.parametrize(("calls", "held_back"), [(5, 0), (50, 12 * HOUR), (150, 3 * DAY)])
def test_the_protocols_own_breaker_is_no_pause_and_no_pause_trips_it(lyra: Lyra, calls: int, held_back: int) -> None:
    for pull, _ in LEVERS.values():
        pull(lyra, lyra.council, True)
        pull(lyra, lyra.council, False)
    assert lyra.breaker_until == 0
    held = lyra.buy_call(calls * ONE)
    assert lyra.breaker_until == (lyra.anvil.now() + held_back if held_back else 0)
    assert states(lyra) == dict.fromkeys(LEVERS, False)
    lyra.sell_call(held, ONE)


@pytest.mark.parametrize(("calls", "waiting"), [(5, 0), (50, 100 * ONE)])
def test_the_breaker_holds_back_the_queue_of_liquidity(lyra: Lyra, calls: int, waiting: int) -> None:
    lyra.queue_deposit(100 * ONE)
    lyra.anvil.mine(1, seconds=WEEK)
    lyra.refresh()
    lyra.buy_call(calls * ONE)
    lyra.anvil.transact(lyra.trader, lyra.pool, "processDepositQueue(uint256 limit)", 10)
    assert lyra.read(lyra.pool, "totalQueuedDeposits() returns (uint256)") == waiting
    lyra.sell_call(lyra.buy_call())


def test_settling_a_board_trips_the_breaker(lyra: Lyra) -> None:
    lyra.freeze_board(lyra.council, True)
    lyra.settle_board(lyra.council)
    assert lyra.breaker_until == lyra.anvil.now() + 6 * HOUR


def test_the_owner_changes_only_when_the_nominee_accepts(lyra: Lyra) -> None:
    nominee, owner = lyra.anvil.accounts[5], "owner() returns (address)"
    for owned in (lyra.adapter, lyra.market):
        lyra.anvil.transact(lyra.council, owned, "nominateNewOwner(address owner)", nominee)
        assert lyra.anvil.view(owned, owner) == (lyra.council,)
        with refuses("OnlyNominatedOwner(address thrower, address caller, address nominatedOwner)"):
            lyra.anvil.transact(lyra.trader, owned, "acceptOwnership()")
        lyra.anvil.transact(nominee, owned, "acceptOwnership()")
        assert lyra.anvil.view(owned, owner) == (nominee,)
    with refuses(NOT_OWNER, lyra.adapter, lyra.council, nominee):
        lyra.pause_all(lyra.council, True)
