"""What the terminal makes of a line, of a failure, of a path and of a narrow window."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from incident_cli.cli import settings
from incident_cli.cli.screen import panel_title
from incident_cli.cli.terminal import Asker, Desk, Printer, heading
from incident_cli.cli.wrapping import paths_apart, wrapped
from incident_cli.errors import Misused, Waiting
from incident_cli.flows.desk import Answer, Back, Header, Note, Prompt, Reply, Skip, Stop

MENU = Prompt("step", "choice", "What now?", choices=(("stop", "leave it"), ("skip", "leave it out"), ("on", "go on")))
FREE = Prompt("step", "text", "What did you see?")
TITLE = "A market's price feed diverges from its reference"


@pytest.mark.parametrize(
    ("prompt", "line", "reply"),
    [
        (MENU, "skip", Answer("skip")),
        (MENU, "stop", Answer("stop")),
        (MENU, "", Answer("stop")),
        (MENU, "skip no time", Skip("no time")),
        (MENU, "back", Back()),
        (FREE, "note it is late", Note("it is late")),
        (FREE, "stop", Stop()),
        (FREE, "stop the feed", Answer("stop the feed")),
    ],
)
def test_a_word_of_the_menu_wins_over_a_move(prompt: Prompt, line: str, reply: Reply) -> None:
    assert Asker(Printer()).understand(prompt, line) == reply


@pytest.mark.parametrize(
    ("phrase", "line", "taken"),
    [
        ("1f3ac09b", "1F3AC09B", True),
        ("Ab12cD34 99eeFF00", "ab12cd34 99eeff00", True),
        ("1f3ac09b", "1f3ac09c", False),
        ("ETH-USD", "eth-usd", False),
        ("ETH-USD", "ETH-USD", True),
    ],
)
def test_the_case_of_hex_digits_says_nothing(phrase: str, line: str, taken: bool) -> None:
    asked = Prompt("sign", "type", "Type it.", phrase, typed=True)
    assert Asker(Printer()).understand(asked, line) == (Answer(phrase) if taken else None)


def test_outside_a_walk_only_stop_is_a_move(capsys: pytest.CaptureFixture[str]) -> None:
    asked = Prompt("sign", "type", "Type it.", "1f3ac09b", help="Read it from your device.", typed=True)
    asker = Desk(in_walk=False).asker
    assert asker.understand(asked, "stop") == Stop()
    for line in ("note it is late", "skip no time", "back"):
        assert asker.understand(asked, line) is None
    said = capsys.readouterr().err
    assert "that is not it: compare it with where you read it" in said and "card" not in said
    assert asker.understand(asked, "?") is None
    said = capsys.readouterr().err
    assert "Read it from your device." in said and "end the command here" in said
    assert not any(word in said for word in ("note", "back", "skip", "--resume"))
    assert Asker(Printer()).understand(asked, "?") is None
    assert "skip REASON" in capsys.readouterr().err


def test_a_stop_that_was_wanted_is_no_error() -> None:
    assert heading(Waiting("", "signatures")) == ("waiting", "yellow")
    assert heading(Waiting("", "operator")) == ("stopped", "yellow")
    assert heading(Misused("")) == ("error", "bold red")


def test_a_path_stands_alone_and_whole() -> None:
    path = f"/home/someone/state/{'folder/' * 20}0x{'ab' * 32}.json"
    assert paths_apart(f"owners sign {path}; then go on") == ["owners sign", path, "then go on"]
    assert paths_apart(f"written: {path}") == ["written:", path]
    assert paths_apart("about 3/4 of it, and/or more") == ["about 3/4 of it, and/or more"]
    assert wrapped(path, 80) == [path]


@pytest.mark.parametrize("width", [56, 40, 76])
def test_the_mode_and_the_market_are_never_cut(width: int) -> None:
    header = Header("drill", "id", TITLE, "ETH-USD", None, None, None, 1, 8, None)
    title = panel_title("DRILL", header, width)
    assert title.startswith(" DRILL · ") and title.endswith(" · ETH-USD ") and len(title) <= width
    assert ("…" in title) == (width < len(f" DRILL · {TITLE} · ETH-USD  "))


def test_the_command_is_printed_as_it_can_be_called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "incident"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert settings.command() == str(program)
    monkeypatch.setenv("PATH", str(program.parent))
    assert settings.command() == "incident"
    monkeypatch.setattr(sys, "argv", ["/somewhere/main.py"])
    assert settings.command() == "incident"


def test_a_question_stops_the_spinner() -> None:
    from rich.console import Console

    printer = Printer([Console(stderr=True, force_terminal=True)], seen=True)
    with printer.working("reading"):
        (status,) = printer.spinning
        printer.settle()
        assert (printer.spinning, status._live.is_started) == ([], False)
    with printer.working("one"), printer.working("inside another"):
        assert len(printer.spinning) == 1
    assert printer.spinning == []
