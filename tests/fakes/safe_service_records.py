"""What the transaction service in memory keeps, and how it writes it: as safe-transaction-service 6.10.1 does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from incident_cli.errors import IncidentError
from incident_cli.evm import ZERO, Address, checksummed, keccak
from incident_cli.safe.hashes import address_word, hash_transaction, number_word
from incident_cli.safe.signatures import LENGTH, claimed_owner, recover
from incident_cli.safe.transaction import SafeTx

FIRST_DAY = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
KINDS = {0: "CONTRACT_SIGNATURE", 1: "APPROVED_HASH", 27: "EOA", 28: "EOA", 31: "ETH_SIGN", 32: "ETH_SIGN"}


@dataclass
class SafeState:
    """A Safe as the service knows it from the chain."""

    owners: tuple[Address, ...]
    nonce: int = 0
    threshold: int = 2
    version: str = "1.4.1"


@dataclass
class Confirmation:
    """One owner's."""

    owner: Address
    signature: bytes
    created: str


@dataclass
class Execution:
    """How a transaction was executed, as far as the service shows it."""

    transaction_hash: str
    successful: bool = True
    executor: str | None = None


@dataclass
class Record:
    """A transaction: the fields as they are written, and who put it there."""

    tx: SafeTx
    safe_tx_hash: str
    proposer: Address
    delegate: Address | None = None
    origin: str = "{}"
    trusted: bool = False
    created: str = ""
    required: int = 2
    confirmations: dict[Address, Confirmation] = field(default_factory=dict)
    execution: Execution | None = None

    def to_json(self, version: str = "v2") -> dict[str, Any]:
        """The record; in v1 the nonce and two of the gas values are numbers."""
        tx, done = self.tx, self.execution
        small = int if version == "v1" else str
        return {
            "safe": tx.safe,
            "to": tx.to,
            "value": str(tx.value),
            "data": "0x" + tx.data.hex() if tx.data else None,
            "operation": tx.operation,
            "gasToken": tx.gas_token,
            "safeTxGas": small(tx.safe_tx_gas),
            "baseGas": small(tx.base_gas),
            "gasPrice": str(tx.gas_price),
            "refundReceiver": tx.refund_receiver,
            "nonce": small(tx.nonce),
            "executionDate": self.created if done else None,
            "submissionDate": self.created,
            "modified": self.created,
            "blockNumber": 1 if done else None,
            "transactionHash": done.transaction_hash if done else None,
            "safeTxHash": self.safe_tx_hash,
            "proposer": self.proposer,
            "proposedByDelegate": self.delegate,
            "executor": done.executor if done else None,
            "isExecuted": done is not None,
            "isSuccessful": done.successful if done else None,
            "origin": self.origin,
            "dataDecoded": {"method": "pause", "parameters": []} if tx.data.hex() == "8456cb59" else None,
            "confirmationsRequired": self.required,
            "confirmations": [written(one) for one in self.confirmations.values()],
            "trusted": self.trusted,
            "signatures": packed(list(self.confirmations.values())) if done else None,
        }


def written(one: Confirmation) -> dict[str, Any]:
    """A confirmation as it is listed."""
    return {
        "owner": one.owner,
        "submissionDate": one.created,
        "transactionHash": None,
        "signature": "0x" + one.signature.hex(),
        "signatureType": KINDS[one.signature[64]],
    }


def packed(confirmations: Sequence[Confirmation]) -> str:
    """All signatures, by owner."""
    ordered = sorted(confirmations, key=lambda one: int(one.owner, 16))
    return "0x" + b"".join(one.signature for one in ordered).hex()


def moment(number: int) -> str:
    """Ascending time stamps, one a call."""
    return f"{FIRST_DAY + timedelta(milliseconds=number):%Y-%m-%dT%H:%M:%S.%fZ}"


def pieces_of(signature: bytes) -> list[bytes]:
    """The signatures in one field: key signatures one after the other; a contract's with all that follows it."""
    if len(signature) > 64 and signature[64] == 0:
        return [signature]
    return [signature[at : at + LENGTH] for at in range(0, len(signature), LENGTH)]


def signer(safe_tx_hash: str, signature: bytes) -> Address:
    """Who signed, the zero address where nobody can have; a contract's signature names its owner."""
    if signature[64] == 0:
        return claimed_owner(signature)
    try:
        return recover(safe_tx_hash, signature)
    except IncidentError:
        return ZERO


def delete_digest(safe: Address, safe_tx_hash: str, chain_id: int, totp: int) -> str:
    """What is signed to take a transaction out again."""
    domain_type = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    words = keccak(b"Safe Transaction Service") + keccak(b"1.0") + number_word(chain_id) + address_word(safe)
    request = keccak(b"DeleteRequest(bytes32 safeTxHash,uint256 totp)") + bytes.fromhex(safe_tx_hash[2:])
    domain = keccak(keccak(domain_type) + words)
    return "0x" + keccak(b"\x19\x01" + domain + keccak(request + number_word(totp))).hex()


def queued(safe: Address, nonce: int, chain_id: int = 31_337, version: str = "1.4.1") -> Record:
    """A transaction that waits, which nobody confirmed."""
    tx = SafeTx(chain_id=chain_id, safe=safe, version=version, to=safe, value=0, data=b"", operation=0, nonce=nonce)
    return Record(tx, hash_transaction(tx).safe_tx_hash, checksummed("0x" + "11" * 20), trusted=True)


def delegate(safe: Address, by: Address, address: Address) -> dict[str, Any]:
    """Somebody who may propose for an owner."""
    return {"safe": safe, "delegate": address, "delegator": by, "label": "on call", "expiryDate": None}
