"""Levers of queues, issuers, timed pauses and settlement on stand-ins: pulled by a Safe, undone, and their traps."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from incident_cli.errors import Unread
from incident_cli.evm import Address, Call, keccak
from tests.levers.driving import Ground
from tests.levers.standins import Stage, call
from tests.levers.standins_b import (
    by_governance,
    pulled,
    refused_to_strangers,
    there_and_back,
    works,
)

HOUR, DAY = 3_600, 86_400
ID = b"\x11" * 32


@pytest.fixture
def stage() -> Stage:
    return Stage.new()


# Zodiac Delay


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of three transactions, an hour of cooldown, owned by the council."""

    delay: Address
    ground: Ground

    @classmethod
    def on(cls, stage: Stage) -> Queue:
        delay = stage.deploy("zodiac_delay", stage.council.address, HOUR)
        made = cls(delay, stage.ground("zodiac-delay", delay=delay))
        for name in ("good", "bad", "late"):
            stage.act(made.add(name))
        return made

    def add(self, name: str) -> Call:
        return call(self.delay, "enqueue(bytes32 hash)", keccak(name.encode()))

    def next(self, name: str) -> Call:
        return call(self.delay, "executeNextTx(bytes32 hash)", keccak(name.encode()))


def test_a_veto_throws_the_queue_away_up_to_a_nonce(stage: Stage) -> None:
    queue = Queue.on(stage)
    stage.chain.advance(HOUR)
    says = "Transaction hashes do not match"
    made = pulled(stage, queue.ground, "veto_up_to", queue.next("good"), stage.council, saying=says, nonce=2)
    assert made.undo is None and made.pull.definition.cancels
    stage.refuses(queue.next("bad"), stage.anyone, saying=says)
    stage.act(queue.next("late"))
    stage.act(queue.add("bad"))  # and again: only taking the module's right away ends it


def test_a_veto_comes_too_late_once_the_transaction_is_executed(stage: Stage) -> None:
    queue = Queue.on(stage)
    planned = queue.ground.plan("veto_up_to", stage.council.address, nonce=1)
    stage.chain.advance(HOUR)
    stage.act(queue.next("good"))
    stage.refuses(planned.call, stage.council.address, saying="New nonce must be higher than current txNonce")
    assert queue.ground.plan("veto_up_to", stage.council.address, nonce=1).satisfied
    queue.ground.refuses("veto_up_to", stage.council.address, nonce=4)  # beyond the queue


def test_a_veto_of_all_leaves_what_is_queued_after_it_was_prepared(stage: Stage) -> None:
    queue = Queue.on(stage)
    stage.chain.advance(HOUR)
    works(stage, queue.next("good"))
    refused_to_strangers(stage, queue.ground, "veto_all", stage.council)
    planned = queue.ground.plan("veto_all", stage.council.address)
    stage.act(queue.add("new"))
    stage.execute(stage.council, planned.calls)
    assert queue.ground.unmet(planned.expect) == []
    for name in ("good", "bad", "late"):
        stage.refuses(queue.next(name), stage.anyone)
    stage.chain.advance(HOUR)
    works(stage, queue.next("new"))
    pulled(
        stage,
        queue.ground,
        "veto_all",
        queue.next("new"),
        stage.council,
        saying="Transaction queue is empty",
    )


# Ethena


@dataclass(frozen=True, slots=True)
class Ethena:
    """A mint of which the council is gatekeeper and governance the admin."""

    minting: Address
    ground: Ground

    @classmethod
    def on(cls, stage: Stage) -> Ethena:
        council, governance = stage.council.address, stage.governance.address
        minting = stage.deploy("ethena_minting", council, governance, 1_000, 2_000)
        return cls(minting, stage.ground("ethena-minting", minting=minting))

    def user(self, verb: str, amount: int = 600) -> Call:
        return call(self.minting, f"{verb}(uint256 amount)", amount)


