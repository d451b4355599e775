"""Levers of lending, staking, token and exchange protocols on stand-ins: pulled by a Safe, undone, and their traps."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from incident_cli.drills.accounts import created_address
from incident_cli.evm import Address, Call
from tests.levers.driving import Ground
from tests.levers.standins import Stage, call
from tests.levers.standins_b import by_council, by_governance, pulled, there_and_back, works

HOUR, DAY = 3_600, 86_400
ALL_BITS = 2**256 - 1
ID = b"\x11" * 32


@pytest.fixture
def stage() -> Stage:
    return Stage.new()


def now(stage: Stage) -> int:
    return stage.chain.engine.head.timestamp


# Euler v2


def raw_cap(mantissa: int, exponent: int) -> int:
    """Euler's 16-bit decimal float."""
    return mantissa * 64 + exponent


CAP = raw_cap(100, 8)  # worth 10**8


@dataclass(frozen=True, slots=True)
class Euler:
    """A vault with 10**7 of cash whose governor is the council."""

    stage: Stage
    vault: Address
    ground: Ground

    @classmethod
    def on(cls, stage: Stage, supply: int = CAP, borrow: int = CAP) -> Euler:
        vault = stage.deploy("euler_v2_evk", stage.council.address, supply, borrow)
        made = cls(stage, vault, stage.ground("euler-v2-evk", vault=vault))
        stage.act(made.user("deposit(uint256 assets, address receiver)", 10**7))
        return made

    def user(self, signature: str, amount: int = 1) -> Call:
        return call(self.vault, signature, amount, self.stage.anyone)

    @property
    def liquidation(self) -> Call:
        signature = "liquidate(address violator, address collateral, uint256 repay, uint256 least)"
        return call(self.vault, signature, self.stage.anyone, self.vault, 1, 0)

    def hooked(self, target: Address, ops: int) -> Call:
        return call(self.vault, "setHookConfig(address target, uint32 ops)", target, ops)


DEPOSIT, MINT, BORROW = (f"{one}(uint256 amount, address receiver)" for one in ("deposit", "mint", "borrow"))


@pytest.mark.parametrize(("operation", "bit", "other"), [(DEPOSIT, 0, MINT), (MINT, 1, DEPOSIT), (BORROW, 6, DEPOSIT)])
def test_euler_disables_one_operation_and_leaves_its_siblings(
    stage: Stage, operation: str, bit: int, other: str
) -> None:
    one = Euler.on(stage)
    council = stage.council
    made = pulled(
        stage,
        one.ground,
        "disable_operation",
        one.user(operation),
        council,
        saying="E_OperationDisabled",
        operation=bit,
    )
    works(stage, one.user(other))
    one.ground.undo(made, stage.together(council))
    works(stage, one.user(operation))


def test_euler_pauses_the_vault_and_liquidations_with_it(stage: Stage) -> None:
    one = Euler.on(stage)
    works(stage, one.liquidation)
    made = pulled(stage, one.ground, "pause_vault", one.user(BORROW), stage.council, saying="E_OperationDisabled")
    stage.refuses(one.liquidation, stage.anyone, saying="E_OperationDisabled")
    one.ground.undo(made, stage.together(stage.council))
    works(stage, one.liquidation)


def test_a_hook_target_of_euler_lets_through_what_a_null_one_disables(stage: Stage) -> None:
    one, hook = Euler.on(stage), stage.deploy("euler_hook")
    by_council(stage, one.hooked(hook, 1 << 6))
    stage.act(one.user(BORROW))
    assert stage.view(call(hook, "calls() returns (uint256)")) == 1  # hooked, and still allowed
    assert not one.ground.plan("disable_operation", stage.council.address, operation=6).satisfied
    made = one.ground.pull("disable_operation", stage.council.address, stage.together(stage.council), operation=0)
    for operation in (DEPOSIT, BORROW):  # the one that was only checked is disabled with it
        stage.refuses(one.user(operation), stage.anyone, saying="E_OperationDisabled")
    one.ground.undo(made, stage.together(stage.council))
    stage.act(one.user(BORROW))
    works(stage, one.user(DEPOSIT))
    assert stage.view(call(hook, "calls() returns (uint256)")) == 2


