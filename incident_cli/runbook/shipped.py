"""Where the shipped runbooks are: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from incident_cli.binding import SLUG_FORM, did_you_mean
from incident_cli.errors import Misused
from incident_cli.text import plain

PACKAGE = Path(__file__).parent.parent


def shipped_folder() -> Path:
    """`shipped/` in the wheel, else `runbooks/` beside the package."""
    inside = PACKAGE / "shipped"
    return inside if inside.is_dir() else PACKAGE.parent / "runbooks"


def shipped_runbooks() -> list[Path]:
    """Every shipped runbook file."""
    return sorted(shipped_folder().glob("*.yaml"))


def is_there(test: Callable[[], bool]) -> bool:
    """Whether a path is what `test` asks; one that cannot be (too long, behind a closed door) is not."""
    try:
        return test()
    except OSError:
        return False


def find_runbook(name: str) -> Path:
    """The file of a runbook given by its path, or by the id of a shipped one; raises Misused."""
    path = Path(name)
    if is_there(path.is_file):
        return path
    names = {one.stem: one for one in shipped_runbooks()}
    if name in names:
        return names[name]
    kind = "shipped runbook" if SLUG_FORM.fullmatch(name) else "file"
    raise Misused(
        f"there is no {kind} {plain(name, 200)!r}{did_you_mean(name, names)}",
        f"shipped: {', '.join(names)}; or give the path of a YAML file",
    )
