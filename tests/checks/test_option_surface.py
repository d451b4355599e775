"""The option surface against Black-76 in floats, and each arbitrage by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.checks.check import Reading
from incident_cli.checks.option_arbitrage import black, interpolated, normal
from incident_cli.evm import Block, Missing
from tests.checks.prices import ETH, NOW, SLOTS, WIRING, Prices, Served, make

DAY, YEAR, UNIT = 86_400, 31_536_000, 10**8
STRIKES = (2_400, 2_700, 3_000, 3_400, 3_900)  # unequal on purpose
NAMES = ("expiries", "strikes", "calls", "puts", "forwards", "discounts", "ivs")


def cdf(x: float) -> float:
    return (1 + math.erf(x / math.sqrt(2))) / 2


def call_price(forward: float, strike: float, iv: float, years: float, discount: float) -> float:
    """Black (1976), plainly in floats."""
    deviation = iv * math.sqrt(years)
    first = math.log(forward / strike) / deviation + deviation / 2
    return discount * (forward * cdf(first) - strike * cdf(first - deviation))


@dataclass
class Marks:
    """A desk's marks, made from volatilities by Black-76; a test may bend them."""

    days: tuple[int, ...] = (7, 30, 90)
    forwards: tuple[float, ...] = (3_000.0, 3_012.0, 3_036.0)
    discounts: tuple[float, ...] = (0.9995, 0.998, 0.994)
    ivs: tuple[tuple[float, ...], ...] = ((0.66, 0.62, 0.60, 0.61, 0.64),) * 3
    bent: Mapping[tuple[str, int], int] = field(default_factory=dict)

    def answer(self) -> tuple[tuple[int, ...], ...]:
        """What the surface view answers."""
        calls, puts = [], []
        for days, forward, discount, ivs in zip(self.days, self.forwards, self.discounts, self.ivs, strict=True):
            for strike, iv in zip(STRIKES, ivs, strict=True):
                call = call_price(forward, strike, iv, days * DAY / YEAR, discount)
                calls.append(call)
                puts.append(call - discount * (forward - strike))
        lists = (
            [NOW + one * DAY for one in self.days],
            [one * UNIT for one in STRIKES],
            [round(one * UNIT) for one in calls],
            [round(one * UNIT) for one in puts],
            [round(one * UNIT) for one in self.forwards],
            [round(one * 10**18) for one in self.discounts],
            [round(one * 10**18) for row in self.ivs for one in row],
        )
        for (name, place), value in self.bent.items():
            lists[NAMES.index(name)][place] += value
        return tuple(tuple(one) for one in lists)


def judged(marks: Marks | Served, extra: str = "market: '{market}', tolerance: 20 bps") -> Reading:
    answer = marks.answer() if isinstance(marks, Marks) else marks
    return Prices({("desk", "surface"): answer}).judge(make(f"option_surface: {{slot: desk, {extra}}}"))


def test_a_sound_surface_is_quiet() -> None:
    reading = judged(Marks())
    assert (reading.holds, reading.limit, reading.unit) == (False, 2_000, "10^-2 bps")
    assert reading.value == 0 and reading.reason


def test_parity_is_off_by_what_the_put_is_off() -> None:
    reading = judged(Marks(bent={("puts", 2): 9 * UNIT}))  # 9 of 3,000: 30 bps
    assert reading.holds is True and reading.value == 3_000
    assert reading.reason == f"put–call parity, 2023-11-21 22:13 strike {3_000 * UNIT}: 30.00 bps of the forward"
    assert judged(Marks(bent={("puts", 2): 5 * UNIT})).holds is False


def test_exactly_at_the_tolerance_is_quiet_and_a_unit_more_fires() -> None:
    exact = tuple((one,) for one in (NOW + DAY, 3_000 * UNIT, 100 * UNIT, 100 * UNIT, 3_000 * UNIT, 10**18, 10**17))
    at = (*exact[:3], (106 * UNIT,), *exact[4:])
    over = (*exact[:3], (106 * UNIT + 1,), *exact[4:])
    assert (judged(at).holds, judged(at).value) == (False, 2_000)
    assert (judged(over).holds, judged(over).value) == (True, 2_000)


def both(place: int, by: int) -> Mapping[tuple[str, int], int]:
    """A call and its put moved together: parity stays."""
    return {("calls", place): by, ("puts", place): by}


