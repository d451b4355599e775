"""A made-up market for the price checks: feeds, Pyth, a pool, a desk and a benchmark that answer what a test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from incident_cli.binding import Binder, Given
from incident_cli.checks.check import Check, Reading, SourceReading, Wiring
from incident_cli.checks.price_source import PriceSource
from incident_cli.checks.registry import KINDS
from incident_cli.checks.sources import SOURCES
from incident_cli.document import parse_document
from incident_cli.evm import Address, BenchmarkRead, Block, CallRead, Missing, PastRead, Read, Snapshot
from incident_cli.protocols.catalog import Catalog
from incident_cli.protocols.protocol import Protocol
from incident_cli.protocols.slot import BoundSlot, Market
from incident_cli.units import Span

NOW, HEIGHT, BLOCK_SECONDS = 1_700_000_000, 1_000_000, 12
ID = "0x" + "ab" * 32
SURFACE = b"(%s)" % b", ".join(
    b"uint256[] " + one for one in (b"expiries", b"strikes", b"calls", b"puts", b"forwards", b"discounts", b"ivs")
)
DESK = b"""
protocol: desk
source: made up for the tests
slots: {desk: address}
reads:
  mark: {on: desk, call: "mark(bytes32 market) returns (uint256)"}
  current: {on: desk, call: "current() returns (bytes32)"}
  odd: {on: desk, call: "odd() returns (bool)"}
  latest_round: {on: desk, call: "latestRound() returns (uint256, string)"}
  decimals: {on: desk, call: "decimals() returns (int8)"}
  surface: {on: desk, call: "surface(bytes32 market) returns SURFACE"}
  lens: {on: desk, call: "lens() returns SURFACE"}
"""


def desk_protocol() -> Protocol:
    """The made-up protocol."""
    document = parse_document(DESK.replace(b"SURFACE", SURFACE), "desk.yaml")
    found = Binder(document).root(Protocol)
    assert found is not None, document.problems
    return found


def shipped(name: str) -> Protocol:
    """A protocol of the catalogue."""
    found = Catalog().find(name)
    assert found is not None
    return found


def slot(name: str, protocol: Protocol, number: int, chain: str = "ethereum") -> BoundSlot:
    """A slot at a made-up address that is its own checksum."""
    return BoundSlot(name, protocol, chain, dict.fromkeys(protocol.slots, Address(f"0x{number:040d}")))


FEED, OWN = shipped("chainlink-feed"), desk_protocol()
SLOTS = {
    "feed": slot("feed", FEED, 1),
    "reference": slot("reference", FEED, 2),
    "third": slot("third", FEED, 3),
    "remote": slot("remote", FEED, 4, "arbitrum"),
    "pyth": slot("pyth", shipped("pyth"), 5),
    "pool": slot("pool", shipped("uniswap-v3-pool"), 6),
    "sequencer": slot("sequencer", shipped("sequencer-uptime"), 7),
    "desk": slot("desk", OWN, 8),
}
ETH = Market("ETH-USD", b"\x01" * 32)
BENCHMARKS = {
    "cex": BenchmarkRead("cex", "https://prices.example/eth", "/price", "/time"),
    "timeless": BenchmarkRead("timeless", "https://prices.example/eth", "/price"),
}
WIRING = Wiring(SLOTS, {"market": ETH, "max": 150}, BENCHMARKS)
SCOPE = {"market": Given("market", "ETH-USD"), "max": Given("bps", 150), "grace": Given("duration", 60)}
T = TypeVar("T")
Answer = tuple[object, ...] | Missing
Served = Answer | Callable[[int], Answer]


def make(text: str) -> Check:
    """A check from `kind: {…}` in YAML; raises ValueError with every problem."""
    kind, _, parameters = text.partition(":")
    return bound(KINDS[kind.strip()], parameters)


def source(text: str) -> PriceSource:
    """A source from `word: {…}` in YAML, without its `from`; raises ValueError."""
    word, _, parameters = text.partition(":")
    return bound(SOURCES[word.strip()], parameters)


def bound(cls: type[T], text: str) -> T:
    """An instance from YAML; raises ValueError."""
    document = parse_document(text.strip().encode(), "test.yaml")
    found = Binder(document, SCOPE).root(cls)
    if found is None or document.problems:
        raise ValueError("; ".join(f"{one.message} {one.hint}" for one in document.problems))
    return found


def served(price: int, age: int = 12, round_id: int = 7, answered_in: int = 7) -> tuple[object, ...]:
    """What latestRoundData answers."""
    return (round_id, price, NOW - age, NOW - age, answered_in)


def block_at(ago: Span, chain: str = "ethereum") -> Block:
    """The last block that is not later than that, in a chain of one block every 12 seconds."""
    height = HEIGHT - (ago.blocks or -(-ago.seconds // BLOCK_SECONDS))
    return Block(chain, height, f"0x{height:064x}", NOW - (HEIGHT - height) * BLOCK_SECONDS)


@dataclass(frozen=True, slots=True)
class Prices:
    """Answers by (slot or benchmark, function): a tuple, or a function of how many seconds ago."""

    answers: Mapping[tuple[str, str], Served] = field(default_factory=dict)
    broken: Callable[[Read], bool] = lambda read: False
    others: Mapping[str, Block] = field(default_factory=dict)

    def asked(self, check: Check, wiring: Wiring = WIRING) -> tuple[Read, ...]:
        """What both rounds read."""
        first = check.reads(wiring)
        return tuple(dict.fromkeys((*first, *check.then(wiring, self.snapshot(first)))))

    def judge(self, check: Check, wiring: Wiring = WIRING) -> Reading:
        """What a check says of it."""
        return check.judge(wiring, self.snapshot(self.asked(check, wiring)))

    def price(self, one: PriceSource, wiring: Wiring = WIRING) -> SourceReading:
        """What a source answers."""
        first = one.reads(wiring)
        return one.price(wiring, self.snapshot((*first, *one.then(wiring, self.snapshot(first)))))

    def snapshot(self, reads: tuple[Read, ...]) -> Snapshot:
        """The answers, at one block."""
        spans = {one.ago for one in reads if isinstance(one, PastRead)}
        past_blocks = {("ethereum", span): block_at(span) for span in spans}
        return Snapshot(block_at(Span()), {one: self.answer(one) for one in reads}, self.others, past_blocks)

    def answer(self, read: Read) -> Answer:
        """What one read is answered."""
        if self.broken(read):
            return Missing("it timed out")
        base, ago = (read.read, read.ago) if isinstance(read, PastRead) else (read, Span())
        if isinstance(base, BenchmarkRead):
            value = self.answers.get((base.name, "number"), Missing("it timed out"))
        else:
            assert isinstance(base, CallRead)
            name = next(one.name for one in SLOTS.values() if base.to in one.addresses.values())
            value = self.answers.get((name, base.signature.name), Missing("it reverted"))
        return value(NOW - block_at(ago).timestamp) if callable(value) else value

    def without(self, read: Read) -> Prices:
        """The same, with one read that cannot be answered."""
        return replace(self, broken=lambda one: one == read)

    def with_(self, **answers: Served) -> Prices:
        """The same with other answers, by `slot__function`."""
        changed = {(key.split("__")[0], key.split("__")[1]): value for key, value in answers.items()}
        return replace(self, answers={**self.answers, **changed})


def feeds(**prices: int) -> Prices:
    """Chainlink-style feeds of eight decimals, just updated, by slot."""
    rounds: dict[tuple[str, str], Served] = {(name, "latestRoundData"): served(one) for name, one in prices.items()}
    return Prices({**rounds, **{(name, "decimals"): (8,) for name in prices}})
