"""Levels and ratios of a protocol's own values: drain, retained, coverage, share price, supply, invariant."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.evm import CallRead, Missing, PastRead, Read
from tests.checks.ledger import SLOTS, WIRING, Ledger, history, make

MILLION = 10**12  # base units of USDC
AMOUNTS = st.integers(1, 10**24)
DRAIN = "{kind: drain, value: book.pool(), window: 30m, points: 3, max: 20%}"
RETAINED = "{kind: outflow, value: book.pool(), window: 4h, retained: 70%}"
FUNDS = "[{value: book.fund()}, {value: book.pool(), haircut: 50%}]"
BUFFER = f"{{kind: collateral_buffer, funds: {FUNDS}, stressed_loss: book.loss(), min: 100%, warn: 150%}}"
PRICE = "{kind: share_price, price: 'vault.convert_to_assets(1000000)', window: 1h, max_rise: 5%}"
SUPPLY = "{kind: supply, supply: book.debts(), backing: book.pool(), max_excess: 1%}"
GROWTH = "{kind: supply, supply: book.debts(), backing: book.pool(), max_excess: 1%, window: 1h}"


def past_of(name: str, seconds: int) -> Read:
    (found,) = (
        one
        for one in make(DRAIN).reads(WIRING)
        if isinstance(one, PastRead) and one.ago.seconds == seconds and one.read == SLOTS["book"].read(name)
    )
    return found


def test_a_drain_is_measured_from_the_highest_point_of_the_window() -> None:
    pool = history(70 * MILLION, 60 * MILLION, 100 * MILLION, 40 * MILLION, every=600)
    reading = Ledger({"pool": pool}).judge(make(DRAIN))
    assert (reading.holds, reading.value, reading.limit, reading.unit, reading.trips) == (
        True,
        3_000,
        2_000,
        "bps",
        "above",
    )
    assert reading.reason == "70,000,000.00 USDC now, 100,000,000.00 USDC at its highest in 30m: 3000 bps less"


@given(st.lists(AMOUNTS, min_size=4, max_size=4), st.integers(1, 9_999))
@settings(max_examples=100)
def test_the_drawdown_is_exact(values: list[int], limit: int) -> None:
    reading = Ledger({"pool": history(*values, every=600)}).judge(make(DRAIN.replace("20%", str(limit))))
    drawdown = (1 - Fraction(values[0], max(values))) * 10_000
    assert (reading.holds, reading.value) == (drawdown > limit, int(drawdown))


def test_a_missing_point_can_only_hide_a_deeper_drain() -> None:
    quiet = Ledger({"pool": history(90, 100, 95, 95, every=600)})
    lost = quiet.without(past_of("pool", 600)).judge(make(DRAIN))
    assert (lost.holds, lost.value) == (None, None)
    assert lost.reason == "1 of 3 past points could not be read (book.pool: it timed out): it fell by 526 bps at least"
    deep = Ledger({"pool": history(50, 100, 95, 95, every=600)})
    firing = deep.without(past_of("pool", 600)).judge(make(DRAIN))
    assert (firing.holds, firing.value) == (True, 4_736) and "at least; 1 of 3 past points" in firing.reason


def test_what_was_empty_all_along_is_unknown_and_what_was_emptied_fires() -> None:
    assert Ledger({"pool": 0}).judge(make(DRAIN)).holds is None
    assert Ledger({"pool": history(0, 5, 5, 5, every=600)}).judge(make(DRAIN)).value == 10_000


def test_a_drain_looks_back_in_blocks_too() -> None:
    check = make("{kind: drain, value: book.pool(), window: 200 blocks, max: 20%}")
    assert [one.ago.blocks for one in check.reads(WIRING) if isinstance(one, PastRead)] == list(range(20, 201, 20))
    assert Ledger({"pool": 5}).judge(check).holds is False


@pytest.mark.parametrize(
    ("now", "holds", "value"), [(70, False, 7_000), (69, True, 6_900), (0, True, 0), (140, False, 14_000)]
)
def test_erc_7265_keeps_seventy_percent_over_four_hours(now: int, holds: bool, value: int) -> None:
    reading = Ledger({"pool": history(now * MILLION, 100 * MILLION, every=14_400)}).judge(make(RETAINED))
    assert (reading.holds, reading.value, reading.limit, reading.trips) == (holds, value, 7_000, "below")


@given(AMOUNTS, AMOUNTS, st.integers(1, 9_999))
@settings(max_examples=100)
def test_retained_is_exact(now: int, then: int, retained: int) -> None:
    reading = Ledger({"pool": history(now, then, every=14_400)}).judge(make(RETAINED.replace("70%", str(retained))))
    flow = now - then  # d of ERC-7265: trips when L + d < L · retained
    assert reading.holds == (then + flow < Fraction(then * retained, 10_000))


@pytest.mark.parametrize(
    ("fund", "pool", "loss", "holds", "value"),
    [(100, 0, 100, False, 10_000), (60, 80, 100, False, 10_000), (60, 79, 100, True, 9_950), (0, 0, 1, True, 0)],
)
def test_coverage(fund: int, pool: int, loss: int, holds: bool, value: int) -> None:
    reading = Ledger({"fund": fund, "pool": pool, "loss": loss}).judge(make(BUFFER))
    assert (reading.holds, reading.value, reading.limit, reading.trips) == (holds, value, 10_000, "below")
    assert reading.reason.endswith("; below the warning line of 15000 bps")


@given(AMOUNTS, AMOUNTS, AMOUNTS, st.integers(0, 9_999), st.integers(1, 30_000))
@settings(max_examples=100)
def test_coverage_is_exact(fund: int, pool: int, loss: int, haircut: int, least: int) -> None:
    text = BUFFER.replace(", warn: 150%", "").replace("50%", str(haircut)).replace("100%", str(least))
    reading = Ledger({"fund": fund, "pool": pool, "loss": loss}).judge(make(text))
    coverage = (fund + pool * (1 - Fraction(haircut, 10_000))) / loss * 10_000
    assert (reading.holds, reading.value) == (coverage < least, int(coverage))


def test_without_a_loss_nothing_needs_covering() -> None:
    reading = Ledger({"fund": 0, "pool": 0, "loss": 0}).judge(make(BUFFER))
    assert (reading.holds, reading.value, reading.reason) == (False, None, "no loss under the stress")


def test_funds_and_loss_of_two_units_are_unknown() -> None:
    check = make("{kind: collateral_buffer, funds: [{value: book.number()}], stressed_loss: book.loss()}")
    reading = Ledger({"number": 10, "loss": 1}).judge(check)
    assert (reading.holds, reading.reason) == (None, "USDC cannot be set against a number without a unit")


@pytest.mark.parametrize(
    ("now", "then", "holds", "value", "limit"),
    [
        (1_000_000, 1_000_000, False, 0, 0),
        (999_999, 1_000_000, True, 0, 0),  # one unit is less than a basis point, and still a loss
        (900_000, 1_000_000, True, 1_000, 0),
        (1_050_000, 1_000_000, False, 500, 500),
        (1_050_001, 1_000_000, True, 500, 500),
    ],
)
def test_a_share_price_never_falls_and_never_jumps(now: int, then: int, holds: bool, value: int, limit: int) -> None:
    reading = Ledger({"convertToAssets": history(now, then, every=3_600)}).judge(make(PRICE))
    assert (reading.holds, reading.value, reading.limit) == (holds, value, limit)


def test_without_a_limit_a_share_price_may_rise() -> None:
    check = make(PRICE.replace(", max_rise: 5%", ""))
    assert Ledger({"convertToAssets": history(2, 1, every=3_600)}).judge(check).holds is False
    assert Ledger({"convertToAssets": history(2, 0, every=3_600)}).judge(check).holds is None


@pytest.mark.parametrize(
    ("supply", "backing", "holds", "value"),
    [(101, 100, False, 100), (102, 100, True, 200), (90, 100, False, -1_000), (1, 0, True, None), (0, 0, False, 0)],
)
def test_supply_stands_on_its_backing(supply: int, backing: int, holds: bool, value: int | None) -> None:
    reading = Ledger({"debts": supply, "pool": backing}).judge(make(SUPPLY))
    assert (reading.holds, reading.value, reading.limit) == (holds, value, 100)


@pytest.mark.parametrize(
    ("supply", "backing", "holds", "value"), [(200, 150, False, 0), (201, 150, False, 100), (202, 150, True, 200)]
)
def test_growth_is_set_against_growth(supply: int, backing: int, holds: bool, value: int) -> None:
    values = {"debts": history(supply, 100, every=3_600), "pool": history(backing, 50, every=3_600)}
    reading = Ledger(values).judge(make(GROWTH))
    assert (reading.holds, reading.value) == (holds, value)


def test_an_invariant_holds_is_broken_or_unknown() -> None:
    check = make("{kind: invariant, holds: 'book.pool() >= book.debts()'}")
    whole = Ledger({"pool": 5, "debts": 5}).judge(check)
    assert (whole.holds, whole.value, whole.limit, whole.reason) == (False, 0, 0, "book.pool() >= book.debts() holds")
    assert Ledger({"pool": 4, "debts": 5}).judge(check).reason == "book.pool() >= book.debts() is broken"
    assert Ledger({"pool": 4}).judge(check).holds is None
    decided = make("{kind: invariant, holds: 'book.fee() > 9 and book.debts() > 0'}")
    assert Ledger({"fee": 4}).judge(decided).holds is True  # whatever the debts are


def test_a_share_of_as_many_decimals_as_the_vault_has_is_read_in_two_rounds() -> None:
    check = make("{kind: share_price, price: 'vault.convert_to_assets(vault.decimals())', window: 1h}")
    ledger = Ledger({"decimals": 18, "convertToAssets": lambda ago, args: args[0]})
    reads, _ = ledger.asked(check)
    names = [one.signature.name for one in reads if isinstance(one, CallRead)]
    assert (names, len(reads)) == (["decimals", "convertToAssets"], 4)
    assert ledger.judge(check).holds is False


REFUSED = [
    (DRAIN.replace("points: 3", "points: 65"), "points is from 1 to 64"),
    (DRAIN.replace("points: 3", "points: 0"), "points is from 1 to 64"),
    (DRAIN.replace("30m", "2s"), "3 points do not fit in a window of 2s"),
    (DRAIN.replace("30m", "0s"), "the window must be more than 0s"),
    (DRAIN.replace("20%", "100%"), "max is more than 0 bps and less than 100%"),
    (DRAIN.replace("book.pool()", "'ago(book.pool(), \"5 blocks\")'"), "count both in time, or both in blocks"),
    (RETAINED.replace("70%", "0"), "retained is more than 0 bps"),
    (RETAINED.replace(", retained: 70%", ""), "'retained' is missing"),
    (RETAINED.replace("}", ", only: {market: market}}"), "`only` chooses among events"),
    (RETAINED.replace("}", ", capacity: 5 USDC}"), "'capacity' belongs to the other"),
    ("{kind: collateral_buffer, funds: [], stressed_loss: book.loss()}", "at least one fund"),
    (BUFFER.replace("haircut: 50%", "haircut: 100%"), "a haircut is from 0 bps to less than 100%"),
    (BUFFER.replace("min: 100%", "min: 0"), "min must be more than 0 bps"),
    (BUFFER.replace("warn: 150%", "warn: 90%"), "warn lies above min"),
    (PRICE.replace("max_rise: 5%", "max_rise: 0"), "max_rise must be more than 0 bps"),
    (PRICE.replace("max_rise: 5%", "max_fall: -1"), "max_fall is from 0 bps"),
    (SUPPLY.replace("1%", "-1"), "max_excess is 0 bps or more"),
    (GROWTH.replace("1h", "0s"), "the window must be more than 0s"),
]


@pytest.mark.parametrize(("text", "problem"), REFUSED, ids=[f"{at}-{one[1][:30]}" for at, one in enumerate(REFUSED)])
def test_parameters_that_make_no_sense_are_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError) as refused:
        make(text)
    assert problem in str(refused.value)


def test_a_past_that_cannot_be_read_is_unknown() -> None:
    lost = history(5, 5, every=1)
    ledger = Ledger({"pool": lambda ago, args: lost(ago, args) if not ago else Missing("the state is gone")})
    for text in (DRAIN, RETAINED, GROWTH):
        assert ledger.judge(make(text)).holds is None
