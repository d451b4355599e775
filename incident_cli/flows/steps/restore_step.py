"""restore: undo a containment from the values recorded before it, by the authority that may.

Through a time-lock it has two legs, scheduled and executed, with the delay between them; each is a proposal of
its own. Before each, the chain must still show what the containment set: if somebody changed it since, nothing
is overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from incident_cli.checks.check import Verdict
from incident_cli.errors import Refused, Waiting
from incident_cli.evm import Address, Missing, keccak
from incident_cli.expression import Expression, Unknown
from incident_cli.expression_syntax import LASTING
from incident_cli.flows.carry_out import Draft, carry_out
from incident_cli.flows.desk import Prompt
from incident_cli.flows.leg import leg_of
from incident_cli.flows.preparing import Preparer, prepare
from incident_cli.flows.proposal import PlannedCall, Wanted, call_from_json, prove, show
from incident_cli.flows.reopening import lock_of
from incident_cli.flows.scheduling import (
    SAMPLE_SECONDS,
    ask_whether_anew,
    execute_call,
    is_scheduled,
    schedule_call,
    scheduled_states,
    wait_until_ready,
)
from incident_cli.flows.session import Session, SkipStep
from incident_cli.flows.steps.ended import Ended
from incident_cli.incident.conditions import SHORTEST_GAP_SECONDS
from incident_cli.incident.events import Event, Kind, Outcome, executions
from incident_cli.levers.delay import DONE, SCHEDULED, Delay, operation_id, operation_states
from incident_cli.levers.expectation import Expectation
from incident_cli.protocols.slot import BoundSlot
from incident_cli.runbook.model import RestoreStep, Step
from incident_cli.units import DURATION, format_duration, parse_duration

BLOCK_SECONDS = 12
MOST_SAMPLES = 500
BY_HAND = "by-hand"
NOT_PUT_BACK = (
    ("stop", "leave the incident here; it can be resumed"),
    (BY_HAND, "leave this step: whoever may puts it back by hand"),
)


@dataclass(frozen=True, slots=True)
class Way:
    """The way back: what is undone, the salt of its operations in a time-lock, and how its proposals are prepared."""

    step: RestoreStep
    undo: Sequence[Mapping[str, Any]]
    salt: bytes
    prepare: Preparer


def perform(session: Session, step: Step, present: Sequence[Event], prepare: Preparer = prepare) -> Ended:
    """Reopen once it is required to be quiet; nothing to restore where nothing was contained."""
    assert isinstance(step, RestoreStep), "the registry gives each verb its own step"
    session = session.on(session.bound.slots[step.by].chain)
    contained = containments(session, step)
    if not contained:
        words = "this incident brought nothing about that it could put back: what stands stays as it is"
        session.screen.say(f"{words}; whoever did it undoes it", "warn")
        return Ended(Outcome.NOT_NEEDED)
    try:
        return restored(session, step, present, contained, prepare)
    except Refused as problem:
        prompt = Prompt(step.id, "choice", f"It is not put back: {problem.message}. What now?", choices=NOT_PUT_BACK)
        if session.ask(step, prompt) == BY_HAND:
            raise SkipStep(problem.message) from None
        raise


def restored(
    session: Session, step: RestoreStep, present: Sequence[Event], contained: Sequence[Event], prepare: Preparer
) -> Ended:
    """Put back what these containments set; raises Refused where that is not safe, and what waits or fails."""
    refuse_stale(session, step)
    way = Way(step, undo_records(contained), salt_of(contained), prepare)
    session.pace.recovered()
    if not any(event.kind is Kind.CONFIRMED for event in present):
        wait_until_required(session, step)
    slot = session.bound.slots[step.by]
    if slot.protocol.protocol == "timelock":
        through_timelock(session, step, slot, way)
    else:
        by_safe(session, step, slot, way)
    proof = prove(session, back_to(way.undo))
    return Ended(Outcome.DONE, proof=proof)


def containments(session: Session, step: RestoreStep) -> list[Event]:
    """The plans of the containment that were executed and have not been undone, oldest first.

    A step may be gone through twice; what its first attempt did on chain still stands after the second found
    nothing left to do.
    """
    own = [one for one in session.events if one.data.get("chain", "") == session.elsewhere]
    undone = max((one.seq for one in session.events if is_end(one, step)), default=0)
    since = [(event, plan) for event, plan in executions(own) if event.step == step.restore and event.seq > undone]
    return [plan for _, plan in since if plan.data["undo"]]


def is_end(event: Event, step: RestoreStep) -> bool:
    """Whether the restore step was done then."""
    return event.step == step.id and event.kind is Kind.STEP_ENDED and event.data["outcome"] == Outcome.DONE


def refuse_stale(session: Session, step: RestoreStep) -> None:
    """Raises Refused where what stood just before the execution was not what the plan recorded: it is not put back."""
    own = [one for one in session.events if one.data.get("chain", "") == session.elsewhere]
    here = [event for event, _ in executions(own) if event.step == step.restore]
    stale = [words for event in here for words in event.data.get("stale", ())]
    if stale:
        raise Refused(
            f"somebody changed it between the plan and the execution: {'; '.join(stale)}",
            "what was recorded is not what stood: restore by hand, or skip this step",
        )


def undo_records(contained: Sequence[Event]) -> list[Mapping[str, Any]]:
    """What to undo, in the order it was done; where two containments set the same, the later one's."""
    latest: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for plan in contained:
        for record in plan.data["undo"]:
            latest[tuple(one["label"] for one in record["expect"])] = record
    return list(latest.values())


