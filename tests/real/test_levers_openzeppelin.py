"""The levers of the OpenZeppelin files and of timelock.yaml on OpenZeppelin's own contracts, with a 2-of-3 Safe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from incident_cli.abi import selector_of
from incident_cli.evm import Address, Call, checksummed, to_hex
from incident_cli.levers.delay import Delay
from incident_cli.levers.lever import Plan
from tests.contracts import openzeppelin as oz
from tests.contracts.openzeppelin import OpenZeppelin, build_openzeppelin, call
from tests.contracts.packages import Packages
from tests.contracts.refusals import refuses
from tests.contracts.safes import Safe2of3, build_safe
from tests.fakes.anvil import Anvil
from tests.levers.driving import STRANGER, Ground

PAUSED = "EnforcedPause()"
LACKS_ROLE = "AccessControlUnauthorizedAccount(address account, bytes32 neededRole)"
UNMANAGED = "AccessManagedUnauthorized(address caller)"
NO_ADMIN = "AccessManagerUnauthorizedAccount(address msgsender, uint64 roleId)"
UNAUTHORIZED_CALL = "AccessManagerUnauthorizedCall(address caller, address target, bytes4 selector)"
NOT_SCHEDULED, NOT_READY, EXPIRED = (
    f"AccessManager{one}(bytes32 operationId)" for one in ("NotScheduled", "NotReady", "Expired")
)
UNEXPECTED_STATE = "TimelockUnexpectedOperationState(bytes32 operationId, bytes32 expectedStates)"
SALT = b"\x5a" * 32
HASH = (
    "hashOperation(address target, uint256 value, bytes payload, bytes32 predecessor, bytes32 salt) returns (bytes32)"
)
DELAYED_LEVERS = ("close_target", "pause_target")


@pytest.fixture(scope="module")
def stood_up(packages: Packages) -> Iterator[tuple[OpenZeppelin, Safe2of3]]:
    """The contracts and their council, built once."""
    with Anvil(packages.anvil) as anvil:
        council = build_safe(anvil)
        yield build_openzeppelin(anvil, packages, council.address), council


@pytest.fixture
def zeppelin(stood_up: tuple[OpenZeppelin, Safe2of3]) -> Iterator[OpenZeppelin]:
    """The contracts as they were built, for this test alone."""
    before = stood_up[0].anvil.snapshot()
    yield stood_up[0]
    stood_up[0].anvil.revert(before)


@pytest.fixture
def council(stood_up: tuple[OpenZeppelin, Safe2of3]) -> Safe2of3:
    return stood_up[1]


def ground_of(zeppelin: OpenZeppelin, protocol: str, **addresses: Address) -> Ground:
    """A protocol file at its addresses."""
    return Ground.of(zeppelin.anvil.endpoint(), zeppelin.anvil.chain_id, protocol, addresses)


@pytest.fixture
def pausable(zeppelin: OpenZeppelin) -> Ground:
    return ground_of(zeppelin, "openzeppelin-pausable", target=zeppelin.token)


@pytest.fixture
def managed(zeppelin: OpenZeppelin) -> Ground:
    return ground_of(zeppelin, "openzeppelin-access-manager", manager=zeppelin.manager, target=zeppelin.vault)


@pytest.fixture
def timelock(zeppelin: OpenZeppelin, council: Safe2of3) -> Ground:
    return ground_of(zeppelin, "timelock", timelock=zeppelin.timelock, proposer=council.address)


def hand_to_admins(zeppelin: OpenZeppelin, *functions: str) -> None:
    """From now on functions of the vault need the manager's oz.ADMIN role."""
    signature = "setTargetFunctionRole(address target, bytes4[] selectors, uint64 roleId)"
    selectors = [selector_of(one) for one in functions]
    zeppelin.anvil.transact(zeppelin.admin, zeppelin.manager, signature, zeppelin.vault, selectors, oz.ADMIN)


def value(ground: Ground, delay: Delay, of: Call) -> tuple[object, object]:
    """How often the call was scheduled (of a time-lock: its state), and when it may be executed."""
    reads = [delay.counter(of, SALT), delay.ready_at(of, SALT)]
    snapshot = ground.reader.read(reads)
    return snapshot.value(reads[0]), snapshot.value(reads[1])


