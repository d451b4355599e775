"""Between the flows and whoever sits there: what is shown, what is asked, and what may be answered.

`cli/` implements both for a terminal; a drill's rehearsed answers implement the asking alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from incident_cli.errors import Misused

if TYPE_CHECKING:  # the terminal imports this for every command; these are only named in annotations
    from incident_cli.checks.check import Finding
    from incident_cli.evm import Block
    from incident_cli.runbook.model import Step

Question = Literal["yes-no", "type", "text", "choice"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question of a step. `phrase` is what must be typed; `choices`: (word, meaning), the default first.

    `typed`: there is no default, the answer must be typed.
    """

    step: str
    question: Question
    text: str
    phrase: str = ""
    choices: Sequence[tuple[str, str]] = ()
    help: str = ""
    typed: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: `yes`, `no`, a choice's word, or text."""

    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """Not an answer: a note for the record; the question stands."""

    text: str


@dataclass(frozen=True, slots=True)
class Back:
    """Not an answer: return to the step before."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Not an answer: leave this step undone, for a reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Not an answer: leave the incident here; it is resumed later."""


Reply = Answer | Note | Back | Skip | Stop


@dataclass(frozen=True, slots=True)
class Header:
    """What stays on screen: the mode, the incident, the chain and its block, and the clocks (seconds)."""

    mode: str
    incident: str
    title: str
    market: str
    block: Block | None
    block_age: int | None
    since_detection: int | None
    step_number: int
    steps: int
    deadline_in: int | None


@dataclass(frozen=True, slots=True)
class CallLine:
    """One call of a proposal in words: `label` with its arguments, and what it does."""

    label: str
    to: str
    function: str
    args: Mapping[str, str]
    plain: str
    traps: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """Everything an operator sees before confirming a proposal."""

    title: str
    safe: str
    chain_id: int
    nonce: int
    threshold: int
    owners: Sequence[str]
    calls: Sequence[CallLine]
    dropped: Sequence[str]
    hashes: Mapping[str, str]
    agreed_by: Sequence[str]
    simulation: str
    shows: Sequence[str]
    unchanged: Sequence[str]
    reopening: str
    simulated: bool = True
    because: str = ""
    overrides: Sequence[str] = ()
    blast: Sequence[str] = ()
    lapses: Sequence[str] = ()
    displaces: Sequence[str] = ()


class Screen(Protocol):
    """What people see."""

    def step(self, header: Header, step: Step) -> None:
        """A step begins."""

    def findings(self, findings: Sequence[Finding]) -> None:
        """What the checks say."""

    def card(self, card: Card) -> None:
        """A proposal, before it is confirmed."""

    def say(self, text: str, tone: Literal["plain", "good", "bad", "warn"] = "plain") -> None:
        """One line."""

    def working(self, text: str) -> AbstractContextManager[None]:
        """Something that may take longer than a second."""


class Answerer(Protocol):
    """Who answers."""

    def ask(self, prompt: Prompt) -> Reply:
        """The reply to a question; raises NeedsTerminal where nobody is there."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """Answers by step id, for drills. `complete` also gives the walk's forward answer where none is rehearsed."""

    answers: Mapping[str, str]
    complete: bool

    def ask(self, prompt: Prompt) -> Reply:
        """The rehearsed answer; in a complete rehearsal, the one that goes forward."""
        text = self.answers.get(prompt.step)
        if text is None and not self.complete:
            raise Misused(
                f"the answers file has no answer for the step {prompt.step!r}: {prompt.text}",
                f"add `{prompt.step}: …` under `answers:`",
            )
        if text is not None and not (prompt.question == "choice" and text not in dict(prompt.choices)):
            return Skip(text.removeprefix("skip ")) if text.startswith("skip ") else Answer(text)
        forward = {"yes-no": "yes", "type": prompt.phrase, "text": "Rehearsed.", "choice": "on"}
        return Answer(forward[prompt.question])
