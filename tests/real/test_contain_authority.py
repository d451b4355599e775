"""What the deployment's authority lets a Safe do: which lever, how severe an incident, how often, and for how long."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from incident_cli.errors import Misused
from incident_cli.evm import hex_bytes, to_hex
from incident_cli.flows import incidents
from incident_cli.flows.break_glass import GlassOrder
from incident_cli.flows.desk import Stop
from incident_cli.flows.moments import moment
from incident_cli.flows.past_pulls import PastPulls, Puller
from incident_cli.flows.session import Session
from incident_cli.flows.walk import walk
from incident_cli.incident.events import Kind
from tests.contracts.packages import Packages
from tests.contracts.safes import build_safe
from tests.fakes.desk import Scripted
from tests.real.containing import (
    ETH,
    Site,
    as_founded,
    card,
    events,
    founded,
    let_go,
    outcome,
    overruling,
    refused,
    stops,
    waits,
)

ANN, BEN = ("Ann", "it is attacked again"), ("Ben", "seen")
SET_PAUSED = "set_paused(bytes32 market, bool paused)"
COOLDOWN, LONGEST = 3_600, 7_200
OPERATION = "0x" + "77" * 32


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The chain, built once."""
    with founded(packages, tmp_path_factory.mktemp("built")) as found:
        yield found


@pytest.fixture
def site(built: Site, tmp_path: Path) -> Iterator[Site]:
    """The chain as it was built, and an empty place, for this test alone."""
    with as_founded(built, tmp_path) as found:
        yield found


def granting(site: Site, *levers: str, by: str = "council", **limits: str) -> Site:
    """The site with an authority for these levers of the exchange."""
    given = "".join(f", {name}: {value}" for name, value in limits.items())
    named = ", ".join(f"exchange.{one}" for one in levers)
    return replace(site, extra=f"{site.extra or 'authority:'}\n  - {{by: {by}, levers: [{named}]{given}}}")


def reopened(site: Site) -> None:
    """Governance opens the market again, by whatever road."""
    site.council.execute(site.call(SET_PAUSED, hex_bytes(ETH), False))


# --- which, and how severe


def test_a_lever_that_is_granted_to_nobody_is_refused(site: Site) -> None:
    site = granting(site, "shut")
    words = refused(site.begin(replace(site.order(), by="council")))
    assert "does not let council pull exchange.pause: it is granted to nobody" in words
    assert "change `authority` in the deployment before the incident" in words


def test_a_lever_that_is_granted_to_another_safe_is_refused(site: Site) -> None:
    other = build_safe(site.anvil, number=1)
    second = f'  reserve: {{chain: local, protocol: safe, addresses: {{safe: "{other.address}"}}}}\n'
    site = granting(replace(site, slots=second), "pause", by="reserve")
    assert "it is granted to reserve" in refused(site.begin(replace(site.order(), by="council")))
    assert f"{other.address} does not hold the role" in refused(site.begin()), "whom the chain does not know"


@pytest.mark.parametrize("severity", ["SEV1", "SEV2"])
def test_as_severe_as_granted_or_worse_is_let_through(site: Site, severity: str) -> None:
    site = granting(site, "pause", severity="SEV2")
    waits(site.begin(replace(site.order(), severity=severity)))


@pytest.mark.parametrize("severity", ["SEV3", "SEV4", "SEV5"])
def test_too_mild_an_incident_is_refused(site: Site, severity: str) -> None:
    site = granting(site, "pause", severity="SEV2")
    words = refused(site.begin(replace(site.order(), severity=severity)))
    assert f"lets council pull exchange.pause from SEV2 on; this incident is {severity}" in words


def test_a_severity_that_is_none_is_no_order(site: Site) -> None:
    with pytest.raises(Misused, match="is no severity"):
        site.begin(replace(site.order(), severity="SEV0"))
    assert not site.home.exists()


# --- how often


def pulled_once(site: Site, order: GlassOrder | None = None) -> Session:
    """A pull that was executed and proven, and opened again since."""
    session = site.contained(order)
    reopened(site)
    return session


