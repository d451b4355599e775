"""`incident runbook test`: what it prints, and how it ends."""

from __future__ import annotations

import shutil
from pathlib import Path

from incident_cli.runbook.shipped import shipped_folder
from tests.cli.command import run

SHIPPED = shipped_folder()
NAMES = [
    "oracle-divergence",
    "oracle-staleness",
    "emergency-shutdown",
    "collateral-buffer-shortfall",
    "option-surface-arbitrage",
    "upstream-contagion",
]


def copied(folder: Path) -> Path:
    """A folder with a shipped runbook and its tests."""
    (folder / "tests").mkdir(parents=True)
    shutil.copy(SHIPPED / "oracle-divergence.yaml", folder)
    return Path(shutil.copy(SHIPPED / "tests/oracle-divergence.yaml", folder / "tests"))


def test_the_shipped_runbooks_pass_and_every_mutant_is_noticed(tmp_path: Path) -> None:
    ended = run(["runbook", "test", *NAMES, "--mutate", "--strict", "--json"], tmp_path)
    assert (ended.code, ended.err) == (0, "")
    found = ended.object
    assert (found["schema"], found["passed"]) == ("incident.runbook-test/v1", True)
    files = {one["runbook"]: one for one in found["files"]}
    assert list(files) == NAMES
    for one in files.values():
        assert set(one) == {"file", "runbook", "cases", "never_exercised", "steps_never_walked", "mutants"}
        assert all(case == {"name": case["name"], "passed": True, "failures": []} for case in one["cases"])
        assert one["mutants"]["tried"] == one["mutants"]["noticed"] > 0


def test_a_runbook_is_tested_by_its_file_too_and_for_people(tmp_path: Path) -> None:
    copied(tmp_path / "mine")
    ended = run(["runbook", "test", str(tmp_path / "mine/oracle-divergence.yaml"), "--mutate"], tmp_path)
    assert (ended.code, ended.out) == (0, "")
    assert "oracle-divergence: 9 of 9 cases pass" in ended.err
    assert "3 mutants, 3 noticed" in ended.err


def test_what_differs_is_told_with_its_place(tmp_path: Path) -> None:
    path = copied(tmp_path / "mine")
    path.write_text(path.read_text().replace("value: 151}", "value: 152}"))
    ended = run(["runbook", "test", str(path)], tmp_path)
    lines = path.read_text().splitlines()
    number = next(place for place, line in enumerate(lines, 1) if "value: 152}" in line)
    column = lines[number - 1].index("152}") + 1
    assert ended.code == 1
    assert "8 of 9 cases pass" in ended.err
    assert f"{path}:{number}:{column}: at 48s divergence.value: expected 152, found 151 (" in ended.err
    found = run(["runbook", "test", str(path), "--json"], tmp_path).object
    (failed,) = [one for one in found["files"][0]["cases"] if not one["passed"]]
    assert not found["passed"]
    assert failed["failures"] == [
        {"at": "48s", "what": "divergence.value", "expected": "152", "found": "151",
         "reason": "feed is 151 bps from reference", "line": number, "column": column}
    ]  # fmt: skip


def test_a_threshold_no_test_holds_fails_with_its_place(tmp_path: Path) -> None:
    path = copied(tmp_path / "mine")
    head = path.read_text().partition("cases:")[0]
    case = '  - {name: one, prices: {feed: "4000", reference: "4000"}, expect: [{at: 0s, divergence: quiet}]}\n'
    path.write_text(f"{head}cases:\n{case}")
    ended = run(["runbook", "test", str(path), "--mutate"], tmp_path)
    assert ended.code == 1
    assert "never exercised: divergence firing, divergence unknown" in ended.err
    assert "steps never walked: detect" in ended.err
    runbook = tmp_path / "mine/oracle-divergence.yaml"
    survived = "divergence: no test notices that max is 300 bps instead of 150 bps"
    assert f"{runbook}:8:29: {survived}" in ended.err.splitlines()
    assert run(["runbook", "test", str(path)], tmp_path).code == 0
    assert run(["runbook", "test", str(path), "--strict"], tmp_path).code == 1


def test_a_wrong_file_is_told_like_every_other(tmp_path: Path) -> None:
    path = copied(tmp_path / "mine")
    path.write_text(path.read_text().replace("interval: 12s", "intervall: 12s"))
    ended = run(["runbook", "test", str(path)], tmp_path)
    assert ended.code == 2
    assert f"{path}:3:1: error[unknown-key]: 'intervall' is no key here" in ended.err


def test_a_runbook_without_tests_says_where_they_belong(tmp_path: Path) -> None:
    path = copied(tmp_path / "mine")
    path.unlink()
    ended = run(["runbook", "test", str(tmp_path / "mine/oracle-divergence.yaml")], tmp_path)
    assert ended.code == 2
    assert "oracle-divergence.yaml has no tests" in ended.err
    assert str(path) in ended.err.replace("\n      ", "")


def test_help_has_an_example(tmp_path: Path) -> None:
    ended = run(["runbook", "test", "--help"], tmp_path, COLUMNS="80")
    assert ended.code == 0
    assert "Example: incident runbook test" in ended.out
