"""Pulling a lever: read what stands, work out the calls, say what they must show and how they are undone. Pure.

The order is always the same: `needed` says what to read; the reads happen elsewhere at one block; `plan`
turns the answers into calls, their expectations and their undo, or says that nothing needs to be done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from incident_cli.abi import encode_call
from incident_cli.errors import Refused, Unread
from incident_cli.evm import Address, Call, CallRead, Missing, Snapshot
from incident_cli.expression import Value
from incident_cli.levers.delay import Delay, delay_of
from incident_cli.levers.expectation import Expectation
from incident_cli.levers.pull import SLOT_READ, Pull, Standing, measured, needed
from incident_cli.text import plain

__all__ = ["Blast", "Plan", "Pull", "Undo", "asked", "needed", "plan"]


@dataclass(frozen=True, slots=True)
class Undo:
    """How to put back what stood before: only if the chain still shows `only_if`, and then it must show `expect`.

    `delay`: how long the call must wait where whoever pulled the lever makes it.
    """

    by: str
    call: Call
    only_if: tuple[Expectation, ...]
    expect: tuple[Expectation, ...]
    delay: Delay | None = None


@dataclass(frozen=True, slots=True)
class Blast:
    """Who loses what while the lever is pulled, and how much that is: a read by its label, and its answer."""

    who: str
    loses: str
    label: str = ""
    amount: object | Missing = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A pulled lever: its calls, what must be seen after them, what must not change, and its undo.

    `writes` are the only contracts that may change; `authority` the reads of its role that answer an address: a call
    that changed one would change who is in charge. `until` is when the role ends (unix seconds), `lapses` the read
    that says when the effect does; None where neither does by itself.
    """

    pull: Pull
    calls: tuple[Call, ...]
    satisfied: bool
    expect: tuple[Expectation, ...]
    undo: Undo | None
    delay: Delay | None = None
    writes: tuple[Address, ...] = ()
    authority: tuple[Expectation, ...] = ()
    blast: tuple[Blast, ...] = ()
    until: int | None = None
    lapses: tuple[str, CallRead] | None = None

    @property
    def call(self) -> Call:
        """The lever's own call: the last."""
        return self.calls[-1]

    @property
    def plain(self) -> str:
        """The meaning in one sentence with the arguments."""
        return f"{self.pull.label}: {self.pull.definition.does}"


def asked(pull: Pull) -> list[CallRead]:
    """Every read that `plan` looks at, those it can do without included."""
    return [*needed(pull).values(), *measured(pull).values()]


def plan(pull: Pull, snapshot: Snapshot) -> Plan:
    """The calls and everything about them; raises Unread where a needed read is missing, Refused without the role."""
    reads = needed(pull)
    values = {name: known(pull, name, snapshot.value(read)) for name, read in reads.items()}
    standing, definition = Standing(pull, values), pull.definition
    check_slots(pull, values)
    satisfied = definition.satisfied is not None and standing.formula(definition.satisfied) is True
    until = None if satisfied else check_role(pull, standing, snapshot.block.timestamp)
    calls = calls_of(pull, standing)
    expect = tuple(expected(pull, standing, reads, name) for name in definition.expect)
    undo = in_its_time(undo_of(pull, standing, reads, expect), pull, standing)
    check_values(pull, calls, expect, undo)
    return Plan(
        pull,
        calls,
        satisfied,
        expect,
        undo,
        delay_of(pull, standing, definition.delay),
        tuple(dict.fromkeys(pull.slot.addresses[one] for one in definition.writes)),
        authority_of(pull, standing, reads),
        blast_of(pull, snapshot),
        until,
        (pull.describe(definition.lapses), reads[definition.lapses]) if definition.lapses else None,
    )


def known(pull: Pull, name: str, answer: object | Missing) -> Value:
    """A value that was read; a lever is never pulled blind."""
    if isinstance(answer, Missing):
        raise Unread(
            f"{pull.slot.name}.{name} could not be read: {answer.reason}",
            "the lever needs this value to keep what stands and to be undone; try again, or use another node",
        )
    return answer


def check_values(pull: Pull, calls: Sequence[Call], expect: Sequence[Expectation], undo: Undo | None) -> None:
    """Refuse values that their ABI types do not take: an argument out of range, a formula below zero."""
    try:
        for call in (*calls, *([undo.call] if undo else [])):
            encode_call(call.signature, call.args)
        for one in (*expect, *(undo.expect if undo else ())):
            one.to_json()
    except ValueError as problem:
        raise Refused(f"{pull.label}: {plain(problem, 200)}", "correct the argument; nothing was sent") from problem


