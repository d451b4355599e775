"""A command without a terminal: what it wrote to stdout and to stderr, and how it ended."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.terminal import COMMAND, ROOT, environment

TIMEOUT = 90


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def object(self) -> dict[str, Any]:
        """The one object on stdout."""
        found = json.loads(self.out)
        assert isinstance(found, dict), found
        return found


def run(arguments: Sequence[str], home: Path, cwd: Path = ROOT, **variables: str) -> Ended:
    """Run `incident` with nothing on stdin."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(home, **variables),
        timeout=TIMEOUT,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def run_in_shell(line: str, home: Path) -> Ended:
    """A command line with redirections; "$0" "$@" is `incident`."""
    done = subprocess.run(
        ["sh", "-c", line, *COMMAND],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(home),
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def incidents(home: Path) -> list[str]:
    """The incidents that were begun."""
    return sorted(one.name for one in home.iterdir()) if home.exists() else []
