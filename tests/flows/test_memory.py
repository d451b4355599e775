"""What the journal remembers: only what will be asked for, found near the moment, else read from the chain."""

from __future__ import annotations

import pytest

from incident_cli.abi import parse_signature
from incident_cli.evm import Address, Block, CallRead, CodeRead, Missing, PastRead, Read, Snapshot, StorageRead, past
from incident_cli.flows.memory import kept, recall
from incident_cli.incident.events import Event, Kind
from incident_cli.units import Span

HERE = Address("0x" + "0" * 39 + "1")
POOL = CallRead(HERE, parse_signature("pool() returns (uint256)"), (), "drill")
PAIR = CallRead(HERE, parse_signature("pair(bytes32 market) returns (int256 a, address b)"), (b"\x01" * 32,), "drill")
SLOT = StorageRead(HERE, 7, "drill")
CODE = CodeRead(HERE, "drill")
NOW = 1_700_000_000
HOUR = Span(seconds=3_600)


def block(ago: int) -> Block:
    """A block so many seconds ago, 12 s each."""
    return Block("drill", 1_000_000 - ago // 12, f"0x{ago:064x}", NOW - ago)


def event(at: Block, answers: dict[Read, tuple[object, ...] | Missing], asked: list[Read]) -> Event:
    """The findings of a round."""
    data = {"findings": [], "reads": kept(asked, Snapshot(at, answers))}
    return Event(1, Kind.FINDINGS, "2026-11-22T03:00:00.000Z", None, 0, at, data)


ASKED: list[Read] = [past(POOL, HOUR), past(PAIR, HOUR), past(SLOT, HOUR)]
ANSWERS: dict[Read, tuple[object, ...] | Missing] = {POOL: (5,), PAIR: (-3, HERE), SLOT: (b"\x09" * 32,), CODE: (b"",)}


def test_answers_of_every_kind_come_back_as_they_were() -> None:
    found = recall(ASKED, [event(block(3_600), ANSWERS, ASKED)], block(0))
    assert found.answers == {past(one, HOUR): ANSWERS[one] for one in (POOL, PAIR, SLOT)}
    assert found.blocks == {("drill", HOUR): block(3_600)}


def test_only_what_is_somebodys_past_is_kept() -> None:
    assert [one["to"] for one in kept([POOL, past(SLOT, HOUR)], Snapshot(block(0), ANSWERS))] == [HERE]
    assert kept([POOL, SLOT], Snapshot(block(0), ANSWERS)) == []
    assert kept([past(CODE, HOUR)], Snapshot(block(0), ANSWERS)) == []


def test_what_could_not_be_read_is_not_remembered() -> None:
    unread = {**ANSWERS, POOL: Missing("timed out")}
    found = recall(ASKED, [event(block(3_600), unread, ASKED)], block(0))
    assert found.answers == {}  # all of a span's reads at one block, or none of them


@pytest.mark.parametrize(("ago", "near"), [(3_600, True), (3_660, True), (3_540, True), (3_672, False), (3_528, False)])
def test_a_minute_is_near_enough(ago: int, near: bool) -> None:
    found = recall(ASKED, [event(block(ago), ANSWERS, ASKED)], block(0))
    assert bool(found.answers) is near


def test_the_nearest_round_is_taken() -> None:
    events = [event(block(ago), {**ANSWERS, POOL: (ago,)}, ASKED) for ago in (3_648, 3_612, 3_552)]
    found = recall(ASKED, events, block(0))
    assert found.answers[past(POOL, HOUR)] == (3_612,)


def test_blocks_are_counted_exactly() -> None:
    span = Span(blocks=10)
    read = PastRead(POOL, span)
    for ago, wanted in ((120, True), (132, False), (108, False)):
        found = recall([read], [event(block(ago), ANSWERS, [read])], block(0))
        assert bool(found.answers) is wanted


def test_another_chain_and_the_future_are_never_taken() -> None:
    other = PastRead(CallRead(HERE, POOL.signature, (), "far"), HOUR)
    events = [event(block(3_600), ANSWERS, ASKED)]
    assert recall([other], events, block(0)).answers == {}
    assert recall(ASKED, [event(block(-3_600), ANSWERS, ASKED)], block(0)).answers == {}


def test_one_round_stands_for_one_moment_only() -> None:
    spans = [Span(seconds=3_600), Span(seconds=3_660), Span(seconds=3_720)]
    asked = [PastRead(POOL, one) for one in spans]
    found = recall(asked, [event(block(3_660), ANSWERS, [*asked])], block(0))
    assert set(found.blocks) == {("drill", Span(seconds=3_660))}
    between = recall(asked, [event(block(3_636), ANSWERS, [*asked])], block(0))
    assert set(between.blocks) == {("drill", Span(seconds=3_660))}  # 24 s beside, less than half-way to the next


def test_what_the_chain_no_longer_has_is_not_remembered() -> None:
    events = [event(block(3_600), ANSWERS, ASKED)]
    assert recall(ASKED, events, block(0), lambda one: False).answers == {}
