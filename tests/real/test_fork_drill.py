"""Fork drills: a real Safe and OpenZeppelin's contracts on one anvil, forked by another, and untouched by it."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from incident_cli.abi import encode, encode_call, parse_signature, selector_of
from incident_cli.drills.artefacts import artefact
from incident_cli.drills.fork import Fork
from incident_cli.drills.injecting import injections
from incident_cli.drills.injection import (
    AnswerInjection,
    CodeInjection,
    FeedInjection,
    ImplementationInjection,
    Injection,
    StorageInjection,
    Undo,
    view,
)
from incident_cli.errors import Misused, Unread
from incident_cli.evm import Address, CallRead, hex_bytes, to_hex
from incident_cli.flows.desk import Rehearsed
from incident_cli.flows.drill import People
from incident_cli.flows.fork.drill import ForkOrder, begin, forked, on_fork, plan_fork
from incident_cli.flows.fork.drill import run as run_drill
from incident_cli.flows.fork.report import exit_code, report
from incident_cli.flows.init import InitOrder, initialise
from incident_cli.flows.last_drills import last_drills
from incident_cli.incident.events import Kind
from incident_cli.runbook.bind import runbook_hash
from incident_cli.runbook.first_deployment import Where
from incident_cli.transport import Json, Request, RpcError
from tests.cli.command import Ended, run
from tests.contracts.openzeppelin import BUILD, DAY, HOUR, SUPPLY, OpenZeppelin, build_openzeppelin
from tests.contracts.packages import Packages
from tests.contracts.safes import Safe2of3, build_safe
from tests.contracts.solidity import artifact
from tests.drills.test_fork import command_lines, ends, is_running
from tests.fakes.anvil import Anvil
from tests.fakes.desk import FakeClock, RecordingScreen
from tests.fakes.node import Node, closed_port, serving
from tests.fakes.terminal import Terminal

CHAIN_ID = 31_337
PRICE, DECIMALS = 2_000_00000000, 8
LIMIT_POSITION = "0x2"  # ManagedVault: the authority with both flags, the deposits, the limit
ROUND = "latestRoundData() returns (uint80, int256, uint256, uint256, uint80)"
COIN = """\
protocol: own-coin
source: "our/coin: pause, unpause, paused, hasRole"
slots: {coin: address, vault: address, feed: address}
reads:
  paused: {on: coin, call: "paused() returns (bool)"}
  supply: {on: coin, call: "totalSupply() returns (uint256)"}
  limit: {on: vault, call: "limit() returns (uint256)"}
  price:
    on: feed
    call: "latestRoundData() returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 inRound)"
    take: answer
  balance: {on: coin, call: "balanceOf(address account) returns (uint256)"}
  may_pause:
    on: coin
    call: "hasRole(bytes32 role, address account) returns (bool)"
    with: {role: "keccak('PAUSER_ROLE')", account: by}
levers:
  stop:
    does: "Stops every transfer of the coin."
    scope: protocol
    on: coin
    call: "pause()"
    expect: {paused: "True"}
    writes: [coin]
    satisfied: paused
    undo: {by: governance, call: "unpause()"}
    role: {when: may_pause}
"""
RUNBOOK = """\
schema: incident/v1
id: coin-stop
title: The coin must be stopped
meta: {owner: coin-oncall, severity: SEV2, status: draft, drill_every: 30d}
params: {market: {type: market}}
slots:
  coin: {protocol: own-coin}
  council: {protocol: safe}
  governance: {protocol: timelock}
checks:
  limit_raised: {kind: invariant, holds: "coin.limit() <= 5000", false_positives: ["Governance announced it."]}
  price_moved: {kind: invariant, holds: "coin.price() <= 300000000000", false_positives: ["A real rally."]}
steps:
  - id: detect
    check: [limit_raised, price_moved]
    retry: {max: 2, every: 12s}
    on_quiet: goto stand_down
    marks: detected
  - {id: declare, ask: "Is it real?", on_no: goto stand_down, marks: acknowledged}
  - id: stop
    when: firing(limit_raised) or firing(price_moved)
    contain: {by: council, calls: [{lever: coin.stop}]}
  - {id: prove, verify: ["coin.paused() == True"], timeout: 5m, marks: contained}
  - {id: tell, notify: {template: contained, audience: public}}
  - id: reopen
    restore: stop
    by: governance
    requires: "quiet_for(limit_raised, '10m') and quiet_for(price_moved, '10m')"
    marks: recovered
  - {id: stand_down, only_by_goto: true, manual: "Record why.", evidence: text}
