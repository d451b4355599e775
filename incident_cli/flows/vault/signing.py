"""Owners sign a ladder: every rung hashed by independent code, an owner first, each signature proven before it is kept.

Signing again changes nothing: a rung that an owner has signed is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from incident_cli.errors import Refused
from incident_cli.evm import Address, to_hex
from incident_cli.safe.second_opinion import agree
from incident_cli.safe.signatures import LENGTH, recover
from incident_cli.safe.signing import Signer, signed_by, unlocked
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.typed_data import safe_tx_typed_data
from incident_cli.safe.vault import Rung, Vault


def unsigned_by(vault: Vault, owner: Address) -> tuple[Rung, ...]:
    """The rungs that an owner has not signed; raises Refused for somebody else."""
    if owner not in vault.owners:
        raise Refused(
            f"{owner} is no owner of the Safe {vault.safe}",
            f"owners when it was armed: {', '.join(vault.owners)}; nothing was signed",
        )
    return tuple(one for one in vault.rungs if owner not in one.signatures)


def sign_ladder(vault: Vault, signer: Signer, said: Callable[[Rung], None] = lambda rung: None) -> Vault:
    """The vault with the signer's signature on every rung; `said` is told of each before it is signed.

    Raises Refused for a signer who is no owner, or where two implementations hash a rung differently.
    """
    rungs = unsigned_by(vault, signer.address)
    signatures: dict[str, dict[Address, bytes]] = {}
    with unlocked(signer):
        for one in rungs:
            hashes = agree(one.tx, contract_hash=None)
            said(one)
            signatures[hashes.safe_tx_hash] = {signer.address: signed_by(signer, safe_tx_typed_data(one.tx))}
    return vault.signed_by(signatures)


def with_signatures(vault: Vault, given: Iterable[tuple[SafeTx, Mapping[Address, bytes]]]) -> tuple[Vault, int]:
    """The vault with the signatures of files, and how many were new; raises Refused for one that is not of this ladder,
    of no owner, or not its owner's."""
    known = {one.safe_tx_hash: one for one in vault.rungs}
    found: dict[str, dict[Address, bytes]] = {}
    for tx, signatures in given:
        rung = next((one for one in known.values() if one.tx == tx), None)
        if rung is None:
            raise Refused(
                f"the transaction at nonce {tx.nonce} of {tx.safe} is no rung of this vault",
                "nothing was added: it may be of another ladder, or of another Safe",
            )
        for owner, signature in signatures.items():
            require_own(vault, rung, owner, signature)
            found.setdefault(rung.safe_tx_hash, {})[owner] = signature
    merged = vault.signed_by(found)
    count = sum(len(one.signatures) for one in merged.rungs) - sum(len(one.signatures) for one in vault.rungs)
    return merged, count


def require_own(vault: Vault, rung: Rung, owner: Address, signature: bytes) -> None:
    """Raises Refused unless it is this owner's own signature of the rung, by a key (not an approval on chain)."""
    if owner not in vault.owners:
        raise Refused(f"{owner} is no owner of the Safe {vault.safe}", "nothing was added")
    if len(signature) != LENGTH or signature[64] < 27:
        raise Refused(
            f"the signature of {owner} is no key's: {to_hex(signature[64:65])}",
            "a rung needs signatures that hold by themselves, whatever the chain says by then; nothing was added",
        )
    signed = recover(rung.safe_tx_hash, signature)
    if signed != owner:
        raise Refused(f"a signature said to be {owner}'s is {signed}'s", "nothing was added")
