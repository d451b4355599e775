"""Files of proposals: written once and whole, read back, never through a symbolic link."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from incident_cli.errors import Misused
from incident_cli.strict_json import Json, parse_json
from incident_cli.text import plain

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS)  # how file systems without hard links say so


def write_proposal(directory: Path, name: str, document: Mapping[str, object]) -> Path:
    """Write a JSON document under `directory` and return its path; the same content a second time is no error.

    The file is whole or absent at any instant, readable by its owner only, and never replaces different content.
    Raises Misused.
    """
    if not NAME.fullmatch(name):
        raise Misused(f"{plain(name, 140)} is no file name for a proposal", "Use letters, digits, dot, dash.")
    path = directory / name
    content = as_text(path, document).encode()
    with guarded(path), opened_directory(directory) as folder:
        place(folder, path, content)
        if read_bytes(path, len(content), folder) != content:
            raise Misused(f"{plain(path)} holds other content than was written", "Something else writes there.")
    return path


def as_text(path: Path, document: Mapping[str, object]) -> str:
    """The document as ASCII JSON, so that nothing invisible stands in the file."""
    try:
        return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
    except (TypeError, ValueError) as problem:
        raise Misused(f"{plain(path)} cannot be written as JSON: {plain(problem, 200)}") from problem


@contextlib.contextmanager
def guarded(path: Path) -> Iterator[None]:
    """The operating system's refusals as Misused."""
    try:
        yield
    except OSError as problem:
        reason = plain(problem.strerror or problem, 200)
        raise Misused(
            f"{plain(path)} could not be used: {reason}",
            "A regular file in a directory of your own is needed; symbolic links are not followed.",
        ) from problem


@contextlib.contextmanager
def opened_directory(directory: Path) -> Iterator[int]:
    """The directory as a descriptor, so that it cannot be exchanged between two steps."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        mode = os.fstat(folder).st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise Misused(f"anybody may write in {plain(directory)}", "Take the right to write from others: chmod o-w.")
        yield folder
    finally:
        os.close(folder)


def place(folder: int, path: Path, content: bytes) -> None:
    """Write beside the target, make it durable, then give it its name; an existing target is left alone."""
    temporary = f".{path.name[:100]}.{secrets.token_hex(8)}.tmp"
    write_new(folder, temporary, content)
    try:
        give_name(folder, temporary, path.name)
    except FileExistsError:
        check_same(folder, path, content)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        os.fsync(folder)


def give_name(folder: int, temporary: str, name: str) -> None:
    """Raises FileExistsError where the name is taken. A link, unlike a rename, cannot replace a file in a race."""
    try:
        os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as problem:
        if problem.errno not in NO_LINKS:
            raise
        if name in os.listdir(folder):
            raise FileExistsError(errno.EEXIST, "the file exists") from problem
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


def write_new(folder: int, name: str, content: bytes) -> None:
    """A new file of mode 0600 with its content on the disk; nothing is left behind where that fails."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        os.unlink(name, dir_fd=folder)
        raise


def check_same(folder: int, path: Path, content: bytes) -> None:
    """Misused unless the existing file has exactly this content."""
    if read_bytes(path, len(content), folder) != content:
        raise Misused(
            f"{plain(path)} exists with different content",
            "It is not overwritten: compare the two, then move the old one away yourself.",
        )


def read_bytes(path: Path, cap: int, folder: int | None = None) -> bytes:
    """At most `cap` + 1 bytes of a regular file; never through a symbolic link, never waiting on a pipe."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    target = path if folder is None else Path(path.name)
    with os.fdopen(os.open(target, flags, dir_fd=folder), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise Misused(f"{plain(path)} is no regular file", "Name a JSON file.")
        return file.read(cap + 1)


def read_json(path: Path, cap: int) -> Json:
    """A JSON file of at most `cap` bytes; raises Misused for anything else."""
    with guarded(path):
        content = read_bytes(path, cap)
    if len(content) > cap:
        raise Misused(f"{plain(path)} is larger than {cap} bytes", "This is no file that incident wrote.")
    try:
        return parse_json(content)
    except ValueError as problem:
        raise Misused(f"{plain(path)} is not JSON: {plain(problem, 200)}", "Name a JSON file.") from problem
