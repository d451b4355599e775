"""The margin market: who is liquidated when, who pays for bad debt, and what its guardian may do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident_cli.abi import decode
from incident_cli.drills.accounts import Account, created_address
from incident_cli.evm import Address, keccak
from tests.drills.bench import Chain, chain_of

ETH, BTC, DOGE = b"E" * 32, b"B" * 32, b"D" * 32
UNIT, PRICE = 10**6, 10**8
CASH, FUND, BACKSTOP = 5_000 * UNIT, 300 * UNIT, 100 * UNIT
CAPACITY, PERIOD = 50_000 * UNIT, 3_600
LIQUIDATE, BORROW, REPAY = "liquidate(bytes32,address)", "borrow(bytes32,uint256)", "repay(bytes32,uint256)"
PAUSE, LIMIT = "setBorrowingPaused(bytes32,bool)", "setLiquidationLimit(uint256,uint256)"
UNHEALTHY = "unhealthyAccounts() returns (bytes32[],address[],uint256[])"


@dataclass
class Market(Chain):
    """The margin market alone: alice owes 9,000 and bob 8,500 against 100 units of ETH at 100."""

    guardian: Account
    governance: Account
    reporter: Account
    alice: Account
    bob: Account
    buyer: Account
    token: Address
    feed: Address
    margin: Address

    def price(self, dollars: int) -> None:
        self.done(self.reporter, self.feed, "push(int256)", dollars * PRICE)

    def liquidate(self, account: Account) -> dict[str, int]:
        """The event's amounts."""
        receipt = self.done(self.buyer, self.margin, LIQUIDATE, ETH, account.address)
        topic = keccak(b"Liquidated(bytes32,address,uint256,uint256)")
        (log,) = [one for one in receipt.logs if one.topics[0] == topic]
        assert log.topics[1] == ETH and log.topics[2][12:].hex() == account.address[2:].lower()
        debt, collateral = decode(["uint256", "uint256"], log.data)
        return {"debt": int(str(debt)), "collateral": int(str(collateral))}

    def reserves(self) -> tuple[int, int]:
        return self.number(self.margin, "insuranceFund()"), self.number(self.margin, "backstop()")

    def is_conserved(self) -> bool:
        """Whether it holds its cash, its reserves and what it owes, no more and no less."""
        owed = sum(self.number(self.margin, one) for one in ("cash()", "totalSurplus()"))
        return self.number(self.token, "balanceOf(address)", self.margin) == owed + sum(self.reserves())


def build() -> Market:
    names = ("deployer", "guardian", "governance", "reporter", "alice", "bob", "buyer")
    chain, (deployer, guardian, governance, reporter, alice, bob, buyer) = chain_of(*names)
    token = chain.create(deployer, "usd_token")
    feed = chain.create(deployer, "price_feed", reporter.address, "ETH / USD")
    home = created_address(deployer.address, 4)
    chain.done(deployer, token, "mint(address,uint256)", home, CASH + FUND + BACKSTOP)
    chain.done(deployer, token, "mint(address,uint256)", buyer.address, 10**6 * UNIT)
    opened = [(ETH, alice.address, 100 * UNIT, 9_000 * UNIT), (ETH, bob.address, 100 * UNIT, 8_500 * UNIT)]
    margin = chain.create(deployer, "margin_market", *terms(token, guardian, governance, feed, opened))
    assert margin == home
    chain.done(buyer, token, "approve(address,uint256)", margin, 10**6 * UNIT)
    market = Market(chain.engine, guardian, governance, reporter, alice, bob, buyer, token, feed, margin)
    market.price(100)
    return market


def terms(
    token: Address, guardian: Account, governance: Account, feed: Address, opened: list[tuple[bytes, Address, int, int]]
) -> tuple[object, ...]:
    listed, reserves = [(ETH, feed)], [CASH, FUND, BACKSTOP]
    return (token, guardian.address, governance.address, listed, opened, reserves, CAPACITY, PERIOD)


@pytest.fixture(scope="module")
def built() -> Market:
    return build()


@pytest.fixture
def market(built: Market) -> Iterator[Market]:
    mark = built.engine.snapshot()
    yield built
    built.engine.revert(mark)


def test_it_shows_what_it_was_founded_with(market: Market) -> None:
    at = market.margin
    assert market.number(at, "totalDebt(bytes32)", ETH) == 17_500 * UNIT
    assert market.number(at, "totalDebt(bytes32)", BTC) == 0
    assert market.reserves() == (FUND, BACKSTOP)
    accounts = market.view(at, "accounts(bytes32) returns (address[])", ETH)
    assert accounts == (market.alice.address, market.bob.address)
    assert market.is_conserved()


