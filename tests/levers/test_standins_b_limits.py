"""Levers of breakers and bridges on stand-ins: pulled by a Safe, undone, and their traps."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from incident_cli.evm import Address, Call
from tests.levers.driving import Ground
from tests.levers.standins import Stage, call
from tests.levers.standins_b import (
    by_council,
    by_governance,
    pulled,
    put_back,
    there_and_back,
    works,
)

HOUR, DAY = 3_600, 86_400
ID = b"\x11" * 32


@pytest.fixture
def stage() -> Stage:
    return Stage.new()


# ERC-7265


@dataclass(frozen=True, slots=True)
class Breaker:
    """A breaker of the council that protects one account with 1,000 of one asset; 70% must be left."""

    breaker: Address
    asset: Address
    ground: Ground

    @classmethod
    def on(cls, stage: Stage) -> Breaker:
        asset = stage.multisend
        breaker = stage.deploy("erc7265_circuit_breaker", stage.council.address, asset, 7_000, 3 * DAY)
        by_council(stage, call(breaker, "addProtectedContracts(address[] contracts)", [stage.anyone]))
        made = cls(breaker, asset, stage.ground("erc7265-circuit-breaker", breaker=breaker))
        stage.act(made.inflow(1_000))
        return made

    def inflow(self, amount: int) -> Call:
        return call(self.breaker, "onTokenInflow(address token, uint256 amount)", self.asset, amount)

    def outflow(self, stage: Stage, amount: int, *, reverts: bool = True) -> Call:
        signature = "onTokenOutflow(address token, uint256 amount, address recipient, bool reverts)"
        return call(self.breaker, signature, self.asset, amount, stage.anyone, reverts)

    def claim(self, stage: Stage) -> Call:
        return call(self.breaker, "claimLockedFunds(address token, address recipient)", self.asset, stage.anyone)


def test_the_breaker_is_locked_for_good(stage: Stage) -> None:
    one = Breaker.on(stage)
    stage.act(one.outflow(stage, 301, reverts=False))
    by_council(stage, call(one.breaker, "overrideRateLimit()"))
    works(stage, one.claim(stage))
    made = pulled(stage, one.ground, "lock", one.inflow(1), stage.council, saying="ProtocolWasExploited")
    assert made.undo is None
    for each in (one.outflow(stage, 1), one.claim(stage)):
        stage.refuses(each, stage.anyone, saying="ProtocolWasExploited")


def test_the_breaker_trips_below_what_must_be_left_and_grace_loosens_it(stage: Stage) -> None:
    one = Breaker.on(stage)
    works(stage, one.outflow(stage, 300))
    stage.refuses(one.outflow(stage, 301), stage.anyone, saying="RateLimited")
    stage.act(one.outflow(stage, 301, reverts=False))
    stage.refuses(one.claim(stage), stage.anyone, saying="RateLimited")
    end = stage.chain.engine.head.timestamp + HOUR
    by_council(stage, call(one.breaker, "startGracePeriod(uint256 end)", end))
    works(stage, one.outflow(stage, 600))  # nothing holds it back any more
    stage.refuses(call(one.breaker, "overrideExpiredRateLimit()"), saying="CooldownPeriodNotReached")
    stage.chain.advance(3 * DAY)
    stage.act(call(one.breaker, "overrideExpiredRateLimit()"))  # by anybody
    works(stage, one.claim(stage))


def test_the_breaker_cuts_off_one_contract(stage: Stage) -> None:
    one, council = Breaker.on(stage), stage.council
    other = stage.governance.address
    by_council(stage, call(one.breaker, "addProtectedContracts(address[] contracts)", [other]))
    made = pulled(
        stage, one.ground, "cut_off", one.inflow(1), council, saying="NotAProtectedContract", account=stage.anyone
    )
    by_governance(stage, one.inflow(1))  # all others go on
    put_back(stage, one.ground, made, one.inflow(1), council)


# Wormhole NTT


@dataclass(frozen=True, slots=True)
class Ntt:
    """A manager of a token with a limit of 1,000 a day each way: governance owns it, the council may pause."""

    manager: Address
    unit: int
    ground: Ground

    @classmethod
    def on(cls, stage: Stage, decimals: int = 18, duration: int = DAY) -> Ntt:
        council, governance = stage.council.address, stage.governance.address
        manager = stage.deploy("wormhole_ntt", governance, council, decimals, duration)
        made = cls(manager, 10**decimals, stage.ground("wormhole-ntt", manager=manager))
        by_governance(
            stage,
            call(manager, "setOutboundLimit(uint256 limit)", 1_000 * made.unit),
            call(manager, "setInboundLimit(uint256 limit, uint16 chain)", 1_000 * made.unit, 2),
        )
        return made

    def transfer(self, amount: int, *, queued: bool = False) -> Call:
        signature = "transfer(uint256 amount, uint16 chain, bool should_queue)"
        return call(self.manager, signature, amount * self.unit, 2, queued)

    def arrival(self, amount: int, chain: int = 2) -> Call:
        return call(self.manager, "executeMsg(uint16 chain, uint256 amount)", chain, amount * self.unit)


def test_ntt_pauses_by_the_pauser_and_only_the_owner_unpauses(stage: Stage) -> None:
    ntt = Ntt.on(stage)
    paused = "RequireContractIsNotPaused"
    made = there_and_back(stage, ntt.ground, "pause", ntt.transfer(1), stage.council, stage.governance, saying=paused)
    by_council(stage, made.call)
    stage.refuses(ntt.arrival(1), stage.anyone, saying=paused)


@pytest.mark.parametrize("decimals", [6, 8, 9, 18, 23])
def test_ntt_lowers_what_leaves_and_what_arrives(stage: Stage, decimals: int) -> None:
    ntt, owner = Ntt.on(stage, decimals), stage.governance
    finer = decimals > 8
    limit = 100 * ntt.unit + finer  # what is finer than eight decimals is cut off
    made = there_and_back(
        stage, ntt.ground, "limit_outbound", ntt.transfer(500), owner, owner, saying="NotEnoughCapacity", limit=limit
    )
    assert [one.value for one in made.expect] == [100 * 10 ** min(decimals, 8) * 256 + min(decimals, 8)]
    there_and_back(
        stage, ntt.ground, "limit_inbound", ntt.arrival(500), owner, owner, saying="queued", limit=limit, chain=2
    )


def test_the_limits_of_ntt_are_the_owners_and_never_loosened(stage: Stage) -> None:
    ntt = Ntt.on(stage)
    ntt.ground.refuses("limit_outbound", stage.council.address, limit=1)
    ntt.ground.refuses("limit_inbound", stage.council.address, limit=1, chain=2)
    for more in (1_000, 5_000):
        owner = stage.governance.address
        planned = ntt.ground.plan("limit_outbound", owner, limit=more * ntt.unit)
        assert planned.satisfied and planned.call.args == (1_000 * ntt.unit,)
        planned = ntt.ground.plan("limit_inbound", owner, limit=more * ntt.unit, chain=2)
        assert planned.satisfied and planned.call.args == (1_000 * ntt.unit, 2)


def test_the_undo_of_a_limit_of_ntt_gives_the_capacity_back_at_once(stage: Stage) -> None:
    ntt, owner = Ntt.on(stage), stage.governance
    limit = 100 * ntt.unit
    made = ntt.ground.pull("limit_outbound", owner.address, stage.together(owner), limit=limit)
    stage.act(ntt.transfer(100))
    stage.refuses(ntt.transfer(1), stage.anyone, saying="NotEnoughCapacity")
    ntt.ground.undo(made, stage.together(owner))
    works(stage, ntt.transfer(900))


def test_a_limit_of_ntt_delays_and_a_pause_stops(stage: Stage) -> None:
    ntt, owner = Ntt.on(stage), stage.governance
    ntt.ground.pull("limit_outbound", owner.address, stage.together(owner), limit=0)
    stage.act(ntt.transfer(500, queued=True))
    complete = call(ntt.manager, "completeOutboundQueuedTransfer(uint64 sequence)", 1)
    stage.refuses(complete, stage.anyone, saying="OutboundQueuedTransferStillQueued")
    stage.chain.advance(DAY)
    works(stage, complete)  # whatever the limit is
    ntt.ground.pull("pause", stage.council.address, stage.together(stage.council))
    stage.refuses(complete, stage.anyone, saying="RequireContractIsNotPaused")


def test_the_limits_of_ntt_are_refused_for_more_decimals_than_are_worked_out(stage: Stage) -> None:
    ntt = Ntt.on(stage, decimals=24)
    assert "token_decimals < 24" in ntt.ground.refuses("limit_outbound", stage.governance.address, limit=1)
    ntt.ground.refuses("limit_inbound", stage.governance.address, limit=1, chain=2)


def test_a_manager_of_ntt_without_a_period_has_no_limits(stage: Stage) -> None:
    ntt = Ntt.on(stage, duration=0)
    ntt.ground.refuses("limit_outbound", stage.governance.address, limit=0)
    ntt.ground.refuses("limit_inbound", stage.governance.address, limit=0, chain=2)
    by_governance(stage, call(ntt.manager, "setOutboundLimit(uint256 limit)", 0))
    works(stage, ntt.transfer(500))


# LayerZero OFT

ETHEREUM, ARBITRUM = 30_101, 30_110
SET_LIMITS = "setRateLimits((uint32 destination, uint192 limit, uint64 window)[] configs)"


@dataclass(frozen=True, slots=True)
class Oft:
    """A token of the council with a limit of 1,000 an hour to each of two chains."""

    oft: Address
    ground: Ground

    @classmethod
    def on(cls, stage: Stage, window: int = HOUR) -> Oft:
        oft = stage.deploy("layerzero_oft", stage.council.address)
        by_council(stage, call(oft, SET_LIMITS, [(ETHEREUM, 1_000, window), (ARBITRUM, 1_000, window)]))
        return cls(oft, stage.ground("layerzero-oft", oft=oft))

    def send(self, amount: int, destination: int = ETHEREUM) -> Call:
        return call(self.oft, "send(uint32 destination, uint256 amount)", destination, amount)


def test_oft_stops_one_destination_but_not_what_arrives(stage: Stage) -> None:
    one, council = Oft.on(stage), stage.council
    made = pulled(
        stage, one.ground, "stop_destination", one.send(1), council, saying="RateLimitExceeded", destination=ETHEREUM
    )
    works(stage, one.send(1_000, ARBITRUM))
    works(stage, call(one.oft, "lzReceive(uint32 source, uint256 amount)", ETHEREUM, 5))
    put_back(stage, one.ground, made, one.send(1), council)


def test_oft_lowers_its_limit_and_what_is_in_flight_counts(stage: Stage) -> None:
    one, council = Oft.on(stage), stage.council
    args = {"destination": ETHEREUM, "at_most": 100}
    there_and_back(
        stage, one.ground, "lower_limit", one.send(500), council, council, saying="RateLimitExceeded", **args
    )
    stage.act(one.send(600))
    one.ground.pull("lower_limit", council.address, stage.together(council), **args)
    stage.refuses(one.send(1), stage.anyone, saying="RateLimitExceeded")  # far more is in flight
    stage.chain.advance(7 * HOUR)
    works(stage, one.send(100))


def test_nearly_twice_the_limit_of_oft_leaves_within_a_window(stage: Stage) -> None:
    one = Oft.on(stage)
    stage.act(one.send(1_000))
    stage.refuses(one.send(1), stage.anyone, saying="RateLimitExceeded")
    stage.chain.advance(HOUR - 60)
    works(stage, one.send(980))


def test_oft_never_loosens_and_refuses_what_is_no_limit(stage: Stage) -> None:
    one = Oft.on(stage)
    planned = one.ground.plan("lower_limit", stage.council.address, destination=ETHEREUM, at_most=5_000)
    assert planned.satisfied and planned.call.args == (((ETHEREUM, 1_000, HOUR),),)
    bare = Oft.on(stage, window=0)
    bare.ground.refuses("lower_limit", stage.council.address, destination=ETHEREUM, at_most=1)
    bare.ground.refuses("stop_destination", stage.council.address, destination=ETHEREUM)
