"""The same YAML judged live, in a drill and in a unit test gives the same findings, and the same walk."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from incident_cli.drills.serve import serve
from incident_cli.drills.setting import deployment_text
from incident_cli.errors import Waiting
from incident_cli.evm import Block, Missing, Read
from incident_cli.flows import drill as flow
from incident_cli.flows.check import CheckOrder, check
from incident_cli.flows.desk import Prompt, Rehearsed, Reply, Stop
from incident_cli.flows.drill import Drill
from incident_cli.flows.mutants import mutants, survey
from incident_cli.flows.unit_testing import FileResult, run_file
from incident_cli.incident.events import Kind, every
from incident_cli.runbook.cases import load_cases
from incident_cli.runbook.expected import GENESIS
from incident_cli.runbook.shipped import shipped_folder
from tests.fakes.desk import FakeClock
from tests.flows.rehearsal import begun, planned

SHIPPED = sorted((shipped_folder() / "tests").glob("*.yaml"))
STOPS = ("cause", "settle")  # the drill is over once it is contained: what comes after takes hours of chain time
BLOCK_SECONDS = 12
SCENARIOS = ("oracle-divergence", "oracle-stale", "false-alarm", "shutdown")
FEEDS = ("feed", "reference")


@dataclass(slots=True)
class UntilContained:
    """The scenario's own answers, up to where the incident is contained; `given` are those that were used."""

    rehearsed: Rehearsed
    given: dict[str, list[str]] = field(default_factory=dict)

    def ask(self, prompt: Prompt) -> Reply:
        if prompt.step in STOPS:
            return Stop()
        reply = self.rehearsed.ask(prompt)
        self.given.setdefault(prompt.step, []).append(getattr(reply, "text", ""))
        return reply


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A drill that was walked, and the answers it was walked with."""

    drill: Drill
    answers: dict[str, list[str]]

    @property
    def findings(self) -> list[tuple[Block, dict[str, Any]]]:
        """Every finding with its block, each once."""
        events = [one for one in every(self.drill.recorder.events, Kind.FINDINGS) if one.block is not None]
        found = {(one.block, record["check"]): record for one in events for record in one.data["findings"]}
        return [(block, record) for (block, _), record in found.items() if block is not None]

    @property
    def path(self) -> list[str]:
        """The steps in the order in which they were begun."""
        return [str(one.step) for one in every(self.drill.recorder.events, Kind.STEP_STARTED)]

    @property
    def calls(self) -> list[str]:
        """The calls of every proposal, in words."""
        planned_ones = every(self.drill.recorder.events, Kind.PLANNED)
        calls = [call for event in planned_ones for call in event.data["proposal"]["calls"]]
        return [call["plain"].partition(": ")[0] for call in calls]


def rehearsed(home: Path, scenario: str) -> Rehearsal:
    """A drill, walked until it is contained."""
    answerer = UntilContained(Rehearsed(planned(scenario).script.scenario.answers, complete=True))
    drill = begun(home, scenario, answerer=answerer)
    with contextlib.suppress(Waiting):
        flow.run(drill)
    drill.recorder.journal.close()
    return Rehearsal(drill, answerer.given)


def as_test_file(found: Rehearsal, folder: Path) -> Path:
    """The drill as a test file: the prices its feeds showed block by block, what its checks said, and its walk."""
    bound = found.drill.session.bound
    (folder / "tests").mkdir()
    shutil.copy(bound.loaded.path, folder)
    blocks = [block for block, _ in found.findings]
    lines = [
        "schema: incident-test/v1",
        f"runbook: {bound.runbook.id}",
        f"market: {bound.market.name}",
        f"markets: [{', '.join(bound.markets)}]",
        "tokens: {USDC: 6}",
        *params_of(found),
        "cases:",
        "  - name: as it was in the drill",
        "    reads:",
        "      exchange.guardian(): council",
        "      exchange.governance(): council",
        "      exchange.market_paused(*): 'false'",
        "      exchange.shut_down(): 'false'",
        "      exchange.withdrawal_capacity(): 1000000000e6",
        "      exchange.withdrawal_period(): '3600'",
        "    prices:",
        *(prices(found, slot, blocks[0]) for slot in FEEDS if slot in bound.slots),
        "    expect:",
        *(expectation(block, record, blocks[0]) for block, record in found.findings),
        "    walk:",
        f"      answers: {{{', '.join(f'{step}: {given!r}' for step, given in found.answers.items())}}}",
        f"      path: {found.path}",
        f"      calls: {found.calls}",
    ]
    path = folder / "tests" / "drilled.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def params_of(found: Rehearsal) -> list[str]:
    """The parameters that the drill's market set."""
    own = found.drill.session.bound.deployment.markets[found.drill.session.bound.market.name].params
    used = {name: node.value for name, node in own.items() if name in found.drill.session.bound.runbook.params}
    return [f"params: {{{', '.join(f'{name}: {value}' for name, value in used.items())}}}"] if used else []


