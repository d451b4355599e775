"""A made-up protocol and its past, which answers whatever a check asks: values by read and moment, and events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from incident_cli.binding import Binder
from incident_cli.checks.check import Check, Reading, Wiring
from incident_cli.checks.registry import KINDS
from incident_cli.document import parse_document
from incident_cli.evm import (
    Address,
    Block,
    CallRead,
    CodeRead,
    Log,
    LogsRead,
    Missing,
    PastRead,
    Read,
    Snapshot,
    StorageRead,
)
from incident_cli.protocols.catalog import Catalog
from incident_cli.protocols.protocol import Protocol
from incident_cli.protocols.slot import BoundSlot, Market
from incident_cli.units import Span, Token

NOW, HEIGHT = 1_700_000_000, 1_000_000
BLOCK_SECONDS = 12
LEDGER = b"""
protocol: ledger
source: made up for the tests
slots: {ledger: address, other: address}
reads:
  pool: {on: ledger, call: "pool() returns (uint256)", unit: USDC}
  debts: {on: ledger, call: "debts() returns (uint256)", unit: USDC}
  fund: {on: ledger, call: "fund() returns (uint256)", unit: USDC}
  loss: {on: ledger, call: "loss() returns (uint256)", unit: USDC}
  number: {on: ledger, call: "number() returns (int256)"}
  owner: {on: ledger, call: "owner() returns (address)"}
  fee: {on: ledger, call: "fee() returns (uint256)", unit: bps}
  is_open: {on: ledger, call: "isOpen() returns (bool)"}
  root: {on: ledger, call: "root() returns (bytes32)"}
  pair: {on: ledger, call: "pair() returns (uint256 first, address second)"}
  label: {on: ledger, call: "label() returns (string)"}
  worth: {on: ledger, call: "worth(uint256 shares) returns (uint256)", unit: USDC}
  cursed: {on: ledger, call: "cursed(bytes16 subject) returns (bool)"}
  owed: {on: ledger, call: "owed(bytes32 market) returns (uint256)", unit: USDC}
events:
  paid: {on: ledger, event: "Paid(bytes32 indexed market, address indexed account, uint256 amount, string note)"}
  moved: {on: ledger, event: "Moved(int256 amount)"}