"""
SCENARIO = """\
schema: incident-fork-scenario/v1
id: NAME
title: Something is not as it should be
runbook: coin-stop
intended: INTENDED
inject:
  - INJECT
answers: {declare: "ANSWER"}
"""
STOPPABLE = """
paused: public(bool)

@external
def pause():
    assert not self.paused
    self.paused = True

@external
def unpause():
    self.paused = False
"""
WATCHED = {
    "owned": """
owner: public(address)
guardian: public(constant(address)) = COUNCIL

@deploy
def __init__():
    self.owner = msg.sender
""",
    "holding": "totalAssets: public(constant(uint256)) = 0\n",
    "minting": "totalSupply: public(constant(uint96)) = 5\n",
    "plain": "",
    "behind": "",
}
LIMIT = '{storage: {slot: coin, address: vault, position: "0x2", value: "0x1389"}, at_block: 2}'


@dataclass(frozen=True, slots=True)
class Stage:
    """The real chain: the contracts, their council, a feed, and the anvil that forks it."""

    zeppelin: OpenZeppelin
    council: Safe2of3
    feed: Address
    executable: str

    @property
    def anvil(self) -> Anvil:
        """The real chain's node."""
        return self.zeppelin.anvil

    def state(self) -> tuple[object, ...]:
        """Its head and everything that a drill could have changed."""
        head = self.anvil.rpc("eth_getBlockByNumber", "latest", False)
        codes = [self.anvil.rpc("eth_getCode", one, "latest") for one in (self.zeppelin.token, self.feed)]
        limit = self.anvil.rpc("eth_getStorageAt", self.zeppelin.vault, LIMIT_POSITION, "latest")
        owners = [self.anvil.rpc("eth_getBalance", one.address, "latest") for one in self.council.owners]
        nonce = self.anvil.view(self.council.address, "nonce() returns (uint256)")
        return head["hash"], head["stateRoot"], codes, limit, owners, nonce, self.zeppelin.paused(self.zeppelin.token)

    def fork(self) -> Fork:
        """A fork of it, not yet begun."""
        return Fork(self.executable, self.anvil.url, int(self.anvil.rpc("eth_blockNumber"), 16), "real")

    def init(self, home: Path, contract: str, *more: str) -> Ended:
        """`incident init` in the folder itself."""
        given = ["--chain", str(CHAIN_ID), "--rpc", self.anvil.url, "--safe", self.council.address]
        return run(["init", *given, "--contract", contract, *more, "--json"], home / "home", cwd=home)

    def run(self, words: list[str], home: Path, **variables: str) -> Ended:
        """A command that knows where anvil is."""
        return run(words, home / "home", cwd=home, **{"INCIDENT_ANVIL": self.executable, **variables})

    def rehearse(self, runbook: Path, deployment: Path, home: Path) -> tuple[dict[str, Any], int]:
        """A drill without a command, by its rehearsed answers: its object, and its exit code."""
        plan = plan_fork(ForkOrder(str(runbook), deployment))
        people = People(RecordingScreen(), Rehearsed(plan.answers, complete=True))
        with forked(plan, self.executable, lambda name: None) as fork:
            drill = begin(plan, fork, lambda name: None, home, FakeClock(), people)
            run_drill(drill)
            drill.recorder.journal.close()
            return report(drill), exit_code(drill)

    def write(self, folder: Path) -> list[str]:
        """A runbook of our own with its deployment; the words of its drill."""
        (folder / "protocols").mkdir()
        (folder / "drills").mkdir()
        (folder / "protocols" / "own-coin.yaml").write_text(COIN)
        (folder / "coin-stop.yaml").write_text(RUNBOOK)
        at = self.zeppelin
        coin = f'{{coin: "{at.token}", vault: "{at.vault}", feed: "{self.feed}"}}'
        lock = f'{{timelock: "{at.timelock}", proposer: "{at.council}"}}'
        lines = [
            "schema: incident-deployment/v1",
            "name: real",
            f'chains: {{real: {{id: {CHAIN_ID}, rpc: [{{env: UNSET_NODE}}, {{url: "{self.anvil.url}"}}]}}}}',
            "slots:",
            f"  coin: {{chain: real, addresses: {coin}}}",
            f'  council: {{chain: real, addresses: {{safe: "{at.council}"}}}}',
            f"  governance: {{chain: real, addresses: {lock}}}",
            f'markets: {{COIN: {{id: "0x{"11" * 32}"}}}}',
            "pins:",
            f'  - {{name: our feed, chain: real, address: "{self.feed}", codehash: "0x{"22" * 32}"}}',
        ]
        (folder / "real.yaml").write_text("\n".join(lines) + "\n")
        return ["drill", "coin-stop.yaml", "--deployment", "real.yaml", "--fork", "--json"]


