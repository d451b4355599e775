"""The vault at rest: one file in the age format, encrypted by a passphrase, so that the `age` tool opens it as well.

A new content is written beside the old one, read back, and takes its name in one step. The generation before is not
kept: whoever holds an old copy holds the power to fire what is in it, and one file is easier to guard than two.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
from pathlib import Path

from incident_cli.errors import Misused, Refused
from incident_cli.safe.files import guarded, opened_directory, place, read_bytes, write_new
from incident_cli.safe.vault import Vault
from incident_cli.strict_json import parse_json
from incident_cli.text import plain

CAP_BYTES = 16 * 1024 * 1024
LETTERS = 14  # of a passphrase that nobody guesses: about four words
VARIETY = 6  # different characters that it has at least


def weakness(passphrase: str) -> str:
    """Why a passphrase is too easy to guess for whoever has a copy of the file, or nothing; raises Misused for none."""
    if not passphrase:
        raise Misused("the passphrase is empty", "the file would be open to everybody")
    if len(passphrase) < LETTERS:
        return f"it has {len(passphrase)} characters; take four or more words that do not belong together"
    return f"it repeats few characters; at least {VARIETY} should differ" if len(set(passphrase)) < VARIETY else ""


def read_sealed(path: Path) -> bytes:
    """The encrypted file; raises Misused where it is not there, not regular, or too large.

    Said on the way, to no one but the caller: nothing is decrypted before the passphrase is known.
    """
    with guarded(path):
        content = read_bytes(path, CAP_BYTES)
    if len(content) > CAP_BYTES:
        raise Misused(f"{plain(path)} is larger than {CAP_BYTES} bytes", "This is no vault.")
    return content


def is_open_to_others(path: Path) -> bool:
    """Whether others than its owner may read the file."""
    with guarded(path):
        return bool(path.stat(follow_symlinks=False).st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def unseal(content: bytes, passphrase: str) -> Vault:
    """The vault in an encrypted file; raises Refused for a wrong passphrase or a changed file, Misused for another."""
    import pyrage

    try:
        opened = pyrage.passphrase.decrypt(content, passphrase)
    except pyrage.DecryptError:
        raise Refused(
            "the vault does not open: the passphrase is wrong, or the file was changed or is no vault",
            "try the passphrase again; then take another copy of the file. Nothing was sent",
        ) from None
    try:
        return Vault.from_json(parse_json(opened))
    except ValueError as problem:
        raise Misused(f"what the file holds is no vault: {plain(problem, 200)}", "Name a vault.") from problem


def seal(vault: Vault, passphrase: str) -> bytes:
    """The encrypted file of a vault."""
    import pyrage

    document = json.dumps(vault.to_json(), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return bytes(pyrage.passphrase.encrypt(document.encode(), passphrase))


def require_absent(path: Path) -> None:
    """Raises Misused where something stands at the path: a signed ladder is never overwritten."""
    if os.path.lexists(path):
        raise Misused(f"{plain(path)} exists", "Name another file with --vault, or move this one away yourself.")


def write_sealed(path: Path, content: bytes) -> None:
    """A new vault, whole or not at all, for its owner only; raises Misused where something stands there already."""
    require_absent(path)
    with guarded(path), opened_directory(path.parent) as folder:
        place(folder, path, content)
        require_written(folder, path, content)


def replace_sealed(path: Path, before: bytes, content: bytes) -> None:
    """The vault with another content; raises Refused where it is not any more what was opened."""
    with guarded(path), opened_directory(path.parent) as folder:
        if read_bytes(path, CAP_BYTES, folder) != before:
            raise Refused(
                f"{plain(path)} was changed by another process meanwhile",
                "nothing was written; run the command again: it begins with what is there now",
            )
        temporary = f".{path.name[:100]}.{secrets.token_hex(8)}.tmp"
        write_new(folder, temporary, content)
        try:
            require_written(folder, path.with_name(temporary), content)
            os.rename(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
        os.fsync(folder)


def require_written(folder: int, path: Path, content: bytes) -> None:
    """Raises Misused where the disk holds something else than was written."""
    if read_bytes(path, len(content), folder) != content:
        raise Misused(f"{plain(path)} holds other content than was written", "Something else writes there.")
