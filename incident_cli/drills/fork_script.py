"""A scenario file of a fork drill: what is injected into the copy of the chain, and the rehearsed answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from incident_cli.binding import DURATION, IDENTIFIER, INTEGER, SLUG, Binder, did_you_mean, matching, one_of
from incident_cli.document import Document, Node, Place, Table, Text, read_document
from incident_cli.errors import Misused
from incident_cli.text import plain

SCHEMA = "incident-fork-scenario/v1"
LATEST_BLOCK = 1_000
WORD = matching("word", re.compile(r"0x[0-9a-fA-F]{1,64}"), "0x and at most 64 hex digits are needed")
ANSWER = matching("feed answer", re.compile(r"-?[0-9]{1,60}(\.[0-9]{1,30})?"), "a price such as 3500.25 is needed")
Name = Annotated[str, IDENTIFIER]
Word = Annotated[str, WORD]
NOTHING = Text("", Place(0, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageEntry:
    """A word of storage: of which slot's address, at which position, and its value there."""

    slot: Name
    address: Name
    position: Word
    value: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectEntry:
    """One injection, exactly one of: `storage` a word; `feed` with `answer` (and `age`) a price; `answer` with `value`
    what a view says; `change` with `slot` other code that does the same. `at_block` counts blocks of the fork."""

    storage: StorageEntry | None = None
    feed: Name | None = None
    answer: str | None = None
    value: Node = NOTHING
    age: Annotated[int, DURATION] | None = None
    change: Annotated[str, one_of("change", "code", "implementation")] | None = None
    slot: Name | None = None
    at_block: Annotated[int, INTEGER] = 1
    place: Place

    def __post_init__(self) -> None:
        kinds = [self.storage is not None, self.feed is not None, self.change is not None]
        if sum(kinds) + (self.answer is not None and self.feed is None) != 1:
            raise ValueError("an injection is exactly one of storage, feed, answer and change")
        if self.feed is not None:
            if self.answer is None:
                raise ValueError("feed needs answer: the price it serves")
            ANSWER.parse(self.answer)
        if (self.answer is not None and self.feed is None) is (self.value is NOTHING):
            raise ValueError("answer and value go together: a view such as vault.owner(), and what it is to say")
        if (self.change is None) is not (self.slot is None):
            raise ValueError("change and slot go together: code or implementation, and of which slot")
        if self.age is not None and self.feed is None:
            raise ValueError("age belongs to feed")
        if not 1 <= self.at_block <= LATEST_BLOCK:
            raise ValueError(f"at_block is from 1 to {LATEST_BLOCK}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkScenario:
    """A scenario as written; `params` are used where the command gives no --param of that name."""

    schema: Annotated[str, one_of("schema", SCHEMA)]
    id: Annotated[str, SLUG]
    title: str
    runbook: Annotated[str, SLUG]
    intended: Annotated[str, one_of("ending", "contained", "stood-down")]
    inject: tuple[InjectEntry, ...] = ()
    params: Mapping[Name, str] = field(default_factory=dict)
    answers: Mapping[Name, str] = field(default_factory=dict)
    place: Place


@dataclass(frozen=True, slots=True)
class ForkScript:
    """A scenario with the file it came from."""

    scenario: ForkScenario
    document: Document

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.document.name)


def load_fork_script(path: Path) -> ForkScript:
    """Read a scenario; raises WrongFile with every problem."""
    document = read_document(path)
    file: ForkScenario | None = Binder(document).root(ForkScenario)
    if file is not None and file.id != path.stem:
        document.wrong(file.place, "wrong-name", f"this file is {path.name}, but its id is {file.id!r}")
    document.refuse_if_wrong()
    assert file is not None, "a document without problems binds"
    return ForkScript(file, document)


def is_fork_script(path: Path) -> bool:
    """Whether a file of `drills/` says that it is a scenario of a fork drill; one that cannot be read says nothing."""
    try:
        root = read_document(path).root
    except Misused:
        return False
    entry = root.entries.get("schema") if isinstance(root, Table) else None
    return entry is not None and isinstance(entry.value, Text) and entry.value.value == SCHEMA


def find_fork_script(folder: Path, runbook: str, wanted: str | None) -> ForkScript | None:
    """The scenario: a file, a name in `folder`, else `<runbook>-fork` there; None where that is not there.

    Raises Misused naming those there are.
    """
    if wanted is None:
        own = folder / f"{runbook}-fork.yaml"
        return load_fork_script(own) if own.is_file() else None
    if wanted.endswith((".yaml", ".yml")) or "/" in wanted:
        return load_fork_script(Path(wanted))
    paths = {path.stem: path for path in sorted(folder.glob("*.yaml")) if is_fork_script(path)}
    if wanted not in paths:
        known = ", ".join(paths) or "none"
        message = f"there is no scenario {plain(wanted, 80)!r} for a fork{did_you_mean(wanted, paths)}"
        raise Misused(message, f"give a file, or one of {plain(folder, 200)}: {known}")
    return load_fork_script(paths[wanted])
