"""A transaction made elsewhere is taken into the incident's record and proof, and only the very same one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from incident_cli.errors import Misused, Refused, Waiting
from incident_cli.evm import Call, hex_bytes
from incident_cli.flows.adopting import take_in
from incident_cli.flows.desk import Stop
from incident_cli.flows.session import Session
from incident_cli.flows.walk import walk
from incident_cli.incident.events import Kind
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.transaction import SafeTx
from tests.contracts.packages import Packages
from tests.fakes.desk import Scripted
from tests.real.containing import BTC, ETH, Site, as_founded, events, founded, let_go, outcome, waits

PAUSE = "set_paused(bytes32 market, bool paused)"


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with founded(packages, tmp_path_factory.mktemp("adopting")) as site:
        yield site


@pytest.fixture
def site(built: Site, tmp_path: Path) -> Iterator[Site]:
    with as_founded(built, tmp_path) as site:
        yield site


def standing_at_the_containment(site: Site) -> Session:
    """An incident whose operator stopped before confirming."""
    session = site.begin(answerer=Scripted({"contain": ["no"]}))
    with pytest.raises(Waiting):
        walk(session)
    return let_go(session)


def by_hash(site: Site, safe_tx_hash: str) -> Session:
    return take_in("", safe_tx_hash, site.around(Scripted({"mended": [Stop()]})))


def test_what_was_executed_is_found_on_chain_by_its_hash_alone(site: Site) -> None:
    standing_at_the_containment(site)
    _, tx = elsewhere(site, site.call(PAUSE, hex_bytes(ETH), True))
    hash_ = hash_transaction(tx).safe_tx_hash
    with pytest.raises(Misused, match=r"names no transaction service.* no Safe of .* executed it"):
        by_hash(site, hash_)
    site.sign({"safe_tx": tx.to_json()})
    site.council.execute(site.call("set_limit(uint256 limit)", 7))
    session = by_hash(site, "0x" + hash_[2:].upper())
    with pytest.raises(Waiting):
        walk(session)
    let_go(session)
    assert outcome(session) == "contained"
    (record,) = events(session, Kind.ADOPTED)
    assert (record.data["adopted"], record.data["road"]) == (hash_, "its execution on chain")


def elsewhere(site: Site, *calls: Call) -> tuple[Path, SafeTx]:
    """The flat file of a transaction that somebody else made."""
    tx = site.council.transaction(calls)
    path = site.folder / "elsewhere.json"
    path.write_text(json.dumps(tx.to_json()))
    return path, tx


def adopt(site: Site, path: Path) -> Session:
    return take_in("", str(path), site.around(Scripted({"mended": [Stop()]})))


def test_an_open_one_is_followed_and_proven(site: Site) -> None:
    standing_at_the_containment(site)
    path, tx = elsewhere(site, site.call(PAUSE, hex_bytes(ETH), True))
    session, document = waits(adopt(site, path))
    assert document["safe_tx"] == tx.to_json()
    (record,) = events(session, Kind.ADOPTED)
    assert record.data["adopted"] == document["safe_tx_hash"]

    site.sign(document)
    session = site.take_up(Scripted({"mended": [Stop()]}))
    with pytest.raises(Waiting):
        walk(session)
    let_go(session)
    assert outcome(session) == "contained" and site.paused()


def test_one_that_was_executed_already_is_proven_with_its_way_back(site: Site) -> None:
    standing_at_the_containment(site)
    path, tx = elsewhere(site, site.call(PAUSE, hex_bytes(ETH), True))
    site.sign({"safe_tx": tx.to_json()})
    session = adopt(site, path)
    with pytest.raises(Waiting):
        walk(session)
    let_go(session)
    assert outcome(session) == "contained"
    assert len(events(session, Kind.EXPORTED)) == 0, "what is executed is not written for signatures"
    undo: list[dict[str, Any]] = events(session, Kind.PLANNED)[-1].data["undo"]
    assert undo and undo[0]["to"] == site.market


@pytest.mark.parametrize("made", ["another market", "one more call", "unpause"])
def test_anything_else_is_refused_with_what_differs(site: Site, made: str) -> None:
    standing_at_the_containment(site)
    own = site.call(PAUSE, hex_bytes(ETH), True)
    calls = {
        "another market": (site.call(PAUSE, hex_bytes(BTC), True),),
        "one more call": (own, site.call(PAUSE, hex_bytes(BTC), True)),
        "unpause": (site.call(PAUSE, hex_bytes(ETH), False),),
    }[made]
    path, _ = elsewhere(site, *calls)
    with pytest.raises(Refused, match=r"it is not what the step would propose.*data"):
        adopt(site, path)
    assert "adopted" not in next(site.home.glob("*/journal.jsonl")).read_text()


def test_a_step_that_follows_another_is_not_given_a_second(site: Site) -> None:
    _, document = waits(site.begin())
    path = site.folder / "own.json"
    path.write_text(json.dumps(document["safe_tx"]))
    with pytest.raises(Misused, match="is followed by step contain already"):
        adopt(site, path)
    other, _ = elsewhere(site, site.call(PAUSE, hex_bytes(BTC), True))
    with pytest.raises(Refused, match="has its own transaction out"):
        adopt(site, other)
