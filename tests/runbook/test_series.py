"""Series as promtool writes them, exact; and everything else a test file may say the chain answers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.abi import parse_signature
from incident_cli.abi_events import parse_event
from incident_cli.document import WrongFile
from incident_cli.evm import CallRead, CodeRead, Log, LogsRead, Missing, StorageRead
from incident_cli.protocols.slot import BoundSlot
from incident_cli.runbook.cases import LoadedCases, load_cases
from incident_cli.runbook.expected import FIRST_BLOCK, GENESIS
from incident_cli.runbook.made_up import made_up
from incident_cli.runbook.recording import Recording
from incident_cli.runbook.series import Series, SeriesError, parse_numbers, parse_words, whole
from incident_cli.runbook.shipped import shipped_folder
from incident_cli.units import Span


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("4000+0x3", (4000, 4000, 4000, 4000)),
        ("4000x3 3520x1", (4000, 4000, 4000, 4000, 3520, 3520)),
        ("4000-10x5", (4000, 3990, 3980, 3970, 3960, 3950)),
        ("-2+1x3", (-2, -1, 0, 1)),
        ("1 _x3", (1, None, None, None)),
        ("_ 0x2", (None, 0, 0, 0)),
        ("1.5e3-0.5e3x1", (1500, 1000)),
        ("250_000e6 1e30", (250_000_000_000, 10**30)),
    ],
)
def test_a_series_is_read_as_promtool_does(text: str, values: tuple[int | None, ...]) -> None:
    assert parse_numbers(text, whole) == Series(values)


def test_words_and_hex_have_runs_too() -> None:
    assert parse_words("falsex1 _ true", lambda word: word == "true").values == (False, False, None, True)
    assert parse_words("0x12 0x12x1", str).values == ("0x12", "0x12", "0x12")


def test_one_value_holds_for_ever_and_a_run_ends() -> None:
    constant, run = parse_numbers("7", whole), parse_numbers("7x0", whole)
    assert (constant.at(10**6), constant.at(-5), constant.length) == (7, 7, 0)
    assert run.at(0) == 7
    assert isinstance(run.at(1), Missing)
    assert isinstance(run.at(-1), Missing)
    assert run.at(-1, backwards=True) == 7


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "no sample"),
        ("4000 x3", 6, "no number"),
        ("4000 4000.5", 6, "no whole number"),
        ("1 1x99999", 3, "at most"),
        ("4000+5", 1, "no number"),
        ("1e400", 1, "no number"),
    ],
)
def test_what_is_no_series_is_told_at_its_column(text: str, column: int, words: str) -> None:
    with pytest.raises(SeriesError, match=words) as problem:
        parse_numbers(text, whole)
    assert problem.value.column == column


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**256 - 1), st.integers(0, 2**200), st.integers(0, 30))
def test_a_run_is_exact_whatever_its_size(first: int, step: int, more: int) -> None:
    assert parse_numbers(f"{first}+{step}x{more}", whole).values == tuple(first + step * n for n in range(more + 1))


RUNBOOK = """schema: incident/v1
id: lending
title: A lending market
meta: {owner: somebody, severity: SEV3}
params: {market: {type: market}}
slots:
  exchange: {protocol: drill-exchange}
  feed: {protocol: chainlink-feed}
  margin: {protocol: drill-margin}
  marks: {protocol: drill-options}
  council: {protocol: safe}
checks: {stale: {kind: oracle_staleness, slot: feed, heartbeat: 1h}}
steps: [{id: first, ask: "Go on?"}]
"""
TOP = """schema: incident-test/v1
runbook: lending
market: ETH-USD
markets: [ETH-USD, BTC-USD]
cases:
  - name: a case
    walk: {path: []}
"""


def load(folder: Path, given: str) -> LoadedCases:
    """A test file of a runbook with what is given in its only case."""
    (folder / "lending.yaml").write_text(RUNBOOK)
    (folder / "tests").mkdir(exist_ok=True)
    path = folder / "tests" / "lending.yaml"
    path.write_text(TOP + given)
    return load_cases(path)


def recorded(folder: Path, given: str) -> tuple[Recording, dict[str, BoundSlot]]:
    """What the only case says the chain answers, and the slots."""
    loaded = load(folder, given)
    return loaded.cases[0].recording, dict(loaded.bound.slots)


def test_reads_are_answered_by_their_arguments(tmp_path: Path) -> None:
    given = """    reads:
      exchange.market_paused(market): "falsex1 true"
      exchange.market_paused(*): "true"
      exchange.guardian(): council
      exchange.withdrawal_capacity: 1e12