def test_a_call_that_is_dearer_than_its_neighbours_is_a_butterfly() -> None:
    sound = [one / UNIT for one in Marks().answer()[2]]
    left, body, right = sound[6], sound[7], sound[8]  # the second expiry at 2,700, 3,000 and 3,400
    wings = (400 * left + 300 * right) / 700
    by = wings - body + 9.036  # 30 bps of 3,012 beyond the wings
    reading = judged(Marks(bent=both(7, round(by * UNIT))))
    assert reading.holds is True and reading.value in (2_999, 3_000)
    assert reading.reason.startswith("butterfly, 2023-12-14 22:13 strike 270000000000, 300000000000 and 340000000000")


def test_a_call_that_rises_with_the_strike_or_falls_too_fast_is_a_spread() -> None:
    sound = Marks().answer()[2]
    rising = judged(Marks(bent=both(4, sound[3] - sound[4] + 30 * UNIT)))
    assert rising.holds is True and rising.reason.startswith("call spread, 2023-11-21 22:13 strike 340000000000")
    most = round(0.9995 * 300 * UNIT)
    falling = judged(Marks(bent=both(0, most - (sound[0] - sound[1]) + 30 * UNIT)))
    assert falling.holds is True and falling.value in (9_999, 10_000)
    assert falling.reason.startswith("call spread, 2023-11-21 22:13 strike 240000000000 to 270000000000")


def test_a_near_volatility_far_above_the_next_is_a_calendar() -> None:
    near, far = (1.80,) * 5, (0.60,) * 5  # w: 1.8² · 7 = 22.7 against 0.6² · 30 = 10.8
    reading = judged(Marks(ivs=(near, far, far), forwards=(3_000.0,) * 3, discounts=(1.0,) * 3))
    before, after = (call_price(1, 1, iv, days * DAY / YEAR, 1) for iv, days in ((1.80, 7), (0.60, 30)))
    assert reading.holds is True and reading.value is not None
    assert abs(reading.value / 10**6 - (before - after)) < 1e-4
    assert reading.reason.startswith("calendar, 2023-11-21 22:13 to 2023-12-14 22:13 at 1")
    flat = judged(Marks(ivs=((0.60,) * 5,) * 3))
    assert flat.holds is False and flat.value == 0


@pytest.mark.parametrize("falls", [True, False])
def test_calendar_compares_equal_moneyness_not_equal_strikes(falls: bool) -> None:
    # a steep smile; the far forward is 10 % lower, so at equal strikes w would seem to fall
    smile = [1.2, 1.0, 0.8, 0.7, 0.6]
    near, far = Marks(days=(30,), forwards=(3_000.0,), discounts=(1.0,), ivs=(tuple(smile),)), 0.85 if falls else 1.15
    marks = Marks(
        days=(30, 31),
        forwards=(3_000.0, 3_000.0),
        discounts=(1.0, 1.0),
        ivs=(near.ivs[0], tuple(one * far for one in smile)),
    )
    assert judged(marks).holds is falls


@pytest.mark.parametrize(
    ("bent", "problem"),
    [
        ({("expiries", 0): -8 * DAY}, "has passed"),
        ({("expiries", 0): -7 * DAY}, "has passed"),
        ({("expiries", 0): 40 * DAY}, "its expiries do not rise"),
        ({("expiries", 2): 101 * YEAR}, "more than a hundred years away"),
        ({("strikes", 1): -300 * UNIT}, "its strikes do not rise"),
        ({("strikes", 0): -2_400 * UNIT}, "zero"),
        ({("forwards", 1): -3_012 * UNIT}, "zero"),
        ({("discounts", 2): -994 * 10**15}, "zero"),
        ({("ivs", 2): 2**128}, "its ivs are not a list"),
        ({("calls", 2): -(2**130)}, "its calls are not a list"),
    ],
)
def test_numbers_that_are_no_surface_are_unknown(bent: Mapping[tuple[str, int], int], problem: str) -> None:
    reading = judged(Marks(bent=bent))
    assert reading.holds is None and reading.reason.startswith("desk: ") and problem in reading.reason


