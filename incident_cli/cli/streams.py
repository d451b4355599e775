"""The standard streams of one command: none is missing, and what cannot be written never looks like a verdict."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from incident_cli.errors import Misused

WAY_OUT = "give it a file or a pipe that can be written"


class People(io.TextIOWrapper):
    """stderr: where nobody can be told, the command goes on and ends with its own exit code."""

    def write(self, text: str, /) -> int:
        """Write what can be written."""
        try:
            return super().write(text)
        except OSError:
            discard(self)
            return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        try:
            super().flush()
        except OSError:
            discard(self)


class Results(io.TextIOWrapper):
    """stdout: a reader that has left wants no more; raises Misused where a result is lost otherwise."""

    def write(self, text: str, /) -> int:
        """Write, or say that it cannot be written; nothing is written for an empty text, as libraries probe with."""
        if text == "":
            return 0
        try:
            return super().write(text)
        except OSError as problem:
            self.lost(problem)
            return len(text)

    def flush(self) -> None:
        """Flush, or say that it cannot be flushed."""
        try:
            super().flush()
        except OSError as problem:
            self.lost(problem)

    def lost(self, problem: OSError) -> None:
        """Raises Misused unless it was the reader who left."""
        discard(self)
        if not isinstance(problem, BrokenPipeError):
            raise Misused(f"stdout cannot be written: {problem.strerror}", WAY_OUT) from problem


def discard(stream: io.TextIOWrapper) -> None:
    """Send the stream nowhere from now on: what is buffered would fail again at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def guard() -> None:
    """Fill closed streams and guard both outputs; called once, before anything is opened or written."""
    fill_closed()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = guarded(Results, sys.stdout)
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 (open until the process ends)
    elif isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = guarded(People, sys.stderr)


def guarded(kind: type[io.TextIOWrapper], stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """The same stream, of another kind; the first one, whose end would close both, lives on in `sys`."""
    at_once, through = stream.line_buffering, stream.write_through
    return kind(stream.buffer, stream.encoding, stream.errors, line_buffering=at_once, write_through=through)


def fill_closed() -> None:
    """A stream closed by the caller leaves its number to the next file opened: the journal must never get it."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
