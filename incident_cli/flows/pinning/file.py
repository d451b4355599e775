"""Writing `pins:` into a deployment: only that block changes, every other byte stays, and the file is whole or old."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from incident_cli.document import LINE_END, Document, Entry, Items, Node, Table, Text, parse_document, read_document
from incident_cli.errors import Misused, Refused
from incident_cli.runbook.deployment import sound
from incident_cli.text import plain

KEY = "pins"
Fields = Mapping[str, str | None]
BY_HAND = "Write `pins:` as a key on a line of its own, then run it again; nothing was written."


def written(path: Path, raw: bytes, pins: Sequence[Fields]) -> None:
    """Put the pins into the file whose content was `raw`; raises Refused where it was changed since, or where more than
    the pins would change, and Misused where it cannot be written."""
    content = with_pins(raw, pins, str(path))
    target = path.resolve()
    if read_document(target).raw != raw:
        raise Refused(f"{plain(path)} was changed while it was looked at", "Run it again; nothing was written.")
    try:
        replace(target, content)
    except OSError as problem:
        reason = plain(problem.strerror or problem, 200)
        raise Misused(f"{plain(path)} could not be written: {reason}", "It is as it was.") from problem


def with_pins(raw: bytes, pins: Sequence[Fields], name: str) -> bytes:
    """The file's content with these pins instead of its own; raises Refused where anything else would change."""
    before = parse_document(raw, name)
    start, end = block_of(before, raw)
    newline = b"\r\n" if b"\r\n" in raw else b"\n"
    unfinished = start == len(raw) and not raw.endswith((b"\n", b"\r"))
    head = raw[:start] + (newline if unfinished else b"")
    block = b"".join(line.encode() + newline for line in lines(pins))
    content = head + block + raw[end:]
    after = parse_document(content, name)
    if after.problems or rest(after) != rest(before) or pinned(after) != [dict(present(one)) for one in pins]:
        raise Refused(f"the pins cannot be put into {plain(name)} without changing more of it", BY_HAND)
    sound(after)
    return content


def lines(pins: Sequence[Fields]) -> list[str]:
    """The block: an entry of one to three lines for each pin."""
    if not pins:
        return [f"{KEY}: []"]
    found = [f"{KEY}:"]
    for one in pins:
        fields = present(one)
        parts = [", ".join(f"{key}: {json.dumps(fields[key])}" for key in ("name", "chain", "address"))]
        parts += [f"{key}: {json.dumps(fields[key])}" for key in ("codehash", "implementation") if key in fields]
        if "implementation_codehash" in fields:
            parts.append(f"implementation_codehash: {json.dumps(fields['implementation_codehash'])}")
        found += (("  - {" if number == 0 else "     ") + part for number, part in enumerate(end_each(parts)))
    return found


def end_each(parts: Sequence[str]) -> list[str]:
    """Commas between the parts, and the bracket that closes them."""
    return [f"{one}," for one in parts[:-1]] + [f"{parts[-1]}}}"]


def present(fields: Fields) -> dict[str, str]:
    """The fields that have a value."""
    return {key: value for key, value in fields.items() if value is not None}


def block_of(document: Document, raw: bytes) -> tuple[int, int]:
    """Where the block of pins begins and ends, in bytes; the end of the file twice where there is none."""
    root = document.root
    starts = line_starts(raw)
    if not isinstance(root, Table) or KEY not in root.entries:
        return len(raw), len(raw)
    order = sorted(entry.key.place.line for entry in root.entries.values())
    first = root.entries[KEY].key.place.line
    after = [line for line in order if line > first]
    last = after[0] if after else len(starts) + 1
    while last - 1 > first and is_apart(raw, starts, last - 1):
        last -= 1
    end = starts[last - 1] if last <= len(starts) else len(raw)
    return starts[first - 1], end


def is_apart(raw: bytes, starts: Sequence[int], line: int) -> bool:
    """Whether a line (from 1) is empty, or a comment at the margin: it belongs to what follows."""
    end = starts[line] if line < len(starts) else len(raw)
    text = raw[starts[line - 1] : end]
    return not text.strip() or text.startswith(b"#")


def line_starts(raw: bytes) -> list[int]:
    """Where each line begins, in bytes; lines end where YAML says so."""
    text, found, last = raw.decode(), [0], 0
    for one in LINE_END.finditer(text):
        found.append(found[-1] + len(text[last : one.end()].encode()))
        last = one.end()
    return found[:-1] if found[-1] == len(raw) and len(found) > 1 else found


def rest(document: Document) -> object:
    """Everything of a file but its pins, without its places."""
    root = document.root
    assert isinstance(root, Table), "a sound deployment is a mapping"
    return [(key, bare(entry.value)) for key, entry in root.entries.items() if key != KEY]


def pinned(document: Document) -> object:
    """The pins of a file as they are written."""
    root = document.root
    assert isinstance(root, Table), "a sound deployment is a mapping"
    entry: Entry | None = root.entries.get(KEY)
    return None if entry is None else bare(entry.value)


def bare(node: Node) -> object:
    """A node's values without their places."""
    if isinstance(node, Text):
        return node.value
    if isinstance(node, Items):
        return [bare(one) for one in node.items]
    return {key: bare(entry.value) for key, entry in node.entries.items()}


def replace(target: Path, content: bytes) -> None:
    """Write beside the file with its mode, make it durable, then take its name; raises OSError."""
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.tmp")
    mode = target.stat().st_mode & 0o777
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
