"""Signatures from several files as one: of one transaction only, every one verified, none dropped in silence.

With a deployment they are held against the Safe as it is now, and "ready" is said only where execTransaction with
these very signatures was simulated and passed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incident_cli.errors import Misused
from incident_cli.evm import Address
from incident_cli.flows.connecting import Environment
from incident_cli.flows.multisig.loading import SIGNATURES_SCHEMA, Loaded
from incident_cli.flows.multisig.place import Place, place_of_transaction
from incident_cli.flows.multisig.readiness import Readiness, readiness
from incident_cli.flows.multisig.standing import Standing, stand
from incident_cli.runbook.deployment import Deployment
from incident_cli.safe.signature_file import Merged, SignatureFile, Signed, adding, joined, store

SCHEMA = "incident.safe-merge/v1"
ANYBODY = Address("0x000000000000000000000000000000000000dEaD")  # sends the simulation: no owner, whose sending counts
EXITS: Mapping[str, int] = {"ready": 0, "executed": 0, "waiting": 5, "queued": 5, "unknown": 3}


@dataclass(frozen=True, slots=True)
class MergeResult:
    """The union of the files, where it was written (None: nowhere), and how it stands on chain where that was read.

    `set_aside` is not kept: that owner's own signature, or what the chain confirms, is there. `excluded` are the
    signatures of owners whom the transaction takes out.
    """

    file: SignatureFile
    set_aside: tuple[Signed, ...]
    excluded: tuple[Signed, ...]
    path: Path | None
    standing: Standing | None = None
    readiness: Readiness | None = None

    @property
    def exit_code(self) -> int:
        """0 where it was merged and nothing more was asked, or it is ready; else what keeps it from being so."""
        return 0 if self.readiness is None else EXITS.get(self.readiness.state, 1)

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it. `state` is None where the chain was not read."""
        return {
            "schema": SCHEMA,
            "safe_tx_hash": self.file.safe_tx_hash,
            "signatures": [counted(one, self.standing) for one in self.file.signatures],
            "claims": [one.to_json() for one in self.file.claims],
            "set_aside": [one.to_json() for one in self.set_aside],
            "excluded": [one.to_json() for one in self.excluded],
            "threshold": self.standing.threshold if self.standing else None,
            "missing": self.standing.missing if self.standing else None,
            "state": self.readiness.state if self.readiness else None,
            "ready": self.readiness is not None and self.readiness.state == "ready",
            "reason": self.readiness.reason if self.readiness else None,
            "waiting_for": "signatures" if self.readiness and self.readiness.state == "waiting" else None,
            "path": str(self.path) if self.path else None,
        }


def counted(one: Signed, standing: Standing | None) -> dict[str, Any]:
    """A signature, and whether it counts on chain (None: not read) and why not."""
    found = {"owner": one.owner, "kind": one.kind}
    if standing is None:
        return {**found, "counts": None, "reason": None}
    reasons = {bad.owner: bad.reason for bad in standing.invalid}
    counts = one.owner in {good.owner for good in standing.confirmations}
    return {**found, "counts": counts, "reason": None if counts else reasons.get(one.owner, "it does not count")}


def signatures_in(loaded: Loaded) -> Merged:
    """The signatures of a file, verified, and what is not taken of them; none where it holds only the transaction."""
    if loaded.document.get("schema") == SIGNATURES_SCHEMA:
        return Merged.from_json(loaded.document)
    return Merged(SignatureFile(loaded.tx))


def union(files: Sequence[Loaded]) -> Merged:
    """All signatures of these files; raises Refused, with the difference, where they are of two transactions."""
    if not files:
        raise Misused("there is no file to merge", "Name files of signatures of one transaction.")
    whole = signatures_in(files[0])
    for one in files[1:]:
        whole = joined(whole, signatures_in(one))
    return whole


def merge_files(
    files: Sequence[Loaded], deployment: Deployment | None, environment: Environment, out: Path | None
) -> MergeResult:
    """Merge, hold against the chain where a deployment is given, write where a folder is given.

    An approval that stands on chain is written into the file too: whoever gets it needs no chain to know of it.
    """
    merged = union(files)
    standing, found = None, None
    if deployment is not None:
        place = place_of_transaction(deployment, merged.file.tx, environment)
        standing, found = held_against(place, merged.file)
        merged = borne_out(merged, standing)
    path = None
    if out is not None:
        path, stored = store(out, merged.file)
        merged = joined(merged, stored)
    return MergeResult(merged.file, merged.set_aside, merged.excluded, path, standing, found)


def borne_out(merged: Merged, standing: Standing) -> Merged:
    """What the chain confirms in the place of whatever else its owner is said to have given."""
    proven = [Signed(one.owner, one.signature) for one in standing.confirmations]
    owners = {one.owner for one in proven}
    given = (*merged.file.signatures, *merged.file.claims)
    rest = [one for one in given if one.owner not in owners]
    aside = [one for one in given if one.owner in owners and one not in proven]
    found = adding(SignatureFile(merged.file.tx), (*proven, *rest))
    return Merged(found.file, (*merged.set_aside, *aside), merged.excluded)


def held_against(place: Place, file: SignatureFile) -> tuple[Standing, Readiness]:
    """How these signatures stand on chain, and whether anybody could execute with them now."""
    signatures = {one.owner: one.signature for one in file.signatures}
    claims = [(one.owner, one.signature) for one in file.claims]
    standing = stand(place, file.tx, signatures=signatures, claims=claims)
    return standing, readiness(place, standing, ANYBODY)
