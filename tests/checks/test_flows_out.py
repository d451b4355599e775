"""Events over a window: the leaky bucket against a simulation second by second, and bursts against their baseline."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.checks.check import Reading, Wiring
from incident_cli.checks.leaky_bucket import Bucket, time_to_empty
from incident_cli.checks.outflow import Outflow
from incident_cli.evm import Log, LogsRead
from incident_cli.units import Amount, Span
from tests.checks.ledger import BTC, ETH, SLOTS, USDC, WIRING, Ledger, log_at, make, paid

BUCKET = "{kind: outflow, event: book.paid, amount: amount, rate: 100 USDC, per: 1h, capacity: 250 USDC}"
BURST = "{kind: liquidation_cascade, event: book.paid, window: 10m, baseline: 1h, times: 5, least: 3}"
UNIT = 10**6


def simulated(flows: list[tuple[int, int]], rate: int, per: int, capacity: int, now: int) -> tuple[Fraction, bool]:
    """The level second by second: it leaks, what flows out in that second is added, and from a full bucket's drain ago
    nothing above the capacity is carried. And whether a plain token bucket has too few tokens at `now`."""
    level = tokens_used = Fraction(0)
    overdrawn = False
    for second in range(now + 1):
        out = sum(amount for when, amount in flows if when == second)
        level = max(Fraction(0), level - Fraction(rate, per)) + out
        if (now - second) * rate >= capacity * per:
            level = min(level, Fraction(capacity))
        tokens_used = max(Fraction(0), tokens_used - Fraction(rate, per)) + out
        overdrawn = tokens_used > capacity
        tokens_used = min(tokens_used, Fraction(capacity))
    return level, overdrawn


FLOWS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 500)), max_size=12).map(sorted)
RATES, PERS, CAPACITIES, NOWS = st.integers(1, 300), st.integers(1, 50), st.integers(1, 900), st.integers(60, 80)


@given(FLOWS, RATES, PERS, CAPACITIES, NOWS)
@settings(max_examples=200)
def test_the_bucket_is_the_simulation(
    flows: list[tuple[int, int]], rate: int, per: int, capacity: int, now: int
) -> None:
    bucket = Bucket(rate, per, capacity)
    level, naive = bucket.level(flows, now), simulated(flows, rate, per, capacity, now)[0]
    assert Fraction(level, per) == naive and bucket.overflows(level) == (naive > capacity)


@given(FLOWS, RATES, PERS, CAPACITIES, NOWS, st.integers(0, 80))
@settings(max_examples=300)
def test_the_bounds_hold_the_level_whatever_was_before_and_quiet_is_true(
    flows: list[tuple[int, int]], rate: int, per: int, capacity: int, now: int, back: int
) -> None:
    bucket = Bucket(rate, per, capacity)
    since = now - max(back, bucket.drain)
    least, most = bucket.bounds([one for one in flows if one[0] > since], now, since)
    level, overdrawn = simulated(flows, rate, per, capacity, now)
    assert Fraction(least, per) <= level <= Fraction(most, per)
    if not bucket.overflows(most):
        assert not overdrawn
    if not any(since < when for when, _ in flows):
        assert (least, most) == (0, 0)


@given(FLOWS, RATES, PERS, CAPACITIES)
@settings(max_examples=200)
def test_it_is_unknown_only_where_more_left_than_the_rate_gives(
    flows: list[tuple[int, int]], rate: int, per: int, capacity: int
) -> None:
    bucket = Bucket(rate, per, capacity)
    since = 60 - 3 * bucket.drain
    known = [one for one in flows if one[0] > since]
    least, most = bucket.bounds(known, 60, since)
    if bucket.overflows(most) and not bucket.overflows(least):
        late = [amount for when, amount in known if when > 60 - bucket.drain]
        assert sum(late) * per > rate * (bucket.drain - 1)


def replayed(events: Iterable[tuple[int, int]]) -> Reading:
    return Ledger(events=tuple(paid(ago, amount * UNIT) for ago, amount in events)).judge(make(BUCKET))


def test_an_overflow_counts_until_a_full_bucket_has_drained() -> None:
    assert [replayed([(ago, 2_500)]).holds for ago in (8_000, 8_999, 9_001)] == [True, True, False]
    assert replayed([(9_001, 2_500), (10, 200)]).holds is False
    assert replayed([(9_001, 2_500), (3_600, 100), (10, 200)]).holds is True  # 250 carried, 100 more, 100 drained


def test_a_steady_outflow_above_the_rate_is_never_quiet() -> None:
    found = {}
    for percent in (50, 90, 110, 120, 150, 190):
        found[percent] = replayed((ago, percent) for ago in range(97 * 3_600, -1, -3_600)).holds
    assert found == {50: False, 90: False, 110: None, 120: True, 150: True, 190: True}


def test_a_longer_window_says_more() -> None:
    events = tuple(paid(ago, 110 * UNIT) for ago in range(97 * 3_600, -1, -3_600))
    short, long = (Ledger(events=events).judge(make(BUCKET.replace("}", more + "}"))) for more in ("", ", window: 4d"))
    assert (short.holds, long.holds) == (None, True)
    assert "a longer `window` says more" in short.reason and short.value is None


def test_the_level_leaks_between_the_events_and_until_now() -> None:
    events = (paid(7_200, 200 * UNIT), paid(3_600, 200 * UNIT), paid(1_800, 60 * UNIT))  # 100, 300, 250, 310, 260
    reading = Ledger(events=events).judge(make(BUCKET))
    assert (reading.holds, reading.value, reading.limit, reading.unit) == (True, 10_400, 10_000, "bps")
    assert reading.reason == "the bucket holds 260.00 USDC of 250.00 USDC after 3 events in 7h30m"


def test_it_trips_above_the_capacity_and_not_at_it() -> None:
    at, over = (Ledger(events=(paid(0, 250 * UNIT + more),)).judge(make(BUCKET)) for more in (0, 1))
    assert (at.holds, at.value, over.holds, over.value) == (False, 10_000, True, 10_000)
    assert at.reason == "the bucket holds 250.00 USDC of 250.00 USDC after 1 event in 7h30m"
    assert over.reason.startswith("the bucket holds 250.000001 USDC of 250.00 USDC")
    assert Ledger().judge(make(BUCKET)).value == 0


def test_only_the_chosen_market_fills_the_bucket() -> None:
    ledger = Ledger(events=(paid(60, 200 * UNIT, BTC), paid(30, 100 * UNIT, ETH)))
    assert ledger.judge(make(BUCKET)).holds is True
    for only in ("{market: '{market}'}", "{market: market}"):
        check = make(BUCKET.replace("}", f", only: {only}}}"))
        (read,) = check.reads(WIRING)
        assert isinstance(read, LogsRead) and read.topics == ("0x" + ETH.id.hex(),)
        assert ledger.judge(check).value == 3_966  # 100 USDC less half a minute of the rate
    named = make(BUCKET.replace("}", ", only: {account: \"'0x" + "0" * 39 + "8'\"}}"))
    assert ledger.judge(named).holds is True


def test_a_bucket_of_blocks_leaks_by_blocks() -> None:
    check = make(BUCKET.replace("1h", "10 blocks"))
    (read,) = check.reads(WIRING)
    assert isinstance(read, LogsRead) and read.window == Span(blocks=75)
    assert Ledger(events=(paid(120, 250 * UNIT),)).judge(check).value == 6_000


def test_amounts_may_come_from_a_parameter() -> None:
    wanted = make(BUCKET)
    assert isinstance(wanted, Outflow)
    given_ = Outflow(
        event=wanted.event,
        amount="amount",
        rate=Amount(100 * UNIT, USDC),
        per=Span(seconds=3_600),
        capacity="250 USDC",
        place=wanted.place,
    )
    ledger = Ledger(events=(paid(60, 300 * UNIT),))
    assert ledger.judge(given_) == ledger.judge(wanted)


def test_the_time_to_empty_is_rounded_up() -> None:
    assert time_to_empty("250 USDC", "100 USDC", Span(seconds=3_600)) == Span(seconds=9_000)
    assert time_to_empty("1 USDC", "3 USDC", Span(blocks=10)) == Span(blocks=4)
    assert time_to_empty(Amount(1_500_000, USDC), "0.5 USDC", Span(blocks=1)) == Span(blocks=3)


@pytest.mark.parametrize(
    ("text", "wiring", "reason"),
    [
        (BUCKET, Wiring(SLOTS), "the token USDC is not in the deployment's tokens"),
        (BUCKET.replace("amount: amount", "amount: amuont"), WIRING, "Paid has no value 'amuont': it has market"),
        (BUCKET.replace("amount: amount", "amount: note"), WIRING, "'note' in Paid is no amount"),
        (BUCKET.replace("}", ", only: {note: market}}"), WIRING, "'note' is no indexed value of book.paid"),
        (BUCKET.replace("}", ", only: {market: nobody}}"), WIRING, "there is no `nobody` here"),
        (BUCKET.replace("}", ", only: {market: book.root()}}"), WIRING, "it has not been read yet"),
        (BUCKET.replace("}", ", only: {market: \"'0x12'\"}}"), WIRING, "only: "),
        (BUCKET.replace("book.paid", "book.sold"), WIRING, "there is no event book.sold"),
        (BUCKET.replace("book.paid", "moon.paid"), WIRING, "there is no event moon.paid"),
        (BUCKET.replace("paid", "moved"), WIRING, "'amount' in Moved is no amount"),
    ],
)
def test_what_cannot_be_counted_is_unknown(text: str, wiring: Wiring, reason: str) -> None:
    ledger = Ledger(events=(paid(60, 1), ("Moved", log_at(60, -1))))
    reading = ledger.judge(make(text), wiring)
    assert reading.holds is None and reason in reading.reason


def burst(now: int, before: int) -> Ledger:
    return Ledger(events=tuple([paid(700 + at, 2) for at in range(before)] + [paid(60, 5) for _ in range(now)]))


@pytest.mark.parametrize(
    ("now", "before", "holds", "limit"),
    [
        (0, 0, False, 2),
        (2, 0, False, 2),
        (3, 0, True, 2),  # nothing is usual: `least` decides
        (5, 6, False, 5),  # six in the hour before are one in ten minutes
        (6, 6, True, 5),
        (6, 7, True, 5),
        (6, 8, False, 6),
    ],
)
def test_a_burst_is_more_than_a_multiple_of_what_is_usual(now: int, before: int, holds: bool, limit: int) -> None:
    reading = burst(now, before).judge(make(BURST))
    assert (reading.holds, reading.value, reading.limit, reading.unit) == (holds, now, limit, "events")
    assert reading.reason == f"{now} paid in 10m, {before} in the 1h before"


@given(st.integers(0, 40), st.integers(0, 60), st.integers(1, 9), st.integers(1, 20))
@settings(max_examples=100)
def test_the_multiple_is_exact(now: int, before: int, times: int, least: int) -> None:
    check = make(BURST.replace("times: 5", f"times: {times}").replace("least: 3", f"least: {least}"))
    expected = Fraction(before * 600, 3_600)
    assert burst(now, before).judge(check).holds == (now > times * expected and now >= least)


def test_the_baseline_ends_where_the_window_begins() -> None:
    present, before = make(BURST).reads(WIRING)
    assert isinstance(present, LogsRead) and isinstance(before, LogsRead)
    assert (present.until, before.until) == (Span(), Span(seconds=600))
    edge = Ledger(events=(paid(600, 1), paid(599, 1)))
    counts = [len(found) for one in (present, before) if isinstance(found := edge.answer(one), tuple)]
    assert counts == [1, 1]


def test_a_sum_is_compared_instead_of_a_number() -> None:
    check = make(BURST.replace("}", ", amount: amount}"))
    reading = burst(4, 6).judge(check)  # 4 · 5 against 6 · 2 in the hour, which is 2 in ten minutes
    assert (reading.holds, reading.value, reading.limit, reading.unit) == (True, 20, 10, "base units")
    assert burst(2, 0).judge(check).holds is False  # above, but fewer than `least`


REFUSED = [
    (BUCKET.replace(", per: 1h", ""), "'per' is missing"),
    (BUCKET.replace("}", ", value: book.pool()}"), "'value' belongs to the other"),
    (BUCKET.replace("250 USDC", "250 WETH"), "amounts of one token, not of USDC and WETH"),
    (BUCKET.replace("100 USDC", "0 USDC"), "more than 0"),
    (BUCKET.replace("250 USDC", "0.0 USDC"), "more than 0"),
    (BUCKET.replace("1h", "0s"), "per must be more than 0s"),
    (BUCKET.replace("}", ", window: 1h}"), "the window is at least 2h30m"),
    (BUCKET.replace("}", ", window: 900 blocks}"), "both in time, or both in blocks"),
    (BUCKET.replace("book.paid", "paid"), "it is written slot.event"),
    (BUCKET.replace("250 USDC", "250"), "an amount and its token are needed"),
    (BUCKET.replace("}", ", only: {market: 'a +'}}"), "only market: "),
    ("{kind: outflow, max: 5}", "'max' is no key here"),
    (BURST.replace("1h", "9m"), "at least as long as the window"),
    (BURST.replace("1h", "900 blocks"), "both in time, or both in blocks"),
    (BURST.replace("10m", "0s"), "more than 0s"),
    (BURST.replace("times: 5", "times: 0"), "1 or more"),
    (BURST.replace("least: 3", "least: 0"), "1 or more"),
]


@pytest.mark.parametrize(("text", "problem"), REFUSED, ids=[f"{at}-{one[1][:30]}" for at, one in enumerate(REFUSED)])
def test_parameters_that_make_no_sense_are_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError) as refused:
        make(text)
    assert problem in str(refused.value)


def test_the_events_a_check_needs_are_named_for_the_review() -> None:
    assert (make(BUCKET).events(), make(BURST).events()) == ({"book": ("paid",)}, {"book": ("paid",)})
    assert make("{kind: outflow, value: book.pool(), window: 4h, retained: 70%}").events() == {}


def test_an_answer_that_is_no_list_of_events_is_unknown() -> None:
    check = make(BUCKET)
    (read,) = check.reads(WIRING)
    snapshot = Ledger().snapshot((read,))
    wrong = type(snapshot)(snapshot.block, {read: (5, Log(1, 2, ()))})
    assert check.judge(WIRING, wrong).reason == "the answer is no list of events"
