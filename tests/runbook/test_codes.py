"""Every code is explained, once, in the table and in the guide; and every example does what it says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from incident_cli.document import WrongFile
from incident_cli.drills.script import load_script
from incident_cli.flows.answers import load_answers
from incident_cli.protocols.protocol import load_protocol
from incident_cli.runbook.codes import Code, codes, table
from incident_cli.runbook.deployment import load_deployment
from incident_cli.runbook.explain import words
from incident_cli.runbook.lint import Drilled, lint
from incident_cli.runbook.load import load_runbook
from incident_cli.runbook.model import VERBS
from tests.runbooks.test_guide import GUIDE, PRODUCT, codes_in_the_source

ADD = "add it to a table of incident_cli/runbook/codes_of_*.py, then run `python -m tests.runbook.regenerate`"
REMOVE = "take it out of incident_cli/runbook/codes_of_*.py, then run `python -m tests.runbook.regenerate`"
RUNBOOK = """schema: incident/v1
id: feed-stopped
title: A market's price feed has stopped
meta: {owner: risk-oncall, severity: SEV2}
params:
  market: {type: market}
  heartbeat: {type: duration, default: 1h, min: 10s, max: 2d}
slots:
  feed: {protocol: chainlink-feed}
  council: {protocol: safe}
  governance: {protocol: timelock}
  exchange: {protocol: drill-exchange}
checks:
  stale: {kind: oracle_staleness, slot: feed, heartbeat: "{heartbeat}", grace: 12s, \
for: 12s, false_positives: ["The chain stood still."]}
steps:
  - {id: detect, check: [stale], on_quiet: goto stand_down, marks: detected}
  - {id: declare, ask: "Do you take the lead?", on_no: goto stand_down}
  - id: pause
    when: firing(stale)
    contain:
      by: council
      calls: [{lever: exchange.pause_market, market: "{market}"}]
      must_not_change: [{read: exchange.market_paused, for_each: markets, except: "{market}"}]
  - {id: prove, verify: ["exchange.market_paused(market) == True"], marks: contained}
  - {id: cause, manual: "Find out why.", evidence: text}
  - {id: reopen, restore: pause, by: governance, requires: "quiet_for(stale, '10m')", marks: recovered}
  - {id: stand_down, only_by_goto: true, manual: "Write down why.", evidence: text}
"""
FINAL = RUNBOOK.replace('exchange.pause_market, market: "{market}"}]', "exchange.shutdown}]").replace(
    "    contain:\n", "    confirm: {type: end trading for good}\n    contain:\n"
)
DEPLOYMENT = """schema: incident-deployment/v1
name: production
chains:
  ethereum: {id: 1, rpc: [{env: INCIDENT_RPC_1A}]}
slots:
  council: {chain: ethereum, addresses: {safe: "0x2222222222222222222222222222222222222222"}}
markets:
  ETH-USD:
    id: "0x0000000000000000000000000000000000000000000000000000000000000001"
  BTC-USD:
    id: "0x0000000000000000000000000000000000000000000000000000000000000002"
"""
PROTOCOL = """protocol: our-lending
source: our lending
reviewed: 2026-11-01
proof: interface
slots:
  pool: address
  provider: address
  oracle: {read: "provider.getOracle() returns (address)"}
  feed: {read: "provider.getFeed() returns (address)"}
reads:
  ended: {on: pool, call: "state() returns (bool frozen, uint256 since)", take: frozen}
  paused: {on: pool, call: "paused(bytes32 market) returns (bool)"}
  guardian: {on: pool, call: "guardian() returns (address)"}
levers:
  pause_market:
    does: "Stops borrowing in one market."
    scope: market
    args: {market: {type: market}}
    on: pool
    call: "pause(bytes32 market)"
    expect: {paused: "True"}
    writes: [pool]
    satisfied: paused
    undo: {by: governance, call: "unpause(bytes32 market)"}
  shutdown:
    does: "Ends it."
    scope: protocol
    on: pool
    call: "shutdown()"
    expect: {ended: "True"}
    writes: [pool]
    irreversible: true
    consequence: end all borrowing for good
