"""Whoever holds a key: asked for a signature, never for the key. Each kind of holder is a file beside this one."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import NoReturn, Protocol, runtime_checkable

from incident_cli.errors import Refused
from incident_cli.evm import Address, to_hex
from incident_cli.outgoing import Outgoing, signature_in
from incident_cli.safe.signatures import ECDSA, LENGTH, recover
from incident_cli.safe.typed_data import TypedData

LARGEST_S = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0  # half the order of secp256k1, EIP-2


class Signer(Protocol):
    """One key, wherever it is kept: a keystore file, an external signer, a device."""

    @property
    def address(self) -> Address:
        """Whose signatures these are; known before anything is signed."""

    @property
    def kind(self) -> str:
        """Where the key is kept, in words: `keystore`, `external signer`, `Ledger`."""

    def sign_typed_data(self, data: TypedData) -> bytes:
        """65 bytes r ‖ s ‖ v (27 or 28) over the digest; raises Refused where its holder declines, Unread where it
        cannot be asked."""

    def sign_transaction(self, outgoing: Outgoing) -> bytes:
        """The raw signed transaction; raises as `sign_typed_data` does."""


@runtime_checkable
class Unlockable(Protocol):
    """A signer whose key can be opened once for several signatures."""

    def unlocked(self) -> AbstractContextManager[None]:
        """While this is entered, nobody is asked for the passphrase again; afterwards the key is gone."""


def unlocked(signer: Signer) -> AbstractContextManager[None]:
    """Several signatures in a row by one unlocking, where the signer has a lock; else nothing is done."""
    return signer.unlocked() if isinstance(signer, Unlockable) else nullcontext()


def signed_by(signer: Signer, data: TypedData) -> bytes:
    """The signature, once it is proven to be the signer's own over exactly these data; raises Refused."""
    signature = signer.sign_typed_data(data)
    # v = 1 would stand for an approval on chain, which anybody can write: only a key's own signature is one here
    if len(signature) != LENGTH or signature[64] not in ECDSA:
        refuse(signer, "gave what is no signature of a key")
    if int.from_bytes(signature[32:64], "big") > LARGEST_S:
        refuse(signer, "gave a signature with a high s: it is no second one, but no sound signer gives it")
    found = recover(to_hex(data.digest), signature)
    if found != signer.address:
        refuse(signer, f"gave a signature of {found} over these data")
    return signature


def raw_by(signer: Signer, outgoing: Outgoing) -> bytes:
    """The raw transaction, once it is proven to be exactly this one, signed by the signer; raises Refused."""
    raw = signer.sign_transaction(outgoing)
    try:
        signature = signature_in(raw)
    except ValueError as problem:
        refuse(signer, f"gave no EIP-1559 transaction: {problem}")
    if outgoing.signed(signature) != raw:
        refuse(signer, "signed another transaction than it was given")
    if int.from_bytes(signature[32:64], "big") > LARGEST_S:
        refuse(signer, "gave a signature with a high s, which no node takes")
    found = recover(to_hex(outgoing.digest()), signature)
    if found != signer.address:
        refuse(signer, f"gave a transaction signed by {found}")
    return raw


def refuse(signer: Signer, what: str) -> NoReturn:
    """Raises Refused: nothing of this signer is used."""
    raise Refused(
        f"the {signer.kind} of {signer.address} {what}",
        "It signed something else, or with another key: use nothing it gave, and find out why.",
    )


def normalised(signature: bytes, kind: str) -> bytes:
    """A signature with v as a Safe wants it, 27 or 28, where its holder wrote 0 or 1; raises Refused for any other."""
    if len(signature) != LENGTH:
        raise Refused(f"the {kind} gave {len(signature)} bytes; a signature has {LENGTH}", "Use nothing it gave.")
    v = signature[64] + 27 if signature[64] in (0, 1) else signature[64]
    if v not in ECDSA:
        raise Refused(f"the {kind} gave a signature with v = {v}, which no key's has", "Use nothing it gave.")
    return signature[:64] + bytes([v])
