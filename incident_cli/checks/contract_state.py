"""What a contract is, beside what it answers: its code, a word of its storage, and the slots of a proxy (EIP-1967)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from incident_cli.binding import one_of
from incident_cli.checks.check import Found, Wiring
from incident_cli.evm import CodeRead, Missing, StorageRead, checksummed, keccak, to_hex
from incident_cli.expression_values import Value
from incident_cli.text import plain
from incident_cli.units import Amount

# EIP-1967: keccak256("eip1967.proxy.…") − 1; the beacon's own implementation is a call of the beacon.
PROXY_SLOTS: Mapping[str, int] = {
    "implementation": 0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC,
    "admin": 0xB53127684A568B3173AE13B9F8A6016E243E63B6E8EE1178D6A717850B5D6103,
    "beacon": 0xA3F0AD74E5423AEBFD80D3EF4346578335A9A72AEAEE59FF6CB3582B35133D50,
}
PART = one_of("part of a contract", "code", "storage", *PROXY_SLOTS)
ADDRESS_BYTES = 20
WORD_BYTES = 32


@dataclass(frozen=True, slots=True)
class Shown:
    """A value as text, with the name of its kind; `empty` where nothing is there."""

    kind: str
    text: str
    empty: bool = False

    @property
    def form(self) -> str:
        """What two of them are compared by: hex digits without their case."""
        return self.text.lower() if self.kind in ("address", "bytes32", "bytes") else self.text

    def found(self, name: str) -> Found:
        """The value for a step to bind."""
        return Found(name, self.kind, plain(self.text))


@dataclass(frozen=True, slots=True)
class ContractPart:
    """One part of a contract: of the address `on` of a slot (its only one where that is not said)."""

    slot: str
    of: str
    on: str | None = None
    position: str | None = None

    def __str__(self) -> str:
        where = f"{self.slot}.{self.on}" if self.on else self.slot
        return f"the storage of {where} at {self.position}" if self.of == "storage" else f"the {self.of} of {where}"

    def read(self, wiring: Wiring) -> CodeRead | StorageRead | Missing:
        """The read, or why there is none."""
        slot = wiring.slots.get(self.slot)
        addresses = {} if slot is None else dict(slot.addresses)
        if slot is None or (self.on is None and len(addresses) != 1) or (self.on or "") not in {"", *addresses}:
            return Missing(f"{self} names no address: `on` is one of {', '.join(addresses) or 'none'}")
        to = addresses[self.on] if self.on else next(iter(addresses.values()))
        if self.of == "code":
            return CodeRead(to, slot.chain)
        return StorageRead(to, PROXY_SLOTS.get(self.of, int(self.position or "0", 16)), slot.chain)

    def shown(self, answer: object | Missing) -> Shown | Missing:
        """The hash of the code, the address in a proxy's slot, or the word; or why it is not known."""
        if isinstance(answer, Missing):
            return answer
        if not isinstance(answer, bytes) or (self.of != "code" and len(answer) != WORD_BYTES):
            return Missing(f"{self} was answered with something else")
        if self.of == "code":
            return Shown("bytes32", to_hex(keccak(answer)), not answer)
        if self.of == "storage":
            return Shown("bytes32", to_hex(answer))
        if any(answer[:-ADDRESS_BYTES]):
            return Missing(f"{self} holds {to_hex(answer)}, which is no address")
        return Shown("address", checksummed(answer[-ADDRESS_BYTES:]), not any(answer))


def shown_value(value: Value) -> Shown:
    """The value of an expression as text that a step can bind."""
    if isinstance(value, bool):
        return Shown("bool", str(value).lower())
    if isinstance(value, int):
        return Shown("int", str(value))
    if isinstance(value, Decimal):
        return Shown("number", digits_of(value))
    if isinstance(value, Amount):
        return Shown("amount", str(value).replace(",", ""))
    if isinstance(value, bytes):
        return Shown("bytes32" if len(value) == WORD_BYTES else "bytes", to_hex(value))
    if isinstance(value, str) and value.startswith("0x") and len(value) == 2 + 2 * ADDRESS_BYTES:
        return Shown("address", value)
    return Shown("text", str(value))


def digits_of(value: Decimal) -> str:
    """A Decimal with all its digits and none too many: equal numbers have one text."""
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text
