"""The harmless transaction of a signer drill: the empty call of the Safe to itself, at a nonce at which nothing stands.

Executing it does nothing but use up that nonce. It is a real transaction all the same: once enough owners have signed
it, anybody can execute it for as long as the nonce is free, and what is queued behind it waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incident_cli.errors import Unread
from incident_cli.evm import Address, Block
from incident_cli.flows.multisig.authority import role_of
from incident_cli.flows.multisig.plainly import describer
from incident_cli.flows.multisig.queueing import Queue, before, queue_of
from incident_cli.flows.multisig.reservations import Reserved, reserved_here
from incident_cli.flows.multisig.standing import read_chain_side, read_safe_side
from incident_cli.safe.batch import rejection
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.transaction import SafeTx

if TYPE_CHECKING:
    from incident_cli.flows.multisig.place import Place
    from incident_cli.flows.multisig.taking_up import Counter
    from incident_cli.safe.signing import Signer


@dataclass(frozen=True, slots=True)
class HarmlessPlan:
    """The transaction, and what is known of its nonce: `behind` nonces must be used first, `unknown` says what could
    not be seen of the queue (empty: everything was)."""

    tx: SafeTx
    owners: tuple[Address, ...]
    threshold: int
    block: Block
    behind: int
    unknown: str

    @property
    def nonce_words(self) -> str:
        """What it displaces, and when it could execute."""
        free = f"nothing stands at nonce {self.tx.nonce}: it displaces nothing now"
        if self.unknown:
            free = f"nothing is known to stand at nonce {self.tx.nonce}, but {self.unknown}"
        if not self.behind:
            return f"{free}; it would be the next to execute"
        return f"{free}; it could execute only after {before(self.tx.nonce, self.behind)}"

    def to_json(self, incident: str) -> Mapping[str, Any]:
        """As the journal keeps it; the words are those that stand in a queue."""
        words = f"signer drill {incident}: the empty call that uses up nonce {self.tx.nonce}"
        return {
            "proposal": {
                "safe_tx": self.tx.to_json(),
                "safe_tx_hash": hash_transaction(self.tx).safe_tx_hash,
                "calls": [{"plain": words}],
            },
            "owners": list(self.owners),
            "threshold": self.threshold,
            "behind": self.behind,
            "unknown": self.unknown,
        }


def plan_harmless(counter: Counter, place: Place, home: Path, own: str = "") -> HarmlessPlan:
    """The plan at the next free nonce, behind all that the service lists and open incidents here have reserved (but
    the drill `own` itself).

    Raises Unread where the chain or the service cannot be read: then no nonce is known to be free; Refused where the
    Safe itself hashes the transaction otherwise.
    """
    service = counter.services(place.chain)
    found = reserved_here(home, place.chain_id, place.safe, 0)
    others = tuple(one for one in found.reservations if one.incident != own)
    queue = queue_of(place, service, Reserved(others, found.unread), describer(place, counter.aids.catalog))
    if queue.service_problem:
        raise Unread(
            f"the queue could not be read, so no nonce is known to be free: {queue.service_problem}",
            "nothing was posted; run it again when the service answers",
        )
    tx = rejection(chain_id=place.chain_id, safe=place.safe, version=queue.version, nonce=queue.next_free)
    chain, _ = read_safe_side(place, tx)
    return HarmlessPlan(
        tx, chain.owners, chain.threshold, queue.block, queue.next_free - queue.nonce, unknown_of(queue)
    )


def unknown_of(queue: Queue) -> str:
    """What of the queue could not be seen, in words."""
    parts = [] if queue.asked else ["what is queued elsewhere is UNKNOWN: the deployment names no transaction service"]
    parts += [f"what the incident {one} reserved is UNKNOWN: its journal does not verify" for one in queue.unread]
    return "; ".join(parts)


def require_signer(counter: Counter, place: Place, signer: Signer | None) -> None:
    """Refused where the signer is neither an owner nor a registered delegate, before anything is begun."""
    if signer is not None:
        chain, _ = read_chain_side(place)
        role_of(chain.owners, counter.services(place.chain), place.safe, signer.address)
