"""`incident drill --signers` as people and scripts call it: a real terminal, real processes, killed and resumed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from incident_cli.cli import main
from incident_cli.evm import hex_bytes
from incident_cli.safe.service import TransactionService
from incident_cli.safe.signature_file import SignatureFile, Signed, store
from incident_cli.safe.transaction import SafeTx
from tests.cli.command import Ended
from tests.cli.command import run as command_run
from tests.contracts.packages import Packages
from tests.fakes.safe_service import SafeService
from tests.fakes.terminal import COMMAND, Terminal, environment
from tests.real.desking import PASSPHRASE, Office, as_opened, keystore, opened, serving

Desk = tuple[SafeService, TransactionService, Office]
Run = Callable[..., Ended]


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with opened(packages, tmp_path_factory.mktemp("signers")) as found:
        yield found


@pytest.fixture
def desk(built: Office, tmp_path: Path) -> Iterator[Desk]:
    with as_opened(built, tmp_path) as office, serving(office) as found:
        yield found


@pytest.fixture
def run(desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """One command without a terminal, in this process."""

    def running(*arguments: str | Path) -> Ended:
        monkeypatch.setenv("INCIDENT_HOME", str(desk[2].home))
        monkeypatch.setattr(sys, "argv", ["incident", *map(str, arguments)])
        capsys.readouterr()
        code = main.ended()
        return Ended(code, *capsys.readouterr())

    return running


def wanted(office: Office) -> list[str]:
    return ["drill", "--signers", "--deployment", str(office.deployment_file), "--safe", "council"]


def confirm(desk: Desk, safe_tx_hash: str, owner: int) -> None:
    """An owner confirms in the service, from elsewhere."""
    _, client, office = desk
    client.confirm(safe_tx_hash, office.council.owners[owner].sign_hash(hex_bytes(safe_tx_hash)))


def test_by_a_person_in_a_terminal_of_eighty_columns(desk: Desk, run: Run) -> None:
    service, _, office = desk
    sealed, key = keystore(office, 0)
    with Terminal([*wanted(office), "--keystore", str(sealed)], office.home) as terminal:
        terminal.wait_for("type it")
        (written,) = office.home.glob("*-signers-*/proposals/*.json")
        terminal.answer(written.stem[-8:])
        terminal.wait_for("passphrase of")
        terminal.child.send(PASSPHRASE + "\r")
        terminal.wait_for("and read back")
        confirm(desk, written.stem, 2)
        code = terminal.finish()
        screen = terminal.text
        assert PASSPHRASE not in terminal.raw and key.hex() not in terminal.raw
    assert code == 0, screen
    flat = " ".join(screen.split())
    for words in (
        "SIGNER DRILL",
        "executing it does nothing but use up nonce 0",
        "it displaces nothing now",
        "anybody can execute it while nonce 0 is free",
        "with the key at hand",
        "the threshold of 2 answered after",
        "reach by telephone +49 30 1234",
        "in Asia/Tokyo",
    ):
        assert words in flat, screen
    assert len(service.queue) == 1
    listed = run("--json")
    assert listed.object["incidents"] == [], "it is over"
    queue = run("safe", "queue", "council", "--deployment", office.deployment_file, "--json")
    (at,) = queue.object["at"]
    assert at["reserved"][0]["label"].startswith("signer drill "), "its nonce is still its own"


def test_without_keys_owners_take_part_by_file_or_service(desk: Desk, run: Run) -> None:
    service, client, office = desk
    first = run(*wanted(office), "--no-wait", "--json")
    assert (first.code, first.object["schema"], first.object["waiting_for"]) == (
        5,
        "incident.signer-drill/v1",
        "signatures",
    ), first.err
    assert [one["name"] for one in first.object["missing"]] == ["ana", "bo", "cy"]
    assert "safe confirm" in first.err and "safe sign" in first.err and "safe propose" in first.err
    assert service.queue == [], "nothing is posted without a signature"
    listed = run("--json").object["incidents"]
    assert [one["next"].partition(" ")[2] for one in listed] == [f"drill --signers --resume {first.object['incident']}"]
    assert "DRILL" in run().err and "council  at step sign" in run().err
    flat, hash_ = json.loads(Path(first.object["file"]).read_text()), first.object["safe_tx_hash"]
    assert flat["to"] == flat["safe"] and flat["data"] == "0x" and flat["value"] == "0"
    signature = office.council.owners[1].sign_hash(hex_bytes(hash_))
    client.propose(SafeTx.from_json(flat), hash_, office.council.owners[1].address, signature, "by bo")
    confirm(desk, hash_, 2)
    again = run("drill", "--signers", "--resume", "--no-wait", "--json")
    assert again.code == 0, again.err
    assert [(one["name"], one["road"]) for one in again.object["answers"]] == [("bo", "service"), ("cy", "service")]
    assert again.object["threshold_reached_after_seconds"] is not None and again.object["waiting_for"] is None
    over = run("drill", "--signers", "--resume", first.object["incident"], "--json")
    assert over.code == 0 and over.object["answers"] == again.object["answers"]


def test_what_does_not_go_together_is_said_before_anything(desk: Desk, run: Run) -> None:
    office, (sealed, _) = desk[2], keystore(desk[2], 0)
    assert run("drill", "--signers", "--safe", "council").code == 2
    assert run("drill", "--signers", "--deployment", office.deployment_file).code == 2
    assert "no --seed" in run(*wanted(office), "--seed", "0").err
    assert "no RUNBOOK" in run("drill", "oracle-divergence", "--signers", "--safe", "x").err
    assert "add --signers" in run("drill", "--auto", "--keystore", sealed).err
    assert "add --signers" in run("drill", "--auto", "--all").err
    assert run("drill", "--signers", "--resume").code == 2
    nobody = run(*wanted(office), "--keystore", sealed)
    assert nobody.code == 4 and "Nothing was signed" in nobody.err
    assert not office.home.exists() or not list(office.home.glob("*-signers-*"))


def test_a_signer_drill_is_resumed_as_what_it_is(desk: Desk, run: Run) -> None:
    office = desk[2]
    begun = run(*wanted(office), "--no-wait", "--json").object["incident"]
    other = run("drill", "--resume", begun, "--auto")
    assert other.code == 2 and "is a signer drill" in other.err and "drill --signers --resume" in other.err
    assert run("respond", "--resume", begun).code in (2, 4)
    assert run("drill", "--resume", "--auto").code == 2, "the latest drill is none of these"


def test_killed_while_it_waits_nothing_is_lost(desk: Desk, run: Run) -> None:
    office = desk[2]
    process = subprocess.Popen(
        [*COMMAND, *wanted(office)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(office.home),
    )
    until = time.monotonic() + 60
    while not list(office.home.glob("*-signers-*/proposals/*.json")) and time.monotonic() < until:
        time.sleep(0.05)
    process.kill()
    process.wait()
    (written,) = office.home.glob("*-signers-*/proposals/*.json")
    found = run("drill", "--signers", "--resume", "--no-wait", "--json")
    assert (found.code, found.object["safe_tx_hash"]) == (5, written.stem), found.err
    assert len(list(office.home.glob("*-signers-*/proposals/*.json"))) == 1


def test_the_operator_stops_and_takes_it_up_again(desk: Desk, run: Run) -> None:
    office = desk[2]
    with Terminal(wanted(office), office.home) as terminal:
        terminal.wait_for("owners answered")
        terminal.interrupt()
        code = terminal.finish()
        screen = " ".join(terminal.text.split())
    assert code == 130, screen
    assert "reach by telephone +49 30 1234" in screen and "in America/New_York" in screen
    (folder,) = office.home.glob("*-signers-*")
    assert f"incident drill --signers --resume {folder.name}" in screen
    assert run("drill", "--signers", "--resume", folder.name, "--no-wait", "--json").code == 5


def test_a_file_that_was_signed_elsewhere_is_an_answer_once_it_is_merged(built: Office, tmp_path: Path) -> None:
    with as_opened(built, tmp_path) as office:
        first = run_apart(*wanted(office), "--no-wait", "--json", home=office.home)
        tx = SafeTx.from_json(json.loads(Path(first.object["file"]).read_text()))
        folder = str(Path(first.object["file"]).parent)
        for number in (0, 2):
            owner, signature = next(iter(office.signed(tx, number).items()))
            sent, _ = store(office.folder / f"from-{number}", SignatureFile(tx, (Signed(owner, signature),)))
            merged = run_apart("safe", "merge", str(sent), "--out", folder, home=office.home)
            assert merged.code in (0, 5), merged.err
        again = run_apart("drill", "--signers", "--resume", "--no-wait", "--json", home=office.home)
        assert again.code == 0, again.err
        assert [(one["name"], one["road"]) for one in again.object["answers"]] == [("ana", "file"), ("cy", "file")]
        assert "--signatures" in again.err, "it is executed with these"


def run_apart(*arguments: str, home: Path) -> Ended:
    """One command as a process of its own, without a terminal."""
    return command_run(list(arguments), home)
