"""Objections that two named people may overrule, each with a reason; both are in the record and on the card."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from incident_cli.errors import Refused, Unread
from incident_cli.flows.desk import Prompt
from incident_cli.flows.proposal import Objection, Override
from incident_cli.flows.session import Session
from incident_cli.incident.events import Kind
from incident_cli.runbook.model import Step
from incident_cli.text import plain

CHOICES = (
    ("stop", "leave it as it is; nothing is proposed"),
    ("overrule", "two people overrule this, each by name and with a reason"),
)
HELP = "Nothing was signed or sent. What you type is recorded and shown to everybody who signs."
ORDINALS = ("first", "second")
HIDDEN = re.compile(r"<U\+[0-9A-F]{4,6}>")  # what `plain` writes for what nobody sees
NAME_LIMIT, REASON_LIMIT = 80, 500


def overruled(session: Session, step: Step, objections: Sequence[Objection]) -> tuple[Override, ...]:
    """Each objection overruled by two people; raises Refused where one is not."""
    return tuple(overrule(session, step, one) for one in objections)


def go_on_with_fewer(session: Session, step: Step, problem: Unread) -> None:
    """Where too few nodes answer or agree, two people may go on with those that do, for as long as this session lasts.

    Raises the problem again where nodes are not what is missing, or none answers.
    """
    nodes = session.reader.nodes
    answered = len(nodes.answered)
    if nodes.quorum == 1 or not 0 < answered < nodes.quorum:
        raise problem
    message = f"only {answered} of {nodes.quorum} nodes of {nodes.chain} answer: {problem.message}"
    session.overrides.append(overrule(session, step, Objection("quorum-lost", message)))
    nodes.quorum = answered


def overrule(session: Session, step: Step, objection: Objection) -> Override:
    """Ask whether, then who and why, twice; raises Refused unless two different people say so."""
    session.screen.say(f"{objection.code}: {objection.message}", "bad")
    question = f"{objection.code}: {objection.message}. What now?"
    if session.ask(step, Prompt(step.id, "choice", question, choices=CHOICES, help=HELP)) != "overrule":
        raise Refused(f"{objection.code}: {objection.message}", "nothing was signed or sent")
    people = tuple(person(session, step, objection, one) for one in ORDINALS)
    if identity(people[0][0]) == identity(people[1][0]):
        raise Refused(f"{objection.code}: one person cannot overrule it twice", "ask somebody else, then resume")
    made = Override(objection.code, objection.message, people)
    session.record(Kind.OVERRULED, step, override=made.to_json())
    return made


def person(session: Session, step: Step, objection: Objection, ordinal: str) -> tuple[str, str]:
    """One person's name and reason; raises Refused where either is empty."""
    asked = {"name": f"The {ordinal} person's name", "reason": f"The {ordinal} person's reason to overrule it"}
    name, reason = (
        session.ask(step, Prompt(step.id, "text", words, help=HELP, typed=True)) for words in asked.values()
    )
    name, reason = plain(name, NAME_LIMIT).strip(), plain(reason, REASON_LIMIT).strip()
    if not identity(name) or not reason:
        raise Refused(f"{objection.code}: overruling it takes a name and a reason", "nothing was signed or sent")
    return name, reason


def identity(name: str) -> str:
    """What tells people apart: letters and digits, however they are spaced, dotted, capitalised or disguised."""
    told = unicodedata.normalize("NFKC", HIDDEN.sub("", name)).casefold()
    return "".join(character for character in told if character.isalnum())
