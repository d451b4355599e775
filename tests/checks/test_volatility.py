"""Volatility: the EWMA against floats and a textbook, both conditions, missing points, a price that stood still."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from decimal import Decimal
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.checks.volatility import Point, Volatility, log_return, volatility
from incident_cli.evm import Missing, PastRead
from incident_cli.units import Span
from tests.checks.prices import NOW, WIRING, Prices, Served, feeds, make

ONE = 10**18
SHAPE = "source: {slot: feed, independence: a}"


def check(extra: str = "window: 10m, every: 1m") -> Volatility:
    """A check of ten minutes, minute by minute, unless something else is said."""
    return cast(Volatility, make(f"volatility: {{{SHAPE}, {extra}}}"))


def past(prices: Sequence[float], every: int = 60) -> Prices:
    """A feed that served these prices, the newest last, `every` seconds apart; nothing where it is not a number."""

    def at(ago: int) -> Served:
        price = prices[-1 - round(ago / every)]
        return Missing("pruned") if math.isnan(price) else (7, round(price * 10**8), NOW - ago, NOW - ago, 7)

    return feeds(feed=1).with_(feed__latestRoundData=cast("Served", at))


def ewma(prices: Sequence[float], decay: float = 0.94) -> tuple[float, float]:
    """|r| of the last price and σ of those before it, plainly in floats."""
    returns = [math.log(after / before) for before, after in itertools.pairwise(prices)]
    variance = returns[0] ** 2
    for one in returns[1:-1]:
        variance = decay * variance + (1 - decay) * one**2
    return abs(returns[-1]), math.sqrt(variance)


def test_one_update_is_the_textbooks() -> None:
    # Hull, Risk Management and Financial Institutions, example 5.2: λ 0.90, 1 % a day, then 2 %: 0.00013, 1.14 %
    first, second = Decimal("0.01").exp(), Decimal("0.03").exp()
    points = [Point(day, int(price * 10**30)) for day, price in enumerate((Decimal(1), first, second))]
    sigma = volatility(points, 1, Decimal("0.90"))
    assert abs(sigma**2 - Decimal("0.00013")) < Decimal("1e-20") and round(sigma, 4) == Decimal("0.0114")


@given(st.lists(st.floats(0.5, 2.0), min_size=11, max_size=11))
@settings(max_examples=40, deadline=None)
def test_the_score_is_that_of_a_plain_ewma(prices: list[float]) -> None:
    prices = [round(one, 8) for one in prices]
    size, sigma = ewma(prices)
    reading = past(prices).judge(check("window: 10m, every: 1m, floor: 0"))
    z = size / max(sigma, 1e-6)
    assert reading.value is not None and abs(reading.value - 100 * z) <= 1 + 1e-6 * z
    assert reading.limit == 600 and reading.unit == "10^-2 sigma"
    if abs(z - 6) > 1e-6:
        assert reading.holds is (z > 6)


def test_the_weight_is_by_the_time_that_went_by() -> None:
    prices = (1.0, 1.01, 1.0, 1.02)
    times = (0, 60, 200, 212)
    points = [Point(when, round(price * 10**18)) for when, price in zip(times, prices, strict=True)]
    tau = -60 / math.log(0.94)
    variance = math.log(1.01) ** 2
    for before, after in ((1, 2), (2, 3)):
        weight = math.exp(-(times[after] - times[before]) / tau)
        variance = weight * variance + (1 - weight) * math.log(prices[after] / prices[before]) ** 2
    assert abs(float(volatility(points, 60, Decimal("0.94"))) - math.sqrt(variance)) < 1e-12


CALM = [1 + 0.001 * (place % 2) for place in range(10)]  # 10 bps to and fro


@pytest.mark.parametrize(
    ("last", "extra", "holds"),
    [
        (1.001, "", False),
        (1.03, "", True),  # 10 bps σ, 290 bps: beyond 6 sigma and 100 bps
        (1.009, "", False),  # 8 sigma, but under the floor
        (1.009, ", floor: 50", True),
        (1.03, ", k: 40", False),  # over the floor, but 29 sigma
        (0.97, "", True),
    ],
)
def test_both_conditions_are_needed(last: float, extra: str, holds: bool) -> None:
    reading = past([*CALM, last]).judge(check(f"window: 10m, every: 1m{extra}"))
    assert reading.holds is holds
    assert reading.value is not None and (reading.value >= reading.limit) is holds


def test_the_reason_says_the_move_and_the_floor() -> None:
    reading = past([*CALM, 1.009]).judge(check())
    assert reading.reason == (
        "feed moved 79.6 bps in 60 s: 7.96 sigma of 10.00 bps, but no more than the floor of 100 bps"
    )


def test_a_price_that_stood_still_has_a_scale() -> None:
    still = [1.0] * 10
    assert past([*still, 1.0]).judge(check()).holds is False
    jump = past([*still, 1.5]).judge(check())
    assert jump.holds is True and jump.value is not None and jump.value > 10**4
    assert past([*still, 1.005]).judge(check()).holds is False


NAN = math.nan


@pytest.mark.parametrize(
    ("prices", "holds"),
    [
        ([*CALM, 1.03], True),
        ([*CALM[:4], NAN, *CALM[5:], 1.03], True),  # one point of many: its return spans the gap
        ([*CALM[:9], NAN, 1.03], True),
        ([NAN] * 5 + [*CALM[5:], 1.03], True),
        ([NAN] * 6 + [*CALM[6:], 1.03], None),
        ([NAN] * 10 + [1.03], None),
        ([*CALM, NAN], None),
    ],
)
def test_points_that_are_missing(prices: list[float], holds: bool | None) -> None:
    reading = past(prices).judge(check())
    assert reading.holds is holds
    assert holds is not None or "pruned" in reading.reason


def test_every_point_may_be_asked_for() -> None:
    every = check("window: 10m, every: 1m, least: 10")
    assert past([*CALM, 1.0]).judge(every).holds is False
    assert past([NAN, *CALM[1:], 1.0]).judge(every).holds is None


def test_it_reads_now_and_the_past_of_one_block_each() -> None:
    reads = check().reads(WIRING)
    assert len(reads) == 22 and len({one.ago for one in reads if isinstance(one, PastRead)}) == 10
    assert Span(seconds=600) in {one.ago for one in reads if isinstance(one, PastRead)}


def test_blocks_that_are_the_same_count_once() -> None:
    # a point every second on a chain of a block every 12: sixty points are five blocks
    reading = past([1.0] * 61, every=1).judge(check("window: 1m, every: 1s"))
    assert reading.holds is None and reading.reason.startswith("only 5 of 60 points")


def test_a_view_whose_argument_is_read_has_a_past() -> None:
    one = make(
        "volatility: {source: {from: view, name: mark, value: desk.mark(desk.current()), decimals: 8, "
        "independence: a}, window: 10m, every: 1m, least: 10}"
    )
    world = Prices({("desk", "mark"): (10**8,), ("desk", "current"): (b"\x01" * 32,)})
    assert len(world.asked(one)) == 22 and world.judge(one).holds is False


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("window: 4m, every: 1m", "5 to 720 points"),
        ("window: 1d, every: 1m", "5 to 720 points"),
        ("every: 0s", "5 to 720 points"),
        ("decay: 94", "written 94%"),
        ("decay: 100%", "written 94%"),
        ("k: 0", "1 to 1000"),
        ("floor: -1", "floor is from"),
        ("least: 1", "least is from 2"),
        ("least: 61", "least is from 2"),
    ],
)
def test_parameters_that_cannot_be_right_are_refused(extra: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check(extra)


def test_a_source_without_a_past_is_refused() -> None:
    with pytest.raises(ValueError, match="a benchmark has no past"):
        make("volatility: {source: {from: benchmark, benchmark: cex, independence: a}}")
    ago = "\"ago(desk.mark(market), '5 blocks')\""
    with pytest.raises(ValueError, match="has no `ago`"):
        make(f"volatility: {{source: {{from: view, name: mark, value: {ago}, decimals: 8, independence: a}}}}")


def test_a_random_walk_seldom_trips() -> None:
    walk, price = random.Random(3), 1_000.0
    prices = []
    for _ in range(400):
        price *= math.exp(walk.gauss(0, 0.002))
        prices.append(price)
    one = check("window: 59m, every: 1m, floor: 0")
    assert not any(past(prices[at - 60 : at]).judge(one).holds for at in range(61, 400, 9))


@given(st.integers(1, 10**40), st.integers(1, 10**40))
@settings(max_examples=40)
def test_log_returns_of_any_prices(before: int, after: int) -> None:
    found = log_return(Point(0, before), Point(1, after))
    assert math.isclose(float(found), math.log(after) - math.log(before), rel_tol=1e-9, abs_tol=1e-9)
