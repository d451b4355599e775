"""What the transaction service in memory accepts, and the words in which it refuses: those that were recorded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from incident_cli.errors import IncidentError
from incident_cli.evm import ADDRESS, BYTES32, ZERO, Address, checksummed
from incident_cli.safe.contracts import MULTISEND_CODE_HASHES
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.transaction import UINT256, SafeTx
from tests.fakes.safe_service_records import Record, SafeState, pieces_of, signer

REQUIRED = "This field is required."
NEEDED = ("to", "value", "operation", "safeTxGas", "baseGas", "gasPrice", "nonce", "contractTransactionHash", "sender")
NUMBERS = ("value", "operation", "safeTxGas", "baseGas", "gasPrice", "nonce")
Contracts = Callable[[Address, str, bytes], bool]  # owner, hash, signature → whether that contract accepts it


class No(Exception):
    """A refusal: its status and its body."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status, self.body = status, body


def no(words: str, status: int = 422) -> No:
    """A refusal that concerns no field."""
    return No(status, {"nonFieldErrors": [words]})


def check_fields(posted: dict[str, Any]) -> None:
    """Every field that is wrong by itself, all at once."""
    found: dict[str, list[str]] = {name: [REQUIRED] for name in NEEDED if name not in posted}
    for name in ("to", "sender", "gasToken", "refundReceiver"):
        given = posted.get(name)
        if isinstance(given, str) and (not ADDRESS.fullmatch(given) or given != checksummed(given)):
            found[name] = [f"Address {given} is not checksumed"]
    for name in NUMBERS:
        if name in posted and number(posted[name]) is None:
            found[name] = ["A valid integer is required."]
        elif name in posted and (number(posted[name]) or 0) < 0:
            found[name] = ["Ensure this value is greater than or equal to 0."]
    found |= signature_field(posted.get("signature")) | origin_field(posted)
    if found:
        raise No(422, {name: found[name] for name in (*NEEDED, *found) if name in found})


def number(given: Any) -> int | None:
    """A whole number, as JSON has it or in decimal digits."""
    if isinstance(given, str) and given.lstrip("-").isdigit():
        return int(given)
    return given if type(given) is int else None


def signature_field(given: Any) -> dict[str, list[str]]:
    """What is wrong with a signature by its length."""
    if given is None or len(given) >= 2 + 130:
        return {}
    return {"signature": ["Ensure this field has at least 65 hexadecimal chars (not counting 0x)."]}


def origin_field(posted: dict[str, Any]) -> dict[str, list[str]]:
    """What is wrong with an origin."""
    origin = posted.get("origin")
    if origin is None:
        return {}
    if not isinstance(origin, str):
        return {"origin": ["Not a valid string."]}
    if not origin.strip():
        return {"origin": ["This field may not be blank."]}
    return {"origin": ["Ensure this field has no more than 200 characters."]} if len(origin) > 200 else {}


def transaction_of(posted: dict[str, Any], safe: Address, state: SafeState, chain_id: int) -> SafeTx:
    """The transaction that was posted."""
    value, operation, safe_tx_gas, base_gas, gas_price, nonce = (number(posted[name]) or 0 for name in NUMBERS)
    if operation == 2:
        raise no("Operation CREATE not supported. Please use Safe CreateLib")
    if any(one > UINT256 for one in (value, safe_tx_gas, base_gas, gas_price, nonce)):
        raise No(422, {"value": ["Ensure this value is less than or equal to 2**256 - 1."]})
    return SafeTx(
        chain_id=chain_id,
        safe=safe,
        version=state.version,
        to=Address(posted["to"]),
        value=value,
        data=bytes.fromhex((posted.get("data") or "0x")[2:]),
        operation=operation,
        safe_tx_gas=safe_tx_gas,
        base_gas=base_gas,
        gas_price=gas_price,
        gas_token=Address(posted.get("gasToken") or ZERO),
        refund_receiver=Address(posted.get("refundReceiver") or ZERO),
        nonce=nonce,
    )


