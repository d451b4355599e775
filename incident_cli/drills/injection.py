"""What a fork drill injects: a word of storage, a feed's answer, a view's answer, or other code that does the same.

Each knows the addresses whose code it replaces, prepares itself on the fork (what must be read is read before anything
is begun), is injected at a block, and gives back what ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from incident_cli.abi import Signature, decode, encode, encode_call, parse_signature
from incident_cli.drills.artefacts import artefact
from incident_cli.drills.fork import Fork
from incident_cli.drills.interceptor import forwarder, interceptor
from incident_cli.errors import Misused, Unread
from incident_cli.evm import Address, Block, CallRead, checksummed, hex_bytes, keccak, to_hex
from incident_cli.transport import Request, RpcError

NO_CODE = "0x"
IMPLEMENTATION = to_hex((int.from_bytes(keccak(b"eip1967.proxy.implementation")) - 1).to_bytes(32))
LATEST_ROUND = parse_signature("latestRoundData() returns (uint80, int256, uint256, uint256, uint80)")
DECIMALS = parse_signature("decimals() returns (uint8)")
Undo = Callable[[Block], None]
Inject = Callable[[Block], Undo]


class Injection(Protocol):
    """One injection: after how many blocks, in words, and whose code it replaces."""

    @property
    def at_block(self) -> int:
        """After how many blocks of the fork."""

    @property
    def words(self) -> str:
        """What it does."""

    @property
    def replaces(self) -> Address | None:
        """The address whose code is another afterwards."""

    def prepare(self, fork: Fork) -> Inject:
        """What injects it; raises Misused where it cannot serve there, Unread."""


@dataclass(frozen=True, slots=True)
class StorageInjection:
    """A word of storage; it is put back unless something else was written there since."""

    at_block: int
    words: str
    address: Address
    position: str
    value: str
    replaces: Address | None = None

    def prepare(self, fork: Fork) -> Inject:
        """The contract must be there."""
        require_code(fork, self.address)

        def inject(block: Block) -> Undo:
            return write(fork, self.address, self.position, self.value)

        return inject


@dataclass(frozen=True, slots=True)
class AnswerInjection:
    """A view that answers `value` at its read's place, whatever the contract's state says."""

    at_block: int
    words: str
    read: CallRead
    value: object

    @property
    def replaces(self) -> Address | None:
        """The contract that is asked."""
        return self.read.to

    def prepare(self, fork: Fork) -> Inject:
        """Of several outputs, the others stay as they are now."""
        require_code(fork, self.read.to)
        answer = self.answer(fork)

        def inject(block: Block) -> Undo:
            calldata = encode_call(self.read.signature, self.read.args)
            return replaced(fork, self.read.to, lambda copy: interceptor(copy, calldata, answer))

        return inject

    def answer(self, fork: Fork) -> bytes:
        """The whole answer as the ABI has it."""
        types = self.read.signature.output_types
        if len(types) == 1 and self.read.path == (0,):
            return encode(types, (self.value,))
        return encode(types, with_part(view(fork, self.read.to, self.read), self.read.path, self.value))


@dataclass(frozen=True, slots=True)
class FeedInjection:
    """A feed's answer, `age` seconds old; without an age there is a new round at every block. When the fault ends, the
    feed says what it said before, in new rounds: on a fork nobody else reports."""

    at_block: int
    words: str
    address: Address
    answer: Decimal
    age: int | None

    @property
    def replaces(self) -> Address | None:
        """The feed."""
        return self.address

    def prepare(self, fork: Fork) -> Inject:
        """The real feed must answer: its decimals scale the price, and its last round is followed by the next."""
        require_code(fork, self.address)
        (decimals,) = view(fork, self.address, CallRead(self.address, DECIMALS))
        latest = view(fork, self.address, CallRead(self.address, LATEST_ROUND))
        if not isinstance(decimals, int) or not isinstance(latest[0], int):
            raise Unread(f"the feed at {self.address} does not answer as one")
        scaled, first, before = scaled_by(self.answer, decimals), latest[0] + 1, latest[1]

        def inject(block: Block) -> Undo:
            copy = copied(fork, self.address)
            updated = 0 if self.age is None else block.timestamp - self.age
            fork.set_code(self.address, mock(fork, (copy, scaled, first, block.timestamp, updated)))
            return lambda now: fork.set_code(
                self.address, mock(fork, (copy, before, first + now.timestamp - block.timestamp, now.timestamp, 0))
            )

        return inject


@dataclass(frozen=True, slots=True)
class CodeInjection:
    """Other code that does the same: every call is handed to a copy of the real code."""

    at_block: int
    words: str
    address: Address

    @property
    def replaces(self) -> Address | None:
        """The contract."""
        return self.address

    def prepare(self, fork: Fork) -> Inject:
        """The contract must be there."""
        require_code(fork, self.address)

        def inject(block: Block) -> Undo:
            return replaced(fork, self.address, forwarder)

        return inject


@dataclass(frozen=True, slots=True)
class ImplementationInjection:
    """A proxy (EIP-1967) that runs a copy of its implementation at another address."""

    at_block: int
    words: str
    address: Address

    @property
    def replaces(self) -> Address | None:
        """The proxy: what it runs is pinned as its code is."""
        return self.address

    def prepare(self, fork: Fork) -> Inject:
        """It must be such a proxy."""
        if not int(fork.word(self.address, IMPLEMENTATION), 16):
            raise Misused(f"{self.address} is no proxy: it has no implementation (EIP-1967)", "change its code instead")

        def inject(block: Block) -> Undo:
            inner = checksummed(fork.word(self.address, IMPLEMENTATION)[-40:])
            copy = copied(fork, inner)
            return write(fork, self.address, IMPLEMENTATION, word_of(copy))

        return inject


def require_code(fork: Fork, address: Address) -> None:
    """Raise Misused where no contract stands there."""
    if fork.code(address) == NO_CODE:
        raise Misused(f"there is no contract at {address} on the fork", "correct the scenario, or the deployment")


def view(fork: Fork, to: Address, read: CallRead) -> tuple[object, ...]:
    """What a view answers now; raises Unread."""
    return called(fork, to, read.signature, encode_call(read.signature, read.args))


def called(fork: Fork, to: Address, signature: Signature, data: bytes) -> tuple[object, ...]:
    """The decoded outputs of a call; raises Unread."""
    (answer,) = fork.endpoint.exchange([Request("eth_call", ({"to": to, "data": to_hex(data)}, "latest"))])
    try:
        if isinstance(answer, RpcError) or not isinstance(answer, str):
            raise ValueError("it does not answer")
        return decode(signature.output_types, hex_bytes(answer))
    except ValueError as problem:
        raise Unread(f"{signature.name} of {to} could not be read on the fork: {problem}") from problem


def with_part(answer: tuple[object, ...], path: tuple[int, ...], value: object) -> tuple[object, ...]:
    """An answer with another value at the place that a path leads to."""
    place, *rest = path
    inner = answer[place]
    part = with_part(tuple(inner), tuple(rest), value) if rest and isinstance(inner, tuple | list) else value
    return (*answer[:place], part, *answer[place + 1 :])


def scaled_by(answer: Decimal, decimals: int) -> int:
    """A price in a feed's units; raises Misused where the feed has fewer decimals."""
    shifted = answer.scaleb(decimals)
    if shifted != shifted.to_integral_value():
        raise Misused(f"the feed has {decimals} decimals, {answer} has more", "correct the scenario's answer")
    return int(shifted)


