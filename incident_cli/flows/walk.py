"""Walking a runbook: what comes next is `incident.walk`'s word; here it is done and recorded."""

from __future__ import annotations

from collections.abc import Mapping

from incident_cli.errors import Waiting
from incident_cli.expression import Unknown
from incident_cli.flows.delivery import Replaced
from incident_cli.flows.desk import Prompt
from incident_cli.flows.session import GoBack, Session, SkipStep
from incident_cli.flows.steps.ended import Ended
from incident_cli.flows.steps.registry import PERFORMERS, Performer
from incident_cli.incident.events import Kind, Outcome, closing
from incident_cli.incident.walk import Ending, Finished, Next, before, what_next
from incident_cli.runbook.model import AskStep, ContainStep, Step

WHEN_CHOICES = (
    ("stop", "leave the incident here; it can be resumed"),
    ("on", "do this step all the same"),
    ("skip", "leave this step out: its condition is taken as not met"),
)


def walk(session: Session, performers: Mapping[str, Performer] = PERFORMERS) -> Ending:
    """Walk to the end; raises what stops it (Waiting, NotProven, Refused, Unread), always resumable."""
    while True:
        upcoming = what_next(session.bound.runbook, session.events)
        if isinstance(upcoming, Finished):
            return close(session, upcoming.ending)
        take(session, upcoming, performers)


def close(session: Session, ending: Ending) -> Ending:
    """Record the end once."""
    if closing(session.events) is None:
        session.recorder.record(Kind.CLOSED, block=session.reader.head, data={"ending": ending.value})
    return ending


def take(session: Session, upcoming: Next, performers: Mapping[str, Performer] = PERFORMERS) -> None:
    """One step: begun, done, ended; the operator's moves are events too."""
    step = upcoming.step
    session.attempt = upcoming.attempt
    if not upcoming.started:
        session.record(Kind.STEP_STARTED, step)
    session.screen.step(session.header(step), step)
    try:
        ended = needed(session, upcoming) or performers[step.verb](session, step, upcoming.events)
    except GoBack:
        go_back(session, step)
    except SkipStep as skip:
        skipped(session, step, skip.reason)
    except Replaced as replaced:
        session.screen.say(f"{replaced}: it can never execute; the step begins again", "bad")
        session.record(Kind.STEP_REOPENED, step, reason=str(replaced))
    else:
        session.record(Kind.STEP_ENDED, step, **ended.to_json())


def skipped(session: Session, step: Step, reason: str) -> None:
    """A step left undone goes on to the next; a decision left undone is no decision, and goes where no goes."""
    session.screen.say(f"skipped: {reason}", "warn")
    to = step.on_no.to if isinstance(step, AskStep) else None
    if isinstance(step, AskStep) and to is None:
        raise Waiting(f"the decision {step.id} was not taken ({reason}); nothing was done", "operator")
    session.record(Kind.STEP_ENDED, step, **Ended(Outcome.SKIPPED, to, data={"reason": reason}).to_json())


def needed(session: Session, upcoming: Next) -> Ended | None:
    """Ended where the step's `when` does not hold; an unknown one is asked about, never taken as no."""
    step = upcoming.step
    if step.when is None or any(event.kind is Kind.PLANNED for event in upcoming.events):
        return None
    found = session.judge_until_settled(sorted(step.when.checks), step, show=False) if step.when.checks else []
    shown = session.holds(step.when)
    if shown is True:
        return None
    session.screen.findings(found)
    if shown is False and not isinstance(step, ContainStep):
        return Ended(Outcome.NOT_NEEDED)
    return decided(session, step, shown)


def decided(session: Session, step: Step, shown: bool | Unknown) -> Ended | None:
    """The operator's decision about a condition that does not clearly hold."""
    assert step.when is not None, "there is a condition to decide about"
    words = f"is UNKNOWN ({shown.reason})" if isinstance(shown, Unknown) else "does not hold"
    prompt = Prompt(step.id, "choice", f"The condition {step.when.source} {words}. What now?", choices=WHEN_CHOICES)
    choice = session.ask(step, prompt)
    if choice == "stop":
        raise Waiting(f"{step.when.source} {words}; nothing was done", "operator")
    return Ended(Outcome.NOT_NEEDED) if choice == "skip" else None


def go_back(session: Session, step: Step) -> None:
    """Reopen the step before; what was done on chain stays done and is not repeated."""
    earlier = before(session.bound.runbook, session.events, step.id)
    if earlier is None:
        session.screen.say("this is the first step", "warn")
        return
    session.record(Kind.STEP_REOPENED, earlier, reason=f"back from {step.id}")
