"""What a runbook says never acts on the terminal, and a plain terminal gets plain text."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import run
from tests.fakes.terminal import ROOT, Terminal

STYLES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # what rich and prompt_toolkit send: colours and cursor moves
HOSTILE = r"\e[2J\e]8;;http://evil/\alink\e]52;c;aGk=\a \u202Eesrever \U000E0041 \x9b31m [bold red]x[/] :bomb:"
SHOWN = (
    "<U+001B>[2J<U+001B>]8;;http://evil/<U+0007>link<U+001B>]52;c;aGk=<U+0007> <U+202E>esrever <U+E0041>"
    " <U+009B>31m [bold red]x[/] :bomb:"
)
NEVER = ("\x1b]", "\x07", "\u202e", "\U000e0041", "\x9b", "\x1b[2J")


@pytest.fixture
def runbook(tmp_path: Path) -> Path:
    """The shipped runbook with hostile words wherever it may say something."""
    folder = tmp_path / "runbooks"
    shutil.copytree(ROOT / "runbooks", folder)
    path = folder / "oracle-divergence.yaml"
    text = path.read_text()
    for field in ("title: ", "ask: ", "summary: ", "manual: "):
        text = re.sub(rf"({field})(\"[^\"]*\"|.*)", lambda found: f'{found[1]}"{HOSTILE}"'.replace("\\", "\\"), text)
    path.write_text(text)
    return path


def flat(text: str) -> str:
    """Text without line breaks, frames and indentation."""
    return "".join(text.replace("│", "").split())


def test_hostile_words_are_shown_and_do_nothing(runbook: Path, tmp_path: Path) -> None:
    with Terminal(["drill", str(runbook)], tmp_path / "home") as terminal:
        terminal.answer("note \x1b]0;title\x07", "yes or no")
        terminal.answer("no", "yes or no")
        terminal.answer("done", "answer")
        assert terminal.finish() == 6, terminal.text
    assert [bad for bad in NEVER if bad in terminal.raw] == []
    assert "\x1b" not in STYLES.sub("", terminal.raw)
    assert flat(SHOWN) in flat(terminal.text)


@pytest.mark.parametrize("command", [["runbook", "show"], ["runbook", "validate"]])
def test_hostile_words_in_a_runbook_that_is_read(command: list[str], runbook: Path, tmp_path: Path) -> None:
    ended = run([*command, str(runbook)], tmp_path / "home")
    assert ended.code == 0, ended.err
    assert "\x1b" not in ended.err + ended.out
    assert [bad for bad in NEVER if bad in ended.err] == []


def test_hostile_arguments(tmp_path: Path) -> None:
    ended = run(["drill", "\x1b]52;c;aGk=\x07\u202e", "--auto"], tmp_path)
    assert (ended.code, "<U+001B>" in ended.err) == (2, True)
    assert [bad for bad in NEVER if bad in ended.err] == []


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_plain_terminal_gets_plain_text(variables: dict[str, str], tmp_path: Path) -> None:
    with Terminal(["drill", "--scenario", "false-alarm"], tmp_path / "home", variables=variables) as terminal:
        terminal.answer("?", "yes or no")
        terminal.answer("no", "yes or no")
        terminal.answer("looked at it", "answer")
        assert terminal.finish() == 0, terminal.text
    assert "\x1b" not in terminal.raw
    assert "stood-down" in terminal.text


@pytest.mark.parametrize("arguments", [["--help"], ["drill", "--help"], ["drill", "--bogus"], ["runbook", "list"], []])
def test_no_colour_in_help_and_lists(arguments: list[str], tmp_path: Path) -> None:
    with Terminal(arguments, tmp_path / "home", variables={"NO_COLOR": "1"}) as terminal:
        terminal.finish()
    assert "\x1b" not in terminal.raw


@pytest.mark.parametrize(
    ("variables", "styled"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": ""}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False),
    ],
)
def test_a_log_has_styles_only_where_they_are_asked_for(
    variables: dict[str, Any], styled: bool, tmp_path: Path
) -> None:
    ended = run(["runbook", "validate", "oracle-divergence"], tmp_path, **variables)
    assert ("\x1b" in ended.err) == styled
    assert STYLES.sub("", ended.err) == "oracle-divergence: sound\n"
    drilled = run(["drill", "--auto", "--scenario", "false-alarm"], tmp_path, **variables)
    assert ("\x1b" in drilled.err) == styled
    assert "\x1b[?25l" not in drilled.err, "no spinner in a log"
