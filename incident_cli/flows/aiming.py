"""What the proposal of a contain step is to do: its levers or what schedules them, what stays, and what objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from incident_cli.errors import Refused
from incident_cli.evm import PastRead, Read, StateRead, keccak, to_hex
from incident_cli.flows.guarding import tokens_of
from incident_cli.flows.moments import moment
from incident_cli.flows.past_pulls import PastPulls, Puller
from incident_cli.flows.preparing import first_reads
from incident_cli.flows.proposal import Objection, PlannedCall, Wanted
from incident_cli.flows.pulling import (
    blast_words,
    grant_of,
    kept,
    lever_reads,
    planned_calls,
    plans_of,
    pulls_of,
    standing_still,
    unchanged_reads,
)
from incident_cli.flows.reopening import reopening_reads
from incident_cli.flows.scheduling import (
    ANEW,
    execute_call,
    schedule_call,
    scheduled_states,
)
from incident_cli.flows.session import Session
from incident_cli.incident.events import Event, Kind
from incident_cli.levers.authority import cooling
from incident_cli.levers.lever import Plan, Pull
from incident_cli.runbook.model import ContainStep
from incident_cli.units import format_duration

LEG = "contain"  # the leg that brings the effect about


def wait_of(plans: Sequence[Plan], salt: bytes | None) -> tuple[int, int]:
    """How long (s) until the effect, and how long whoever pulled it waits to undo it."""
    until = max((one.delay.seconds for one in plans if one.delay is not None and salt is None), default=0)
    back = max((one.undo.delay.seconds for one in plans if one.undo and one.undo.delay), default=0)
    return until, back


def is_done(one: Plan, salt: bytes | None) -> bool:
    """Whether the proposal brings the lever's effect about, rather than scheduling it."""
    return one.delay is None or salt is not None


def wanted_of(session: Session, step: ContainStep, plans: Sequence[Plan], salt: bytes | None) -> Wanted:
    """What the proposal is to do: the levers themselves, or what schedules those that must wait."""
    scheduling = [one for one in plans if not is_done(one, salt)]
    refuse_too_late(session, scheduling)
    operations = [(one.delay, call) for one in scheduling for call in one.calls if one.delay is not None]
    expect = [expectation for one in plans if is_done(one, salt) for expectation in one.expect]
    expect += scheduled_states(session, operations, salt_of(session, step)) if operations else []
    still = standing_still(session.bound, session.reader.recent, step.contain.must_not_change)
    return Wanted(
        session.bound.slots[step.contain.by].addresses["safe"],
        tuple(made for one in plans for made in calls_to_make(session, step, one, salt)),
        tuple(expect),
        (*still, *(one for one in kept(plans) if one.read not in {other.read for other in (*still, *expect)})),
        tuple(dict.fromkeys(to for one in plans for to in (*one.writes, *([one.delay.at] if one.delay else [])))),
        tuple(one.lapses for one in plans if one.lapses and is_done(one, salt)),
        tuple(objections(session, step, plans)),
    )


def refuse_too_late(session: Session, scheduling: Sequence[Plan]) -> None:
    """Raises Refused where the role ends before the delay does: what is scheduled could never be executed."""
    assert session.reader.head is not None, "the levers were planned at a block"
    now = session.reader.head.timestamp
    for one in scheduling:
        if one.delay is not None and one.until is not None and one.until <= now + one.delay.seconds:
            raise Refused(
                f"the role that {one.pull.label} needs ends at {moment(one.until)}, before its delay of "
                f"{format_duration(one.delay.seconds)} is over",
                "governance must renew it first: what is scheduled now could never be executed",
            )


def calls_to_make(session: Session, step: ContainStep, one: Plan, salt: bytes | None) -> Iterator[PlannedCall]:
    """The lever's calls, as they are, scheduled, or executed after their delay."""
    for call in planned_calls(one):
        if one.delay is None:
            yield call
        elif salt is None:
            yield schedule_call(one.delay, call, salt_of(session, step))
        else:
            yield execute_call(one.delay, call, salt)


