"""The second opinion on every hash: safe-eth-py's own SafeTx, and the Safe contract where it was asked.

A disagreement is an absolute refusal: either a bug or an attack, and in both cases nothing may be signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from incident_cli.errors import Refused
from incident_cli.evm import BYTES32, to_hex
from incident_cli.safe.hashes import SafeHashes, hash_transaction
from incident_cli.safe.transaction import SafeTx
from incident_cli.text import plain

HINT = "Sign nothing. Check this installation of incident and the Safe's version, and treat it as an attack until then."


@dataclass(frozen=True, slots=True)
class LibraryHashes:
    """What safe-eth-py makes of a transaction, as 0x hex."""

    domain_hash: str
    message_hash: str
    safe_tx_hash: str


def hashes_by_safe_eth(tx: SafeTx) -> LibraryHashes:
    """The hashes by safe-eth-py, without a network: every value it would ask a node for is given."""
    from safe_eth.safe.safe_tx import SafeTx as LibrarySafeTx

    library = LibrarySafeTx(
        None,
        tx.safe,
        *tx.arguments,
        safe_nonce=tx.nonce,
        safe_version=tx.version,
        chain_id=tx.chain_id,
    )
    preimage = bytes(library.safe_tx_hash_preimage)
    return LibraryHashes(to_hex(preimage[2:34]), to_hex(preimage[34:66]), to_hex(bytes(library.safe_tx_hash)))


def agree(tx: SafeTx, *, contract_hash: str | None) -> SafeHashes:
    """Our hashes, once safe-eth-py and (where given) the Safe's getTransactionHash say the same; else Refused."""
    ours, library = hash_transaction(tx), hashes_by_safe_eth(tx)
    require_same("domain hash", {"incident": ours.domain_hash, "safe-eth-py": library.domain_hash})
    require_same("message hash", {"incident": ours.message_hash, "safe-eth-py": library.message_hash})
    opinions = {"incident": ours.safe_tx_hash, "safe-eth-py": library.safe_tx_hash}
    if contract_hash is not None:
        opinions["the Safe itself"] = contract_hash
    require_same("safeTxHash", opinions)
    return ours


def agree_with_contract(tx: SafeTx, contract_hash: str) -> SafeHashes:
    """Our hashes, once the Safe's getTransactionHash says the same; the quick pair, without loading safe-eth-py."""
    ours = hash_transaction(tx)
    require_same("safeTxHash", {"incident": ours.safe_tx_hash, "the Safe itself": contract_hash})
    return ours


def require_same(what: str, opinions: Mapping[str, str]) -> None:
    """Refused, showing every value, unless all are the same 32 bytes."""
    values = {value.lower() for value in opinions.values()}
    if len(values) == 1 and all(BYTES32.fullmatch(value) for value in values):
        return
    shown = ", ".join(f"{who} says {plain(value, 100)}" for who, value in opinions.items())
    raise Refused(f"the {what} is disputed: {shown}", HINT)
