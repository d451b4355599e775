"""A lever's calldata and its meaning without a chain, from values that somebody gives.

What a chain alone can say (the role, the delay, where derived slots stand) is listed as not checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from incident_cli.abi import encode as encode_values
from incident_cli.abi import encode_call
from incident_cli.errors import Misused, Refused
from incident_cli.evm import ZERO
from incident_cli.expression import Value
from incident_cli.flows.catalog.find import NamedLever
from incident_cli.flows.catalog.given import EncodeOrder, Given
from incident_cli.flows.catalog.needs import needs_of
from incident_cli.flows.proposal import PlannedCall, show
from incident_cli.levers.expectation import Expectation
from incident_cli.levers.lever import Plan, calls_of, expected, undo_of
from incident_cli.levers.pull import Pull, Standing
from incident_cli.protocols.slot import BoundSlot
from incident_cli.runbook.skeleton import slot_name
from incident_cli.text import plain

UNDO_WORDS = "Puts back the values that were given as standing before."


@dataclass(frozen=True, slots=True)
class Encoded:
    """A lever's calls as they would be proposed; `satisfied` is None where the values to tell were not given."""

    lever: NamedLever
    plan: Plan
    satisfied: bool | None
    not_checked: tuple[str, ...]

    @property
    def calls(self) -> list[PlannedCall]:
        """What must come first, then the lever's own call."""
        own, label = self.lever.definition, self.plan.pull.label
        first = [
            PlannedCall(one, f"first {one.signature.name}", f"Must come before {label}.")
            for one in self.plan.calls[:-1]
        ]
        return [*first, PlannedCall(self.plan.call, label, own.does, own.traps)]

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "protocol": self.lever.protocol.protocol,
            "lever": self.lever.name,
            "calls": [call_object(one) for one in self.calls],
            "expect": readings(self.plan.expect),
            "undo": self.undo_object(),
            "traps": list(self.lever.definition.traps),
            "satisfied": self.satisfied,
            "not_checked": list(self.not_checked),
        }

    @property
    def undo(self) -> PlannedCall | None:
        """The call of the way back, or None where there is none."""
        undo = self.plan.undo
        return None if undo is None else PlannedCall(undo.call, f"undo {self.plan.pull.label}", UNDO_WORDS)

    @property
    def undo_by(self) -> str:
        """Who makes that call, in words."""
        by = self.plan.undo.by if self.plan.undo else "nobody"
        return "whoever pulled it" if by == "same" else by

    def undo_object(self) -> dict[str, Any] | None:
        """The way back for scripts."""
        undo, call = self.plan.undo, self.undo
        if undo is None or call is None:
            return None
        facts = {"only_if": readings(undo.only_if), "expect": readings(undo.expect)}
        return {"by": undo.by, **call_object(call), **facts}


def call_object(planned: PlannedCall) -> dict[str, Any]:
    """A call for scripts; `value` in wei."""
    return {**planned.to_json(), "value": str(planned.call.value)}


def readings(expectations: Sequence[Expectation]) -> list[dict[str, str]]:
    """What reads must answer, in words."""
    return [{"read": one.label, "equals": show(one.value)} for one in expectations]


def encode(lever: NamedLever, order: EncodeOrder) -> Encoded:
    """The calls, their proof and their undo; raises Misused with everything that is wrong or missing at once."""
    given = Given(lever, order, needs_of(lever))
    slots, args, answers, by = given.slots(), given.args(), given.answers(), given.by()
    given.settle()
    pull = Pull(BoundSlot(slot_name(lever.protocol.protocol), lever.protocol, "", slots), lever.name, args, by)
    try:
        plan = planned(pull, Standing(pull, answers))
        encodable(plan)
        return Encoded(lever, plan, satisfied(pull, answers), tuple(not_checked(lever)))
    except (Refused, ValueError) as problem:
        said = problem.message if isinstance(problem, Refused) else str(problem)
        raise Misused(f"{pull.label} cannot be encoded: {plain(said)}", f"see {given.help}") from problem


def encodable(plan: Plan) -> None:
    """Raises ValueError where a value does not fit its ABI type."""
    for one in [*plan.calls, *([plan.undo.call] if plan.undo else [])]:
        encode_call(one.signature, one.args)
    for expectation in plan.expect:
        encode_values([expectation.read.signature.output_at(expectation.read.path).type], [expectation.value])


def planned(pull: Pull, standing: Standing) -> Plan:
    """The pieces of a plan that need no chain; raises Refused where a formula does not fit its values."""
    names = set(pull.definition.expect)
    reads = {name: pull.read(name) for name in pull.slot.protocol.reads if name in names}
    expect = tuple(expected(pull, standing, reads, name) for name in pull.definition.expect)
    return Plan(pull, calls_of(pull, standing), False, expect, undo_of(pull, standing, reads, expect))


def satisfied(pull: Pull, answers: Mapping[str, Value]) -> bool | None:
    """Whether the values given say that nothing needs to be done; None where they do not tell."""
    formula = pull.definition.satisfied
    known = {*answers, *pull.args, *pull.slot.addresses, *(["by"] if pull.by != ZERO else [])}
    if formula is None or not {one.removeprefix("before.") for one in formula.names} <= known:
        return None
    return Standing(pull, answers).formula(formula) is True


def not_checked(lever: NamedLever) -> list[str]:
    """What only a chain can say."""
    definition, slots = lever.definition, lever.protocol.slots
    found = ["nothing was simulated: no chain"]
    if definition.role is not None:
        found.append(f"role not checked: no chain ({definition.role.when.source})")
    for name, one in slots.items():
        if one.read is not None and name in needs_of(lever).slots:
            found.append(f"address of {name} not checked: {one.read.on}.{one.read.call.source} says it on chain")
    delay = definition.delay
    if delay is not None and delay.seconds is not None:
        found.append(f"delay not checked: through {delay.on} ({delay.road}) for {delay.seconds.source} seconds")
    return found
