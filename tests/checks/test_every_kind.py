"""Whatever the price kind: quiet, firing, never quiet with an answer missing; every kind there is has such a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import pytest

from incident_cli.checks.registry import KINDS
from incident_cli.evm import Missing, Snapshot
from incident_cli.units import Span
from tests.checks.prices import ID, NOW, WIRING, Prices, Served, block_at, feeds, make, served
from tests.checks.test_every_health_kind import EVERY as HEALTH
from tests.checks.test_option_surface import Marks

PYTH = f"{{from: pyth, slot: pyth, id: '{ID}', independence: pyth}}"
POOL = "{from: uniswap_v3, slot: pool, independence: dex, base_decimals: 0, quote_decimals: 0, least_liquidity: 5}"
VIEW = "{from: view, name: mark, value: desk.mark(desk.current()), decimals: 8, independence: desk}"
CEX = "{from: benchmark, benchmark: cex, independence: cex}"
FEED = "{slot: feed, independence: chainlink}"


def everywhere(price: int) -> Prices:
    """One price (10^8) at every source but the pool, which says 1."""
    answers: dict[str, Served] = {
        "pyth__getPriceUnsafe": (price, 0, -8, NOW),
        "pool__observe": ((5, 5), (0, 0)),
        "pool__liquidity": (5,),
        "desk__mark": (price,),
        "desk__current": (b"\x01" * 32,),
        "cex__number": (price * 10**10, NOW),
    }
    return feeds(feed=price, reference=price).with_(**answers)


def steady(price: int, last: int) -> Prices:
    """A feed that stood at a price and moved to another one in the newest block."""

    def at(ago: int) -> Served:
        return (7, price if ago else last, NOW - ago, NOW - ago, 7)

    return feeds(feed=price).with_(feed__latestRoundData=cast("Served", at))


def sequencer(answer: int, age: int) -> Prices:
    """An uptime feed that changed that long ago."""
    return Prices({("sequencer", "latestRoundData"): (7, answer, NOW - age, NOW, 7)})


def marked(bent: Mapping[tuple[str, int], int]) -> Prices:
    """A desk's marks."""
    return Prices({("desk", "surface"): Marks(bent=bent).answer()})


@dataclass(frozen=True, slots=True)
class Case:
    """A check, a market in which it is quiet and one in which it holds."""

    text: str
    quiet: Prices
    firing: Prices


