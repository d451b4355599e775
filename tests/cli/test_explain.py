"""`incident explain`: every word of the format, from the code's own text, at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident_cli.binding import fields_of
from incident_cli.checks.registry import KINDS
from incident_cli.errors import Misused
from incident_cli.flows.explaining import explain, words
from incident_cli.runbook.model import VERBS
from tests.cli import test_help
from tests.cli.command import run
from tests.cli.test_help import HEAVY, loaded_by

WORDS = [word for group in words().values() for word in group]


@pytest.mark.parametrize("word", WORDS)
def test_every_word_has_a_text_and_every_key_a_type(word: str) -> None:
    found = explain(word)
    assert found.text.strip()
    assert all(one.key and one.type and bool(one.default) is not one.required for one in found.keys), found.keys


@pytest.mark.parametrize(("word", "cls"), [*KINDS.items(), *VERBS.items()])
def test_the_keys_are_those_of_the_class(word: str, cls: type) -> None:
    written = {one.key for one in explain(word).keys}
    assert set(fields_of(cls)) <= written
    assert {one.split(".")[0].split("[")[0] for one in written} == set(fields_of(cls))


def test_a_default_is_as_it_would_be_written() -> None:
    keys = {one.key: (one.type, one.default, one.required) for one in explain("oracle_staleness").keys}
    assert keys["heartbeat"] == ("duration", "", True)
    assert keys["grace"] == ("duration", "2m", False)
    assert keys["for"][1:] == ("0s", False)
    assert keys["false_positives"] == ("list of text", "none", False)
    keys = {one.key: (one.type, one.default, one.required) for one in explain("check").keys}
    assert keys["on_quiet"] == ("transition", "ask", False)
    assert keys["only_by_goto"] == ("true or false", "false", False)
    assert keys["retry.max"] == ("int", "", True)
    assert "checks" not in keys


def test_an_unknown_word_is_refused_with_the_nearest() -> None:
    with pytest.raises(Misused, match="did you mean 'unknown-check'"):
        explain("unknown-chek")
    with pytest.raises(Misused, match="did you mean 'oracle_divergence'"):
        explain("oracle_divergance")
    with pytest.raises(Misused, match="nothing called 'a<U"):
        explain("a\x1b[31m")


def test_the_command_for_people_and_for_scripts(tmp_path: Path) -> None:
    everything = run(["explain"], tmp_path)
    assert (everything.code, everything.out) == (0, "")
    assert all(word in everything.err for word in WORDS)
    code = run(["explain", "no-calls"], tmp_path)
    assert (code.code, code.out) == (0, "")
    assert "calls: []" in code.err
    kind = run(["explain", "oracle_staleness", "--json"], tmp_path)
    assert set(kind.object) == {"schema", "word", "what", "text", "keys"}
    assert (kind.object["schema"], kind.object["what"]) == ("incident.explain/v1", "kind")
    assert {"key": "heartbeat", "type": "duration", "default": "", "required": True} in kind.object["keys"]
    listed = run(["explain", "--json"], tmp_path)
    assert set(listed.object) == {"schema", *words()}
    wrong = run(["explain", "no-cals"], tmp_path)
    assert (wrong.code, wrong.out) == (2, "")
    assert "did you mean 'no-calls'" in wrong.err


@pytest.mark.parametrize(
    "command", [["explain"], ["runbook", "lint"], ["runbook", "new"], ["runbook", "schema"]], ids=" ".join
)
def test_the_new_commands_explain_themselves(command: list[str], tmp_path: Path) -> None:
    test_help.test_help_has_an_example_and_fits(command, tmp_path)


@pytest.mark.parametrize("arguments", [["explain"], ["explain", "no-calls"], ["explain", "oracle_divergence"]])
def test_it_loads_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    loaded = loaded_by(arguments, tmp_path)
    assert [name for name in HEAVY if name in loaded] == []
