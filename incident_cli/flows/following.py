"""Proposals that wait for others: every leg goes as far as it can, and where somebody follows live, again and again.

No leg holds up another: what fails on one chain is said, and raised once there is nothing left to follow elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, NoReturn, TypeVar

from incident_cli.errors import IncidentError, NotProven, Refused, Unread, Waiting
from incident_cli.flows.desk import Prompt
from incident_cli.flows.session import Session, SkipStep
from incident_cli.incident.events import Event, Kind, last, within
from incident_cli.runbook.model import Step

Done = TypeVar("Done")
SIGNATURES, FINALITY, INCLUSION, DELAY = "signatures", "finality", "inclusion", "delay"
BLOCKS = frozenset({FINALITY, INCLUSION, DELAY})  # what comes by itself, as blocks pass
FOLLOWED = BLOCKS | {SIGNATURES}
OUT = (Kind.EXPORTED, Kind.SIGNED, Kind.ADOPTED)
BLOCK_SECONDS = 12
GIVE_UP = "give-up"
STOP = ("stop", "leave the incident here; it can be resumed")
LEAVE = (GIVE_UP, "leave this step: it counts as skipped, and what is out is rejected at its nonce")
WAIT_ON = ("wait", "go on waiting here")
AGAIN = ("again", "look again")


@dataclass(slots=True)
class Pass(Generic[Done]):
    """How far the legs have come: chain → what it ended with, what it waits for, what it failed with."""

    done: dict[str, Done] = field(default_factory=dict)
    waits: dict[str, Waiting] = field(default_factory=dict)
    failed: dict[str, IncidentError] = field(default_factory=dict)

    def go(self, chain: str, leg: Callable[[], Done]) -> None:
        """Carry one leg as far as it goes."""
        self.waits.pop(chain, None)
        self.failed.pop(chain, None)
        try:
            self.done[chain] = leg()
        except Waiting as problem:
            if problem.waiting_for not in FOLLOWED:
                raise
            self.waits[chain] = problem
        except (Refused, Unread, NotProven) as problem:
            self.failed[chain] = problem


def followed(session: Session, step: Step, legs: Mapping[str, Callable[[], Done]]) -> dict[str, Done]:
    """Chain → what its leg ended with, once every leg has ended.

    Each leg is carried as far as it goes before any is waited for, so that the owners of every chain can sign at once.
    Raises Waiting, naming how many are done, where the delivery does not follow live; what a leg failed with, where it
    is not out yet or nothing else is left to follow.
    """
    stand: Pass[Done] = Pass()
    told: set[str] = set()
    while True:
        for chain, leg in legs.items():
            if chain not in stand.done:
                stand.go(chain, leg)
        if len(stand.done) == len(legs):
            return stand.done
        refuse_unbegun(session, step, stand, len(legs))
        for problem in stand.failed.values():
            if problem.message not in told:
                told.add(problem.message)
                session.screen.say(problem.message, "bad")
        bide(session, step, stand, len(legs))


def refuse_unbegun(session: Session, step: Step, stand: Pass[Done], legs: int) -> None:
    """Raise what a leg failed with before anything of it was let out; with it, how the other legs stand."""
    for chain, problem in stand.failed.items():
        if is_out(session, step, chain) and not isinstance(problem, NotProven):
            continue
        if legs > 1:
            session.screen.say(f"contained on {len(stand.done)} of {legs} chains", "bad")
            for wait in stand.waits.values():
                session.screen.say(wait.message, "warn")
        raise problem


def is_out(session: Session, step: Step, chain: str) -> bool:
    """Whether a proposal of the present attempt was let out on a chain."""
    home = (session.own or session.reader).chain
    return any(
        event.kind in OUT and (event.data.get("chain") or home) == chain for event in within(session.events, step.id)
    )


def bide(session: Session, step: Step, stand: Pass[Done], legs: int) -> None:
    """Let some time pass: blocks pass by themselves, owners are waited for where the delivery follows; else raise.

    Ctrl-C asks whether to go on waiting; so does coming back to a proposal that is still out, and a failure that
    leaves nothing else to follow.
    """
    refused = [one for one in stand.failed.values() if isinstance(one, Refused)]
    if refused and not stand.waits:
        consider(session, step, refused[0], "It cannot go on", (STOP, AGAIN, LEAVE))
        return
    waits = list(stand.waits.values())
    if waits and all(one.waiting_for in BLOCKS for one in waits) and not session.delivery.hurries:
        with session.screen.working("; ".join(one.message for one in waits)):
            session.pace.wait(BLOCK_SECONDS)
        return
    problem: IncidentError = together(waits, len(stand.done), legs) if waits else next(iter(stand.failed.values()))
    if not session.delivery.follows:
        if isinstance(problem, Waiting) and was_out_before(session, step):
            consider(session, step, problem, "Still waiting", (STOP, LEAVE))
        raise problem
    try:
        session.delivery.pause(session)
    except KeyboardInterrupt:
        consider(session, step, problem, "Still waiting", (STOP, WAIT_ON, LEAVE))


def was_out_before(session: Session, step: Step) -> bool:
    """Whether this process came back to a proposal of the step's present attempt that was let out before."""
    exported: Event | None = last(within(session.events, step.id), Kind.EXPORTED)
    return exported is not None and any(
        event.kind is Kind.RESUMED and event.seq > exported.seq for event in session.events
    )


def consider(
    session: Session, step: Step, problem: IncidentError, words: str, choices: Sequence[tuple[str, str]]
) -> None:
    """The operator's choice: returns to go on, raises what is waited for or what failed, or SkipStep."""
    prompt = Prompt(step.id, "choice", f"{words}: {problem.message}. What now?", choices=choices)
    chosen = session.ask(step, prompt)
    if chosen == GIVE_UP:
        give_up(session, step)
    if chosen not in (WAIT_ON[0], AGAIN[0]):
        raise problem


def give_up(session: Session, step: Step) -> NoReturn:
    """Leave the step, for a reason."""
    raise SkipStep(session.ask(step, Prompt(step.id, "text", "Why is it given up?")))


def together(waits: Sequence[Waiting], done: int, legs: int) -> Waiting:
    """What is waited for, as one; of several legs, how many are done. Owners come before blocks."""
    first = next((one for one in waits if one.waiting_for == SIGNATURES), waits[0])
    if legs == 1:
        return first
    words = "; ".join(one.message for one in waits)
    hints = "; ".join(one.hint for one in waits if one.hint)
    return Waiting(f"contained on {done} of {legs} chains; {words}", first.waiting_for, hints)
