"""Whole sessions in a real pty, compared with what was read and kept. `regenerate.py` beside this writes them anew."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.sessions import GOLDEN, SESSIONS

VALUE = re.compile(r"\b0x[0-9a-fA-F]*")
HASH, ADDRESS, SHORTEST_CALLDATA_ROW = 66, 42, 60


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_shows_what_was_kept(name: str, tmp_path: Path) -> None:
    kept = (GOLDEN / f"{name}.txt").read_text("utf-8")
    assert SESSIONS[name](tmp_path) == kept, "python -m tests.cli.regenerate, then read what has changed"


@pytest.mark.parametrize("name", SESSIONS)
def test_every_hash_and_address_is_whole_on_one_line(name: str) -> None:
    for line in (GOLDEN / f"{name}.txt").read_text("utf-8").splitlines():
        for value in VALUE.findall(line):
            assert len(value) in (HASH, ADDRESS) or len(value) >= SHORTEST_CALLDATA_ROW, line
