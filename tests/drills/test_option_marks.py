"""The option marks: pushed by the keeper alone, served as pushed, quoted unless paused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from incident_cli.drills.accounts import Account
from incident_cli.drills.founding import PUSH_MARKS
from incident_cli.evm import Address
from tests.drills.bench import Chain, chain_of

ETH, DOGE = b"E" * 32, b"D" * 32
GRID = (ETH, [1_000, 2_000], [90, 100, 110])
MARKS = ((12, 7, 3, 14, 9, 5), (2, 7, 13, 4, 9, 15), (100, 101), (10**18, 10**18 - 1), (6, 5, 6, 6, 5, 2**80 - 1))
SURFACE = "surface(bytes32) returns (uint256[],uint256[],uint256[],uint256[],uint256[],uint256[],uint256[])"
QUOTE, PAUSE = "quote(bytes32,uint256,uint256,bool)", "setQuotingPaused(bytes32,bool)"


@dataclass
class Desk(Chain):
    keeper: Account
    guardian: Account
    governance: Account
    alice: Account
    marks: Address


@pytest.fixture(scope="module")
def built() -> Desk:
    chain, (deployer, keeper, guardian, governance, alice) = chain_of("deployer", "keeper", "guardian", "gov", "alice")
    roles = (keeper.address, guardian.address, governance.address)
    marks = chain.create(deployer, "option_marks", *roles, [GRID])
    return Desk(chain.engine, keeper, guardian, governance, alice, marks)


@pytest.fixture
def desk(built: Desk) -> Iterator[Desk]:
    mark = built.engine.snapshot()
    yield built
    built.engine.revert(mark)


def test_a_surface_is_served_as_it_was_pushed(desk: Desk) -> None:
    assert desk.refused(desk.alice, desk.marks, SURFACE, ETH) == "there are no marks yet"
    assert desk.refused(desk.alice, desk.marks, QUOTE, ETH, 0, 0, True) == "there are no marks yet"
    desk.done(desk.keeper, desk.marks, PUSH_MARKS, ETH, MARKS)
    calls, puts, forwards, discounts, ivs = MARKS
    found = desk.views(desk.marks, SURFACE, ETH)
    assert found == ((1_000, 2_000), (90, 100, 110), calls, puts, forwards, discounts, ivs)
    assert desk.number(desk.marks, "updatedAt(bytes32)", ETH) == desk.engine.head.timestamp
    assert desk.number(desk.marks, QUOTE, ETH, 1, 2, True) == 5
    assert desk.number(desk.marks, QUOTE, ETH, 1, 2, False) == 15
    assert "no such option" in desk.refused(desk.alice, desk.marks, QUOTE, ETH, 2, 0, True)
    assert "no such option" in desk.refused(desk.alice, desk.marks, QUOTE, ETH, 0, 3, True)


def test_only_the_keeper_pushes_and_only_what_fits(desk: Desk) -> None:
    at, keeper = desk.marks, desk.keeper
    calls, puts, forwards, discounts, ivs = MARKS
    assert "only the keeper" in desk.refused(desk.alice, at, PUSH_MARKS, ETH, MARKS)
    assert "not listed" in desk.refused(keeper, at, PUSH_MARKS, DOGE, MARKS)
    assert "not listed" in desk.refused(keeper, at, SURFACE, DOGE)
    assert "not listed" in desk.refused(keeper, at, QUOTE, DOGE, 0, 0, True)
    assert "a strike" in desk.refused(keeper, at, PUSH_MARKS, ETH, (calls[1:], puts, forwards, discounts, ivs))
    assert "an expiry" in desk.refused(keeper, at, PUSH_MARKS, ETH, (calls, puts, forwards[1:], discounts, ivs))
    beyond = (*ivs[:5], 2**80)
    assert "out of range" in desk.refused(keeper, at, PUSH_MARKS, ETH, (calls, puts, forwards, discounts, beyond))


def test_the_guardian_may_only_pause_quoting(desk: Desk) -> None:
    at, guardian = desk.marks, desk.guardian
    desk.done(desk.keeper, at, PUSH_MARKS, ETH, MARKS)
    assert "may only pause" in desk.refused(desk.alice, at, PAUSE, ETH, True)
    assert "not listed" in desk.refused(guardian, at, PAUSE, DOGE, True)
    assert "already" in desk.refused(desk.governance, at, PAUSE, ETH, False)
    desk.done(guardian, at, PAUSE, ETH, True)
    assert desk.refused(desk.alice, at, QUOTE, ETH, 0, 0, True) == "quoting is paused"
    desk.done(desk.keeper, at, PUSH_MARKS, ETH, MARKS)
    assert desk.views(at, SURFACE, ETH)[2] == MARKS[0]
    assert "already" in desk.refused(guardian, at, PAUSE, ETH, True)
    assert "may only pause" in desk.refused(guardian, at, PAUSE, ETH, False)
    desk.done(desk.governance, at, PAUSE, ETH, False)
    assert desk.number(at, QUOTE, ETH, 0, 0, True) == 12


def test_a_grid_is_listed_once_and_not_empty(desk: Desk) -> None:
    roles = (desk.keeper.address, desk.guardian.address, desk.governance.address)
    assert "listed twice" in desk.uncreatable(desk.alice, "option_marks", *roles, [GRID, GRID])
    assert "grid is empty" in desk.uncreatable(desk.alice, "option_marks", *roles, [(ETH, [], [1])])
