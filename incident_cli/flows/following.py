"""Proposals that wait for others: every leg goes as far as it can, and where somebody follows live, again and again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from incident_cli.errors import Waiting
from incident_cli.flows.desk import Prompt
from incident_cli.flows.session import Session, SkipStep
from incident_cli.incident.events import Kind
from incident_cli.runbook.model import Step

Done = TypeVar("Done")
SIGNATURES, FINALITY = "signatures", "finality"
BLOCK_SECONDS = 12
GIVE_UP = "give-up"
STILL_WAITING = (
    ("stop", "leave the incident here; it can be resumed"),
    (GIVE_UP, "leave this step: it counts as skipped, and what is out is rejected at its nonce"),
)
WAIT_ON = ("wait", "go on waiting here")


def followed(session: Session, step: Step, legs: Mapping[str, Callable[[], Done]]) -> dict[str, Done]:
    """Chain → what its leg ended with, once every leg has ended.

    Each leg is carried as far as it goes before any is waited for, so that the owners of every chain can sign at once.
    Raises Waiting, naming how many are done, where the delivery does not follow live.
    """
    done: dict[str, Done] = {}
    while True:
        waits: list[Waiting] = []
        for chain, leg in legs.items():
            if chain in done:
                continue
            try:
                done[chain] = leg()
            except Waiting as problem:
                if problem.waiting_for not in (SIGNATURES, FINALITY):
                    raise
                waits.append(problem)
        if not waits:
            return done
        bide(session, step, waits, len(done), len(legs))


def bide(session: Session, step: Step, waits: Sequence[Waiting], done: int, legs: int) -> None:
    """Let some time pass: blocks pass by themselves, owners are waited for where the delivery follows; else raise.

    Ctrl-C asks whether to go on waiting; so does coming back to a proposal that is still out.
    """
    if all(one.waiting_for == FINALITY for one in waits):
        with session.screen.working("; ".join(one.message for one in waits)):
            session.pace.wait(BLOCK_SECONDS)
        return
    problem = together([one for one in waits if one.waiting_for == SIGNATURES], done, legs)
    if not session.delivery.follows:
        if was_out_before(session, step):
            consider(session, step, problem, STILL_WAITING)
        raise problem
    try:
        session.delivery.pause(session)
    except KeyboardInterrupt:
        consider(session, step, problem, (STILL_WAITING[0], WAIT_ON, STILL_WAITING[1]))


def was_out_before(session: Session, step: Step) -> bool:
    """Whether this process came back to a proposal of the step that was let out before."""
    out = False
    for event in session.events:
        if event.kind is Kind.RESUMED and out:
            return True
        out = out or (event.step == step.id and event.kind is Kind.EXPORTED)
    return False


def consider(session: Session, step: Step, problem: Waiting, choices: Sequence[tuple[str, str]]) -> None:
    """The operator's choice while owners are waited for; raises what is waited for, or SkipStep."""
    prompt = Prompt(step.id, "choice", f"Still waiting: {problem.message}. What now?", choices=choices)
    chosen = session.ask(step, prompt)
    if chosen == GIVE_UP:
        raise SkipStep(session.ask(step, Prompt(step.id, "text", "Why is it given up?")))
    if chosen != WAIT_ON[0]:
        raise problem


def together(waits: Sequence[Waiting], done: int, legs: int) -> Waiting:
    """What is waited for, as one; of several legs, how many are done."""
    if legs == 1:
        return waits[0]
    words = "; ".join(one.message for one in waits)
    hints = "; ".join(one.hint for one in waits if one.hint)
    return Waiting(f"contained on {done} of {legs} chains; {words}", SIGNATURES, hints)
