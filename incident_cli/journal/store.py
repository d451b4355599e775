"""The journal's files: `journal.jsonl` (append-only), `head.json` (how far it had come) and `lock`.

A record is one write, and durable before `append` returns. The head file follows the journal, never leads it:
a head that is ahead means that the journal was cut short. One process writes, any number read.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from incident_cli.errors import JournalBroken, Misused
from incident_cli.journal import record as records
from incident_cli.journal.record import FIRST_PREV, LINE_LIMIT, Record, Verified
from incident_cli.strict_json import parse_json
from incident_cli.text import plain

JOURNAL = "journal.jsonl"
HEAD = "head.json"
LOCK = "lock"
KEEP_HINT = "keep the directory as it is for the post-mortem; `incident journal verify` names the line"


def random_salt() -> str:
    """16 random bytes as hex."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Head:
    """How far the journal had come: the number and the hash of its last durable record."""

    seq: int = 0
    hash: str = FIRST_PREV


class Journal:
    """One incident's journal, open for writing by this process alone; appends from several threads are in order."""

    def __init__(self, directory: Path, salt: Callable[[], str]) -> None:
        self.directory = directory
        self.repaired = ""
        self._salt = salt
        self._guard = threading.Lock()
        self._folder = open_folder(directory)
        self._file = -1
        self._lock = -1
        self._records: list[Record] = []
        self._settled = False

    @classmethod
    def create(cls, directory: Path, *, salt: Callable[[], str] = random_salt) -> Self:
        """Start a journal in `directory` (made 0700); raises Misused where there is one already."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        journal = cls(directory, salt)
        with closing_on_failure(journal):
            journal._lock = lock(journal._folder)
            if exists(journal._folder, JOURNAL):
                raise Misused(f"there is a journal in {plain(directory)} already", "open it instead")
            os.fchmod(journal._folder, 0o700)
            write_head(journal._folder, Head())  # before the journal: a journal without a head was tampered with
            journal._file = open_file(journal._folder, JOURNAL, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL)
            os.fsync(journal._folder)
            journal._settled = True
        return journal

    @classmethod
    def open(cls, directory: Path, *, salt: Callable[[], str] = random_salt) -> Self:
        """Continue a journal: verify all of it, drop a torn tail (`repaired` says so), refuse a damaged one."""
        if not (directory / JOURNAL).is_file():
            raise Misused(f"there is no journal in {plain(directory)}", "bare `incident` lists the open incidents")
        journal = cls(directory, salt)
        with closing_on_failure(journal):
            journal._lock = lock(journal._folder)
            journal._file = open_file(journal._folder, JOURNAL, os.O_RDWR | os.O_APPEND)
            journal._settle()
            journal._advance(head_of(journal._records))
        return journal

    @property
    def records(self) -> tuple[Record, ...]:
        """Every record, in order."""
        return tuple(self._records)

    @property
    def head(self) -> str:
        """The hash of the last record; 64 zeros at the start."""
        return head_of(self._records).hash

    def append(self, body: Mapping[str, object], *, durable: bool = True) -> Record:
        """Write one record. When durable it has reached the disk before this returns; raises JournalBroken."""
        with self._guard:
            if self._file < 0:
                raise JournalBroken("the journal is closed", "run the command again: it resumes")
            if not self._settled:
                self._settle()
            made = records.make(len(self._records) + 1, self.head, self._salt(), body)
            self._write(records.to_line(made))
            self._records.append(made)
            self._settled = True
            if durable:
                self._sync()
                self._advance(head_of(self._records))
            return made

    def close(self) -> None:
        """Make everything durable and let others write; harmless when repeated."""
        with self._guard:
            if self._file >= 0 and self._settled:
                with contextlib.suppress(JournalBroken):
                    self._sync()
                    self._advance(head_of(self._records))
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, line: bytes) -> None:
        # Until the record is counted, an interruption or a full disk leaves the file unsettled: the next append
        # reads it again, keeps a record that is whole and cuts off one that is not.
        self._settled = False
        try:
            written = os.write(self._file, line)
        except OSError as problem:
            raise unwritten(problem) from problem
        if written != len(line):
            raise JournalBroken("the record was not written whole: the disk is full", "make room, then run it again")

    def _sync(self) -> None:
        try:
            os.fsync(self._file)
        except OSError as problem:
            self._release()  # a second fsync would succeed without having written: never trust this handle again
            raise unwritten(problem) from problem

    def _advance(self, head: Head) -> None:
        try:
            write_head(self._folder, head)
        except OSError as problem:
            raise unwritten(problem) from problem

    def _settle(self) -> None:
        found = against_head(verify_file(self._file), read_head(self._folder))
        if not found.valid:
            raise JournalBroken(f"the journal does not verify: {described(found)}", KEEP_HINT)
        if found.torn:
            lost = os.fstat(self._file).st_size - found.size
            os.ftruncate(self._file, found.size)
            os.fsync(self._file)
            self.repaired = f"the last line was not finished and was never acknowledged: {lost} bytes dropped"
        self._records, self._settled = list(found.records), True

    def _release(self) -> None:
        for descriptor in (self._file, self._lock, self._folder):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = self._folder = -1


def read(directory: Path) -> Verified:
    """Read and verify without writing or locking; a journal behind its head file is not valid."""
    try:
        folder = open_folder(directory)
        try:
            head = read_head(folder)  # before the journal: another process may be appending
            file = open_file(folder, JOURNAL, os.O_RDONLY)
            try:
                return against_head(verify_file(file), head)
            finally:
                os.close(file)
        finally:
            os.close(folder)
    except FileNotFoundError as problem:
        raise Misused(f"there is no journal in {plain(directory)}", "bare `incident` lists the incidents") from problem


def list_journals(home: Path) -> list[Path]:
    """The directories under `home` that hold a journal, by name."""
    if not home.is_dir():
        return []
    return sorted(one for one in home.iterdir() if not one.is_symlink() and (one / JOURNAL).is_file())


def described(found: Verified) -> str:
    """What is wrong, with its line."""
    return f"line {found.line}: {found.problem}" if found.line is not None else found.problem


def against_head(found: Verified, head: Head | None) -> Verified:
    """A journal that does not reach its head file, or disagrees with it, is not valid."""
    if not found.valid:
        return found
    if head is None:
        return replace(found, valid=False, problem="its head file is missing or damaged")
    if head.seq > len(found.records):
        problem = f"it is truncated: {head.seq} records were written, {len(found.records)} are left"
        return replace(found, valid=False, problem=problem, line=len(found.records) + 1)
    if head != head_of(found.records[: head.seq]):
        return replace(found, valid=False, problem="it was rewritten: the head file knows another hash", line=head.seq)
    return found


def head_of(found: tuple[Record, ...] | list[Record]) -> Head:
    """The head of a run of records."""
    return Head(found[-1].seq, found[-1].hash) if found else Head()


def verify_file(file: int) -> Verified:
    """Verify an open journal from its start."""
    with os.fdopen(os.dup(file), "rb") as stream:
        stream.seek(0)
        return records.verify(lines(stream.readline))


def lines(readline: Callable[[int], bytes]) -> Iterator[bytes]:
    """Lines with their newlines, none of them read further than a record may be long."""
    while line := readline(LINE_LIMIT + 1):
        yield line


def open_folder(directory: Path) -> int:
    """The directory itself, never what a link of its name points to."""
    try:
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise Misused(f"{plain(directory)} is no directory of its own", "links are not followed") from problem


def open_file(folder: int, name: str, flags: int) -> int:
    """A file of the journal, never what a link of its name points to."""
    try:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise JournalBroken(f"{name} cannot be opened: {plain(problem.strerror)}") from problem


def exists(folder: int, name: str) -> bool:
    """Whether the directory has an entry of this name."""
    return name in os.listdir(folder)


def lock(folder: int) -> int:
    """Become the only writer; raises Misused naming the process that is."""
    file = open_file(folder, LOCK, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        holder = os.pread(file, 20, 0).decode("ascii", "replace").strip()
        os.close(file)
        who = f"another process (pid {plain(holder)})" if holder.isdigit() else "another process"
        raise Misused(
            f"{who} is writing this journal", "finish there, or end it; reading is always possible"
        ) from problem
    os.ftruncate(file, 0)
    os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
    return file


def read_head(folder: int) -> Head | None:
    """The head file, or None where it is missing or damaged."""
    try:
        file = open_file(folder, HEAD, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fields = parse_json(os.read(file, 1_000))
    except ValueError:
        return None
    finally:
        os.close(file)
    match fields:
        case {"seq": int(seq), "hash": str(hashed)}:
            return Head(seq, hashed)
    return None


def write_head(folder: int, head: Head) -> None:
    """Replace the head file as a whole: written beside it, made durable, renamed over it."""
    beside = f"{HEAD}.new"
    file = open_file(folder, beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        text = records.canonical({"seq": head.seq, "hash": head.hash}) + b"\n"
        if os.write(file, text) != len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file)
    finally:
        os.close(file)
    os.rename(beside, HEAD, src_dir_fd=folder, dst_dir_fd=folder)


def unwritten(problem: OSError) -> JournalBroken:
    """A write that failed, in the system's words."""
    hint = "nothing further was done; make room or repair the disk, then run it again: it resumes"
    return JournalBroken(f"the journal could not be written: {plain(problem.strerror)}", hint)


@contextlib.contextmanager
def closing_on_failure(journal: Journal) -> Iterator[None]:
    """Let go of the lock where opening does not succeed."""
    try:
        yield
    except BaseException:
        journal._release()
        raise
