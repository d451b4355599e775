"""What can still be read of a runbook whose top level is wrong, so that one pass reports the rest as well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from incident_cli.binding import Binder
from incident_cli.document import Document, Items, Node, Table
from incident_cli.runbook.model import SCHEMA, Meta, Name, Parameter, RunbookFile, SlotDeclaration

CONSEQUENCES = {  # what a section that could not be read would falsely make wrong elsewhere
    "params": {"unknown-name", "bad-expression"},
    "slots": {"unknown-slot", "unknown-read", "unknown-protocol", "bad-expression"},
    "checks": {"unknown-check", "bad-expression"},
    "steps": {"unknown-step", "no-steps"},
}


@dataclass(frozen=True, slots=True)
class Salvage:
    """The sound parts of the file, and the codes of problems that may only be consequences."""

    file: RunbookFile
    doubtful: frozenset[str]


def salvage(document: Document) -> Salvage | None:
    """The sound entries of each section; None where the file is no mapping."""
    root = document.root
    if not isinstance(root, Table):
        return None
    binder = Binder(Document(document.name, document.raw))
    kinds = {"params": Parameter, "slots": SlotDeclaration, "checks": Table}
    found = {section: dict(entries(binder, root, section, kind)) for section, kind in kinds.items()}
    steps = node_of(root, "steps")
    tables = tuple(one for one in (steps.items if isinstance(steps, Items) else ()) if isinstance(one, Table))
    whole = {section for section in found if len(found[section]) == written(node_of(root, section))}
    whole |= {"steps"} if len(tables) == written(steps) else set()
    meta = Meta(owner="unread", severity="SEV1")
    file = RunbookFile(schema=SCHEMA, id="unread", title="unread", meta=meta, steps=tables, place=root.place, **found)
    return Salvage(file, frozenset(code for one, codes in CONSEQUENCES.items() if one not in whole for code in codes))


def node_of(root: Table, section: str) -> Node | None:
    """The value of a section, if it is there."""
    return root.entries[section].value if section in root.entries else None


def entries(binder: Binder, root: Table, section: str, annotation: Any) -> Iterator[tuple[str, Any]]:
    """The entries of a section that bind."""
    node = node_of(root, section)
    for key, entry in node.entries.items() if isinstance(node, Table) else ():
        value = binder.try_bind(annotation, entry.value)
        if value is not None and binder.try_bind(Name, entry.key) is not None:
            yield key, value


def written(node: Node | None) -> int:
    """How many entries a section has as written; -1 where it is missing or of the wrong kind."""
    if isinstance(node, Table):
        return len(node.entries)
    return len(node.items) if isinstance(node, Items) else -1
