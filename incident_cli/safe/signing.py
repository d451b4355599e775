"""Whoever holds a key: asked for a signature, never for the key. Each kind of holder is a file beside this one."""

from __future__ import annotations

from typing import Protocol

from incident_cli.errors import Refused
from incident_cli.evm import Address, to_hex
from incident_cli.outgoing import Outgoing
from incident_cli.safe.signatures import recover
from incident_cli.safe.typed_data import TypedData


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


def signed_by(signer: Signer, data: TypedData) -> bytes:
    """The signature, once it is proven to be the signer's own over exactly these data; raises Refused."""
    signature = signer.sign_typed_data(data)
    found = recover(to_hex(data.digest), signature)
    if found != signer.address:
        raise Refused(
            f"the {signer.kind} of {signer.address} gave a signature of {found} over these data",
            "it signed something else, or with another key; use nothing it gave",
        )
    return signature
