"""The drill's deployment file is one like any other, and its addresses are the world's."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident_cli.document import parse_document
from incident_cli.drills.scenario import Scenario
from incident_cli.drills.setting import deployment_text
from incident_cli.drills.world import CHAIN_ID, World
from incident_cli.runbook.bind import bind
from incident_cli.runbook.deployment import load_deployment, sound
from incident_cli.runbook.load import load_runbook
from incident_cli.runbook.shipped import find_runbook

RUNBOOKS = ("oracle-divergence", "oracle-staleness", "emergency-shutdown")


@pytest.fixture(scope="module")
def world() -> World:
    return World.build(5, Scenario("quiet", "T", "oracle-divergence", "ETH-USD", "stood-down", ()))


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_every_shipped_runbook_binds_to_it_unchanged(runbook: str, world: World) -> None:
    document = parse_document(deployment_text(world).encode(), "drill deployment")
    loaded, deployment = load_runbook(find_runbook(runbook)), sound(document)
    for market, identifier in world.markets.items():
        bound = bind(loaded, deployment, document, market, {})
        assert bound.market.name == market and bound.market.id == identifier
        assert bound.slots["exchange"].addresses["exchange"] == world.addresses.exchange
        assert bound.slots["feed"].addresses["feed"] == world.addresses.feeds[market]
        assert bound.slots["council"].addresses["safe"] == world.addresses.council


def test_as_a_file_it_names_the_chain_and_where_it_is_served(world: World, tmp_path: Path) -> None:
    path = tmp_path / "deployment.yaml"
    path.write_text(deployment_text(world, "http://127.0.0.1:8545"))
    deployment, _ = load_deployment(path)
    chain = deployment.chains["drill"]
    assert chain.id == CHAIN_ID and [one.url for one in chain.rpc] == ["http://127.0.0.1:8545"]
    assert set(deployment.markets) == {"ETH-USD", "BTC-USD", "SOL-USD"}


def test_every_contract_a_runbook_may_watch_has_a_slot(world: World) -> None:
    deployment, at = sound(parse_document(deployment_text(world).encode(), "drill deployment")), world.addresses
    found = {name: dict(slot.addresses) for name, slot in deployment.slots.items()}
    assert found == {
        "exchange": {"exchange": at.exchange},
        "council": {"safe": at.council},
        "governance": {"timelock": at.timelock, "proposer": at.governance},
        "margin": {"margin": at.margin},
        "marks": {"marks": at.marks},
        "rmn": {"rmn": at.rmn},
        "token": {"token": at.token},
    }
    assert all(world.engine.code(address) for slot in found.values() for address in slot.values())


def test_the_same_world_gives_the_same_file(world: World) -> None:
    assert deployment_text(world) == deployment_text(World.build(5, world.scenario))
