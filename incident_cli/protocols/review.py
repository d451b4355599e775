"""What a protocol file must hold beyond its shape: every name it mentions exists, types fit, effects are proven."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from incident_cli.abi import Signature
from incident_cli.binding import did_you_mean
from incident_cli.document import Document, Place
from incident_cli.expression import Expression
from incident_cli.expression_values import FUNCTIONS
from incident_cli.protocols.definitions import LeverDefinition, ReadDefinition, Worths
from incident_cli.protocols.worth import FUNCTIONS as OWN_FUNCTIONS
from incident_cli.protocols.worth import expressions, misfit

if TYPE_CHECKING:
    from incident_cli.protocols.protocol import Protocol

INTEGER_TYPE = re.compile("u?int[0-9]{1,3}")
# argument type → the ABI types that take it as it is
ABI_TYPES: Mapping[str, re.Pattern[str]] = {
    "market": re.compile("bytes32"),
    "address": re.compile("address"),
    "bool": re.compile("bool"),
    **{one: re.compile(one) for one in ("bytes32", "bytes16", "bytes4")},
    **dict.fromkeys(("amount", "int", "bps", "duration"), INTEGER_TYPE),
}
SHORTEST_CONSEQUENCE = 12  # a word or two are typed without reading them
CALLABLE = (*FUNCTIONS, *OWN_FUNCTIONS)


class Review:
    """One pass over one protocol file; what is wrong is noted in the document."""

    def __init__(self, protocol: Protocol, document: Document) -> None:
        self.protocol = protocol
        self.document = document

    def run(self) -> None:
        """Look at everything."""
        for name, slot in self.protocol.slots.items():
            if slot.read is not None:
                self.derived(name, slot.place, slot.read.on)
            if name in self.protocol.reads:
                self.wrong(slot.place, "ambiguous-name", f"{name!r} is a slot and a read", "rename the read")
        for name, read in self.protocol.reads.items():
            self.read(name, read)
        for event in self.protocol.events.values():
            self.known(event.place, event.on, self.protocol.slots, "slot")
        for lever in self.protocol.levers.values():
            LeverReview(self, lever).run()
        if self.protocol.levers and self.protocol.reviewed is not None and self.protocol.proof is None:
            message = "it says when its source was read, but not how its levers were proven"
            self.wrong(self.protocol.place, "no-proof-kind", message, "proof: real, or proof: interface")

    def wrong(self, place: Place, code: str, message: str, hint: str = "") -> None:
        """Note a problem."""
        self.document.wrong(place, code, message, hint)

    def derived(self, name: str, place: Place, source: str) -> None:
        """A slot's address is read from one that a deployment gives: one step, so that nothing goes in circles."""
        self.known(place, source, self.protocol.slots, "slot")
        if source in self.protocol.slots and self.protocol.slots[source].read is not None:
            message = f"the slot {name!r} is read from {source!r}, which is itself read from another"
            self.wrong(place, "derived-twice", message, "read it from a slot whose address a deployment gives")

    def read(self, name: str, read: ReadDefinition) -> None:
        """A read's slot, outputs, part, fixed arguments and unit."""
        self.known(read.place, read.on, self.protocol.slots, "slot")
        if not read.call.outputs:
            self.wrong(read.place, "no-outputs", f"the read {name!r} returns nothing: add returns (…)")
            return
        self.strangers(read.place, read.call, read.with_)
        self.literals(read)
        try:
            kind = read.value_type.type
        except ValueError as problem:
            self.wrong(read.place, "unknown-output", f"{read.take!r}: {problem}")
            return
        one_number = INTEGER_TYPE.fullmatch(kind) and (read.take is not None or len(read.call.outputs) == 1)
        if read.unit is not None and not one_number:
            message = (
                f"the read {name!r} returns ({', '.join(read.call.output_types)}): only one uint or int has a unit"
            )
            self.wrong(read.place, "wrong-unit", message, f"leave out unit: {read.unit}")

    def literals(self, read: ReadDefinition) -> None:
        """What `with` fixes by literals alone must be values of their types; it may also name slots, `by` and arguments
        of the levers that use it."""
        types = {one.name: one.type for one in read.call.inputs}
        for parameter in sorted(read.with_.keys() & types.keys()):
            worth = read.with_[parameter]
            for formula in expressions(worth):
                self.callable(read.place, formula)
                if formula.checks or any(name.startswith("before.") for name in formula.names):
                    message = f"{formula.source!r}: a read is fixed by literals, slots, arguments and `by` alone"
                    self.wrong(read.place, "unknown-name", message)
            if isinstance(worth, Expression) and not worth.names and (problem := misfit(worth, types[parameter])):
                self.wrong(read.place, "wrong-type", f"{worth.source!r} is no {types[parameter]}: {problem}")

    def known(self, place: Place, name: str, candidates: Collection[str], what: str) -> None:
        """A name that must exist."""
        if name not in candidates:
            hint = did_you_mean(name, candidates).removeprefix("; ")
            self.wrong(place, f"unknown-{what}", f"{name!r} is no {what} of this protocol", hint)

    def strangers(self, place: Place, call: Signature, given: Worths) -> None:
        """Every value for a parameter that the call does not have."""
        for name in given:
            if name not in {one.name for one in call.inputs}:
                self.wrong(place, "unknown-argument", f"{call.canonical} has no parameter {name!r}")

    def callable(self, place: Place, formula: Expression) -> None:
        """Nothing is called but what every expression and every protocol file may call."""
        for name in sorted({one.name for one in formula.mentions if one.role == "call"} - set(CALLABLE)):
            message = f"{name!r} in {formula.source!r}: a lever's expressions call nothing but {', '.join(CALLABLE)}"
            hint = f"inside a lever a read is its name: write {name}" if name in self.protocol.reads else ""
            self.wrong(place, "unknown-name", message, hint)


