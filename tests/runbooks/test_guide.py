"""The two guides beside the code say what the code does: every example loads, every key, code, room and file exists."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from incident_cli.binding import fields_of
from incident_cli.checks.check import Check
from incident_cli.checks.collateral_buffer import Fund
from incident_cli.checks.registry import KINDS
from incident_cli.checks.sources import SOURCES
from incident_cli.checks.upstream import WATCHES
from incident_cli.document import WrongFile
from incident_cli.drills.fork_script import ForkScenario, load_fork_script
from incident_cli.drills.scenario import FAULT_KINDS
from incident_cli.drills.script import FaultEntry, ScenarioFile, load_script
from incident_cli.flows.answers import AnswersFile, load_answers
from incident_cli.flows.mutants import survey
from incident_cli.flows.unit_testing import run_file
from incident_cli.protocols.definitions import EventDefinition, LeverDefinition, ReadDefinition
from incident_cli.protocols.protocol import Protocol, load_protocol
from incident_cli.runbook.bind import bind
from incident_cli.runbook.cases import Case, CaseFile, Walk, load_cases
from incident_cli.runbook.deployment import (
    BenchmarkEntry,
    Chain,
    Deployment,
    GrantEntry,
    MarketEntry,
    RpcSource,
    SlotEntry,
    TokenEntry,
    load_deployment,
)
from incident_cli.runbook.load import load_runbook
from incident_cli.runbook.model import VERBS, Meta, Notice, Parameter, RunbookFile, SlotDeclaration
from incident_cli.runbook.recording_file import EventEntry, FeedEntry
from tests.test_architecture import LEVELS

ROOT = Path(__file__).parents[2]
PRODUCT = ROOT / "incident_cli"
GUIDE = (ROOT / "runbooks" / "README.md").read_text("utf-8")
HOUSE = (PRODUCT / "README.md").read_text("utf-8")
EXAMPLE = re.compile(r"<!-- (\w+): ([\w.-]+) -->\n```yaml\n(.*?)```", re.DOTALL)
FOLDERS = {"protocol": "protocols", "scenario": "drills", "fork": "drills", "test": "tests"}
# What a fragment leaves out: the slots its lines speak of, and a step where there is none.
AROUND = """schema: incident/v1
id: around
title: Around a fragment
meta: {owner: somebody, severity: SEV3}
params:
  market: {type: market}
%(params)s
slots:
  exchange: {protocol: drill-exchange}
  margin: {protocol: drill-margin}
  marks: {protocol: drill-options}
  feed: {protocol: chainlink-feed}
  reference: {protocol: chainlink-feed}
  sequencer: {protocol: sequencer-uptime}
  pyth: {protocol: pyth}
  pool: {protocol: uniswap-v3-pool}
  vault: {protocol: erc4626}
  proxy: {protocol: erc1967-proxy}
  rmn: {protocol: ccip-rmn}
  lending: {protocol: our-lending}
  council: {protocol: safe}
  exchange_arbitrum: {protocol: drill-exchange}
  council_arbitrum: {protocol: safe}
  governance: {protocol: timelock}
checks:
  stale: {kind: oracle_staleness, slot: feed, heartbeat: 1h}
  hostile: {kind: upstream, watch: [{slot: governance, window: 2d}]}
%(checks)s
steps:
  - {id: first, ask: "Go on?"}
%(steps)s
"""


def under(heading: str) -> str:
    """The guide from a heading to the next one of any level (a `##` one holds those below it)."""
    text = GUIDE.partition(f"\n{heading}\n")[2]
    return re.split(r"\n## " if heading.startswith("## ") else r"\n#{2,4} ", text, maxsplit=1)[0]


def examples() -> list[tuple[str, str, str]]:
    """Kind, name and text of every example."""
    return EXAMPLE.findall(GUIDE)


def indented(text: str) -> str:
    return "".join(f"  {line}" for line in text.splitlines(keepends=True))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The folder that somebody has who copies every whole example."""
    for kind, name, text in examples():
        folder = tmp_path / FOLDERS.get(kind, "")
        folder.mkdir(exist_ok=True)
        if kind != "fragment":
            (folder / name).write_text(text, "utf-8")
    return tmp_path


def test_every_yaml_block_is_an_example() -> None:
    kinds = [kind for kind, _, _ in examples()]
    assert len(kinds) == GUIDE.count("```yaml")
    assert {*kinds} == {"runbook", "deployment", "protocol", "scenario", "fork", "answers", "test", "fragment"}


def test_the_runbook_binds_to_the_deployment(written: Path) -> None:
    loaded = load_runbook(written / "feed-stopped.yaml")
    deployment, document = load_deployment(written / "production.yaml")
    bound = bind(loaded, deployment, document, "ETH-USD", {})
    assert bound.checks["stale"].for_.seconds == 12
    assert {step.verb for step in loaded.runbook.steps} == set(VERBS)


