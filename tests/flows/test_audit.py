"""What an audit found untrue or without a way on, each held down by a test."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from incident_cli.errors import Unread
from incident_cli.evm import Block, CallRead, Missing, Snapshot
from incident_cli.flows.incidents import new_incident_id
from incident_cli.flows.pacing import PATIENCE_SECONDS, LivePace
from incident_cli.flows.reading import Reader
from incident_cli.flows.session import MOST_AGE_SECONDS, Session
from incident_cli.incident.events import Event, Kind
from incident_cli.incident.timeline import Moment, moments, span
from incident_cli.runbook.load import load_runbook
from incident_cli.runbook.shipped import find_runbook
from incident_cli.transport import Json, Request, RpcError

NOW = 1_790_000_000


@dataclass
class StandingClock:
    """A clock that moves only by sleeping."""

    slept: float = 0

    def now(self) -> datetime:
        return datetime.fromtimestamp(NOW, UTC)

    def monotonic_ns(self) -> int:
        return int(self.slept * 10**9)

    def boot_id(self) -> str:
        return ""

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


@dataclass
class FrozenChain:
    """Answers the same head for ever."""

    name: str = "frozen node"
    asked: list[str] = field(default_factory=list)

    def exchange(self, requests: list[Request]) -> list[Json | RpcError]:
        self.asked += [one.method for one in requests]
        head: dict[str, Json] = {"number": "0x10", "hash": "0x" + "ab" * 32, "parentHash": "0x" + "cd" * 32}
        block = head | {"timestamp": hex(NOW)}
        return ["0x1" if one.method == "eth_chainId" else block for one in requests]


def test_a_chain_that_stands_still_is_an_error_and_not_an_endless_wait() -> None:
    clock, chain = StandingClock(), FrozenChain()
    reader = Reader(chain, "ethereum", 1)  # type: ignore[arg-type]
    pace = LivePace(reader, clock)
    reader.head = Block("ethereum", 16, "0x" + "ab" * 32, NOW)
    with pytest.raises(Unread, match="stands still at block 16"):
        pace.wait(12)
    assert PATIENCE_SECONDS <= clock.slept <= PATIENCE_SECONDS + 3


@dataclass
class LiveRecorder:
    """As much of a recorder as freshness asks for."""

    mode: str
    clock: StandingClock = field(default_factory=StandingClock)

    @property
    def is_rehearsal(self) -> bool:
        return self.mode != "live"


@pytest.mark.parametrize(
    ("mode", "age", "believed"),
    [
        ("live", MOST_AGE_SECONDS, True),
        ("live", MOST_AGE_SECONDS + 1, False),
        ("drill", 10**6, True),
        ("live", -5, True),
        ("live", -61, False),
    ],
)
def test_an_old_head_is_unknown_on_a_live_chain(mode: str, age: int, believed: bool) -> None:
    read = CallRead("0x" + "11" * 20, None)  # type: ignore[arg-type]
    snapshot = Snapshot(Block("ethereum", 16, "0x", NOW - age), {read: (7,)})
    session = Session.__new__(Session)
    session.recorder = LiveRecorder(mode)  # type: ignore[assignment]
    session.reader = Reader(FrozenChain(), "ethereum", 1)  # type: ignore[arg-type]
    found = session.fresh(snapshot).value(read)
    assert found == 7 if believed else isinstance(found, Missing) and ("old" if age > 0 else "ahead") in found.reason


def test_nothing_is_detected_by_a_step_that_went_on_by_itself() -> None:
    runbook = load_runbook(find_runbook("oracle-divergence")).runbook
    block = Block("drill", 5, "0x", 60)
    alone = Event(1, Kind.STEP_ENDED, "", "detect", 1, block, {"outcome": "decided", "to": "declare"})
    chosen = Event(1, Kind.STEP_ENDED, "", "detect", 1, block, {"outcome": "decided", "verdict": "unknown"})
    assert "detected" not in moments(runbook, [alone])
    assert "detected" in moments(runbook, [chosen])


def test_a_span_out_of_order_is_unknown_and_never_negative() -> None:
    early, late = Moment("a", Block("drill", 1, "0x", 12)), Moment("b", Block("drill", 3, "0x", 36))
    assert span(late, early) is None
    assert span(early, late) is not None


def test_an_incident_id_that_is_taken_is_drawn_again(tmp_path: Path) -> None:
    now, tokens = datetime.fromtimestamp(NOW, UTC), iter(["abcd", "abcd", "ef01"])
    first = new_incident_id(tmp_path, "oracle-divergence", now, lambda size: next(tokens))
    (tmp_path / first).mkdir()
    second = new_incident_id(tmp_path, "oracle-divergence", now, lambda size: next(tokens))
    assert (first[-4:], second[-4:]) == ("abcd", "ef01")
