"""What `incident safe execute` was about to send, one line a transaction, on the disk before it is sent.

A later run finds it, looks for its receipt, and sends the very same bytes again: never a second transaction beside it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from incident_cli.errors import Misused, Refused
from incident_cli.evm import hex_bytes, to_hex
from incident_cli.flows.clock import Clock, stamp
from incident_cli.flows.multisig.broadcasting import attempt_of
from incident_cli.safe.files import guarded, opened_directory, read_bytes
from incident_cli.strict_json import parse_json
from incident_cli.text import plain

CAP = 16 * 1024 * 1024
FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Intents:
    """The intents of one transaction: `<home>/sent/<safe_tx_hash>.jsonl`."""

    home: Path
    safe_tx_hash: str
    clock: Clock

    @property
    def path(self) -> Path:
        """Their file."""
        return self.home / "sent" / f"{self.safe_tx_hash}.jsonl"

    @property
    def earlier(self) -> list[bytes]:
        """The raw transactions of earlier runs, oldest first; a line that was torn was never sent. Raises Misused."""
        if not self.path.exists() and not self.path.is_symlink():
            return []
        with guarded(self.path):
            content = read_bytes(self.path, CAP)
        if len(content) > CAP:
            raise Misused(f"{plain(self.path)} is larger than {CAP} bytes", "Look at it, then move it away.")
        whole = content[: content.rfind(b"\n") + 1]
        return [self.raw(line) for line in whole.split(b"\n") if line.strip()]

    def raw(self, line: bytes) -> bytes:
        """The raw transaction of a line; raises Misused where it is damaged."""
        try:
            record = parse_json(line)
            text = record.get("raw") if isinstance(record, dict) else None
            found = hex_bytes(text) if isinstance(text, str) else b""
        except ValueError:
            found = b""
        if not found:
            raise Misused(
                f"{plain(self.path)} is damaged: what was sent for {self.safe_tx_hash} is not known",
                "look at the broadcaster's transactions in an explorer, then move the file away",
            )
        attempt_of(found)
        return found

    def intend(self, raw: bytes) -> None:
        """Write one down; it is on the disk when this returns. Raises Misused where it cannot be."""
        record = {"at": stamp(self.clock.now()), "transaction_hash": attempt_of(raw).hash, "raw": to_hex(raw)}
        line = (json.dumps(record) + "\n").encode()
        with guarded(self.path), opened_directory(self.path.parent) as folder:
            with os.fdopen(os.open(self.path.name, FLAGS, 0o600, dir_fd=folder), "rb+", buffering=0) as file:
                size = file.seek(0, os.SEEK_END)
                torn = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
                if torn:  # it was never sent: what comes after it starts where it began
                    content = os.pread(file.fileno(), size, 0)
                    file.truncate(content.rfind(b"\n") + 1)
                file.write(line)
                os.fsync(file.fileno())
            os.fsync(folder)

    @contextmanager
    def held(self) -> Iterator[None]:
        """While nobody else on this machine executes the same; raises Refused where somebody does."""
        lock = self.path.with_suffix(".lock")
        with guarded(lock), opened_directory(lock.parent) as folder:
            descriptor = os.open(lock.name, FLAGS, 0o600, dir_fd=folder)
        try:
            self.lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def lock(self, descriptor: int) -> None:
        """Take the lock; raises Refused where it is taken."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(
                f"another process here is executing {self.safe_tx_hash}", "wait for it; nothing was sent by this one"
            ) from None
