"""A known key and a known passphrase, sought in everything that a signing command leaves, however it ends.

`RUNNERS` names what is run: each takes a `Scene`, runs a command with it and says how it has to end. The commands that
need a chain are in tests/real/test_canary.py, which a new one joins.
"""

from __future__ import annotations

import base64
import json
import sys
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest

from incident_cli.drills.accounts import account
from tests.fakes.canary import KEY, PASSPHRASE, WRONG, Scene, leaks
from tests.fakes.node import Node, closed_port
from tests.fakes.signers import Wallet
from tests.fakes.signing_program import HOLDING


def signed(scene: Scene) -> None:
    done = scene.run(["sign-once", "--keystore", str(scene.keystore), "--json"])
    assert (done.returncode, "signature" in json.loads(done.stdout)) == (0, True), done.stderr


def asked_and_signed(scene: Scene) -> None:
    with scene.terminal(["sign-once", "--keystore", str(scene.keystore), "--json"]) as terminal:
        terminal.answer(WRONG)
        terminal.answer(PASSPHRASE)
        assert scene.ended(terminal) == 0, terminal.text


def wrong_passphrase(scene: Scene) -> None:
    done = scene.run(["sign-once", "--keystore", str(scene.keystore), "--json"], WRONG)
    assert done.returncode == 1, done.stderr


def wrong_three_times(scene: Scene) -> None:
    with scene.terminal(["sign-once", "--keystore", str(scene.keystore)]) as terminal:
        for _ in range(3):
            terminal.answer(WRONG)
        assert scene.ended(terminal) == 1, terminal.text


def crashed(scene: Scene) -> None:
    done = scene.run(["sign-once", "--keystore", str(scene.keystore), "--json", "--crashes"])
    assert done.returncode == 70, done.stderr
    assert len(list(scene.temporary.glob("incident-bug-*"))) == 1


def interrupted_while_held(scene: Scene) -> None:
    with scene.terminal(["sign-once", "--keystore", str(scene.keystore), "--holds"]) as terminal:
        terminal.answer(PASSPHRASE)
        terminal.wait_for(HOLDING)
        scene.look(terminal.child.pid)
        terminal.interrupt()
        assert scene.ended(terminal) == 130, terminal.text


def interrupted_at_the_passphrase(scene: Scene) -> None:
    with scene.terminal(["sign-once", "--keystore", str(scene.keystore)]) as terminal:
        terminal.wait_for_question("passphrase")
        terminal.child.send(PASSPHRASE)
        scene.look(terminal.child.pid)
        terminal.interrupt()
        assert scene.ended(terminal) == 130, terminal.text


def damaged_file(scene: Scene) -> None:
    found = json.loads(scene.keystore.read_text())
    found["crypto"]["cipher"] = "none"
    scene.keystore.write_text(json.dumps(found))
    assert scene.run(["sign-once", "--keystore", str(scene.keystore), "--json"]).returncode == 2


def a_key_in_the_place_of_a_file(scene: Scene) -> None:
    done = scene.run(["sign-once", "--keystore", f"0x{KEY.hex()}", "--json"])
    assert done.returncode == 2
    del scene.channels["cmdline"]  # where whoever typed it put it


def a_passphrase_in_the_place_of_a_descriptor(scene: Scene) -> None:
    given = ["sign-once", "--keystore", str(scene.keystore), "--passphrase-fd", PASSPHRASE]
    assert scene.run(given, None).returncode == 2
    del scene.channels["cmdline"]


def signer_down(scene: Scene) -> None:
    url = f"http://user:{urllib.parse.quote(PASSPHRASE, safe='')}@127.0.0.1:{closed_port()}"
    done = scene.run(["sign-once", "--signer", url, "--json"], None)
    assert done.returncode == 3, done.stderr
    del scene.channels["cmdline"]  # a credential of the signer's may be typed; it is shown nowhere else


def signer_declines(scene: Scene) -> None:
    with Node(Wallet(account(1, "council 1"), "declines").answer) as node:
        assert scene.run(["sign-once", "--signer", node.url, "--json"], None).returncode == 1


def ledger_declines(scene: Scene) -> None:
    assert scene.run(["sign-once", "--ledger", "default", "--status", "6985", "--json"], None).returncode == 1


Runner = Callable[[Scene], None]
RUNNERS: list[tuple[str, Runner]] = [
    ("signed", signed),
    ("asked and signed", asked_and_signed),
    ("wrong passphrase", wrong_passphrase),
    ("wrong three times", wrong_three_times),
    ("crashed inside the library", crashed),
    ("interrupted while the key is held", interrupted_while_held),
    ("interrupted at the passphrase", interrupted_at_the_passphrase),
    ("damaged file", damaged_file),
    ("a key in the place of a file", a_key_in_the_place_of_a_file),
    ("a passphrase in the place of a descriptor", a_passphrase_in_the_place_of_a_descriptor),
    ("signer down", signer_down),
    ("signer declines", signer_declines),
    ("ledger declines", ledger_declines),
]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    found = Scene(tmp_path)
    found.prepare()
    return found


@pytest.mark.parametrize("run", [run for _, run in RUNNERS], ids=[name for name, _ in RUNNERS])
def test_no_channel_shows_a_secret(run: Runner, scene: Scene) -> None:
    run(scene)
    scene.collect()
    assert scene.channels, "nothing was looked at"
    assert leaks(scene) == []


LEAKS: dict[str, str] = {
    "hex": KEY.hex(),
    "HEX": f"0x{KEY.hex().upper()}",
    "base64": base64.b64encode(b"a" + KEY + b"zz").decode(),
    "base64, shifted": base64.b64encode(b"ab" + KEY).decode(),
    "urlsafe": base64.urlsafe_b64encode(KEY).decode(),
    "number": str(int.from_bytes(KEY, "big")),
    "bytes": repr(KEY),
    "list": str(list(KEY)),
    "half": KEY.hex()[:32],
    "other half": KEY.hex()[-32:],
    "passphrase": PASSPHRASE,
    "in JSON": json.dumps(PASSPHRASE),
    "in a URL": urllib.parse.quote(PASSPHRASE),
    "passphrase in hex": PASSPHRASE.encode().hex(),
    "wrong passphrase": WRONG,
}


@pytest.mark.parametrize("name", LEAKS)
@pytest.mark.parametrize("place", ["stdout", "stderr", "file", "cmdline", "environ"])
def test_the_search_bites(name: str, place: str, scene: Scene) -> None:
    if place in ("cmdline", "environ", "stdout", "stderr"):
        scene.show(place, f"before {LEAKS[name]} after".encode())
    else:
        (scene.temporary / "left.txt").write_text(f"before {LEAKS[name]} after")
        scene.collect()
    assert len(leaks(scene)) == 1


def test_real_processes_are_looked_at(scene: Scene) -> None:
    program = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(0.4)', sys.argv[1]])"
    )
    scene.run([PASSPHRASE], None, command=(sys.executable, "-c", program))
    assert scene.channels["cmdline"].count(b"time.sleep(0.4)") > scene.channels["cmdline"].count(b"subprocess.run")
    assert leaks(scene) == ["cmdline"]
    assert str(scene.home).encode() in scene.channels["environ"]
