"""What a protocol file says, as typed values: its fields are the keys of the YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from incident_cli.abi import Parameter, Signature, parse_signature
from incident_cli.abi_events import EventSignature
from incident_cli.binding import (
    BOOLEAN,
    EVENT,
    EXPRESSION,
    IDENTIFIER,
    IDENTIFIER_FORM,
    SIGNATURE,
    TEXT,
    Kind,
    Shorthand,
    one_of,
)
from incident_cli.document import Place
from incident_cli.expression import Expression
from incident_cli.protocols.worth import Worth, expressions
from incident_cli.units import TOKEN, parse_unit

ARGUMENT_TYPE = one_of(
    "argument type", "market", "bool", "int", "bps", "duration", "amount", "address", "bytes32", "bytes16", "bytes4"
)
UNIT = Kind("unit", parse_unit, pattern=TOKEN.pattern)
SCOPE = one_of("scope", "function", "market", "protocol")
SLOT_TYPE = one_of("slot type", "address")
ROADS = ("none", "timelock", "access_manager")
TAKE_FORM = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*(\.[A-Za-z_$][A-Za-z0-9_$]*){0,3}")
Name = Annotated[str, IDENTIFIER]
Formula = Annotated[Expression, EXPRESSION]
Worths = Mapping[Annotated[str, TEXT], Worth]


@dataclass(frozen=True, slots=True)
class DerivedRead:
    """Where a slot's address is read: `provider.getPoolConfigurator() returns (address)`."""

    on: str
    call: Signature


def parse_derived(text: str) -> DerivedRead:
    """`slot.view() returns (address)`; raises ValueError."""
    slot, dot, rest = text.partition(".")
    if not dot or not IDENTIFIER_FORM.fullmatch(slot):
        raise ValueError("it is written slot.view() returns (address)")
    call = parse_signature(rest)
    if call.inputs or call.output_types != ["address"]:
        raise ValueError("a view without arguments that returns one address is needed")
    return DerivedRead(slot, call)


def parse_take(text: str) -> str:
    """`outputName`, or `outputName.partName`; raises ValueError."""
    if not TAKE_FORM.fullmatch(text):
        raise ValueError("the name of an output is needed, such as state.isEnabled")
    return text


