"""What was signed before, from files of signatures: which of it a rotation of owners would kill."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from incident_cli.errors import Refused
from incident_cli.evm import Address
from incident_cli.safe.signature_file import SignatureFile, read_signature_file
from incident_cli.safe.survival import PreSigned
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.vault import Vault
from incident_cli.text import plain


def pre_signed_of(files: Sequence[Path]) -> tuple[tuple[SafeTx, PreSigned], ...]:
    """Each file's transaction and who signed it; raises Misused or Refused."""
    return tuple(of_file(path.name, read_signature_file(path)) for path in files)


def of_file(name: str, file: SignatureFile) -> tuple[SafeTx, PreSigned]:
    """One file of signatures."""
    return file.tx, PreSigned(plain(name, 120), file.tx.nonce, tuple(one.owner for one in file.signatures))


def of_vault(vault: Vault) -> tuple[tuple[SafeTx, PreSigned], ...]:
    """Every rung of a vault that was opened."""
    return tuple(
        (one.tx, PreSigned(f"rung {one.tx.nonce} for {one.market}", one.tx.nonce, tuple(one.signatures)))
        for one in vault.rungs
    )


def those_of(found: Sequence[tuple[SafeTx, PreSigned]], chain_id: int, safe: Address) -> tuple[PreSigned, ...]:
    """Those of this Safe; raises Refused for another's: its fate cannot be told from here."""
    for tx, one in found:
        if (tx.chain_id, tx.safe) != (chain_id, safe):
            words = f"{one.label} is for the Safe {tx.safe} on chain {tx.chain_id}, not {safe} on {chain_id}"
            raise Refused(words, "name the files of this Safe only")
    return tuple(one for _, one in found)
