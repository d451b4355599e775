"""The nodes of one chain: each proves its chain before it is believed; how many must agree is the quorum.

For what one node can do (sending, simulating, a quorum of one) they are one endpoint: the first that works answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from incident_cli.errors import Misused, Refused, Unread
from incident_cli.text import plain
from incident_cli.transport import Deadline, Endpoint, Json, Request, RpcError
from incident_cli.web import Unusable, within

CHAIN_ID = Request("eth_chainId")
CHANGING_METHODS = frozenset({"eth_sendRawTransaction", "eth_sendTransaction"})
QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
ROUND_SECONDS = 9.0
SINGLES = 12


def connect(endpoints: Sequence[Endpoint], chain: str, chain_id: int) -> Nodes:
    """One endpoint over several. A node that fails is passed over; one of another chain is Refused.

    A node that failed is asked last from then on, so that a dead one costs its time-out once and not every round.
    The chain id is asked in the same exchange as a node's first reads; before a transaction, in one of its own.
    """
    return ChainNodes(endpoints, chain, chain_id).endpoint


class ChainNodes:
    """The nodes of one chain, and how many of them must agree (`quorum`).

    `disagreements` says, by node, what it said in the last survey (or judgement) against the others, and `answered` who
    took part; `tardy` are the nodes that failed or were late in it, and why (empty where they answered after all):
    where the others agree they are not waited for.
    """

    def __init__(self, endpoints: Sequence[Endpoint], chain: str, chain_id: int, quorum: int = 1) -> None:
        if not endpoints:
            raise Misused(f"the chain {chain} has no node", "Name one under chains in the deployment.")
        if not 1 <= quorum <= len(endpoints):
            raise Misused(
                f"the quorum of {chain} is {quorum}, and it has {len(endpoints)} nodes",
                "A quorum is at least 1 and at most the number of nodes under chains in the deployment.",
            )
        self.chain, self.chain_id, self.quorum = chain, chain_id, quorum
        self.members = tuple(Node(one, chain, chain_id) for one in endpoints)
        self.endpoint = Nodes(self.members, chain)
        self.disagreements: dict[str, str] = {}
        self.answered: tuple[str, ...] = ()
        self.tardy: dict[Node, str] = {}
        self._judging = False

    def begin_round(self) -> None:
        """A survey begins; what was said of nodes lasts as long as a judgement."""
        self.answered = ()
        if not self._judging:
            self.disagreements, self.tardy = {}, {}

    @contextmanager
    def judgement(self) -> Iterator[None]:
        """Several surveys, of which one learns from another which nodes not to wait for."""
        self._judging, self.disagreements, self.tardy = True, {}, {}
        try:
            yield
        finally:
            self._judging = False

    @property
    def names(self) -> tuple[str, ...]:
        """How messages call the nodes."""
        return tuple(one.name for one in self.members)

    @property
    def requests(self) -> int:
        """How many HTTP exchanges the nodes were asked for so far."""
        return sum(one.requests for one in self.members)

    @property
    def failures(self) -> dict[str, str]:
        """Why each node that failed when it was last asked did so, by its name; also where its answer came later."""
        reasons = {one.name: one.failure or self.tardy.get(one, "") for one in self.members}
        return {name: reason for name, reason in reasons.items() if reason}


class Node:
    """One node: it says which chain it serves before anything it says is believed. `failure` is why it last failed."""

    def __init__(self, endpoint: Endpoint, chain: str, chain_id: int) -> None:
        self._endpoint = endpoint
        self._chain = chain
        self._chain_id = chain_id
        self._verified = False
        self._batches = True
        self.requests = 0
        self.failure = ""

    @property
    def name(self) -> str:
        """How messages call it."""
        return self._endpoint.name

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        """One round trip; raises Unread where it failed, Refused where the node serves another chain."""
        try:
            answers = self._ask(requests)
        except (Unread, Refused) as problem:
            self.failure = problem.message
            raise
        self.failure = ""
        return answers

    def _ask(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        if self._verified:
            return self._send(requests)
        if any(one.method in CHANGING_METHODS for one in requests):
            self._verify(self._send([CHAIN_ID])[0])
            return self._send(requests)
        chain_id, *answers = self._send([CHAIN_ID, *requests])
        if isinstance(chain_id, RpcError):  # a node that refuses batches still answers single requests
            self._verify(self._send([CHAIN_ID])[0])
            return self._send(requests)
        self._verify(chain_id)
        return answers

    def _send(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        """One exchange, or a few single ones where the node refuses batches."""
        if self._batches or len(requests) == 1:
            self.requests += 1
            answers = self._endpoint.exchange(requests)
            whole = len(answers) > 1 and isinstance(answers[0], RpcError) and all(one is answers[0] for one in answers)
            if not whole or len(requests) > SINGLES or not batch_refused(answers[0]):
                return answers
            self._batches = False
        if len(requests) > SINGLES:
            return [RpcError(0, "the node takes one request at a time")] * len(requests)
        self.requests += len(requests)
        return [self._endpoint.exchange([one])[0] for one in requests]

    def _verify(self, answer: Json | RpcError) -> None:
        found = chain_id_of(answer)
        if found is None:
            raise Unread(f"{self.name} does not say which chain it serves: {described(answer)}")
        if found != self._chain_id:
            raise Refused(
                f"{self.name} serves the chain with id {found}, but {self._chain} has id {self._chain_id}",
                "Correct the node, or the chain id that was given for it.",
            )
        self._verified = True


class NoNode(Unread):
    """Every node of a chain failed."""


class Nodes:
    """The nodes of one chain as one endpoint, in order of preference."""

    def __init__(self, members: Sequence[Node], chain: str, seconds: float = ROUND_SECONDS) -> None:
        self._order = list(members)
        self._chain = chain
        self._seconds = seconds

    @property
    def name(self) -> str:
        """The node that is asked first."""
        return self._order[0].name

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        """The answers of the first node that works; raises Unread with every node's reason where none does."""
        return self.exchange_by(Deadline(self._seconds), requests)

    def by(self, deadline: Deadline) -> By:
        """The same endpoint for a round that ends by a deadline, however many exchanges it has."""
        return By(self, deadline)

    def demote(self, problem: Unread) -> None:
        """Ask the first node last from now on: what it answered could not be used."""
        node = self._order[0]
        node.failure = problem.message
        self._ask_last(node)

    def _ask_last(self, node: Node) -> None:
        self._order = [*(one for one in self._order if one is not node), node]

    def exchange_by(self, deadline: Deadline, requests: Sequence[Request]) -> list[Json | RpcError]:
        """The same by a deadline. The nodes that are left share the time that is left."""
        hint, order = "", tuple(self._order)
        for place, node in enumerate(order):
            try:
                return timely(node, requests, deadline.left / (len(order) - place))
            except Unread as problem:
                hint = hint or problem.hint
                self._ask_last(node)
        reasons = "; ".join(one.failure for one in order)
        raise NoNode(f"no node of {self._chain} could be read: {reasons}", hint)


