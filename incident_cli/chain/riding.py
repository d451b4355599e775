"""Reads that ride along: asked in the same HTTP request as something else, so that they cost no round trip."""

from __future__ import annotations

from collections.abc import Sequence

from incident_cli.chain.answers import LATEST_BLOCK, Answer, parse_header
from incident_cli.chain.asks import Ask, plan
from incident_cli.errors import Unread
from incident_cli.evm import Block, Read, StateRead
from incident_cli.transport import Endpoint, Json, Request, RpcError

MOST_SINGLES = 12  # requests that a node without batches is asked one by one for: riders must not make them more


class Riding:
    """An endpoint whose first exchange at the head also asks `reads`.

    `block` is that head and `answers` what was answered at it; while it is None, the reads must be made otherwise.
    Whatever becomes of the riders, the exchange they ride with is answered as it is.
    """

    def __init__(self, endpoint: Endpoint, chain: str, reads: Sequence[StateRead]) -> None:
        self._endpoint, self._chain = endpoint, chain
        asks, self.answers = plan(reads)
        self.block: Block | None = None
        self._asks: list[Ask] = [ask for ask in asks if ask.reads]

    @property
    def name(self) -> str:
        """How messages call it."""
        return self._endpoint.name

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        """One round trip for the requests and, where the block at its end is the head, for the riders too.

        Raises Unread where it failed as a whole.
        """
        if not self._asks or not requests or requests[-1] != LATEST_BLOCK:
            return self._endpoint.exchange(requests)
        riders = [ask.request("latest") for ask in self._asks]
        found = self._endpoint.exchange([*riders, *requests])
        if len(requests) <= MOST_SINGLES < len(found) and refused_whole(found):
            return self._endpoint.exchange(requests)
        self._take(found[: len(riders)], found[-1])
        return found[len(riders) :]

    def _take(self, found: Sequence[Json | RpcError], latest: Json | RpcError) -> None:
        """Keep the riders' answers, unless they are of another block than the one behind them."""
        try:
            header = parse_header(self._chain, latest)
        except Unread:
            return
        opened = [ask.open(raw) for ask, raw in zip(self._asks, found, strict=True)]
        held: dict[Read, Answer] = {}
        for one in opened:
            if one is None or (one.seen is not None and not header.agrees(one.seen)):
                return
            held |= one.answers
        self.block, self.answers, self._asks = header.block, {**self.answers, **held}, []


def refused_whole(found: Sequence[Json | RpcError]) -> bool:
    """Whether a node gave one refusal for everything together."""
    return isinstance(found[0], RpcError) and all(one == found[0] for one in found)
