"""notify: a status notice to copy; a person publishes it and says where. Nothing is sent from here."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from incident_cli.errors import Waiting
from incident_cli.flows.desk import Prompt
from incident_cli.flows.session import Session
from incident_cli.flows.steps.ended import Ended
from incident_cli.incident.events import Event, Outcome
from incident_cli.incident.notice import instead, notice_text, unproven, utc
from incident_cli.runbook.model import NotifyStep, Step

HELP = (
    "Fill in what stands in [brackets], publish it yourself, then say where in one line. The text and your answer go "
    "into the record. `skip REASON` where nothing is published."
)


def perform(session: Session, step: Step, present: Sequence[Event]) -> Ended:
    """Done when the person says where it was published; the exact text is recorded with the answer."""
    assert isinstance(step, NotifyStep), "the registry gives each verb its own step"
    template, audience, is_drill = chosen(session, step), step.notify.audience, session.recorder.is_rehearsal
    runbook, market = session.bound.runbook, session.bound.market.name
    lines = notice_text(runbook, market, session.events, template, audience, now(session), drill=is_drill)
    text = "\n".join(lines)
    digest = hashlib.sha256(text.encode()).hexdigest()
    show(session, lines, digest, audience)
    aside = " (a drill: say where you would)" if is_drill else ""
    question = f"Where did you publish the notice {digest[:16]}?{aside}"
    where = session.ask(step, Prompt(step.id, "text", question, help=HELP))
    notice = {"template": template, "wanted": step.notify.template, "audience": audience}
    return Ended(Outcome.DONE, data={"evidence_text": where, "notice": {**notice, "text": text, "sha256": digest}})


def chosen(session: Session, step: NotifyStep) -> str:
    """The runbook's template where the record bears it out, else what the operator takes instead."""
    runbook, template = session.bound.runbook, step.notify.template
    reason = unproven(runbook, session.events, template)
    if not reason:
        return template
    weaker = instead(runbook, session.events, template)
    session.screen.say(f"no notice says `{template}` now: {reason}", "bad")
    choices = (
        ("stop", "leave the incident here; it can be resumed"),
        ("on", f"word the notice `{weaker}` instead"),
    )
    words = f"The notice `{template}` is refused: {reason}. What now?"
    prompt = Prompt(step.id, "choice", words, choices=choices, help="`skip REASON` publishes nothing and goes on.")
    if session.ask(step, prompt) != "on":
        raise Waiting(f"the notice `{template}` is refused: {reason}; nothing was published", "operator")
    return weaker


def show(session: Session, lines: Sequence[str], digest: str, audience: str) -> None:
    """The notice, line by line, between words that say what it is."""
    session.screen.say(f"copy this (for: {audience}); nothing was sent:", "warn")
    for line in lines:
        session.screen.say(line)
    session.screen.say(f"its sha256, as recorded: {digest}")


def now(session: Session) -> str:
    """The present in UTC: on a live chain the wall clock's, in a drill the chain's own."""
    head = session.reader.head
    if session.recorder.is_rehearsal and head is not None:
        return utc(head.timestamp)
    return utc(int(session.recorder.clock.now().timestamp()))
