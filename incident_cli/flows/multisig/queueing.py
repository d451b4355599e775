"""A Safe's queue: what stands at each nonce by service and by this machine's incidents, and which nonce a new
transaction may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from incident_cli.errors import Refused, Unread
from incident_cli.evm import Block
from incident_cli.flows.multisig.proposing import pending_of
from incident_cli.flows.multisig.queued import Describe, Queued
from incident_cli.flows.multisig.reservations import Reservation, Reserved
from incident_cli.flows.multisig.standing import read_chain_side

if TYPE_CHECKING:
    from incident_cli.flows.multisig.place import Place
    from incident_cli.safe.service import TransactionService

NONE_RESERVED = Reserved()
MOST_GAPS = 1_000


@dataclass(frozen=True, slots=True)
class AtNonce:
    """What stands at one nonce. More than one transaction are rivals: the first to execute displaces the others."""

    nonce: int
    queued: tuple[Queued, ...] = ()
    reserved: tuple[Reservation, ...] = ()

    @property
    def hashes(self) -> tuple[str, ...]:
        """Every transaction that stands here, once."""
        found = [*(one.safe_tx_hash for one in self.queued), *(one.safe_tx_hash for one in self.reserved)]
        return tuple(dict.fromkeys(found))

    @property
    def are_rivals(self) -> bool:
        """Whether several transactions want this nonce."""
        return len(self.hashes) > 1

    @property
    def labels(self) -> tuple[str, ...]:
        """What stands here in words; an incident's own words before the decoded call."""
        own = {one.safe_tx_hash: one.label for one in self.reserved}
        return tuple({**{one.safe_tx_hash: one.label for one in self.queued}, **own}[hash_] for hash_ in self.hashes)

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "nonce": self.nonce,
            "rivals": self.are_rivals,
            "queued": [one.to_json() for one in self.queued],
            "reserved": [one.to_json() for one in self.reserved],
        }


@dataclass(frozen=True, slots=True)
class Queue:
    """What is queued from the nonce on chain on. `service_problem` says why the service could not be read, `asked` is
    False where the deployment names none: then only this machine's own are known."""

    nonce: int
    threshold: int
    block: Block
    at: tuple[AtNonce, ...]
    unread: tuple[str, ...] = ()
    service_problem: str = ""
    version: str = ""
    asked: bool = True

    @property
    def is_whole(self) -> bool:
        """Whether a service was read: then nothing that it lists is missing."""
        return self.asked and not self.service_problem

    @property
    def is_known(self) -> bool:
        """Whether everything was read that there is to read."""
        return not self.service_problem and not self.unread

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "nonce": self.nonce,
            "threshold": self.threshold,
            "block": self.block.number,
            "at": [one.to_json() for one in self.at],
            "gaps": list(self.gaps),
            "next_free": self.next_free,
            "service_asked": self.asked,
            "service_problem": self.service_problem,
            "unread": list(self.unread),
        }

    @property
    def gaps(self) -> tuple[int, ...]:
        """Nonces at which nothing stands and behind which something waits."""
        taken = {one.nonce for one in self.at}
        return tuple(
            nonce
            for nonce in range(self.nonce, min(max(taken, default=0), self.nonce + MOST_GAPS))
            if nonce not in taken
        )

    @property
    def next_free(self) -> int:
        """The nonce behind everything that stands in the queue."""
        return max((one.nonce + 1 for one in self.at), default=self.nonce)


@dataclass(frozen=True, slots=True)
class NonceChoice:
    """A nonce that a new transaction may take. `displaces` is what could then never execute, `behind` how many nonces
    must execute first; `known` is False where what stands there could not be read."""

    how: Literal["on-chain", "next-free", "replace", "gap"]
    nonce: int
    displaces: tuple[str, ...] = ()
    behind: int = 0
    known: bool = True

    @property
    def words(self) -> str:
        """The choice in one line."""
        if self.displaces:
            return f"nonce {self.nonce}: displaces {'; '.join(self.displaces)}"
        unknown = "" if self.known else "; whether something stands there is UNKNOWN"
        if self.behind:
            return f"nonce {self.nonce}: executes only after {before(self.nonce, self.behind)}{unknown}"
        return f"nonce {self.nonce}: next to execute{unknown or ', displaces nothing'}"


def before(nonce: int, behind: int) -> str:
    """`nonce 0`, or `nonces 0 to 3`: those that must be used first."""
    first, last = nonce - behind, nonce - 1
    return f"nonce {last}" if behind == 1 else f"nonces {first} to {last}"


def queue_of(
    place: Place,
    service: TransactionService | None,
    reserved: Reserved = NONE_RESERVED,
    words: Describe | None = None,
) -> Queue:
    """The queue from the Safe's nonce on; raises Unread where the chain cannot be read."""
    chain, _ = read_chain_side(place)
    pending: tuple[Queued, ...] = ()
    problem = ""
    if service is not None:
        try:
            pending = pending_of(place, service, chain.nonce, chain.version, words)
        except (Unread, Refused) as failure:
            problem = failure.message
    own = [one for one in reserved.reservations if one.nonce >= chain.nonce]
    nonces = sorted({*(one.nonce for one in pending), *(one.nonce for one in own)})
    at = tuple(
        AtNonce(
            nonce,
            tuple(one for one in pending if one.nonce == nonce),
            tuple(one for one in own if one.nonce == nonce),
        )
        for nonce in nonces
    )
    return Queue(
        chain.nonce, chain.threshold, chain.block, at, reserved.unread, problem, chain.version, service is not None
    )


def choices_of(queue: Queue) -> tuple[NonceChoice, ...]:
    """The on-chain nonce, gaps, the next free one, and each that can be replaced, with what it would displace."""
    standing, known = {one.nonce: one.labels for one in queue.at}, queue.is_known and queue.asked
    choices = [NonceChoice("on-chain", queue.nonce, standing.get(queue.nonce, ()), 0, known)]
    choices += [NonceChoice("gap", one, (), one - queue.nonce, known) for one in queue.gaps if one != queue.nonce]
    if queue.next_free != queue.nonce:
        choices.append(NonceChoice("next-free", queue.next_free, (), queue.next_free - queue.nonce, known))
    others = [one for one in queue.at if one.nonce != queue.nonce]
    return (*choices, *(NonceChoice("replace", one.nonce, one.labels, one.nonce - queue.nonce) for one in others))
