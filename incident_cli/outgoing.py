"""An Ethereum transaction that a broadcaster sends: EIP-1559 fields, the digest to sign, the raw bytes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from incident_cli.evm import Address, keccak, to_hex

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

    def fields(self) -> list[object]:
        """The unsigned fields in the order of EIP-1559; the access list is empty."""
        target = bytes.fromhex(self.to[2:])
        fees = (self.priority_fee, self.max_fee)
        return [self.chain_id, self.nonce, *fees, self.gas, target, self.value, self.data, []]

    def unsigned(self) -> bytes:
        """The bytes whose hash is signed, as a device takes them."""
        import rlp

        return TYPE + bytes(rlp.encode(self.fields()))

    def digest(self) -> bytes:
        """The 32 bytes that the sender signs."""
        return keccak(self.unsigned())

    def signed(self, signature: bytes) -> bytes:
        """The raw transaction from a 65-byte r ‖ s ‖ v (v 27 or 28) over the digest."""
        import rlp

        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
        return TYPE + bytes(rlp.encode([*self.fields(), signature[64] - 27, r, s]))

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


def signature_in(raw: bytes) -> bytes:
    """The 65 bytes r ‖ s ‖ v (v 27 or 28) of a raw EIP-1559 transaction; raises ValueError where it is none."""
    import rlp
    from rlp.exceptions import RLPException

    if raw[:1] != TYPE:
        raise ValueError("it is of another type")
    try:
        fields = rlp.decode(raw[1:])
    except (RLPException, TypeError):
        raise ValueError("its fields cannot be read") from None
    if not isinstance(fields, list) or len(fields) != SIGNED_FIELDS or not all(is_word(one) for one in fields[9:]):
        raise ValueError("its fields are not those of a signed one")
    parity, r, s = fields[9:]
    if parity not in (b"", b"\x01"):
        raise ValueError("its signature has no parity")
    return bytes(r.rjust(32, b"\0") + s.rjust(32, b"\0") + bytes([27 + len(parity)]))


def is_word(field: object) -> bool:
    """Whether a field can be a number of 256 bits."""
    return isinstance(field, bytes) and len(field) <= 32
