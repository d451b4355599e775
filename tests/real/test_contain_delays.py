"""Levers that must be scheduled, awaited and executed, across processes that are killed between any two stages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from incident_cli.abi import decode, parse_signature
from incident_cli.errors import Waiting
from incident_cli.evm import Call, hex_bytes, keccak, to_hex
from incident_cli.flows.desk import Back
from incident_cli.flows.session import Session
from incident_cli.flows.walk import walk
from incident_cli.incident.events import Kind
from tests.contracts.openzeppelin import (
    GUARDIAN,
    OpenZeppelin,
)
from tests.contracts.packages import Packages
from tests.fakes.desk import Scripted
from tests.real.containing import (
    ETH,
    STRANGER,
    Site,
    card,
    events,
    files,
    let_go,
    outcome,
    refused,
    stops,
    waits,
)
from tests.real.delaying import Road, both_roads, functions, legs, placed, stopped, through_manager, through_timelock

GRANT = "grantRole(uint64 roleId, address account, uint32 executionDelay)"
STAGES = (Kind.PLANNED, Kind.CONFIRMED, Kind.EXPORTED, Kind.SUBMITTED, Kind.EXECUTED, Kind.PROVEN)


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, OpenZeppelin]]:
    """The chain, built once: what OpenZeppelin delays with, and the market in the time-lock's hands."""
    with both_roads(packages, tmp_path_factory.mktemp("built")) as found:
        yield found


@pytest.fixture(params=["access_manager", "timelock"])
def road(built: tuple[Site, OpenZeppelin], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Road]:
    """Each road of a delay, on the chain as it was built."""
    with placed(built, tmp_path) as (found, zeppelin):
        yield through_timelock(found, zeppelin) if request.param == "timelock" else through_manager(found, zeppelin)


@pytest.fixture
def locked(built: tuple[Site, OpenZeppelin], tmp_path: Path) -> Iterator[Road]:
    """The road of a time-lock, which lets everybody execute."""
    with placed(built, tmp_path) as (found, zeppelin):
        yield through_timelock(found, zeppelin)


@pytest.fixture
def managed(built: tuple[Site, OpenZeppelin], tmp_path: Path) -> Iterator[Road]:
    """The road of an access manager."""
    with placed(built, tmp_path) as (found, zeppelin):
        yield through_manager(found, zeppelin)


def test_it_is_scheduled_awaited_executed_and_proven(road: Road) -> None:
    site = road.site
    session, scheduling = waits(site.begin(road.order))
    assert functions(scheduling) == ["schedule"] and legs(session, Kind.PLANNED) == ["schedule"]
    assert "Schedules for" in scheduling["calls"][0]["plain"] and road.delayed.to in scheduling["calls"][0]["plain"]
    assert scheduling["simulation"]["method"] == "execTransaction by eth_simulateV1"
    site.sign(scheduling)
    scheduled_at = site.anvil.now()
    session, executing = waits(site.take_up())
    assert functions(executing) == ["execute"] and legs(session, Kind.PROVEN) == ["schedule"]
    assert site.anvil.now() >= scheduled_at + road.seconds, "it waited on the chain's own time"
    assert not road.in_effect() and outcome(session) != "contained"
    assert any("paused" in one for one in card(site).shows)
    site.sign(executing)
    session = site.take_up(stopped())
    stops(session)
    assert road.in_effect() and outcome(session) == "contained"
    assert legs(session, Kind.PROVEN) == ["schedule", "contain"]
    assert [one["lever"] for one in events(session, Kind.PLANNED)[-1].data["levers"]] == [road.lever]
    assert events(session, Kind.PLANNED)[0].data["levers"] == []


def test_scheduled_alone_it_is_never_contained(road: Road) -> None:
    site = road.site
    _, document = waits(site.begin(road.order))
    site.sign(document)
    session, _ = waits(site.take_up())
    for again in (session, waits(site.take_up())[0]):
        ended = [one for one in events(again, Kind.STEP_ENDED) if one.step == "contain"]
        assert ended == [] and outcome(again) != "contained"
        assert not road.in_effect()
    assert len(files(again)) == 2, "the same two proposals, however often it is resumed"


class Killed(BaseException):
    """The process is gone."""


def kill_after(session: Session, done: set[tuple[str, Kind]]) -> None:
    """Kill the process right after the first stage that is not in `done`; that stage is then in it."""
    append = session.recorder.journal.append

    def appending(body: Any, *, durable: bool = True) -> Any:
        found = append(body, durable=durable)
        stage = (str(body["data"].get("leg")), Kind(body["kind"]))
        if stage[1] in STAGES and stage not in done:
            done.add(stage)
            raise Killed
        return found

    session.recorder.journal.append = appending  # type: ignore[method-assign]


