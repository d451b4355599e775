"""A Safe whose inside is not what was pinned: singleton, guard or fallback handler, as `incident pin` names them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from incident_cli.evm import Address, checksummed, hex_bytes
from incident_cli.incident.events import Kind
from incident_cli.safe import contracts
from tests.contracts.misbehaviour import compiled
from tests.contracts.packages import Packages
from tests.fakes.desk import Scripted
from tests.real.containing import Site, as_founded, code_hash, events, founded, refused

SLOTS = {"singleton": contracts.SINGLETON_SLOT, "fallback-handler": contracts.FALLBACK_HANDLER_SLOT}
STOP = Scripted({"contain": ["stop"]})


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The chain, built once."""
    with founded(packages, tmp_path_factory.mktemp("built")) as found:
        yield found


@pytest.fixture
def site(built: Site, tmp_path: Path) -> Iterator[Site]:
    """The chain as it was built, with the Safe and what is inside it pinned."""
    with as_founded(built, tmp_path) as found:
        places = {"safe": found.council.address, **{part: standing(found, part) for part in SLOTS}}
        pins = "\n".join(
            f'  - {{name: council.{name}, chain: local, address: "{at}", codehash: "{code_hash(found.anvil, at)}"}}'
            for name, at in places.items()
        )
        yield replace(found, extra=f"pins:\n{pins}\n")


def standing(site: Site, part: str) -> Address:
    """What stands in a place of the Safe."""
    return checksummed(site.anvil.rpc("eth_getStorageAt", site.council.address, SLOTS[part], "latest")[-40:])


def test_a_safe_as_it_was_pinned_is_no_objection(site: Site) -> None:
    session = site.contained()
    assert site.paused() and not events(session, Kind.OVERRULED)


def test_another_singleton_stops_it(site: Site) -> None:
    other = Address("0x" + "77" * 20)
    site.anvil.set_code(other, hex_bytes(site.anvil.rpc("eth_getCode", standing(site, "singleton"), "latest")))
    before = standing(site, "singleton")
    slot = contracts.SINGLETON_SLOT
    site.anvil.rpc("anvil_setStorageAt", site.council.address, slot, "0x" + "00" * 12 + other[2:])
    words = refused(site.begin(answerer=STOP))
    assert f"code-changed: the singleton of the Safe {site.council.address} is {checksummed(other)} now" in words
    assert f"pinned was {before}" in words


def test_another_fallback_handler_stops_it(site: Site) -> None:
    handler = site.anvil.deploy(compiled("guarded_market"))
    site.as_safe("setFallbackHandler(address handler)", handler)
    assert f"the fallback-handler of the Safe {site.council.address} is {handler} now" in refused(
        site.begin(answerer=STOP)
    )


def test_code_changed_inside_the_singleton_stops_it(site: Site) -> None:
    singleton = standing(site, "singleton")
    site.anvil.set_code(singleton, hex_bytes(site.anvil.rpc("eth_getCode", singleton, "latest")) + b"\0")
    assert f"code-changed: the code of council.singleton at {singleton} has changed" in refused(
        site.begin(answerer=STOP)
    )
