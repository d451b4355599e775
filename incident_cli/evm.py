"""Values of an EVM chain: addresses, blocks, reads, calls and snapshots. Nothing here does IO.

A read says *what* to ask; a snapshot holds what was answered, all at one block. An answer that could not
be had is a `Missing` with its reason, never a default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NewType

from incident_cli.units import NO_SPAN, Span

if TYPE_CHECKING:
    from incident_cli.abi import Signature
    from incident_cli.abi_events import EventSignature

Address = NewType("Address", str)
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
DIGITS = re.compile(r"[0-9a-f]*")
BYTES32 = re.compile(r"0x[0-9a-fA-F]{64}")
ZERO = Address("0x" + "0" * 40)


def keccak(data: bytes) -> bytes:
    """Keccak-256, the hash of the EVM (not NIST's SHA3-256)."""
    from Crypto.Hash import keccak as crypto_keccak

    return crypto_keccak.new(data=data, digest_bits=256).digest()


def checksummed(address: str | bytes) -> Address:
    """The EIP-55 form of 20 bytes or 40 hex digits, whatever case they came in."""
    digits = address.hex() if isinstance(address, bytes) else address.removeprefix("0x").lower()
    if len(digits) != 40:
        raise ValueError(f"an address has 20 bytes, this has {len(digits) / 2:g}")
    if not DIGITS.fullmatch(digits):
        raise ValueError("an address is written in hex digits")
    hashed = keccak(digits.encode()).hex()
    pairs = zip(digits, hashed, strict=False)
    return Address("0x" + "".join(c.upper() if int(h, 16) >= 8 else c for c, h in pairs))


def parse_address(text: str) -> Address:
    """An address as people must write it: whole and with its checksum; raises ValueError saying what is wrong."""
    if not ADDRESS.fullmatch(text):
        raise ValueError("an address is 0x and 40 hex digits, never abbreviated")
    if text != checksummed(text):
        raise ValueError(f"the checksum is wrong: a digit was mistyped, or it should read {checksummed(text)}")
    return Address(text)


def hex_bytes(text: str) -> bytes:
    """Bytes from 0x-prefixed hex; raises ValueError."""
    if not text.startswith("0x"):
        raise ValueError("hex data begin with 0x")
    if not DIGITS.fullmatch(text[2:].lower()):
        raise ValueError("hex data hold hex digits only")
    return bytes.fromhex(text[2:])


def to_hex(data: bytes) -> str:
    """0x-prefixed lower-case hex."""
    return "0x" + data.hex()


@dataclass(frozen=True, slots=True)
class Block:
    """One block of one chain. `timestamp` is in seconds since the epoch, as the chain states it."""

    chain: str
    number: int
    hash: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class CallRead:
    """A view call: `signature` with its outputs, asked of `to`. The answer is the tuple of decoded outputs.

    `path` says which part of the answer is its value: the first output, unless it leads elsewhere or into a tuple.
    Here and in the other reads, `chain` is the chain it is asked on; empty is the chain of the incident.
    """

    to: Address
    signature: Signature
    args: tuple[object, ...] = ()
    chain: str = ""
    path: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class CodeRead:
    """The deployed code of an address. The answer is a tuple with one bytes value, empty where there is no code."""

    to: Address
    chain: str = ""


@dataclass(frozen=True, slots=True)
class StorageRead:
    """One word of an address's storage, at `position`. The answer is a tuple with its 32 bytes."""

    to: Address
    position: int
    chain: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """One event as it was logged: its block, that block's time (seconds; interpolated where the node gives none)."""

    block: int
    timestamp: int
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class LogsRead:
    """The events of one kind that a contract logged in the `window` before the block (its own events included).

    `topics` are the topics after the first, None for any. The answer is a tuple of `Log`, oldest first. `until`
    moves the whole window back.
    """

    to: Address
    event: EventSignature
    window: Span
    topics: tuple[str | None, ...] = ()
    until: Span = NO_SPAN
    chain: str = ""


@dataclass(frozen=True, slots=True)
class BenchmarkRead:
    """A number from an HTTPS JSON service: it belongs to no block. The answer: units of 10^-18, and a time or None."""

    name: str
    url: str
    pointer: str
    time_pointer: str = ""
    chain: str = ""


StateRead = CallRead | CodeRead | StorageRead


@dataclass(frozen=True, slots=True)
class PastRead:
    """What a read answered `ago` before the block: at the last block whose time is not later than that."""

    read: StateRead
    ago: Span

    @property
    def chain(self) -> str:
        """The chain of the read."""
        return self.read.chain


Read = CallRead | CodeRead | StorageRead | LogsRead | BenchmarkRead | PastRead


def past(read: Read, ago: Span) -> Read:
    """The same read that much earlier; raises ValueError where seconds and blocks would have to be added."""
    if isinstance(read, PastRead):
        return PastRead(read.read, added(read.ago, ago))
    if isinstance(read, LogsRead):
        return replace(read, until=added(read.until, ago))
    return read if isinstance(read, BenchmarkRead) else PastRead(read, ago)


def added(one: Span, other: Span) -> Span:
    """Two spans of one unit in a row; raises ValueError."""
    return Span(one.seconds + other.seconds, one.blocks + other.blocks)


def path_of(read: Read) -> tuple[int, ...]:
    """Which part of its answer is a read's value."""
    asked = read.read if isinstance(read, PastRead) else read
    return asked.path if isinstance(asked, CallRead) else (0,)


def part_of(answer: object, path: tuple[int, ...]) -> object:
    """The part of a decoded answer that a path leads to; Missing where it leads nowhere."""
    for place in path:
        if not isinstance(answer, tuple | list) or place >= len(answer):
            return Missing("the answer has no such part")
        answer = answer[place]
    return answer


@dataclass(frozen=True, slots=True)
class Missing:
    """An answer that could not be had, and why (sanitised)."""

    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The answers to a round of reads, all at `block` of the incident's chain and at `others` of other chains.

    `past_blocks` says at which block each chain was read for each span of the past. `ago` is set in a view of the
    past (see `back`).
    """

    block: Block
    answers: Mapping[Read, tuple[object, ...] | Missing] = field(default_factory=dict)
    others: Mapping[str, Block] = field(default_factory=dict)
    past_blocks: Mapping[tuple[str, Span], Block] = field(default_factory=dict)
    ago: Span = NO_SPAN

    def answer(self, read: Read) -> tuple[object, ...] | Missing:
        """The decoded outputs, or why there are none."""
        if self.ago:
            if isinstance(read, BenchmarkRead):
                return Missing("a benchmark belongs to no block: its past cannot be read")
            try:
                read = past(read, self.ago)
            except ValueError:
                return Missing("seconds and blocks of the past cannot be added")
        return self.answers.get(read, Missing("it was not read"))

    def value(self, read: Read) -> object | Missing:
        """The first output, or what the read's path leads to; or why there is none."""
        found = self.answer(read)
        if isinstance(found, Missing):
            return found
        return part_of(found, path_of(read)) if found else Missing("the call answered nothing")

    def block_of(self, chain: str) -> Block | Missing:
        """The block of a chain at which this snapshot was read."""
        if chain in ("", self.block.chain):
            return self.block
        return self.others.get(chain, Missing(f"the chain {chain} was not read"))

    def back(self, ago: Span) -> Snapshot | Missing:
        """This snapshot as it was `ago` earlier on every chain; its reads must have been made with `past`."""
        try:
            whole = added(self.ago, ago)
        except ValueError:
            return Missing("seconds and blocks of the past cannot be added")
        blocks = {chain: block for (chain, span), block in self.past_blocks.items() if span == whole}
        main = blocks.pop(self.block.chain, None)
        if main is None:
            return Missing(f"the block {whole} ago was not read")
        return Snapshot(main, self.answers, blocks, self.past_blocks, whole)


@dataclass(frozen=True, slots=True)
class Call:
    """A call that changes state: `signature` with `args`, sent to `to` with `value` wei."""

    to: Address
    signature: Signature
    args: tuple[object, ...] = ()
    value: int = 0

    @property
    def data(self) -> bytes:
        """The calldata."""
        from incident_cli.abi import encode_call

        return encode_call(self.signature, self.args)
