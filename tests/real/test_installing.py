"""The packages of others: pinned, installed once whatever runs beside, and a failure that says what to do."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contracts.node import Node, find_node, machine_node, wheel_node
from tests.contracts.packages import HERE, NotInstalled, Packages, install
from tests.contracts.solidity import artifact, compile_solidity

ROOT = Path(__file__).parents[2]
FAKE_NPM = """
import pathlib, sys
pathlib.Path("node_modules").mkdir()
with open(sys.argv[1], "a") as log:
    log.write("installed\\n")
"""
INSTALL_TWICE = """
import sys, pathlib
from tests.contracts.node import Node
from tests.contracts.packages import install
base, npm, log = sys.argv[1:]
print(install(pathlib.Path(base), Node((sys.executable,), (sys.executable, npm, log))).folder)
"""


def test_every_version_is_exact_and_no_registry_is_named() -> None:
    wanted = json.loads((HERE / "package.json").read_text("utf-8"))["dependencies"]
    locked = json.loads((HERE / "package-lock.json").read_text("utf-8"))["packages"]
    assert all(re.fullmatch(r"(?:npm:@?[\w/-]+@)?\d+\.\d+\.\d+[\w.-]*", one) for one in wanted.values())
    assert locked.pop("")["dependencies"] == wanted
    assert all("resolved" not in one for one in locked.values())
    assert {name for name, one in locked.items() if "integrity" not in one and not one.get("optional")} == set()
    assert "integrity" in locked["node_modules/@foundry-rs/anvil-linux-amd64"]


def test_what_runs_at_the_same_time_installs_once(tmp_path: Path) -> None:
    npm, log = tmp_path / "npm.py", tmp_path / "log"
    npm.write_text(FAKE_NPM)
    command = [sys.executable, "-c", INSTALL_TWICE, str(tmp_path / "cache"), str(npm), str(log)]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = {one.communicate(timeout=60)[0] for one in running}
    assert len(said) == 1
    assert log.read_text() == "installed\n"
    assert (Path(said.pop().strip()) / "package-lock.json").is_file()


def test_without_a_registry_it_says_so_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(NotInstalled, match=r"npm ci ended with \d+"):
        install(tmp_path / "cache")
    assert [one.suffix for one in (tmp_path / "cache" / "contracts").iterdir()] == [".lock"]


def test_a_node_that_is_too_old_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\necho v16.20.2\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine_node() is None
    monkeypatch.setenv("PATH", "")
    assert find_node() == wheel_node()


def test_the_wheel_brings_a_node_and_an_npm_that_run() -> None:
    found = wheel_node()
    assert found is not None
    for command in (found.node, found.npm):
        said = subprocess.run([*command, "--version"], env={}, capture_output=True, text=True, check=True)
        assert re.match(r"v?\d+\.\d+", said.stdout)


def test_the_compilers_errors_are_told(packages: Packages, tmp_path: Path) -> None:
    source = tmp_path / "Broken.sol"
    source.write_text("// SPDX-License-Identifier: MIT\npragma solidity 0.7.6;\ncontract Broken { uint256 a = b; }\n")
    with pytest.raises(ValueError, match="Undeclared identifier"):
        compile_solidity(packages, source, "Broken")


def test_what_is_compiled_is_kept(packages: Packages, tmp_path: Path) -> None:
    source = tmp_path / "Empty.sol"
    source.write_text("// SPDX-License-Identifier: MIT\npragma solidity 0.7.6;\ncontract Empty { uint256 public a; }\n")
    compiled = compile_solidity(packages, source, "Empty")
    without_node = Packages(packages.folder, Node(("/nowhere/node",), ()))
    assert compile_solidity(without_node, source, "Empty") == compiled


def test_an_interface_cannot_be_deployed(packages: Packages) -> None:
    path = "@uniswap/v3-core/artifacts/contracts/interfaces/IUniswapV3Pool.sol/IUniswapV3Pool.json"
    with pytest.raises(ValueError, match="no creation code"):
        artifact(packages, path)
