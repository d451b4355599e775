"""Upgrades through every kind of proxy since it was pinned: `pin`, containing and preflight each see them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from incident_cli.errors import Refused
from incident_cli.evm import Address, checksummed, keccak
from incident_cli.flows.init_reading import read_ground
from incident_cli.flows.pinning.look import look
from incident_cli.flows.preflight.checklist import PreflightOrder, preflight
from incident_cli.runbook.deployment import load_deployment
from incident_cli.runbook.first_deployment import Where
from tests.contracts.openzeppelin import BUILD
from tests.contracts.packages import Packages
from tests.contracts.solidity import artifact
from tests.fakes.desk import FakeClock, Scripted
from tests.real.containing import Site, as_founded, founded, refused, waits

ZOS = int.from_bytes(keccak(b"org.zeppelinos.proxy.implementation"))
PROXIABLE = int.from_bytes(keccak(b"PROXIABLE"))
EIP1967 = int.from_bytes(keccak(b"eip1967.proxy.implementation")) - 1
BEACON = int.from_bytes(keccak(b"eip1967.proxy.beacon")) - 1
PROXY = checksummed("0x" + "77" * 20)
STOP = Scripted({"contain": ["stop"]})
RUNBOOK = """schema: incident/v1
id: pausing
title: The market must be stopped
meta: {owner: risk-oncall, severity: SEV1}
params: {market: {type: market}}
slots: {exchange: {protocol: guarded-market}, council: {protocol: safe}}
steps:
  - {id: contain, contain: {by: council, calls: [{lever: exchange.pause, market: "{market}"}]}, marks: contained}
"""


@dataclass(frozen=True)
class Behind:
    """A site whose market runs behind a proxy, and what puts other code behind it."""

    site: Site
    upgrade: Callable[[Address], None]


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The chain, built once."""
    with founded(packages, tmp_path_factory.mktemp("built")) as found:
        yield found


@pytest.fixture
def site(built: Site, tmp_path: Path) -> Iterator[Site]:
    """The chain as it was built, and an empty place, for this test alone."""
    with as_founded(built, tmp_path) as found:
        yield found


def and_more(site: Site) -> Address:
    """A contract that does the same as the market, by other code."""
    other = checksummed("0x" + "88" * 20)
    code = site.anvil.rpc("eth_getCode", site.market, "latest")
    site.anvil.set_code(other, bytes.fromhex(code[2:]) + b"\x00")
    return other


def store(site: Site, position: int, to: Address) -> None:
    """An address into a position of the proxy."""
    site.anvil.rpc("anvil_setStorageAt", PROXY, hex(position), "0x" + to[2:].lower().rjust(64, "0"))


def delegating(position: int) -> bytes:
    """The code of a proxy that runs what stands at a position."""
    return bytes.fromhex(f"363d3d373d3d3d363d7f{position:064x}545af43d82803e903d91603857fd5bf3")


def asking(position: int) -> bytes:
    """The code of a proxy that asks the beacon at a position what to run."""
    ask = f"635c60da1b60e01b60005260206000600460007f{position:064x}545afa50"
    run = "600051" + "3660006000376000600036600084" + "5af4" + "3d600060003e"
    head = bytes.fromhex(ask + run)
    return head + bytes.fromhex(f"60{len(head) + 7:02x}573d6000fd5b3d6000f3")


def appointed(site: Site, market: Address) -> Site:
    """The Safe guards it there, and every address is pinned as it stands."""
    site.anvil.transact(site.anvil.accounts[0], market, "appoint(address guardian)", site.council.address)
    return pinned(replace(site, market=market))


def pinned(site: Site) -> Site:
    """The site with `incident pin`'s own pins."""
    path = site.deployment
    look(path, lambda name: None).write()
    return replace(site, extra=path.read_text()[path.read_text().index("pins:") :])


def by_position(position: int) -> Callable[[Site, Packages], Behind]:
    """A proxy that keeps what it runs at a position."""

    def build(site: Site, packages: Packages) -> Behind:
        site.anvil.set_code(PROXY, delegating(position))
        store(site, position, site.market)
        return Behind(appointed(site, PROXY), lambda to: store(site, position, to))

    return build


def beacon_at(site: Site, packages: Packages, runs: Address) -> Address:
    """OpenZeppelin's own beacon."""
    made = artifact(packages, f"{BUILD}/UpgradeableBeacon.json")
    return site.anvil.deploy(made.creation, made.constructor, (runs, site.anvil.accounts[0]))


