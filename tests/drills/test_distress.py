"""Every fault in the world: what it shows, that its end is honest, and that no money appears or disappears."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from incident_cli.abi import encode
from incident_cli.drills.actors import Holder, moved
from incident_cli.drills.distress import operation, redemption
from incident_cli.drills.engine import Engine
from incident_cli.drills.founding import LANE, POOL, TIMELOCK_DELAY, encoded
from incident_cli.drills.margin import BACKSTOP, INSURANCE, STRESS
from incident_cli.drills.scenario import Fault, FaultKind, Scenario
from incident_cli.drills.surface import BENT
from incident_cli.drills.world import Advance, World
from incident_cli.evm import keccak
from tests.drills.test_world import signed_by_safe, view

ETH = "ETH-USD"
LIQUIDATED = keccak(b"Liquidated(bytes32,address,uint256,uint256)")
SURFACE = "surface(bytes32) returns (uint256[],uint256[],uint256[],uint256[],uint256[],uint256[],uint256[])"
FAULTS: dict[FaultKind, Fault] = {
    "feed-shaken": Fault("feed-shaken", ETH, 2, 400),
    "price-crash": Fault("price-crash", ETH, 2, -400, 5),
    "withdrawal-rush": Fault("withdrawal-rush", None, 2, 2_000),
    "surface-bent": Fault("surface-bent", ETH, 2, 2_500),
    "buffer-spent": Fault("buffer-spent", ETH, 2, 10_000),
    "hostile-operation": Fault("hostile-operation", None, 2),
    "lane-cursed": Fault("lane-cursed", None, 2),
}


def scenario(*faults: Fault, appetite: int = 1, attacker: bool = False) -> Scenario:
    return Scenario("s", "S", "r", ETH, "contained", faults, attacker, appetite=appetite)


@pytest.fixture(scope="module")
def founded() -> World:
    """A world that is founded once; `begin` lives in it under another script."""
    return World.build(11, scenario())


def begin(founded: World, *faults: Fault, appetite: int = 1, attacker: bool = False) -> World:
    engine: Engine = founded.engine
    engine.revert(founded.first_block)
    script = scenario(*faults, appetite=appetite, attacker=attacker)
    return World(founded.seed, script, engine, founded.people, founded.addresses)


def live(world: World, blocks: int) -> list[Advance]:
    made = [world.advance() for _ in range(blocks)]
    assert all(receipt.status for one in made for receipt in one.actor_receipts), "an actor's transaction failed"
    assert money_is_conserved(world)
    return made


def number(world: World, function: str, *args: object) -> int:
    found = view(world, world.addresses.margin, f"{function} returns (uint256)", *args)
    assert isinstance(found, int)
    return found


def money_is_conserved(world: World) -> bool:
    """Both contracts hold what they owe, and nobody but the known accounts holds anything."""
    at, people = world.addresses, world.people
    parts = ("cash()", "insuranceFund()", "backstop()", "totalSurplus()")
    held = view(world, at.token, "balanceOf(address) returns (uint256)", at.margin)
    accounts = [at.exchange, at.margin, at.attacker, *(one.address for one in people.everyone())]
    balances = [view(world, at.token, "balanceOf(address) returns (uint256)", one) for one in accounts]
    total = view(world, at.token, "totalSupply() returns (uint256)")
    return (
        world.books().is_conserved
        and held == sum(number(world, one) for one in parts)
        and sum(one for one in balances if isinstance(one, int)) == total
    )


def liquidations(advances: Sequence[Advance]) -> list[int]:
    """How many accounts each block liquidated."""
    return [sum(log.topics[0] == LIQUIDATED for one in made.actor_receipts for log in one.logs) for made in advances]


def test_a_quiet_world_liquidates_nobody_and_covers_its_stressed_losses(founded: World) -> None:
    world = begin(founded)
    assert liquidations(live(world, 3)) == [0, 0, 0]
    for market in world.markets.values():
        stressed = number(world, "stressedLoss(bytes32,uint256)", market, STRESS)
        assert INSURANCE + BACKSTOP > 3 * stressed // 2 > 0
    assert (
        view(world, world.addresses.exchange, "sharePrice() returns (uint256)") == world.books().pool * 10**18 // POOL
    )


def test_a_shaken_feed_swings_around_an_honest_reference(founded: World) -> None:
    world = begin(founded, FAULTS["feed-shaken"])
    live(world, 1)
    for move in (400, -400, 400):
        live(world, 1)
        price = world.prices[ETH]
        assert (price.feed, price.reference) == (moved(price.true, move), price.true)
    world.end_fault()
    live(world, 1)
    assert world.prices[ETH].feed == world.prices[ETH].true


def test_a_crash_liquidates_one_account_after_another(founded: World) -> None:
    world = begin(founded, FAULTS["price-crash"])
    counted = liquidations(live(world, 9))
    assert counted[:2] == [0, 0] and sum(counted) >= 4 and max(counted) <= 2
    price = world.prices[ETH]
    assert price.feed == price.reference == price.true < moved(founded.prices[ETH].true, -1_500)
    assert number(world, "lendersLoss()") == 0
    assert number(world, "insuranceFund()") < INSURANCE


def test_slower_liquidations_leave_bad_debt(founded: World) -> None:
    world, at = begin(founded, FAULTS["price-crash"]), founded.addresses
    data = encoded("setLiquidationLimit(uint256,uint256)", 10**6, 3_600)
    sent = signed_by_safe(world, at.council, world.council_owners, at.margin, data)
    assert world.advance([sent]).receipts[0].status == 1
    assert sum(liquidations(live(world, 7))) == 0
    assert number(world, "stressedLoss(bytes32,uint256)", world.markets[ETH], 0) > 0


def test_in_a_rush_the_limit_runs_dry_until_it_is_over(founded: World) -> None:
    world = begin(founded, FAULTS["withdrawal-rush"])
    before = live(world, 1)[0].books
    last = live(world, 5)[-1].books
    assert before.vault - last.vault > 900_000 * 10**6
    assert last.pool < before.pool - 200_000 * 10**6
    world.end_fault()
    calm = live(world, 1)[0].books
    assert last.vault - calm.vault < 5_000 * 10**6


def test_a_bent_mark_is_one_call_and_straight_again_afterwards(founded: World) -> None:
    world = begin(founded, FAULTS["surface-bent"])

    def calls() -> tuple[int, ...]:
        found = view_all(world, SURFACE)[2]
        assert isinstance(found, tuple)
        return found

    live(world, 1)
    honest = calls()
    live(world, 1)
    bent = calls()
    assert bent[BENT] > honest[BENT] * 12 // 10
    assert all(abs(one - other) * 50 < other for one, other in zip(bent[:BENT], honest[:BENT], strict=True))
    world.end_fault()
    live(world, 1)
    assert abs(calls()[BENT] - honest[BENT]) * 20 < honest[BENT]


def test_a_rush_on_an_empty_pool_takes_what_is_left(founded: World) -> None:
    world = begin(founded, FAULTS["withdrawal-rush"])
    live(world, 1)
    scene, provider = replace(world.scene(), height=2), world.people.provider
    (first, *_), half = redemption(scene, 300_000 * 10**6), 10_000 * 10**6
    assert first.deed.function.startswith("redeem")
    drained = replace(scene, view=replace(scene.view, pool=0), holders={provider.label: Holder(half)})
    (only,) = redemption(drained, 300_000 * 10**6)
    assert only.deed.args == (half,)
    assert redemption(replace(drained, holders={provider.label: Holder(0)}), 10) == []


def view_all(world: World, function: str) -> tuple[object, ...]:
    from incident_cli.abi import decode, encode_call, parse_signature

    signature = parse_signature(function)
    data = encode_call(signature, [world.markets[ETH]])
    return decode(signature.output_types, world.engine.call(world.addresses.marks, data))


def coverage(world: World) -> float:
    buffer = number(world, "insuranceFund()") + number(world, "backstop()")
    return buffer / number(world, "stressedLoss(bytes32,uint256)", world.markets[ETH], STRESS)


def test_borrowers_spend_the_buffer_until_they_are_paused_and_the_treasury_fills_it(founded: World) -> None:
    world, at = begin(founded, FAULTS["buffer-spent"]), founded.addresses
    live(world, 1)
    assert coverage(world) > 1.5
    live(world, 5)
    assert coverage(world) < 1
    data = encoded("setBorrowingPaused(bytes32,bool)", world.markets[ETH], True)
    sent = signed_by_safe(world, at.council, world.council_owners, at.margin, data)
    assert world.advance([sent]).receipts[0].status == 1
    debt = number(world, "totalDebt(bytes32)", world.markets[ETH])
    live(world, 2)
    assert number(world, "totalDebt(bytes32)", world.markets[ETH]) == debt
    world.end_fault()
    live(world, 2)
    assert coverage(world) > 1.9


def scheduled(world: World) -> bytes:
    found = operation(world.scene())
    return keccak(encode(["address", "uint256", "bytes", "bytes32", "bytes32"], found))


def test_a_hostile_operation_waits_and_is_executed_unless_it_is_cancelled(founded: World) -> None:
    world, at, state = begin(founded, FAULTS["hostile-operation"]), founded.addresses, "getOperationState(bytes32)"
    live(world, 2)
    hostile = scheduled(world)
    assert view(world, at.timelock, f"{state} returns (uint8)", hostile) == 1
    assert number_at(world, "getTimestamp(bytes32)", hostile) == world.engine.head.timestamp + TIMELOCK_DELAY
    mark = world.engine.snapshot()
    world.advance(seconds=TIMELOCK_DELAY)
    live(world, 1)
    assert view(world, at.exchange, "guardian() returns (address)") == world.people.attacker.address

    world.engine.revert(mark)
    world = World(world.seed, world.scenario, world.engine, world.people, at)
    world.first_block = founded.first_block
    sent = signed_by_safe(world, at.council, world.council_owners, at.timelock, encoded("cancel(bytes32)", hostile))
    assert world.advance([sent]).receipts[0].status == 1
    world.advance(seconds=TIMELOCK_DELAY)
    live(world, 2)
    assert view(world, at.timelock, f"{state} returns (uint8)", hostile) == 0
    assert view(world, at.exchange, "guardian() returns (address)") == at.council


def number_at(world: World, function: str, *args: object) -> object:
    return view(world, world.addresses.timelock, f"{function} returns (uint256)", *args)


@pytest.mark.parametrize("lasts", [None, 2])
def test_a_curse_is_lifted_when_it_is_over(founded: World, lasts: int | None) -> None:
    world = begin(founded, Fault("lane-cursed", None, 2, lasts=lasts))
    cursed = "isCursed(bytes16) returns (bool)"
    seen = []
    for height in range(1, 6):
        if height == 4:
            world.end_fault()
        live(world, 1)
        seen.append(view(world, world.addresses.rmn, cursed, LANE))
    assert seen == [False, True, True, False, False]


def test_a_greedy_attacker_takes_percents_of_the_pool_and_never_more_than_it_holds(founded: World) -> None:
    drained = Fault("feed-moved", ETH, 2, -1_200)
    world = begin(founded, drained, appetite=60, attacker=True)
    made = live(world, 4)
    assert [one.books.attacker_gain for one in made] == [world.without_containment(height) for height in range(1, 5)]
    assert made[-1].books.pool < POOL * 95 // 100
    assert world.without_containment(400) <= POOL


def test_two_faults_at_once_are_played_in_either_order(founded: World) -> None:
    crash, wrong = Fault("price-crash", ETH, 1, -300), Fault("feed-moved", ETH, 1, 500)
    prices = []
    for faults in ((crash, wrong), (wrong, crash)):
        world = begin(founded, *faults)
        live(world, 1)
        prices.append(world.prices[ETH])
    assert prices[0] == prices[1]
    assert prices[0].feed == moved(prices[0].true, 500)


def test_all_faults_at_once_repeat_block_by_block(founded: World) -> None:
    played = []
    for _ in range(2):
        world = begin(founded, *FAULTS.values(), appetite=50, attacker=True)
        played.append([world.advance().block.hash for _ in range(4)])
        world.end_fault()
        played[-1].append(world.advance().block.hash)
        assert money_is_conserved(world)
    assert played[0] == played[1]
