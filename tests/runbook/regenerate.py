"""Write what is made from the code anew: `python -m tests.runbook.regenerate` (the guide's tables, schema.json)."""

from __future__ import annotations

import json
import re
from pathlib import Path

from incident_cli.runbook.codes import codes, table
from incident_cli.runbook.schema import runbook_schema

FOLDER = Path(__file__).parents[2] / "runbooks"
HEADINGS = {"## Error codes": "error", "## Warnings of lint": "warning"}


def main() -> None:
    """The tables of the guide, and the schema."""
    guide = FOLDER / "README.md"
    text = guide.read_text("utf-8")
    for heading, level in HEADINGS.items():
        form = re.compile(rf"(\n{heading}\n(?:(?!\|---)[^\n]*\n)*\|---\|---\|\n)(?:\|[^\n]*\n)*")
        text = form.sub(lambda found, level=level: found.group(1) + table(codes().values(), level), text)  # type: ignore[misc]
    guide.write_text(text, "utf-8")
    (FOLDER / "schema.json").write_text(json.dumps(runbook_schema(), indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