def test_an_account_is_liquidated_only_below_its_maintenance_margin(market: Market) -> None:
    at = market.margin
    assert market.refused(market.buyer, at, LIQUIDATE, ETH, market.alice.address) == "the account is healthy"
    market.price(94)  # 9,000 of 9,400 is 95.7%
    assert market.views(at, UNHEALTHY) == ((), (), ())
    market.price(93)  # 96.8%
    assert market.views(at, UNHEALTHY) == ((ETH,), (market.alice.address,), (9_000 * UNIT,))
    found = market.liquidate(market.alice)
    assert found == {"debt": 9_000 * UNIT, "collateral": 9_300 * UNIT}
    assert market.number(at, "surplusOf(address)", market.alice.address) == 114 * UNIT  # 9,300 less 2%, less the debt
    assert market.number(at, "claims(bytes32,address)", ETH, market.buyer.address) == 100 * UNIT
    assert market.number(at, "totalDebt(bytes32)", ETH) == 8_500 * UNIT
    assert market.refused(market.buyer, at, LIQUIDATE, ETH, market.alice.address) == "the account is healthy"
    assert market.is_conserved()
    market.done(market.alice, at, "takeSurplus()")
    assert market.number(market.token, "balanceOf(address)", market.alice.address) == 114 * UNIT
    assert market.refused(market.alice, at, "takeSurplus()") == "there is no surplus"
    assert market.is_conserved()


@pytest.mark.parametrize(
    ("price", "insurance", "backstop", "lenders"),
    [(91, 82, 0, 0), (88, 300, 76, 0), (85, 300, 100, 270)],
)
def test_bad_debt_is_paid_by_the_fund_then_the_backstop_then_the_lenders(
    price: int, insurance: int, backstop: int, lenders: int, market: Market
) -> None:
    market.price(price)
    assert market.number(market.margin, "stressedLoss(bytes32,uint256)", ETH, 0) >= (insurance + backstop) * UNIT
    market.liquidate(market.alice)
    assert market.reserves() == (FUND - insurance * UNIT, BACKSTOP - backstop * UNIT)
    assert market.number(market.margin, "lendersLoss()") == lenders * UNIT
    assert market.is_conserved()


def test_the_stressed_loss_is_what_the_sales_would_lack(market: Market) -> None:
    stressed = "stressedLoss(bytes32,uint256)"
    assert market.number(market.margin, stressed, ETH, 0) == 0
    # at 80: 8,000 of collateral sell for 7,840; the debts are 9,000 and 8,500
    assert market.number(market.margin, stressed, ETH, 2_000) == (1_160 + 660) * UNIT
    assert market.number(market.margin, stressed, ETH, 10_000) == 17_500 * UNIT
    assert "more than everything" in market.refused(market.bob, market.margin, stressed, ETH, 10_001)
    assert market.refused(market.bob, market.margin, stressed, DOGE, 1) == "the market is not listed"


def test_borrowing_needs_margin_cash_and_an_open_market(market: Market) -> None:
    at, alice, bob = market.margin, market.alice, market.bob
    assert market.number(at, "borrowingRoom(bytes32,address)", ETH, alice.address) == 200 * UNIT
    assert "margin is too small" in market.refused(alice, at, BORROW, ETH, 200 * UNIT + 1)
    assert "margin is too small" in market.refused(market.buyer, at, BORROW, ETH, 1)
    assert market.refused(alice, at, BORROW, DOGE, 1) == "the market is not listed"
    market.done(alice, at, BORROW, ETH, 200 * UNIT)
    assert market.number(market.token, "balanceOf(address)", alice.address) == 200 * UNIT
    assert market.number(at, "totalDebt(bytes32)", ETH) == 17_700 * UNIT
    market.price(1_000)
    assert "no cash" in market.refused(alice, at, BORROW, ETH, CASH)
    market.done(market.guardian, at, PAUSE, ETH, True)
    assert market.refused(bob, at, BORROW, ETH, 1) == "borrowing is paused"
    assert "debt is smaller" in market.refused(alice, at, REPAY, ETH, 10_000 * UNIT)
    market.done(alice, market.token, "approve(address,uint256)", at, 200 * UNIT)
    market.done(alice, at, REPAY, ETH, 200 * UNIT)  # also while borrowing is paused
    assert market.number(at, "totalDebt(bytes32)", ETH) == 17_500 * UNIT
    assert market.is_conserved()


