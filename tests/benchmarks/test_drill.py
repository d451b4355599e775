"""Goal 5: the whole automatic drill, and the world alone once its libraries are imported."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.conftest import Say
from tests.benchmarks.pairs import INCIDENT, ROOT, environment, measure, process

ROUNDS = 5
BUILD = """
from incident_cli.drills.scenario import Scenario
from incident_cli.drills.world import World
scenario = Scenario("bench", "bench", "oracle-divergence", "ETH-USD", "contained", ())
"""
MODULES = f"{BUILD}\nimport json, sys\nWorld.build(7, scenario)\nprint(json.dumps(sorted(sys.modules)))"
READY = f"""{BUILD}
import contextlib, importlib, json, sys, time
for name in json.load(sys.stdin):
    with contextlib.suppress(Exception):
        importlib.import_module(name)
begun = time.perf_counter()
World.build(7, scenario)
print(time.perf_counter() - begun)
"""


def python(script: str, folder: Path, given: str = "") -> str:
    command = [sys.executable, "-c", script]
    around = environment(folder)
    run = subprocess.run(command, cwd=ROOT, env=around, check=True, capture_output=True, text=True, input=given)
    return run.stdout


@pytest.mark.benchmark
def test_the_whole_drill(tmp_path: Path, say: Say) -> None:
    works = {
        "import web3": process([sys.executable, "-c", "import web3"], tmp_path),
        "incident drill --auto": process([*INCIDENT, "drill", "--auto", "--json"], tmp_path),
    }
    found = measure(works, ROUNDS)
    say(f"\nthe automatic drill, whole process, medians of {ROUNDS} interleaved rounds (at most 10 s is the goal)")
    say(found.row("incident drill --auto", "import web3"))


@pytest.mark.benchmark
def test_the_world_is_ready(tmp_path: Path, say: Say) -> None:
    modules = python(MODULES, tmp_path)
    assert "eth.vm.forks.prague" in json.loads(modules)
    seconds = [float(python(READY, tmp_path, modules)) for _ in range(ROUNDS)]
    say(f"\nthe drill's world, ready after imports: {statistics.median(seconds):.2f} s (at most 1.5 s is the goal)")
