"""Several levers in one step of a runbook: one proposal, or what can be done at once first and the rest in its time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from incident_cli.abi import parse_signature
from incident_cli.errors import Waiting
from incident_cli.evm import Call, hex_bytes
from incident_cli.flows import respond
from incident_cli.flows.respond import Order
from incident_cli.flows.session import Session
from incident_cli.flows.walk import walk
from incident_cli.incident.events import Kind
from tests.contracts.openzeppelin import OpenZeppelin
from tests.contracts.packages import Packages
from tests.fakes.desk import Scripted
from tests.real.containing import ETH, STRANGER, Site, events, let_go, outcome, waits
from tests.real.delaying import Road, both_roads, functions, legs, placed, through_manager

RUNBOOK = """schema: incident/v1
id: batch
title: Several levers at once
meta: {{owner: tests, severity: SEV1, status: stable}}
params: {{market: {{type: market}}}}
slots:
  exchange: {{protocol: guarded-market}}
  vault: {{protocol: openzeppelin-access-manager}}
  council: {{protocol: safe}}
steps:
  - id: contain
    contain:
      by: council
      calls: [{calls}]
    marks: contained
  - {{id: reopen, ask: "Open it again?"}}
  - {{id: back, restore: contain, by: council, marks: recovered}}
"""
PAUSE = '{lever: exchange.pause, market: "{market}"}'
TIGHTEN = "{lever: exchange.tighten, most: 5}"
STOP = "{lever: vault.pause_target}"
SET_PAUSED = "set_paused(bytes32 market, bool paused)"


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, OpenZeppelin]]:
    """The chain, built once; the council is the market's guardian here."""
    with both_roads(packages, tmp_path_factory.mktemp("built")) as (site, zeppelin):
        site.govern("appoint(address guardian)", site.council.address)
        yield site, zeppelin


@pytest.fixture
def road(built: tuple[Site, OpenZeppelin], tmp_path: Path) -> Iterator[Road]:
    """A vault whose pause waits an hour, beside a market whose pause waits for nothing."""
    with placed(built, tmp_path) as (found, zeppelin):
        yield through_manager(found, zeppelin)


def begun(site: Site, *calls: str, answerer: Scripted | None = None) -> Session:
    """A response with these levers in one step."""
    deployment = site.deployment
    path = site.folder / "batch.yaml"
    path.write_text(RUNBOOK.format(calls=", ".join(calls)))
    return respond.begin(Order(path, deployment, "ETH-USD", {}), site.around(answerer))


def limit(site: Site) -> object:
    """The market's limit."""
    return site.anvil.view(site.market, "limit() returns (uint256)")[0]


def reopening(session: Session) -> dict[str, Any]:
    """The prepared way back."""
    (path,) = session.recorder.directory.glob("proposals/reopening-*.json")
    found = json.loads(path.read_text())
    assert isinstance(found, dict)
    return found


def held(site: Site) -> Session:
    """Taken up until the market is to be opened again; let go of."""
    session = site.take_up(Scripted({"reopen": ["no"]}))
    with pytest.raises(Waiting) as caught:
        walk(session)
    assert caught.value.waiting_for == "operator" and "reopen was answered no" in caught.value.message
    return let_go(session)


def test_several_levers_are_one_proposal_and_are_undone_in_reverse(road: Road) -> None:
    site = road.site
    _, document = waits(begun(site, PAUSE, TIGHTEN))
    assert functions(document) == ["set_paused", "set_limit"]
    site.sign(document)
    session = held(site)
    assert outcome(session) == "contained" and site.paused() and limit(site) == 5
    undo = [one["label"] for one in reopening(session)["calls"]]
    assert undo == ["exchange.tighten(most = 5)", "exchange.pause(market = ETH-USD)"]
    _, back = waits(site.take_up())
    assert functions(back) == ["set_limit", "set_paused"]
    site.sign(back)
    assert walk(site.take_up()).value == "contained"
    assert not site.paused() and limit(site) == 0


def test_what_is_satisfied_is_dropped_and_the_rest_is_done(road: Road) -> None:
    site = road.site
    site.council.execute(site.call(SET_PAUSED, hex_bytes(ETH), True))
    session, document = waits(begun(site, PAUSE, TIGHTEN))
    assert functions(document) == ["set_limit"]
    assert events(session, Kind.PLANNED)[0].data["dropped"] == ["exchange.pause(market = ETH-USD): already satisfied"]


def test_what_can_be_done_at_once_does_not_wait_for_what_cannot(road: Road) -> None:
    site = road.site
    _, document = waits(begun(site, PAUSE, STOP))
    assert functions(document) == ["set_paused", "schedule"]
    site.sign(document)
    session, executing = waits(site.take_up())
    assert site.paused() and not road.in_effect()
    assert outcome(session) != "contained", "one of two is not contained"
    assert functions(executing) == ["execute"]
    site.sign(executing)
    session = held(site)
    assert outcome(session) == "contained" and road.in_effect()
    undo = [one["label"] for one in reopening(session)["calls"]]
    assert undo == ["vault.pause_target()", "exchange.pause(market = ETH-USD)"]


def test_what_begins_again_repeats_nothing_that_is_done_or_scheduled(road: Road) -> None:
    site = road.site
    _, document = waits(begun(site, PAUSE, STOP))
    site.sign(document)
    waits(site.take_up())
    site.council.execute(Call(site.other, parse_signature("appoint(address guardian)"), (STRANGER,)))
    _, executing = waits(site.take_up())
    assert functions(executing) == ["execute"]
    site.council.execute(site.call(SET_PAUSED, hex_bytes(ETH), False))  # somebody opens what was closed already
    session, anew = waits(site.take_up())
    assert functions(anew) == ["set_paused"], "the operation is scheduled already"
    site.sign(anew)
    _, executing = waits(site.take_up())
    assert functions(executing) == ["execute"]
    site.sign(executing)
    session = held(site)
    assert outcome(session) == "contained" and site.paused() and road.in_effect()
    assert legs(session, Kind.EXECUTED) == ["schedule", "schedule", "contain"]