class By:
    """Nodes for the length of one round."""

    def __init__(self, nodes: Nodes, deadline: Deadline) -> None:
        self._nodes = nodes
        self._deadline = deadline

    @property
    def name(self) -> str:
        """The node that is asked first."""
        return self._nodes.name

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        """The answers of the first node that works; raises Unread, also where the time is up."""
        return self._nodes.exchange_by(self._deadline, requests)


def timely(node: Node, requests: Sequence[Request], seconds: float) -> list[Json | RpcError]:
    """The node's answers; raises Unread where they did not come in time."""
    try:
        if seconds <= 0:
            raise Unusable("was not asked in time")
        return within(seconds, lambda: node.exchange(requests))
    except Unusable as problem:
        node.failure = f"{node.name} {problem.reason}"
        raise Unread(node.failure, problem.hint) from None


def batch_refused(answer: Json | RpcError) -> bool:
    """Whether a node that gave one answer for a whole batch may answer its requests one by one."""
    return isinstance(answer, RpcError) and "rate" not in answer.message.lower()


def chain_id_of(answer: Json | RpcError) -> int | None:
    """The chain id of an eth_chainId answer, or None where it is none."""
    return int(answer, 16) if isinstance(answer, str) and QUANTITY.fullmatch(answer) else None


def described(answer: Json | RpcError) -> str:
    """What a node said, for a message."""
    return plain(answer.message if isinstance(answer, RpcError) else repr(answer), 300)
