"""Forks without a chain: what stands in front of a contract, the scenario file, and the process and its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.abi import encode, encode_call, parse_signature
from incident_cli.drills.accounts import Order, account, created_address
from incident_cli.drills.artefacts import artefact
from incident_cli.drills.engine import Engine
from incident_cli.drills.engine_values import Reverted
from incident_cli.drills.fork import Fork
from incident_cli.drills.fork_script import find_fork_script, is_fork_script, load_fork_script
from incident_cli.drills.injecting import shown
from incident_cli.drills.injection import scaled_by, with_part
from incident_cli.drills.interceptor import LONGEST_ANSWER, forwarder, interceptor
from incident_cli.drills.relay import Relay
from incident_cli.drills.script import find_script
from incident_cli.errors import Misused, Unread
from incident_cli.evm import Address
from incident_cli.transport import Json, Request, RpcError

PROC = Path("/proc")
PLAIN, FRONT, COPY = (Address("0x" + digit * 40) for digit in "123")
REPORTER, STRANGER = account(1, "reporter"), account(1, "stranger")
BALANCES = {REPORTER.address: 10**24, STRANGER.address: 10**24}
VIEWS = ("decimals()", "reporter()", "description()", "latestRoundData()", "version()", "missing()")
GOOD = """\
schema: incident-fork-scenario/v1
id: good
title: Somebody else owns it
runbook: vault-emergency
intended: contained
inject:
  - {answer: "vault.owner()", value: "0x2222222222222222222222222222222222222222"}
  - {storage: {slot: vault, address: vault, position: "0x2", value: "0xff"}, at_block: 3}
  - {feed: feed, answer: "3500.25", age: 1h}
  - {change: code, slot: vault}
params: {new_limit: "7"}
answers: {declare: "yes"}
"""


def feed_code() -> bytes:
    """The drill's price feed as it runs, with its reporter built into the code."""
    engine = Engine(seed=1, chain_id=1, genesis_time=10**9, balances=BALANCES)
    creation = artefact("price_feed").creation((REPORTER.address, "ETH / USD"))
    engine.mine([REPORTER.transaction(Order(1, 0, None, creation, 8_000_000))])
    return engine.code(created_address(REPORTER.address, 0))


CODE = feed_code()


def engine_with(front: bytes) -> Engine:
    """The feed by itself, and the feed behind other code."""
    codes = {PLAIN: CODE, FRONT: front, COPY: CODE}
    return Engine(seed=1, chain_id=1, genesis_time=10**9, balances=BALANCES, codes=codes)


def said(engine: Engine, to: Address, data: bytes) -> tuple[str, bytes]:
    """How a call ends, and with what."""
    try:
        return "answered", engine.call(to, data, sender=STRANGER.address)
    except Reverted as reverted:
        return "reverted", reverted.data


def asked(text: str, *args: object) -> bytes:
    """Calldata."""
    return encode_call(parse_signature(text), args)


pushes = st.lists(st.tuples(st.booleans(), st.integers(-(2**200), 2**200)), max_size=4)
calldata = st.one_of(
    st.sampled_from([asked(one) for one in VIEWS]),
    st.builds(lambda number: asked("getRoundData(uint80)", number), st.integers(0, 6)),
    st.binary(max_size=100),
)


@settings(max_examples=40, deadline=None)
@given(pushes, calldata, st.binary(max_size=200), st.lists(calldata, max_size=6))
def test_one_call_is_answered_and_everything_else_works_on(
    pushed: list[tuple[bool, int]], wanted: bytes, answer: bytes, others: list[bytes]
) -> None:
    engine = engine_with(interceptor(COPY, wanted, answer))
    for honest, value in pushed:
        sender, data = (REPORTER if honest else STRANGER), asked("push(int256)", value)
        nonce = engine.nonce(sender.address)
        sent = [
            sender.transaction(Order(1, nonce + place, to, data, 500_000)) for place, to in enumerate((PLAIN, FRONT))
        ]
        plain, front = engine.mine(sent).receipts
        if data != wanted:
            assert plain.status == front.status == (1 if honest else 0)
            assert [(one.topics, one.data) for one in plain.logs] == [(one.topics, one.data) for one in front.logs]
            assert {one.address for one in front.logs} <= {FRONT}
    assert said(engine, FRONT, wanted) == ("answered", answer)
    for data in (*others, *(asked(one) for one in VIEWS)):
        if data != wanted:
            assert said(engine, FRONT, data) == said(engine, PLAIN, data)


def test_other_code_that_does_the_same() -> None:
    engine = engine_with(forwarder(COPY))
    for place, to in enumerate((PLAIN, FRONT)):
        engine.mine([REPORTER.transaction(Order(1, place, to, asked("push(int256)", 7), 500_000))], 10**9 + 12 + place)
    answered = [said(engine, to, asked("latestRoundData()")) for to in (PLAIN, FRONT)]
    assert [one[1][32:64] for one in answered] == [encode(["int256"], (7,))] * 2
    assert said(engine, FRONT, asked("push(int256)", 8)) == said(engine, PLAIN, asked("push(int256)", 8))
    assert said(engine, FRONT, asked("push(int256)", 8))[0] == "reverted"