class LeverReview:
    """One lever of the file under review."""

    def __init__(self, review: Review, lever: LeverDefinition) -> None:
        self.review, self.lever = review, lever
        self.slots, self.reads = review.protocol.slots, review.protocol.reads

    def run(self) -> None:
        """Look at everything it says."""
        for slot in self.named_slots():
            self.review.known(self.lever.place, slot, self.slots, "slot")
        for read in (*self.lever.expect, *self.lever.measures, *([self.lever.lapses] if self.lever.lapses else [])):
            self.review.known(self.lever.place, read, self.reads, "read")
        self.ambiguous()
        self.proof()
        self.writes()
        for name in sorted({*self.lever.mentioned(), *self.lever.measures} & set(self.reads)):
            self.used_read(name, self.reads[name])
        self.calls()
        self.ending()
        self.names()

    def wrong(self, place: Place, code: str, message: str, hint: str = "") -> None:
        """Note a problem."""
        self.review.wrong(place, code, message, hint)

    def named_slots(self) -> Iterator[str]:
        """Every slot it speaks of as one."""
        yield from (self.lever.on, *self.lever.writes, *(one.on for one in self.lever.first))
        if self.lever.undo and self.lever.undo.on:
            yield self.lever.undo.on
        for delay in (self.lever.delay, self.lever.undo.delay if self.lever.undo else None):
            if delay and delay.on:
                yield delay.on

    def ambiguous(self) -> None:
        """One name, one thing: an argument, a read or a slot."""
        for name in sorted(set(self.lever.args) & {*self.reads, *self.slots}):
            what = "read" if name in self.reads else "slot"
            self.wrong(
                self.lever.place,
                "ambiguous-name",
                f"{name!r} is an argument of this lever and a {what}",
                "rename the argument",
            )

    def proof(self) -> None:
        """Something must be seen after it, and only a read shows that it is done already."""
        if not self.lever.expect:
            self.wrong(self.lever.place, "no-proof", "expect is empty: what the call must show is proven by a read")
        satisfied = self.lever.satisfied
        if satisfied and not satisfied.names - {*self.lever.args, *self.slots, "by"}:
            message = f"{satisfied.source!r} mentions no read: only a read shows that it is satisfied"
            self.wrong(self.lever.place, "no-proof", message)

    def writes(self) -> None:
        """What it calls, it changes."""
        called = {self.lever.on, *(one.on for one in self.lever.first)} & set(self.slots)
        if not set(self.lever.writes) <= set(self.slots):
            return  # a mistyped slot is said already
        for slot in sorted(called - set(self.lever.writes)):
            message = f"the call changes {slot!r}, which is not in writes"
            self.wrong(self.lever.place, "undeclared-write", message, f"add {slot} to writes")

    def used_read(self, name: str, read: ReadDefinition) -> None:
        """Every parameter of a read it uses has a value, and what its `with` names is known here."""
        self.arguments(read.call, read.with_, f"the read {name}")
        for one in sorted(read.fixed_names - {*self.lever.args, *self.slots, "by"}):
            message = f"the read {name} is fixed by {one!r}, which is no argument of this lever"
            self.wrong(self.lever.place, "unknown-name", message, did_you_mean(one, self.lever.args).removeprefix("; "))

    def calls(self) -> None:
        """Every parameter of every call has a value, and no other has."""
        every: list[tuple[Signature, Worths, str]] = [(self.lever.call, self.lever.with_, "the call")]
        every += [(one.call, one.with_, "the first call") for one in self.lever.first]
        if self.lever.undo:
            every.append((self.lever.undo.call or self.lever.call, self.lever.undo.with_, "the undo"))
        for call, given, what in every:
            self.arguments(call, given, what)
            self.review.strangers(self.lever.place, call, given)

    def arguments(self, call: Signature, given: Worths, what: str) -> None:
        """Each ABI parameter is under `with`, or is an argument of a type that fits, or is a slot."""
        for parameter in call.inputs:
            argument = self.lever.args.get(parameter.name)
            is_slot = argument is None and parameter.name in self.slots and parameter.type == "address"
            if parameter.name in given or is_slot:
                continue
            if argument is not None and not ABI_TYPES[argument.type].fullmatch(parameter.type):
                message = f"{what} {call.canonical} takes {parameter}, but the argument is of type {argument.type}"
                self.wrong(self.lever.place, "wrong-type", message)
            if argument is None:
                message = f"{what} {call.canonical} has no value for {parameter.name or 'an unnamed parameter'!r}"
                self.wrong(self.lever.place, "argument-without-value", message, "give every ABI parameter a name")

    def ending(self) -> None:
        """There is a way back, or it is said in words that there is none."""
        if (self.lever.undo is None) is not self.lever.irreversible:
            self.wrong(self.lever.place, "undo-or-irreversible", "a lever has an undo, or is irreversible: true")
        said = (self.lever.consequence or "").strip()
        if self.lever.irreversible and len(said) < SHORTEST_CONSEQUENCE:
            message = "an irreversible lever says its consequence in words: they are typed before it is pulled"
            self.wrong(self.lever.place, "no-consequence", message, "consequence: end trading in every market for good")
        if not self.lever.irreversible and self.lever.consequence is not None:
            self.wrong(self.lever.place, "no-consequence", "only an irreversible lever has a consequence that is typed")
        lapses = self.lever.lapses
        if lapses is not None and lapses in self.reads and self.reads[lapses].unit != "time":
            message = f"{lapses!r} must be a time in unix seconds: it says when the effect ends by itself"
            self.wrong(self.lever.place, "wrong-unit", message, "give that read unit: time")

    def names(self) -> None:
        """Every name in an expression is an argument, a read, a slot or `by`."""
        names = {*self.lever.args, *self.reads, *(f"before.{read}" for read in self.reads), *self.slots, "by"}
        for formula in self.lever.formulas():
            for name in sorted(formula.names - names):
                hint = did_you_mean(name, names).removeprefix("; ")
                self.wrong(self.lever.place, "unknown-name", f"{name!r} in {formula.source!r} is not known", hint)
            self.review.callable(self.lever.place, formula)
