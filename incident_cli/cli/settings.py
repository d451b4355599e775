"""The only reader of the environment."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from incident_cli.errors import Misused
from incident_cli.text import plain


def incident_home() -> Path:
    """Where incidents live: `$INCIDENT_HOME`, else the platform's state directory."""
    given = os.environ.get("INCIDENT_HOME")
    if given:
        try:
            return Path(given).expanduser()
        except RuntimeError as problem:
            hint = "set INCIDENT_HOME to a folder that can be made, or unset it"
            raise Misused(f"INCIDENT_HOME={plain(given, 200)} names no home: {problem}", hint) from problem
    import platformdirs

    return Path(platformdirs.user_state_dir("incident"))


def command() -> str:
    """How this program is called here: its path where `incident` alone would not find it."""
    called = sys.argv[0]
    found = shutil.which("incident")
    if Path(called).name != "incident" or (found is not None and is_same(Path(found), Path(called))):
        return "incident"
    return shlex.quote(called)


def is_same(one: Path, other: Path) -> bool:
    """Whether two paths are one file; a path that leads nowhere is none."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def variable(name: str) -> str | None:
    """A variable a deployment names for a node's URL; empty counts as unset."""
    return os.environ.get(name) or None


def anvil() -> str | None:
    """The anvil of fork drills: `$INCIDENT_ANVIL`, else the one on PATH; None where there is none."""
    return os.environ.get("INCIDENT_ANVIL") or shutil.which("anvil")


def columns() -> int:
    """How wide lines are where there is no terminal: `COLUMNS`, else 80."""
    given = os.environ.get("COLUMNS", "")
    return int(given) if given.isascii() and given.isdigit() and 20 <= int(given[:6]) <= 1_000 else 80


def is_plain() -> bool:
    """Whether colour is unwanted (NO_COLOR, https://no-color.org) or the terminal cannot show it."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def is_colour_forced() -> bool:
    """Whether colour is wanted in a log as well (FORCE_COLOR, https://force-color.org)."""
    return bool(os.environ.get("FORCE_COLOR"))
