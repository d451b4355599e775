"""The levers of aave-v3.yaml on Aave v3's own market, pulled and undone by a 2-of-3 Safe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest

from incident_cli.errors import Refused
from incident_cli.evm import Address, Missing, to_hex
from incident_cli.levers.lever import Plan
from tests.contracts.aave import LENT, PRICE, USDC, WETH, Aave, build_aave
from tests.contracts.packages import Packages
from tests.contracts.refusals import refuses_saying
from tests.contracts.safes import Safe2of3, build_safe
from tests.fakes.anvil import Anvil
from tests.levers.driving import STRANGER, Ground

NOT_EMERGENCY, NOT_POOL_OR_EMERGENCY, NOT_RISK_OR_POOL = "2", "3", "4"
FROZEN, PAUSED, BORROWING_OFF, BORROW_CAPPED, SUPPLY_CAPPED = "28", "29", "30", "50", "51"
STABLE_BORROWING_ON, LARGEST_CAP = "88", 2**36 - 1
USES: Mapping[str, Callable[[Aave], object]] = {
    "supply": lambda aave: aave.supply(aave.lender, aave.usdc, USDC),
    "withdraw": lambda aave: aave.withdraw(aave.lender, aave.usdc, USDC),
    "borrow": lambda aave: aave.borrow(aave.borrower, aave.usdc, USDC),
    "repay": lambda aave: aave.repay(aave.borrower, aave.usdc, USDC),
    "supply elsewhere": lambda aave: aave.supply(aave.lender, aave.weth, WETH),
    "withdraw elsewhere": lambda aave: aave.withdraw(aave.borrower, aave.weth, WETH),
}
OWN = ("supply", "withdraw", "borrow", "repay")
ELSEWHERE = tuple(name for name in USES if name not in OWN)


@dataclass(frozen=True, slots=True)
class Case:
    """A lever on the USDC market: its arguments, what it stops with which error, and how a stranger is refused."""

    stops: Mapping[str, str]
    stranger: str
    args: Mapping[str, object]
    leaves_elsewhere: bool = True


CASES = {
    "pause_reserve": Case(dict.fromkeys(OWN, PAUSED), NOT_POOL_OR_EMERGENCY, {}),
    "pause_pool": Case(dict.fromkeys(USES, PAUSED), NOT_EMERGENCY, {}, leaves_elsewhere=False),
    "freeze_reserve": Case({"supply": FROZEN, "borrow": FROZEN}, NOT_RISK_OR_POOL, {}),
    "limit_supply": Case({"supply": SUPPLY_CAPPED}, NOT_RISK_OR_POOL, {"cap": 1_000}),
    "limit_borrow": Case({"borrow": BORROW_CAPPED}, NOT_RISK_OR_POOL, {"cap": 1_000}),
    "stop_borrowing": Case({"borrow": BORROWING_OFF}, NOT_RISK_OR_POOL, {}),
}
FOR_RISK_ADMINS = [name for name, case in CASES.items() if case.stranger == NOT_RISK_OR_POOL]


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


def ground_of(aave: Aave, asset: Address | None = None) -> Ground:
    """The protocol file on the market of an asset, else of USDC."""
    slots = {"provider": aave.provider, "asset": asset or aave.usdc}
    return Ground.of(aave.anvil.endpoint(), aave.anvil.chain_id, "aave-v3", slots)


@pytest.fixture
def ground(aave: Aave) -> Ground:
    return ground_of(aave)


def use_everything(aave: Aave, stops: Mapping[str, str] | None = None) -> None:
    """Each use of the market works, but for those in `stops`, which are refused with their error."""
    for name, use in USES.items():
        if stops and name in stops:
            with refuses_saying(stops[name]):
                use(aave)
        else:
            use(aave)


def govern(aave: Aave, signature: str, *args: object) -> None:
    """A call of the configurator by the pool admin."""
    aave.anvil.call(aave.governance, aave.configure(signature, *args))


def amounts(made: Plan) -> list[object]:
    """What the blast radius was measured at."""
    assert not any(isinstance(one.amount, Missing) for one in made.blast)
    return [one.amount for one in made.blast if one.label]


def test_every_lever_of_the_file_is_proven_here(ground: Ground) -> None:
    assert set(ground.slot.protocol.levers) == set(CASES)
    assert ground.slot.protocol.proof == "real"


def test_the_derived_slots_are_read_from_the_provider(aave: Aave, ground: Ground) -> None:
    derived = {name: ground.slot.addresses[name] for name in ground.slot.derived()}
    assert derived == {
        "pool": aave.pool,
        "configurator": aave.configurator,
        "acl_manager": aave.acl_manager,
        "data_provider": aave.data_provider,
    }


@pytest.mark.parametrize("name", CASES)
def test_a_lever_stops_what_it_says_until_it_is_undone(
    aave: Aave, council: Safe2of3, ground: Ground, name: str
) -> None:
    case = CASES[name]
    aave.grant_risk_admin()
    use_everything(aave)
    made = ground.pull(name, council.address, council.execute, **case.args)
    use_everything(aave, case.stops)
    ground.undo(made, council.execute)
    use_everything(aave, None if case.leaves_elsewhere else dict.fromkeys(ELSEWHERE, PAUSED))


@pytest.mark.parametrize("name", CASES)
def test_a_stranger_is_refused_by_the_file_and_by_the_contract(
    aave: Aave, council: Safe2of3, ground: Ground, name: str
) -> None:
    case, other = CASES[name], build_safe(aave.anvil, number=1)
    aave.grant_risk_admin()
    for account in (STRANGER, other.address):
        assert "does not hold the role" in ground.refuses(name, account, **case.args)
    made = ground.plan(name, council.address, **case.args)
    with refuses_saying(case.stranger):
        aave.anvil.call(STRANGER, made.call)
    with refuses_saying(case.stranger):
        other.execute(made.calls)
    use_everything(aave)


@pytest.mark.parametrize("name", FOR_RISK_ADMINS)
def test_an_emergency_admin_alone_may_only_pause(aave: Aave, council: Safe2of3, ground: Ground, name: str) -> None:
    args = CASES[name].args
    assert len(FOR_RISK_ADMINS) == len(CASES) - 2
    assert "does not hold the role" in ground.refuses(name, council.address, **args)
    made = ground.plan(name, aave.governance, **args)
    with refuses_saying(NOT_RISK_OR_POOL):
        council.execute(made.calls)


def test_a_pool_admin_may_pull_all_but_the_pause_of_the_pool(aave: Aave, council: Safe2of3, ground: Ground) -> None:
    for name, case in CASES.items():
        if name != "pause_pool":
            assert not ground.plan(name, aave.governance, **case.args).satisfied
    assert "emergency_admin does not hold" in ground.refuses("pause_pool", aave.governance)
    with refuses_saying(NOT_EMERGENCY):
        aave.anvil.call(aave.governance, ground.plan("pause_pool", council.address).call)


@pytest.mark.parametrize("name", CASES)
def test_a_lever_changes_no_contract_but_those_it_says(
    aave: Aave, council: Safe2of3, ground: Ground, name: str
) -> None:
    aave.grant_risk_admin()
    made = ground.plan(name, council.address, **CASES[name].args)
    call = {"from": council.address, "to": made.call.to, "data": to_hex(made.call.data)}
    tracer = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
    changed = aave.anvil.rpc("debug_traceCall", call, "latest", tracer)["post"]
    assert set(changed) - {council.address.lower()} == {aave.pool.lower()}
    assert aave.pool in made.writes


@pytest.mark.parametrize("name", [name for name in CASES if name != "pause_pool"])
def test_a_lever_that_was_pulled_is_dropped(aave: Aave, council: Safe2of3, ground: Ground, name: str) -> None:
    aave.grant_risk_admin()
    ground.pull(name, council.address, council.execute, **CASES[name].args)
    assert ground.plan(name, council.address, **CASES[name].args).satisfied
    assert not ground_of(aave, aave.weth).plan(name, council.address, **CASES[name].args).satisfied


def test_the_pause_of_the_pool_is_not_dropped_because_one_reserve_is_paused(
    aave: Aave, council: Safe2of3, ground: Ground
) -> None:
    ground.pull("pause_reserve", council.address, council.execute)
    again = ground.plan("pause_pool", council.address)
    assert not again.satisfied
    council.execute(again.calls)
    assert aave.paused(aave.weth)


def test_the_blast_radius_is_measured(aave: Aave, council: Safe2of3, ground: Ground) -> None:
    supplied, debt = amounts(ground.plan("pause_reserve", council.address))
    assert isinstance(supplied, int)
    assert isinstance(debt, int)
    assert supplied >= LENT
    (exact,) = aave.anvil.view(aave.data_provider, "getTotalDebt(address asset) view returns (uint256 owed)", aave.usdc)
    assert debt == exact
    assert amounts(ground.plan("pause_pool", council.address))[0] == aave.assets


def test_pausing_stops_liquidations_and_who_fell_meanwhile_is_liquidated_when_it_reopens(
    aave: Aave, council: Safe2of3, ground: Ground
) -> None:
    made = ground.pull("pause_reserve", council.address, council.execute)
    aave.set_price(aave.weth, 500 * PRICE)
    with refuses_saying(PAUSED):
        aave.liquidate(1_000 * USDC)
    with refuses_saying(PAUSED):
        aave.repay(aave.borrower, aave.usdc, USDC)
    ground.undo(made, council.execute)
    aave.liquidate(1_000 * USDC)


def test_freezing_lets_people_out_and_liquidations_go_on(aave: Aave, council: Safe2of3, ground: Ground) -> None:
    aave.grant_risk_admin()
    ground.pull("freeze_reserve", council.address, council.execute)
    aave.withdraw(aave.lender, aave.usdc, 500_000 * USDC)
    aave.set_price(aave.weth, 500 * PRICE)
    aave.liquidate(1_000 * USDC)


def test_the_undo_of_the_pools_pause_keeps_what_was_paused_before(
    aave: Aave, council: Safe2of3, ground: Ground
) -> None:
    elsewhere = ground_of(aave, aave.weth)
    earlier = elsewhere.pull("pause_reserve", council.address, council.execute)
    made = ground.pull("pause_pool", council.address, council.execute)
    ground.undo(made, council.execute)
    use_everything(aave, dict.fromkeys(ELSEWHERE, PAUSED))
    elsewhere.undo(earlier, council.execute)
    use_everything(aave)


def test_unpausing_the_whole_pool_would_clear_what_was_paused_before(
    aave: Aave, council: Safe2of3, ground: Ground
) -> None:
    ground_of(aave, aave.weth).pull("pause_reserve", council.address, council.execute)
    ground.pull("pause_pool", council.address, council.execute)
    council.execute(aave.configure("setPoolPause(bool paused)", False))
    assert not aave.paused(aave.weth), "the trap that the file's undo avoids"


@pytest.mark.parametrize(("lever", "place"), [("limit_borrow", 0), ("limit_supply", 1)])
@pytest.mark.parametrize(
    ("before", "asked", "wanted"),
    [
        (0, 2_000_000, 2_000_000),
        (0, 0, 1),
        (0, -5, 1),
        (0, LARGEST_CAP + 7, LARGEST_CAP),
        (3_000_000, 2_000_000, 2_000_000),
        (LARGEST_CAP, LARGEST_CAP - 1, LARGEST_CAP - 1),
        (3_000_000, 0, 1),
    ],
)
def test_a_cap_is_only_ever_tightened(
    aave: Aave, council: Safe2of3, ground: Ground, lever: str, place: int, before: int, asked: int, wanted: int
) -> None:
    aave.grant_risk_admin()
    set_caps(aave, before)
    made = ground.pull(lever, council.address, council.execute, cap=asked)
    assert aave.caps(aave.usdc)[place] == wanted
    assert aave.caps(aave.usdc)[1 - place] == before
    ground.undo(made, council.execute)
    assert aave.caps(aave.usdc) == (before, before)


@pytest.mark.parametrize("lever", ["limit_borrow", "limit_supply"])
@pytest.mark.parametrize(("before", "asked"), [(5, 10), (10, 10), (1, 0), (LARGEST_CAP, LARGEST_CAP)])
def test_a_cap_that_is_as_tight_already_is_dropped_and_its_call_would_not_loosen_it(
    aave: Aave, council: Safe2of3, ground: Ground, lever: str, before: int, asked: int
) -> None:
    aave.grant_risk_admin()
    set_caps(aave, before)
    made = ground.plan(lever, council.address, cap=asked)
    assert made.satisfied
    council.execute(made.calls)
    assert aave.caps(aave.usdc) == (before, before)


def set_caps(aave: Aave, cap: int) -> None:
    """Both caps of USDC, by governance."""
    govern(aave, "setSupplyCap(address asset, uint256 newSupplyCap)", aave.usdc, cap)
    govern(aave, "setBorrowCap(address asset, uint256 newBorrowCap)", aave.usdc, cap)


def test_a_raw_cap_of_zero_is_no_cap_and_the_levers_zero_lets_one_whole_token_through(
    aave: Aave, council: Safe2of3
) -> None:
    weth = ground_of(aave, aave.weth)
    aave.grant_risk_admin()
    aave.supply(aave.lender, aave.weth, 10 * WETH)
    council.execute(aave.configure("setBorrowCap(address asset, uint256 newBorrowCap)", aave.weth, 0))
    aave.borrow(aave.lender, aave.weth, 2 * WETH)
    aave.repay(aave.lender, aave.weth, 3 * WETH)
    weth.pull("limit_borrow", council.address, council.execute, cap=0)
    with refuses_saying(BORROW_CAPPED):
        aave.borrow(aave.lender, aave.weth, WETH + 1)
    aave.borrow(aave.lender, aave.weth, WETH)


def test_stable_loans_are_turned_off_before_borrowing_and_stay_off(
    aave: Aave, council: Safe2of3, ground: Ground
) -> None:
    aave.grant_risk_admin()
    govern(aave, "setReserveStableRateBorrowing(address asset, bool enabled)", aave.usdc, True)
    with refuses_saying(STABLE_BORROWING_ON):
        council.execute(ground.plan("stop_borrowing", council.address).call)
    made = ground.pull("stop_borrowing", council.address, council.execute)
    assert [one.signature.canonical for one in made.calls] == [
        "setReserveStableRateBorrowing(address,bool)",
        "setReserveBorrowing(address,bool)",
    ]
    ground.undo(made, council.execute)
    use_everything(aave)
    assert len(ground.plan("stop_borrowing", council.address).calls) == 1, "stable loans are off still"


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    ("entry", "slot"),
    [("POOL_CONFIGURATOR", "configurator"), ("ACL_MANAGER", "acl_manager"), ("DATA_PROVIDER", "data_provider")],
)
def test_a_provider_that_points_elsewhere_since_is_refused(
    aave: Aave, council: Safe2of3, ground: Ground, name: str, entry: str, slot: str
) -> None:
    aave.grant_risk_admin()
    word = entry.encode().ljust(32, b"\0")
    aave.anvil.transact(aave.governance, aave.provider, "setAddress(bytes32 id, address newAddress)", word, aave.oracle)
    with pytest.raises(Refused, match=f"{slot} is {aave.oracle} on chain now") as caught:
        ground.plan(name, council.address, **CASES[name].args)
    assert "rewired" in caught.value.hint


def test_the_undo_is_not_made_where_somebody_reopened_the_reserve_meanwhile(
    aave: Aave, council: Safe2of3, ground: Ground
) -> None:
    made = ground.pull("pause_reserve", council.address, council.execute)
    govern(aave, "setReservePause(address asset, bool paused)", aave.usdc, False)
    assert made.undo is not None
    assert len(ground.unmet(made.undo.only_if)) == 1


def test_the_files_events_are_those_the_market_logs(aave: Aave, council: Safe2of3, ground: Ground) -> None:
    aave.grant_risk_admin()
    receipts = [aave.withdraw(aave.lender, aave.usdc, USDC), aave.borrow(aave.borrower, aave.usdc, USDC)]
    aave.set_price(aave.weth, 500 * PRICE)
    receipts += [
        aave.liquidate(1_000 * USDC),
        council.execute(ground.plan("pause_reserve", council.address).calls),
        council.execute(ground.plan("freeze_reserve", council.address).calls),
    ]
    logged = {(log["address"], log["topics"][0]) for receipt in receipts for log in receipt["logs"]}
    declared = ground.slot.protocol.events
    assert len(declared) == 5
    for name, one in declared.items():
        assert (ground.slot.addresses[one.on].lower(), one.event.topic) in logged, name