def by_beacon(site: Site, packages: Packages) -> Behind:
    """OpenZeppelin's own beacon and its proxy."""
    made = artifact(packages, f"{BUILD}/BeaconProxy.json")
    beacon = beacon_at(site, packages, site.market)
    proxy = site.anvil.deploy(made.creation, made.constructor, (beacon, b""))

    def upgrade(to: Address) -> None:
        site.anvil.transact(site.anvil.accounts[0], beacon, "upgradeTo(address newImplementation)", to)

    return Behind(appointed(site, proxy), upgrade)


def by_another_beacon(site: Site, packages: Packages) -> Behind:
    """A proxy that is pointed to another beacon, which runs the same for now."""
    beacon = beacon_at(site, packages, site.market)
    site.anvil.set_code(PROXY, asking(BEACON))
    store(site, BEACON, beacon)
    other = beacon_at(site, packages, site.market)
    return Behind(appointed(site, PROXY), lambda to: store(site, BEACON, other))


def under_a_decoy(site: Site, packages: Packages) -> Behind:
    """A proxy of the old kind, upgraded by what leaves the old address where EIP-1967 would have it."""
    behind = by_position(ZOS)(site, packages)
    before = site.market

    def upgrade(to: Address) -> None:
        behind.upgrade(to)
        store(site, EIP1967, before)

    return replace(behind, upgrade=upgrade)


KINDS = {
    "EIP-1967": by_position(EIP1967),
    "zeppelinos": by_position(ZOS),
    "EIP-1822": by_position(PROXIABLE),
    "beacon": by_beacon,
    "another beacon": by_another_beacon,
    "decoy": under_a_decoy,
}


def states(site: Site) -> dict[str, str]:
    """What `incident pin` says of each."""
    return {one.pin.name: one.state for one in look(site.deployment, lambda name: None).pins}


def preflight_of(site: Site) -> dict[str, str]:
    """The details of the items that are not ready, by id."""
    path = site.folder / "pausing.yaml"
    path.write_text(RUNBOOK)
    order = PreflightOrder([path], site.deployment, ["ETH-USD"], {}, site.home)
    clock = FakeClock(datetime.fromtimestamp(site.anvil.now(), UTC))
    found = preflight(order, lambda name: None, clock, lambda words: contextlib.nullcontext())
    return {one.id: one.detail for one in found.items if one.status != "ready"}


@pytest.mark.parametrize("build", KINDS.values(), ids=KINDS)
def test_an_upgrade_through_any_kind_of_proxy_is_seen_by_all(
    site: Site, packages: Packages, build: Callable[[Site, Packages], Behind]
) -> None:
    behind = build(site, packages)
    here = behind.site
    pin = next(one for one in load_deployment(here.deployment)[0].pins if one.address == here.market)
    assert pin.implementation == site.market and pin.implementation_codehash is not None
    assert set(states(here).values()) == {"same"}
    assert f"pin:{pin.name}" not in preflight_of(here)
    waits(here.begin())
    behind.upgrade(and_more(site))
    assert states(here)[pin.name] == "changed"
    assert "upgraded" in (said := preflight_of(here)[f"pin:{pin.name}"]) or "behind" in said
    (again := here.folder / "again").mkdir()
    words = refused(replace(here, folder=again).begin(answerer=STOP))
    assert "code-changed" in words and f"{pin.name} at" in words


def test_a_contract_that_names_several_is_never_the_same_as_one(site: Site) -> None:
    site.anvil.set_code(PROXY, bytes.fromhex("00"))
    store(site, ZOS, site.market)
    here = pinned(replace(site, other=PROXY))
    store(site, EIP1967, site.other)
    name = next(one.name for one in load_deployment(here.deployment)[0].pins if one.address == PROXY)
    assert "several" in preflight_of(here)[f"pin:{name}"]
    with pytest.raises(Refused, match="several"):
        states(here)


@pytest.mark.parametrize("build", KINDS.values(), ids=KINDS)
def test_what_init_reads_is_what_pin_pins(
    site: Site, packages: Packages, build: Callable[[Site, Packages], Behind]
) -> None:
    here = build(site, packages).site
    pin = next(one for one in load_deployment(here.deployment)[0].pins if one.address == here.market)
    where = Where(here.anvil.chain_id, here.anvil.url)
    seen = read_ground(where, here.council.address, {"vault": here.market}, {}).contracts["vault"]
    assert (seen.codehash, seen.implementation) == (pin.codehash, pin.implementation)
    assert seen.implementation_codehash == pin.implementation_codehash is not None
