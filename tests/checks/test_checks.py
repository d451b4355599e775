"""The checks: debounce, unknown that is never quiet, exact comparison, feeds that must not be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.checks.chainlink_source import ChainlinkSource
from incident_cli.checks.check import Check, Finding, Reading, SourceReading, Verdict, Wiring
from incident_cli.checks.lasting import find
from incident_cli.checks.oracle_divergence import OracleDivergence, median
from incident_cli.checks.oracle_staleness import OracleStaleness
from incident_cli.checks.price_source import PriceSource
from incident_cli.checks.registry import KINDS
from incident_cli.document import Place
from incident_cli.evm import Address, Block, Missing, Read, Snapshot
from incident_cli.protocols.catalog import Catalog
from incident_cli.protocols.slot import BoundSlot
from incident_cli.units import Span

NOW = 1_700_000_000
HERE = Place(1, 1)
NAMES = ("feed", "reference", "third", "fourth")
FEED = Catalog().find("chainlink-feed")
assert FEED is not None
SLOTS = {name: BoundSlot(name, FEED, "ethereum", {"feed": Address(f"0x{at:040d}")}) for at, name in enumerate(NAMES, 1)}

Answer = tuple[object, ...] | Missing


def block(timestamp: int = NOW) -> Block:
    return Block("ethereum", timestamp, f"0x{timestamp:064x}", timestamp)  # a block a second


def served(price: int, updated_at: int = NOW - 12, round_id: int = 7, answered_in: int = 7) -> tuple[object, ...]:
    """What latestRoundData answers."""
    return (round_id, price, updated_at, updated_at, answered_in)


def snapshot(rounds: Mapping[str, Answer], decimals: Mapping[str, Answer] | None = None) -> Snapshot:
    answers: dict[Read, Answer] = {}
    for name, answer in rounds.items():
        answers[SLOTS[name].read("latest_round")] = answer
        answers[SLOTS[name].read("decimals")] = (decimals or {}).get(name, (8,))
    return Snapshot(block(), answers)


def divergence(count: int = 2, limit: int = 150, reference: str | None = "reference") -> OracleDivergence:
    sources = tuple(ChainlinkSource(slot=one, independence=f"of-{one}", place=HERE) for one in NAMES[:count])
    return OracleDivergence(sources=sources, reference=reference, max=limit, place=HERE)


def judged(check: Check, rounds: Mapping[str, Answer], decimals: Mapping[str, Answer] | None = None) -> Reading:
    return check.judge(Wiring(SLOTS), snapshot(rounds, decimals))


def test_two_sources_are_measured_against_the_declared_reference() -> None:
    reading = judged(divergence(), {"feed": served(97 * 10**8), "reference": served(100 * 10**8)})
    assert (reading.holds, reading.value, reading.limit, reading.unit) == (True, 300, 150, "bps")
    assert reading.reason == "feed is 300 bps from reference"


def test_three_sources_are_measured_against_their_median() -> None:
    rounds: dict[str, Answer] = {"feed": served(97), "reference": served(100), "third": served(101)}
    reading = judged(divergence(3, reference=None), rounds)
    assert (reading.value, reading.reason) == (300, "feed is 300 bps from the median")
    assert (median([1, 2, 4]), median([1, 2, 5, 9])) == (2, Fraction(7, 2))


PRICES = st.integers(1, 10**12)


@given(PRICES, PRICES, st.integers(1, 5_000), st.integers(0, 18), st.integers(0, 18))
@settings(max_examples=150)
def test_the_comparison_is_exact(feed: int, reference: int, limit: int, low: int, high: int) -> None:
    reading = judged(
        divergence(limit=limit),
        {"feed": served(feed), "reference": served(reference)},
        {"feed": (low,), "reference": (high,)},
    )
    if min(Fraction(feed, 10**low), Fraction(reference, 10**high)) < Fraction(1, 10**12):
        assert reading.holds is None and "too small" in reading.reason
        return
    gap = abs(Fraction(feed, 10**low) / Fraction(reference, 10**high) - 1) * 10_000
    assert (reading.holds, reading.value) == (gap > limit, int(gap))


@given(st.lists(PRICES, min_size=3, max_size=4), st.integers(1, 5_000))
@settings(max_examples=100)
def test_the_widest_of_several_is_exact_against_the_median(prices: list[int], limit: int) -> None:
    rounds: dict[str, Answer] = {name: served(price) for name, price in zip(NAMES, prices, strict=False)}
    reading = judged(divergence(len(prices), limit, None), rounds)
    middle = median(sorted(one * 10**10 for one in prices))
    widest = max(abs(Fraction(one * 10**10, middle) - 1) for one in prices) * 10_000
    assert (reading.holds, reading.value) == (widest > limit, int(widest))


def test_exactly_at_the_limit_does_not_hold_and_one_unit_more_does() -> None:
    at = {"feed": served(10_150_000), "reference": served(10_000_000)}
    over = {"feed": served(10_150_001), "reference": served(10_000_000)}
    assert (judged(divergence(), dict(at)).holds, judged(divergence(), dict(at)).value) == (False, 150)
    assert (judged(divergence(), dict(over)).holds, judged(divergence(), dict(over)).value) == (True, 150)


BAD = {
    "a real aggregator's -1 with updatedAt 1": served(-1, updated_at=1),
    "zero": served(0),
    "an update of the future": served(5, updated_at=NOW + 1),
    "never updated": served(5, updated_at=0),
    "a round answered in an earlier one": served(5, round_id=9, answered_in=8),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize("where", ["feed", "reference"])
def test_an_answer_that_must_not_be_believed_makes_a_divergence_unknown(bad: tuple[object, ...], where: str) -> None:
    rounds: dict[str, Answer] = {"feed": served(5), "reference": served(5), where: bad}
    reading = judged(divergence(), rounds)
    assert (reading.holds, reading.value) == (None, None)
    assert reading.reason.startswith(f"{where}: ")


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_an_answer_that_must_not_be_believed_fires_staleness(bad: tuple[object, ...]) -> None:
    check = OracleStaleness(slot="feed", heartbeat=3_600, place=HERE)
    reading = judged(check, {"feed": bad})
    assert reading.holds is True
    assert reading.sources[0].value is None and reading.sources[0].problem


@pytest.mark.parametrize("decimals", [Missing("reverted"), (37,), (255,), ()])
def test_a_source_that_cannot_be_read_is_unknown_and_never_quiet(decimals: Answer) -> None:
    rounds: dict[str, Answer] = {"feed": served(5), "reference": served(5)}
    assert judged(divergence(), rounds, {"feed": decimals}).holds is None
    assert judged(divergence(), rounds | {"feed": Missing("timed out")}).reason == "feed: timed out"
    assert judged(OracleStaleness(slot="feed", heartbeat=1, place=HERE), {"feed": Missing("timed out")}).holds is None
    assert judged(divergence(), {}).holds is None


@pytest.mark.parametrize(("age", "holds"), [(0, False), (3_719, False), (3_720, False), (3_721, True), (10**6, True)])
def test_a_feed_is_stale_beyond_heartbeat_and_grace(age: int, holds: bool) -> None:
    check = OracleStaleness(slot="feed", heartbeat=3_600, place=HERE)
    reading = judged(check, {"feed": served(5, updated_at=NOW - age)})
    assert (reading.holds, reading.value, reading.limit, reading.unit) == (holds, age, 3_720, "s")


def source(slot: str, independence: str) -> PriceSource:
    return ChainlinkSource(slot=slot, independence=independence, place=HERE)


@pytest.mark.parametrize(
    ("sources", "reference", "limit", "message"),
    [
        ((source("feed", "a"), source("reference", "a")), "feed", 1, "would be wrong together"),
        ((source("feed", "a"), source("feed", "b")), "feed", 1, "two different sources"),
        ((source("feed", "a"),), "feed", 1, "two different sources"),
        ((source("feed", "a"), source("reference", "b")), None, 1, "must name one of them"),
        ((source("feed", "a"), source("reference", "b")), "third", 1, "must name one of them"),
        ((source("feed", "a"), source("reference", "b")), "feed", 0, "more than 0 bps"),
        (
            (source("feed", "a"), source("reference", "b"), source("third", "c")),
            "nothing",
            1,
            "must name one of the sources",
        ),
    ],
)
def test_parameters_that_cannot_be_right_are_refused(
    sources: tuple[PriceSource, ...], reference: str | None, limit: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        OracleDivergence(sources=sources, reference=reference, max=limit, place=HERE)


def test_a_heartbeat_is_more_than_nothing() -> None:
    with pytest.raises(ValueError, match="heartbeat"):
        OracleStaleness(slot="feed", heartbeat=0, place=HERE)


def test_every_kind_is_registered_with_its_explanation_and_what_it_reads() -> None:
    for name, kind in KINDS.items():
        assert name.replace("_", "") == kind.__name__.lower()
        assert len((kind.__doc__ or "").splitlines()) > 3
    assert divergence().required() == {"feed": ("latest_round", "decimals"), "reference": ("latest_round", "decimals")}
    assert len(divergence().reads(Wiring(SLOTS))) == 4


def readings(holds: bool | None) -> Reading:
    return Reading(
        holds, None if holds is None else 200, 150, "bps", "because", (SourceReading("feed", "a", 39 * 10**20, NOW),)
    )


def walked(samples: Sequence[tuple[int, bool | None]], lasting: int) -> list[Finding]:
    """The findings of samples at (seconds, holds), with `for: lasting`."""
    summary = "{feed}: {value} of {limit}"
    check = OracleStaleness(slot="feed", heartbeat=1, for_=Span(seconds=lasting), summary=summary, place=HERE)
    found: list[Finding] = []
    for at, holds in samples:
        found.append(find("stale", "oracle_staleness", check, readings(holds), block(NOW + at), found))
    return found


def verdicts(samples: Sequence[tuple[int, bool | None]], lasting: int = 36) -> str:
    """One letter a sample: q(uiet), p(ending), f(iring), u(nknown)."""
    return "".join(one.verdict.value[0] for one in walked(samples, lasting))


@pytest.mark.parametrize(
    ("samples", "lasting", "wanted"),
    [
        ([(0, True)], 0, "f"),
        ([(0, True), (12, True), (24, True), (35, True)], 36, "pppp"),
        ([(0, True), (12, True), (24, True), (36, True)], 36, "pppf"),
        ([(0, True), (12, False), (24, True), (36, True), (60, True)], 36, "pqppf"),
        ([(0, True), (12, None), (24, True), (36, True)], 36, "pupf"),  # unknown does not end the run
        ([(0, None), (12, None), (24, True), (36, True)], 36, "uupp"),  # and does not begin one
        ([(0, True), (60, True)], 36, "pf"),
        ([(0, True), (61, True)], 36, "pp"),  # a silence longer than a minute ends it
        ([(0, True), (100, True), (200, True), (800, True)], 800, "pppp"),  # or than an eighth of `for`
        ([(0, True), *((at, True) for at in range(100, 801, 100))], 800, "ppppppppf"),
        ([(0, True), (36, True), (300, True)], 36, "pff"),  # what fired goes on over five minutes of silence
        ([(0, True), (36, True), (337, True)], 36, "pfp"),
        ([(0, True), (40, True), (100, True), (140, True)], 36, "pfff"),
        ([(0, True), (36, True), (48, False), (60, True)], 36, "pfqp"),
    ],
)
def test_debounce(samples: list[tuple[int, bool | None]], lasting: int, wanted: str) -> None:
    assert verdicts(samples, lasting) == wanted


SAMPLES = st.lists(st.tuples(st.integers(1, 100), st.sampled_from([True, False, None])), min_size=1, max_size=12)


@given(SAMPLES, st.integers(0, 120))
@settings(max_examples=150)
def test_unknown_is_never_quiet_and_firing_has_lasted(steps: list[tuple[int, bool | None]], lasting: int) -> None:
    samples, at = [], 0
    before: list[Finding] = []
    for step, holds in steps:
        at += step
        samples.append((at, holds))
    for finding, (seconds, holds) in zip(walked(samples, lasting), samples, strict=True):
        wanted = {None: {Verdict.UNKNOWN}, False: {Verdict.QUIET}, True: {Verdict.PENDING, Verdict.FIRING}}[holds]
        assert finding.verdict in wanted
        if finding.since is not None:
            run = [one for when, one in samples if finding.since - NOW <= when <= seconds]
            assert run[0] is True and False not in run
            if NOW + seconds - finding.since >= lasting:
                assert finding.verdict is Verdict.FIRING
            elif finding.verdict is Verdict.FIRING:
                assert any(
                    one.verdict is Verdict.FIRING and NOW + seconds - one.block.timestamp <= 300 for one in before
                )
            before.append(finding)


def test_the_summary_is_display_text_with_sources_value_and_limit() -> None:
    assert walked([(0, True)], 0)[0].summary == "feed 3,900.00: 200 bps of 150 bps"
    assert walked([(0, None)], 0)[0].summary == "feed 3,900.00: unknown of 150 bps"


def test_a_summary_cannot_smuggle_anything_onto_the_screen() -> None:
    check = OracleStaleness(slot="feed", heartbeat=1, summary="{feed}", place=HERE)
    bad = Reading(None, None, 1, "s", "x", (SourceReading("feed", "a", None, None, "\x1b[2J{limit}"),))
    assert "\x1b" not in find("stale", "k", check, bad, block(), []).summary
