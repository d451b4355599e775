"""Mutants of a runbook: thresholds and numbers in expressions doubled and halved, `for` and `samples` removed.

A mutant under which every case still passes shows a threshold that no test holds in place. What a restore `requires` is
not tried: a test waits until it holds, and how long it waited is no part of a path.
"""

from __future__ import annotations

import copy
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any

from incident_cli.binding import EXPRESSION, REFERENCE, Given, Kind, Variants, fields_of, hints_of
from incident_cli.checks.check import Check
from incident_cli.checks.registry import KINDS
from incident_cli.document import Document, Entry, Items, Node, Place, Table, Text, deepest
from incident_cli.expression import parse
from incident_cli.flows.mutant_literals import SCALES, Changed, changed_literals, scaled_amount, times
from incident_cli.flows.unit_testing import compare_walk, is_contradicted, take_walk
from incident_cli.runbook.bind import Bound
from incident_cli.runbook.cases import LoadedCases
from incident_cli.runbook.keys import is_record, kind_of, unwrapped
from incident_cli.runbook.model import CheckDeclaration, Step, VerifyStep
from incident_cli.runbook.steps import bind_check
from incident_cli.units import Amount, Span, format_span

SCALED = ("bps", "int", "amount", "duration", "span")
NEVER = ("for", "samples", "depth", "freshness")  # removed instead of scaled; and what only a live chain shows
REMOVED = ("for", "samples")
FORMULAS = ("expression",)
MOST_MUTANTS = 40  # of one runbook
Keys = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A check or a step with one threshold changed: where that stands, what it was, and what it is instead."""

    owner: str
    threshold: str
    was: str
    becomes: str
    file: str
    place: Place
    changed: Check | Step

    @property
    def line(self) -> str:
        """`divergence: no test notices that max is 300 bps instead of 150 bps`."""
        what = f"{self.threshold} is {self.becomes} instead of {self.was}" if self.becomes else f"{self.was} is gone"
        return f"{self.owner}: no test notices that {what}"

    def inside(self, bound: Bound) -> Bound:
        """The runbook with this change in it."""
        changed = self.changed
        if not isinstance(changed, Step):
            return replace(bound, checks={**bound.checks, self.owner: changed})
        steps = tuple(changed if one.id == self.owner else one for one in bound.runbook.steps)
        return replace(bound, loaded=replace(bound.loaded, runbook=replace(bound.runbook, steps=steps)))


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
    left_out: int = 0

    def to_json(self) -> dict[str, object]:
        """As `--json` prints it."""
        survived = [
            {
                "check": None if isinstance(one.changed, Step) else one.owner,
                "step": one.owner if isinstance(one.changed, Step) else None,
                "threshold": one.threshold,
                "was": one.was,
                "becomes": one.becomes or None,
                "file": one.file,
                "line": one.place.line,
                "column": one.place.column,
            }
            for one in self.survived
        ]
        counts = {"tried": self.tried, "noticed": self.tried - len(self.survived), "left_out": self.left_out}
        return {**counts, "survived": survived}


def survey(loaded: LoadedCases) -> Survey:
    """Every mutant tried, up to a bound: those of thresholds first."""
    found = list(mutants(loaded))
    tried = found[:MOST_MUTANTS]
    return Survey(len(tried), tuple(one for one in tried if not is_noticed(loaded, one)), len(found) - len(tried))


def is_noticed(loaded: LoadedCases, mutant: Mutant) -> bool:
    """Whether any case fails with the change: the findings of that check first, for they are quicker than walks.

    The other checks find what they found without it: none is judged by what another found.
    """
    bound = mutant.inside(loaded.bound)
    if not isinstance(mutant.changed, Step) and any(is_contradicted(bound, one, mutant.owner) for one in loaded.cases):
        return True
    walks = ((one, one.case.walk) for one in loaded.cases if one.case.walk is not None)
    return any(compare_walk(walk, take_walk(bound, one, walk)) for one, walk in walks)


def mutants(loaded: LoadedCases) -> Iterator[Mutant]:
    """Every sound mutant of every check and every step."""
    for name, declared in loaded.bound.runbook.checks.items():
        yield from scaled_mutants(loaded, name, declared)
        yield from removed_mutants(loaded.bound, name, declared)
    for name, declared in loaded.bound.runbook.checks.items():
        yield from literal_mutants(loaded.bound, name, declared)
    for step, table in zip(loaded.bound.runbook.steps, loaded.bound.runbook.tables, strict=True):
        yield from step_mutants(loaded.bound, step, table)


def literal_mutants(bound: Bound, name: str, declared: CheckDeclaration) -> Iterator[Mutant]:
    """Each number in the expressions of a check, doubled and halved."""
    for written in thresholds(KINDS[declared.kind], declared.parameters, (), FORMULAS):
        for one in changed_literals(parse(written.node.value)):
            parameters = changed_table(declared.parameters, written.path, one.formula.source)
            check = rebound(bound, declared, parameters, bound.scope)
            if check is not None and check != bound.checks[name]:
                yield literal_mutant(bound, name, written, one, check)


def step_mutants(bound: Bound, step: Step, table: Table) -> Iterator[Mutant]:
    """Each number in `when` and `verify` of a step, doubled and halved."""
    if step.when is not None:
        written = Threshold(("when",), text_at(table, "when"), EXPRESSION)
        for one in changed_literals(step.when):
            yield literal_mutant(bound, step.id, written, one, with_field(step, "when", one.formula))
    proofs = step.verify if isinstance(step, VerifyStep) else ()
    for number, formula in enumerate(proofs):
        written = Threshold(("verify", number), text_at(table, "verify", number), EXPRESSION)
        for one in changed_literals(formula):
            formulas = [*proofs[:number], one.formula, *proofs[number + 1 :]]
            yield literal_mutant(bound, step.id, written, one, with_field(step, "verify", tuple(formulas)))


def literal_mutant(bound: Bound, owner: str, written: Threshold, one: Changed, changed: Check | Step) -> Mutant:
    """A mutant of one number of an expression, at its place."""
    document = bound.loaded.document
    place = document.place_in(written.node, one.column)
    return Mutant(owner, f"{one.was} in {written.name}", one.was, one.becomes, document.name, place, changed)


def text_at(table: Table, *path: str | int) -> Text:
    """The scalar at a path that was bound."""
    node = deepest(table, *path)
    assert isinstance(node, Text), "an expression is a scalar"
    return node


def with_field(step: Step, name: str, value: object) -> Step:
    """The step with another value; `replace` would lose the levers, which are no argument of it."""
    changed = copy.copy(step)
    object.__setattr__(changed, name, value)
    return changed


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


def thresholds(annotation: Any, node: Node, path: Keys, kinds: tuple[str, ...] = SCALED) -> Iterator[Threshold]:
    """Every scalar of these kinds in a mapping, through lists, mappings and variants."""
    annotation = unwrapped(annotation)
    kind, origin = kind_of(annotation), typing.get_origin(annotation)
    if kind is not None:
        if kind.name in kinds and isinstance(node, Text):
            yield Threshold(path, node, kind)
    elif origin is tuple and isinstance(node, Items):
        for number, one in enumerate(node.items):
            yield from thresholds(typing.get_args(annotation)[0], one, (*path, number), kinds)
    elif origin is Annotated and isinstance(node, Table):
        yield from thresholds(variant_of(annotation.__metadata__[0], node), node, path, kinds)
    elif is_record(annotation) and isinstance(node, Table):
        for key, field in fields_of(annotation).items():
            if key in node.entries and (path or key not in NEVER):
                yield from thresholds(hints_of(annotation)[field.name], node.entries[key].value, (*path, key), kinds)


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
    return scaled_amount(value, scale) if isinstance(value, str) else None


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
