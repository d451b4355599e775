"""The levers of synthetix-v2.yaml on Synthetix's own SystemStatus: a 2-of-3 Safe suspends, another account resumes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from incident_cli.protocols.slot import Market
from tests.contracts.packages import Packages
from tests.contracts.refusals import refuses_saying
from tests.contracts.safes import Safe2of3
from tests.contracts.synthetix import (
    DEPLOYMENT,
    MARKET,
    SECTIONS,
    SUSPENSIONS,
    SYNTH,
    UPGRADE,
    Synthetix,
    build_synthetix,
    key,
)
from tests.fakes.anvil import Anvil
from tests.levers.driving import STRANGER, Ground
from tests.real.pulling import Lever, council_on, foreign, sender, shipped

REASON = 80
NOT_LISTED = "Restricted to access control list"
MARKETS = {SYNTH: Market("sETH", SYNTH), MARKET: Market("sETHPERP", MARKET)}
LEVERS = {f"suspend_{name.replace(' ', '_')}": what for name, what in SUSPENSIONS.items()}
EACH = pytest.mark.parametrize("name", LEVERS)


@dataclass(frozen=True, slots=True)
class Stage:
    """SystemStatus, and the Safe that may suspend but not resume."""

    synthetix: Synthetix
    safe: Safe2of3

    def lever(self, name: str, reason: int = REASON, market: Market | None = None) -> Lever:
        """A lever; where it takes a market, the usual one unless another is given."""
        anvil = self.synthetix.anvil
        ground = Ground.of(anvil.endpoint(), anvil.chain_id, "synthetix-v2", {"status": self.synthetix.status})
        args: dict[str, object] = {"reason": reason}
        for one in LEVERS[name].keys:
            args["market"] = market or MARKETS[one]
        return Lever(ground, name, self.safe, args, self.synthetix.resumer)


@pytest.fixture(scope="module")
def built(packages: Packages) -> Iterator[Stage]:
    """SystemStatus, deployed once."""
    with Anvil(packages.anvil) as anvil:
        safe = council_on(anvil)
        yield Stage(build_synthetix(anvil, packages, safe.address), safe)


@pytest.fixture
def stage(built: Stage) -> Iterator[Stage]:
    """SystemStatus as it was built, for this test alone."""
    before = built.synthetix.anvil.snapshot()
    yield built
    built.synthetix.anvil.revert(before)


def test_every_suspension_has_its_lever_and_every_signature_is_the_contracts_own(packages: Packages) -> None:
    abi = json.loads(packages.path(DEPLOYMENT).read_text("utf-8"))["sources"]["SystemStatus"]["abi"]
    protocol = shipped("synthetix-v2")
    assert set(protocol.levers) == set(LEVERS)
    assert foreign(protocol, abi) == []


@EACH
def test_what_it_protects_goes_on_until_it_is_suspended_and_again_when_resumed(stage: Stage, name: str) -> None:
    synthetix, lever, what = stage.synthetix, stage.lever(name), LEVERS[name]
    synthetix.require(what)
    made = lever.pull()
    assert made.undo is not None
    assert made.undo.by == "resumer"
    with refuses_saying(what.refusal):
        synthetix.require(what)
    assert lever.is_satisfied()
    with refuses_saying(NOT_LISTED):
        lever.ground.undo(made, stage.safe.execute)
    lever.undo(made)
    synthetix.require(what)


@EACH
def test_only_whose_section_allows_it_may_suspend(stage: Stage, name: str) -> None:
    synthetix, lever = stage.synthetix, stage.lever(name)
    for account in (STRANGER, synthetix.owner, synthetix.resumer):
        assert "may_suspend" in lever.refused(account)
        with refuses_saying(NOT_LISTED):
            sender(synthetix.anvil, account)(lever.calls())
    for section in SECTIONS:
        synthetix.permit(section, stage.safe.address, suspend=section != LEVERS[name].section, resume=True)
    assert "may_suspend" in lever.refused(stage.safe.address)
    synthetix.require(LEVERS[name])


@EACH
def test_what_is_suspended_keeps_its_reason(stage: Stage, name: str) -> None:
    stage.synthetix.suspend(stage.safe.address, LEVERS[name], 7)
    assert stage.lever(name).is_satisfied()
    assert stage.synthetix.state(LEVERS[name]) == (True, 7)


@EACH
def test_a_reason_beyond_248_bits_would_be_cut_off_and_is_refused(stage: Stage, name: str) -> None:
    lever = stage.lever(name, 2**248 + REASON)
    assert "do not fit (uint248)" in lever.ground.refuses(name, lever.by, **lever.args)


@pytest.mark.parametrize("name", [name for name, what in LEVERS.items() if what.keys])
def test_a_key_that_does_not_exist_is_suspended_without_a_word(stage: Stage, name: str) -> None:
    stage.lever(name, market=Market("sEHT", key("sEHT"))).pull()
    assert not stage.lever(name).is_satisfied()
    stage.synthetix.require(LEVERS[name])


def test_the_reason_of_an_upgrade_tells_users_to_stand_by(stage: Stage) -> None:
    stage.lever("suspend_system", UPGRADE).pull()
    with refuses_saying("Synthetix is suspended, upgrade in progress... please stand by"):
        stage.synthetix.require(LEVERS["suspend_system"])


def test_the_system_stops_a_synth_whose_own_flag_is_clear(stage: Stage) -> None:
    stage.lever("suspend_system").pull()
    assert not stage.lever("suspend_synth").is_satisfied()
    with refuses_saying(LEVERS["suspend_system"].refusal):
        stage.synthetix.require(LEVERS["suspend_synth"])


def test_stopping_exchanges_stops_the_futures_whose_own_flag_is_clear(stage: Stage) -> None:
    stage.lever("suspend_exchange").pull()
    for name in ("suspend_futures", "suspend_futures_market"):
        assert not stage.lever(name).is_satisfied()
        with refuses_saying(LEVERS["suspend_exchange"].refusal):
            stage.synthetix.require(LEVERS[name])
    stage.synthetix.require(LEVERS["suspend_synth"])


def test_stopping_issuance_lets_exchanges_go_on(stage: Stage) -> None:
    stage.lever("suspend_issuance").pull()
    stage.synthetix.exchange(SYNTH, key("sUSD"))


@pytest.mark.parametrize("name", ["suspend_synth", "suspend_synth_exchange"])
def test_one_suspended_side_stops_an_exchange_both_ways_and_others_go_on(stage: Stage, name: str) -> None:
    stage.lever(name).pull()
    for pair in ((SYNTH, key("sUSD")), (key("sUSD"), SYNTH)):
        with refuses_saying(LEVERS[name].refusal):
            stage.synthetix.exchange(*pair)
    stage.synthetix.exchange(key("sBTC"), key("sUSD"))
    if name == "suspend_synth_exchange":
        stage.synthetix.require(LEVERS["suspend_synth"])


def test_who_may_suspend_one_futures_market_may_suspend_them_all(stage: Stage) -> None:
    for section in SECTIONS:
        stage.synthetix.permit(section, stage.safe.address, suspend=section == "Futures", resume=False)
    stage.lever("suspend_futures_market").pull()
    stage.lever("suspend_futures").pull()
