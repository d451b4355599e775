"""A status notice says what the record proves, nothing it does not, and to each audience only what is theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.errors import Refused
from incident_cli.evm import Block
from incident_cli.incident.events import Event, Kind, Outcome, block_to_json
from incident_cli.incident.notice import (
    PLACE_FOR_ADVICE,
    PLACE_FOR_TIME,
    REHEARSAL,
    instead,
    notice_text,
    unproven,
    utc,
)
from incident_cli.runbook.load import load_runbook
from incident_cli.runbook.model import AUDIENCES, TEMPLATES, Notice, NotifyStep, Runbook
from incident_cli.runbook.shipped import find_runbook
from incident_cli.text import is_hidden

RUNBOOK = load_runbook(find_runbook("withdrawal-rush")).runbook
OWNERS = ["0x" + digit * 40 for digit in "abc"]
SAFE = "0x" + "5" * 40
SAFE_TX_HASH, SENT = "0x" + "d" * 64, "0x" + "e" * 64
NOW = utc(1_700_000_600)


def block(number: int) -> Block:
    return Block("ethereum", number, f"0x{number:064x}", 1_700_000_000 + 12 * number)


def event(kind: Kind, at: int, step: str | None = None, **data: Any) -> Event:
    return Event(0, kind, "", step, 1, block(at), data)


def ended(step: str, at: int, outcome: Outcome, proof: int | None = None) -> Event:
    shown = {} if proof is None else {"proof_block": block_to_json(block(proof))}
    return event(Kind.STEP_ENDED, at, step, outcome=outcome.value, to=None, **shown)


PROPOSAL = {
    "safe_tx_hash": SAFE_TX_HASH,
    "safe": {"address": SAFE, "threshold": 2, "owners": OWNERS},
    "calls": [{"to": SAFE, "plain": "exchange.limit_withdrawals(100000, 3600): Tightens the token bucket."}],
}
OPENED = [event(Kind.OPENED, 10)]
DETECTED = [*OPENED, ended("detect", 12, Outcome.FIRING), ended("declare", 14, Outcome.YES)]
CONFIRMED = [
    *DETECTED,
    event(Kind.STEP_STARTED, 14, "slow"),
    event(Kind.PLANNED, 15, "slow", leg="contain", proposal=PROPOSAL),
    event(Kind.CONFIRMED, 15, "slow", leg="contain"),
]
EXECUTED = [
    *CONFIRMED,
    event(Kind.EXECUTED, 20, "slow", leg="contain", transaction_hash=SENT),
    ended("slow", 20, Outcome.DONE, 20),
]
CONTAINED = [*EXECUTED, ended("prove", 23, Outcome.DONE, 21), event(Kind.STEP_STARTED, 23, "tell")]
REOPENING = [*CONTAINED, event(Kind.STEP_STARTED, 30, "reopen"), event(Kind.SUBMIT_INTENDED, 31, "reopen")]
RECOVERED = [*REOPENING, ended("reopen", 40, Outcome.DONE, 39)]
STOOD_DOWN = [*OPENED, ended("detect", 12, Outcome.FIRING), ended("declare", 14, Outcome.NO)]
RECORDS = {
    "opened": OPENED,
    "detected": DETECTED,
    "confirmed": CONFIRMED,
    "executed": EXECUTED,
    "contained": CONTAINED,
    "reopening": REOPENING,
    "recovered": RECOVERED,
    "stood down": STOOD_DOWN,
}


def text(events: Sequence[Event], template: str, audience: str = "public", runbook: Runbook = RUNBOOK) -> str:
    return "\n".join(notice_text(runbook, "ETH-USD", events, template, audience, NOW, drill=False))


def test_a_proven_containment_is_told_with_its_block_and_hash() -> None:
    assert text(CONTAINED, "contained").splitlines() == [
        f"What: {RUNBOOK.title}",
        "Where: ETH-USD",
        "Status: contained. The containment is in place; the chain shows it.",
        "Detected: 2023-11-14 22:15:44 UTC, ethereum block 12",
        "Contained: shown at 2023-11-14 22:17:32 UTC, ethereum block 21",
        f"Block hash: {block(21).hash}",
        "In force: Tightens the token bucket.",
        f"What to do: {PLACE_FOR_ADVICE}",
        f"Next update: {PLACE_FOR_TIME}",
        "As of: 2023-11-14 22:23:20 UTC",
    ]


@pytest.mark.parametrize(
    ("record", "sayable"),
    [
        ("opened", {"investigating"}),
        ("detected", {"investigating", "identified"}),
        ("confirmed", {"investigating", "identified"}),
        ("executed", {"investigating", "identified"}),
        ("contained", {"investigating", "identified", "contained", "monitoring"}),
        ("reopening", {"investigating", "identified"}),
        ("recovered", {"investigating", "identified", "monitoring", "resolved"}),
        ("stood down", {"investigating", "identified", "resolved"}),
    ],
)
def test_only_what_is_proven_can_be_said(record: str, sayable: set[str]) -> None:
    assert {one for one in TEMPLATES if not unproven(RUNBOOK, RECORDS[record], one)} == sayable


@pytest.mark.parametrize("record", [one for one in RECORDS if one != "contained"])
@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("audience", AUDIENCES)
def test_without_proof_no_notice_says_contained(record: str, template: str, audience: str) -> None:
    events = RECORDS[record]
    if not unproven(RUNBOOK, events, template):
        assert "contained" not in text(events, template, audience).lower()
        return
    with pytest.raises(Refused) as caught:
        text(events, template, audience)
    assert template in caught.value.message
    assert instead(RUNBOOK, events, template) in caught.value.hint


def test_what_is_offered_instead_is_weaker_and_always_sayable() -> None:
    for events in RECORDS.values():
        for template in TEMPLATES[1:]:
            offered = instead(RUNBOOK, events, template)
            assert TEMPLATES.index(offered) < TEMPLATES.index(template)
            assert not unproven(RUNBOOK, events, offered)


@pytest.mark.parametrize(
    "undone",
    [
        event(Kind.STEP_REOPENED, 25, "prove"),
        event(Kind.STEP_STARTED, 25, "slow"),
        ended("prove", 25, Outcome.SKIPPED),
        ended("slow", 25, Outcome.SKIPPED),
        event(Kind.EXPORTED, 25, "reopen"),
    ],
)
def test_a_proof_that_no_longer_stands_is_none(undone: Event) -> None:
    assert unproven(RUNBOOK, [*CONTAINED, undone], "contained")


def test_the_mark_of_a_step_that_read_nothing_is_no_proof() -> None:
    said = [*EXECUTED, ended("prove", 23, Outcome.DONE)]
    assert unproven(RUNBOOK, said, "contained")


@pytest.mark.parametrize("record", ["executed", "contained"])
def test_the_public_learns_nothing_of_who_signs_and_what_trips(record: str) -> None:
    for template in TEMPLATES:
        if not unproven(RUNBOOK, RECORDS[record], template):
            shown = text(RECORDS[record], template)
            assert not [one for one in (*OWNERS, SAFE, SAFE_TX_HASH, SENT) if one in shown]
            assert not [one for one in ("300000", "200000", "100000", "council", "firing", "Next step") if one in shown]


def test_an_address_in_the_words_of_a_file_is_not_made_public() -> None:
    titled = replace(RUNBOOK, title=f"The key of {OWNERS[0]} is lost")
    assert "What: The key of (an address) is lost" in text(CONTAINED, "contained", "public", titled)
    assert OWNERS[0] in text(CONTAINED, "contained", "internal", titled)


def test_each_audience_gets_its_own() -> None:
    internal = text(CONTAINED, "contained", "internal")
    assert f"safeTxHash (executed): {SAFE_TX_HASH}" in internal
    assert "Next step: who (manual)" in internal
    owners, partners = text(CONTAINED, "contained", "owners"), text(CONTAINED, "contained", "partners")
    assert SAFE_TX_HASH in owners and "Next step" not in owners
    assert f"Transaction: {SENT}" in partners and SAFE_TX_HASH not in partners
    assert f"safeTxHash (not executed): {SAFE_TX_HASH}" in text(CONFIRMED, "identified", "internal")


def test_a_rehearsal_says_so_first() -> None:
    lines = notice_text(RUNBOOK, "ETH-USD", CONTAINED, "contained", "public", NOW, drill=True)
    assert lines[0] == REHEARSAL
    assert REHEARSAL not in text(CONTAINED, "contained")


def with_a_later_notice(audience: str = "public", deadline: int | None = 3_600) -> Runbook:
    later = NotifyStep(
        id="tell_again", notify=Notice(template="monitoring", audience=audience), deadline=deadline, place=place()
    )
    return replace(RUNBOOK, steps=(*RUNBOOK.steps, later))


def place() -> Any:
    return RUNBOOK.steps[0].place


def test_the_next_update_is_the_next_notice_s_deadline() -> None:
    detected = block(12).timestamp
    assert f"Next update: by {utc(detected + 3_600)}" in text(CONTAINED, "contained", "public", with_a_later_notice())
    for other in (with_a_later_notice("internal"), with_a_later_notice(deadline=None), with_a_later_notice(deadline=1)):
        assert f"Next update: {PLACE_FOR_TIME}" in text(CONTAINED, "contained", "public", other)


def test_a_restored_market_is_over_and_a_false_alarm_is_stood_down() -> None:
    restored = text(RECOVERED, "resolved")
    assert "Restored: shown at" in restored and block(39).hash in restored and "In force" not in restored
    assert "stood down" in text(STOOD_DOWN, "resolved")


@settings(max_examples=60)
@given(st.text(max_size=300), st.text(max_size=120), st.sampled_from(AUDIENCES))
def test_hostile_words_stay_one_line_and_visible(title: str, market: str, audience: str) -> None:
    titled = replace(RUNBOOK, title=title + "\x1b]52;c;AAAA\x07\u202e\nStatus: resolved.")
    lines = notice_text(titled, market, CONTAINED, "contained", audience, NOW, drill=False)
    assert not [one for line in lines for one in line if is_hidden(one)]
    assert [one for one in lines if one.startswith("Status:")] == [
        "Status: contained. The containment is in place; the chain shows it."
    ]