def prices(found: Rehearsal, slot: str, first: Block) -> str:
    """A feed's answers from the first block that was judged on, as a series."""
    session, samples = found.drill.session, []
    read: Read = session.bound.slots[slot].read("latest_round")
    for number in range(first.number, found.drill.live.world.engine.head.number + 1):
        block = found.drill.live.world.engine.block(number)
        answer = session.reader.read_at([read], block).answer(read)
        assert not isinstance(answer, Missing), answer
        samples.append((f"{int(str(answer[1]))}e-8", str(int(str(answer[3])) - first.timestamp)))
    price, updated = (" ".join(one) for one in zip(*samples, strict=True))
    return f"      {slot}: {{price: {price}, updated: '{updated}'}}"


def moment(first: Block, number: int) -> int:
    """The time of a block."""
    return first.timestamp + BLOCK_SECONDS * (number - first.number)


def expectation(block: Block, record: dict[str, Any], first: Block) -> str:
    """A finding as an expectation."""
    assert block.timestamp == moment(first, block.number), "a drill's blocks are 12 s apart"
    at, since = block.timestamp - first.timestamp, record["since"]
    told = {"verdict": record["verdict"], "value": record["value"] or "none", "limit": record["limit"]}
    told |= {"since": "none" if since is None else f"{since - first.timestamp}s", "reason": record["reason"]}
    return f"      - {{at: {at}s, {record['check']}: {told}}}"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_unit_test_finds_and_walks_as_the_drill(scenario: str, tmp_path: Path) -> None:
    found = rehearsed(tmp_path / "home", scenario)
    result = run_file(load_cases(as_test_file(found, tmp_path)))
    assert [one.line for case in result.cases for one in case.failures] == []
    assert len(found.findings) >= 4
    assert "firing" in {record["verdict"] for _, record in found.findings}


def test_live_over_http_finds_as_the_drill(tmp_path: Path) -> None:
    found = rehearsed(tmp_path, "oracle-divergence")
    session, world = found.drill.session, found.drill.live.world
    with serve(found.drill.live.rpc, 0) as at:
        deployment = tmp_path / "deployment.yaml"
        deployment.write_text(deployment_text(world, at.url))
        for block, record in found.findings:
            order = CheckOrder(session.bound.loaded.path, deployment, ["ETH-USD"], (), {}, str(block.number))
            (post,) = check(order, lambda name: None, FakeClock()).posts
            told = (post.finding.verdict.value, str(post.finding.reading.value), post.finding.since)
            assert told == (record["verdict"], record["value"], record["since"]), block


@pytest.mark.parametrize("path", SHIPPED, ids=lambda one: one.stem)
def test_the_shipped_tests_pass_cover_everything_and_notice_every_mutant(path: Path) -> None:
    loaded = load_cases(path)
    result = run_file(loaded)
    assert [one.line for case in result.cases for one in case.failures] == []
    assert result.coverage.complete, result.coverage
    tried = survey(loaded)
    assert tried.tried > 0
    assert [one.line for one in tried.survived] == []


TOP = """schema: incident-test/v1
runbook: oracle-divergence
market: ETH-USD
tokens: {USDC: 6}
"""


def run_text(folder: Path, text: str) -> FileResult:
    """The result of a test file of the shipped oracle-divergence."""
    (folder / "tests").mkdir(exist_ok=True)
    shutil.copy(shipped_folder() / "oracle-divergence.yaml", folder)
    path = folder / "tests" / "oracle-divergence.yaml"
    path.write_text(TOP + text)
    return run_file(load_cases(path))


def only_line(result: FileResult) -> str:
    """The one failure."""
    (failure,) = result.cases[0].failures
    return f"{failure.place.line}:{failure.place.column}: {failure.line}"


CASE = 'cases:\n  - name: a case\n    prices: {feed: "4000 3520x9", reference: "4000x12"}\n'


def test_only_the_field_that_differs_is_told_and_where_it_stands(tmp_path: Path) -> None:
    said = only_line(
        run_text(tmp_path, CASE + "    expect: [{at: 24s, divergence: {verdict: pending, value: 1190}}]\n")
    )
    reason = "feed is 1200 bps from reference"
    assert said == f"8:62: at 24s divergence.value: expected 1190, found 1200 ({reason})"


