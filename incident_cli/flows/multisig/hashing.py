"""`incident safe hash`: the values that a signer compares, once two independent implementations agree on them."""

from __future__ import annotations

from typing import Any

from incident_cli.flows.multisig.loading import Loaded
from incident_cli.safe.hashes import SafeHashes
from incident_cli.safe.second_opinion import agree

SCHEMA = "incident.safe-hash/v1"


def hashed(loaded: Loaded) -> SafeHashes:
    """The hashes; raises Refused where the implementations differ or the Safe's version is not known."""
    return agree(loaded.tx, contract_hash=None)


def hash_object(loaded: Loaded, hashes: SafeHashes) -> dict[str, Any]:
    """As `--json` prints it, with the fields that were hashed: not each of them changes a hash in every version."""
    return {
        "schema": SCHEMA,
        "domain_hash": hashes.domain_hash,
        "message_hash": hashes.message_hash,
        "safe_tx_hash": hashes.safe_tx_hash,
        "calldata_digest": hashes.calldata_digest,
        "calldata_bytes": hashes.calldata_bytes,
        "safe_tx": loaded.tx.to_json(),
    }
