"""A report of a bug: where it happened, never with what. Values, messages and arguments may hold secrets."""

from __future__ import annotations

import platform
import tempfile
import traceback
from pathlib import Path

from incident_cli import __version__


def write_report(bug: Exception) -> Path:
    """The file with the types and places of the exception and its causes."""
    lines = [f"incident {__version__}", f"Python {platform.python_version()} on {platform.system()}", ""]
    cause: BaseException | None = bug
    while cause is not None:
        lines.append(f"{type(cause).__module__}.{type(cause).__qualname__}")
        lines += [f"  {short(frame.filename)}:{frame.lineno} in {frame.name}" for frame in frames(cause)]
        cause = cause.__cause__
    with tempfile.NamedTemporaryFile("w", prefix="incident-bug-", suffix=".txt", delete=False) as file:
        file.write("\n".join(lines) + "\n")
    return Path(file.name)


def frames(problem: BaseException) -> traceback.StackSummary:
    """The frames of an exception, without source lines or locals."""
    return traceback.StackSummary.extract(traceback.walk_tb(problem.__traceback__), lookup_lines=False)


def short(filename: str) -> str:
    """A file's last three parts: enough to find it, without the machine's folders."""
    return "/".join(Path(filename).parts[-3:])