def test_the_status_check_of_euler_stops_every_operation(stage: Stage) -> None:
    one = Euler.on(stage)
    made = one.ground.pull("disable_operation", stage.council.address, stage.together(stage.council), operation=14)
    for each in (one.user(DEPOSIT), one.user(BORROW), one.liquidation):
        stage.refuses(each, stage.anyone, saying="E_OperationDisabled")
    one.ground.undo(made, stage.together(stage.council))
    works(stage, one.liquidation)


@pytest.mark.parametrize("supply", [raw_cap(1, 7), raw_cap(0, 1)])
def test_euler_lowers_its_caps(stage: Stage, supply: int) -> None:
    one = Euler.on(stage)
    there_and_back(
        stage,
        one.ground,
        "lower_caps",
        one.user(DEPOSIT, 10**6),
        stage.council,
        stage.council,
        saying="E_SupplyCapExceeded",
        supply=supply,
        borrow=CAP,
    )


@pytest.mark.parametrize(
    "supply",
    [0, raw_cap(101, 8), raw_cap(100, 9), raw_cap(10, 9), raw_cap(500, 7)],
    ids=["uncapped", "larger", "ten times", "as large, written otherwise", "lower, written otherwise"],
)
def test_euler_never_loosens_a_cap(stage: Stage, supply: int) -> None:
    one = Euler.on(stage)
    one.ground.refuses("lower_caps", stage.council.address, supply=supply, borrow=CAP)
    one.ground.refuses("lower_caps", stage.council.address, supply=CAP, borrow=supply)


def test_euler_caps_what_had_no_cap_and_raw_zero_is_none(stage: Stage) -> None:
    one = Euler.on(stage, supply=0, borrow=0)
    works(stage, one.user(DEPOSIT, 10**70))
    there_and_back(
        stage,
        one.ground,
        "lower_caps",
        one.user(DEPOSIT, 10**9),
        stage.council,
        stage.council,
        saying="E_SupplyCapExceeded",
        supply=CAP,
        borrow=0,
    )


# Lido


@dataclass(frozen=True, slots=True)
class Lido:
    """A seal of the council over the queue and the exit bus; governance resumes."""

    stage: Stage
    seal: Address
    queue: Address
    bus: Address
    ground: Ground

    @classmethod
    def on(cls, stage: Stage, *, may_pause: bool = True) -> Lido:
        nonce = stage.chain.engine.nonce(stage.anyone)
        seal = created_address(stage.anyone, nonce + 2)
        pausers = [stage.council.address, *([seal] if may_pause else [])]
        queue, bus = (stage.deploy("lido_pausable", pausers, stage.governance.address) for _ in range(2))
        made = stage.deploy("lido_gate_seal", stage.council.address, 7 * DAY, [queue, bus], now(stage) + 30 * DAY)
        assert made == seal
        ground = stage.ground("lido-gate-seal", gate_seal=seal, withdrawal_queue=queue, exit_bus=bus)
        return cls(stage, seal, queue, bus, ground)

    def request(self, of: Address) -> Call:
        return call(of, "requestWithdrawals(uint256 amount)", 5)


@pytest.mark.parametrize(("lever", "sealed"), [("seal_withdrawals", "queue"), ("seal_exits", "bus")])
def test_lido_seals_one_target_once(stage: Stage, lever: str, sealed: str) -> None:
    lido = Lido.on(stage)
    request = lido.request(getattr(lido, sealed))
    made = there_and_back(stage, lido.ground, lever, request, stage.council, stage.governance, saying="ResumedExpected")
    assert made.until == now_of_expiry(lido, made.until)
    works(stage, lido.request(lido.queue))
    works(stage, lido.request(lido.bus))
    for again in ("seal_withdrawals", "seal_exits", "seal_all"):  # resumed, but the seal is used up
        lido.ground.refuses(again, stage.council.address)
    stage.refuses(made.call, stage.council.address, saying="gate seal: expired")


