"""A round of reads: all of them at one block, in one exchange where the node allows it.

At the head, one exchange holds the calls (Multicall3, which also says which block it saw) and the block itself;
where the two differ, the round is asked again, pinned to that block's hash.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from incident_cli.chain.answers import (
    LATEST_BLOCK,
    Answer,
    Header,
    parse_header,
    refused,
    state_gone,
)
from incident_cli.chain.asks import REQUESTS_PER_EXCHANGE, SINGLES_PER_EXCHANGE, Ask, RequestAt, plan
from incident_cli.errors import Unread
from incident_cli.evm import Block, CallRead, CodeRead, Missing, Read, Snapshot, StateRead, StorageRead
from incident_cli.text import plain
from incident_cli.transport import Endpoint, Json, Request, RpcError

Pinned = tuple[Block, Ask]
ATTEMPTS = 3
HEAD_REQUESTS = 501
NOT_STATE = Missing("it is no read of state at one block")


class OtherBlock(Unread):
    """The node did not answer at the block that was asked for."""


def head(endpoint: Endpoint, chain: str) -> Block:
    """The latest block; raises Unread."""
    return parse_header(chain, endpoint.exchange([LATEST_BLOCK])[0]).block


def read_round(endpoint: Endpoint, chain: str, reads: Sequence[Read], at: Block | None = None) -> Snapshot:
    """The answers to `reads`, all at `at` or else at one latest block; raises Unread where no block can be held.

    Reads of state only: another is Missing here (see `survey`). A read that reverts or does not decode is Missing with
    its reason. Addresses in answers are checksummed.
    """
    states = [read for read in reads if isinstance(read, CallRead | CodeRead | StorageRead)]
    others: dict[Read, Answer] = {read: NOT_STATE for read in reads if not isinstance(read, StateRead)}
    if at is not None:
        return Snapshot(at, {**others, **read_pinned(endpoint, states, at)})
    block, answers = read_state(endpoint, chain, states)
    return Snapshot(block, {**others, **answers})


def read_state(
    endpoint: Endpoint, chain: str, reads: Sequence[StateRead], tag: str = "latest"
) -> tuple[Block, dict[Read, Answer]]:
    """The block that the chain has at `tag` ("latest", or a number in hex) and the answers at it; raises Unread."""
    asks, unasked = plan(reads)
    moved = Unread(f"{endpoint.name} could not hold one block", "Try again.")
    for _ in range(ATTEMPTS):
        block, answers, rest = read_at(endpoint, chain, asks, tag)
        try:
            return block, {**unasked, **answers, **read_asks(endpoint, [(block, ask) for ask in rest]).get(block, {})}
        except OtherBlock as problem:
            moved = problem
    raise moved


def read_at(
    endpoint: Endpoint, chain: str, asks: Sequence[Ask], tag: str
) -> tuple[Block, dict[Read, Answer], list[Ask]]:
    """The block, what was answered at it for certain, and what is still to be asked.

    The block is asked last: the rounds before it and the block behind it hold the reads of code between them.
    """
    first, rest = asks[: HEAD_REQUESTS - 1], list(asks[HEAD_REQUESTS - 1 :])
    latest = Request("eth_getBlockByNumber", (tag, False))
    *found, answer = endpoint.exchange([*(ask.request(tag) for ask in first), latest])
    if isinstance(answer, RpcError) and len(first) >= REQUESTS_PER_EXCHANGE and all(map(refused, found)):
        first, rest = first[:SINGLES_PER_EXCHANGE], [*first[SINGLES_PER_EXCHANGE:], *rest]
        *found, answer = endpoint.exchange([*(ask.request(tag) for ask in first), latest])
    header = parse_header(chain, answer)
    opened = [ask.open(one) for ask, one in zip(first, found, strict=True)]
    seen = [one.seen for one in opened if one is not None and one.seen is not None]
    if not all(map(header.agrees, seen)):
        return header.block, {}, [ask for ask in asks if ask.reads]
    answers: dict[Read, Answer] = {}
    again: list[Ask] = []
    for ask, one, raw in zip(first, opened, found, strict=True):
        if one is None:
            again += ask.instead(raw) or [ask]
        elif seen:
            answers |= one.answers
        else:
            again.append(ask)
    return header.block, answers, [*again, *rest]


def read_pinned(endpoint: Endpoint, reads: Sequence[StateRead], block: Block) -> dict[Read, Answer]:
    """The answers at exactly `block`; raises OtherBlock where the node does not have it."""
    asks, unasked = plan(reads)
    return {**unasked, **read_asks(endpoint, [(block, ask) for ask in asks if ask.reads]).get(block, {})}


def read_asks(endpoint: Endpoint, pending: Sequence[Pinned]) -> dict[Block, dict[Read, Answer]]:
    """The answers at exactly these blocks; raises OtherBlock where the node does not have one of them.

    A round that is not answered is asked in another way, down to each of its reads by itself.
    """
    answers: dict[Block, dict[Read, Answer]] = {}
    queue = list(pending)
    while queue:
        size = some_of(queue)
        some, queue = queue[:size], queue[size:]
        found = exchange_pinned(endpoint, [(block, ask.request) for block, ask in some])
        again: list[Pinned] = []
        for (block, ask), (header, raw) in zip(some, found, strict=True):
            opened, instead = None if state_gone(raw) else ask.open(raw), ask.instead(raw)
            if opened is not None and opened.seen is not None and not header.may_be(opened.seen):
                raise OtherBlock(f"{endpoint.name} answered for another block than {block.number}", "Try again.")
            if opened is None and instead:
                again += [(block, one) for one in instead]
                continue
            settled = answers.setdefault(block, {})
            settled.update(dict.fromkeys(ask.reads, unanswered(block, raw)) if opened is None else opened.answers)
        if not again and all(refused(raw) for _, raw in found):  # asking on would only cost time
            unasked = Missing("the node refused the reads before it")
            for block, ask in queue:
                answers.setdefault(block, {}).update(dict.fromkeys(ask.reads, unasked))
            break
        queue = [*again, *queue]
    return answers


def unanswered(block: Block, raw: Json | RpcError) -> Missing:
    """Why an ask has no answer."""
    if state_gone(raw):
        return Missing(f"the node no longer has the state of block {block.number}: an archive node is needed")
    return Missing(f"the node refused: {plain(raw.message, 300)}" if isinstance(raw, RpcError) else "no answer")


def exchange_at(endpoint: Endpoint, requests: Sequence[RequestAt], block: Block) -> list[Json | RpcError]:
    """Answers at exactly this block; raises OtherBlock where the node does not have it."""
    return [answer for _, answer in exchange_pinned(endpoint, [(block, request) for request in requests])]


def exchange_pinned(
    endpoint: Endpoint, wanted: Sequence[tuple[Block, RequestAt]]
) -> list[tuple[Header, Json | RpcError]]:
    """Answers at exactly these blocks: by hash (EIP-1898), else by number; raises OtherBlock.

    Either way the chain must show this hash at this height in the same exchange: EIP-1898's own requireCanonical is
    not known to every node, and one that ignores the hash of a block it lost would answer for another.
    """
    found = exchange_by(endpoint, wanted, lambda block: {"blockHash": block.hash})
    by_number = [place for place, (_, one) in enumerate(found) if refused(one) and not state_gone(one)]
    if by_number and len(by_number) == len(found):
        return exchange_by(endpoint, wanted, lambda block: hex(block.number))
    return found


def exchange_by(
    endpoint: Endpoint, wanted: Sequence[tuple[Block, RequestAt]], pin: Callable[[Block], Json]
) -> list[tuple[Header, Json | RpcError]]:
    """One exchange: each answer with the block that the node shows at its height; raises OtherBlock."""
    blocks = list(dict.fromkeys(block for block, _ in wanted))
    shown = [Request("eth_getBlockByNumber", (hex(block.number), False)) for block in blocks]
    found = endpoint.exchange([*(request(pin(block)) for block, request in wanted), *shown])
    headers = {block: canonical(endpoint, block, one) for block, one in zip(blocks, found[len(wanted) :], strict=True)}
    return [(headers[block], one) for (block, _), one in zip(wanted, found, strict=False)]


def canonical(endpoint: Endpoint, block: Block, answer: Json | RpcError) -> Header:
    """The header that a node shows at the block's height; raises OtherBlock where it is not this block's."""
    try:
        header = parse_header(block.chain, answer)
    except Unread:
        header = None
    if header is None or header.block != block:
        raise OtherBlock(
            f"{endpoint.name} does not have block {block.number} with the hash {block.hash}",
            "The chain was reorganised, or the node is behind or keeps no history: read again at the head.",
        )
    return header


def some_of(queue: Sequence[Pinned]) -> int:
    """How many asks of the queue, together with their blocks, fit in one exchange."""
    blocks: set[Block] = set()
    for place, (block, _) in enumerate(queue):
        blocks.add(block)
        if place + 1 + len(blocks) > REQUESTS_PER_EXCHANGE:
            return place
    return len(queue)