def scenario(folder: Path, inject: str, *, intended: str = "contained", answer: str = "yes") -> None:
    """The runbook's own scenario."""
    text = SCENARIO.replace("NAME", "coin-stop-fork").replace("INTENDED", intended)
    text = text.replace("INJECT", inject).replace("ANSWER", answer)
    (folder / "drills" / "coin-stop-fork.yaml").write_text(text)


@pytest.fixture(scope="module")
def stage(packages: Packages) -> Iterator[Stage]:
    """Built once: no drill changes it."""
    with Anvil(packages.anvil, chain_id=CHAIN_ID, timestamp=int(time.time()) - 2 * HOUR) as anvil:
        council = build_safe(anvil)
        zeppelin = build_openzeppelin(anvil, packages, council.address)
        reporter = anvil.accounts[3]
        feed = anvil.deploy(artefact("price_feed").creation((reporter, "COIN / USD")))
        for price in (PRICE - 1, PRICE):
            anvil.transact(reporter, feed, "push(int256 answer)", price)
        anvil.mine(4, seconds=900)
        yield Stage(zeppelin, council, feed, str(packages.anvil))


@pytest.fixture
def fork(stage: Stage) -> Iterator[Fork]:
    """A fork of the real chain."""
    with stage.fork() as fork:
        yield fork


def views(fork: Fork, to: Address, signature: str, *args: object) -> tuple[object, ...]:
    """What a view answers on the fork."""
    return view(fork, to, CallRead(to, parse_signature(signature), args))


def put(fork: Fork, injection: Injection) -> Undo:
    """An injection at the next block."""
    inject = injection.prepare(fork)
    return inject(fork.mine(12))


def test_from_an_empty_folder_to_a_drill_that_contains(stage: Stage, tmp_path: Path) -> None:
    before = stage.state()
    written = stage.init(tmp_path, f"coin={stage.zeppelin.token}")
    assert "drills/coin-emergency-fork.yaml" in written.object["written"]
    command = next(one for one in written.object["next"] if " drill " in one)
    ended = stage.run([*command.split()[1:], "--auto", "--json"], tmp_path)
    assert ended.code == 0, ended.err
    found = ended.object
    assert (found["schema"], found["mode"], found["outcome"]) == ("incident.drill/v1", "fork", "contained")
    assert found["steps"][-2] == {"id": "reopen", "verb": "restore", "outcome": "done"}
    assert (found["signatures"], found["losses"]) == ("impersonated", None)
    assert found["chain"] == {"name": f"chain_{CHAIN_ID}", "id": CHAIN_ID, "block": int(before_block(stage), 16)}
    assert found["unpinned"] == [{"name": "coin", "address": stage.zeppelin.token}]
    assert found["safe"]["threshold"] == 2
    assert len(found["proposals"]) == 2 and all(one["transaction_hash"] for one in found["proposals"])
    assert stage.state() == before
    for words in ("nothing here proves that the real owners would sign", "dropped, the scenario replaces its code"):
        assert words in " ".join(ended.err.split())
    assert "onnection" not in ended.err
    again = stage.run([*command.split()[1:], "--auto", "--json"], tmp_path)
    assert again.code == 0, f"a pull on another fork is no reason to wait: {again.err}"
    linted = stage.run(["runbook", "lint", "coin-emergency.yaml", "--json"], tmp_path)
    assert "drill-overdue" not in linted.out
    assert list(last_drills(tmp_path / "home")) == [opened(found)["runbook_sha256"]]


def before_block(stage: Stage) -> str:
    """The head's number."""
    return str(stage.anvil.rpc("eth_blockNumber"))


def opened(found: dict[str, object]) -> dict[str, object]:
    """What the first record says."""
    first = json.loads(Path(str(found["journal"])).read_text().split("\n")[0])["body"]
    assert first["mode"] == "fork"
    return dict(first["data"])


