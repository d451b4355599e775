"""What a fire records beside the vault: on the disk before it is sent, and read by whoever comes after."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from incident_cli.errors import Misused
from incident_cli.evm import checksummed
from incident_cli.flows.vault.intents import Attempt, Intents, path_beside

ATTEMPT = Attempt(
    safe_tx_hash="0x" + "11" * 32,
    market="ETH-USD",
    rung=4,
    sender=checksummed(b"\x5a" * 20),
    nonce=2,
    gas=150_000,
    max_fee=10**30,
    priority_fee=10**9,
    transaction_hash="0x" + "22" * 32,
    at="2026-11-22T03:00:00.000Z",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return path_beside(tmp_path / "emergency.vault")


def test_an_attempt_is_read_as_it_was_written(path: Path) -> None:
    intents = Intents(path)
    intents.intend(ATTEMPT, overruled=[])
    later = replace(ATTEMPT, transaction_hash="0x" + "33" * 32)
    intents.intend(later)
    again = Intents(path)
    assert again.attempts([ATTEMPT.safe_tx_hash]) == (ATTEMPT, later) == intents.attempts([ATTEMPT.safe_tx_hash])
    assert again.attempts(["0x" + "99" * 32]) == ()
    assert path.name == "emergency.vault.fire.jsonl" and path.stat().st_mode & 0o777 == 0o600


def test_what_every_node_refused_is_not_on_its_way(path: Path) -> None:
    intents = Intents(path)
    intents.intend(ATTEMPT)
    intents.refuse(ATTEMPT.transaction_hash, "insufficient funds")
    assert Intents(path).attempts([ATTEMPT.safe_tx_hash]) == ()
    intents.intend(ATTEMPT)
    assert Intents(path).attempts([ATTEMPT.safe_tx_hash]) == (ATTEMPT,)


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_half_a_line_is_passed_over_and_the_next_stands_by_itself(path: Path, cut: int) -> None:
    Intents(path).intend(ATTEMPT)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:cut])
    Intents(path).intend(ATTEMPT)
    assert Intents(path).attempts([ATTEMPT.safe_tx_hash]) == (ATTEMPT, ATTEMPT)


def test_a_file_of_something_else_is_not_written_to(path: Path) -> None:
    path.write_text('{"schema": "other/v1"}\n')
    with pytest.raises(Misused, match="something else"):
        Intents(path)
    path.unlink()
    path.symlink_to(path.parent / "elsewhere")
    with pytest.raises(Misused):
        Intents(path)


def test_a_record_that_was_changed_is_not_believed(path: Path) -> None:
    Intents(path).intend(ATTEMPT)
    text = path.read_text()
    for old, new in (('"nonce": 2', '"nonce": "x"'), ("0x" + "22" * 32, "0x22"), ('"gas": 150000, ', "")):
        path.write_text(text.replace(old, new))
        with pytest.raises(Misused, match="unreadable"):
            Intents(path).attempts([ATTEMPT.safe_tx_hash])
