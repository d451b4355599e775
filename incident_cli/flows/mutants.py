"""Mutants of a runbook's checks: each threshold doubled and halved, `for` and `samples` removed.

A mutant under which every case still passes shows a threshold that no test holds in place.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any

from incident_cli.binding import REFERENCE, Given, Kind, Variants, fields_of, hints_of
from incident_cli.checks.check import Check
from incident_cli.checks.registry import KINDS
from incident_cli.document import Document, Entry, Items, Node, Place, Table, Text, deepest
from incident_cli.flows.unit_testing import compare_walk, judge_case, take_walk
from incident_cli.runbook.bind import Bound
from incident_cli.runbook.cases import LoadedCases
from incident_cli.runbook.keys import is_record, kind_of, unwrapped
from incident_cli.runbook.model import CheckDeclaration
from incident_cli.runbook.series import EXACT
from incident_cli.runbook.steps import bind_check
from incident_cli.units import AMOUNT, Amount, Span, format_span

SCALED = ("bps", "int", "amount", "duration", "span")
NEVER = ("for", "samples", "depth", "freshness")  # removed instead of scaled; and what only a live chain shows
REMOVED = ("for", "samples")
Keys = tuple[str | int, ...]
SCALES = (Decimal(2), Decimal("0.5"))


@dataclass(frozen=True, slots=True)
class Mutant:
    """A check with one threshold changed: where the threshold stands, what it was, and what it is instead."""

    check: str
    threshold: str
    was: str
    becomes: str
    file: str
    place: Place
    changed: Check

    @property
    def line(self) -> str:
        """`divergence: no test notices that max is 300 bps instead of 150 bps`."""
        what = f"{self.threshold} is {self.becomes} instead of {self.was}" if self.becomes else f"{self.was} is gone"
        return f"{self.check}: no test notices that {what}"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold of a check: the scalar's place in its mapping, and its kind."""

    path: Keys
    node: Text
    kind: Kind

    @property
    def name(self) -> str:
        """`max`, `sources[0].heartbeat`."""
        words = (f"[{one}]" if isinstance(one, int) else f".{one}" for one in self.path)
        return "".join(words).removeprefix(".")


@dataclass(frozen=True, slots=True)
class Survey:
    """What became of the mutants of a test file."""

    tried: int
    survived: tuple[Mutant, ...]

    def to_json(self) -> dict[str, object]:
        """As `--json` prints it."""
        survived = [
            {
                "check": one.check,
                "threshold": one.threshold,
                "was": one.was,
                "becomes": one.becomes or None,
                "file": one.file,
                "line": one.place.line,
                "column": one.place.column,
            }
            for one in self.survived
        ]
        return {"tried": self.tried, "noticed": self.tried - len(self.survived), "survived": survived}


def survey(loaded: LoadedCases) -> Survey:
    """Every mutant tried."""
    tried = list(mutants(loaded))
    return Survey(len(tried), tuple(one for one in tried if not is_noticed(loaded, one)))


def is_noticed(loaded: LoadedCases, mutant: Mutant) -> bool:
    """Whether any case fails with the changed check: the findings first, for they are quicker than walks.

    A `limit` that differs is no notice: it repeats the threshold, and says nothing of what the check does with it.
    """
    bound = replace(loaded.bound, checks={**loaded.bound.checks, mutant.check: mutant.changed})
    if any(not one.what.endswith(".limit") for case in loaded.cases for one in judge_case(bound, case)[0]):
        return True
    walks = ((one, one.case.walk) for one in loaded.cases if one.case.walk is not None)
    return any(compare_walk(walk, take_walk(bound, one, walk)) for one, walk in walks)


def mutants(loaded: LoadedCases) -> Iterator[Mutant]:
    """Every sound mutant of every check."""
    for name, declared in loaded.bound.runbook.checks.items():
        yield from scaled_mutants(loaded, name, declared)
        yield from removed_mutants(loaded.bound, name, declared)


def scaled_mutants(loaded: LoadedCases, name: str, declared: CheckDeclaration) -> Iterator[Mutant]:
    """Each threshold doubled and halved, wherever its value comes from."""
    for threshold in thresholds(KINDS[declared.kind], declared.parameters, ()):
        for scale in SCALES:
            mutant = scaled(loaded, name, declared, threshold, scale)
            if mutant is not None:
                yield mutant


def removed_mutants(bound: Bound, name: str, declared: CheckDeclaration) -> Iterator[Mutant]:
    """`for` and `samples` removed where they say something."""
    for key in REMOVED:
        entry = declared.parameters.entries.get(key)
        rest = {other: one for other, one in declared.parameters.entries.items() if other != key}
        changed = rebound(bound, declared, Table(rest, declared.parameters.place), bound.scope)
        if entry is None or changed is None or changed == bound.checks[name]:
            continue
        words = f"`{key}: {entry.value.value}`" if isinstance(entry.value, Text) else f"`{key}`"
        yield Mutant(name, key, words, "", bound.loaded.document.name, entry.key.place, changed)


