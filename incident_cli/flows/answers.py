"""An answers file: rehearsed answers to a drill's questions, by step id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from incident_cli.binding import IDENTIFIER, SLUG, Binder, did_you_mean, one_of
from incident_cli.document import Document, Place, read_document
from incident_cli.runbook.model import Runbook

SCHEMA = "incident-answers/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersFile:
    """Which runbook the answers are for, and the answers."""

    schema: Annotated[str, one_of("schema", SCHEMA)]
    runbook: Annotated[str, SLUG]
    answers: Mapping[Annotated[str, IDENTIFIER], str]
    place: Place


def load_answers(path: Path, runbook: Runbook) -> Mapping[str, str]:
    """The answers of a file for this runbook; raises WrongFile with every problem."""
    document = read_document(path)
    file: AnswersFile | None = Binder(document).root(AnswersFile)
    if file is not None and file.runbook != runbook.id:
        document.wrong(file.place, "wrong-runbook", f"these answers are for {file.runbook}, not for {runbook.id}")
    if file is not None:
        refuse_unknown_steps(file, runbook, document)
    document.refuse_if_wrong()
    assert file is not None, "a document without problems binds"
    return file.answers


def refuse_unknown_steps(file: AnswersFile, runbook: Runbook, document: Document) -> None:
    """An answer to a step that does not exist is a mistake, not a spare."""
    known = [step.id for step in runbook.steps]
    for name in sorted(set(file.answers) - set(known)):
        hint = did_you_mean(name, known).removeprefix("; ")
        document.wrong(file.place, "unknown-step", f"{name!r} is no step of {runbook.id}", hint)
