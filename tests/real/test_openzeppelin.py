"""OpenZeppelin's own contracts in the hands of a 2-of-3 Safe: what stops, what waits, and what only seems to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from incident_cli.abi import selector_of
from incident_cli.evm import Address, Call
from tests.contracts.openzeppelin import (
    ADMIN,
    DAY,
    DONE,
    EXECUTION_DELAY,
    EXPIRATION,
    HOUR,
    PAUSER_ROLE,
    READY,
    TIMELOCK_DELAY,
    UNSET,
    WAITING,
    OpenZeppelin,
    build_openzeppelin,
    call,
)
from tests.contracts.packages import Packages
from tests.contracts.refusals import refuses, refuses_saying
from tests.contracts.safes import Safe2of3, build_safe
from tests.fakes.anvil import Anvil

STRANGER = Address("0x00000000000000000000000000000000DeaDBeef")
PAUSED, NOT_PAUSED = "EnforcedPause()", "ExpectedPause()"
LACKS_ROLE = "AccessControlUnauthorizedAccount(address account, bytes32 neededRole)"
UNMANAGED = "AccessManagedUnauthorized(address caller)"
NO_ADMIN = "AccessManagerUnauthorizedAccount(address msgsender, uint64 roleId)"
UNAUTHORIZED_CALL = "AccessManagerUnauthorizedCall(address caller, address target, bytes4 selector)"
UNAUTHORIZED_CANCEL = (
    "AccessManagerUnauthorizedCancel(address msgsender, address caller, address target, bytes4 selector)"
)
NOT_SCHEDULED, NOT_READY, EXPIRED, ALREADY_SCHEDULED = (
    f"AccessManager{one}(bytes32 operationId)" for one in ("NotScheduled", "NotReady", "Expired", "AlreadyScheduled")
)
UNEXPECTED_STATE = "TimelockUnexpectedOperationState(bytes32 operationId, bytes32 expectedStates)"
TOO_SOON = "TimelockInsufficientDelay(uint256 delay, uint256 minDelay)"
PROPOSER_ROLE, CANCELLER_ROLE = "PROPOSER_ROLE", "CANCELLER_ROLE"


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


def pause(target: Address) -> Call:
    return call(target, "pause()")


def unpause(target: Address) -> Call:
    return call(target, "unpause()")


def delayed(zeppelin: OpenZeppelin, council: Safe2of3, of: Call) -> None:
    """Schedules a call in the manager, waits, and makes it directly."""
    council.execute(zeppelin.schedule(of))
    zeppelin.anvil.mine(1, seconds=EXECUTION_DELAY)
    council.execute(of)


def role(zeppelin: OpenZeppelin, name: str) -> bytes:
    """A role of the time-lock, as it states it."""
    (found,) = zeppelin.anvil.view(zeppelin.timelock, f"{name}() view returns (bytes32)")
    assert isinstance(found, bytes)
    return found


def test_a_pausable_token_moves_stands_and_moves_again(zeppelin: OpenZeppelin, council: Safe2of3) -> None:
    zeppelin.transfer()
    council.execute(pause(zeppelin.token))
    assert zeppelin.paused(zeppelin.token)
    with refuses(PAUSED):
        zeppelin.transfer()
    council.execute(unpause(zeppelin.token))
    assert not zeppelin.paused(zeppelin.token)
    zeppelin.transfer()


def test_nobody_without_the_role_pauses_the_token(zeppelin: OpenZeppelin) -> None:
    other = build_safe(zeppelin.anvil, number=1)
    for account in (STRANGER, zeppelin.admin):
        with refuses(LACKS_ROLE, account, PAUSER_ROLE):
            zeppelin.anvil.call(account, pause(zeppelin.token))
    with refuses(LACKS_ROLE, other.address, PAUSER_ROLE):
        other.execute(pause(zeppelin.token))
    zeppelin.transfer()


def test_a_pause_of_what_is_paused_reverts_and_takes_its_batch_along(zeppelin: OpenZeppelin, council: Safe2of3) -> None:
    with refuses(NOT_PAUSED):
        council.execute(unpause(zeppelin.token))
    council.execute(pause(zeppelin.token))
    with refuses(PAUSED):
        council.execute([zeppelin.schedule(pause(zeppelin.vault)), pause(zeppelin.token)])
    operation = zeppelin.operation_id(council.address, pause(zeppelin.vault))
    assert zeppelin.scheduled_for(operation) == (0,), "the first call of the batch did not happen either"


def test_the_manager_says_at_once_later_or_never(zeppelin: OpenZeppelin, council: Safe2of3) -> None:
    assert zeppelin.can_call(zeppelin.keeper, zeppelin.vault, "rebalance()") == (True, 0)
    assert zeppelin.can_call(council.address, zeppelin.vault, "pause()") == (False, EXECUTION_DELAY)
    assert zeppelin.can_call(STRANGER, zeppelin.vault, "pause()") == (False, 0)


def test_a_delayed_call_made_directly_is_refused_and_scheduled_it_works(
    zeppelin: OpenZeppelin, council: Safe2of3
) -> None:
    stop = pause(zeppelin.vault)
    operation = zeppelin.operation_id(council.address, stop)
    zeppelin.deposit()
    for attempt in (stop, zeppelin.execute(stop)):
        with refuses(NOT_SCHEDULED, operation):
            council.execute(attempt)
    council.execute(zeppelin.schedule(stop))
    assert zeppelin.scheduled_for(operation) == (zeppelin.anvil.now() + EXECUTION_DELAY,)
    with refuses(NOT_READY, operation):
        council.execute(stop)
    zeppelin.deposit()
    zeppelin.anvil.mine(1, seconds=EXECUTION_DELAY)
    council.execute(zeppelin.execute(stop))
    assert zeppelin.paused(zeppelin.vault)
    assert zeppelin.scheduled_for(operation) == (0,)
    with refuses(PAUSED):
        zeppelin.deposit()
    delayed(zeppelin, council, unpause(zeppelin.vault))
    zeppelin.deposit()


def test_a_schedule_is_for_one_call_with_its_arguments(zeppelin: OpenZeppelin, council: Safe2of3) -> None:
    set_limit = "setLimit(uint256 newLimit)"
    council.execute(zeppelin.schedule(call(zeppelin.vault, set_limit, 5)))
    zeppelin.anvil.mine(1, seconds=EXECUTION_DELAY)
    other = call(zeppelin.vault, set_limit, 6)
    with refuses(NOT_SCHEDULED, zeppelin.operation_id(council.address, other)):
        council.execute(other)
    council.execute(call(zeppelin.vault, set_limit, 5))
    with refuses_saying("above the limit"):
        zeppelin.deposit(6)
    zeppelin.deposit(5)
    delayed(zeppelin, council, call(zeppelin.vault, set_limit, 1_000))
    zeppelin.deposit(6)


def test_what_was_scheduled_lapses_after_a_week_and_can_be_scheduled_again(
    zeppelin: OpenZeppelin, council: Safe2of3
) -> None:
    stop = pause(zeppelin.vault)
    operation = zeppelin.operation_id(council.address, stop)
    council.execute(zeppelin.schedule(stop))
    with refuses(ALREADY_SCHEDULED, operation):
        council.execute(zeppelin.schedule(stop))
    assert zeppelin.anvil.view(zeppelin.manager, "expiration() view returns (uint32)") == (EXPIRATION,)
    zeppelin.anvil.mine(1, seconds=EXECUTION_DELAY + EXPIRATION)
    with refuses(EXPIRED, operation):
        council.execute(stop)
    assert zeppelin.scheduled_for(operation) == (0,)
    delayed(zeppelin, council, stop)
    assert zeppelin.paused(zeppelin.vault)


def test_a_stranger_neither_schedules_nor_cancels_nor_pauses_the_vault(
    zeppelin: OpenZeppelin, council: Safe2of3
) -> None:
    stop, selector = pause(zeppelin.vault), selector_of("pause()")
    with refuses(UNMANAGED, STRANGER):
        zeppelin.anvil.call(STRANGER, stop)
    for attempt in (zeppelin.schedule(stop), zeppelin.execute(stop)):
        with refuses(UNAUTHORIZED_CALL, STRANGER, zeppelin.vault, selector):
            zeppelin.anvil.call(STRANGER, attempt)
    council.execute(zeppelin.schedule(stop))
    with refuses(UNAUTHORIZED_CANCEL, STRANGER, council.address, zeppelin.vault, selector):
        zeppelin.anvil.call(STRANGER, zeppelin.cancel(council.address, stop))


def test_the_council_and_the_admin_cancel_what_the_council_scheduled(zeppelin: OpenZeppelin, council: Safe2of3) -> None:
    stop = pause(zeppelin.vault)
    council.execute(zeppelin.schedule(stop))
    council.execute(zeppelin.cancel(council.address, stop))
    council.execute(zeppelin.schedule(stop))
    zeppelin.anvil.call(zeppelin.admin, zeppelin.cancel(council.address, stop))
    zeppelin.anvil.mine(1, seconds=EXECUTION_DELAY)
    with refuses(NOT_SCHEDULED, zeppelin.operation_id(council.address, stop)):
        council.execute(stop)


def test_a_target_works_is_closed_and_works_again(zeppelin: OpenZeppelin, council: Safe2of3) -> None:
    zeppelin.grant_admin()
    zeppelin.rebalance()
    council.execute(zeppelin.close(True))
    assert zeppelin.closed()
    assert zeppelin.can_call(zeppelin.keeper, zeppelin.vault, "rebalance()") == (False, 0)
    with refuses(UNMANAGED, zeppelin.keeper):
        zeppelin.rebalance()
    council.execute(zeppelin.close(False))
    assert not zeppelin.closed()
    zeppelin.rebalance()


def test_only_an_admin_of_the_manager_closes_a_target(zeppelin: OpenZeppelin, council: Safe2of3) -> None:
    with refuses(NO_ADMIN, STRANGER, ADMIN):
        zeppelin.anvil.call(STRANGER, zeppelin.close(True))
    with refuses(NO_ADMIN, council.address, ADMIN):
        council.execute(zeppelin.close(True))
    zeppelin.rebalance()


def test_closing_leaves_open_what_the_manager_does_not_guard(zeppelin: OpenZeppelin, council: Safe2of3) -> None:
    zeppelin.grant_admin()
    council.execute(zeppelin.close(True))
    zeppelin.deposit()


def test_closing_also_locks_out_the_guardian_and_its_scheduled_pause(zeppelin: OpenZeppelin, council: Safe2of3) -> None:
    zeppelin.grant_admin()
    council.execute([zeppelin.schedule(pause(zeppelin.vault)), zeppelin.close(True)])
    zeppelin.anvil.mine(1, seconds=EXECUTION_DELAY)
    with refuses(UNMANAGED, council.address):
        council.execute(pause(zeppelin.vault))
    council.execute([zeppelin.close(False), pause(zeppelin.vault)])
    assert zeppelin.paused(zeppelin.vault)


def test_an_admin_with_a_delay_must_schedule_the_closing(zeppelin: OpenZeppelin, council: Safe2of3) -> None:
    zeppelin.grant_admin(HOUR)
    close = zeppelin.close(True)
    assert zeppelin.can_call(council.address, zeppelin.manager, "setTargetClosed(address,bool)") == (False, HOUR)
    with refuses(NOT_SCHEDULED, zeppelin.operation_id(council.address, close)):
        council.execute(close)
    council.execute(zeppelin.schedule(close))
    zeppelin.anvil.mine(1, seconds=HOUR)
    council.execute(close)
    with refuses(UNMANAGED, zeppelin.keeper):
        zeppelin.rebalance()


def test_can_call_promises_an_admin_what_the_targets_own_delay_refuses(
    zeppelin: OpenZeppelin, council: Safe2of3
) -> None:
    zeppelin.grant_admin()
    delay = call(zeppelin.manager, "setTargetAdminDelay(address target, uint32 newDelay)", zeppelin.vault, DAY)
    council.execute(delay)
    (setback,) = zeppelin.anvil.view(zeppelin.manager, "minSetback() view returns (uint32)")
    assert setback == 5 * DAY
    zeppelin.anvil.mine(1, seconds=5 * DAY)
    assert zeppelin.can_call(council.address, zeppelin.manager, "setTargetClosed(address,bool)") == (True, 0)
    with refuses(NOT_SCHEDULED, zeppelin.operation_id(council.address, zeppelin.close(True))):
        council.execute(zeppelin.close(True))
    signature = "getTargetAdminDelay(address target) view returns (uint32)"
    assert zeppelin.anvil.view(zeppelin.manager, signature, zeppelin.vault) == (DAY,)


def test_an_operation_of_the_time_lock_waits_then_anybody_executes_it(
    zeppelin: OpenZeppelin, council: Safe2of3
) -> None:
    reopen = unpause(zeppelin.token)
    council.execute([pause(zeppelin.token), zeppelin.propose(reopen)])
    assert zeppelin.operation_state(reopen) == (WAITING,)
    with refuses(UNEXPECTED_STATE, zeppelin.timelock_id(reopen), (1 << READY).to_bytes(32, "big")):
        zeppelin.anvil.call(zeppelin.user, zeppelin.carry_out(reopen))
    zeppelin.anvil.mine(1, seconds=TIMELOCK_DELAY)
    assert zeppelin.operation_state(reopen) == (READY,)
    zeppelin.anvil.call(zeppelin.user, zeppelin.carry_out(reopen))
    assert zeppelin.operation_state(reopen) == (DONE,)
    zeppelin.transfer()


def test_a_hostile_operation_is_cancelled_and_can_be_proposed_again(zeppelin: OpenZeppelin, council: Safe2of3) -> None:
    hostile = pause(zeppelin.token)
    zeppelin.anvil.call(zeppelin.admin, zeppelin.propose(hostile))
    zeppelin.anvil.mine(1, seconds=TIMELOCK_DELAY)
    council.execute(zeppelin.veto(hostile))
    assert zeppelin.operation_state(hostile) == (UNSET,)
    with refuses(UNEXPECTED_STATE, zeppelin.timelock_id(hostile), (1 << READY).to_bytes(32, "big")):
        zeppelin.anvil.call(zeppelin.user, zeppelin.carry_out(hostile))
    zeppelin.anvil.call(zeppelin.admin, zeppelin.propose(hostile))
    zeppelin.anvil.mine(1, seconds=TIMELOCK_DELAY)
    zeppelin.anvil.call(zeppelin.user, zeppelin.carry_out(hostile))
    assert zeppelin.paused(zeppelin.token)


def test_what_was_executed_can_neither_be_cancelled_nor_proposed_again(
    zeppelin: OpenZeppelin, council: Safe2of3
) -> None:
    stop = pause(zeppelin.token)
    council.execute(zeppelin.propose(stop))
    zeppelin.anvil.mine(1, seconds=TIMELOCK_DELAY)
    council.execute(zeppelin.carry_out(stop))
    pending, unset = (1 << WAITING | 1 << READY, 1 << UNSET)
    for attempt, expected in ((zeppelin.veto(stop), pending), (zeppelin.propose(stop), unset)):
        with refuses(UNEXPECTED_STATE, zeppelin.timelock_id(stop), expected.to_bytes(32, "big")):
            council.execute(attempt)


def test_the_time_lock_refuses_a_stranger_and_a_delay_that_is_too_short(
    zeppelin: OpenZeppelin, council: Safe2of3
) -> None:
    stop = pause(zeppelin.token)
    with refuses(LACKS_ROLE, STRANGER, role(zeppelin, PROPOSER_ROLE)):
        zeppelin.anvil.call(STRANGER, zeppelin.propose(stop))
    with refuses(TOO_SOON, TIMELOCK_DELAY - 1, TIMELOCK_DELAY):
        council.execute(zeppelin.propose(stop, TIMELOCK_DELAY - 1))
    council.execute(zeppelin.propose(stop))
    with refuses(LACKS_ROLE, STRANGER, role(zeppelin, CANCELLER_ROLE)):
        zeppelin.anvil.call(STRANGER, zeppelin.veto(stop))
