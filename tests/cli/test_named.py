"""What the command line names is built whole, everything else is only listed: and the list says what is true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.main import get_command

from incident_cli.cli.main import program
from incident_cli.cli.named import Command, fill, not_named
from tests.cli.test_help import COMMANDS

WHOLE: Any = get_command(program(None))
NAMED = [words for words in COMMANDS if words]


def at(words: list[str], command: Any) -> Any:
    """The command that some words name."""
    for word in words:
        command = command.commands[word]
    return command


def listed(command: Any) -> dict[str, str]:
    """What `--help` says of each command of a group."""
    return {name: one.get_short_help_str(100) for name, one in getattr(command, "commands", {}).items()}


def options(command: Any) -> list[tuple[str, list[str]]]:
    """The parameters of a command."""
    return [(one.name, one.opts) for one in command.params]


def every(command: Any, words: tuple[str, ...] = ()) -> Iterator[list[str]]:
    """The words of each command and group, from the top."""
    for name, one in getattr(command, "commands", {}).items():
        yield [*words, name]
        yield from every(one, (*words, name))


def test_every_command_is_tried_here() -> None:
    assert sorted(every(WHOLE)) == sorted(NAMED)


@pytest.mark.parametrize("words", NAMED, ids=" ".join)
@pytest.mark.parametrize("around", [((), ()), (("--json",), ("--help",)), (("--",), ("x", "drill"))])
def test_what_is_named_is_whole(words: list[str], around: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
    found, wanted = at(words, get_command(program([*around[0], *words, *around[1]]))), at(words, WHOLE)
    assert (options(found), found.help, found.epilog) == (options(wanted), wanted.help, wanted.epilog)
    assert found.callback is not not_named


@pytest.mark.parametrize("words", [[], ["--help"], ["nothing"], ["vault"], ["vault", "fire"], ["runbook", "x"]])
def test_the_lists_are_the_same_whatever_is_named(words: list[str]) -> None:
    found: Any = get_command(program(words))
    assert listed(found) == listed(WHOLE)
    if words and words[0] in found.commands:
        assert listed(found.commands[words[0]]) == listed(WHOLE.commands[words[0]])


def test_what_is_only_listed_does_nothing() -> None:
    loaded: list[str] = []

    def load(name: str) -> Any:
        loaded.append(name)
        return (lambda: None), "Example"

    app = typer.Typer(callback=lambda: None)
    fill(app, {"one": Command("The one.", load), "two": Command("The other.", load)}, ["--flag", "two", "one"])
    built: Any = get_command(app)
    assert (loaded, list(built.commands)) == (["two"], ["one", "two"])
    with pytest.raises(AssertionError, match="does not name"):
        app(["one"], standalone_mode=False)