DERIVED = Kind("derived slot", parse_derived)
TAKE = Kind("part of an answer", parse_take)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotDefinition:
    """A contract of the protocol: a deployment gives its address, or it is read from another slot."""

    type: Annotated[str, SLOT_TYPE] = "address"
    read: Annotated[DerivedRead, DERIVED] | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadDefinition:
    """A view of the protocol: which slot it is asked of, its signature with outputs, and which part of them counts."""

    on: Name
    call: Annotated[Signature, SIGNATURE]
    with_: Worths = field(default_factory=dict)
    take: Annotated[str, TAKE] | None = None
    unit: Annotated[str, UNIT] | None = None
    place: Place

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The ABI parameters that `with` leaves open, in order."""
        return tuple(one for one in self.call.inputs if one.name not in self.with_)

    @property
    def fixed_names(self) -> frozenset[str]:
        """What `with` names: slots, `by`, or arguments of the levers that use it."""
        return frozenset(name for worth in self.with_.values() for one in expressions(worth) for name in one.names)

    @property
    def path(self) -> tuple[int, ...]:
        """Which part of the answer is its value; raises ValueError where `take` names no output."""
        return path_to(self.call.outputs, self.take)

    @property
    def answer_types(self) -> list[str]:
        """The ABI types of its value: of the part that counts, else of every output."""
        return self.call.output_types if self.take is None else [self.value_type.type]

    @property
    def value_type(self) -> Parameter:
        """The output that is its value; raises ValueError where `take` names none."""
        return self.call.output_at(self.path)


def path_to(outputs: tuple[Parameter, ...], take: str | None) -> tuple[int, ...]:
    """The places that lead to the named output: `state.isEnabled`; the first without a name. Raises ValueError."""
    if take is None:
        return (0,)
    path: list[int] = []
    for part in take.split("."):
        names = [one.name for one in outputs]
        if part not in names:
            raise ValueError(f"there is no output {part!r}: {', '.join(filter(None, names)) or 'none has a name'}")
        path.append(names.index(part))
        outputs = () if outputs[path[-1]].type.endswith("]") else outputs[path[-1]].components
    return tuple(path)


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
class FirstCall:
    """A call that must come before the lever's own where a condition holds: revoke what is pending, then submit."""

    when: Formula
    on: Name
    call: Annotated[Signature, SIGNATURE]
    with_: Worths = field(default_factory=dict)
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayDefinition:
    """Whether a call must be scheduled and awaited: through which kind of contract, in which slot, for how long (s).

    A call whose seconds are 0 is made at once.
    """

    road: Annotated[str, one_of("delay", *ROADS)]
    on: Name | None = None
    seconds: Formula | None = None
    place: Place

    def __post_init__(self) -> None:
        is_complete = self.on is not None and self.seconds is not None
        if (self.road == "none") is is_complete or (self.on is None) is not (self.seconds is None):
            raise ValueError("a delay is `none`, or {road: timelock | access_manager, on: SLOT, seconds: FORMULA}")


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoDefinition:
    """How the lever is undone from recorded values, and by whom (`same`, or the name of another authority).

    `delay`: where whoever pulled it undoes it, and that call has to wait.
    """

    by: Name = "same"
    on: Name | None = None
    call: Annotated[Signature, SIGNATURE] | None = None
    with_: Worths = field(default_factory=dict)
    delay: Annotated[DelayDefinition, Shorthand(DelayDefinition, "road")] | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleDefinition:
    """What must hold on chain for `by` to be allowed to pull the lever, and until when (unix seconds; 0: for ever)."""

    holder: Name = "by"
    when: Formula
    until: Formula | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class BlastDefinition:
    """Who loses what while the lever is pulled; `measure` is the read that says how much is concerned."""

    who: str
    loses: str
    measure: Name | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverDefinition:
    """A named emergency function with its reads, expected effect, undo, required role and traps."""

    does: str
    scope: Annotated[str, SCOPE]
    args: Mapping[Name, ArgumentDefinition] = field(default_factory=dict)
    first: tuple[FirstCall, ...] = ()
    on: Name
    call: Annotated[Signature, SIGNATURE]
    with_: Worths = field(default_factory=dict)
    expect: Mapping[Name, Worth]
    writes: tuple[Name, ...]
    satisfied: Formula | None = None
    undo: UndoDefinition | None = None
    role: RoleDefinition | None = None
    delay: Annotated[DelayDefinition, Shorthand(DelayDefinition, "road")] | None = None
    lapses: Name | None = None
    cancels: Annotated[bool, BOOLEAN] = False
    irreversible: Annotated[bool, BOOLEAN] = False
    consequence: str | None = None
    blast_radius: tuple[BlastDefinition, ...] = ()
    traps: tuple[str, ...] = ()
    place: Place

    @property
    def is_delayed(self) -> bool:
        """Whether its call may have to be scheduled first."""
        return self.delay is not None and self.delay.road != "none"

    def worths(self) -> Iterator[Worth]:
        """Everything that is computed for its calls, its proof and its undo."""
        yield from self.with_.values()
        yield from self.expect.values()
        for first in self.first:
            yield first.when
            yield from first.with_.values()
        if self.undo:
            yield from self.undo.with_.values()

    def formulas(self) -> Iterator[Expression]:
        """Every expression of the lever."""
        for worth in self.worths():
            yield from expressions(worth)
        delays = [self.delay, self.undo.delay if self.undo else None]
        conditions = [self.satisfied, *(one.seconds for one in delays if one)]
        conditions += [self.role.when, self.role.until] if self.role else []
        yield from (one for one in conditions if one is not None)

    def mentioned(self) -> frozenset[str]:
        """The reads and arguments its expressions and expectations name, and the read of its end."""
        names = {name.removeprefix("before.") for one in self.formulas() for name in one.names}
        return frozenset({*names, *self.expect, *([self.lapses] if self.lapses else [])})

    @property
    def measures(self) -> tuple[str, ...]:
        """The reads that say how much a pull concerns; a pull does not need them."""
        return tuple(dict.fromkeys(one.measure for one in self.blast_radius if one.measure))
