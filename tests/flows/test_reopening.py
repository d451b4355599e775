"""What the confirmation says of the way back, what must be typed, and what a time-lock may not carry."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from incident_cli.abi import parse_signature
from incident_cli.binding import Given
from incident_cli.errors import Refused
from incident_cli.evm import Address, Call
from incident_cli.expression import parse
from incident_cli.flows import drill as flow
from incident_cli.flows.desk import Rehearsed
from incident_cli.flows.proposal import PlannedCall
from incident_cli.flows.reopening import LAST_MOMENT, not_before, quiet_seconds
from incident_cli.flows.steps.contain_step import phrase_of
from incident_cli.protocols.catalog import SHIPPED
from incident_cli.runbook.shipped import shipped_folder
from tests.fakes.desk import FakeClock, RecordingScreen

NOW = 1_700_000_000
UNDO = "undo: {by: governance, with: {market: market, paused: before.market_paused}}"
HOSTILE = 'undo: {by: governance, call: "setGuardian(address newGuardian)", with: {newGuardian: governance}}'


@pytest.mark.parametrize(
    ("source", "seconds"),
    [
        ("quiet_for(x, '30m')", 1_800),
        ("quiet_for(x, '30m') and quiet_for(y, '1h')", 3_600),
        ("quiet_for(x, '30m') or quiet(y)", 0),
        ("quiet_for(x, wait)", 90),
        ("quiet_for(x, duration('2m'))", 120),
        ("not quiet_for(x, '1h')", 0),
    ],
)
def test_the_earliest_reopening_counts_the_quiet_that_must_come_first(source: str, seconds: int) -> None:
    assert quiet_seconds(parse(source).tree, {"wait": Given("duration", 90)}) == seconds


@pytest.mark.parametrize("delay", [2**255, LAST_MOMENT - NOW, 5_400])
def test_an_absurd_delay_is_said_and_never_blocks_a_containment(delay: int) -> None:
    session: Any = SimpleNamespace(reader=SimpleNamespace(head=SimpleNamespace(timestamp=NOW)))
    assert not_before(session, delay, "time-lock")


@pytest.mark.parametrize(
    ("given", "irreversible", "phrase"),
    [
        (None, True, "end every market for good"),
        ("y", True, "end every market for good"),
        ("{market}", True, "end every market for good"),
        ("this is a sentence that says something else", True, "end every market for good"),
        ("Yes: end every market for good", True, "Yes: end every market for good"),
        (None, False, "ETH-USD"),
        ("y", False, "ETH-USD"),
        ("{market}", False, "ETH-USD"),
        ("pause ETH-USD", False, "pause ETH-USD"),
    ],
)
def test_a_runbook_raises_a_confirmation_and_never_lowers_it(
    given: str | None, irreversible: bool, phrase: str
) -> None:
    bound = SimpleNamespace(
        words=lambda text: "ETH-USD" if text == "{market}" else text, market=SimpleNamespace(name="ETH-USD")
    )
    session: Any = SimpleNamespace(bound=bound)
    step: Any = SimpleNamespace(confirm=None if given is None else SimpleNamespace(type=given))
    definition = SimpleNamespace(consequence="end every market for good" if irreversible else None)
    made: Any = SimpleNamespace(pull=SimpleNamespace(definition=definition), undo=None if irreversible else object())
    assert phrase_of(session, step, [made]) == phrase


def test_no_outside_text_of_a_call_reaches_a_file_as_it_came() -> None:
    call = Call(Address("0x" + "11" * 20), parse_signature("f(string s)"), ("a\u202eb",))
    written = json.dumps(PlannedCall(call, "l\x1b[2J", "p\u202e\n x").to_json())
    assert not any(hidden in written for hidden in ("\\u202e", "\\u001b", "\\n"))


def test_a_change_of_control_is_refused_inside_a_timelock_too(tmp_path: Path) -> None:
    folder = tmp_path / "runbooks"
    shutil.copytree(shipped_folder(), folder)
    (folder / "protocols").mkdir()
    text = (SHIPPED / "drill-exchange.yaml").read_text()
    assert UNDO in text
    (folder / "protocols" / "drill-exchange.yaml").write_text(text.replace(UNDO, HOSTILE, 1))
    plan = flow.plan_drill(str(folder / "oracle-divergence.yaml"), None, 7)
    people = flow.People(RecordingScreen(), Rehearsed(plan.script.scenario.answers, complete=True))
    drill = flow.begin(plan, tmp_path / "home", FakeClock(), people)
    with pytest.raises(Refused, match="control-change"):
        flow.run(drill)
    assert drill.live.world.engine.nonce(drill.live.world.addresses.governance) <= 1
