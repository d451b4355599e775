"""The rungs of a vault as proposal files, for owners who sign without holding the vault: no signature is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from incident_cli import __version__
from incident_cli.safe.files import write_proposal
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.vault import Rung, Vault

PROPOSAL = "incident.proposal/v1"
UNTRIED = "each rung was tried when the vault was armed; `incident vault status` tries it again"


def export(vault: Vault, directory: Path) -> tuple[Path, ...]:
    """A file `<safe_tx_hash>.json` for each rung; raises Misused."""
    return tuple(write_proposal(directory, f"{one.safe_tx_hash}.json", document(vault, one)) for one in vault.rungs)


def document(vault: Vault, rung: Rung) -> dict[str, Any]:
    """A proposal file."""
    hashes, target = hash_transaction(rung.tx), vault.target(rung.market)
    return {
        "schema": PROPOSAL,
        "safe_tx": rung.tx.to_json(),
        "safe_tx_hash": hashes.safe_tx_hash,
        "domain_hash": hashes.domain_hash,
        "message_hash": hashes.message_hash,
        "calldata_digest": hashes.calldata_digest,
        "calldata_bytes": hashes.calldata_bytes,
        "calls": [dict(one) for one in target.calls],
        "simulation": {
            "state": "not-simulated",
            "method": "",
            "reason": UNTRIED,
            "not_exercised": [],
            "overridden": [],
        },
        "safe": {"address": vault.safe, "threshold": vault.threshold, "owners": list(vault.owners)},
        "expect": [one.expectation.to_json() for one in target.effects],
        "unchanged": [],
        "guarded": [],
        "writes": [],
        "runbook": vault.runbook,
        "runbook_hash": target.runbook_hash,
        "market": rung.market,
        "deployment": vault.deployment,
        "chain": vault.chain,
        "block": {"chain": vault.chain, **dict(vault.block)},
        "pre_signed": True,
        "version": __version__,
    }
