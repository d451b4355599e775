"""Every command explains itself at 80 columns, with an example, and loads nothing that it does not need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import run
from tests.fakes.terminal import ROOT, environment

SAFE: tuple[str, ...] = (
    "hash",
    "inspect",
    "card",
    "sign",
    "merge",
    "export",
    "import",
    "rotate",
    "propose",
    "confirm",
    "status",
)
SAFE += ("queue", "execute", "reject", "approve", "delegate")
VAULT = ("arm", "sign", "export", "add-signatures", "status", "fire", "revoke", "watch")
COMMANDS: tuple[list[str], ...] = (
    [],
    ["drill"],
    ["respond"],
    ["check"],
    ["explain"],
    ["contain"],
    ["init"],
    ["pin"],
    ["preflight"],
    ["runbook"],
    ["runbook", "list"],
    ["runbook", "show"],
    ["runbook", "validate"],
    ["runbook", "lint"],
    ["runbook", "test"],
    ["runbook", "new"],
    ["runbook", "schema"],
    ["lever"],
    ["lever", "list"],
    ["lever", "show"],
    ["lever", "encode"],
    ["adopt"],
    ["safe"],
    *(["safe", name] for name in SAFE),
    ["safe", "delegate", "list"],
    ["safe", "delegate", "add"],
    ["safe", "delegate", "remove"],
    ["vault"],
    *(["vault", name] for name in VAULT),
)
ENCODE = ["--at", f"exchange=0x{'0' * 39}1", "--market", f"ETH-USD=0x{'11' * 32}", "--before", "market_paused=false"]
HEAVY: tuple[str, ...] = (
    "web3",
    "eth_account",
    "safe_eth",
    "pydantic",
    "aiohttp",
    "eth",
    "eth_tester",
    "eth_abi",
    "urllib3",
)
HEAVY += ("eth_keys", "eth_utils", "rlp", "coincurve")
LOADED = """
import json, sys
from incident_cli.cli.main import run
sys.argv = ["incident", *json.loads(sys.argv[1])]
try:
    run()
except SystemExit as ended:
    assert not ended.code, ended.code
print("\\n" + json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example_and_fits(command: list[str], tmp_path: Path) -> None:
    ended = run([*command, "--help"], tmp_path, COLUMNS="80")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert any(line.strip().startswith(f"Example: incident {' '.join(command)}".strip()) for line in lines), ended.out
    assert max(len(line) for line in lines) <= 80
    assert not any(line.endswith("...") and not line.startswith("Usage") for line in lines[1:]), "a sentence is cut"
    assert lines[0].startswith(f"Usage: incident {' '.join(command)}".strip())


def loaded_by(arguments: list[str], home: Path) -> set[str]:
    """The modules a command has loaded when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, json.dumps(arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(home),
        timeout=60,
        check=True,
    )
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return set(found)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        [],
        ["drill", "--help"],
        ["check", "--help"],
        ["explain", "oracle_divergence"],
        ["runbook", "schema"],
        ["lever", "list", "--protocol", "drill-exchange"],
        ["lever", "show", "drill-exchange.pause_market"],
        ["lever", "encode", "drill-exchange.pause_market", *ENCODE],
        ["runbook", "list"],
        ["runbook", "show", "oracle-divergence"],
        ["runbook", "validate", *sorted(str(path) for path in (ROOT / "runbooks").glob("*.yaml"))],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_a_light_command_loads_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    loaded = loaded_by(arguments, tmp_path)
    assert [name for name in HEAVY if name in loaded] == []
