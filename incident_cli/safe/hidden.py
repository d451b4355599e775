"""What calldata carry without showing it: a function that changes who is in control, in bytes handed to another.

Whoever is handed such bytes may call them: a proxy, a role's module, an executor, a time-lock of another kind. No
decoder is needed to see them: an encoder puts the length before the bytes, and the function's selector comes first.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from incident_cli.safe.contracts import CONTROL_FUNCTIONS
from incident_cli.safe.known_functions import control_selectors

WORD = 32


@functools.cache
def control_functions() -> dict[bytes, str]:
    """Every function that changes who is in control, by selector."""
    return {**control_selectors(), **CONTROL_FUNCTIONS}


def control_within(data: bytes) -> Iterator[str]:
    """The control functions whose calls stand in `bytes` within calldata, each once."""
    for selector, text in control_functions().items():
        at = data.find(selector, WORD)
        while at != -1 and not 4 <= length_before(data, at) <= len(data) - at:
            at = data.find(selector, at + 1)
        if at != -1:
            yield text


def length_before(data: bytes, at: int) -> int:
    """The word before a place, as a length."""
    return int.from_bytes(data[at - WORD : at], "big")
