"""What a transaction service says, read strictly: shapes, addresses with their checksum, whole numbers in range.

A record *claims* to be a transaction. What would be signed or executed is only ever had through `safe_tx`, which
rebuilds it from the fields and refuses unless it hashes to the hash that was claimed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from incident_cli.errors import IncidentError, Misused, Refused
from incident_cli.evm import BYTES32, ZERO, Address, parse_address
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.service_explanations import see
from incident_cli.safe.signatures import ECDSA, ETH_SIGN, LENGTH, recover
from incident_cli.safe.transaction import UINT256, SafeTx
from incident_cli.strict_json import Json
from incident_cli.text import plain

MOST_CONFIRMATIONS = 500
DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}", re.ASCII)
HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*", re.ASCII)
ORIGIN_LIMIT = 200


class Malformed(Exception):
    """Which field of a record is not what the service writes."""


@dataclass(frozen=True, slots=True)
class ServiceConfirmation:
    """One owner's confirmation as it is listed. `signature` is empty where the service shows none; `kind` is its word
    (`EOA`, `ETH_SIGN`, `CONTRACT_SIGNATURE`, `APPROVED_HASH`)."""

    owner: Address
    signature: bytes
    kind: str

    def proven(self, safe_tx_hash: str) -> bool:
        """Whether the signature is, recovered here, this owner's over this hash; no contract's signature ever is."""
        if len(self.signature) != LENGTH or self.signature[64] not in ECDSA + ETH_SIGN:
            return False
        try:
            return recover(safe_tx_hash, self.signature) == self.owner
        except IncidentError:
            return False


@dataclass(frozen=True, slots=True)
class ServiceTransaction:
    """A record of the service. `submitted` is its own time stamp; `transaction_hash` is there once it was executed."""

    safe: Address
    nonce: int
    safe_tx_hash: str
    confirmations: tuple[ServiceConfirmation, ...]
    origin: str
    proposer: Address | None
    delegate: Address | None
    executed: bool
    successful: bool | None
    trusted: bool
    transaction_hash: str | None
    submitted: str
    _claimed: Mapping[str, Any] = field(repr=False)

    def safe_tx(self, chain_id: int, version: str) -> SafeTx:
        """The transaction, rebuilt from its fields; raises Refused unless it hashes to the hash that is claimed."""
        try:
            rebuilt = SafeTx(chain_id=chain_id, version=version, safe=self.safe, nonce=self.nonce, **self._claimed)
        except Misused as problem:
            raise Refused(
                f"the record of {self.safe_tx_hash} cannot be a Safe transaction: {problem.message}"
            ) from None
        found = hash_transaction(rebuilt).safe_tx_hash
        if found != self.safe_tx_hash:
            raise Refused(
                f"the transaction service claims {self.safe_tx_hash} for fields that hash to {found}",
                see("service-forged", "Sign neither: the service, or what stands between, is not to be trusted."),
            )
        return rebuilt

    @property
    def proven(self) -> dict[Address, bytes]:
        """The signatures of 65 bytes that were proven here to be their owners' over the claimed hash."""
        return {one.owner: one.signature for one in self.confirmations if one.proven(self.safe_tx_hash)}


@dataclass(frozen=True, slots=True)
class ServiceDelegate:
    """Who may propose for an owner (`delegator`), in one Safe or (None) in all of that owner's."""

    safe: Address | None
    delegate: Address
    delegator: Address
    label: str
    expires: str | None


