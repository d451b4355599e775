"""State over time: `for`, m-of-n, hysteresis, keep-firing, silences and reorganisations."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.checks.check import Check, Finding, Reading, Samples, Verdict
from incident_cli.checks.lasting import Course, Sample, cleared, course, find, is_covered, lineage
from incident_cli.checks.oracle_staleness import OracleStaleness
from incident_cli.document import Place
from incident_cli.evm import Block
from incident_cli.units import Span

NOW = 1_700_000_000
LIMIT = 100
Holds = bool | None


def check(
    seconds: int = 0, blocks: int = 0, of: tuple[int, int] = (1, 1), clear_at: int = 10_000, keep: int = 0
) -> Check:
    """A check of which only the time rules matter."""
    return OracleStaleness(
        slot="feed",
        heartbeat=1,
        for_=Span(seconds, blocks),
        samples=Samples(*of),
        clear_at=clear_at,
        keep_firing=keep,
        place=Place(1, 1),
    )


def block(at: int, fork: str = "a") -> Block:
    """The block `at` seconds from the start, at one height a second."""
    return Block("ethereum", at, f"0x{fork}{at}", NOW + at)


def reading(holds: Holds, value: int | None = None) -> Reading:
    """A reading; without a value of its own it is far on its side of the limit."""
    number = value if value is not None else {True: 2 * LIMIT, False: 0, None: None}[holds]
    return Reading(holds, number, LIMIT, "bps", "because")


def sampled(samples: Sequence[tuple[int, Holds]]) -> list[Sample]:
    """Samples at seconds from the start."""
    return [Sample(block(at), reading(holds)) for at, holds in samples]


def letters(one: Check, samples: Sequence[Sample]) -> str:
    """One letter a sample: q(uiet), p(ending), f(iring), u(nknown)."""
    state, found = Course(one), ""
    for sample in samples:
        state.step(sample)
        found += state.verdict.value[0]
    return found


def every(seconds: int, text: str) -> list[Sample]:
    """Samples at a regular pace: T, F, or _ for unknown."""
    holds = {"T": True, "F": False, "_": None}
    return sampled([(place * seconds, holds[one]) for place, one in enumerate(text)])


@pytest.mark.parametrize(
    ("one", "pace", "text", "wanted"),
    [
        (check(), 12, "FTF_T", "qfquf"),
        (check(36), 12, "TTTTFT", "pppfqp"),
        (check(36), 12, "T__T", "puuf"),
        (check(blocks=36), 12, "TTTTF", "pppfq"),
        (check(blocks=37), 12, "TTTTT", "ppppf"),
        # m of n: a reading that holds is pending before m is reached, and one that does not may still fire
        (check(of=(2, 3)), 12, "TTFFT", "pffqp"),
        (check(of=(2, 3)), 12, "TFTFF", "pqfqq"),
        (check(of=(3, 5)), 12, "TFTFTFFT", "pqpqfqqp"),
        (check(of=(2, 3)), 12, "TT_FF", "pfuuq"),
        (check(of=(2, 3)), 12, "_F", "uq"),
        (check(of=(2, 3)), 12, "_T", "up"),
        (check(of=(2, 3)), 12, "TT__T", "pfuuf"),  # unknown ends no run
        (check(24, of=(2, 3)), 12, "TTTTFF", "pppffq"),  # `for` counts from where m is reached
        # keep_firing
        (check(keep=24), 12, "TFFFT", "ffqqf"),
        (check(keep=25), 12, "TFFFT", "fffqf"),
        (check(36, keep=60), 12, "TFF", "pqq"),  # only what fired
        (check(keep=25), 12, "TF_FF", "ffuqq"),
        (check(keep=60, of=(2, 3)), 12, "TTFFT", "pffff"),
    ],
)
def test_verdicts(one: Check, pace: int, text: str, wanted: str) -> None:
    assert letters(one, every(pace, text)) == wanted


@pytest.mark.parametrize(
    ("one", "samples", "wanted"),
    [
        (check(36), [(0, True), (60, True)], "pf"),
        (check(36), [(0, True), (61, True)], "pp"),
        (check(600), [(0, True), (600, True)], "pp"),  # nothing is known of what lay between
        (check(36), [(0, True), (30, None), (60, True)], "puf"),
        (check(36), [(0, True), (50, None), (100, True)], "pup"),  # what cannot be read is a silence too
        (check(of=(2, 3)), [(0, True), (301, True)], "pp"),
        (check(keep=900), [(0, True), (600, False), (900, False)], "ffq"),  # keep_firing outlasts a silence
        (check(36, keep=900), [(0, True), (36, True), (600, True)], "pff"),
        (check(36, keep=60), [(0, True), (36, True), (600, True)], "pfp"),
    ],
)
def test_silences(one: Check, samples: Sequence[tuple[int, Holds]], wanted: str) -> None:
    assert letters(one, sampled(samples)) == wanted


def valued(one: Check, values: Sequence[int], trips: str = "above") -> str:
    """The verdicts of values against the limit."""
    samples = []
    for place, value in enumerate(values):
        found = Reading(value > LIMIT, value, LIMIT, "x", "")
        if trips == "below":
            found = replace(found, holds=value < LIMIT, trips="below")
        samples.append(Sample(block(12 * place), found))
    return letters(one, samples)


def test_hysteresis_in_both_directions() -> None:
    assert valued(check(clear_at=8_000), [90, 101, 90, 81, 80, 90]) == "qfffqq"
    assert valued(check(clear_at=8_000), [110, 99, 110, 124, 125, 110], "below") == "qfffqq"
    assert valued(check(), [101, 100]) == "fq"
    assert valued(check(36, clear_at=8_000), [101, 90, 101]) == "pqp"  # it only lasts once it fires
    assert valued(check(clear_at=8_000, of=(2, 2)), [101, 101, 90, 80]) == "pffq"


@pytest.mark.parametrize(
    ("value", "limit", "trips", "wanted"),
    [
        (80, 100, "above", True),
        (81, 100, "above", False),
        (125, 100, "below", True),
        (124, 100, "below", False),
        (-125, -100, "above", True),
        (-124, -100, "above", False),
        (-80, -100, "below", True),
        (-81, -100, "below", False),
        (0, 0, "above", True),
    ],
)
def test_cleared_is_away_from_the_limit(value: int, limit: int, trips: str, wanted: bool) -> None:
    one = replace(reading(False), value=value, limit=limit, trips="above" if trips == "above" else "below")
    assert cleared(one, 8_000) is wanted
    assert cleared(replace(one, value=None), 8_000)


STEPS = st.lists(st.tuples(st.integers(1, 200), st.sampled_from([True, False, None])), min_size=1, max_size=14)
CHECKS = st.builds(
    check,
    st.integers(0, 120),
    of=st.sampled_from([(1, 1), (2, 3), (3, 5), (2, 2)]),
    clear_at=st.sampled_from([5_000, 10_000]),
    keep=st.sampled_from([0, 30, 500]),
)


def timed(steps: Sequence[tuple[int, Holds]]) -> list[Sample]:
    """Samples from gaps."""
    return sampled([(sum(gap for gap, _ in steps[: place + 1]), holds) for place, (_, holds) in enumerate(steps)])


@given(STEPS, CHECKS)
@settings(max_examples=200, deadline=None)
def test_unknown_is_unknown_and_what_holds_is_never_quiet(steps: list[tuple[int, Holds]], one: Check) -> None:
    samples = timed(steps)
    for letter, sample in zip(letters(one, samples), samples, strict=True):
        if sample.reading.holds is None:
            assert letter == "u"
        if sample.reading.holds is True:
            assert letter in "pf"
        if letter == "f" and one.keep_firing == 0 and one.samples == Samples(1, 1):
            assert sample.reading.holds is True


@given(STEPS, CHECKS, st.integers(0, 14))
@settings(max_examples=150, deadline=None)
def test_a_prefix_and_then_the_rest_is_the_whole(steps: list[tuple[int, Holds]], one: Check, at: int) -> None:
    samples = timed(steps)
    state = course(one, samples[:at])
    for sample in samples[at:]:
        state.step(sample)
    assert state == course(one, samples)


@given(STEPS, CHECKS)
@settings(max_examples=100, deadline=None)
def test_the_findings_one_by_one_are_the_course(steps: list[tuple[int, Holds]], one: Check) -> None:
    samples = timed(steps)
    history: list[Finding] = []
    for sample in samples:
        history.append(find("stale", "oracle_staleness", one, sample.reading, sample.block, history))
    assert "".join(finding.verdict.value[0] for finding in history) == letters(one, samples)
    for finding in history:
        assert (finding.since is None) is (finding.verdict in (Verdict.QUIET, Verdict.UNKNOWN))
        assert finding.since is None or finding.since == NOW + (finding.since_block or 0) <= finding.block.timestamp


# Reorganisations


def finding(at: Block, holds: Holds) -> Finding:
    return Finding("stale", "k", Verdict.QUIET, reading(holds), at)


def seen(history: Sequence[Finding], now: Block) -> str:
    return " ".join(f"{one.block.hash[2:]}{str(one.reading.holds)[0]}" for one in lineage(history, now))


def test_samples_that_were_reorganised_away_do_not_count() -> None:
    gone = [finding(block(1), True), finding(block(2), True), finding(block(3), True)]
    back = [*gone, finding(block(2, "b"), False)]
    assert seen(back, block(4, "b")) == "a1T b2F"
    assert seen(gone, block(3, "b")) == "a1T a2T"  # the block that is judged now takes the place of its height
    assert seen([*back, finding(block(3, "b"), True)], block(4, "b")) == "a1T b2F b3T"


def test_a_node_that_lags_or_a_past_that_is_filled_in_ends_nothing() -> None:
    history = [finding(block(5), True), finding(block(7), False), finding(block(5), True), finding(block(6), True)]
    assert seen(history, block(8)) == "a5T a6T a7F"


def test_a_block_judged_twice_counts_once_by_what_could_be_read() -> None:
    assert seen([finding(block(5), True), finding(block(5), None)], block(8)) == "a5T"
    assert seen([finding(block(5), None), finding(block(5), True)], block(8)) == "a5T"
    twice = [finding(block(5), True)] * 2
    assert find("s", "k", check(of=(2, 3)), reading(True), block(5), twice).verdict is Verdict.PENDING


# Whether the past is known


@pytest.mark.parametrize(
    ("one", "earlier", "wanted"),
    [
        (check(36), [], False),
        (check(36), [(-12, False)], True),
        (check(36), [(-301, False)], False),
        (check(36), [(-12, None)], False),
        (check(36), [(-24, False), (-12, None)], True),
        (check(36), [(-24, False), (-12, True)], True),
        (check(36), [(-12, True)], False),
        (check(), [], True),
        (check(of=(2, 3)), [], False),
        (check(of=(2, 3)), [(-12, False)], False),
        (check(of=(2, 3)), [(-24, False), (-12, False)], True),
    ],
)
def test_a_pending_finding_knows_where_it_began(one: Check, earlier: list[tuple[int, Holds]], wanted: bool) -> None:
    history = [finding(block(500 + at), holds) for at, holds in earlier]
    assert is_covered(one, find("s", "k", one, reading(True), block(500), history), history) is wanted


# Measured priors (facts: at a 12 s cadence and one false alarm in a thousand samples)


def onsets_a_year(one: Check, n: int) -> Fraction:
    """How often a year an alarm begins, exactly: the machine on every pattern of n + 1 independent samples."""
    p, total = Fraction(1, 1_000), Fraction(0)
    for pattern in itertools.product((True, False), repeat=n + 1):
        samples = sampled([(12 * place, holds) for place, holds in enumerate(pattern)])
        before, after = course(one, samples[:-1]).verdict, course(one, samples).verdict
        if after is Verdict.FIRING and before is not Verdict.FIRING:
            held = sum(pattern)
            total += p**held * (1 - p) ** (n + 1 - held)
    return total * Fraction(31_557_600, 12)


@pytest.mark.parametrize(("hold", "n", "wanted"), [(1, 1, 2_630), (2, 3, 5.3), (3, 5, 0.016)])
def test_false_alarms_a_year_are_those_of_the_table(hold: int, n: int, wanted: float) -> None:
    assert abs(float(onsets_a_year(check(of=(hold, n)), n)) / wanted - 1) < 0.02
