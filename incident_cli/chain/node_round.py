"""A whole round at one node: state at one block, then the past and the events below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from incident_cli.chain.answers import Answer
from incident_cli.chain.batch import read_pinned, read_state
from incident_cli.chain.history import locate, read_past
from incident_cli.chain.logs import read_logs, spans_of
from incident_cli.errors import Unread
from incident_cli.evm import Block, LogsRead, Missing, PastRead, Read, StateRead
from incident_cli.transport import Endpoint
from incident_cli.units import Span


@dataclass(frozen=True, slots=True)
class NodeRound:
    """What one node answered. `untimed` holds logs with interpolated times, `past_blocks` the blocks of the spans."""

    block: Block
    answers: dict[Read, Answer]
    untimed: dict[Read, Answer] = field(default_factory=dict)
    past_blocks: dict[Span, Block] = field(default_factory=dict)


def read_node(
    endpoint: Endpoint, chain: str, reads: Sequence[Read], at: Block | int | None, spans: Sequence[Span] = ()
) -> NodeRound:
    """The answers at a block, at the block of a number, or at the head; raises Unread where no block can be held.

    The blocks of `spans` are found whether or not something is read at them. Where only the past or the events cannot
    be read, only they are Missing.
    """
    states = [read for read in reads if isinstance(read, StateRead)]
    if isinstance(at, Block):
        block, answers = at, read_pinned(endpoint, states, at)
    else:
        block, answers = read_state(endpoint, chain, states, "latest" if at is None else hex(at))
    pasts = [read for read in reads if isinstance(read, PastRead)]
    logs = [read for read in reads if isinstance(read, LogsRead)]
    if not pasts and not logs and not spans:
        return NodeRound(block, answers)
    try:
        blocks = locate(endpoint, block, [*spans, *needed(pasts, logs)])
        answers |= read_past(endpoint, pasts, blocks) if pasts else {}
        events, untimed = read_logs(endpoint, logs, blocks)
    except Unread as problem:
        unread: dict[Read, Answer] = dict.fromkeys([*pasts, *logs], Missing(problem.message))
        return NodeRound(block, unread | answers)
    found = {span: one for span, one in blocks.items() if isinstance(one, Block)}
    return NodeRound(block, answers | events, untimed, found)


def needed(pasts: Sequence[PastRead], logs: Sequence[LogsRead]) -> list[Span]:
    """Every span whose block must be known."""
    spans = [read.ago for read in pasts]
    for read in logs:
        try:
            spans += spans_of(read)
        except ValueError:  # such a read is Missing
            continue
    return spans


def whole(reads: Sequence[Read], found: dict[Read, Answer] | Missing) -> dict[Read, Answer]:
    """An answer for every read."""
    if isinstance(found, Missing):
        return dict.fromkeys(reads, found)
    return {read: found.get(read, Missing("it was not read")) for read in reads}