def check_delegatecall(tx: SafeTx, allowed: bool) -> None:
    """Where delegatecalls are off, only those to a MultiSendCallOnly pass."""
    if tx.operation == 1 and not allowed and tx.to not in MULTISEND_CODE_HASHES:
        raise no("Operation DELEGATE_CALL is not allowed")


def check_hash(tx: SafeTx, posted: dict[str, Any]) -> str:
    """The hash of the fields, which must be the one given."""
    found, given = hash_transaction(tx).safe_tx_hash, str(posted["contractTransactionHash"]).lower()
    if found != given:
        raise no(f"Contract-transaction-hash={found} does not match provided contract-tx-hash={given}")
    return found


def check_not_executed(tx: SafeTx, safe_tx_hash: str, records: Sequence[Record]) -> None:
    """Neither this transaction nor another of its nonce."""
    done = {one.safe_tx_hash: one for one in records if one.tx.safe == tx.safe and one.execution}
    if (same := done.get(safe_tx_hash)) and same.execution:
        hashes = f"Tx with safe-tx-hash={safe_tx_hash} for safe={tx.safe}"
        raise no(f"{hashes} was already executed in tx-hash={same.execution.transaction_hash}")
    for one in done.values():
        if one.tx.nonce == tx.nonce and one.execution:
            words = f"Tx with nonce={tx.nonce} for safe={tx.safe} already executed in tx-hash="
            raise no(words + one.execution.transaction_hash)


def check_signers(
    safe_tx_hash: str, posted: dict[str, Any], state: SafeState, delegates: Collection[Address], accepts: Contracts
) -> dict[Address, bytes]:
    """The signatures by who made them: sender and signers are owners or delegates, and the sender is one of them."""
    sender, allowed = Address(posted["sender"]), (*state.owners, *delegates)
    known = f"Current owners={list(state.owners)}. Delegates={set(delegates) or set()}"
    if sender not in allowed:
        raise no(f"Sender={sender} is not an owner or delegate. {known}")
    found: dict[Address, bytes] = {}
    for piece in pieces_of(bytes.fromhex((posted.get("signature") or "0x")[2:])):
        by = signer(safe_tx_hash, piece)
        if (piece[64] == 0 and not accepts(by, safe_tx_hash, piece)) or int(by, 16) == 0:
            raise no(f"Signature=0x{piece[:65].hex()} for owner={by} is not valid")
        if by not in allowed:
            raise no(f"Signer={by} is not an owner or delegate. {known}")
        found[by] = piece
    if found and sender not in found:
        raise no(f"Signature does not match sender={sender}. Calculated owners={list(found)}")
    return found


def check_confirmation(
    record: Record, posted: dict[str, Any], state: SafeState, accepts: Contracts
) -> dict[Address, bytes]:
    """The signatures of a confirmation, by owner."""
    if "signature" not in posted:
        raise No(400, {"signature": [REQUIRED]})
    if short := signature_field(posted["signature"]):
        raise No(400, short)
    if record.execution:
        words = f"Transaction with safe-tx-hash={record.safe_tx_hash} was already executed"
        raise No(400, {"signature": [words]})
    found: dict[Address, bytes] = {}
    for piece in pieces_of(bytes.fromhex(posted["signature"][2:])):
        by = signer(record.safe_tx_hash, piece)
        if piece[64] == 0 and not accepts(by, record.safe_tx_hash, piece):
            raise No(400, {"signature": [f"Signature=0x{piece[:65].hex()} for owner={by} is not valid"]})
        if by not in state.owners:
            words = f"Signer={by} is not an owner. Current owners={list(state.owners)}"
            raise No(400, {"signature": [words]})
        found[by] = piece
    return found


def is_hash(text: str) -> bool:
    """Whether a path names a transaction."""
    return bool(BYTES32.fullmatch(text))


def signed_by(digests: Sequence[str], signature: str, wanted: Collection[Address]) -> bool:
    """Whether one of these signed one of these digests."""
    try:
        raw = bytes.fromhex(signature[2:])
        return any(signer(one, raw) in wanted for one in digests)
    except (IncidentError, ValueError, IndexError):
        return False
