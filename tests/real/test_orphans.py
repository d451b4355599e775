"""No orphan: an incident stays open while a transaction it let out can still execute."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from incident_cli.errors import Waiting
from incident_cli.flows.walk import walk
from incident_cli.incident.events import Kind
from incident_cli.safe.transaction import SafeTx
from tests.contracts.packages import Packages
from tests.fakes.desk import Scripted
from tests.real.containing import Site, as_founded, events, founded, let_go, outcome, waits


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with founded(packages, tmp_path_factory.mktemp("orphans")) as site:
        yield site


@pytest.fixture
def site(built: Site, tmp_path: Path) -> Iterator[Site]:
    with as_founded(built, tmp_path) as site:
        yield site


def given_up(site: Site, *, then: str = "stop") -> tuple[Waiting | None, dict[str, object]]:
    """A proposal is out; the operator gives it up. What the incident waits for, and the proposal."""
    _, document = waits(site.begin())
    answers = ["give-up", "it was a false alarm", then, "watched by hand"]
    session = site.take_up(Scripted({"contain": answers}))
    try:
        walk(session)
    except Waiting as problem:
        return problem, document
    finally:
        let_go(session)
    return None, document


def test_it_stays_open_with_the_rejection_prepared_until_its_nonce_is_spent(site: Site) -> None:
    problem, document = given_up(site)
    assert problem is not None and problem.waiting_for == "rejection"
    assert str(document["safe_tx_hash"]) in problem.message

    session = site.take_up(Scripted({"contain": ["stop"]}))
    with pytest.raises(Waiting):
        walk(session)
    let_go(session)
    (record,) = events(session, Kind.REJECTION)
    folder = Path(session.events[0].data["out"])
    tx = SafeTx.from_json(json.loads((folder / f"{record.data['rejection']}.json").read_text()))
    assert (tx.to, tx.value, tx.data, tx.nonce) == (tx.safe, 0, b"", 0)
    assert not events(session, Kind.CLOSED)

    site.sign({"safe_tx": tx.to_json()})
    session = site.take_up(Scripted())
    walk(session)
    let_go(session)
    assert events(session, Kind.CLOSED) and outcome(session) == "not-contained"


def test_executing_what_was_given_up_ends_the_wait_as_well(site: Site) -> None:
    _, document = given_up(site)
    site.sign(document)
    session = site.take_up(Scripted())
    walk(session)
    let_go(session)
    assert events(session, Kind.CLOSED) and site.paused()
    assert outcome(session) == "not-contained", "nobody proved it"


def test_the_risk_may_be_left_in_words_that_are_recorded(site: Site) -> None:
    problem, document = given_up(site, then="leave")
    assert problem is None
    home = next(site.home.glob("*/journal.jsonl")).read_text()
    assert "risk_left" in home and "watched by hand" in home and str(document["safe_tx_hash"]) in home
