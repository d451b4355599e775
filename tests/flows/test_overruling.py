"""What two named people may overrule, each with a reason; and what nobody may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from incident_cli.errors import IncidentError, Refused, Unread, Waiting
from incident_cli.flows import respond
from incident_cli.flows.desk import Prompt
from incident_cli.flows.session import Session
from incident_cli.flows.walk import walk
from incident_cli.incident.events import Kind
from tests.fakes.desk import RecordingScreen, Said, Scripted
from tests.fakes.node import Node, serving
from tests.flows.rehearsal import fresh
from tests.flows.test_respond import FAULT_SHOWS, Site, file_of, placed

PEOPLE: list[Said] = ["overrule", "Ada", "our own node shows the same block", "Bo", "seen on the explorer"]
ON = "on"  # the condition is unknown without a quorum: contain all the same


@dataclass
class Nodes:
    """A site whose chain stands behind three nodes, two of which must agree."""

    site: Site
    nodes: list[Node]

    def lose(self, count: int) -> None:
        """So many nodes break their connections from now on."""
        for node in self.nodes[:count]:
            node.fault = "reset"

    def session(self, losing: int, said: list[Said]) -> Session:
        """A response in which nodes are lost as soon as somebody takes the lead."""

        def declare(prompt: Prompt) -> str:
            self.lose(losing)
            return "yes"

        answers: dict[str, list[Said]] = {"declare": [declare], "pause": [ON, *said] if losing > 1 else []}
        return respond.begin(self.site.order(), self.site.around(Scripted(answers)))


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Nodes]:
    """Three honest nodes, a quorum of two."""
    live = fresh(7, "oracle-divergence", blocks=FAULT_SHOWS)
    with ExitStack() as stack:
        nodes = [stack.enter_context(serving(live.rpc)) for _ in range(3)]
        site = placed(live, nodes[0].url, tmp_path)
        urls = ", ".join(f'{{url: "{one.url}"}}' for one in nodes)
        site.rewrite(lambda text: text.replace(f'rpc: [{{url: "{nodes[0].url}"}}]', f"rpc: [{urls}], quorum: 2"))
        yield Nodes(site, nodes)


def ended(session: Session, kind: type[IncidentError]) -> IncidentError:
    with pytest.raises(kind) as caught:
        walk(session)
    session.recorder.journal.close()
    return caught.value


def test_one_of_three_lost_is_no_reason_to_ask_anybody(three: Nodes) -> None:
    session = three.session(1, ["ETH-USD"])
    ended(session, Waiting)
    assert json.loads(file_of(session).read_text())["overrides"] == []


def test_a_lost_quorum_stops_unless_two_people_go_on_with_the_node_that_is_left(three: Nodes) -> None:
    session = three.session(2, PEOPLE)
    ended(session, Waiting)
    (override,) = json.loads(file_of(session).read_text())["overrides"]
    assert override["code"] == "quorum-lost" and "only 1 of 2 nodes" in override["message"]
    assert [one["name"] for one in override["people"]] == ["Ada", "Bo"]
    assert [one["reason"] for one in override["people"]] == [PEOPLE[2], PEOPLE[4]]
    recorded = [event.data["override"] for event in session.events if event.kind is Kind.OVERRULED]
    assert recorded == [override]
    screen = session.screen
    assert isinstance(screen, RecordingScreen)
    assert (
        "overruled by Ada: our own node shows the same block; Bo: seen on the explorer" in screen.cards[-1].overrides[0]
    )


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (["stop"], "quorum-lost"),
        (["overrule", "Ada", "a reason", "ada", "another"], "one person cannot overrule it twice"),
        (["overrule", "Ada", "a reason", "Ada ", "another"], "one person cannot overrule it twice"),
        (["overrule", "Ada", "  ", "Bo", "another"], "takes a name and a reason"),
    ],
)
def test_anything_less_than_two_people_with_reasons_is_a_refusal(three: Nodes, said: list[Said], message: str) -> None:
    session = three.session(2, said)
    assert message in ended(session, Refused).message
    assert not [event for event in session.events if event.kind in (Kind.PLANNED, Kind.OVERRULED, Kind.EXPORTED)]


def test_where_no_node_is_left_nobody_is_asked(three: Nodes) -> None:
    session = three.session(3, PEOPLE)
    answerer = session.answerer
    ended(session, Unread)
    assert isinstance(answerer, Scripted)
    assert not [one for one in answerer.asked if "quorum-lost" in one.text]
