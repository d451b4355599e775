"""What this machine was asked to sign, one line a signature: so that a second request can be held against the first.

The line is on the disk before the signer is asked: whoever is asked again after a crash still sees the difference.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incident_cli.errors import Misused
from incident_cli.evm import Address, parse_address
from incident_cli.safe.files import guarded, opened_directory, read_bytes
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.unfolding import unfold
from incident_cli.strict_json import parse_json
from incident_cli.text import plain

CAP = 64 * 1024 * 1024
LATELY = 200  # of one signer's requests of a Safe: functions called before those are not held against the next


@dataclass(frozen=True, slots=True)
class Remembered:
    """One request: who was asked, when (UTC text), for which transaction, and its calls in words."""

    at: str
    signer: Address
    tx: SafeTx
    calls: tuple[str, ...] = ()

    @property
    def safe_tx_hash(self) -> str:
        """The hash that was to be signed."""
        return hash_transaction(self.tx).safe_tx_hash

    def to_json(self) -> dict[str, Any]:
        """The line."""
        words = {"at": self.at, "signer": self.signer, "safe_tx_hash": self.safe_tx_hash}
        return {**words, "safe_tx": self.tx.to_json(), "calls": list(self.calls)}


@dataclass(frozen=True, slots=True)
class Memory:
    """The requests of one Safe, oldest first, and how many lines could not be read."""

    requests: tuple[Remembered, ...] = ()
    damaged: int = 0

    def related(self, signer: Address, tx: SafeTx) -> tuple[Remembered, ...]:
        """What the same signer was asked lately and is not this: at the same nonce, or with a call of the same function
        at the same address, whatever stands beside it and whatever its arguments are."""
        hash_, own = hash_transaction(tx).safe_tx_hash, functions_of(tx)
        others = [one for one in self.requests if one.signer == signer and one.safe_tx_hash != hash_]
        alike = {id(one) for one in others[-LATELY:] if functions_of(one.tx) & own}
        return tuple(one for one in others if one.tx.nonce == tx.nonce or id(one) in alike)

    def same(self, signer: Address, tx: SafeTx) -> Remembered | None:
        """The last time the same signer was asked for exactly this."""
        hash_ = hash_transaction(tx).safe_tx_hash
        found = [one for one in self.requests if one.signer == signer and one.safe_tx_hash == hash_]
        return found[-1] if found else None


def functions_of(tx: SafeTx) -> frozenset[tuple[Address, bytes]]:
    """Every function that the transaction calls, however deep: its address and selector (none: value is sent)."""
    return frozenset((one.call.to, one.call.data[:4]) for one in unfold(tx).calls)


def record_path(home: Path, tx: SafeTx) -> Path:
    """`signed/<chainId>-<safe>.jsonl` below the home of incidents."""
    return home / "signed" / f"{tx.chain_id}-{tx.safe}.jsonl"


def remember(home: Path, request: Remembered) -> None:
    """Append a request and make it durable; raises Misused where the file cannot be written."""
    path = record_path(home, request.tx)
    line = json.dumps(request.to_json(), ensure_ascii=True, separators=(",", ":")) + "\n"
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with guarded(path), opened_directory(path.parent) as folder:
        with os.fdopen(os.open(path.name, flags, 0o600, dir_fd=folder), "rb+", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            torn = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
            file.write((("\n" if torn else "") + line).encode())
            os.fsync(file.fileno())
        os.fsync(folder)


def recall(home: Path, tx: SafeTx) -> Memory:
    """Every request of this Safe; none where there is no file. Raises Misused where it cannot be read."""
    path = record_path(home, tx)
    if not path.exists() and not path.is_symlink():
        return Memory()
    with guarded(path):
        content = read_bytes(path, CAP)
    if len(content) > CAP:
        raise Misused(f"{plain(path)} is larger than {CAP} bytes", "Move it away; it is a record, not a key.")
    lines = [line for line in content.split(b"\n") if line.strip()]
    read = list(readable(lines))
    return Memory(tuple(read), len(lines) - len(read))


def readable(lines: list[bytes]) -> Iterator[Remembered]:
    """The lines that are whole."""
    for line in lines:
        try:
            found = parse_json(line)
            if isinstance(found, Mapping):
                yield remembered(found)
        except (ValueError, KeyError, TypeError, Misused):
            continue


def remembered(record: Mapping[str, Any]) -> Remembered:
    """The request of a line; raises ValueError, KeyError, TypeError or Misused."""
    calls = tuple(plain(one, 400) for one in record["calls"])
    signer = parse_address(record["signer"])
    return Remembered(plain(record["at"], 40), signer, SafeTx.from_json(record["safe_tx"]), calls)
