"""The people, the pen and the clock of a rehearsed walk over series: everything of a session but the steps themselves.

Nothing is signed, simulated or sent. A proposal is folded and inspected like every other; delivering it makes the
chain show what the levers say they bring about, one block later.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast

from incident_cli.abi import encode
from incident_cli.chain.execution import Execution
from incident_cli.chain.simulate import Simulation
from incident_cli.checks.check import Finding
from incident_cli.document import Items, Node, Text
from incident_cli.evm import Address, CallRead, keccak
from incident_cli.flows.desk import Answer, Card, Header, Prompt, Reply, Skip, Stop
from incident_cli.flows.leg import Leg
from incident_cli.flows.preparing import read_safe, require_harmless
from incident_cli.flows.proposal import SAFE_READS, Proposal, Wanted, call_from_json
from incident_cli.flows.series_chain import SeriesReader
from incident_cli.flows.session import Session
from incident_cli.journal.record import FIRST_PREV, Record
from incident_cli.journal.store import Journal
from incident_cli.levers.delay import OPERATION, READY, SCHEDULE
from incident_cli.levers.expectation import Expectation
from incident_cli.protocols.slot import BoundSlot
from incident_cli.runbook.model import ContainStep, Step
from incident_cli.safe.batch import fold
from incident_cli.safe.contracts import MULTISEND_CODE_HASHES
from incident_cli.safe.hashes import hash_transaction

MOST_QUESTIONS = 100  # of one step: an answer that asks for another try is not given for ever
NOT_SIMULATED = "a unit test has no chain to simulate on"


@dataclass(slots=True)
class SeriesHands:
    """Prepares proposals without a node and carries them out on the series; `calls` are those carried out, in words."""

    reader: SeriesReader
    calls: list[str] = field(default_factory=list)
    labels: dict[str, list[str]] = field(default_factory=dict)
    follows: bool = False
    hurries: bool = False

    def queue(self, session: Session, safe: Address) -> None:
        """None: nobody else proposes here."""

    def withdraw(self, session: Session, tx: object) -> str:
        """Nothing: what these hands made is worth nothing outside the rehearsal."""
        return "it is worth nothing outside the rehearsal"

    def pause(self, session: Session) -> None:
        """Nothing: these hands keep nobody waiting."""

    def prepare(self, session: Session, step: Step, wanted: Wanted) -> Proposal:
        """Folded, inspected and hashed by our own code; raises Refused where the transaction would be dangerous."""
        state, raw = read_safe(session.reader, wanted.safe), [one.call for one in wanted.calls]
        tx = fold(raw, chain_id=session.reader.chain_id, safe=wanted.safe, version=state.version, nonce=state.nonce)
        require_harmless(tx, raw, session.reader.chain_id, state, MULTISEND_CODE_HASHES.get(tx.to))
        hashes = hash_transaction(tx)
        self.labels[hashes.safe_tx_hash] = [one.label for one in wanted.calls]
        simulation = Simulation("not-simulated", "", NOT_SIMULATED)
        return Proposal(state, tx, hashes, wanted.calls, wanted.expect, wanted.unchanged, simulation)

    def deliver(self, session: Session, leg: Leg) -> Execution:
        """One block later the chain shows what is expected of the calls."""
        proposal, block = leg.proposal, self.reader.advance(1)
        for record in proposal["expect"]:
            expected = Expectation.from_json(record)
            self.reader.change(expected.read, expected.value, self.reader.index)
        safe, nonce = Address(proposal["safe_tx"]["safe"]), int(proposal["safe_tx"]["nonce"])
        self.reader.change(CallRead(safe, SAFE_READS["nonce"]), nonce + 1, self.reader.index)
        for record in proposal["calls"]:
            self.schedule(session, record)
        self.calls += self.labels[proposal["safe_tx_hash"]]
        return Execution(True, 1, "success", block)

    def keep_reopening(self, session: Session, step: ContainStep) -> None:
        """Nothing: the record holds it."""

    def schedule(self, session: Session, record: Mapping[str, str]) -> None:
        """A time-lock that was given an operation says when it is ready."""
        call = call_from_json(record)
        if call.signature.canonical != SCHEDULE.canonical:
            return
        *operation, delay = call.args
        identifier, seconds = keccak(encode(OPERATION, operation)), cast(int, delay)
        recording, slot = self.reader.recording, timelock_at(session, call.to)
        ready = self.reader.index + -(-seconds // recording.interval)
        moment = recording.block(self.reader.index).timestamp + seconds
        self.reader.change(slot.read("operation_timestamp", (identifier,)), moment, self.reader.index)
        self.reader.change(slot.read("operation_state", (identifier,)), READY, ready)


def timelock_at(session: Session, address: Address) -> BoundSlot:
    """The slot of a time-lock."""
    return next(slot for slot in session.bound.slots.values() if slot.addresses.get("timelock") == address)


@dataclass(frozen=True, slots=True)
class SeriesPace:
    """Chain time passes as soon as somebody waits."""

    reader: SeriesReader

    def wait(self, seconds: int) -> None:
        """The series go on; raises Waiting where they are over."""
        self.reader.advance(seconds)

    def recovered(self) -> None:
        """Nothing: the series say when the cause was mended."""


@dataclass(frozen=True, slots=True)
class SeriesClock:
    """Wall time is chain time."""

    reader: SeriesReader

    def now(self) -> datetime:
        """The time of the present sample."""
        return datetime.fromtimestamp(self.reader.recording.block(self.reader.index).timestamp, UTC)

    def monotonic_ns(self) -> int:
        """Chain time since the first sample."""
        return self.reader.index * self.reader.recording.interval * 10**9

    def boot_id(self) -> str:
        """There is none."""
        return ""

    def sleep(self, seconds: float) -> None:
        """Nobody waits in a test."""


class MemoryJournal(Journal):
    """A journal that is never written: the events of the walk are enough."""

    def __init__(self) -> None:
        self.directory = Path()
        self.numbers: Iterator[int] = itertools.count(1)

    def append(self, body: Mapping[str, object], *, durable: bool = True) -> Record:
        """A number for the event."""
        return Record(next(self.numbers), FIRST_PREV, "", FIRST_PREV)

    def close(self) -> None:
        """Nothing was opened."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """A screen nobody looks at."""

    def step(self, header: Header, step: Step) -> None:
        """Nothing."""

    def findings(self, findings: Sequence[Finding]) -> None:
        """Nothing."""

    def card(self, card: Card) -> None:
        """Nothing."""

    def say(self, text: str, tone: Literal["plain", "good", "bad", "warn"] = "plain") -> None:
        """Nothing."""

    def working(self, text: str) -> AbstractContextManager[None]:
        """Nothing."""
        return contextlib.nullcontext()


@dataclass(slots=True)
class GivenAnswers:
    """A test's answers by step: one for every question of the step, or a list in turn. Without one, it stops there."""

    answers: Mapping[str, Node]
    asked: dict[str, int] = field(default_factory=dict)
    unanswered: str = ""

    def ask(self, prompt: Prompt) -> Reply:
        """The answer, where it is one to this question; else Stop, and `unanswered` says what was asked."""
        turn = self.asked.get(prompt.step, 0)
        self.asked[prompt.step] = turn + 1
        text = answer_of(self.answers.get(prompt.step), turn)
        if text is None or turn >= MOST_QUESTIONS or not answers(prompt, text):
            wrong = "" if text is None else f" ({text!r} is no answer to it)"
            self.unanswered = f"{prompt.step}: {prompt.text}{wrong}"
            return Stop()
        return Skip(text.removeprefix("skip ")) if text.startswith("skip ") else Answer(text)


def answer_of(node: Node | None, turn: int) -> str | None:
    """The answer at a turn."""
    if isinstance(node, Items):
        node = node.items[turn] if turn < len(node.items) else None
    return node.value if isinstance(node, Text) else None


def answers(prompt: Prompt, text: str) -> bool:
    """Whether a text answers this kind of question."""
    if text.startswith("skip "):
        return True
    words = {"yes-no": ("yes", "no"), "choice": tuple(word for word, _ in prompt.choices)}
    return text in words[prompt.question] if prompt.question in words else bool(text)