def mock(fork: Fork, args: tuple[object, ...]) -> str:
    """Runtime code of the feed that answers what it was made with."""
    creation = to_hex(artefact("forked_feed").creation(args))
    return str(fork.rpc("eth_call", {"data": creation}, "latest"))


def replaced(fork: Fork, address: Address, made: Callable[[Address], bytes]) -> Undo:
    """Put other code in front of a copy of a contract's; the code is put back at the end."""
    before = fork.code(address)
    fork.set_code(address, to_hex(made(copied(fork, address))))
    return lambda block: fork.set_code(address, before)


def copied(fork: Fork, address: Address) -> Address:
    """A copy of a contract's code at an address that has none."""
    number = 0
    while fork.code(copy := copy_address(address, number)) != NO_CODE:
        number += 1
    fork.set_code(copy, fork.code(address))
    return copy


def copy_address(address: Address, number: int) -> Address:
    """Where the copies of a contract's code are put."""
    return checksummed(keccak(b"incident fork copy" + hex_bytes(address) + number.to_bytes(4))[-20:])


def write(fork: Fork, address: Address, position: str, value: str) -> Undo:
    """Write a word; at the end it is put back unless something else was written there since."""
    position, value = (f"0x{int(one, 16):064x}" for one in (position, value))
    before = fork.word(address, position)
    fork.set_word(address, position, value)

    def undo(block: Block) -> None:
        if fork.word(address, position) == value:
            fork.set_word(address, position, before)

    return undo


def word_of(address: Address) -> str:
    """An address as a word."""
    return "0x" + address[2:].lower().rjust(64, "0")