"""


def protocol() -> Protocol:
    """The made-up protocol."""
    document = parse_document(LEDGER, "ledger.yaml")
    found = Binder(document).root(Protocol)
    assert found is not None, document.problems
    return found


def shipped(name: str) -> Protocol:
    """A protocol of the catalogue."""
    found = Catalog().find(name)
    assert found is not None
    return found


def address(number: int) -> Address:
    """An address without letters, so that it is its own checksum."""
    return Address(f"0x{number:040d}")


ETH, BTC = Market("ETH-USD", b"\x01" * 32), Market("BTC-USD", b"\x02" * 32)
USDC, WETH = Token("USDC", 6), Token("WETH", 18)
SLOTS = {
    "book": BoundSlot("book", protocol(), "ethereum", {"ledger": address(1), "other": address(2)}),
    "timelock": BoundSlot(
        "timelock", shipped("timelock"), "ethereum", {"timelock": address(3), "proposer": address(4)}
    ),
    "vault": BoundSlot("vault", shipped("erc4626"), "ethereum", {"vault": address(5)}),
    "proxy": BoundSlot("proxy", shipped("erc1967-proxy"), "ethereum", {"proxy": address(6)}),
}
WIRING = Wiring(SLOTS, {"market": ETH, "guardian": address(9), "ceiling": 7}, tokens={"USDC": USDC, "WETH": WETH})
Value = object | Callable[[int, tuple[object, ...]], object]


def make(text: str) -> Check:
    """A check from `{kind: …}` as YAML; raises ValueError with every problem."""
    kind, _, rest = text.strip().removeprefix("{kind: ").partition(",")
    document = parse_document(("{" + rest.lstrip()).encode(), "check.yaml")
    check = Binder(document).root(KINDS[kind.strip()])
    if check is None or document.problems:
        raise ValueError("; ".join(f"{one.message} {one.hint}" for one in document.problems))
    return check


@dataclass(frozen=True, slots=True)
class Ledger:
    """Answers by the name of the function: a value, or a function of how long ago and the arguments."""

    values: Mapping[str, Value] = field(default_factory=dict)
    events: tuple[tuple[str, Log], ...] = ()
    storage: Callable[[int], object] = lambda ago: bytes(32)
    code: Callable[[int], object] = lambda ago: b"\x60"
    broken: Callable[[Read], bool] = lambda read: False

    def asked(self, check: Check, wiring: Wiring = WIRING) -> tuple[tuple[Read, ...], Snapshot]:
        """Both rounds, as a runner makes them."""
        first = check.reads(wiring)
        later = check.then(wiring, self.snapshot(first))
        return tuple(dict.fromkeys((*first, *later))), self.snapshot((*first, *later))

    def judge(self, check: Check, wiring: Wiring = WIRING) -> Reading:
        """What the check says of it."""
        return check.judge(wiring, self.asked(check, wiring)[1])

    def snapshot(self, reads: tuple[Read, ...]) -> Snapshot:
        """The answers, at one block, and the blocks of the past that were asked for."""
        spans = {one.ago for one in reads if isinstance(one, PastRead)}
        return Snapshot(
            block_at(Span()),
            {one: self.answer(one) for one in reads},
            past_blocks={("ethereum", span): block_at(span) for span in spans},
        )

    def answer(self, read: Read) -> tuple[object, ...] | Missing:
        """What one read is answered."""
        if self.broken(read):
            return Missing("it timed out")
        if isinstance(read, LogsRead):
            return tuple(log for name, log in self.events if name == read.event.name and fits(read, log))
        base, ago = (read.read, seconds(read.ago)) if isinstance(read, PastRead) else (read, 0)
        if isinstance(base, StorageRead):
            return (self.storage(ago),)
        if isinstance(base, CodeRead):
            return (self.code(ago),)
        assert isinstance(base, CallRead)
        value = self.values.get(base.signature.name, Missing("it reverted"))
        value = value(ago, base.args) if callable(value) else value
        return value if isinstance(value, Missing | tuple) else (value,)

    def without(self, read: Read) -> Ledger:
        """The same, with one read that cannot be answered."""
        return replace(self, broken=lambda one: one == read)


def seconds(span: Span) -> int:
    """How long ago, in seconds."""
    return span.seconds or span.blocks * BLOCK_SECONDS


def block_at(span: Span) -> Block:
    """The block so long ago."""
    ago = seconds(span)
    return Block("ethereum", HEIGHT - ago // BLOCK_SECONDS, f"0x{ago:064x}", NOW - ago)


def fits(read: LogsRead, log: Log) -> bool:
    """Whether a log lies in the window and has the topics."""
    end = NOW - seconds(read.until)
    if not end - seconds(read.window) < log.timestamp <= end:
        return False
    indexed = [(one, value) for one, value in zip(read.event.inputs, log.values, strict=True) if one.indexed]
    wanted = zip(indexed, read.topics, strict=False)
    return all(topic is None or read.event.topic_of(one.name, value) == topic for (one, value), topic in wanted)


def log_at(ago: int, *values: object) -> Log:
    """A log so many seconds ago."""
    return Log(HEIGHT - ago // BLOCK_SECONDS, NOW - ago, values)


def paid(ago: int, amount: int, market: Market = ETH) -> tuple[str, Log]:
    """A payment of base units."""
    return "Paid", log_at(ago, market.id, address(8), amount, "")


def scheduled(ago: int, id_: int, target: int = 7, delay: int = 86_400, index: int = 0) -> tuple[str, Log]:
    """A call of an operation that was scheduled."""
    values = (bytes([id_]) * 32, index, address(target), 0, b"\x12\x34\x56\x78\x00", bytes(32), delay)
    return "CallScheduled", log_at(ago, *values)


def history(*values: object, every: int) -> Callable[[int, tuple[object, ...]], object]:
    """Values of the past, the newest first, one for each `every` seconds."""
    return lambda ago, args: values[min(ago // every, len(values) - 1)]
