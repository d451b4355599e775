"""Loading runbooks: the shipped ones are sound; a wrong one reports everything in one pass, where it stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from incident_cli.document import WrongFile
from incident_cli.errors import Misused
from incident_cli.runbook.load import load_runbook
from incident_cli.runbook.model import CheckStep, ContainStep, Transition, parse_transition
from incident_cli.runbook.shipped import find_runbook, shipped_runbooks

TESTS = Path(__file__).parent.parent
SHIPPED = {one.stem: one for one in shipped_runbooks()}

BASE = """schema: incident/v1
id: small
title: A small one
meta: {owner: risk, severity: SEV2}
params:
  market: {type: market}
  wait: {type: duration, default: 5m, max: 1h}
slots:
  exchange: {protocol: drill-exchange}
  feed: {protocol: chainlink-feed}
  council: {protocol: safe}
  governance: {protocol: timelock}
checks:
  stale: {kind: oracle_staleness, slot: feed, heartbeat: 1h}
steps:
  - {id: detect, check: [stale], on_quiet: goto stand_down}
  - {id: pause, contain: {by: council, calls: [{lever: exchange.pause_market, market: "{market}"}]}, deadline: "{wait}"}
  - {id: reopen, restore: pause, by: governance}
  - {id: stand_down, only_by_goto: true, manual: "Say why."}
