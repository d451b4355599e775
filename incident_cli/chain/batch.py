"""A round of reads: all of them at one block, in one exchange where the node allows it.

At the head, one exchange holds the calls (Multicall3, which also says which block it saw) and the block itself;
where the two differ, the round is asked again, pinned to that block's hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from incident_cli.abi import decode, encode_call
from incident_cli.chain.multicall import (
    MULTICALL3,
    Result,
    Seen,
    Target,
    decode_round,
    encode_round,
    revert_reason,
)
from incident_cli.errors import Unread
from incident_cli.evm import BYTES32, Block, CallRead, CodeRead, Missing, Read, Snapshot, hex_bytes
from incident_cli.text import plain
from incident_cli.transport import Endpoint, Json, Request, RpcError

Answer = tuple[object, ...] | Missing
Item = TypeVar("Item")
RequestAt = Callable[[Json], Request]
CALLS_PER_ROUND = 500
REQUESTS_PER_EXCHANGE = 100
ATTEMPTS = 3
LATEST_BLOCK = Request("eth_getBlockByNumber", ("latest", False))


class OtherBlock(Unread):
    """The node did not answer at the block that was asked for."""


@dataclass(frozen=True, slots=True)
class Header:
    """A block and the hash of its parent."""

    block: Block
    parent_hash: str

    def agrees(self, seen: Seen) -> bool:
        """Whether a round saw this block from inside."""
        block = self.block
        return (seen.number, seen.parent_hash, seen.timestamp) == (block.number, self.parent_hash, block.timestamp)


@dataclass(frozen=True, slots=True)
class CallsAsk:
    """Up to 500 view calls in one aggregate3."""

    of: tuple[CallRead, ...]
    targets: tuple[Target, ...]

    @property
    def reads(self) -> tuple[Read, ...]:
        """What it answers."""
        return self.of

    def request(self, at: Json) -> Request:
        """The eth_call at a block."""
        return call_request(Target(MULTICALL3, encode_round(self.targets)), at)


@dataclass(frozen=True, slots=True)
class CodeAsk:
    """The code of one address."""

    read: CodeRead

    @property
    def reads(self) -> tuple[Read, ...]:
        """What it answers."""
        return (self.read,)

    def request(self, at: Json) -> Request:
        """The eth_getCode at a block."""
        return Request("eth_getCode", (self.read.to, at))


Ask = CallsAsk | CodeAsk


def head(endpoint: Endpoint, chain: str) -> Block:
    """The latest block; raises Unread."""
    return parse_header(chain, endpoint.exchange([LATEST_BLOCK])[0]).block


def read_round(endpoint: Endpoint, chain: str, reads: Sequence[Read], at: Block | None = None) -> Snapshot:
    """The answers to `reads`, all at `at` or else at one latest block; raises Unread where no block can be held.

    A read that reverts or does not decode is Missing with its reason. Addresses in answers are checksummed.
    """
    asks, unencodable = plan(reads)
    if at is not None:
        return Snapshot(at, unencodable | read_pinned(endpoint, asks, at))
    moved = Unread(f"{endpoint.name} could not hold one block", "Try again.")
    for _ in range(ATTEMPTS):
        block, answers = read_at_head(endpoint, chain, asks)
        try:
            if answers is None:
                return Snapshot(block, unencodable | read_pinned(endpoint, asks, block))
            return Snapshot(block, unencodable | answers | read_rest(endpoint, asks, answers, block))
        except OtherBlock as problem:
            moved = problem
    raise moved


def plan(reads: Iterable[Read]) -> tuple[list[Ask], dict[Read, Answer]]:
    """What to ask, each read once; and the answers of those that cannot be encoded."""
    codes: list[Ask] = []
    targets: dict[CallRead, Target] = {}
    unencodable: dict[Read, Answer] = {}
    for read in dict.fromkeys(reads):
        if isinstance(read, CodeRead):
            codes.append(CodeAsk(read))
            continue
        try:
            targets[read] = Target(read.to, encode_call(read.signature, read.args))
        except ValueError as problem:
            unencodable[read] = Missing(plain(problem, 300))
    calls: list[Ask] = [CallsAsk(part, tuple(targets[one] for one in part)) for part in parts(targets, CALLS_PER_ROUND)]
    return [*(calls or [CallsAsk((), ())]), *codes], unencodable


def read_at_head(endpoint: Endpoint, chain: str, asks: Sequence[Ask]) -> tuple[Block, dict[Read, Answer] | None]:
    """The latest block, and what was answered at it for certain; None where a round saw another block.

    The block is asked last: the rounds before it and the block behind it hold the reads of code between them.
    """
    first = asks[: REQUESTS_PER_EXCHANGE - 1]
    *found, latest = endpoint.exchange([*(ask.request("latest") for ask in first), LATEST_BLOCK])
    header = parse_header(chain, latest)
    seen, answers = opened(first, found)
    if not all(header.agrees(one) for one in seen):
        return header.block, None
    return header.block, answers if seen else {}


def read_pinned(endpoint: Endpoint, asks: Sequence[Ask], block: Block) -> dict[Read, Answer]:
    """The answers at exactly `block`; raises OtherBlock where the node does not have it."""
    answers: dict[Read, Answer] = {}
    for some in parts((ask for ask in asks if ask.reads), REQUESTS_PER_EXCHANGE - 1):
        found = exchange_at(endpoint, [ask.request for ask in some], block)
        seen, settled = opened(some, found)
        if any(one.timestamp != block.timestamp for one in seen):
            raise OtherBlock(f"{endpoint.name} answered for another block than {block.number}", "Try again.")
        answers |= settled
    return answers | read_rest(endpoint, asks, answers, block)


def read_rest(
    endpoint: Endpoint, asks: Sequence[Ask], answers: Mapping[Read, Answer], block: Block
) -> dict[Read, Answer]:
    """What the rounds left out, each by itself: Multicall3 is not there, or a round was too heavy for the node."""
    rest: dict[Read, Answer] = {}
    for some in parts((read for ask in asks for read in ask.reads if read not in answers), REQUESTS_PER_EXCHANGE - 1):
        found = exchange_at(endpoint, [single_request(read) for read in some], block)
        rest.update(zip(some, map(decode_single, some, found), strict=True))
        if all(refused(answer) for answer in found):  # the node cannot serve this block: asking on only costs time
            break
    missing = Missing("the node refused the reads before it")
    return {read: rest.get(read, missing) for ask in asks for read in ask.reads if read not in answers}


def exchange_at(endpoint: Endpoint, requests: Sequence[RequestAt], block: Block) -> list[Json | RpcError]:
    """Answers at exactly this block: by its hash (EIP-1898), else by its number; raises OtherBlock.

    Either way the chain must show this hash at this height in the same exchange: EIP-1898's own requireCanonical is
    not known to every node, and one that ignores the hash of a block it lost would answer for another.
    """
    height = hex(block.number)
    pins: tuple[Json, ...] = ({"blockHash": block.hash}, height)
    found: list[Json | RpcError] = []
    for pin in pins:
        requested = [request(pin) for request in requests]
        *found, header = endpoint.exchange([*requested, Request("eth_getBlockByNumber", (height, False))])
        if not isinstance(header, dict) or header.get("hash") != block.hash:
            raise OtherBlock(
                f"{endpoint.name} does not have block {block.number} with the hash {block.hash}",
                "The chain was reorganised, or the node is behind or keeps no history: read again at the head.",
            )
        if not all(refused(answer) for answer in found):
            break
    return found


def call_request(target: Target, at: Json) -> Request:
    """An eth_call at a block."""
    return Request("eth_call", ({"to": target.to, "data": "0x" + target.data.hex()}, at))


def single_request(read: Read) -> RequestAt:
    """One read by itself, at whichever block is given later."""
    if isinstance(read, CodeRead):
        return CodeAsk(read).request
    return lambda at: call_request(Target(read.to, encode_call(read.signature, read.args)), at)


def opened(asks: Sequence[Ask], found: Sequence[Json | RpcError]) -> tuple[list[Seen], dict[Read, Answer]]:
    """The blocks that the rounds saw, and the answers; a round that could not be opened leaves its reads out."""
    seen: list[Seen] = []
    answers: dict[Read, Answer] = {}
    for ask, answer in zip(asks, found, strict=True):
        if isinstance(ask, CodeAsk):
            answers[ask.read] = decode_single(ask.read, answer)
        elif (one := open_round(ask, answer)) is not None:
            seen.append(one[0])
            answers.update(zip(ask.of, map(decode_result, ask.of, one[1]), strict=True))
    return seen, answers


def open_round(ask: CallsAsk, answer: Json | RpcError) -> tuple[Seen, list[Result]] | None:
    """What a round saw and answered, or None where Multicall3 did not answer."""
    try:
        return decode_round(answer_bytes(answer), len(ask.targets))
    except ValueError:
        return None


def decode_single(read: Read, answer: Json | RpcError) -> Answer:
    """The code of an address, or the outputs of a single eth_call."""
    if isinstance(read, CallRead) and isinstance(answer, RpcError) and not refused(answer):
        return Missing(revert_reason(hex_bytes(answer.data)) if answer.data else plain(answer.message, 300))
    try:
        data = answer_bytes(answer)
    except ValueError as problem:
        return Missing(str(problem))
    return (data,) if isinstance(read, CodeRead) else decode_result(read, Result(True, data))


def decode_result(read: CallRead, result: Result) -> Answer:
    """The outputs of a call, or why it has none."""
    if not result.success:
        return Missing(revert_reason(result.data))
    types = read.signature.output_types
    if types and not result.data:
        return Missing(f"no contract answered at {read.to}")
    try:
        return decode(types, result.data)
    except ValueError as problem:
        return Missing(plain(problem, 300))


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


def parse_header(chain: str, answer: Json | RpcError) -> Header:
    """A block from eth_getBlockByNumber; raises Unread."""
    try:
        if not isinstance(answer, Mapping):
            raise ValueError(plain(answer.message, 300) if isinstance(answer, RpcError) else "there is none")
        found, parent = (hash_text(answer.get(key)) for key in ("hash", "parentHash"))
        return Header(Block(chain, quantity(answer.get("number")), found, quantity(answer.get("timestamp"))), parent)
    except ValueError as problem:
        raise Unread(f"the block of {chain} could not be read: {problem}", "Try again, or name another node.") from None


def hash_text(answer: Json) -> str:
    """A 32-byte hash in lower case; raises ValueError."""
    if not isinstance(answer, str) or not BYTES32.fullmatch(answer):
        raise ValueError("a hash in it is malformed")
    return answer.lower()


def quantity(answer: Json) -> int:
    """A JSON-RPC quantity such as 0x1b4; raises ValueError."""
    if not isinstance(answer, str) or not answer.startswith("0x") or len(answer) > 66:
        raise ValueError("a number in it is malformed")
    return int(answer, 16)


def parts(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    """The items in order, `size` at a time."""
    listed = list(items)
    return (tuple(listed[start : start + size]) for start in range(0, len(listed), size))
