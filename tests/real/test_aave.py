"""Aave v3's own market, contained by a 2-of-3 Safe: what each lever stops, what it leaves, and how it misleads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest

from incident_cli.abi import parse_signature
from incident_cli.evm import Address, Call
from tests.contracts.aave import PRICE, USDC, WETH, Aave, build_aave
from tests.contracts.packages import Packages
from tests.contracts.refusals import refuses_saying
from tests.contracts.safes import Safe2of3, build_safe
from tests.fakes.anvil import Anvil, Refused

STRANGER = Address("0x00000000000000000000000000000000DeaDBeef")
PAUSE, FREEZE = "setReservePause(address asset, bool paused)", "setReserveFreeze(address asset, bool freeze)"
SUPPLY_CAP = "setSupplyCap(address asset, uint256 newSupplyCap)"
BORROW_CAP = "setBorrowCap(address asset, uint256 newBorrowCap)"
BORROWING, PAUSE_ALL = "setReserveBorrowing(address asset, bool enabled)", "setPoolPause(bool paused)"
NOT_EMERGENCY, NOT_POOL_OR_EMERGENCY, NOT_RISK_OR_POOL = "2", "3", "4"
FROZEN, PAUSED, BORROWING_OFF, BORROW_CAPPED, SUPPLY_CAPPED = "28", "29", "30", "50", "51"
NOT_LISTED, STABLE_BORROWING_ON, CAP_TOO_LARGE = "82", "88", "69"
LARGEST_CAP = 2**36 - 1
USES: Mapping[str, Callable[[Aave], object]] = {
    "supply": lambda aave: aave.supply(aave.lender, aave.usdc, USDC),
    "withdraw": lambda aave: aave.withdraw(aave.lender, aave.usdc, USDC),
    "borrow": lambda aave: aave.borrow(aave.borrower, aave.usdc, USDC),
    "repay": lambda aave: aave.repay(aave.borrower, aave.usdc, USDC),
    "supply elsewhere": lambda aave: aave.supply(aave.lender, aave.weth, WETH),
    "withdraw elsewhere": lambda aave: aave.withdraw(aave.borrower, aave.weth, WETH),
}


@dataclass(frozen=True, slots=True)
class Lever:
    """One function of the configurator on the USDC market: arguments, undo, whom it refuses, what it stops with what.

    `state` is whether the market is paused and frozen, and its caps, once the lever was pulled.
    """

    function: str
    pull: object
    undo: object
    stranger: str
    stops: Mapping[str, str]
    state: tuple[bool, bool, tuple[int, int]]
    whole_pool: bool = False

    def args(self, aave: Aave, value: object) -> tuple[object, ...]:
        """The arguments of the function."""
        return (value,) if self.whole_pool else (aave.usdc, value)


OWN = ("supply", "withdraw", "borrow", "repay")
LEVERS = {
    "pause": Lever(PAUSE, True, False, NOT_POOL_OR_EMERGENCY, dict.fromkeys(OWN, PAUSED), (True, False, (0, 0))),
    "pause the pool": Lever(
        PAUSE_ALL, True, False, NOT_EMERGENCY, dict.fromkeys(USES, PAUSED), (True, False, (0, 0)), whole_pool=True
    ),
    "freeze": Lever(FREEZE, True, False, NOT_RISK_OR_POOL, {"supply": FROZEN, "borrow": FROZEN}, (False, True, (0, 0))),
    "cap the supply": Lever(SUPPLY_CAP, 1, 0, NOT_RISK_OR_POOL, {"supply": SUPPLY_CAPPED}, (False, False, (0, 1))),
    "cap the debt": Lever(BORROW_CAP, 1, 0, NOT_RISK_OR_POOL, {"borrow": BORROW_CAPPED}, (False, False, (1, 0))),
    "stop borrowing": Lever(
        BORROWING, False, True, NOT_RISK_OR_POOL, {"borrow": BORROWING_OFF}, (False, False, (0, 0))
    ),
}
FOR_RISK_ADMINS = [name for name, lever in LEVERS.items() if lever.stranger == NOT_RISK_OR_POOL]
OPEN = (False, False, (0, 0))


@pytest.fixture(scope="module")
def stood_up(packages: Packages) -> Iterator[tuple[Aave, Safe2of3]]:
    """The market and its council, built once."""
    with Anvil(packages.anvil) as anvil:
        council = build_safe(anvil)
        yield build_aave(anvil, packages, council.address), council


@pytest.fixture
def aave(stood_up: tuple[Aave, Safe2of3]) -> Iterator[Aave]:
    """The market as it was built, for this test alone: the council is emergency admin and nothing else."""
    before = stood_up[0].anvil.snapshot()
    yield stood_up[0]
    stood_up[0].anvil.revert(before)


@pytest.fixture
def council(stood_up: tuple[Aave, Safe2of3]) -> Safe2of3:
    return stood_up[1]


def state(aave: Aave) -> tuple[bool, bool, tuple[object, ...]]:
    """Whether the USDC market is paused and frozen, and its caps."""
    return aave.paused(aave.usdc), aave.frozen(aave.usdc), aave.caps(aave.usdc)


def use_everything(aave: Aave, stops: Mapping[str, str] | None = None) -> None:
    """Each use of the market works, but for those in `stops`, which are refused with their error."""
    for name, use in USES.items():
        if stops and name in stops:
            with refuses_saying(stops[name]):
                use(aave)
        else:
            use(aave)


@pytest.mark.parametrize("name", LEVERS)
def test_a_lever_stops_what_it_says_and_no_more_until_it_is_undone(aave: Aave, council: Safe2of3, name: str) -> None:
    lever = LEVERS[name]
    aave.grant_risk_admin()
    use_everything(aave)
    council.execute(aave.configure(lever.function, *lever.args(aave, lever.pull)))
    assert state(aave) == lever.state
    use_everything(aave, lever.stops)
    council.execute(aave.configure(lever.function, *lever.args(aave, lever.undo)))
    assert state(aave) == OPEN
    use_everything(aave)


@pytest.mark.parametrize("name", LEVERS)
def test_a_stranger_is_refused_and_so_is_a_safe_of_the_same_owners(aave: Aave, name: str) -> None:
    lever = LEVERS[name]
    call = aave.configure(lever.function, *lever.args(aave, lever.pull))
    with refuses_saying(lever.stranger):
        aave.anvil.call(STRANGER, call)
    with refuses_saying(lever.stranger):
        build_safe(aave.anvil, number=1).execute(call)
    use_everything(aave)


@pytest.mark.parametrize("name", FOR_RISK_ADMINS)
def test_an_emergency_admin_alone_may_only_pause(aave: Aave, council: Safe2of3, name: str) -> None:
    lever = LEVERS[name]
    assert len(FOR_RISK_ADMINS) == len(LEVERS) - 2
    call = aave.configure(lever.function, *lever.args(aave, lever.pull))
    with refuses_saying(NOT_RISK_OR_POOL):
        council.execute(call)
    aave.grant_risk_admin()
    council.execute(call)
    assert state(aave) == lever.state


def test_the_pool_admin_pulls_every_lever_but_the_one_for_the_whole_pool(aave: Aave) -> None:
    for lever in LEVERS.values():
        call = aave.configure(lever.function, *lever.args(aave, lever.pull))
        if lever.whole_pool:
            with refuses_saying(NOT_EMERGENCY):
                aave.anvil.call(aave.governance, call)
        else:
            aave.anvil.call(aave.governance, call)
    assert state(aave) == (True, True, (1, 1))


def test_the_council_cannot_hand_itself_a_role(aave: Aave, council: Safe2of3) -> None:
    add = parse_signature("addRiskAdmin(address admin)")
    with pytest.raises(Refused, match=r"AccessControl: account 0x[0-9a-f]{40} is missing role 0x0{64}"):
        council.execute(Call(aave.acl_manager, add, (council.address,)))


def test_a_batch_that_lacks_one_role_pauses_nothing(aave: Aave, council: Safe2of3) -> None:
    calls = [aave.configure(PAUSE, aave.usdc, True), aave.configure(FREEZE, aave.usdc, True)]
    with refuses_saying(NOT_RISK_OR_POOL):
        council.execute(calls)
    assert state(aave) == OPEN
    aave.grant_risk_admin()
    council.execute(calls)
    assert state(aave) == (True, True, (0, 0))


def test_pausing_stops_liquidations_in_both_legs_and_freezing_does_not(aave: Aave, council: Safe2of3) -> None:
    aave.grant_risk_admin()
    aave.set_price(aave.weth, 500 * PRICE)
    for asset in aave.assets:
        council.execute(aave.configure(PAUSE, asset, True))
        with refuses_saying(PAUSED):
            aave.liquidate(1_000 * USDC)
        council.execute([aave.configure(PAUSE, asset, False), aave.configure(FREEZE, asset, True)])
    aave.liquidate(1_000 * USDC)


def test_a_cap_of_zero_is_no_cap(aave: Aave, council: Safe2of3) -> None:
    aave.grant_risk_admin()
    council.execute([aave.configure(SUPPLY_CAP, aave.usdc, 0), aave.configure(BORROW_CAP, aave.usdc, 0)])
    use_everything(aave)
    aave.supply(aave.lender, aave.usdc, 10**6 * USDC)


def test_the_smallest_cap_lets_one_whole_token_through(aave: Aave, council: Safe2of3) -> None:
    aave.grant_risk_admin()
    aave.supply(aave.lender, aave.weth, 10 * WETH)
    council.execute(aave.configure(BORROW_CAP, aave.weth, 1))
    with refuses_saying(BORROW_CAPPED):
        aave.borrow(aave.lender, aave.weth, WETH + 1)
    aave.borrow(aave.lender, aave.weth, WETH)
    with refuses_saying(BORROW_CAPPED):
        aave.borrow(aave.lender, aave.weth, 1)


def test_unpausing_the_pool_also_unpauses_what_was_paused_before_it(aave: Aave, council: Safe2of3) -> None:
    council.execute(aave.configure(PAUSE, aave.weth, True))
    council.execute(aave.configure(PAUSE_ALL, True))
    council.execute(aave.configure(PAUSE_ALL, False))
    assert not aave.paused(aave.weth), "the earlier pause of this market alone is gone"


def test_borrowing_cannot_be_stopped_while_stable_borrowing_is_on(aave: Aave, council: Safe2of3) -> None:
    aave.grant_risk_admin()
    stable = "setReserveStableRateBorrowing(address asset, bool enabled)"
    council.execute(aave.configure(stable, aave.usdc, True))
    with refuses_saying(STABLE_BORROWING_ON):
        council.execute(aave.configure(BORROWING, aave.usdc, False))
    council.execute([aave.configure(stable, aave.usdc, False), aave.configure(BORROWING, aave.usdc, False)])
    use_everything(aave, {"borrow": BORROWING_OFF})


def test_a_lever_pulled_twice_changes_nothing_and_is_not_refused(aave: Aave, council: Safe2of3) -> None:
    for _ in range(2):
        council.execute(aave.configure(PAUSE, aave.usdc, True))
    assert state(aave) == (True, False, (0, 0))


def test_an_asset_that_is_not_listed_is_refused(aave: Aave, council: Safe2of3) -> None:
    with refuses_saying(NOT_LISTED):
        council.execute(aave.configure(PAUSE, STRANGER, True))


def test_a_cap_is_whole_tokens_in_36_bits(aave: Aave, council: Safe2of3) -> None:
    aave.grant_risk_admin()
    council.execute(aave.configure(SUPPLY_CAP, aave.usdc, LARGEST_CAP))
    with refuses_saying(CAP_TOO_LARGE):
        council.execute(aave.configure(SUPPLY_CAP, aave.usdc, LARGEST_CAP + 1))
    assert aave.caps(aave.usdc) == (0, LARGEST_CAP)
