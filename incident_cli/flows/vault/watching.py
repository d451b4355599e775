"""Watching a vault: examined at every new head, said whenever what is alarming or unknown changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from incident_cli.errors import Unread
from incident_cli.flows.clock import Clock, stamp
from incident_cli.flows.multisig.place import Place
from incident_cli.flows.vault.status import Examined, examine
from incident_cli.safe.vault import Vault

SCHEMA = "incident.vault-watch/v1"


@dataclass(frozen=True, slots=True)
class Sighting:
    """One look: what was found, or why nothing could be known; `is_news` where it differs from the look before."""

    at: str
    examined: Examined | None
    alarms: tuple[str, ...]
    unknowns: tuple[str, ...]
    is_news: bool

    @property
    def exit_code(self) -> int:
        """0 ready, 1 alarming, 3 unknown; alarming wins."""
        return 1 if self.alarms else 3 if self.unknowns else 0

    def to_json(self) -> dict[str, Any]:
        """One line of the stream."""
        found = self.examined
        return {
            "schema": SCHEMA,
            "at": self.at,
            "block": None if found is None else {"number": found.block.number, "hash": found.block.hash},
            "verdict": {0: "ready", 1: "alarm", 3: "unknown"}[self.exit_code],
            "nonces_left": None if found is None else list(found.standing.left),
            "alarms": list(self.alarms),
            "unknown": list(self.unknowns),
            "news": self.is_news,
        }


def watch(
    vault: Vault, place: Place, clock: Clock, seconds: float, seen: Callable[[Sighting], None], *, once: bool = False
) -> Sighting:
    """Look every so many seconds, for ever or `once`; each look at a new head is told to `seen`. The last one."""
    before: Sighting | None = None
    while True:
        found = sighting(vault, place, clock, before)
        if before is None or found.is_news or block_of(found) != block_of(before):
            seen(found)
        before = found
        if once:
            return found
        clock.sleep(seconds)


def sighting(vault: Vault, place: Place, clock: Clock, before: Sighting | None) -> Sighting:
    """One look: that a node does not answer is itself something to say, and the watch goes on."""
    at = stamp(clock.now())
    try:
        found = examine(vault, place)
    except Unread as problem:
        return compared(Sighting(at, None, (), (problem.message,), True), before)
    return compared(Sighting(at, found, found.alarms, found.unknowns, True), before)


def compared(found: Sighting, before: Sighting | None) -> Sighting:
    """The sighting, which is news where it says something else than the one before."""
    same = before is not None and (before.alarms, before.unknowns) == (found.alarms, found.unknowns)
    return Sighting(found.at, found.examined, found.alarms, found.unknowns, not same)


def block_of(found: Sighting) -> str:
    """The hash of the head that was looked at; empty where none was."""
    return found.examined.block.hash if found.examined else ""
