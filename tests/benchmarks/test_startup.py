"""Goal 1: what a command does not need is not loaded."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.benchmarks.conftest import Say
from tests.benchmarks.pairs import INCIDENT, measure, process

ROUNDS = 15


@pytest.mark.benchmark
def test_help_and_validate(tmp_path: Path, say: Say) -> None:
    commands = {
        "pass": [sys.executable, "-c", "pass"],
        "import web3": [sys.executable, "-c", "import web3"],
        "incident --help": [*INCIDENT, "--help"],
        "incident runbook validate": [*INCIDENT, "runbook", "validate", "runbooks/oracle-divergence.yaml"],
    }
    found = measure({name: process(command, tmp_path) for name, command in commands.items()}, ROUNDS)
    say(
        f"\nstart-up, whole processes, medians of {ROUNDS} interleaved rounds (validate: at most 14 × pass is the goal)"
    )
    for name in commands:
        say(found.row(name, "pass", "import web3"))
