"""An Ethereum transaction that a broadcaster sends: EIP-1559 fields, the digest to sign, the raw bytes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from incident_cli.evm import Address, keccak, to_hex

TYPE = b"\x02"  # EIP-1559


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

    def digest(self) -> bytes:
        """The 32 bytes that the sender signs."""
        import rlp

        return keccak(TYPE + bytes(rlp.encode(self.fields())))

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