def test_a_verdict_alone_is_expected_by_its_word(tmp_path: Path) -> None:
    said = only_line(run_text(tmp_path, CASE + "    expect: [{at: 24s, divergence: quiet}]\n"))
    assert said.startswith("8:36: at 24s divergence.verdict: expected quiet, found pending")


def test_a_walk_stops_where_no_answer_is_given(tmp_path: Path) -> None:
    result = run_text(tmp_path, CASE + "    walk: {path: [detect, confirm, declare, pause]}\n")
    assert only_line(result).startswith(
        "8:45: walk.path[3]: expected pause, found the end (no answer was given to decl"
    )


def test_a_path_may_be_left_open(tmp_path: Path) -> None:
    assert run_text(tmp_path, CASE + "    walk: {path: [detect, ...]}\n").passed
    assert not run_text(tmp_path, CASE + "    walk: {path: [detect]}\n").passed


def test_a_value_beyond_the_series_is_unknown(tmp_path: Path) -> None:
    text = "    expect: [{at: 144s, divergence: {verdict: unknown, reason: the test gives 11 samples}}]\n"
    assert run_text(tmp_path, CASE + text).passed


def test_before_constant_extends_the_first_value_into_the_past(tmp_path: Path) -> None:
    case = 'cases:\n  - name: a case\n    prices: {feed: "3520x9", reference: "4000x12"}\n'
    expected = "    expect: [{at: 0s, divergence: {}}]\n"
    assert run_text(tmp_path, case + expected.replace("{}}", "pending}")).passed
    assert run_text(tmp_path, case + "    before: constant\n" + expected.replace("{}}", "firing}")).passed


def test_what_no_case_exercises_is_told(tmp_path: Path) -> None:
    coverage = run_text(tmp_path, CASE + "    expect: [{at: 0s, divergence: quiet}]\n").coverage
    assert coverage.never_exercised == (("divergence", "firing"), ("divergence", "unknown"))
    assert "pause" in coverage.steps_never_walked


def test_a_threshold_that_no_test_holds_survives(tmp_path: Path) -> None:
    text = CASE + "    expect: [{at: 0s, divergence: quiet}, {at: 60s, divergence: {verdict: firing, limit: 150}}]\n"
    loaded = run_text(tmp_path, text).loaded
    survived = survey(loaded).survived
    assert [one.line for one in survived] == [
        "divergence: no test notices that max is 300 bps instead of 150 bps",
        "divergence: no test notices that max is 75 bps instead of 150 bps",
        "divergence: no test notices that `for: 36s` is gone",
    ]
    lines = (tmp_path / "oracle-divergence.yaml").read_text().splitlines()
    assert lines[survived[0].place.line - 1][survived[0].place.column - 1 :].startswith("150")
    assert len(list(mutants(loaded))) == 3


NUMBERS = """schema: incident/v1
id: numbers
title: Numbers written into expressions
meta: {owner: somebody, severity: SEV1}
params: {market: {type: market}}
slots: {exchange: {protocol: drill-exchange}, council: {protocol: safe}, governance: {protocol: timelock}}
checks:
  ratio: {kind: invariant, holds: "exchange.pool() >= exchange.total_balances() * 11 // 10"}
  least: {kind: invariant, holds: "exchange.pool() >= amount('100000 USDC') and True"}
  kept: {kind: invariant, holds: "exchange.pool() * 2 > ago(exchange.pool(), '1m') * 1"}
steps:
  - {id: detect, check: [ratio, least, kept], marks: detected}
  - {id: look, when: "exchange.pool() < amount('50000 USDC')", manual: "Look."}
  - {id: pause, contain: {by: council, calls: [{lever: exchange.pause_market, market: "{market}"}]}}
  - {id: prove, verify: ["exchange.withdrawal_period() <= duration('2h')"]}
  - {id: reopen, restore: pause, by: governance, requires: "quiet_for(ratio, '30m')"}
"""
NUMBERS_TEST = """schema: incident-test/v1
runbook: numbers
market: ETH-USD
tokens: {USDC: 6}
cases:
  - name: nothing is expected of the numbers
    reads: {exchange.pool(): "1000000e6x9", exchange.total_balances(): "1e6"}
    expect: [{at: 0s, ratio: quiet}]
"""