"""
    recording, slots = recorded(tmp_path, given)
    exchange, bound = slots["exchange"], load(tmp_path, given).bound
    paused = {name: exchange.read("market_paused", (market,)) for name, market in bound.markets.items()}
    assert [recording.state(paused["ETH-USD"], index) for index in (0, 1, 2)] == [(False,), (False,), (True,)]
    assert recording.state(paused["BTC-USD"], 0) == (True,)
    assert recording.state(exchange.read("guardian"), 9) == (slots["council"].addresses["safe"],)
    assert recording.state(exchange.read("withdrawal_capacity"), 9) == (10**12,)
    assert isinstance(recording.state(exchange.read("shut_down"), 0), Missing)


def test_a_price_is_a_round_of_eight_decimals(tmp_path: Path) -> None:
    recording, slots = recorded(tmp_path, "    prices: {feed: {price: 4000.12345678x2, updated: 0x1 24}}\n")
    number, answer, started, updated, answered_in = recording.state(slots["feed"].read("latest_round"), 1)  # type: ignore[misc]
    assert (answer, updated, started, number) == (400_012_345_678, GENESIS, GENESIS, answered_in)
    assert recording.state(slots["feed"].read("decimals"), 99) == (8,)
    assert recording.length == 3


def test_several_outputs_have_a_series_each(tmp_path: Path) -> None:
    given = """    reads:
      feed.latest_round(): {roundId: 7, answer: 1 _, startedAt: 0, updatedAt: 5, answeredInRound: 6}
"""
    recording, slots = recorded(tmp_path, given)
    assert recording.state(slots["feed"].read("latest_round"), 0) == (7, 1, 0, 5, 6)
    assert isinstance(recording.state(slots["feed"].read("latest_round"), 1), Missing)


def test_an_array_is_a_list_that_never_changes_or_a_series(tmp_path: Path) -> None:
    given = """    reads:
      marks.surface(market):
        expiries: [1]
        strikes: [3600e8, 4000e8]
        calls: "[41.5e8,7]x1 _ [8,9]"
        puts: "[]"
        forwards: [1]
        discounts: [0.996e18]
        ivs: [1]
"""
    recording, slots = recorded(tmp_path, given)
    read = slots["marks"].read("surface", (load(tmp_path, given).bound.market,))
    answers = [recording.state(read, index) for index in range(5)]
    calls = [None if isinstance(one, Missing) else one[2] for one in answers]
    assert calls == [(4_150_000_000, 7), (4_150_000_000, 7), None, (8, 9), None]
    assert answers[0] == ((1,), (360_000_000_000, 400_000_000_000), calls[0], (), (1,), (996 * 10**15,), (1,))


def test_events_lie_in_the_window_before_the_block(tmp_path: Path) -> None:
    values = "market: {}, account: '{}', debt: 100e6, collateral: 1"
    someone = made_up("someone")
    given = f"""    events:
      margin.liquidated:
        - {{at: 12s, values: {{{values.format("ETH-USD", someone)}}}}}
        - {{counts: 0x1 2 0x3, values: {{{values.format("BTC-USD", someone)}}}}}
      margin.borrowed: []
