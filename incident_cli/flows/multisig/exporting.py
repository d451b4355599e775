"""The road without the service: a transaction in the forms that others read, each with what it leaves out said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from incident_cli.errors import Misused, Refused
from incident_cli.evm import Address, Call, to_hex
from incident_cli.flows.connecting import Environment
from incident_cli.flows.multisig.expectation import expected_of
from incident_cli.flows.multisig.loading import Loaded
from incident_cli.flows.multisig.merging import held_against, signatures_in
from incident_cli.flows.multisig.place import place_of_transaction
from incident_cli.runbook.deployment import Deployment
from incident_cli.safe.batch import InnerCall
from incident_cli.safe.builder import BuilderCall, batch_document
from incident_cli.safe.execution_data import execution_data
from incident_cli.safe.files import read_json, write_proposal
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.leaving import GONE
from incident_cli.safe.signature_file import Merged, SignatureFile, joined, store
from incident_cli.safe.signatures import pack
from incident_cli.safe.transaction import DELEGATECALL, SafeTx
from incident_cli.safe.unfolding import unfold
from incident_cli.strict_json import Json

Format = Literal["tx-builder", "safe-tx", "signatures", "calldata"]
SCHEMA = "incident.safe-export/v1"
CALLDATA_SCHEMA = "incident.safe-calldata/v1"
FILE_CAP = 4 * 1024 * 1024
NO_NONCE = (
    "A Transaction Builder file carries neither nonce nor operation: the wallet makes a transaction of its own from it,"
    " with another hash unless its nonce is set to the same. The SafeTx with its hashes belongs beside it."
)


@dataclass(frozen=True, slots=True)
class Exported:
    """A document of one form, the file's name for it, what it leaves out; `beside` is written with it."""

    format: Format
    name: str
    document: Mapping[str, Any]
    says: str = ""
    beside: tuple[tuple[str, Mapping[str, Any]], ...] = ()


def export(
    loaded: Loaded,
    form: Format,
    created_ms: int,
    deployment: Deployment | None,
    environment: Environment,
    beside: Path | None = None,
) -> Exported:
    """The transaction in a form; `created_ms` is now, in milliseconds since the epoch; `beside` is the file's folder,
    where its signatures may be.

    Raises Refused for a transaction that the form cannot say, Misused where signatures are needed and there are none.
    """
    if form == "tx-builder":
        return builder_file(loaded, created_ms)
    if form == "safe-tx":
        return Exported(form, f"{hash_of(loaded.tx)}.safe-tx.json", described(loaded.tx))
    merged = collected(loaded, beside)
    if form == "signatures":
        return Exported(form, merged.file.name, merged.file.to_json(), left_out(merged))
    found = calldata_file(merged.file, deployment, environment)
    return replace(found, says=" ".join(filter(None, (found.says, left_out(merged)))))


def hash_of(tx: SafeTx) -> str:
    """The hash that names the files."""
    return hash_transaction(tx).safe_tx_hash


def described(tx: SafeTx) -> dict[str, Any]:
    """The SafeTx with all its hashes, as a file of no signatures yet: every `safe` command reads it."""
    found = hash_transaction(tx)
    return {
        **SignatureFile(tx).to_json(),
        "domain_hash": found.domain_hash,
        "message_hash": found.message_hash,
        "calldata_digest": found.calldata_digest,
        "calldata_bytes": found.calldata_bytes,
    }


def builder_file(loaded: Loaded, created_ms: int) -> Exported:
    """The Transaction Builder's file, by named parameters where the proposal knows the function."""
    tx = loaded.tx
    known = () if loaded.proposal is None else expected_of(loaded).calls
    stated = {(one.to, one.value, one.data): one for one in known}
    calls = [builder_call(one, stated) for one in plain_calls(tx)]
    block = (loaded.proposal or {}).get("block")
    seconds = block.get("timestamp") if isinstance(block, Mapping) else None
    created = seconds * 1_000 if type(seconds) is int and 0 <= seconds < 2**40 else created_ms
    name = f"incident {hash_of(tx)} nonce {tx.nonce}"
    document = batch_document(calls, chain_id=tx.chain_id, safe=tx.safe, name=name, created_ms=created)
    beside = ((f"{hash_of(tx)}.safe-tx.json", described(tx)),)
    return Exported("tx-builder", f"{hash_of(tx)}.tx-builder.json", document, NO_NONCE, beside)