SOUND = Marks().answer()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Missing("it timed out"), "it timed out"),
        ((), "it answers 0 values"),
        (SOUND[:6], "it answers 6 values"),
        ((5, *SOUND[1:]), "its expiries are not a list"),
        ((("5",), *SOUND[1:]), "its expiries are not a list"),
        (((), *SOUND[1:]), "0 expiries"),
        ((SOUND[0], tuple(range(1, 400)), *SOUND[2:]), "at most 1024 options"),
        *(((*SOUND[:at], SOUND[at][:-1], *SOUND[at + 1 :]), "lengths") for at in range(7)),
    ],
)
def test_malformed_lists_are_unknown(answer: Served, problem: str) -> None:
    reading = judged(answer)
    assert (reading.holds, reading.value) == (None, None) and problem in reading.reason


def test_a_lens_needs_no_market_and_a_market_must_be_the_incidents() -> None:
    lens = make("option_surface: {slot: desk, read: lens}")
    assert Prices({("desk", "lens"): SOUND}).judge(lens).holds is False
    (read,) = make("option_surface: {slot: desk, market: '{market}'}").reads(WIRING)
    assert getattr(read, "args", None) == (ETH.id,) and read.chain == SLOTS["desk"].chain
    for extra, problem in (("market: BTC-USD", "not the market"), ("read: surface", "give a market")):
        assert problem in judged(SOUND, extra).reason
    assert "give no market" in judged(SOUND, "read: lens, market: ETH-USD").reason


@pytest.mark.parametrize("tolerance", ["0", "-1", "101%"])
def test_a_tolerance_is_something(tolerance: str) -> None:
    with pytest.raises(ValueError, match="tolerance"):
        make(f"option_surface: {{slot: desk, tolerance: {tolerance}}}")


@given(st.floats(-12, 12))
@settings(max_examples=100)
def test_the_normal_distribution_is_erfs(x: float) -> None:
    from decimal import Decimal

    assert abs(float(normal(Decimal(x))) - cdf(x)) < 1e-14


@given(st.floats(0.2, 5), st.floats(0.0001, 9))
@settings(max_examples=100)
def test_black_is_that_of_floats(moneyness: float, variance: float) -> None:
    exact = call_price(1, moneyness, math.sqrt(variance), 1, 1)
    assert abs(float(black(Fraction(moneyness), Fraction(variance))) - exact) < 1e-12


def test_black_without_variance_is_what_it_is_worth_now() -> None:
    assert black(Fraction(3, 4), Fraction(0)) == Fraction(1, 4) and black(Fraction(2), Fraction(0)) == 0


def test_interpolation_is_exact() -> None:
    points = [(Fraction(1), Fraction(2)), (Fraction(3), Fraction(6)), (Fraction(4), Fraction(0))]
    assert [interpolated(points, Fraction(one)) for one in (1, 2, 3, 4)] == [2, 4, 6, 0]
    assert interpolated(points, Fraction(7, 2)) == 3


@given(
    st.floats(0.2, 1.5),
    st.floats(0, 0.2),
    st.floats(0.9, 1.1),
    st.lists(st.floats(-0.02, 0.02), min_size=3, max_size=3),
)
@settings(max_examples=40, deadline=None)
def test_a_surface_from_one_smile_has_no_arbitrage(
    level: float, curve: float, drift: float, rates: list[float]
) -> None:
    days = (7, 30, 90)
    forwards = tuple(3_000 * drift ** (one / 365) for one in days)
    discounts = tuple(math.exp(-rate * one / 365) for rate, one in zip(rates, days, strict=True))
    ivs = tuple(
        tuple(level * (1 + curve * math.log(strike / forward) ** 2) for strike in STRIKES) for forward in forwards
    )
    assert judged(Marks(days, forwards, discounts, ivs), "market: '{market}', tolerance: 1 bps").holds is False


def test_a_slot_on_another_chain_needs_its_time() -> None:
    from dataclasses import replace

    wiring = replace(WIRING, slots={**SLOTS, "desk": replace(SLOTS["desk"], chain="arbitrum")})
    one = make("option_surface: {slot: desk, market: '{market}'}")
    world = Prices({("desk", "surface"): SOUND})
    assert world.judge(one, wiring).reason == "desk: the chain arbitrum was not read"
    there = {"arbitrum": Block("arbitrum", 5, "0x" + "0" * 64, NOW)}
    assert replace(world, others=there).judge(one, wiring).holds is False
