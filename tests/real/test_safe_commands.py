"""The commands of the road without the service, as people and scripts call them: a real terminal, real processes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from eth_keyfile import keyfile

from incident_cli.abi import parse_signature
from incident_cli.cli import main
from incident_cli.evm import Address, Call
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.signature_file import SignatureFile, Signed, file_name, store
from tests.cli.command import Ended
from tests.contracts.packages import Packages
from tests.fakes.terminal import Terminal
from tests.real.desking import Office, as_opened, opened

PASSPHRASE = "correct horse battery"


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The chain, built once."""
    with opened(packages, tmp_path_factory.mktemp("commands")) as found:
        yield found


@pytest.fixture
def office(built: Office, tmp_path: Path) -> Iterator[Office]:
    """The chain as it was built, for this test alone."""
    with as_opened(built, tmp_path) as found:
        yield found


Run = Callable[..., Ended]


@pytest.fixture
def run(office: Office, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """One command without a terminal, in this process: its libraries are loaded once."""

    def running(*arguments: str | Path) -> Ended:
        monkeypatch.setenv("INCIDENT_HOME", str(office.home))
        monkeypatch.setattr(sys, "argv", ["incident", "safe", *map(str, arguments)])
        capsys.readouterr()
        code = main.ended()
        return Ended(code, *capsys.readouterr())

    return running


def keystore(office: Office, owner: int) -> tuple[Path, bytes]:
    """The encrypted key of an owner, with a cheap derivation; and the key, which must never be seen."""
    account = office.council.owners[owner]
    key = account._key
    made = keyfile.create_keyfile_json(key, PASSPHRASE.encode(), kdf="scrypt", iterations=2)
    path = office.folder / f"owner-{owner}.json"
    path.write_text(json.dumps({**made, "address": account.address[2:].lower()}))
    path.chmod(0o600)
    return path, key


def flat(office: Office) -> tuple[Path, str]:
    """The transaction as a flat file, and its hash."""
    tx = office.transaction()
    path = office.folder / "tx.json"
    path.write_text(json.dumps(tx.to_json()))
    return path, hash_transaction(tx).safe_tx_hash


def signed_by(office: Office, owner: int) -> SignatureFile:
    """What an owner's machine writes."""
    tx = office.transaction()
    return SignatureFile(tx, tuple(Signed(*one) for one in office.signed(tx, owner).items()))


def sign_in_terminal(office: Office, owner: int, answers: Sequence[str] = ()) -> tuple[str, int, bytes]:
    """Signed by a person in a terminal; the whole session, the exit code, and the key that must not be in it."""
    file, hash_ = flat(office)
    sealed, key = keystore(office, owner)
    words = ["safe", "sign", file, "--deployment", office.deployment_file, "--keystore", sealed]
    words += ["--out", office.folder / f"out-{owner}"]
    with Terminal([*map(str, words)], office.home, size=(100, 50)) as terminal:
        for answer in answers or (hash_[-8:],):
            terminal.answer(answer)
        if not answers:
            terminal.wait_for("passphrase of")
            terminal.child.send(PASSPHRASE + "\r")
        code = terminal.finish()
        return terminal.text + terminal.raw, code, key


def test_a_person_signs_in_a_terminal(office: Office) -> None:
    session, code, key = sign_in_terminal(office, 0)
    assert code == 0, session
    owner: Address = office.council.owners[0].address
    _, hash_ = flat(office)
    made = office.folder / "out-0" / file_name(hash_)
    assert owner in made.read_text() and hash_ in session and "Compare every digit by eye" in session
    assert "1 of 2 signatures" in session
    written = [one.read_bytes() for one in office.folder.rglob("*") if one.is_file()]
    for secret in (PASSPHRASE.encode(), key, key.hex().encode()):
        assert not [one for one in written if secret in one] and secret not in session.encode()


def test_a_wrong_ending_is_asked_again_and_stop_signs_nothing(office: Office) -> None:
    session, code, _ = sign_in_terminal(office, 0, ("deadbeef", "stop"))
    assert code == 5 and "nothing was signed" in session and not (office.folder / "out-0").exists()


def test_without_a_terminal_nothing_is_signed(office: Office, run: Run) -> None:
    file, _ = flat(office)
    sealed, _ = keystore(office, 0)
    ended = run("sign", file, "--deployment", office.deployment_file, "--keystore", sealed, "--json")
    assert ended.code == 4 and "Nothing was signed" in ended.err
    assert ended.object["schema"] == "incident.error/v1"
    missing = run("sign", office.folder / "none.json", "--deployment", office.deployment_file)
    assert missing.code == 2, "a file that is wrong is said first"


def test_from_two_files_to_calldata(office: Office, run: Run) -> None:
    _, hash_ = flat(office)
    one, two = (store(office.folder / f"out-{owner}", signed_by(office, owner))[0] for owner in (0, 1))
    where = ("--deployment", office.deployment_file, "--out", office.folder / "all")
    alone = run("merge", one, *where, "--json")
    assert alone.code == 5 and alone.object["waiting_for"] == "signatures" and alone.object["missing"] == 1
    both = run("merge", two, one, *where)
    assert both.code == 0 and "ready" in both.err and not both.out
    path = office.folder / "all" / file_name(hash_)
    calldata = run("export", path, "--format", "calldata", "--out", "-", "--deployment", office.deployment_file)
    assert calldata.code == 0 and "passes for anybody" in calldata.err
    office.anvil.send(
        office.anvil.accounts[4], office.council.address, bytes.fromhex(calldata.object["data"].removeprefix("0x"))
    )
    assert office.paused()
    late = run("merge", path, *where, "--json")
    assert late.code == 0 and late.object["state"] == "executed"


def test_a_card_is_text_on_stdout_or_a_page_in_a_file(office: Office, run: Run) -> None:
    file, hash_ = flat(office)
    shown = run("card", file)
    assert shown.code == 0 and hash_ in shown.out and "NOT SIMULATED" in shown.out and not shown.err
    page = office.folder / "card.html"
    for _ in range(2):
        made = run("card", file, "--deployment", office.deployment_file, "--format", "html", "--out", page)
        assert made.code == 0 and page.read_text().startswith("<!doctype html>") and "Passed" in page.read_text()
    found = run("card", file, "--json").object
    assert found["held_against_chain"] is False and shown.out.startswith("SAFE TRANSACTION, HELD AGAINST NO CHAIN")
    assert (found["schema"], found["safe_tx_hash"]) == ("incident.safe-card/v1", hash_) and hash_ in found["content"]
    rival = office.folder / "rival.json"
    rival.write_text(json.dumps({**json.loads(file.read_text()), "value": "5"}))
    assert "these never can" in " ".join(run("card", file, "--displaces", rival).out.split())
    rival.write_text(json.dumps({**json.loads(file.read_text()), "nonce": 9}))
    assert run("card", file, "--displaces", rival).code == 2


def test_there_is_no_card_of_what_inspect_refuses(office: Office, run: Run) -> None:
    file, _ = flat(office)
    wrong, out = office.folder / "wrong.json", office.folder / "card.txt"
    stranger = office.anvil.accounts[3]
    for changes in ({"operation": 1, "to": stranger}, {"gasPrice": "1", "refundReceiver": stranger}):
        wrong.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
        for where in ((), ("--deployment", office.deployment_file)):
            ended = run("card", wrong, *where, "--out", out)
            assert ended.code == 1 and "is refused" in ended.err and not out.exists()


def test_export_and_import(office: Office, run: Run) -> None:
    file, hash_ = flat(office)
    out = office.folder / "handover"
    ended = run("export", file, "--format", "tx-builder", "--out", out, "--json")
    paths = [Path(one) for one in ended.object["paths"]]
    assert [one.name for one in paths] == [f"{hash_}.tx-builder.json", f"{hash_}.safe-tx.json"]
    assert "neither nonce nor operation" in ended.object["says"]
    where = ("--deployment", office.deployment_file, "--safe", "council", "--out", office.folder / "in")
    taken = run("import", paths[0], *where, "--json")
    assert taken.code == 0 and taken.object["safe_tx_hash"] == hash_
    assert run("import", paths[0], *where, "--nonce", "4").code == 0
    paths[0].write_text(paths[0].read_text().replace('"value": "0"', '"value": "7"'))
    refused = run("import", paths[0], *where)
    assert refused.code == 1 and "checksum" in refused.err
    assert sorted(one.suffix for one in (office.folder / "in").iterdir()) == [".json", ".json"]


def test_import_shows_every_argument_as_inspect_does(office: Office, run: Run) -> None:
    approve, spender = parse_signature("approve(address spender, uint256 amount)"), office.council.owners[0].address
    tx = office.transaction([Call(office.market, approve, (spender, 2**256 - 2))])
    path = office.folder / "approve.json"
    path.write_text(json.dumps(tx.to_json()))
    where = ("--deployment", office.deployment_file)
    taken = run("import", path, *where, "--safe", "council", "--out", office.folder / "in")
    looked = run("inspect", path, *where)
    assert (taken.code, looked.code) == (0, 0), taken.err
    rows = [line for line in looked.err.splitlines() if line.startswith(("Call 1", "  to ", "  function", "  amount"))]
    assert str(2**256 - 2) in "".join(taken.err.split()) and len(rows) >= 4
    assert all(line in taken.err for line in rows)