def now_of_expiry(lido: Lido, expiry: int | None) -> int:
    """The expiry as it was before the seal was used: 30 days after it was made, give or take its blocks."""
    assert expiry is not None
    assert 29 * DAY < expiry - now(lido.stage) <= 30 * DAY
    return expiry


def test_lidos_pause_lapses_and_finalized_requests_can_be_claimed(stage: Stage) -> None:
    lido = Lido.on(stage)
    request = lido.request(lido.queue)
    made = pulled(stage, lido.ground, "seal_withdrawals", request, stage.council, saying="ResumedExpected")
    works(stage, lido.request(lido.bus))
    works(stage, call(lido.queue, "claimWithdrawal(uint256 amount)", 1))
    assert made.lapses is not None
    ends = lido.ground.reader.read([made.lapses[1]]).value(made.lapses[1])
    assert ends == now(stage) + 7 * DAY
    stage.chain.advance(7 * DAY - 1)
    stage.refuses(request, stage.anyone, saying="ResumedExpected")
    stage.chain.advance(1)
    works(stage, request)


def test_lido_seals_everything_for_good_and_it_lapses(stage: Stage) -> None:
    lido = Lido.on(stage)
    made = pulled(stage, lido.ground, "seal_all", lido.request(lido.queue), stage.council, saying="ResumedExpected")
    stage.refuses(lido.request(lido.bus), stage.anyone, saying="ResumedExpected")
    assert made.undo is None
    by_governance(stage, call(lido.queue, "resume()"))
    works(stage, lido.request(lido.queue))
    stage.refuses(lido.request(lido.bus), stage.anyone, saying="ResumedExpected")  # a resume each
    stage.chain.advance(7 * DAY)
    works(stage, lido.request(lido.bus))


def test_one_paused_target_makes_lidos_whole_seal_revert(stage: Stage) -> None:
    lido = Lido.on(stage)
    by_council(stage, call(lido.queue, "pauseFor(uint256 duration)", HOUR))
    planned = lido.ground.plan("seal_all", stage.council.address)
    stage.refuses(planned.call, stage.council.address, saying="ResumedExpected")
    pulled(stage, lido.ground, "seal_exits", lido.request(lido.bus), stage.council, saying="ResumedExpected")


@pytest.mark.parametrize("lever", ["seal_withdrawals", "seal_exits", "seal_all"])
def test_an_expired_seal_of_lido_is_refused(stage: Stage, lever: str) -> None:
    lido = Lido.on(stage)
    planned = lido.ground.plan(lever, stage.council.address)
    assert planned.until is not None
    stage.chain.advance(planned.until - now(stage))
    assert "has expired" in lido.ground.refuses(lever, stage.council.address)
    stage.chain.advance(1)
    assert "does not hold" in lido.ground.refuses(lever, stage.council.address)
    stage.refuses(planned.call, stage.council.address, saying="gate seal: expired")


def test_a_seal_of_lido_without_the_pause_role_is_refused(stage: Stage) -> None:
    lido = Lido.on(stage, may_pause=False)
    for lever in ("seal_withdrawals", "seal_exits", "seal_all"):
        lido.ground.refuses(lever, stage.council.address)


def test_lidos_queue_is_paused_for_a_time_and_no_longer(stage: Stage) -> None:
    lido = Lido.on(stage)
    ground = stage.ground("lido-withdrawal-queue", withdrawal_queue=lido.queue)
    request = lido.request(lido.queue)
    council, governance = stage.council, stage.governance
    made = there_and_back(
        stage, ground, "pause_for", request, council, governance, saying="ResumedExpected", lasting=HOUR
    )
    by_council(stage, made.call)
    stage.refuses(call(lido.queue, "pauseFor(uint256 duration)", DAY), council.address, saying="ResumedExpected")
    works(stage, call(lido.queue, "claimWithdrawal(uint256 amount)", 1))
    stage.chain.advance(HOUR)
    works(stage, request)


# USDC


