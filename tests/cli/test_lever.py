"""`incident lever`: the catalogue for people and scripts, calldata without a chain, and every wrong use in words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from incident_cli.abi import encode_call, parse_signature
from incident_cli.evm import checksummed, to_hex
from incident_cli.protocols.catalog import SHIPPED
from tests.cli.command import Ended, run
from tests.cli.test_bad_input import plainly, refused
from tests.cli.test_hostile import HOSTILE, NEVER

EXCHANGE, BY = checksummed(b"\xa1" * 20), checksummed(b"\xb2" * 20)
MARKET_ID = "0x" + "11" * 32
PAUSE = ["lever", "encode", "drill-exchange.pause_market"]
GIVEN = ["--at", f"exchange={EXCHANGE}", "--market", f"ETH-USD={MARKET_ID}", "--before", "market_paused=false"]
OWN = """protocol: own-pool
source: "own/pool, {words}"
reviewed: 2026-11-01
proof: interface
slots: {{pool: address}}
reads:
  paused: {{on: pool, call: "paused() returns (bool)"}}
  debt: {{on: pool, call: "debt() returns (uint256)", unit: USDC}}
levers:
  pause:
    does: "Stops the pool. {words}"
    scope: protocol
    on: pool
    call: "pause()"
    expect: {{paused: "True"}}
    writes: [pool]
    satisfied: paused
    irreversible: true
    consequence: "stop the pool for good {words}"
    blast_radius: [{{who: "Borrowers {words}", loses: "their way out", measure: debt}}]
    traps: ["Nobody reopens it. {words}"]
