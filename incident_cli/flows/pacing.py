"""How time passes outside the walk: on a live chain by waiting, in a drill also while the operator thinks."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Protocol

from incident_cli.chain.batch import head
from incident_cli.drills.live_world import LiveWorld
from incident_cli.errors import Unread
from incident_cli.flows.clock import Clock
from incident_cli.flows.desk import Answerer, Prompt, Reply
from incident_cli.flows.reading import Reader

BLOCK_SECONDS = 12
MOST_BLOCKS_A_QUESTION = 50
POLL_SECONDS = 1.0
PATIENCE_SECONDS = 120


@dataclass(slots=True)
class LivePace:
    """Waits until the head's own time has moved on; a node silent, or a head unmoved, for two minutes is an error."""

    reader: Reader
    clock: Clock

    def wait(self, seconds: int) -> None:
        """Poll the head once a second."""
        start = seen = self.reader.head
        moved = self.clock.monotonic_ns()
        while True:
            self.clock.sleep(POLL_SECONDS)
            patient = self.clock.monotonic_ns() - moved <= PATIENCE_SECONDS * 10**9
            try:
                latest = head(self.reader.endpoint, self.reader.chain)
            except Unread:
                if not patient:
                    raise
                continue
            if start is None or latest.timestamp - start.timestamp >= seconds:
                self.reader.head = latest
                return
            if latest != seen:
                seen, moved = latest, self.clock.monotonic_ns()
            elif not patient:
                raise Unread(
                    f"{self.reader.chain} stands still at block {latest.number} for {PATIENCE_SECONDS} s",
                    "the chain has halted, or the node does not follow it: use another node, then resume",
                )

    def recovered(self) -> None:
        """A live chain recovers by itself or not at all."""


class Advancing(Protocol):
    """A chain of a drill."""

    def advance(self, seconds: int) -> None:
        """Let so much time pass."""


@dataclass(slots=True)
class ThinkingTime:
    """A drill's answerer: while the operator thinks, the world goes on, a block every 12 s."""

    answerer: Answerer
    live: Advancing
    clock: Clock

    def ask(self, prompt: Prompt) -> Reply:
        """Ask, then let the blocks pass that the answer took."""
        began = self.clock.monotonic_ns()
        try:
            return self.answerer.ask(prompt)
        finally:
            taken = (self.clock.monotonic_ns() - began) // (BLOCK_SECONDS * 10**9)
            for _ in range(min(taken, MOST_BLOCKS_A_QUESTION)):
                self.live.advance(BLOCK_SECONDS)


class Ticker:
    """Mines a block every 12 s of wall time in a thread of its own, for a drill whose chain others read."""

    def __init__(self, live: LiveWorld) -> None:
        self.live = live
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, name="drill ticker", daemon=True)

    def __enter__(self) -> Ticker:
        self.thread.start()
        return self

    def __exit__(self, *reason: object) -> None:
        self.stopped.set()
        self.thread.join()

    def run(self) -> None:
        """Tick until stopped."""
        while not self.stopped.wait(BLOCK_SECONDS):
            self.live.advance(BLOCK_SECONDS)