def schedule(ground: Ground, delay: Delay, of: Call, council: Safe2of3) -> None:
    """Schedules a call and sees on the chain that it waits, and until when."""
    count, ready_at = value(ground, delay, of)
    assert isinstance(count, int)
    assert ready_at == 0
    waits = delay.scheduled(of, SALT, count)
    assert ground.unmet([waits]) == [f"{waits.label}: wanted {waits.value!r}, found {count!r}"]
    council.execute(delay.schedule(of, SALT))
    assert ground.unmet([waits]) == []
    assert value(ground, delay, of)[1] == council.anvil.now() + delay.seconds


def after_its_delay(ground: Ground, delay: Delay, council: Safe2of3) -> Callable[[Sequence[Call]], object]:
    """Who makes calls through a delay: scheduled, awaited, executed."""

    def execute(calls: Sequence[Call]) -> object:
        (of,) = calls
        schedule(ground, delay, of, council)
        council.anvil.mine(1, seconds=delay.seconds)
        return council.execute(delay.execute(of, SALT))

    return execute


def delay_of(made: Plan) -> Delay:
    """The delay of a plan that has one."""
    assert made.delay is not None
    return made.delay


def changed(anvil: Anvil, sender: Address, of: Call) -> set[Address]:
    """The contracts whose state a call changes, but for its sender."""
    request = {"from": sender, "to": of.to, "data": to_hex(of.data)}
    tracer = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
    found: Mapping[str, object] = anvil.rpc("debug_traceCall", request, "latest", tracer)["post"]
    return {checksummed(one) for one in found} - {sender}


def test_every_lever_of_the_files_is_proven_here(pausable: Ground, managed: Ground, timelock: Ground) -> None:
    assert [one.slot.protocol.proof for one in (pausable, managed, timelock)] == ["real"] * 3
    levers = {lever for one in (pausable, managed, timelock) for lever in one.slot.protocol.levers}
    assert levers == {"pause", *DELAYED_LEVERS, "cancel_operation"}


def test_a_token_stands_and_moves_again(zeppelin: OpenZeppelin, council: Safe2of3, pausable: Ground) -> None:
    zeppelin.transfer()
    planned = pausable.plan("pause", council.address)
    assert changed(zeppelin.anvil, council.address, planned.call) == set(planned.writes)
    made = pausable.pull("pause", council.address, council.execute)
    with refuses(PAUSED):
        zeppelin.transfer()
    pausable.undo(made, council.execute)
    zeppelin.transfer()


def test_nobody_else_pauses_the_token(zeppelin: OpenZeppelin, council: Safe2of3, pausable: Ground) -> None:
    other = build_safe(zeppelin.anvil, number=1)
    pause = pausable.plan("pause", council.address).call
    for account in (STRANGER, zeppelin.admin, other.address):
        assert "pauser does not hold" in pausable.refuses("pause", account)
        with refuses(LACKS_ROLE, account, oz.PAUSER_ROLE):
            zeppelin.anvil.call(account, pause)
    with refuses(LACKS_ROLE, other.address, oz.PAUSER_ROLE):
        other.execute(pause)


def test_a_council_that_lost_its_role_is_refused(zeppelin: OpenZeppelin, council: Safe2of3, pausable: Ground) -> None:
    revoke = "revokeRole(bytes32 role, address account)"
    zeppelin.anvil.transact(zeppelin.admin, zeppelin.token, revoke, oz.PAUSER_ROLE, council.address)
    assert "pauser does not hold" in pausable.refuses("pause", council.address)


def test_a_second_pause_is_dropped(zeppelin: OpenZeppelin, council: Safe2of3, pausable: Ground) -> None:
    pausable.pull("pause", council.address, council.execute)
    again = pausable.plan("pause", council.address)
    assert again.satisfied
    with refuses(PAUSED):
        council.execute([call(zeppelin.token, "approve(address spender, uint256 value)", STRANGER, 1), again.call])
    allowance = "allowance(address owner, address spender) view returns (uint256)"
    assert zeppelin.anvil.view(zeppelin.token, allowance, council.address, STRANGER) == (0,), "its batch went with it"


