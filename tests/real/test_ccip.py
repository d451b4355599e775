"""Chainlink CCIP's own token pools and RMN: what a limit and a curse stop, who may, and what each version demands."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from incident_cli.evm import Address
from tests.contracts.ccip import (
    CONFIG,
    GLOBAL,
    LANE,
    OPEN,
    OTHER_LANE,
    STOPPED,
    TIGHTEST,
    UNLIMITED,
    WAD,
    Ccip,
    Limit,
    build_ccip,
    subject_of,
    with_rmn_remote,
)
from tests.contracts.packages import Packages
from tests.contracts.refusals import refuses
from tests.fakes.anvil import Anvil

RECEIVER = Address("0x000000000000000000000000000000000000bEEF")
AMOUNT = 10 * WAD
VERSIONS = ("1.5.1", "1.6.1", "2.0.0")
TOO_MUCH = "TokenMaxCapacityExceeded(uint256 capacity, uint256 requested, address tokenAddress)"
TOO_SOON = "TokenRateLimitReached(uint256 minWaitInSeconds, uint256 available, address tokenAddress)"
WRONG_RATE = f"InvalidRateLimitRate({CONFIG} rateLimiterConfig)"
DISABLED = f"DisabledNonZeroRateLimit({CONFIG} config)"
CURSED = "getCursedSubjects() returns (bytes16[] subjects)"
UNAUTHORIZED = "Unauthorized(address caller)"


@pytest.fixture(scope="module")
def built(packages: Packages) -> Iterator[dict[str, Ccip]]:
    """The pools by their version, deployed once; the council is an account of the node."""
    with Anvil(packages.anvil) as anvil:
        yield build_ccip(anvil, packages, anvil.accounts[1])


@pytest.fixture
def pools(built: dict[str, Ccip]) -> Iterator[dict[str, Ccip]]:
    """The pools as they were built, for this test alone."""
    anvil = built["2.0.0"].anvil
    before = anvil.snapshot()
    yield built
    anvil.revert(before)


@pytest.fixture(params=VERSIONS)
def ccip(pools: dict[str, Ccip], request: pytest.FixtureRequest) -> Ccip:
    """The pool of each version in turn."""
    return pools[str(request.param)]


@pytest.fixture
def modern(pools: dict[str, Ccip]) -> Ccip:
    """The pool 2.0.0."""
    return pools["2.0.0"]


def test_each_pool_is_the_version_it_is_called(pools: dict[str, Ccip]) -> None:
    for version, ccip in pools.items():
        named = ccip.anvil.view(ccip.pool, "typeAndVersion() returns (string)")
        assert named == (f"LockReleaseTokenPool {version}",)


def test_the_limits_stop_both_ways_until_they_are_set_back(ccip: Ccip) -> None:
    before = ccip.buckets()
    assert [one.limit for one in before] == [OPEN, OPEN]
    ccip.lock(AMOUNT)
    ccip.release(AMOUNT, receiver=RECEIVER)
    assert ccip.balance(RECEIVER) == AMOUNT
    ccip.limit(ccip.council, TIGHTEST, TIGHTEST)
    assert [(one.limit, one.tokens) for one in ccip.buckets()] == [(TIGHTEST, 2), (TIGHTEST, 2)]
    for move in (ccip.lock, ccip.release):
        with refuses(TOO_MUCH, 2, AMOUNT, ccip.token):
            move(AMOUNT)
    ccip.limit(ccip.council, before[0].limit, before[1].limit)
    ccip.lock(AMOUNT)
    ccip.release(AMOUNT, receiver=RECEIVER)
    assert ccip.balance(RECEIVER) == 2 * AMOUNT


def test_one_way_may_be_stopped_alone(ccip: Ccip) -> None:
    ccip.limit(ccip.council, TIGHTEST, OPEN)
    with refuses(TOO_MUCH):
        ccip.lock(AMOUNT)
    ccip.release(AMOUNT)


def test_another_lane_is_not_touched(ccip: Ccip) -> None:
    before = [one.limit for one in ccip.buckets(lane=OTHER_LANE)]
    ccip.limit(ccip.council, TIGHTEST, TIGHTEST)
    assert [one.limit for one in ccip.buckets(lane=OTHER_LANE)] == before
    ccip.lock(AMOUNT, lane=OTHER_LANE)
    ccip.release(AMOUNT, lane=OTHER_LANE)


@pytest.mark.parametrize("version", ["1.5.1", "1.6.1"])
def test_set_back_an_old_pool_opens_only_as_fast_as_it_refills(pools: dict[str, Ccip], version: str) -> None:
    ccip = pools[version]
    ccip.limit(ccip.council, TIGHTEST, TIGHTEST)
    ccip.limit(ccip.council, OPEN, OPEN)
    assert [one.tokens for one in ccip.buckets()] == [2, 2], "what was left, not the capacity"
    with refuses(TOO_SOON):
        ccip.lock(100 * WAD)
    ccip.anvil.mine(1, seconds=100)
    ccip.lock(100 * WAD)


def test_any_setting_fills_the_buckets_of_the_modern_pool(modern: Ccip) -> None:
    modern.lock(OPEN.capacity)
    with refuses(TOO_SOON):
        modern.lock(100 * WAD)
    tighter = Limit(True, 500 * WAD, WAD)
    modern.limit(modern.council, tighter, OPEN)
    assert modern.buckets()[0].tokens == tighter.capacity, "half a bucket, where there was none"
    modern.lock(tighter.capacity)


def test_the_bucket_refills_with_time(ccip: Ccip) -> None:
    ccip.lock(OPEN.capacity)
    ccip.anvil.mine(1, seconds=100)
    assert ccip.buckets()[0].tokens == 100 * OPEN.rate
    assert ccip.buckets()[0].updated == ccip.anvil.now()


def test_only_the_administrator_and_the_owner_set_limits(ccip: Ccip) -> None:
    stranger = ccip.anvil.accounts[9]
    with refuses(UNAUTHORIZED, stranger):
        ccip.limit(stranger, TIGHTEST, TIGHTEST)
    assert ccip.buckets()[0].limit == OPEN
    ccip.limit(ccip.owner, TIGHTEST, TIGHTEST)
    ccip.limit(ccip.council, OPEN, OPEN)


def test_the_administrator_may_not_change_who_administers(ccip: Ccip) -> None:
    name = "setDynamicConfig(address router, " if ccip.modern else "setRateLimitAdmin("
    signature = name + ("address rateLimitAdmin, address feeAdmin)" if ccip.modern else "address rateLimitAdmin)")
    for refused in (signature, "transferOwnership(address to)"):
        with refuses("OnlyCallableByOwner()"):
            ccip.anvil.transact(ccip.council, ccip.pool, refused, *[ccip.council] * refused.count("address "))


def test_a_lane_that_does_not_exist_has_no_limits(ccip: Ccip) -> None:
    with refuses("NonExistentChain(uint64 remoteChainSelector)", 1):
        ccip.limit(ccip.council, TIGHTEST, TIGHTEST, lane=1)
    assert [one.limit for one in ccip.buckets(lane=1)] == [UNLIMITED, UNLIMITED], "it reads as unlimited"


def test_a_disabled_limit_lets_everything_through(ccip: Ccip) -> None:
    with refuses(DISABLED, (False, 2, 1)):
        ccip.limit(ccip.council, Limit(False, 2, 1), OPEN)
    ccip.limit(ccip.council, UNLIMITED, UNLIMITED)
    ccip.lock(OPEN.capacity * 2)


@pytest.mark.parametrize("limit", [STOPPED, Limit(True, 1, 0), Limit(True, 1, 1)], ids=["0,0", "1,0", "1,1"])
def test_the_old_pool_demands_a_rate_between_nothing_and_the_capacity(pools: dict[str, Ccip], limit: Limit) -> None:
    with refuses(WRONG_RATE, limit.words):
        pools["1.5.1"].limit(pools["1.5.1"].council, limit, OPEN)
    for version in ("1.6.1", "2.0.0"):
        pools[version].limit(pools[version].council, limit, OPEN)
        assert pools[version].buckets()[0].limit == limit


def test_no_pool_takes_a_rate_above_the_capacity(ccip: Ccip) -> None:
    with refuses(WRONG_RATE, (True, 1, 2)):
        ccip.limit(ccip.council, Limit(True, 1, 2), OPEN)


def test_the_tightest_limit_of_the_old_pool_still_lets_two_units_through(pools: dict[str, Ccip]) -> None:
    old = pools["1.5.1"]
    old.limit(old.council, TIGHTEST, TIGHTEST)
    old.lock(2)
    old.anvil.mine(1)
    old.release(2, receiver=RECEIVER)
    assert old.balance(RECEIVER) == 2


@pytest.mark.parametrize("version", ["1.6.1", "2.0.0"])
def test_a_capacity_of_nothing_stops_the_smallest_unit(pools: dict[str, Ccip], version: str) -> None:
    ccip = pools[version]
    ccip.limit(ccip.council, STOPPED, STOPPED)
    for move in (ccip.lock, ccip.release):
        with refuses(TOO_MUCH, 0, 1, ccip.token):
            move(1)


def test_fast_transfers_have_limits_of_their_own(modern: Ccip) -> None:
    assert [one.limit for one in modern.buckets(fast=True)] == [UNLIMITED, UNLIMITED]
    modern.limit(modern.council, STOPPED, STOPPED, fast=True)
    assert [one.limit for one in modern.buckets(fast=True)] == [STOPPED, STOPPED]
    assert [one.limit for one in modern.buckets()] == [OPEN, OPEN]
    modern.lock(AMOUNT)


@pytest.mark.parametrize("subject", [GLOBAL, subject_of(LANE)], ids=["every chain", "one chain"])
def test_a_curse_stops_both_ways_until_it_is_lifted(ccip: Ccip, subject: bytes) -> None:
    assert not ccip.is_cursed(subject)
    ccip.curse(ccip.council, subject)
    assert ccip.is_cursed(subject)
    for move in (ccip.lock, ccip.release):
        with refuses("CursedByRMN()"):
            move(AMOUNT)
    ccip.uncurse(ccip.owner, subject)
    assert not ccip.is_cursed(subject)
    ccip.lock(AMOUNT)
    ccip.release(AMOUNT)


def test_one_cursed_chain_leaves_the_other_lane(ccip: Ccip) -> None:
    ccip.curse(ccip.council, subject_of(LANE))
    assert (ccip.is_cursed(), ccip.is_cursed(subject_of(OTHER_LANE))) == (False, False)
    ccip.lock(AMOUNT, lane=OTHER_LANE)


def test_the_global_curse_is_every_chains(ccip: Ccip) -> None:
    ccip.curse(ccip.council, GLOBAL)
    assert (ccip.is_cursed(), ccip.is_cursed(subject_of(LANE)), ccip.is_cursed(subject_of(OTHER_LANE))) == (True,) * 3
    assert ccip.anvil.view(ccip.rmn, CURSED) == ((GLOBAL,),)
    with refuses("NotCursed(bytes16 subject)", subject_of(LANE)):
        ccip.uncurse(ccip.owner, subject_of(LANE))


def test_who_may_curse_may_not_lift_it(modern: Ccip) -> None:
    stranger = modern.anvil.accounts[9]
    with refuses("UnauthorizedCaller(address caller)", stranger):
        modern.curse(stranger, GLOBAL)
    modern.curse(modern.council, GLOBAL)
    for sender in (stranger, modern.council):
        with refuses("OnlyCallableByOwner()"):
            modern.uncurse(sender, GLOBAL)
    assert modern.is_cursed()
    callers = modern.anvil.view(modern.rmn, "getAllAuthorizedCallers() returns (address[] callers)")
    assert callers == ((modern.council,),)


def test_cursing_again_changes_nothing_and_is_accepted(modern: Ccip) -> None:
    for _ in range(2):
        modern.curse(modern.council, GLOBAL)
        assert modern.anvil.view(modern.rmn, CURSED) == ((GLOBAL,),)
    receipt = modern.anvil.transact(modern.owner, modern.rmn, "curse(bytes16[] subjects)", [GLOBAL, subject_of(LANE)])
    assert len(receipt["logs"]) == 1
    assert modern.anvil.view(modern.rmn, CURSED) == ((GLOBAL, subject_of(LANE)),)


def test_the_older_rmn_obeys_its_owner_alone_and_refuses_a_second_curse(modern: Ccip, packages: Packages) -> None:
    ccip = with_rmn_remote(modern, packages)
    assert ccip.anvil.view(ccip.rmn, "typeAndVersion() returns (string)") == ("RMNRemote 1.6.0",)
    with refuses("OnlyCallableByOwner()"):
        ccip.curse(ccip.council, GLOBAL)
    ccip.curse(ccip.owner, GLOBAL)
    assert ccip.is_cursed()
    with refuses("AlreadyCursed(bytes16 subject)", GLOBAL):
        ccip.curse(ccip.owner, GLOBAL)
    with refuses("CursedByRMN()"):
        ccip.lock(AMOUNT)
    ccip.uncurse(ccip.owner, GLOBAL)
    ccip.lock(AMOUNT)