def salt_of(contained: Sequence[Event]) -> bytes:
    """One salt for each containment, so that a resumed restore finds its own operations again."""
    return keccak(contained[-1].data["proposal"]["safe_tx_hash"].encode())


def wait_until_required(session: Session, step: RestoreStep) -> None:
    """Sample the checks until `requires` holds; unknown never counts as quiet."""
    if step.requires is None:
        return
    every = sample_seconds(step.requires)
    session.screen.say(f"waiting until {step.requires.source}; a sample every {format_duration(every)}")
    for number in range(1, MOST_SAMPLES + 1):
        session.judge_checks(sorted(step.requires.checks), step, show=False)
        shown = session.holds(step.requires)
        if shown is True:
            session.screen.say(f"{step.requires.source} holds after {number} samples", "good")
            return
        reason = shown.reason if isinstance(shown, Unknown) else "it does not hold yet"
        with session.screen.working(f"{step.requires.source}: {reason}"):
            session.pace.wait(every)
    raise Waiting(f"{step.requires.source} does not hold; the market stays contained", "quiet")


def sample_seconds(requires: Expression) -> int:
    """How often to sample: samples may lie a quarter of a duration apart, and a wait ends up to a block late."""
    texts = [text.strip("'\"") for one in requires.mentions if one.name in LASTING for text in one.args]
    durations = [parse_duration(text) for text in texts if DURATION.fullmatch(text)]
    longest_gap = max(min(durations, default=4 * SAMPLE_SECONDS) // 4, SHORTEST_GAP_SECONDS)
    return min(SAMPLE_SECONDS, longest_gap - BLOCK_SECONDS)


def undo_calls(records: Sequence[Mapping[str, Any]]) -> list[PlannedCall]:
    """The recorded undo calls, in reverse order of what was done."""
    return [
        PlannedCall(call, f"undo {record['label']}", "Puts back the values recorded before the containment.")
        for record in reversed(records)
        for call in [call_from_json(record)]
    ]


def back_to(records: Sequence[Mapping[str, Any]]) -> list[Expectation]:
    """What the chain must show when everything is put back."""
    return [Expectation.from_json(one) for record in records for one in record["expect"]]


def unchanged_since(session: Session, records: Sequence[Mapping[str, Any]]) -> list[Expectation]:
    """Compare before set: what the containment set must still stand; raises Refused naming what somebody changed."""
    standing = [Expectation.from_json(one) for record in records for one in record["only_if"]]
    snapshot = session.reader.read([one.read for one in standing])
    for one in standing:
        shown = one.judge(snapshot)
        if shown is not True:
            found = shown.reason if isinstance(shown, Missing) else show(snapshot.value(one.read))
            raise Refused(
                f"{one.label} is {found}, not {show(one.value)} as the containment left it",
                "somebody changed it since; restore by hand what still needs restoring, or skip this step",
            )
    return standing


def by_safe(session: Session, step: RestoreStep, safe: BoundSlot, way: Way) -> None:
    """A Safe that may undo by itself: at once, or scheduled, awaited and executed where its own calls have to wait."""
    waiting = delayed(safe.addresses["safe"], way)
    if waiting:
        reads = [delay.ready_at(one.call, way.salt) for delay, one in waiting]
        if leg_of(session, step, "schedule").is_confirmed or not is_scheduled(session, reads):
            carry_out(session, step, "schedule", lambda: announcing(session, safe, way))
        if not leg_of(session, step, "restore").is_confirmed:
            wait_until_ready(session, reads, "delay")
            reconsider(session, step)
    carry_out(session, step, "restore", lambda: direct(session, safe, way))


def delayed(safe: Address, way: Way) -> list[tuple[Delay, PlannedCall]]:
    """The undo calls that have to wait where this Safe makes them."""
    pairs = zip(reversed(way.undo), undo_calls(way.undo), strict=True)
    found = [(delay_from_json(record, safe), call) for record, call in pairs]
    return [(delay, call) for delay, call in found if delay is not None]


def delay_from_json(record: Mapping[str, Any], safe: Address) -> Delay | None:
    """The recorded delay of an undo, where it is this Safe's own."""
    delay = record.get("delay")
    if delay is None or delay["by"] != safe:
        return None
    return Delay(delay["road"], Address(delay["at"]), safe, delay["seconds"])


def announcing(session: Session, safe: BoundSlot, way: Way) -> Draft:
    """The proposal that schedules what has to wait; nothing changes until it is executed."""
    standing, address = unchanged_since(session, way.undo), safe.addresses["safe"]
    waiting = delayed(address, way)
    expect = scheduled_states(session, [(delay, one.call) for delay, one in waiting], way.salt)
    calls = tuple(schedule_call(delay, one, way.salt) for delay, one in waiting)
    writes = tuple(dict.fromkeys(delay.at for delay, _ in waiting))
    wanted = Wanted(address, calls, tuple(expect), tuple(standing), writes=writes)
    name = session.bound.market.name
    return Draft(way.prepare(session, way.step, wanted), f"schedule the reopening of {name}", name)


def direct(session: Session, safe: BoundSlot, way: Way) -> Draft:
    """The proposal that undoes; what was scheduled is executed by it."""
    unchanged_since(session, way.undo)
    address = safe.addresses["safe"]
    waiting = {one.label: delay for delay, one in delayed(address, way)}
    calls = tuple(
        execute_call(waiting[one.label], one, way.salt) if one.label in waiting else one for one in undo_calls(way.undo)
    )
    wanted = Wanted(address, calls, tuple(back_to(way.undo)), writes=written(way.undo))
    name = session.bound.market.name
    return Draft(way.prepare(session, way.step, wanted), f"reopen {name}", name)


def written(records: Sequence[Mapping[str, Any]]) -> tuple[Address, ...]:
    """The contracts that the undo calls may change."""
    return tuple(dict.fromkeys(Address(to) for record in records for to in record["writes"]))


def through_timelock(session: Session, step: RestoreStep, timelock: BoundSlot, way: Way) -> None:
    """Schedule, wait, execute. What an earlier attempt at this step did already is passed over."""
    ids = [operation_id(one.call, way.salt) for one in undo_calls(way.undo)]
    if leg_of(session, step, "schedule").find(Kind.EXECUTED) and not is_each(session, timelock, ids, SCHEDULED):
        ask_whether_anew(session, step, "the reopening is not scheduled any more: it was cancelled")
    if leg_of(session, step, "schedule").is_confirmed or not is_each(session, timelock, ids, SCHEDULED):
        carry_out(session, step, "schedule", lambda: scheduling(session, timelock, way))
    if not leg_of(session, step, "execute").is_confirmed:
        if is_each(session, timelock, ids, (DONE,)):
            return
        wait_until_ready(session, [timelock.read("operation_timestamp", (one,)) for one in ids], "time-lock")
        reconsider(session, step)
    carry_out(session, step, "execute", lambda: executing(session, timelock, way))


def is_each(session: Session, timelock: BoundSlot, ids: Sequence[bytes], states: Sequence[int]) -> bool:
    """Whether the time-lock shows every operation in one of these states; unknown is no."""
    reads = [timelock.read("operation_state", (one,)) for one in ids]
    snapshot = session.reader.read(reads)
    return all(snapshot.value(read) in states for read in reads)


def reconsider(session: Session, step: RestoreStep) -> None:
    """The delay was long: anything but quiet now, and all of `requires` must hold again before the market opens."""
    if step.requires is None:
        return
    found = session.judge_checks(sorted(step.requires.checks), step, show=False)
    if not found or any(one.verdict is not Verdict.QUIET for one in found):
        wait_until_required(session, step)


def scheduling(session: Session, timelock: BoundSlot, way: Way) -> Draft:
    """The proposal that schedules every undo; nothing changes until it is executed."""
    standing, lock, planned = unchanged_since(session, way.undo), lock_of(session, timelock), undo_calls(way.undo)
    wanted = Wanted(
        lock.by,
        tuple(schedule_call(lock, one, way.salt) for one in planned),
        tuple(lock.scheduled(one.call, way.salt, 0) for one in planned),
        tuple(standing),
        writes=(lock.at,),
    )
    name = session.bound.market.name
    return Draft(way.prepare(session, way.step, wanted), f"schedule the reopening of {name}", name)


def executing(session: Session, timelock: BoundSlot, way: Way) -> Draft:
    """The proposal that executes every scheduled undo."""
    unchanged_since(session, way.undo)
    lock, planned = lock_of(session, timelock), undo_calls(way.undo)
    ids = [operation_id(one.call, way.salt) for one in planned]
    done = operation_states(timelock.name, lock.at, ids, DONE, timelock.chain)
    wanted = Wanted(
        lock.by,
        tuple(execute_call(lock, one, way.salt) for one in planned),
        (*back_to(way.undo), *done),
        writes=(lock.at, *written(way.undo)),
    )
    name = session.bound.market.name
    return Draft(way.prepare(session, way.step, wanted), f"reopen {name}", name)
