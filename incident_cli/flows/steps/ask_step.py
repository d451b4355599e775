"""ask: a decision of a person; the default is no."""

from __future__ import annotations

from collections.abc import Sequence

from incident_cli.errors import Waiting
from incident_cli.flows.desk import Prompt
from incident_cli.flows.session import Session
from incident_cli.flows.steps.ended import Ended, follow
from incident_cli.incident.events import Event, Outcome
from incident_cli.runbook.model import AskStep, Step


def perform(session: Session, step: Step, present: Sequence[Event]) -> Ended:
    """Yes goes on; no goes where the runbook says, or stops here."""
    assert isinstance(step, AskStep), "the registry gives each verb its own step"
    role = step.role.replace("_", " ")
    no = f"no leads to the step {step.on_no.to}" if step.on_no.to else "no stops here, resumable"
    answer = session.ask(step, Prompt(step.id, "yes-no", step.ask, help=f"For the {role}. {no}."))
    if answer == "yes":
        return Ended(Outcome.YES)
    ended = follow(Outcome.NO, step.on_no)
    if ended is None:
        raise Waiting(f"the step {step.id} was answered no; nothing was done", "operator")
    return ended
