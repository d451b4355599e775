"""The vault's file: sealed, opened by its passphrase alone, whole or absent, and never replaced behind a back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from incident_cli.errors import Misused, Refused
from incident_cli.safe.vault_file import (
    CAP_BYTES,
    is_open_to_others,
    read_sealed,
    replace_sealed,
    seal,
    unseal,
    weakness,
    write_sealed,
)
from tests.fakes import age
from tests.safe.test_vault import vault

PASSPHRASE = "four words that nobody says"


@pytest.fixture(scope="module")
def sealed() -> bytes:
    """A vault sealed once: the derivation of the key takes a second or more."""
    return seal(vault(), PASSPHRASE)


def test_the_passphrase_opens_it_and_nothing_of_it_is_to_be_read(sealed: bytes) -> None:
    assert sealed.startswith(b"age-encryption.org/v1\n-> scrypt ")  # what the age tool opens
    assert vault().safe.encode() not in sealed and b"signatures" not in sealed
    assert json.loads(age.unseal(sealed, PASSPHRASE)) == vault().to_json()
    assert unseal(sealed, PASSPHRASE) == vault()


def test_a_wrong_passphrase_and_a_changed_file_do_not_open() -> None:
    cheap = age.seal(json.dumps(vault().to_json()).encode(), PASSPHRASE)
    for at in range(0, len(cheap), max(1, len(cheap) // 40)):
        with pytest.raises(Refused, match="does not open"):
            unseal(cheap[:at] + bytes([cheap[at] ^ 1]) + cheap[at + 1 :], PASSPHRASE)
    for content, passphrase in ((cheap, PASSPHRASE + "!"), (b"{}", PASSPHRASE), (b"", "x")):
        with pytest.raises(Refused, match="does not open") as caught:
            unseal(content, passphrase)
        assert passphrase not in f"{caught.value.message}{caught.value.hint}" or passphrase == "x"


def test_a_file_that_another_program_of_the_format_sealed_opens() -> None:
    content = json.dumps(vault().to_json()).encode()
    assert unseal(age.seal(content, PASSPHRASE), PASSPHRASE) == vault()
    assert unseal(age.seal(content + b" " * 70_000, PASSPHRASE), PASSPHRASE) == vault()
    for other in (b"", b"[]", b"{", b'{"schema": "incident.vault/v1"}', b"\xff"):
        with pytest.raises(Misused):
            unseal(age.seal(other, PASSPHRASE), PASSPHRASE)


def test_it_is_written_for_its_owner_only_and_never_over_another(tmp_path: Path, sealed: bytes) -> None:
    path = tmp_path / "deep" / "emergency.vault"
    write_sealed(path, sealed)
    assert path.stat().st_mode & 0o777 == 0o600 and read_sealed(path) == sealed and not is_open_to_others(path)
    with pytest.raises(Misused, match="exists"):
        write_sealed(path, b"other")
    assert [one.name for one in path.parent.iterdir()] == ["emergency.vault"]
    path.chmod(0o644)
    assert is_open_to_others(path)


def test_it_is_replaced_only_where_it_is_what_was_opened(tmp_path: Path) -> None:
    path = tmp_path / "emergency.vault"
    write_sealed(path, b"first")
    replace_sealed(path, b"first", b"second")
    assert path.read_bytes() == b"second" and path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Refused, match="changed by another process"):
        replace_sealed(path, b"first", b"third")
    assert path.read_bytes() == b"second" and len(list(tmp_path.iterdir())) == 1


def test_no_link_is_followed_and_no_pipe_is_waited_for(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    write_sealed(real, b"content")
    link.symlink_to(real)
    for path in (link, tmp_path, tmp_path / "absent"):
        with pytest.raises(Misused):
            read_sealed(path)
    with pytest.raises(Misused, match="exists"):
        write_sealed(link, b"other")
    with pytest.raises(Misused):
        replace_sealed(link, b"content", b"other")
    assert real.read_bytes() == b"content"


def test_a_file_that_is_too_large_is_no_vault(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(CAP_BYTES + 1)
    with pytest.raises(Misused, match="larger than"):
        read_sealed(path)


def test_weak_passphrases_are_said_to_be_weak() -> None:
    assert not weakness(PASSPHRASE)
    assert "9 characters" in weakness("short one") and "few characters" in weakness("a" * 30)
    with pytest.raises(Misused, match="empty"):
        weakness("")
