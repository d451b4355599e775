"""Whatever the kind: with any one answer missing it is never quiet, with all of them missing it is unknown."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.checks.registry import KINDS
from incident_cli.evm import Missing, Snapshot
from incident_cli.expression import Expression
from incident_cli.text import plain
from incident_cli.units import Span
from tests.checks.ledger import WIRING, Ledger, block_at, make, paid, scheduled

WORTH = {"pool": 100, "debts": 50, "fund": 300, "loss": 10, "convertToAssets": 7, "owner": "0x" + "0" * 39 + "9"}
QUIET = Ledger(
    {**WORTH, "cursed": False, "getOperationState": 3, "isOpen": True},
    (paid(60, 1), paid(1_000, 1), scheduled(60, 1), scheduled(90, 2)),
    storage=lambda ago: bytes(31) + b"\x09",
)
BURST = "window: 10m, baseline: 6h, times: 5, least: 3"
EVERY = {
    "change value": "{kind: change, value: book.owner(), ago: 1h}",
    "change slot": "{kind: change, slot: proxy, of: beacon, ago: 50 blocks}",
    "change code": "{kind: change, slot: proxy, of: code, ago: 1h}",
    "collateral_buffer": "{kind: collateral_buffer, funds: [{value: book.fund()}], stressed_loss: book.loss()}",
    "drain": "{kind: drain, value: 'book.pool() - book.debts()', window: 200 blocks, points: 4, max: 20%}",
    "invariant": "{kind: invariant, holds: 'book.pool() > book.debts()'}",
    "liquidation_cascade": f"{{kind: liquidation_cascade, event: book.paid, {BURST}}}",
    "outflow bucket": "{kind: outflow, event: book.paid, amount: amount, rate: 1 USDC, per: 1h, capacity: 9 USDC}",
    "outflow retained": "{kind: outflow, value: book.pool(), window: 4h, retained: 70%}",
    "share_price": "{kind: share_price, price: vault.convert_to_assets(5), window: 1h}",
    "supply": "{kind: supply, supply: book.debts(), backing: book.pool()}",
    "supply growth": "{kind: supply, supply: book.debts(), backing: book.pool(), window: 1h}",
    "upstream timelock": "{kind: upstream, watch: [{slot: timelock, window: 2d}]}",
    "upstream all": "{kind: upstream, watch: [{slot: timelock, window: 2d}, {what: lane, cursed: not book.is_open()}, "
    "{what: proxy, slot: proxy, ago: 1h}, {what: next_price, now: book.pool(), next: book.pool(), max: 1%}]}",
}


@pytest.mark.parametrize("text", EVERY.values(), ids=EVERY)
def test_one_missing_answer_is_never_quiet(text: str) -> None:
    check = make(text)
    reads, _ = QUIET.asked(check)
    assert reads and QUIET.judge(check).holds is False
    for read in reads:
        reading = QUIET.without(read).judge(check)
        assert reading.holds is None and reading.reason, read


@pytest.mark.parametrize("text", EVERY.values(), ids=EVERY)
def test_without_answers_it_is_unknown(text: str) -> None:
    check = make(text)
    for snapshot in (Snapshot(block_at(Span())), Ledger(broken=lambda read: True).snapshot(check.reads(WIRING))):
        reading = check.judge(WIRING, snapshot)
        assert (reading.holds, reading.value) == (None, None) and reading.reason
        assert check.then(WIRING, snapshot) == ()


@pytest.mark.parametrize("text", EVERY.values(), ids=EVERY)
def test_every_slot_is_named_for_the_review(text: str) -> None:
    check = make(text)
    named = {*check.required(), *check.events()}
    for expression, wanted in check.formulas():
        assert isinstance(expression, Expression) and wanted in ("truth", "number", "value")
        named |= {one.name.partition(".")[0] for one in expression.reads}
    assert named and named <= set(WIRING.slots)
    assert check.names() == ()


def test_every_kind_of_this_table_is_registered_and_explained() -> None:
    for kind in {name.partition(" ")[0] for name in EVERY}:
        assert KINDS[kind].__doc__ and KINDS[kind].__module__ == f"incident_cli.checks.{kind}"


WORDS = st.one_of(st.integers(0, 5), st.integers(0, 2**256 - 1), st.just(Missing("it timed out")))


@given(st.sampled_from(list(EVERY.values())), st.lists(WORDS, min_size=1, max_size=12), st.binary(max_size=40))
@settings(max_examples=250)
def test_whatever_is_answered_there_is_a_reading_and_a_missing_one_is_never_quiet(
    text: str, words: list[object], raw: bytes
) -> None:
    def answer(ago: int, args: tuple[object, ...]) -> object:
        return words[ago % len(words)]

    names = ("pool", "debts", "fund", "loss", "convertToAssets", "owner", "isOpen", "getOperationState")
    ledger = Ledger(dict.fromkeys(names, answer), QUIET.events, lambda ago: raw, lambda ago: raw[: ago % 3])
    check = make(text)
    _, snapshot = ledger.asked(check)
    reading = check.judge(WIRING, snapshot)
    assert reading.holds in (True, False, None) and reading.reason and plain(reading.reason) == reading.reason
    if any(isinstance(found, Missing) for found in snapshot.answers.values()):
        assert reading.holds is not False
