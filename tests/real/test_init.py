"""A protocol not in the catalogue, on anvil: its lever, written by `init` or by hand, pauses it through a real Safe."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from incident_cli.abi import selector_of
from incident_cli.checks.contract_state import PROXY_SLOTS
from incident_cli.document import parse_document
from incident_cli.evm import Address
from incident_cli.protocols.catalog import SHIPPED, Catalog
from incident_cli.protocols.protocol import protocol_of
from incident_cli.runbook.abi_file import ABI_LIMIT, ContractAbi, parse_abi
from incident_cli.runbook.abi_stub import Origin, stub
from incident_cli.runbook.bind import bind
from incident_cli.runbook.deployment import load_deployment
from incident_cli.runbook.load import load_runbook
from tests.cli.command import Ended, run
from tests.contracts.openzeppelin import BUILD, HERE, HOUR, PAUSER_ROLE, SOLC, OpenZeppelin, build_openzeppelin
from tests.contracts.packages import Packages
from tests.contracts.refusals import refuses
from tests.contracts.safes import Safe2of3, build_safe
from tests.contracts.solidity import artifact, run_solc, source_name, standard_json
from tests.fakes.anvil import Anvil
from tests.levers.driving import STRANGER, Ground

PAUSED = "EnforcedPause()"
CHAIN_ID = 31_337
QUIET, FIRING = 0, 1
WARNING = re.compile(r'"code": ?"([a-z-]+)"')
IMPLEMENTATION = hex(PROXY_SLOTS["implementation"])
BY_HAND = """\
protocol: our-coin
source: "our/coin, PausableCoin.sol: pause, unpause, paused, hasRole"
slots: {coin: address}
reads:
  paused: {on: coin, call: "paused() returns (bool)"}
  may_pause:
    on: coin
    call: "hasRole(bytes32 role, address account) returns (bool)"
    with: {role: "keccak('PAUSER_ROLE')", account: by}
levers:
  stop:
    does: "Stops every transfer of the coin; balances and approvals stay as they are."
    scope: protocol
    on: coin
    call: "pause()"
    expect: {paused: "True"}
    writes: [coin]
    satisfied: paused
    undo: {call: "unpause()"}
    role: {when: may_pause}
    traps: ["A pause of what is paused reverts."]
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """OpenZeppelin's contracts with their council, and the ABI of the coin as the compiler wrote it."""

    zeppelin: OpenZeppelin
    council: Safe2of3
    abi: str

    def init(self, home: Path, *more: str, contract: str = "") -> Ended:
        """`incident init` of the coin, in the folder `new`."""
        anvil = self.zeppelin.anvil
        given = ["--chain", str(anvil.chain_id), "--rpc", anvil.url, "--safe", self.council.address, *more]
        return run(["init", *given, "--contract", contract or f"coin={self.zeppelin.token}", "--json"], home, cwd=home)

    def judged(self, home: Path, name: str) -> Ended:
        """`incident check` of the runbook in `new`, now."""
        self.zeppelin.anvil.mine_at(max(int(time.time()), self.zeppelin.anvil.now() + 1))
        deployment = f"new/deployments/chain-{CHAIN_ID}.yaml"
        words = ["check", f"new/{name}-emergency.yaml", "--deployment", deployment, "--market", name.upper(), "--json"]
        return run(words, home, cwd=home)

    def ground(self, folder: Path, protocol: str) -> Ground:
        """A protocol file of a folder, at the coin."""
        catalog = Catalog((folder / "protocols", SHIPPED))
        anvil = self.zeppelin.anvil
        return Ground.of(anvil.endpoint(), anvil.chain_id, protocol, {"coin": self.zeppelin.token}, catalog)

    def stops_and_goes_on(self, ground: Ground, lever: str) -> None:
        """The lever pauses the coin through its Safe, a stranger may not, and its undo lets it move again."""
        self.zeppelin.transfer()
        assert "does not hold" in ground.refuses(lever, STRANGER)
        made = ground.pull(lever, self.council.address, self.council.execute)
        with refuses(PAUSED):
            self.zeppelin.transfer()
        ground.undo(made, self.council.execute)
        self.zeppelin.transfer()


