"""Files: whole or absent, never through a link, never over something else."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from incident_cli.errors import Misused
from incident_cli.safe import files
from incident_cli.safe.files import read_json, write_proposal

DEEP = b'{"a":' * 9_000
UNFINISHED = b'["' + b'\\"' * 49_000 + b"\\"
DOCUMENT = {"schema": "x", "text": "ü\u202e\x1b", "number": 3}


def listing(directory: Path) -> list[str]:
    return sorted(one.name for one in directory.iterdir())


def test_written_read_back_and_private(tmp_path: Path) -> None:
    path = write_proposal(tmp_path / "new" / "deep", "p-1.json", DOCUMENT)
    assert read_json(path, 1_000) == DOCUMENT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().isascii()
    assert b"\x1b" not in path.read_bytes()
    assert listing(path.parent) == ["p-1.json"]


def test_the_same_again_is_no_error_and_something_else_is(tmp_path: Path) -> None:
    path = write_proposal(tmp_path, "p.json", DOCUMENT)
    before = path.stat()
    assert write_proposal(tmp_path, "p.json", DOCUMENT) == path
    assert path.stat().st_ino == before.st_ino
    for other in ({**DOCUMENT, "number": 4}, {}, {**DOCUMENT, "more": "x" * 500}):
        with pytest.raises(Misused, match="different content") as caught:
            write_proposal(tmp_path, "p.json", other)
        assert caught.value.hint
    assert read_json(path, 1_000) == DOCUMENT
    assert listing(tmp_path) == ["p.json"]


def test_links_and_other_things_in_the_way_are_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    (tmp_path / "link.json").symlink_to(elsewhere)
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("link.json", "folder.json", "pipe.json"):
        with pytest.raises(Misused):
            write_proposal(tmp_path, name, DOCUMENT)
        with pytest.raises(Misused):
            read_json(tmp_path / name, 1_000)
    elsewhere.write_text(json.dumps(DOCUMENT))
    with pytest.raises(Misused):
        read_json(tmp_path / "link.json", 1_000)
    assert listing(tmp_path) == ["elsewhere.json", "folder.json", "link.json", "pipe.json"]


@pytest.mark.parametrize("name", ["", ".", "..", "../p.json", "a/b", ".hidden", "a\0b", "p\n.json", "x" * 129])
def test_names_stay_in_the_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(Misused, match="no file name"):
        write_proposal(tmp_path, name, DOCUMENT)


def test_a_directory_anybody_may_write_in_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(Misused, match="anybody"):
        write_proposal(shared, "p.json", DOCUMENT)
    (tmp_path / "file").write_text("")
    with pytest.raises(Misused):
        write_proposal(tmp_path / "file", "p.json", DOCUMENT)


@pytest.mark.parametrize("failing", ["fsync", "link"])
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, failing, full)
        with pytest.raises(Misused, match="No space left"):
            write_proposal(tmp_path, "p.json", DOCUMENT)
    assert listing(tmp_path) == []
    write_proposal(tmp_path, "p.json", DOCUMENT)


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    path = write_proposal(tmp_path, "p.json", DOCUMENT)
    assert write_proposal(tmp_path, "p.json", DOCUMENT) == path
    with pytest.raises(Misused, match="different content"):
        write_proposal(tmp_path, "p.json", {})
    assert listing(tmp_path) == ["p.json"]


def test_a_write_that_did_not_arrive_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = files.give_name

    def tampered(folder: int, temporary: str, name: str) -> None:
        real(folder, temporary, name)
        (tmp_path / name).write_text("{}")

    monkeypatch.setattr(files, "give_name", tampered)
    with pytest.raises(Misused, match="other content"):
        write_proposal(tmp_path, "p.json", DOCUMENT)


def test_what_is_not_json_is_not_written(tmp_path: Path) -> None:
    for document in ({"a": b"x"}, {"a": float("nan")}):
        with pytest.raises(Misused, match="as JSON"):
            write_proposal(tmp_path, "p.json", document)
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b'{"a":1,"a":2}',
        b"[NaN]",
        b"[Infinity]",
        b"[" * 90_000,
        b"1" * 5_000,
        b"{} {}",
        DEEP,
        UNFINISHED,
    ],
)
def test_what_is_not_strict_json_is_not_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(Misused, match="not JSON"):
        read_json(path, 100_000)


def test_brackets_within_text_are_no_nesting(tmp_path: Path) -> None:
    document = {"a": "[" * 500, 'b\\"{{': ["\\", "{" * 500]}
    assert read_json(write_proposal(tmp_path, "p.json", document), 5_000) == document


def test_the_cap_and_the_absent(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b'"12345678"')
    assert read_json(path, 10) == "12345678"
    with pytest.raises(Misused, match="larger than 9"):
        read_json(path, 9)
    with pytest.raises(Misused, match="could not be used"):
        read_json(tmp_path / "absent.json", 10)
