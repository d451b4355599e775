"""What a fire did, beside the vault, one JSON object a line: written and made durable before anything is sent.

A process that is killed at any instant is followed by one that finds its transaction here: it looks for the receipt
first and otherwise sends the same transaction again, with the same nonce of the same sender, so that at most one of all
attempts is ever carried out. The signed bytes are not kept: they hold the owners' signatures.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incident_cli.errors import Misused
from incident_cli.evm import BYTES32, Address, parse_address
from incident_cli.outgoing import Outgoing
from incident_cli.safe.files import guarded, opened_directory, read_bytes
from incident_cli.strict_json import parse_json
from incident_cli.text import plain

SCHEMA = "incident.vault-fire/v1"
CAP_BYTES = 4 * 1024 * 1024
SUFFIX = ".fire.jsonl"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One transaction that was about to be sent: for which rung, by whom, at which of the sender's nonces, and with
    which gas and fees (wei per gas)."""

    safe_tx_hash: str
    market: str
    rung: int
    sender: Address
    nonce: int
    gas: int
    max_fee: int
    priority_fee: int
    transaction_hash: str
    at: str

    def outgoing(self, chain_id: int, to: Address, data: bytes) -> Outgoing:
        """The transaction itself, to be signed again."""
        return Outgoing(chain_id, self.nonce, to, data, self.gas, self.max_fee, self.priority_fee)


def path_beside(vault: Path) -> Path:
    """Where a vault's attempts are kept."""
    return vault.with_name(vault.name + SUFFIX)


class Intents:
    """The attempts of one vault, as they were when it was opened and as they are added."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._records = read_records(path)

    @property
    def records(self) -> tuple[Mapping[str, Any], ...]:
        """Everything that was recorded, oldest first."""
        return tuple(self._records)

    def attempts(self, safe_tx_hashes: Iterable[str]) -> tuple[Attempt, ...]:
        """The attempts at these rungs that may be on their way, oldest first: what every node refused is not."""
        wanted, found = frozenset(safe_tx_hashes), list[Attempt]()
        for record in self._records:
            if record.get("kind") == "intent" and record.get("safe_tx_hash") in wanted:
                found.append(attempt_of(record))
            elif record.get("kind") == "refused":
                found = [one for one in found if one.transaction_hash != record.get("transaction_hash")]
        return tuple(found)

    def intend(self, attempt: Attempt, **more: Any) -> None:
        """Record an attempt; it is on the disk when this returns, so that it may be sent."""
        fields = {name: getattr(attempt, name) for name in Attempt.__slots__}
        numbers = {name: str(fields[name]) for name in ("max_fee", "priority_fee")}
        self.write({"kind": "intent", **fields, **numbers, **more})

    def refuse(self, transaction_hash: str, reason: str) -> None:
        """Record that no node took an attempt: it is on its way nowhere."""
        self.write({"kind": "refused", "transaction_hash": transaction_hash, "reason": plain(reason, 500)})

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one record and make it durable; raises Misused where that cannot be done."""
        line = json.dumps({"schema": SCHEMA, **record}, ensure_ascii=True, allow_nan=False) + "\n"
        with guarded(self.path), opened_directory(self.path.parent) as folder:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self.path.name, flags, 0o600, dir_fd=folder)
            try:
                end_torn_line(folder, self.path.name, descriptor)
                os.write(descriptor, line.encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.fsync(folder)
        self._records.append(dict(record))


def end_torn_line(folder: int, name: str, descriptor: int) -> None:
    """A process that was killed while it wrote left half a line: it is ended, so that the next stands by itself."""
    if not (size := os.fstat(descriptor).st_size):
        return
    reading = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        if os.pread(reading, 1, size - 1) != b"\n":
            os.write(descriptor, b"\n")
    finally:
        os.close(reading)


def read_records(path: Path) -> list[dict[str, Any]]:
    """Every whole record; half a line, after which nothing was sent, is passed over. Raises Misused."""
    if not os.path.lexists(path):
        return []
    with guarded(path):
        content = read_bytes(path, CAP_BYTES)
    if len(content) > CAP_BYTES:
        raise Misused(f"{plain(path)} is larger than {CAP_BYTES} bytes", "Move it away if it is not incident's.")
    found: list[dict[str, Any]] = []
    for line in content.split(b"\n"):
        try:
            record = parse_json(line) if line.strip() else None
        except ValueError:
            continue
        if isinstance(record, dict) and record.get("schema") == SCHEMA:
            found.append(record)
        elif record is not None:
            raise Misused(f"{plain(path)} holds something else than attempts at firing", "Move it away.")
    return found


def attempt_of(record: Mapping[str, Any]) -> Attempt:
    """The attempt of a record; raises Misused where it was changed."""
    try:
        if not all(BYTES32.fullmatch(record[name]) for name in ("safe_tx_hash", "transaction_hash")):
            raise ValueError("a hash in it is none")
        return Attempt(
            safe_tx_hash=record["safe_tx_hash"],
            market=plain(record["market"], 80),
            rung=int(record["rung"]),
            sender=parse_address(record["sender"]),
            nonce=int(record["nonce"]),
            gas=int(record["gas"]),
            max_fee=int(record["max_fee"]),
            priority_fee=int(record["priority_fee"]),
            transaction_hash=record["transaction_hash"],
            at=plain(record["at"], 40),
        )
    except (KeyError, ValueError, TypeError) as problem:
        raise Misused(
            f"an attempt recorded beside the vault is unreadable: {plain(problem, 200)}",
            "look yourself whether it was sent, then move that file away",
        ) from problem
