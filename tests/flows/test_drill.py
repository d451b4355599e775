"""A whole drill: it repeats exactly, ends as intended, stops the losses, and every hash has three witnesses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from incident_cli.abi import decode, encode_call
from incident_cli.drills.script import load_script
from incident_cli.drills.world import World
from incident_cli.evm import hex_bytes, to_hex
from incident_cli.flows import drill as flow
from incident_cli.flows.drill import Drill
from incident_cli.flows.drill_report import contained_block, drill_losses, exit_code, report
from incident_cli.incident.events import Event, Kind
from incident_cli.incident.walk import Ending
from incident_cli.runbook.shipped import shipped_folder, shipped_runbooks
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.second_opinion import agree
from incident_cli.safe.transaction import SafeTx
from tests.fakes.desk import FakeClock, RecordingScreen
from tests.flows.rehearsal import HASH, begun, executed_hashes, is_paused, nonce_of, of_kind, people, planned

SCENARIOS = {path.stem: load_script(path).scenario for path in sorted((shipped_folder() / "drills").glob("*.yaml"))}
ENDINGS = {"contained": Ending.CONTAINED, "stood-down": Ending.STOOD_DOWN}


def finished(home: Path, scenario: str, seed: int) -> Drill:
    """A drill from its first block to its end."""
    drill = begun(home, scenario, seed)
    flow.run(drill)
    drill.recorder.journal.close()
    return drill


@pytest.fixture(scope="module")
def reopened(tmp_path_factory: pytest.TempPathFactory) -> Drill:
    """The default drill: contained, proven, and reopened through the time-lock."""
    return finished(tmp_path_factory.mktemp("home"), "oracle-divergence", 7)


def gains(world: World) -> list[int]:
    """The attacker's gain at every height."""
    return [books.attacker_gain for books in world.history]


def ended_as_intended(drill: Drill, scenario: str) -> None:
    """The ending, the losses, the books and the other markets."""
    world, found = drill.live.world, report(drill)
    assert drill.ending is ENDINGS[SCENARIOS[scenario].intended], found["verdict"]
    assert (found["outcome"], exit_code(drill)) == (found["intended"], 0)
    assert found["verdict"].startswith("Right")
    assert all(books.is_conserved for books in world.history)
    block = contained_block(drill)
    if block is None:
        assert (found["proposals"], gains(world)[-1]) == ([], 0)
        return
    height = block.number - world.first_block.number
    if not SCENARIOS[scenario].attacker:
        assert (set(gains(world)), drill_losses(drill).at_stake) == ({0}, False)
        return
    assert gains(world)[height] > 0
    assert set(gains(world)[height:]) == {gains(world)[height]}
    lost = drill_losses(drill)
    assert lost.before_detection + lost.until_contained == gains(world)[height]
    assert lost.avoided is not None and lost.avoided > 0


def traded_after(drill: Drill, height: int) -> set[str]:
    """Markets whose traders bought or exercised after this height, from the books."""
    history, people = drill.live.world.history, drill.live.world.people
    labels = {market: one.label for market, one in people.traders.items()}
    return {
        market
        for market, label in labels.items()
        if len({books.holders[label].position for books in history[height:]}) > 1
    }


@pytest.mark.parametrize(("seed", "scenario"), enumerate([one for one in SCENARIOS if one != "oracle-divergence"], 1))
def test_a_shipped_scenario_ends_as_it_intends(scenario: str, seed: int, tmp_path: Path) -> None:
    ended_as_intended(finished(tmp_path, scenario, seed), scenario)


def test_every_shipped_runbook_has_a_scenario() -> None:
    assert {path.stem for path in shipped_runbooks()} == {one.runbook for one in SCENARIOS.values()}


def test_the_default_drill_ends_as_it_intends(reopened: Drill) -> None:
    ended_as_intended(reopened, "oracle-divergence")


@pytest.mark.campaign
def test_every_shipped_scenario_ends_as_it_intends_for_every_seed(tmp_path: Path) -> None:
    count = 0
    for scenario in SCENARIOS:
        for seed in range(1, 21):
            ended_as_intended(finished(tmp_path, scenario, seed), scenario)
            count += 1
    print(f"{count} drills ended as intended")
    assert count == 20 * len(SCENARIOS)


def test_the_same_seed_gives_the_same_object_but_for_the_journal(reopened: Drill, tmp_path: Path) -> None:
    plan = planned()
    built = flow.begin(plan, tmp_path, FakeClock(), people(None, plan))  # a world founded anew, not a copy of one
    flow.run(built)
    first, second = report(reopened), report(built)
    assert first.pop("journal") != second.pop("journal")
    assert json.dumps(first) == json.dumps(second)


def test_another_seed_is_another_world(reopened: Drill, tmp_path: Path) -> None:
    other = report(begun(tmp_path, "oracle-divergence", 8))
    assert other["safe"]["address"] != report(reopened)["safe"]["address"]


