"""A protocol as data: its contract slots, its reads and its levers. One YAML file each, no code.

A read's arguments are taken by their ABI names from the arguments of the lever that uses it, so
`marketPaused(bytes32 market)` needs no further wiring inside a lever that has an argument `market`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from incident_cli.abi import Parameter, Signature, encode
from incident_cli.abi_events import EventSignature
from incident_cli.binding import (
    BOOLEAN,
    EVENT,
    EXPRESSION,
    IDENTIFIER,
    SIGNATURE,
    SLUG,
    TEXT,
    Binder,
    Kind,
    did_you_mean,
    one_of,
)
from incident_cli.document import Document, Place, read_document
from incident_cli.evm import hex_bytes
from incident_cli.expression import Expression, ExpressionError, Value, evaluate
from incident_cli.expression_values import FUNCTIONS
from incident_cli.units import TOKEN, parse_unit

ARGUMENT_TYPE = one_of("argument type", "market", "bool", "int", "bps", "duration", "amount", "address", "bytes32")
INTEGER_TYPE = re.compile("u?int[0-9]{1,3}")
# argument type → the ABI types that take it as it is
ABI_TYPES: Mapping[str, re.Pattern[str]] = {
    "market": re.compile("bytes32"),
    "bytes32": re.compile("bytes32"),
    "address": re.compile("address"),
    "bool": re.compile("bool"),
    **dict.fromkeys(("amount", "int", "bps", "duration"), INTEGER_TYPE),
}
UNIT = Kind("unit", parse_unit, pattern=TOKEN.pattern)
SCOPE = one_of("scope", "function", "market", "protocol")
SLOT_TYPE = one_of("slot type", "address")
DELAY = one_of("delay", "none")
Name = Annotated[str, IDENTIFIER]
Formula = Annotated[Expression, EXPRESSION]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadDefinition:
    """A view of the protocol: which slot it is asked of, and its signature with outputs."""

    on: Name
    call: Annotated[Signature, SIGNATURE]
    with_: Mapping[Annotated[str, TEXT], Formula] = field(default_factory=dict)
    unit: Annotated[str, UNIT] | None = None
    place: Place

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The ABI parameters that `with` leaves open, in order."""
        return tuple(one for one in self.call.inputs if one.name not in self.with_)

    @property
    def needs_caller(self) -> bool:
        """Whether it asks about the account that pulls a lever: outside a lever there is none."""
        return any("by" in formula.names for formula in self.with_.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDefinition:
    """An event that a contract of the protocol logs: which slot logs it, and its signature."""

    on: Name
    event: Annotated[EventSignature, EVENT]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentDefinition:
    """An argument of a lever as a runbook gives it; without a default it must be given."""

    type: Annotated[str, ARGUMENT_TYPE]
    default: str | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoDefinition:
    """How the lever is undone from recorded values, and by whom (`same`, or the name of another authority)."""

    by: Name = "same"
    call: Annotated[Signature, SIGNATURE] | None = None
    with_: Mapping[Annotated[str, TEXT], Formula] = field(default_factory=dict)
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleDefinition:
    """What must hold on chain for `by` to be allowed to pull the lever."""

    holder: Name = "by"
    when: Formula
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverDefinition:
    """A named emergency function with its reads, expected effect, undo, required role and traps."""

    does: str
    scope: Annotated[str, SCOPE]
    args: Mapping[Name, ArgumentDefinition] = field(default_factory=dict)
    on: Name
    call: Annotated[Signature, SIGNATURE]
    with_: Mapping[Annotated[str, TEXT], Formula] = field(default_factory=dict)
    expect: Mapping[Name, Formula]
    writes: tuple[Name, ...]
    satisfied: Formula | None = None
    undo: UndoDefinition | None = None
    role: RoleDefinition | None = None
    delay: Annotated[str, DELAY] = "none"
    irreversible: Annotated[bool, BOOLEAN] = False
    traps: tuple[str, ...] = ()
    place: Place

    def formulas(self) -> Iterator[Expression]:
        """Every expression of the lever."""
        yield from self.with_.values()
        yield from self.expect.values()
        if self.undo:
            yield from self.undo.with_.values()
        if self.satisfied:
            yield self.satisfied
        if self.role:
            yield self.role.when

    def mentioned(self) -> frozenset[str]:
        """The reads and arguments its expressions and expectations name."""
        names = {name.removeprefix("before.") for one in self.formulas() for name in one.names}
        return frozenset({*names, *self.expect})


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """One protocol file."""

    protocol: Annotated[str, SLUG]
    source: str
    slots: Mapping[Name, Annotated[str, SLOT_TYPE]]
    reads: Mapping[Name, ReadDefinition] = field(default_factory=dict)
    events: Mapping[Name, EventDefinition] = field(default_factory=dict)
    levers: Mapping[Name, LeverDefinition] = field(default_factory=dict)
    place: Place


def load_protocol(path: Path) -> tuple[Protocol | None, Document]:
    """Read one protocol file; problems are in the document."""
    document = read_document(path)
    protocol: Protocol | None = Binder(document).root(Protocol)
    if protocol is not None:
        Review(protocol, document).run()
    return (None if document.problems else protocol), document


class Review:
    """What a protocol file must hold beyond its shape: every name it mentions exists, types fit, effects are proven."""

    def __init__(self, protocol: Protocol, document: Document) -> None:
        self.protocol = protocol
        self.document = document

    def run(self) -> None:
        for name, read in self.protocol.reads.items():
            self.known(read.place, read.on, self.protocol.slots, "slot")
            if not read.call.outputs:
                self.document.wrong(read.place, "no-outputs", f"the read {name!r} returns nothing: add returns (…)")
            self.fixed(read)
            self.unit(name, read)
        for event in self.protocol.events.values():
            self.known(event.place, event.on, self.protocol.slots, "slot")
        for lever in self.protocol.levers.values():
            self.lever(lever)

    def unit(self, name: str, read: ReadDefinition) -> None:
        """A unit says what one number means."""
        outputs = read.call.output_types
        if read.unit is not None and not (len(outputs) == 1 and INTEGER_TYPE.fullmatch(outputs[0])):
            message = f"the read {name!r} returns ({', '.join(outputs)}): only one uint or int has a unit"
            self.document.wrong(read.place, "wrong-unit", message, f"leave out unit: {read.unit}")

    def fixed(self, read: ReadDefinition) -> None:
        """What `with` of a read may hold: its own parameters, from literals and `by`."""
        self.strangers(read.place, read.call, read.with_)
        types = {one.name: one.type for one in read.call.inputs}
        for parameter in sorted(read.with_.keys() & types.keys()):
            formula = read.with_[parameter]
            if formula.names - {"by"} or formula.checks:
                message = f"{formula.source!r}: a read is fixed by literals and `by` alone"
                self.document.wrong(read.place, "unknown-name", message)
            elif not formula.names and (problem := misfit(formula, types[parameter])):
                self.document.wrong(read.place, "wrong-type", f"{formula.source!r} is no {types[parameter]}: {problem}")

    def known(self, place: Place, name: str, candidates: Mapping[str, object], what: str) -> None:
        if name not in candidates:
            hint = did_you_mean(name, candidates).removeprefix("; ")
            self.document.wrong(place, f"unknown-{what}", f"{name!r} is no {what} of this protocol", hint)

    def lever(self, lever: LeverDefinition) -> None:
        for slot in (lever.on, *lever.writes):
            self.known(lever.place, slot, self.protocol.slots, "slot")
        for read in lever.expect:
            self.known(lever.place, read, self.protocol.reads, "read")
        self.proof(lever)
        if lever.on not in lever.writes and {lever.on, *lever.writes} <= set(self.protocol.slots):
            message = f"the call changes {lever.on!r}, which is not in writes"
            self.document.wrong(lever.place, "undeclared-write", message, f"add {lever.on} to writes")
        for name in sorted(lever.mentioned() & set(self.protocol.reads)):
            self.arguments(lever, self.protocol.reads[name].call, self.protocol.reads[name].with_, f"the read {name}")
        self.arguments(lever, lever.call, lever.with_, "the call")
        self.strangers(lever.place, lever.call, lever.with_)
        if lever.undo:
            undo = lever.undo.call or lever.call
            self.arguments(lever, undo, lever.undo.with_, "the undo")
            self.strangers(lever.place, undo, lever.undo.with_)
        if (lever.undo is None) is not lever.irreversible:
            self.document.wrong(lever.place, "undo-or-irreversible", "a lever has an undo, or is irreversible: true")
        names = {*lever.args, *self.protocol.reads, *(f"before.{read}" for read in self.protocol.reads), "by"}
        for formula in lever.formulas():
            for name in sorted(formula.names - names):
                hint = did_you_mean(name, names).removeprefix("; ")
                self.document.wrong(lever.place, "unknown-name", f"{name!r} in {formula.source!r} is not known", hint)
            for name in sorted({one.name for one in formula.mentions if one.role == "call"} - set(FUNCTIONS)):
                known = ", ".join(FUNCTIONS)
                message = f"{name!r} in {formula.source!r}: a lever's expressions call nothing but {known}"
                hint = f"inside a lever a read is its name: write {name}" if name in self.protocol.reads else ""
                self.document.wrong(lever.place, "unknown-name", message, hint)

    def proof(self, lever: LeverDefinition) -> None:
        if not lever.expect:
            message = "expect is empty: what the call must show is proven by a read"
            self.document.wrong(lever.place, "no-proof", message)
        if lever.satisfied and not lever.satisfied.names - {*lever.args, "by"}:
            message = f"{lever.satisfied.source!r} mentions no read: only a read shows that it is satisfied"
            self.document.wrong(lever.place, "no-proof", message)

    def arguments(self, lever: LeverDefinition, call: Signature, given: Mapping[str, Expression], what: str) -> None:
        for parameter in call.inputs:
            if parameter.name in given:
                continue
            argument = lever.args.get(parameter.name)
            if argument is not None and not ABI_TYPES[argument.type].fullmatch(parameter.type):
                message = f"{what} {call.canonical} takes {parameter}, but the argument is of type {argument.type}"
                self.document.wrong(lever.place, "wrong-type", message)
            if argument is None:
                message = f"{what} {call.canonical} has no value for {parameter.name or 'an unnamed parameter'!r}"
                self.document.wrong(lever.place, "argument-without-value", message, "give every ABI parameter a name")

    def strangers(self, place: Place, call: Signature, given: Mapping[str, Expression]) -> None:
        """Every value for a parameter that the call does not have."""
        for name in given:
            if name not in {one.name for one in call.inputs}:
                self.document.wrong(place, "unknown-argument", f"{call.canonical} has no parameter {name!r}")


class Nameless:
    """Resolves nothing: for expressions of literals alone."""

    def name(self, dotted: str) -> Value:
        """There is none."""
        raise LookupError(dotted)

    def call(self, dotted: str, args: tuple[Value, ...]) -> Value:
        """There is none."""
        raise LookupError(dotted)


def misfit(formula: Expression, kind: str) -> str | None:
    """Why a literal is no value of this ABI type, or None where it is one."""
    try:
        encode([kind], [fixed_value(kind, evaluate(formula, Nameless()))])
    except (ExpressionError, ValueError) as problem:
        return str(problem)
    return None


def fixed_value(kind: str, value: Value) -> Value:
    """A value for a parameter of this ABI type: hex text becomes bytes where bytes are wanted; raises ValueError."""
    if not (isinstance(value, str) and kind.startswith("bytes")):
        return value
    found, size = hex_bytes(value), kind.removeprefix("bytes")
    if size.isdigit() and len(found) != int(size):
        raise ValueError(f"it has {len(found)} bytes")  # the codec would fill it up with zeros
    return found