@pytest.fixture(scope="module")
def stood_up(packages: Packages) -> Iterator[Stage]:
    """Everything, built once."""
    source = HERE / "PausableCoin.sol"
    compiled = json.loads(run_solc(packages, SOLC, standard_json(packages, source, 200)))
    abi = compiled["contracts"][source_name(packages, source)]["PausableCoin"]["abi"]
    with Anvil(packages.anvil, chain_id=CHAIN_ID, timestamp=int(time.time()) - HOUR) as anvil:
        council = build_safe(anvil)
        yield Stage(build_openzeppelin(anvil, packages, council.address), council, json.dumps({"abi": abi}))


@pytest.fixture
def stage(stood_up: Stage, tmp_path: Path) -> Iterator[Stage]:
    """The contracts as they were built, and the ABI file `Coin.json` in the test's folder."""
    (tmp_path / "Coin.json").write_text(stood_up.abi)
    anvil = stood_up.zeppelin.anvil
    before = anvil.snapshot()
    yield stood_up
    anvil.revert(before)


def test_init_from_the_abi_writes_a_lever_that_pauses_through_the_safe(stage: Stage, tmp_path: Path) -> None:
    ended = stage.init(tmp_path, "--abi", "Coin.json", "--dir", "new")
    assert ended.code == 0, ended.err
    assert sorted(ended.object["written"]) == [
        "new/coin-emergency.yaml",
        f"new/deployments/chain-{CHAIN_ID}.yaml",
        "new/drills/coin-emergency-fork.yaml",
        "new/protocols/coin.yaml",
        "new/tests/coin-emergency.yaml",
    ]
    stage.stops_and_goes_on(stage.ground(tmp_path / "new", "coin"), "pause")


