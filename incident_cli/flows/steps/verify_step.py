"""verify: the chain must show it. Sent is not contained; only this is."""

from __future__ import annotations

from collections.abc import Sequence

from incident_cli.errors import NotProven
from incident_cli.evm import Block
from incident_cli.expression import Unknown
from incident_cli.flows.carry_out import leave_if_asked
from incident_cli.flows.session import Session
from incident_cli.flows.steps.ended import Ended
from incident_cli.incident.conditions import judge, reads_needed
from incident_cli.incident.events import Event, Kind, Outcome, block_to_json, last
from incident_cli.incident.walk import latest_outcomes
from incident_cli.runbook.model import ContainStep, Step, VerifyStep

POLL_SECONDS = 12


def perform(session: Session, step: Step, present: Sequence[Event]) -> Ended:
    """Look until all of it holds at one block, at most for the time-out of chain time; once resumed, look once."""
    assert isinstance(step, VerifyStep), "the registry gives each verb its own step"
    if step.marks == "contained" and nothing_was_contained(session):
        return Ended(Outcome.NOT_NEEDED)
    started: int | None = None
    while True:
        block, problems = look(session, step)
        if not problems:
            session.record(Kind.PROVEN, step, block, proof_block=block_to_json(block))
            word = step.marks or "verified"
            session.screen.say(f"{word}: block {block.number} {block.hash} proves it", "good")
            return Ended(Outcome.DONE, proof=block)
        started = block.timestamp if started is None else started
        if last(present, Kind.FAILED) is not None or block.timestamp - started >= step.timeout:
            session.record(Kind.FAILED, step, block, problem="; ".join(problems))
            back = "it was skipped: resume, and `back` returns to the containment"
            hint = back if was_skipped(session) else "resume to look again"
            problem = NotProven(f"not {step.marks or 'verified'}: {'; '.join(problems)}", hint)
            leave_if_asked(session, step, present, problem)
            raise problem
        with session.screen.working(f"not yet: {problems[0]}"):
            session.pace.wait(POLL_SECONDS)


def look(session: Session, step: VerifyStep) -> tuple[Block, list[str]]:
    """The block that was read, and every expression that does not hold there."""
    reads = [read for formula in step.verify for read in reads_needed(formula, session.conditions())]
    snapshot = session.fresh(session.reader.read(reads))
    conditions = session.conditions(snapshot)
    problems = []
    for formula in step.verify:
        shown = judge(formula, conditions)
        if isinstance(shown, Unknown):
            problems.append(f"{formula.source} is unknown ({shown.reason})")
        elif not shown:
            problems.append(f"{formula.source} does not hold")
    return snapshot.block, problems


def was_skipped(session: Session) -> bool:
    """Whether a containment was skipped and none was carried out here; somebody else may still do it."""
    outcomes = latest_outcomes(session.events)
    found = {outcomes.get(one.id) for one in session.bound.runbook.steps if isinstance(one, ContainStep)}
    return Outcome.SKIPPED in found and found <= {Outcome.SKIPPED, Outcome.NOT_NEEDED, None}


def nothing_was_contained(session: Session) -> bool:
    """Whether every containment turned out not to be needed."""
    outcomes = latest_outcomes(session.events)
    found = [outcomes.get(one.id) for one in session.bound.runbook.steps if isinstance(one, ContainStep)]
    return bool(found) and all(outcome is Outcome.NOT_NEEDED for outcome in found)
