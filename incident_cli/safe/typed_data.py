"""What is signed, as EIP-712 typed data: rebuilt here from the transaction itself, never taken from a service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from incident_cli.evm import Address, keccak, to_hex
from incident_cli.safe.hashes import (
    BASE_GAS_SINCE,
    CHAIN_ID_SINCE,
    address_word,
    domain_hash,
    known_version,
    message_hash,
    number_word,
)
from incident_cli.safe.transaction import SafeTx

Fields = Sequence[tuple[str, str]]  # name, type
SAFE_TX_FIELDS: Fields = (
    ("to", "address"),
    ("value", "uint256"),
    ("data", "bytes"),
    ("operation", "uint8"),
    ("safeTxGas", "uint256"),
    ("baseGas", "uint256"),
    ("gasPrice", "uint256"),
    ("gasToken", "address"),
    ("refundReceiver", "address"),
    ("nonce", "uint256"),
)
DOMAIN_FIELDS: Mapping[str, str] = {
    "name": "string",
    "version": "string",
    "chainId": "uint256",
    "verifyingContract": "address",
}
SERVICE_NAME, SERVICE_VERSION = "Safe Transaction Service", "1.0"
SERVICE_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId)"
DELEGATE_FIELDS: Fields = (("delegateAddress", "address"), ("totp", "uint256"))
DELEGATE_TYPE = b"Delegate(address delegateAddress,uint256 totp)"
TOTP_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class TypedData:
    """EIP-712 data and the two hashes of it that were computed here (32 bytes each)."""

    primary_type: str
    fields: Fields
    domain: Mapping[str, Any]
    message: Mapping[str, Any]
    domain_hash: bytes
    message_hash: bytes

    @property
    def digest(self) -> bytes:
        """The 32 bytes that a key signs."""
        return keccak(b"\x19\x01" + self.domain_hash + self.message_hash)

    def to_json(self) -> dict[str, Any]:
        """The argument of eth_signTypedData_v4; whole numbers as decimal strings, bytes as 0x hex."""
        domain_fields = [{"name": name, "type": DOMAIN_FIELDS[name]} for name in DOMAIN_FIELDS if name in self.domain]
        own = [{"name": name, "type": type_} for name, type_ in self.fields]
        return {
            "types": {"EIP712Domain": domain_fields, self.primary_type: own},
            "primaryType": self.primary_type,
            "domain": dict(self.domain),
            "message": dict(self.message),
        }


def safe_tx_typed_data(tx: SafeTx) -> TypedData:
    """The typed data of a Safe transaction, as its version's contract hashes it; raises Refused for an unknown one."""
    version = known_version(tx.version)
    flat = tx.to_json()
    names = {"baseGas": "dataGas"} if version < BASE_GAS_SINCE else {}
    fields = tuple((names.get(name, name), type_) for name, type_ in SAFE_TX_FIELDS)
    domain = {"chainId": str(tx.chain_id)} if version >= CHAIN_ID_SINCE else {}
    message = {names.get(name, name): written(flat[name]) for name, _ in SAFE_TX_FIELDS}
    return TypedData(
        "SafeTx",
        fields,
        {**domain, "verifyingContract": tx.safe},
        message,
        domain_hash(tx, version),
        message_hash(tx, version),
    )


def totp_of(unix_seconds: float) -> int:
    """The hour that a delegate's signature is good for; the service also takes the one before."""
    return int(unix_seconds) // TOTP_SECONDS


def delegate_typed_data(chain_id: int, delegate: Address, totp: int) -> TypedData:
    """What an owner signs so that `delegate` may propose for them, or may no longer; `totp` is `totp_of` now."""
    words = (keccak(SERVICE_NAME.encode()), keccak(SERVICE_VERSION.encode()), number_word(chain_id))
    return TypedData(
        "Delegate",
        DELEGATE_FIELDS,
        {"name": SERVICE_NAME, "version": SERVICE_VERSION, "chainId": str(chain_id)},
        {"delegateAddress": delegate, "totp": str(totp)},
        keccak(keccak(SERVICE_DOMAIN_TYPE) + b"".join(words)),
        keccak(keccak(DELEGATE_TYPE) + address_word(delegate) + number_word(totp)),
    )


def written(value: object) -> object:
    """Whole numbers as decimal strings: a reader of JSON may not hold 256 bits."""
    return str(value) if isinstance(value, int) else to_hex(value) if isinstance(value, bytes) else value
