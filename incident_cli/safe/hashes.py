"""The hashes of a Safe transaction, packed word by word from EIP-712 with nothing but keccak.

This is one of two independent implementations (`safe/second_opinion.py` asks the other); nothing is signed
unless they agree. Measured against the contracts 0.0.2 to 1.5.0:

* below 1.3.0 the domain has no chainId, so a signature is valid on every chain with the same Safe address;
* below 1.0.0 `baseGas` is called `dataGas` in the type string.
"""

from __future__ import annotations

from dataclasses import dataclass

from incident_cli.errors import Refused
from incident_cli.evm import Address, keccak, to_hex
from incident_cli.safe.transaction import SafeTx, parse_version
from incident_cli.text import plain

OLDEST = (0, 0, 2)
NEWEST = (1, 5, 0)
CHAIN_ID_SINCE = (1, 3, 0)
BASE_GAS_SINCE = (1, 0, 0)
DOMAIN_TYPE = b"EIP712Domain(address verifyingContract)"
DOMAIN_TYPE_WITH_CHAIN = b"EIP712Domain(uint256 chainId,address verifyingContract)"
SAFE_TX_TYPE = (
    "SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 {gas},"
    "uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce)"
)


@dataclass(frozen=True, slots=True)
class SafeHashes:
    """What a signer compares with the signing device: 0x-hex hashes, and the length of the calldata in bytes."""

    domain_hash: str
    message_hash: str
    safe_tx_hash: str
    calldata_digest: str
    calldata_bytes: int


def hash_transaction(tx: SafeTx) -> SafeHashes:
    """All hashes of a transaction; raises Refused for a Safe version whose hashing is not known."""
    version = known_version(tx.version)
    domain, message = domain_hash(tx, version), message_hash(tx, version)
    return SafeHashes(
        domain_hash=to_hex(domain),
        message_hash=to_hex(message),
        safe_tx_hash=to_hex(keccak(b"\x19\x01" + domain + message)),
        calldata_digest=to_hex(calldata_digest(tx.data)),
        calldata_bytes=len(tx.data),
    )


def known_version(text: str) -> tuple[int, int, int]:
    """The version as numbers; raises Refused where it is outside what was measured."""
    version = parse_version(text)
    if not OLDEST <= version <= NEWEST:
        raise Refused(
            f"how a Safe {plain(text, 40)} hashes a transaction is not known",
            "Known are 0.0.2 to 1.5.0. Use a release of incident that knows this version.",
        )
    return version


def domain_hash(tx: SafeTx, version: tuple[int, int, int]) -> bytes:
    """The EIP-712 domain separator of the Safe."""
    if version < CHAIN_ID_SINCE:
        return keccak(keccak(DOMAIN_TYPE) + address_word(tx.safe))
    return keccak(keccak(DOMAIN_TYPE_WITH_CHAIN) + number_word(tx.chain_id) + address_word(tx.safe))


def message_hash(tx: SafeTx, version: tuple[int, int, int]) -> bytes:
    """The EIP-712 struct hash of the SafeTx."""
    gas = "dataGas" if version < BASE_GAS_SINCE else "baseGas"
    words = (
        keccak(SAFE_TX_TYPE.format(gas=gas).encode()),
        address_word(tx.to),
        number_word(tx.value),
        keccak(tx.data),
        number_word(tx.operation),
        number_word(tx.safe_tx_gas),
        number_word(tx.base_gas),
        number_word(tx.gas_price),
        address_word(tx.gas_token),
        address_word(tx.refund_receiver),
        number_word(tx.nonce),
    )
    return keccak(b"".join(words))


def calldata_digest(data: bytes) -> bytes:
    """The Calldata Digest of ERC-8213: keccak256(uint256 length ‖ calldata)."""
    return keccak(number_word(len(data)) + data)


def number_word(number: int) -> bytes:
    """A uint as 32 bytes."""
    return number.to_bytes(32, "big")


def address_word(address: Address) -> bytes:
    """An address as 32 bytes."""
    return bytes.fromhex(address[2:]).rjust(32, b"\0")
