"""The journal's files: nothing acknowledged is lost, nothing cut off goes unseen, one process writes."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from incident_cli.errors import JournalBroken, Misused
from incident_cli.journal.store import HEAD, JOURNAL, LOCK, Journal, list_journals, read

ROOT = Path(__file__).parents[2]


def written(directory: Path, count: int = 6) -> Path:
    with Journal.create(directory) as journal:
        for number in range(1, count + 1):
            journal.append({"n": number})
    return directory


def numbers(directory: Path) -> list[object]:
    return [dict(one.body or {})["n"] for one in read(directory).records]


def test_what_is_appended_is_there_for_others_at_once(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "one") as journal:
        first = journal.append({"n": 1})
        assert read(tmp_path / "one").records == (first,)
        second = journal.append({"n": 2}, durable=False)
        assert (second.seq, second.prev) == (2, first.hash)
        assert journal.records == read(tmp_path / "one").records
        assert journal.head == second.hash


def test_a_journal_is_continued_where_it_stopped(tmp_path: Path) -> None:
    written(tmp_path, 3)
    with Journal.open(tmp_path) as journal:
        assert journal.repaired == ""
        assert journal.append({"n": 4}).seq == 4
    assert numbers(tmp_path) == [1, 2, 3, 4]


def test_the_salt_is_given_from_outside(tmp_path: Path) -> None:
    salts = iter(["aa" * 16, "bb" * 16])
    with Journal.create(tmp_path, salt=lambda: next(salts)) as journal:
        assert [journal.append({}).salt, journal.append({}).salt] == ["aa" * 16, "bb" * 16]


def test_files_are_private(tmp_path: Path) -> None:
    directory = written(tmp_path / "incident")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in directory.iterdir()} == {0o600}


def test_create_never_overwrites(tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.raises(Misused, match="already"):
        Journal.create(tmp_path)
    assert len(read(tmp_path).records) == 6


def test_a_journal_that_is_not_there_is_misuse(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "absent"):
        with pytest.raises(Misused, match="no journal"):
            Journal.open(directory)
        with pytest.raises(Misused, match="no journal"):
            read(directory)


@pytest.mark.parametrize("name", [JOURNAL, HEAD, LOCK, f"{HEAD}.new"])
def test_links_are_not_followed(tmp_path: Path, name: str) -> None:
    directory = written(tmp_path / "incident")
    target = tmp_path / "target"
    target.write_bytes((directory / name).read_bytes() if (directory / name).exists() else b"")
    (directory / name).unlink(missing_ok=True)
    (directory / name).symlink_to(target)
    before = target.read_bytes()
    with pytest.raises((JournalBroken, Misused)):
        Journal.open(directory)
    assert target.read_bytes() == before


def test_a_linked_directory_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "incident")
    (tmp_path / "link").symlink_to(tmp_path / "incident")
    with pytest.raises(Misused):
        Journal.open(tmp_path / "link")


def test_every_truncation_is_seen(tmp_path: Path) -> None:
    directory = written(tmp_path)
    data = (directory / JOURNAL).read_bytes()
    for size in [*range(0, len(data), 7), len(data) - 1]:
        (directory / JOURNAL).write_bytes(data[:size])
        assert not read(directory).valid
        with pytest.raises(JournalBroken, match="truncated"):
            Journal.open(directory)
        assert (directory / JOURNAL).read_bytes() == data[:size], "a damaged journal is left as it is"


def test_a_torn_tail_beyond_the_head_is_dropped_and_reported(tmp_path: Path) -> None:
    directory = written(tmp_path, 3)
    with (directory / JOURNAL).open("ab") as stream:
        stream.write(b'{"body":{"n":4}')
    assert read(directory).torn and read(directory).valid
    with Journal.open(directory) as journal:
        assert "15 bytes" in journal.repaired
        journal.append({"n": 4})
    assert numbers(directory) == [1, 2, 3, 4]
    assert not read(directory).torn


def test_a_head_that_is_behind_is_fine(tmp_path: Path) -> None:
    directory = written(tmp_path, 2)
    behind = (directory / HEAD).read_bytes()
    with Journal.open(directory) as journal:
        journal.append({"n": 3})
    (directory / HEAD).write_bytes(behind)
    with Journal.open(directory) as journal:
        assert len(journal.records) == 3
    assert json.loads((directory / HEAD).read_bytes())["seq"] == 3


@pytest.mark.parametrize("head", [None, b"", b"[]", b'{"seq":6}', b'{"seq":6,"hash":"' + b"0" * 64 + b'"}'])
def test_a_damaged_head_is_not_taken_for_an_early_one(tmp_path: Path, head: bytes | None) -> None:
    directory = written(tmp_path)
    (directory / HEAD).unlink()
    if head is not None:
        (directory / HEAD).write_bytes(head)
    assert not read(directory).valid
    with pytest.raises(JournalBroken):
        Journal.open(directory)


def test_a_second_writer_is_told_which_process_holds_it(tmp_path: Path) -> None:
    with Journal.create(tmp_path) as journal:
        journal.append({"n": 1})
        code = (
            "import sys, pathlib\n"
            "from incident_cli.journal.store import Journal\n"
            "from incident_cli.errors import Misused\n"
            "try: Journal.open(pathlib.Path(sys.argv[1]))\n"
            "except Misused as problem: print(problem.message)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert f"pid {os.getpid()}" in done.stdout
        with pytest.raises(Misused):
            Journal.open(tmp_path)
    Journal.open(tmp_path).close()


WRITER = """
import sys, pathlib
from incident_cli.journal.store import Journal
journal = (Journal.open if sys.argv[2] == "open" else Journal.create)(pathlib.Path(sys.argv[1]))
while True:
    print(journal.append({"n": len(journal.records), "text": "x" * 500}).seq, flush=True)
