"""Write the golden sessions anew: `python -m tests.cli.regenerate [NAME…]`. Read each one before it is kept."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.cli.sessions import GOLDEN, SESSIONS


def main(names: list[str]) -> None:
    """All sessions, or those that are named."""
    for name in names or SESSIONS:
        with tempfile.TemporaryDirectory() as folder:
            (GOLDEN / f"{name}.txt").write_text(SESSIONS[name](Path(folder)), "utf-8")
        print(f"written: {name}")


if __name__ == "__main__":
    main(sys.argv[1:])
