"""manual: something a person does, with what they saw."""

from __future__ import annotations

from collections.abc import Sequence

from incident_cli.errors import Waiting
from incident_cli.flows.desk import Prompt
from incident_cli.flows.session import Session
from incident_cli.flows.steps.ended import Ended
from incident_cli.incident.events import Event, Outcome
from incident_cli.runbook.model import ManualStep, Step


def perform(session: Session, step: Step, present: Sequence[Event]) -> Ended:
    """Done when the person says so, with their evidence where the runbook wants it."""
    assert isinstance(step, ManualStep), "the registry gives each verb its own step"
    if step.evidence == "text":
        words = session.ask(step, Prompt(step.id, "text", step.manual, help="One line; it goes into the record."))
        return Ended(Outcome.DONE, data={"evidence_text": words})
    if session.ask(step, Prompt(step.id, "yes-no", f"{step.manual} Done?", help="No stops here, resumable.")) == "yes":
        return Ended(Outcome.DONE)
    raise Waiting(f"the step {step.id} is not done yet", "operator")
