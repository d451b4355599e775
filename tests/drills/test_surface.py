"""The marks of a drill: Black-76 against an independent calculation, and free of arbitrage until they are bent."""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.drills.surface import BENT, EXPIRIES, STRIKES, UNIT, WAD, YEAR, Marks, marks, normal, strikes, whole

FIRST = 4_000 * UNIT
WIDTH = len(STRIKES)
spots = st.integers(FIRST * 6 // 10, FIRST * 14 // 10)


def rows(values: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [values[start : start + WIDTH] for start in range(0, len(values), WIDTH)]


def butterflies(found: Marks) -> list[int]:
    """What each butterfly of calls costs; the strikes are equally far apart."""
    return [
        low - 2 * middle + high
        for row in rows(found.calls)
        for low, middle, high in zip(row, row[1:], row[2:], strict=False)
    ]


def parity_gaps(found: Marks) -> list[int]:
    """C − P − D·(F − K) of every option, 8 decimals."""
    gaps = []
    terms = zip(rows(found.calls), rows(found.puts), found.forwards, found.discounts, strict=True)
    for calls, puts, forward, discount in terms:
        for call, put, strike in zip(calls, puts, strikes(FIRST), strict=True):
            gaps.append(call - put - discount * (forward - strike) // WAD)
    return gaps


@pytest.mark.parametrize("x", [-12.0, -6.5, -1.96, -0.1, 0.0, 0.3, 1.0, 2.5, 7.0, 12.0])
def test_the_normal_distribution_is_the_libraries_own(x: float) -> None:
    assert float(normal(Decimal(str(x)))) == pytest.approx(0.5 * math.erfc(-x / math.sqrt(2)), abs=1e-15)


@settings(max_examples=15, deadline=None)
@given(spots)
def test_every_mark_is_black_76_at_its_own_volatility(spot: int) -> None:
    found = marks(spot, FIRST, EXPIRIES)
    for row, seconds in enumerate(EXPIRIES):
        forward, discount, years = found.forwards[row] / UNIT, found.discounts[row] / WAD, seconds / YEAR
        for column, strike in enumerate(one / UNIT for one in strikes(FIRST)):
            deviation = found.ivs[row * WIDTH + column] / WAD * math.sqrt(years)
            d1 = math.log(forward / strike) / deviation + deviation / 2
            gain, cost = (0.5 * math.erfc(-one / math.sqrt(2)) for one in (d1, d1 - deviation))
            call = discount * (forward * gain - strike * cost)
            assert found.calls[row * WIDTH + column] / UNIT == pytest.approx(call, abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(spots)
def test_honest_marks_leave_no_arbitrage(spot: int) -> None:
    found = marks(spot, FIRST, EXPIRIES)
    assert all(abs(gap) <= 3 for gap in parity_gaps(found))
    assert all(cost > 0 for cost in butterflies(found))
    for row in rows(found.calls):
        assert all(dear > cheap for dear, cheap in pairwise(row))
    near, far = (
        [volatility * volatility * seconds for volatility in row]
        for row, seconds in zip(rows(found.ivs), EXPIRIES, strict=True)
    )
    assert all(later > sooner for sooner, later in zip(near, far, strict=True))


@pytest.mark.parametrize("move", [2_000, 3_000, -3_000])
def test_a_bent_mark_breaks_parity_and_a_butterfly(move: int) -> None:
    honest = marks(FIRST, FIRST, EXPIRIES)
    bent = honest.bent(move)
    assert bent.calls[BENT] == honest.calls[BENT] * (10_000 + move) // 10_000
    assert (bent.puts, bent.forwards, bent.ivs) == (honest.puts, honest.forwards, honest.ivs)
    assert [place for place, gap in enumerate(parity_gaps(bent)) if abs(gap) > 3] == [BENT]
    assert any(cost < 0 for cost in butterflies(bent))


def test_at_expiry_a_mark_is_what_the_option_pays() -> None:
    found = marks(FIRST, FIRST, (0, 0))
    assert found.calls[0] == pytest.approx(FIRST // 5, rel=1e-6)
    assert found.puts[0] == 0
    assert whole(Decimal("-0.7")) == 0
