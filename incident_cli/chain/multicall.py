"""Multicall3's aggregate3: many view calls in one, each answering for itself, and the block they all saw.

Source: mds1/multicall3, Multicall3.sol. Each round begins with its own three reads of the block.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import accumulate

from incident_cli.abi import decode, parse_signature
from incident_cli.evm import Address, hex_bytes, to_hex
from incident_cli.text import plain

WORD = 32
MULTICALL3 = Address("0xcA11bde05977b3631167028862bE2a173976CA11")
AGGREGATE3 = parse_signature(
    "aggregate3((address target, bool allowFailure, bytes callData)[] calls)"
    " returns ((bool success, bytes returnData)[])"
)
BLOCK_READS = tuple(
    parse_signature(text).selector
    for text in (
        "getBlockNumber() returns (uint256)",
        "getLastBlockHash() returns (bytes32)",
        "getCurrentBlockTimestamp() returns (uint256)",
    )
)


CREATION_PREAMBLE = bytes.fromhex("608060405234801561001057600080fd5b50610ee0806100206000396000f3fe")
RUNTIME_BYTES = 0xEE0


@functools.cache
def runtime_code() -> bytes:
    """Multicall3's code, for a chain that has none: what its creation code, shipped by safe-eth-py, returns.

    Read from the source text: importing safe-eth-py takes longer than most incidents have patience for.
    """
    text = (resources.files("safe_eth") / "eth" / "contracts" / "abis" / "multicall.py").read_text(encoding="utf-8")
    creation = assigned_value(text, "multicall_v3_bytecode")
    if not isinstance(creation, bytes) or not creation.startswith(CREATION_PREAMBLE):
        raise ValueError("safe-eth-py ships another Multicall3 than the one this was written for")
    return creation[len(CREATION_PREAMBLE) :][:RUNTIME_BYTES]


def assigned_value(source: str, name: str) -> object:
    """The literal that a module assigns to a name, without running the module."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == name for one in node.targets):
            return ast.literal_eval(node.value)
    raise ValueError(f"no {name} in safe-eth-py's multicall module")


@dataclass(frozen=True, slots=True)
class Target:
    """One call of a round: calldata to an address."""

    to: Address
    data: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """What one call answered: its return data, or its revert data where `success` is False."""

    success: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """The block a round saw from inside: its number, its parent's hash (0x hex) and its timestamp (seconds)."""

    number: int
    parent_hash: str
    timestamp: int


ALLOWED_TO_FAIL = (1).to_bytes(WORD) + (3 * WORD).to_bytes(WORD)  # and the calldata begin behind three words


def encode_round(targets: Sequence[Target]) -> bytes:
    """The calldata of aggregate3: the reads of the block, then `targets`, every one allowed to fail."""
    calls = [*(Target(MULTICALL3, selector) for selector in BLOCK_READS), *targets]
    # Packed here: eth_abi spends 35 microseconds on each tuple, which is most of the time of a round.
    tuples = [encode_target(one) for one in calls]
    places = accumulate((len(one) for one in tuples[:-1]), initial=WORD * len(tuples))
    offsets = b"".join(word(place) for place in places)
    return AGGREGATE3.selector + word(WORD) + word(len(tuples)) + offsets + b"".join(tuples)


def encode_target(target: Target) -> bytes:
    """The tuple (address target, bool allowFailure, bytes callData)."""
    padding = bytes(-len(target.data) % WORD)
    return address_word(target.to) + ALLOWED_TO_FAIL + word(len(target.data)) + target.data + padding


@functools.lru_cache(maxsize=4_096)
def address_word(address: Address) -> bytes:
    """An address as a word."""
    return hex_bytes(address).rjust(WORD, b"\0")


def decode_round(data: bytes, count: int) -> tuple[Seen, list[Result]]:
    """What the round saw of its block, and its `count` results; raises ValueError where the data are no such round."""
    if not data:
        raise ValueError("no Multicall3 answered")
    start, whole = word_at(data, 0), count + len(BLOCK_READS)
    if word_at(data, start) != whole:
        raise ValueError("Multicall3 answered another number of calls")
    base = start + WORD
    if base + WORD * whole > len(data):
        raise ValueError("the answer of Multicall3 is cut off")
    offsets = [int.from_bytes(data[at : at + WORD]) for at in range(base, base + WORD * whole, WORD)]
    results = [decode_pair(data, base + offset) for offset in offsets]
    if sum(len(one.data) for one in results) > len(data):
        raise ValueError("the answers of Multicall3 overlap")
    return decode_seen(results[: len(BLOCK_READS)]), results[len(BLOCK_READS) :]


def decode_pair(data: bytes, at: int) -> Result:
    """The tuple (bool success, bytes returnData) at a place; raises ValueError."""
    if at + 2 * WORD > len(data):
        raise ValueError("the answer of Multicall3 is cut off")
    success, start = int.from_bytes(data[at : at + WORD]), at + int.from_bytes(data[at + WORD : at + 2 * WORD])
    size = word_at(data, start)
    if success > 1 or start + WORD + size > len(data):
        raise ValueError("an answer of Multicall3 is malformed")
    return Result(success == 1, data[start + WORD : start + WORD + size])


def word(number: int) -> bytes:
    """32 bytes, big-endian."""
    return number.to_bytes(WORD, "big")


def word_at(data: bytes, at: int) -> int:
    """The word at a place; raises ValueError beyond the end."""
    if at + WORD > len(data):
        raise ValueError("the answer of Multicall3 is cut off")
    return int.from_bytes(data[at : at + WORD], "big")


def decode_seen(results: Sequence[Result]) -> Seen:
    """The block from the first three results of a round; raises ValueError."""
    if not all(one.success and len(one.data) == 32 for one in results):
        raise ValueError("Multicall3 did not say which block it saw")
    number, parent, timestamp = (one.data for one in results)
    return Seen(int.from_bytes(number), "0x" + parent.hex(), int.from_bytes(timestamp))


PANICS = {
    0x01: "an assertion failed",
    0x11: "an arithmetic overflow",
    0x12: "a division by zero",
    0x21: "a value outside its enum",
    0x22: "a wrongly encoded storage array",
    0x31: "a pop from an empty array",
    0x32: "an index outside its array",
    0x41: "too much memory",
    0x51: "a call to an uninitialised function",
}
ERROR_SELECTOR = bytes.fromhex("08c379a0")
PANIC_SELECTOR = bytes.fromhex("4e487b71")


def revert_reason(data: bytes) -> str:
    """Why a call reverted, in words: Error(string), Panic(uint256), or a custom error's selector. Sanitised."""
    if not data:
        return "reverted without a reason"
    try:
        if data[:4] == ERROR_SELECTOR:
            return f"reverted: {plain(decode(['string'], data[4:])[0], 200)}"
        if data[:4] == PANIC_SELECTOR and len(data) == 36:
            code = int.from_bytes(data[4:])
            return f"panicked: {PANICS.get(code, 'an unknown code')} (0x{code:02x})"
    except ValueError:
        pass
    shown = to_hex(data[:68]) + ("…" if len(data) > 68 else "")
    return f"reverted with the custom error {shown}"