"""


def own(folder: Path, words: str = "") -> Path:
    """A folder `protocols` with one in-house file."""
    (folder / "protocols").mkdir()
    (folder / "protocols" / "own-pool.yaml").write_text(OWN.format(words=words))
    return folder / "protocols"


def encode(tmp_path: Path, *arguments: str) -> Ended:
    return run([*PAUSE, *GIVEN, *arguments], tmp_path)


# --- list


def test_the_list_as_an_object(tmp_path: Path) -> None:
    found = run(["lever", "list", "--json"], tmp_path).object
    assert (found["schema"], found["problems"]) == ("incident.lever-list/v1", [])
    levers = found["levers"]
    keys = {"protocol", "lever", "scope", "does", "irreversible", "proof", "reviewed", "shipped"}
    assert all(set(one) == keys for one in levers)
    files = {path.stem for path in SHIPPED.glob("*.yaml") if re.search(r"^levers:", path.read_text(), re.MULTILINE)}
    assert {one["protocol"] for one in levers} == files
    drills = [one["protocol"].startswith("drill-") for one in levers]
    assert drills == sorted(drills) and {one["proof"] for one in levers if one["shipped"]} >= {"drill"}


def test_the_list_for_people(tmp_path: Path) -> None:
    listed = run(["lever", "list"], tmp_path)
    assert (listed.code, listed.out) == (0, "")
    said = plainly(listed.err)
    assert "drill-exchange (drill) drill-exchange.pause_market [market] Stops trading and exercise" in said
    assert "drill-exchange.shutdown [protocol, IRREVERSIBLE]" in said
    assert re.search(r"See one: \S*incident lever show ", said)


def test_the_list_of_one_protocol(tmp_path: Path) -> None:
    found = run(["lever", "list", "--protocol", "timelock", "--json"], tmp_path).object["levers"]
    assert [(one["lever"], one["irreversible"]) for one in found] == [("cancel_operation", True)]
    none = run(["lever", "list", "--protocol", "chainlink-feed"], tmp_path)
    assert (none.code, plainly(none.err)) == (0, "No lever: this protocol is only read.")


@pytest.mark.parametrize("named", [True, False], ids=["--protocols", "beside"])
def test_in_house_files(named: bool, tmp_path: Path) -> None:
    folder = own(tmp_path)
    words, cwd = (["--protocols", str(folder)], SHIPPED) if named else ([], tmp_path)
    listed = run(["lever", "list", "--json", *words], tmp_path / "home", cwd=cwd).object["levers"]
    assert [one["lever"] for one in listed if not one["shipped"]] == ["pause"]
    assert "(interface, reviewed 2026-11-01, in-house)" in run(["lever", "list", *words], tmp_path, cwd=cwd).err
    at = ["--at", f"pool={EXCHANGE}"]
    found = run(["lever", "encode", "own-pool.pause", *at, "--json", *words], tmp_path, cwd=cwd).object
    assert found["calls"][0]["data"] == to_hex(parse_signature("pause()").selector)
    assert found["undo"] is None


def test_a_wrong_in_house_file_hides_no_lever(tmp_path: Path) -> None:
    folder = own(tmp_path)
    (folder / "wrong.yaml").write_text("protocol: wrong\nslots: {}\n")
    listed = run(["lever", "list"], tmp_path, cwd=tmp_path)
    assert (listed.code, listed.out) == (2, "")
    assert "own-pool.pause" in listed.err and "wrong.yaml:1:1: error[missing-key]" in listed.err
    found = run(["lever", "list", "--json"], tmp_path, cwd=tmp_path)
    (problem,) = found.object["problems"]
    assert (found.code, problem["code"], problem["line"]) == (2, "missing-key", 1)
    assert "own-pool" in {one["protocol"] for one in found.object["levers"]}
    refused(run(["lever", "show", "wrong.pause"], tmp_path, cwd=tmp_path), 2, "wrong.yaml:1:1: error[missing-key]")


# --- show


def test_a_page_says_what_is_needed_at_night(tmp_path: Path) -> None:
    shown = run(["lever", "show", "drill-exchange.pause_market"], tmp_path)
    assert (shown.code, shown.out) == (0, "")
    said = plainly(shown.err)
    for words in (
        "drill-exchange.pause_market [market] Stops trading",
        "argument market: market, required",
        "slot exchange: given by the deployment",
        "call exchange.setMarketPaused(bytes32 market, bool paused) with paused = True",
        "reads before market_paused: exchange.marketPaused(bytes32 market) returns (bool)",
        "must show market_paused == True",
        "writes exchange",
        "undo by governance: exchange.setMarketPaused(",
        "role guardian == by or governance == by",
        "delay none",
        "lapses never by itself",
        "trap Holders cannot exercise",
        "source incident_cli/drills/contracts/options_exchange.vy",
        "reviewed not stated",
        "proof drill",
        "lever encode drill-exchange.pause_market --at exchange=ADDRESS --market NAME=BYTES32 "
        "--before market_paused=BOOL",
        'calls: - {lever: exchange.pause_market, market: "{market}"}',
    ):
        assert words in said, words


def test_a_page_of_what_nobody_undoes(tmp_path: Path) -> None:
    said = plainly(run(["lever", "show", "drill-exchange.shutdown"], tmp_path).err)
    phrase = run(["lever", "show", "drill-exchange.shutdown", "--json"], tmp_path).object["consequence"]
    assert len(phrase) > 12
    assert "undo NONE: it cannot be undone by anybody" in said
    assert f"consequence {phrase} (typed before it is pulled)" in said
    assert f'confirm: {{type: "{phrase}"}}' in said


def test_a_page_as_an_object(tmp_path: Path) -> None:
    own(tmp_path)
    found = run(["lever", "show", "own-pool.pause", "--json"], tmp_path, cwd=tmp_path).object
    assert (found["schema"], found["protocol"], found["lever"]) == ("incident.lever/v1", "own-pool", "pause")
    assert (found["call"], found["expect"], found["undo"]) == ("pause()", {"paused": "True"}, None)
    assert found["blast_radius"] == [{"who": "Borrowers ", "loses": "their way out", "measure": "debt"}]
    assert found["encode"] == "incident lever encode own-pool.pause --at pool=ADDRESS"


# --- encode


def test_calldata_as_an_object(tmp_path: Path) -> None:
    found = encode(tmp_path, "--json").object
    assert set(found) >= {"schema", "protocol", "lever", "calls", "expect", "undo", "traps"}
    assert (found["schema"], found["protocol"], found["lever"]) == (
        "incident.lever-encode/v1",
        "drill-exchange",
        "pause_market",
    )
    (call,) = found["calls"]
    assert set(call) >= {"to", "function", "args", "data", "value", "plain"}
    market = bytes.fromhex(MARKET_ID[2:])
    assert call["data"] == to_hex(encode_call(parse_signature("setMarketPaused(bytes32,bool)"), (market, True)))
    assert (call["to"], call["value"]) == (EXCHANGE, "0")
    assert found["expect"] == [{"read": "exchange.market_paused(ETH-USD)", "equals": "true"}]


def test_calldata_for_people_stands_whole(tmp_path: Path) -> None:
    ended, found = encode(tmp_path), encode(tmp_path, "--json").object
    assert (ended.code, ended.out) == (0, "")
    assert found["calls"][0]["data"] in ended.err.splitlines()
    assert found["undo"]["data"] in ended.err.splitlines()
    said = plainly(ended.err)
    assert "Undo, by governance" in said
    assert "not checked role not checked: no chain (guardian == by or governance == by)" in said


def test_what_stands_already_is_said(tmp_path: Path) -> None:
    ended = run([*PAUSE, *GIVEN[:-1], "market_paused=true"], tmp_path)
    assert "it stands already: nothing would need to be done" in plainly(ended.err)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (PAUSE, ("3 missing", "next: add --at exchange=ADDRESS --market NAME=BYTES32 --before market_paused=BOOL")),
        ([*PAUSE, *GIVEN, "--arg", "markt=ETH-USD"], ("--arg markt=ETH-USD: unknown here", "did you mean 'market'?")),
        ([*PAUSE, *GIVEN, "--arg", "market"], ("--arg 'market' is not NAME=VALUE", "next:")),
        ([*PAUSE, *GIVEN, "--at", f"exchange={EXCHANGE}"], ("names one twice", "next:")),
        ([*PAUSE, "--at", f"exchange={EXCHANGE.lower()}", *GIVEN[2:]], ("the checksum is wrong", EXCHANGE)),
        ([*PAUSE, *GIVEN, "--by", BY.swapcase().replace("0X", "0x")], ("--by 0x", "the checksum is wrong")),
        ([*PAUSE, *GIVEN[:-1], "market_paused=maybe"], ("it must be true or false",)),
        ([*PAUSE, *GIVEN, "--arg", "\x1b]52;c;aGk=\x07=\u202e"], ("<U+001B>]52;c;aGk=<U+0007>=<U+202E>: unknown",)),
        ([*PAUSE, *GIVEN[:3], f"ETH-USD={'9' * 50_000}", *GIVEN[4:]], ("32 bytes are 0x and 64 hex digits",)),
        (["lever", "encode", "drill-exchange.pause_markets"], ("did you mean 'pause_market'?", "next: levers:")),
        (["lever", "show", "drill-exchnge.shutdown"], ("did you mean 'drill-exchange'?", "next:")),
        (["lever", "show", "shutdown"], ("did you mean 'drill-exchange.shutdown'?", "next:")),
        (["lever", "list", "--protocol", "safee"], ("did you mean 'safe'?", "next:")),
        (["lever", "list", "--protocols", "/nowhere"], ("--protocols /nowhere is no folder", "next:")),
        (["lever", "list", "--protocols", "x" * 5_000], ("is no folder", "next:")),
        (["lever", "encode"], ("Missing argument", "Try 'incident lever encode --help'")),
    ],
)
def test_a_wrong_command_is_refused(arguments: list[str], words: tuple[str, ...], tmp_path: Path) -> None:
    ended = run(arguments, tmp_path)
    refused(ended, 2, *words)
    assert [bad for bad in NEVER if bad in ended.err] == []


def test_with_json_the_refusal_is_one_object(tmp_path: Path) -> None:
    ended = run([*PAUSE, "--json"], tmp_path)
    assert (ended.code, ended.object["exit_code"]) == (2, 2)
    assert "--before market_paused=BOOL" in ended.object["hint"]


@pytest.mark.parametrize("command", [["list"], ["show", "own-pool.pause"], ["encode", "own-pool.pause"]], ids=" ".join)
@pytest.mark.parametrize("as_json", [True, False])
def test_hostile_words_of_a_protocol_file_do_nothing(command: list[str], as_json: bool, tmp_path: Path) -> None:
    own(tmp_path, HOSTILE)
    at = ["--at", f"pool={EXCHANGE}"] if command[0] == "encode" else []
    ended = run(["lever", *command, *at, *(["--json"] if as_json else [])], tmp_path, cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "\x1b" not in ended.err + ended.out
    assert [bad for bad in NEVER if bad in ended.err + ended.out] == []
    assert as_json or "<U+202E>esrever" in "".join(ended.err.split())