def test_an_answer_that_is_too_long_is_refused() -> None:
    assert interceptor(COPY, b"", bytes(LONGEST_ANSWER))
    with pytest.raises(ValueError, match="at most"):
        interceptor(COPY, b"", bytes(LONGEST_ANSWER + 1))


def test_one_part_of_an_answer_is_another() -> None:
    assert with_part((1, (2, 3), 4), (1, 0), 9) == (1, (9, 3), 4)
    assert with_part((1, 2), (1,), 9) == (1, 9)


def test_a_price_in_a_feed_s_units() -> None:
    from decimal import Decimal

    assert scaled_by(Decimal("3500.25"), 8) == 350_025_000_000
    assert scaled_by(Decimal("-0.5"), 1) == -5
    with pytest.raises(Misused, match="has more"):
        scaled_by(Decimal("0.125"), 2)


def written(folder: Path, text: str, name: str = "good") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


def test_a_scenario_is_read_as_it_is_written(tmp_path: Path) -> None:
    scenario = load_fork_script(written(tmp_path, GOOD)).scenario
    view, storage, feed, change = scenario.inject
    assert (view.answer, view.at_block, view.feed) == ("vault.owner()", 1, None)
    assert storage.storage is not None
    assert (storage.storage.position, storage.storage.value, storage.at_block) == ("0x2", "0xff", 3)
    assert (feed.feed, feed.answer, feed.age) == ("feed", "3500.25", 3_600)
    assert (change.change, change.slot) == ("code", "vault")
    assert (scenario.params, scenario.answers) == ({"new_limit": "7"}, {"declare": "yes"})


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{}", "exactly one of"),
        ('{answer: "vault.owner()"}', "go together"),
        ('{value: "1", change: code, slot: vault}', "go together"),
        ("{feed: feed}", "feed needs answer"),
        ('{feed: feed, answer: "much"}', "a price such as 3500.25"),
        ('{feed: feed, answer: "1", value: "1"}', "go together"),
        ("{change: code}", "go together"),
        ("{change: storage, slot: vault}", "must be one of code, implementation"),
        ('{answer: "vault.owner()", value: "1", age: 1h}', "age belongs to feed"),
        ('{answer: "vault.owner()", value: "1", at_block: 0}', "at_block is from 1"),
        ('{storage: {slot: vault, address: vault, position: "2", value: "0x1"}}', "hex digits"),
        ('{answer: "vault.owner()", value: "1", change: code, slot: vault}', "exactly one of"),
    ],
)
def test_a_wrong_entry_is_refused_with_what_is_wrong(tmp_path: Path, entry: str, words: str) -> None:
    head = GOOD.partition("inject:")[0]
    with pytest.raises(Misused, match=words):
        load_fork_script(written(tmp_path, f"{head}inject: [{entry}]\n"))


def test_the_id_is_the_file_s_name(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="wrong-name"):
        load_fork_script(written(tmp_path, GOOD, "other"))


def test_the_runbook_s_own_scenario_is_found_by_its_name(tmp_path: Path) -> None:
    assert find_fork_script(tmp_path, "vault-emergency", None) is None
    own = written(tmp_path, GOOD.replace("id: good", "id: vault-emergency-fork"), "vault-emergency-fork")
    other, unlike = written(tmp_path, GOOD), written(tmp_path, "schema: incident-scenario/v1\n", "embedded")
    found = find_fork_script(tmp_path, "vault-emergency", None)
    assert found is not None and found.path == own
    for wanted in ("good", str(other)):
        found = find_fork_script(tmp_path, "vault-emergency", wanted)
        assert found is not None and found.path == other
    with pytest.raises(Misused, match="did you mean 'good'") as caught:
        find_fork_script(tmp_path, "vault-emergency", "god")
    assert "good, vault-emergency-fork" in caught.value.hint
    assert [is_fork_script(one) for one in (own, unlike, tmp_path / "missing.yaml")] == [True, False, False]


