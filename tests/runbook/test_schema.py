"""The schema for editors: current, valid, and as strict as JSON Schema can be about what the loader refuses."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from incident_cli.binding import fields_of
from incident_cli.checks.registry import KINDS
from incident_cli.protocols.catalog import catalog_beside
from incident_cli.runbook.model import VERBS, RunbookFile
from incident_cli.runbook.schema import runbook_schema
from incident_cli.runbook.shipped import shipped_folder, shipped_runbooks
from incident_cli.runbook.skeleton import MODELINE, skeleton
from tests.runbook.test_codes import RUNBOOK

SCHEMA = runbook_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
REGENERATE = "run `incident runbook schema > runbooks/schema.json`"


def as_editor(text: str) -> Any:
    """A YAML text as an editor reads it: numbers and truth values, but dates as text (YAML 1.2)."""
    found = yaml.safe_load(text)
    return json.loads(json.dumps(found, default=str))


def as_text(text: str) -> Any:
    """A YAML text as the loader reads it: every scalar is text."""
    return yaml.load(text, Loader=yaml.BaseLoader)


def test_the_committed_schema_is_current() -> None:
    committed = (shipped_folder() / "schema.json").read_text("utf-8")
    assert committed == json.dumps(SCHEMA, indent=2, ensure_ascii=False) + "\n", REGENERATE


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", shipped_runbooks(), ids=lambda one: one.stem)
def test_every_shipped_runbook_is_valid_and_names_it(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith(MODELINE)
    for read in (as_editor, as_text):
        assert [f"{one.json_path}: {one.message}" for one in VALIDATOR.iter_errors(read(text))] == []


def test_a_new_runbook_is_valid() -> None:
    text = skeleton("a-new-one", None, catalog_beside(None))
    assert [one.message for one in VALIDATOR.iter_errors(as_editor(text))] == []


def test_every_key_is_in_it() -> None:
    assert set(SCHEMA["properties"]) == set(fields_of(RunbookFile))
    kinds = {
        one["properties"]["kind"]["const"]: one
        for one in SCHEMA["properties"]["checks"]["additionalProperties"]["oneOf"]
    }
    assert set(kinds) == set(KINDS)
    for name, cls in KINDS.items():
        assert set(kinds[name]["properties"]) == {*fields_of(cls), "kind"}
        assert kinds[name]["description"]
    steps = SCHEMA["properties"]["steps"]["items"]["oneOf"]
    assert [next(verb for verb in VERBS if verb in one["required"]) for one in steps] == list(VERBS)
    assert all(one["additionalProperties"] is False for one in [SCHEMA, *steps, *kinds.values()])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("severity: SEV2", "severity: SEV9"),
        ("id: feed-stopped", "id: Feed_Stopped"),
        ("title:", "titel:"),
        ("type: duration", "type: litres"),
        ("for: 12s", "for: 12 seconds"),
        ("for: 12s", "form: 12s"),
        ("kind: oracle_staleness", "kind: oracle_staleness2"),
        ("check: [stale]", "check: stale"),
        ("on_quiet: goto stand_down", "on_quiet: stand_down"),
        ("ask: ", "asks: "),
        ('ask: "Do you take the lead?"', 'ask: "Do you?", manual: "Do."'),
        ("evidence: text", "evidence: photo"),
        ("by: council\n", "buy: council\n"),
        ("lever: exchange.pause_market", "lever: pause_market"),
        ("only_by_goto: true", "only_by_goto: maybe"),
    ],
)
def test_what_the_loader_refuses_by_shape_it_refuses(before: str, after: str) -> None:
    assert before in RUNBOOK
    assert list(VALIDATOR.iter_errors(as_editor(RUNBOOK.replace(before, after, 1))))
    assert not list(VALIDATOR.iter_errors(as_editor(RUNBOOK)))


def test_a_reference_may_stand_for_any_scalar_but_text() -> None:
    document = as_editor(RUNBOOK)
    for key in ("for", "heartbeat", "grace"):
        changed = copy.deepcopy(document)
        changed["checks"]["stale"][key] = "{heartbeat}"
        assert not list(VALIDATOR.iter_errors(changed)), key
        changed["checks"]["stale"][key] = "x{heartbeat}"
        assert list(VALIDATOR.iter_errors(changed)), key