def test_other_markets_trade_on_while_one_is_contained(reopened: Drill) -> None:
    world = reopened.live.world
    block = contained_block(reopened)
    assert block is not None
    height = block.number - world.first_block.number
    reopening = next(event.block for event in of_kind(reopened, Kind.EXECUTED) if event.data["leg"] == "execute")
    assert reopening is not None
    closed = world.history[height : reopening.number - world.first_block.number]
    label = world.people.traders["ETH-USD"].label
    assert len({books.holders[label].position for books in closed}) == 1
    assert {"BTC-USD", "SOL-USD"} <= traded_after(reopened, height)


def test_the_object_has_the_shape_that_was_promised(reopened: Drill) -> None:
    found = report(reopened)
    assert {"schema", "runbook", "scenario", "seed", "outcome", "steps", "safe", "proposals"} <= set(found)
    assert {"metrics", "losses", "journal"} <= set(found)
    assert found["schema"] == "incident.drill/v1"
    assert [one["outcome"] for one in found["steps"][:5]] == ["pending", "firing", "yes", "done", "done"]
    assert set(found["steps"][0]) == {"id", "verb", "outcome"}
    assert len(found["safe"]["owners"]) == 3 and found["safe"]["threshold"] == 2
    for proposal in found["proposals"]:
        assert {"safe_tx", "safe_tx_hash", "domain_hash", "message_hash", "calls"} <= set(proposal)
        assert set(proposal["calls"][0]) == {"to", "function", "args", "plain"}
        assert proposal["simulation"]["state"] == "passed" and proposal["simulation"]["method"]
        assert proposal["transaction_hash"].startswith("0x")
    for name in ("time_to_detection", "time_to_proposal", "time_to_containment"):
        assert set(found["metrics"][name]) == {"seconds", "blocks"}
        assert all(type(value) is int and value >= 0 for value in found["metrics"][name].values())
    assert all(isinstance(found["losses"][key], str) for key in ("before_detection", "until_contained", "avoided"))


def proposals(drill: Drill) -> list[Event]:
    """Every plan of a drill."""
    return of_kind(drill, Kind.PLANNED)


def test_the_safe_itself_and_both_implementations_agree_on_every_hash(reopened: Drill) -> None:
    legs = [event.data["leg"] for event in proposals(reopened)]
    assert legs == ["contain", "schedule", "execute"]
    for event in proposals(reopened):
        proposal: dict[str, Any] = event.data["proposal"]
        tx = SafeTx.from_json(proposal["safe_tx"])
        args = (tx.to, tx.value, tx.data, tx.operation, 0, 0, 0, tx.gas_token, tx.refund_receiver, tx.nonce)
        answer = reopened.live.world.engine.call(tx.safe, encode_call(HASH, args))
        (contract,) = decode(["bytes32"], answer)
        assert isinstance(contract, bytes)
        agreed = agree(tx, contract_hash=to_hex(contract))
        assert proposal["safe_tx_hash"] == agreed.safe_tx_hash == hash_transaction(tx).safe_tx_hash
        assert (proposal["domain_hash"], proposal["message_hash"]) == (agreed.domain_hash, agreed.message_hash)


def test_every_proposal_is_what_the_chain_executed_once(reopened: Drill) -> None:
    world = reopened.live.world
    hashes = [event.data["proposal"]["safe_tx_hash"] for event in proposals(reopened)]
    council, governance = world.addresses.council, world.addresses.governance
    assert executed_hashes(world, council) + executed_hashes(world, governance) == hashes
    assert (nonce_of(world, council), nonce_of(world, governance)) == (1, 2)
    assert not is_paused(world)


def test_the_confirmation_shows_everything_that_is_signed(reopened: Drill) -> None:
    screen = reopened.session.screen
    assert isinstance(screen, RecordingScreen)
    card = screen.cards[0]
    planned = proposals(reopened)[0].data["proposal"]
    assert card.hashes["safeTxHash"] == planned["safe_tx_hash"]
    assert (card.safe, card.threshold, card.nonce) == (planned["safe"]["address"], 2, 0)
    assert [line.function for line in card.calls] == [call["function"] for call in planned["calls"]]
    assert "time-lock" in card.reopening and reopened.live.world.addresses.governance in card.reopening
    assert card.simulation.startswith("passed by ")
    assert "exchange.market_paused(BTC-USD) = false" in card.unchanged
    assert "exchange.market_paused(ETH-USD) = true" in card.shows


def test_an_irreversible_containment_says_never(tmp_path: Path) -> None:
    drill = finished(tmp_path, "shutdown", 7)
    screen = drill.session.screen
    assert isinstance(screen, RecordingScreen)
    assert screen.cards[0].reopening.startswith("NEVER")


def test_signatures_are_bound_to_calldata_that_the_journal_holds(reopened: Drill) -> None:
    intents = of_kind(reopened, Kind.SUBMIT_INTENDED)
    for intent, sent in zip(intents, of_kind(reopened, Kind.SUBMITTED), strict=True):
        assert intent.seq < sent.seq
        assert intent.data["transaction_hash"] == sent.data["transaction_hash"]
        mined = reopened.live.world.engine.receipt(sent.data["transaction_hash"])
        assert mined is not None
        assert hex_bytes(intent.data["raw"]) in [
            raw for event in of_kind(reopened, Kind.ADVANCED) for raw in map(hex_bytes, event.data["transactions"])
        ]