def test_numbers_within_expressions_are_mutated_too(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "numbers.yaml").write_text(NUMBERS)
    path = tmp_path / "tests" / "numbers.yaml"
    path.write_text(NUMBERS_TEST)
    loaded = load_cases(path)
    found = {(one.owner, one.threshold, one.becomes) for one in mutants(loaded)}
    assert found == {
        ("ratio", "11 in holds", "22"),
        ("ratio", "11 in holds", "5"),
        ("ratio", "10 in holds", "20"),
        ("ratio", "10 in holds", "5"),
        ("least", "'100000 USDC' in holds", "'200000.0 USDC'"),
        ("least", "'100000 USDC' in holds", "'50000.00 USDC'"),
        ("kept", "2 in holds", "4"),
        ("kept", "2 in holds", "1"),
        ("kept", "'1m' in holds", "'2m'"),
        ("kept", "'1m' in holds", "'30s'"),
        ("look", "'50000 USDC' in when", "'100000.0 USDC'"),
        ("look", "'50000 USDC' in when", "'25000.00 USDC'"),
        ("prove", "'2h' in verify[0]", "'4h'"),
        ("prove", "'2h' in verify[0]", "'1h'"),
    }
    tried = survey(loaded)
    assert (tried.tried, len(tried.survived), tried.left_out) == (14, 14, 0)
    one = next(one for one in tried.survived if one.threshold == "'2h' in verify[0]")
    line = NUMBERS.splitlines()[one.place.line - 1]
    assert line[one.place.column - 1 :].startswith("'2h'")
    assert one.line == "prove: no test notices that '2h' in verify[0] is '4h' instead of '2h'"
    path.write_text(
        NUMBERS_TEST.replace('"1000000e6x9"', '"1.1e6 1e6"').replace(
            "ratio: quiet}", "ratio: quiet}, {at: 12s, ratio: firing}"
        )
    )
    assert not [one for one in survey(load_cases(path)).survived if one.owner == "ratio"]


def test_more_mutants_than_can_be_tried_are_counted(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    sums = " + ".join(f"amount('{number} USDC')" for number in range(2, 16))
    more = f'  sums: {{kind: invariant, holds: "exchange.pool() >= {sums}"}}\nsteps:\n'
    (tmp_path / "numbers.yaml").write_text(NUMBERS.replace("steps:\n", more))
    path = tmp_path / "tests" / "numbers.yaml"
    path.write_text(NUMBERS_TEST)
    tried = survey(load_cases(path))
    assert (tried.tried, tried.left_out) == (40, 2)
    assert tried.to_json()["left_out"] == 2


WATCHING = """schema: incident/v1
id: watching
title: An operation that nobody announced
meta: {owner: somebody, severity: SEV1}
params: {market: {type: market}}
slots: {governance: {protocol: timelock}, council: {protocol: safe}, exchange: {protocol: drill-exchange}}
checks: {hostile: {kind: upstream, watch: [{what: timelock, slot: governance, window: 2d}]}}
steps:
  - {id: detect, check: [hostile], marks: detected}
  - id: cancel
    when: firing(hostile)
    contain: {by: council, calls: [{lever: governance.cancel_operation, id: "{checks.hostile.operation_id}"}]}
    confirm: {type: "cancel the hostile operation"}
  - {id: prove, verify: ["governance.operation_state(checks.hostile.operation_id) == 0"], marks: contained}
"""
TIMELOCK = """schema: incident-test/v1
runbook: watching
market: ETH-USD
reads: {governance.canceller(*): "true"}
cases:
  - name: an operation that nobody announced is found by its event, then by its state, and cancelled by its id
    before: constant
    reads: {governance.operation_state(0xID): "0 1x40"}
    events:
      governance.scheduled:
        - at: 12s
          values: {id: 0xID, index: 0, target: exchange, value: 0, data: 0x12345678, predecessor: 0xNO, delay: 3600}
    expect:
      - {at: 0s, hostile: quiet}
      - {at: 12s, hostile: {verdict: firing, value: 1}}
    walk:
      answers: {cancel: cancel the hostile operation 11111111}
      path: [detect, cancel, prove]
      calls: ["governance.cancel_operation(id = 0xID)"]
"""


def test_events_second_rounds_and_values_found_by_a_check(tmp_path: Path) -> None:
    (tmp_path / "watching.yaml").write_text(WATCHING)
    path = tmp_path / "test.yaml"
    path.write_text(TIMELOCK.replace("0xID", "0x" + "11" * 32).replace("0xNO", "0x" + "00" * 32))
    result = run_file(load_cases(path))
    assert [one.line for case in result.cases for one in case.failures] == []


def test_the_first_sample_is_at_the_beginning_of_2026() -> None:
    assert GENESIS == 1_767_225_600
