"""The levers of the CCIP protocol files: a 2-of-3 Safe limits and curses lanes of CCIP's own pools and RMNs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from incident_cli.evm import Address
from tests.contracts.ccip import (
    GLOBAL,
    LANE,
    OPEN,
    OTHER_LANE,
    PACKAGE,
    POOL,
    STOPPED,
    TIGHTEST,
    UNLIMITED,
    WAD,
    Bucket,
    Ccip,
    Limit,
    build_ccip,
    subject_of,
    with_rmn_remote,
)
from tests.contracts.packages import Packages
from tests.contracts.refusals import refuses
from tests.contracts.safes import Safe2of3
from tests.fakes.anvil import Anvil
from tests.levers.driving import STRANGER, Ground
from tests.real.pulling import Lever, council_on, foreign, sender, shipped

VERSIONS = ("1.5.1", "1.6.1", "2.0.0")
AMOUNT = 10 * WAD
TIGHT = Limit(True, 5 * WAD, WAD // 100)
TOO_MUCH = "TokenMaxCapacityExceeded(uint256 capacity, uint256 requested, address tokenAddress)"
TOO_SOON = "TokenRateLimitReached(uint256 minWaitInSeconds, uint256 available, address tokenAddress)"
WRONG_RATE = "InvalidRateLimitRate((bool isEnabled, uint128 capacity, uint128 rate) rateLimiterConfig)"
NO_LANE = "NonExistentChain(uint64 remoteChainSelector)"
UNAUTHORIZED, CURSED = "Unauthorized(address caller)", "CursedByRMN()"
OWNER_ONLY, NOT_CALLER = "OnlyCallableByOwner()", "UnauthorizedCaller(address caller)"
CALLERS = "applyAuthorizedCallerUpdates((address[] addedCallers, address[] removedCallers) authorizedCallerArgs)"
LIMITS = {"limit_lane": {"outbound", "inbound"}, "limit_outbound": {"outbound"}, "limit_inbound": {"inbound"}}
EACH = pytest.mark.parametrize("name", LIMITS)
CURSES = pytest.mark.parametrize("name", ["curse_chain", "curse_everything"])


@dataclass(frozen=True, slots=True)
class Stage:
    """One pool, and the Safe that is its rate-limit administrator and may curse."""

    ccip: Ccip
    safe: Safe2of3
    packages: Packages

    def lever(self, name: str, limit: Limit = TIGHT, lane: int = LANE) -> Lever:
        """A lever of the pool on a lane."""
        file = "ccip-token-pool-v2" if self.ccip.modern else "ccip-token-pool"
        args: dict[str, object] = {"lane": lane}
        if name != "stop_lane":
            args |= {"capacity": limit.capacity, "rate": limit.rate}
        return Lever(self.ground(file, {"pool": self.ccip.pool}), name, self.safe, args)

    def curse(self, name: str, file: str = "ccip-rmn-2", subject: bytes = subject_of(LANE)) -> Lever:
        """A lever of the RMN; of 2.0.0 the owner undoes it."""
        args: dict[str, object] = {"subject": subject} if name == "curse_chain" else {}
        undone_by = self.ccip.owner if file == "ccip-rmn-2" else None
        return Lever(self.ground(file, {"rmn": self.ccip.rmn}), name, self.safe, args, undone_by)

    def ground(self, file: str, slots: dict[str, Address]) -> Ground:
        """A protocol file on the node."""
        return Ground.of(self.ccip.anvil.endpoint(), self.ccip.anvil.chain_id, file, slots)

    def older(self) -> Stage:
        """The same behind an RMNRemote 1.6.0 that the Safe owns."""
        ccip = with_rmn_remote(self.ccip, self.packages)
        ccip.anvil.transact(ccip.owner, ccip.rmn, "transferOwnership(address to)", self.safe.address)
        ccip.anvil.transact(self.safe.address, ccip.rmn, "acceptOwnership()")
        return Stage(ccip, self.safe, self.packages)


@pytest.fixture(scope="module")
def built(packages: Packages) -> Iterator[dict[str, Stage]]:
    """The pools by their version, deployed once."""
    with Anvil(packages.anvil) as anvil:
        safe = council_on(anvil)
        pools = build_ccip(anvil, packages, safe.address)
        yield {version: Stage(ccip, safe, packages) for version, ccip in pools.items()}


@pytest.fixture
def stages(built: dict[str, Stage]) -> Iterator[dict[str, Stage]]:
    """The pools as they were built, for this test alone."""
    anvil = built["2.0.0"].ccip.anvil
    before = anvil.snapshot()
    yield built
    anvil.revert(before)


@pytest.fixture(params=VERSIONS)
def stage(stages: dict[str, Stage], request: pytest.FixtureRequest) -> Stage:
    """The pool of each version in turn."""
    return stages[str(request.param)]


@pytest.fixture
def modern(stages: dict[str, Stage]) -> Stage:
    """The pool 2.0.0."""
    return stages["2.0.0"]


def ways(ccip: Ccip) -> dict[str, Callable[[int], None]]:
    """The two ways of the lane."""
    return {"outbound": ccip.lock, "inbound": ccip.release}


def limits(ccip: Ccip, *, fast: bool = False, lane: int = LANE) -> dict[str, Limit]:
    """The limits of a lane by way."""
    return dict(zip(("outbound", "inbound"), (one.limit for one in ccip.buckets(fast=fast, lane=lane)), strict=True))


def tokens(buckets: tuple[Bucket, Bucket]) -> list[int]:
    return [one.tokens for one in buckets]


def both(limit: Limit) -> dict[str, Limit]:
    return {"outbound": limit, "inbound": limit}


def abi(packages: Packages, version: str, name: str) -> list[dict[str, Any]]:
    """The ABI of a contract of a release."""
    found: list[dict[str, Any]] = json.loads(packages.path(f"{PACKAGE}/abi/{version}/{name}.json").read_text("utf-8"))
    return found


def test_every_signature_is_the_contracts_own(packages: Packages) -> None:
    old, new = abi(packages, "v1_5_1", POOL), abi(packages, "v1_6_1", POOL)
    pool, modern = shipped("ccip-token-pool"), shipped("ccip-token-pool-v2")
    assert foreign(pool, old, new) == []
    for release in (old, new):
        assert [one for one in foreign(pool, release) if one.startswith("('function'")] == []
    assert foreign(modern, abi(packages, "v2_0_0", POOL)) == []
    assert foreign(shipped("ccip-rmn"), abi(packages, "v1_6_0", "rmn_remote")) == []
    assert foreign(shipped("ccip-rmn-2"), abi(packages, "v2_0_0", "rmn")) == []


@EACH
def test_a_lane_is_open_until_it_is_limited_and_again_when_that_is_undone(stage: Stage, name: str) -> None:
    ccip, lever = stage.ccip, stage.lever(name)
    for move in ways(ccip).values():
        move(AMOUNT)
    made = lever.pull()
    assert limits(ccip) == {one: TIGHT if one in LIMITS[name] else OPEN for one in ways(ccip)}
    for one, move in ways(ccip).items():
        if one in LIMITS[name]:
            with refuses(TOO_MUCH, TIGHT.capacity, AMOUNT, ccip.token):
                move(AMOUNT)
        else:
            move(AMOUNT)
    assert lever.is_satisfied()
    lever.undo(made)
    assert limits(ccip) == both(OPEN)
    ccip.anvil.mine(1, seconds=100)
    for move in ways(ccip).values():
        move(AMOUNT)


def test_a_stopped_lane_lets_nothing_through_until_that_is_undone(stage: Stage) -> None:
    ccip, lever = stage.ccip, stage.lever("stop_lane")
    made = lever.pull()
    assert limits(ccip) == both(STOPPED if ccip.modern else TIGHTEST)
    let = 0 if ccip.modern else 2
    for move in ways(ccip).values():
        with refuses(TOO_MUCH, let, let + 1, ccip.token):
            move(let + 1)
        if let:
            move(let)
    assert lever.is_satisfied()
    ccip.lock(AMOUNT, lane=OTHER_LANE)
    lever.undo(made)
    ccip.anvil.mine(1, seconds=100)
    for move in ways(ccip).values():
        move(AMOUNT)


@pytest.mark.parametrize("name", [*LIMITS, "stop_lane"])
def test_a_stranger_is_refused_by_the_file_and_by_the_contract(stage: Stage, name: str) -> None:
    lever = stage.lever(name)
    assert "does not hold the role" in lever.refused(STRANGER)
    with refuses(UNAUTHORIZED, STRANGER):
        sender(stage.ccip.anvil, STRANGER)(lever.calls())
    assert not lever.ground.plan(name, stage.ccip.owner, **lever.args).satisfied


@pytest.mark.parametrize("name", [*LIMITS, "stop_lane"])
def test_a_lane_that_does_not_exist_is_refused_and_would_revert(stage: Stage, name: str) -> None:
    assert "lane_open" in stage.lever(name, lane=1).refused(stage.safe.address)
    assert limits(stage.ccip, lane=1) == both(UNLIMITED)
    with refuses(NO_LANE, 1):
        stage.ccip.limit(stage.safe.address, TIGHT, TIGHT, lane=1)


@EACH
def test_a_limit_is_never_loosened(stage: Stage, name: str) -> None:
    ccip, wider = stage.ccip, Limit(True, 2 * OPEN.capacity, OPEN.rate // 2)
    assert stage.lever(name, Limit(True, 2 * OPEN.capacity, 2 * OPEN.rate)).is_satisfied()
    stage.lever(name, wider).pull()
    mixed = Limit(True, OPEN.capacity, wider.rate)
    assert limits(ccip) == {one: mixed if one in LIMITS[name] else OPEN for one in ways(ccip)}


@EACH
def test_where_no_limit_is_on_the_one_asked_for_is_set(stage: Stage, name: str) -> None:
    ccip = stage.ccip
    ccip.limit(ccip.owner, UNLIMITED, UNLIMITED)
    made = stage.lever(name).pull()
    assert limits(ccip) == {one: TIGHT if one in LIMITS[name] else UNLIMITED for one in ways(ccip)}
    stage.lever(name).undo(made)
    assert limits(ccip) == both(UNLIMITED)


def test_a_way_that_is_stopped_already_stays_so(stages: dict[str, Stage]) -> None:
    for version in ("1.6.1", "2.0.0"):
        ccip = stages[version].ccip
        ccip.limit(ccip.owner, STOPPED, OPEN)
        stages[version].lever("limit_lane").pull()
        assert limits(ccip) == {"outbound": STOPPED, "inbound": TIGHT}


def test_two_levers_for_one_lane_in_one_proposal_undo_each_other(stage: Stage) -> None:
    outbound, inbound = stage.lever("limit_outbound"), stage.lever("limit_inbound")
    made = outbound.ground.plan("limit_outbound", stage.safe.address, **outbound.args)
    stage.safe.execute([*made.calls, *inbound.calls()])
    assert limits(stage.ccip) == {"outbound": OPEN, "inbound": TIGHT}
    assert outbound.ground.unmet(made.expect)


@pytest.mark.parametrize("limit", [STOPPED, Limit(True, 1, 1)], ids=["nothing", "rate is the capacity"])
def test_the_oldest_pool_refuses_what_the_newer_take(stages: dict[str, Stage], limit: Limit) -> None:
    with refuses(WRONG_RATE, limit.words):
        stages["1.5.1"].safe.execute(stages["1.5.1"].lever("limit_lane", limit).calls())
    for version in ("1.6.1", "2.0.0"):
        stages[version].lever("limit_lane", limit).pull()


def test_no_pool_takes_a_rate_above_the_capacity(stage: Stage) -> None:
    with refuses(WRONG_RATE, (True, 1, 2)):
        stage.safe.execute(stage.lever("limit_lane", Limit(True, 1, 2)).calls())


def test_set_back_an_old_pool_opens_only_as_fast_as_it_refills(stages: dict[str, Stage]) -> None:
    for version in ("1.5.1", "1.6.1"):
        lever, ccip = stages[version].lever("stop_lane"), stages[version].ccip
        lever.undo(lever.pull())
        assert tokens(ccip.buckets()) == [TIGHTEST.capacity] * 2
        with refuses(TOO_SOON):
            ccip.lock(10 * AMOUNT)


@EACH
def test_any_setting_of_the_modern_pool_fills_both_buckets(modern: Stage, name: str) -> None:
    ccip, lever = modern.ccip, modern.lever(name)
    for move in ways(ccip).values():
        move(OPEN.capacity)
    made = lever.pull()
    full = [TIGHT.capacity if one in LIMITS[name] else OPEN.capacity for one in ways(ccip)]
    assert tokens(ccip.buckets()) == full
    lever.undo(made)
    assert tokens(ccip.buckets()) == [OPEN.capacity] * 2


@EACH
def test_fast_transfers_are_limited_alike_where_they_have_limits_of_their_own(modern: Stage, name: str) -> None:
    ccip, lever = modern.ccip, modern.lever(name)
    ccip.limit(ccip.owner, OPEN, OPEN, fast=True)
    made = lever.pull()
    assert (
        limits(ccip, fast=True) == limits(ccip) == {one: TIGHT if one in LIMITS[name] else OPEN for one in ways(ccip)}
    )
    lever.undo(made)
    assert limits(ccip, fast=True) == both(OPEN)


def test_fast_transfers_alone_being_open_is_not_enough_to_be_satisfied(modern: Stage) -> None:
    ccip = modern.ccip
    modern.lever("stop_lane").pull()
    ccip.limit(ccip.owner, OPEN, OPEN, fast=True)
    lever = modern.lever("stop_lane")
    assert not lever.is_satisfied()
    lever.pull()
    assert limits(ccip, fast=True) == both(STOPPED)


@EACH
def test_fast_transfers_without_limits_of_their_own_get_none(modern: Stage, name: str) -> None:
    modern.lever(name).pull()
    assert limits(modern.ccip, fast=True) == both(UNLIMITED)


def test_the_blast_radius_is_what_the_buckets_hold(stage: Stage) -> None:
    stage.ccip.lock(AMOUNT)
    made = stage.lever("stop_lane").pull()
    outbound, inbound = (one.amount for one in made.blast)
    assert inbound == OPEN.capacity
    assert OPEN.capacity - AMOUNT <= int(str(outbound)) < OPEN.capacity


@CURSES
@pytest.mark.parametrize("file", ["ccip-rmn", "ccip-rmn-2"])
def test_a_curse_stops_both_ways_of_every_pool_until_it_is_lifted(modern: Stage, name: str, file: str) -> None:
    stage = modern if file == "ccip-rmn-2" else modern.older()
    lever = stage.curse(name, file)
    for move in ways(stage.ccip).values():
        move(AMOUNT)
    made = lever.pull()
    for move in ways(stage.ccip).values():
        with refuses(CURSED):
            move(AMOUNT)
    assert lever.is_satisfied()
    if name == "curse_chain":
        stage.ccip.lock(AMOUNT, lane=OTHER_LANE)
    lever.undo(made)
    for move in ways(stage.ccip).values():
        move(AMOUNT)


@CURSES
def test_a_stranger_curses_nothing_and_who_may_curse_lifts_nothing(modern: Stage, name: str) -> None:
    lever = modern.curse(name)
    assert "does not hold the role" in lever.refused(STRANGER)
    with refuses(NOT_CALLER, STRANGER):
        sender(modern.ccip.anvil, STRANGER)(lever.calls())
    assert not lever.ground.plan(name, modern.ccip.owner, **lever.args).satisfied
    made = lever.pull()
    assert made.undo is not None
    assert made.undo.by == "owner"
    with refuses(OWNER_ONLY):
        modern.safe.execute(made.undo.call)


@CURSES
def test_the_older_rmn_obeys_its_owner_alone(modern: Stage, name: str) -> None:
    stage = modern.older()
    lever = stage.curse(name, "ccip-rmn")
    for account in (STRANGER, stage.ccip.owner):
        assert "owner == by" in lever.refused(account)
        with refuses(OWNER_ONLY):
            sender(stage.ccip.anvil, account)(lever.calls())


@CURSES
def test_where_several_may_curse_each_of_them_is_let_and_nobody_else(modern: Stage, name: str) -> None:
    ccip, lever = modern.ccip, modern.curse(name)
    ccip.anvil.transact(ccip.owner, ccip.rmn, CALLERS, ([ccip.anvil.accounts[5]], []))
    assert not lever.ground.plan(name, ccip.anvil.accounts[5], **lever.args).satisfied
    assert "does not hold the role" in lever.refused(STRANGER)
    with refuses(NOT_CALLER, STRANGER):
        sender(ccip.anvil, STRANGER)(lever.calls())
    lever.pull()


@CURSES
def test_where_nobody_else_may_curse_only_the_owner_is_let(modern: Stage, name: str) -> None:
    ccip, lever = modern.ccip, modern.curse(name)
    ccip.anvil.transact(ccip.owner, ccip.rmn, CALLERS, ([], [modern.safe.address]))
    assert "does not hold the role" in lever.refused(modern.safe.address)
    assert not lever.ground.plan(name, ccip.owner, **lever.args).satisfied


def test_a_subject_that_is_no_chain_is_cursed_without_a_word(modern: Stage) -> None:
    shifted = LANE.to_bytes(8, "big") + bytes(8)
    modern.curse("curse_chain", subject=shifted).pull()
    modern.ccip.lock(AMOUNT)


def test_a_chain_counts_as_cursed_only_until_the_curse_of_everything_is_lifted(modern: Stage) -> None:
    everything, chain = modern.curse("curse_everything"), modern.curse("curse_chain")
    made = everything.pull()
    assert chain.is_satisfied()
    everything.undo(made)
    modern.ccip.lock(AMOUNT)
    assert not chain.is_satisfied()


def test_a_chain_that_was_cursed_by_itself_stays_so_when_everything_is_let_go(modern: Stage) -> None:
    modern.curse("curse_chain").pull()
    everything = modern.curse("curse_everything")
    everything.undo(everything.pull())
    assert (modern.ccip.is_cursed(GLOBAL), modern.ccip.is_cursed(subject_of(LANE))) == (False, True)
    with refuses(CURSED):
        modern.ccip.lock(AMOUNT)
