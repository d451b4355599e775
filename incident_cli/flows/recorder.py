"""Events into the journal and back: what was recorded is what the walk sees, nothing else."""

from __future__ import annotations

import getpass
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from incident_cli import __version__
from incident_cli.errors import JournalBroken
from incident_cli.evm import Block
from incident_cli.flows.clock import Clock, stamp
from incident_cli.incident.events import Event, Kind, block_to_json, event_of
from incident_cli.journal.store import Journal
from incident_cli.text import plain

LIVE, DRILL, FORK = "live", "drill", "fork"
SIGNERS = "signers"  # a rehearsal of the people, by a harmless transaction on the real chain


@dataclass(slots=True)
class Recorder:
    """Writes events of one incident; `events` are all of them so far."""

    journal: Journal
    clock: Clock
    incident: str
    mode: str
    chain: str = ""
    events: list[Event] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def directory(self) -> Path:
        """The incident's folder."""
        return self.journal.directory

    @property
    def is_rehearsal(self) -> bool:
        """Whether nothing in it is real: a drill, on a world of its own or on a fork. Its chain's time is its own."""
        return self.mode in (DRILL, FORK)

    def record(
        self,
        kind: Kind,
        *,
        step: str | None = None,
        attempt: int = 0,
        block: Block | None = None,
        proposal: str | None = None,
        durable: bool = True,
        data: Mapping[str, Any] | None = None,
    ) -> Event:
        """Write one event; with `durable` it is on the disk before this returns."""
        body = {
            "at": stamp(self.clock.now()),
            "monotonic_ns": self.clock.monotonic_ns(),
            "boot": self.clock.boot_id(),
            "version": __version__,
            "mode": self.mode,
            "incident": self.incident,
            "kind": kind.value,
            "step": step,
            "attempt": attempt,
            "leg": self.chain,
            "proposal": proposal,
            "actor": {"name": actor(), "known_by": "login"},
            "block": None if block is None else block_to_json(block),
            "evidence": [],
            "data": dict(data or {}),
        }
        with self.guard:  # a served drill's blocks are recorded by a second thread
            made = self.journal.append(body, durable=durable)
            event = event_of(made.seq, body)
            self.events.append(event)
        return event


def actor() -> str:
    """The login of whoever runs this."""
    try:
        return plain(getpass.getuser(), 80)
    except (KeyError, OSError):
        return "unknown"


def resume_recorder(journal: Journal, clock: Clock) -> Recorder:
    """The recorder of a journal that was opened; raises JournalBroken where its first record opens no incident."""
    events = [event_of(record.seq, record.body or {}) for record in journal.records]
    if not events or events[0].kind is not Kind.OPENED:
        raise JournalBroken(f"the journal in {plain(journal.directory)} does not begin with an incident")
    first = journal.records[0].body or {}
    check_version(str(first.get("version", "")))
    return Recorder(journal, clock, str(first["incident"]), str(first["mode"]), str(first["leg"]), events)


def check_version(version: str) -> None:
    """An incident is resumed by the version that can read it: the same one up to its patch number."""
    if version.split(".")[:2] != __version__.split(".")[:2]:
        raise JournalBroken(
            f"this incident was begun with incident {plain(version, 40)}, this is {__version__}",
            f"resume it with that version: pip install incident-runbook=={plain(version, 40)}",
        )
