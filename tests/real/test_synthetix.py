"""Synthetix v2's own SystemStatus: what a suspension stops, who may suspend, and that resuming is another's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contracts.packages import Packages
from tests.contracts.refusals import refuses_saying
from tests.contracts.synthetix import MARKET, SECTIONS, SUSPENSIONS, SYNTH, UPGRADE, Synthetix, build_synthetix, key
from tests.fakes.anvil import Anvil

REASON = 80
NOT_LISTED = "Restricted to access control list"
EACH = pytest.mark.parametrize("name", SUSPENSIONS)
ACCESS = "accessControl(bytes32 section, address account) returns (bool canSuspend, bool canResume)"
OTHERS_STOPPED = {
    "system": set(SUSPENSIONS),
    "issuance": {"issuance"},
    "exchange": {"exchange", "futures", "futures market"},
    "futures": {"futures", "futures market"},
    "synth": {"synth"},
    "synth exchange": {"synth exchange"},
    "futures market": {"futures market"},
}


@pytest.fixture(scope="module")
def built(packages: Packages) -> Iterator[Synthetix]:
    """SystemStatus, deployed once; the council is an account of the node."""
    with Anvil(packages.anvil) as anvil:
        yield build_synthetix(anvil, packages, anvil.accounts[1])


@pytest.fixture
def synthetix(built: Synthetix) -> Iterator[Synthetix]:
    """SystemStatus as it was built, for this test alone."""
    before = built.anvil.snapshot()
    yield built
    built.anvil.revert(before)


@EACH
def test_suspended_it_refuses_what_it_protects_until_resumed(synthetix: Synthetix, name: str) -> None:
    what = SUSPENSIONS[name]
    synthetix.require(what)
    assert synthetix.state(what) == (False, 0)
    synthetix.suspend(synthetix.council, what, REASON)
    assert synthetix.state(what) == (True, REASON)
    with refuses_saying(what.refusal):
        synthetix.require(what)
    synthetix.resume(synthetix.resumer, what)
    assert synthetix.state(what) == (False, 0)
    synthetix.require(what)


@EACH
def test_who_may_suspend_may_not_resume_and_the_other_way_round(synthetix: Synthetix, name: str) -> None:
    what = SUSPENSIONS[name]
    with refuses_saying(NOT_LISTED):
        synthetix.suspend(synthetix.resumer, what, REASON)
    synthetix.suspend(synthetix.council, what, REASON)
    with refuses_saying(NOT_LISTED):
        synthetix.resume(synthetix.council, what)
    assert synthetix.state(what) == (True, REASON)


@EACH
def test_a_stranger_and_even_the_owner_are_refused(synthetix: Synthetix, name: str) -> None:
    what = SUSPENSIONS[name]
    for sender in (synthetix.anvil.accounts[9], synthetix.owner):
        with refuses_saying(NOT_LISTED):
            synthetix.suspend(sender, what, REASON)
        with refuses_saying(NOT_LISTED):
            synthetix.resume(sender, what)
    synthetix.require(what)


@EACH
def test_how_far_each_suspension_reaches(synthetix: Synthetix, name: str) -> None:
    synthetix.suspend(synthetix.council, SUSPENSIONS[name], REASON)
    for other, what in SUSPENSIONS.items():
        if other not in OTHERS_STOPPED[name]:
            synthetix.require(what)
            continue
        with refuses_saying(SUSPENSIONS[name].refusal):
            synthetix.require(what)


@pytest.mark.parametrize("name", ["system", "exchange", "synth", "synth exchange"])
def test_one_side_of_an_exchange_is_enough_to_stop_it(synthetix: Synthetix, name: str) -> None:
    synthetix.exchange(SYNTH, key("sUSD"))
    synthetix.suspend(synthetix.council, SUSPENSIONS[name], REASON)
    for source, destination in ((SYNTH, key("sUSD")), (key("sUSD"), SYNTH)):
        with refuses_saying(SUSPENSIONS[name].refusal):
            synthetix.exchange(source, destination)


def test_another_synth_and_another_market_go_on(synthetix: Synthetix) -> None:
    for name in ("synth", "synth exchange", "futures market"):
        synthetix.suspend(synthetix.council, SUSPENSIONS[name], REASON)
    synthetix.exchange(key("sBTC"), key("sUSD"))
    synthetix.anvil.view(synthetix.status, "requireFuturesMarketActive(bytes32 marketKey) returns ()", key("sBTCPERP"))


def test_the_system_stops_a_synth_whose_own_flag_is_clear(synthetix: Synthetix) -> None:
    synthetix.suspend(synthetix.council, SUSPENSIONS["system"], REASON)
    assert synthetix.state(SUSPENSIONS["synth"]) == (False, 0)
    suspended = "synthSuspended(bytes32 currencyKey) returns (bool)"
    assert synthetix.anvil.view(synthetix.status, suspended, SYNTH) == (True,)
    assert synthetix.anvil.view(synthetix.status, "systemSuspended() returns (bool)") == (True,)


def test_suspending_again_overwrites_the_reason_and_resuming_twice_is_accepted(synthetix: Synthetix) -> None:
    what = SUSPENSIONS["system"]
    upgrading = "isSystemUpgrading() returns (bool)"
    synthetix.suspend(synthetix.council, what, UPGRADE)
    assert synthetix.anvil.view(synthetix.status, upgrading) == (True,)
    with refuses_saying("Synthetix is suspended, upgrade in progress... please stand by"):
        synthetix.require(what)
    synthetix.suspend(synthetix.council, what, REASON)
    assert synthetix.state(what) == (True, REASON)
    assert synthetix.anvil.view(synthetix.status, upgrading) == (False,)
    for _ in range(2):
        synthetix.resume(synthetix.resumer, what)
        assert synthetix.state(what) == (False, 0)


@EACH
def test_a_reason_keeps_its_low_248_bits_without_a_word(synthetix: Synthetix, name: str) -> None:
    what = SUSPENSIONS[name]
    synthetix.suspend(synthetix.council, what, 2**248 + REASON)
    assert synthetix.state(what) == (True, REASON)


def test_several_keys_are_suspended_in_one_call(synthetix: Synthetix) -> None:
    markets = [MARKET, key("sBTCPERP")]
    signature = "suspendFuturesMarkets(bytes32[] marketKeys, uint256 reason)"
    synthetix.anvil.transact(synthetix.council, synthetix.status, signature, markets, REASON)
    view = "getFuturesMarketSuspensions(bytes32[] marketKeys) returns (bool[] suspensions, uint256[] reasons)"
    found = synthetix.anvil.view(synthetix.status, view, [*markets, key("other")])
    assert found == ((True, True, False), (REASON, REASON, 0))


def test_permissions_are_read_from_the_list_and_written_by_the_owner_alone(synthetix: Synthetix) -> None:
    for section in SECTIONS:
        for account, flags in ((synthetix.council, (True, False)), (synthetix.resumer, (False, True))):
            assert synthetix.anvil.view(synthetix.status, ACCESS, key(section), account) == flags
    update = "updateAccessControl(bytes32 section, address account, bool canSuspend, bool canResume)"
    with refuses_saying("Only the contract owner may perform this action"):
        synthetix.anvil.transact(
            synthetix.council, synthetix.status, update, key("System"), synthetix.council, True, True
        )
    with refuses_saying("Invalid section supplied"):
        synthetix.permit("Everything", synthetix.council, suspend=True, resume=True)
    synthetix.permit("System", synthetix.council, suspend=False, resume=True)
    with refuses_saying(NOT_LISTED):
        synthetix.suspend(synthetix.council, SUSPENSIONS["system"], REASON)


def test_the_owner_changes_only_when_the_nominee_accepts(synthetix: Synthetix) -> None:
    nominee, owner = synthetix.anvil.accounts[5], "owner() returns (address)"
    synthetix.anvil.transact(synthetix.owner, synthetix.status, "nominateNewOwner(address owner)", nominee)
    assert synthetix.anvil.view(synthetix.status, owner) == (synthetix.owner,)
    assert synthetix.anvil.view(synthetix.status, "nominatedOwner() returns (address)") == (nominee,)
    with refuses_saying("You must be nominated before you can accept ownership"):
        synthetix.anvil.transact(synthetix.council, synthetix.status, "acceptOwnership()")
    synthetix.anvil.transact(nominee, synthetix.status, "acceptOwnership()")
    assert synthetix.anvil.view(synthetix.status, owner) == (nominee,)
    with refuses_saying("Only the contract owner may perform this action"):
        synthetix.permit("System", synthetix.council, suspend=True, resume=True)
