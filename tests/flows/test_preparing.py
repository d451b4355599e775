"""A proposal of a step that is judged once more: what is read, and in how many exchanges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from incident_cli.errors import Waiting
from incident_cli.flows import drill as flow
from incident_cli.flows.aiming import pulls
from incident_cli.flows.desk import Prompt, Stop
from incident_cli.incident.events import Kind
from incident_cli.runbook.model import ContainStep
from incident_cli.transport import Endpoint, Json, Request, RpcError
from tests.fakes.desk import Scripted, forward
from tests.flows.rehearsal import begun, of_kind

LOOK = ("eth_call", "eth_getBlockByNumber")
REFUSED = ("eth_call", "eth_getCode", "eth_simulateV1", "debug_traceCall", "eth_getCode", "eth_getCode", LOOK[1])
IN_ITS_PLACE = ("eth_call", "eth_getCode", "eth_getCode", LOOK[1])


@dataclass
class Counted:
    """An endpoint that remembers which methods came together."""

    node: Endpoint
    trips: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.node.name

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        self.trips.append(tuple(one.method for one in requests))
        return self.node.exchange(requests)


def test_the_checks_are_judged_again_in_the_round_that_everything_is_planned_from(tmp_path: Path) -> None:
    """Whether the step is needed is judged first. Then come two round trips, and a third because a drill's node has no
    eth_simulateV1."""
    places: list[int] = []

    def marked(prompt: Prompt) -> str:
        places.append(len(node.trips))
        return forward(prompt)

    drill = begun(tmp_path, answerer=Scripted({"declare": [marked], "pause": [marked], "cause": [Stop()]}))
    node = Counted(drill.session.reader.endpoint)
    drill.session.reader.endpoint = node
    with pytest.raises(Waiting):
        flow.run(drill)
    trips = node.trips[places[0] : places[1]]
    judged = [one for one in of_kind(drill, Kind.FINDINGS) if one.step == "pause"]
    plan = next(one for one in of_kind(drill, Kind.PLANNED) if one.step == "pause")
    assert judged and plan.block is not None and judged[-1].block == plan.block
    assert trips == [LOOK, LOOK, REFUSED, IN_ITS_PLACE]


def test_a_check_that_went_quiet_meanwhile_is_seen_though_a_look_was_made(tmp_path: Path) -> None:
    """A judgement after a wait is never answered by the look before it."""
    drill = begun(tmp_path)
    session = drill.session
    step = next(one for one in session.bound.runbook.steps if isinstance(one, ContainStep))
    assert step.when is not None
    pulls(session, step)
    first = session.judge_checks(sorted(step.when.checks), step)
    drill.live.advance(12)
    second = session.judge_checks(sorted(step.when.checks), step)
    assert second[0].block.number > first[0].block.number
