"""Signers with keys of the drill: one in process, and the parts of the world that hold a key elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import rlp

from incident_cli.drills.accounts import Account, account
from incident_cli.evm import Address, checksummed, hex_bytes, keccak, to_hex
from incident_cli.outgoing import Outgoing
from incident_cli.safe.signatures import pre_validated
from incident_cli.safe.typed_data import TypedData
from incident_cli.transport import Json, Request, RpcError

Manner = Literal[
    "plain",
    "parity",
    "object",
    "clef",
    "declines",
    "denies",
    "not allowed",
    "locked",
    "another key",
    "another message",
    "another type",
    "pre-validated",
    "high s",
]
CLEF = {
    "account_list": "eth_accounts",
    "account_signTypedData": "eth_signTypedData_v4",
    "account_signTransaction": "eth_signTransaction",
}
REFUSALS: Mapping[Manner, RpcError] = {
    "declines": RpcError(4001, "User declined"),
    "denies": RpcError(-32000, "Request denied"),
    "not allowed": RpcError(4100, "Permission missing"),
    "locked": RpcError(-32000, "signer locked \x1b[2J"),
}
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@dataclass(frozen=True, slots=True)
class AccountSigner:
    """A signer over an account of the drill; `kind` as a message would name it."""

    account: Account
    kind: str = "test key"

    @property
    def address(self) -> Address:
        return self.account.address

    def sign_typed_data(self, data: TypedData) -> bytes:
        return self.account.sign_hash(data.digest)

    def sign_transaction(self, outgoing: Outgoing) -> bytes:
        return outgoing.signed(self.account.sign_hash(outgoing.digest()))


@dataclass(slots=True)
class Wallet:
    """An external signer: its answers as a function, for `tests.fakes.node.Node`, which puts it behind real HTTP.

    It hashes what it is given by eth_account, so that it signs what the JSON says and not what the caller believes.
    `manner` says how it answers.
    """

    account: Account
    manner: Manner = "plain"
    listed: tuple[str, ...] | None = None

    def answer(self, request: Request) -> Json | RpcError:
        """The answer to one request."""
        method = request.method
        if self.manner == "clef":
            method = CLEF.get(method, "unknown")
        if method == "eth_accounts":
            return list(self.listed if self.listed is not None else (self.account.address.lower(),))
        if method == "eth_signTypedData_v4":
            return self.typed(request.params)
        if method == "eth_signTransaction":
            return self.transaction(request.params[0])
        return RpcError(-32601, f"the method {request.method} does not exist")

    def typed(self, params: tuple[Json, ...]) -> Json | RpcError:
        address, document = params
        if self.manner in REFUSALS:
            return REFUSALS[self.manner]
        if self.manner in ("object", "clef") and isinstance(document, str):
            return RpcError(-32602, "invalid argument 1: an object is wanted")
        if self.manner not in ("object", "clef") and not isinstance(document, str):
            return RpcError(-32602, "invalid argument 1: a string is wanted")
        assert address == self.account.address
        found: Any = json.loads(document) if isinstance(document, str) else document
        if self.manner == "another message":
            found["message"]["nonce"] = "99"
        return to_hex(self.signature(digest_of(found), pre_validates=True))

    def transaction(self, wanted: Json) -> Json | RpcError:
        if self.manner in REFUSALS:
            return REFUSALS[self.manner]
        outgoing = outgoing_in(wanted)
        if self.manner == "another message":
            outgoing = replace(outgoing, value=outgoing.value + 1)
        if self.manner == "another type":
            return "0x01c0"
        raw = to_hex(outgoing.signed(self.signature(outgoing.digest())))
        return {"raw": raw, "tx": {"hash": "0x"}} if self.manner in ("clef", "object") else raw

    def signature(self, digest: bytes, pre_validates: bool = False) -> bytes:
        if self.manner == "another key":
            return account(99, "thief").sign_hash(digest)
        if self.manner == "high s":
            return mirrored(self.account.sign_hash(digest))
        if self.manner == "pre-validated" and pre_validates:
            return pre_validated(self.account.address)
        signature = self.account.sign_hash(digest)
        return signature[:64] + bytes([signature[64] - 27]) if self.manner == "parity" and pre_validates else signature


def digest_of(document: dict[str, Any]) -> bytes:
    """The EIP-712 digest of a JSON document, by eth_account."""
    from eth_account.messages import encode_typed_data

    found = encode_typed_data(full_message=document)
    return keccak(b"\x19\x01" + found.header + found.body)


def outgoing_in(wanted: Json) -> Outgoing:
    """The transaction in the object of eth_signTransaction."""
    assert isinstance(wanted, dict)
    number = {name: int(str(value), 16) for name, value in wanted.items() if name not in ("to", "data", "from", "type")}
    fees = (number["maxFeePerGas"], number["maxPriorityFeePerGas"])
    to, data = checksummed(str(wanted["to"])), hex_bytes(str(wanted["data"]))
    return Outgoing(number["chainId"], number["nonce"], to, data, number["gas"], *fees, number["value"])


def mirrored(signature: bytes) -> bytes:
    """The same signature with the other s: as valid for ecrecover, refused by nodes."""
    s = ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


@dataclass(slots=True)
class Device:
    """A Ledger with its Ethereum app: the same APDU bytes, a key of its own for each path.

    `status`, where set, is what it answers to everything. `parity` makes it write v as 0 or 1. What it would show is in
    `screens`.
    """

    seed: int = 1
    status: int | None = None
    parity: bool = False
    blind: bool = True
    screens: list[str] = field(default_factory=list)
    pending: bytes = b""

    def account(self, path: bytes) -> Account:
        """The account at an encoded path."""
        return account(self.seed, f"ledger {path.hex()}")

    def exchange(self, command: bytes) -> bytes:
        """One APDU and its answer with the status."""
        cla, instruction, step, second, length = command[:5]
        payload = command[5:]
        assert len(payload) == length <= 255, "an APDU states its length"
        if self.status is not None:
            return self.status.to_bytes(2, "big")
        if cla != 0xE0 or second != 0:
            return b"\x6e\x00"
        found = {0x02: self.public_address, 0x0C: self.typed, 0x04: self.transaction}[instruction](step, payload)
        return found if len(found) == 2 else found + b"\x90\x00"

    def public_address(self, step: int, payload: bytes) -> bytes:
        path, rest = split_path(payload)
        if step or rest:
            return b"\x6b\x00"
        text = self.account(path).address[2:].encode()
        return bytes([65]) + bytes(65) + bytes([len(text)]) + text

    def typed(self, step: int, payload: bytes) -> bytes:
        path, hashes = split_path(payload)
        if not self.blind or len(hashes) != 64:
            return b"\x6a\x80"
        self.screens += [f"domain {hashes[:32].hex()}", f"message {hashes[32:].hex()}"]
        return self.signed(path, keccak(b"\x19\x01" + hashes), self.parity)

    def transaction(self, step: int, payload: bytes) -> bytes:
        """Pieces are kept until the transaction is whole."""
        self.pending = payload if step == 0 else self.pending + payload
        path, encoded = split_path(self.pending)
        try:
            fields: list[Any] = rlp.decode(encoded[1:])
        except rlp.exceptions.RLPException:
            return b"\x90\x00"
        if fields[7] and not self.blind:
            return b"\x6a\x80"
        self.screens.append(f"to {fields[5].hex()}")
        return self.signed(path, keccak(encoded), True)

    def signed(self, path: bytes, digest: bytes, parity: bool) -> bytes:
        signature = self.account(path).sign_hash(digest)
        return bytes([signature[64] - 27 if parity else signature[64]]) + signature[:64]


def split_path(payload: bytes) -> tuple[bytes, bytes]:
    """The encoded path at the beginning, and what follows."""
    end = 1 + 4 * payload[0]
    return payload[:end], payload[end:]
