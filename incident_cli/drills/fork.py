"""A fork: anvil in a process of its own, on a copy of a real chain at one block, with the clock in the drill's hands.

It listens on 127.0.0.1 alone, and ends with the drill: by its own hand, and by a guard in its process group that
kills the group as soon as this process is gone, however it went.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from incident_cli.chain.batch import head
from incident_cli.document import masked
from incident_cli.drills.live_world import WHOLE_BLOCKS
from incident_cli.errors import Misused, Unread
from incident_cli.evm import Address, Block, to_hex
from incident_cli.text import plain
from incident_cli.transport import HttpEndpoint, Request, RpcError

LISTENING = "Listening on 127.0.0.1:"
READY_SECONDS = 60
BLOCK_SECONDS = 12
LAST_WORDS = 600  # characters of what anvil said before it ended
FLAGS = ("--host", "127.0.0.1", "--port", "0", "--auto-impersonate", "--no-mining", "--no-storage-caching")
GUARD = ("sh", "-c", "cat >/dev/null; kill -9 0")  # its input ends with the process that started it
RICH = hex(10**24)  # wei
GET_ANVIL = "npm install -g @foundry-rs/anvil, or set INCIDENT_ANVIL to the path of an anvil"


def require_anvil(executable: str | None) -> str:
    """The anvil; raises Misused saying how to get one."""
    if executable is None:
        raise Misused("a fork needs anvil, and there is none on PATH", GET_ANVIL)
    return executable


class Fork:
    """A context manager around one anvil on a copy of the chain behind `url` at `block` (a number).

    `url` is seen by whoever lists the processes: give a relay's. Each block comes 12 s after the one before; `listener`
    is told of each block before anybody reads it. Raises Misused where it cannot be run, Unread where it does not fork.
    """

    def __init__(self, executable: str, url: str, block: int, chain: str) -> None:
        self.chain, self.block = chain, block
        self.listener: Callable[[Block], None] | None = None
        self._secret = url
        self._newest: Block | None = None  # nobody else mines
        self._command = [executable, *FLAGS, "--fork-url", url, "--fork-block-number", str(block)]
        self._process: subprocess.Popen[str] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> Fork:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the anvil that the operator named
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                process_group=0,
            )
        except OSError as problem:
            reason = problem.strerror or type(problem).__name__
            raise Misused(f"{plain(Path(self._command[0]))} cannot be run as anvil: {reason}", GET_ANVIL) from problem
        try:
            group = self._process.pid
            self._guard = subprocess.Popen(GUARD, stdin=subprocess.PIPE, process_group=group)  # noqa: S603 - fixed words
            self.url = f"http://127.0.0.1:{self._port(self._process)}/"
            self.endpoint = HttpEndpoint(self.url, name="the fork", connect_seconds=2, read_seconds=60)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def process_id(self) -> int | None:
        """The process, while there is one."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def stop(self) -> None:
        """Kill the whole group and wait for its end: there is nothing to save."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._guard is not None:
            self._guard.wait()
            if self._guard.stdin is not None:
                self._guard.stdin.close()

    def _port(self, process: subprocess.Popen[str]) -> int:
        """The port that anvil chose, once it listens; raises Unread with its last words."""
        assert process.stdout is not None
        deadline = threading.Timer(READY_SECONDS, process.kill)
        deadline.start()
        said: list[str] = []
        try:
            for line in process.stdout:
                said.append(line)
                if line.startswith(LISTENING):
                    threading.Thread(target=drain, args=(process,), daemon=True).start()
                    return int(line.removeprefix(LISTENING))
        finally:
            deadline.cancel()
        words = plain(masked(" ".join(" ".join(said).replace(self._secret, "the node").split()))[-LAST_WORDS:])
        raise Unread(f"{self.chain} could not be forked: {words or 'anvil ended'}", "try again, or name another node")

    def rpc(self, method: str, *params: Any) -> Any:
        """One request's result; raises Unread where the fork refuses it."""
        (answer,) = self.endpoint.exchange([Request(method, params)])
        if isinstance(answer, RpcError):
            raise Unread(f"the fork refused {method}: {plain(answer.message, 300)}", "begin a new drill")
        return answer

    def head(self) -> Block:
        """Its newest block."""
        return head(self.endpoint, self.chain)

    def advance(self, seconds: int) -> None:
        """Let time pass: block by block while it is short, else in one leap."""
        if seconds > WHOLE_BLOCKS * BLOCK_SECONDS:
            self.mine(seconds)
            return
        for _ in range(max(1, -(-seconds // BLOCK_SECONDS))):
            self.mine(BLOCK_SECONDS)

    def mine(self, seconds: int) -> Block:
        """One block, so many seconds after the one before."""
        before = self._newest or self.head()
        self.rpc("evm_mine", before.timestamp + seconds)
        made = self._newest = self.head()
        if self.listener is not None:
            self.listener(made)
        return made

    def send(self, sender: Address, to: Address, data: bytes) -> str:
        """A transaction of an impersonated sender, in a block of its own; its hash. Raises Unread where it reverts."""
        self.rpc("anvil_setBalance", sender, RICH)
        transaction = {"from": sender, "to": to, "data": to_hex(data)}
        gas = int(self.rpc("eth_estimateGas", transaction), 16)
        sent = str(self.rpc("eth_sendTransaction", {**transaction, "gas": hex(gas * 2)}))
        self.mine(BLOCK_SECONDS)
        return sent

    def code(self, address: Address) -> str:
        """The code at an address (0x hex)."""
        return str(self.rpc("eth_getCode", address, "latest"))

    def set_code(self, address: Address, code: str) -> None:
        """Put runtime code at an address."""
        self.rpc("anvil_setCode", address, code)

    def word(self, address: Address, position: str) -> str:
        """A word of storage (0x and 64 hex digits)."""
        return str(self.rpc("eth_getStorageAt", address, position, "latest")).lower()

    def set_word(self, address: Address, position: str, value: str) -> None:
        """Write a word of storage."""
        self.rpc("anvil_setStorageAt", address, position, value)


def drain(process: subprocess.Popen[str]) -> None:
    """Read what nobody wants, so that a full pipe never stops it."""
    assert process.stdout is not None
    with suppress(ValueError, OSError), process.stdout as pipe:
        for _ in pipe:
            pass
