"""What respond proposes, inspected by a signer with a deployment: clean where its lever restricts from what stands.

What only schedules is a warning: the values of today are put in place later. The proposal itself vouches for nothing:
a lever whose number nothing compares is a warning even in a proposal that incident wrote, with what stands now.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from incident_cli.flows.multisig.aids import aids_of
from incident_cli.flows.multisig.inspecting import Inspection, inspect_transaction
from incident_cli.flows.multisig.loading import loaded
from tests.contracts.openzeppelin import OpenZeppelin
from tests.contracts.packages import Packages
from tests.real.containing import Site, as_founded, waits
from tests.real.delaying import both_roads, functions, placed, through_manager, through_timelock


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, OpenZeppelin]]:
    with both_roads(packages, tmp_path_factory.mktemp("built")) as found:
        yield found


@pytest.fixture
def site(built: tuple[Site, OpenZeppelin], tmp_path: Path) -> Iterator[Site]:
    """The market in the council's own hands."""
    with as_founded(built[0], tmp_path) as found:
        found.govern("appoint(address guardian)", found.council.address)
        yield found


@pytest.fixture(params=["timelock", "access_manager"])
def delayed(
    built: tuple[Site, OpenZeppelin], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[Site, dict[str, Any]]]:
    """A proposal that schedules a lever."""
    with placed(built, tmp_path) as (found, zeppelin):
        road = (through_timelock if request.param == "timelock" else through_manager)(found, zeppelin)
        yield found, waits(found.begin(road.order))[1]


def inspected(site: Site, document: Mapping[str, Any]) -> Inspection:
    aids = aids_of(site.deployment, (), (), None, None)
    return inspect_transaction(loaded(dict(document), "proposal.json"), aids, lambda _: None)


def test_a_containment_that_was_proposed_is_clean(site: Site) -> None:
    _, document = waits(site.begin())
    found = inspected(site, document)
    assert (found.verdict, found.findings) == ("clean", ()), found.findings
    assert found.calls[0].source == "catalogue"
    assert "is false." in found.calls[0].plain


def test_a_number_that_nothing_compares_is_a_warning_in_its_own_proposal(site: Site) -> None:
    _, document = waits(site.begin(site.order("exchange.tighten", most="5")))
    found = inspected(site, document)
    assert {one.code for one in found.findings} == {"direction-unknown"}
    assert "Now exchange.limit() is 0." in found.calls[0].plain


def test_a_lever_that_waits_is_known_behind_what_schedules_it(delayed: tuple[Site, dict[str, Any]]) -> None:
    site, document = delayed
    assert functions(document) == ["schedule"]
    found = inspected(site, document)
    slots = "ambiguous-function" if found.calls[1].made.call.to == site.market else "scheduled"  # it has two slots
    assert {one.code for one in found.findings} == {"scheduled", slots}, found.findings
    assert found.calls[1].source == "catalogue"
    other = dataclasses.replace(found.tx, nonce=found.tx.nonce + 1)
    assert inspected(site, other.to_json()).verdict == "warned"