def test_a_delayed_pause_and_its_undo(zeppelin: OpenZeppelin, council: Safe2of3, managed: Ground) -> None:
    made = managed.plan("pause_target", council.address)
    delay = delay_of(made)
    assert delay == Delay("access_manager", zeppelin.manager, council.address, oz.EXECUTION_DELAY, "test")
    operation = delay.operation(made.call, SALT)
    assert operation == zeppelin.operation_id(council.address, made.call)
    with refuses(NOT_SCHEDULED, operation):
        council.execute(made.call)
    schedule(managed, delay, made.call, council)
    for early in (delay.execute(made.call, SALT), made.call):
        with refuses(NOT_READY, operation):
            council.execute(early)
    zeppelin.deposit()  # scheduling stops nothing
    zeppelin.anvil.mine(1, seconds=delay.seconds)
    carried_out = delay.execute(made.call, SALT)
    assert changed(zeppelin.anvil, council.address, carried_out) == set(made.writes)
    assert len(managed.unmet(made.expect)) == 1
    council.execute(carried_out)
    assert managed.unmet([*made.expect, *made.authority]) == []
    assert value(managed, delay, made.call) == (1, 0)
    with refuses(PAUSED):
        zeppelin.deposit()
    assert managed.plan("pause_target", council.address).satisfied
    managed.undo(made, after_its_delay(managed, delay, council))
    zeppelin.deposit()


def test_without_a_delay_it_is_at_once(zeppelin: OpenZeppelin, council: Safe2of3, managed: Ground) -> None:
    hand_to_admins(zeppelin, "pause()", "unpause()")
    zeppelin.grant_admin()
    made = managed.pull("pause_target", council.address, council.execute)
    assert made.delay is None
    with refuses(PAUSED):
        zeppelin.deposit()
    managed.undo(made, council.execute)
    zeppelin.deposit()


def test_a_scheduled_pause_lapses_after_a_week(zeppelin: OpenZeppelin, council: Safe2of3, managed: Ground) -> None:
    made = managed.plan("pause_target", council.address)
    delay = delay_of(made)
    schedule(managed, delay, made.call, council)
    zeppelin.anvil.mine(1, seconds=oz.EXECUTION_DELAY + oz.EXPIRATION)
    with refuses(EXPIRED, delay.operation(made.call, SALT)):
        council.execute(delay.execute(made.call, SALT))
    assert value(managed, delay, made.call) == (1, 0)
    schedule(managed, delay, made.call, council)
    assert value(managed, delay, made.call)[0] == 2


def test_an_admin_cancels_a_scheduled_pause(zeppelin: OpenZeppelin, council: Safe2of3, managed: Ground) -> None:
    made = managed.plan("pause_target", council.address)
    delay = delay_of(made)
    schedule(managed, delay, made.call, council)
    zeppelin.anvil.call(zeppelin.admin, zeppelin.cancel(council.address, made.call))
    zeppelin.anvil.mine(1, seconds=delay.seconds)
    with refuses(NOT_SCHEDULED, delay.operation(made.call, SALT)):
        council.execute(delay.execute(made.call, SALT))


def test_who_may_pause_may_perhaps_not_reopen(zeppelin: OpenZeppelin, council: Safe2of3, managed: Ground) -> None:
    unpause = call(zeppelin.vault, "unpause()")
    hand_to_admins(zeppelin, "unpause()")
    delay = delay_of(managed.plan("pause_target", council.address))
    made = managed.pull("pause_target", council.address, after_its_delay(managed, delay, council))
    with refuses(UNAUTHORIZED_CALL, council.address, zeppelin.vault, unpause.data):
        council.execute(delay.schedule(unpause, SALT))
    managed.undo(made, lambda calls: zeppelin.anvil.call(zeppelin.admin, calls[0]))
    zeppelin.deposit()


def test_a_target_is_closed_and_opened_again(zeppelin: OpenZeppelin, council: Safe2of3, managed: Ground) -> None:
    zeppelin.grant_admin()
    zeppelin.rebalance()
    planned = managed.plan("close_target", council.address)
    assert planned.delay is None
    assert changed(zeppelin.anvil, council.address, planned.call) == set(planned.writes)
    made = managed.pull("close_target", council.address, council.execute)
    with refuses(UNMANAGED, zeppelin.keeper):
        zeppelin.rebalance()
    zeppelin.deposit()  # what the target leaves to everybody goes on
    assert managed.plan("close_target", council.address).satisfied
    managed.undo(made, council.execute)
    zeppelin.rebalance()


