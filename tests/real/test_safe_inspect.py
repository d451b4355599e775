"""`safe inspect` over a real chain: what stands there decides, for every version of the Safe."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

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


def test_a_lever_with_a_number_or_a_stranger_is_not_clean(site: Site) -> None:
    set_limit = parse_signature("set_limit(uint256 limit)")
    for limit in (0, 2**256 - 1):
        found = look(site, site.council.transaction([Call(site.market, set_limit, (limit,))]))
        assert (found.verdict, codes(found) - {"direction-unknown"}) == ("warned", set()) if limit else ("clean", set())
        assert "Now exchange.limit() is 0." in found.calls[0].plain
    enlist = parse_signature("pause_and_enlist(bytes32 market, address safe, address owner)")
    found = look(
        site, site.council.transaction([Call(site.market, enlist, (hex_bytes(ETH), site.council.address, STRANGER))])
    )
    assert "unknown-address" in codes(found)


def test_a_reopening_is_told_from_a_containment(site: Site) -> None:
    found = look(site, site.council.transaction([Call(site.market, PAUSE, (hex_bytes(ETH), False))]))
    assert codes(found) == {"not-restricting"}


DERIVED = """protocol: derived-market
source: "the tests' own guarded_market.vy"
slots: {venue: address, keeper: {read: "venue.guardian() returns (address)"}}
reads:
  paused: {on: venue, call: "paused(bytes32 market) returns (bool)"}
levers:
  pause:
    does: "Stops one market."
    scope: market
    args: {market: {type: market}}
    on: venue
    call: "set_paused(bytes32 market, bool paused)"
    with: {paused: "True"}
    expect: {paused: "True"}
    writes: [venue]
    satisfied: paused
    undo: {by: same, with: {paused: before.paused}}
    role: {when: keeper == by}
    blast_radius: [{who: "Traders", loses: "cannot trade"}]
    traps: ["None."]
"""


def test_an_address_that_a_protocol_reads_is_known(site: Site, tmp_path: Path) -> None:
    (tmp_path / "protocols").mkdir()
    (tmp_path / "protocols" / "derived-market.yaml").write_text(DERIVED)
    text = site.deployment.read_text()
    start = text.index("slots:")
    line = f'  derived: {{chain: local, protocol: derived-market, addresses: {{venue: "{site.market}"}}}}\n'
    path = tmp_path / "deployment.yaml"
    path.write_text(text[: start + len("slots:\n")] + line + text[start + len("slots:\n") :])
    aids = aids_of(path, (), (), None, None)
    found = inspect_transaction(Loaded(site.council.transaction(pauses(site)[:1]), None, "t", {}), aids, lambda _: None)
    assert (found.unread, found.verdict) == (None, "clean"), found.findings
    assert "derived.keeper" in found.names.of(site.council.address)


def test_the_command_reads_the_chain(site: Site) -> None:
    path = site.folder / "tx.json"
    path.write_text(json.dumps(site.council.transaction(pauses(site)).to_json()))
    found = safe("inspect", str(path), "--deployment", str(site.deployment), "--json")
    assert (found.code, found.err) == (0, "")
    assert (found.object["verdict"], found.object["findings"]) == ("clean", [])
    assert found.object["chain"]["threshold"] == 2
