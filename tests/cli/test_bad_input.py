"""Every wrong input: the right exit code, one clear error with the next step, and nothing begun."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from incident_cli.journal.store import Journal
from tests.cli.command import Ended, incidents, run, run_in_shell
from tests.cli.deployments import CLOSED, FEED, MARKET, deployment
from tests.fakes.terminal import COMMAND, ROOT, Terminal

SHIPPED = ROOT / "runbooks" / "oracle-divergence.yaml"
WRONG_CHECKSUM = FEED.swapcase().replace("0X", "0x")
SOME_ANSWERS = "schema: incident-answers/v1\nrunbook: oracle-divergence\nanswers: {declare: 'yes'}\n"


def plainly(text: str) -> str:
    """Text without its line breaks."""
    return " ".join(text.split())


def refused(ended: Ended, code: int, *words: str) -> None:
    """The exit code, the words on stderr, nothing on stdout, and no traceback."""
    said = plainly(ended.err)
    assert (ended.code, ended.out) == (code, ""), ended.err
    assert "Traceback" not in ended.err
    assert all(word in said for word in words), said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["drill", "oracle-divergense", "--auto"], ("did you mean 'oracle-divergence'?", "next: shipped:")),
        (["drill", "--scenario", "false-alrm", "--auto"], ("did you mean 'false-alarm'?", "next: scenarios:")),
        (["drill", "emergency-shutdown", "--scenario", "false-alarm", "--auto"], ("not emergency-shutdown", "next:")),
        (["drill", "--auto", "--answers", "a.yaml"], ("--auto and --answers", "next: leave out one")),
        (["drill", "--answers", "nowhere.yaml"], ("cannot read nowhere.yaml", "next:")),
        (["drill", "--auto", "--resume"], ("no open drill to resume", "next: bare `incident` lists")),
        (["drill", "--auto", "--resume", "20260101-0000-x-0000"], ("no incident '20260101-0000-x-0000'", "next:")),
        (["drill", "--auto", "--resume", "../../etc"], ("no incident '../../etc'", "next:")),
        (["drill", "--auto", "--resume", "--seed", "9"], ("goes on with a drill as it was begun", "--seed")),
        (["drill", "--bogus"], ("No such option: --bogus", "Try 'incident drill --help'")),
        (["drill", "--seed", "many"], ("'--seed'", "Try 'incident drill --help'")),
        (["containment"], ("No such command 'containment'", "Try 'incident --help'")),
        (["respond"], ("RUNBOOK and --deployment FILE and --market MARKET must be given", "next: incident respond")),
        (["respond", "oracle-divergence", "--deployment", "d.yaml"], ("--market MARKET must be given", "next:")),
        (["respond", "oracle", "--deployment", "d.yaml", "--market", "M"], ("no shipped runbook 'oracle'", "next:")),
        (["respond", "oracle-divergence", "--deployment", "d.yaml", "--market", "M", "--param", "x"], ("NAME=VALUE",)),
        (["respond", "oracle-divergence", "--resume"], ("as it was begun", "next: leave out")),
        (["drill", "oracle-divergance"], ("did you mean 'oracle-divergence'?", "next: shipped:")),
        (["drill", "--resume", "nope"], ("no incident 'nope'", "next:")),
        (["respond", "--resume", "nope"], ("no incident 'nope'", "next:")),
        (["respond", "--resume"], ("no open live to resume", "next:")),
        (["runbook", "validate", "runbooks"], ("runbooks is a directory", "next:")),
        (["runbook", "validate", "runbooks/drills/shutdown.yaml"], ("is a scenario file; validate reads",)),
        (["runbook", "show", "oracle-stalenes"], ("did you mean 'oracle-staleness'?", "next:")),
        (["runbook", "validate", "nowhere.yaml"], ("no file 'nowhere.yaml'", "next:")),
        *[(["runbook", verb, "x" * 5_000], ("there is no", "next:")) for verb in ("validate", "show", "lint", "test")],
        (["runbook", "validate"], ("Missing argument", "Try 'incident runbook validate --help'")),
    ],
)
def test_a_wrong_command_is_refused(arguments: list[str], words: tuple[str, ...], tmp_path: Path) -> None:
    refused(run(arguments, tmp_path / "home"), 2, *words)
    assert incidents(tmp_path / "home") == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["drill"], ("whether to declare", "Nothing was begun", "--auto, or --answers FILE")),
        (
            ["respond", "oracle-divergence", "--deployment", "d.yaml", "--market", MARKET],
            ("Nothing was begun", "next:"),
        ),
    ],
)
def test_without_a_terminal_nothing_is_begun(arguments: list[str], words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text(deployment())
    refused(run(arguments, tmp_path / "home", tmp_path), 4, "there is no terminal", *words)
    assert incidents(tmp_path / "home") == []


def test_with_json_the_error_is_one_object(tmp_path: Path) -> None:
    ended = run(["drill", "oracle-divergense", "--auto", "--json"], tmp_path)
    assert (ended.code, set(ended.object)) == (2, {"schema", "message", "hint", "exit_code"})
    assert "error: " in ended.err


def test_every_error_of_a_runbook_at_its_place(tmp_path: Path) -> None:
    wrong = SHIPPED.read_text().replace("exchange.pause_market,", "exchange.pause_markets,")
    wrong = wrong.replace("kind: oracle_divergence", "kind: oracle_divergense").replace("timelock}", "time-lok}")
    (tmp_path / "wrong.yaml").write_text(wrong)
    ended = run(["runbook", "validate", "wrong.yaml"], tmp_path / "home", cwd=tmp_path)
    refused(ended, 2, "'pause_market'?", "'oracle_divergence'?", "time-lok", "problems; nothing was done")
    assert ended.err.count("wrong.yaml:") == ended.err.count(": error[") >= 3


def test_a_broken_yaml_says_where(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("schema: incident/v1\nsteps: [\n")
    ended = run(["runbook", "validate", "broken.yaml"], tmp_path / "home", cwd=tmp_path)
    refused(ended, 2, "broken.yaml:3:1: error[yaml-syntax]")


def test_a_missing_answer_names_the_step_and_the_drill_can_go_on(tmp_path: Path) -> None:
    (tmp_path / "answers.yaml").write_text(SOME_ANSWERS)
    ended = run(["drill", "--answers", "answers.yaml", "--json"], tmp_path / "home", cwd=tmp_path)
    assert ended.code == 2
    assert "the answers file has no answer for the step 'pause'" in plainly(ended.err)
    assert f"incident drill --resume {incidents(tmp_path / 'home')[0]}" in plainly(ended.err)
    assert ended.object["outcome"] != "contained"


@pytest.mark.parametrize("home", ["file/below", "/proc/1/incidents", "~nosuchuser/incidents"])
def test_a_home_that_cannot_be_made(home: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = run(["drill", "--auto"], tmp_path, cwd=tmp_path, INCIDENT_HOME=home)
    refused(ended, 2, "next: set INCIDENT_HOME to a folder that can be made")


def test_lint_with_a_home_that_cannot_be(tmp_path: Path) -> None:
    refused(run(["runbook", "lint", "oracle-divergence"], tmp_path, INCIDENT_HOME="/" + "x" * 5_000), 2, "next: set")


def test_what_was_typed_does_nothing_to_the_terminal(tmp_path: Path) -> None:
    ended = run(["drill", "--\u202efoo", "\u202e"], tmp_path)
    assert (ended.code, "\u202e" in ended.err, "<U+202E>" in ended.err) == (2, False, True), ended.err


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "opened", "at": "x", "mode": "drill", "block": []},
        {"kind": "opened", "at": "x", "mode": "drill", "data": []},
        {"kind": [], "at": {}, "mode": []},
        {"step": None},
    ],
)
def test_a_sound_journal_of_nonsense_is_listed_as_broken(body: dict[str, Any], tmp_path: Path) -> None:
    with Journal.create(tmp_path / "home" / "nonsense") as journal:
        journal.append(body)
    listed = run([], tmp_path / "home")
    assert (listed.code, "BROKEN  nonsense" in listed.err) == (0, True), listed.err


@pytest.mark.parametrize("redirection", [">&-", "> /dev/full"])
@pytest.mark.parametrize(
    "words",
    [
        "--json",
        pytest.param("drill --auto --json", marks=pytest.mark.campaign),  # a whole drill: `--json` prints the same way
        "--version",
        "--help",
        "drill --help",
    ],
)
def test_stdout_that_cannot_be_written(words: str, redirection: str, tmp_path: Path) -> None:
    if "--help" in words and redirection == ">&-":
        return  # nobody wants it
    ended = run_in_shell(f'"$0" "$@" {words} {redirection}', tmp_path)
    assert (ended.code, "stdout cannot be written" in plainly(ended.err)) == (2, True), ended.err
    assert "Traceback" not in ended.err and "Exception" not in ended.err


@pytest.mark.parametrize("redirection", ["2> /dev/full", "2>&-", "> /dev/null 2> /dev/full", "> /dev/null 2>&1"])
@pytest.mark.parametrize(("words", "code"), [("runbook list", 0), ("runbook validate nowhere.yaml", 2), ("--bogus", 2)])
def test_what_cannot_be_told_changes_no_verdict(words: str, code: int, redirection: str, tmp_path: Path) -> None:
    assert run_in_shell(f'"$0" "$@" {words} {redirection}', tmp_path).code == code


@pytest.mark.parametrize("words", ["runbook list --json", "runbook schema", "--help", "--version"])
def test_a_reader_that_leaves_changes_no_verdict(words: str, tmp_path: Path) -> None:
    ended = run_in_shell(f'{{ "$0" "$@" {words}; echo $? >&2; }} | true', tmp_path)
    assert ended.err == "0\n"


def test_stderr_that_is_closed(tmp_path: Path) -> None:
    ended = run_in_shell('"$0" "$@" drill --auto 2>&-', tmp_path)
    assert (ended.code, ended.out) == (0, "")


def test_a_broken_journal_is_said_and_listed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (tmp_path / "answers.yaml").write_text(SOME_ANSWERS)
    run(["drill", "--answers", "answers.yaml"], home, cwd=tmp_path)
    journal = home / incidents(home)[0] / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([*lines[:3], lines[3].replace('"seq":4', '"seq":5'), *lines[4:]]))
    refused(run(["drill", "--auto", "--resume", incidents(home)[0]], home), 7, "next:")
    listed = run([], home)
    assert (listed.code, "BROKEN" in listed.err) == (0, True)


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run(["drill", "--auto", "--serve", str(port)], tmp_path / "home")
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert f"{port}" in ended.err and "Traceback" not in ended.err
    assert incidents(tmp_path / "home") == []


@pytest.mark.parametrize(
    ("text", "more", "code", "words"),
    [
        (deployment(), (), 3, ("no node of drill could be read", "next: ")),
        (deployment(CLOSED.replace("http", "ftp")), (), 2, ("d.yaml:3:", "is no url")),
        (deployment(feed=WRONG_CHECKSUM), (), 2, ("d.yaml:13:", "the checksum is wrong", FEED)),
        (deployment(council=False), (), 2, ("does not bind the slot 'council'", "next: add it")),
        (deployment(), ("--market", "ETH-USDC"), 2, ("did you mean 'ETH-USD'?", "next: choose one with --market")),
        (deployment(), ("--param", "max=5"), 2, ("max: 5 is below its minimum 10", "next:")),
        (deployment(), ("--param", "maxx=200"), 2, ("'maxx' is no parameter", "did you mean 'max'?")),
        ("schema: [", (), 2, ("d.yaml:2:1: error[yaml-syntax]",)),
    ],
)
def test_a_wrong_deployment(
    text: str, more: tuple[str, ...], code: int, words: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "d.yaml").write_text(text)
    split = ("sh", "-c", 'exec "$0" "$@" > out.json', *COMMAND)
    arguments = ["respond", "oracle-divergence", "--deployment", "d.yaml", "--market", MARKET, *more, "--json"]
    with Terminal(arguments, tmp_path / "home", command=split, cwd=tmp_path) as terminal:
        assert terminal.finish() == code, terminal.text
        said = plainly(terminal.text)
    assert all(word in said for word in words), said
    assert "Traceback" not in said
    assert json.loads((tmp_path / "out.json").read_text())["exit_code"] == code
    assert incidents(tmp_path / "home") == []
