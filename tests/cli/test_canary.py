"""A known key and a known passphrase, sought in everything that a signing command leaves, however it ends.

`RUNNERS` names what is run. A command that signs adds itself there: its runner takes a `Scene`, runs the command with
it and says how it has to end; what it wrote anywhere is then searched, whole and in every form a secret takes.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from eth_keyfile import keyfile

from incident_cli.drills.accounts import account
from tests.fakes.node import Node, closed_port
from tests.fakes.signers import Wallet
from tests.fakes.signing_program import HOLDING
from tests.fakes.terminal import ROOT, Terminal, environment

PROGRAM = (sys.executable, "-m", "tests.fakes.signing_program")
KEY = bytes.fromhex("c0ffee01d15ea5e0c0dedbadcafe0b5e55edbeefdeadfa11ab1eba5eba11fee1")
PASSPHRASE = 'Canary "Pässphrase" 7f3a/92?'
WRONG = "Another Canary 51c0"
ROUNDS = 1_024
SHORTEST = 12  # characters of a form that are sought: a part of a secret is one, too
PATIENCE = 60


@dataclass(slots=True)
class Scene:
    """A folder with a keystore, a home for incidents, one for temporary files; and what every channel has shown."""

    folder: Path
    channels: dict[str, bytes] = field(default_factory=dict)

    @property
    def keystore(self) -> Path:
        """The encrypted file of the known key."""
        return self.folder / "key.json"

    @property
    def home(self) -> Path:
        """Where incidents are written: $INCIDENT_HOME."""
        return self.folder / "home"

    @property
    def temporary(self) -> Path:
        """Where reports of bugs go: $TMPDIR."""
        return self.folder / "temporary"

    def prepare(self) -> None:
        """Make the folders and the keystore."""
        self.temporary.mkdir()
        found = keyfile.create_keyfile_json(KEY, PASSPHRASE.encode(), kdf="pbkdf2", iterations=ROUNDS)
        self.keystore.write_text(json.dumps(found))
        self.keystore.chmod(0o600)

    def show(self, channel: str, content: bytes) -> None:
        """Add what a channel has shown."""
        self.channels[channel] = self.channels.get(channel, b"") + content

    def run(
        self, arguments: Sequence[str], passphrase: str | None = PASSPHRASE, *, command: Sequence[str] = PROGRAM
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command without a terminal, the passphrase in a pipe; its processes are watched while it runs."""
        reading, writing = os.pipe()
        os.write(writing, f"{passphrase}\n".encode())
        os.close(writing)
        given = [] if passphrase is None else ["--passphrase-fd", str(reading)]
        process = subprocess.Popen(
            [*command, *arguments, *given],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(reading,),
            cwd=ROOT,
            env=environment(self.home, TMPDIR=str(self.temporary)),
        )
        os.close(reading)
        with watched(self, process.pid):
            out, err = process.communicate(timeout=PATIENCE)
        self.show("stdout", out)
        self.show("stderr", err)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def terminal(self, arguments: Sequence[str], *, command: Sequence[str] = PROGRAM) -> Terminal:
        """The same in a terminal; give it to `ended` afterwards."""
        return Terminal(arguments, self.home, command=command, variables={"TMPDIR": str(self.temporary)})

    def ended(self, terminal: Terminal) -> int:
        """The exit code, once all that the terminal was sent has been taken in."""
        code = terminal.finish()
        self.show("terminal", terminal.raw.encode() + terminal.text.encode())
        return code

    def look(self, pid: int) -> None:
        """Take in the arguments and the environment of a process and of all below it."""
        for one in family(pid):
            for name in ("cmdline", "environ"):
                try:
                    self.show(name, Path(f"/proc/{one}/{name}").read_bytes())
                except OSError:  # it has just ended
                    continue

    def collect(self) -> None:
        """Take in every file that was written, with its name."""
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path != self.keystore:
                self.show(f"file {path.relative_to(self.folder)}", str(path).encode() + path.read_bytes())


class watched:  # noqa: N801 - it reads as a verb
    """While it is entered, a process and its children are looked at again and again."""

    def __init__(self, scene: Scene, pid: int) -> None:
        self.scene, self.pid, self.over = scene, pid, threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)

    def look(self) -> None:
        while not self.over.wait(0.05):
            self.scene.look(self.pid)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *problem: object) -> None:
        self.over.set()
        self.thread.join()


def family(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from family(int(child))


def forms(secret: bytes) -> set[bytes]:
    """Every way in which a secret may be written."""
    text = [secret, repr(secret).encode(), secret.hex().encode(), secret[::-1].hex().encode()]
    number = str(int.from_bytes(secret, "big")).encode()
    coded = [piece for shift in range(3) for piece in base64_forms(secret[shift:])]
    listed = [str(list(secret)).encode(), ",".join(map(str, secret)).encode()]
    words = secret.decode(errors="replace")
    quoted = [json.dumps(words)[1:-1], urllib.parse.quote(words), urllib.parse.quote_plus(words), repr(words)[1:-1]]
    found = {*text, number, *coded, *listed, *(one.encode() for one in quoted)}
    return {one.lower() for one in found} | {secret.hex(" ").encode(), secret.hex(":").encode()}


def base64_forms(piece: bytes) -> list[bytes]:
    """Base64 of what stands anywhere inside longer text: without the end, which depends on what follows."""
    whole = piece[: len(piece) // 3 * 3]
    return [base64.b64encode(whole), base64.urlsafe_b64encode(whole), base64.b32encode(piece[: len(piece) // 5 * 5])]


def parts(form: bytes) -> tuple[bytes, ...]:
    """A form's two ends: a secret that was cut is one, too."""
    return (form,) if len(form) <= 2 * SHORTEST else (form[: len(form) // 2], form[len(form) // 2 :])


SOUGHT = {part for secret in (KEY, PASSPHRASE.encode(), WRONG.encode()) for one in forms(secret) for part in parts(one)}


def leaks(scene: Scene) -> list[str]:
    """The channels in which a secret, or half of one, was found."""
    return [name for name, content in scene.channels.items() if any(one in content.lower() for one in SOUGHT)]


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
