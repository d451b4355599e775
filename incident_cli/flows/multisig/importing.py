"""From what others wrote (a Transaction Builder batch, a record of a transaction service, a flat object) to one file.

Chain, Safe and version come from the deployment and the chain, never from the file; a hash that the file claims must be
the one that is computed. What the inspection refuses is not written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from incident_cli.errors import IncidentError, Misused, Refused, Unread
from incident_cli.evm import Address, CodeRead, Missing, keccak, to_hex
from incident_cli.flows.connecting import Environment
from incident_cli.flows.multisig.aids import Aids
from incident_cli.flows.multisig.examining import require_safe
from incident_cli.flows.multisig.inspecting import Inspection, inspect_transaction
from incident_cli.flows.multisig.loading import Loaded, load_transaction
from incident_cli.flows.multisig.place import Place
from incident_cli.flows.preparing import read_safe
from incident_cli.flows.proposal import SafeState
from incident_cli.safe.batch import InnerCall, canonical_multisend, fold
from incident_cli.safe.builder import Batch, read_batch
from incident_cli.safe.contracts import MULTISEND_CODE_HASHES
from incident_cli.safe.files import read_json, write_proposal
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.service_records import Malformed, ServiceTransaction, parse_transaction
from incident_cli.safe.signature_file import SignatureFile, Signed, adding, store, verified
from incident_cli.safe.transaction import SafeTx
from incident_cli.text import plain

SCHEMA = "incident.safe-import/v1"
FILE_CAP = 4 * 1024 * 1024
FORMS = "Give a Transaction Builder batch, a record of a transaction service, or a flat SafeTx object."
NO_CHECKSUM = "the batch has no checksum: whether it was changed or damaged on its way cannot be told"


@dataclass(frozen=True, slots=True)
class Into:
    """Where to: the Safe of a deployment that was named, the aids to inspect with, the environment for node URLs."""

    place: Place
    aids: Aids
    environment: Environment


@dataclass(frozen=True, slots=True)
class Imported:
    """A transaction as it was examined, where it came from, its signatures, and what is worth saying."""

    examined: Inspection
    source: str
    signatures: tuple[Signed, ...] = ()
    says: tuple[str, ...] = ()

    @property
    def safe_tx_hash(self) -> str:
        """The hash, computed here."""
        return hash_transaction(self.examined.tx).safe_tx_hash


@dataclass(frozen=True, slots=True)
class Kept:
    """Where an import was written: the transaction, and its signatures where some came with it."""

    path: Path
    signatures_path: Path | None

    def to_json(self, found: Imported) -> dict[str, Any]:
        """As `--json` prints it."""
        tx = found.examined.tx
        return {
            "schema": SCHEMA,
            "source": found.source,
            "safe_tx_hash": found.safe_tx_hash,
            "safe_tx": tx.to_json(),
            "findings": [one.to_json() for one in found.examined.findings],
            "calls": [one.to_json() for one in found.examined.calls],
            "signatures": [one.owner for one in found.signatures],
            "says": list(found.says),
            "path": str(self.path),
            "signatures_path": str(self.signatures_path) if self.signatures_path else None,
        }


def import_file(path: Path, into: Into, nonce: int | None) -> Imported:
    """The transaction of a file, examined; raises Refused where it is dangerous or not what it claims, Misused for its
    form. `nonce` is for a batch, which has none: the one on chain unless it is given."""
    document = read_json(path, FILE_CAP)
    if not isinstance(document, dict):
        raise Misused(f"{plain(path)} is no JSON object", FORMS)
    if "transactions" in document and "meta" in document:
        tx, says = from_batch(read_batch(document), into.place, nonce)
        return examined_as("transaction-builder", tx, into, (), says)
    refuse_nonce(nonce)
    if "safeTxHash" in document and "chainId" not in document:
        return from_service(record_of(document), into)
    loaded = load_transaction(path, None)
    return examined_as("safe-tx", loaded.tx, into, signatures_of(loaded), ())


def signatures_of(loaded: Loaded) -> tuple[Signed, ...]:
    """The signatures of a file that holds some."""
    if "signatures" not in loaded.document:
        return ()
    file = SignatureFile.from_json(loaded.document)
    return (*file.signatures, *file.claims)


def refuse_nonce(nonce: int | None) -> None:
    """A transaction that has a nonce keeps it: another would be another hash."""
    if nonce is not None:
        raise Misused("--nonce is for a Transaction Builder batch: this file has its own", "Leave it out.")


def examined_as(source: str, tx: SafeTx, into: Into, signatures: Sequence[Signed], says: Sequence[str]) -> Imported:
    """The transaction once it is of this place and not refused."""
    loaded = Loaded(tx, None, source, {})
    require_place(tx, into.place)
    found = inspect_transaction(loaded, into.aids, into.environment)
    if found.unread is not None:
        raise found.unread
    require_safe(found)
    return Imported(found, source, tuple(signatures), tuple(says))


def require_place(tx: SafeTx, place: Place) -> None:
    """Refused for another Safe or chain than was named."""
    if (tx.chain_id, tx.safe) != (place.chain_id, place.safe):
        raise Refused(
            f"the file is for the Safe {tx.safe} on chain {tx.chain_id}, not {place.safe} on {place.chain_id}",
            "Nothing was written.",
        )


def from_batch(batch: Batch, place: Place, nonce: int | None) -> tuple[SafeTx, tuple[str, ...]]:
    """The calls of a batch as one transaction of this Safe; raises Refused where they are for another."""
    if batch.chain_id != place.chain_id:
        raise Refused(f"the batch is for chain {batch.chain_id}, not {place.chain_id}", "Nothing was written.")
    if batch.safe is not None and batch.safe != place.safe:
        raise Refused(f"the batch was made for the Safe {batch.safe}, not {place.safe}", "Nothing was written.")
    state = read_safe(place.reader, place.safe)
    tx = fold(
        batch.calls,
        chain_id=place.chain_id,
        safe=place.safe,
        version=state.version,
        nonce=state.nonce if nonce is None else nonce,
        multisend=multisend_of(place, state, batch.calls),
    )
    return tx, () if batch.has_checksum else (NO_CHECKSUM,)


def multisend_of(place: Place, state: SafeState, calls: Sequence[InnerCall]) -> Address | None:
    """The MultiSendCallOnly whose known code stands on this chain, the version's own first; None for one call.

    Raises Refused where none does, Unread where the code could not be read.
    """
    if len(calls) == 1:
        return None
    own = canonical_multisend(state.version)
    candidates = [own, *(one for one in MULTISEND_CODE_HASHES if one != own)]
    seen = place.reader.read([CodeRead(one) for one in candidates])
    for one in candidates:
        code = seen.value(CodeRead(one))
        if isinstance(code, Missing):
            raise Unread(f"the code at {one} could not be read: {code.reason}", "Try again, or name another node.")
        if to_hex(keccak(cast(bytes, code))) == MULTISEND_CODE_HASHES[one]:
            return one
    raise Refused("no known MultiSendCallOnly stands on this chain", "Import one call at a time.")


def record_of(document: Mapping[str, Any]) -> ServiceTransaction:
    """A record of a transaction service; raises Misused naming the field."""
    try:
        return parse_transaction(dict(document))
    except Malformed as problem:
        raise Misused(f"this is no record of a transaction service: {problem}", FORMS) from None


def from_service(record: ServiceTransaction, into: Into) -> Imported:
    """The transaction of a record, under the chain and version of this place; its hash must be the claimed one."""
    place = into.place
    if record.safe != place.safe:
        raise Refused(f"the record is of the Safe {record.safe}, not {place.safe}", "Nothing was written.")
    tx = record.safe_tx(place.chain_id, read_safe(place.reader, place.safe).version)
    kept: list[Signed] = []
    says: list[str] = []
    for one in record.confirmations:
        try:
            kept.append(verified(record.safe_tx_hash, Signed(one.owner, one.signature)))
        except IncidentError as problem:
            says.append(f"the confirmation of {one.owner} is left out: {problem.message}")
    return examined_as("transaction-service", tx, into, kept, says)


def keep(directory: Path, found: Imported) -> Kept:
    """Write `<safe_tx_hash>.json`, the flat object, and the signatures that came with it; raises Misused.

    A file of that name that holds this very transaction already, such as its proposal, is left as it is.
    """
    tx, name = found.examined.tx, f"{found.safe_tx_hash}.json"
    path = directory / name
    if not (path.is_file() and load_transaction(path, None).tx == tx):
        path = write_proposal(directory, name, tx.to_json())
    if not found.signatures:
        return Kept(path, None)
    signatures_path, _ = store(directory, adding(SignatureFile(tx), found.signatures).file)
    return Kept(path, signatures_path)
