"""What the chain must show: one view, and the value it must answer. Compared by equality, never by truthiness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from incident_cli.abi import decode, decode_call, encode, encode_call, parse_signature
from incident_cli.evm import CallRead, Missing, Snapshot, hex_bytes, parse_address, to_hex


@dataclass(frozen=True, slots=True)
class Expectation:
    """`read` must answer `value`, as its first output or where its path leads; `label` is how people name it, `unit`
    what the number counts (empty: nothing is said of it)."""

    label: str
    read: CallRead
    value: object
    unit: str = ""

    def judge(self, snapshot: Snapshot) -> bool | Missing:
        """Whether the chain shows it; Missing where it could not be read."""
        found = snapshot.value(self.read)
        return found if isinstance(found, Missing) else same(found, self.value)

    def to_json(self) -> dict[str, Any]:
        """A record that holds everything needed to ask again; `part` where it is not the first output."""
        signature, path = self.read.signature, self.read.path
        return {
            "label": self.label,
            "to": self.read.to,
            "call": signature.source,
            "data": to_hex(encode_call(signature, self.read.args)),
            "equals": to_hex(encode([signature.output_at(path).type], [self.value])),
            **({} if path == (0,) else {"part": list(path)}),
            **({"unit": self.unit} if self.unit else {}),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Expectation:
        """The expectation of a record made by `to_json`."""
        signature = parse_signature(record["call"])
        args = decode_call(signature, hex_bytes(record["data"]))
        path = tuple(record.get("part", (0,)))
        value = decode([signature.output_at(path).type], hex_bytes(record["equals"]))[0]
        read = CallRead(parse_address(record["to"]), signature, args, path=path)
        return cls(record["label"], read, value, record.get("unit", ""))


def same(found: object, wanted: object) -> bool:
    """Equality without Python's bridges between kinds: True is not 1."""
    if isinstance(found, tuple) and isinstance(wanted, tuple):
        return len(found) == len(wanted) and all(map(same, found, wanted))
    return type(found) is type(wanted) and found == wanted