"""
    recording, slots = recorded(tmp_path, given)
    window = slots["margin"].logs("liquidated", Span(seconds=24))
    eth = Log(FIRST_BLOCK + 1, GENESIS + 12, (market_id(tmp_path, given, "ETH-USD"), someone, 100_000_000, 1))
    btc = Log(FIRST_BLOCK + 2, GENESIS + 24, (market_id(tmp_path, given, "BTC-USD"), someone, 100_000_000, 1))
    assert recording.events(window, 2) == (eth, btc, btc)
    assert recording.events(window, 3) == (btc, btc)
    assert recording.events(window, 5) == ()
    assert isinstance(recording.events(window, 0), Missing), "the window begins before the test"
    assert isinstance(recording.events(window, 7), Missing), "the counts end"
    only = slots["margin"].logs("liquidated", Span(blocks=2), {"market": load(tmp_path, given).bound.market})
    assert recording.events(only, 2) == (eth,)
    assert recording.events(slots["margin"].logs("borrowed", Span(blocks=1)), 3) == ()
    assert isinstance(recording.events(slots["margin"].logs("bad_debt", Span(blocks=1)), 3), Missing)


def market_id(folder: Path, given: str, name: str) -> bytes:
    """The id of a market."""
    return load(folder, given).bound.markets[name].id


def test_storage_code_and_unknown_reads(tmp_path: Path) -> None:
    recording, slots = recorded(
        tmp_path, "    storage: {exchange: {0x05: 0x01x1 0x02}}\n    code: {exchange: 0x60 0x61}\n"
    )
    exchange = slots["exchange"].addresses["exchange"]
    assert recording.state(StorageRead(exchange, 5), 2) == ((2).to_bytes(32),)
    assert [recording.state(CodeRead(exchange), index) for index in (0, 1)] == [(b"\x60",), (b"\x61",)]
    assert isinstance(recording.state(CallRead(exchange, parse_signature("f() returns (bool)")), 0), Missing)
    assert isinstance(recording.events(LogsRead(exchange, parse_event("E(uint256 one)"), Span(blocks=1)), 0), Missing)


SURFACE = "marks.surface(market): {expiries: _, strikes: _, calls: _, puts: _, forwards: _, discounts: _, ivs:"
WRONG = {
    "      exchange.market_pawsed(market): true\n": ("unknown-read", "did you mean 'market_paused'"),
    "      exchang.shut_down(): true\n": ("unknown-slot", "did you mean 'exchange'"),
    "      exchange.market_paused(): true\n": ("wrong-arguments", "0 arguments"),
    "      exchange.market_paused(DOGE-USD): true\n": ("bad-value", "DOGE-USD"),
    "      exchange.shut_down(): truex3 maybe\n": ("bad-value", ":9:36: "),
    "      exchange.withdrawal_capacity(): 1 -5\n": ("bad-value", "-5 is no uint256"),
    "      exchange.guardian(): counsil\n": ("bad-value", "did you mean 'council'"),
    "      feed.latest_round(): 5\n": ("wrong-type", "roundId"),
    "      margin.stressed_loss(market: 5\n": ("unknown-read", "quotes"),
    f"      {SURFACE} '[1]x3 [1,two]'}}\n": ("bad-value", ":9:114: "),
    f"      {SURFACE} '[1]x3 [1,-2]'}}\n": ("bad-value", "-2 is no uint256"),
    f"      {SURFACE} '[1]x3 [1x3]'}}\n": ("bad-value", "one number"),
    f"      {SURFACE} [[1]]}}\n": ("wrong-type", "uint256 is needed here"),
    f"      {SURFACE} [1e999999999]}}\n": ("bad-value", "is no uint256"),
    f"      {SURFACE} [two]}}\n": ("bad-value", "'two' is no uint256"),
}


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_read_is_told_with_its_place(line: str, tmp_path: Path) -> None:
    code, words = WRONG[line]
    with pytest.raises(WrongFile) as problem:
        load(tmp_path, f"    reads:\n{line}")
    assert f"error[{code}]" in problem.value.message
    assert words in problem.value.message
    assert "lending.yaml:9:" in problem.value.message
    assert "^" in problem.value.message


FILES = {
    "expect: [{at: 30s, divergence: quiet}]": "30s is no multiple of the interval",
    "expect: [{divergence: quiet}]": "'at' is missing",
    "expect: [{at: 0s, divergance: quiet}]": "did you mean 'divergence'",
    "expect: [{at: 0s, divergence: silent}]": "'silent' is no verdict",
    "expect: [{at: 0s, divergence: {verdikt: quiet}}]": "did you mean 'verdict'",
    "walk: {path: [detekt]}": "'detekt' is no step of oracle-divergence",
    "walk: {answers: {detekt: on}}": "'detekt' is no step of oracle-divergence",
    "before: missing": "the case expects nothing",
    "prices: {council: 4000}\n    walk: {}": "council is a safe",
    "events: {exchange.paused: []}\n    walk: {}": "has no event 'paused'",
    "storage: {exchange: {five: 0x00}}\n    walk: {}": "is no position",
}


@pytest.mark.parametrize("line", FILES)
def test_a_wrong_test_file_is_told(line: str, tmp_path: Path) -> None:
    shutil.copy(shipped_folder() / "oracle-divergence.yaml", tmp_path)
    path = tmp_path / "test.yaml"
    head = "schema: incident-test/v1\nrunbook: oracle-divergence\nmarket: ETH-USD\ntokens: {USDC: 6}\n"
    path.write_text(f"{head}cases:\n  - name: a case\n    {line}\n")
    with pytest.raises(WrongFile) as problem:
        load_cases(path)
    assert FILES[line] in problem.value.message, problem.value.message


def test_a_parameter_out_of_its_bounds_and_a_runbook_that_is_not_there(tmp_path: Path) -> None:
    shutil.copy(shipped_folder() / "oracle-divergence.yaml", tmp_path)
    path, tail = tmp_path / "test.yaml", "cases: [{name: a, walk: {}}]\n"
    top = "schema: incident-test/v1\nmarket: ETH-USD\ntokens: {USDC: 6}\n"
    path.write_text(f"{top}runbook: oracle-divergence\nparams: {{max: 3000}}\n{tail}")
    with pytest.raises(WrongFile, match="above its maximum"):
        load_cases(path)
    path.write_text(f"{top}runbook: oracle-divergense\n{tail}")
    with pytest.raises(WrongFile, match=r"unknown-name.*there is no oracle-divergense.yaml"):
        load_cases(path)
