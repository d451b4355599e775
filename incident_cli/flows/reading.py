"""Reading the incident's chain: every round at one block, and the last block seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from incident_cli.chain.batch import read_round
from incident_cli.evm import Block, Read, Snapshot
from incident_cli.transport import Endpoint


@dataclass(slots=True)
class Reader:
    """One chain of the deployment through its nodes."""

    endpoint: Endpoint
    chain: str
    chain_id: int
    head: Block | None = None

    def read(self, reads: Sequence[Read]) -> Snapshot:
        """All answers at the head; raises Unread where the chain could not be read at all."""
        snapshot = read_round(self.endpoint, self.chain, tuple(dict.fromkeys(reads)))
        self.head = snapshot.block
        return snapshot

    def read_at(self, reads: Sequence[Read], block: Block) -> Snapshot:
        """All answers at a past block; raises Unread where the chain could not be read at all."""
        return read_round(self.endpoint, self.chain, tuple(dict.fromkeys(reads)), block)
