"""The journal's chain of hashes: one JSON object a line, each sealed to the one before.

    {"seq", "prev", "salt", "body", "hash"}    hash = H(prev ‖ H(salt ‖ canonical body)),  H = SHA-256

A redacted record carries `digest` = H(salt ‖ canonical body) instead of salt and body and verifies just the same;
the salt keeps a short body from being guessed from its digest. The first `prev` is 64 zeros, the first `seq` is 1.
A line has exactly one spelling (sorted keys, no blanks, ASCII), so a single changed byte shows.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from incident_cli.strict_json import parse_json

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]

FIRST_PREV = "0" * 64
LINE_LIMIT = 1024 * 1024
DEPTH_LIMIT = 16  # far below what strict_json reads back
HASH = re.compile(r"[0-9a-f]{64}")
SALT = re.compile(r"[0-9a-f]{32}")
FULL = {"seq", "prev", "salt", "body", "hash"}
REDACTED = {"seq", "prev", "digest", "hash"}


class RecordError(ValueError):
    """A line is no record, or a body cannot become one."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line. `salt` and `body` are None where it was redacted; all hashes are 64 hex digits."""

    seq: int
    prev: str
    digest: str
    hash: str
    salt: str | None = None
    body: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """What reading a journal showed: its sound records, and the first thing wrong with it (`line` is 1-based).

    A torn tail (a last line without its newline) is no damage: it was never acknowledged. `size` is the number of
    bytes of the sound records.
    """

    valid: bool
    records: tuple[Record, ...]
    head: str
    problem: str = ""
    line: int | None = None
    torn: bool = False
    size: int = 0


def make(seq: int, prev: str, salt: str, body: Mapping[str, object]) -> Record:
    """Seal a body into the chain after `prev`; raises RecordError where it is not plain JSON or too long."""
    if not SALT.fullmatch(salt):
        raise RecordError("a salt is 16 bytes as 32 lower-case hex digits")
    text = canonical(dict(body))
    digest = digest_of(salt, text)
    record = Record(seq, prev, digest, sealed(prev, digest), salt, json.loads(text))
    if len(to_line(record)) > LINE_LIMIT:
        raise RecordError(f"a record has at most {LINE_LIMIT} bytes: keep evidence beside the journal, by its sha256")
    return record


def redact(record: Record) -> Record:
    """The same record without its contents; the chain still verifies."""
    return Record(record.seq, record.prev, record.digest, record.hash)


def canonical(body: object) -> bytes:
    """The one spelling of a JSON value: sorted keys, no blanks, ASCII; floats are refused."""
    refuse_foreign(body, 0)
    try:
        return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()
    except ValueError as problem:  # a whole number of thousands of digits
        raise RecordError(f"a body cannot be written: {problem}") from problem


def refuse_foreign(value: object, depth: int) -> None:
    """Only null, booleans, whole numbers, text, lists and objects with text keys, nested a few deep."""
    if depth > DEPTH_LIMIT:
        raise RecordError(f"a body nests at most {DEPTH_LIMIT} deep")
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise RecordError("the keys of a body are text")
        for one in value.values():
            refuse_foreign(one, depth + 1)
    elif isinstance(value, list | tuple):
        for one in value:
            refuse_foreign(one, depth + 1)
    elif not (value is None or isinstance(value, bool | int | str)):
        raise RecordError(f"a body holds no {type(value).__name__}: money and times are whole numbers or text")


def digest_of(salt: str, text: bytes) -> str:
    """H(salt ‖ canonical body)."""
    return hashlib.sha256(bytes.fromhex(salt) + text).hexdigest()


def sealed(prev: str, digest: str) -> str:
    """H(prev ‖ digest)."""
    return hashlib.sha256(bytes.fromhex(prev) + bytes.fromhex(digest)).hexdigest()


def to_line(record: Record) -> bytes:
    """The record's one spelling, with its newline."""
    fields: dict[str, object] = {"seq": record.seq, "prev": record.prev, "hash": record.hash}
    if record.body is None:
        fields["digest"] = record.digest
    else:
        fields |= {"salt": record.salt, "body": dict(record.body)}
    return canonical(fields) + b"\n"


def from_line(line: bytes) -> Record:
    """Read one line and its own seal; raises RecordError. Whether it follows the line before is `verify`'s to say."""
    if len(line) > LINE_LIMIT:
        raise RecordError("the line is longer than a record may be")
    try:
        fields = parse_json(line)
    except ValueError as problem:
        raise RecordError("the line is not JSON") from problem
    record = from_fields(fields)
    if to_line(record) != line:
        raise RecordError("the line is not spelled as a record is")
    if record.hash != sealed(record.prev, record.digest):
        raise RecordError("the hash does not fit the contents")
    return record


def from_fields(fields: object) -> Record:
    """A record from a decoded line, its digest computed where the body is present."""
    if not isinstance(fields, dict) or set(fields) not in (FULL, REDACTED):
        raise RecordError("the line is not a record")
    seq = fields["seq"]
    if not isinstance(seq, int) or isinstance(seq, bool):
        raise RecordError("`seq` is not a whole number")
    prev, hashed = hex_field(fields, "prev", HASH), hex_field(fields, "hash", HASH)
    if "digest" in fields:
        return Record(seq, prev, hex_field(fields, "digest", HASH), hashed)
    salt, body = hex_field(fields, "salt", SALT), fields["body"]
    if not isinstance(body, dict):
        raise RecordError("`body` is not an object")
    return Record(seq, prev, digest_of(salt, canonical(body)), hashed, salt, body)


def hex_field(fields: Mapping[str, object], name: str, pattern: re.Pattern[str]) -> str:
    """A field of lower-case hex digits of the right length."""
    value = fields[name]
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise RecordError(f"`{name}` is not lower-case hex of the right length")
    return value


def verify(lines: Iterable[bytes]) -> Verified:
    """Walk the chain over lines that keep their newlines; stops at the first damage."""
    records: list[Record] = []
    head, size, torn = FIRST_PREV, 0, False
    for number, line in enumerate(lines, start=1):
        if torn:
            return Verified(False, tuple(records), head, "the line before has no newline", number - 1, size=size)
        if not line.endswith(b"\n"):
            torn = True
            continue
        try:
            record = from_line(line)
            follow(record, number, head)
        except RecordError as problem:
            return Verified(False, tuple(records), head, str(problem), number, size=size)
        records.append(record)
        head, size = record.hash, size + len(line)
    if not torn:
        return Verified(True, tuple(records), head, size=size)
    unfinished = "the last line was not finished"
    return Verified(True, tuple(records), head, unfinished, len(records) + 1, torn=True, size=size)


def follow(record: Record, number: int, head: str) -> None:
    """Refuse a record that does not come next."""
    if record.seq != number:
        raise RecordError(f"record {number} is missing or out of order: this is number {str(record.seq)[:20]}")
    if record.prev != head:
        raise RecordError("the record does not continue the one before")
