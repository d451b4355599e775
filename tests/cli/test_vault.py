"""`incident vault` as people use it: a pty, real files, real keystores, a real Safe; and what a fire does not load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from eth_keyfile import keyfile

from incident_cli.curve import Native, installed
from incident_cli.drills.accounts import Account, account
from incident_cli.errors import Waiting
from incident_cli.evm import hex_bytes
from incident_cli.flows.adopting import take_in
from incident_cli.flows.desk import Stop
from incident_cli.flows.walk import walk
from incident_cli.safe.signature_file import SignatureFile, Signed
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.vault_file import write_sealed
from tests.cli.command import Ended, run
from tests.contracts.packages import packages
from tests.fakes import age
from tests.fakes.anvil import Anvil
from tests.fakes.desk import Scripted
from tests.fakes.terminal import COMMAND, ROOT, Terminal, environment
from tests.real.containing import BTC, ETHER, Site, as_founded, build_site, let_go, outcome
from tests.real.vaulting import armoury, write_runbook

VAULT_PASSPHRASE, KEY_PASSPHRASE = "four words that nobody says", "another one"
SMALL = 2  # rounds of a test keystore's derivation
FORBIDDEN = {"web3", "safe_eth", "eth_account", "py_ecc", "aiohttp", "yaml", "eth_abi"}
SPARED = {"eth_keys", "eth_utils", "pydantic", "rlp"} if isinstance(installed(), Native) else set()  # by coincurve
LOADED = (
    "import sys, incident_cli.cli.main as main\n"
    "try: main.run()\n"
    "finally: sys.stderr.write('\\nLOADED ' + ' '.join(sorted({n.partition('.')[0] for n in sys.modules})) + '\\n')"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Anvil(packages().anvil) as anvil:
        yield build_site(anvil, tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def sealed(built: Site, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """One signed ladder, sealed with a cheap derivation."""
    folder = tmp_path_factory.mktemp("sealed")
    with as_founded(built, folder) as site:
        return age.seal(json.dumps(armoury(site).vault.to_json()).encode(), VAULT_PASSPHRASE)


@dataclass
class Desk:
    """A site with a vault's file and keystores of everybody."""

    site: Site
    vault: Path

    def keystore(self, holder: Account) -> Path:
        path = self.site.folder / f"{holder.label.replace(' ', '-')}.json"
        private = holder._key
        path.write_text(json.dumps(keyfile.create_keyfile_json(private, KEY_PASSPHRASE.encode(), iterations=SMALL)))
        path.chmod(0o600)
        return path

    @property
    def payer(self) -> Path:
        holder = account(77, "payer")
        self.site.anvil.rpc("anvil_setBalance", holder.address, hex(ETHER))
        return self.keystore(holder)

    def terminal(self, *words: str, command: tuple[str, ...] = COMMAND) -> Terminal:
        return Terminal(words, self.site.home, cwd=self.site.folder, command=command, size=(160, 50))


@pytest.fixture
def desk(built: Site, sealed: bytes, tmp_path: Path) -> Iterator[Desk]:
    with as_founded(built, tmp_path) as site:
        path = tmp_path / "emergency.vault"
        write_sealed(path, sealed)
        yield Desk(site, path)