def builder_call(call: InnerCall, stated: Mapping[tuple[Address, int, bytes], Call]) -> BuilderCall:
    """A call for the builder, with its function where the proposal states this very call."""
    known = stated.get((call.to, call.value, call.data))
    return BuilderCall(call.to, call.value, call.data, known.signature if known else None)


def plain_calls(tx: SafeTx) -> tuple[InnerCall, ...]:
    """The calls, where they are nothing but calls; raises Refused where the builder would make something else."""
    if any((tx.safe_tx_gas, tx.base_gas, tx.gas_price)):
        raise Refused("it sets gas or a refund, which a Transaction Builder file cannot say", "Export it as safe-tx.")
    unfolded = unfold(tx)
    if unfolded.problems:
        raise Refused(f"it cannot be shown: {'; '.join(unfolded.problems)}", "What cannot be shown is not exported.")
    calls = tuple(unfolded.outermost)
    if any(one.operation == DELEGATECALL for one in calls):
        raise Refused("a delegatecall cannot be said in a Transaction Builder file", "Export it as safe-tx.")
    return calls


def collected(loaded: Loaded, beside: Path | None) -> Merged:
    """The signatures in the file, and in `<safe_tx_hash>.signatures.json` beside it; raises Misused where none are."""
    merged = signatures_in(loaded)
    other = None if beside is None else beside / merged.file.name
    if other is not None and other.is_file():
        merged = joined(merged, Merged.from_json(read_json(other, FILE_CAP)))
    if not merged.file.signatures:
        raise Misused(
            f"no signature of {merged.file.safe_tx_hash} was found in {loaded.source} or beside it",
            left_out(merged) or "Sign it with `incident safe sign`, or name a file of signatures.",
        )
    return merged


def left_out(merged: Merged) -> str:
    """Whose signatures are not handed on, because the transaction takes them out; empty where there are none."""
    owners = ", ".join(dict.fromkeys(one.owner for one in merged.excluded))
    return f"The signature of {owners} is left out: {GONE}." if owners else ""


def calldata_file(file: SignatureFile, deployment: Deployment | None, environment: Environment) -> Exported:
    """execTransaction's calldata for anybody to send; with a deployment only where its simulation passed."""
    packed, says = pack({one.owner: one.signature for one in file.signatures}), unheld(file)
    if deployment is not None:
        standing, found = held_against(place_of_transaction(deployment, file.tx, environment), file)
        if found.state != "ready" or found.collected is None:
            raise Refused(
                f"it is not ready to execute: {found.state}: {found.reason}",
                "Nothing was exported. `incident safe merge … --deployment` shows every signature.",
            )
        packed, says = found.collected.packed, f"Simulated at block {standing.block.number}: it passes for anybody."
    document = {
        "schema": CALLDATA_SCHEMA,
        "safe_tx_hash": file.safe_tx_hash,
        "chainId": file.tx.chain_id,
        "to": file.tx.safe,
        "value": "0",
        "data": to_hex(execution_data(file.tx, packed)),
    }
    return Exported("calldata", f"{file.safe_tx_hash}.calldata.json", document, says)


def unheld(file: SignatureFile) -> str:
    """That the chain was not asked, and which of the signatures only it could confirm."""
    claimed = ", ".join(one.owner for one in file.signatures if not one.is_verified)
    claims = f" Whether {claimed} signed or approved is only claimed: nothing here proves it." if claimed else ""
    return f"Not held against the chain.{claims}"


def write(directory: Path, found: Exported) -> tuple[Path, ...]:
    """Write the document and what belongs beside it; the paths. A file that says the same already is left as it is."""
    if found.format == "signatures":
        path, _ = store(directory, SignatureFile.from_json(found.document))
        return (path,)
    documents = ((found.name, found.document), *found.beside)
    return tuple(write_one(directory, name, document) for name, document in documents)


def write_one(directory: Path, name: str, document: Mapping[str, Any]) -> Path:
    """Write once; two exports of one transaction differ in their time at most."""
    path = directory / name
    if path.is_file() and timeless(read_json(path, FILE_CAP)) == timeless(dict(document)):
        return path
    return write_proposal(directory, name, document)


def timeless(document: Json | dict[str, Any]) -> object:
    """A document without when it was made and what depends on that."""
    if not isinstance(document, dict):
        return document
    return {key: value for key, value in document.items() if key not in ("createdAt", "meta")}