def test_the_journal_says_what_was_injected_dropped_and_impersonated(stage: Stage, tmp_path: Path) -> None:
    words = stage.write(tmp_path)
    scenario(tmp_path, '{feed: coin, answer: "3500.25", at_block: 2}')
    ended = stage.run([*words, "--auto"], tmp_path)
    assert ended.code == 0, ended.err
    first = opened(ended.object)
    assert first["signatures"] == "impersonated"
    assert first["unpinned"] == [{"name": "our feed", "address": stage.feed}]
    bodies = [json.loads(one)["body"] for one in Path(ended.object["journal"]).read_text().splitlines()]
    (put_there,) = [one for one in bodies if one["kind"] == "injected"]
    assert put_there["block"]["number"] == int(before_block(stage), 16) + 2
    assert put_there["data"]["text"] == "the feed coin answers 3500.25, in new rounds"
    (notice,) = [one["data"]["notice"]["text"] for one in bodies if one["step"] == "tell" and "notice" in one["data"]]
    assert notice.startswith("REHEARSAL: this is a drill")
    assert [one["data"]["impersonated"] for one in bodies if one["kind"] == "signed"] == [True, True, True]
    (injected,) = ended.object["injected"]
    assert injected == {"block": put_there["block"]["number"], "what": put_there["data"]["text"]}
    assert ended.object["metrics"]["time_to_detection"] == {"seconds": 0, "blocks": 0}


def test_a_restore_through_a_time_lock_waits_for_days_of_the_fork_s_time(stage: Stage, tmp_path: Path) -> None:
    words, before = stage.write(tmp_path), stage.state()
    scenario(tmp_path, LIMIT)
    ended = stage.run([*words, "--auto"], tmp_path)
    assert ended.code == 0, ended.err
    outcomes = {one["id"]: one["outcome"] for one in ended.object["steps"]}
    assert (outcomes["detect"], outcomes["stop"], outcomes["reopen"]) == ("firing", "done", "done")
    assert len(ended.object["proposals"]) == 3
    bodies = [json.loads(one)["body"] for one in Path(ended.object["journal"]).read_text().splitlines()]
    executed = [one["block"]["timestamp"] for one in bodies if one["kind"] == "executed"]
    assert executed[2] - executed[1] >= 2 * DAY
    assert stage.state() == before


@pytest.mark.parametrize(
    ("intended", "answer", "outcome", "code"),
    [
        ("stood-down", "no", "stood-down", 0),
        ("stood-down", "yes", "contained", 1),
        ("contained", "no", "stood-down", 6),
    ],
)
def test_the_exit_code_says_whether_it_ended_as_intended(
    stage: Stage, tmp_path: Path, intended: str, answer: str, outcome: str, code: int
) -> None:
    stage.write(tmp_path)
    scenario(tmp_path, LIMIT, intended=intended, answer=answer)
    found, ended = stage.rehearse(tmp_path / "coin-stop.yaml", tmp_path / "real.yaml", tmp_path / "home")
    assert (ended, found["outcome"]) == (code, outcome)
    assert found["verdict"].startswith("Right" if code == 0 else "Wrong")


def test_without_a_scenario_nothing_is_injected_and_that_is_said(stage: Stage, tmp_path: Path) -> None:
    ended = stage.run([*stage.write(tmp_path), "--auto"], tmp_path)
    assert ended.code == 0, ended.err
    assert (ended.object["scenario"], ended.object["intended"], ended.object["injected"]) == (None, None, [])
    assert ended.object["outcome"] == "stood-down"
    assert "nothing is injected" in ended.err


def contract(name: str, council: Address) -> tuple[bytes, str]:
    """A contract that anybody may stop, which shows one more thing by which it can be watched: creation code, ABI."""
    from vyper.compiler import compile_code

    made = compile_code(STOPPABLE + WATCHED[name].replace("COUNCIL", council), output_formats=["abi", "bytecode"])
    return hex_bytes(made["bytecode"]), json.dumps(made["abi"])


@pytest.mark.parametrize("name", ["owned", "holding", "minting", "plain", "behind"])
def test_every_scenario_that_init_writes_trips_its_check_and_is_contained(
    stage: Stage, packages: Packages, tmp_path: Path, name: str
) -> None:
    creation, abi = contract(name, stage.council.address)
    (tmp_path / "abi.json").write_text(abi)
    before = stage.anvil.snapshot()
    address = stage.anvil.deploy(creation)
    if name == "behind":
        proxy = artifact(packages, f"{BUILD}/ERC1967Proxy.json")
        address = stage.anvil.deploy(proxy.creation, proxy.constructor, (address, selector_of("paused()")))
    stage.anvil.mine(4, seconds=900)
    where, abis = Where(CHAIN_ID, stage.anvil.url), {name: tmp_path / "abi.json"}
    done = initialise(InitOrder(where, stage.council.address, {name: address}, abis, tmp_path / "new"))
    assert f"{name}-emergency-fork.yaml" in {Path(one).name for one in done.written}
    deployment = tmp_path / "new" / "deployments" / f"{where.slug}.yaml"
    found, code = stage.rehearse(tmp_path / "new" / f"{name}-emergency.yaml", deployment, tmp_path / "home")
    stage.anvil.revert(before)
    outcomes = {one["id"]: one["outcome"] for one in found["steps"]}
    assert (code, found["outcome"], outcomes["detect"], outcomes["reopen"]) == (0, "contained", "firing", "done")


