"""The reading of the journal: when each thing happened on the chain's clock, and what lies between.

Metrics follow shared definitions: Time-to-Detection = detected − fault; time to proposal = proposed − detected;
time to containment = contained − detected. A missing one is None ("unknown"), never 0. Seconds are block time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from incident_cli.evm import Block
from incident_cli.incident.events import Event, Kind, Outcome, block_from_json
from incident_cli.runbook.model import Runbook


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened at a block."""

    name: str
    block: Block


@dataclass(frozen=True, slots=True)
class Span:
    """The distance between two moments, in seconds of block time, and in blocks where both are of one chain."""

    seconds: int
    blocks: int | None

    def to_json(self) -> dict[str, int | None]:
        """As commands print it."""
        return {"seconds": self.seconds, "blocks": self.blocks}


def moments(runbook: Runbook, events: Sequence[Event]) -> dict[str, Moment]:
    """The first block of each thing that matters, in order of the journal."""
    found: dict[str, Moment] = {}
    marks = {step.id: step.marks for step in runbook.steps}
    ended_well = {Outcome.DONE, Outcome.FIRING, Outcome.PENDING, Outcome.DECIDED, Outcome.YES}
    for event in events:
        if event.block is None:
            continue
        name = NAMED.get(event.kind)
        if event.kind is Kind.STEP_ENDED and Outcome(event.data["outcome"]) in ended_well and chosen(event):
            name = marks.get(event.step or "")
        if name is not None:
            found.setdefault(name, Moment(name, block_of(event)))
    return found


NAMED = {Kind.OPENED: "opened", Kind.CONFIRMED: "proposed", Kind.EXECUTED: "executed"}


def chosen(event: Event) -> bool:
    """Whether the step's end says something: where the runbook went on by itself, nothing was detected."""
    return event.data["outcome"] != Outcome.DECIDED or "verdict" in event.data


def block_of(event: Event) -> Block:
    """The block that proves an event, where its data names one, else the block it was recorded at."""
    proof = event.data.get("proof_block")
    assert event.block is not None, "a moment has a block"
    return event.block if proof is None else block_from_json(proof)


def span(start: Moment | None, end: Moment | None) -> Span | None:
    """From one moment to another, or None where either is unknown or (after a lagging node) they are out of order."""
    if start is None or end is None:
        return None
    seconds, blocks = end.block.timestamp - start.block.timestamp, end.block.number - start.block.number
    if end.block.chain != start.block.chain:
        return None if seconds < 0 else Span(seconds, None)
    return None if seconds < 0 or blocks < 0 else Span(seconds, blocks)


def metrics(found: Mapping[str, Moment]) -> dict[str, Span | None]:
    """The metrics of one incident."""
    detected = found.get("detected")
    return {
        "time_to_detection": span(found.get("fault"), detected),
        "time_to_proposal": span(detected, found.get("proposed")),
        "time_to_containment": span(detected, found.get("contained")),
    }
