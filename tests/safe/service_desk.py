"""A Safe of three owners, a transaction of it, and clients of the transaction service in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from incident_cli.drills.accounts import account
from incident_cli.evm import checksummed, to_hex
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.service import TransactionService
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.typed_data import delegate_typed_data, totp_of
from tests.fakes.safe_service import Record, SafeService, SafeState
from tests.fakes.safe_service_records import Confirmation

CHAIN_ID = 31_337
KEY = "canary-6f1e0c9a7b"
NOW = 1_795_000_000.0
SAFE = checksummed("0x" + "5a" * 20)
TARGET = checksummed("0x" + "de" * 20)
OWNERS = tuple(account(5, f"owner {number}") for number in range(3))
HELPER = account(5, "delegate")
STRANGER = account(5, "stranger")
ORIGIN = '{"runbook":"0x12","journal":"0x34"}'


def transaction(nonce: int = 7, **changes: Any) -> SafeTx:
    """A pause at a nonce."""
    base = SafeTx(
        chain_id=CHAIN_ID,
        safe=SAFE,
        version="1.4.1",
        to=TARGET,
        value=0,
        data=bytes.fromhex("8456cb59"),
        operation=0,
        nonce=nonce,
    )
    return replace(base, **changes)


TX = transaction()
HASH = hash_transaction(TX).safe_tx_hash
FIRST, SECOND, THIRD = (one.sign_hash(bytes.fromhex(HASH[2:])) for one in OWNERS)
TRUST = (
    HELPER.address,
    OWNERS[0].address,
    "on call",
    OWNERS[0].sign_hash(delegate_typed_data(CHAIN_ID, HELPER.address, totp_of(NOW)).digest),
)


def serving(**options: Any) -> SafeService:
    """The service with the Safe on it, at nonce 7, behind a key."""
    service = SafeService(KEY, CHAIN_ID, now=lambda: NOW, **options)
    service.safes[SAFE] = SafeState(tuple(one.address for one in OWNERS), nonce=7)
    return service


def client(service: SafeService, **options: Any) -> TransactionService:
    """A client that has the key and waits no time at all."""
    given: dict[str, Any] = {"chain": "anvil", "chain_id": CHAIN_ID, "key": KEY, "sleep": lambda seconds: None}
    return TransactionService(service.url, **{**given, "connect_seconds": 2, "read_seconds": 3, **options})


def kept(tx: SafeTx, *signatures: bytes, trusted: bool = True) -> Record:
    """A record as the service keeps it, confirmed by the first owners."""
    record = Record(tx, hash_transaction(tx).safe_tx_hash, OWNERS[0].address, trusted=trusted)
    for one, signature in zip(OWNERS, signatures, strict=False):
        record.confirmations[one.address] = Confirmation(one.address, signature, "")
    return record


def shown(record: Record) -> dict[str, str]:
    """The confirmations of a record: signatures by owner."""
    return {owner: to_hex(one.signature) for owner, one in record.confirmations.items()}
