"""A Safe transaction: the fields its owners sign, always valid, as one flat JSON object everywhere.

A `SafeTx` that exists is well formed: every field is checked when it is made, and the message names the field
that is wrong. Whether it is *wise* is for `safe/inspect.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from incident_cli.errors import Misused
from incident_cli.evm import ZERO, Address, parse_address, to_hex
from incident_cli.text import plain

UINT256 = 2**256 - 1
DATA_LIMIT = 128 * 1024
VERSION = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\+L2)?", re.ASCII)
DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}", re.ASCII)
HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*", re.ASCII)
HINT = "A SafeTx is the flat object that `incident` writes: amounts are decimal strings, addresses are checksummed."

CALL = 0
DELEGATECALL = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeTx:
    """The fields of one Safe transaction; raises Misused naming the field that is out of its range.

    `value`, `gas_price` in wei; `operation` 0 is a call, 1 a delegatecall; `version` is the Safe's own VERSION().
    """

    chain_id: int
    safe: Address
    version: str
    to: Address
    value: int
    data: bytes
    operation: int
    safe_tx_gas: int = 0
    base_gas: int = 0
    gas_price: int = 0
    gas_token: Address = ZERO
    refund_receiver: Address = ZERO
    nonce: int

    def __post_init__(self) -> None:
        for name in ("safe", "to", "gas_token", "refund_receiver"):
            check_address(JSON_NAMES[name], getattr(self, name))
        for name in ("chain_id", "value", "safe_tx_gas", "base_gas", "gas_price", "nonce"):
            check_integer(JSON_NAMES[name], getattr(self, name), UINT256)
        check_integer("operation", self.operation, DELEGATECALL)
        parse_version(self.version)
        if type(self.data) is not bytes or len(self.data) > DATA_LIMIT:
            raise wrong("data", f"it must be bytes, at most {DATA_LIMIT} of them")

    @property
    def arguments(self) -> tuple[object, ...]:
        """The nine values that getTransactionHash and execTransaction both begin with, in their order."""
        prices = (self.safe_tx_gas, self.base_gas, self.gas_price)
        return (self.to, self.value, self.data, self.operation, *prices, self.gas_token, self.refund_receiver)

    def to_json(self) -> dict[str, object]:
        """The flat object: `chainId, safe, version, to, value, data, …`; amounts as decimal strings."""
        return {shown: write(getattr(self, name)) for name, shown, _, write in FIELDS}

    @classmethod
    def from_json(cls, document: object) -> SafeTx:
        """A SafeTx from its flat object; raises Misused naming the field that is wrong, missing or unknown."""
        if not isinstance(document, Mapping):
            raise Misused("a Safe transaction is a JSON object", HINT)
        unknown = sorted(plain(key, 60) for key in document if key not in SHOWN_NAMES)
        if unknown:
            raise Misused(f"a Safe transaction has no field {', '.join(unknown)}", HINT)
        missing = [shown for shown in SHOWN_NAMES if shown not in document]
        if missing:
            raise Misused(f"the Safe transaction lacks {', '.join(missing)}", HINT)
        return cls(**{name: read(shown, document[shown]) for name, shown, read, _ in FIELDS})


def parse_version(text: object) -> tuple[int, int, int]:
    """`1.3.0` or `1.3.0+L2` as numbers; raises Misused."""
    match = VERSION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise wrong("version", f"a Safe's version looks like 1.4.1, not {plain(text, 40)}")
    return int(match[1]), int(match[2]), int(match[3])


def wrong(field: str, why: str) -> Misused:
    """The failure of one field."""
    return Misused(f"the Safe transaction's {field} is wrong: {why}", HINT)


def check_address(field: str, value: object) -> None:
    """A whole, checksummed address, or Misused."""
    try:
        parse_address(value if isinstance(value, str) else "")
    except ValueError as problem:
        raise wrong(field, str(problem)) from problem


def check_integer(field: str, value: object, most: int) -> None:
    """A whole number (no boolean) from 0 to `most`, or Misused."""
    if type(value) is not int:
        raise wrong(field, f"a whole number is needed, not {type(value).__name__}")
    if not 0 <= value <= most:
        raise wrong(field, f"it must lie between 0 and {most if most < 2**64 else '2^256 - 1'}")


def read_as_is(field: str, value: object) -> object:
    """The value itself; SafeTx checks it."""
    return value


def read_amount(field: str, value: object) -> int:
    """A decimal string of base units."""
    if not isinstance(value, str) or not DECIMAL.fullmatch(value):
        raise wrong(field, 'a decimal string is needed, such as "0"')
    return int(value)


def read_data(field: str, value: object) -> bytes:
    """0x-prefixed hex of whole bytes, within the cap."""
    if not isinstance(value, str) or len(value) > 2 * DATA_LIMIT + 2 or not HEX.fullmatch(value):
        raise wrong(field, f'0x and whole bytes in hex are needed ("0x" for none), at most {DATA_LIMIT} bytes')
    return bytes.fromhex(value[2:])


def as_is(value: object) -> object:
    """JSON's own form."""
    return value


# field, its name in JSON, how it is read, how it is written
FIELDS: tuple[tuple[str, str, Callable[[str, object], Any], Callable[..., object]], ...] = (
    ("chain_id", "chainId", read_as_is, as_is),
    ("safe", "safe", read_as_is, as_is),
    ("version", "version", read_as_is, as_is),
    ("to", "to", read_as_is, as_is),
    ("value", "value", read_amount, str),
    ("data", "data", read_data, to_hex),
    ("operation", "operation", read_as_is, as_is),
    ("safe_tx_gas", "safeTxGas", read_amount, str),
    ("base_gas", "baseGas", read_amount, str),
    ("gas_price", "gasPrice", read_amount, str),
    ("gas_token", "gasToken", read_as_is, as_is),
    ("refund_receiver", "refundReceiver", read_as_is, as_is),
    ("nonce", "nonce", read_as_is, as_is),
)
JSON_NAMES = {name: shown for name, shown, _, _ in FIELDS}
SHOWN_NAMES = tuple(JSON_NAMES.values())
