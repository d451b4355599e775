"""From a file (or stdin) to the Safe transaction in it: the flat object, a proposal file, or a file of signatures.

What a file says about itself is never believed: its hashes are computed again, and a file that states others was
changed after it was written, or was written by somebody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from incident_cli.errors import Misused, Refused
from incident_cli.safe.files import read_json
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.transaction import SafeTx
from incident_cli.strict_json import Json, parse_json
from incident_cli.text import plain

PROPOSAL_SCHEMA = "incident.proposal/v1"
SIGNATURES_SCHEMA = "incident.signatures/v1"
ROTATION_SCHEMA = "incident.rotation/v1"  # a proposal file too, with who may not sign it
FILE_CAP = 4 * 1024 * 1024
STDIN = "-"
STATED = ("safe_tx_hash", "domain_hash", "message_hash", "calldata_digest", "calldata_bytes")
SERVICE_KEYS = frozenset({"safeTxHash", "contractTransactionHash", "confirmations", "confirmationsRequired"})
FORMS = "Name a flat SafeTx object, a proposal file that incident wrote, or a file of signatures."


@dataclass(frozen=True, slots=True)
class Loaded:
    """A transaction and the whole document it came in; `source` is how messages call that file.

    `proposal` is the document where it is a proposal file, else None.
    """

    tx: SafeTx
    proposal: Mapping[str, Any] | None
    source: str
    document: Mapping[str, Any]


def load_transaction(path: str | Path, stdin: BinaryIO | None) -> Loaded:
    """The transaction of a JSON file, or of stdin where the path is `-`.

    Raises Misused (naming the field that is wrong) for what is no such file, Refused where the hashes it states are
    not those of its transaction.
    """
    source = "stdin" if str(path) == STDIN else plain(path, 300)
    found = read_stdin(stdin) if str(path) == STDIN else read_json(Path(path), FILE_CAP)
    return loaded(found, source)


def read_stdin(stdin: BinaryIO | None) -> Json:
    """The JSON on stdin; raises Misused."""
    if stdin is None:
        raise Misused("stdin is closed: there is nothing to read", "Name a file, or pipe one in.")
    content = stdin.read(FILE_CAP + 1)
    if len(content) > FILE_CAP:
        raise Misused(f"stdin is larger than {FILE_CAP} bytes", "This is no file that incident wrote.")
    try:
        return parse_json(content)
    except ValueError as problem:
        raise Misused(f"stdin is not JSON: {plain(problem, 200)}", FORMS) from problem


def loaded(document: Json, source: str) -> Loaded:
    """The transaction of a document; raises Misused or Refused."""
    if not isinstance(document, dict):
        raise Misused(f"{source} is no JSON object", FORMS)
    if "safe_tx" not in document:
        refuse_other_forms(document, source)
        return Loaded(SafeTx.from_json(document), None, source, document)
    schema = document.get("schema")
    if schema not in (PROPOSAL_SCHEMA, SIGNATURES_SCHEMA, ROTATION_SCHEMA):
        raise Misused(f"{source} has the schema {plain(schema, 80)!r}, which holds no Safe transaction", FORMS)
    if not isinstance(document.get("safe_tx_hash"), str):
        raise Misused(f"{source} lacks safe_tx_hash, the hash of its transaction", FORMS)
    tx = SafeTx.from_json(document["safe_tx"])
    check_stated(tx, document, source)
    return Loaded(tx, None if schema == SIGNATURES_SCHEMA else document, source, document)


def refuse_other_forms(document: Mapping[str, Json], source: str) -> None:
    """Misused, with the way out, for documents that hold a transaction in a form which cannot be trusted by itself."""
    if SERVICE_KEYS & document.keys() and "version" not in document:
        raise Misused(
            f"{source} is a record of a transaction service: it lacks the Safe's version and chain id, so it cannot be"
            " hashed here",
            "`incident safe import` makes a file of it; `incident safe confirm` reads it from the service and signs it",
        )
    if "transactions" in document and "meta" in document:
        raise Misused(
            f"{source} is a Transaction Builder batch: it has no nonce and no hash to sign",
            "Inspect the file of the Safe transaction itself.",
        )


def check_stated(tx: SafeTx, document: Mapping[str, Json], source: str) -> None:
    """Refused where a hash that the document states is not its transaction's."""
    hashes = hash_transaction(tx)
    for name in STATED:
        computed, stated = getattr(hashes, name), document.get(name)
        if name not in document or (stated == computed and type(stated) is type(computed)):
            continue
        if isinstance(stated, str) and isinstance(computed, str) and stated.lower() == computed.lower():
            continue
        raise Refused(
            f"{source} was changed: it states the {name} {plain(stated, 100)}, but its transaction has {computed}",
            "Sign nothing. Ask for the file again, by another road, and find out who changed this one.",
        )
