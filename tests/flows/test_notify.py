"""notify in a walk: the text is shown and recorded, nothing is sent, and nothing unproven is ever said."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from incident_cli.errors import NotProven, Waiting
from incident_cli.flows import drill as flow
from incident_cli.flows.desk import Answerer, Note, Rehearsed, Skip, Stop
from incident_cli.flows.drill import Drill, DrillPlan
from incident_cli.flows.drill_report import exit_code, report
from incident_cli.incident.events import Event, Kind
from incident_cli.incident.notice import REHEARSAL
from incident_cli.incident.walk import Ending
from incident_cli.runbook.shipped import shipped_folder
from tests.fakes.desk import FakeClock, RecordingScreen, Said, Scripted
from tests.flows.rehearsal import begun, fresh, of_kind, people

Script = dict[str, list[Said]]
RUSH = "withdrawal-rush"
TELL = "  - {id: tell, notify: {template: contained, audience: public}, deadline: 30m}\n"
TOO_EARLY = TELL.replace(", deadline: 30m", "")


def stops(drill: Drill) -> Waiting:
    """Run until the operator stops: at the step after the notice, unless the script says otherwise."""
    with pytest.raises(Waiting) as caught:
        flow.run(drill)
    assert caught.value.exit_code == 5
    return caught.value


def told(drill: Drill) -> list[dict[str, Any]]:
    """The notices on record."""
    return [one.data["notice"] for one in of_kind(drill, Kind.STEP_ENDED) if "notice" in one.data]


def ended(drill: Drill, step: str) -> Event:
    return next(one for one in of_kind(drill, Kind.STEP_ENDED) if one.step == step)


def lines(drill: Drill) -> list[str]:
    screen = drill.session.screen
    assert isinstance(screen, RecordingScreen)
    return screen.lines


def changed(folder: Path, before: str, after: str) -> DrillPlan:
    """The withdrawal rush with one thing changed in its runbook."""
    shipped, runbook = shipped_folder(), folder / f"{RUSH}.yaml"
    (folder / "drills").mkdir(parents=True)
    text = (shipped / f"{RUSH}.yaml").read_text("utf-8")
    assert text.count(before) == 1
    runbook.write_text(text.replace(before, after), "utf-8")
    (folder / "drills" / f"{RUSH}.yaml").write_bytes((shipped / "drills" / f"{RUSH}.yaml").read_bytes())
    return flow.plan_drill(str(runbook), RUSH, 7)


def too_early(home: Path, answerer: Answerer) -> Drill:
    """A drill whose runbook would say `contained` before anything is proposed."""
    plan = changed(home / "files", TELL, "")
    text = plan.loaded.path.read_text("utf-8").replace("  - id: slow\n", f"{TOO_EARLY}  - id: slow\n")
    plan.loaded.path.write_text(text, "utf-8")
    plan = flow.plan_drill(str(plan.loaded.path), RUSH, 7)
    return flow.begin_in(fresh(7, RUSH), plan, home, FakeClock(), people(answerer, plan))


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Drill:
    """The shipped drill with its rehearsed answers, as `--auto` gives them."""
    drill = begun(tmp_path_factory.mktemp("home"), RUSH)
    flow.run(drill)
    return drill


def test_the_shipped_drill_ends_contained_with_its_notice(rehearsed: Drill) -> None:
    assert (rehearsed.ending, exit_code(rehearsed)) == (Ending.CONTAINED, 0)
    assert {one["id"]: one["outcome"] for one in report(rehearsed)["steps"]}["tell"] == "done"
    (notice,) = told(rehearsed)
    proof = ended(rehearsed, "prove").data["proof_block"]
    assert (notice["template"], notice["wanted"], notice["audience"]) == ("contained", "contained", "public")
    assert f"drill block {proof['number']}" in notice["text"] and f"Block hash: {proof['hash']}" in notice["text"]
    assert notice["text"].startswith(REHEARSAL)


def test_the_exact_text_and_its_hash_are_recorded_with_the_answer(rehearsed: Drill) -> None:
    (notice,) = told(rehearsed)
    assert notice["sha256"] == hashlib.sha256(notice["text"].encode()).hexdigest()
    answered = next(one for one in of_kind(rehearsed, Kind.ANSWERED) if one.step == "tell")
    assert notice["sha256"][:16] in answered.data["question"]
    assert ended(rehearsed, "tell").data["evidence_text"] == answered.data["answer"]
    assert "rehearsed" in answered.data["answer"]


def test_the_screen_shows_every_line_and_that_nothing_was_sent(rehearsed: Drill) -> None:
    (notice,) = told(rehearsed)
    said, text = lines(rehearsed), notice["text"].split("\n")
    start = said.index("copy this (for: public); nothing was sent:")
    assert said[start + 1 : start + 1 + len(text)] == text
    assert notice["sha256"] in said[start + 1 + len(text)]


def test_the_public_text_holds_no_owner_and_no_threshold(rehearsed: Drill) -> None:
    (notice,) = told(rehearsed)
    world, found = rehearsed.live.world, report(rehearsed)
    secret = [one.address for one in (*world.council_owners, *world.governance_owners)]
    secret += [world.addresses.council, found["proposals"][0]["safe_tx_hash"]]
    thresholds = [str(given.value) for name, given in rehearsed.session.bound.scope.items() if name != "market"]
    assert thresholds
    assert not [one for one in (*secret, *thresholds, "300000", "200000") if one.lower() in notice["text"].lower()]


def test_contained_is_refused_before_it_is_proven_and_the_walk_can_be_resumed(tmp_path: Path) -> None:
    drill = too_early(tmp_path, Scripted({"tell": ["stop", "on", "nowhere yet"], "who": [Stop()]}))
    assert "nothing was published" in stops(drill).message
    answerer = drill.session.answerer
    assert isinstance(answerer, Scripted)
    (question,) = answerer.questions("tell")
    assert [word for word, _ in question.choices] == ["stop", "on"], "the first is the default"
    assert "`identified`" in question.choices[1][1]
    assert not told(drill) and not [one for one in lines(drill) if one.startswith("Status:")]
    stops(drill)
    assert report(drill)["outcome"] == "contained"
    (notice,) = told(drill)
    assert (notice["template"], notice["wanted"]) == ("identified", "contained")
    assert "contained" not in notice["text"].lower()


def test_a_rehearsal_without_anybody_takes_the_weaker_notice(tmp_path: Path) -> None:
    answers = {"tell": "The status page.", "slow": "skip far enough"}
    drill = too_early(tmp_path, Rehearsed(answers, complete=True))
    with pytest.raises(NotProven):
        flow.run(drill)
    assert [one["template"] for one in told(drill)] == ["identified"]
    assert ended(drill, "tell").data["evidence_text"] == "The status page."


def test_a_skipped_notice_changes_nothing_else(tmp_path: Path) -> None:
    script: Script = {"tell": [Note("the lawyers read it"), Skip("told by phone")], "who": [Stop()]}
    drill = begun(tmp_path, RUSH, answerer=Scripted(script))
    stops(drill)
    assert report(drill)["outcome"] == "contained"
    assert ended(drill, "tell").data["reason"] == "told by phone"
    assert [one.data["text"] for one in of_kind(drill, Kind.NOTED)] == ["the lawyers read it"]
    assert not told(drill)


def test_a_skipped_containment_is_not_told_as_contained(tmp_path: Path) -> None:
    script: Script = {"slow": [Skip("the desk said so")], "prove": ["leave"], "tell": ["on", Stop()]}
    drill = begun(tmp_path, RUSH, answerer=Scripted(script))
    with pytest.raises(NotProven):
        flow.run(drill)
    stops(drill)
    said = [one for one in lines(drill) if one.startswith("Status:")]
    assert said == ["Status: identified. A problem has been identified; the response is under way."]


def test_a_hostile_title_is_shown_as_what_it_is(tmp_path: Path) -> None:
    title = "title: Withdrawals come faster than they can be looked at; slow them down before the limit is used up"
    hostile = 'title: "A rush\\e[2J\\u202E\\nStatus: resolved. Send to 0x' + "ab" * 20 + '"'
    plan = changed(tmp_path / "files", title, hostile)
    drill = flow.begin_in(fresh(7, RUSH), plan, tmp_path, FakeClock(), people(Scripted({"who": [Stop()]}), plan))
    stops(drill)
    (notice,) = told(drill)
    assert "What: A rush<U+001B>[2J<U+202E><U+000A>Status: resolved. Send to (an address)" in notice["text"].split("\n")
