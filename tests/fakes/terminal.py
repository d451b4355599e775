"""A command in a real pty: pexpect runs it, pyte is the terminal, and whoever tests is the person in front of it.

Nothing here decides by sleeping: every wait is for something to appear or for the command to end, with a generous
time-out that only a broken program meets.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pexpect
import pyte

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
QUESTION = "> "
COMMAND = (sys.executable, "-m", "incident_cli.cli.main")
INCIDENT_ID = re.compile(r"\d{8}-\d{4}-([a-z-]+)-[0-9a-f]{4}")
DROPPED = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "INCIDENT_HOME", "PYTHONWARNINGS")


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a command: this one's, with its own incidents and a capable terminal."""
    kept = {name: value for name, value in os.environ.items() if name not in DROPPED}
    ours = {"INCIDENT_HOME": str(home), "TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)}
    return {**kept, **ours, **more}


class Emulator(pyte.HistoryScreen):  # type: ignore[misc]
    """A terminal that remembers what scrolled away, and answers when the program asks it something."""

    def __init__(self, child: Any, columns: int, lines: int) -> None:
        super().__init__(columns, lines, history=20_000)
        self.child = child

    def write_process_input(self, data: str) -> None:
        """The terminal's own replies, such as where the cursor is."""
        self.child.send(data)

    def lines_of_history(self) -> list[str]:
        """What has scrolled off the top."""
        columns = range(self.columns)
        return ["".join(line[column].data for column in columns).rstrip() for line in self.history.top]


class Terminal:
    """One command in a terminal of its own."""

    def __init__(
        self,
        arguments: Sequence[str],
        home: Path,
        *,
        size: tuple[int, int] = (80, 24),
        cwd: Path = ROOT,
        command: Sequence[str] = COMMAND,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        columns, lines = size
        words = [*command, *arguments]
        self.child = pexpect.spawn(
            words[0],
            words[1:],
            env=environment(home, **(variables or {})),
            cwd=str(cwd),
            dimensions=(lines, columns),
            encoding="utf-8",
            timeout=PATIENCE,
        )
        self.emulator = Emulator(self.child, columns, lines)
        self.stream = pyte.Stream(self.emulator)
        self.raw = ""
        self.answered = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.child.close(force=True)

    @property
    def screen(self) -> list[str]:
        """What is on the screen now."""
        return [line.rstrip() for line in self.emulator.display]

    @property
    def lines(self) -> list[str]:
        """Everything from the beginning, without the empty rows at the end."""
        found = [*self.emulator.lines_of_history(), *self.screen]
        while found and not found[-1]:
            found.pop()
        return found

    @property
    def text(self) -> str:
        """Everything from the beginning, as one text."""
        return "\n".join(self.lines)

    def read(self, seconds: float) -> bool:
        """Take in what the command writes; False once it has ended."""
        try:
            piece = self.child.read_nonblocking(65_536, timeout=seconds)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += piece
        self.stream.feed(piece)
        return True

    def wait_for(self, text: str, patience: float = PATIENCE) -> None:
        """Until this text has appeared; raises AssertionError with the whole session where it does not."""
        self.wait_until(lambda: text in self.text, f"{text!r} has not appeared", patience)

    def wait_until(self, reached: Any, problem: str, patience: float = PATIENCE) -> None:
        """Until `reached()` holds."""
        deadline = time.monotonic() + patience
        while not reached():
            alive = self.read(0.2)
            if reached():
                return
            assert alive, f"the command ended, and {problem}:\n{self.text}"
            assert time.monotonic() < deadline, f"{problem}:\n{self.text}"

    def questions(self) -> int:
        """How many times the command has asked for a line."""
        return sum(1 for line in self.lines if line.startswith(QUESTION))

    def wait_for_question(self, label: str = "", patience: float = PATIENCE) -> None:
        """Until the next question stands there, unanswered."""
        wanted = self.answered + 1
        self.wait_until(lambda: self.questions() >= wanted, f"question {wanted} ({label}) was not asked", patience)
        last = [line for line in self.lines if line.startswith(QUESTION)][-1]
        assert label in last, f"{last!r} does not ask {label!r}:\n{self.text}"

    def answer(self, text: str, label: str = "") -> None:
        """Wait for the next question, then type a line."""
        self.wait_for_question(label)
        self.answered += 1
        self.child.send(text + "\r")

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.child.send("\x03")

    def finish(self, patience: float = PATIENCE) -> int:
        """Read to the end; the exit code, or minus the signal."""
        deadline = time.monotonic() + patience
        while self.read(0.2):
            assert time.monotonic() < deadline, f"the command does not end:\n{self.text}"
        self.child.close()
        if self.child.signalstatus is not None:
            return -int(self.child.signalstatus)
        return int(self.child.exitstatus)


def normalised(lines: Sequence[str]) -> str:
    """A session without what differs from run to run; every replacement is as long as what it replaces."""
    return "".join(INCIDENT_ID.sub(r"YYYYMMDD-HHMM-\1-xxxx", line) + "\n" for line in lines)
