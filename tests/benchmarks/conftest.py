"""Benchmarks run only where they are asked for, and print what they measured. None asserts a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Say = Callable[[str], None]


@pytest.fixture(autouse=True)
def only_when_asked(request: pytest.FixtureRequest) -> None:
    if "benchmark" not in str(request.config.getoption("markexpr")):
        pytest.skip("a benchmark: run with -m benchmark")


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Prints a line past pytest's capture."""

    def print_line(line: str) -> None:
        with capsys.disabled():
            print(line, flush=True)

    return print_line