def objections(site: Site, order: GlassOrder | None = None, answerer: Scripted | None = None) -> list[str]:
    """What two people overruled until the owners were asked; nothing else may stand in the way."""
    session, document = waits(site.begin(order, answerer))
    assert [one["code"] for one in document["overrides"]] == ["cooldown"] * len(document["overrides"])
    return [one.data["override"]["message"] for one in events(session, Kind.OVERRULED)]


def test_a_second_pull_within_the_cooldown_stops_it(site: Site) -> None:
    site = granting(site, "pause", cooldown="1h")
    first = pulled_once(site)
    site.anvil.mine(1, seconds=600)
    words = refused(site.begin(answerer=Scripted({"contain": ["stop"]})))
    assert "cooldown: exchange.pause(market = ETH-USD): it was pulled 10m" in words
    assert f"in {first.recorder.incident}; the cooldown is 1h" in words


def test_two_people_overrule_the_cooldown(site: Site) -> None:
    site = granting(site, "pause", cooldown="1h")
    first = pulled_once(site)
    session, document = waits(site.begin(answerer=overruling(ANN, BEN)))
    (override,) = document["overrides"]
    assert override["code"] == "cooldown" and first.recorder.incident in override["message"]
    assert [one["name"] for one in override["people"]] == ["Ann", "Ben"]
    assert "cooldown" in card(site).overrides[0]
    site.sign(document)
    again = site.take_up(Scripted({"mended": [Stop()]}), session.recorder.incident)
    stops(again)
    assert outcome(again) == "contained" and site.paused()


def test_one_person_alone_does_not_overrule_the_cooldown(site: Site) -> None:
    site = granting(site, "pause", cooldown="1h")
    pulled_once(site)
    assert "one person cannot" in refused(site.begin(answerer=overruling(ANN, ("ann", "still me"))))


def test_the_cooldown_ends(site: Site) -> None:
    site = granting(site, "pause", cooldown="1h")
    (executed,) = events(pulled_once(site), Kind.EXECUTED)
    assert executed.block is not None
    site.anvil.mine_at(executed.block.timestamp + COOLDOWN)
    assert objections(site) == []


def test_another_market_and_another_safe_are_not_held_up(site: Site) -> None:
    site = granting(site, "pause", cooldown="1h")
    pulled_once(site)
    assert objections(site, site.order(market="BTC-USD")) == []
    other = build_safe(site.anvil, number=2)
    site.govern("appoint(address guardian)", other.address)
    assert objections(replace(site, council=other)) == []


def test_the_same_address_on_another_chain_is_another_safe(site: Site) -> None:
    by = Puller(site.council.address, site.anvil.chain_id)
    call = site.call("set_paused(bytes32 market, bool paused)", hex_bytes(ETH), True)
    session = site.contained()
    past = PastPulls(site.home / "another", "live")
    found = past.last(call.to, to_hex(call.data), by)
    (executed,) = events(session, Kind.EXECUTED)
    assert found is not None and executed.block is not None
    assert (found.timestamp, found.incident) == (executed.block.timestamp, session.recorder.incident)
    assert past.last(call.to, to_hex(call.data), replace(by, chain_id=1)) is None
    assert past.last(site.council.address, to_hex(call.data), by) is None


def test_what_another_incident_has_out_for_signatures_holds_up_too(site: Site) -> None:
    site = granting(site, "pause", cooldown="1h")
    waits(site.begin())
    (words,) = objections(site, answerer=overruling(ANN, BEN))
    assert "the cooldown is 1h" in words


def test_a_journal_that_does_not_verify_is_not_taken_for_no_pull(site: Site) -> None:
    site = granting(site, "pause", cooldown="1h")
    session = pulled_once(site)
    path = session.recorder.directory / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b"executed", b"exacuted", 1))
    (words,) = objections(site, answerer=overruling(ANN, BEN))
    assert "does not verify" in words


