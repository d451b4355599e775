"""contain: levers pulled through a Safe, one proposal, proven by reading the chain again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from incident_cli.errors import NotProven, Unread, Waiting
from incident_cli.evm import Block, CallRead
from incident_cli.flows.aiming import (
    LEG,
    blast_of,
    is_done,
    lever_to_json,
    pulls,
    salt_of,
    wait_of,
    wanted_of,
)
from incident_cli.flows.carry_out import Draft, carry_out
from incident_cli.flows.choosing import Chosen, chosen_nonce, reading_queue
from incident_cli.flows.delivery import Replaced
from incident_cli.flows.desk import Prompt
from incident_cli.flows.following import followed
from incident_cli.flows.leg import leg_of
from incident_cli.flows.overruling import go_on_with_fewer
from incident_cli.flows.preparing import Preparer, prepare, recheck
from incident_cli.flows.proposal import Proposal, Wanted, prove
from incident_cli.flows.pulling import (
    undo_to_json,
)
from incident_cli.flows.reopening import reopening_of
from incident_cli.flows.scheduling import (
    ANEW,
    ask_whether_anew,
    ready_times,
    wait_until_ready,
)
from incident_cli.flows.session import GoBack, Session
from incident_cli.flows.steps.ended import Ended
from incident_cli.incident.events import Event, Outcome
from incident_cli.levers.delay import DONE_TIMESTAMP
from incident_cli.levers.expectation import Expectation
from incident_cli.levers.lever import Plan
from incident_cli.runbook.legs import legs_of
from incident_cli.runbook.lint import bound_names
from incident_cli.runbook.model import ContainStep, Step

SCHEDULE_LEG = "schedule"
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
    """Contain on every chain of the step, side by side: it is contained only when every leg is."""
    parts = legs_of(step, session.bound.slots)
    legs = {
        chain: partial(contain_on, on_leg(session, chain, len(parts)), part, prepare) for chain, part in parts.items()
    }
    ended = followed(session, step, legs)
    for chain, part in parts.items() if len(parts) > 1 else ():
        require_standing(on_leg(session, chain, len(parts)), part, always=True)
    proofs = [one.proof for one in ended.values() if one.proof is not None]
    bound = {name: value for one in ended.values() for name, value in one.data["bound"].items()}
    if not proofs:
        return Ended(Outcome.SATISFIED, data={"bound": bound})
    proof = max(proofs, key=lambda one: one.timestamp)
    if step.marks == "contained":
        session.screen.say(f"contained: block {proof.number} {proof.hash} proves it", "good")
    return Ended(Outcome.DONE, proof=proof, data={"bound": bound})


def on_leg(session: Session, chain: str, legs: int) -> Session:
    """The session on one chain of a step that has so many."""
    return replace(session.on(chain), legs=legs)


def contain_on(session: Session, step: ContainStep, prepare: Preparer) -> Ended:
    """Contain on the session's chain, unless it shows everything done."""
    legs = [leg_of(session, step, name) for name in (SCHEDULE_LEG, LEG)]
    if not any(one.is_confirmed and one.is_handed_over for one in legs):
        require_compared(session, step)
        if all(one.satisfied for one in pulls(session, step)):
            session.screen.say(
                f"every call is already satisfied{place_of(session)}: there is nothing to propose", "good"
            )
            return Ended(Outcome.SATISFIED, data={"bound": bound_values(session, step)})
    proof = in_time(session, step, prepare)
    session.delivery.keep_reopening(session, step)
    if proof is None:
        session.screen.say("the chain shows every effect: others brought it about while it had to wait", "good")
        return Ended(Outcome.SATISFIED, data={"bound": bound_values(session, step)})
    require_standing(session, step)
    bound = leg_of(session, step, LEG).plan.data.get("bound", {})
    return Ended(Outcome.DONE, proof=proof, data={"bound": bound})


def place_of(session: Session) -> str:
    """` on CHAIN` where the step acts on several; else ` on chain`."""
    return f" on {session.reader.chain}" if session.legs > 1 else " on chain"


def require_standing(session: Session, step: ContainStep, *, always: bool = False) -> None:
    """What the step's executed proposals brought about must still stand at the head, where the step itself says
    contained or took its time (`always`: other chains were waited for): others may have reversed it since.

    Raises NotProven, Waiting or Replaced.
    """
    legs = [leg_of(session, step, name) for name in (SCHEDULE_LEG, LEG)]
    done = [one for one in legs if one.executed and one.plan.data.get("levers")]
    if not always and step.marks != "contained" and len([one for one in legs if one.executed]) < 2:
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


def draft(
    session: Session, step: ContainStep, prepare: Preparer, salt: bytes | None = None, nonce: int | None = None
) -> Draft:
    """Everything read, planned, folded and simulated, once firing was judged again and found what was compared.

    `salt` executes the operations that were scheduled under it, and nothing else. `nonce` is taken as it is; without
    one the operator chooses where the Safe's queue is not empty.
    """
    before = bound_values(session, step)
    queue = reading_queue(session, session.bound.slots[step.contain.by].addresses["safe"])
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
    calls = [one.call for one in aim.calls]
    chosen = Chosen(nonce) if nonce is not None else chosen_nonce(session, step, aim.safe, calls, queue)
    aim = replace(aim, nonce=chosen.nonce)
    proposal = prepare(session, step, aim)
    irreversible = any(one.undo is None for one in wanted)
    phrase = phrase_of(session, step, wanted)
    return Draft(
        proposal,
        title=" and ".join(one.label for one in proposal.calls) + (place_of(session) if session.legs > 1 else ""),
        phrase=" ".join((phrase, *(ending_of(value) for value in bound.values()))),
        displaces=chosen.displaces,
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
