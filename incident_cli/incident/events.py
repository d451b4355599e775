"""What can happen in an incident, as recorded facts. The walk, the timeline and the report read nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from incident_cli.checks.check import Finding, Found, Reading, SourceReading, Verdict
from incident_cli.errors import JournalBroken
from incident_cli.evm import Block


class Kind(StrEnum):
    """The kinds of event."""

    OPENED = "opened"
    RESUMED = "resumed"
    STEP_STARTED = "step_started"
    STEP_ENDED = "step_ended"
    STEP_REOPENED = "step_reopened"
    FINDINGS = "findings"
    ANSWERED = "answered"
    NOTED = "noted"
    OVERRULED = "overruled"
    PLANNED = "planned"
    CONFIRMED = "confirmed"
    EXPORTED = "exported"
    PROPOSE_INTENDED = "propose_intended"
    PROPOSED = "proposed"
    SEEN_SIGNED = "seen_signed"
    ADOPTED = "adopted"
    REJECTION = "rejection"
    RISK_LEFT = "risk_left"
    SIGNED = "signed"
    SUBMIT_INTENDED = "submit_intended"
    SUBMITTED = "submitted"
    EXECUTED = "executed"
    PROVEN = "proven"
    FAILED = "failed"
    ADVANCED = "advanced"
    INJECTED = "injected"
    CLOSED = "closed"


class Outcome(StrEnum):
    """How a step ended."""

    DONE = "done"
    YES = "yes"
    NO = "no"
    FIRING = "firing"
    PENDING = "pending"
    QUIET = "quiet"
    DECIDED = "decided"
    NOT_NEEDED = "not-needed"
    SATISFIED = "already-satisfied"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Event:
    """One fact: its place in the journal, when (UTC, ISO 8601), at which block, in which step, and what."""

    seq: int
    kind: Kind
    at: str
    step: str | None = None
    attempt: int = 0
    block: Block | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


def event_of(seq: int, body: Mapping[str, Any]) -> Event:
    """The event of a journal record's body; raises JournalBroken where it is none."""
    try:
        block = body.get("block")
        return Event(
            seq,
            Kind(body["kind"]),
            body["at"],
            body.get("step"),
            body.get("attempt", 0),
            None if block is None else block_from_json(block),
            body.get("data", {}),
        )
    except (KeyError, ValueError, TypeError) as problem:
        raise JournalBroken(
            f"record {seq} of the journal is no event this version knows: {problem}",
            "resume with the version of incident that wrote it (its first record names it)",
        ) from problem


def block_to_json(block: Block) -> dict[str, Any]:
    """A block as the journal holds it."""
    return {"chain": block.chain, "number": block.number, "hash": block.hash, "timestamp": block.timestamp}


def block_from_json(record: Mapping[str, Any]) -> Block:
    """The block of a record."""
    return Block(record["chain"], record["number"], record["hash"], record["timestamp"])


def finding_to_json(finding: Finding) -> dict[str, Any]:
    """A finding as the journal holds it: whole numbers as decimal text."""
    reading = finding.reading
    return {
        "check": finding.check,
        "kind": finding.kind,
        "verdict": finding.verdict.value,
        "holds": reading.holds,
        "value": None if reading.value is None else str(reading.value),
        "limit": str(reading.limit),
        "unit": reading.unit,
        "trips": reading.trips,
        "reason": reading.reason,
        "found": [{"name": one.name, "kind": one.kind, "text": one.text} for one in reading.found],
        "since": finding.since,
        "since_block": finding.since_block,
        "summary": finding.summary,
        "sources": [
            {
                "name": one.name,
                "independence": one.independence,
                "value": None if one.value is None else str(one.value),
                "updated_at": one.updated_at,
                "problem": one.problem,
            }
            for one in reading.sources
        ],
    }


def finding_from_json(record: Mapping[str, Any], block: Block) -> Finding:
    """The finding of a record."""
    sources = tuple(
        SourceReading(one["name"], one["independence"], number(one["value"]), one["updated_at"], one["problem"])
        for one in record["sources"]
    )
    reading = Reading(
        record["holds"],
        number(record["value"]),
        int(record["limit"]),
        record["unit"],
        record["reason"],
        sources,
        record.get("trips", "above"),
        tuple(Found(one["name"], one["kind"], one["text"]) for one in record.get("found", ())),
    )
    return Finding(
        record["check"],
        record["kind"],
        Verdict(record["verdict"]),
        reading,
        block,
        record["since"],
        record["summary"],
        record.get("since_block"),
    )


def number(text: str | None) -> int | None:
    """A whole number from decimal text."""
    return None if text is None else int(text)


def findings(events: Sequence[Event], check: str) -> list[Finding]:
    """Every finding of a check, oldest first, one a block."""
    found: dict[str, Finding] = {}
    for event in events:
        for record in event.data.get("findings", ()) if event.kind is Kind.FINDINGS else ():
            if record["check"] == check and event.block is not None:
                found[event.block.hash] = finding_from_json(record, event.block)
    return list(found.values())


def within(events: Sequence[Event], step: str) -> list[Event]:
    """The events of the present attempt at a step: those since it was last started."""
    present: list[Event] = []
    for event in events:
        if event.step == step:
            present = [event] if event.kind is Kind.STEP_STARTED else [*present, event]
    return present


def last(events: Sequence[Event], kind: Kind) -> Event | None:
    """The latest event of a kind."""
    return next((event for event in reversed(events) if event.kind is kind), None)


def with_plans(events: Sequence[Event]) -> Iterator[tuple[Event, Event | None]]:
    """Every event with the plan that its own leg stands at: the legs of a step, one a chain, go on side by side."""
    plans: dict[tuple[object, ...], Event] = {}
    for event in events:
        own = (event.step, event.data.get("leg"), event.data.get("chain"))
        if event.kind is Kind.PLANNED:
            plans[own] = event
        yield event, plans.get(own)


def executions(events: Sequence[Event]) -> Iterator[tuple[Event, Event]]:
    """Every execution with its plan, without those that a reorganisation took back."""
    found: dict[int, tuple[Event, Event]] = {}
    latest: dict[int, int] = {}  # plan → its execution
    for event, plan in with_plans(events):
        if plan is None:
            continue
        if event.kind is Kind.EXECUTED:
            found[event.seq], latest[plan.seq] = (event, plan), event.seq
        elif event.kind is Kind.FAILED and event.data.get("revoked"):
            found.pop(latest.get(plan.seq, 0), None)
    yield from found.values()


def every(events: Sequence[Event], kind: Kind) -> Iterator[Event]:
    """Every event of a kind, in order."""
    return (event for event in events if event.kind is kind)


def closing(events: Sequence[Event]) -> Event | None:
    """The event that closed the incident, unless a step was begun or reopened after it."""
    for event in reversed(events):
        if event.kind is Kind.CLOSED:
            return event
        if event.kind in (Kind.STEP_STARTED, Kind.STEP_REOPENED):
            return None
    return None
