"""Events over a window of blocks, from eth_getLogs: every one of them, or Missing.

What a node refuses as too much is asked for in halves, within bounds. An event that was not asked for, or that does
not decode, that a reorganisation removed or that lies in another block than the rest, spoils the whole: a count of some
of the events is not a count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise

from incident_cli.chain.answers import Answer, hash_text, parse_header, quantity
from incident_cli.chain.asks import REQUESTS_PER_EXCHANGE
from incident_cli.chain.history import BEFORE_GENESIS, Found
from incident_cli.errors import Unread
from incident_cli.evm import Block, Log, LogsRead, Missing, Read, added, hex_bytes
from incident_cli.text import plain
from incident_cli.transport import Endpoint, Json, Request, RpcError
from incident_cli.units import Span

REQUESTS_PER_READ = 64
LOGS_PER_READ = 10_000
RATHER_OTHERS = Missing("the node answered with other logs than were asked for")
REMOVED = "the node answered with removed logs"
OTHER_FORK = "the node answered with logs of other blocks than the chain has"
NEVER_SMALLER = (-32601, -32700)  # no such method, no JSON: halving does not help
Place = tuple[int, int]


class Spoiled(Exception):
    """The logs of a read cannot be used, and why."""


@dataclass(slots=True)
class Hunt:
    """One read's logs as far as they are collected, with interpolated times; `times` are the node's own.

    `low` is the block before the first of the window; `hashes` and `numbers` are those of known blocks.
    """

    read: LogsRead
    low: Block | None
    high: Block
    ranges: list[tuple[int, int]]
    requests: int = 0
    logs: dict[Place, Log] = field(default_factory=dict)
    times: dict[Place, int] = field(default_factory=dict)
    hashes: dict[int, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    problem: Missing | None = None

    @property
    def answer(self) -> Answer:
        """All events, oldest first; with the node's times where all of them can be right."""
        if self.problem is not None or not self.is_timed:
            return self.by_blocks_alone
        return tuple(replace(self.logs[place], timestamp=self.times[place]) for place in sorted(self.logs))

    @property
    def is_timed(self) -> bool:
        """Whether the node gives every log a time between the ends of the window, and none runs backwards."""
        places = sorted(self.logs)
        first = self.low.timestamp if self.low is not None else 0
        ends = [(first, self.high.timestamp)[number == self.high.number] for number, _ in places]
        times = [self.times.get(place, -1) for place in places]
        if not all(end <= time <= self.high.timestamp for end, time in zip(ends, times, strict=True)):
            return False
        steps = zip(pairwise(places), pairwise(times), strict=True)
        return all(one == other if a == b else one <= other for ((a, _), (b, _)), (one, other) in steps)

    @property
    def by_blocks_alone(self) -> Answer:
        """The same with every time interpolated: what nodes that give times and those that do not must agree on."""
        return self.problem or tuple(self.logs[place] for place in sorted(self.logs))

    def request(self, first: int, last: int) -> Request:
        """eth_getLogs for an inclusive range of blocks."""
        if first == last == self.high.number:
            where: dict[str, Json] = {"blockHash": self.high.hash}
        else:
            where = {"fromBlock": hex(first), "toBlock": hex(last)}
        topics: list[Json] = [self.read.event.topic, *self.read.topics]
        return Request("eth_getLogs", ({**where, "address": self.read.to, "topics": topics},))

    def take(self, first: int, last: int, answer: Json | RpcError) -> None:
        """Keep what was answered for a range, or ask for its halves later."""
        if isinstance(answer, RpcError):
            self.ranges += self.halves(first, last, answer)
            return
        if not isinstance(answer, list):
            raise Spoiled("the node answered with no list of logs")
        for one in answer:
            place, log = self.parse(one, first, last)
            if place in self.logs:
                raise Spoiled(RATHER_OTHERS.reason)
            self.logs[place] = log
        if len(self.logs) > LOGS_PER_READ:
            raise Spoiled(f"more than {LOGS_PER_READ} events in the window")

    def halves(self, first: int, last: int, refusal: RpcError) -> list[tuple[int, int]]:
        """Both halves of a range that was refused; raises Spoiled where there are none."""
        if first == last or refusal.code in NEVER_SMALLER or self.requests + len(self.ranges) + 2 > REQUESTS_PER_READ:
            raise Spoiled(f"the node refused the logs: {plain(refusal.message, 300)}")
        middle = (first + last) // 2
        return [(first, middle), (middle + 1, last)]

    def parse(self, raw: Json, first: int, last: int) -> tuple[Place, Log]:
        """A log; raises Spoiled where it is none that was asked for, or none of this chain (any more)."""
        try:
            if not isinstance(raw, dict):
                raise ValueError
            number, index = quantity(raw.get("blockNumber")), quantity(raw.get("logIndex"))
            topics = [hash_text(one) for one in listed(raw.get("topics"))]
            address, block_hash = raw.get("address"), hash_text(raw.get("blockHash"))
            data = hex_bytes(text_of(raw.get("data")))
        except ValueError:
            raise Spoiled("the node answered with a malformed log") from None
        asked = [self.read.event.topic, *self.read.topics]
        strange = (
            not first <= number <= last
            or not isinstance(address, str)
            or address.lower() != self.read.to.lower()
            or len(topics) < len(asked)
            or any(want is not None and want.lower() != found for want, found in zip(asked, topics, strict=False))
        )
        if strange:
            raise Spoiled(RATHER_OTHERS.reason)
        if raw.get("removed") not in (None, False):
            raise Spoiled(REMOVED)
        pair = self.numbers.setdefault(block_hash, number), self.hashes.setdefault(number, block_hash)
        if pair != (number, block_hash):
            raise Spoiled(OTHER_FORK)
        try:
            values = self.read.event.decode([hex_bytes(one) for one in topics], data)
        except ValueError as problem:
            raise Spoiled(f"an event does not decode: {plain(problem, 200)}") from None
        self.keep_time((number, index), raw.get("blockTimestamp"))
        return (number, index), Log(number, self.estimate(number), values)

    def estimate(self, number: int) -> int:
        """A block's time (seconds) by its place between the ends of the window."""
        if self.low is None or number == self.high.number:
            return self.high.timestamp
        passed = (self.high.timestamp - self.low.timestamp) * (number - self.low.number)
        return self.low.timestamp + passed // (self.high.number - self.low.number)

    def keep_time(self, place: Place, raw: Json) -> None:
        """Keep the block's time that the node gives with a log, if it is one."""
        with suppress(ValueError):
            self.times[place] = quantity(raw)


