"""Only the command that the command line names is loaded and built; the others are listed by their names alone.

Building all of them took a seventh of a whole `vault fire`. Every name is there with its line of help, so that `--help`
and "did you mean" say the same whatever was typed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

import typer

Words = Sequence[str] | None
"""What stands behind a name on the command line; None where everything is wanted."""
Function = Callable[..., None]
Loaded = tuple[Function, str]
"""What a command does, and its example."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its line of help, and what imports its module and gives the command by name."""

    short: str
    load: Callable[[str], Loaded]

    def add_to(self, app: typer.Typer, name: str, words: Words) -> None:
        """Load and register it."""
        function, example = self.load(name)
        app.command(name, epilog=example, short_help=self.short)(function)


@dataclass(frozen=True, slots=True)
class Group:
    """A group of commands: its line of help, and what builds it for the words behind its name."""

    short: str
    load: Callable[[str, Words], typer.Typer]

    def add_to(self, app: typer.Typer, name: str, words: Words) -> None:
        """Load and register it."""
        app.add_typer(self.load(self.short, words), name=name)


Table = Mapping[str, Command | Group]


def group(short: str, example: str, table: Table, words: Words) -> typer.Typer:
    """A group with the commands of a table, of which the one named is loaded."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=short, epilog=example)
    fill(app, table, words)
    return app


def fill(app: typer.Typer, table: Table, words: Words) -> None:
    """Register every name in order: the one that the words name with all it has, the others to be listed.

    No group has an option with a value, so the first word that is no option is the name.
    """
    place = next((at for at, word in enumerate(words or ()) if not word.startswith("-")), None)
    for name, entry in table.items():
        if words is None:
            entry.add_to(app, name, None)
        elif place is not None and words[place] == name:
            entry.add_to(app, name, words[place + 1 :])
        else:
            app.command(name, short_help=entry.short)(not_named)


def not_named() -> NoReturn:
    """Stands for a command that is only listed."""
    raise AssertionError("a command ran that the command line does not name")
