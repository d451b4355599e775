"""Taking a transaction back: the empty call of the Safe to itself at the same nonce, which displaces what stands there
once it executes before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from incident_cli.errors import Refused
from incident_cli.flows.multisig.queued import Describe
from incident_cli.flows.multisig.queueing import AtNonce, Queue, queue_of
from incident_cli.flows.multisig.reservations import Reserved
from incident_cli.flows.multisig.standing import read_safe_side
from incident_cli.safe.batch import rejection
from incident_cli.safe.hashes import SafeHashes, hash_transaction
from incident_cli.safe.transaction import SafeTx

if TYPE_CHECKING:
    from incident_cli.flows.multisig.place import Place
    from incident_cli.safe.service import TransactionService


@dataclass(frozen=True, slots=True)
class Rejection:
    """A rejection that may be shown and signed: `at` is what stands at its nonce, `target` the hash it is aimed at."""

    tx: SafeTx
    hashes: SafeHashes
    at: AtNonce
    queue: Queue
    target: str = ""

    @property
    def displaced(self) -> tuple[tuple[str, str], ...]:
        """What can never execute once this has: hash and words; a rejection that is there already is not among them."""
        found = dict(zip(self.at.hashes, self.at.labels, strict=True))
        known = {self.target: "the transaction that is to be rejected"} if self.target not in found else {}
        every = {hash_: words for hash_, words in {**found, **known}.items() if hash_}
        return tuple((hash_, words) for hash_, words in every.items() if hash_ != self.hashes.safe_tx_hash)

    def confirmations(self, safe_tx_hash: str) -> int | None:
        """How many owners have confirmed what it displaces, by the service's count; None where it is not there."""
        return next((len(one.confirmed_by) for one in self.at.queued if one.safe_tx_hash == safe_tx_hash), None)

    @property
    def may_execute_now(self) -> bool:
        """Whether something that it displaces has, or may have, the signatures that it needs."""
        counts = [self.confirmations(hash_) for hash_, _ in self.displaced]
        return not self.displaced or any(one is None or one >= self.queue.threshold for one in counts)


def reject(
    place: Place,
    service: TransactionService | None,
    nonce: int,
    reserved: Reserved,
    target: str = "",
    words: Describe | None = None,
) -> Rejection:
    """The rejection of a nonce; raises Refused where that nonce is spent, Unread where the chain cannot be read."""
    queue = queue_of(place, service, reserved, words)
    if nonce < queue.nonce:
        raise Refused(
            f"nonce {nonce} is spent: the Safe {place.safe} is at {queue.nonce}",
            "there is nothing to reject: what stood there was executed, or displaced by another",
        )
    tx = rejection(chain_id=place.chain_id, safe=place.safe, version=queue.version, nonce=nonce)
    read_safe_side(place, tx)
    at = next((one for one in queue.at if one.nonce == nonce), AtNonce(nonce))
    return Rejection(tx, hash_transaction(tx), at, queue, target)
