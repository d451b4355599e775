"""What is posted to a transaction service, and what must be read back before it counts. Pure."""

from __future__ import annotations

from incident_cli.errors import Misused, Refused
from incident_cli.evm import Address, parse_address, to_hex
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.service_explanations import see
from incident_cli.safe.service_records import ORIGIN_LIMIT, ServiceTransaction
from incident_cli.safe.signatures import ECDSA, ETH_SIGN, LENGTH, recover
from incident_cli.safe.transaction import SafeTx
from incident_cli.text import plain


def proposal(
    tx: SafeTx, safe_tx_hash: str, sender: Address, signature: bytes | None, origin: str, chain_id: int
) -> dict[str, object]:
    """What is posted, once everything that can be known wrong before sending was looked for."""
    check_origin(origin)
    if tx.chain_id != chain_id:
        raise Misused(f"the transaction is for the chain with id {tx.chain_id}, the service is for {chain_id}")
    found = hash_transaction(tx).safe_tx_hash
    if found != safe_tx_hash:
        raise Refused(f"the fields hash to {found}, not to {plain(safe_tx_hash, 80)}", "Nothing was sent.")
    if signature is None:
        raise Refused(
            "a proposal without any signature is not trusted by the service and hidden from its lists",
            "Sign it, let a delegate propose it, or deliver it by files.",
        )
    parse_address(sender)
    if signature and is_ecdsa(signature) and recover(safe_tx_hash, signature) != sender:
        raise Refused(f"the signature is not one of {sender} over {safe_tx_hash}", "Nothing was sent. Sign it again.")
    signed = {"signature": to_hex(signature)} if signature else {}
    return {**posted(tx), "contractTransactionHash": safe_tx_hash, "sender": sender, **signed, "origin": origin}


def posted(tx: SafeTx) -> dict[str, object]:
    """The fields of a transaction as the service takes them."""
    return {
        "to": tx.to,
        "value": str(tx.value),
        "data": to_hex(tx.data) if tx.data else None,
        "operation": tx.operation,
        "gasToken": tx.gas_token,
        "safeTxGas": str(tx.safe_tx_gas),
        "baseGas": str(tx.base_gas),
        "gasPrice": str(tx.gas_price),
        "refundReceiver": tx.refund_receiver,
        "nonce": str(tx.nonce),
    }


def check_origin(origin: str) -> None:
    """Misused where the service would not take it."""
    if not isinstance(origin, str) or not origin.strip() or len(origin) > ORIGIN_LIMIT:
        raise Misused(f"the origin of a proposal has 1 to {ORIGIN_LIMIT} characters, and is not blank")


def proposal_stands(found: ServiceTransaction, sender: Address, signature: bytes, delegate: bool) -> bool:
    """Whether a record holds what was to be proposed: by a delegate, unsigned, or with the sender's signature."""
    if found.delegate == sender or (delegate and found.trusted):
        return True
    return not signature or confirmed(found, sender, signature)


def confirmed(found: ServiceTransaction, owner: Address | None, signature: bytes) -> bool:
    """Whether a record holds this signature, or another that is proven here to be the owner's; raises Refused where
    it holds another signature for this owner that is not."""
    if any(one.signature == signature and owner in (one.owner, None) for one in found.confirmations):
        return True
    own = [one for one in found.confirmations if one.owner == owner]
    if any(one.proven(found.safe_tx_hash) for one in own):
        return True
    if own:
        raise Refused(
            f"the service shows a signature for {owner} that is neither the one sent nor any of that owner's",
            see("service-forged", "Do not count it: gather the signatures by files."),
        )
    return False


def signer_of(safe_tx_hash: str, signature: bytes) -> Address | None:
    """Who signed; None where that is a contract, whose signature cannot be recovered."""
    return recover(safe_tx_hash, signature) if is_ecdsa(signature) else None


def is_ecdsa(signature: bytes) -> bool:
    """Whether it is one signature of a key."""
    return len(signature) == LENGTH and signature[64] in ECDSA + ETH_SIGN