def test_the_protocol_file_is_sound(written: Path) -> None:
    protocol, document = load_protocol(written / "protocols" / "our-lending.yaml")
    assert protocol is not None, "\n".join(document.report())


def test_the_scenario_and_the_answers_belong_to_the_runbook(written: Path) -> None:
    runbook = load_runbook(written / "feed-stopped.yaml").runbook
    assert load_script(written / "drills" / "feed-stopped.yaml").scenario.runbook == runbook.id
    assert load_fork_script(written / "drills" / "feed-stopped-fork.yaml").scenario.runbook == runbook.id
    assert load_answers(written / "answers.yaml", runbook)["declare"] == "yes"


def test_the_test_file_passes_and_notices_every_mutant(written: Path) -> None:
    loaded = load_cases(written / "tests" / "feed-stopped.yaml")
    assert [one.line for case in run_file(loaded).cases for one in case.failures] == []
    tried = survey(loaded)
    assert (tried.tried, [one.line for one in tried.survived]) == (5, [])


FRAGMENTS = [(name, text) for kind, name, text in examples() if kind == "fragment"]


@pytest.mark.parametrize(("place", "text"), FRAGMENTS)
def test_a_fragment_fits_its_place(place: str, text: str, written: Path) -> None:
    path = written / "around.yaml"
    path.write_text(AROUND % {"params": "", "checks": "", "steps": "", place: indented(text)}, "utf-8")
    loaded = load_runbook(path)
    if place == "checks":
        added = [one for name, one in loaded.runbook.checks.items() if name not in ("stale", "hostile")]
        assert added and all(one.sample.false_positives for one in added)


def fragment(heading: str) -> str:
    """The example under a heading of the guide."""
    return next(text for name, text in FRAGMENTS if text in under(heading))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_example(kind: str) -> None:
    assert f"kind: {kind}\n" in fragment(f"#### `{kind}`") or f"kind: {kind}," in fragment(f"#### `{kind}`")
    assert re.search(rf"^\| `{kind}` \| \S.*\| \S", under("### Kinds of check"), re.MULTILINE), "what it says at 03:00"


def test_every_source_and_every_watch_has_its_example() -> None:
    sources = "".join(text for name, text in FRAGMENTS if name == "checks")
    assert {*re.findall(r"from: (\w+)", sources), "chainlink"} == set(SOURCES)
    assert set(re.findall(r"what: (\w+)", fragment("#### `upstream`"))) == set(WATCHES)


def test_a_broken_fragment_is_noticed(written: Path) -> None:
    path = written / "around.yaml"
    path.write_text(AROUND % {"params": "  size: {type: litres}", "checks": "", "steps": ""}, "utf-8")
    with pytest.raises(WrongFile, match="bad-value"):
        load_runbook(path)


def test_the_error_it_shows_is_the_error_it_gives(written: Path) -> None:
    shown = re.search(r"```text\n(\S+?):(\d+):\d+: error(.*?)\n```", under("### Expressions"), re.DOTALL)
    assert shown is not None
    check = '  full:\n    kind: invariant\n    holds: "exchange.pool() >= 250_000"\n'
    (written / "around.yaml").write_text(AROUND % {"params": "", "checks": check, "steps": ""}, "utf-8")
    with pytest.raises(WrongFile) as caught:
        load_runbook(written / "around.yaml")
    told = str(caught.value).partition(": error")[2].rpartition("\n")[0]  # the last line counts the problems
    assert shown.group(3) == told


