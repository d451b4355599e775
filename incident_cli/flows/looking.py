"""A look: one round of reads that a whole preparation goes by, so that what belongs together costs one round trip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from incident_cli.errors import Unread
from incident_cli.evm import Block, Read, Snapshot
from incident_cli.transport import Deadline

LOOK_SECONDS = 4  # a third of a block of Ethereum: what is older is read again
NO_BLOCKS: Mapping[str, Block] = MappingProxyType({})


class Source(Protocol):
    """Whatever reads are asked of: the reader of an incident's chain, or a look of its."""

    @property
    def chain(self) -> str:
        """The chain's name in the deployment."""

    @property
    def chain_id(self) -> int:
        """Its id."""

    def read(self, reads: Sequence[Read]) -> Snapshot:
        """All answers at one block; raises Unread where the chain could not be read at all."""

    def read_at(self, reads: Sequence[Read], block: Block | None, others: Mapping[str, Block] = NO_BLOCKS) -> Snapshot:
        """All answers at this block; raises Unread where it cannot be read."""


class Look:
    """What a round answered. What it was not asked is read at its block when it is wanted, in a round trip of its own.

    Where that block is gone, everything is read anew at the head.
    """

    def __init__(self, reader: Source, snapshot: Snapshot) -> None:
        self.reader, self.snapshot = reader, snapshot
        self._fresh = Deadline(LOOK_SECONDS)
        self._judged = False

    @property
    def is_old(self) -> bool:
        """Whether the chain may have gone on too far since."""
        return not self._fresh.left

    @property
    def chain(self) -> str:
        """The chain's name in the deployment."""
        return self.reader.chain

    @property
    def chain_id(self) -> int:
        """Its id."""
        return self.reader.chain_id

    def read(self, reads: Sequence[Read]) -> Snapshot:
        """All answers at the block of the look; raises Unread where the chain could not be read at all."""
        unasked = [one for one in reads if one not in self.snapshot.answers]
        if unasked:
            self._ask(unasked)
        return self.snapshot

    def read_at(self, reads: Sequence[Read], block: Block | None, others: Mapping[str, Block] = NO_BLOCKS) -> Snapshot:
        """All answers at this block, from the look where it is its own; raises Unread where it cannot be read."""
        known = all(one in self.snapshot.answers for one in reads)
        return self.snapshot if block == self.snapshot.block and known else self.reader.read_at(reads, block, others)

    def judged_once(self, reads: Sequence[Read]) -> bool:
        """Whether it has all these reads, and nothing was judged by it before; from now on something was."""
        if self._judged or any(one not in self.snapshot.answers for one in reads):
            return False
        self._judged = True
        return True

    def learn(self, more: Snapshot) -> None:
        """Take over what was read by other means, where it was read at the block of the look."""
        if more.block == self.snapshot.block:
            self.snapshot = joined(self.snapshot, more)

    def _ask(self, unasked: Sequence[Read]) -> None:
        try:
            self.snapshot = joined(
                self.snapshot, self.reader.read_at(unasked, self.snapshot.block, self.snapshot.others)
            )
        except Unread:
            self.snapshot = self.reader.read([*self.snapshot.answers, *unasked])


def joined(one: Snapshot, more: Snapshot) -> Snapshot:
    """Both rounds, which were at the same block, as one."""
    return Snapshot(
        one.block,
        {**one.answers, **more.answers},
        {**more.others, **one.others},
        {**one.past_blocks, **more.past_blocks},
    )
