"""The only clock: wall time, monotonic time and sleep, read here and injected below."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """What a flow may know of time."""

    def now(self) -> datetime:
        """Wall time, UTC."""

    def monotonic_ns(self) -> int:
        """Nanoseconds since some moment of this boot; never goes back."""

    def boot_id(self) -> str:
        """Which boot the monotonic time belongs to, empty where the system does not say."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Wall time, UTC."""
        return datetime.now(UTC)

    def monotonic_ns(self) -> int:
        """Nanoseconds since boot."""
        return time.monotonic_ns()

    def boot_id(self) -> str:
        """Linux's boot id."""
        try:
            return BOOT_ID.read_text().strip()
        except OSError:
            return ""

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def stamp(moment: datetime) -> str:
    """`2026-11-22T03:04:05.678Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