def test_init_in_the_empty_folder_itself_without_an_abi_finds_the_lever_in_the_code(
    stage: Stage, tmp_path: Path
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    ended = stage.init(tmp_path, "--dir", str(folder))
    assert ended.code == 0, ended.err
    ground = stage.ground(folder, "coin")
    assert set(ground.slot.protocol.reads) == {"paused"}
    made = ground.pull("pause", stage.council.address, stage.council.execute)
    with refuses(PAUSED):
        stage.zeppelin.transfer()
    ground.undo(made, stage.council.execute)


def test_what_init_wrote_is_valid_tested_and_quiet_on_its_chain(stage: Stage, tmp_path: Path) -> None:
    stage.init(tmp_path, "--abi", "Coin.json", "--dir", "new")
    runbook = "new/coin-emergency.yaml"
    for words in (["validate", runbook], ["test", runbook, "--strict", "--mutate"]):
        ended = run(["runbook", *words], tmp_path, cwd=tmp_path)
        assert ended.code == 0, ended.err
    linted = run(["runbook", "lint", runbook, "--json"], tmp_path, cwd=tmp_path)
    assert WARNING.findall(linted.out) == ["drill-overdue"]
    stage.zeppelin.anvil.mine(3, seconds=900)  # the check looks ten minutes back
    judged = stage.judged(tmp_path, "coin")
    assert judged.code == QUIET, judged.out
    assert '"supply_grew"' in judged.out


def test_the_role_is_read_from_the_contract_and_the_safe_is_said_to_hold_it(stage: Stage, tmp_path: Path) -> None:
    ended = stage.init(tmp_path, "--abi", "Coin.json", "--dir", "new")
    text = (tmp_path / "new/protocols/coin.yaml").read_text()
    assert f"'0x{PAUSER_ROLE.hex()}'" in text
    assert "Now: the Safe holds PAUSER_ROLE" in text
    assert not [one for one in ended.object["review"] if "was not read" in one["why"]]


def test_the_deployment_pins_the_code_that_stands_there(stage: Stage, tmp_path: Path) -> None:
    stage.init(tmp_path, "--abi", "Coin.json", "--dir", "new")
    deployment, document = load_deployment(tmp_path / f"new/deployments/chain-{CHAIN_ID}.yaml")
    anvil = stage.zeppelin.anvil
    for pin in deployment.pins:
        code = anvil.rpc("eth_getCode", pin.address, "latest")
        assert pin.codehash == anvil.rpc("web3_sha3", code)
    assert {one.address for one in deployment.pins} == {stage.zeppelin.token, stage.council.address}
    bound = bind(load_runbook(tmp_path / "new/coin-emergency.yaml"), deployment, document, "COIN", {})
    assert bound.slots["coin"].addresses == {"coin": stage.zeppelin.token}
    assert bound.slots["council"].addresses == {"safe": stage.council.address}


def test_init_twice_writes_nothing_the_second_time(stage: Stage, tmp_path: Path) -> None:
    first = stage.init(tmp_path, "--abi", "Coin.json", "--dir", "new")
    stage.zeppelin.anvil.mine(3)
    second = stage.init(tmp_path, "--abi", "Coin.json", "--dir", "new")
    assert second.object["written"] == second.object["differing"] == []
    assert second.object["kept"] == first.object["written"]


def test_a_proxy_is_pinned_with_what_it_runs_and_watched(stage: Stage, packages: Packages, tmp_path: Path) -> None:
    anvil = stage.zeppelin.anvil
    made = artifact(packages, f"{BUILD}/ERC1967Proxy.json")
    proxy = anvil.deploy(made.creation, made.constructor, (stage.zeppelin.vault, selector_of("paused()")))
    ended = stage.init(tmp_path, "--dir", "new", contract=f"vault={proxy}")
    assert ended.code == 0, ended.err
    deployment, _ = load_deployment(tmp_path / f"new/deployments/chain-{CHAIN_ID}.yaml")
    pin = next(one for one in deployment.pins if one.name == "vault")
    assert pin.implementation == Address(stage.zeppelin.vault)
    inner = anvil.rpc("web3_sha3", anvil.rpc("eth_getCode", stage.zeppelin.vault, "latest"))
    assert pin.implementation_codehash == inner
    assert deployment.markets["VAULT"].params["vault_implementation"].value == stage.zeppelin.vault
    assert "of: implementation" in (tmp_path / "new/vault-emergency.yaml").read_text()
    assert run(["runbook", "test", "new/vault-emergency.yaml", "--strict"], tmp_path, cwd=tmp_path).code == 0
    assert stage.judged(tmp_path, "vault").code == QUIET
    word = "0x" + stage.zeppelin.token.removeprefix("0x").lower().rjust(64, "0")
    anvil.rpc("anvil_setStorageAt", proxy, IMPLEMENTATION, word)
    anvil.mine(2, seconds=1)
    ended = stage.judged(tmp_path, "vault")
    assert ended.code == FIRING
    assert f"is {stage.zeppelin.token}; {stage.zeppelin.vault} was expected" in ended.out


def test_a_lever_of_one_file_written_by_hand_pauses_through_the_safe(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "protocols").mkdir()
    (tmp_path / "protocols" / "our-coin.yaml").write_text(BY_HAND)
    assert "our-coin" not in Catalog().names()
    stage.stops_and_goes_on(stage.ground(tmp_path, "our-coin"), "stop")


def test_every_abi_of_the_packages_gives_a_protocol_file_that_loads(packages: Packages) -> None:
    found, levers = 0, set()
    for path in sorted(packages.path("").rglob("*.json")):
        content = path.read_bytes() if path.stat().st_size <= ABI_LIMIT else b""
        abi = ContractAbi(())
        with suppress(ValueError):  # other JSON that only speaks of ABIs
            abi = parse_abi(content)
        if abi.functions:
            written = stub(abi, Origin("vault", path.name))
            protocol, document = protocol_of(parse_document(written.text.encode(), path.name))
            assert protocol is not None, document.report()
            levers |= {one.found.call.signature.canonical for one in written.levers}
            found += 1
    assert found > 500
    assert levers >= {"pause()", "setPaused(bool)", "setMarketPaused(address,bool)", "setGlobalPaused(bool)"}
