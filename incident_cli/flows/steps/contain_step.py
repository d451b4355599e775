"""contain: levers pulled through a Safe, one proposal, proven by reading the chain again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from incident_cli.errors import Waiting
from incident_cli.evm import CallRead, Snapshot, to_hex
from incident_cli.flows.carry_out import Draft, carry_out
from incident_cli.flows.desk import Prompt
from incident_cli.flows.leg import leg_of
from incident_cli.flows.proposal import PlannedCall, Preparer, demand, prepare
from incident_cli.flows.reopening import reopening_of
from incident_cli.flows.session import GoBack, Session
from incident_cli.flows.steps.ended import Ended
from incident_cli.incident.events import Event, Outcome
from incident_cli.levers.expectation import Expectation
from incident_cli.levers.lever import Plan, Pull, Undo, asked, plan
from incident_cli.protocols.slot import Market
from incident_cli.runbook.lint import bound_names
from incident_cli.runbook.model import ContainStep, MustNotChange, Step
from incident_cli.runbook.review import SHORTEST_FINAL_PHRASE

LEG = "contain"
TYPED_CHARACTERS = 8  # of a found value: as many as a person compares, and nobody guesses
CHANGED = (
    ("stop", "leave the incident here; it can be resumed"),
    ("back", "go back to the step before, to compare the new value first"),
)
CHANGED_HELP = "Nothing was proposed, neither for the one nor for the other. `back` again goes further back."
CHOICES = (
    ("stop", "leave the incident here; it can be resumed"),
    ("on", "contain all the same"),
)


def perform(session: Session, step: Step, present: Sequence[Event], prepare: Preparer = prepare) -> Ended:
    """Contain, unless everything is done already."""
    assert isinstance(step, ContainStep), "the registry gives each verb its own step"
    if not leg_of(session, step, LEG).is_confirmed:
        require_compared(session, step)
        if all(one.satisfied for one in plans(session, step)):
            session.screen.say("every call is already satisfied on chain: there is nothing to propose", "good")
            return Ended(Outcome.SATISFIED, data={"bound": bound_values(session, step)})
    proof = carry_out(session, step, LEG, lambda: draft(session, step, prepare))
    bound = leg_of(session, step, LEG).plan.data.get("bound", {})
    return Ended(Outcome.DONE, proof=proof, data={"bound": bound})


def draft(session: Session, step: ContainStep, prepare: Preparer) -> Draft:
    """Everything read, planned, folded and simulated, once firing was judged again and found what was compared."""
    before = bound_values(session, step)
    still_firing(session, step)
    require_compared(session, step, before)
    bound, planned = bound_values(session, step), plans(session, step)
    wanted = [one for one in planned if not one.satisfied]
    calls = [made for one in wanted for made in planned_calls(one)]
    expect = [expectation for one in wanted for expectation in one.expect]
    safe = session.bound.slots[step.contain.by].addresses["safe"]
    proposal = prepare(session, safe, calls, expect, standing_still(session, step.contain.must_not_change))
    irreversible = any(one.undo is None for one in wanted)
    phrase = phrase_of(session, step, irreversible)
    return Draft(
        proposal,
        title=" and ".join(one.label for one in calls),
        phrase=" ".join((phrase, *(ending_of(value) for value in bound.values()))),
        dropped=tuple(f"{one.pull.label}: already satisfied" for one in planned if one.satisfied),
        reopening=reopening_of(session, step, irreversible),
        undo=[undo_to_json(one.undo, one.pull.label) for one in wanted if one.undo is not None],
        request=request_of(phrase, bound) if bound else "",
        bound=bound,
    )


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


def planned_calls(one: Plan) -> Iterator[PlannedCall]:
    """The calls of a pulled lever and their meaning: what must come first, then the lever itself with its traps."""
    for call in one.calls[:-1]:
        yield PlannedCall(call, f"first {call.signature.name}", f"Must come before {one.pull.label}.")
    yield PlannedCall(one.call, one.pull.label, one.pull.definition.does, one.pull.definition.traps)


def plans(session: Session, step: ContainStep) -> list[Plan]:
    """Every lever of the step planned from values read at one block."""
    by = session.bound.slots[step.contain.by].addresses["safe"]
    pulls = [
        Pull(session.bound.slots[slot], name, session.bound.lever_args(call, session.found()), by)
        for call in step.levers
        for slot, _, name in [call.lever.partition(".")]
    ]
    snapshot = session.reader.read([read for pull in pulls for read in asked(pull)])
    return [plan(pull, snapshot) for pull in pulls]


def standing_still(session: Session, declared: Sequence[MustNotChange]) -> list[Expectation]:
    """What must answer the same afterwards, with the answers of now."""
    reads = [(label, read) for one in declared for label, read in unchanged_reads(session, one)]
    snapshot = session.reader.read([read for _, read in reads]) if reads else None
    return [Expectation(label, read, demand(label, value_of(snapshot, read))) for label, read in reads]


def value_of(snapshot: Snapshot | None, read: CallRead) -> object:
    """The answer of a round that was made because there are reads."""
    assert snapshot is not None, "there are reads"
    return snapshot.value(read)


def unchanged_reads(session: Session, one: MustNotChange) -> Iterator[tuple[str, CallRead]]:
    """The reads of one declaration: one, or one for each market but the exempt one."""
    slot, _, name = one.read.partition(".")
    bound = session.bound.slots[slot]
    if one.for_each is None:
        yield one.read, bound.read(name)
        return
    exempt = session.bound.words(one.except_ or "")
    for market in session.bound.markets.values():
        if market.name != exempt:
            yield f"{one.read}({market.name})", bound.read(name, (Market(market.name, market.id),))


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


def phrase_of(session: Session, step: ContainStep, irreversible: bool) -> str:
    """What must be typed: at least the market, or a sentence for what cannot be undone; a runbook may only raise it."""
    market = session.bound.market.name
    phrase = session.bound.words(step.confirm.type).strip() if step.confirm is not None else ""
    if irreversible:
        return phrase if len(phrase) >= SHORTEST_FINAL_PHRASE else "this cannot be undone"
    return phrase if market in phrase or len(phrase) >= len(market) else market


def undo_to_json(undo: Undo, label: str) -> dict[str, object]:
    """An undo as the journal holds it until the market reopens."""
    return {
        "label": label,
        "by": undo.by,
        "to": undo.call.to,
        "signature": undo.call.signature.source,
        "data": to_hex(undo.call.data),
        "only_if": [one.to_json() for one in undo.only_if],
        "expect": [one.to_json() for one in undo.expect],
    }
