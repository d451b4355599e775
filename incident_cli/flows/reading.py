"""Reading the chains of an incident: every round at one block a chain, and the last block seen of its own chain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import MappingProxyType

from incident_cli.chain.blocks import block_of, hashes_at
from incident_cli.chain.nodes import ROUND_SECONDS, ChainNodes
from incident_cli.chain.survey import survey
from incident_cli.errors import Refused, Unread
from incident_cli.evm import ZERO as ANY_ADDRESS
from incident_cli.evm import Block, CodeRead, Missing, Read, Snapshot, past
from incident_cli.flows.looking import Look, Source
from incident_cli.transport import Deadline, Endpoint
from incident_cli.units import Span

LEAST_SECONDS = 0.3  # less is not begun with: a node that had no time would be blamed for it


class Reader:
    """The chains of a deployment through their nodes. `head` is the last block seen of the incident's own chain."""

    def __init__(
        self,
        source: Endpoint | ChainNodes,
        chain: str,
        chain_id: int,
        head: Block | None = None,
        others: Mapping[str, ChainNodes] | None = None,
    ) -> None:
        self.nodes = source if isinstance(source, ChainNodes) else ChainNodes([source], chain, chain_id)
        self.chain, self.chain_id, self.head = chain, chain_id, head
        self.others = dict(others or {})
        self._deadline: Deadline | None = None
        self._look: Look | None = None

    @property
    def endpoint(self) -> Endpoint:
        """One endpoint over the nodes of the incident's own chain."""
        return self.nodes.endpoint

    @endpoint.setter
    def endpoint(self, other: Endpoint) -> None:
        self.nodes = ChainNodes([other], self.chain, self.chain_id)

    def on(self, chain: str) -> Reader:
        """The same chains with another of them as the incident's own."""
        every = {**self.others, self.chain: self.nodes}
        nodes = every.pop(chain)
        return Reader(nodes, chain, nodes.chain_id, others=every)

    @contextmanager
    def judgement(self) -> Iterator[None]:
        """Everything that is read until it ends shares the time of one round (9 s); what comes later is Unread.

        A node that failed or was late once is not waited for again where the others agree. One within another is one.
        """
        if self._deadline is not None:
            yield
            return
        with ExitStack() as open_:
            for nodes in (self.nodes, *self.others.values()):
                open_.enter_context(nodes.judgement())
            self._deadline = Deadline(ROUND_SECONDS)
            try:
                yield
            finally:
                self._deadline = None

    def seconds(self) -> float:
        """How long a read may take; raises Unread where a judgement has no time left."""
        if self._deadline is None:
            return ROUND_SECONDS
        left = self._deadline.left
        if left < LEAST_SECONDS:
            raise Unread("the nodes were too slow: the time for one judgement is up", "Try again, or name other nodes.")
        return left

    def read(self, reads: Sequence[Read]) -> Snapshot:
        """All answers at the head; raises Unread where the chain could not be read at all."""
        self.forget()
        snapshot = self.read_at(reads, None)
        self.head = snapshot.block
        return snapshot

    def look(self, reads: Sequence[Read]) -> Look:
        """One round for all that a preparation reads; one of a moment ago is gone on with, unless anything was read,
        asked or recorded since. Raises Unread where the chain could not be read at all."""
        if self._look is None or self._look.is_old:
            snapshot = self.read(reads)
            self._look = Look(self, snapshot)
        return self._look

    def read_to_judge(self, reads: Sequence[Read]) -> Snapshot:
        """All answers at the head, or those of the look of a moment ago, which answers one judgement and no second:
        who judges again waited for something to change. Raises Unread where the chain could not be read at all."""
        look = self._look
        if look is None or look.is_old or not look.judged_once(reads):
            return self.read(reads)
        return look.snapshot

    @property
    def recent(self) -> Source:
        """The look of a moment ago, or this reader where there is none to go on with."""
        return self if self._look is None or self._look.is_old else self._look

    def forget(self) -> None:
        """What comes next is looked at anew."""
        self._look = None

    def read_at(
        self, reads: Sequence[Read], block: Block | None, others: Mapping[str, Block] = MappingProxyType({})
    ) -> Snapshot:
        """All answers at a block of the incident's own chain, and at these of others; raises Unread where it cannot."""
        chains = {self.chain: self.nodes, **self.others}
        return survey(chains, self.chain, tuple(dict.fromkeys(reads)), block, self.seconds(), others)

    def block(self, wanted: int | str) -> Block:
        """The block of a number, or of a hash (lower case), as a quorum has it; raises Unread where none does."""
        return block_of(self.nodes, wanted, self.seconds())

    def parent_of(self, block: Block) -> Block | None:
        """The block before; None where no quorum has it."""
        try:
            return self.block(block.number - 1)
        except (Unread, Refused):
            return None

    def hashes_at(self, numbers: Sequence[int]) -> Mapping[int, str]:
        """The hash of the incident's own chain at each number; numbers that a quorum does not have are left out."""
        return hashes_at(self.nodes, numbers, self.seconds())

    def below(self, depth: int) -> Block | Missing:
        """The block so many blocks below the head, or why it cannot be told."""
        span = Span(blocks=depth)
        try:
            snapshot = self.read([past(CodeRead(ANY_ADDRESS), span)])
        except Unread as problem:
            return Missing(problem.message)
        view = snapshot.back(span)
        return view if isinstance(view, Missing) else view.block
