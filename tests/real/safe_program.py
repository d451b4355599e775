"""`incident` with the Safe desk on it, as a program of its own: the commands of this road need nothing else of it."""

from __future__ import annotations

from incident_cli.cli import main as main
from incident_cli.cli import safe

if all(one.name != "safe" for one in main.app.registered_groups):
    main.app.add_typer(safe.app, name="safe")

if __name__ == "__main__":
    main.run()
