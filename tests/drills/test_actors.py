"""Decisions of the drill's inhabitants: pure, bounded, and never against the exchange's state."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.drills import actors
from incident_cli.drills.actors import ATTACK_CAPITAL, ATTACK_TARGET, MARKETS, Holder, Means, Price, View
from incident_cli.drills.founding import POOL
from incident_cli.drills.scenario import Fault, Scenario

OPEN = View(frozenset(), shut_down=False, available=10**12, pool=POOL)
ETH = MARKETS[0]
seeds = st.integers(0, 2**64)
heights = st.integers(1, 10_000)
prices = st.builds(
    lambda true, bps: Price(true, actors.moved(true, bps), true),
    st.integers(ETH.spot // 2, ETH.spot * 2),
    st.integers(-5_000, 5_000),
)


@settings(max_examples=30)
@given(seeds, heights, st.integers(-100, 100), st.integers(0, 1_000))
def test_a_draw_keeps_its_bounds_and_repeats(seed: int, height: int, least: int, width: int) -> None:
    found = actors.draw(seed, "label", height, least, least + width)
    assert least <= found <= least + width
    assert found == actors.draw(seed, "label", height, least, least + width)


@settings(max_examples=30)
@given(seeds, heights, prices, st.integers(0, ATTACK_CAPITAL))
def test_a_raid_gains_what_it_says_and_never_costs_more_than_the_capital(
    seed: int, height: int, price: Price, capital: int
) -> None:
    found = actors.raid(seed, height, ETH, price, Means(capital, POOL))
    if found is None:
        return
    assert found.premium <= capital
    assert found.gain == ETH.payoff(price.reference, found.quantity) - found.premium
    assert 0 < found.gain <= ATTACK_TARGET[1]


@settings(max_examples=30)
@given(seeds, heights, st.integers(ETH.spot // 2, ETH.spot * 2))
def test_honest_prices_are_worth_nothing_to_an_attacker(seed: int, height: int, true: int) -> None:
    assert actors.raid(seed, height, ETH, Price(true, true, true), Means(ATTACK_CAPITAL, POOL)) is None


@settings(max_examples=30)
@given(seeds, heights, st.integers(-2_000, 2_000))
def test_a_moved_feed_shows_the_move_and_nothing_else(seed: int, height: int, move: int) -> None:
    before = actors.first_prices()
    honest = actors.next_prices(before, seed, height, ())
    bent = actors.next_prices(before, seed, height, [Fault("feed-moved", "ETH-USD", 1, move)])
    assert bent["ETH-USD"].feed == actors.moved(honest["ETH-USD"].true, move)
    assert bent["ETH-USD"].reference == honest["ETH-USD"].reference
    assert {name: bent[name] for name in ("BTC-USD", "SOL-USD")} == {
        name: honest[name] for name in ("BTC-USD", "SOL-USD")
    }


def test_a_frozen_feed_keeps_its_answer_while_the_price_drifts() -> None:
    fault, prices_now = Fault("feed-frozen", "ETH-USD", 1, 20), actors.first_prices()
    for height in range(1, 21):
        prices_now = actors.next_prices(prices_now, 7, height, [fault])
    price = prices_now["ETH-USD"]
    assert not price.feed_pushed
    assert price.feed == ETH.spot
    assert price.reference == price.true > actors.moved(ETH.spot, 200)


def test_a_fault_lasts_as_long_as_it_says() -> None:
    fault = Fault("feed-moved", "ETH-USD", 3, -500, lasts=2)
    assert [height for height in range(8) if fault.is_active(height)] == [3, 4]
    scenario = Scenario("s", "S", "r", "ETH-USD", "contained", (fault,))
    assert scenario.active(3, over=False) == scenario.active(3, False, "feed-moved") == (fault,)
    assert scenario.active(3, over=True) == scenario.active(3, False, "lane-cursed") == ()
    assert scenario.has("lane-cursed", "feed-moved") and not scenario.has("feed-frozen")


@settings(max_examples=30)
@given(st.integers(-9_000, 0), st.integers(1, 200))
def test_a_price_falls_as_often_as_it_likes_and_never_to_nothing(move: int, blocks: int) -> None:
    prices_now, fault = actors.first_prices(), Fault("price-crash", "ETH-USD", 1, move)
    for height in range(1, blocks):
        prices_now = actors.next_prices(prices_now, 7, height, [fault, Fault("feed-moved", "ETH-USD", 1, move)])
        assert 0 < prices_now["ETH-USD"].feed <= prices_now["ETH-USD"].reference


def test_a_frozen_feed_stays_frozen_in_a_crash() -> None:
    faults = [Fault("feed-frozen", "ETH-USD", 1, 0), Fault("price-crash", "ETH-USD", 1, -500)]
    price = actors.next_prices(actors.first_prices(), 7, 1, faults)["ETH-USD"]
    assert (price.feed, price.feed_pushed) == (ETH.spot, False)
    assert price.reference == price.true < actors.moved(ETH.spot, -400)


def test_a_raid_stays_within_the_pool() -> None:
    low = Price(ETH.spot, actors.moved(ETH.spot, -1_200), ETH.spot)
    found = actors.raid(7, 1, ETH, low, Means(ATTACK_CAPITAL, 50_000 * 10**6, appetite=1_000))
    assert found is not None
    assert ETH.payoff(low.reference, found.quantity) <= 50_000 * 10**6
    usual, greedy = (actors.raid(7, 1, ETH, low, Means(ATTACK_CAPITAL, POOL, appetite)) for appetite in (1, 20))
    assert usual is not None and greedy is not None
    assert 19 * usual.gain < greedy.gain < 21 * usual.gain


@settings(max_examples=30)
@given(seeds, heights, st.integers(0, 10**12), st.integers(0, 10**9), st.integers(0, 10**12))
def test_a_trader_neither_overspends_nor_trades_where_nothing_trades(
    seed: int, height: int, balance: int, position: int, available: int
) -> None:
    price, holder = actors.first_prices()["ETH-USD"], Holder(balance, position)
    view = View(frozenset(), shut_down=False, available=available, pool=POOL)
    deed = actors.trade(seed, height, ETH, price, view, holder)
    if deed and deed.function.startswith("buy"):
        assert isinstance(deed.args[1], int)
        assert ETH.premium(price.feed, deed.args[1]) <= balance
    closed = View(frozenset({"ETH-USD"}), shut_down=False, available=available, pool=POOL)
    quiet = actors.trade(seed, height, ETH, price, closed, holder)
    assert quiet is None or quiet.function.startswith("withdraw")


def test_a_trader_settles_after_a_shutdown() -> None:
    shut = View(frozenset(), shut_down=True, available=10**12, pool=POOL)
    deed = actors.trade(7, 1, ETH, actors.first_prices()["ETH-USD"], shut, Holder(10**9, position=5))
    assert deed is not None
    assert deed.function.startswith("settle")


def test_the_attacker_leaves_with_what_the_limit_lets_out_once_something_is_closed() -> None:
    bent = {**actors.first_prices(), "ETH-USD": Price(ETH.spot, actors.moved(ETH.spot, -600), ETH.spot)}
    rich = Holder(ATTACK_CAPITAL + 50)
    raid = actors.attack(7, 1, bent, OPEN, rich)
    assert raid is not None
    assert raid.function == actors.RAID
    assert raid.args[3] == 50
    leave = actors.attack(7, 1, bent, View(frozenset({"ETH-USD"}), shut_down=False, available=9, pool=POOL), rich)
    assert leave is not None
    assert leave.args == (9,)
    assert actors.attack(7, 1, actors.first_prices(), OPEN, rich) is None