def test_closing_also_locks_out_the_pause(zeppelin: OpenZeppelin, council: Safe2of3, managed: Ground) -> None:
    zeppelin.grant_admin()
    stop = managed.plan("pause_target", council.address)
    delay = delay_of(stop)
    schedule(managed, delay, stop.call, council)
    closed = managed.pull("close_target", council.address, council.execute)
    zeppelin.anvil.mine(1, seconds=delay.seconds)
    assert "may_call or call_delay > 0" in managed.refuses("pause_target", council.address)
    with refuses(UNAUTHORIZED_CALL, council.address, zeppelin.vault, stop.call.data):
        council.execute(delay.execute(stop.call, SALT))
    managed.undo(closed, council.execute)
    council.execute(delay.execute(stop.call, SALT))
    assert managed.unmet(stop.expect) == []


@pytest.mark.parametrize(("own", "of_target"), [(oz.HOUR, 0), (0, oz.DAY), (oz.HOUR, oz.DAY), (2 * oz.DAY, oz.DAY)])
def test_a_closing_waits_for_the_longer_delay(
    zeppelin: OpenZeppelin, council: Safe2of3, managed: Ground, own: int, of_target: int
) -> None:
    delay_target(zeppelin, of_target)
    zeppelin.grant_admin(own)
    promised = zeppelin.can_call(council.address, zeppelin.manager, "setTargetClosed(address,bool)")
    assert promised == (own == 0, own), "canCall does not know of the target's own delay"
    made = managed.plan("close_target", council.address)
    delay = delay_of(made)
    assert delay.seconds == max(own, of_target)
    operation = delay.operation(made.call, SALT)
    with refuses(NOT_SCHEDULED, operation):
        council.execute(made.call)
    schedule(managed, delay, made.call, council)
    with refuses(NOT_READY, operation):
        council.execute(delay.execute(made.call, SALT))
    zeppelin.rebalance()
    zeppelin.anvil.mine(1, seconds=delay.seconds)
    council.execute(delay.execute(made.call, SALT))
    assert managed.unmet([*made.expect, *made.authority]) == []
    with refuses(UNMANAGED, zeppelin.keeper):
        zeppelin.rebalance()
    managed.undo(made, after_its_delay(managed, delay, council))
    zeppelin.rebalance()


def delay_target(zeppelin: OpenZeppelin, seconds: int) -> None:
    """The vault's own admin delay, once it holds."""
    setting = "setTargetAdminDelay(address target, uint32 newDelay)"
    zeppelin.anvil.transact(zeppelin.admin, zeppelin.manager, setting, zeppelin.vault, seconds)
    (setback,) = zeppelin.anvil.view(zeppelin.manager, "minSetback() view returns (uint32)")
    assert isinstance(setback, int)
    zeppelin.anvil.mine(1, seconds=setback)


def test_the_manager_refuses_a_stranger(zeppelin: OpenZeppelin, council: Safe2of3, managed: Ground) -> None:
    for lever in DELAYED_LEVERS:
        assert "does not hold the role" in managed.refuses(lever)
    assert "admin and authority == manager" in managed.refuses("close_target", council.address)
    with refuses(NO_ADMIN, STRANGER, oz.ADMIN):
        zeppelin.anvil.call(STRANGER, zeppelin.close(True))
    stop = managed.plan("pause_target", council.address)
    with refuses(UNMANAGED, STRANGER):
        zeppelin.anvil.call(STRANGER, stop.call)
    with refuses(UNAUTHORIZED_CALL, STRANGER, zeppelin.vault, stop.call.data):
        zeppelin.anvil.call(STRANGER, delay_of(stop).schedule(stop.call, SALT))


@pytest.mark.parametrize("lever", DELAYED_LEVERS)
def test_a_foreign_target_is_refused(zeppelin: OpenZeppelin, council: Safe2of3, managed: Ground, lever: str) -> None:
    zeppelin.grant_admin()
    before = managed.plan(lever, council.address)
    update = "updateAuthority(address target, address newAuthority)"
    zeppelin.anvil.transact(zeppelin.admin, zeppelin.manager, update, zeppelin.vault, zeppelin.token)
    assert "authority == manager" in managed.refuses(lever, council.address)
    assert len(managed.unmet(before.authority)) == 1