"""


def problems(folder: Path, text: str) -> list[tuple[int, int, str, str]]:
    """Line, column, code and message of everything wrong."""
    path = folder / "small.yaml"
    path.write_text(text)
    try:
        load_runbook(path)
    except WrongFile as wrong:
        found = sorted(problem for one in wrong.documents for problem in set(one.problems))
        return [(one.place.line, one.place.column, one.code, one.message) for one in found]
    return []


def codes(folder: Path, before: str, after: str) -> list[str]:
    """The codes of a small sound runbook with one thing changed."""
    assert BASE.count(before) == 1
    return [code for _, _, code, _ in problems(folder, BASE.replace(before, after))]


def test_every_shipped_runbook_loads_under_its_own_name() -> None:
    assert sorted(SHIPPED) == [
        "collateral-buffer-shortfall",
        "compromised-key",
        "emergency-shutdown",
        "liquidation-cascade",
        "liquidity-drain",
        "option-surface-arbitrage",
        "oracle-divergence",
        "oracle-staleness",
        "upstream-contagion",
        "volatility-circuit-breaker",
        "withdrawal-rush",
    ]
    for name, path in SHIPPED.items():
        runbook = load_runbook(path).runbook
        assert runbook.id == name
        assert [one for one in runbook.steps if one.marks == "contained"]
        assert [one for one in runbook.steps if isinstance(one, ContainStep)]


def test_a_badly_broken_runbook_is_told_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(TESTS / "data")
    with pytest.raises(WrongFile) as caught:
        load_runbook(Path("broken-runbook.yaml"))
    assert caught.value.exit_code == 2
    assert caught.value.message + "\n" == (TESTS / "golden" / "broken-runbook.txt").read_text()


def test_a_sound_runbook_keeps_its_order_and_types(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(BASE)
    runbook = load_runbook(path).runbook
    detect = runbook.step("detect")
    assert isinstance(detect, CheckStep)
    assert (detect.verb, detect.on_quiet, detect.on_unknown) == ("check", Transition("stand_down"), Transition(None))
    assert [one.id for one in runbook.steps] == ["detect", "pause", "reopen", "stand_down"]
    assert runbook.after("reopen") is None, "a step only reached by goto follows nothing"
    assert runbook.checks["stale"].sample.required() == {"feed": ("latest_round", "decimals")}


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("market: {type: market}\n", "market: {type: market, default: ETH-USD}\n", ["target-with-default"]),
        ('market: "{market}"', "market: ETH-USD", ["fixed-target"]),
        ('market: "{market}"', 'market: "{wait}"', ["wrong-type"]),
        ('market: "{market}"', 'market: "x{market}"', ["bad-value", "fixed-target"]),
        (', market: "{market}"', "", ["missing-argument"]),
        ("max: 1h", "max: 1m", ["bad-value"]),
        ("max: 1h", "min: 2h, max: 1h", ["bad-value"]),
        ("market: {type: market}\n", "market: {type: market, max: 5}\n", ["bad-value"]),
        ("by: council", "by: governance", ["no-authority"]),
        ("by: governance", "by: feed", ["no-authority"]),
        ("restore: pause", "restore: detect", ["unknown-step"]),
        ("slot: feed", "slot: council", ["unknown-read", "unknown-read"]),
        ("protocol: timelock", "protocol: ../timelock", ["bad-value"]),
        ("check: [stale]", "check: []", ["no-checks"]),
        ("{id: reopen", "{id: prove, verify: []}\n  - {id: reopen", ["no-proof"]),
        ("{id: reopen", '{id: prove, verify: ["True"], marks: contained}\n  - {id: reopen', ["no-proof"]),
        ("{id: reopen", '{id: prove, verify: ["exchange.shut_down() or True"]}\n  - {id: reopen', ["no-proof"]),
        ("{id: reopen", "{id: prove, verify: [\"ago(exchange.shut_down(), '1h')\"]}\n  - {id: reopen", ["no-proof"]),
        ("{id: reopen", '{id: prove, verify: ["quiet(stale)", "wait > 0"]}\n  - {id: reopen', ["no-proof"]),
        ("{id: reopen", '{id: prove, verify: ["exchange.shut_down()", "True"]}\n  - {id: reopen', []),
        ('deadline: "{wait}"', "confirm: {type: ok}", []),
        ("id: reopen", "id: detect", ["duplicate-step", "duplicate-step"]),
        ("only_by_goto: true", "only_by_goto: yes", ["bad-value"]),
        ("schema: incident/v1", "schema: incident/v1\nauthority: []", ["unknown-key"]),
        ("heartbeat: 1h", 'heartbeat: "{market}"', ["wrong-type"]),
        ('manual: "Say why."', "notify: {audience: public}", ["missing-key"]),
        ('manual: "Say why."', "notify: contained", ["wrong-type"]),
        ('manual: "Say why."', "notify: {template: contain}", ["bad-value"]),
        ('manual: "Say why."', "notify: {template: contained, audience: everyone}", ["bad-value"]),
        ('manual: "Say why."', "notify: {template: contained, to: us}", ["unknown-key"]),
        ('manual: "Say why."', "notify: {template: contained}, marks: contained", ["no-proof"]),
        ('manual: "Say why."', "notify: {template: resolved, audience: internal}, marks: acknowledged", []),
    ],
)
def test_each_fault_is_told_once_and_brings_no_others(
    tmp_path: Path, before: str, after: str, wanted: list[str]
) -> None:
    assert codes(tmp_path, before, after) == wanted


@pytest.mark.parametrize(
    ("phrase", "wanted"),
    [
        ("yes", ["weak-confirmation"]),
        ('" end        "', ["weak-confirmation"]),
        ("end trading!", []),
        ('"{market}"', []),
    ],
)
def test_what_cannot_be_undone_is_not_confirmed_by_a_short_word(tmp_path: Path, phrase: str, wanted: list[str]) -> None:
    end = f"- {{id: end, contain: {{by: council, calls: [{{lever: exchange.shutdown}}]}}, confirm: {{type: {phrase}}}}}"
    assert codes(tmp_path, "- {id: reopen", f"{end}\n  - {{id: reopen") == wanted


def test_a_wrong_top_does_not_hide_the_rest_nor_invent_anything(tmp_path: Path) -> None:
    text = BASE.replace("severity: SEV2", "severity: HIGH").replace("check: [stale]", "check: [stal]")
    assert [(line, code) for line, _, code, _ in problems(tmp_path, text)] == [(4, "bad-value"), (16, "unknown-check")]
    text = BASE.replace("wait: {type: duration", "wait: {type: duratio").replace('manual: "Say why."', "manual: ''")
    assert [(line, code) for line, _, code, _ in problems(tmp_path, text)] == [(7, "bad-value"), (19, "bad-value")]


@pytest.mark.parametrize("text", ["", "- a\n", "a\n", "[" * 500, "a: &x [*x]\n"])
def test_what_is_no_runbook_at_all_is_told_calmly(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text)


def test_the_problems_of_an_in_house_protocol_are_told_with_the_runbook_s(tmp_path: Path) -> None:
    (tmp_path / "protocols").mkdir()
    (tmp_path / "protocols" / "safe.yaml").write_text("protocol: safe\nsource: x\n")
    path = tmp_path / "small.yaml"
    path.write_text(BASE.replace("check: [stale]", "check: [stal]"))
    with pytest.raises(WrongFile) as caught:
        load_runbook(path)
    assert [Path(one.name).name for one in caught.value.documents] == ["small.yaml", "safe.yaml"]


def test_a_runbook_is_found_by_path_or_shipped_name() -> None:
    path = SHIPPED["oracle-divergence"]
    assert find_runbook("oracle-divergence") == path
    assert find_runbook(str(path)) == path
    with pytest.raises(Misused, match="did you mean 'oracle-divergence'"):
        find_runbook("oracle-divergance")
    with pytest.raises(Misused, match="there is no file"):
        find_runbook("./nowhere/x.yaml")


@pytest.mark.parametrize("text", ["", "goto", "goto  x", "goto X", "go x", "stop", "goto x y"])
def test_a_transition_is_ask_or_goto(text: str) -> None:
    assert (parse_transition("ask"), parse_transition("goto x")) == (Transition(None), Transition("x"))
    with pytest.raises(ValueError, match="goto"):
        parse_transition(text)


def test_loading_a_runbook_loads_no_heavy_library() -> None:
    program = (
        "import sys; from pathlib import Path; from incident_cli.runbook.load import load_runbook;"
        f"load_runbook(Path({str(SHIPPED['oracle-divergence'])!r}));"
        "print(sorted({'web3','eth_abi','eth_account','pydantic','aiohttp','safe_eth','eth'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=TESTS.parent)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("before", "after", "code", "word"),
    [
        ("check: [stale]", "check: [stale, stal]", "unknown-check", "stal]"),
        ("check: [stale]", 'check: ["stal"]', "unknown-check", "stal"),
        ("goto stand_down", "goto stand_up", "unknown-step", "stand_up"),
        ("goto stand_down", '"goto stand_up"', "unknown-step", "stand_up"),
        ("by: council", "by: counci", "unknown-slot", "counci,"),
        ("by: governance", "by: feed", "no-authority", "feed}"),
        ("restore: pause", "restore: detect", "unknown-step", "detect,"),
        ("exchange.pause_market", "exchange.pause_markt", "unknown-lever", "pause_markt"),
        ("exchange.pause_market", "exchang.pause_market", "unknown-slot", "exchang."),
        ("slot: feed", "slot: fed", "unknown-slot", "fed,"),
        ("protocol: timelock", "protocol: timelok", "unknown-protocol", "timelok"),
        ("max: 1h", "max: 1m", "bad-value", "5m"),
        ("max: 1h", "min: 2h, max: 1h", "bad-value", "1h"),
        ("by: governance", "by: governance, requires: stale > 0", "bad-expression", "stale >"),
        ("by: governance", 'by: governance, requires: "wait > 0 and fire(wait)"', "bad-expression", "fire(wait)"),
        ("by: governance", "by: governance, when: 'quiet(stale) or quiet(stal)'", "bad-expression", "stal)"),
        ("by: governance", "by: governance, when: quiet(stale) or == 1", "bad-expression", "== 1"),
    ],
)
def test_a_problem_points_at_the_word(tmp_path: Path, before: str, after: str, code: str, word: str) -> None:
    text = BASE.replace(before, after, 1)
    pointed = [
        text.splitlines()[line - 1][column - 1 :]
        for line, column, found, _ in problems(tmp_path, text)
        if found == code
    ]
    assert pointed
    assert all(one.startswith(word) for one in pointed), pointed


def test_a_folded_expression_is_quoted_instead(tmp_path: Path) -> None:
    text = BASE.replace(
        "by: governance}", "by: governance}\n  - id: last\n    when: >-\n      quiet(stale)\n      and x\n    ask: Go?"
    )
    (found,) = problems(tmp_path, text)
    assert found[2:] == ("bad-expression", "in 'quiet(stale) and x': there is no name `x` here")


@pytest.mark.parametrize(("section", "most"), [("params", 200), ("slots", 200), ("checks", 200), ("steps", 500)])
def test_a_section_is_bounded_before_it_is_read(tmp_path: Path, section: str, most: int) -> None:
    one = "  - {id: s%d, manul: x}\n" if section == "steps" else "  s%d: {kind: nope, protocol: none, type: int}\n"
    text = BASE.replace(f"{section}:\n", f"{section}:\n" + "".join(one % number for number in range(most)))
    assert [code for _, _, code, _ in problems(tmp_path, text)] == ["too-many-entries"]


def test_beyond_what_is_shown_nothing_is_suggested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def none_near(word: str, *_: object, **__: object) -> list[str]:
        asked.append(word)
        return []

    monkeypatch.setattr("difflib.get_close_matches", none_near)
    steps = "".join(f'  - {{id: s{one}, when: "firing(stal{one})", manul: x}}\n' for one in range(480))
    assert len(problems(tmp_path, BASE.replace("steps:\n", "steps:\n" + steps))) >= 100
    assert len(asked) < 2_000
