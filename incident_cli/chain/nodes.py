"""The nodes of one chain as one endpoint: the first that works answers, and each has proven its chain."""

from __future__ import annotations

from collections.abc import Sequence

from incident_cli.errors import Misused, Refused, Unread
from incident_cli.text import plain
from incident_cli.transport import Endpoint, Json, Request, RpcError

CHAIN_ID = Request("eth_chainId")
CHANGING_METHODS = frozenset({"eth_sendRawTransaction", "eth_sendTransaction"})


def connect(endpoints: Sequence[Endpoint], chain: str, chain_id: int) -> Endpoint:
    """One endpoint over several. A node that fails is passed over; one of another chain is Refused.

    The node that last answered is asked first, so that a dead one costs its time-out once and not every round.
    The chain id is asked in the same exchange as a node's first reads; before a transaction, in one of its own.
    """
    if not endpoints:
        raise Misused(f"the chain {chain} has no node", "Name one under chains in the deployment.")
    return Nodes(endpoints, chain, chain_id)


class Nodes:
    """The nodes of one chain, in order of preference. `failures` holds why each last failed."""

    def __init__(self, endpoints: Sequence[Endpoint], chain: str, chain_id: int) -> None:
        self._endpoints = tuple(endpoints)
        self._chain = chain
        self._chain_id = chain_id
        self._verified: set[int] = set()
        self._current = 0
        self.failures: dict[str, str] = {}

    @property
    def name(self) -> str:
        """The node that is asked first."""
        return self._endpoints[self._current].name

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        """The answers of the first node that works; raises Unread with every node's reason where none does."""
        first, hints = self._current, ""
        for step in range(len(self._endpoints)):
            position = (first + step) % len(self._endpoints)
            try:
                answers = self._ask(position, requests)
            except Unread as problem:
                self.failures[self._endpoints[position].name] = problem.message
                hints = hints or problem.hint
                continue
            self._current = position
            return answers
        reasons = "; ".join(self.failures[one.name] for one in self._endpoints)
        raise Unread(f"no node of {self._chain} could be read: {reasons}", hints)

    def _ask(self, position: int, requests: Sequence[Request]) -> list[Json | RpcError]:
        endpoint = self._endpoints[position]
        if position in self._verified:
            return endpoint.exchange(requests)
        if any(one.method in CHANGING_METHODS for one in requests):
            self._verify(position, endpoint.exchange([CHAIN_ID])[0])
            return endpoint.exchange(requests)
        chain_id, *answers = endpoint.exchange([CHAIN_ID, *requests])
        if isinstance(chain_id, RpcError):  # a node that refuses batches still answers single requests
            self._verify(position, endpoint.exchange([CHAIN_ID])[0])
            return endpoint.exchange(requests)
        self._verify(position, chain_id)
        return answers

    def _verify(self, position: int, answer: Json | RpcError) -> None:
        name = self._endpoints[position].name
        found = chain_id_of(answer)
        if found is None:
            raise Unread(f"{name} does not say which chain it serves: {described(answer)}")
        if found != self._chain_id:
            raise Refused(
                f"{name} serves the chain with id {found}, but {self._chain} has id {self._chain_id}",
                "Correct the node or the chain id in the deployment.",
            )
        self._verified.add(position)


def chain_id_of(answer: Json | RpcError) -> int | None:
    """The chain id of an eth_chainId answer, or None where it is none."""
    try:
        return int(answer, 16) if isinstance(answer, str) and answer.startswith("0x") else None
    except ValueError:
        return None


def described(answer: Json | RpcError) -> str:
    """What a node said, for a message."""
    return plain(answer.message if isinstance(answer, RpcError) else repr(answer), 300)
