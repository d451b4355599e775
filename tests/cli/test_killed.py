"""kill -9 in the middle of a drill, at different moments; then it is resumed and ends as if nothing had been."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import incidents, run
from tests.fakes.terminal import Terminal

UNTOUCHED = "0xf5e20150b35516a8c238e63c16c501faf97ae4c404e01745619de6a98f418ada"  # the goldens show it too
AUTO = ["drill", "oracle-divergence", "--auto", "--seed", "7"]
MOMENTS = (
    "step 2 of 8",
    "rehearsed answer: yes",
    "DRILL PROPOSAL",
    "rehearsed answer: ETH-USD",
    "signature 1 of 2",
    "signature 2 of 2",
    "executed in block",
    "contained: block",
    "step 7 of 8",
    "DRILL SCORECARD",
)
CAMPAIGN = 30


def bodies(home: Path) -> list[dict[str, Any]]:
    """The bodies of the one incident's records."""
    (name,) = incidents(home)
    lines = (home / name / "journal.jsonl").read_text().splitlines()
    return [json.loads(line)["body"] for line in lines]


def kill_when(text: str, after: int, home: Path, command: Sequence[str] = AUTO) -> bool:
    """Start a drill and kill it when a text appears, `after` characters later; False where it had ended before."""
    with Terminal(command, home) as terminal:
        terminal.wait_for(text)
        seen = len(terminal.raw)
        terminal.wait_until(lambda: len(terminal.raw) >= seen + after or not terminal.child.isalive(), "no more came")
        if not terminal.child.isalive():
            return False
        terminal.child.kill(signal.SIGKILL)
        return terminal.finish() == -signal.SIGKILL


def goes_on_to_its_end(home: Path) -> None:
    """Resumed where it was open: contained by the same hash, executed once."""
    (name,) = incidents(home)
    listed = run(["--json"], home).object["incidents"]
    if listed:
        found = run(["drill", "--resume", name, "--auto", "--json"], home)
        assert (found.code, found.object["outcome"]) == (0, "contained"), found.err
        assert found.object["proposals"][0]["safe_tx_hash"] == UNTOUCHED
    executed = [body for body in bodies(home) if body["kind"] == "executed" and body["data"]["leg"] == "contain"]
    sent = {body["data"]["transaction_hash"] for body in executed}
    assert (len(executed), len(sent)) == (1, 1)
    assert [body["kind"] for body in bodies(home)].count("closed") == 1


def test_killed_again_and_again(tmp_path: Path) -> None:
    assert kill_when("rehearsed answer: ETH-USD", 0, tmp_path)
    (name,) = incidents(tmp_path)
    for moment in ("DRILL PROPOSAL", "signature 2 of 2", "executed in block"):
        assert kill_when(moment, 0, tmp_path, ["drill", "--resume", name, "--auto"])
    goes_on_to_its_end(tmp_path)


@pytest.mark.campaign
@pytest.mark.parametrize("number", range(CAMPAIGN))
def test_killed_anywhere(number: int, tmp_path: Path) -> None:
    kill_when(MOMENTS[number % len(MOMENTS)], number * 37 % 400, tmp_path)
    goes_on_to_its_end(tmp_path)
