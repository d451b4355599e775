"""What stands in a Safe's queue: each pending transaction rebuilt, hashed again, and said in a few words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from incident_cli.errors import IncidentError
from incident_cli.evm import Address, to_hex
from incident_cli.safe.batch import InnerCall
from incident_cli.safe.contracts import CONTROL_FUNCTIONS
from incident_cli.safe.transaction import CALL, SafeTx
from incident_cli.safe.unfolding import unfold
from incident_cli.text import plain

if TYPE_CHECKING:
    from incident_cli.safe.service_records import ServiceTransaction

Describe = Callable[[SafeTx], str]
LABEL_LIMIT = 1_000
ORIGIN_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Queued:
    """A pending transaction. `tx` is None where its fields do not hash to what it claims: then `label` says so."""

    nonce: int
    safe_tx_hash: str
    label: str
    confirmed_by: tuple[Address, ...]
    proposer: str = ""
    trusted: bool = True
    tx: SafeTx | None = None
    origin: str = ""

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "nonce": self.nonce,
            "safe_tx_hash": self.safe_tx_hash,
            "label": self.label,
            "claimed_confirmations": list(self.confirmed_by),
            "proposer": self.proposer or None,
            "origin": self.origin or None,
            "trusted": self.trusted,
            "sound": self.tx is not None,
        }


def queued_of(one: ServiceTransaction, chain_id: int, version: str, words: Describe | None = None) -> Queued:
    """A transaction of the service's list; its confirmations are as claimed, not judged. `words` says what it does."""
    owners = tuple(confirmation.owner for confirmation in one.confirmations)
    try:
        rebuilt = one.safe_tx(chain_id, version)
        tx: SafeTx | None = rebuilt
        label = plain((words or describe)(rebuilt), LABEL_LIMIT)
    except IncidentError as problem:
        tx, label = None, f"NOT what it claims to be: {problem.message}"
    origin = plain(one.origin, ORIGIN_LIMIT)
    return Queued(one.nonce, one.safe_tx_hash, label, owners, one.proposer or "", one.trusted, tx, origin)


def describe(tx: SafeTx) -> str:
    """A transaction in one line: every call it makes, with whole addresses, and what of it cannot be read."""
    if is_rejection(tx):
        return f"rejection: the empty call that uses up nonce {tx.nonce}"
    found = unfold(tx)
    return "; ".join([*(call_words(one.call) for one in found.calls), *found.problems])


def is_rejection(tx: SafeTx) -> bool:
    """Whether it is the empty call to the Safe itself."""
    return tx.to == tx.safe and tx.operation == CALL and not tx.value and not tx.data


def call_words(call: InnerCall) -> str:
    """`addOwnerWithThreshold(address,uint256) at 0x…`, or the selector where the function is not known."""
    how = "" if call.operation == CALL else "DELEGATECALL of "
    value = f" with {call.value} wei" if call.value else ""
    name = CONTROL_FUNCTIONS.get(call.data[:4], f"function {to_hex(call.data[:4])}")
    return f"{how}{name} at {call.to}{value}" if call.data else f"{how}sends {call.value} wei to {call.to}"
