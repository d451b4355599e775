"""A whole node in a process of its own: anvil, with the clock and the mining in the test's hands."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from incident_cli.abi import decode, encode, encode_call, parse_signature
from incident_cli.drills.safe_setup import MULTICALL3, multicall3_code
from incident_cli.evm import Address, Call, checksummed, hex_bytes, to_hex
from incident_cli.transport import HttpEndpoint, Request, RpcError

LISTENING = "Listening on 127.0.0.1:"
READY_SECONDS = 20
MINED_SECONDS = 10
GENESIS = 1_700_000_000
DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


class Refused(Exception):
    """The node refused a request, or a transaction reverted; `data` is the revert data (0x hex) if it gave any."""

    def __init__(self, message: str, data: str = "") -> None:
        super().__init__(message)
        self.data = data


class Anvil:
    """A context manager around one anvil. Every account of `accounts` is rich and unlocked; so is any other sender.

    Each block comes `seconds_per_block` after the one before, whatever the wall clock says. With `automine` a sent
    transaction has its block at once; without, `submit` leaves it in the pool until `mine`.
    """

    def __init__(
        self,
        executable: Path,
        *,
        chain_id: int = 31_337,
        timestamp: int = GENESIS,
        seconds_per_block: int = 12,
        automine: bool = True,
    ) -> None:
        self.chain_id, self.automine = chain_id, automine
        self._seconds_per_block = seconds_per_block
        self._command = [str(executable), "--host", "127.0.0.1", "--port", "0", "--auto-impersonate"]
        self._command += ["--chain-id", str(chain_id), "--timestamp", str(timestamp)]
        self._command += [] if automine else ["--no-mining"]
        self._process: subprocess.Popen[str] | None = None
        self._endpoint: HttpEndpoint | None = None
        self.url = ""
        self.accounts: tuple[Address, ...] = ()

    def __enter__(self) -> Anvil:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=die_with_parent if sys.platform == "linux" else None,
        )
        try:
            self.url = f"http://127.0.0.1:{listening_port(self._process)}/"
            self._endpoint = self.endpoint()
            self.rpc("anvil_setBlockTimestampInterval", self._seconds_per_block)
            self.set_code(MULTICALL3, multicall3_code())
            self.accounts = tuple(checksummed(one) for one in self.rpc("eth_accounts"))
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def returncode(self) -> int | None:
        """How the process ended, or None while it runs."""
        return None if self._process is None else self._process.poll()

    def stop(self) -> None:
        """Kills the process and waits for its end: it has nothing to save."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def endpoint(self, name: str = "anvil") -> HttpEndpoint:
        """A client of its own for this node."""
        return HttpEndpoint(self.url, name=name, connect_seconds=2, read_seconds=20)

    def rpc(self, method: str, *params: Any) -> Any:
        """One request's result; raises Refused."""
        assert self._endpoint is not None, "use Anvil as a context manager"
        (answer,) = self._endpoint.exchange([Request(method, params)])
        if isinstance(answer, RpcError):
            raise Refused(answer.message, answer.data)
        return answer

    def submit(self, sender: Address, to: Address | None, data: bytes, value: int = 0) -> str:
        """Sends a transaction and returns its hash; raises Refused where it would revert."""
        transaction = {"from": sender, "data": to_hex(data), "value": hex(value)} | ({"to": to} if to else {})
        gas = int(self.rpc("eth_estimateGas", transaction), 16)
        return str(self.rpc("eth_sendTransaction", {**transaction, "gas": hex(gas * 2)}))  # its block has a later time

    def send(self, sender: Address, to: Address | None, data: bytes, value: int = 0) -> dict[str, Any]:
        """Sends a transaction, mines it and returns its receipt; raises Refused where it reverts."""
        sent = self.submit(sender, to, data, value)
        if not self.automine:
            self.mine()
        receipt = self.receipt(sent)
        if receipt["status"] != "0x1":
            raise Refused(f"transaction {sent} reverted")
        return receipt

    def receipt(self, sent: str) -> dict[str, Any]:
        """The receipt of a transaction, as soon as it is mined; raises Refused where that does not happen."""
        deadline = time.monotonic() + MINED_SECONDS
        while time.monotonic() < deadline:
            receipt: dict[str, Any] | None = self.rpc("eth_getTransactionReceipt", sent)
            if receipt is not None:
                return receipt
        raise Refused(f"transaction {sent} was not mined within {MINED_SECONDS} s")

    def call(self, sender: Address, call: Call) -> dict[str, Any]:
        """Sends a call with its value; the receipt."""
        return self.send(sender, call.to, call.data, call.value)

    def transact(self, sender: Address, to: Address, signature: str, *args: object) -> dict[str, Any]:
        """Sends a call written as a human-readable signature; the receipt."""
        return self.send(sender, to, encode_call(parse_signature(signature), args))

    def view(self, to: Address, signature: str, *args: object, block: str = "latest") -> tuple[object, ...]:
        """The decoded outputs of a view call (the signature with its `returns`)."""
        parsed = parse_signature(signature)
        answer = self.rpc("eth_call", {"to": to, "data": to_hex(encode_call(parsed, args))}, block)
        return decode(parsed.output_types, hex_bytes(answer))

    def deploy(
        self, creation: bytes, types: Sequence[str] = (), args: Sequence[object] = (), *, sender: Address | None = None
    ) -> Address:
        """Deploys creation code with its constructor's arguments; the address."""
        receipt = self.send(sender or self.accounts[0], None, creation + encode(list(types), list(args)))
        return checksummed(receipt["contractAddress"])

    def set_code(self, address: Address, code: bytes) -> None:
        """Puts runtime code at an address."""
        self.rpc("anvil_setCode", address, to_hex(code))

    def mine(self, blocks: int = 1, seconds: int | None = None) -> None:
        """Mines blocks, each `seconds` (else the usual interval) after the one before."""
        step = self._seconds_per_block if seconds is None else seconds
        for _ in range(blocks):
            self.mine_at(self.now() + step)

    def mine_at(self, timestamp: int) -> None:
        """Mines one block with this time, which must not lie before the head's."""
        self.rpc("evm_setNextBlockTimestamp", timestamp)
        self.rpc("evm_mine")

    def now(self) -> int:
        """The time of the latest block."""
        return int(self.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def snapshot(self) -> str:
        """Everything as it stands, to revert to once."""
        return str(self.rpc("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Back to a snapshot, which is spent by it; raises Refused where it is not known."""
        if self.rpc("evm_revert", snapshot) is not True:
            raise Refused(f"there is no snapshot {snapshot}")


def listening_port(process: subprocess.Popen[str]) -> int:
    """The port that the node chose, as soon as it says that it listens; raises Refused with its words if it never does.

    What it prints later is read and dropped, so that a full pipe never stops it.
    """
    assert process.stdout is not None
    deadline = threading.Timer(READY_SECONDS, process.kill)
    deadline.start()
    said: list[str] = []
    for line in process.stdout:
        said.append(line)
        if line.startswith(LISTENING):
            deadline.cancel()
            threading.Thread(target=drain, args=(process,), daemon=True).start()
            return int(line.removeprefix(LISTENING))
    deadline.cancel()
    raise Refused(f"anvil ended, or did not listen within {READY_SECONDS} s: {''.join(said)[-1_000:]}")


def drain(process: subprocess.Popen[str]) -> None:
    """Reads what nobody wants."""
    assert process.stdout is not None
    with process.stdout as pipe:
        for _ in pipe:
            pass


def die_with_parent() -> None:
    """Asks Linux to kill this process with its parent, should the tests be killed."""
    ctypes.CDLL(None).prctl(DIES_WITH_PARENT, 9)
