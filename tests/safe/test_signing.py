"""What a signer gave, proven before it is used: whoever it is, and however it was wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import rlp

from incident_cli.drills.accounts import account
from incident_cli.errors import Refused
from incident_cli.outgoing import Outgoing, signature_in
from incident_cli.safe.signatures import pre_validated
from incident_cli.safe.signing import normalised, raw_by, signed_by, unlocked
from incident_cli.safe.typed_data import TypedData, safe_tx_typed_data
from tests.fakes.signers import AccountSigner, mirrored
from tests.safe.test_typed_data import TX

OWNER = account(1, "council 1")
TYPED = safe_tx_typed_data(TX)
SENT = Outgoing(1, 3, TX.to, b"\x01\x02", 100_000, 30 * 10**9, 10**9, 5)
SIGNATURE = OWNER.sign_hash(TYPED.digest)
RAW = SENT.signed(OWNER.sign_hash(SENT.digest()))


@dataclass(frozen=True)
class Gives(AccountSigner):
    """A signer that gives these bytes, whatever it is asked."""

    given: bytes = b""

    def sign_typed_data(self, data: TypedData) -> bytes:
        return self.given

    def sign_transaction(self, outgoing: Outgoing) -> bytes:
        return self.given


def test_an_honest_signer() -> None:
    assert signed_by(AccountSigner(OWNER), TYPED) == SIGNATURE
    assert raw_by(AccountSigner(OWNER), SENT) == RAW
    with unlocked(AccountSigner(OWNER)):
        pass


WRONG_SIGNATURES = {
    "another key": account(2, "thief").sign_hash(TYPED.digest),
    "another message": OWNER.sign_hash(b"\x01" * 32),
    "stands for an approval": pre_validated(OWNER.address),
    "a personal message": SIGNATURE[:64] + bytes([SIGNATURE[64] + 4]),
    "a contract's": SIGNATURE[:64] + b"\0",
    "short": SIGNATURE[:64],
    "long": SIGNATURE + b"\0",
    "nothing": b"",
    "empty": bytes(64) + b"\x1b",
    "high s": mirrored(SIGNATURE),
}


@pytest.mark.parametrize("name", WRONG_SIGNATURES)
def test_a_wrong_signature_is_not_used(name: str) -> None:
    with pytest.raises(Refused):
        signed_by(Gives(OWNER, given=WRONG_SIGNATURES[name]), TYPED)


def encoded(fields: list[object]) -> bytes:
    """A raw transaction of these fields."""
    return b"\x02" + bytes(rlp.encode(fields))


def other(**changes: int) -> bytes:
    """The transaction with a change, well signed."""
    changed = replace(SENT, **changes)  # type: ignore[arg-type]
    return changed.signed(OWNER.sign_hash(changed.digest()))


FIELDS: list[object] = rlp.decode(RAW[1:])
WRONG_TRANSACTIONS = {
    "another key": SENT.signed(account(2, "thief").sign_hash(SENT.digest())),
    "more value": other(value=6),
    "another nonce": other(nonce=4),
    "another chain": other(chain_id=5),
    "higher fees": other(max_fee=31 * 10**9),
    "less gas": other(gas=21_000),
    "high s": SENT.signed(mirrored(OWNER.sign_hash(SENT.digest()))),
    "an access list": encoded([*FIELDS[:8], [[bytes(20), []]], *FIELDS[9:]]),
    "trailing bytes": RAW + b"\0",
    "not RLP": RAW[:-1],
    "legacy": bytes(rlp.encode(FIELDS[:9])),
    "unsigned": SENT.unsigned(),
    "no signature": encoded([*FIELDS[:9], b"", b"", b""]),
    "no parity": encoded([*FIELDS[:9], b"\x02", *FIELDS[10:]]),
    "a list for a number": encoded([*FIELDS[:9], [], *FIELDS[10:]]),
    "a large number": encoded([*FIELDS[:10], b"\x01" * 33, FIELDS[11]]),
    "padded number": encoded([*FIELDS[:10], b"\0" + bytes(FIELDS[10]), FIELDS[11]]),  # type: ignore[call-overload]
    "text": b"\x02\x85hello",
    "nothing": b"",
}


@pytest.mark.parametrize("name", WRONG_TRANSACTIONS)
def test_a_wrong_transaction_is_not_sent(name: str) -> None:
    with pytest.raises(Refused):
        raw_by(Gives(OWNER, given=WRONG_TRANSACTIONS[name]), SENT)


def test_the_signature_in_a_raw_transaction() -> None:
    assert signature_in(RAW) == OWNER.sign_hash(SENT.digest())


def test_parity_becomes_what_a_safe_wants() -> None:
    parity = SIGNATURE[:64] + bytes([SIGNATURE[64] - 27])
    assert normalised(parity, "Ledger") == normalised(SIGNATURE, "Ledger") == SIGNATURE
    for wrong in (SIGNATURE[:64] + b"\x1d", SIGNATURE[:64], SIGNATURE + b"\0"):
        with pytest.raises(Refused, match="the Ledger gave"):
            normalised(wrong, "Ledger")
