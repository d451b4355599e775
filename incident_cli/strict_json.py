"""JSON from outside, strictly: UTF-8, no key twice, no NaN, not nested without end.

py_ecc, which comes with py-evm and safe-eth-py, raises Python's recursion limit to 100,000 when it is imported;
from then on a deeply nested text ends the process in the parser instead of raising. So depth is counted first.
"""

from __future__ import annotations

import json
import re

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
DEPTH_LIMIT = 32
STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)  # an unfinished one goes to the end: linear
BRACKET = re.compile(rb"[][{}]")


def parse_json(content: bytes, depth: int = DEPTH_LIMIT) -> Json:
    """The value of a JSON text; raises ValueError with the reason."""
    refuse_depth(content, depth)
    found: Json = json.loads(content.decode(), object_pairs_hook=without_duplicates, parse_constant=refuse_constant)
    return found


def refuse_depth(content: bytes, most: int) -> None:
    """ValueError where the text is nested deeper than `most`."""
    depth = 0
    for bracket in BRACKET.findall(STRING.sub(b"", content)):
        depth += 1 if bracket in b"[{" else -1
        if depth > most:
            raise ValueError(f"nested more than {most} deep")


def without_duplicates(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """An object, or ValueError where a key stands twice: readers would disagree on which one counts."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def refuse_constant(name: str) -> Json:
    """NaN and Infinity are no JSON."""
    raise ValueError(f"{name} is no JSON number")
