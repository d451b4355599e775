"""What scripts rely on: one object on stdout with the promised keys, everything for people on stderr."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Ended, incidents, run
from tests.fakes.terminal import INCIDENT_ID

PROMISED: dict[str, set[str]] = {
    "": {
        "schema",
        "runbook",
        "scenario",
        "seed",
        "outcome",
        "steps",
        "safe",
        "proposals",
        "metrics",
        "losses",
        "journal",
    },
    "safe": {"address", "threshold", "owners"},
    "metrics": {"time_to_detection", "time_to_proposal", "time_to_containment"},
    "losses": {"token", "decimals", "before_detection", "until_contained", "avoided"},
}
PROPOSAL = {"safe_tx", "safe_tx_hash", "domain_hash", "message_hash", "calls", "simulation", "transaction_hash"}
FLAT = {
    "chainId", "safe", "version", "to", "value", "data", "operation", "safeTxGas", "baseGas", "gasPrice", "gasToken",
    "refundReceiver", "nonce",
}  # fmt: skip
HASH = re.compile(r"0x[0-9a-f]{64}")


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """`incident drill --auto --seed 7 --json`, once for all."""
    return run(["drill", "--auto", "--seed", "7", "--json"], tmp_path_factory.mktemp("home"))


def test_the_drill_prints_what_is_promised(drill: Ended) -> None:
    found = drill.object
    assert (drill.code, found["schema"], found["outcome"]) == (0, "incident.drill/v1", "contained")
    for place, keys in PROMISED.items():
        assert keys <= set(found[place] if place else found), place
    assert all(set(one) == {"id", "verb", "outcome"} for one in found["steps"])
    assert all(set(found["metrics"][name]) == {"seconds", "blocks"} for name in PROMISED["metrics"])
    assert all(isinstance(found["losses"][name], str) for name in ("before_detection", "until_contained", "avoided"))
    assert Path(found["journal"]).is_file()


def test_each_proposal_is_flat_decoded_and_simulated(drill: Ended) -> None:
    proposals: list[dict[str, Any]] = drill.object["proposals"]
    assert len(proposals) == 3
    for one in proposals:
        assert set(one) >= PROPOSAL
        assert set(one["safe_tx"]) == FLAT
        assert all(HASH.fullmatch(one[name]) for name in ("safe_tx_hash", "domain_hash", "message_hash"))
        assert all({"to", "function", "args", "plain"} <= set(call) for call in one["calls"])
        assert one["simulation"]["state"] == "passed" and one["simulation"]["method"]
        assert HASH.fullmatch(one["transaction_hash"])


def test_people_read_the_same_on_stderr(drill: Ended) -> None:
    proposal, safe = drill.object["proposals"][0], drill.object["safe"]["address"]
    assert all(words in drill.err for words in (safe, proposal["safe_tx_hash"], "exchange.pause_market", "proves it"))
    assert re.search(r"contained: block \d+, hash\s+0x[0-9a-f]{64} proves it", drill.err)
    assert '"schema"' not in drill.err


@pytest.mark.campaign  # flows/test_drill has the same without a process of its own
def test_the_same_seed_gives_the_same_object(drill: Ended, tmp_path: Path) -> None:
    again = run(["drill", "--auto", "--seed", "7", "--json"], tmp_path / "home")
    one, other = copy.deepcopy(drill.object), again.object
    assert one.pop("journal") != other.pop("journal")
    assert one == other


def test_bare_incident(drill: Ended, tmp_path: Path) -> None:
    nothing = run(["--json"], tmp_path / "none")
    assert (nothing.code, nothing.object) == (0, {"schema": "incident.open/v1", "incidents": []})
    assert "No open incident" in run([], tmp_path / "none").err
    (tmp_path / "a.yaml").write_text("schema: incident-answers/v1\nrunbook: oracle-divergence\nanswers: {}\n")
    run(["drill", "--answers", "a.yaml"], tmp_path / "home", cwd=tmp_path)
    (one,) = run(["--json"], tmp_path / "home").object["incidents"]
    (name,) = incidents(tmp_path / "home")
    assert INCIDENT_ID.fullmatch(name)
    assert one["next"] == f"incident drill --resume {name}"
    assert (one["incident"], one["mode"], one["market"], one["step"]) == (name, "drill", "ETH-USD", "declare")
    shown = run([], tmp_path / "home")
    assert (shown.out, one["next"] in shown.err) == ("", True)


def test_runbooks_as_objects(tmp_path: Path) -> None:
    listed = run(["runbook", "list", "--json"], tmp_path).object
    assert listed["schema"] == "incident.runbook-list/v1"
    assert {one["id"] for one in listed["runbooks"]} >= {"emergency-shutdown", "oracle-divergence", "oracle-staleness"}
    shown = run(["runbook", "show", "oracle-divergence", "--json"], tmp_path).object
    assert (shown["schema"], shown["id"]) == ("incident.runbook/v1", "oracle-divergence")
    assert {"params", "slots", "checks", "steps"} <= set(shown)
    valid = run(["runbook", "validate", "oracle-divergence", "--json"], tmp_path)
    assert (valid.code, valid.object["schema"], valid.object["valid"]) == (0, "incident.runbook-validate/v1", True)


def test_problems_of_a_runbook_as_objects(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text("schema: incident/v1\nid: [\n")
    ended = run(["runbook", "validate", "w.yaml", "nowhere", "--json"], tmp_path, cwd=tmp_path)
    wrong, missing = ended.object["runbooks"]
    assert (ended.code, ended.object["valid"]) == (2, False)
    assert {"file", "line", "column", "code", "message"} <= set(wrong["problems"][0])
    assert "nowhere" in missing["problems"][0]["message"]


def test_the_version(tmp_path: Path) -> None:
    ended = run(["--version"], tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert re.fullmatch(r"incident \d+\.\d+\.\d+\S*\n", ended.out)
