"""The signatures of one Safe transaction as a file that travels between its owners: `<safe_tx_hash>.signatures.json`.

Nothing in such a file is believed: its hash is computed again, and every signature must be its owner's over it. What
cannot be verified without the chain (an approval, a contract's signature) is a claim: it never takes the place of what
was verified, and of several claims of one owner none is lost. Whoever the transaction takes out of the owners has no
place in it: that key may be in other hands.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from incident_cli.errors import Misused, Refused
from incident_cli.evm import Address, hex_bytes, parse_address, to_hex
from incident_cli.safe.files import as_text, guarded, opened_directory, read_bytes, read_json, write_new
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.leaving import leaving
from incident_cli.safe.signatures import CONTRACT_DATA_LIMIT, Kind, kind_of, number_of, owner_of
from incident_cli.safe.transaction import SafeTx
from incident_cli.strict_json import parse_json
from incident_cli.text import plain

SCHEMA = "incident.signatures/v1"
CAP = 4 * 1024 * 1024
MOST = 256  # signatures of one transaction
HINT = "It is {schema, safe_tx, safe_tx_hash, signatures: [{owner, signature, kind}]}, as `incident safe sign` writes."
VERIFIED: tuple[Kind, ...] = ("ecdsa", "eth-sign")  # by themselves; anybody can write the others


@dataclass(frozen=True, slots=True)
class Signed:
    """One owner's signature, 65 bytes, or those and a contract's data."""

    owner: Address
    signature: bytes

    @property
    def kind(self) -> Kind:
        """What sort of signature it is."""
        return kind_of(self.signature)

    @property
    def is_verified(self) -> bool:
        """Whether it proves itself; else only the chain can say whether it is what it claims."""
        return self.kind in VERIFIED

    @property
    def rank(self) -> tuple[int, bytes]:
        """Which signature of one owner comes first: what proves itself; claims stand in the order they came in."""
        return (VERIFIED.index(self.kind), self.signature) if self.is_verified else (len(VERIFIED), b"")

    def to_json(self) -> dict[str, str]:
        """As the file holds it."""
        return {"owner": self.owner, "signature": to_hex(self.signature), "kind": self.kind}


@dataclass(frozen=True, slots=True)
class SignatureFile:
    """A transaction and its signatures, by owner ascending, one for each owner; `claims` are further ones of owners
    who have only claims, of which the chain must choose."""

    tx: SafeTx
    signatures: tuple[Signed, ...] = ()
    claims: tuple[Signed, ...] = ()

    @property
    def safe_tx_hash(self) -> str:
        """The hash that was signed, computed here."""
        return hash_transaction(self.tx).safe_tx_hash

    @property
    def name(self) -> str:
        """The file's name: two files of one name are of one transaction."""
        return file_name(self.safe_tx_hash)

    def to_json(self) -> dict[str, Any]:
        """The document."""
        claims = {"claims": [one.to_json() for one in self.claims]} if self.claims else {}
        return {
            "schema": SCHEMA,
            "safe_tx": self.tx.to_json(),
            "safe_tx_hash": self.safe_tx_hash,
            "signatures": [one.to_json() for one in self.signatures],
            **claims,
        }

    @classmethod
    def from_json(cls, document: object) -> SignatureFile:
        """The file of a document; raises Misused for its form, Refused for a hash or signature that is not right."""
        return Merged.from_json(document).file


@dataclass(frozen=True, slots=True)
class Merged:
    """The file with what was added; what was `set_aside` because that owner's own signature is kept; what was
    `excluded` because the transaction takes its owner out."""

    file: SignatureFile
    set_aside: tuple[Signed, ...] = ()
    excluded: tuple[Signed, ...] = ()

    @classmethod
    def from_json(cls, document: object) -> Merged:
        """The file of a document, and what of it is not kept; raises as `SignatureFile.from_json`."""
        if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
            raise Misused("this is no file of signatures", HINT)
        tx, lists = SafeTx.from_json(document.get("safe_tx")), (document.get("signatures"), document.get("claims", []))
        records = [one for found in lists if isinstance(found, list) for one in found]
        if not all(isinstance(found, list) for found in lists) or len(records) > MOST:
            raise Misused(f"signatures must be a list of at most {MOST}", HINT)
        computed = hash_transaction(tx).safe_tx_hash
        if str(document.get("safe_tx_hash")).lower() != computed:
            raise Refused(
                f"the file says it is {plain(document.get('safe_tx_hash'), 80)}, its transaction hashes to {computed}",
                "Sign nothing of it: ask whoever sent it for the file again.",
            )
        return adding(SignatureFile(tx), [signed_from_json(computed, one) for one in records])


def file_name(safe_tx_hash: str) -> str:
    """`<safe_tx_hash>.signatures.json`."""
    return f"{safe_tx_hash}.signatures.json"


def signed_from_json(safe_tx_hash: str, record: object) -> Signed:
    """One signature of a file, verified; raises Misused for its form, Refused where it is not its owner's."""
    if not isinstance(record, Mapping):
        raise Misused("a signature is an object with owner, signature and kind", HINT)
    owner, text = record.get("owner"), record.get("signature")
    if not isinstance(owner, str) or not isinstance(text, str) or len(text) > 2 * CONTRACT_DATA_LIMIT + 512:
        raise Misused("a signature's owner and signature are texts", HINT)
    try:
        found = Signed(parse_address(owner), hex_bytes(text))
    except ValueError as problem:
        raise Misused(
            f"the signature of {plain(owner, 60)} is not written as hex: {plain(problem, 200)}", HINT
        ) from None
    if "kind" in record and record["kind"] != found.kind:
        raise Refused(
            f"the signature of {found.owner} is called {plain(record['kind'], 40)!r} and is of the kind {found.kind}",
            "Ask that owner to sign again.",
        )
    return verified(safe_tx_hash, found)