"""
ANSWERS = "schema: incident-answers/v1\nrunbook: feed-stopped\nanswers: {declare: 'yes'}\n"
SCENARIO = """schema: incident-scenario/v1
id: feed-stopped
title: It stops
runbook: feed-stopped
market: BTC-USD
intended: contained
faults: [{kind: feed-frozen, market: BTC-USD, at_block: 3, move: 1%}]
"""
BASES = {"runbook": RUNBOOK, "final": FINAL, "deployment": DEPLOYMENT, "our-lending": PROTOCOL, "answers": ANSWERS}
EXAMPLES = [one for one in codes().values() if one.right]


def found_in(folder: Path, kind: str, text: str) -> set[str]:
    """Every code that a file of that kind gives."""
    path = folder / f"{kind}.yaml"
    path.write_text(text, "utf-8")
    try:
        if kind == "deployment":
            load_deployment(path)
        elif kind == "our-lending":
            protocol, document = load_protocol(path)
            wrong = {one.code for one in document.problems}
            return wrong | ({"wrong-name"} if protocol is not None and protocol.protocol != kind else set())
        elif kind == "answers":
            sound = folder / "sound.yaml"
            sound.write_text(RUNBOOK, "utf-8")
            load_answers(path, load_runbook(sound).runbook)
        else:
            loaded = load_runbook(path)
            tests = [] if "untested" in text else ["stale idle"]
            return {one.code for one in lint(loaded, tests, Drilled(None))}
    except WrongFile as problem:
        return {one.code for document in problem.documents for one in document.problems}
    return set()


def made_wrong(text: str, code: Code) -> str:
    """The text with the example's wrong side for its right one, indented as the line it stands in."""
    line = next(line for line in text[text.index(code.right) :: -1].split("\n"))[::-1]
    indent = line[: len(line) - len(line.lstrip())] if line.strip() else line
    return text.replace(code.right, code.wrong.replace("\n", f"\n{indent}"), 1)


@pytest.mark.parametrize("kind", BASES)
def test_the_ground_of_the_examples_is_sound(kind: str, tmp_path: Path) -> None:
    assert found_in(tmp_path, kind, BASES[kind]) == set()


@pytest.mark.parametrize("code", EXAMPLES, ids=lambda one: one.code)
def test_what_is_right_made_wrong_gives_the_code_and_no_other(code: Code, tmp_path: Path) -> None:
    kinds = [kind for kind, text in BASES.items() if code.right in text]
    assert kinds, f"the right side of {code.code} is in none of the sound files of this test"
    results = [found_in(tmp_path, kind, made_wrong(BASES[kind], code)) for kind in kinds]
    assert {code.code} in results, results


def test_every_code_in_the_source_is_explained_and_no_other() -> None:
    explained = {one.code for one in codes().values() if one.level == "error"}
    source = set(codes_in_the_source())
    assert not source - explained, f"not explained: {sorted(source - explained)}: {ADD}"
    assert not explained - source, f"no longer given by any code: {sorted(explained - source)}: {REMOVE}"


def test_every_finding_of_lint_is_explained_and_no_other() -> None:
    tree = ast.parse((PRODUCT / "runbook" / "lint.py").read_text("utf-8"))
    calls = [one for one in ast.walk(tree) if isinstance(one, ast.Call) and getattr(one.func, "attr", "") == "found"]
    given = {str(one.args[1].value) for one in calls if isinstance(one.args[1], ast.Constant)}
    assert given == {one.code for one in codes().values() if one.level == "warning"}, ADD


@pytest.mark.parametrize(("heading", "level"), [("## Error codes", "error"), ("## Warnings of lint", "warning")])
def test_the_guide_s_table_is_the_table(heading: str, level: str) -> None:
    section = GUIDE.partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    assert table(codes().values(), level) in section, "run `python -m tests.runbook.regenerate`"


def test_no_code_is_explained_twice_and_each_says_why() -> None:
    assert len([one for group in words().values() for one in group]) == len(codes()) + sum(
        len(words()[what]) for what in ("verb", "kind")
    )
    assert set(words()["verb"]) == set(VERBS)
    for one in codes().values():
        assert re.fullmatch(r"[a-z][a-z0-9-]+", one.code)
        assert one.title and one.why.endswith("."), one.code
        assert not one.title.endswith("."), one.code


def test_a_scenario_is_told_its_name_too(tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(SCENARIO)
    with pytest.raises(WrongFile, match="wrong-name"):
        load_script(path)
