"""Taking a vault back: the empty call of the Safe to itself at a rung's nonce, and what that makes live.

The trap: with the live nonce used up, the next rung is live. A ladder is only dead when every nonce of it is used up,
or when too few of those who signed it are owners.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incident_cli import __version__
from incident_cli.errors import Refused
from incident_cli.flows.multisig.place import Place
from incident_cli.flows.preparing import read_safe
from incident_cli.flows.proposal import SafeState
from incident_cli.flows.vault.arming import require_agreed
from incident_cli.flows.vault.trying import tried_later
from incident_cli.incident.events import block_to_json
from incident_cli.safe.batch import rejection
from incident_cli.safe.files import write_proposal
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.vault import Rung, Vault

SCHEMA = "incident.vault-revoke/v1"
PROPOSAL = "incident.proposal/v1"
PLAIN = "An empty call of the Safe to itself: it does nothing but use up this nonce, and with it the rung."


@dataclass(frozen=True, slots=True)
class Revocation:
    """The rejections that were prepared; `left` are the ladder's nonces that are not used up yet, `next_live` those
    rungs that are live once the prepared ones are executed; `untried` why they could not be simulated."""

    vault: Vault
    safe: SafeState
    rejections: tuple[SafeTx, ...]
    left: tuple[int, ...]
    untried: str

    @property
    def next_live(self) -> tuple[Rung, ...]:
        """The rungs whose turn it is afterwards: none where the ladder is dead then."""
        after = self.rejections[-1].nonce + 1
        return tuple(one for one in self.vault.rungs if one.tx.nonce == after)

    @property
    def remaining(self) -> int:
        """How many more rejections the whole ladder needs."""
        return len(self.left) - len(self.rejections)

    def document(self, tx: SafeTx, place: Place) -> dict[str, Any]:
        """A proposal file for the owners to sign."""
        hashes = hash_transaction(tx)
        return {
            "schema": PROPOSAL,
            "safe_tx": tx.to_json(),
            "safe_tx_hash": hashes.safe_tx_hash,
            "domain_hash": hashes.domain_hash,
            "message_hash": hashes.message_hash,
            "calldata_digest": hashes.calldata_digest,
            "calldata_bytes": hashes.calldata_bytes,
            "calls": [],
            "plain": PLAIN,
            "revokes": [one.safe_tx_hash for one in self.vault.rungs if one.tx.nonce == tx.nonce],
            "safe": {"address": tx.safe, "threshold": self.safe.threshold, "owners": list(self.safe.owners)},
            "simulation": {
                "state": "not-simulated" if self.untried else "passed",
                "method": "execTransaction by eth_call",
                "reason": self.untried,
                "not_exercised": ["signatures"],
                "overridden": ["approvals of the owners", "the Safe's nonce"],
            },
            "expect": [],
            "unchanged": [],
            "guarded": [],
            "writes": [],
            "deployment": place.deployment.name,
            "chain": place.chain,
            "block": block_to_json(self.safe.block),
            "version": __version__,
        }

    def write(self, directory: Path, place: Place) -> tuple[Path, ...]:
        """A file for each rejection; raises Misused."""
        return tuple(
            write_proposal(directory, f"{hash_transaction(one).safe_tx_hash}.json", self.document(one, place))
            for one in self.rejections
        )

    def to_json(self, files: tuple[Path, ...]) -> dict[str, Any]:
        """The object of `--json`."""
        hashes = [hash_transaction(one).safe_tx_hash for one in self.rejections]
        return {
            "schema": SCHEMA,
            "safe": self.vault.safe,
            "chain_id": self.vault.chain_id,
            "nonce": self.safe.nonce,
            "rejections": [
                {"nonce": one.nonce, "safe_tx_hash": hash_, "file": str(path)}
                for one, hash_, path in zip(self.rejections, hashes, files, strict=True)
            ],
            "live_afterwards": [
                {"nonce": one.tx.nonce, "market": one.market, "safe_tx_hash": one.safe_tx_hash}
                for one in self.next_live
            ],
            "rejections_still_needed": self.remaining,
        }


def revoke(vault: Vault, place: Place, *, whole: bool) -> Revocation:
    """The rejection of the live nonce, or of every nonce that is left; raises Refused where nothing is left to revoke.

    A ladder that begins later than the Safe's nonce is revoked from its own first nonce on.
    """
    safe = read_safe(place.reader, vault.safe)
    left = vault.left(safe.nonce)
    if not left:
        raise Refused(
            f"nothing is left to revoke: the Safe stands at nonce {safe.nonce}, the last rung was {vault.nonces[-1]}",
            "the vault is dead; delete its file",
        )
    chosen = left if whole else left[:1]
    rejections = tuple(
        rejection(chain_id=vault.chain_id, safe=vault.safe, version=vault.version, nonce=one) for one in chosen
    )
    require_agreed(place.reader, rejections)
    untried = tried_later(place.reader, safe, [Rung("rejection", one, {}) for one in rejections])
    return Revocation(vault, safe, rejections, left, untried)