def with_passphrase(desk: Desk, *words: str) -> Ended:
    """A command with the vault's passphrase on descriptor 3."""
    reading, writing = os.pipe()
    os.write(writing, VAULT_PASSPHRASE.encode() + b"\n")
    os.close(writing)
    try:
        done = subprocess.run(
            [*COMMAND, *words, "--passphrase-fd", str(reading)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment(desk.site.home),
            timeout=90,
            pass_fds=(reading,),
            check=False,
        )
    finally:
        os.close(reading)
    return Ended(done.returncode, done.stdout, done.stderr)


def test_fired_from_a_terminal_and_nothing_heavy_is_loaded(desk: Desk) -> None:
    payer, url = desk.payer, desk.site.anvil.url
    words = ("vault", "fire", str(desk.vault), "--rpc", url, "--market", "ETH-USD", "--keystore", str(payer), "--json")
    with desk.terminal(*words, command=(sys.executable, "-c", LOADED)) as terminal:
        terminal.answer(VAULT_PASSPHRASE, "passphrase")
        terminal.answer("ETH-USD", "type it")
        terminal.answer(KEY_PASSPHRASE, "passphrase")
        assert terminal.finish() == 0, terminal.text
    assert "CONTAINED: ETH-USD" in terminal.text and desk.site.paused()
    assert "No incident for ETH-USD is open on this machine" in terminal.text
    assert "respond FILE.yaml --deployment FILE --market ETH-USD" in terminal.text and "adopt 0x" in terminal.text
    loaded = terminal.raw.partition("LOADED ")[2].split()
    assert "incident_cli" in loaded and (FORBIDDEN | SPARED) & set(loaded) == set()
    secrets = (VAULT_PASSPHRASE, KEY_PASSPHRASE)
    assert not any(one in terminal.raw for one in secrets)
    record = (desk.site.folder / "emergency.vault.fire.jsonl").read_text()
    assert [json.loads(line)["kind"] for line in record.splitlines()] == ["intent", "outcome"]
    assert not any(one in record for one in secrets)


def test_fired_through_the_nodes_of_a_deployment(desk: Desk) -> None:
    words = ("vault", "fire", str(desk.vault), "--deployment", str(desk.site.deployment), "--market", "BTC-USD")
    with desk.terminal(*words, "--keystore", str(desk.payer)) as terminal:
        terminal.answer(VAULT_PASSPHRASE, "passphrase")
        terminal.answer("BTC-USD", "type it")
        terminal.answer(KEY_PASSPHRASE, "passphrase")
        assert terminal.finish() == 0, terminal.text
    assert desk.site.paused(BTC) and not desk.site.paused()


def test_what_was_fired_comes_into_the_open_incident_as_printed(desk: Desk) -> None:
    session = desk.site.begin(answerer=Scripted({"contain": ["no"]}))
    with pytest.raises(Waiting):
        walk(session)
    let_go(session)
    words = ("vault", "fire", str(desk.vault), "--rpc", desk.site.anvil.url, "--market", "ETH-USD")
    with desk.terminal(*words, "--keystore", str(desk.payer)) as terminal:
        terminal.answer(VAULT_PASSPHRASE, "passphrase")
        terminal.answer("ETH-USD", "type it")
        terminal.answer(KEY_PASSPHRASE, "passphrase")
        assert terminal.finish() == 0, terminal.text
    _, _, printed = " ".join(terminal.text.split()).partition("bring it into the incident's record: ")
    program, *adopting = printed.split()[:5]
    assert (program, adopting[2:]) == ("incident", ["--incident", session.recorder.incident]), terminal.text
    around = desk.site.around(Scripted({"mended": [Stop()]}))
    adopted = take_in(adopting[3], adopting[1], around)
    with pytest.raises(Waiting):
        walk(adopted)
    let_go(adopted)
    assert outcome(adopted) == "contained"


def test_a_key_in_a_pipe_is_told_first_that_nobody_can_type(desk: Desk) -> None:
    key = desk.keystore(desk.site.council.owners[2])
    said = run(["vault", "sign", str(desk.vault), "--keystore", str(key)], desk.site.home)
    assert said.code == 4 and "type the markets and the rungs" in " ".join(said.err.split()), said.err
    assert "passphrase-fd" not in said.err


def test_a_watch_ends_with_the_keyboard(desk: Desk) -> None:
    words = ("vault", "watch", str(desk.vault), "--deployment", str(desk.site.deployment), "--interval", "1s")
    with desk.terminal(*words) as terminal:
        terminal.answer(VAULT_PASSPHRASE, "passphrase")
        terminal.wait_for("ready")
        desk.site.council.execute(desk.site.call("set_limit(uint256 limit)", 7))
        desk.site.council.execute(desk.site.call("set_limit(uint256 limit)", 8))
        terminal.wait_for("alarm: 2 nonces are left")
        terminal.interrupt()
        assert terminal.finish() == 130


def test_another_market_typed_fires_nothing(desk: Desk) -> None:
    words = ("vault", "fire", str(desk.vault), "--rpc", desk.site.anvil.url, "--market", "ETH-USD")
    with desk.terminal(*words, "--keystore", str(desk.payer)) as terminal:
        terminal.answer(VAULT_PASSPHRASE, "passphrase")
        terminal.answer("BTC-USD", "type it")
        terminal.answer("stop", "type it")
        assert terminal.finish() == 5
    assert "Nothing has been done" in terminal.text and not desk.site.paused()


def test_without_a_terminal_nothing_is_fired(desk: Desk) -> None:
    said = run(["vault", "fire", str(desk.vault), "--rpc", desk.site.anvil.url, "--yes"], desk.site.home)
    assert said.code == 2
    said = run(["vault", "fire", str(desk.vault), "--rpc", desk.site.anvil.url], desk.site.home)
    assert said.code == 4 and "the market is typed" in said.err and not desk.site.paused()


def test_armed_and_signed_by_two_owners_in_a_terminal(desk: Desk) -> None:
    site, path = desk.site, desk.site.folder / "new.vault"
    runbook, one, two = write_runbook(site), *(desk.keystore(each) for each in site.council.owners[:2])
    words = ["vault", "arm", str(runbook), "stop", "--deployment", str(site.deployment), "--rungs", "3"]
    words += ["--market", "ETH-USD", "--vault", str(path), "--keystore", str(one)]
    with desk.terminal(*words) as terminal:
        terminal.answer("short", "passphrase for")
        terminal.answer("small", "a better passphrase")
        terminal.answer("small", "the same again")
        terminal.answer("ETH-USD 3", "type it")
        terminal.answer(KEY_PASSPHRASE, "passphrase of")
        assert terminal.finish() == 0, terminal.text
    assert "holding it is the power to pause" in terminal.text and "the passphrase is weak" in terminal.text
    assert terminal.text.index("the same again") < terminal.text.index("signing 0x"), "no signature is lost by a slip"
    assert f"vault sign {path} --keystore FILE" in terminal.text and path.stat().st_mode & 0o777 == 0o600
    with desk.terminal("vault", "sign", str(path), "--keystore", str(two)) as terminal:
        terminal.answer("small", "passphrase")
        terminal.answer("ETH-USD 3", "type it")
        terminal.answer(KEY_PASSPHRASE, "passphrase")
        assert terminal.finish() == 0, terminal.text
    assert "2 of 2 signatures" not in terminal.text and "vault status" in terminal.text


def test_status_revoke_and_watch_print_one_object(desk: Desk) -> None:
    file, deployment = str(desk.vault), str(desk.site.deployment)
    status = with_passphrase(desk, "vault", "status", file, "--deployment", deployment, "--json")
    assert status.code == 0, status.err
    assert "behind: sound; its turn comes once the nonces before it are used" in " ".join(status.err.split())
    assert status.object["verdict"] == "ready" and status.object["nonces_left"] == [0, 1, 2, 3]
    out = str(desk.site.folder / "out")
    revoked = with_passphrase(desk, "vault", "revoke", file, "--deployment", deployment, "--out", out, "--json")
    assert revoked.code == 0 and "LIVE AFTERWARDS: nonce 1, ETH-USD" in revoked.err
    assert [one["nonce"] for one in revoked.object["live_afterwards"]] == [1, 1]
    shown = run(["safe", "inspect", revoked.object["rejections"][0]["file"], "--json"], desk.site.home)
    assert shown.code == 0, shown.err
    desk.site.as_safe("changeThreshold(uint256 threshold)", 1)
    watched = with_passphrase(desk, "vault", "watch", file, "--deployment", deployment, "--once", "--json")
    assert watched.code == 1 and watched.object["verdict"] == "alarm" and "threshold" in watched.object["alarms"][0]


def test_rungs_are_exported_and_signatures_of_files_come_back(desk: Desk) -> None:
    out, third = desk.site.folder / "to-sign", desk.site.council.owners[2]
    said = with_passphrase(desk, "vault", "export", str(desk.vault), "--out", str(out), "--json")
    assert said.code == 0 and len(said.object["files"]) == 8, said.err
    files = []
    for path in said.object["files"]:
        document = json.loads(Path(path).read_text())
        assert "signature" not in json.dumps({**document, "calls": []})
        inspected = run(["safe", "hash", path, "--json"], desk.site.home)
        assert inspected.object["safe_tx_hash"] == document["safe_tx_hash"]
        signature = third.sign_hash(hex_bytes(document["safe_tx_hash"]))
        tx = SafeTx.from_json(document["safe_tx"])
        files.append(write_signatures(desk.site.folder, SignatureFile(tx, (Signed(third.address, signature),))))
        if len(files) == 2:
            break
    said = with_passphrase(desk, "vault", "add-signatures", str(desk.vault), *map(str, files), "--json")
    assert said.code == 0 and "2 new signatures" in said.err, said.err
    assert sum(len(one["signers"]) for one in said.object["rungs"]) == 8 * 2 + 2


def write_signatures(folder: Path, file: SignatureFile) -> Path:
    path = folder / file.name
    path.write_text(json.dumps(file.to_json()))
    return path


def test_a_wrong_passphrase_and_a_changed_file_open_nothing(desk: Desk) -> None:
    content = desk.vault.read_bytes()
    desk.vault.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    said = with_passphrase(
        desk, "vault", "status", str(desk.vault), "--deployment", str(desk.site.deployment), "--json"
    )
    assert said.code == 1 and said.object["schema"] == "incident.error/v1" and "does not open" in said.err
    assert VAULT_PASSPHRASE not in said.err + said.out
