"""Nothing is rounded before it is compared: fractions, prices of many decimals, and what a display leaves out."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.checks.check import Reading
from incident_cli.checks.contract_state import shown_value
from incident_cli.checks.measure import Measured, in_words
from incident_cli.checks.oracle_divergence import median
from incident_cli.checks.price_source import FEWEST_UNITS, scaled
from incident_cli.checks.uniswap_source import LARGEST_TICK, price_at
from tests.checks import prices
from tests.checks.ledger import WIRING, Ledger, history, make
from tests.checks.prices import ID, NOW, Prices, feeds

MILLION = 10**6
RATIO = "book.pool() / book.debts()"


def of_pool(now: int, then: int) -> Ledger:
    """A pool that was another a minute ago, over debts of a million."""
    return Ledger({"pool": history(now, then, every=30), "debts": MILLION, "loss": 4 * MILLION // 10, "fund": MILLION})


@pytest.mark.parametrize(
    "text",
    [
        f"{{kind: share_price, price: {RATIO}, window: 1m}}",
        f"{{kind: share_price, price: 3 - {RATIO}, window: 1m, max_rise: 5%}}",
        f"{{kind: drain, value: {RATIO}, window: 1m, points: 1, max: 5%}}",
        f"{{kind: outflow, value: {RATIO}, window: 1m, retained: 70%}}",
        f"{{kind: supply, supply: 3 - {RATIO}, backing: book.fund() / book.debts(), window: 1m}}",
        f"{{kind: supply, supply: {RATIO}, backing: book.fund() / book.debts()}}",
        f"{{kind: collateral_buffer, funds: [{{value: {RATIO}}}], stressed_loss: 1.9 + {RATIO} * 0}}",
        f"{{kind: collateral_buffer, funds: [{{value: {RATIO} * 0}}], stressed_loss: book.loss() / book.debts()}}",
        f"{{kind: upstream, watch: [{{what: next_price, now: 1.99 + {RATIO} * 0, next: {RATIO}, max: 5%}}]}}",
        f"{{kind: change, value: {RATIO}, ago: 1m}}",
        f"{{kind: change, value: {RATIO}, expect: '1.99'}}",
    ],
)
def test_a_fraction_is_not_rounded_before_it_is_compared(text: str) -> None:
    reading = of_pool(1_010_000, 1_990_000).judge(make(text))
    assert reading.holds is True, reading.reason
    assert reading.value is None or type(reading.value) is int


@given(st.integers(1, 10**12), st.integers(1, 10**12), st.integers(1, 10**9), st.integers(1, 9_999))
@settings(max_examples=60)
def test_kinds_are_exact_of_decimals(now: int, then: int, below: int, limit: int) -> None:
    ledger = Ledger({"pool": history(now, then, every=30), "debts": 10**9, "fee": below})
    value = f"{RATIO} * book.fee()"  # over a power of ten: every digit is there
    drain = ledger.judge(make(f"{{kind: drain, value: {value}, window: 1m, points: 1, max: {limit}}}"))
    assert drain.holds is (Fraction(max(now, then) - now, max(now, then)) > Fraction(limit, 10_000))
    kept = ledger.judge(make(f"{{kind: outflow, value: {value}, window: 1m, retained: {limit}}}"))
    assert kept.holds is (Fraction(now, then) < Fraction(limit, 10_000))


def test_a_ratio_that_is_the_same_has_not_changed() -> None:
    ledger = Ledger({"pool": history(2, 4, every=30), "debts": history(6, 12, every=30)})
    for text in (f"{{kind: share_price, price: {RATIO}, window: 1m}}", f"{{kind: change, value: {RATIO}, ago: 1m}}"):
        assert ledger.judge(make(text)).holds is False


@pytest.mark.parametrize(("expect", "holds"), [("0.50", False), ("0.5", False), ("0.51", True), ("1", True)])
def test_a_fraction_is_expected_as_a_number(expect: str, holds: bool) -> None:
    ledger = Ledger({"pool": 1, "debts": 2})
    assert ledger.judge(make(f"{{kind: change, value: {RATIO}, expect: '{expect}'}}")).holds is holds


def test_numbers_are_compared_by_their_value() -> None:
    ledger = Ledger({"pool": 14, "debts": 2})
    assert ledger.judge(make(f"{{kind: change, value: {RATIO}, expect: '{{ceiling}}'}}")).holds is False
    assert ledger.judge(make(f"{{kind: change, value: {RATIO}, expect: 7 USDC}}")).holds is None
    assert ledger.judge(make(f"{{kind: change, value: {RATIO}, expect: 0x07}}")).holds is None
    assert shown_value(Decimal("1E+3")) == shown_value(Decimal("1000.00")) == shown_value(Decimal("1000"))
    assert shown_value(Decimal("1").scaleb(-150)).text == "0." + "0" * 149 + "1"
    assert shown_value(Decimal("-0.0")).text == "0"


def test_fractions_in_words() -> None:
    shown = [in_words(Measured(one), WIRING.tokens) for one in (Fraction(199, 100), Fraction(-1, 2), Fraction(1, 3))]
    assert shown == ["1.99", "-0.50", "0.333333333333333333"]
    assert in_words(Measured(Fraction(3)), WIRING.tokens) == "3"
    assert in_words(Measured(Fraction(5, 2), "USDC"), WIRING.tokens) == "0.000002 USDC"


def barely(text: str, ledger: Ledger) -> Reading:
    reading = ledger.judge(make(text))
    assert reading.holds is True and reading.value == reading.limit
    return reading


def test_what_trips_by_less_than_is_shown_says_so() -> None:
    ledger = Ledger({"pool": history(9_899_999, 10_000_000, every=30), "debts": 10_000_000, "fund": 10_100_001})
    for text in (
        "{kind: drain, value: book.pool(), window: 1m, points: 1, max: 100}",
        "{kind: share_price, price: book.pool(), window: 1m, max_fall: 100}",
        "{kind: supply, supply: book.fund(), backing: book.debts(), max_excess: 100}",
    ):
        assert barely(text, ledger).reason.endswith(", a little more than 100 bps")
    exactly = Ledger({"pool": history(9_900_000, 10_000_000, every=30)})
    quiet = exactly.judge(make("{kind: drain, value: book.pool(), window: 1m, points: 1, max: 100}"))
    assert (quiet.holds, quiet.value) == (False, 100) and "a little more" not in quiet.reason


def test_prices_that_trip_by_less_than_is_shown_say_so() -> None:
    basis = "basis: {mark: {slot: feed, independence: a}, index: {slot: reference, independence: b}, max: 100}"
    both = "{slot: feed, independence: a}, {slot: reference, independence: b}"
    divergence = f"oracle_divergence: {{sources: [{both}], reference: reference, max: 100}}"
    for text in (basis, divergence):
        reading = feeds(feed=10_100_000_001, reference=10**10).judge(prices.make(text))
        assert reading.holds is True and reading.value == 100 and reading.reason.endswith("a little more than 100 bps")


TINY = "basis: {mark: MARK, index: {slot: reference, independence: b}, max: 1%}"


@pytest.mark.parametrize("decimals", [30, 36])
def test_a_price_that_the_cut_at_18_decimals_would_change_is_unknown(decimals: int) -> None:
    market = feeds(feed=1_999_999_999_999_999_999, reference=10**18)
    market = market.with_(feed__decimals=(decimals,), reference__decimals=(decimals,))
    reading = market.judge(prices.make(TINY.replace("MARK", "{slot: feed, independence: a}")))
    assert reading.holds is (None if decimals == 36 else True), reading.reason
    assert decimals == 30 or "too small" in reading.reason


def test_every_source_refuses_a_price_too_small() -> None:
    least = FEWEST_UNITS
    for given_, holds in ((least, True), (least - 1, False)):
        market = feeds(feed=given_).with_(
            feed__decimals=(18,), desk__mark=(given_,), cex__number=(given_, NOW), timeless__number=(given_, None)
        )
        for text in (
            "chainlink: {slot: feed, independence: a}",
            "view: {name: mark, value: desk.mark(market), decimals: 18, independence: a}",
            "view: {name: mark, value: desk.mark(market) / 1000, decimals: 15, independence: a}",
            "benchmark: {benchmark: cex, independence: a}",
        ):
            reading = market.price(prices.source(text))
            assert (reading.value == given_) is holds and (holds or "too small" in reading.problem), text


def test_a_view_of_a_fraction_keeps_it() -> None:
    view = prices.source("view: {name: mark, value: desk.mark(market) / 1000, decimals: 2, independence: a}")
    assert Prices({("desk", "mark"): (1_999,)}).price(view).value == 1_999 * 10**13
    assert scaled(Fraction(1, 3), 0) == 333_333_333_333_333_333


def test_the_median_of_an_even_number_is_exact() -> None:
    assert median([1, 2, 4]) == 2 and median([1, 2, 5, 9]) == Fraction(7, 2)


EXTREMES = st.sampled_from([-(2**255), -1, 0, 1, 2, 10**6, 10**18, 2**128, 2**255 - 1])


@given(EXTREMES, EXTREMES, st.sampled_from([0, 1, 8, 18, 36]))
@settings(max_examples=150)
def test_a_basis_at_extremes_is_exact_or_unknown(mark: int, index: int, decimals: int) -> None:
    market = feeds(feed=mark, reference=index).with_(feed__decimals=(decimals,), reference__decimals=(decimals,))
    reading = market.judge(prices.make(TINY.replace("MARK", "{slot: feed, independence: a}")))
    if reading.holds is None:
        assert min(mark, index) * 10**18 < FEWEST_UNITS * 10**decimals
    else:
        assert reading.holds is (abs(mark - index) * 100 > index) and min(mark, index) > 0


@given(EXTREMES, EXTREMES, EXTREMES, EXTREMES, st.booleans())
@settings(max_examples=200)
def test_a_supply_at_extremes_is_exact_or_unknown(
    supply: int, backing: int, before: int, stood: int, windowed: bool
) -> None:
    values = {"pool": history(supply, before, every=30), "fund": history(backing, stood, every=30)}
    window = ", window: 1m" if windowed else ""
    reading = Ledger(values).judge(
        make(f"{{kind: supply, supply: book.pool(), backing: book.fund(), max_excess: 1%{window}}}")
    )
    seen = (supply, backing, before, stood) if windowed else (supply, backing)
    excess, base = (supply - before - backing + stood, before) if windowed else (supply - backing, backing)
    assert reading.holds is (None if min(seen) < 0 else excess * 100 > base)


@given(
    st.sampled_from([-(2**63), -1, 0, 1, 10**6, 2**63 - 1]),
    st.sampled_from([0, 1, 2**64 - 1]),
    st.sampled_from([-(2**31), -37, -36, -18, 0, 18, 19, 2**31 - 1]),
    st.sampled_from([-(2**40), NOW - 60, NOW, NOW + 60, 2**64 - 1]),
)
@settings(max_examples=150)
def test_pyth_at_extremes_is_its_number_or_none(price: int, confidence: int, exponent: int, published: int) -> None:
    market = Prices({("pyth", "getPriceUnsafe"): ((price, confidence, exponent, published),)})
    for served in (market, market.with_(pyth__getPriceUnsafe=(price, confidence, exponent, published))):
        reading = served.price(prices.source(f"pyth: {{slot: pyth, independence: a, id: '{ID}'}}"))
        if reading.value is not None:
            assert reading.value == int(price * Fraction(10) ** (exponent + 18)) >= FEWEST_UNITS
            assert price > 0 and confidence * 100 <= price and abs(NOW - published) <= 60


DOWN, UP = (Context(prec=200, rounding=rounding) for rounding in (ROUND_FLOOR, ROUND_CEILING))


def bounds(tick: int) -> tuple[Fraction, Fraction]:
    """1.0001^tick lies between these: squared and multiplied, every product rounded down, or up.

    The whole fraction has 12 million bits; each of its comparisons takes seconds.
    """
    lower = upper = Decimal(1)
    for bit in f"{abs(tick):b}":
        lower, upper = DOWN.multiply(lower, lower), UP.multiply(upper, upper)
        if bit == "1":
            lower, upper = DOWN.multiply(lower, Decimal("1.0001")), UP.multiply(upper, Decimal("1.0001"))
    below, above = Fraction(lower), Fraction(upper)
    return (below, above) if tick >= 0 else (1 / above, 1 / below)


@pytest.mark.parametrize("tick", [-700, -1, 0, 1, 2, 443])
def test_the_bounds_hold_the_whole_fraction(tick: int) -> None:
    lower, upper = bounds(tick)
    exact = Fraction(10_001, 10_000) ** tick
    assert lower <= exact <= upper and upper - lower <= exact / 10**180


@pytest.mark.parametrize("shift", [-36, 0, 36])
@pytest.mark.parametrize("tick", [-LARGEST_TICK, LARGEST_TICK])
def test_the_farthest_ticks_have_every_digit(tick: int, shift: int) -> None:
    for bound in bounds(tick):  # what holds at both ends holds between them
        exact = bound * Fraction(10) ** (18 + shift)
        assert abs(price_at(tick, shift) - exact) <= 1 + exact / 10**60