def test_a_drill_on_the_embedded_chain_passes_over_scenarios_of_forks(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    with pytest.raises(Misused, match="no scenario rehearses"):
        find_script(tmp_path, "vault-emergency", None)
    with pytest.raises(Misused, match="is a scenario of a fork drill"):
        find_script(tmp_path, "vault-emergency", "good")


def script(folder: Path, text: str) -> str:
    """A program in anvil's place."""
    path = folder / "anvil"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_the_last_words_of_an_anvil_that_does_not_fork_hold_no_key_and_no_control_characters(tmp_path: Path) -> None:
    url = "https://node.example/v2/0123456789abcdef"
    said_by_it = f"Error: \\033[31mcould not reach {url} or https://user:key@else.example/key"
    fork = Fork(script(tmp_path, f"printf '{said_by_it}\\n' >&2; exit 1"), url, 5, "ethereum")
    with pytest.raises(Unread, match="ethereum could not be forked") as caught, fork:
        pass
    message = caught.value.message
    assert "could not reach" in message
    assert not any(one in message for one in ("0123456789abcdef", "key@", "/key", "\x1b"))
    assert fork.process_id is None


def test_what_cannot_be_run_is_no_anvil(tmp_path: Path) -> None:
    fork = Fork(str(tmp_path / "missing"), "http://127.0.0.1:1/", 5, "ethereum")
    with pytest.raises(Misused, match="cannot be run as anvil") as caught, fork:
        pass
    assert "npm install -g @foundry-rs/anvil" in caught.value.hint


WRAPPED = 'sleep 600 & echo $! > "$0.pid"; echo "Listening on 127.0.0.1:1"; wait'
DYING = """
import os, sys
from incident_cli.drills.fork import Fork
with Fork(sys.argv[1], "http://127.0.0.1:1/", 5, "ethereum") as fork:
    print(fork.process_id, flush=True)
    os.kill(os.getpid(), 9)
"""


def is_running(process: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return not state_of(process).startswith("Z")


def state_of(process: int) -> str:
    """R, S, Z and so on: the kernel's own word, or that of ps where there is no /proc."""
    if PROC.is_dir():
        try:
            return (PROC / str(process) / "stat").read_text().rpartition(")")[2].strip()
        except OSError:
            return "Z"
    listed = ["ps", "-o", "stat=", "-p", str(process)]
    return subprocess.run(listed, capture_output=True, text=True, check=False).stdout.strip() or "Z"


def command_lines() -> str:
    """What everybody on the machine may see of every process."""
    if not PROC.is_dir():
        return subprocess.run(["ps", "-ww", "-eo", "args="], capture_output=True, text=True, check=True).stdout
    found: list[str] = []
    for path in PROC.glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return "\n".join(found)


def ends(process: int) -> bool:
    """Whether a process is gone within a while."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not is_running(process):
            return True
        time.sleep(0.01)
    return False


def wrapped(path: str) -> int:
    """The process that the stand-in started, as npm's anvil is a program that starts the real one."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        text = Path(f"{path}.pid").read_text() if Path(f"{path}.pid").exists() else ""
        if text.strip():
            return int(text)
    raise AssertionError("it never started")


def test_a_fork_ends_with_its_drill_and_what_it_started_too(tmp_path: Path) -> None:
    path = script(tmp_path, WRAPPED)
    with Fork(path, "http://127.0.0.1:1/", 5, "ethereum") as fork:
        process, inner = fork.process_id, wrapped(path)
        assert process is not None and is_running(process) and is_running(inner)
    assert ends(process) and ends(inner)


def test_a_fork_ends_with_a_drill_that_was_killed(tmp_path: Path) -> None:
    path = script(tmp_path, WRAPPED)
    done = subprocess.run([sys.executable, "-c", DYING, path], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert ends(int(done.stdout)) and ends(wrapped(path))


class Recording:
    """A node that writes down what it is asked."""

    name = "node"

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        """Answers with the parameters, an error, or fails as a whole."""
        self.asked += requests
        (request,) = requests
        if request.method == "eth_call":
            return [RpcError(3, "execution reverted", "0x1234")]
        if request.method == "eth_getLogs":
            raise Unread("node did not answer within 5 s")
        return [list(request.params)]


def relayed(relay: Relay, body: object) -> Any:
    """The reply to a body."""
    return json.loads(relay.handle(json.dumps(body).encode()))


def test_a_relay_passes_on_what_reads() -> None:
    node = Recording()
    relay, base = Relay(node), {"jsonrpc": "2.0", "id": 4}
    assert relayed(relay, {**base, "method": "eth_getCode", "params": ["0x1", "latest"]})["result"] == ["0x1", "latest"]
    assert relayed(relay, {**base, "method": "eth_call", "params": []})["error"] == {
        "code": 3,
        "message": "execution reverted",
        "data": "0x1234",
    }
    failed, blocks = relayed(relay, [{**base, "method": "eth_getLogs"}, {**base, "id": 5, "method": "eth_blockNumber"}])
    assert (failed["error"]["code"], failed["id"], blocks["id"], blocks["result"]) == (-32_005, 4, 5, [])


@pytest.mark.parametrize(
    "method",
    ["eth_sendRawTransaction", "eth_sendTransaction", "anvil_setCode", "evm_mine", "eth_sign", "personal_x", 7],
)
def test_a_relay_never_sends_anything(method: object) -> None:
    node = Recording()
    assert relayed(Relay(node), {"id": 1, "method": method, "params": []})["error"]["code"] == -32_601
    assert node.asked == []


def test_a_relay_answers_nonsense_with_an_error() -> None:
    relay = Relay(Recording())
    assert json.loads(relay.handle(b"{"))["error"]["code"] == -32_700
    assert relayed(relay, 7)["error"]["code"] == -32_600
    assert relayed(relay, {"id": 1, "method": "eth_call", "params": {"a": 1}})["error"]["code"] == -32_602


def test_values_are_shown_as_they_are_written() -> None:
    assert shown((True, b"\x01\xff", (7, "x"))) == "[true, 0x01ff, [7, x]]"
