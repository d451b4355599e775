"""What nodes answer, as values: blocks, quantities, hex data. Nothing of it is believed before its form is right."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from incident_cli.abi import Signature, decode
from incident_cli.chain.multicall import Result, Seen, revert_reason
from incident_cli.errors import Unread
from incident_cli.evm import BYTES32, Block, CallRead, CodeRead, Missing, StateRead, hex_bytes
from incident_cli.text import plain
from incident_cli.transport import Json, Request, RpcError

Answer = tuple[object, ...] | Missing
Item = TypeVar("Item")
LATEST_BLOCK = Request("eth_getBlockByNumber", ("latest", False))
QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
LARGEST_NUMBER = 2**53  # of a block, or of seconds since the epoch: anything more is no chain's
UNSIZED = re.compile(r"string|bytes(?![0-9])")
MOST_BYTES = (4_194_304, 4_194_304, 65_536, 8_192)  # by levels of what has no fixed size
STATE_GONE = re.compile(
    r"missing trie node|state .*(?:not available|unavailable|pruned)|pruned|archive|historical state|no state"
    r"|header not found|block not found|unknown block|old data not available|required historical|distance to target",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Header:
    """A block and the hash of its parent."""

    block: Block
    parent_hash: str

    def agrees(self, seen: Seen) -> bool:
        """Whether a round saw this block from inside."""
        block = self.block
        return (seen.number, seen.parent_hash, seen.timestamp) == (block.number, self.parent_hash, block.timestamp)

    def may_be(self, seen: Seen) -> bool:
        """Whether a round that was pinned to this block can have seen it.

        A rollup such as Arbitrum tells contracts the number and hashes of the chain below it: there only the time is
        its own.
        """
        return seen.timestamp == self.block.timestamp and (seen.number != self.block.number or self.agrees(seen))


def parse_header(chain: str, answer: Json | RpcError) -> Header:
    """A block from eth_getBlockByNumber; raises Unread."""
    try:
        if not isinstance(answer, Mapping):
            raise ValueError(plain(answer.message, 300) if isinstance(answer, RpcError) else "there is none")
        found, parent = (hash_text(answer.get(key)) for key in ("hash", "parentHash"))
        number, timestamp = (quantity(answer.get(key)) for key in ("number", "timestamp"))
        if max(number, timestamp) > LARGEST_NUMBER:
            raise ValueError("a number in it is absurd")
        return Header(Block(chain, number, found, timestamp), parent)
    except ValueError as problem:
        raise Unread(f"the block of {chain} could not be read: {problem}", "Try again, or name another node.") from None


def hash_text(answer: Json) -> str:
    """A 32-byte hash in lower case; raises ValueError."""
    if not isinstance(answer, str) or not BYTES32.fullmatch(answer):
        raise ValueError("a hash in it is malformed")
    return answer.lower()


def quantity(answer: Json) -> int:
    """A JSON-RPC quantity such as 0x1b4; raises ValueError."""
    if not isinstance(answer, str) or not QUANTITY.fullmatch(answer):
        raise ValueError("a number in it is malformed")
    return int(answer, 16)


def answer_bytes(answer: Json | RpcError) -> bytes:
    """The bytes of an answer; raises ValueError with a sanitised reason."""
    if isinstance(answer, RpcError):
        raise ValueError(f"the node refused: {plain(answer.message, 300)}")
    if not isinstance(answer, str):
        raise ValueError("the node answered with no hex data")
    return hex_bytes(answer)


def refused(answer: Json | RpcError) -> bool:
    """Whether the node refused a request, as against a call that reverted."""
    if not isinstance(answer, RpcError):
        return False
    return not answer.data and answer.code != 3 and "revert" not in answer.message.lower()


def state_gone(answer: Json | RpcError) -> bool:
    """Whether a node says that it no longer keeps the state of a block."""
    return isinstance(answer, RpcError) and refused(answer) and STATE_GONE.search(answer.message) is not None


def decode_state(read: StateRead, answer: Json | RpcError) -> Answer:
    """The answer to a read that was asked by itself: the outputs of a call, code, or one word of storage."""
    if isinstance(read, CallRead) and isinstance(answer, RpcError) and not refused(answer):
        return Missing(revert_reason(hex_bytes(answer.data)) if answer.data else plain(answer.message, 300))
    try:
        data = answer_bytes(answer)
    except ValueError as problem:
        return Missing(str(problem))
    if isinstance(read, CallRead):
        return decode_result(read, Result(True, data))
    if isinstance(read, CodeRead):
        return (data,)
    # Some nodes shorten a word as if it were a number; none may lengthen it, and nothing at all is no word.
    return (data.rjust(32, b"\0"),) if 0 < len(data) <= 32 else Missing("the node answered with no word of storage")


def decode_result(read: CallRead, result: Result) -> Answer:
    """The outputs of a call, or why it has none."""
    if not result.success:
        return Missing(revert_reason(result.data))
    types = read.signature.output_types
    if types and not result.data:
        return Missing(f"no contract answered at {read.to}")
    if len(result.data) > most_bytes(read.signature):
        return Missing(f"an answer of {len(result.data)} bytes is more than such a call is read with")
    try:
        return decode(types, result.data)
    except ValueError as problem:
        return Missing(plain(problem, 300))


@functools.lru_cache(maxsize=4_096)
def most_bytes(signature: Signature) -> int:
    """How long an answer may be: inside arrays every entry may point at the same bytes, and multiply them."""
    levels = max((one.count("[") + (UNSIZED.search(one) is not None) for one in signature.output_types), default=0)
    return MOST_BYTES[min(levels, len(MOST_BYTES) - 1)]


def parts(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    """The items in order, `size` at a time."""
    listed = list(items)
    return (tuple(listed[start : start + size]) for start in range(0, len(listed), size))
