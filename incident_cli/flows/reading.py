"""Reading the chains of an incident: every round at one block a chain, and the last block seen of its own chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from incident_cli.chain.nodes import ChainNodes
from incident_cli.chain.survey import survey
from incident_cli.evm import ZERO as ANY_ADDRESS
from incident_cli.evm import Block, CodeRead, Missing, Read, Snapshot, past
from incident_cli.transport import Endpoint
from incident_cli.units import Span


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

    @property
    def endpoint(self) -> Endpoint:
        """One endpoint over the nodes of the incident's own chain."""
        return self.nodes.endpoint

    @endpoint.setter
    def endpoint(self, other: Endpoint) -> None:
        self.nodes = ChainNodes([other], self.chain, self.chain_id)

    def read(self, reads: Sequence[Read]) -> Snapshot:
        """All answers at the head; raises Unread where the chain could not be read at all."""
        snapshot = self.read_at(reads, None)
        self.head = snapshot.block
        return snapshot

    def read_at(
        self, reads: Sequence[Read], block: Block | None, others: Mapping[str, Block] = MappingProxyType({})
    ) -> Snapshot:
        """All answers at a block of the incident's own chain, and at these of others; raises Unread where it cannot."""
        chains = {self.chain: self.nodes, **self.others}
        return survey(chains, self.chain, tuple(dict.fromkeys(reads)), block, pinned=others)

    def below(self, depth: int) -> Block | Missing:
        """The block so many blocks below the head."""
        span = Span(blocks=depth)
        snapshot = self.read([past(CodeRead(ANY_ADDRESS), span)])
        view = snapshot.back(span)
        return view if isinstance(view, Missing) else view.block
