"""Paired measurements: in each round everything is timed once, so that a busy machine slows all of them alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
INCIDENT = [sys.executable, "-m", "incident_cli.cli.main"]
Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Seconds by name, one for each round, in the order of the rounds."""

    seconds: Mapping[str, list[float]]

    def median(self, name: str) -> float:
        """In seconds."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, to: str) -> float:
        """The median of the rounds' own ratios."""
        pairs = zip(self.seconds[name], self.seconds[to], strict=True)
        return statistics.median(one / other for one, other in pairs)

    def row(self, name: str, *others: str) -> str:
        """One line: the median in milliseconds, and the ratio to each of the others."""
        ratios = "".join(f"  {self.ratio(name, other):7.2f} × {other}" for other in others)
        return f"  {name:<44} {self.median(name) * 1_000:8.1f} ms{ratios}"


def measure(works: Mapping[str, Work], rounds: int) -> Pairs:
    """Each work once unmeasured, then once in every round."""
    for work in works.values():
        work()
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            begun = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - begun)
    return Pairs(seconds)


def environment(folder: Path) -> dict[str, str]:
    """As an installed program runs: byte code is cached (in `folder`), and so is its state."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "INCIDENT_HOME": str(folder / "home")}


def process(command: list[str], folder: Path) -> Work:
    """A whole process, from the checkout; raises CalledProcessError where it fails."""
    around = environment(folder)
    return lambda: subprocess.run(command, cwd=ROOT, env=around, check=True, capture_output=True)
