"""incident runbook new | schema"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from incident_cli.errors import Misused
from incident_cli.text import plain

NEW_EXAMPLE = "Example: incident runbook new feed-stopped --out my-runbooks"
SCHEMA_EXAMPLE = "Example: incident runbook schema > schema.json"


def new(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The new runbook's id, such as feed-stopped.")],
    protocol: Annotated[str | None, typer.Option(help="The protocol whose lever it pulls.")] = None,
    out: Annotated[Path, typer.Option(help="The folder to write into.")] = Path(),
) -> None:
    """Write a sound, commented runbook to fill in; nothing is ever overwritten."""
    from incident_cli.cli.terminal import Printer
    from incident_cli.protocols.catalog import catalog_beside
    from incident_cli.runbook.skeleton import skeleton

    path = out / f"{id_}.yaml"
    write_new(path, skeleton(id_, protocol, catalog_beside(path), with_schema=(out / "schema.json").is_file()))
    printer, name = Printer(), shlex.quote(str(path))
    printer.line(f"written: {path}", "green")
    printer.line("next: replace what says TODO, then", "yellow")
    printer.command("check it", f"runbook validate {name}")
    printer.command("see what is missing", f"runbook lint {name}")
    printer.command("test it, once its cases are written into tests/ beside it", f"runbook test {name}")
    printer.command("rehearse it, once its scenario is written into drills/ beside it", f"drill {name}")


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet; raises Misused where it is, or cannot be written."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as problem:
        raise Misused(
            f"{plain(path)} is there already; it was left as it is", "choose another id or --out"
        ) from problem
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        raise Misused(
            f"{plain(path)} cannot be written: {reason}", "make the folder, or choose another --out"
        ) from problem


def schema() -> None:
    """Print the JSON Schema of runbooks, for editors."""
    import json

    from incident_cli.cli.terminal import print_text
    from incident_cli.runbook.schema import runbook_schema

    print_text(json.dumps(runbook_schema(), indent=2, ensure_ascii=False))
