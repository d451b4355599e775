"""A lived-in world: every block is told, a refused transaction is none, and what was told rebuilds it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from incident_cli.drills.engine_values import InvalidTransaction
from incident_cli.drills.live_world import WHOLE_BLOCKS, LiveWorld
from incident_cli.drills.scenario import Fault, Scenario
from incident_cli.drills.world import Advance, World
from incident_cli.transport import Request

QUIET = Scenario("quiet", "T", "oracle-divergence", "ETH-USD", "stood-down", ())
MOVED = Scenario("moved", "T", "oracle-divergence", "ETH-USD", "contained", (Fault("feed-moved", "ETH-USD", 1, -900),))


@pytest.fixture
def live() -> LiveWorld:
    return LiveWorld(World.build(3, QUIET))


def listened(live: LiveWorld) -> list[Advance]:
    """Everything that is told from here on."""
    told: list[Advance] = []
    live.listener = told.append
    return told


def transfer(live: LiveWorld) -> bytes:
    world = live.world
    return world.transaction(world.executor, world.people.deployer.address, b"", value=1)


@pytest.mark.parametrize(("seconds", "blocks"), [(1, 1), (12, 1), (13, 2), (60, 5)])
def test_a_short_wait_is_mined_block_by_block(seconds: int, blocks: int, live: LiveWorld) -> None:
    told, start = listened(live), live.world.engine.head.timestamp
    live.advance(seconds)
    assert [one.turn.seconds for one in told] == [12] * blocks
    assert live.world.engine.head.timestamp - start >= seconds


def test_a_long_wait_is_one_leap(live: LiveWorld) -> None:
    told, start = listened(live), live.world.engine.head.timestamp
    live.advance(WHOLE_BLOCKS * 12 + 1)
    assert len(told) == 1 and live.world.engine.head.timestamp - start == 61


def test_what_is_sent_is_mined_and_told(live: LiveWorld) -> None:
    told, raw = listened(live), transfer(live)
    sent = live.submit(raw)
    assert [one.turn.transactions for one in told] == [(raw,)]
    receipt = live.world.engine.receipt(sent)
    assert receipt is not None and receipt.status


def test_a_refused_transaction_is_no_block_and_nobody_is_told(live: LiveWorld) -> None:
    raw = transfer(live)
    live.submit(raw)
    told, head = listened(live), live.world.engine.head
    with pytest.raises(InvalidTransaction):
        live.submit(raw)
    assert (told, live.world.engine.head) == ([], head)


def test_what_was_told_rebuilds_the_same_chain_and_is_not_told_again() -> None:
    live = LiveWorld(World.build(3, MOVED))
    told = listened(live)
    live.advance(24)
    live.submit(transfer(live))
    live.end_fault()
    live.advance(3_600)
    again = LiveWorld(World.build(3, MOVED))
    heard = listened(again)
    made = [again.replay(one.turn).block.hash for one in told]
    assert made == [one.block.hash for one in told] and heard == []
    assert again.world.fault_over


def test_the_fault_ends_from_the_next_block_on() -> None:
    live = LiveWorld(World.build(3, MOVED))
    live.advance(12)
    assert live.world.prices["ETH-USD"].feed != live.world.prices["ETH-USD"].true
    live.end_fault()
    assert live.world.prices["ETH-USD"].feed != live.world.prices["ETH-USD"].true
    live.advance(12)
    assert live.world.prices["ETH-USD"].feed == live.world.prices["ETH-USD"].true


def test_several_threads_write_one_chain(live: LiveWorld) -> None:
    told = listened(live)
    threads = [threading.Thread(target=live.advance, args=(24,)) for _ in range(3)]
    for one in threads:
        one.start()
    live.rpc.exchange([Request("eth_blockNumber")])
    for one in threads:
        one.join()
    numbers = [one.block.number for one in told]
    assert numbers == sorted(numbers) and len(set(numbers)) == len(numbers) == 6


def test_a_listener_that_fails_is_heard_of(live: LiveWorld, tmp_path: Path) -> None:
    def full(made: Advance) -> None:
        raise OSError("the disk is full")

    live.listener = full
    with pytest.raises(OSError, match="full"):
        live.advance(12)
