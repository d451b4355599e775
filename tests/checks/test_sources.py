"""The price sources: what they answer, and every answer that must not be believed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.checks.price_source import PriceSource, scaled
from incident_cli.checks.sources import SOURCES
from incident_cli.checks.uniswap_source import price_at
from incident_cli.checks.wording import describe, describe_price
from incident_cli.evm import Block, Missing
from tests.checks.prices import (
    BENCHMARKS,
    ID,
    NOW,
    SLOTS,
    WIRING,
    Prices,
    Served,
    feeds,
    make,
    served,
    source,
)

ONE = 10**18


def test_every_source_has_its_explanation() -> None:
    assert list(SOURCES) == ["chainlink", "pyth", "uniswap_v3", "view", "benchmark"]
    for kind in SOURCES.values():
        assert len((kind.__doc__ or "").split()) > 15


# Chainlink


@pytest.mark.parametrize(
    ("extra", "answer", "problem"),
    [
        ("", served(0), "it answers 0"),
        ("lowest: 10", served(10), "its lower bound, 10"),
        ("highest: 10", served(10), "its upper bound, 10"),
        ("max_age: 1m", served(5, age=61), "stale: its update is 1m 1s old"),
        ("", served(5, age=-1), "not a past time"),
        ("", (1, 2, 3), "does not answer 5 whole numbers"),
        ("", ("7", "5", "1", "1", "7"), "does not answer 5 whole numbers"),
    ],
)
def test_a_feed_that_must_not_be_believed(extra: str, answer: Served, problem: str) -> None:
    one = source(f"chainlink: {{slot: feed, independence: a, {extra}}}")
    reading = feeds(feed=5).with_(feed__latestRoundData=answer).price(one)
    assert reading.value is None and problem in reading.problem


def test_a_feed_within_its_age_is_a_price() -> None:
    one = source("chainlink: {slot: feed, independence: a, max_age: 1m, lowest: 1, highest: 9}")
    world = Prices({("feed", "latestRoundData"): served(5, age=60), ("feed", "decimals"): (8,)})
    assert world.price(one).value == 5 * 10**10


def test_a_price_that_18_decimals_cannot_hold_is_none() -> None:
    one = source("chainlink: {slot: feed, independence: a}")
    reading = feeds(feed=1).with_(feed__decimals=(36,)).price(one)
    assert reading.value is None and "too small to be compared at 18 decimals" in reading.problem


def test_a_protocol_that_declares_a_round_otherwise_is_unknown() -> None:
    one = source("chainlink: {slot: desk, independence: a}")
    world = Prices({("desk", "latestRound"): (5, "five"), ("desk", "decimals"): (-1,)})
    assert "does not answer 5 whole numbers" in world.price(one).problem
    wiring = replace(WIRING, slots={**SLOTS, "desk": replace(SLOTS["desk"], name="desk")})
    assert world.with_(desk__latestRound=served(5)).price(one, wiring).problem == "-1 decimals is absurd"


def test_a_feed_on_another_chain_is_judged_by_that_chains_time() -> None:
    one = source("chainlink: {slot: remote, independence: a, max_age: 1m}")
    world = feeds(remote=5)
    assert world.price(one).problem == "the chain arbitrum was not read"
    late = Block("arbitrum", 9, "0x" + "1" * 64, NOW + 100)
    assert "stale" in replace(world, others={"arbitrum": late}).price(one).problem
    early = replace(late, timestamp=NOW)
    assert replace(world, others={"arbitrum": early}).price(one).value == 5 * 10**10


# Pyth


PYTH = source(f"pyth: {{slot: pyth, independence: pyth, id: '{ID}'}}")


def pyth(price: int = 250_000, confidence: int = 100, exponent: int = -2, age: int = 10) -> Prices:
    return Prices({("pyth", "getPriceUnsafe"): (price, confidence, exponent, NOW - age)})


def test_pyth_asks_for_its_feed_and_scales_the_price() -> None:
    (read,) = PYTH.reads(WIRING)
    assert getattr(read, "args", None) == (bytes.fromhex("ab" * 32),)
    reading = pyth().price(PYTH)
    assert (reading.value, reading.updated_at) == (2_500 * ONE, NOW - 10)
    assert pyth(3, 0, 2).price(PYTH).value == 300 * ONE


@pytest.mark.parametrize(
    ("world", "problem"),
    [
        (pyth(age=61), "stale, not divergent: published 1m 1s ago, more than 1m"),
        (pyth(age=-61), "stale, not divergent: published 1m 1s ahead of the block"),
        (pyth(confidence=2_501), "uncertain: its confidence interval is 100 bps of the price, more than 100"),
        (pyth(price=0), "it answers 0"),
        (pyth(price=-5), "it answers -5"),
        (pyth(exponent=-37), "an exponent of -37 is absurd"),
        (pyth(exponent=19), "an exponent of 19 is absurd"),
        (pyth(price=1, confidence=0, exponent=-19), "too small to be compared at 18 decimals"),
        (Prices(), "it reverted"),
    ],
)
def test_pyth_tells_stale_and_uncertain_from_divergent(world: Prices, problem: str) -> None:
    reading = world.price(PYTH)
    assert reading.value is None and problem in reading.problem


def test_pyth_at_its_limits_is_a_price() -> None:
    assert pyth(age=60, confidence=2_500).price(PYTH).value == 2_500 * ONE
    assert pyth(age=-60).price(PYTH).value == 2_500 * ONE


def test_two_feeds_of_one_pyth_have_names() -> None:
    check = make(
        f"basis: {{mark: {{from: pyth, slot: pyth, name: perp, independence: a, id: '{ID}'}}, "
        f"index: {{from: pyth, slot: pyth, name: spot, independence: a, id: '0x{'cd' * 32}'}}, max: 1%}}"
    )
    assert check.names() == ("perp", "spot") and check.required() == {"pyth": ("price_unsafe",)}
    assert len(check.reads(WIRING)) == 2


# Uniswap v3: the sqrt ratios (Q64.96) are those of Uniswap/v3-core's own TickMath tests.


SQRT_RATIOS = {
    -887272: 4295128739,
    -250000: 295440463448801648376846,
    -50: 79030349367926598376800521322,
    0: 2**96,
    50: 79426470787362580746886972461,
    100: 79625275426524748796330556128,
    250: 80224679980005306637834519095,
    1000: 83290069058676223003182343270,
    5000: 101729702841318637793976746270,
    50000: 965075977353221155028623082916,
    150000: 143194173941309278083010301478497,
    250000: 21246587762933397357449903968194344,
    500000: 5697689776495288729098254600827762987878,
    887272: 1461446703485210103287273052203988822378723970342,
}


@pytest.mark.parametrize("tick", SQRT_RATIOS)
def test_a_tick_is_uniswaps_price(tick: int) -> None:
    exact = Fraction(SQRT_RATIOS[tick] ** 2, 2**192)
    ours = Fraction(price_at(tick, 40), 10**58)
    # TickMath itself is rounded: its smallest ratio has ten digits
    assert abs(ours / exact - 1) < Fraction(1, 10**9 if tick == -887272 else 10**17 if tick > -1000 else 10**15)


@given(st.integers(-200_000, 200_000))
@settings(max_examples=40)
def test_a_tick_is_good_to_fifteen_digits_against_fractions(tick: int) -> None:
    exact = Fraction(10_001, 10_000) ** tick if abs(tick) < 3_000 else None
    ours = Fraction(price_at(tick, 36), 10**54)
    back = Fraction(price_at(-tick, 36), 10**54)
    assert abs(ours * back - 1) < Fraction(1, 10**15)
    assert exact is None or abs(ours / exact - 1) < Fraction(1, 10**15)


def pool(earlier: int, later: int) -> Prices:
    return Prices({("pool", "observe"): ((earlier, later), (0, 0)), ("pool", "liquidity"): (1_000,)})


def twap(extra: str = "") -> PriceSource:
    return source(
        f"uniswap_v3: {{slot: pool, independence: dex, window: 100s, base_decimals: 0, quote_decimals: 0, {extra}}}"
    )


@pytest.mark.parametrize(("moved", "tick"), [(0, 0), (10_000, 100), (10_099, 100), (-1, -1), (-100, -1), (-101, -2)])
def test_the_mean_tick_is_rounded_towards_minus_infinity(moved: int, tick: int) -> None:
    assert pool(-7_777, -7_777 + moved).price(twap()).value == price_at(tick, 0)


def test_a_pool_of_18_and_6_decimals_both_ways() -> None:
    tick = -196_256  # a WETH/USDC pool with USDC second: about 3,000
    decimals = "{slot: pool, independence: dex, window: 100s, base_decimals: %d, quote_decimals: %d, invert: %s}"
    world = pool(0, tick * 100)
    forwards = world.price(source("uniswap_v3: " + decimals % (18, 6, "false")))
    backwards = world.price(source("uniswap_v3: " + decimals % (6, 18, "true")))
    assert forwards.value is not None and backwards.value is not None
    assert 2_990 < Decimal(forwards.value) / ONE < 3_010
    assert abs(Fraction(forwards.value * backwards.value, ONE * ONE) - 1) < Fraction(1, 10**14)
    usdc_first = pool(0, -tick * 100).price(source("uniswap_v3: " + decimals % (18, 6, "true")))
    assert usdc_first.value == forwards.value


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Missing("execution reverted: OLD"), "the pool's memory is shorter than 1m 40s"),
        (Missing("it timed out"), "it timed out"),
        (((0, 88_727_300), (0, 0)), "a mean tick of 887273 is none"),
        (((0, -88_727_201), (0, 0)), "a mean tick of -887273 is none"),
        (((0,), (0,)), "does not answer 2 whole numbers"),
        ((5,), "does not answer 2 whole numbers"),
        ((), "does not answer 2 whole numbers"),
    ],
)
def test_a_pool_that_has_no_price(answer: Served, problem: str) -> None:
    reading = pool(0, 0).with_(pool__observe=answer).price(twap())
    assert reading.value is None and problem in reading.problem


def test_a_pool_too_thin_has_no_price() -> None:
    assert "pool" in twap("least_liquidity: 1").required() and len(twap("least_liquidity: 1").reads(WIRING)) == 2
    assert pool(0, 0).price(twap("least_liquidity: 1000")).value == ONE
    assert "less than 1001" in pool(0, 0).price(twap("least_liquidity: 1001")).problem
    gone = pool(0, 0).with_(pool__liquidity=Missing("it timed out"))
    assert gone.price(twap("least_liquidity: 1")).problem == "it timed out"


# A view and a benchmark


VIEW = source("view: {name: mark, value: desk.mark(market), decimals: 8, independence: desk}")


def test_a_view_is_any_expression_over_the_chain() -> None:
    assert Prices({("desk", "mark"): (250_000_000_000,)}).price(VIEW).value == 2_500 * ONE
    assert [one.source for one in VIEW.formulas()] == ["desk.mark(market)"]
    check = make(
        "oracle_divergence: {sources: [{slot: feed, independence: a}, {from: view, name: mark, decimals: 8, "
        "value: desk.mark(market), independence: b}], reference: feed, max: '{max}'}"
    )
    assert [(one.source, what) for one, what in check.formulas()] == [("desk.mark(market)", "number")]
    assert check.names() == ("feed", "mark") and check.required() == {"feed": ("latest_round", "decimals")}


def test_a_view_whose_argument_is_read_takes_a_second_round() -> None:
    nested = source("view: {name: mark, value: desk.mark(desk.current()), decimals: 8, independence: desk}")
    world = Prices({("desk", "mark"): (10**8,), ("desk", "current"): (b"\x01" * 32,)})
    assert world.price(nested).value == ONE


@pytest.mark.parametrize(
    ("answer", "problem"), [((0,), "it answers 0"), (Missing("it timed out"), "desk.mark: it timed out")]
)
def test_a_view_without_a_price(answer: Served, problem: str) -> None:
    reading = Prices({("desk", "mark"): answer}).price(VIEW)
    assert (reading.value, reading.problem) == (None, problem)
    odd = source("view: {name: mark, value: desk.odd(), decimals: 8, independence: desk}")
    assert "is no number" in Prices({("desk", "odd"): (True,)}).price(odd).problem


def benchmark(name: str = "cex") -> PriceSource:
    return source(f"benchmark: {{benchmark: {name}, independence: cex}}")


@pytest.mark.parametrize(
    ("name", "answer", "problem"),
    [
        ("cex", (5, NOW - 61), "stale, not divergent: its number is from 1m 1s ago"),
        ("cex", (5, NOW + 61), "stale, not divergent: its number is from 1m 1s ahead"),
        ("cex", (5, None), "does not say of when"),
        ("cex", (0, NOW), "it answers 0"),
        ("cex", ("5", NOW), "it answers no number"),
        ("cex", (), "it answers no number"),
        ("cex", Missing("HTTP 503"), "HTTP 503"),
        ("other", (5, NOW), "the deployment lists no benchmark other"),
    ],
)
def test_a_benchmark_without_a_price(name: str, answer: Served, problem: str) -> None:
    reading = Prices({(name, "number"): answer}).price(benchmark(name))
    assert reading.value is None and problem in reading.problem


def test_a_benchmark_is_the_deployments() -> None:
    assert benchmark("cex").reads(WIRING) == (BENCHMARKS["cex"],)
    assert benchmark("other").reads(WIRING) == ()
    reading = Prices({("cex", "number"): (7 * ONE, NOW - 60)}).price(benchmark())
    assert (reading.name, reading.value, reading.updated_at) == ("cex", 7 * ONE, NOW - 60)
    assert Prices({("timeless", "number"): (ONE, None)}).price(benchmark("timeless")).value == ONE


@pytest.mark.parametrize(
    "text",
    [
        "chainlink: {slot: feed, independence: a, lowest: 5, highest: 5}",
        "chainlink: {slot: feed, independence: a, max_age: 0s}",
        "pyth: {slot: pyth, independence: a, id: '0x12'}",
        f"pyth: {{slot: pyth, independence: a, id: '{ID}', max_age: 0s}}",
        f"pyth: {{slot: pyth, independence: a, id: '{ID}', max_confidence: 0}}",
        "uniswap_v3: {slot: pool, independence: a, base_decimals: 18, quote_decimals: 6, window: 0s}",
        "uniswap_v3: {slot: pool, independence: a, base_decimals: 18, quote_decimals: 6, window: 8d}",
        "uniswap_v3: {slot: pool, independence: a, base_decimals: 37, quote_decimals: 6}",
        "uniswap_v3: {slot: pool, independence: a, base_decimals: 18, quote_decimals: 6, least_liquidity: -1}",
        "uniswap_v3: {slot: pool, independence: a}",
        "view: {name: mark, value: desk.mark(market), decimals: 37, independence: a}",
        "view: {value: desk.mark(market), decimals: 8, independence: a}",
        "benchmark: {benchmark: cex, independence: a, max_age: 0s}",
        "benchmark: {benchmark: cex}",
    ],
)
def test_parameters_that_cannot_be_right_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        source(text)


@given(st.integers(1, 2**256), st.integers(0, 36))
@settings(max_examples=60)
def test_scaling_rounds_down_exactly(value: int, decimals: int) -> None:
    assert scaled(value, decimals) == int(Fraction(value, 10**decimals) * ONE)


def test_numbers_in_words() -> None:
    assert [describe_price(one) for one in (3_900 * ONE, 998_549_999 * 10**9, 12_345 * 10**9, 1, 25 * ONE // 2)] == [
        "3,900.00",
        "0.9985",
        "0.00001234",
        "0.000000000000000001",
        "12.50",
    ]
    assert describe(612, "10^-2 sigma") == "6.12 sigma" and describe(-5, "10^-2 bps") == "-0.05 bps"
    assert describe(1_234_500_000, "10^-6 USDC") == "1,234.50 USDC" and describe(None, "bps") == "unknown"
