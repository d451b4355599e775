"""Confirming without a service and without a file: approveHash, sent by an owner, and the approval read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from incident_cli.abi import encode_call, parse_signature
from incident_cli.chain.execution import receipt
from incident_cli.chain.fees import quote
from incident_cli.errors import NotProven, Waiting
from incident_cli.evm import Address, hex_bytes
from incident_cli.flows.clock import Clock
from incident_cli.flows.multisig.authority import require_owner
from incident_cli.flows.multisig.broadcasting import attempt_of, send_everywhere
from incident_cli.flows.multisig.confirmation import approval_read
from incident_cli.flows.multisig.executing import Road
from incident_cli.flows.multisig.standing import read_safe_side
from incident_cli.safe import contracts
from incident_cli.safe.signing import Signer, raw_by
from incident_cli.safe.transaction import SafeTx

if TYPE_CHECKING:
    from incident_cli.flows.multisig.place import Place

APPROVE = parse_signature(contracts.APPROVE_HASH)


@dataclass(frozen=True, slots=True)
class Approved:
    """An approval that stands; `transaction_hash` is None where it stood before."""

    owner: Address
    safe_tx_hash: str
    transaction_hash: str | None

    def to_json(self) -> dict[str, object]:
        """As `--json` prints it."""
        words = {"safe_tx_hash": self.safe_tx_hash, "owner": self.owner, "approved": True}
        return {**words, "transaction_hash": self.transaction_hash, "stood_before": self.transaction_hash is None}


def approve(
    place: Place, tx: SafeTx, signer: Signer, *, clock: Clock, say: Callable[[str], None], road: Road | None = None
) -> Approved:
    """Approve the hash as an owner. Sending it twice changes nothing, so nothing is remembered.

    Raises Refused where the signer is no owner (before it signs) or it would fail, Waiting where it is not included
    in time, NotProven where the Safe does not show the approval afterwards.
    """
    chain, safe_tx_hash = read_safe_side(place, tx)
    require_owner(chain.owners, signer.address, tx.safe)
    if stands(place, tx, signer.address):
        return Approved(signer.address, safe_tx_hash, None)
    road = road or Road()
    data = encode_call(APPROVE, (hex_bytes(safe_tx_hash),))
    priced = quote(place.reader.endpoint, place.chain_id, signer.address, tx.safe, data, cap=road.cap)
    attempt = attempt_of(raw_by(signer, priced.outgoing))
    sent = send_everywhere(place, attempt)
    say(f"sent {sent}")
    wait_for(place, sent, clock, road)
    if not stands(place, tx, signer.address):
        raise NotProven(
            f"{sent} was included, and the Safe does not show the approval of {signer.address}",
            "look at the transaction; the approval does not count",
        )
    return Approved(signer.address, safe_tx_hash, sent)


def stands(place: Place, tx: SafeTx, owner: Address) -> bool:
    """Whether the owner's approval of this hash stands on chain; an answer that is missing counts as none."""
    read = approval_read(tx, owner)
    answer = place.reader.read([read]).value(read)
    return isinstance(answer, int) and answer > 0


def wait_for(place: Place, transaction_hash: str, clock: Clock, road: Road) -> None:
    """Until it is included; raises Waiting when patience ends."""
    waited = 0.0
    while receipt(place.reader.endpoint, place.chain, transaction_hash) is None:
        if waited >= road.patience:
            raise Waiting(
                f"{transaction_hash} was sent and is not included after {waited:.0f} s",
                "inclusion",
                "run it again: an approval that stands already is seen, and a second one changes nothing",
            )
        clock.sleep(road.poll)
        waited += road.poll