def test_killed_between_any_two_stages_it_ends_in_the_same_place(road: Road) -> None:
    site = road.site
    done: set[tuple[str, Kind]] = set()
    session = site.begin(road.order)
    signed: set[str] = set()
    for _ in range(40):
        kill_after(session, done)
        try:
            walk(session)
        except Killed:
            let_go(session)
        except Waiting as waiting:
            let_go(session)
            if waiting.waiting_for == "operator":
                break
            for path in set(map(str, files(session))) - signed:
                signed.add(path)
                site.sign(json.loads(Path(path).read_text()))
        session = site.take_up(stopped())
    assert done == {(leg, kind) for leg in ("schedule", "contain") for kind in STAGES}
    assert road.in_effect() and outcome(session) == "contained" and len(signed) == 2
    assert scheduled_times(road) == 1


def scheduled_times(road: Road) -> int:
    """How many operations were ever scheduled, by the contracts' own events."""
    zeppelin = road.zeppelin
    signatures = {
        zeppelin.timelock: "CallScheduled(bytes32,uint256,address,uint256,bytes,bytes32,uint256)",
        zeppelin.manager: "OperationScheduled(bytes32,uint32,uint48,address,address,bytes)",
    }
    topics = [[to_hex(keccak(one.encode())) for one in signatures.values()]]
    return len(zeppelin.anvil.rpc("eth_getLogs", {"address": list(signatures), "topics": topics, "fromBlock": "0x0"}))


def test_a_role_that_ends_before_the_delay_does_is_refused(locked: Road) -> None:
    site = locked.site
    session = site.begin(locked.order)
    site.govern("appoint_until(uint256 moment)", site.anvil.now() + locked.seconds)
    words = refused(session)
    assert "locked.pause(market = ETH-USD)" in words and "before its delay of 2d is over" in words


def test_a_role_that_ends_after_the_delay_is_let_through(locked: Road) -> None:
    site = locked.site
    site.govern("appoint_until(uint256 moment)", site.anvil.now() + locked.seconds + 7_200)
    scheduled(locked)
    _, executing = waits(site.take_up())
    site.sign(executing)
    session = site.take_up(stopped())
    stops(session)
    assert locked.in_effect() and outcome(session) == "contained"


def test_its_own_scheduling_is_no_pull_and_it_may_last_from_its_execution_on(road: Road) -> None:
    site = replace(
        road.site, extra=f"authority: [{{by: council, levers: [{road.lever}], cooldown: 30d, longest: 2h}}]\n"
    )
    _, document = waits(site.begin(site.order(road.lever)))
    site.sign(document)
    session, executing = waits(site.take_up())
    assert executing["overrides"] == []
    assert [one.data["due"] for one in events(session, Kind.PROVEN)] == [None]
    site.sign(executing)
    session = site.take_up(stopped())
    stops(session)
    executed = events(session, Kind.EXECUTED)[-1].block
    assert executed is not None
    assert events(session, Kind.PROVEN)[-1].data["due"] == executed.timestamp + 7_200


# --- what others do meanwhile


def scheduled(road: Road) -> None:
    """The owners have executed the first proposal."""
    _, document = waits(road.site.begin(road.order))
    road.site.sign(document)


def another_transaction(road: Road) -> None:
    """The owners do something else with their Safe: its nonce is taken."""
    road.site.council.execute(Call(road.site.other, parse_signature("appoint(address guardian)"), (STRANGER,)))


def test_a_nonce_taken_before_the_execution_costs_no_second_delay(road: Road) -> None:
    site = road.site
    scheduled(road)
    _, executing = waits(site.take_up())
    another_transaction(road)
    before = site.anvil.now()
    session, anew = waits(site.take_up())
    assert functions(anew) == ["execute"] and anew["safe_tx_hash"] != executing["safe_tx_hash"]
    assert anew["calls"] == executing["calls"], "the same operation"
    assert site.anvil.now() - before < road.seconds
    site.sign(anew)
    session = site.take_up(stopped())
    stops(session)
    assert road.in_effect() and outcome(session) == "contained" and scheduled_times(road) == 1


def test_a_nonce_taken_before_the_scheduling_schedules_it_once(road: Road) -> None:
    site = road.site
    _, lost = waits(site.begin(road.order))
    another_transaction(road)
    _, document = waits(site.take_up())
    assert functions(document) == ["schedule"] and document["safe_tx_hash"] != lost["safe_tx_hash"]
    site.sign(document)
    waits(site.take_up())
    assert scheduled_times(road) == 1


def cancelled(road: Road, session: Session) -> None:
    """Somebody takes the scheduled operation away."""
    zeppelin = road.zeppelin
    if road.lever == "locked.pause":
        (planned,) = events(session, Kind.PLANNED)
        (one,) = planned.data["proposal"]["expect"]
        zeppelin.anvil.transact(zeppelin.admin, zeppelin.timelock, "cancel(bytes32 id)", hex_bytes(one["data"])[4:])
    else:
        zeppelin.anvil.call(zeppelin.admin, zeppelin.cancel(road.site.council.address, road.delayed))


