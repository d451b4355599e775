"""`runbook new`: what it writes is sound for every protocol with a lever, and lacks only what is to be filled in."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident_cli.errors import Misused
from incident_cli.protocols.catalog import SHIPPED, catalog_beside
from incident_cli.runbook.lint import lint
from incident_cli.runbook.load import load_runbook
from incident_cli.runbook.model import VERBS
from incident_cli.runbook.skeleton import skeleton

EXPECTED = {"no-owner", "untested-threshold"}


@pytest.mark.parametrize("protocol", sorted(path.stem for path in SHIPPED.glob("*.yaml")))
def test_what_is_written_is_sound(protocol: str, tmp_path: Path) -> None:
    catalog = catalog_beside(None)
    found = catalog.find(protocol)
    assert found is not None
    try:
        text = skeleton("first-one", protocol, catalog)
    except Misused as refusal:
        assert "no lever that a first runbook could pull and prove" in refusal.message
        return
    path = tmp_path / "first-one.yaml"
    path.write_text(text, "utf-8")
    loaded = load_runbook(path)
    assert {one.code for one in lint(loaded)} == EXPECTED
    assert {one.verb for one in loaded.runbook.steps} >= {*VERBS} - {"restore", "notify"}
    assert max(len(line) for line in text.splitlines()) <= 120


def test_the_default_is_the_drill_s_exchange_and_its_narrowest_lever() -> None:
    text = skeleton("first-one", None, catalog_beside(None))
    assert 'lever: exchange.pause_market, market: "{market}"' in text
    assert 'verify: ["exchange.market_paused(market) == True"]' in text
    assert not text.startswith("# yaml-language-server")
    assert skeleton("first-one", None, catalog_beside(None), with_schema=True).startswith("# yaml-language-server")


@pytest.mark.parametrize(
    ("name", "protocol", "said"),
    [
        ("First One", None, "no id of a runbook"),
        ("../up", None, "no id of a runbook"),
        ("first", "drill-exchang", "did you mean 'drill-exchange'"),
        ("first", "../protocol", "no sound protocol file"),
        ("first", "safe", "no lever"),
    ],
)
def test_what_it_cannot_write_it_refuses(name: str, protocol: str | None, said: str) -> None:
    with pytest.raises(Misused, match=said):
        skeleton(name, protocol, catalog_beside(None))


def test_it_says_where_it_looked_and_what_a_deployment_must_give(tmp_path: Path) -> None:
    catalog = catalog_beside(tmp_path / "first.yaml")
    with pytest.raises(Misused) as caught:
        skeleton("first", "guarded-market", catalog)
    assert all(str(one) in caught.value.hint for one in (tmp_path / "protocols", SHIPPED))
    text = skeleton("first", None, catalog)
    assert "Every line works" not in text and "bind each slot below in your deployment file" in text
