"""Following one transaction: how it stands and what can be done with it, looked at again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from incident_cli.errors import Refused
from incident_cli.evm import Address
from incident_cli.flows.multisig.expectation import expected_of
from incident_cli.flows.multisig.loading import SIGNATURES_SCHEMA
from incident_cli.flows.multisig.place import Place
from incident_cli.flows.multisig.plainly import describer
from incident_cli.flows.multisig.queued import Describe
from incident_cli.flows.multisig.readiness import ANYBODY, Readiness, readiness
from incident_cli.flows.multisig.standing import Standing, stand
from incident_cli.flows.multisig.taking_up import Counter, Matter
from incident_cli.safe.signature_file import SignatureFile, merge, read_signature_file
from incident_cli.text import plain

EXITS = {"ready": 0, "executed": 0, "waiting": 5, "queued": 5, "unknown": 3}
WAITING_FOR = {"waiting": "signatures", "queued": "earlier nonces"}
OPEN = ("waiting", "queued", "unknown")


@dataclass(frozen=True, slots=True)
class Followed:
    """One look. `label` says what the transaction does; `names` are the contacts by owner; `source` is where it was
    loaded from."""

    place: Place
    standing: Standing
    readiness: Readiness
    label: str
    names: Mapping[Address, str]
    source: str = ""

    @property
    def state(self) -> str:
        """As in Readiness; `unknown` also where too few confirmations were seen and the service was not."""
        hidden = self.readiness.state == "waiting" and self.standing.service_problem
        return "unknown" if hidden else self.readiness.state

    @property
    def reason(self) -> str:
        """Why it is not ready, or how it ended."""
        return self.readiness.reason

    @property
    def is_open(self) -> bool:
        """Whether it may still become ready."""
        return self.state in OPEN

    @property
    def exit_code(self) -> int:
        """0 executed or ready, 5 waiting, 3 unknown, 1 it never can, or would fail."""
        return EXITS.get(self.state, Refused.exit_code)

    @property
    def words(self) -> str:
        """The state in a few words."""
        count = f"{len(self.standing.confirmations)} of {self.standing.threshold} confirmed"
        return count if self.state == "waiting" else f"{count}, {self.state}"

    @property
    def fingerprint(self) -> tuple[object, ...]:
        """What makes two looks different to a person."""
        one = self.standing
        return (self.state, one.nonce, one.confirmations, one.invalid, one.rivals, one.earlier, one.service_problem)

    def to_json(self, now: datetime) -> dict[str, Any]:
        """As `--json` prints it."""
        words = {"state": self.state, "reason": plain(self.reason), "does": self.label}
        return {**words, "waiting_for": WAITING_FOR.get(self.state), **self.standing.to_json(now)}


@dataclass(frozen=True, slots=True)
class Watch:
    """What is looked at, and the signatures of files beside it."""

    matter: Matter
    signatures: Mapping[Address, bytes]
    describe: Describe
    claims: Sequence[tuple[Address, bytes]] = ()

    def look(self) -> Followed:
        """How it stands now; raises Unread where the chain cannot be read."""
        matter = self.matter
        standing = stand(
            matter.place,
            matter.tx,
            service=matter.service,
            signatures=self.signatures,
            claims=self.claims,
            since=matter.since,
            words=self.describe,
        )
        found = readiness(matter.place, standing, ANYBODY)
        names = {one.owner: one.name for one in matter.place.deployment.contacts}
        return Followed(matter.place, standing, found, self.describe(matter.tx), names, matter.loaded.source)


def follow(counter: Counter, matter: Matter, files: Sequence[Path]) -> Watch:
    """The watch over a transaction; raises Misused or Refused for a file that is not of it."""
    known = () if matter.proposal is None else expected_of(matter.loaded).calls
    file = signatures_of(matter, files, own_signatures(matter))
    by_owner = {one.owner: one.signature for one in file.signatures}
    claims = [(one.owner, one.signature) for one in file.claims]
    return Watch(matter, by_owner, describer(matter.place, counter.aids.catalog, known), claims)


def own_signatures(matter: Matter) -> SignatureFile:
    """The signatures in the very file that the transaction was taken from; none where that holds none."""
    document = matter.loaded.document
    is_file = document.get("schema") == SIGNATURES_SCHEMA
    return SignatureFile.from_json(document) if is_file else SignatureFile(matter.tx)


def signatures_of(matter: Matter, files: Sequence[Path], own: SignatureFile | None = None) -> SignatureFile:
    """The signatures in files of this transaction, beside its `own`; raises Refused for a file of another one."""
    found = own or SignatureFile(matter.tx)
    for path in files:
        one = read_signature_file(path)
        if one.safe_tx_hash != matter.safe_tx_hash:
            raise Refused(
                f"{plain(path)} holds signatures of {one.safe_tx_hash}, not of {matter.safe_tx_hash}",
                "leave it out; ask whoever sent it which transaction was signed",
            )
        found = merge(found, one).file
    return found
