"""Break-glass from order to proof and back, on a real node with a real 2-of-3 Safe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from incident_cli.errors import Misused, NotProven, Refused
from incident_cli.evm import hex_bytes
from incident_cli.flows import incidents
from incident_cli.flows.desk import Prompt, Stop
from incident_cli.flows.moments import moment
from incident_cli.flows.walk import walk
from incident_cli.incident.events import Kind
from incident_cli.journal.store import read
from tests.cli.command import incidents as begun
from tests.cli.command import run
from tests.contracts.misbehaviour import compiled
from tests.contracts.packages import Packages
from tests.fakes.desk import RecordingScreen, Scripted
from tests.real.containing import (
    BECAUSE,
    BTC,
    ETH,
    STRANGER,
    Site,
    as_founded,
    card,
    events,
    files,
    founded,
    is_open,
    let_go,
    outcome,
    refused,
    stops,
    waits,
)

SET_PAUSED = "set_paused(bytes32 market, bool paused)"
SHUT = "shut every market for good"
HOUR = 3_600


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


# --- from order to proof


def test_the_proposal_is_what_was_ordered_and_says_why(site: Site) -> None:
    session, document = waits(site.begin())
    assert session.events[0].data["because"] == BECAUSE
    assert BECAUSE in session.bound.runbook.title
    (call,) = document["calls"]
    assert (call["to"], hex_bytes(call["data"])) == (site.market, site.call(SET_PAUSED, hex_bytes(ETH), True).data)
    assert (document["safe_tx"]["safe"], document["safe_tx"]["nonce"]) == (site.council.address, 0)
    assert is_open(session) and not site.paused()
    shown = card(site)
    assert shown.blast == ("Traders of this market: cannot close their positions (0: exchange.at_risk())",)
    assert shown.calls[0].traps == ("Nobody is liquidated meanwhile.",)
    assert shown.reopening == f"At once, by the Safe {site.council.address}."
    assert shown.shows == ["exchange.paused(ETH-USD) = true"]
    assert shown.unchanged == [
        "exchange.paused(BTC-USD) = false",
        f"exchange.guardian() = {site.council.address}",
        "the Safe's owners, threshold, modules, singleton, guard, module guard and fallback handler",
    ]


def test_the_whole_execution_is_simulated_and_what_was_taken_as_given_is_said(site: Site) -> None:
    _, document = waits(site.begin())
    assert document["simulation"]["method"] == "execTransaction by eth_simulateV1"
    first, second = sorted((one.address for one in site.council.owners), key=str.lower)[:2]
    assert card(site).simulation == (
        "passed by execTransaction by eth_simulateV1; "
        f"taken as given: approval of {second} taken as given, signature of {first} pre-validated; "
        "not exercised: signatures"
    )


def test_executed_by_the_owners_it_is_proven_at_its_block(site: Site) -> None:
    _, document = waits(site.begin())
    sent = site.sign(document)
    site.anvil.mine(3)
    session = site.take_up(Scripted({"mended": [Stop()]}))
    stops(session)
    (proven,) = events(session, Kind.PROVEN)
    receipt = site.anvil.receipt(sent)
    assert proven.data["proof_block"]["hash"] == receipt["blockHash"]
    assert outcome(session) == "contained"
    assert read(session.recorder.directory).valid


def test_what_was_reversed_since_is_not_called_contained_and_may_be_contained_again(site: Site) -> None:
    _, document = waits(site.begin())
    site.sign(document)
    site.council.execute(site.call(SET_PAUSED, hex_bytes(ETH), False))
    session = site.take_up(Scripted({"contain": ["stop"]}))
    with pytest.raises(NotProven, match=r"paused\(ETH-USD\) is false, not true"):
        walk(session)
    session.recorder.journal.close()
    assert outcome(session) != "contained"
    _, anew = waits(site.take_up(Scripted({"contain": ["again"]})))
    site.sign(anew)
    session = site.take_up(Scripted({"mended": [Stop()]}))
    stops(session)
    assert outcome(session) == "contained" and site.paused()


def test_what_changed_while_the_phrase_was_typed_is_not_confirmed(site: Site) -> None:
    def loses_its_role(prompt: Prompt) -> str:
        site.govern("appoint(address guardian)", STRANGER)
        return prompt.phrase

    session = site.begin(answerer=Scripted({"contain": [loses_its_role]}))
    assert "does not hold the role" in refused(session)
    assert not events(session, Kind.CONFIRMED)


def test_a_file_that_says_something_else_than_was_confirmed_stops_it(site: Site) -> None:
    session, document = waits(site.begin())
    path = next((session.recorder.directory / "proposals").glob("0x*.json"))
    path.chmod(0o600)
    path.write_text(json.dumps({**document, "because": "another reason"}))
    session = site.take_up()
    with pytest.raises(Refused, match="does not hold what was confirmed"):
        walk(session)
    session.recorder.journal.close()


def test_what_changed_between_plan_and_execution_is_said_and_not_put_back(site: Site) -> None:
    site.anvil.transact(site.council.address, site.market, "set_limit(uint256 limit)", 100)
    _, document = waits(site.begin(site.order("exchange.tighten", most="50")))
    site.anvil.transact(site.council.address, site.market, "set_limit(uint256 limit)", 10)
    site.sign(document)
    session = site.take_up(Scripted({"mended": [Stop()]}))
    stops(session)
    (executed,) = events(session, Kind.EXECUTED)
    assert executed.data["stale"] == ["exchange.limit() was 10, not 100"]
    screen = session.screen
    assert isinstance(screen, RecordingScreen)
    assert any("was 10, not 100" in line for line in screen.lines)


def test_an_execution_that_did_something_else_contains_nothing(site: Site) -> None:
    waits(site.begin())
    site.council.execute(site.call(SET_PAUSED, hex_bytes(BTC), True))
    session, anew = waits(site.take_up())
    assert is_open(session) and not site.paused()
    assert anew["safe_tx"]["nonce"] == 1


def test_a_satisfied_lever_proposes_nothing_and_ends_contained(site: Site) -> None:
    site.council.execute(site.call(SET_PAUSED, hex_bytes(ETH), True))
    session = site.begin()
    assert walk(session).value == "contained"
    assert files(session) == [] and site.screen.cards == []
    (ended,) = [one for one in events(session, Kind.STEP_ENDED) if one.step == "contain"]
    assert ended.data["outcome"] == "already-satisfied"
    assert site.paused(), "there was nothing to undo: it was not ours"


def test_what_is_said_of_why_is_text_and_nothing_else(site: Site) -> None:
    hostile = 'a "quote", {market}, \\n # no comment: [x] \x1b[31m\nsteps: []'
    session, document = waits(site.begin(replace(site.order(), because=hostile)))
    assert "\x1b" not in session.bound.runbook.title and '"quote", {market}' in session.bound.runbook.title
    assert document["runbook"] == "break-glass" and len(session.bound.runbook.steps) == 3


# --- what cannot be undone


def test_what_cannot_be_undone_is_typed_letter_for_letter(site: Site) -> None:
    answerer = Scripted({"contain": ["ETH-USD"]})
    session = site.begin(site.order("exchange.shut"), answerer)
    assert "not confirmed" in stops(session).message
    assert [one.phrase for one in answerer.asked] == [SHUT] and files(session) == []
    for wrong in (SHUT.upper(), f"{SHUT}.", SHUT[:-1]):
        session = site.take_up(Scripted({"contain": [wrong]}))
        assert "not confirmed" in stops(session).message and files(session) == []
    session, document = waits(site.take_up(Scripted({"contain": [SHUT]})))
    assert card(site).reopening == "NEVER: at least one of these calls cannot be undone by anyone."
    site.sign(document)
    assert walk(site.take_up()).value == "contained"
    assert site.anvil.view(site.market, "is_shut() returns (bool)") == (True,)
    assert not list(session.recorder.directory.glob("proposals/reopening-*"))


# --- what ends by itself


def lapsing(site: Site) -> Site:
    """The site with a stand-in of a queue that is paused for a time."""
    types = ("address[]", "address")
    queue = site.anvil.deploy(compiled("standins/lido_pausable"), types, ([site.council.address], STRANGER))
    slot = f'  queue: {{chain: local, protocol: lido-withdrawal-queue, addresses: {{withdrawal_queue: "{queue}"}}}}\n'
    return replace(site, slots=slot)


def test_the_moment_it_will_lapse_is_shown_recorded_and_reminded_of(site: Site) -> None:
    site = lapsing(site)
    _, document = waits(site.begin(site.order("queue.pause_for", lasting="1h")))
    (shown,) = card(site).lapses
    assert shown.startswith("by itself at ") and shown.endswith("(queue.resume_at())")
    site.anvil.mine(1, seconds=600)  # the owners take their time: it lapses later than was foreseen
    site.sign(document)
    lapses_at = site.anvil.now() + HOUR
    session = site.take_up(Scripted({"mended": [Stop()]}))
    stops(session)
    (proven,) = events(session, Kind.PROVEN)
    assert proven.data["lapses"] == [{"label": "queue.resume_at()", "at": lapses_at}]
    words = f"ends by itself at {moment(lapses_at)} (queue.resume_at())"
    (standing,) = incidents.standings(site.home)
    assert standing.is_open and standing.reminders == (f"the containment {words}",)
    listed = run([], site.home)
    assert listed.code == 0 and words in " ".join(listed.err.split())
    (one,) = run(["--json"], site.home).object["incidents"]
    assert one["reminders"] == [f"the containment {words}"]


# --- the way back


def test_mended_it_is_put_back_as_it_was(site: Site) -> None:
    session = site.contained()
    answerer = Scripted()
    _, document = waits(site.take_up(answerer))
    (asked,) = answerer.questions("mended")
    assert asked.question == "yes-no" and "Is the cause mended" in asked.text
    (call,) = document["calls"]
    assert hex_bytes(call["data"]) == site.call(SET_PAUSED, hex_bytes(ETH), False).data and site.paused()
    assert outcome(session) == "contained"
    site.sign(document)
    last = site.take_up()
    assert walk(last).value == "contained"
    assert not site.paused()
    assert [one.data["leg"] for one in events(last, Kind.PROVEN)] == ["contain", "restore"]
    assert [one for one in incidents.standings(site.home) if one.is_open or one.reminders] == []


def test_not_mended_it_stays_contained_and_open(site: Site) -> None:
    site.contained()
    session = site.take_up(Scripted({"mended": ["no"]}))
    stops(session)
    assert site.paused() and outcome(session) == "contained"
    (standing,) = incidents.standings(site.home)
    assert (standing.is_open, standing.step) == (True, "mended")


def test_what_somebody_changed_since_is_not_put_back(site: Site) -> None:
    site.contained()
    site.council.execute(site.call(SET_PAUSED, hex_bytes(ETH), False))
    session = site.take_up()
    with pytest.raises(Refused) as caught:
        walk(session)
    let_go(session)
    assert caught.value.message == "exchange.paused(ETH-USD) is false, not true as the containment left it"
    assert "somebody changed it since" in caught.value.hint
    assert len(files(session)) == 1


def test_what_changes_before_the_reopening_is_confirmed_is_seen(site: Site) -> None:
    site.contained()
    session = site.take_up(Scripted({"reopen": [Stop()]}))
    stops(session)
    site.council.execute(site.call(SET_PAUSED, hex_bytes(ETH), False))
    session = site.take_up()
    with pytest.raises(Refused, match="as the containment left it"):
        walk(session)
    let_go(session)


# --- orders that cannot be followed


@pytest.mark.parametrize(
    ("lever", "args", "says"),
    [
        ("exchange.puase", {}, "guarded-market has no lever 'puase'; did you mean 'pause'?"),
        ("exchang.pause", {}, "the deployment test has no slot 'exchang'; did you mean 'exchange'?"),
        ("pause", {}, "a lever is written SLOT.LEVER"),
        ("exchange.tighten", {"mots": "5"}, "tighten has no argument 'mots'; did you mean 'most'?"),
        ("exchange.tighten", {}, "add most=INT after the lever"),
        ("exchange.pause", {"market": "BTC-USD"}, "pause has no argument 'market'"),
        ("exchange.tighten", {"most": "five"}, "most=five: "),
        ("exchange.tighten", {"most": "{market}"}, "most={market}: "),
        ("exchange.cancel", {"operation": "0x12"}, "operation=0x12: 32 bytes are 0x and 64 hex digits"),
        ("council.pause", {}, "safe has no lever 'pause'"),
    ],
)
def test_an_order_that_means_nothing_begins_nothing(site: Site, lever: str, args: dict[str, str], says: str) -> None:
    with pytest.raises(Misused) as caught:
        site.begin(replace(site.order(lever), args=args))
    assert says in f"{caught.value.message} {caught.value.hint}"
    assert not begun(site.home)


@pytest.mark.parametrize("by", ["exchange", "counsil", "", "a: b}\nx"])
def test_only_a_safe_of_the_deployment_pulls(site: Site, by: str) -> None:
    with pytest.raises(Misused) as caught:
        site.begin(replace(site.order(), by=by))
    assert "is no slot of a Safe" in caught.value.message and "Safes: council" in caught.value.hint
    assert not begun(site.home)


def test_an_argument_that_does_not_fit_is_refused(site: Site) -> None:
    for most in ("-5", str(2**256)):
        words = refused(site.begin(site.order("exchange.tighten", most=most)))
        assert f"exchange.tighten(most = {most}): the arguments do not fit (uint256)" in words


def ordered(site: Site, *words: str) -> tuple[int, str]:
    """The command without a terminal: how it ended and what it said."""
    ended = run(["contain", *words], site.home)
    assert ended.out == "" and not begun(site.home)
    return ended.code, " ".join(ended.err.split())


def test_without_a_terminal_it_asks_nobody(site: Site) -> None:
    where = ["--deployment", str(site.deployment), "--market", "ETH-USD"]
    code, said = ordered(site, "exchange.pause", *where, "--because", BECAUSE)
    assert code == 4 and "terminal" in said and "Nothing was begun." in said
    code, said = ordered(site, "exchange.puase", *where, "--because", BECAUSE)
    assert code == 2 and "did you mean 'pause'?" in said
    code, said = ordered(site, "exchange.pause", *where)
    assert code == 2 and "--because" in said
    code, said = ordered(site, "exchange.pause", *where, "--because", " ")
    assert code == 2 and "--because needs words" in said
    code, said = ordered(site, "exchange.tighten", "mots=5", *where, "--because", BECAUSE)
    assert code == 2 and "did you mean 'most'?" in said
    assert files_of(site) == []


def files_of(site: Site) -> list[Path]:
    """Every proposal in this place."""
    return list(site.folder.rglob("0x*.json"))