def thresholds(annotation: Any, node: Node, path: Keys) -> Iterator[Threshold]:
    """Every scalar of a scalable kind in a mapping, through lists, mappings and variants."""
    annotation = unwrapped(annotation)
    kind, origin = kind_of(annotation), typing.get_origin(annotation)
    if kind is not None:
        if kind.name in SCALED and isinstance(node, Text):
            yield Threshold(path, node, kind)
    elif origin is tuple and isinstance(node, Items):
        for number, one in enumerate(node.items):
            yield from thresholds(typing.get_args(annotation)[0], one, (*path, number))
    elif origin is Annotated and isinstance(node, Table):
        yield from thresholds(variant_of(annotation.__metadata__[0], node), node, path)
    elif is_record(annotation) and isinstance(node, Table):
        for key, field in fields_of(annotation).items():
            if key in node.entries and (path or key not in NEVER):
                yield from thresholds(hints_of(annotation)[field.name], node.entries[key].value, (*path, key))


def variant_of(variants: Variants, node: Table) -> type:
    """The class that a mapping names."""
    entry = node.entries.get(variants.key)
    name = entry.value.value if entry is not None and isinstance(entry.value, Text) else variants.default
    return variants.classes[name]


def scaled(
    loaded: LoadedCases, name: str, declared: CheckDeclaration, threshold: Threshold, scale: Decimal
) -> Mutant | None:
    """The mutant, or None where the change is none, or no sound check."""
    bound, reference = loaded.bound, REFERENCE.fullmatch(threshold.node.value)
    parameters, scope = declared.parameters, dict(bound.scope)
    file, place = bound.loaded.document.name, threshold.node.place
    if reference is not None:
        given = scope.get(reference.group(1))
        value = None if given is None else scaled_value(given.value, scale)
        if given is None or value is None:
            return None
        was, becomes = shown(given.kind, given.value), shown(given.kind, value)
        scope[reference.group(1)] = Given(given.kind, value)
        file, place = origin_of(loaded, reference.group(1))
    else:
        parsed = threshold.kind.parse(threshold.node.value)
        value = scaled_value(parsed, scale)
        if value is None:
            return None
        was, becomes = shown(threshold.kind.name, parsed), shown(threshold.kind.name, value)
        parameters = changed_table(parameters, threshold.path, becomes)
    check = rebound(bound, declared, parameters, scope)
    if check is None or check == bound.checks[name]:
        return None
    return Mutant(name, threshold.name, was, becomes, file, place, check)


def scaled_value(value: object, scale: Decimal) -> object | None:
    """A value of one of the kinds, scaled (rounded down); None where that changes nothing or cannot be done."""
    if isinstance(value, Amount):
        return replace(value, units=times(value.units, scale))
    if isinstance(value, Span):
        return Span(times(value.seconds, scale), times(value.blocks, scale)) or None
    if isinstance(value, int) and not isinstance(value, bool):
        return times(value, scale) or None
    match = AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    number = Decimal(f"{match['whole']}.{match['fraction'] or 0}".replace("_", ""))
    return f"{EXACT.multiply(number, scale):f} {match['token']}"


def times(value: int, scale: Decimal) -> int:
    """A whole number scaled, rounded down towards zero."""
    return int(EXACT.multiply(Decimal(value), scale))


def shown(kind: str, value: object) -> str:
    """A value as it is written in YAML."""
    if kind == "bps":
        return f"{value} bps"
    if kind == "duration" and isinstance(value, int):
        return format_span(Span(seconds=value))
    return str(value)


def changed_table(node: Table, path: Keys, text: str) -> Table:
    """The mapping with another scalar at the end of a path."""
    found = changed_node(node, path, text)
    assert isinstance(found, Table), "a path of a mapping begins in it"
    return found


def changed_node(node: Node, path: Keys, text: str) -> Node:
    """A node with another scalar at the end of a path."""
    if not path:
        return Text(text, node.place)
    first, rest = path[0], path[1:]
    if isinstance(node, Items) and isinstance(first, int):
        inner = changed_node(node.items[first], rest, text)
        return replace(node, items=(*node.items[:first], inner, *node.items[first + 1 :]))
    assert isinstance(node, Table), "the path was found in this node"
    entry = node.entries[str(first)]
    return replace(node, entries={**node.entries, str(first): Entry(entry.key, changed_node(entry.value, rest, text))})


def rebound(bound: Bound, declared: CheckDeclaration, parameters: Table, scope: Mapping[str, Given]) -> Check | None:
    """The check bound anew, or None where it is not sound: a check that cannot be loaded needs no test."""
    document = bound.loaded.document
    return bind_check(Document(document.name, document.raw), declared.kind, parameters, scope)


def origin_of(loaded: LoadedCases, parameter: str) -> tuple[str, Place]:
    """Where a parameter's value stands: in the test file, or as its default in the runbook."""
    document = loaded.document if parameter in loaded.file.params else loaded.bound.loaded.document
    assert document.root is not None, "a sound document has a root"
    return document.name, deepest(document.root, "params", parameter, "default").place