def test_the_guardian_may_pause_and_tighten_and_nothing_else(market: Market) -> None:
    at, guardian, governance, alice = market.margin, market.guardian, market.governance, market.alice
    assert "may only pause" in market.refused(alice, at, PAUSE, ETH, True)
    assert "not listed" in market.refused(guardian, at, PAUSE, DOGE, True)
    market.done(guardian, at, PAUSE, ETH, True)
    assert "already in this state" in market.refused(guardian, at, PAUSE, ETH, True)
    assert "may only pause" in market.refused(guardian, at, PAUSE, ETH, False)
    market.done(governance, at, PAUSE, ETH, False)
    assert "neither guardian" in market.refused(alice, at, LIMIT, 1, PERIOD)
    for capacity, period in ((CAPACITY + 1, PERIOD), (CAPACITY, PERIOD - 1), (CAPACITY // 2, PERIOD // 3)):
        assert "may only tighten" in market.refused(guardian, at, LIMIT, capacity, period)
    assert "already this" in market.refused(guardian, at, LIMIT, CAPACITY, PERIOD)
    assert "period is zero" in market.refused(guardian, at, LIMIT, CAPACITY, 0)
    assert "out of range" in market.refused(governance, at, LIMIT, 2**128, PERIOD)
    market.done(guardian, at, LIMIT, CAPACITY // 2, PERIOD)
    assert "may only tighten" in market.refused(guardian, at, LIMIT, CAPACITY, PERIOD)
    market.done(governance, at, LIMIT, CAPACITY, PERIOD)
    assert market.number(at, "liquidationCapacity()") == CAPACITY


def test_a_tight_limit_holds_liquidations_back_until_the_bucket_refills(market: Market) -> None:
    at = market.margin
    market.done(market.guardian, at, LIMIT, 9_000 * UNIT, PERIOD)
    market.price(80)
    market.liquidate(market.alice)
    assert "limit is reached" in market.refused(market.buyer, at, LIQUIDATE, ETH, market.bob.address)
    available = market.number(at, "liquidationAvailable()")
    market.wait((8_500 * UNIT - available) * PERIOD // (9_000 * UNIT) + 13)
    market.liquidate(market.bob)
    assert market.views(at, UNHEALTHY) == ((), (), ())


def test_money_sent_to_it_fills_the_fund(market: Market) -> None:
    assert market.refused(market.bob, market.margin, "topUp()") == "nothing was sent"
    market.done(market.buyer, market.token, "transfer(address,uint256)", market.margin, 7 * UNIT)
    market.done(market.bob, market.margin, "topUp()")
    assert market.reserves() == (FUND + 7 * UNIT, BACKSTOP)
    assert market.is_conserved()


@pytest.mark.parametrize("answer", [0, -1])
def test_a_price_that_is_not_positive_liquidates_nobody(answer: int, market: Market) -> None:
    market.done(market.reporter, market.feed, "push(int256)", answer)
    assert "not positive" in market.refused(market.buyer, market.margin, LIQUIDATE, ETH, market.alice.address)


def test_a_wrong_book_is_not_founded(market: Market) -> None:
    roles, alice = (market.token, market.guardian, market.governance, market.feed), market.alice
    good = terms(*roles, [(ETH, alice.address, 1, 1)])
    assert "money is not here" in market.uncreatable(alice, "margin_market", *good)
    twice = terms(*roles, [(ETH, alice.address, 1, 1), (ETH, alice.address, 1, 1)])
    assert "opened twice" in market.uncreatable(alice, "margin_market", *twice)
    strange = terms(*roles, [(DOGE, alice.address, 1, 1)])
    assert "not listed" in market.uncreatable(alice, "margin_market", *strange)
    doubled = (*good[:3], [(ETH, market.feed), (ETH, market.feed)], *good[4:])
    assert "listed twice" in market.uncreatable(alice, "margin_market", *doubled)
    assert "period is zero" in market.uncreatable(alice, "margin_market", *good[:7], 0)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prices=st.lists(st.integers(60, 130), min_size=1, max_size=4), amount=st.integers(1, 2_000 * UNIT))
def test_whatever_happens_money_is_conserved(market: Market, prices: list[int], amount: int) -> None:
    mark = market.engine.snapshot()
    for price in prices:
        market.price(price)
        market.do(market.bob, market.margin, BORROW, ETH, amount)
        for account in (market.alice, market.bob):
            market.do(market.buyer, market.margin, LIQUIDATE, ETH, account.address)
        assert market.is_conserved()
    market.engine.revert(mark)
