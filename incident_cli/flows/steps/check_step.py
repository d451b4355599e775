"""check: judge at one block, again while it is pending, unknown or quiet by one sample only."""

from __future__ import annotations

from collections.abc import Sequence

from incident_cli.checks.check import Verdict, worst
from incident_cli.errors import Waiting
from incident_cli.flows.desk import Prompt
from incident_cli.flows.session import Session
from incident_cli.flows.steps.ended import Ended, follow
from incident_cli.incident.events import Event, Kind, Outcome, every
from incident_cli.runbook.model import CheckStep, Step, Transition

QUIET_SAMPLES = 2  # one quiet sample alone never stands an incident down
CHOICES = (
    ("again", "judge the checks again"),
    ("on", "go on with the runbook as if they fired"),
    ("stop", "leave the incident here; it can be resumed"),
)


def perform(session: Session, step: Step, present: Sequence[Event]) -> Ended:
    """Judge until it fires, is quiet twice, or the samples are used up; then follow the runbook, or ask."""
    assert isinstance(step, CheckStep), "the registry gives each verb its own step"
    taken, quiet = sum(1 for _ in every(present, Kind.FINDINGS)), 0
    while True:
        verdict = worst([one.verdict for one in session.judge_checks(step.check, step)])
        taken, quiet = taken + 1, quiet + 1 if verdict is Verdict.QUIET else 0
        more = step.retry is not None and taken <= step.retry.max
        decided = decide(step, verdict, quiet, more)
        if decided is not None:
            return decided
        if step.retry is not None and more:
            with session.screen.working(f"{verdict.value}: judging again in {step.retry.every} s of chain time"):
                session.pace.wait(step.retry.every)
            continue
        if step.retry is None and verdict is Verdict.PENDING:
            return Ended(Outcome.PENDING)
        if ask(session, step, verdict) == "on":
            return Ended(Outcome.DECIDED, data={"verdict": verdict.value})


def decide(step: CheckStep, verdict: Verdict, quiet: int, more: bool) -> Ended | None:
    """Where a verdict sends the walk without anybody being asked; None: sample again, or ask."""
    if verdict is Verdict.FIRING:
        return Ended(Outcome.FIRING)
    if verdict is Verdict.QUIET and quiet >= QUIET_SAMPLES:
        return follow(Outcome.QUIET, step.on_quiet)
    if verdict is Verdict.UNKNOWN and not more:
        return follow(Outcome.DECIDED, step.on_unknown)
    return None


def ask(session: Session, step: CheckStep, verdict: Verdict) -> str:
    """The operator's decision where the runbook leaves it to them; `stop` raises Waiting."""
    goto = away(step, verdict)
    words = {
        Verdict.QUIET: "The checks are quiet",
        Verdict.PENDING: "The checks have not held long enough to fire",
        Verdict.UNKNOWN: "The checks are UNKNOWN: that is not quiet",
    }[verdict]
    prompt = Prompt(step.id, "choice", f"{words}. What now?", choices=CHOICES, help=help_of(step, goto))
    choice = session.ask(step, prompt)
    if choice == "stop":
        raise Waiting("stopped by the operator; nothing is lost", "operator")
    if choice == "again":
        session.pace.wait(step.retry.every if step.retry else 1)
    return choice


def away(step: CheckStep, verdict: Verdict) -> Transition:
    """The transition the runbook gives for a verdict."""
    return step.on_unknown if verdict is Verdict.UNKNOWN else step.on_quiet


def help_of(step: CheckStep, goto: Transition) -> str:
    """What the operator may want to know."""
    further = f" The runbook's other road is the step {goto.to}." if goto.to else ""
    return f"The checks {', '.join(step.check)} are judged at one block each time.{further}"
