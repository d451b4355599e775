"""A drill that serves its chain in one terminal, a live response to it in another, and web3.py beside both."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from web3 import HTTPProvider, Web3

from tests.cli.command import incidents
from tests.fakes.terminal import Terminal

URL = re.compile(r"serving chain 31337 at (http://127\.0\.0\.1:\d+)")


def walk_until_asked(terminal: Terminal, chain: Any) -> None:
    """Mine one block for every sample that says PENDING, so that nobody waits for the ticking clock."""
    mined = 0
    while terminal.questions() == 0:
        if terminal.text.count("PENDING  block") > mined:
            mined += 1
            chain.provider.make_request("evm_increaseTime", [12])
            chain.provider.make_request("evm_mine", [])
        assert terminal.read(0.5), terminal.text


def test_respond_to_a_served_drill(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "drill", tmp_path / "live"
    with Terminal(["drill", "--serve", "0"], theirs) as drill:
        drill.wait_for_question("yes or no")
        said = drill.text
        found = URL.search(said)
        assert found is not None, said
        deployment = next(theirs.glob("*/deployment.yaml"))
        assert "deployment file:" in said and "from another terminal:" in said
        command = "".join(drill.lines)
        assert f"--deployment {deployment} --market ETH-USD" in command
        chain: Any = Web3(HTTPProvider(found[1]))
        assert (chain.eth.chain_id, chain.eth.block_number > 1) == (31337, True)
        path = respond(deployment, ours, chain)
        agrees_with_the_chain(path, chain)
        drill.answer("yes", "yes or no")
        drill.answer("ETH-USD", "type it")
        drill.wait_for_question("answer")
        assert f"│   {path.stem}" in drill.text
        is_proven(ours)
        drill.answer("stop", "answer")
        assert drill.finish() == 5
        port = found[1].rpartition(":")[2]
        assert f"incident drill --resume {incidents(theirs)[0]} --serve {port}" in drill.text


def is_proven(home: Path) -> None:
    """As the README says: the drill's owners executed the same hash, so the resumed response proves it."""
    with Terminal(["respond", "--resume"], home) as terminal:
        terminal.wait_for_question("answer")
        assert "contained: block" in terminal.text
        terminal.answer("stop", "answer")
        assert terminal.finish() == 5


def respond(deployment: Path, home: Path, chain: Any) -> Path:
    """Walk to the proposal: exit 5, waiting for signatures, and the file."""
    arguments = ["respond", "oracle-divergence", "--deployment", str(deployment), "--market", "ETH-USD"]
    with Terminal(arguments, home) as terminal:
        walk_until_asked(terminal, chain)
        assert "LIVE" in terminal.text and "DRILL" not in terminal.text
        terminal.answer("yes", "yes or no")
        terminal.answer("ETH-USD", "type it")
        assert terminal.finish() == 5, terminal.text
        assert f"incident respond --resume {incidents(home)[0]}" in terminal.text
    (path,) = home.glob("*/proposals/*.json")
    return path


def agrees_with_the_chain(path: Path, chain: Any) -> None:
    """The Safe at the other end of web3.py hashes the proposal to the same, and has not executed anything."""
    proposal = json.loads(path.read_text())
    tx = proposal["safe_tx"]
    types = ["address", "uint256", "bytes", "uint8", "uint256", "uint256", "uint256", "address", "address", "uint256"]
    names = ("safeTxGas", "baseGas", "gasPrice")
    values = [tx["to"], int(tx["value"]), bytes.fromhex(tx["data"][2:]), tx["operation"]]
    values += [*(int(tx[name]) for name in names), tx["gasToken"], tx["refundReceiver"], tx["nonce"]]
    selector = Web3.keccak(text=f"getTransactionHash({','.join(types)})")[:4]
    answer = chain.eth.call({"to": tx["safe"], "data": selector + chain.codec.encode(types, values)})
    assert "0x" + bytes(answer).hex() == proposal["safe_tx_hash"] == path.stem
    nonce = chain.eth.call({"to": tx["safe"], "data": Web3.keccak(text="nonce()")[:4]})
    assert int.from_bytes(nonce, "big") == tx["nonce"] == 0
