"""Checks and steps by their kind and verb: one mapping each, bound to the class its kind or verb names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from incident_cli.binding import Binder, Given, did_you_mean
from incident_cli.checks.check import Check
from incident_cli.checks.registry import KINDS
from incident_cli.document import Document, Entry, Table, Text
from incident_cli.runbook.model import (
    VERBS,
    CheckDeclaration,
    ContainStep,
    LeverCall,
    Step,
)

FOUND_SAMPLES: dict[str, object] = {
    "bytes32": "0x" + "00" * 32,
    "address": "0x" + "0" * 40,
    "int": 0,
    "text": "",
}


def without(table: Table, *keys: str) -> Table:
    """The mapping without some keys."""
    return Table({key: entry for key, entry in table.entries.items() if key not in keys}, table.place)


def text_entry(document: Document, table: Table, key: str) -> str | None:
    """The text of a required key, or None with the problem noted."""
    entry: Entry | None = table.entries.get(key)
    if entry is None or not isinstance(entry.value, Text):
        document.wrong(table.place, "missing-key", f"{key!r} is missing")
        return None
    return entry.value.value


def bind_check(document: Document, kind: str, parameters: Table, scope: Mapping[str, Given]) -> Check | None:
    """The check with its parameters taken from the scope."""
    check: Check | None = Binder(document, scope).try_bind(KINDS[kind], parameters)
    return check


def declare_checks(
    document: Document, tables: Mapping[str, Table], scope: Mapping[str, Given]
) -> Iterator[CheckDeclaration]:
    """Every sound check of a runbook; problems are noted."""
    for name, table in tables.items():
        kind = text_entry(document, table, "kind")
        if kind is None:
            continue
        if kind not in KINDS:
            near = "" if document.is_full else did_you_mean(kind, KINDS)
            hint = near.removeprefix("; ") or f"kinds: {', '.join(KINDS)}"
            document.wrong(table.entries["kind"].value.place, "unknown-kind", f"{kind!r} is no kind of check", hint)
            continue
        parameters = without(table, "kind")
        sample = bind_check(document, kind, parameters, scope)
        if sample is not None:
            yield CheckDeclaration(name=name, kind=kind, parameters=parameters, sample=sample)


def found_samples(checks: Mapping[str, Check]) -> dict[str, Given]:
    """A placeholder for every typed value that a check may come upon: `checks.upstream.operation_id`."""
    return {
        f"checks.{name}.{found}": Given(kind, FOUND_SAMPLES[kind])
        for name, check in checks.items()
        for found, kind in check.finds().items()
    }


def bind_step(binder: Binder, table: Table) -> Step | None:
    """A step by its one verb; problems are noted."""
    verbs = [verb for verb in VERBS if verb in table.entries]
    if len(verbs) != 1:
        found = " and ".join(verbs) or "none"
        keys = () if binder.document.is_full else table.entries
        near = next((key for key in keys if key not in VERBS and did_you_mean(key, VERBS)), "")
        word = verbs[1] if verbs else near
        place = table.entries[word].key.place if word else table.place
        message = f"a step has exactly one verb ({', '.join(VERBS)}), this has {found}"
        binder.wrong(place, "one-verb", message, did_you_mean(near, VERBS).removeprefix("; "))
        return None
    step: Step | None = binder.try_bind(VERBS[verbs[0]], table)
    if isinstance(step, ContainStep):
        levers = [bind_lever(binder.document, one) for one in step.contain.calls]
        object.__setattr__(step, "levers", tuple(one for one in levers if one is not None))
    return step


def step_ids(tables: Iterable[Table]) -> frozenset[str]:
    """The ids as written, so that a step which is wrong elsewhere still exists for the others."""
    ids = (table.entries["id"].value for table in tables if "id" in table.entries)
    return frozenset(node.value for node in ids if isinstance(node, Text))


def bind_lever(document: Document, table: Table) -> LeverCall | None:
    """`{lever: slot.name, argument: value}`; the arguments are bound later, to the types the lever declares."""
    lever = text_entry(document, table, "lever")
    return None if lever is None else LeverCall(lever=lever, args=without(table, "lever"), place=table.place)
