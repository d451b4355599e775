"""What a runbook must hold beyond its shape: every name it mentions exists and fits where it is used."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from incident_cli.binding import Binder, Given, did_you_mean
from incident_cli.document import Document, Place, Text
from incident_cli.expression import Expression
from incident_cli.expression import check as check_expression
from incident_cli.protocols.catalog import Catalog
from incident_cli.protocols.protocol import ArgumentDefinition, LeverDefinition, Protocol
from incident_cli.runbook.kinds import VALUE_KINDS
from incident_cli.runbook.model import (
    AskStep,
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

    def run(self, file: RunbookFile) -> None:
        """Review everything; the order of the problems is the order of the file, not of this list."""
        self.slots()
        self.ids(file)
        for check in self.runbook.checks.values():
            for slot, reads in check.sample.required().items():
                self.slot_reads(check.sample.place, slot, reads)
            self.display(check.sample.place, check.sample.summary, set(check.sample.required()))
        for step in self.runbook.steps:
            self.step(step)

    def wrong(self, place: Place, code: str, message: str, word: str = "", near: Collection[str] = ()) -> None:
        self.document.wrong(place, code, message, did_you_mean(word, near).removeprefix("; ") if word else "")

    def protocol(self, slot: str) -> Protocol | None:
        declared = self.runbook.slots.get(slot)
        return None if declared is None else self.catalog.find(declared.protocol)

    def slots(self) -> None:
        for slot in self.runbook.slots.values():
            if self.catalog.find(slot.protocol) is None and slot.protocol not in self.catalog.documents:
                names = self.catalog.names()
                message = f"there is no protocol file {slot.protocol}.yaml"
                self.wrong(slot.place, "unknown-protocol", message, slot.protocol, names)

    def ids(self, file: RunbookFile) -> None:
        counts = Counter(step.id for step in self.runbook.steps)
        for step in self.runbook.steps:
            if counts[step.id] > 1:
                self.wrong(step.place, "duplicate-step", f"{step.id!r} is the id of {counts[step.id]} steps")
        if not file.steps:
            self.wrong(file.place, "no-steps", "a runbook has at least one step")

    def display(self, place: Place, template: str, sources: set[str]) -> None:
        for name in re.findall(r"\{([^{}]*)\}", template):
            if name not in {*sources, "value", "limit"}:
                known = [*sources, "value", "limit"]
                self.wrong(place, "unknown-name", f"{{{name}}} in the summary is not known", name, known)

    def slot_reads(self, place: Place, slot: str, reads: Collection[str]) -> None:
        if not self.known_slot(place, slot):
            return
        protocol = self.protocol(slot)
        for read in reads:
            if protocol is not None and read not in protocol.reads:
                message = f"{slot} is {protocol.protocol}, which has no read {read!r}"
                self.wrong(place, "unknown-read", message, read, protocol.reads)

    def known_slot(self, place: Place, slot: str) -> bool:
        if slot not in self.runbook.slots:
            self.wrong(place, "unknown-slot", f"{slot!r} is no slot of this runbook", slot, self.runbook.slots)
            return False
        return True

    def step(self, step: Step) -> None:
        if step.when is not None:
            self.formula(step.place, step.when)
        self.transitions(step)
        if isinstance(step, CheckStep):
            self.checks(step)
        if isinstance(step, VerifyStep):
            if not step.verify:
                self.wrong(step.place, "no-proof", "a verify step has at least one expression: nothing proves nothing")
            elif not any("." in name for formula in step.verify for name, _ in formula.calls):
                message = "no expression reads the chain: only a read such as exchange.market_paused(market) proves"
                self.wrong(step.place, "no-proof", message)
            for formula in step.verify:
                self.formula(step.place, formula)
        if isinstance(step, ContainStep):
            self.contain(step)
        if isinstance(step, RestoreStep):
            self.restore(step)

    def transitions(self, step: Step) -> None:
        for transition in transitions(step):
            if transition.to is not None and transition.to not in self.declared_steps:
                message = f"goto {transition.to}: there is no such step"
                self.wrong(step.place, "unknown-step", message, transition.to, self.declared_steps)

    def checks(self, step: CheckStep) -> None:
        if not step.check:
            self.wrong(step.place, "no-checks", "a check step names at least one check: none would always be quiet")
        for check in step.check:
            if check not in self.declared_checks:
                message = f"{check!r} is no check of this runbook"
                self.wrong(step.place, "unknown-check", message, check, self.declared_checks)

    def formula(self, place: Place, formula: Expression) -> None:
        names = set(self.scope)
        calls = dict(self.declared_reads())
        for problem in check_expression(formula, names, calls, self.declared_checks):
            self.document.wrong(place, "bad-expression", f"in {formula.source!r}: {problem.message}", problem.hint)

    def declared_reads(self) -> Iterator[tuple[str, int]]:
        for slot in self.runbook.slots:
            protocol = self.protocol(slot)
            if protocol is not None:
                for name, read in protocol.reads.items():
                    yield f"{slot}.{name}", len(read.call.inputs)

    def contain(self, step: ContainStep) -> None:
        self.authority(step.place, step.contain.by, "safe")
        if not step.contain.calls:
            self.wrong(step.place, "no-calls", "a containment has at least one call")
        definitions = [(call, self.lever(call)) for call in step.levers]
        for call, definition in definitions:
            if definition is not None:
                self.arguments(call, definition)
        for one in step.contain.must_not_change:
            self.must_not_change(one)
        if step.confirm is not None:
            self.whole_reference(step.place, step.confirm.type)
            if any(definition is not None and definition.irreversible for _, definition in definitions):
                self.final_phrase(step.place, step.confirm.type.strip())

    def final_phrase(self, place: Place, phrase: str) -> None:
        if not phrase.startswith("{") and len(phrase) < SHORTEST_FINAL_PHRASE:
            message = f"{phrase!r} is too short to confirm what cannot be undone"
            hint = f"write a sentence of at least {SHORTEST_FINAL_PHRASE} characters, or leave `confirm` out"
            self.document.wrong(place, "weak-confirmation", message, hint)

    def must_not_change(self, one: MustNotChange) -> None:
        slot, name = one.read.split(".")
        self.slot_reads(one.place, slot, [name])
        if one.except_ is not None:
            self.whole_reference(one.place, one.except_)
        protocol = self.protocol(slot)
        read = None if protocol is None else protocol.reads.get(name)
        wanted = [] if one.for_each is None else ["bytes32"]
        if read is not None and read.call.input_types != wanted:
            message = f"{read.call.canonical} is read here with {'a market' if wanted else 'no argument'}"
            self.document.wrong(one.place, "wrong-arguments", message, "for_each: markets asks it of every market")

    def whole_reference(self, place: Place, text: str) -> None:
        if text.startswith("{") and text[1:-1] not in self.scope:
            self.wrong(place, "unknown-name", f"{text} names no parameter", text[1:-1], self.scope)

    def authority(self, place: Place, slot: str, *protocols: str) -> None:
        if self.known_slot(place, slot) and self.runbook.slots[slot].protocol not in protocols:
            found = self.runbook.slots[slot].protocol
            self.wrong(place, "no-authority", f"{slot!r} is {found}; here it must be {' or '.join(protocols)}")

    def lever(self, call: LeverCall) -> LeverDefinition | None:
        slot, _, name = call.lever.partition(".")
        if not self.known_slot(call.place, slot):
            return None
        protocol = self.protocol(slot)
        if protocol is None:
            return None
        if name not in protocol.levers:
            message = f"{protocol.protocol} has no lever {name!r}"
            self.wrong(call.place, "unknown-lever", message, name, protocol.levers)
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
            self.wrong(step.place, "unknown-step", f"{step.restore!r} is no contain step", step.restore, ids)
        self.authority(step.place, step.by, "safe", "timelock")
        if step.requires is not None:
            self.formula(step.place, step.requires)


def annotated(argument: ArgumentDefinition) -> object:
    """The annotation that binds an argument of this type."""
    return Annotated[object, VALUE_KINDS[argument.type]]


def transitions(step: Step) -> tuple[Transition, ...]:
    """Every place a step may send the walk to."""
    if isinstance(step, CheckStep):
        return step.on_quiet, step.on_unknown
    return (step.on_no,) if isinstance(step, AskStep) else ()
