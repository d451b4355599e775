"""Calls that are not made now: how long they wait, what they wait for, and that what was read may change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from incident_cli.flows.multisig.functions import Candidate
from incident_cli.safe.finding import InspectionFinding, refused, warned
from incident_cli.safe.unfolding import MadeCall
from incident_cli.units import format_duration

LONGEST = 90 * 86_400  # seconds; no containment waits longer, and a word of 32 bytes would wait for ever
LAST = 253_402_300_799  # the last second that a date can say
CHANGED = "what stands then may be another, and the values in it stay those of today"


def scheduled(made: MadeCall, one: Candidate, args: tuple[object, ...]) -> Iterator[InspectionFinding]:
    """That a call waits, in words."""
    text, number = one.signature.canonical, made.number
    if not one.signature.name.startswith("schedule"):
        return
    waiting = args[-1]
    assert isinstance(waiting, int), "what schedules ends with a time"
    if text == "schedule(address,bytes,uint48)":
        words = f"until {day(waiting)}" if waiting else "as long as its manager asks"
        yield warned("scheduled", f"call {number} only schedules: what it holds waits {words}; {CHANGED}")
        return
    if waiting > LONGEST:
        words = format_duration(waiting) if waiting <= LAST else f"{waiting} s, which never end"
        yield refused("scheduled", f"call {number} would wait {words}: nothing is contained so")
    else:
        words = f"what it holds waits at least {format_duration(waiting)}"
        yield warned("scheduled", f"call {number} only schedules: {words}; {CHANGED}")
    predecessor = args[3]
    if isinstance(predecessor, bytes) and any(predecessor):
        words = f"call {number} cannot be executed before the operation 0x{predecessor.hex()} was"
        yield warned("scheduled", f"{words}: whoever cancels that one stops this one")


def day(seconds: int) -> str:
    """A time as people read it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC" if seconds <= LAST else f"second {seconds}"
