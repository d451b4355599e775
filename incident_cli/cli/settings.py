"""The only reader of the environment."""

from __future__ import annotations

import os
from pathlib import Path


def incident_home() -> Path:
    """Where incidents live: `$INCIDENT_HOME`, else the platform's state directory."""
    given = os.environ.get("INCIDENT_HOME")
    if given:
        return Path(given).expanduser()
    import platformdirs

    return Path(platformdirs.user_state_dir("incident"))


def variable(name: str) -> str | None:
    """A variable a deployment names for a node's URL; empty counts as unset."""
    return os.environ.get(name) or None


def is_plain() -> bool:
    """Whether colour is unwanted (NO_COLOR, https://no-color.org) or the terminal cannot show it."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
