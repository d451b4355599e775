"""Who is waited for: a slow honest node beside one that lies, nobody beside a quorum; and one time for a judgement."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from incident_cli.chain.nodes import ChainNodes
from incident_cli.chain.parallel import gather
from incident_cli.chain.survey import survey
from incident_cli.errors import Unread
from incident_cli.evm import Missing
from incident_cli.flows import reading
from incident_cli.flows.reading import Reader
from incident_cli.transport import Json, Request, RpcError
from tests.chain.paper import CHAIN_ID, CODE, TOTAL, PaperNode, regular
from tests.chain.test_quorum import ONE_BAD_NODE, READS, three


class Slow(PaperNode):
    """A node that takes its time, in seconds, for every answer."""

    wait = 0.0

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        time.sleep(self.wait)
        return super().exchange(requests)


@pytest.mark.parametrize(
    ("fault", "seconds"), [("lies about calls", 2), ("other fork", 2), ("boasting", 4), ("lagging", 4)]
)
def test_a_slow_honest_node_is_heard_beside_one_that_lies_at_once(fault: str, seconds: float) -> None:
    members = [Slow(regular(), f"node {number}") for number in (1, 2, 3)]
    members[2].wait = 0.55
    ONE_BAD_NODE[fault](members[0])
    nodes = ChainNodes(members, "ethereum", CHAIN_ID, 2)
    found = survey({"ethereum": nodes}, "ethereum", (TOTAL, CODE), seconds=seconds)
    assert found.block == regular().block(199)
    assert (found.answers[TOTAL], found.answers[CODE]) == ((1_199,), (b"\x60\x01",))
    assert set(nodes.failures) | set(nodes.disagreements) == {"node 1"}


def test_whom_nobody_waits_for_costs_no_time_where_there_is_enough() -> None:
    stuck = threading.Event()
    works = {"quick": lambda: True, "stuck": stuck.wait}
    found = gather(works, 3_600, lambda some: "quick" in some, {"stuck"})
    assert found["quick"] is True
    assert isinstance(found["stuck"], Unread)
    stuck.set()


@pytest.mark.parametrize("place", [0, 2])
def test_a_black_hole_costs_a_judgement_its_grace_once(place: int) -> None:
    nodes, members = three()
    event = members[place].stuck = threading.Event()
    reader = Reader(nodes, "ethereum", CHAIN_ID)
    with reader.judgement():
        for _ in range(20):  # more than the time of a judgement, if each of them waited
            found = reader.read(READS)
            assert not any(isinstance(one, Missing) for one in found.answers.values())
    assert f"node {place + 1}" in nodes.failures
    event.set()


def test_an_answer_that_comes_too_late_does_not_clear_its_node() -> None:
    nodes, members = three()
    event = members[2].stuck = threading.Event()
    found = survey({"ethereum": nodes}, "ethereum", (TOTAL,), seconds=1)
    event.set()
    while nodes.members[2].failure:  # its answer comes in by and by
        time.sleep(0.01)
    assert found.answers[TOTAL] == (1_199,)
    assert set(nodes.failures) == {"node 3"}


def test_who_was_late_once_is_waited_for_again_in_the_next_judgement() -> None:
    nodes, members = three()
    ONE_BAD_NODE["dead"](members[2])
    reader = Reader(nodes, "ethereum", CHAIN_ID)
    with reader.judgement():
        reader.read([TOTAL])
        assert [one.name for one in nodes.tardy] == ["node 3"]
    members[2].change = None
    with reader.judgement():
        reader.read([TOTAL])
        assert not nodes.tardy


def test_a_lie_in_one_round_is_remembered_to_the_end_of_the_judgement() -> None:
    nodes, _ = three(ONE_BAD_NODE["lies about calls"], 0)
    reader = Reader(nodes, "ethereum", CHAIN_ID)
    with reader.judgement():
        block = reader.read([TOTAL]).block
        with reader.judgement():
            reader.read_at([CODE], block)
    assert set(nodes.disagreements) == {"node 1"}
    reader.read_at([CODE], block)
    assert not nodes.disagreements


def test_after_the_time_of_a_judgement_nothing_is_asked_and_nobody_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes, members = three()
    reader = Reader(nodes, "ethereum", CHAIN_ID)
    block = reader.read([TOTAL]).block
    asked = [len(one.sent) for one in members]
    monkeypatch.setattr(reading, "ROUND_SECONDS", 0.0)
    with reader.judgement():
        with pytest.raises(Unread, match="the time for one judgement is up"):
            reader.read([TOTAL])
        with pytest.raises(Unread):
            reader.read_at([TOTAL], block)
        assert isinstance(reader.below(3), Missing)
    assert ([len(one.sent) for one in members], nodes.failures) == (asked, {})
