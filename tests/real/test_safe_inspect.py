"""`safe inspect` over a real chain: what stands there decides, for every version of the Safe."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import pytest

from incident_cli.abi import parse_signature
from incident_cli.evm import Call, hex_bytes
from incident_cli.flows.multisig.aids import aids_of
from incident_cli.flows.multisig.inspecting import Inspection, inspect_transaction
from incident_cli.flows.multisig.loading import Loaded
from incident_cli.safe.transaction import SafeTx
from tests.cli.test_safe_inspect import safe
from tests.contracts.packages import Packages
from tests.contracts.safes import VERSIONS
from tests.fakes.anvil import Anvil
from tests.real.containing import BTC, ETH, STRANGER, Site, build_site

PAUSE = parse_signature("set_paused(bytes32 market, bool paused)")


@pytest.fixture(scope="module")
def anvil(packages: Packages) -> Iterator[Anvil]:
    with Anvil(packages.anvil) as running:
        yield running


@pytest.fixture(scope="module", params=VERSIONS)
def site(anvil: Anvil, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    before = anvil.snapshot()
    yield build_site(anvil, tmp_path_factory.mktemp("site"), request.param)
    anvil.revert(before)


def look(site: Site, tx: SafeTx) -> Inspection:
    aids = aids_of(site.deployment, (), (), None, None)
    return inspect_transaction(Loaded(tx, None, "tx.json", {}), aids, lambda _: None)


def codes(found: Inspection) -> set[str]:
    return {one.code for one in found.findings}


def pauses(site: Site) -> list[Call]:
    return [Call(site.market, PAUSE, (hex_bytes(market), True)) for market in (ETH, BTC)]


def test_a_containment_is_clean_once_the_chain_was_read(site: Site) -> None:
    for calls in (pauses(site)[:1], pauses(site)):
        found = look(site, site.council.transaction(calls))
        assert (found.verdict, found.findings) == ("clean", ()), found.findings
        assert found.view is not None
        assert set(found.view.owners) == {one.address for one in site.council.owners}
        assert (found.view.standing.version, found.view.threshold) == (site.council.version, 2)
        assert "the Safe itself" in found.opinions
        assert "market ETH-USD" in found.names.beside(found.calls[0].args["market"])


def test_the_chain_decides_on_version_nonce_and_code(site: Site) -> None:
    tx = site.council.transaction(pauses(site)[:1])
    other = {"1.3.0": "1.4.1", "1.4.1": "1.5.0", "1.5.0": "1.3.0"}[site.council.version]
    assert "wrong-version" in codes(look(site, dataclasses.replace(tx, version=other)))
    assert "nonce-ahead" in codes(look(site, dataclasses.replace(tx, nonce=tx.nonce + 1)))
    assert "nonce-far" in codes(look(site, dataclasses.replace(tx, nonce=tx.nonce + 99)))
    away = look(site, dataclasses.replace(tx, to=STRANGER))
    assert {"no-code", "unknown-target", "undecoded"} <= codes(away)
    assert "wrong-chain" in codes(look(site, dataclasses.replace(tx, chain_id=1)))
    assert "wrong-safe" in codes(look(site, dataclasses.replace(tx, safe=STRANGER)))


def test_a_batch_through_exchanged_code_is_refused(site: Site) -> None:
    tx = site.council.transaction(pauses(site))
    before = site.anvil.snapshot()
    for code in (b"", b"\x60\x00"):
        site.anvil.set_code(tx.to, code)
        assert "multisend-code" in codes(look(site, tx))
    site.anvil.revert(before)


def test_a_nonce_that_was_used_is_stale(site: Site) -> None:
    tx, before = site.council.transaction(pauses(site)[:1]), site.anvil.snapshot()
    site.council.execute(pauses(site)[1:])
    assert codes(look(site, tx)) == {"nonce-stale"}
    site.anvil.revert(before)


def test_the_command_reads_the_chain(site: Site) -> None:
    path = site.folder / "tx.json"
    path.write_text(json.dumps(site.council.transaction(pauses(site)).to_json()))
    found = safe("inspect", str(path), "--deployment", str(site.deployment), "--json")
    assert (found.code, found.err) == (0, "")
    assert (found.object["verdict"], found.object["findings"]) == ("clean", [])
    assert found.object["chain"]["threshold"] == 2
