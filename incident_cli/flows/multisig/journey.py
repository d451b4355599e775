"""One execution on its way: every attempt so far, by whomever it was signed, and what the chain shows of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from incident_cli.chain.execution import Execution, execution_of
from incident_cli.chain.fees import Quote, quote
from incident_cli.errors import Refused
from incident_cli.evm import CallRead
from incident_cli.flows.multisig.broadcasting import Attempt, send_everywhere
from incident_cli.flows.multisig.fate import settle
from incident_cli.flows.proposal import SAFE_READS
from incident_cli.safe.signing import Signer
from incident_cli.safe.transaction import SafeTx

if TYPE_CHECKING:
    from incident_cli.flows.multisig.executing import Road
    from incident_cli.flows.multisig.place import Place

Found = tuple[str, Execution]  # the hash of the transaction, and its evidence


@dataclass(slots=True)
class Journey:
    """One execution on its way: who is told what, and every attempt so far, oldest first."""

    place: Place
    tx: SafeTx
    safe_tx_hash: str
    broadcaster: Signer
    intent: Callable[[bytes], None]
    sent: Callable[[str], None]
    say: Callable[[str], None]
    road: Road
    attempts: list[Attempt] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)  # hashes that a node took here

    def evidence_of(self, transaction_hash: str) -> Execution:
        """What the chain proves of one transaction."""
        endpoint, chain = self.place.reader.endpoint, self.place.chain
        return execution_of(endpoint, chain, self.tx.safe, self.safe_tx_hash, transaction_hash)

    def mined(self) -> list[Found]:
        """The attempts that were mined, the latest first; one of which the Safe states an outcome before others."""
        found = [(one.hash, self.evidence_of(one.hash)) for one in reversed(self.attempts)]
        return sorted((one for one in found if one[1].mined), key=lambda one: one[1].safe_outcome == "absent")

    def by(self, own: bool) -> list[Attempt]:
        """The attempts of this broadcaster, or those of others, oldest first."""
        return [one for one in self.attempts if (one.sender == self.broadcaster.address) is own]

    def dispatch(self, attempt: Attempt) -> None:
        """Intend a new one, then send it."""
        self.intent(attempt.raw)
        self.attempts.append(attempt)
        self.send(attempt)

    def send(self, attempt: Attempt) -> None:
        """Send what was intended, first or again, by its road."""
        hash_ = send_everywhere(self.place, attempt, self.private_url(attempt))
        self.taken.add(hash_)
        self.sent(hash_)

    def is_hidden(self, attempt: Attempt) -> bool:
        """Whether a private node took it here: it alone knows, and the others need not."""
        return attempt.hash in self.taken and self.private_url(attempt) is not None

    def private_url(self, attempt: Attempt) -> str | None:
        """The private node, as long as its sender has raised no fee: what was raised is for everybody."""
        alone = sum(one.sender == attempt.sender for one in self.attempts) == 1
        return self.road.private_url if alone else None

    def priced(self, data: bytes, replacing: Attempt | None = None) -> Quote:
        """The transaction with the fees of now; raises Refused where it would revert, Unpayable where the broadcaster
        lacks the money."""
        place, road = self.place, self.road
        outgoing = None if replacing is None else replacing.outgoing
        rest = {"used": road.gas_used, "cap": road.cap}
        endpoint, sender = place.reader.endpoint, self.broadcaster.address
        return quote(endpoint, place.chain_id, sender, self.tx.safe, data, replacing=outgoing, **rest)


def look(journey: Journey) -> Found | None:
    """The execution, by whomever it was sent; else an attempt that reverted; None where nothing was included.

    Raises Refused where another transaction took the nonce, Unread where the chain does not show enough.
    """
    mined = journey.mined()
    if mined and mined[0][1].safe_outcome != "absent":
        return mined[0]
    return by_others(journey) or next(iter(mined), None)


def by_others(journey: Journey) -> Found | None:
    """The execution by somebody else, where the Safe's nonce moved on meanwhile; raises Refused where another
    transaction took the nonce: ours can only revert, and changes nothing."""
    tx, read = journey.tx, CallRead(journey.tx.safe, SAFE_READS["nonce"])
    snapshot = journey.place.reader.read([read])
    nonce = snapshot.value(read)
    if not isinstance(nonce, int) or nonce <= tx.nonce:
        return None
    found = settle(journey.place, tx, journey.safe_tx_hash, nonce, snapshot.block.number, None)
    if found.transaction_hash is None:
        sent = f" while {journey.attempts[-1].hash} was on its way" if journey.attempts else ""
        raise Refused(
            f"another transaction took nonce {tx.nonce} of the Safe{sent}",
            "what was sent can only revert now; `incident safe queue` shows what stands next",
        )
    if all(one.hash != found.transaction_hash for one in journey.attempts):
        journey.say(f"somebody else executed it: {found.transaction_hash}")
    return found.transaction_hash, journey.evidence_of(found.transaction_hash)
