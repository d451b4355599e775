"""What the journal remembers of the chain: answers of earlier rounds, so that a window needs no archive node.

A round keeps the answers that a later one will ask for as its past. A past that the journal holds at a block near
enough is taken from there; everything else is read from the chain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from incident_cli.abi import decode, decode_call, encode, encode_call, parse_signature
from incident_cli.evm import (
    Block,
    CallRead,
    Missing,
    PastRead,
    Read,
    Snapshot,
    StorageRead,
    hex_bytes,
    parse_address,
    to_hex,
)
from incident_cli.incident.events import Event, Kind
from incident_cli.units import Span

MOST_SLACK_SECONDS = 60  # how far a remembered block may lie from the moment asked for, and never half-way to the next
MOST_ROUNDS = 500

Answer = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Round:
    """What was answered at one block."""

    block: Block
    answers: Mapping[Read, Answer]


@dataclass(slots=True)
class Recalled:
    """The past that was found in the journal: answers, and the block each (chain, span) was taken at."""

    answers: dict[Read, Answer | Missing] = field(default_factory=dict)
    blocks: dict[tuple[str, Span], Block] = field(default_factory=dict)

    def joined(self, snapshot: Snapshot) -> Snapshot:
        """A snapshot with this past in it."""
        answers = {**snapshot.answers, **self.answers}
        return Snapshot(snapshot.block, answers, snapshot.others, {**snapshot.past_blocks, **self.blocks})


def kept(reads: Sequence[Read], snapshot: Snapshot) -> list[dict[str, str]]:
    """The answers of this round that are somebody's past, as the journal holds them."""
    wanted = dict.fromkeys(one.read for one in reads if isinstance(one, PastRead))
    return [record for one in wanted if (record := to_record(one, snapshot)) is not None]


def to_record(read: Read, snapshot: Snapshot) -> dict[str, Any] | None:
    """One answer for the journal; None where there is none, or it is not worth keeping."""
    answer = snapshot.answer(read)
    if isinstance(answer, Missing) or read.chain not in ("", snapshot.block.chain):
        return None
    if isinstance(read, StorageRead):
        place = {"to": read.to, "position": str(read.position)}
        return {"chain": read.chain, **place, "answer": to_hex(bytes(answer[0]))}  # type: ignore[call-overload]
    if isinstance(read, CallRead):
        data = to_hex(encode_call(read.signature, read.args))
        call: dict[str, Any] = {"to": read.to, "call": read.signature.source, "data": data, "part": list(read.path)}
        return {"chain": read.chain, **call, "answer": to_hex(encode(read.signature.output_types, list(answer)))}
    return None


def from_record(record: Mapping[str, Any]) -> tuple[Read, Answer]:
    """The read and the answer of a record."""
    to, answer = parse_address(record["to"]), hex_bytes(record["answer"])
    if "position" in record:
        return StorageRead(to, int(record["position"]), record["chain"]), (answer,)
    signature = parse_signature(record["call"])
    args = decode_call(signature, hex_bytes(record["data"]))
    path = tuple(record.get("part", (0,)))
    return CallRead(to, signature, args, record["chain"], path), decode(signature.output_types, answer)


def rounds(events: Sequence[Event]) -> Iterator[Round]:
    """The rounds that the journal remembers, latest first."""
    seen = 0
    for event in reversed(events):
        records: Any = event.data.get("reads", ()) if event.kind is Kind.FINDINGS else ()
        if records and event.block is not None:
            yield Round(event.block, dict(from_record(one) for one in records))
            seen += 1
        if seen >= MOST_ROUNDS:
            return


def recall(
    reads: Sequence[Read],
    events: Sequence[Event],
    now: Block,
    still_there: Callable[[Block], bool] = lambda block: True,
) -> Recalled:
    """What of the past reads the journal holds, by span: all of a span's reads at one block, or none of them.

    `still_there` says whether a remembered block is part of the chain that leads to now.
    """
    found = Recalled()
    spans: dict[tuple[str, Span], list[PastRead]] = {}
    for read in reads:
        if isinstance(read, PastRead):
            spans.setdefault((now.chain if read.chain == "" else read.chain, read.ago), []).append(read)
    remembered = [one for one in rounds(events) if still_there(one.block)] if spans else []
    slack = slack_of([span.seconds for chain, span in spans if chain == now.chain and span.seconds])
    taken: set[str] = set()
    for (chain, span), asked in spans.items():
        near = [one for one in remembered if chain == now.chain and is_near(one.block, span, now, slack)]
        near = [one for one in near if one.block.hash not in taken and all(read.read in one.answers for read in asked)]
        if near:
            best = min(near, key=lambda one: distance(one.block, span, now))
            taken.add(best.block.hash)  # one round stands for one moment
            found.blocks[(chain, span)] = best.block
            found.answers.update({read: best.answers[read.read] for read in asked})
    return found


def slack_of(seconds: Sequence[int]) -> int:
    """How far (seconds) a remembered block may lie beside its moment: less than half-way to the nearest other one."""
    ordered = sorted({0, *seconds})
    nearest = min((later - earlier for earlier, later in pairwise(ordered)), default=0)
    return min(MOST_SLACK_SECONDS, max(0, (nearest - 1) // 2))


def is_near(block: Block, span: Span, now: Block, slack: int) -> bool:
    """Whether a block stands for `span` before now."""
    if block.number >= now.number:
        return False
    if span.blocks:
        return now.number - block.number == span.blocks
    return distance(block, span, now) <= slack


def distance(block: Block, span: Span, now: Block) -> int:
    """How far a block lies from the moment asked for, in blocks or seconds."""
    if span.blocks:
        return abs(now.number - span.blocks - block.number)
    return abs(now.timestamp - span.seconds - block.timestamp)
