"""From a contain step to what its proposal is to do: its levers planned, what stays, who is hurt, what objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from incident_cli.binding import Given
from incident_cli.errors import Refused
from incident_cli.evm import CallRead, Missing, Snapshot, to_hex
from incident_cli.flows.guarding import demand
from incident_cli.flows.looking import Source
from incident_cli.flows.proposal import PlannedCall, counted
from incident_cli.levers.authority import Grant, forbidden, granted
from incident_cli.levers.delay import Delay
from incident_cli.levers.expectation import Expectation
from incident_cli.levers.lever import Blast, Plan, Pull, Undo, asked, plan
from incident_cli.protocols.slot import Market
from incident_cli.runbook.bind import Bound
from incident_cli.runbook.model import ContainStep, LeverCall, MustNotChange
from incident_cli.units import Token

NOTHING_FOUND: Mapping[str, Given] = MappingProxyType({})


def pulls_of(bound: Bound, step: ContainStep, found: Mapping[str, Given] = NOTHING_FOUND) -> list[Pull]:
    """Every lever of the step with its arguments; raises Refused where the deployment does not let this Safe pull one
    in such an incident."""
    by = bound.slots[step.contain.by].addresses["safe"]
    for call in step.levers:
        problem = forbidden(bound.deployment.grants, step.contain.by, call.lever, bound.runbook.meta.severity)
        if problem:
            raise Refused(problem, "change `authority` in the deployment before the incident; nothing was proposed")
    return [Pull(bound.slots[slot], name, bound.lever_args(call, found), by) for call, slot, name in parts(step)]


def lever_reads(pulls: Iterable[Pull]) -> list[CallRead]:
    """Every value that these levers are planned from."""
    return [read for pull in pulls for read in asked(pull)]


def plans_of(source: Source, pulls: Sequence[Pull]) -> list[Plan]:
    """Every lever planned from values read at one block; raises Unread, or Refused where the chain gives no role."""
    snapshot = source.read(lever_reads(pulls))
    return [plan(pull, snapshot) for pull in pulls]


def parts(step: ContainStep) -> Iterator[tuple[LeverCall, str, str]]:
    """Each lever call with its slot and the lever's name."""
    for call in step.levers:
        slot, _, name = call.lever.partition(".")
        yield call, slot, name


def grant_of(bound: Bound, step: ContainStep, one: Plan) -> Grant | None:
    """What the deployment grants for a planned lever."""
    return granted(bound.deployment.grants, step.contain.by, f"{one.pull.slot.name}.{one.pull.name}")


def planned_calls(one: Plan) -> Iterator[PlannedCall]:
    """The calls of a pulled lever and their meaning: what must come first, then the lever itself with its traps."""
    for call in one.calls[:-1]:
        yield PlannedCall(call, f"first {call.signature.name}", f"Must come before {one.pull.label}.")
    yield PlannedCall(one.call, one.pull.label, one.pull.definition.does, one.pull.definition.traps)


def kept(plans: Iterable[Plan]) -> tuple[Expectation, ...]:
    """The addresses of every role that must be the same afterwards: a lever never changes who is in charge."""
    return tuple({one.read: one for made in plans for one in made.authority}.values())


def standing_still(bound: Bound, source: Source, declared: Sequence[MustNotChange]) -> list[Expectation]:
    """What must answer the same afterwards, with the answers of now."""
    reads = [(label, read) for one in declared for label, read in unchanged_reads(bound, one)]
    snapshot = source.read([read for _, read in reads]) if reads else None
    return [Expectation(label, read, demand(label, value_of(snapshot, read))) for label, read in reads]


def value_of(snapshot: Snapshot | None, read: CallRead) -> object:
    """The answer of a round that was made because there are reads."""
    assert snapshot is not None, "there are reads"
    return snapshot.value(read)


def unchanged_reads(bound: Bound, one: MustNotChange) -> Iterator[tuple[str, CallRead]]:
    """The reads of one declaration: one, or one for each market but the exempt one."""
    slot_name, _, name = one.read.partition(".")
    if one.for_each is None:
        yield one.read, bound.slots[slot_name].read(name)
        return
    exempt = bound.words(one.except_ or "")
    for market in bound.markets.values():
        if market.name == exempt:
            continue
        slot, own = bound.slot_at(slot_name, market), bound.slots[slot_name]
        if slot.protocol.reads[name].parameters:
            yield f"{one.read}({market.name})", slot.read(name, (Market(market.name, market.id),))
        elif slot.addresses != {key: own.addresses[key] for key in slot.addresses}:
            yield f"{one.read}({market.name})", slot.read(name)  # a contract of its own for each market


def blast_words(blast: Blast, tokens: Mapping[str, Token]) -> str:
    """`Holders of options: cannot exercise (1,200.5 USDC: exchange.pool())`; what could not be read is unknown."""
    if not blast.label:
        return f"{blast.who}: {blast.loses}"
    if isinstance(blast.amount, Missing):
        return f"{blast.who}: {blast.loses} (UNKNOWN how much: {blast.label}: {blast.amount.reason})"
    return f"{blast.who}: {blast.loses} ({counted(blast.amount, blast.unit, tokens)}: {blast.label})"


def delay_to_json(delay: Delay | None) -> dict[str, object] | None:
    """A delay as the journal holds it."""
    if delay is None:
        return None
    return {"road": delay.road, "at": delay.at, "by": delay.by, "seconds": delay.seconds}


def undo_to_json(undo: Undo, made: Plan) -> dict[str, object]:
    """An undo as the journal holds it until the market reopens."""
    return {
        "label": made.pull.label,
        "by": undo.by,
        "to": undo.call.to,
        "signature": undo.call.signature.source,
        "data": to_hex(undo.call.data),
        "only_if": [one.to_json() for one in undo.only_if],
        "expect": [one.to_json() for one in undo.expect],
        "writes": list(dict.fromkeys((undo.call.to, *made.writes, *([undo.delay.at] if undo.delay else [])))),
        "delay": delay_to_json(undo.delay),
    }