def test_who_copies_the_page_can_rehearse_it(written: Path) -> None:
    command = [sys.executable, "-m", "incident_cli.cli.main", "drill", str(written / "feed-stopped.yaml"), "--json"]
    command += ["--answers", str(written / "answers.yaml")]
    around = {**os.environ, "INCIDENT_HOME": str(written / "home")}
    run = subprocess.run(command, cwd=ROOT, env=around, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["outcome"] == "contained"


def keys_in(section: str) -> set[str]:
    """Every word in backticks at the left of a table's row (`min`, `max` are two), or in a sentence beside one."""
    return set(re.findall(r"`([\w.]+)`", section))


def between(start: str, end: str) -> str:
    """The guide from one heading to another."""
    return GUIDE.partition(f"\n{start}\n")[2].partition(f"\n{end}\n")[0]


COMMON = set(fields_of(Check))
RUNBOOK = between("## The runbook", "## The deployment")
DEPLOYMENT = between("## The deployment", "## The protocol file")
PROTOCOL = between("## The protocol file", "## The scenario")
SCENARIO = between("## The scenario", "## The answers file")
ANSWERS = between("## The answers file", "## What is shipped")
TESTING = between("## Testing a runbook", "## Warnings of lint")
SHAPES: list[tuple[type, str]] = [
    *((one, RUNBOOK) for one in (RunbookFile, Meta, Parameter, SlotDeclaration, *VERBS.values())),
    (Check, under("### Checks")),
    *((one, under(f"#### `{name}`")) for name, one in KINDS.items()),
    (Fund, under("#### `collateral_buffer`")),
    (Notice, RUNBOOK),
    *((one, under("### Price sources")) for one in SOURCES.values()),
    *((one, under("#### `upstream`")) for one in WATCHES.values()),
    *((one, DEPLOYMENT) for one in (Deployment, Chain, RpcSource, TokenEntry, SlotEntry, BenchmarkEntry, MarketEntry)),
    (GrantEntry, DEPLOYMENT),
    *((one, PROTOCOL) for one in (Protocol, ReadDefinition, EventDefinition, LeverDefinition)),
    *((one, SCENARIO) for one in (ScenarioFile, FaultEntry)),
    (ForkScenario, under("## The scenario of a fork drill")),
    (AnswersFile, ANSWERS),
    *((one, TESTING) for one in (CaseFile, Case, Walk, FeedEntry, EventEntry)),
]


@pytest.mark.parametrize(("shape", "section"), SHAPES, ids=lambda one: getattr(one, "__name__", ""))
def test_every_key_is_explained(shape: type, section: str) -> None:
    explained = {part for key in keys_in(section) for part in key.split(".")}
    own = set(fields_of(shape)) - (COMMON if shape in KINDS.values() else set())
    assert own <= explained


def listed_under(heading: str, column: str) -> list[str]:
    """The names in the first column of the table whose first heading is this."""
    table = under(heading).partition(f"| {column} |")[2].partition("\n\n")[0]
    return re.findall(r"^\| `([a-z0-9-]+)` \|", table, re.MULTILINE)


@pytest.mark.parametrize(("column", "folder"), [("runbook", ROOT / "runbooks"), ("protocol", PRODUCT / "protocols")])
def test_what_is_shipped_is_listed(column: str, folder: Path) -> None:
    assert listed_under("## What is shipped", column) == sorted(one.stem for one in folder.glob("*.yaml"))


def test_every_fault_of_a_drill_is_told() -> None:
    table = SCENARIO.partition("| `kind` | what happens |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z-]+-[a-z-]+)`", table)) == set(FAULT_KINDS)


def codes_in_the_source() -> Iterator[str]:
    """The code of every `….wrong(place, code, …)`; a code made of a prefix and a noun takes the nouns of `known`."""
    for path in PRODUCT.rglob("*.py"):
        calls = [one for one in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(one, ast.Call)]
        named = [(getattr(one.func, "attr", getattr(one.func, "id", "")), one.args) for one in calls]
        nouns = [args[-1].value for name, args in named if name == "known" and isinstance(args[-1], ast.Constant)]
        for code in (args[1] for name, args in named if name == "wrong" and len(args) >= 3):
            if isinstance(code, ast.Constant):
                yield str(code.value)
            elif isinstance(code, ast.JoinedStr) and isinstance(code.values[0], ast.Constant):
                yield from (str(code.values[0].value) + str(noun) for noun in nouns)


def test_every_error_code_is_in_the_table_and_no_other() -> None:
    table = GUIDE.partition("\n## Error codes\n")[2]
    listed = re.findall(r"^\| `([a-z0-9-]+)` \| \S", table, re.MULTILINE)
    assert listed == sorted(set(listed))
    assert set(listed) == set(codes_in_the_source())


def rooms() -> set[str]:
    """The folders and the top-level files of the product."""
    folders = {one.parent.name for one in PRODUCT.glob("*/*.py")}
    return folders | {one.stem for one in PRODUCT.glob("*.py")} - {"__init__"}


def test_the_house_names_every_room_and_only_files_that_exist() -> None:
    named = set(re.findall(r"[\w.-]+(?=/ )", HOUSE)) | {Path(one).stem for one in re.findall(r"[\w-]+\.py\b", HOUSE)}
    assert rooms() <= named
    existing = {one.name for one in PRODUCT.rglob("*") if one.is_file()} | {"test_architecture.py"}
    assert set(re.findall(r"[\w-]+\.(?:py|yaml|json|md)\b", HOUSE)) <= existing


def test_the_house_shows_the_doors_in_their_order() -> None:
    chain = HOUSE.partition("never import each other:\n")[2].partition("\n\nIf ")[0]
    shown = [set(re.findall(r"\w+", level)) for level in chain.split("→")]
    assert shown == [level & rooms() for level in map(set, LEVELS) if level & rooms()]