def check_slots(pull: Pull, values: Mapping[str, Value]) -> None:
    """Refuse where the chain names another address for a derived slot than the one the call would go to."""
    for name in pull.slot.derived():
        found, bound = values[SLOT_READ + name], pull.slot.addresses[name]
        if found != bound:
            raise Refused(
                f"{pull.slot.name}.{name} is {found!s} on chain now, this incident was begun with {bound}",
                "the protocol was rewired: find out by whom, then resume or correct the deployment",
            )


def check_role(pull: Pull, standing: Standing, now: int) -> int | None:
    """Refuse where the chain says that `by` may not pull this lever, or not any more; the end of its role, if any."""
    role = pull.definition.role
    if role is None:
        return None
    if standing.formula(role.when) is not True:
        raise Refused(
            f"{pull.by} does not hold the role {pull.slot.name}.{pull.name} needs: {role.when.source} does not hold",
            "ask governance who holds it now; a call without the role would revert",
        )
    until = standing.formula(role.until) if role.until else 0
    if isinstance(until, bool) or not isinstance(until, int):
        raise Refused(f"{role.until.source if role.until else ''!r} is no time", "correct the protocol file")
    if until and until <= now:
        raise Refused(
            f"the role that {pull.slot.name}.{pull.name} needs has expired: {until} is not after the block's {now}",
            "governance must renew it; a call without the role would revert",
        )
    return until or None


def calls_of(pull: Pull, standing: Standing) -> tuple[Call, ...]:
    """What must come first here, then the lever's own call."""
    definition, addresses = pull.definition, pull.slot.addresses
    first = [
        Call(addresses[one.on], one.call, standing.fill(one.call, one.with_))
        for one in definition.first
        if standing.formula(one.when) is True
    ]
    own = Call(addresses[definition.on], definition.call, standing.fill(definition.call, definition.with_))
    return (*first, own)


def expected(pull: Pull, standing: Standing, reads: Mapping[str, CallRead], name: str) -> Expectation:
    """What one read must answer after the lever was pulled."""
    definition = pull.slot.protocol.reads[name]
    kind = definition.value_type
    value = standing.fit(kind.type, standing.worth(pull.definition.expect[name]), kind.components)
    return Expectation(pull.describe(name), reads[name], value, definition.unit or "")


def authority_of(pull: Pull, standing: Standing, reads: Mapping[str, CallRead]) -> tuple[Expectation, ...]:
    """The addresses that the role names, as they stand."""
    role = pull.definition.role
    names = sorted({one.removeprefix("before.") for one in role.when.names} & set(reads)) if role else []
    kinds = pull.slot.protocol.reads
    return tuple(
        Expectation(pull.describe(one), reads[one], standing.values[one])
        for one in names
        if kinds[one].value_type.type == "address" and one not in pull.definition.expect
    )


def blast_of(pull: Pull, snapshot: Snapshot) -> tuple[Blast, ...]:
    """Who loses what, with the answers of now; an amount that could not be read is said to be unknown."""
    reads = measured(pull)
    kinds = pull.slot.protocol.reads
    return tuple(
        Blast(one.who, one.loses)
        if one.measure is None
        else Blast(
            one.who,
            one.loses,
            pull.describe(one.measure),
            snapshot.value(reads[one.measure]),
            kinds[one.measure].unit,
        )
        for one in pull.definition.blast_radius
    )


def undo_of(
    pull: Pull, standing: Standing, reads: Mapping[str, CallRead], expect: tuple[Expectation, ...]
) -> Undo | None:
    """The way back, worked out now from the values that stand before the lever is pulled; its delay is not in it."""
    definition = pull.definition
    if definition.undo is None:
        return None
    signature = definition.undo.call or definition.call
    address = pull.slot.addresses[definition.undo.on or definition.on]
    call = Call(address, signature, standing.fill(signature, definition.undo.with_))
    back = tuple(replace(one, value=standing.values[name]) for name, one in zip(definition.expect, expect, strict=True))
    return Undo(definition.undo.by, call, expect, back)


def in_its_time(undo: Undo | None, pull: Pull, standing: Standing) -> Undo | None:
    """The way back with the delay that its call has now."""
    declared = pull.definition.undo.delay if pull.definition.undo else None
    return None if undo is None else replace(undo, delay=delay_of(pull, standing, declared))