ALL = f"{FEED}, {PYTH}, {POOL}, {VIEW}, {CEX}"
CASES = {
    "oracle_divergence": Case(
        f"oracle_divergence: {{sources: [{ALL}], max: 3%}}",
        everywhere(10**8),
        everywhere(10**8).with_(desk__mark=(104_000_000,)),
    ),
    "oracle_divergence two": Case(
        f"oracle_divergence: {{sources: [{FEED}, {PYTH}], reference: pyth, max: 3%}}",
        everywhere(10**8),
        everywhere(10**8).with_(feed__latestRoundData=served(96_000_000)),
    ),
    "oracle_staleness": Case(
        "oracle_staleness: {slot: feed, heartbeat: 1h}",
        everywhere(5),
        everywhere(5).with_(feed__latestRoundData=served(5, age=3_721)),
    ),
    "sequencer_uptime": Case("sequencer_uptime: {slot: sequencer}", sequencer(0, 3_600), sequencer(0, 3_599)),
    "volatility": Case(
        f"volatility: {{source: {FEED}, window: 10m, every: 1m, least: 10}}",
        steady(10**8, 10**8),
        steady(10**8, 102_000_000),
    ),
    "basis": Case(f"basis: {{mark: {VIEW}, index: {POOL}, max: 1%}}", everywhere(101_000_000), everywhere(98_999_999)),
    "option_surface": Case(
        "option_surface: {slot: desk, market: '{market}'}", marked({}), marked({("puts", 2): 16 * 10**8})
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_quiet_and_firing(case: Case) -> None:
    check = make(case.text)
    quiet, firing = case.quiet.judge(check), case.firing.judge(check)
    assert (quiet.holds, firing.holds) == (False, True)
    assert quiet.reason and firing.reason and quiet.unit == firing.unit
    assert quiet.value is not None and firing.value is not None
    far, near = (firing.value, quiet.value) if firing.trips == "above" else (quiet.value, firing.value)
    assert near <= quiet.limit <= far


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_one_missing_answer_is_never_quiet(case: Case) -> None:
    check = make(case.text)
    reads = case.quiet.asked(check)
    assert reads
    for read in reads:
        reading = case.quiet.without(read).judge(check)
        assert reading.holds is None and reading.reason, read


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_without_answers_it_is_unknown(case: Case) -> None:
    check = make(case.text)
    for snapshot in (Snapshot(block_at(Span())), Prices(broken=lambda read: True).snapshot(check.reads(WIRING))):
        reading = check.judge(WIRING, snapshot)
        assert (reading.holds, reading.value) == (None, None) and reading.reason


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_answers_of_another_shape_are_unknown(case: Case) -> None:
    check = make(case.text)
    reads = case.quiet.asked(check)
    for odd in ((), (None,), ("5",), (True,), (1, 2, 3, 4, 5, 6, 7, 8), ((),) * 7, (-1,) * 5, (2**256,) * 4):
        snapshot = case.quiet.snapshot(reads)
        snapshot = Snapshot(snapshot.block, dict.fromkeys(reads, odd), past_blocks=snapshot.past_blocks)
        assert check.judge(WIRING, snapshot).holds is not False, odd


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_slot_is_named_for_the_review(case: Case) -> None:
    check = make(case.text)
    named = set(check.required())
    for expression, wanted in check.formulas():
        assert wanted == "number"
        named |= {one.name.partition(".")[0] for one in expression.reads}
    assert named and named <= set(WIRING.slots)
    for slot, reads in check.required().items():
        assert set(reads) <= set(WIRING.slots[slot].protocol.reads)
    assert {one.name for one in case.quiet.judge(check).sources} <= set(check.names())


def test_every_kind_is_tested_and_explained() -> None:
    assert {name.partition(" ")[0] for name in (*CASES, *HEALTH)} == set(KINDS)
    for name, kind in KINDS.items():
        assert len((kind.__doc__ or "").splitlines()) > 3 and kind.__module__ == f"incident_cli.checks.{name}"


# What is particular to the smaller kinds


@pytest.mark.parametrize(
    ("world", "holds", "value", "reason"),
    [
        (sequencer(1, 90), True, 0, "the sequencer has been down for 1m 30s (sequencer)"),
        (sequencer(1, 90_000), True, 0, "the sequencer has been down for 1d 1h (sequencer)"),
        (sequencer(0, 0), True, 0, "the sequencer has been up for 0s (sequencer)"),
        (sequencer(0, 7_200), False, 7_200, "the sequencer has been up for 2h (sequencer)"),
        (sequencer(0, NOW), None, None, "sequencer: it has not begun"),
        (sequencer(0, -1), None, None, f"sequencer: its start {NOW + 1} is not a past time"),
        (sequencer(2, 60), None, None, "sequencer: it answers 2, which is neither up (0) nor down (1)"),
        (Prices(), None, None, "sequencer: it reverted"),
    ],
)
def test_a_sequencer(world: Prices, holds: bool | None, value: int | None, reason: str) -> None:
    reading = world.judge(make("sequencer_uptime: {slot: sequencer}"))
    assert (reading.holds, reading.value, reading.limit, reading.trips) == (holds, value, 3_600, "below")
    assert reading.reason == reason


def test_a_chainlink_feed_slot_serves_as_an_uptime_feed() -> None:
    world = Prices({("feed", "latestRoundData"): (7, 1, NOW - 60, NOW, 7)})
    assert world.judge(make("sequencer_uptime: {slot: feed, grace: '{grace}'}")).holds is True


def test_a_basis_is_exact_and_says_its_side() -> None:
    check = make("basis: {mark: {slot: feed, independence: a}, index: {slot: reference, independence: a}, max: 150}")
    at, over = feeds(feed=10_150_000, reference=10_000_000), feeds(feed=10_150_001, reference=10_000_000)
    assert (at.judge(check).holds, over.judge(check).holds) == (False, True)
    below = feeds(feed=9_849_999, reference=10_000_000).judge(check)
    assert (below.holds, below.value) == (
        True,
        150,
    ) and below.reason == "feed is 150 bps below reference, a little more than 150 bps"
    gone = at.with_(reference__decimals=Missing("it timed out")).judge(check)
    assert gone.reason == "reference: it timed out" and len(gone.sources) == 2


def test_a_stale_pyth_is_unknown_not_divergent() -> None:
    case = CASES["oracle_divergence two"]
    stale = case.firing.with_(pyth__getPriceUnsafe=(10**8, 0, -8, NOW - 600)).judge(make(case.text))
    assert stale.holds is None and stale.reason.startswith("pyth: stale, not divergent")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sequencer_uptime: {slot: sequencer, grace: 0s}", "grace must be"),
        (f"basis: {{mark: {FEED}, index: {FEED}, max: 1%}}", "both called feed"),
        (f"basis: {{mark: {FEED}, index: {PYTH}, max: 0}}", "more than 0 bps"),
        (f"oracle_divergence: {{sources: [{ALL}], reference: feed, max: 1%}}", "leave `reference` out"),
        ("oracle_staleness: {slot: feed, heartbeat: 1h, lowest: 2, highest: 1}", "below `highest`"),
        ("oracle_staleness: {slot: feed, heartbeat: 1h, form: pyth}", "no key here"),
        ("basis: {mark: {from: kraken, independence: a}, index: {slot: feed, independence: a}, max: 1%}", "chainlink"),
        (f"volatility: {{source: {FEED}, window: 50 blocks}}", "duration"),
    ],
)
def test_parameters_that_cannot_be_right_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(text)
