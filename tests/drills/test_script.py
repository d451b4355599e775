"""Scenario files: the shipped ones load, wrong ones are refused with every problem, and the right one is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident_cli.drills.scenario import Fault
from incident_cli.drills.script import find_script, load_script
from incident_cli.errors import Misused
from incident_cli.runbook.load import load_runbook
from incident_cli.runbook.shipped import find_runbook, shipped_folder

SHIPPED = sorted((shipped_folder() / "drills").glob("*.yaml"))
GOOD = """\
schema: incident-scenario/v1
id: good
title: A feed is pushed away
runbook: oracle-divergence
market: ETH-USD
intended: contained
attacker: true
faults:
  - {kind: feed-moved, market: ETH-USD, at_block: 4, move: "-12%", lasts: 9}
answers: {declare: "yes"}
"""


def written(folder: Path, text: str, name: str = "good") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_scenario_rehearses_a_shipped_runbook(path: Path) -> None:
    scenario = load_script(path).scenario
    runbook = load_runbook(find_runbook(scenario.runbook)).runbook
    assert scenario.id == path.stem
    assert set(scenario.answers) <= {step.id for step in runbook.steps}
    markets = {fault.market for fault in scenario.faults}
    assert scenario.market in markets or markets == {None}
    assert scenario.intended == "contained" or not scenario.attacker


def test_the_issue_s_scenarios_are_shipped() -> None:
    assert {"oracle-divergence", "oracle-stale", "false-alarm"} <= {path.stem for path in SHIPPED}


def test_a_scenario_is_read_as_it_is_written(tmp_path: Path) -> None:
    scenario = load_script(written(tmp_path, GOOD)).scenario
    (fault,) = scenario.faults
    assert (fault.kind, fault.market, fault.at_block, fault.move, fault.lasts) == ("feed-moved", "ETH-USD", 4, -1200, 9)
    assert (scenario.attacker, scenario.answers, scenario.intended) == (True, {"declare": "yes"}, "contained")
    assert [fault.is_active(height) for height in (3, 4, 12, 13)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("id: good", "id: other", "its id is"),
        ("schema: incident-scenario/v1", "schema: incident-scenario/v2", "schema"),
        ("kind: feed-moved", "kind: feed-gone", "feed-moved"),
        ("market: ETH-USD, at", "market: DOGE-USD, at", "DOGE-USD"),
        ("at_block: 4", "at_block: 0", "at_block"),
        ("at_block: 4", "at_block: 1001", "at_block"),
        ("lasts: 9", "lasts: 0", "lasts"),
        ('move: "-12%"', 'move: "-91%"', "move"),
        ('move: "-12%"', "move: far", "basis points"),
        ("intended: contained", "intended: fine", "intended"),
        ("attacker: true", "attackers: true", "attackers"),
        ("attacker: true", "appetite: 0", "appetite"),
        ("attacker: true", "appetite: 1001", "appetite"),
        ("title: A feed is pushed away\n", "", "title"),
        ("faults:\n", "faults: 3\nother:\n", "faults"),
    ],
)
def test_a_wrong_scenario_is_refused_by_name(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(Misused) as caught:
        load_script(path)
    assert caught.value.exit_code == 2
    assert said in str(caught.value.message) and "good.yaml" in caught.value.message


NEW_FAULTS = (
    ("feed-shaken, market: ETH-USD, move: 4%", Fault("feed-shaken", "ETH-USD", 4, 400)),
    ('price-crash, market: BTC-USD, move: "-3%", lasts: 8', Fault("price-crash", "BTC-USD", 4, -300, 8)),
    ("withdrawal-rush, move: 8%", Fault("withdrawal-rush", None, 4, 800)),
    ("surface-bent, market: SOL-USD, move: 25%", Fault("surface-bent", "SOL-USD", 4, 2_500)),
    ("buffer-spent, market: ETH-USD, move: 100%", Fault("buffer-spent", "ETH-USD", 4, 10_000)),
    ("hostile-operation", Fault("hostile-operation", None, 4)),
    ("lane-cursed, lasts: 3", Fault("lane-cursed", None, 4, 0, 3)),
)


@pytest.mark.parametrize(("written_as", "fault"), NEW_FAULTS)
def test_a_fault_has_the_keys_that_mean_something(written_as: str, fault: Fault, tmp_path: Path) -> None:
    old = 'feed-moved, market: ETH-USD, at_block: 4, move: "-12%", lasts: 9'
    text = GOOD.replace(old, f"{written_as}, at_block: 4").replace("attacker: true", "appetite: 50")
    scenario = load_script(written(tmp_path, text)).scenario
    assert (scenario.faults, scenario.appetite, scenario.attacker) == ((fault,), 50, False)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("feed-shaken, move: 4%", "feed-shaken needs market"),
        ("surface-bent, market: ETH-USD", "surface-bent needs move"),
        ("price-crash", "price-crash needs market"),
        ("withdrawal-rush", "withdrawal-rush needs move"),
        ("withdrawal-rush, market: ETH-USD, move: 1%", "withdrawal-rush has no market"),
        ("lane-cursed, move: 1%", "lane-cursed has no move"),
        ("hostile-operation, lasts: 3", "happens in one block"),
        ("hostile-operation, market: ETH-USD", "hostile-operation has no market"),
        ("withdrawal-rush, move: 101%", "at most 100%"),
        ('buffer-spent, market: ETH-USD, move: "-1%"', "more than 0%"),
    ],
)
def test_a_key_that_means_nothing_is_refused_and_one_that_is_missing_named(
    entry: str, said: str, tmp_path: Path
) -> None:
    old = 'feed-moved, market: ETH-USD, at_block: 4, move: "-12%", lasts: 9'
    with pytest.raises(Misused, match=said):
        load_script(written(tmp_path, GOOD.replace(old, f"{entry}, at_block: 4")))


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("intended: contained", "intended: fine").replace("at_block: 4", "at_block: x")
    with pytest.raises(Misused) as caught:
        load_script(written(tmp_path, text))
    assert caught.value.message.count("error[") >= 2


def test_a_scenario_is_found_by_name_by_its_namesake_or_by_its_runbook(tmp_path: Path) -> None:
    folder = tmp_path / "drills"
    written(folder, GOOD)
    assert find_script(folder, None, "good").scenario.id == "good"
    assert find_script(folder, "oracle-divergence", None).scenario.id == "good"
    written(folder, GOOD.replace("id: good", "id: oracle-divergence"), "oracle-divergence")
    written(folder, GOOD.replace("id: good", "id: a-first"), "a-first")
    assert find_script(folder, "oracle-divergence", None).scenario.id == "oracle-divergence"


def test_what_is_not_there_is_named_with_what_is(tmp_path: Path) -> None:
    written(tmp_path / "drills", GOOD)
    with pytest.raises(Misused, match="goood") as caught:
        find_script(tmp_path / "drills", None, "goood")
    assert "good" in caught.value.hint and "did you mean" in caught.value.message
    with pytest.raises(Misused, match="no scenario rehearses"):
        find_script(tmp_path / "drills", "emergency-shutdown", None)
    with pytest.raises(Misused) as empty:
        find_script(tmp_path, None, "good\x1b[2J")
    assert "\x1b" not in empty.value.message