def test_usdc_pauses_and_unpauses(stage: Stage) -> None:
    token = stage.deploy("usdc", stage.council.address, stage.council.address, 10**12)
    ground = stage.ground("usdc", token=token)
    transfer = call(token, "transfer(address receiver, uint256 amount)", token, 1)
    there_and_back(stage, ground, "pause", transfer, stage.council, stage.council, saying="Pausable: paused")


def test_usdc_freezes_one_account_in_both_directions(stage: Stage) -> None:
    token = stage.deploy("usdc", stage.governance.address, stage.council.address, 10**12)
    ground = stage.ground("usdc", token=token)
    council, says = stage.council, "Blacklistable: account is blacklisted"
    pool = stage.governance.address
    receive = call(token, "transfer(address receiver, uint256 amount)", pool, 1)
    spend = call(token, "transfer(address receiver, uint256 amount)", token, 0)
    there_and_back(stage, ground, "blacklist", spend, council, council, saying=says, account=stage.anyone)
    there_and_back(stage, ground, "blacklist", receive, council, council, saying=says, account=pool)
    made = ground.pull("blacklist", council.address, stage.together(council), account=pool)
    works(stage, spend)  # all others go on
    stage.refuses(spend, pool, saying=says)
    ground.undo(made, stage.together(council))


def test_the_pauser_of_usdc_is_not_its_blacklister(stage: Stage) -> None:
    token = stage.deploy("usdc", stage.council.address, stage.governance.address, 1)
    ground = stage.ground("usdc", token=token)
    ground.refuses("blacklist", stage.council.address, account=token)
    ground.refuses("pause", stage.governance.address)


# EigenLayer


@dataclass(frozen=True, slots=True)
class Eigen:
    """A contract with bit 2 set already: the council may pause, governance unpause."""

    core: Address
    ground: Ground

    @classmethod
    def on(cls, stage: Stage) -> Eigen:
        registry = stage.deploy("eigenlayer_registry", stage.council.address, stage.governance.address)
        core = stage.deploy("eigenlayer_pausable", registry, 0b100)
        return cls(core, stage.ground("eigenlayer", core=core))

    @property
    def deposit(self) -> Call:
        return call(self.core, "deposit()")

    @property
    def bits(self) -> Call:
        return call(self.core, "paused() returns (uint256)")


def test_eigenlayer_stops_one_function_group_and_keeps_what_is_stopped(stage: Stage) -> None:
    eigen = Eigen.on(stage)
    council, governance = stage.council, stage.governance
    made = pulled(stage, eigen.ground, "pause", eigen.deposit, council, saying="CurrentlyPaused", index=0)
    assert stage.view(eigen.bits) == 0b101
    works(stage, call(eigen.core, "withdraw()"))
    assert made.undo is not None
    stage.refuses(made.undo.call, council.address, saying="OnlyUnpauser")
    eigen.ground.undo(made, stage.together(governance))
    assert stage.view(eigen.bits) == 0b100
    works(stage, eigen.deposit)


def test_a_status_of_eigenlayer_that_leaves_a_bit_out_reverts(stage: Stage) -> None:
    eigen = Eigen.on(stage)
    bare = call(eigen.core, "pause(uint256 status)", 0b001)
    stage.refuses(bare, stage.council.address, saying="InvalidNewPausedStatus")
    assert eigen.ground.plan("pause", stage.council.address, index=0).call.args == (0b101,)


def test_eigenlayers_undo_does_not_lift_the_pause_of_somebody_else(stage: Stage) -> None:
    eigen = Eigen.on(stage)
    made = eigen.ground.pull("pause", stage.council.address, stage.together(stage.council), index=0)
    by_council(stage, call(eigen.core, "pause(uint256 status)", 0b111))
    assert made.undo is not None and eigen.ground.unmet(made.undo.only_if)


def test_eigenlayer_stops_everything_and_goes_back_to_what_it_was(stage: Stage) -> None:
    eigen = Eigen.on(stage)
    made = there_and_back(
        stage, eigen.ground, "pause_all", eigen.deposit, stage.council, stage.governance, saying="CurrentlyPaused"
    )
    assert [one.value for one in made.expect] == [ALL_BITS]
    assert stage.view(eigen.bits) == 0b100