def parse_transaction(found: Json) -> ServiceTransaction:
    """A record from its JSON; raises Malformed naming the field."""
    record = mapping("transaction", found)
    claimed: dict[str, Any] = {
        "to": address(record, "to"),
        "value": number(record, "value"),
        "data": data_of(record),
        "operation": number(record, "operation"),
        "safe_tx_gas": number(record, "safeTxGas"),
        "base_gas": number(record, "baseGas"),
        "gas_price": number(record, "gasPrice"),
        "gas_token": optional_address(record, "gasToken") or ZERO,
        "refund_receiver": optional_address(record, "refundReceiver") or ZERO,
    }
    return ServiceTransaction(
        safe=address(record, "safe"),
        nonce=number(record, "nonce"),
        safe_tx_hash=hash_of(record, "safeTxHash"),
        confirmations=confirmations_of(record),
        origin=plain(record.get("origin") or "", ORIGIN_LIMIT),
        proposer=optional_address(record, "proposer"),
        delegate=optional_address(record, "proposedByDelegate"),
        executed=truth(record, "isExecuted"),
        successful=None if record.get("isSuccessful") is None else truth(record, "isSuccessful"),
        trusted=truth(record, "trusted"),
        transaction_hash=None if record.get("transactionHash") is None else hash_of(record, "transactionHash"),
        submitted=plain(record.get("submissionDate") or "", 40),
        _claimed=claimed,
    )


def confirmations_of(record: Mapping[str, Json]) -> tuple[ServiceConfirmation, ...]:
    """The confirmations of a record, in its order."""
    listed = record.get("confirmations")
    if listed is None:
        return ()
    if not isinstance(listed, list) or len(listed) > MOST_CONFIRMATIONS:
        raise Malformed("confirmations")
    return tuple(parse_confirmation(one) for one in listed)


def parse_confirmation(found: Json) -> ServiceConfirmation:
    """One confirmation."""
    record = mapping("confirmation", found)
    signature = b"" if record.get("signature") is None else hex_of(record, "signature")
    return ServiceConfirmation(address(record, "owner"), signature, plain(record.get("signatureType") or "", 30))


def parse_delegate(found: Json) -> ServiceDelegate:
    """A delegate from its JSON; raises Malformed."""
    record = mapping("delegate", found)
    expiry = record.get("expiryDate")
    return ServiceDelegate(
        optional_address(record, "safe"),
        address(record, "delegate"),
        address(record, "delegator"),
        plain(record.get("label") or "", 60),
        None if expiry is None else plain(expiry, 40),
    )


def page_of(found: Json) -> tuple[int, bool, Sequence[Json]]:
    """How many there are altogether, whether more pages follow, and this page; raises Malformed."""
    record = mapping("page", found)
    listed = record.get("results")
    if not isinstance(listed, list):
        raise Malformed("results")
    return number(record, "count"), record.get("next") is not None, listed


def mapping(name: str, found: Json) -> dict[str, Json]:
    """An object."""
    if not isinstance(found, dict):
        raise Malformed(name)
    return found


@lru_cache(maxsize=4096)
def checked(text: str) -> Address:
    """An address whose checksum was computed once: a queue names the same few again and again."""
    return parse_address(text)


def address(record: Mapping[str, Json], name: str) -> Address:
    """A whole, checksummed address."""
    found = record.get(name)
    try:
        return checked(found if isinstance(found, str) else "")
    except ValueError:
        raise Malformed(name) from None


def optional_address(record: Mapping[str, Json], name: str) -> Address | None:
    """The same, or None where it is null."""
    return None if record.get(name) is None else address(record, name)


def number(record: Mapping[str, Json], name: str) -> int:
    """A uint256, as a decimal string or a whole number."""
    found = record.get(name)
    if isinstance(found, str) and DECIMAL.fullmatch(found):
        found = int(found)
    if type(found) is not int or not 0 <= found <= UINT256:
        raise Malformed(name)
    return found


def data_of(record: Mapping[str, Json]) -> bytes:
    """The calldata; null is none."""
    return b"" if record.get("data") is None else hex_of(record, "data")


def hex_of(record: Mapping[str, Json], name: str) -> bytes:
    """Whole bytes in 0x hex."""
    found = record.get(name)
    if not isinstance(found, str) or not HEX.fullmatch(found):
        raise Malformed(name)
    return bytes.fromhex(found[2:])


def hash_of(record: Mapping[str, Json], name: str) -> str:
    """32 bytes in 0x hex, in lower case."""
    found = record.get(name)
    if not isinstance(found, str) or not BYTES32.fullmatch(found):
        raise Malformed(name)
    return found.lower()


def truth(record: Mapping[str, Json], name: str) -> bool:
    """true or false."""
    found = record.get(name)
    if not isinstance(found, bool):
        raise Malformed(name)
    return found
