"""Goal 8: `incident vault fire`, whole process, against `import web3`; both derivations of keys are made cheap.

The process runs in a terminal of its own, gets both passphrases on descriptors, and its question answered at once. The
node is anvil, which mines at once; what is counted is until the proof has been printed.
"""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from eth_keyfile import keyfile

from incident_cli.drills.accounts import account
from incident_cli.safe.vault_file import write_sealed
from tests.benchmarks.conftest import Say
from tests.benchmarks.pairs import INCIDENT, ROOT, Work, environment, measure, process
from tests.contracts.packages import packages
from tests.fakes import age
from tests.fakes.anvil import Anvil
from tests.real.containing import ETHER, Site, build_site
from tests.real.vaulting import arm_order, armoury

ROUNDS = 11
PASSPHRASE = "four words that nobody says"


def prepared(site: Site, folder: Path) -> tuple[Path, Path]:
    """A vault's file and a funded keystore, each with a cheap derivation."""
    vault, keystore, payer = folder / "emergency.vault", folder / "payer.json", account(77, "payer")
    store = armoury(site, arm_order(site, markets=["ETH-USD"], rungs=10))
    write_sealed(vault, age.seal(json.dumps(store.vault.to_json()).encode(), PASSPHRASE))
    key = keyfile.create_keyfile_json(payer._key, PASSPHRASE.encode(), iterations=2)
    keystore.write_text(json.dumps(key))
    keystore.chmod(0o600)
    site.anvil.rpc("anvil_setBalance", payer.address, hex(ETHER))
    return vault, keystore


def passphrase_at() -> int:
    """A descriptor that holds the passphrase."""
    reading, writing = os.pipe()
    os.write(writing, PASSPHRASE.encode())
    os.close(writing)
    return reading


def firing(site: Site, vault: Path, keystore: Path, folder: Path) -> Work:
    """One fire as a process in a terminal; afterwards the chain and the record are as before."""
    around = {**environment(folder), "TERM": "dumb"}

    def fire() -> None:
        before = site.anvil.snapshot()
        one, two = passphrase_at(), passphrase_at()
        words = ["vault", "fire", str(vault), "--rpc", site.anvil.url, "--keystore", str(keystore)]
        words += ["--passphrase-fd", str(one), "--key-passphrase-fd", str(two)]
        own, theirs = pty.openpty()
        os.write(own, b"ETH-USD\n")
        with subprocess.Popen(
            [*INCIDENT, *words], stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, env=around, pass_fds=(one, two)
        ) as running:
            os.close(theirs)
            said = read_all(own)
        for descriptor in (own, one, two):
            os.close(descriptor)
        assert running.returncode == 0, said
        site.anvil.revert(before)
        vault.with_name(f"{vault.name}.fire.jsonl").unlink()

    return fire


def read_all(descriptor: int) -> str:
    """Everything that a terminal shows, up to its end."""
    said = b""
    with suppress(OSError):
        while piece := os.read(descriptor, 65_536):
            said += piece
    return said.decode(errors="replace")


@pytest.mark.benchmark
def test_fire(tmp_path: Path, say: Say) -> None:
    with Anvil(packages().anvil) as anvil:
        site = build_site(anvil, tmp_path)
        vault, keystore = prepared(site, tmp_path)
        works: dict[str, Work] = {
            "pass": process([sys.executable, "-c", "pass"], tmp_path),
            "import web3": process([sys.executable, "-c", "import web3"], tmp_path),
            "incident --version": process([*INCIDENT, "--version"], tmp_path),
            "incident vault fire, ten rungs": firing(site, vault, keystore, tmp_path),
        }
        found = measure(works, ROUNDS)
    say(f"\nvault fire, whole processes, medians of {ROUNDS} interleaved rounds (at most 0.45 × import web3)")
    for name in works:
        say(found.row(name, "pass", "import web3"))
