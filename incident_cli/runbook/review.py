"""What a runbook must hold beyond its shape: every name it mentions exists and fits where it is used."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from incident_cli.binding import Binder, Given, did_you_mean
from incident_cli.document import Document, Items, Node, Place, Table, Text, deepest
from incident_cli.expression import Expression, ExpressionError
from incident_cli.expression import check as check_expression
from incident_cli.expression_syntax import Mention
from incident_cli.expression_types import ANY, TRUTH, Call, call_of, infer, type_of_parameter
from incident_cli.protocols.catalog import Catalog
from incident_cli.protocols.definitions import ArgumentDefinition, LeverDefinition
from incident_cli.protocols.protocol import Protocol
from incident_cli.runbook.kinds import VALUE_KINDS
from incident_cli.runbook.model import (
    AskStep,
    CheckDeclaration,
    CheckStep,
    ContainStep,
    LeverCall,
    MustNotChange,
    RestoreStep,
    Runbook,
    RunbookFile,
    Step,
    Transition,
    VerifyStep,
)
from incident_cli.runbook.proof import Output, Prover

ANY_COUNT = -1  # of arguments, for a call of which nothing is known
SHORTEST_FINAL_PHRASE = 12  # characters; what must be typed before something that cannot be undone


@dataclass(slots=True)
class Review:
    """Notes every problem in the runbook's document."""

    runbook: Runbook
    document: Document
    catalog: Catalog
    scope: Mapping[str, Given]
    declared_checks: frozenset[str]
    declared_steps: frozenset[str]
    tables: Mapping[Place, Table] = field(init=False)
    prover: Prover = field(init=False)

    def __post_init__(self) -> None:
        self.tables = {table.place: table for table in self.runbook.tables}
        self.prover = Prover(dict(self.outputs()), self.scope)

    def outputs(self) -> Iterator[tuple[str, Output]]:
        """What every read of every slot answers."""
        for slot in self.runbook.slots:
            protocol = self.protocol(slot)
            for name, read in protocol.reads.items() if protocol is not None else ():
                yield f"{slot}.{name}", Output(tuple(read.answer_types), read.unit)

    def run(self, file: RunbookFile) -> None:
        """Review everything; the order of the problems is the order of the file, not of this list."""
        self.slots()
        self.ids(file)
        for check in self.runbook.checks.values():
            self.check(check)
        for step in self.runbook.steps:
            self.step(step)

    def wrong(self, place: Place, code: str, message: str, word: str = "", near: Collection[str] = ()) -> None:
        hint = did_you_mean(word, near).removeprefix("; ") if word and not self.document.is_full else ""
        self.document.wrong(place, code, message, hint)

    def check(self, check: CheckDeclaration) -> None:
        sample, written = check.sample, check.parameters
        for slot, reads in sample.required().items():
            self.slot_reads(self.place_of_word(written, slot), slot, reads)
        for slot, events in sample.events().items():
            self.slot_events(self.place_of_word(written, slot), slot, events)
        for formula, wanted in sample.formulas():
            node = next((one for one in texts_below(written) if one.value == formula.source), written)
            self.formula(node, formula, wanted, None)
        self.display(deepest(written, "summary"), sample.summary, [*sample.names(), *sample.finds(), "value", "limit"])

    def node(self, step: Step, *path: str | int) -> Node:
        """What a step has written at a path, or the last thing on the way that is there."""
        return deepest(self.tables[step.place], *path)

    def inside(self, node: Node, column: int) -> Place:
        """The place of a character within a value."""
        return self.document.place_in(node, column) if isinstance(node, Text) else node.place

    def place_of_word(self, table: Table, word: str) -> Place:
        """Where a mapping first says a slot's name: as a whole value, else as a word in one, else the mapping."""
        texts = list(texts_below(table))
        whole = next((one for one in texts if one.value == word), None)
        if whole is not None:
            return self.inside(whole, 1)
        form = re.compile(rf"\b{re.escape(word)}\b")
        found = next(((one, match) for one in texts if (match := form.search(one.value))), None)
        return table.place if found is None else self.inside(found[0], found[1].start() + 1)

    def protocol(self, slot: str) -> Protocol | None:
        declared = self.runbook.slots.get(slot)
        return None if declared is None else self.catalog.find(declared.protocol)

    def slots(self) -> None:
        for name, slot in self.runbook.slots.items():
            if self.catalog.find(slot.protocol) is None and slot.protocol not in self.catalog.documents:
                names = self.catalog.names()
                message = f"there is no protocol file {slot.protocol}.yaml"
                root = self.document.root
                place = slot.place if root is None else self.inside(deepest(root, "slots", name, "protocol"), 1)
                self.wrong(place, "unknown-protocol", message, slot.protocol, names)

    def ids(self, file: RunbookFile) -> None:
        counts = Counter(step.id for step in self.runbook.steps)
        for step in self.runbook.steps:
            if counts[step.id] > 1:
                place = self.inside(self.node(step, "id"), 1)
                self.wrong(place, "duplicate-step", f"{step.id!r} is the id of {counts[step.id]} steps")
        if not file.steps:
            self.wrong(file.place, "no-steps", "a runbook has at least one step")

    def display(self, node: Node, template: str, known: Collection[str]) -> None:
        for found in re.finditer(r"\{([^{}]*)\}", template):
            name = found.group(1)
            if name not in known:
                self.wrong(
                    self.inside(node, found.start() + 1),
                    "unknown-name",
                    f"{{{name}}} in the summary is not known",
                    name,
                    known,
                )

    def slot_reads(self, place: Place, slot: str, reads: Collection[str]) -> None:
        if not self.known_slot(place, slot):
            return
        protocol = self.protocol(slot)
        for read in reads:
            if protocol is not None and read not in protocol.reads:
                message = f"{slot} is {protocol.protocol}, which has no read {read!r}"
                self.wrong(place, "unknown-read", message, read, protocol.reads)

    def slot_events(self, place: Place, slot: str, events: Collection[str]) -> None:
        protocol = self.protocol(slot) if self.known_slot(place, slot) else None
        for event in events:
            if protocol is not None and event not in protocol.events:
                message = f"{slot} is {protocol.protocol}, which has no event {event!r}"
                self.wrong(place, "unknown-event", message, event, protocol.events)

    def known_slot(self, place: Place, slot: str) -> bool:
        if slot not in self.runbook.slots:
            self.wrong(place, "unknown-slot", f"{slot!r} is no slot of this runbook", slot, self.runbook.slots)
            return False
        return True

    def step(self, step: Step) -> None:
        if step.when is not None:
            self.formula(self.node(step, "when"), step.when, "truth", self.declared_checks)
        self.transitions(step)
        self.marked(step)
        if isinstance(step, CheckStep):
            self.checks(step)
        if isinstance(step, VerifyStep):
            self.proof(step)
        if isinstance(step, ContainStep):
            self.contain(step)
        if isinstance(step, RestoreStep):
            self.restore(step)

    def marked(self, step: Step) -> None:
        """Only what reads the chain may say that something is contained, or open again."""
        proving = {"contained": (VerifyStep, ContainStep), "recovered": (RestoreStep, VerifyStep)}
        if step.marks in proving and not isinstance(step, proving[step.marks]):
            message = f"a {step.verb} step proves nothing on chain: it cannot mark {step.marks}"
            self.wrong(self.node(step, "marks").place, "no-proof", message)

    def proof(self, step: VerifyStep) -> None:
        place = self.node(step, "verify").place
        if not step.verify:
            self.wrong(place, "no-proof", "a verify step has at least one expression: nothing proves nothing")
        elif not any(one.span is None for formula in step.verify for one in formula.reads):
            message = "no expression reads the chain: only a read such as exchange.market_paused(market) proves"
            self.wrong(place, "no-proof", message)
        for number, formula in enumerate(step.verify):
            if formula.reads and not self.document.is_full and self.prover.is_empty(formula):
                message = "it cannot be false, whatever the chain says: that proves nothing"
                self.wrong(self.node(step, "verify", number).place, "no-proof", message)
        for position, formula in enumerate(step.verify):
            self.formula(self.node(step, "verify", position), formula, "truth", self.declared_checks)

    def transitions(self, step: Step) -> None:
        for key, transition in transitions(step).items():
            if transition.to is not None and transition.to not in self.declared_steps:
                message = f"goto {transition.to}: there is no such step"
                place = self.inside(self.node(step, key), len("goto ") + 1)
                self.wrong(place, "unknown-step", message, transition.to, self.declared_steps)

    def checks(self, step: CheckStep) -> None:
        if not step.check:
            message = "a check step names at least one check: none would always be quiet"
            self.wrong(self.node(step, "check").place, "no-checks", message)
        for position, check in enumerate(step.check):
            if check not in self.declared_checks:
                message = f"{check!r} is no check of this runbook"
                place = self.inside(self.node(step, "check", position), 1)
                self.wrong(place, "unknown-check", message, check, self.declared_checks)

    def formula(self, node: Node, formula: Expression, wanted: str, checks: Collection[str] | None) -> None:
        """What an expression names is declared, and what it computes goes together; `checks` None: it asks of none."""
        if self.document.is_full:
            return
        calls = dict(self.declared_reads())
        counts = {name: len(call.inputs) for name, call in calls.items()}
        counts |= {one.name: ANY_COUNT for one in formula.mentions if self.is_undescribed(one)}
        unknown = check_expression(formula, self.scope.keys(), counts, checks)
        for problem in unknown:
            self.misfit(node, formula, "bad-expression", problem)
        names = {name: type_of_parameter(given.kind) for name, given in self.scope.items()}
        found = infer(formula, names, calls, TRUTH if wanted == "truth" else None)
        said = {problem.column for problem in unknown}
        for problem in (one for one in found.errors if one.column not in said):
            self.misfit(node, formula, "wrong-type", problem)
        if wanted == "number" and not found.errors and not (found.type.is_ordered or found.type == ANY):
            self.misfit(node, formula, "wrong-type", ExpressionError(f"a number is needed here, this is {found.type}"))

    def is_undescribed(self, mention: Mention) -> bool:
        """Whether it calls a slot whose protocol file is missing or wrong: that is told elsewhere."""
        slot, dot, _ = mention.name.partition(".")
        return mention.role == "call" and bool(dot) and slot in self.runbook.slots and self.protocol(slot) is None

    def misfit(self, node: Node, formula: Expression, code: str, problem: ExpressionError) -> None:
        place = self.inside(node, problem.column)
        lost = place == node.place and problem.column > 1  # the text is folded: the caret cannot show where
        message = f"in {formula.source!r}: {problem.message}" if lost else problem.message
        self.document.wrong(place, code, message, problem.hint)

    def declared_reads(self) -> Iterator[tuple[str, Call]]:
        """Every read that an expression may call; one that asks about the account pulling a lever is none."""
        for slot in self.runbook.slots:
            protocol = self.protocol(slot)
            for name, read in protocol.reads.items() if protocol is not None else ():
                if protocol is not None and protocol.stands_alone(read):
                    inputs = [one.type for one in read.parameters]
                    yield f"{slot}.{name}", call_of(inputs, read.answer_types, read.unit)

    def contain(self, step: ContainStep) -> None:
        self.authority(self.inside(self.node(step, "contain", "by"), 1), step.contain.by, "safe")
        for position, name in enumerate(step.contain.also_by):
            self.authority(self.inside(self.node(step, "contain", "also_by", position), 1), name, "safe")
        if not step.contain.calls:
            place = self.node(step, "contain", "calls").place
            self.wrong(place, "no-calls", "a containment has at least one call")
        written = {one.place: one for one in step.contain.calls}
        definitions = [(call, self.lever(call, deepest(written[call.place], "lever"))) for call in step.levers]
        for call, definition in definitions:
            if definition is not None:
                self.arguments(call, definition)
        for position, one in enumerate(step.contain.must_not_change):
            self.must_not_change(one, self.node(step, "contain", "must_not_change", position))
        if step.confirm is not None:
            node = self.node(step, "confirm", "type")
            self.whole_reference(node, step.confirm.type)
            if any(definition is not None and definition.irreversible for _, definition in definitions):
                self.final_phrase(self.inside(node, 1), step.confirm.type.strip())

    def final_phrase(self, place: Place, phrase: str) -> None:
        if not phrase.startswith("{") and len(phrase) < SHORTEST_FINAL_PHRASE:
            message = f"{phrase!r} is too short to confirm what cannot be undone"
            hint = f"write a sentence of at least {SHORTEST_FINAL_PHRASE} characters, or leave `confirm` out"
            self.document.wrong(place, "weak-confirmation", message, hint)

    def must_not_change(self, one: MustNotChange, node: Node) -> None:
        slot, name = one.read.split(".")
        read_node = deepest(node, "read")
        place = self.inside(read_node, len(slot) + 2 if slot in self.runbook.slots else 1)
        self.slot_reads(place, slot, [name])
        if one.except_ is not None:
            self.whole_reference(deepest(node, "except"), one.except_)
        protocol = self.protocol(slot)
        read = None if protocol is None else protocol.reads.get(name)
        wanted = [[]] if one.for_each is None else [["bytes32"], []]
        if read is not None and [one.type for one in read.parameters] not in wanted:
            message = f"{read.call.canonical} is read here with {'a market' if one.for_each else 'no argument'}"
            self.document.wrong(place, "wrong-arguments", message, "for_each: markets asks it of every market")

    def whole_reference(self, node: Node, text: str) -> None:
        if text.startswith("{") and text[1:-1] not in self.scope:
            self.wrong(self.inside(node, 2), "unknown-name", f"{text} names no parameter", text[1:-1], self.scope)

    def authority(self, place: Place, slot: str, *protocols: str) -> None:
        if self.known_slot(place, slot) and self.runbook.slots[slot].protocol not in protocols:
            found = self.runbook.slots[slot].protocol
            self.wrong(place, "no-authority", f"{slot!r} is {found}; here it must be {' or '.join(protocols)}")

    def lever(self, call: LeverCall, node: Node) -> LeverDefinition | None:
        slot, _, name = call.lever.partition(".")
        if not self.known_slot(self.inside(node, 1), slot):
            return None
        protocol = self.protocol(slot)
        if protocol is None:
            return None
        if name not in protocol.levers:
            message = f"{protocol.protocol} has no lever {name!r}"
            self.wrong(self.inside(node, len(slot) + 2), "unknown-lever", message, name, protocol.levers)
            return None
        return protocol.levers[name]

    def arguments(self, call: LeverCall, definition: LeverDefinition) -> None:
        for name, entry in call.args.entries.items():
            if name not in definition.args:
                message = f"{call.lever} has no argument {name!r}"
                self.wrong(entry.key.place, "unknown-argument", message, name, definition.args)
            else:
                Binder(self.document, self.scope).try_bind(annotated(definition.args[name]), entry.value)
                self.target_is_chosen(definition.args[name], entry.value)
        for name, argument in definition.args.items():
            if name in call.args.entries:
                continue
            if argument.default is None:
                self.wrong(call.place, "missing-argument", f"{call.lever} needs the argument {name!r}")
            else:
                self.default(call, name, argument)

    def default(self, call: LeverCall, name: str, argument: ArgumentDefinition) -> None:
        try:
            VALUE_KINDS[argument.type].parse(argument.default or "")
        except ValueError as problem:
            message = f"{call.lever}: the protocol's default of {name!r} is no {argument.type}: {problem}"
            self.wrong(call.place, "bad-default", message)

    def target_is_chosen(self, argument: ArgumentDefinition, node: object) -> None:
        if argument.type == "market" and isinstance(node, Text) and not node.value.startswith("{"):
            message = "what is contained is chosen, never fixed: name a parameter"
            self.wrong(node.place, "fixed-target", message)

    def restore(self, step: RestoreStep) -> None:
        contained = [one for one in self.runbook.steps if one.id == step.restore]
        broken = not contained and step.restore in self.declared_steps
        if not broken and not (contained and isinstance(contained[0], ContainStep)):
            ids = [one.id for one in self.runbook.steps if isinstance(one, ContainStep)]
            place = self.inside(self.node(step, "restore"), 1)
            self.wrong(place, "unknown-step", f"{step.restore!r} is no contain step", step.restore, ids)
        self.authority(self.inside(self.node(step, "by"), 1), step.by, "safe", "timelock")
        if step.requires is not None:
            self.formula(self.node(step, "requires"), step.requires, "truth", self.declared_checks)


def texts_below(node: Node) -> Iterator[Text]:
    """Every value below a node that is a single one; what is shown to people speaks of slots without naming them."""
    if isinstance(node, Text):
        yield node
    elif isinstance(node, Items):
        for one in node.items:
            yield from texts_below(one)
    else:
        for key, entry in node.entries.items():
            if key not in ("summary", "false_positives"):
                yield from texts_below(entry.value)


def annotated(argument: ArgumentDefinition) -> object:
    """The annotation that binds an argument of this type."""
    return Annotated[object, VALUE_KINDS[argument.type]]


def transitions(step: Step) -> Mapping[str, Transition]:
    """Every place a step may send the walk to, by the key that says so."""
    if isinstance(step, CheckStep):
        return {"on_quiet": step.on_quiet, "on_unknown": step.on_unknown}
    return {"on_no": step.on_no} if isinstance(step, AskStep) else {}