def test_an_injection_that_trips_nothing_is_said_and_the_drill_is_gone(stage: Stage, tmp_path: Path) -> None:
    words = stage.write(tmp_path)
    scenario(tmp_path, LIMIT.replace("0x1389", "0x1388"))
    ended = stage.run([*words, "--auto"], tmp_path)
    assert ended.code == 2
    assert "what was injected does not trip limit_raised, price_moved" in " ".join(ended.err.split())
    assert "a fork is gone with its process; begin a new one" in " ".join(ended.err.split())
    resumed = stage.run(["drill", "--resume", Path(ended.object["journal"]).parent.name], tmp_path)
    assert resumed.code == 2
    assert "a fork is gone with its process; begin a new one" in " ".join(resumed.err.split())
    listed = stage.run([], tmp_path)
    assert "FORK" in listed.err and "cannot be resumed" in listed.err
    assert json.loads(stage.run(["--json"], tmp_path).out)["incidents"][0]["next"] == ""
    assert not last_drills(tmp_path / "home")
    latest = stage.run(["drill", "--resume"], tmp_path)
    assert (latest.code, "there is no open drill to resume" in latest.err) == (2, True)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ('{answer: "coin.paused()", value: "7"}', "is no bool"),
        ('{answer: "coin.pausd()", value: "true"}', "did you mean 'paused'"),
        ('{answer: "coins.paused()", value: "true"}', "did you mean 'coin'"),
        ('{answer: "coin.balance()", value: "1"}', "takes account"),
        ('{answer: "coin.balance(0x12)", value: "1"}', "neither an address nor a slot"),
        ('{answer: "coin.may_pause()", value: "true"}', "by"),
        ('{answer: "coin.paused", value: "true"}', "is no view"),
        ('{storage: {slot: coin, address: coyn, position: "0x2", value: "0x1"}}', "has no address 'coyn'"),
        ("{change: code, slot: coin}", "has several addresses"),
    ],
)
def test_an_injection_is_held_to_the_protocol_file(stage: Stage, tmp_path: Path, entry: str, problem: str) -> None:
    stage.write(tmp_path)
    scenario(tmp_path, entry)
    plan = plan_fork(ForkOrder(str(tmp_path / "coin-stop.yaml"), tmp_path / "real.yaml"))
    assert plan.script is not None
    with pytest.raises(Misused, match="bad-") as caught:
        injections(plan.script, plan.bound)
    assert problem in caught.value.message


def test_views_take_values_as_the_protocol_s_types_have_them(stage: Stage, tmp_path: Path) -> None:
    stage.write(tmp_path)
    scenario(tmp_path, '{answer: "coin.balance(council)", value: "250_000"}'.replace("_", ""))
    plan = plan_fork(ForkOrder(str(tmp_path / "coin-stop.yaml"), tmp_path / "real.yaml"))
    assert plan.script is not None
    (made,) = injections(plan.script, plan.bound)
    assert isinstance(made, AnswerInjection)
    assert made.words == "coin.balance(council) answers 250000"
    assert (made.read.args, made.value, made.replaces) == ((stage.council.address,), 250_000, stage.zeppelin.token)


def test_what_does_not_fit_the_chain_is_said_before_anything_is_begun(stage: Stage, tmp_path: Path) -> None:
    words = stage.write(tmp_path)
    for entry, problem in (
        ('{feed: coin, answer: "1.123456789"}', "the feed has 8 decimals"),
        ("{change: implementation, slot: council}", "is no proxy"),
    ):
        scenario(tmp_path, entry)
        ended = stage.run([*words, "--auto"], tmp_path)
        assert (ended.code, problem in " ".join(ended.err.split())) == (2, True), ended.err
    assert not list((tmp_path / "home").glob("*"))


def test_only_the_chain_of_the_safe_is_forked(stage: Stage, tmp_path: Path) -> None:
    stage.write(tmp_path)
    path = tmp_path / "real.yaml"
    other = 'other: {id: 5, rpc: [{url: "https://a.example"}, {url: "https://b.example"}], quorum: 2}'
    path.write_text(path.read_text().replace("chains: {real:", f"chains: {{{other}, real:"))
    plan = plan_fork(ForkOrder(str(tmp_path / "coin-stop.yaml"), path))
    bound = on_fork(plan.bound, Fork("anvil", "", 7, "real"))
    assert bound.deployment.chains["other"] == plan.bound.deployment.chains["other"]
    (node,) = bound.deployment.chains["real"].rpc
    assert (node.env, bound.deployment.chains["real"].quorum) == (None, 1)
    assert runbook_hash(bound) == runbook_hash(plan.bound)


