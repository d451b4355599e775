"""The options that name a signer: one kind at a time, passphrases unseen, and nothing repeated that may be a secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from eth_keyfile import keyfile
from typer.main import get_command

from incident_cli.cli import keys, main
from incident_cli.cli.keys import CAP_BYTES, read_passphrase, signer_of
from incident_cli.cli.terminal import Printer
from incident_cli.drills.accounts import account
from incident_cli.errors import Misused, NeedsTerminal, Refused, Unread
from incident_cli.safe.ledger import DEFAULT_PATH
from incident_cli.safe.signing import signed_by
from incident_cli.safe.typed_data import safe_tx_typed_data
from tests.fakes.node import Node, closed_port
from tests.fakes.signers import Device, Wallet
from tests.fakes.signing_program import TX
from tests.fakes.terminal import ROOT, Terminal, environment

PROGRAM = (sys.executable, "-m", "tests.fakes.signing_program")
KEY = b"\x11" * 32
PASSPHRASE = "correct horse"
TYPED = safe_tx_typed_data(TX)
OWNER = account(1, "council 1")


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    """A keystore with a cheap derivation."""
    path = tmp_path / "key.json"
    path.write_text(json.dumps(keyfile.create_keyfile_json(KEY, PASSPHRASE.encode(), kdf="scrypt", iterations=2)))
    path.chmod(0o600)
    return path


def descriptor(content: bytes) -> Iterator[str]:
    """A pipe that holds this, by its number."""
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    yield str(reading)
    os.close(reading)


def read(content: bytes) -> bytes:
    """What is read of a pipe that holds this."""
    pipe = descriptor(content)
    try:
        return read_passphrase(next(pipe))
    finally:
        next(pipe, None)


def named(
    keystore: Path | None = None,
    external: str | None = None,
    account: str | None = None,
    ledger: str | None = None,
    fd: str | None = None,
) -> Any:
    return signer_of(Printer(), keystore, external, account, ledger, fd)


def test_no_option_leaves_it_unsigned() -> None:
    assert named() is None


def test_a_keystore_and_its_passphrase_from_a_descriptor(keystore: Path) -> None:
    pipe = descriptor(PASSPHRASE.encode() + b"\n")
    signer = named(keystore=keystore, fd=next(pipe))
    assert signed_by(signer, TYPED) == signed_by(signer, TYPED)  # the descriptor is read once, and serves twice


def test_a_wrong_passphrase_from_a_descriptor_is_not_tried_again(keystore: Path) -> None:
    pipe = descriptor(b"wrong\n")
    with pytest.raises(Refused, match="does not open"):
        signed_by(named(keystore=keystore, fd=next(pipe)), TYPED)


def test_a_keystore_that_others_read_is_warned_of(keystore: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keystore.chmod(0o644)
    pipe = descriptor(b"any")
    named(keystore=keystore, fd=next(pipe))
    assert "chmod 600" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("content", "passphrase"),
    [
        (b"word", b"word"),
        (b"word\n", b"word"),
        (b"word\r\n", b"word"),
        (b"word\n\n", b"word\n"),
        (b"word\r", b"word\r"),
        (b" word ", b" word "),
        (b"\n", b""),
        ("pässword".encode(), "pässword".encode()),
        (b"x" * CAP_BYTES, b"x" * CAP_BYTES),
    ],
)
def test_one_closing_newline_is_no_part_of_it(content: bytes, passphrase: bytes) -> None:
    assert read(content) == passphrase


@pytest.mark.parametrize("content", [b"", b"x" * (CAP_BYTES + 1)])
def test_nothing_and_too_much_are_refused(content: bytes) -> None:
    with pytest.raises(Misused, match="holds"):
        read(content)


@pytest.mark.parametrize("number", ["1", "2", "-1", "99999", "987", "hunter2", "", "٣", "3 "])
def test_a_descriptor_that_cannot_be_read(number: str) -> None:
    with pytest.raises(Misused) as caught:
        read_passphrase(number)
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


def test_a_terminal_is_no_descriptor() -> None:
    master, slave = os.openpty()
    try:
        with pytest.raises(Misused, match="terminal"):
            read_passphrase(str(slave))
    finally:
        os.close(master)
        os.close(slave)


def test_nobody_to_ask(keystore: Path) -> None:
    with pytest.raises(NeedsTerminal, match="passphrase of ") as caught:
        named(keystore=keystore)
    assert str(keystore) in caught.value.message
    assert "--passphrase-fd" in caught.value.hint


MIXED: list[tuple[dict[str, Any], str]] = [
    ({"keystore": Path("k"), "external": "http://127.0.0.1"}, "--keystore and --signer are given"),
    ({"keystore": Path("k"), "ledger": "default"}, "--keystore and --ledger are given"),
    ({"external": "http://127.0.0.1", "ledger": "default"}, "--signer and --ledger are given"),
    ({"keystore": Path("k"), "external": "u", "ledger": "default"}, "--keystore and --signer and --ledger"),
    ({"account": OWNER.address}, "--account is given without --signer"),
    ({"keystore": Path("k"), "account": OWNER.address}, "--account is given without --signer"),
    ({"fd": "3"}, "--passphrase-fd is given without --keystore"),
    ({"ledger": "default", "fd": "3"}, "--passphrase-fd is given without --keystore"),
]


@pytest.mark.parametrize(("options", "words"), MIXED, ids=[words for _, words in MIXED])
def test_options_that_do_not_go_together(options: dict[str, Any], words: str) -> None:
    with pytest.raises(Misused, match=words) as caught:
        named(**options)
    assert caught.value.hint


def test_another_name_of_the_descriptor_s_option_is_the_one_that_is_said(keystore: Path) -> None:
    with pytest.raises(NeedsTerminal) as caught:
        signer_of(Printer(), keystore, None, None, None, None, fd_flag="--key-passphrase-fd")
    assert "--key-passphrase-fd" in caught.value.hint
    for path, fd in ((None, "3"), (keystore, "one")):
        with pytest.raises(Misused, match="--key-passphrase-fd"):
            signer_of(Printer(), path, None, None, None, fd, fd_flag="--key-passphrase-fd")


@pytest.mark.parametrize("key", ["0x" + "ab" * 32, "ab" * 32])
@pytest.mark.parametrize("flag", ["keystore", "account", "ledger"])
def test_a_key_that_was_typed_is_not_repeated(flag: str, key: str) -> None:
    typed: dict[str, Any] = {flag: Path(key) if flag == "keystore" else key}
    typed |= {"external": "http://127.0.0.1:1"} if flag == "account" else {}
    with pytest.raises(Misused, match="looks like a private key") as caught:
        named(**typed)
    assert "ab" * 8 not in f"{caught.value.message} {caught.value.hint}"


def test_an_external_signer(capsys: pytest.CaptureFixture[str]) -> None:
    with Node(Wallet(OWNER).answer) as node:
        signer = named(external=node.url, account=OWNER.address)
        assert signer.address == named(external=node.url).address == OWNER.address
        signed_by(signer, TYPED)
    assert OWNER.address in " ".join(capsys.readouterr().err.split())


def test_an_external_signer_that_is_down_or_misnamed() -> None:
    with pytest.raises(Unread, match="external signer refused the connection"):
        named(external=f"http://127.0.0.1:{closed_port()}", account=OWNER.address)
    for wrong in (OWNER.address.lower(), "council-1", OWNER.address[:-1]):
        with pytest.raises(Misused, match="--account"):
            named(external="http://127.0.0.1:1", account=wrong)


def test_a_ledger(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    device = Device()
    monkeypatch.setattr("incident_cli.safe.ledger.open_device", lambda: device.exchange)
    default, other = named(ledger=keys.DEFAULT), named(ledger="m/44'/60'/1'/0/0")
    assert (default.path, default.address == named(ledger=DEFAULT_PATH).address) == (DEFAULT_PATH, True)
    assert default.address != other.address
    signed_by(default, TYPED)
    assert TYPED.message_hash.hex() in capsys.readouterr().err
    with pytest.raises(Misused, match="malformed"):
        named(ledger="proposal.json")


def program(arguments: Sequence[str], home: Path) -> Terminal:
    """The program that signs, in a terminal."""
    return Terminal(["sign-once", *arguments], home, command=PROGRAM)


def test_asked_without_echo_until_it_is_right(keystore: Path, tmp_path: Path) -> None:
    with program(["--keystore", str(keystore), "--json"], tmp_path / "home") as terminal:
        for said in ("wrong-one", "wrong-two", PASSPHRASE):
            terminal.answer(said)
        assert terminal.finish() == 0, terminal.text
        shown = "".join(terminal.lines)
    assert "passphrase of" in shown
    assert shown.count("that passphrase does not open it") == 2
    assert "signature" in shown
    assert not any(word in terminal.raw for word in ("wrong-one", "wrong-two", PASSPHRASE))


def test_three_wrong_ones_end_it(keystore: Path, tmp_path: Path) -> None:
    with program(["--keystore", str(keystore)], tmp_path / "home") as terminal:
        for number in range(3):
            terminal.answer(f"wrong-{number}")
        assert terminal.finish() == 1, terminal.text
    assert "the passphrase does not open" in " ".join(terminal.text.split())
    assert "wrong-" not in terminal.raw


@pytest.mark.parametrize(("pressed", "code"), [("\x04", 5), ("\x03", 130)])
def test_leaving_at_the_passphrase(pressed: str, code: int, keystore: Path, tmp_path: Path) -> None:
    with program(["--keystore", str(keystore)], tmp_path / "home") as terminal:
        terminal.wait_for_question("passphrase")
        terminal.child.send(pressed)
        assert terminal.finish() == code, terminal.text
    assert "Traceback" not in terminal.text


SECRETS = ("--passphrase", "--password", "--key", "--private-key", "--secret", "--mnemonic", "--seed-phrase")


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command of the program with the words that call it."""
    for name, command in sorted(getattr(group, "commands", {}).items()):
        yield (*words, name), command
        yield from commands(command, (*words, name))


def test_no_command_takes_a_secret() -> None:
    every = list(commands(get_command(main.program(None))))
    assert len(every) > 10
    for words, command in every:
        for one in command.params:
            assert not {*one.opts, *one.secondary_opts} & set(SECRETS), words
            assert one.envvar is None, words


def test_no_secret_option_by_a_prefix_or_a_mistake(tmp_path: Path, keystore: Path) -> None:
    for flag in ("--passphrase", "--password", "--key"):
        done = subprocess.run(
            [*PROGRAM, "sign-once", "--keystore", str(keystore), f"{flag}=hunter2"],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment(tmp_path / "home"),
            check=False,
            timeout=60,
        )
        assert done.returncode == 2
        assert "No such option" in done.stderr
        assert "hunter2" not in done.stdout + done.stderr
