"""contain: levers pulled through a Safe, one proposal, proven by reading the chain again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from incident_cli.errors import NotProven, Refused, Unread, Waiting
from incident_cli.evm import Block, CallRead, keccak, to_hex
from incident_cli.flows.carry_out import Draft, carry_out
from incident_cli.flows.delivery import Replaced
from incident_cli.flows.desk import Prompt
from incident_cli.flows.leg import leg_of
from incident_cli.flows.moments import moment
from incident_cli.flows.overruling import go_on_with_fewer
from incident_cli.flows.past_pulls import PastPulls, Puller
from incident_cli.flows.preparing import Preparer, prepare, recheck
from incident_cli.flows.proposal import Objection, PlannedCall, Proposal, Wanted, prove
from incident_cli.flows.pulling import (
    blast_words,
    grant_of,
    kept,
    planned_calls,
    plans_of,
    standing_still,
    undo_to_json,
)
from incident_cli.flows.reopening import reopening_of
from incident_cli.flows.scheduling import (
    ANEW,
    ask_whether_anew,
    execute_call,
    ready_times,
    schedule_call,
    scheduled_states,
    wait_until_ready,
)
from incident_cli.flows.session import GoBack, Session
from incident_cli.flows.steps.ended import Ended
from incident_cli.incident.events import Event, Kind, Outcome
from incident_cli.levers.authority import cooling
from incident_cli.levers.delay import DONE_TIMESTAMP
from incident_cli.levers.expectation import Expectation
from incident_cli.levers.lever import Plan
from incident_cli.runbook.lint import bound_names
from incident_cli.runbook.model import ContainStep, Step
from incident_cli.units import format_duration

SCHEDULE_LEG = "schedule"
LEG = "contain"
TYPED_CHARACTERS = 8  # of a found value: as many as a person compares, and nobody guesses
CHANGED = (
    ("stop", "leave the incident here; it can be resumed"),
    ("back", "go back to the step before, to compare the new value first"),
)
CHANGED_HELP = "Nothing was proposed, neither for the one nor for the other. `back` again goes further back."
REVERSED = (
    ("stop", "leave the incident here; it can be resumed"),
    (ANEW, "begin this step again: what does not stand is proposed again"),
)
CHOICES = (
    ("stop", "leave the incident here; it can be resumed"),
    ("on", "contain all the same"),
)


def perform(session: Session, step: Step, present: Sequence[Event], prepare: Preparer = prepare) -> Ended:
    """Contain, unless everything is done already."""
    assert isinstance(step, ContainStep), "the registry gives each verb its own step"
    try:
        return contain(session, step, prepare)
    except Unread as problem:
        go_on_with_fewer(session, step, problem)
        return contain(session, step, prepare)


def contain(session: Session, step: ContainStep, prepare: Preparer) -> Ended:
    """Contain, unless the chain shows everything done."""
    legs = [leg_of(session, step, name) for name in (SCHEDULE_LEG, LEG)]
    if not any(one.is_confirmed for one in legs):
        require_compared(session, step)
        if all(one.satisfied for one in pulls(session, step)):
            session.screen.say("every call is already satisfied on chain: there is nothing to propose", "good")
            return Ended(Outcome.SATISFIED, data={"bound": bound_values(session, step)})
    proof = in_time(session, step, prepare)
    session.delivery.keep_reopening(session, step)
    if proof is None:
        session.screen.say("the chain shows every effect: others brought it about while it had to wait", "good")
        return Ended(Outcome.SATISFIED, data={"bound": bound_values(session, step)})
    require_standing(session, step)
    bound = leg_of(session, step, LEG).plan.data.get("bound", {})
    return Ended(Outcome.DONE, proof=proof, data={"bound": bound})


def require_standing(session: Session, step: ContainStep) -> None:
    """What the step's executed proposals brought about must still stand at the head, where the step itself says
    contained or took its time: others may have reversed it since. Raises NotProven, Waiting or Replaced."""
    legs = [leg_of(session, step, name) for name in (SCHEDULE_LEG, LEG)]
    done = [one for one in legs if one.find(Kind.EXECUTED) and one.plan.data.get("levers")]
    if step.marks != "contained" and len([one for one in legs if one.find(Kind.EXECUTED)]) < 2:
        return
    try:
        prove(session, [Expectation.from_json(one) for leg in done for one in leg.proposal["expect"]])
    except NotProven as problem:
        session.screen.say(f"it was reversed since: {problem.message}", "bad")
        prompt = Prompt(step.id, "choice", f"Reversed since: {problem.message}. What now?", choices=REVERSED)
        if session.ask(step, prompt) == ANEW:
            raise Replaced(problem.message) from problem
        raise


def in_time(session: Session, step: ContainStep, prepare: Preparer) -> Block | None:
    """The block that proves it: in one proposal, or scheduled, awaited and executed where a lever has a delay.

    None where the chain shows every effect once the delay is over, though the execution was not ours.
    """
    if not must_schedule(session, step):
        return carry_out(session, step, LEG, lambda: draft(session, step, prepare))
    salt = salt_of(session, step)
    if leg_of(session, step, SCHEDULE_LEG).is_confirmed or unbegun(session, pulls(session, step), salt):
        carry_out(session, step, SCHEDULE_LEG, lambda: draft(session, step, prepare))
    if not is_out(session, step) and not awaited(session, step, salt):
        return None
    return carry_out(session, step, LEG, lambda: draft(session, step, prepare, salt))


def is_out(session: Session, step: ContainStep) -> bool:
    """Whether the proposal that contains has left this program: it is not planned anew."""
    leg = leg_of(session, step, LEG)
    return leg.is_confirmed and leg.is_handed_over


def must_schedule(session: Session, step: ContainStep) -> bool:
    """Whether a lever has to wait, or was scheduled already."""
    if leg_of(session, step, SCHEDULE_LEG).is_confirmed:
        return True
    return not is_out(session, step) and any(one.delay for one in pulls(session, step))


def unbegun(session: Session, plans: Sequence[Plan], salt: bytes) -> list[Plan]:
    """Those that are neither satisfied nor scheduled already, in this attempt at the step or in one before."""
    left = [one for one in plans if not one.satisfied]
    reads = ready_reads(left, salt)
    stamps = ready_times(session, reads) if reads else {}
    return [one for one in left if one.delay is None or any(not stamps[read] for read in ready_reads([one], salt))]


def awaited(session: Session, step: ContainStep, salt: bytes) -> bool:
    """Waits until every operation may be executed; False where the chain shows its effect by then.

    Where one is gone the operator decides: raises Waiting, or Replaced to schedule it anew.
    """
    waiting = [one for one in pulls(session, step) if one.delay is not None and not one.satisfied]
    if not waiting:
        return False
    reads = ready_reads(waiting, salt)
    wait_until_ready(session, reads, "delay")
    if all(stamp > DONE_TIMESTAMP for stamp in ready_times(session, reads).values()):
        return True
    if all(one.satisfied for one in pulls(session, step)):
        return False
    words = "what was scheduled is not scheduled any more: it was cancelled, it lapsed, or it was executed and undone"
    ask_whether_anew(session, step, words)
    return False


def ready_reads(plans: Sequence[Plan], salt: bytes) -> list[CallRead]:
    """The reads of when each operation may be executed."""
    return [one.delay.ready_at(call, salt) for one in plans if one.delay is not None for call in one.calls]


def draft(session: Session, step: ContainStep, prepare: Preparer, salt: bytes | None = None) -> Draft:
    """Everything read, planned, folded and simulated, once firing was judged again and found what was compared.

    `salt` executes the operations that were scheduled under it, and nothing else.
    """
    before = bound_values(session, step)
    still_firing(session, step)
    require_compared(session, step, before)
    bound, planned = bound_values(session, step), pulls(session, step)
    if salt is None:
        wanted = unbegun(session, planned, salt_of(session, step))
    else:
        wanted = [one for one in planned if not one.satisfied and one.delay is not None]
    if not wanted:
        raise Waiting("every call is satisfied on chain by now; nothing was proposed", "operator")
    aim = wanted_of(session, step, wanted, salt)
    proposal = prepare(session, step, aim)
    irreversible = any(one.undo is None for one in wanted)
    phrase = phrase_of(session, step, wanted)
    return Draft(
        proposal,
        title=" and ".join(one.label for one in proposal.calls),
        phrase=" ".join((phrase, *(ending_of(value) for value in bound.values()))),
        dropped=tuple(f"{one.pull.label}: already satisfied" for one in planned if one.satisfied),
        reopening=reopening_of(session, step, irreversible, wait_of(wanted, salt)),
        undo=[undo_to_json(one.undo, one) for one in wanted if one.undo is not None and is_done(one, salt)],
        request=request_of(phrase, bound) if bound else "",
        bound=bound,
        blast=blast_of(session, wanted),
        lapses=tuple(one.lapses for one in wanted if one.lapses and is_done(one, salt)),
        levers=[lever_to_json(session, step, one) for one in wanted if is_done(one, salt)],
        look_again=lambda: look_again(session, step, wanted, aim, proposal),
    )


def wait_of(plans: Sequence[Plan], salt: bytes | None) -> tuple[int, int]:
    """How long (s) until the effect, and how long whoever pulled it waits to undo it."""
    until = max((one.delay.seconds for one in plans if one.delay is not None and salt is None), default=0)
    back = max((one.undo.delay.seconds for one in plans if one.undo and one.undo.delay), default=0)
    return until, back


def look_again(session: Session, step: ContainStep, plans: Sequence[Plan], aim: Wanted, proposal: Proposal) -> None:
    """After the phrase: what was planned must still be what the chain asks for, and nothing new may stand against it.

    Raises Waiting where values changed (it is planned anew on resume), Refused for a new objection.
    """
    before = {one.pull.label: one for one in plans}
    for one in pulls(session, step):
        then = before.get(one.pull.label)
        if then is not None and (one.calls, one.expect, one.undo) != (then.calls, then.expect, then.undo):
            words = f"what stands on chain changed while you were asked: {one.pull.label} would do something else now"
            raise Waiting(f"{words}; nothing was confirmed", "operator", "resume to see it as it is now")
    recheck(session, aim, proposal)


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
    still = standing_still(session.bound, session.reader, step.contain.must_not_change)
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
    """Everything that was recorded of the step, in every attempt at it."""
    return [event for event in session.events if event.step == step.id]


def objections(session: Session, step: ContainStep, plans: Sequence[Plan]) -> Iterator[Objection]:
    """A call that was made, or is out for signatures, too short a time before; or where that cannot be known."""
    head = session.reader.head
    past = PastPulls(session.recorder.directory, session.recorder.mode)
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
    """Every lever of the step, planned now."""
    return plans_of(session.bound, session.reader, step, session.found())


def bound_values(session: Session, step: ContainStep) -> dict[str, str]:
    """The values found by checks that the calls of the step take, as they stand now."""
    found = session.found_values()
    return {name: found[name].text for name in bound_names(step) if name in found}


def require_compared(session: Session, step: ContainStep, before: Mapping[str, str] = MappingProxyType({})) -> None:
    """Act on what the operator compared and nothing else: where a check finds another value now, they decide anew.

    What nobody was shown is compared with `before`. Raises Waiting or GoBack.
    """
    now = bound_values(session, step)
    then = {**before, **session.compared(now)}
    other = [name for name, value in now.items() if then.get(name, value) != value]
    changed = [f"{name} was {then[name]}, now it is {now[name]}" for name in other]
    if not changed:
        return
    words = f"the check found another value since it was shown: {'; '.join(changed)}"
    prompt = Prompt(step.id, "choice", f"{words[0].upper()}{words[1:]}. What now?", choices=CHANGED, help=CHANGED_HELP)
    if session.ask(step, prompt) != "back":
        raise Waiting(f"{words}; nothing was proposed", "operator")
    raise GoBack(shown=now)


def ending_of(value: str) -> str:
    """The part of a found value that is typed."""
    return value[-TYPED_CHARACTERS:]


def request_of(phrase: str, bound: Mapping[str, str]) -> str:
    """What is to be typed, in words: the end of a value is to be looked at, not copied from the question."""
    return " and ".join((repr(phrase), *(f"the last {TYPED_CHARACTERS} characters of {name}" for name in bound)))


def still_firing(session: Session, step: ContainStep) -> None:
    """Judge the checks of `when` once more; anything but a clear yes is the operator's decision, default stop."""
    if step.when is None:
        return
    session.judge_until_settled(sorted(step.when.checks), step)
    shown = session.holds(step.when)
    if shown is True:
        return
    words = "does not hold any more" if shown is False else f"is unknown ({shown.reason})"
    prompt = Prompt(step.id, "choice", f"{step.when.source} {words}. What now?", choices=CHOICES)
    if session.ask(step, prompt) != "on":
        raise Waiting(f"{step.when.source} {words}; nothing was proposed", "operator")


def phrase_of(session: Session, step: ContainStep, plans: Sequence[Plan]) -> str:
    """What must be typed: at least the market, or in words what cannot be undone; a runbook may only raise it."""
    market = session.bound.market.name
    phrase = session.bound.words(step.confirm.type).strip() if step.confirm is not None else ""
    final = [one.pull.definition.consequence or "" for one in plans if one.undo is None]
    if final:
        consequence = " and ".join(dict.fromkeys(final))
        return phrase if consequence.casefold() in phrase.casefold() else consequence
    return phrase if market in phrase or len(phrase) >= len(market) else market