def test_ethena_stops_both_at_once_and_the_admin_restores_with_two_calls(stage: Stage) -> None:
    one = Ethena.on(stage)
    works(stage, one.user("redeem"))
    exceeded = "MaxMintPerBlockExceeded"
    made = pulled(stage, one.ground, "disable_mint_redeem", one.user("mint"), stage.council, saying=exceeded)
    stage.refuses(one.user("redeem"), stage.anyone, saying="MaxRedeemPerBlockExceeded")
    assert made.undo is None
    assert [each.amount for each in made.blast] == [1_000, 2_000]  # what the admin has to set again
    restore_mint = call(one.minting, "setMaxMintPerBlock(uint256 maximum)", 1_000)
    restore_redeem = call(one.minting, "setMaxRedeemPerBlock(uint256 maximum)", 2_000)
    stage.refuses(restore_mint, stage.council.address)
    by_governance(stage, restore_mint)
    works(stage, one.user("mint"))
    stage.refuses(one.user("redeem"), stage.anyone, saying="MaxRedeemPerBlockExceeded")
    by_governance(stage, restore_redeem)
    works(stage, one.user("redeem"))


@pytest.mark.parametrize(("verb", "kind"), [("mint", "Mint"), ("redeem", "Redeem")])
def test_the_admin_of_ethena_lowers_one_maximum(stage: Stage, verb: str, kind: str) -> None:
    one, admin, lever = Ethena.on(stage), stage.governance, f"lower_max_{verb}"
    one.ground.refuses(lever, stage.council.address, at_most=5)
    exceeded = f"Max{kind}PerBlockExceeded"
    there_and_back(stage, one.ground, lever, one.user(verb), admin, admin, saying=exceeded, at_most=500)
    most = {"mint": 1_000, "redeem": 2_000}[verb]
    planned = one.ground.plan(lever, admin.address, at_most=5_000)
    assert planned.satisfied and planned.call.args == (most,)


# ether.fi


@dataclass(frozen=True, slots=True)
class EtherFi:
    """A contract the council guards, and a bucket of 1,000 gwei that fills by 1 a second; governance opens."""

    pausable: Address
    limiter: Address
    ground: Ground

    @classmethod
    def on(cls, stage: Stage, duration: int = DAY) -> EtherFi:
        roles = stage.deploy("ether_fi_roles", stage.council.address, stage.governance.address)
        pausable = stage.deploy("ether_fi_pausable", roles, stage.governance.address, duration)
        limiter = stage.deploy("ether_fi_rate_limiter", roles, ID, 1_000, 1)
        return cls(pausable, limiter, stage.ground("ether-fi", pausable=pausable, rate_limiter=limiter))

    @property
    def deposit(self) -> Call:
        return call(self.pausable, "deposit()")

    def consume(self, amount: int) -> Call:
        return call(self.limiter, "consume(bytes32 id, uint64 amount)", ID, amount)


@pytest.mark.parametrize(("duration", "lasts"), [(DAY, DAY), (0, 8 * HOUR)])
def test_ether_fis_pause_lapses_and_has_a_cooldown(stage: Stage, duration: int, lasts: int) -> None:
    one, council = EtherFi.on(stage, duration), stage.council
    paused = "ContractPausedUntil"
    made = pulled(stage, one.ground, "pause_until", one.deposit, council, saying=paused)
    assert made.lapses is not None
    ends = one.ground.reader.read([made.lapses[1]]).value(made.lapses[1])
    assert ends == stage.chain.engine.head.timestamp + lasts
    stage.refuses(call(one.pausable, "pause()"), stage.governance.address, saying=paused)  # the lasting one
    stage.chain.advance(lasts)
    stage.refuses(one.deposit, stage.anyone, saying=paused)  # inclusive
    stage.chain.advance(1)
    works(stage, one.deposit)
    again = one.ground.plan("pause_until", council.address)
    assert not again.satisfied
    stage.chain.advance(7 * DAY - 2)
    stage.refuses(again.call, council.address, saying="PauserCooldownStillActive")
    stage.chain.advance(1)
    works_for = stage.chain.engine.call(again.call.to, again.call.data, sender=council.address)
    assert works_for == b""


def test_ether_fis_governance_ends_the_pause_but_not_the_cooldown(stage: Stage) -> None:
    one, council = EtherFi.on(stage), stage.council
    made = there_and_back(
        stage, one.ground, "pause_until", one.deposit, council, stage.governance, saying="ContractPausedUntil"
    )
    stage.refuses(made.call, council.address, saying="PauserCooldownStillActive")
    by_governance(stage, call(one.pausable, "pause()"))  # for good now
    stage.refuses(one.deposit, stage.anyone)