def verified(safe_tx_hash: str, signed: Signed) -> Signed:
    """The signature, once it is that owner's over this hash; raises Refused."""
    found = owner_of(safe_tx_hash, signed.signature)
    if found != signed.owner:
        raise Refused(
            f"the signature said to be {signed.owner}'s over {safe_tx_hash} is one by {found}",
            "It is damaged, of another transaction, or not that owner's: ask for it again.",
        )
    return signed


def adding(file: SignatureFile, more: Iterable[Signed]) -> Merged:
    """The file with these signatures too. Of an owner what proves itself is kept, and the rest is told of; where
    nothing does, every claim is kept. Raises Refused for more owners than a file holds."""
    gone = leaving(file.tx)
    every = tuple(dict.fromkeys((*file.signatures, *file.claims, *more)))
    excluded = tuple(one for one in every if one.owner in gone)
    kept: dict[Address, Signed] = {}
    claims: list[Signed] = []
    aside: list[Signed] = []
    for one in sorted((one for one in every if one.owner not in gone), key=lambda signed: signed.rank):
        if one.owner not in kept:
            kept[one.owner] = one
        else:
            (aside if kept[one.owner].is_verified else claims).append(one)
    room = MOST - len(kept)
    if room < 0:
        raise Refused(f"there are signatures of more than {MOST} owners", "Merge only the files of the Safe's owners.")
    ordered = tuple(kept[owner] for owner in sorted(kept, key=number_of))
    return Merged(replace(file, signatures=ordered, claims=tuple(claims[:room])), (*aside, *claims[room:]), excluded)


def merge(one: SignatureFile, other: SignatureFile) -> Merged:
    """The signatures of both; raises Refused with the differing fields where they are of two transactions."""
    if one.safe_tx_hash != other.safe_tx_hash:
        lines = "; ".join(differing(one.tx, other.tx))
        raise Refused(
            f"these are signatures of two transactions, {one.safe_tx_hash} and {other.safe_tx_hash}: {lines}",
            "Merge files of one hash. If somebody changed the transaction in between, find out who, and sign nothing.",
        )
    return adding(one, (*other.signatures, *other.claims))


def joined(one: Merged, other: Merged) -> Merged:
    """Both files; what was not kept of either is told of still. Raises as `merge`."""
    merged = merge(one.file, other.file)
    excluded = tuple(dict.fromkeys((*one.excluded, *other.excluded, *merged.excluded)))
    return Merged(merged.file, (*one.set_aside, *other.set_aside, *merged.set_aside), excluded)


def differing(one: SafeTx, other: SafeTx) -> tuple[str, ...]:
    """Each field that differs, with both values in whole; of long data the lengths and the first differing byte."""
    left, right = one.to_json(), other.to_json()
    return tuple(difference(name, left[name], right[name]) for name in left if left[name] != right[name])


def difference(name: str, one: object, other: object) -> str:
    """One field's two values."""
    if name != "data" or len(str(one)) + len(str(other)) <= 400:
        return f"{name} {one} / {other}"
    a, b = hex_bytes(str(one)), hex_bytes(str(other))
    at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    words = f"{to_hex(a[at : at + 32])} / {to_hex(b[at : at + 32])}"
    return f"data of {len(a)} / {len(b)} bytes, which part at byte {at}: {words}"


def read_signature_file(path: Path) -> SignatureFile:
    """A file of signatures; raises Misused, Refused."""
    return SignatureFile.from_json(read_json(path, CAP))


def store(directory: Path, file: SignatureFile) -> tuple[Path, Merged]:
    """Write the file under its name, together with what a file of that name holds already; the path and the union.

    Whole or unchanged at any instant, mode 0600, and two that store at once lose nothing of each other's. Raises
    Misused, and Refused where the file that is there is damaged.
    """
    path = directory / file.name
    with guarded(path), opened_directory(directory) as folder:
        fcntl.flock(folder, fcntl.LOCK_EX)
        merged, existing = adding(file, ()), read_existing(folder, path)
        merged = merged if existing is None else joined(merged, existing)
        exchange(folder, path, as_text(path, merged.file.to_json()).encode())
    return path, merged


def read_existing(folder: int, path: Path) -> Merged | None:
    """What stands under the name, or None; raises Misused or Refused where it is no file of signatures."""
    if path.name not in os.listdir(folder):
        return None
    content = read_bytes(path, CAP, folder)
    try:
        return Merged.from_json(parse_json(content))
    except ValueError as problem:
        raise Misused(
            f"{plain(path)} is not JSON: {plain(problem, 200)}", "Move it away yourself; it is not overwritten."
        ) from problem


def exchange(folder: int, path: Path, content: bytes) -> None:
    """Put new content under a name in one step, and make it durable."""
    temporary = f".{path.name[:100]}.{secrets.token_hex(8)}.tmp"
    write_new(folder, temporary, content)
    os.rename(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)