def test_the_node_s_url_is_not_among_the_words_that_anvil_is_started_with(stage: Stage, tmp_path: Path) -> None:
    stage.write(tmp_path)
    path, key = tmp_path / "real.yaml", "0123456789abcdef0123456789abcdef"
    with serving(stage.anvil.endpoint()) as node:
        path.write_text(path.read_text().replace(f'{{url: "{stage.anvil.url}"}}', "{env: NODE_WITH_KEY}"))
        plan = plan_fork(ForkOrder(str(tmp_path / "coin-stop.yaml"), path))
        environment = {"NODE_WITH_KEY": f"{node.url}{key}"}.get
        with forked(plan, stage.executable, environment) as fork:
            assert views(fork, stage.feed, "decimals() returns (uint8)") == (DECIMALS,)
            listed = command_lines()
        assert "--fork-url" in listed and key not in listed
        assert any(key in one for one in node.paths)


def test_what_must_be_given_and_what_has_no_place_here(stage: Stage, tmp_path: Path) -> None:
    words = stage.write(tmp_path)
    for given, problem in (
        (["drill", "coin-stop.yaml", "--fork", "--auto"], "needs a RUNBOOK and its --deployment"),
        ([*words, "--auto", "--seed", "7"], "a fork drill has no --seed"),
        ([*(one for one in words if one != "--fork"), "--auto"], "add --fork"),
    ):
        ended = stage.run(given, tmp_path)
        assert (ended.code, problem in " ".join(ended.err.split())) == (2, True), ended.err
    assert stage.run(words, tmp_path).code == 4
    runbook, deployment = str(tmp_path / "coin-stop.yaml"), tmp_path / "real.yaml"
    for order, problem in (
        (ForkOrder(runbook, deployment, scenario="missing"), "there is no scenario 'missing'"),
        (ForkOrder(runbook, deployment, market="OTHER"), "has no market 'OTHER'"),
        (ForkOrder(runbook, deployment, params={"other": "1"}), "'other' is no parameter"),
    ):
        with pytest.raises(Misused, match=problem):
            plan_fork(order)
    two = f'{{A: {{id: "0x{"11" * 32}"}}, B: {{id: "0x{"22" * 32}"}}}}'
    deployment.write_text(re.sub(r"markets: .*", f"markets: {two}", deployment.read_text()))
    with pytest.raises(Misused, match="which market of real") as caught:
        plan_fork(ForkOrder(runbook, deployment))
    assert caught.value.hint == "--market: A, B"
    assert plan_fork(ForkOrder(runbook, deployment, "B")).bound.market.name == "B"


def test_without_anvil_it_is_said_how_to_get_it(stage: Stage, tmp_path: Path) -> None:
    words = stage.write(tmp_path)
    for variables in ({"INCIDENT_ANVIL": "", "PATH": "/nowhere"}, {"INCIDENT_ANVIL": str(tmp_path / "no-anvil")}):
        ended = stage.run([*words, "--auto"], tmp_path, **variables)
        assert ended.code == 2
        said = " ".join(ended.err.split())
        assert "npm install -g @foundry-rs/anvil" in said and "INCIDENT_ANVIL" in said


def test_a_node_that_cannot_be_forked_is_unknown(stage: Stage, tmp_path: Path) -> None:
    words = stage.write(tmp_path)
    path = tmp_path / "real.yaml"
    text = path.read_text()
    path.write_text(text.replace(stage.anvil.url, f"http://127.0.0.1:{closed_port()}/"))
    down = stage.run([*words, "--auto"], tmp_path)
    assert down.code == 3, down.err
    answers: dict[str, Json] = {"eth_chainId": hex(CHAIN_ID)}
    header: Json = stage.anvil.rpc("eth_getBlockByNumber", "latest", False)

    def poor(request: Request) -> Json | RpcError:
        if request.method == "eth_getBlockByNumber" and request.params[:1] == ("latest",):
            return header
        return answers.get(request.method, RpcError(-32_000, "this node\x1b[31m serves no state"))

    with Node(poor) as node:
        path.write_text(text.replace(stage.anvil.url, node.url))
        ended = stage.run([*words, "--auto"], tmp_path)
    assert ended.code == 3, ended.err
    assert "could not be forked" in ended.err and "\x1b[31m" not in ended.err
    answers["eth_chainId"] = "0x1"
    with Node(poor) as node:
        path.write_text(text.replace(stage.anvil.url, node.url))
        other = stage.run([*words, "--auto"], tmp_path)
    assert (other.code, "serves the chain with id 1" in " ".join(other.err.split())) == (1, True)
    assert not list((tmp_path / "home").glob("*"))