def salt_of(session: Session, step: ContainStep) -> bytes:
    """One salt until it is executed or given up: a resumed step, or one that begins again, finds its operations."""
    over = sum(
        (event.kind is Kind.EXECUTED and event.data.get("leg") == LEG)
        or (event.kind is Kind.ANSWERED and event.data["answer"] == ANEW)
        for event in events_of(session, step)
    )
    return keccak(f"{session.recorder.incident} {step.id} {over}".encode())


def events_of(session: Session, step: ContainStep) -> list[Event]:
    """Everything that was recorded of the step on the session's chain, in every attempt at it."""
    own = [event for event in session.events if event.step == step.id]
    return [event for event in own if event.data.get("chain", "") == session.elsewhere]


def objections(session: Session, step: ContainStep, plans: Sequence[Plan]) -> Iterator[Objection]:
    """A call that was made, or is out for signatures, too short a time before; or where that cannot be known."""
    head = session.reader.head
    past = PastPulls(session.recorder.directory, session.recorder.mode, session.events)
    for one in plans:
        grant = grant_of(session.bound, step, one)
        if grant is None or not grant.cooldown or head is None:
            continue
        cancels, by = one.pull.definition.cancels, Puller(one.pull.by, session.reader.chain_id)
        problem = cooling(grant, cancels, past.last(one.call.to, to_hex(one.call.data), by), head.timestamp)
        if problem:
            yield Objection("cooldown", f"{one.pull.label}: {problem}")
        elif past.unread and not cancels:
            yield Objection("cooldown", f"whether it was pulled before is not known: {past.unread} does not verify")


def blast_of(session: Session, plans: Sequence[Plan]) -> tuple[str, ...]:
    """Who loses what while the levers are pulled."""
    tokens = session.bound.deployment.token_units()
    return tuple(blast_words(one, tokens) for made in plans for one in made.blast)


def lever_to_json(session: Session, step: ContainStep, one: Plan) -> dict[str, object]:
    """A pulled lever as the journal holds it: its name, its label, and how long it may last (s)."""
    grant = grant_of(session.bound, step, one)
    longest = None if grant is None else grant.longest
    return {
        "lever": f"{one.pull.slot.name}.{one.pull.name}",
        "label": one.pull.label,
        "to": one.call.to,
        "data": to_hex(one.call.data),
        "longest": longest,
    }


def pulls(session: Session, step: ContainStep) -> list[Plan]:
    """Every lever of the step, planned now; the same round trip reads what else its proposal is prepared from."""
    chosen = pulls_of(session.bound, step, session.found())
    look = session.reader.look([*lever_reads(chosen), *reads_ahead(session, step, chosen)])
    return plans_of(look, chosen)


def reads_ahead(session: Session, step: ContainStep, chosen: Sequence[Pull]) -> list[Read]:
    """What a proposal of these levers is prepared from, as far as it is known before anything was read."""
    bound, safe = session.bound, session.bound.slots[step.contain.by].addresses["safe"]
    near = {safe, *(address for one in chosen for address in one.slot.addresses.values())}
    still = [read for one in step.contain.must_not_change for _, read in unchanged_reads(bound, one)]
    chain, deployment = session.reader.chain, bound.deployment
    first = first_reads(chain, deployment.pins, tokens_of(deployment, chain), safe, near)
    return [*still, *first, *reopening_reads(session, step), *judged_reads(session, step)]


def judged_reads(session: Session, step: ContainStep) -> list[Read]:
    """What the checks of `when` are judged by once more, where a look can hold it: state at the head, and not the past,
    which the journal knows; logs and benchmarks take trips of their own."""
    if step.when is None or session.own is not None:
        return []
    checks = [one for name, one in session.bench.checks.items() if name in step.when.checks]
    reads: list[Read] = [read for one in checks for read in one.reads() if not isinstance(read, PastRead)]
    simple = all(isinstance(one, StateRead) for one in reads) and not any(one.check.depth for one in checks)
    return reads if simple else []
