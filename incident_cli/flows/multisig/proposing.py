"""Handing a transaction to the service: once, with where it comes from, and joined where the same is there already."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from incident_cli.errors import Misused, NotProven, Refused
from incident_cli.evm import ZERO, Address
from incident_cli.flows.multisig.authority import Role
from incident_cli.flows.multisig.queued import Describe, Queued, is_rejection, queued_of
from incident_cli.safe.batch import BatchError, InnerCall, decode_batch
from incident_cli.safe.contracts import MULTISEND_CODE_HASHES
from incident_cli.safe.hashes import SafeHashes, hash_transaction
from incident_cli.safe.signing import signed_by
from incident_cli.safe.transaction import DELEGATECALL, SafeTx
from incident_cli.safe.typed_data import safe_tx_typed_data

if TYPE_CHECKING:
    from incident_cli.flows.multisig.place import Place
    from incident_cli.safe.service import TransactionService
    from incident_cli.safe.signing import Signer

ORIGIN_DIGITS = 32  # of each hash: 128 bits identify it, and two whole ones with their labels do not fit
MOST_ORIGIN = 200
HASH = re.compile(r"(?:0x)?([0-9a-f]{32})[0-9a-f]*", re.ASCII)
ORIGIN = re.compile(r'\{"i":"([0-9a-f]{32})","h":"([0-9a-f]{32})"\}', re.ASCII)
WITHOUT_INCIDENT = "incident safe propose"  # where it comes from no incident of this machine


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a proposal says it comes from: the first 32 hex digits of the runbook's hash and of the journal's head."""

    runbook: str
    head: str


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of it: `posted`, `joined` (the same calls were there: `safe_tx_hash` is that one's), or `there`
    already with this owner's confirmation."""

    how: Literal["posted", "joined", "there"]
    safe_tx_hash: str
    confirmed_by: tuple[Address, ...] = ()


def origin_of(runbook_hash: str, head: str) -> str:
    """The origin of a proposal, `{"i":"<32 hex>","h":"<32 hex>"}` (79 characters): which runbook, and the head of the
    journal before the intent. Raises Misused for what is no hash."""
    digits = [match[1] if (match := HASH.fullmatch(one.lower())) else None for one in (runbook_hash, head)]
    if None in digits:
        raise Misused("the origin of a proposal is made of two hashes of at least 32 hex digits")
    return json.dumps({"i": digits[0], "h": digits[1]}, separators=(",", ":"))


def parse_origin(text: str) -> Origin | None:
    """The origin that `origin_of` wrote; None for any other text: it was proposed elsewhere."""
    match = ORIGIN.fullmatch(text)
    return Origin(match[1], match[2]) if match else None


def same_calls(one: SafeTx, other: SafeTx) -> bool:
    """Whether two transactions make the same calls in the same order, however they are batched, at whatever nonce."""
    try:
        return (one.safe, one.chain_id, entries_of(one)) == (other.safe, other.chain_id, entries_of(other))
    except BatchError:
        return False


def entries_of(tx: SafeTx) -> tuple[InnerCall, ...]:
    """What a transaction calls; raises BatchError."""
    if tx.operation == DELEGATECALL and tx.to in MULTISEND_CODE_HASHES:
        return decode_batch(tx.data)
    return (InnerCall(tx.operation, tx.to, tx.value, tx.data),)


def find_same(pending: tuple[Queued, ...], tx: SafeTx) -> Queued | None:
    """The pending transaction that does the same, the one that can execute first; None where there is none.

    One that pays a refund or is a rejection at another nonce is not the same.
    """
    sound = [one for one in pending if one.tx is not None and one.trusted and joinable(one.tx, tx)]
    return min(sound, key=lambda one: (one.nonce, -len(one.confirmed_by)), default=None)


def joinable(found: SafeTx, tx: SafeTx) -> bool:
    """Whether confirming `found` instead of `tx` does the same and nothing else."""
    if is_rejection(tx) and found.nonce != tx.nonce:
        return False
    paying = (found.safe_tx_gas, found.base_gas, found.gas_price, found.gas_token, found.refund_receiver)
    return paying == (0, 0, 0, ZERO, ZERO) and same_calls(found, tx)


def pending_of(
    place: Place, service: TransactionService, nonce: int, version: str, words: Describe | None = None
) -> tuple[Queued, ...]:
    """What is pending from a nonce on, rebuilt and hashed again."""
    return tuple(queued_of(one, place.chain_id, version, words) for one in service.pending(place.safe, nonce))


def join(place: Place, service: TransactionService, tx: SafeTx, nonce_on_chain: int) -> Queued | None:
    """The pending transaction to confirm instead of posting a second one; None where this one must be posted."""
    return find_same(pending_of(place, service, nonce_on_chain, tx.version), tx)


def post(
    service: TransactionService, tx: SafeTx, hashes: SafeHashes, signer: Signer, origin: str, *, role: Role
) -> Posted:
    """Sign it and hand it over, then read it back; a repeat changes nothing.

    `role` says that the signer was found to be an owner or a registered delegate. Raises Refused where the service or
    the signer's holder declines, Unread where it cannot be asked, NotProven where what is read back is not what was
    posted.
    """
    if hash_transaction(tx) != hashes:
        raise Refused("the hashes shown are not those of the transaction", "Nothing was signed.")
    if len(origin) > MOST_ORIGIN:
        raise Misused(f"the origin has {len(origin)} characters, a service takes {MOST_ORIGIN}")
    signature = signed_by(signer, safe_tx_typed_data(tx))
    delegate = role.kind == "delegate"
    return post_signature(service, tx, hashes.safe_tx_hash, signer.address, signature, origin, delegate=delegate)


def post_signature(
    service: TransactionService,
    tx: SafeTx,
    safe_tx_hash: str,
    sender: Address,
    signature: bytes,
    origin: str,
    *,
    delegate: bool,
) -> Posted:
    """Hand over a transaction with a signature made before (the very same bytes, also after an interruption)."""
    service.propose(tx, safe_tx_hash, sender, signature, origin, delegate=delegate)
    return read_back(service, tx, safe_tx_hash, "posted")


def post_unsigned(service: TransactionService, tx: SafeTx, hashes: SafeHashes, owner: Address, origin: str) -> Posted:
    """Hand it over without a signature, in an owner's name: the service does not trust it and hides it from lists."""
    service.propose(tx, hashes.safe_tx_hash, owner, b"", origin)
    return read_back(service, tx, hashes.safe_tx_hash, "posted")


def confirm(service: TransactionService, tx: SafeTx, signer: Signer) -> Posted:
    """Sign the transaction as it was rebuilt here and add the confirmation; read back.

    Raises NotProven where the service does not show the signer's own confirmation afterwards.
    """
    safe_tx_hash = hash_transaction(tx).safe_tx_hash
    signature = signed_by(signer, safe_tx_typed_data(tx))
    return confirm_signature(service, tx, safe_tx_hash, signer.address, signature)


def confirm_signature(
    service: TransactionService, tx: SafeTx, safe_tx_hash: str, owner: Address, signature: bytes
) -> Posted:
    """Add a confirmation that was signed before, and read it back."""
    service.confirm(safe_tx_hash, signature)
    found = read_back(service, tx, safe_tx_hash, "joined")
    if owner not in found.confirmed_by:
        raise NotProven(
            f"the service took the confirmation of {owner}, and does not show it",
            "run it again: a confirmation that is there already changes nothing",
        )
    return found


def read_back(
    service: TransactionService, tx: SafeTx, safe_tx_hash: str, how: Literal["posted", "joined", "there"]
) -> Posted:
    """What the service shows of it now; raises NotProven where that is not this transaction."""
    found = service.transaction(safe_tx_hash)
    if found is None:
        raise NotProven(
            f"the service said yes, and does not know {safe_tx_hash}",
            "its answer may have come from something in between: run it again, or look at its URL in the deployment",
        )
    if found.safe_tx(tx.chain_id, tx.version) != tx:
        raise NotProven(f"the service shows other fields for {safe_tx_hash} than were sent", "use another road")
    return Posted(how, safe_tx_hash, tuple(one.owner for one in found.confirmations))