@pytest.mark.parametrize("how", ["answered", "interrupted", "killed"])
def test_nothing_of_anvil_is_left_behind(stage: Stage, tmp_path: Path, how: str) -> None:
    words, wrapper, noted = stage.write(tmp_path), tmp_path / "anvil", tmp_path / "process"
    scenario(tmp_path, LIMIT)
    wrapper.write_text(f'#!/bin/sh\necho $$ > {noted}\n{stage.executable} "$@" &\necho $! >> {noted}\nwait\n')
    wrapper.chmod(0o755)
    with Terminal(words, tmp_path / "home", cwd=tmp_path, variables={"INCIDENT_ANVIL": str(wrapper)}) as terminal:
        terminal.wait_for("Is it real?")
        assert "FORK DRILL" in terminal.text
        assert "Something is not as it should be" not in terminal.text, "a person is not told what is wrong"
        processes = [int(one) for one in noted.read_text().split()]
        assert len(processes) == 2 and all(is_running(one) for one in processes)
        if how == "answered":
            terminal.answer("no")
            terminal.answer("It was announced.")
        elif how == "interrupted":
            terminal.interrupt()
        else:
            terminal.child.kill(signal.SIGKILL)
        assert terminal.finish() == {"answered": 6, "interrupted": 130, "killed": -signal.SIGKILL}[how]
    assert all(ends(one) for one in processes)


def test_a_fork_that_is_gone_is_unknown_and_nothing_goes_on(stage: Stage, tmp_path: Path) -> None:
    stage.write(tmp_path)
    scenario(tmp_path, LIMIT)
    plan = plan_fork(ForkOrder(str(tmp_path / "coin-stop.yaml"), tmp_path / "real.yaml"))
    people = People(RecordingScreen(), Rehearsed(plan.answers, complete=True))
    with forked(plan, stage.executable, lambda name: None) as fork:
        drill = begin(plan, fork, lambda name: None, tmp_path / "home", FakeClock(), people)
        fork.stop()
        with pytest.raises(Unread):
            run_drill(drill)
    assert drill.recorder.events[-1].kind is not Kind.CLOSED
    assert report(drill)["proposals"] == []


def test_a_feed_answers_what_is_injected_and_keeps_everything_else(stage: Stage, fork: Fork) -> None:
    real = views(fork, stage.feed, ROUND)
    undo = put(fork, FeedInjection(1, "", stage.feed, Decimal("3500.25"), None))
    first = views(fork, stage.feed, ROUND)
    assert (first[1], first[3]) == (350_025_000_000, fork.head().timestamp)
    assert first[0] == first[4] == int(str(real[0])) + 1
    fork.mine(12)
    second = views(fork, stage.feed, ROUND)
    assert second[3] == fork.head().timestamp and int(str(second[0])) > int(str(first[0]))
    assert views(fork, stage.feed, "decimals() returns (uint8)") == (DECIMALS,)
    assert views(fork, stage.feed, "description() returns (string)") == ("COIN / USD",)
    older = "getRoundData(uint80) returns (uint80, int256, uint256, uint256, uint80)"
    assert views(fork, stage.feed, older, real[0]) == real
    assert views(fork, stage.feed, older, first[0]) == first
    assert views(fork, stage.feed, "latestAnswer() returns (int256)") == (350_025_000_000,)
    with pytest.raises(Unread):
        views(fork, stage.feed, older, int(str(second[0])) + 1)
    undo(fork.mine(12))
    fork.mine(HOUR)
    healed = views(fork, stage.feed, ROUND)
    assert (healed[1], healed[3]) == (PRICE, fork.head().timestamp)
    assert int(str(healed[0])) > int(str(second[0]))


def test_a_feed_of_some_age_grows_older(stage: Stage, fork: Fork) -> None:
    put(fork, FeedInjection(1, "", stage.feed, Decimal("-1"), HOUR))
    updated = fork.head().timestamp - HOUR
    fork.mine(60)
    found = views(fork, stage.feed, ROUND)
    assert (found[1], found[3]) == (-(10**DECIMALS), updated)


