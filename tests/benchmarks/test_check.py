"""Goal 2: `incident check` with 20 checks, whole process, against `import web3`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.benchmarks.conftest import Say
from tests.benchmarks.pairs import INCIDENT, measure, process
from tests.fakes.served_world import ServedWorld

ROUNDS = 15
CHECKS = 20


def runbook(folder: Path) -> Path:
    """A runbook with 20 checks on the market's two feeds."""
    lines = [
        "schema: incident/v1",
        "id: twenty",
        "title: Twenty checks",
        "meta: {owner: risk-oncall, severity: SEV3}",
        "params: {market: {type: market}}",
        "slots: {feed: {protocol: chainlink-feed}, reference: {protocol: chainlink-feed}}",
        "checks:",
    ]
    for number in range(CHECKS // 2):
        sources = "[{slot: feed, independence: a}, {slot: reference, independence: b}]"
        gap = f"sources: {sources}, reference: reference, max: {100 + number}"
        lines.append(f"  gap_{number}: {{kind: oracle_divergence, {gap}}}")
        lines.append(f"  stale_{number}: {{kind: oracle_staleness, slot: feed, heartbeat: 1h, grace: {number}m}}")
    names = ", ".join(f"gap_{number}, stale_{number}" for number in range(CHECKS // 2))
    lines += ["steps:", f"  - {{id: detect, check: [{names}]}}"]
    path = folder / "twenty.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.benchmark
def test_twenty_checks(tmp_path: Path, say: Say) -> None:
    with ServedWorld("oracle-divergence", 2) as world:
        check = [*INCIDENT, "check", str(runbook(tmp_path)), "--deployment", str(world.deployment(tmp_path))]
        commands = {
            "pass": [sys.executable, "-c", "pass"],
            "import web3": [sys.executable, "-c", "import web3"],
            "incident check, 20 checks": [*check, "--market", "ETH-USD"],
        }
        found = measure({name: process(command, tmp_path) for name, command in commands.items()}, ROUNDS)
    say(f"\nincident check, whole processes, medians of {ROUNDS} interleaved rounds (at most 0.45 × import web3)")
    for name in commands:
        say(found.row(name, "pass", "import web3"))