def test_ether_fi_lowers_a_capacity_and_the_bucket_fills_on(stage: Stage) -> None:
    one, admin = EtherFi.on(stage), stage.governance
    args = {"id": ID, "at_most": 100}
    one.ground.refuses("lower_capacity", stage.council.address, **args)
    made = pulled(stage, one.ground, "lower_capacity", one.consume(500), admin, saying="LimitExceeded", **args)
    stage.act(one.consume(100))
    stage.chain.advance(100)
    stage.act(one.consume(100))  # and again: the rate stays
    one.ground.undo(made, stage.together(admin))
    stage.refuses(one.consume(500), stage.anyone, saying="LimitExceeded")  # it fills at its rate
    stage.chain.advance(500)
    works(stage, one.consume(500))


def test_a_capacity_of_ether_fi_is_never_raised_and_zero_stops(stage: Stage) -> None:
    one, admin = EtherFi.on(stage), stage.governance
    planned = one.ground.plan("lower_capacity", admin.address, id=ID, at_most=9_999)
    assert planned.satisfied and planned.call.args == (ID, 1_000)
    one.ground.pull("lower_capacity", admin.address, stage.together(admin), id=ID, at_most=0)
    stage.chain.advance(DAY)
    stage.refuses(one.consume(1), stage.anyone, saying="LimitExceeded")


def test_what_cannot_show_its_state_is_not_pulled(stage: Stage) -> None:
    one, council = EtherFi.on(stage), stage.council.address
    without_is_paused = stage.ground("ether-fi", pausable=one.limiter, rate_limiter=one.limiter)
    with pytest.raises(Unread, match="paused could not be read"):
        without_is_paused.plan("pause_until", council)
    without_maxima = stage.ground("ethena-minting", minting=one.pausable)
    with pytest.raises(Unread, match="could not be read"):
        without_maxima.plan("disable_mint_redeem", council)


# dYdX v1


@dataclass(frozen=True, slots=True)
class Perpetual:
    """A market of the council at a price of 2,000, with two accounts of 100 each."""

    perpetual: Address
    oracle: Address
    ground: Ground

    @classmethod
    def on(cls, stage: Stage) -> Perpetual:
        oracle = stage.deploy("dydx_oracle")
        perpetual = stage.deploy("dydx_v1_perpetual", stage.council.address, oracle)
        made = cls(perpetual, oracle, stage.ground("dydx-v1-perpetual", perpetual=perpetual))
        stage.act(made.price(2_000))
        for account in (stage.anyone, stage.governance.address):
            stage.act(made.deposit(account))
        return made

    def price(self, price: int) -> Call:
        return call(self.oracle, "setPrice(uint256 price)", price)

    def deposit(self, account: Address) -> Call:
        return call(self.perpetual, "deposit(address account, uint256 amount)", account, 100)


def test_dydx_ends_a_market_for_good_at_the_oracles_price(stage: Stage) -> None:
    one = Perpetual.on(stage)
    bounds = {"lowest_price": 1_900, "highest_price": 2_100}
    withdraw = call(one.perpetual, "withdrawFinalSettlement()")
    stage.refuses(withdraw, stage.anyone, saying="Only permitted during final settlement")
    over = "Not permitted during final settlement"
    deposit = one.deposit(stage.anyone)
    made = pulled(stage, one.ground, "enable_final_settlement", deposit, stage.council, saying=over, **bounds)
    assert made.undo is None
    stage.act(one.price(1))  # too late: settled at the price of that block
    assert stage.view(call(one.perpetual, "settlement_price() returns (uint256)")) == 2_000
    stage.refuses(made.call, stage.council.address, saying=over)
    stage.act(call(one.perpetual, "lose(uint256 amount)", 50))
    stage.act(withdraw)
    assert stage.view(call(one.perpetual, "tokens() returns (uint256)")) == 50  # for who comes last


@pytest.mark.parametrize(
    ("price", "bound"), [(1_800, "less than the provided lower"), (2_200, "greater than the provided upper")]
)
def test_the_bounds_of_dydx_guard_against_a_wrong_price(stage: Stage, price: int, bound: str) -> None:
    one = Perpetual.on(stage)
    stage.act(one.price(price))
    planned = one.ground.plan("enable_final_settlement", stage.council.address, lowest_price=1_900, highest_price=2_100)
    stage.refuses(planned.call, stage.council.address, saying=f"Oracle price is {bound} bound")
    one.ground.refuses("enable_final_settlement", stage.council.address, lowest_price=2_100, highest_price=1_900)