def test_a_word_of_storage_is_written_and_put_back_unless_somebody_wrote_it_since(stage: Stage, fork: Fork) -> None:
    limit = "limit() returns (uint256)"
    injection = StorageInjection(1, "", stage.zeppelin.vault, LIMIT_POSITION, "0x1389")
    undo = put(fork, injection)
    assert views(fork, stage.zeppelin.vault, limit) == (5_001,)
    undo(fork.mine(12))
    assert views(fork, stage.zeppelin.vault, limit) == (1_000,)
    undo = put(fork, injection)
    fork.set_word(stage.zeppelin.vault, LIMIT_POSITION, f"0x{7:064x}")
    undo(fork.mine(12))
    assert views(fork, stage.zeppelin.vault, limit) == (7,)
    with pytest.raises(Misused, match="no contract"):
        StorageInjection(1, "", Address("0x" + "77" * 20), "0x0", "0x1").prepare(fork)


def test_views_answer_as_injected_and_the_rest_of_the_contract_works_on(stage: Stage, fork: Fork) -> None:
    token, holder, user = stage.zeppelin.token, stage.zeppelin.admin, stage.zeppelin.user
    code = fork.code(token)
    supply = CallRead(token, parse_signature("totalSupply() returns (uint256)"))
    held = CallRead(token, parse_signature("balanceOf(address) returns (uint256)"), (user,))
    undo = [put(fork, AnswerInjection(1, "", supply, 42)), put(fork, AnswerInjection(1, "", held, 7))]
    assert views(fork, token, "totalSupply() returns (uint256)") == (42,)
    assert views(fork, token, "balanceOf(address) returns (uint256)", user) == (7,)
    assert views(fork, token, "balanceOf(address) returns (uint256)", holder) == (SUPPLY,)
    assert views(fork, token, "symbol() returns (string)") == ("PAUSE",)
    fork.send(holder, token, encode_call(parse_signature("transfer(address,uint256)"), (user, 5)))
    assert views(fork, token, "balanceOf(address) returns (uint256)", holder) == (SUPPLY - 5,)
    pause = encode_call(parse_signature("pause()"), ())
    with pytest.raises(Unread, match="refused eth_estimateGas"):
        fork.send(user, token, pause)
    fork.send(stage.zeppelin.council, token, pause)
    assert views(fork, token, "paused() returns (bool)") == (True,)
    for one in reversed(undo):
        one(fork.mine(12))
    assert fork.code(token) == code
    assert views(fork, token, "balanceOf(address) returns (uint256)", user) == (5,)
    assert views(fork, token, "totalSupply() returns (uint256)") == (SUPPLY,)


def test_of_several_outputs_one_is_another_and_the_rest_stay(stage: Stage, fork: Fork) -> None:
    real = views(fork, stage.feed, ROUND)
    put(fork, AnswerInjection(1, "", CallRead(stage.feed, parse_signature(ROUND), (), "", (1,)), 5))
    assert views(fork, stage.feed, ROUND) == (real[0], 5, *real[2:])


def test_other_code_and_another_implementation_do_the_same(stage: Stage, fork: Fork, packages: Packages) -> None:
    token, code = stage.zeppelin.token, fork.code(stage.zeppelin.token)
    undo = put(fork, CodeInjection(1, "", token))
    assert fork.code(token) != code
    assert views(fork, token, "totalSupply() returns (uint256)") == (SUPPLY,)
    undo(fork.mine(12))
    assert fork.code(token) == code
    with pytest.raises(Misused, match="no proxy"):
        ImplementationInjection(1, "", token).prepare(fork)
    proxy, slot = proxy_on(fork, stage, packages), "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
    inner = fork.word(proxy, slot)
    undo = put(fork, ImplementationInjection(1, "", proxy))
    assert fork.word(proxy, slot) != inner
    assert views(fork, proxy, "paused() returns (bool)") == (False,)
    undo(fork.mine(12))
    assert fork.word(proxy, slot) == inner


def proxy_on(fork: Fork, stage: Stage, packages: Packages) -> Address:
    """A proxy of the vault, put on the fork."""
    made = artifact(packages, f"{BUILD}/ERC1967Proxy.json")
    args = encode(list(made.constructor), [stage.zeppelin.vault, selector_of("paused()")])
    transaction = {"from": stage.zeppelin.admin, "data": to_hex(made.creation + args), "gas": hex(3_000_000)}
    sent = fork.rpc("eth_sendTransaction", transaction)
    fork.mine(12)
    found = fork.rpc("eth_getTransactionReceipt", sent)["contractAddress"]
    assert re.fullmatch(r"0x[0-9a-f]{40}", found) and hex_bytes(fork.code(Address(found)))
    return Address(found)
