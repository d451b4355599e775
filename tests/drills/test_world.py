"""The drill's world: it repeats exactly, conserves money, and a pause ends the attack but not the trading."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.abi import decode, encode_call, parse_signature
from incident_cli.drills import safe_setup
from incident_cli.drills.accounts import Account
from incident_cli.drills.engine_values import InvalidTransaction, Receipt
from incident_cli.drills.founding import POOL, TIMELOCK_DELAY, encoded
from incident_cli.drills.scenario import Fault, Scenario
from incident_cli.drills.world import GENESIS_TIME, Turn, World, turn_from_json
from incident_cli.evm import ZERO, Address, keccak

MOVED = Scenario(
    "moved", "T", "oracle-divergence", "ETH-USD", "contained", (Fault("feed-moved", "ETH-USD", 2, -600),), attacker=True
)
FROZEN = Scenario(
    "frozen", "T", "oracle-staleness", "ETH-USD", "contained", (Fault("feed-frozen", "ETH-USD", 2, 120),), attacker=True
)
FALSE_ALARM = Scenario(
    "alarm", "T", "oracle-divergence", "ETH-USD", "stood-down", (Fault("reference-moved", "ETH-USD", 2, -300, 5),)
)
EXECUTE = (
    "execTransaction(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas,"
    " uint256 gasPrice, address gasToken, address refundReceiver, bytes signatures)"
)
HASH = (
    "getTransactionHash(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,uint256) returns (bytes32)"
)
TRADED = {
    keccak(b"Bought(bytes32,address,uint256,uint256)"),
    keccak(b"Exercised(bytes32,address,uint256,uint256)"),
}


def view(world: World, to: Address, function: str, *args: object) -> object:
    signature = parse_signature(function)
    return decode(signature.output_types, world.engine.call(to, encode_call(signature, args)))[0]


def signed_by_safe(world: World, safe: Address, owners: Sequence[Account], to: Address, data: bytes) -> bytes:
    """The executor's transaction that carries two owners' signatures."""
    nonce = view(world, safe, "nonce() returns (uint256)")
    digest = view(world, safe, HASH, to, 0, data, 0, 0, 0, 0, ZERO, ZERO, nonce)
    assert isinstance(digest, bytes)
    signers = sorted(owners[:2], key=lambda one: one.address.lower())
    signatures = b"".join(one.sign_hash(digest) for one in signers)
    outer = encode_call(parse_signature(EXECUTE), (to, 0, data, 0, 0, 0, 0, ZERO, ZERO, signatures))
    return world.transaction(world.executor, safe, outer)


def council_pause(world: World, market: str) -> bytes:
    data = encoded("setMarketPaused(bytes32,bool)", world.markets[market], True)
    return signed_by_safe(world, world.addresses.council, world.council_owners, world.addresses.exchange, data)


def traded_markets(receipts: Sequence[Receipt]) -> set[bytes]:
    return {log.topics[1] for one in receipts for log in one.logs if log.topics and log.topics[0] in TRADED}


@pytest.fixture(scope="module")
def fresh() -> World:
    """A world nobody advances."""
    return World.build(7, MOVED)


def test_the_councils_are_safes_at_their_predicted_addresses(fresh: World) -> None:
    world = fresh
    for safe, owners in (
        (world.addresses.council, world.council_owners),
        (world.addresses.governance, world.governance_owners),
    ):
        assert view(world, safe, "VERSION() returns (string)") == "1.4.1"
        assert view(world, safe, "getThreshold() returns (uint256)") == 2
        found = view(world, safe, "getOwners() returns (address[])")
        assert isinstance(found, tuple)
        assert {str(one).lower() for one in found} == {one.address.lower() for one in owners}
        assert world.engine.storage(safe, 0)[12:] == bytes.fromhex(world.addresses.safe_singleton[2:])
    assert all(world.engine.code(address) for address in (*safe_setup.CANONICAL.values(), safe_setup.MULTICALL3))
    assert world.height == 0
    assert world.books().pool == POOL


def test_a_pause_by_the_council_ends_the_attack_and_nothing_else() -> None:
    world = World.build(7, MOVED)
    for _ in range(3):
        world.advance()
    before = world.books().attacker_gain
    assert before > 0
    contained = world.advance([council_pause(world, "ETH-USD")])
    assert [one.status for one in contained.receipts] == [1]
    assert contained.books.attacker_gain == before
    after = [world.advance() for _ in range(8)]
    assert {one.books.attacker_gain for one in after} == {before}
    traded = traded_markets([receipt for one in after for receipt in one.actor_receipts])
    assert traded == {world.markets["BTC-USD"], world.markets["SOL-USD"]}
    assert all(one.is_conserved for one in world.history)
    assert world.without_containment(world.height) > before
    assert not any(word in repr(world.people) + repr(after[0].turn) for word in ("PrivateKey", "_key"))


@pytest.mark.parametrize("seed", range(1, 6))
def test_money_is_conserved_and_the_prediction_without_containment_is_exact(seed: int) -> None:
    founded = World.build(seed, MOVED)
    mark = founded.engine.snapshot()
    for scenario in (MOVED, FROZEN, FALSE_ALARM):
        founded.engine.revert(mark)
        world = World(seed, scenario, founded.engine, founded.people, founded.addresses)
        for _ in range(3):
            world.advance()
        assert all(books.is_conserved for books in world.history)
        gains = [books.attacker_gain for books in world.history]
        assert gains == [world.without_containment(height) for height in range(4)]
        assert gains[:2] == [0, 0]
        assert (gains[-1] > 0) == scenario.attacker


turns = st.lists(
    st.tuples(st.sampled_from(["nothing", "pause", "end"]), st.sampled_from([1, 12, 3_600]), st.booleans()), max_size=3
)


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32), script=turns)
def test_a_world_played_again_has_the_same_block_hashes(seed: int, script: list[tuple[str, int, bool]]) -> None:
    world = World.build(seed, FROZEN)
    journal = []
    for what, seconds, everybody in script:
        if what == "end":
            world.end_fault()
        sent = [council_pause(world, "ETH-USD")] if what == "pause" else []
        advance = world.advance(sent, seconds=seconds, actors=everybody)
        journal.append((json.dumps(advance.turn.to_json()), advance.block))
    again = World.build(seed, FROZEN)
    for line, block in journal:
        assert again.play(turn_from_json(json.loads(line))).block == block
    assert again.prices == world.prices
    assert again.history == world.history


def test_hash_randomisation_changes_nothing() -> None:
    script = (
        "from incident_cli.drills.world import *; from incident_cli.drills.scenario import *;"
        "world = World.build(3, Scenario('s', 'S', 'r', 'ETH-USD', 'contained',"
        " (Fault('feed-moved', 'ETH-USD', 1, -600),), attacker=True));"
        "print(world.first_block.hash, world.advance().block.hash)"
    )
    command, environment = [sys.executable, "-c", script], dict(os.environ)
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env={**environment, "PYTHONHASHSEED": number})
        for number in ("1", "2")
    ]
    first, second = (process.communicate()[0] for process in running)
    assert first == second != b""


def test_another_seed_is_another_world(fresh: World) -> None:
    stranger = Address("0x" + "12" * 20)
    world = World.build(8, MOVED, guardian=stranger)
    assert world.first_block.hash != fresh.first_block.hash
    assert view(world, world.addresses.exchange, "guardian() returns (address)") == stranger


def test_an_impossible_transaction_changes_nothing(fresh: World) -> None:
    world = fresh
    before = (world.engine.head, world.prices, len(world.history))
    with pytest.raises(InvalidTransaction):
        world.advance([world.transaction(world.executor, world.addresses.council, b"", ahead=5)])
    assert (world.engine.head, world.prices, len(world.history)) == before


def test_faults_end_when_told_and_feeds_are_honest_again() -> None:
    world = World.build(7, FROZEN)
    for _ in range(2):
        world.advance()
    assert world.prices["ETH-USD"].feed != world.prices["ETH-USD"].reference
    world.end_fault()
    world.advance()
    latest = parse_signature("latestRoundData() returns (uint80,int256,uint256,uint256,uint80)")
    feed, reference = (
        decode(latest.output_types, world.engine.call(source["ETH-USD"], latest.selector))
        for source in (world.addresses.feeds, world.addresses.references)
    )
    assert feed[1] == reference[1] == world.prices["ETH-USD"].true
    assert feed[3] == world.engine.head.timestamp


def test_governance_takes_the_council_its_role_through_the_timelock() -> None:
    world = World.build(7, MOVED)
    at = world.addresses
    inner = (at.exchange, 0, encoded("setGuardian(address)", world.executor.address), bytes(32), bytes(32))
    schedule = encoded("schedule(address,uint256,bytes,bytes32,bytes32,uint256)", *inner, TIMELOCK_DELAY)
    sent = signed_by_safe(world, at.governance, world.governance_owners, at.timelock, schedule)
    assert world.advance([sent]).receipts[0].status == 1
    execute = encoded("execute(address,uint256,bytes,bytes32,bytes32)", *inner)
    early = world.advance([world.transaction(world.executor, at.timelock, execute)])
    assert early.receipts[0].status == 0
    late = world.advance([world.transaction(world.executor, at.timelock, execute)], seconds=TIMELOCK_DELAY)
    assert late.receipts[0].status == 1
    assert view(world, at.exchange, "guardian() returns (address)") == world.executor.address
    refused = world.advance([council_pause(world, "ETH-USD")])
    assert refused.receipts[0].status == 0
    assert view(world, at.exchange, "marketPaused(bytes32) returns (bool)", world.markets["ETH-USD"]) is False


def test_a_shutdown_lets_traders_settle_and_everybody_withdraw() -> None:
    world = World.build(7, FALSE_ALARM)
    for _ in range(2):
        world.advance()
    assert any(holder.position for holder in world.books().holders.values())
    data = encoded("shutdown()")
    sent = signed_by_safe(world, world.addresses.council, world.council_owners, world.addresses.exchange, data)
    assert world.advance([sent]).receipts[0].status == 1
    world.advance()
    assert view(world, world.addresses.exchange, "settlementOwed() returns (uint256)") == 0
    assert world.books().is_conserved
    assert all(holder.position == 0 for holder in world.books().holders.values())


def test_blocks_without_actors_hold_only_what_was_given() -> None:
    world = World.build(7, MOVED)
    advance = world.advance(actors=False, seconds=600)
    assert advance.actor_receipts == ()
    assert advance.block.timestamp == GENESIS_TIME + 12 + 600
    assert world.prices["ETH-USD"].feed == world.prices["ETH-USD"].reference


def test_a_broken_turn_is_refused() -> None:
    with pytest.raises(TypeError):
        turn_from_json({"transactions": "0x", "seconds": 1, "actors": True, "fault_over": False})
    turn = Turn((b"\x02",), 12)
    assert turn_from_json(turn.to_json()) == turn
