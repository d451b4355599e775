"""`incident runbook lint | new | schema`: exits, the one object on stdout, and a file that is never overwritten."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from incident_cli.document import parse_document
from incident_cli.evm import Block
from incident_cli.flows import incidents
from incident_cli.flows.clock import SystemClock
from incident_cli.flows.last_drills import last_drills
from incident_cli.incident.events import Kind
from incident_cli.runbook.schema import runbook_schema
from tests.cli.command import run
from tests.runbook.test_codes import RUNBOOK
from tests.runbook.test_lint import TEST

DUE = RUNBOOK.replace("severity: SEV2", "severity: SEV2, drill_every: 30d")


@pytest.fixture
def runbook(tmp_path: Path) -> Path:
    """A runbook without a flaw, with its test beside it."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "feed-stopped.yaml").write_text(TEST)
    path = tmp_path / "feed-stopped.yaml"
    path.write_text(RUNBOOK, "utf-8")
    return path


def drilled(home: Path, text: str) -> None:
    """The journal of a drill of that text that has ended."""
    recorder = incidents.create(home, "feed-stopped", "drill", "world", SystemClock())
    opened = {
        "runbook": "feed-stopped",
        "market": "ETH-USD",
        "runbook_sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    recorder.record(Kind.OPENED, block=Block("world", 1, "0x" + "00" * 32, 1), data=opened)
    recorder.record(Kind.CLOSED, data={"ending": "contained"})
    recorder.journal.close()


def test_a_clean_runbook_is_clean(runbook: Path, tmp_path: Path) -> None:
    ended = run(["runbook", "lint", str(runbook), "--json"], tmp_path)
    assert ended.code == 0, ended.err
    assert ended.object == {
        "schema": "incident.runbook-lint/v1",
        "clean": True,
        "runbooks": [{"runbook": "feed-stopped", "findings": []}],
    }
    assert "clean" in ended.err


def test_findings_look_like_errors_and_exit_one(runbook: Path, tmp_path: Path) -> None:
    runbook.write_text(RUNBOOK.replace("owner: risk-oncall", "owner: TODO"))
    ended = run(["runbook", "lint", runbook.name, "--json"], tmp_path, cwd=tmp_path)
    assert ended.code == 1
    lines = ended.err.splitlines()
    assert lines[0] == "feed-stopped.yaml:4:15: warning[no-owner]: the owner 'TODO' is nobody who can be called"
    assert lines[2].index("^") == lines[1].index("TODO")
    (found,) = ended.object["runbooks"][0]["findings"]
    assert found["code"] == "no-owner" and found["severity"] == "warning"
    assert (found["file"], found["line"], found["column"]) == ("feed-stopped.yaml", 4, 15)
    assert set(found) == {"file", "line", "column", "severity", "code", "message", "hint"}


def test_a_wrong_file_exits_two_and_the_others_are_told(runbook: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("schema: incident/v1\n")
    ended = run(["runbook", "lint", "wrong.yaml", runbook.name, "--json"], tmp_path, cwd=tmp_path)
    assert ended.code == 2
    wrong, sound = ended.object["runbooks"]
    assert wrong["runbook"] == "wrong.yaml" and "missing-key" in wrong["error"]
    assert sound == {"runbook": "feed-stopped", "findings": []}
    assert not ended.object["clean"]


def test_only_a_drill_of_this_very_text_counts(runbook: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    runbook.write_text(DUE, "utf-8")
    assert "drill-overdue" in run(["runbook", "lint", str(runbook)], home).err
    drilled(home, DUE + "# changed since\n")
    assert "drill-overdue" in run(["runbook", "lint", str(runbook)], home).err
    drilled(home, DUE)
    ended = run(["runbook", "lint", str(runbook)], home)
    assert ended.code == 0, ended.err
    (home / "broken").mkdir()
    (home / "broken" / "journal.jsonl").write_text("nonsense\n")
    found = last_drills(home)
    assert len(found) == 2
    assert all(one <= datetime.now(UTC) for one in found.values())


def test_a_new_runbook_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "feed-late.yaml"
    made = run(["runbook", "new", "feed-late", "--out", str(tmp_path)], tmp_path)
    assert made.code == 0, made.err
    assert "runbook validate" in made.err and "runbook lint" in made.err
    text = path.read_text("utf-8")
    assert not parse_document(text.encode(), "new").problems
    path.write_text(text + "# mine\n")
    again = run(["runbook", "new", "feed-late", "--out", str(tmp_path)], tmp_path)
    assert again.code == 2
    assert path.read_text("utf-8") == text + "# mine\n"
    assert run(["runbook", "validate", str(path)], tmp_path).code == 0
    linted = run(["runbook", "lint", str(path), "--json"], tmp_path)
    assert {one["code"] for one in linted.object["runbooks"][0]["findings"]} == {"no-owner", "untested-threshold"}
    nowhere = run(["runbook", "new", "other", "--out", str(tmp_path / "no" / "folder")], tmp_path)
    assert nowhere.code == 2 and "cannot be written" in nowhere.err


def test_the_schema_is_printed(tmp_path: Path) -> None:
    ended = run(["runbook", "schema"], tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == runbook_schema()
