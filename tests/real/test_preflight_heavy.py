"""Preflight where the way back must be scheduled by somebody who may not, and where a step uses much gas."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from incident_cli.evm import Address
from incident_cli.flows.preflight.checklist import PreflightOrder, preflight
from incident_cli.flows.preflight.item import Item
from tests.contracts.openzeppelin import OpenZeppelin
from tests.contracts.packages import Packages
from tests.fakes.desk import FakeClock
from tests.real.containing import ETHER, STRANGER, Site, as_founded, refused
from tests.real.delaying import LOCKED, both_roads

RUNBOOK = """schema: incident/v1
id: pausing
title: The market must be stopped
meta: {owner: risk-oncall, severity: SEV1}
params: {market: {type: market}}
slots: {SLOT: {protocol: PROTOCOL}, council: {protocol: safe}, governance: {protocol: timelock}}
steps:
  - {id: contain, contain: {by: council, calls: [CALL]}, marks: contained}
  - {id: reopen, restore: contain, by: governance, marks: recovered}
"""
TIGHTEN = ("exchange", "guarded-market", '{lever: exchange.tighten, most: "5"}')
APPOINT = "appoint(address guardian)"
PAUSE_LATER = ("locked", "locked-market", '{lever: locked.pause, market: "{market}"}')


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, OpenZeppelin]]:
    """The chain with its time-lock, built once."""
    with both_roads(packages, tmp_path_factory.mktemp("built")) as found:
        yield found


@pytest.fixture
def place(built: tuple[Site, OpenZeppelin], tmp_path: Path) -> Iterator[tuple[Site, OpenZeppelin]]:
    """The chain as it was built, for this test alone."""
    with as_founded(built[0], tmp_path) as found:
        yield found, built[1]


def looked(place: tuple[Site, OpenZeppelin], wanted: tuple[str, str, str], proposer: Address) -> dict[str, Item]:
    """The items of a preflight with that time-lock and that proposer."""
    site, zeppelin = place
    site.anvil.transact(site.anvil.accounts[0], site.other, APPOINT, zeppelin.timelock)
    lock = f'timelock: "{zeppelin.timelock}", proposer: "{proposer}"'
    slots = f"  governance: {{chain: local, protocol: timelock, addresses: {{{lock}}}}}\n"
    slots += "  locked: {chain: local, protocol: locked-market, "
    slots += f'addresses: {{venue: "{site.other}", lock: "{zeppelin.timelock}"}}}}\n'
    return preflight_of(replace(site, slots=slots), wanted)


def preflight_of(site: Site, wanted: tuple[str, str, str]) -> dict[str, Item]:
    """The items, by id."""
    slot, protocol, call = wanted
    (site.folder / "protocols").mkdir(exist_ok=True)
    (site.folder / "protocols" / "locked-market.yaml").write_text(LOCKED)
    path = site.folder / "pausing.yaml"
    path.write_text(RUNBOOK.replace("SLOT", slot).replace("PROTOCOL", protocol).replace("CALL", call))
    order = PreflightOrder([path], site.deployment, ["ETH-USD"], {}, site.home)
    clock = FakeClock(datetime.fromtimestamp(site.anvil.now(), UTC))
    found = preflight(order, lambda name: None, clock, lambda words: contextlib.nullcontext())
    return {one.id: one for one in found.items}


def open_market(place: tuple[Site, OpenZeppelin], rounds: int = 0) -> tuple[Site, OpenZeppelin]:
    """The same with another market, whose limit anybody may set: it hashes so many times first."""
    from vyper.compiler import compile_code

    site, zeppelin = place
    guarded = "def set_limit(limit: uint256):\n    self._only_guardian()\n"
    spin = f"    h: bytes32 = empty(bytes32)\n    for i: uint256 in range({rounds}):\n        h = keccak256(h)\n"
    spin += "    self.at_risk = convert(h, uint256)\n"
    source = (Path(__file__).parents[1] / "contracts" / "guarded_market.vy").read_text()
    assert source.count(guarded) == 1
    edited = source.replace(guarded, guarded.partition("\n")[0] + "\n" + (spin if rounds else ""))
    creation = bytes.fromhex(compile_code(edited, output_formats=["bytecode"])["bytecode"][2:])
    market = site.anvil.deploy(creation)
    site.anvil.transact(site.anvil.accounts[0], market, APPOINT, site.council.address)
    return replace(site, market=market), zeppelin


@pytest.fixture(params=[TIGHTEN, PAUSE_LATER], ids=["at once", "later"])
def wanted(request: pytest.FixtureRequest) -> tuple[str, str, str]:
    """A lever that is pulled at once, and one that waits; the time-lock undoes both."""
    return request.param  # type: ignore[no-any-return]


def of(items: dict[str, Item], kind: str) -> Item:
    """The one item of a kind."""
    (found,) = (one for name, one in items.items() if name.startswith(f"{kind}:"))
    return found


def test_whoever_may_schedule_the_way_back_is_ready(
    place: tuple[Site, OpenZeppelin], wanted: tuple[str, str, str]
) -> None:
    found = of(looked(open_market(place), wanted, place[0].council.address), "undo")
    assert found.status == "ready", found


def test_a_time_lock_without_delay_schedules_too(place: tuple[Site, OpenZeppelin]) -> None:
    anvil, lock = place[0].anvil, place[1].timelock
    anvil.rpc("anvil_setBalance", lock, hex(ETHER))
    anvil.transact(lock, lock, "updateDelay(uint256 newDelay)", 0)
    found = of(looked(open_market(place), TIGHTEN, place[0].council.address), "undo")
    assert found.status == "ready", found


def test_a_proposer_without_the_role_is_not_ready(
    place: tuple[Site, OpenZeppelin], wanted: tuple[str, str, str]
) -> None:
    found = of(looked(open_market(place), wanted, STRANGER), "undo")
    assert found.status == "not-ready" and found.fix, found
    assert f"its proposer {STRANGER}, which needs PROPOSER_ROLE, fails" in found.detail


def test_a_time_lock_that_is_none_is_not_ready(place: tuple[Site, OpenZeppelin]) -> None:
    site, zeppelin = open_market(place)
    found = of(looked((site, replace(zeppelin, timelock=STRANGER)), TIGHTEN, site.council.address), "undo")
    assert found.status != "ready", found


def test_gas_is_reckoned_from_what_the_step_uses(place: tuple[Site, OpenZeppelin]) -> None:
    site, zeppelin = open_market(place, 40_000)
    items = looked((site, zeppelin), TIGHTEN, site.council.address)
    assert of(items, "simulate").status == "ready"
    needed = of(items, "gas").detail
    assert "in the simulation" in needed
    gas = int(needed.partition(" ETH are needed for ")[2].partition(" gas")[0])
    assert gas > 7_000_000, "twice what 40000 hashes cost"


def test_a_step_that_fits_into_no_transaction_is_not_ready_and_refused(place: tuple[Site, OpenZeppelin]) -> None:
    site, zeppelin = open_market(place, 200_000)
    found = of(looked((site, zeppelin), TIGHTEN, site.council.address), "simulate")
    assert found.status == "not-ready" and "EIP-7825" in found.detail, found
    assert "EIP-7825" in refused(site.begin(site.order("exchange.tighten", most="5")))