def text_of(raw: Json) -> str:
    """A JSON string; raises ValueError."""
    if not isinstance(raw, str):
        raise ValueError("no string")
    return raw


def listed(raw: Json) -> list[Json]:
    """A JSON array; raises ValueError."""
    if not isinstance(raw, list):
        raise ValueError("no array")
    return raw


def spans_of(read: LogsRead) -> tuple[Span, Span]:
    """How long ago the window ends, and how long ago it begins; raises ValueError where units would mix."""
    return read.until, added(read.until, read.window)


def read_logs(
    endpoint: Endpoint, reads: Sequence[LogsRead], blocks: Mapping[Span, Found]
) -> tuple[dict[Read, Answer], dict[Read, Answer]]:
    """The events of each read; and the same with interpolated times only. Raises Unread."""
    known = [one for one in blocks.values() if isinstance(one, Block)]
    hunts = [begin(read, blocks) for read in reads]
    for one in hunts:
        one.hashes = {block.number: block.hash for block in known}
        one.numbers = {block.hash: block.number for block in known}
    while any(one.ranges for one in hunts):
        advance(endpoint, hunts)
    return {one.read: one.answer for one in hunts}, {one.read: one.by_blocks_alone for one in hunts}


def begin(read: LogsRead, blocks: Mapping[Span, Found]) -> Hunt:
    """The window of a read in blocks."""
    nothing = Block("", 0, "", 0)
    try:
        end, start = spans_of(read)
    except ValueError:
        return Hunt(read, None, nothing, [], problem=Missing("seconds and blocks of a window cannot be added"))
    low, high = blocks[start], blocks[end]
    if isinstance(high, Missing):
        return Hunt(read, None, nothing, [], problem=high)
    if isinstance(low, Missing) and low != BEFORE_GENESIS:
        return Hunt(read, None, nothing, [], problem=low)
    before = None if isinstance(low, Missing) else low
    first = before.number + 1 if before is not None else 0
    return Hunt(read, before, high, [(first, high.number)] if first <= high.number else [])


def advance(endpoint: Endpoint, hunts: Sequence[Hunt]) -> None:
    """One exchange: as many ranges as fit, with the blocks at which their windows end. Raises Unread."""
    room = REQUESTS_PER_EXCHANGE // 2
    some = [(hunt, *each) for hunt in hunts for each in hunt.ranges][:room]
    for hunt, first, last in some:
        hunt.ranges.remove((first, last))
        hunt.requests += 1
    ends = list(dict.fromkeys(hunt.high for hunt, _, _ in some))
    shown = [Request("eth_getBlockByNumber", (hex(end.number), False)) for end in ends]
    found = endpoint.exchange([*(hunt.request(first, last) for hunt, first, last in some), *shown])
    for end, answer in zip(ends, found[len(some) :], strict=True):
        if parse_header(end.chain, answer).block != end:
            raise Unread(f"{endpoint.name} no longer has block {end.number} with the hash {end.hash}", "Try again.")
    for (hunt, first, last), answer in zip(some, found, strict=False):
        try:
            if hunt.problem is None:
                hunt.take(first, last, answer)
        except Spoiled as problem:
            hunt.problem, hunt.ranges = Missing(str(problem)), []
