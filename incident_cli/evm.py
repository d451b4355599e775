"""Values of an EVM chain: addresses, blocks, reads, calls and snapshots. Nothing here does IO.

A read says *what* to ask; a snapshot holds what was answered, all at one block. An answer that could not
be had is a `Missing` with its reason, never a default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    from incident_cli.abi import Signature

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
    """A view call: `signature` with its outputs, asked of `to`. The answer is the tuple of decoded outputs."""

    to: Address
    signature: Signature
    args: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class CodeRead:
    """The deployed code of an address. The answer is a tuple with one bytes value, empty where there is no code."""

    to: Address


Read = CallRead | CodeRead


@dataclass(frozen=True, slots=True)
class Missing:
    """An answer that could not be had, and why (sanitised)."""

    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The answers to a round of reads, all at `block`."""

    block: Block
    answers: Mapping[Read, tuple[object, ...] | Missing] = field(default_factory=dict)

    def answer(self, read: Read) -> tuple[object, ...] | Missing:
        """The decoded outputs, or why there are none."""
        return self.answers.get(read, Missing("it was not read"))

    def value(self, read: Read) -> object | Missing:
        """The first output, or why there is none."""
        found = self.answer(read)
        if isinstance(found, Missing):
            return found
        return found[0] if found else Missing("the call answered nothing")


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