def test_an_operation_that_was_cancelled_is_said_to_be_gone_and_scheduled_again_if_wanted(road: Road) -> None:
    site = road.site
    session, document = waits(site.begin(road.order))
    site.sign(document)
    cancelled(road, session)
    answerer = Scripted({"contain": ["stop"]})
    session = site.take_up(answerer)
    assert "is not scheduled any more" in stops(session).message
    assert "cancelled" in answerer.asked[0].text
    session, anew = waits(site.take_up(Scripted({"contain": ["again"]})))
    assert functions(anew) == ["schedule"] and not road.in_effect()
    site.sign(anew)
    _, executing = waits(site.take_up())
    site.sign(executing)
    session = site.take_up(stopped())
    stops(session)
    assert road.in_effect() and outcome(session) == "contained" and scheduled_times(road) == 2


def test_an_operation_that_others_carried_out_is_contained_by_a_read_of_the_chain(locked: Road) -> None:
    site = locked.site
    _, document = waits(site.begin(locked.order))
    site.sign(document)
    carried_out_by_others(locked, document)
    session = site.take_up(stopped())
    stops(session)
    (ended,) = [one for one in events(session, Kind.STEP_ENDED) if one.step == "contain"]
    assert ended.data["outcome"] == "already-satisfied" and outcome(session) == "contained"
    assert legs(session, Kind.EXECUTED) == ["schedule"]


def carried_out_by_others(locked: Road, document: Mapping[str, Any]) -> None:
    """Anybody executes what the time-lock holds, once its delay is over."""
    zeppelin = locked.zeppelin
    locked.site.anvil.mine(1, seconds=locked.seconds)
    signature = "execute(address target, uint256 value, bytes payload, bytes32 predecessor, bytes32 salt)"
    zeppelin.anvil.transact(zeppelin.user, zeppelin.timelock, signature, *decoded(document)[:5])
    assert locked.in_effect()


def opened_by_others(locked: Road) -> None:
    """Governance opens the market by another road."""
    site = locked.site
    site.govern("appoint(address guardian)", site.anvil.accounts[0])
    site.govern("set_paused(bytes32 market, bool paused)", hex_bytes(ETH), False)
    site.govern("appoint(address guardian)", locked.zeppelin.timelock)


def test_what_others_carried_out_and_undid_is_scheduled_as_another_operation(locked: Road) -> None:
    site = locked.site
    _, document = waits(site.begin(locked.order))
    site.sign(document)
    carried_out_by_others(locked, document)
    opened_by_others(locked)
    answerer = Scripted({"contain": ["again"]})
    _, anew = waits(site.take_up(answerer))
    assert "executed and undone" in answerer.asked[0].text
    assert functions(anew) == ["schedule"] and decoded(anew)[4] != decoded(document)[4], "a salt of its own"
    site.sign(anew)
    _, executing = waits(site.take_up())
    site.sign(executing)
    session = site.take_up(stopped())
    stops(session)
    assert locked.in_effect() and outcome(session) == "contained"


def decoded(document: Mapping[str, Any]) -> tuple[object, ...]:
    """The arguments of a proposal's one call."""
    (one,) = document["calls"]
    return decode(parse_signature(one["signature"]).input_types, hex_bytes(one["data"])[4:])


def test_what_others_stopped_meanwhile_is_contained_and_nothing_more_is_proposed(managed: Road) -> None:
    site, zeppelin = managed.site, managed.zeppelin
    _, document = waits(site.begin(managed.order))
    site.sign(document)
    zeppelin.anvil.transact(zeppelin.admin, zeppelin.manager, GRANT, GUARDIAN, zeppelin.admin, 0)
    zeppelin.anvil.call(zeppelin.admin, managed.delayed)
    session = site.take_up(stopped())
    stops(session)
    assert managed.in_effect() and outcome(session) == "contained"
    assert len(files(session)) == 1 and len(site.screen.cards) == 0


# --- and back


def executed(road: Road) -> Session:
    """Scheduled, awaited, executed and seen to be contained."""
    scheduled(road)
    _, executing = waits(road.site.take_up())
    road.site.sign(executing)
    session = road.site.take_up(stopped())
    stops(session)
    assert road.in_effect() and outcome(session) == "contained"
    return session


def test_the_way_back_waits_as_well(managed: Road) -> None:
    site = managed.site
    executed(managed)
    _, scheduling = waits(site.take_up())
    assert functions(scheduling) == ["schedule"]
    site.sign(scheduling)
    before = site.anvil.now()
    _, executing = waits(site.take_up())
    assert functions(executing) == ["execute"] and site.anvil.now() >= before + managed.seconds
    assert managed.in_effect()
    site.sign(executing)
    session = site.take_up()
    assert walk(session).value == "contained"
    assert not managed.in_effect() and scheduled_times(managed) == 2
    assert legs(session, Kind.PROVEN) == ["schedule", "contain", "schedule", "restore"]


def test_contained_again_in_the_same_incident_it_is_scheduled_anew(locked: Road) -> None:
    site = locked.site
    executed(locked)
    opened_by_others(locked)
    _, document = waits(site.take_up(Scripted({"mended": [Back()]})))
    assert functions(document) == ["schedule"]
    site.sign(document)
    _, executing = waits(site.take_up())
    site.sign(executing)
    session = site.take_up(stopped())
    stops(session)
    assert locked.in_effect() and outcome(session) == "contained" and scheduled_times(locked) == 2
