"""Which of the shipped levers may be signed in advance: none lets go, and those that age are known."""

from __future__ import annotations

from incident_cli.flows.catalog.find import catalog_with, every_lever
from incident_cli.flows.vault.restricting import RELEASING, WORD, aging


def test_no_shipped_lever_is_taken_for_one_that_lets_go() -> None:
    for one in every_lever(catalog_with(None), None)[0]:
        words = {word.lower() for name in (one.name, one.definition.call.name) for word in WORD.findall(name)}
        assert not any(RELEASING.match(word) for word in words), one


def test_calldata_that_hold_what_stands_today_are_known() -> None:
    levers = every_lever(catalog_with(None), None)[0]
    aged = {
        (one.protocol.protocol, one.name): sorted(aging(one.definition, frozenset(one.protocol.reads)))
        for one in levers
    }
    assert "transfer_paused" in aged["compound-v3", "pause"]
    assert aged["drill-exchange", "pause_market"] == []
    lasting = [name for name, reads in aged.items() if not reads]
    assert len(lasting) > len(aged) / 2