@pytest.mark.parametrize("again", ["5", "6"])
def test_the_same_argument_is_held_up_and_another_is_not(site: Site, again: str) -> None:
    site = granting(site, "tighten", cooldown="1h")
    site.contained(site.order("exchange.tighten", most="5"))
    site.council.execute(site.call("set_limit(uint256 limit)", 9))
    found = objections(site, site.order("exchange.tighten", most=again), overruling(ANN, BEN) if again == "5" else None)
    assert ["exchange.tighten(most = 5)" in one for one in found] == ([True] if again == "5" else [])


def test_what_cancels_is_never_held_up(site: Site) -> None:
    site = granting(site, "cancel", cooldown="1h")
    order = site.order("exchange.cancel", operation=OPERATION)
    for _ in range(2):
        site.govern("submit(bytes32 operation)", hex_bytes(OPERATION))
        session, document = waits(site.begin(order))
        assert document["overrides"] == [] and not events(session, Kind.OVERRULED)
        site.sign(document)
        again = site.take_up(incident=session.recorder.incident)
        assert walk(again).value == "contained"
        let_go(again)


@pytest.mark.parametrize(("mode", "counts"), [("drill", False), ("fork", False), ("live", True)])
def test_a_rehearsal_is_no_pull(site: Site, mode: str, counts: bool) -> None:
    site = granting(site, "pause", cooldown="1h")
    first = pulled_once(site)
    rehearsal = site.around()
    recorder = incidents.create(rehearsal.home, "rehearsal", mode, "local", rehearsal.clock)
    for event in first.events[1:]:
        recorder.record(event.kind, step=event.step, attempt=event.attempt, block=event.block, data=dict(event.data))
    recorder.journal.close()
    for path in sorted(first.recorder.directory.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    first.recorder.directory.rmdir()
    found = objections(site, answerer=overruling(ANN, BEN) if counts else None)
    assert len(found) == counts and all("rehearsal" in one for one in found)


# --- for how long


def test_how_long_it_may_last_is_recorded_and_reminded_of(site: Site) -> None:
    site = granting(site, "pause", longest="2h")
    session = site.contained()
    (executed,), (proven,) = events(session, Kind.EXECUTED), events(session, Kind.PROVEN)
    assert executed.block is not None
    due = executed.block.timestamp + LONGEST
    assert proven.data["due"] == due
    (standing,) = [one for one in incidents.standings(site.home) if one.is_open]
    (reminder,) = standing.reminders
    assert reminder.startswith(f"it may last until {moment(due)} by the deployment's authority")


def test_who_may_not_undo_it_is_reminded_all_the_same(site: Site) -> None:
    site = granting(site, "tighten", longest="2h")
    session = site.contained(site.order("exchange.tighten", most="5"))
    (standing,) = incidents.standings(site.home)
    assert (standing.is_open, len(standing.reminders)) == (True, 1)
    answerer = Scripted({"reopen": ["governance set it back to 0 in block 9"]})
    again = site.take_up(answerer)
    assert walk(again).value == "contained"
    (asked,) = answerer.questions("reopen")
    assert "Only governance may undo it" in asked.text and "reopening-contain-" in asked.text
    assert list(session.recorder.directory.glob("proposals/reopening-contain-1.json"))
    assert not [one for one in incidents.standings(site.home) if one.is_open]


def test_the_reopening_is_prepared_to_be_made_only_while_it_stands(site: Site) -> None:
    site = granting(site, "pause", longest="2h")
    session = site.contained()
    (path,) = (session.recorder.directory / "proposals").glob("reopening-*.json")
    document = json.loads(path.read_text())
    (undo,) = document["calls"]
    back = site.call(SET_PAUSED, hex_bytes(ETH), False)
    assert (undo["to"], hex_bytes(undo["data"]), undo["by"]) == (site.market, back.data, "same")
    for name, value in (("only_if", 1), ("expect", 0)):
        (one,) = undo[name]
        assert (one["to"], int(one["equals"], 16), one["label"]) == (site.market, value, "exchange.paused(ETH-USD)")
    assert (document["schema"], document["market"]) == ("incident.reopening/v1", "ETH-USD")
    assert site.council.address in document["reopening"]
