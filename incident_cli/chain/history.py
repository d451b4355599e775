"""The past of a chain: which block it had then, and what its contracts answered at it.

A time is found by interpolation between blocks already seen, for all times at once and in few exchanges; what is
found is proven by two neighbours: the block is not later than the time, and the next one is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from incident_cli.chain.answers import Answer, parse_header, parts
from incident_cli.chain.asks import REQUESTS_PER_EXCHANGE, plan
from incident_cli.chain.batch import Pinned, read_asks
from incident_cli.errors import Unread
from incident_cli.evm import Block, Missing, PastRead, Read, StateRead
from incident_cli.transport import Endpoint, Request
from incident_cli.units import Span

TRIPS = 6
BLOCKS_PER_SECOND = 8  # of the fastest chain that the first ladder reaches
RUNG = 4
NARROW = 8  # blocks: a bracket that is asked for whole
PROBES_PER_TRIP = 96
BEFORE_GENESIS = Missing("the chain has no block that old")
Found = Block | Missing


@dataclass(slots=True)
class Ancestry:
    """What is known of one chain below its head: blocks by number, and the numbers the node does not have."""

    head: Block
    blocks: dict[int, Block] = field(default_factory=dict)
    absent: set[int] = field(default_factory=set)
    numbers: list[int] = field(default_factory=list)

    def learn(self, found: Iterable[Block]) -> None:
        """Take in blocks."""
        self.blocks |= {one.number: one for one in found}
        self.numbers = sorted(self.blocks)

    @property
    def backwards(self) -> bool:
        """Whether a later block has an earlier time: then nothing can be searched in it."""
        times = [self.blocks[number].timestamp for number in self.numbers]
        return any(one > other for one, other in pairwise(times))

    def bracket(self, time: int) -> tuple[Block | None, Block]:
        """The last known block that is not later than a time, and the first known one that is."""
        place = bisect_right([self.blocks[number].timestamp for number in self.numbers], time)
        above = self.blocks[self.numbers[min(place, len(self.numbers) - 1)]]
        return (self.blocks[self.numbers[place - 1]] if place else None), above


def locate(endpoint: Endpoint, head: Block, spans: Iterable[Span]) -> dict[Span, Found]:
    """The block that was the last one, each span before the head; Missing where it cannot be told. Raises Unread."""
    wanted = list(dict.fromkeys(spans))
    known = Ancestry(head)
    known.learn([head])
    for trip in range(TRIPS):
        probes: dict[int, None] = {}
        for span in wanted:
            probes.update(dict.fromkeys(probes_of(known, span, trip)))
        if not probes:
            break
        ask_blocks(endpoint, known, list(probes)[: 2 * PROBES_PER_TRIP])
        if known.backwards:
            return dict.fromkeys(wanted, Missing("the node's blocks do not follow each other in time"))
    return {span: settled(known, span) for span in wanted}


def ask_blocks(endpoint: Endpoint, known: Ancestry, numbers: Sequence[int]) -> None:
    """Learn the blocks of these numbers; a node that answers for another number is Unread."""
    for some in parts(numbers, REQUESTS_PER_EXCHANGE - 1):
        found = endpoint.exchange([Request("eth_getBlockByNumber", (hex(number), False)) for number in some])
        blocks: list[Block] = []
        for number, answer in zip(some, found, strict=True):
            if not isinstance(answer, dict):
                known.absent.add(number)
                continue
            block = parse_header(known.head.chain, answer).block
            if block.number != number:
                raise Unread(
                    f"{endpoint.name} answered with block {block.number} where {number} was asked", "Try again."
                )
            blocks.append(block)
        known.learn(blocks)


def probes_of(known: Ancestry, span: Span, trip: int) -> list[int]:
    """The numbers to ask next for one span; none where it is settled, or never will be."""
    if isinstance(settled(known, span), Block) or not span:
        return []
    if span.blocks:
        wanted = [known.head.number - span.blocks]
    else:
        wanted = ladder(known, span.seconds) if trip == 0 else closer(known, known.head.timestamp - span.seconds, trip)
    return [one for one in wanted if one >= 0 and one not in known.blocks and one not in known.absent]


def ladder(known: Ancestry, seconds: int) -> list[int]:
    """Numbers ever further below the head, down to where even a fast chain is older than that."""
    rungs = [1]
    while rungs[-1] < min(seconds * BLOCKS_PER_SECOND, known.head.number):
        rungs.append(rungs[-1] * RUNG)
    return [max(known.head.number - rung, 0) for rung in rungs]


def closer(known: Ancestry, time: int, trip: int) -> list[int]:
    """Numbers between the two known blocks around a time: where it should be, and on later trips a net around it."""
    low, high = known.bracket(time)
    if low is None:
        return [0, max(high.number - RUNG * (known.head.number - high.number), 0)]
    width = high.number - low.number
    if width <= NARROW:
        return list(range(low.number + 1, high.number))
    guess = low.number + (time - low.timestamp) * width // (high.timestamp - low.timestamp)
    steps = [0, 1] if trip == 1 else [0, 1, -1, 2, -2, 3, -4, 5, -8, 9, -16, 17]
    net = [] if trip < 3 else [low.number + width * part // 16 - guess for part in range(1, 16)]
    return [one for step in (*steps, *net) if low.number < (one := guess + step) < high.number]


def settled(known: Ancestry, span: Span) -> Found:
    """The block of a span, or why there is none (yet)."""
    if not span:
        return known.head
    if span.blocks:
        number = known.head.number - span.blocks
        if number < 0:
            return BEFORE_GENESIS
        return known.blocks.get(number) or Missing(f"the node does not have block {number}")
    low, high = known.bracket(known.head.timestamp - span.seconds)
    if low is not None and low.number + 1 == high.number:
        return low
    if low is None and high.number == 0:
        return BEFORE_GENESIS
    if known.absent:
        return Missing(f"the node does not have block {max(known.absent)}")
    return Missing(f"the block {span} ago was not found")


def read_past(endpoint: Endpoint, reads: Sequence[PastRead], blocks: Mapping[Span, Found]) -> dict[Read, Answer]:
    """What past reads answered, all in one exchange where they fit; raises Unread."""
    wanted: dict[Block, dict[StateRead, list[PastRead]]] = {}
    answers: dict[Read, Answer] = {}
    for read in reads:
        block = blocks[read.ago]
        if isinstance(block, Missing):
            answers[read] = block
        else:
            wanted.setdefault(block, {}).setdefault(read.read, []).append(read)
    pending: list[Pinned] = []
    found: dict[Block, dict[Read, Answer]] = {}
    for block in sorted(wanted, key=lambda one: -one.number):  # what is refused is refused of all that is older
        asks, found[block] = plan(wanted[block])
        pending += [(block, ask) for ask in asks if ask.reads]
    for block, some in read_asks(endpoint, pending).items():
        found[block] |= some
    for block, origins in wanted.items():
        for origin, pasts in origins.items():
            answers |= dict.fromkeys(pasts, found[block].get(origin, Missing("it was not read")))
    return answers
