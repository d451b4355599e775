"""Lint: what is sound but may let somebody down is found where it stands, and what is well made is clean."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident_cli.runbook.lint import PLACEHOLDER, Drilled, lint, shown, written_tests
from incident_cli.runbook.load import load_runbook
from incident_cli.runbook.shipped import find_runbook, shipped_runbooks
from tests.runbook.test_codes import RUNBOOK

DAY = 86_400
PROOF = 'verify: ["exchange.market_paused(market) == True"]'
TEST = "schema: incident-test/v1\nrunbook: feed-stopped\ntests: [{check: stale}]\n"


def findings(folder: Path, text: str, drilled: Drilled | None = None) -> list[tuple[str, str]]:
    """Code and the text at the place of every finding."""
    path = folder / "feed-stopped.yaml"
    path.write_text(text, "utf-8")
    loaded = load_runbook(path)
    lines = text.splitlines()
    found = lint(loaded, written_tests(loaded), drilled)
    assert len(shown(loaded.document, found)) == len(found)
    return [(one.code, lines[one.place.line - 1][one.place.column - 1 :]) for one in found]


@pytest.fixture
def tested(tmp_path: Path) -> Path:
    """A folder in which the check of the runbook has a test."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "feed-stopped.yaml").write_text(TEST)
    return tmp_path


def test_a_well_made_runbook_is_clean(tested: Path) -> None:
    assert findings(tested, RUNBOOK) == []


@pytest.mark.parametrize(
    ("before", "after", "code", "word"),
    [
        ("owner: risk-oncall", "owner: 'TODO: who?'", "no-owner", "'TODO"),
        ("for: 12s, ", "", "acts-on-one-sample", "firing(stale)"),
        ("for: 12s, ", "samples: 2 of 3, ", "", ""),
        ("marks: detected}", "marks: detected, only_by_goto: true}", "unreachable-step", "detect,"),
        ("only_by_goto: true, manual", "manual", "", ""),
        ("id: cause,", "id: cause, only_by_goto: true,", "falls-through", "cause,"),
        ('ask: "Do you take the lead?", on_no:', "check: [stale], on_unknown:", "contains-unasked", "pause"),
        ("on_quiet: goto stand_down", "on_quiet: goto pause", "contains-unasked", "pause"),
        ("{id: declare, ask", "{id: declare, when: unknown(stale), ask", "contains-unasked", "pause"),
        ("{id: declare, ask", "{id: declare, when: firing(stale), ask", "", ""),
        (PROOF + ", marks: contained", "manual: Look.", "unproven-containment", "pause"),
        (', false_positives: ["The chain stood still."]', "", "no-false-positives", "stale:"),
    ],
)
def test_each_finding_stands_at_its_word(tested: Path, before: str, after: str, code: str, word: str) -> None:
    found = findings(tested, RUNBOOK.replace(before, after, 1))
    assert {one for one, _ in found} <= {code, "falls-through", "unreachable-step"} - {""}
    assert not code or (code, True) in [(one, at.startswith(word)) for one, at in found]


def test_a_check_that_nothing_names_is_found(tested: Path) -> None:
    idle = "checks:\n  idle: {kind: oracle_staleness, slot: feed, heartbeat: 1h}\n"
    found = findings(tested, RUNBOOK.replace("checks:\n", idle))
    assert [code for code, _ in found] == ["no-false-positives", "untested-threshold", "unused-check"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (TEST, []),
        (TEST.replace("feed-stopped", "feed-started"), ["untested-threshold"]),
        (TEST.replace("check: stale", "check: stale_too"), ["untested-threshold"]),
        ("runbook: [feed-stopped", ["untested-threshold"]),
        ("", ["untested-threshold"]),
    ],
)
def test_a_threshold_is_tested_by_a_sound_file_that_names_both(tested: Path, text: str, wanted: list[str]) -> None:
    (tested / "tests" / "feed-stopped.yaml").write_text(text)
    assert [code for code, _ in findings(tested, RUNBOOK)] == wanted


@pytest.mark.parametrize(
    ("status", "drilled", "wanted"),
    [
        ("stable", None, []),
        ("stable", Drilled(None), ["drill-overdue"]),
        ("stable", Drilled(31 * DAY), ["drill-overdue"]),
        ("stable", Drilled(29 * DAY), []),
        ("retired", Drilled(None), []),
    ],
)
def test_a_drill_is_overdue(tested: Path, status: str, drilled: Drilled | None, wanted: list[str]) -> None:
    text = RUNBOOK.replace("severity: SEV2", f"severity: SEV2, status: {status}, drill_every: 30d")
    assert [code for code, _ in findings(tested, text, drilled)] == wanted
    assert findings(tested, RUNBOOK, drilled) == []


@pytest.mark.parametrize("path", shipped_runbooks(), ids=lambda one: one.stem)
def test_the_shipped_runbooks_lack_nothing_but_a_drill_here(path: Path) -> None:
    loaded = load_runbook(path)
    found = {one.code for one in lint(loaded, written_tests(loaded))}
    assert found <= ({"untested-threshold"} if not written_tests(loaded) else set())


@pytest.mark.parametrize(
    ("owner", "placeholder"),
    [
        ("TODO", True), ("todo: name one", True), ("tbd", True), ("<owner>", True), ("???", True), ("N/A", True),
        ("nobody", True), ("risk-oncall", False), ("Unknown Labs risk", False), ("natalie", False), ("todorov", False),
    ],
)  # fmt: skip
def test_a_placeholder_is_no_owner(owner: str, placeholder: bool) -> None:
    assert bool(PLACEHOLDER.fullmatch(owner)) is placeholder


def shipped_text(*left_out: str) -> str:
    """The shipped runbook that binds a found value, without some of its lines."""
    text = find_runbook("compromised-key").read_text("utf-8")
    start, end = text.index("  - id: another"), text.index("  - {id: prove,")
    return text[:start] + "".join(left_out) + text[end:]


@pytest.mark.parametrize(
    ("step", "is_found"),
    [
        ("", True),
        ('  - {id: another, when: firing(guardian), ask: "Leave it?", on_no: goto compare}\n', True),
        ('  - {id: another, ask: "Another one?", on_no: goto detect}\n', False),
        ('  - {id: another, when: firing(hostile), ask: "Leave it?", on_no: goto compare}\n', False),
        ("  - {id: again, check: [hostile], on_quiet: goto prove}\n", False),
    ],
)
def test_a_found_value_is_acted_on_and_its_check_judged_again(step: str, is_found: bool, tmp_path: Path) -> None:
    path = tmp_path / "compromised-key.yaml"
    path.write_text(shipped_text(step), "utf-8")
    found = [one for one in lint(load_runbook(path)) if one.code == "unchecked-remainder"]
    assert bool(found) is is_found
    assert not found or "'hostile' is not judged after it" in found[0].message
