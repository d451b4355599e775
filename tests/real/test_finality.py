"""An execution counts at the depth that the deployment states, and a reorganisation before that revokes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from incident_cli.errors import NotProven
from incident_cli.flows.desk import Stop
from incident_cli.flows.walk import walk
from incident_cli.incident.events import Kind
from tests.contracts.packages import Packages
from tests.fakes.desk import Scripted
from tests.real.containing import Site, as_founded, events, founded, let_go, outcome, stops, waits

DEPTH = 4


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with founded(packages, tmp_path_factory.mktemp("finality")) as site:
        yield replace(site, finality=DEPTH)


@pytest.fixture
def site(built: Site, tmp_path: Path) -> Iterator[Site]:
    with as_founded(built, tmp_path) as site:
        yield site


def stopping() -> Scripted:
    return Scripted({"mended": [Stop()]})


def test_it_is_contained_only_once_the_execution_lies_deep_enough(site: Site) -> None:
    _, document = waits(site.begin())
    site.sign(document)
    session = site.take_up(stopping())
    stops(session)
    assert outcome(session) == "contained"
    (executed,), (proven,) = events(session, Kind.EXECUTED), events(session, Kind.PROVEN)
    assert executed.block is not None and proven.block is not None
    assert site.anvil.rpc("eth_blockNumber") >= hex(executed.block.number + DEPTH)


def test_a_reorganisation_before_that_revokes_it(site: Site) -> None:
    _, document = waits(site.begin())
    before = site.anvil.snapshot()
    site.sign(document)
    desk = site.around(stopping())
    slept: list[float] = []

    def reorganised(seconds: float) -> None:
        if not slept:
            site.anvil.revert(before)
            site.anvil.mine(3, 7)
        slept.append(seconds)
        site.anvil.mine(1)

    from incident_cli.flows import respond

    desk.clock.sleeping = reorganised  # type: ignore[attr-defined]
    session = respond.take_up("", desk)
    with pytest.raises(NotProven, match="reorganisation"):
        walk(session)
    let_go(session)
    assert not site.paused() and outcome(session) != "contained"
    assert not events(session, Kind.PROVEN)

    site.sign(document)
    session = site.take_up(stopping())
    stops(session)
    assert site.paused() and outcome(session) == "contained"
    assert len(events(session, Kind.EXECUTED)) == 2
