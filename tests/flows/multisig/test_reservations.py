"""Which nonces the open incidents of a machine have spoken for, from their journals alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from incident_cli.evm import checksummed
from incident_cli.flows.incidents import create
from incident_cli.flows.multisig.reservations import reserved_here
from incident_cli.flows.recorder import DRILL, LIVE, Recorder
from incident_cli.incident.events import Kind
from tests.fakes.desk import FakeClock

SAFE = checksummed(b"\x5a" * 20)
OTHER = checksummed(b"\x5b" * 20)


def begun(home: Path, mode: str = LIVE) -> Recorder:
    """An incident with nothing in it."""
    recorder = create(home, "divergence", mode, "local", FakeClock())
    recorder.record(Kind.OPENED, data={"runbook": "divergence", "market": "ETH-USD"})
    return recorder


def planned(recorder: Recorder, nonce: int, step: str = "pause", safe: str = SAFE, chain_id: int = 1) -> None:
    """A proposal at a nonce."""
    tx: dict[str, Any] = {"safe": safe, "chainId": chain_id, "nonce": nonce}
    calls = [{"plain": f"Stops one market ({nonce})."}]
    proposal = {"safe_tx": tx, "safe_tx_hash": f"0x{nonce:064x}", "calls": calls}
    recorder.record(Kind.PLANNED, step=step, data={"leg": "contain", "proposal": proposal, "undo": []})


def went(recorder: Recorder, kind: Kind, step: str = "pause", **data: object) -> None:
    """What became of it."""
    recorder.record(kind, step=step, data={"leg": "contain", **data})


def nonces(home: Path, on_chain: int = 0) -> list[tuple[int, str]]:
    """What is reserved, and how far it came."""
    found = reserved_here(home, 1, SAFE, on_chain)
    assert found.unread == ()
    return [(one.nonce, one.stage) for one in found.reservations]


def test_what_was_shown_and_what_left_are_reserved(tmp_path: Path) -> None:
    recorder = begun(tmp_path)
    planned(recorder, 4)
    assert nonces(tmp_path) == [(4, "planned")]
    went(recorder, Kind.CONFIRMED)
    went(recorder, Kind.EXPORTED)
    assert nonces(tmp_path) == [(4, "exported")]
    (found,) = reserved_here(tmp_path, 1, SAFE, 0).reservations
    assert (found.incident, found.step, found.label) == (recorder.incident, "pause", "Stops one market (4).")


def test_planning_again_takes_the_place_of_the_plan_before(tmp_path: Path) -> None:
    recorder = begun(tmp_path)
    planned(recorder, 4)
    planned(recorder, 5)
    planned(recorder, 6, step="tighten")
    assert nonces(tmp_path) == [(5, "planned"), (6, "planned")]


def test_what_was_executed_or_is_void_is_not_reserved(tmp_path: Path) -> None:
    recorder = begun(tmp_path)
    planned(recorder, 4)
    went(recorder, Kind.EXECUTED)
    planned(recorder, 5, step="tighten")
    went(recorder, Kind.FAILED, step="tighten", void=True)
    assert nonces(tmp_path) == []


def test_a_failure_that_may_still_execute_stays_reserved(tmp_path: Path) -> None:
    recorder = begun(tmp_path)
    planned(recorder, 4)
    went(recorder, Kind.EXPORTED)
    went(recorder, Kind.FAILED, void=False)
    assert nonces(tmp_path) == [(4, "exported")]


def test_stale_nonces_other_safes_closed_incidents_and_drills_are_left_out(tmp_path: Path) -> None:
    open_one = begun(tmp_path)
    planned(open_one, 4)
    planned(open_one, 5, step="other", safe=OTHER)
    planned(open_one, 6, step="elsewhere", chain_id=10)
    assert nonces(tmp_path, on_chain=5) == []
    closed, drill = begun(tmp_path), begun(tmp_path, DRILL)
    for recorder in (closed, drill):
        planned(recorder, 7)
    closed.record(Kind.CLOSED, data={"ending": "done"})
    assert nonces(tmp_path) == [(4, "planned")]


def test_what_a_reorganisation_took_back_is_reserved_again(tmp_path: Path) -> None:
    recorder = begun(tmp_path)
    planned(recorder, 4)
    went(recorder, Kind.EXPORTED)
    went(recorder, Kind.EXECUTED)
    assert nonces(tmp_path) == []
    went(recorder, Kind.FAILED, revoked=True)
    assert nonces(tmp_path) == [(4, "submitted")]
    went(recorder, Kind.EXECUTED)
    assert nonces(tmp_path) == []


def test_what_can_still_execute_stays_reserved_when_its_incident_is_closed(tmp_path: Path) -> None:
    recorder = begun(tmp_path)
    for nonce, step in ((4, "pause"), (5, "tighten"), (6, "shown"), (7, "done")):
        planned(recorder, nonce, step)
    for step in ("pause", "tighten", "done"):
        went(recorder, Kind.EXPORTED, step)
    went(recorder, Kind.EXECUTED, "done")
    recorder.record(Kind.RISK_LEFT, step="pause", data={"left": f"0x{4:064x}", "reason": "watched"})
    recorder.record(Kind.CLOSED, data={"ending": "done"})
    assert nonces(tmp_path) == [(4, "risk_left"), (5, "exported")]
    assert nonces(tmp_path, on_chain=6) == []


def test_what_is_out_stays_reserved_beside_the_next_plan_of_its_leg(tmp_path: Path) -> None:
    recorder = begun(tmp_path)
    planned(recorder, 4)
    went(recorder, Kind.SIGNED)
    went(recorder, Kind.FAILED, void=True)  # an execution that reverted: the Safe's nonce is free
    planned(recorder, 5)
    assert nonces(tmp_path) == [(4, "signed"), (5, "planned")]
    planned(recorder, 4)
    assert nonces(tmp_path) == [(4, "signed")], "the very same transaction"


def test_a_journal_that_does_not_verify_is_named(tmp_path: Path) -> None:
    recorder = begun(tmp_path)
    planned(recorder, 4)
    path = next(recorder.directory.glob("*.jsonl"))
    path.write_bytes(path.read_bytes().replace(b'"nonce":4', b'"nonce":5'))
    found = reserved_here(tmp_path, 1, SAFE, 0)
    assert found.reservations == () and found.unread == (recorder.incident,)


def test_a_home_that_is_not_there_reserves_nothing(tmp_path: Path) -> None:
    assert nonces(tmp_path / "none") == []
