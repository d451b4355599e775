"""Parameters of JSON-RPC requests as values: each decoder takes what a client sent, or raises Fault."""

from __future__ import annotations

import re
from typing import Any

from incident_cli.evm import ADDRESS, BYTES32, ZERO, Address, hex_bytes
from incident_cli.text import plain
from incident_cli.transport import Json, RpcError

PARSE_ERROR, INVALID_REQUEST, NO_METHOD, BAD_PARAMS, INTERNAL = -32700, -32600, -32601, -32602, -32603
FAILED, TOO_MUCH, REVERTED = -32000, -32005, 3
QUANTITY = re.compile(r"0x(?:0|[1-9a-fA-F][0-9a-fA-F]{0,63})")
SLOT = re.compile(r"0x[0-9a-fA-F]{1,64}")
HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


class Fault(Exception):
    """One request cannot be answered."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.error = RpcError(code, plain(message))


def text_of(value: Json, pattern: re.Pattern[str], wanted: str) -> str:
    """Text of this form; raises Fault saying what was wanted."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Fault(BAD_PARAMS, f"{wanted} is needed, not {plain(value, 80)}")
    return value


def quantity(value: Json, wanted: str) -> int:
    """An integer as JSON-RPC writes it: 0x and no leading zero."""
    return int(text_of(value, QUANTITY, wanted), 16)


def count_of(value: Json, wanted: str) -> int:
    """A count, which clients write as a quantity or as a plain number."""
    return value if type(value) is int and value >= 0 else quantity(value, wanted)


def address_of(value: Json) -> Address:
    """An address in any case of letters."""
    return Address(text_of(value, ADDRESS, "an address"))


def hash_of(value: Json) -> str:
    """A hash of 32 bytes, lower-case."""
    return text_of(value, BYTES32, "32 bytes in hex").lower()


def data_of(value: Json) -> bytes:
    """Bytes of any length."""
    return hex_bytes(text_of(value, HEX, "data in hex"))


def listed(value: Json) -> list[Json]:
    """Nothing, one or several, as filters write them."""
    return value if isinstance(value, list) else [] if value is None else [value]


def call_of(wanted: Json) -> dict[str, Any]:
    """To, data, sender and value of a call, as Engine names them; the sender may be left out."""
    if not isinstance(wanted, dict):
        raise Fault(BAD_PARAMS, "a call is an object")
    to, sender, value = wanted.get("to"), wanted.get("from"), wanted.get("value")
    data = {data_of(wanted[key]) for key in ("input", "data") if wanted.get(key) is not None} or {b""}
    if len(data) > 1:
        raise Fault(BAD_PARAMS, "input and data differ")
    return {
        "to": None if to is None else address_of(to),
        "data": data.pop(),
        "sender": ZERO if sender is None else address_of(sender),
        "value": 0 if value is None else quantity(value, "a value"),
    }