"""


def test_kill_loses_no_acknowledged_record(tmp_path: Path) -> None:
    for rounds, wanted in enumerate((3, 17, 40)):
        mode = "open" if rounds else "create"
        command = [sys.executable, "-c", WRITER, str(tmp_path), mode]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            printed = "".join(process.stdout.readline() for _ in range(wanted))
            process.send_signal(signal.SIGKILL)
            acknowledged = int((printed + process.stdout.read()).split()[-1])
        with Journal.open(tmp_path) as journal:
            assert len(journal.records) >= acknowledged
            assert [one.seq for one in journal.records] == list(range(1, len(journal.records) + 1))
            journal.append({"resumed": True})


def test_threads_append_in_one_chain(tmp_path: Path) -> None:
    with Journal.create(tmp_path) as journal:
        threads = [
            threading.Thread(target=lambda: [journal.append({"n": n}, durable=False) for n in range(20)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert read(tmp_path).valid and len(read(tmp_path).records) == 80


@pytest.mark.parametrize("part", [0, 1, 40, -1])
def test_a_full_disk_leaves_a_journal_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if part == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[:part])

    with Journal.create(tmp_path) as journal:
        journal.append({"n": 1})
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full)
            for _ in range(2):
                with pytest.raises(JournalBroken):
                    journal.append({"n": 2})
        assert numbers(tmp_path) == [1]
        journal.append({"n": 2})
        assert numbers(tmp_path) == [1, 2]
    with Journal.open(tmp_path) as journal:
        assert len(journal.records) == 2


def test_an_interrupted_append_does_not_fork_the_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def interrupted(descriptor: int, data: bytes) -> int:
        write(descriptor, data)
        raise KeyboardInterrupt

    with Journal.create(tmp_path) as journal:
        journal.append({"n": 1})
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", interrupted)
            with pytest.raises(KeyboardInterrupt):
                journal.append({"n": 2})
        assert journal.append({"n": 3}).seq == 3
    assert numbers(tmp_path) == [1, 2, 3]


def test_a_failed_fsync_closes_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    journal = Journal.create(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing)
        with pytest.raises(JournalBroken):
            journal.append({"n": 1})
    with pytest.raises(JournalBroken, match="closed"):
        journal.append({"n": 2})
    journal.close()
    with Journal.open(tmp_path) as again:
        assert len(again.records) == 1


def test_a_body_that_cannot_be_written_leaves_no_trace(tmp_path: Path) -> None:
    with Journal.create(tmp_path) as journal:
        with pytest.raises(ValueError, match="float"):
            journal.append({"price": 1.5})
        assert journal.append({"n": 1}).seq == 1


def test_journals_are_listed_by_name(tmp_path: Path) -> None:
    assert list_journals(tmp_path / "absent") == []
    written(tmp_path / "b", 1)
    written(tmp_path / "a", 1)
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "file").write_text("")
    assert list_journals(tmp_path) == [tmp_path / "a", tmp_path / "b"]
