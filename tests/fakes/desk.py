"""Somebody at the desk: a screen that remembers, an answerer that follows a script, a clock that never waits."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from incident_cli.checks.check import Finding
from incident_cli.flows.desk import Answer, Card, Header, Prompt, Reply
from incident_cli.runbook.model import Step

Said = Reply | str | Callable[[Prompt], Reply | str]


@dataclass(slots=True)
class RecordingScreen:
    """Remembers everything it was told to show."""

    steps: list[str] = field(default_factory=list)
    headers: list[Header] = field(default_factory=list)
    shown: list[Finding] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def step(self, header: Header, step: Step) -> None:
        self.steps.append(step.id)
        self.headers.append(header)

    def findings(self, findings: Sequence[Finding]) -> None:
        self.shown.extend(findings)

    def card(self, card: Card) -> None:
        self.cards.append(card)

    def say(self, text: str, tone: Literal["plain", "good", "bad", "warn"] = "plain") -> None:
        self.lines.append(text)

    def working(self, text: str) -> AbstractContextManager[None]:
        return contextlib.nullcontext()


@dataclass(slots=True)
class Scripted:
    """Answers by step, each in its turn; after the script, the answer that goes forward."""

    script: Mapping[str, Sequence[Said]] = field(default_factory=dict)
    asked: list[Prompt] = field(default_factory=list)

    def ask(self, prompt: Prompt) -> Reply:
        turn = sum(1 for one in self.asked if one.step == prompt.step)
        self.asked.append(prompt)
        said = list(self.script.get(prompt.step, ()))
        if turn >= len(said):
            return Answer(forward(prompt))
        chosen = said[turn]
        reply = chosen(prompt) if callable(chosen) else chosen
        return Answer(reply) if isinstance(reply, str) else reply

    def questions(self, step: str) -> list[Prompt]:
        """What was asked in a step."""
        return [one for one in self.asked if one.step == step]


def forward(prompt: Prompt) -> str:
    """The answer that goes on."""
    return {"yes-no": "yes", "type": prompt.phrase, "text": "Rehearsed.", "choice": "on"}[prompt.question]


@dataclass(slots=True)
class FakeClock:
    """A clock that stands still but for what is slept; `sleeping` is told of every sleep."""

    at: datetime = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    slept: float = 0.0
    sleeping: Callable[[float], None] = lambda seconds: None

    def now(self) -> datetime:
        return self.at + timedelta(seconds=self.slept)

    def monotonic_ns(self) -> int:
        return int(self.slept * 10**9)

    def boot_id(self) -> str:
        return "fake-boot"

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.sleeping(seconds)
