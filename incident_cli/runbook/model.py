"""A runbook as typed values. Its YAML keys are these fields; see runbooks/README.md for the words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from incident_cli.binding import (
    DATE,
    DURATION,
    EXPRESSION,
    IDENTIFIER,
    INTEGER,
    SLUG,
    TEXT,
    Kind,
    matching,
    one_of,
)
from incident_cli.checks.check import Check
from incident_cli.document import Place, Table
from incident_cli.expression import Expression
from incident_cli.levers.authority import SEVERITIES

SCHEMA = "incident/v1"
PARAMETER_TYPES = ("market", "bps", "duration", "int", "amount", "bool", "address", "bytes32", "bytes16")
MARKS = ("detected", "acknowledged", "contained", "recovered")
TEMPLATES = ("investigating", "identified", "contained", "monitoring", "resolved")
AUDIENCES = ("public", "owners", "partners", "internal")
LEVER_FORM = re.compile(r"([a-z][a-z0-9_]{0,39})\.([a-z][a-z0-9_]{0,39})")

Name = Annotated[str, IDENTIFIER]
Slug = Annotated[str, SLUG]
Words = Annotated[str, TEXT]
Duration = Annotated[int, DURATION]
Formula = Annotated[Expression, EXPRESSION]
Dotted = Annotated[str, matching("slot.name", LEVER_FORM, "it is written slot.name, such as exchange.pause_market")]


@dataclass(frozen=True, slots=True)
class Transition:
    """Where the walk goes: to a step, or (`to` None) to the operator's decision."""

    to: str | None


def parse_transition(text: str) -> Transition:
    """`ask`, or `goto STEP`."""
    if text == "ask":
        return Transition(None)
    match = re.fullmatch(r"goto ([a-z][a-z0-9_]{0,39})", text)
    if match is None:
        raise ValueError("it is `ask`, or `goto` and the id of a step")
    return Transition(match.group(1))


Goto = Annotated[Transition, Kind("transition", parse_transition)]
Marked = Annotated[str, one_of("mark", *MARKS)]
Severity = Annotated[str, one_of("severity", *SEVERITIES)]
Role = Annotated[str, one_of("role", "operator", "incident_leader", "responder", "scribe")]
ParameterType = Annotated[str, one_of("parameter type", *PARAMETER_TYPES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """Who owns the runbook, how severe its incident is, and how often it is drilled."""

    owner: Words
    severity: Severity
    status: Annotated[str, one_of("status", "draft", "stable", "retired")] = "draft"
    reviewed: Annotated[str, DATE] | None = None
    drill_every: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter: its type, and unless it must be given, its default and bounds as written."""

    type: ParameterType
    default: str | None = None
    min: str | None = None
    max: str | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotDeclaration:
    """A contract the runbook speaks of; a deployment gives it a chain and addresses."""

    protocol: Slug
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Judge again up to `max` times, each at least `every` later in chain time."""

    max: Annotated[int, INTEGER]
    every: Duration

    def __post_init__(self) -> None:
        if not 1 <= self.max <= 1_000 or self.every < 1:
            raise ValueError("retry needs max from 1 to 1000 and every of at least 1s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What every step has; its verb is its class."""

    id: Name
    when: Formula | None = None
    role: Role = "operator"
    marks: Marked | None = None
    deadline: Duration | None = None
    on_deadline: Annotated[str, one_of("action", "ask")] = "ask"
    only_by_goto: bool = False
    place: Place

    @property
    def verb(self) -> str:
        """The key that names what the step does."""
        return next(verb for verb, kind in VERBS.items() if isinstance(self, kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStep(Step):
    """Judge checks at one block: on while one fires, elsewhere when all are quiet, ask when one is unknown."""

    check: tuple[Name, ...]
    retry: Retry | None = None
    on_quiet: Goto = Transition(None)
    on_unknown: Goto = Transition(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskStep(Step):
    """A yes-or-no decision; the default is no, and no goes to `on_no` or stops the walk here."""

    ask: Words
    on_no: Goto = Transition(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualStep(Step):
    """Something a person does, with what they saw as evidence."""

    manual: Words
    evidence: Annotated[str, one_of("evidence", "none", "text")] = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Which status notice is worded, and for whom."""

    template: Annotated[str, one_of("template", *TEMPLATES)]
    audience: Annotated[str, one_of("audience", *AUDIENCES)] = "public"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyStep(Step):
    """A status notice worded from recorded facts, for a person to publish; this program sends nothing.

    A template that claims more than the record proves is refused, and a weaker one offered.
    """

    notify: Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverCall:
    """One lever to pull, and its arguments as written."""

    lever: str
    args: Table
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class MustNotChange:
    """A read that must answer the same before and after; `for_each: markets` asks it of every market but one."""

    read: Dotted
    for_each: Annotated[str, one_of("for_each", "markets")] | None = None
    except_: str | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Containment:
    """Which calls, made by which authority, and what they must leave alone.

    Where the calls stand on several chains, `also_by` names one more Safe for each further chain: every call goes
    through the Safe of its own chain, in a proposal of its own.
    """

    by: Name
    also_by: tuple[Name, ...] = ()
    calls: tuple[Table, ...]
    must_not_change: tuple[MustNotChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """What the operator must type, letter for letter, before anything is prepared for signing."""

    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainStep(Step):
    """Pull levers through a Safe. `levers` are the calls with their lever taken apart."""

    contain: Containment
    confirm: Confirm | None = None
    levers: tuple[LeverCall, ...] = field(default=(), init=False)

    @property
    def authorities(self) -> tuple[str, ...]:
        """The slots of its Safes, one a chain."""
        return (self.contain.by, *self.contain.also_by)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyStep(Step):
    """Expressions over the chain that must all hold; unknown is not proof."""

    verify: tuple[Formula, ...]
    timeout: Duration = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreStep(Step):
    """Undo a contain step from the values recorded before it, by the authority that may."""

    restore: Name
    by: Name
    requires: Formula | None = None


VERBS: dict[str, type[Step]] = {
    "check": CheckStep,
    "ask": AskStep,
    "manual": ManualStep,
    "contain": ContainStep,
    "verify": VerifyStep,
    "notify": NotifyStep,
    "restore": RestoreStep,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDeclaration:
    """A check as written: its kind, its parameters as nodes, and a check bound to placeholder parameters."""

    name: str
    kind: str
    parameters: Table
    sample: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookFile:
    """The mapping at the top of a runbook; checks and steps are read by their kind and verb."""

    schema: Annotated[str, one_of("schema", SCHEMA)]
    id: Slug
    title: Words
    meta: Meta
    params: Mapping[Name, Parameter] = field(default_factory=dict)
    slots: Mapping[Name, SlotDeclaration]
    checks: Mapping[Name, Table] = field(default_factory=dict)
    steps: tuple[Table, ...]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """A runbook that has been read and found sound."""

    id: str
    title: str
    meta: Meta
    params: Mapping[str, Parameter]
    slots: Mapping[str, SlotDeclaration]
    checks: Mapping[str, CheckDeclaration]
    steps: tuple[Step, ...]
    tables: tuple[Table, ...] = ()  # the steps as written: bound again once the parameters have their values

    def step(self, name: str) -> Step:
        """The step of that id."""
        return next(one for one in self.steps if one.id == name)

    def after(self, name: str) -> Step | None:
        """The step that follows in order, without those only reached by goto."""
        position = [one.id for one in self.steps].index(name)
        return next((one for one in self.steps[position + 1 :] if not one.only_by_goto), None)
