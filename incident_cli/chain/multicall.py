"""Multicall3's aggregate3: many view calls in one, each answering for itself, and the block they all saw.

Source: mds1/multicall3, Multicall3.sol. Each round begins with its own three reads of the block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from incident_cli.abi import decode, encode, parse_signature
from incident_cli.evm import Address, to_hex
from incident_cli.text import plain

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


def encode_round(targets: Sequence[Target]) -> bytes:
    """The calldata of aggregate3: the reads of the block, then `targets`, every one allowed to fail."""
    block = [(MULTICALL3, True, selector) for selector in BLOCK_READS]
    calls = [(one.to, True, one.data) for one in targets]
    return AGGREGATE3.selector + encode(AGGREGATE3.input_types, [block + calls])


def decode_round(data: bytes, count: int) -> tuple[Seen, list[Result]]:
    """What the round saw of its block, and its `count` results; raises ValueError where the data are no such round."""
    if not data:
        raise ValueError("no Multicall3 answered")
    (pairs,) = decode(AGGREGATE3.output_types, data)
    if not isinstance(pairs, (tuple, list)) or len(pairs) != count + len(BLOCK_READS):
        raise ValueError("Multicall3 answered another number of calls")
    results = [Result(success, answered) for success, answered in pairs]
    return decode_seen(results[: len(BLOCK_READS)]), results[len(BLOCK_READS) :]


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
