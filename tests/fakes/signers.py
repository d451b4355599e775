"""Signers with keys of the drill: one in process, and the parts of the world that hold a key elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from incident_cli.drills.accounts import Account
from incident_cli.evm import Address
from incident_cli.outgoing import Outgoing
from incident_cli.safe.typed_data import TypedData


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
