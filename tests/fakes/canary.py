"""A known key and a known passphrase, and the search for them in everything that a command leaves.

A `Scene` runs a command with them and takes in every channel: arguments and environment of its processes, stdout,
stderr, what a terminal was sent, and every file below its folder. `leaks` names the channels in which a secret was
found, whole or cut, in any form a secret takes.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eth_keyfile import keyfile

from tests.fakes.terminal import ROOT, Terminal, environment

PROGRAM = (sys.executable, "-m", "tests.fakes.signing_program")
KEY = bytes.fromhex("c0ffee01d15ea5e0c0dedbadcafe0b5e55edbeefdeadfa11ab1eba5eba11fee1")
PASSPHRASE = 'Canary "Pässphrase" 7f3a/92?'
WRONG = "Another Canary 51c0"
ROUNDS = 1_024
SHORTEST = 12  # characters of a form that are sought: a part of a secret is one, too
PATIENCE = 45


@dataclass(slots=True)
class Scene:
    """A folder with a keystore, a home for incidents, one for temporary files; and what every channel has shown."""

    folder: Path
    key: bytes = KEY
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
        self.temporary.mkdir(parents=True, exist_ok=True)
        found = keyfile.create_keyfile_json(self.key, PASSPHRASE.encode(), kdf="pbkdf2", iterations=ROUNDS)
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

    def attended(self, arguments: Sequence[str], answer: Callable[[str], str], *, size: tuple[int, int]) -> int:
        """Run a command in a terminal whose every question is answered by its text; the exit code."""
        with Terminal(
            arguments, self.home, size=size, command=PROGRAM, variables={"TMPDIR": str(self.temporary)}
        ) as terminal:
            deadline = time.monotonic() + PATIENCE
            while terminal.read(0.2):
                assert time.monotonic() < deadline, f"it does not end:\n{terminal.text}"
                if terminal.questions() > terminal.answered:
                    question = [line for line in terminal.lines if line.startswith("> ")][-1]
                    terminal.answered += 1
                    self.look(terminal.child.pid)
                    terminal.child.send(answer(question) + "\r")
            return self.ended(terminal)

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


def leaks(scene: Scene) -> list[str]:
    """The channels in which a secret, or half of one, was found."""
    secrets = (scene.key, PASSPHRASE.encode(), WRONG.encode())
    sought = {part for secret in secrets for one in forms(secret) for part in parts(one)}
    return [name for name, content in scene.channels.items() if any(one in content.lower() for one in sought)]
