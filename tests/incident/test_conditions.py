"""Conditions: unknown is a value, and a lasting quiet needs samples without gaps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.abi import parse_signature
from incident_cli.checks.check import Finding, Reading, SourceReading, Verdict, Wiring
from incident_cli.evm import Address, Block, CallRead, Missing, Read, Snapshot
from incident_cli.expression import Unknown, parse
from incident_cli.incident.conditions import Conditions, judge, lasting, reads_needed
from incident_cli.incident.events import Event, Kind, block_to_json, finding_from_json, finding_to_json, findings
from incident_cli.protocols.catalog import Catalog
from incident_cli.protocols.slot import BoundSlot, Market

EXCHANGE = Address("0x" + "0" * 39 + "1")
NOW = 1_700_000_000
LETTERS = {"q": Verdict.QUIET, "p": Verdict.PENDING, "f": Verdict.FIRING, "u": Verdict.UNKNOWN}
HOLDS = {"q": False, "p": True, "f": True, "u": None}
PAUSED = CallRead(EXCHANGE, parse_signature("marketPaused(bytes32 market) returns (bool)"), (b"\x11" * 32,), "ethereum")
DOWN = CallRead(EXCHANGE, parse_signature("shutDown() returns (bool)"), (), "ethereum")


def block(at: int) -> Block:
    return Block("ethereum", at, f"0x{at:064x}", NOW + at)


def finding(letter: str, at: int = 0, value: int | None = 7) -> Finding:
    source = SourceReading("feed", "chainlink", value, None, "why")
    reading = Reading(HOLDS[letter], value, 150, "bps", f"reason {letter}", (source,))
    return Finding("stale", "oracle_staleness", LETTERS[letter], reading, block(at), None, "said")


def conditions(letters: str = "", answers: dict[Read, Any] | None = None) -> Conditions:
    protocol = Catalog().find("drill-exchange")
    assert protocol is not None
    slots = {"exchange": BoundSlot("exchange", protocol, "ethereum", {"exchange": EXCHANGE})}
    values = {"market": Market("ETH-USD", b"\x11" * 32), "max": 150}
    history = [finding(one, at * 12) for at, one in enumerate(letters)]
    snapshot = None if answers is None else Snapshot(block(0), answers)
    return Conditions(Wiring(slots, values), {"stale": history}, snapshot)


def said(source: str, letters: str = "", answers: dict[Read, Any] | None = None) -> str:
    """`True`, `False` or `unknown`."""
    found = judge(parse(source), conditions(letters, answers))
    return "unknown" if isinstance(found, Unknown) else str(found)


@pytest.mark.parametrize(
    ("letters", "firing", "quiet", "unknown"),
    [
        ("f", "True", "False", "False"),
        ("q", "False", "True", "False"),
        ("p", "False", "False", "False"),
        ("u", "unknown", "unknown", "True"),
        ("", "unknown", "unknown", "unknown"),
        ("ff" + "u", "unknown", "unknown", "True"),
        ("uf", "True", "False", "False"),
    ],
)
def test_what_a_check_says(letters: str, firing: str, quiet: str, unknown: str) -> None:
    found = [said(f"{one}(stale)", letters) for one in ("firing", "quiet", "unknown")]
    assert found == [firing, quiet, unknown]


KLEENE = {True: "f", False: "q", None: "u"}


@given(st.sampled_from([True, False, None]), st.sampled_from([True, False, None]))
def test_and_or_and_not_follow_kleene(left: bool | None, right: bool | None) -> None:
    answers: dict[Read, Any] = {} if right is None else {DOWN: (right,)}

    def wanted(decisive: bool) -> str:
        if decisive in (left, right):
            return str(decisive)
        return "unknown" if None in (left, right) else str(not decisive)

    assert said("firing(stale) and exchange.shut_down()", KLEENE[left], answers) == wanted(False)
    assert said("firing(stale) or exchange.shut_down()", KLEENE[left], answers) == wanted(True)
    assert said("not firing(stale)", KLEENE[left]) == ("unknown" if left is None else str(not left))


def test_every_read_is_collected_even_behind_an_unknown() -> None:
    expression = parse("exchange.market_paused(market) == True and exchange.shut_down() == False and firing(stale)")
    assert reads_needed(expression, conditions()) == (PAUSED, DOWN)
    assert reads_needed(parse("firing(stale) or exchange.shut_down()"), conditions("q")) == (DOWN,)
    assert reads_needed(parse("max > 100"), conditions()) == ()


def test_a_read_is_judged_only_when_it_was_made() -> None:
    source = "exchange.market_paused(market) == True"
    assert said(source) == "unknown"
    assert said(source, answers={}) == "unknown"
    assert said(source, answers={PAUSED: Missing("timed out")}) == "unknown"
    assert said(source, answers={PAUSED: (True,)}) == "True"
    assert said(source, answers={PAUSED: (False,)}) == "False"


@pytest.mark.parametrize("source", ["max", "max + 1", "'yes'"])
def test_what_is_neither_true_nor_false_is_unknown(source: str) -> None:
    assert said(source) == "unknown"


def test_values_that_do_not_go_together_are_unknown_with_the_reason() -> None:
    found = judge(parse("exchange.shut_down() > 5"), conditions(answers={DOWN: (True,)}))
    assert isinstance(found, Unknown) and "exchange.shut_down() > 5" in found.reason


def lasted(samples: list[tuple[int, str]], seconds: int) -> str:
    found = lasting([finding(one, at) for at, one in samples], Verdict.QUIET, seconds)
    return "unknown" if isinstance(found, Unknown) else str(found)


@pytest.mark.parametrize(
    ("samples", "seconds", "wanted"),
    [
        ([], 60, "unknown"),
        ([(0, "q")], 60, "unknown"),
        ([(0, "q"), (60, "q")], 60, "True"),
        ([(0, "q"), (59, "q")], 60, "unknown"),
        ([(0, "q"), (1_800, "q")], 1_800, "unknown"),  # two samples half an hour apart show nothing between
        ([(at, "q") for at in range(0, 1_801, 450)], 1_800, "True"),
        ([(at, "q") for at in range(0, 1_810, 451)], 1_800, "unknown"),
        ([(0, "q"), (450, "f"), (900, "q"), (1_350, "q"), (1_800, "q")], 1_800, "False"),
        ([(0, "f"), (450, "q"), (900, "q"), (1_350, "q"), (1_800, "q"), (2_250, "q")], 1_800, "True"),
        ([(0, "q"), (450, "u"), (900, "q"), (1_350, "q"), (1_800, "q")], 1_800, "unknown"),
        ([(0, "q"), (450, "q"), (900, "q"), (1_350, "q"), (1_800, "u")], 1_800, "unknown"),
        ([(0, "q"), (1_800, "f")], 1_800, "False"),
        ([(0, "q"), (1_800, "p")], 1_800, "False"),
    ],
)
def test_a_lasting_quiet(samples: list[tuple[int, str]], seconds: int, wanted: str) -> None:
    assert lasted(samples, seconds) == wanted


@given(
    st.lists(st.tuples(st.integers(1, 100), st.sampled_from("qqqqfu")), min_size=1, max_size=20), st.integers(1, 300)
)
@settings(max_examples=150)
def test_a_quiet_that_lasted_has_only_quiet_samples_in_it(steps: list[tuple[int, str]], seconds: int) -> None:
    samples, at = [], 0
    for step, letter in steps:
        at += step
        samples.append((at, letter))
    if lasted(samples, seconds) == "True":
        inside = [letter for when, letter in samples if when > at - seconds]
        assert set(inside) == {"q"}


def test_an_unknown_duration_is_unknown() -> None:
    assert isinstance(lasting([finding("q")], Verdict.QUIET, Unknown("x")), Unknown)


@given(st.sampled_from("qpfu"), st.none() | st.integers(-(2**255), 2**255))
@settings(max_examples=40)
def test_a_finding_survives_the_journal(letter: str, value: int | None) -> None:
    one = finding(letter, 5, value)
    record = finding_to_json(one)
    assert finding_from_json(record, one.block) == one
    assert not any(isinstance(part, float) for part in record.values())


def test_findings_are_one_a_block_and_of_one_check() -> None:
    def recorded(seq: int, one: Finding) -> Event:
        return Event(seq, Kind.FINDINGS, "", "detect", 1, one.block, {"findings": [finding_to_json(one)]})

    events = [recorded(0, finding("q", 0)), recorded(1, finding("f", 12)), recorded(2, finding("f", 12))]
    assert [one.verdict for one in findings(events, "stale")] == [Verdict.QUIET, Verdict.FIRING]
    assert findings(events, "other") == []
    assert block_to_json(block(3)) == {"chain": "ethereum", "number": 3, "hash": f"0x{3:064x}", "timestamp": NOW + 3}
