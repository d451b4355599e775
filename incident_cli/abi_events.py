"""Contract events as people write them: `Liquidated(bytes32 indexed market, address indexed account, uint256 debt)`."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from incident_cli.abi import SignatureError, decode, encode, parse_signature
from incident_cli.evm import keccak

INDEXED = re.compile(r"\bindexed\b")
STATIC = re.compile(r"address|bool|bytes(?:[1-9]|[12][0-9]|3[0-2])|u?int[0-9]{0,3}")
WORD = 32


@dataclass(frozen=True, slots=True)
class EventInput:
    """One value of an event: its canonical ABI type, its name, and whether it is a topic."""

    type: str
    name: str
    indexed: bool


@dataclass(frozen=True, slots=True)
class EventSignature:
    """An event: its name and its values in order."""

    name: str
    inputs: tuple[EventInput, ...]

    @property
    def canonical(self) -> str:
        """The form the first topic is taken from."""
        return f"{self.name}({','.join(one.type for one in self.inputs)})"

    @property
    def topic(self) -> str:
        """The first topic (0x hex)."""
        return "0x" + keccak(self.canonical.encode()).hex()

    def topic_of(self, name: str, value: object) -> str:
        """The topic (0x hex) that an indexed value of a static type has; raises ValueError."""
        wanted = next((one for one in self.inputs if one.name == name and one.indexed), None)
        if wanted is None or not STATIC.fullmatch(wanted.type):
            raise ValueError(f"{name!r} is no indexed value of a static type in {self.canonical}")
        return "0x" + encode([wanted.type], [value]).hex()

    def position(self, name: str) -> int:
        """The place of a value; raises KeyError."""
        for place, one in enumerate(self.inputs):
            if one.name == name:
                return place
        raise KeyError(name)

    def decode(self, topics: Sequence[bytes], data: bytes) -> tuple[object, ...]:
        """The values of a log, in the signature's order; an indexed dynamic value is its hash. Raises ValueError."""
        if not topics or "0x" + topics[0].hex() != self.topic or len(topics) != 1 + sum(x.indexed for x in self.inputs):
            raise ValueError(f"a log that is no {self.name}")
        plain = iter(decode([one.type for one in self.inputs if not one.indexed], data))
        words = iter(topics[1:])
        return tuple(from_topic(one.type, next(words)) if one.indexed else next(plain) for one in self.inputs)


def from_topic(kind: str, word: bytes) -> object:
    """The value of a topic, or the hash that stands for a dynamic one; raises ValueError."""
    if len(word) != WORD:
        raise ValueError("a topic has 32 bytes")
    if not STATIC.fullmatch(kind):
        return word
    return decode([kind], word)[0]


@functools.lru_cache(maxsize=1_024)
def parse_event(text: str) -> EventSignature:
    """`Name(type [indexed] name, …)`; raises SignatureError with the place."""
    found = parse_signature(text.removeprefix("event ").strip())
    if found.outputs:
        raise SignatureError("an event returns nothing")
    parts = split_inputs(text)
    indexed = [is_indexed(part) for part in parts] if found.inputs else []
    if len(indexed) != len(found.inputs) or sum(indexed) > 3:
        raise SignatureError("an event has at most three indexed values")
    if any(not one.name for one in found.inputs):
        raise SignatureError("every value of an event needs a name")
    if len({one.name for one in found.inputs}) != len(found.inputs):
        raise SignatureError("two values of an event have one name")
    return EventSignature(
        found.name,
        tuple(EventInput(one.type, one.name, flag) for one, flag in zip(found.inputs, indexed, strict=True)),
    )


def is_indexed(part: str) -> bool:
    """Whether an input as written is a topic; raises SignatureError where the word stands twice, or inside a tuple."""
    found = INDEXED.findall(part)
    if len(found) > 1 or len(found) > len(INDEXED.findall(part[part.rfind(")") + 1 :])):
        raise SignatureError("indexed stands once, before the name of a value")
    return bool(found)


def split_inputs(text: str) -> list[str]:
    """The inputs as written, split at the commas outside tuples."""
    inner = text[text.index("(") + 1 : text.rindex(")")]
    parts, depth = [""], 0
    for char in inner:
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts
