"""A YAML file as nodes with positions: text, items and mappings. The schema decides types, never YAML.

Built from the parser's events, so nothing is resolved or expanded: an unquoted address stays text, and
anchors, aliases, tags, merge keys and duplicate keys are refused where they stand. Size, depth, number of
nodes and length of a scalar are capped. Every problem is collected; nothing stops at the first.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incident_cli.errors import Misused
from incident_cli.text import plain

if TYPE_CHECKING:
    import yaml

SIZE_LIMIT = 256 * 1024
DEPTH_LIMIT = 12
NODE_LIMIT = 20_000
SCALAR_LIMIT = 4_000
PROBLEM_LIMIT = 100
SHOWN_LIMIT = 200
LEFT_OF_CARET = 120
NEVER_WAIT = getattr(os, "O_NONBLOCK", 0)  # a pipe without a writer would be waited for
HANDED_OVER = re.compile(r"/dev/(stdin|fd/[0-9]+)")
SCHEME = r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{0,15}:\\?/\\?/"
URL = re.compile(  # within quotes up to the closing one; else up to a blank; without a scheme only with a long path
    rf"""(?<="){SCHEME}(?:\\.|[^"\\])*|(?<=')(?:{SCHEME})(?:''|[^'])*|{SCHEME}\S*"""
    r"|(?<![\w.-])(?:[\w-]{1,63}\.){1,8}[\w-]{1,63}(?::[0-9]{1,5})?/\S{16,}"
)
SCHEME_END = re.compile(r"(:\\?/\\?/)")
CLOSING = "\"'}])>,.;:"
LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # where YAML 1.1 counts a new line


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands: line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in a file: a stable kebab-case code, a message, and what to do."""

    place: Place
    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A scalar, exactly as written."""

    value: str
    place: Place


@dataclass(frozen=True, slots=True)
class Items:
    """A sequence."""

    items: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping: each key with its own place and its value, in the order written."""

    entries: dict[str, Entry]
    place: Place


@dataclass(frozen=True, slots=True)
class Entry:
    """One `key: value` of a mapping."""

    key: Text
    value: Node


Node = Text | Items | Table


@dataclass(slots=True)
class Document:
    """One file: its name, its raw bytes, its root node and everything found wrong so far."""

    name: str
    raw: bytes
    root: Node | None = None
    problems: list[Problem] = field(default_factory=list)
    split: list[str] | None = field(default=None, repr=False, compare=False)
    unread: set[Place] = field(default_factory=set, repr=False, compare=False)

    @property
    def lines(self) -> list[str]:
        """The source, line by line; split once."""
        if self.split is None:
            self.split = LINE_END.split(self.raw.decode("utf-8-sig", "replace"))
        return self.split

    @property
    def is_full(self) -> bool:
        """Whether so much is wrong that no more is shown: suggestions are not worth their time any longer."""
        return len(self.problems) >= PROBLEM_LIMIT

    def place_in(self, node: Text, column: int) -> Place:
        """Where the character at `column` (from 1) of a scalar stands; its start where folds or escapes move it."""
        line = self.lines[node.place.line - 1] if node.place.line <= len(self.lines) else ""
        start = node.place.column - 1
        start += line[start : start + 1] in ("'", '"')
        before = node.value[: column - 1]
        return Place(node.place.line, start + column) if line.startswith(before, start) else node.place

    def wrong(self, place: Place, code: str, message: str, hint: str = "") -> None:
        """Note a problem and go on; what stands where a value was refused unread is no further problem."""
        if place in self.unread:
            return
        self.problems.append(Problem(place, code, plain(masked(message)), plain(masked(hint))))

    def report(self) -> list[str]:
        """Every problem in the order of the file: `file:line:col: error[CODE]: message`, source line, caret, hint."""
        ordered = sorted(set(self.problems))[:PROBLEM_LIMIT]
        return [render(self.name, problem, self.lines) for problem in ordered]

    def refuse_if_wrong(self) -> None:
        """Raise WrongFile where anything was found."""
        if self.problems:
            raise WrongFile([self])


class WrongFile(Misused):
    """One or several files are wrong; the message holds every problem of every file."""

    def __init__(self, documents: list[Document]) -> None:
        self.documents = [one for one in documents if one.problems]
        reports = [line for one in self.documents for line in one.report()]
        count = sum(len(set(one.problems)) for one in self.documents)
        noun = "problem" if count == 1 else "problems"
        super().__init__("\n".join([*reports, f"{count} {noun}; nothing was done."]))


def deepest(node: Node, *path: str | int) -> Node:
    """The node at the end of a path of keys and positions, or the last one on the way that exists."""
    for one in path:
        if isinstance(node, Table) and one in node.entries:
            node = node.entries[str(one)].value
        elif isinstance(node, Items) and isinstance(one, int) and one < len(node.items):
            node = node.items[one]
        else:
            break
    return node


def render(name: str, problem: Problem, lines: list[str], word: str = "error") -> str:
    """One problem (or a warning) as people read it, with its source line and a caret."""
    line, column = problem.place.line, problem.place.column
    rendered = f"{plain(name)}:{line}:{column}: {word}[{problem.code}]: {problem.message}"
    if 0 < line <= len(lines):
        source, caret = masked(lines[line - 1]), masked_column(lines[line - 1], column - 1)
        start = max(0, caret - LEFT_OF_CARET)
        cut = "…" if start else ""
        shown, before = plain(source[start:], SHOWN_LIMIT), plain(source[start:caret])
        rendered += f"\n  {cut}{shown}\n  {' ' * len(cut + before)}^"
    return rendered + (f"\n  help: {problem.hint}" if problem.hint else "")


def masked(text: str) -> str:
    """The text with only the scheme and host of every URL in it: the rest may be a credential."""
    return URL.sub(masked_url, text)


def masked_column(text: str, column: int) -> int:
    """Where a column stands in the masked text; inside a URL, where that URL begins."""
    moved = 0
    for found in URL.finditer(text):
        if column <= found.start():
            break
        if column < found.end():
            return found.start() + moved
        moved += len(masked_url(found)) - len(found.group())
    return column + moved


def masked_url(found: re.Match[str]) -> str:
    """`https://…@host:8545/…`; closing punctuation stays. With an @ behind the host, nothing is sure: nothing stays."""
    parts = SCHEME_END.split(found.group(), maxsplit=1)
    start, rest = "".join(parts[:-1]), parts[-1]
    bare = rest.rstrip(CLOSING)
    authority = re.split(r"[/?#\\]", bare, maxsplit=1)[0]
    hidden, end = bare[len(authority) :], rest[len(bare) :]
    if "@" in hidden:
        return f"{start}…{end}"
    user, _, host = authority.rpartition("@")
    return f"{start}{'…@' if user else ''}{host}{'/…' if hidden.strip('/') else hidden}{end}"


def read_document(path: Path) -> Document:
    """Read and parse a file; raises Misused where it cannot be read at all."""
    try:
        with os.fdopen(opened(path), "rb") as file:
            raw = file.read(SIZE_LIMIT + 1)
    except (OSError, ValueError) as problem:  # ValueError: a path with a zero character
        reason = getattr(problem, "strerror", None) or str(problem)
        raise Misused(f"cannot read {plain(path, SHOWN_LIMIT)}: {reason}", "check the path") from problem
    return parse_document(raw, str(path))


def opened(path: Path) -> int:
    """A descriptor of a regular file, or of what the shell handed over (`<(…)`); raises OSError for anything else,
    for the end of a pipe or a device might never come."""
    if HANDED_OVER.fullmatch(str(path)):
        return os.open(path, os.O_RDONLY)
    descriptor = os.open(path, os.O_RDONLY | NEVER_WAIT)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is a directory" if stat.S_ISDIR(mode) else "it is no regular file")


def parse_document(raw: bytes, name: str) -> Document:
    """Parse bytes into a Document; problems are in it, never raised."""
    document = Document(name, raw)
    if len(raw) > SIZE_LIMIT:
        document.wrong(Place(1, 1), "too-large", f"the file is larger than {SIZE_LIMIT} bytes")
        return document
    Builder(document).build()
    return document


class TooMuch(Exception):
    """A cap was exceeded; the problem has been noted."""


class Builder:
    """Builds nodes from parser events, noting what is refused."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.nodes = 0
        self.events: Iterator[Any] = iter(())

    def build(self) -> None:
        import yaml

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            text = self.document.raw.decode("utf-8-sig")
            self.events = yaml.parse(text, Loader=loader)
            self.documents()
        except yaml.reader.ReaderError:
            found = yaml.reader.Reader.NON_PRINTABLE.search(text)
            place = place_after(text[: found.start()] if found else "")
            self.document.wrong(place, "yaml-syntax", "control characters are not allowed")
        except yaml.YAMLError as problem:
            self.syntax(problem)
        except UnicodeDecodeError as problem:
            before = self.document.raw[: problem.start].decode("utf-8-sig")
            self.document.wrong(place_after(before), "not-utf8", "the file is not UTF-8 text")
        except (TooMuch, StopIteration):
            return

    def syntax(self, problem: yaml.YAMLError) -> None:
        mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        words = getattr(problem, "problem", None) or "it is not YAML"
        self.document.wrong(place, "yaml-syntax", str(words))

    def documents(self) -> None:
        import yaml

        count = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                count += 1
                if count > 1:
                    self.document.wrong(place_of(event), "several-documents", "one file holds one document")
                    return
                self.document.root = self.node(next(self.events), 1)
        if count == 0:
            self.document.wrong(Place(1, 1), "empty-file", "the file is empty")

    def node(self, event: Any, depth: int) -> Node:
        import yaml

        self.nodes += 1
        place = place_of(event)
        self.check_caps(place, depth)
        if isinstance(event, yaml.AliasEvent):
            self.document.wrong(place, "alias", "aliases are not allowed: write the value out")
            return self.refused(place)
        if event.anchor is not None:
            self.document.wrong(place, "anchor", "anchors are not allowed: write the value out where it is used")
        if event.tag is not None:
            self.document.wrong(place, "tag", "tags are not allowed: the schema decides the type")
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, place)
        if isinstance(event, yaml.SequenceStartEvent):
            return Items(tuple(self.items(depth)), place)
        return self.mapping(place, depth)

    def check_caps(self, place: Place, depth: int) -> None:
        if depth > DEPTH_LIMIT:
            self.document.wrong(place, "too-deep", f"nested more than {DEPTH_LIMIT} deep")
            raise TooMuch
        if self.nodes > NODE_LIMIT:
            self.document.wrong(place, "too-many-values", f"more than {NODE_LIMIT} values")
            raise TooMuch

    def scalar(self, event: Any, place: Place) -> Text:
        if len(event.value) > SCALAR_LIMIT:
            self.document.wrong(place, "too-long", f"a value longer than {SCALAR_LIMIT} characters")
            return self.refused(place)
        return Text(event.value, place)

    def refused(self, place: Place) -> Text:
        """What stands for a value that was not read."""
        self.document.unread.add(place)
        return Text("", place)

    def items(self, depth: int) -> Iterator[Node]:
        import yaml

        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                return
            yield self.node(event, depth + 1)

    def mapping(self, place: Place, depth: int) -> Table:
        import yaml

        entries: dict[str, Entry] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self.node(event, depth + 1)
            value = self.node(next(self.events), depth + 1)
            self.add(entries, key, value)
        return Table(entries, place)

    def add(self, entries: dict[str, Entry], key: Node, value: Node) -> None:
        if not isinstance(key, Text):
            self.document.wrong(key.place, "key-not-text", "a key must be text")
        elif key.value == "<<":
            self.document.wrong(key.place, "merge-key", "merge keys are not allowed: write the values out")
        elif key.value in entries:
            first = entries[key.value].key.place.line
            self.document.wrong(key.place, "duplicate-key", f"{key.value!r} already stands on line {first}")
        else:
            entries[key.value] = Entry(key, value)


def place_of(event: Any) -> Place:
    """The position of a parser event."""
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def place_after(text: str) -> Place:
    """The position just behind a text that begins the file."""
    lines = LINE_END.split(text)
    return Place(len(lines), len(lines[-1]) + 1)
