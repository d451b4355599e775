"""ask: a decision of a person; the default is no."""

from __future__ import annotations

from collections.abc import Sequence

from incident_cli.checks.check import Finding, Verdict
from incident_cli.errors import Waiting
from incident_cli.flows.desk import Prompt
from incident_cli.flows.session import Session
from incident_cli.flows.steps.ended import Ended, follow
from incident_cli.incident.events import Event, Outcome, findings
from incident_cli.runbook.model import AskStep, Step


def perform(session: Session, step: Step, present: Sequence[Event]) -> Ended:
    """Yes goes on; no goes where the runbook says, or stops here."""
    assert isinstance(step, AskStep), "the registry gives each verb its own step"
    role = step.role.replace("_", " ")
    no = f"No leads to the step {step.on_no.to}" if step.on_no.to else "No stops here, resumable"
    for hint in false_alarms(session):
        session.screen.say(f"known false alarm: {hint}", "warn")
    firing = alarms(session)
    typed = bool(firing and step.on_no.to)  # Enter alone must not lead away from what fires
    answer = session.ask(step, Prompt(step.id, "yes-no", step.ask, help=f"For the {role}. {no}.", typed=typed))
    if answer == "yes":
        return Ended(Outcome.YES)
    for one in firing:
        session.screen.say(f"{one.check} is FIRING: {one.summary or one.reading.reason}", "bad")
    ended = follow(Outcome.NO, step.on_no)
    if ended is None:
        raise Waiting(f"the step {step.id} was answered no; nothing was done", "operator")
    return ended


def alarms(session: Session) -> list[Finding]:
    """The latest finding of every check that fires."""
    latest = [found[-1] for name in session.bound.checks if (found := findings(session.events, name))]
    return [one for one in latest if one.verdict is Verdict.FIRING]


def false_alarms(session: Session) -> list[str]:
    """What the checks that are not quiet have been mistaken for before."""
    latest = {name: findings(session.events, name) for name in session.bound.checks}
    alarmed = [name for name, found in latest.items() if found and found[-1].verdict is not Verdict.QUIET]
    return [hint for name in alarmed for hint in session.bound.checks[name].false_positives]
