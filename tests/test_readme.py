"""The README's two commands, its command table and its exit codes are those of the program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from incident_cli import errors
from incident_cli.cli.main import BUG, INTERRUPTED
from tests.cli.command import run

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
MARKED = re.compile(r"<!-- (drill|test) -->\n```sh\n(.*?)\n```", re.DOTALL)
ROW = re.compile(r"^\| `(incident[^`]*)` \|", re.MULTILINE)
OPTION = re.compile(r"--[a-z][a-z-]*")
CODE = re.compile(r"^\| (\d{1,3}) \| \S", re.MULTILINE)


def test_exactly_two_commands_of_one_line_each() -> None:
    found = MARKED.findall(README)
    assert [name for name, _ in found] == ["drill", "test"]
    assert README.count("<!-- ") == 2
    for _, command in found:
        assert "\n" not in command
        assert "--require-hashes" in command and "://" not in command
    assert found[0][1].endswith("incident drill --auto")
    assert found[1][1].endswith("-m pytest -n 2 --dist loadfile")


def test_the_locked_requirements_it_names_exist() -> None:
    for name in set(re.findall(r"-r (\S+)", README)):
        text = (ROOT / name).read_text("utf-8")
        assert "--hash=sha256:" in text
        assert "://" not in text, "a lock file names no host"


def test_continuous_integration_runs_the_same_command() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "<!-- test -->" in script and "README.md" in script
    assert "-m pytest" not in script, "the command is taken from the README, not written twice"


def promised() -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Each command of the table with the options it names."""
    for row in ROW.findall(README):
        words = row.replace("\\|", "|").split()[1:]
        options = tuple(sorted(set(OPTION.findall(row))))
        if words and words[0] == "runbook":
            yield from ((("runbook", name), ()) for name in ("list", "show", "validate") if name in words)
        elif words and words[0] in ("safe", "vault"):
            yield from (((words[0], name), ()) for name in words[1:] if name.isalpha() and name.islower())
        else:
            yield tuple(words[:1]) if words and not words[0].startswith("-") else (), options


@pytest.mark.parametrize(("command", "options"), list(promised()), ids=str)
def test_the_table_names_what_exists(command: tuple[str, ...], options: tuple[str, ...], tmp_path: Path) -> None:
    ended = run([*command, "--help"], tmp_path)
    assert (ended.code, set(options) - set(OPTION.findall(ended.out))) == (0, set())


def test_the_table_leaves_no_command_out(tmp_path: Path) -> None:
    listed = run(["--help"], tmp_path).out.partition("Commands:")[2]
    commands = set(re.findall(r"^  ([a-z]+)  ", listed, re.MULTILINE))
    assert commands == {command[0] for command, _ in promised() if command}


@pytest.mark.parametrize("group", ["safe", "vault"])
def test_the_table_names_every_command_of_a_group(group: str, tmp_path: Path) -> None:
    listed = run([group, "--help"], tmp_path).out.partition("Commands:")[2]
    rows = " ".join(row.replace("\\|", " ") for row in ROW.findall(README) if row.startswith(f"incident {group} "))
    assert set(re.findall(r"^  ([a-z-]+)  ", listed, re.MULTILINE)) == set(rows.split()) - {"incident", group, "FILE"}


def test_the_exit_codes_are_those_of_the_errors() -> None:
    table = README.partition("| exit code |")[2].partition("\n\n")[0]
    classes = (getattr(errors, name) for name in dir(errors))
    codes = {one.exit_code for one in classes if isinstance(one, type) and issubclass(one, errors.IncidentError)}
    assert {int(code) for code in CODE.findall(table)} == codes | {0, BUG, INTERRUPTED}