def test_a_hostile_operation_is_cancelled_and_can_be_proposed_again(
    zeppelin: OpenZeppelin, council: Safe2of3, timelock: Ground, pausable: Ground
) -> None:
    hostile = pausable.plan("pause", council.address).call
    zeppelin.anvil.call(zeppelin.admin, zeppelin.propose(hostile))
    operation = zeppelin.timelock_id(hostile)
    planned = timelock.plan("cancel_operation", council.address, id=operation)
    assert changed(zeppelin.anvil, council.address, planned.call) == set(planned.writes)
    made = timelock.pull("cancel_operation", council.address, council.execute, id=operation)
    assert made.undo is None
    assert zeppelin.operation_state(hostile) == (oz.UNSET,)
    assert timelock.plan("cancel_operation", council.address, id=operation).satisfied
    zeppelin.anvil.mine(1, seconds=oz.TIMELOCK_DELAY)
    with refuses(UNEXPECTED_STATE, operation, (1 << oz.READY).to_bytes(32, "big")):
        zeppelin.anvil.call(zeppelin.user, zeppelin.carry_out(hostile))
    zeppelin.anvil.call(zeppelin.admin, zeppelin.propose(hostile))
    zeppelin.anvil.mine(1, seconds=oz.TIMELOCK_DELAY)
    zeppelin.anvil.call(zeppelin.user, zeppelin.carry_out(hostile))
    assert zeppelin.paused(zeppelin.token), "the trap: cancelling won time, no more"
    with refuses(UNEXPECTED_STATE):
        council.execute(made.call)  # nothing is left to cancel


def test_only_a_canceller_cancels(zeppelin: OpenZeppelin, council: Safe2of3, timelock: Ground) -> None:
    hostile = call(zeppelin.token, "pause()")
    zeppelin.anvil.call(zeppelin.admin, zeppelin.propose(hostile))
    operation = zeppelin.timelock_id(hostile)
    (role,) = zeppelin.anvil.view(zeppelin.timelock, "CANCELLER_ROLE() view returns (bytes32)")
    for account in (STRANGER, zeppelin.user):
        assert "canceller does not hold" in timelock.refuses("cancel_operation", account, id=operation)
        with refuses(LACKS_ROLE, account, role):
            zeppelin.anvil.call(account, zeppelin.veto(hostile))
    assert not timelock.plan("cancel_operation", council.address, id=operation).satisfied


def test_a_pause_is_undone_through_the_time_lock(
    zeppelin: OpenZeppelin, council: Safe2of3, timelock: Ground, pausable: Ground
) -> None:
    delay = Delay("timelock", zeppelin.timelock, council.address, oz.TIMELOCK_DELAY, "test")
    made = pausable.pull("pause", council.address, council.execute)
    assert made.undo is not None
    reopen = made.undo.call
    schedule(timelock, delay, reopen, council)
    operation = delay.operation(reopen, SALT)
    asked = (reopen.to, reopen.value, reopen.data, bytes(32), SALT)
    assert zeppelin.anvil.view(zeppelin.timelock, HASH, *asked) == (operation,)
    with refuses(UNEXPECTED_STATE, operation, (1 << oz.READY).to_bytes(32, "big")):
        council.execute(delay.execute(reopen, SALT))
    with refuses(PAUSED):
        zeppelin.transfer()
    zeppelin.anvil.mine(1, seconds=delay.seconds)
    pausable.undo(made, lambda _: zeppelin.anvil.call(zeppelin.user, delay.execute(reopen, SALT)))
    assert value(timelock, delay, reopen) == (oz.DONE, 1)
    zeppelin.transfer()


def test_its_own_operation_is_cancelled_and_scheduled_anew(
    zeppelin: OpenZeppelin, council: Safe2of3, timelock: Ground
) -> None:
    delay = Delay("timelock", zeppelin.timelock, council.address, oz.TIMELOCK_DELAY, "test")
    stop = call(zeppelin.token, "pause()")
    schedule(timelock, delay, stop, council)
    assert value(timelock, delay, stop)[0] == oz.WAITING
    timelock.pull("cancel_operation", council.address, council.execute, id=delay.operation(stop, SALT))
    assert value(timelock, delay, stop) == (oz.UNSET, 0)
    schedule(timelock, delay, stop, council)
