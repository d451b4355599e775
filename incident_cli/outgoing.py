"""An Ethereum transaction that a broadcaster sends: EIP-1559 fields, the digest to sign, the raw bytes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from incident_cli import rlp
from incident_cli.evm import Address, checksummed, keccak, to_hex

TYPE = b"\x02"  # EIP-1559
SIGNED_FIELDS = 12


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is sent: `to` is called with `data`; fees are in wei per gas, `value` in wei."""

    chain_id: int
    nonce: int
    to: Address
    data: bytes
    gas: int
    max_fee: int
    priority_fee: int
    value: int = 0

    def fields(self) -> list[rlp.Item]:
        """The unsigned fields in the order of EIP-1559; the access list is empty."""
        target = bytes.fromhex(self.to[2:])
        fees = (self.priority_fee, self.max_fee)
        return [self.chain_id, self.nonce, *fees, self.gas, target, self.value, self.data, ()]

    def unsigned(self) -> bytes:
        """The bytes whose hash is signed, as a device takes them."""
        return TYPE + rlp.encode(self.fields())

    def digest(self) -> bytes:
        """The 32 bytes that the sender signs."""
        return keccak(self.unsigned())

    def signed(self, signature: bytes) -> bytes:
        """The raw transaction from a 65-byte r ‖ s ‖ v (v 27 or 28) over the digest."""
        return signed_fields(self.fields(), signature)

    def to_rpc(self, sender: Address) -> dict[str, str]:
        """The object of eth_signTransaction."""
        numbers = {
            "nonce": self.nonce,
            "gas": self.gas,
            "maxFeePerGas": self.max_fee,
            "maxPriorityFeePerGas": self.priority_fee,
            "value": self.value,
            "chainId": self.chain_id,
        }
        written = {name: hex(number) for name, number in numbers.items()}
        return {"type": "0x2", "from": sender, "to": self.to, "data": to_hex(self.data), **written}


def signed_fields(fields: Sequence[rlp.Item], signature: bytes) -> bytes:
    """The raw transaction of unsigned EIP-1559 fields and a 65-byte r ‖ s ‖ v (v 27 or 28)."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    return TYPE + rlp.encode([*fields, signature[64] - 27, r, s])


def outgoing_of(raw: bytes) -> Outgoing:
    """What a raw EIP-1559 transaction does; raises ValueError where it is none, or not one that `signed` writes."""
    fields = fields_in(raw)
    chain_id, nonce, priority_fee, max_fee, gas, value = (number(one) for one in (*fields[:5], fields[6]))
    if len(fields[5]) != 20 or fields[8] != ():
        raise ValueError("it calls no contract, or has an access list")
    to, data = checksummed(text(fields[5])), text(fields[7])
    return Outgoing(chain_id, nonce, to, data, gas, max_fee, priority_fee, value)


def signature_in(raw: bytes) -> bytes:
    """The 65 bytes r ‖ s ‖ v (v 27 or 28) of a raw EIP-1559 transaction; raises ValueError where it is none."""
    parity, r, s = (number(one) for one in fields_in(raw)[9:])
    if parity > 1:
        raise ValueError("its signature has no parity")
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + parity])


def fields_in(raw: bytes) -> list[bytes | tuple[()]]:
    """The twelve fields of a signed one; raises ValueError."""
    if raw[:1] != TYPE:
        raise ValueError("it is of another type")
    try:
        fields = rlp.decode(raw[1:])
    except ValueError:
        raise ValueError("its fields cannot be read") from None
    if len(fields) != SIGNED_FIELDS:
        raise ValueError("its fields are not those of a signed one")
    return fields


def number(field: bytes | tuple[()]) -> int:
    """A field that is a number of at most 256 bits without leading zeros; raises ValueError."""
    found = text(field)
    if len(found) > 32 or found[:1] == b"\0":
        raise ValueError("its fields are not those of a signed one")
    return int.from_bytes(found, "big")


def text(field: bytes | tuple[()]) -> bytes:
    """A field that is a byte string; raises ValueError."""
    if isinstance(field, tuple):
        raise ValueError("its fields are not those of a signed one")
    return field
