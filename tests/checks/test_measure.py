"""Expressions over the chain: two passes, units, the past, reads inside reads, and what does not go together."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.checks.check import Wiring
from incident_cli.checks.measure import Measured, in_words, measure, of_one_unit, reads_of, truth
from incident_cli.checks.window import (
    MOST_POINTS,
    later_reads,
    length,
    measured_at,
    points_of,
    reads_at,
    require_points,
)
from incident_cli.evm import CallRead, Missing, PastRead, Read, Snapshot, past
from incident_cli.expression import parse
from incident_cli.units import Span
from tests.checks.ledger import ETH, SLOTS, WIRING, Ledger, block_at

BOOK = SLOTS["book"]
HOUR = Span(seconds=3_600)


def asked(source: str) -> list[str]:
    found = []
    for read in reads_of(parse(source), WIRING):
        base = read.read if isinstance(read, PastRead) else read
        assert isinstance(base, CallRead)
        found.append(base.signature.name + (f" {read.ago}" if isinstance(read, PastRead) else ""))
    return found


def value(source: str, ledger: Ledger, wiring: Wiring = WIRING) -> Measured | Missing:
    return measure(parse(source), wiring, ledger.snapshot(reads_of(parse(source), wiring)))


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("book.pool()", ["pool"]),
        ("book.pool() - book.debts() + book.pool()", ["pool", "debts"]),
        ("book.pool() > 0 and book.fee() > 1 or book.is_open()", ["pool", "fee", "isOpen"]),
        ("0 < book.number() < book.fee()", ["number", "fee"]),
        ("ago(book.pool(), '1h') - book.pool()", ["pool 1h", "pool"]),
        ("max(book.pool(), ago(book.pool(), '50 blocks'))", ["pool", "pool 50 blocks"]),
        ("ceiling > 9 and book.is_open()", []),  # a parameter decides it, in both passes alike
        ("1 / 0 > 1 and book.is_open()", []),
        ("book.nothing()", []),
    ],
)
def test_every_read_is_asked_for_once(source: str, wanted: list[str]) -> None:
    assert asked(source) == wanted


def test_units_come_from_the_protocol_file() -> None:
    ledger = Ledger({"pool": 5_000_000, "debts": 2_000_000, "fee": 30, "number": -7, "owed": 9})
    assert value("book.pool() - book.debts()", ledger) == Measured(3_000_000, "USDC")
    assert value("book.pool() - amount('1.5 USDC')", ledger) == Measured(3_500_000, "USDC")
    assert value("book.pool() / book.debts()", ledger) == Measured(Fraction(5, 2))
    assert value("book.fee() * 2", ledger) == Measured(60)
    assert value("book.owed(market) + 0", ledger) == Measured(9, "USDC")
    assert value("ceiling", ledger) == Measured(7)
    assert reads_of(parse("book.owed(market)"), WIRING) == (BOOK.read("owed", (ETH.id,)),)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("book.pool() - 5", "'-' cannot join an amount of USDC and a number"),
        ("book.pool() - amount('1 WETH')", "amount of USDC and an amount of WETH"),
        ("amount('1 DAI')", "the token DAI is not in the deployment's tokens"),
        ("book.is_open()", "is no number"),
        ("book.owner()", "is no number"),
        ("book.fee() / 0", "division by zero"),
        ("book.nothing()", "there is no `book.nothing` here"),
        ("nobody.pool()", "there is no `nobody.pool` here"),
        ("stranger", "there is no `stranger` here"),
        ("book.debts()", "book.debts: it reverted"),
        ("book.worth()", "takes 1 arguments, here it has 0"),
        ("ago(book.debts(), '1h')", "book.debts: it reverted"),
        ("book.cursed('0xzz')", "hex data hold hex digits only"),
    ],
)
def test_what_does_not_go_together_is_missing_with_its_reason(source: str, reason: str) -> None:
    found = value(source, Ledger({"pool": 5, "is_open": True, "isOpen": True, "owner": "0x", "fee": 30}))
    assert isinstance(found, Missing) and reason in found.reason


def test_without_the_token_an_amount_is_unknown() -> None:
    found = value("book.pool()", Ledger({"pool": 5}), Wiring(SLOTS))
    assert found == Missing("the deployment has no token USDC, in which this is counted")


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**20))
@settings(max_examples=100)
def test_a_fraction_is_as_exact_as_its_two_hundred_digits(above: int, below: int) -> None:
    ledger = Ledger({"number": above, "fee": below})
    found, exact = value("book.number() / book.fee()", ledger), Fraction(above, below)
    assert isinstance(found, Measured) and abs(found.value - exact) * 10**199 <= abs(exact)


def test_a_fraction_stays_one() -> None:
    assert value("0 - 0.5", Ledger()) == Measured(Fraction(-1, 2))


def test_the_past_is_another_read_and_a_view_of_the_past_moves_it_farther() -> None:
    ledger = Ledger({"number": lambda ago, args: 1_000 - ago})
    expression = parse("book.number() - ago(book.number(), '1h')")
    reads = reads_at([expression], WIRING, [Span(), Span(seconds=60)])
    snapshot = ledger.snapshot(reads)
    assert [one.ago for one in reads if isinstance(one, PastRead)] == [HOUR, Span(seconds=60), Span(seconds=3_660)]
    earlier = snapshot.back(Span(seconds=60))
    assert isinstance(earlier, Snapshot) and earlier.block == block_at(Span(seconds=60))
    assert (measure(expression, WIRING, snapshot), measure(expression, WIRING, earlier)) == (Measured(3_600),) * 2
    assert isinstance(snapshot.back(Span(seconds=61)), Missing)


def test_a_past_that_was_not_reached_says_why() -> None:
    reads = reads_at([parse("book.number()")], WIRING, [Span(), HOUR])
    answers = {one: Missing("the chain has no block that old") if isinstance(one, PastRead) else (5,) for one in reads}
    snapshot = Snapshot(block_at(Span()), answers)
    found = measured_at(parse("book.number()"), WIRING, snapshot, HOUR)
    assert found == Missing("the chain has no block that old")
    assert measured_at(parse("book.number()"), WIRING, snapshot, Span()) == Measured(5)
    never = measured_at(parse("book.number()"), WIRING, snapshot, Span(seconds=5))
    assert never == Missing("the block 5s ago was not read")


def test_a_read_inside_another_is_read_in_a_second_round() -> None:
    ledger = Ledger({"fee": 3, "worth": lambda ago, args: args[0] * 100 - ago})
    expression = parse("book.worth(book.fee())")
    first = reads_at([expression], WIRING, [Span(), HOUR])
    later = later_reads((expression,), WIRING, ledger.snapshot(first), (Span(), HOUR))
    worth: Read = BOOK.read("worth", (3,))
    assert later == (worth, past(worth, HOUR))
    assert measure(expression, WIRING, ledger.snapshot(first)) == Missing("book.worth: it was not read")
    assert measure(expression, WIRING, ledger.snapshot((*first, *later))) == Measured(300, "USDC")


def test_hex_text_becomes_bytes_where_the_abi_wants_bytes() -> None:
    (read,) = reads_of(parse("book.cursed('0x01000000000000000000000000000001')"), WIRING)
    assert isinstance(read, CallRead) and read.args == (b"\x01" + b"\x00" * 14 + b"\x01",)


def test_truth_is_three_valued() -> None:
    ledger = Ledger({"isOpen": False, "fee": 3})

    def holds(source: str) -> bool | Missing:
        return truth(parse(source), WIRING, ledger.snapshot(reads_of(parse(source), WIRING)))

    assert holds("book.fee() == 3") is True
    assert holds("book.is_open() and book.pool() > 0") is False
    assert holds("book.fee() == 3 and book.pool() > 0") == Missing("book.pool: it reverted")
    assert isinstance(holds("book.fee()"), Missing)


def test_words_and_units() -> None:
    assert in_words(Measured(1_234_500_000, "USDC"), WIRING.tokens) == "1,234.50 USDC"
    assert in_words(Measured(1_234), WIRING.tokens) == "1,234"
    assert of_one_unit(Measured(1, "USDC"), Measured(2, "USDC")) is None
    assert of_one_unit(Measured(1, "USDC"), Measured(2)) == Missing(
        "USDC cannot be set against a number without a unit"
    )


@given(st.integers(1, MOST_POINTS), st.integers(0, 10_000), st.booleans())
@settings(max_examples=60)
def test_points_are_different_ordered_and_end_at_the_windows_start(count: int, more: int, blocks: bool) -> None:
    window = Span(blocks=count + more) if blocks else Span(seconds=count + more)
    require_points(window, count)
    found = points_of(window, count)
    assert len(set(found)) == count and list(found) == sorted(found, key=length) and found[-1] == window
    gaps = [length(b) - length(a) for a, b in zip((Span(), *found), found, strict=False)]
    assert max(gaps) - min(gaps) <= 1
