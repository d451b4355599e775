"""Times of a chain in words."""

from __future__ import annotations

from datetime import UTC, datetime

from incident_cli.evm import Missing

LAST_MOMENT = 253_402_300_799  # 9999-12-31 23:59:59 UTC, the last that has a date


def moment(seconds: object) -> str:
    """A time of the chain in words; a far or nonsensical one as the number it is."""
    if isinstance(seconds, int) and 0 < seconds <= LAST_MOMENT:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"{seconds} (no date)"


def lapse_words(label: str, answer: object | Missing) -> str:
    """When the effect ends by itself."""
    if isinstance(answer, Missing):
        return f"by itself, but UNKNOWN when: {label}: {answer.reason}"
    return f"by itself at {moment(answer)} ({label})"
