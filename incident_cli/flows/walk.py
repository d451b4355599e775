"""Walking a runbook: what comes next is `incident.walk`'s word; here it is done and recorded."""

from __future__ import annotations

from collections.abc import Mapping

from incident_cli.checks.check import Finding
from incident_cli.errors import Waiting
from incident_cli.expression import Unknown
from incident_cli.flows.delivery import Replaced
from incident_cli.flows.desk import Prompt
from incident_cli.flows.orphans import settle_orphans
from incident_cli.flows.session import SETTLE_SECONDS, GoBack, Session, SkipStep
from incident_cli.flows.steps.ended import Ended
from incident_cli.flows.steps.registry import PERFORMERS, Performer
from incident_cli.incident.events import Kind, Outcome, closing
from incident_cli.incident.walk import (
    ENDED_WELL,
    Ending,
    Finished,
    Next,
    before,
    expected,
    handled,
    latest_outcomes,
    what_next,
)
from incident_cli.runbook.lint import bound_names
from incident_cli.runbook.model import AskStep, ContainStep, Step, VerifyStep

WHEN_CHOICES = (
    ("stop", "leave the incident here; it can be resumed"),
    ("on", "do this step all the same"),
    ("skip", "leave this step out: its condition is taken as not met"),
)


MOST_TOLD = 8  # values in one question: what was not told is not said to be expected
LEFT_CHOICES = (
    ("back", "go back to the containment, and handle this one too"),
    ("stop", "leave the incident here; it can be resumed"),
    ("expected", "it was announced, and is meant to stay: go on to the proof without it"),
)
UNKNOWN = (
    ("stop", "leave the incident here; it can be resumed"),
    ("again", "judge it again"),
    ("on", "go on to the proof without knowing"),
)


def walk(session: Session, performers: Mapping[str, Performer] = PERFORMERS) -> Ending:
    """Walk to the end; raises what stops it (Waiting, NotProven, Refused, Unread), always resumable."""
    while True:
        upcoming = what_next(session.bound.runbook, session.events)
        if isinstance(upcoming, Finished):
            return close(session, upcoming.ending)
        take(session, upcoming, performers)


def close(session: Session, ending: Ending) -> Ending:
    """Record the end once, and not while a transaction of the incident can still execute."""
    settle_orphans(session)
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
        ended = needed(session, upcoming) or performed(session, upcoming, performers[step.verb])
    except GoBack as moved:
        go_back(session, step, moved)
    except SkipStep as skip:
        skipped(session, step, skip.reason)
    except Replaced as replaced:
        session.screen.say(f"{replaced}: it can never execute; the step begins again", "bad")
        session.record(Kind.STEP_REOPENED, step, reason=str(replaced))
    else:
        session.record(Kind.STEP_ENDED, step, **ended.to_json())


def performed(session: Session, upcoming: Next, perform: Performer) -> Ended:
    """The step done. A proof of containment counts while nothing else is open, before it and at its own block."""
    step = upcoming.step
    if not isinstance(step, VerifyStep) or step.marks != "contained":
        return perform(session, step, upcoming.events)
    judged = require_settled(session, step)
    ended = perform(session, step, upcoming.events)
    if judged is not None and ended.proof is not None and ended.proof.number > judged:
        require_settled(session, step)
    return ended


def require_settled(session: Session, step: VerifyStep) -> int | None:
    """The block at which no check shows a value that nobody handled; None where no containment acted on found values.

    Only checks whose values a containment took are judged: a price that goes on being wrong is no second operation.
    """
    outcomes = latest_outcomes(session.events)
    done = [one for one in session.bound.runbook.steps if outcomes.get(one.id) in ENDED_WELL]
    acted = {name: one for one in done if isinstance(one, ContainStep) for name in bound_names(one)}
    if not acted:
        return None
    while True:
        found = session.judge_checks(sorted({name.split(".")[1] for name in acted}), step, show=False)
        if all(settled(session, step, acted, one) for one in found):
            return found[0].block.number
        session.pace.wait(SETTLE_SECONDS)


def settled(session: Session, step: Step, acted: Mapping[str, ContainStep], finding: Finding) -> bool:
    """Whether a finding leaves nothing open; False: judge it again. Raises GoBack or Waiting as the operator says."""
    if finding.reading.holds is None:
        return known(session, step, finding)
    own = [name for name in acted if name.startswith(f"checks.{finding.check}.")]
    left = {name: found for name in own if (found := unhandled(session, name, finding))}
    if not finding.reading.holds or not left:
        return True
    session.screen.findings([finding])
    told = {name: values[:MOST_TOLD] for name, values in left.items()}
    shown = "; ".join(f"{name} {', '.join(values)}" for name, values in told.items())
    words = f"{finding.check} still fires, on what no step has handled: {shown}"
    prompt = Prompt(step.id, "choice", f"Not contained: {words}. What now?", choices=LEFT_CHOICES)
    choice = session.ask(step, prompt)
    if choice == "stop":
        raise Waiting(f"not contained: {words}", "operator")
    if choice != "expected":
        latest = session.found_values()
        raise GoBack(acted[own[0]].id, {name: latest[name].text for name in own if name in latest})
    session.record(Kind.NOTED, step, text=f"expected: {shown}", expected=told)
    return told == left


def unhandled(session: Session, name: str, finding: Finding) -> list[str]:
    """The values of a finding that no containment dealt with, and that nobody said are expected."""
    over = {*handled(session.events, name), *expected(session.events, name)}
    return [one.text for one in finding.reading.found if name.endswith(f".{one.name}") and one.text not in over]


def known(session: Session, step: Step, finding: Finding) -> bool:
    """Whether the operator goes on without knowing; by default the walk stops. Raises Waiting."""
    session.screen.findings([finding])
    words = f"whether {finding.check} still fires is unknown ({finding.reading.reason})"
    choice = session.ask(step, Prompt(step.id, "choice", f"{words[0].upper()}{words[1:]}. What now?", choices=UNKNOWN))
    if choice == "stop":
        raise Waiting(words, "operator")
    return choice != "again"


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
    if shown is not True or not isinstance(step, ContainStep):  # a containment shows what it judges last
        session.screen.findings(found)
    if shown is True:
        return None
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


def go_back(session: Session, step: Step, moved: GoBack) -> None:
    """Reopen an earlier step; what was done on chain stays done and is not repeated."""
    runbook = session.bound.runbook
    earlier = runbook.step(moved.to) if moved.to else before(runbook, session.events, step.id)
    if earlier is None:
        session.screen.say("this is the first step", "warn")
        return
    session.record(Kind.STEP_REOPENED, earlier, reason=f"back from {step.id}", shown=dict(moved.shown))
