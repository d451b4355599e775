"""A value that a check found, and a step binds: it is the one that was compared, and no other is left behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from incident_cli.checks.check import Found
from incident_cli.drills.distress import SCHEDULE
from incident_cli.drills.founding import encoded
from incident_cli.errors import Waiting
from incident_cli.evm import keccak
from incident_cli.flows import drill as flow
from incident_cli.flows.desk import Prompt
from incident_cli.flows.drill import Drill
from incident_cli.flows.session import grouped
from incident_cli.flows.walk import walk
from incident_cli.incident.events import Kind
from incident_cli.incident.walk import Ending
from tests.fakes.desk import RecordingScreen, Said, Scripted
from tests.flows.rehearsal import begun, council_sends, of_kind, view

HASH = "hashOperation(address,uint256,bytes,bytes32,bytes32) returns (bytes32)"
STATE = "getOperationState(bytes32) returns (uint8)"
NAME = "checks.hostile.operation_id"


def schedule(drill: Drill, salt: bytes, delay: int = 3_600) -> bytes:
    """The stolen key schedules one more operation; its id."""
    world = drill.live.world
    at, data = world.addresses, encoded("setGuardian(address)", world.people.attacker.address)
    call = encoded(SCHEDULE, at.exchange, 0, data, bytes(32), keccak(salt), delay)
    drill.live.submit(world.transaction(world.people.operations, at.timelock, call))
    found = view(world, at.timelock, HASH, at.exchange, 0, data, bytes(32), keccak(salt))
    assert isinstance(found, bytes)
    return found


def compared(drill: Drill) -> bytes:
    """The operation that was found first."""
    first = next(one for event in of_kind(drill, Kind.FINDINGS) for one in event.data["findings"] if one["found"])
    return bytes.fromhex(first["found"][0]["text"][2:])


def state(drill: Drill, operation: bytes) -> object:
    """What the time-lock says of an operation."""
    return view(drill.live.world, drill.live.world.addresses.timelock, STATE, operation)


def withdraw(drill: Drill, operation: bytes) -> None:
    """Somebody else cancels an operation."""
    council_sends(drill.live, drill.live.world.addresses.timelock, encoded("cancel(bytes32)", operation))


class Attack:
    """What happens on chain while somebody answers, once."""

    def __init__(self, *salts: bytes, swap: bool = False, delay: int = 3_600) -> None:
        self.salts, self.swap, self.delay = salts, swap, delay
        self.drill: Drill
        self.ids: list[bytes] = []

    def __call__(self, prompt: Prompt) -> str:
        if not self.ids:
            if self.swap:
                withdraw(self.drill, compared(self.drill))
            self.ids = [schedule(self.drill, salt, self.delay) for salt in self.salts]
        return "yes"


def attacked(folder: Path, attack: Attack, script: Mapping[str, Sequence[Said]]) -> tuple[Drill, Scripted]:
    """A drill that is detected, and attacked again while somebody takes the lead."""
    answerer = Scripted({**script, "declare": [attack]})
    drill = begun(folder, "compromised-key", answerer=answerer)
    attack.drill = drill
    flow.watch(drill)
    return drill, answerer


def path(drill: Drill) -> list[str | None]:
    return [event.step for event in of_kind(drill, Kind.STEP_STARTED)]


def test_a_second_operation_goes_back_to_be_compared_and_is_cancelled_too(tmp_path: Path) -> None:
    attack = Attack(b"B")
    drill, _ = attacked(tmp_path, attack, {"another": ["no"]})
    assert walk(drill.session) is Ending.CONTAINED
    assert (state(drill, compared(drill)), state(drill, attack.ids[0])) == (0, 0)
    twice = ["compare", "declare", "cancel", "another"]
    assert path(drill) == ["detect", *twice, *twice, "prove", "lock_out"]


def test_contained_is_not_said_while_another_operation_waits(tmp_path: Path) -> None:
    attack = Attack(b"B")
    drill, answerer = attacked(tmp_path, attack, {"another": ["yes"], "prove": ["stop"]})
    with pytest.raises(Waiting, match="not contained: hostile still fires"):
        walk(drill.session)
    (question,) = answerer.questions("prove")
    assert question.choices[0][0] == "back"
    assert f"0x{attack.ids[0].hex()}" in question.text
    assert state(drill, attack.ids[0]) == 1
    assert not [event for event in of_kind(drill, Kind.STEP_ENDED) if event.step == "prove"]
    screen = drill.session.screen
    assert isinstance(screen, RecordingScreen)
    assert not any(line.startswith("contained") for line in screen.lines)


def test_the_default_goes_back_to_the_containment_and_handles_it_too(tmp_path: Path) -> None:
    attack = Attack(b"B", b"C")
    drill, answerer = attacked(tmp_path, attack, {"another": ["yes", "yes", "yes"], "prove": ["back", "back"]})
    assert walk(drill.session) is Ending.CONTAINED
    assert [state(drill, one) for one in (compared(drill), *attack.ids)] == [0, 0, 0]
    assert len(answerer.questions("cancel")) == 3  # three phrases, and nothing else was in doubt
    assert len(of_kind(drill, Kind.EXECUTED)) == 3


def test_an_operation_that_is_expected_may_stay_and_hides_no_other(tmp_path: Path) -> None:
    attack = Attack(b"B")
    later: list[bytes] = []

    def expected(prompt: Prompt) -> str:
        later.append(schedule(drill, b"C", 7_200))
        return "expected"

    drill, answerer = attacked(tmp_path, attack, {"another": ["yes", "yes"], "prove": [expected, "stop"]})
    with pytest.raises(Waiting):
        walk(drill.session)
    question = answerer.questions("prove")[-1]
    assert later[0].hex() in question.text and attack.ids[0].hex() not in question.text


def test_what_was_said_to_be_expected_is_in_the_record_and_the_rest_is_proven(tmp_path: Path) -> None:
    attack = Attack(b"B")
    drill, answerer = attacked(tmp_path, attack, {"another": ["yes"], "prove": ["expected"]})
    assert walk(drill.session) is Ending.CONTAINED
    assert (state(drill, compared(drill)), state(drill, attack.ids[0])) == (0, 1)
    assert len(answerer.questions("prove")) == 1
    (noted,) = of_kind(drill, Kind.NOTED)
    assert noted.data["expected"] == {NAME: [f"0x{attack.ids[0].hex()}"]}


@pytest.mark.parametrize("delay", [3_600, 60 * 60 * 12])
def test_an_operation_that_was_not_compared_is_never_proposed_in_its_place(delay: int, tmp_path: Path) -> None:
    attack = Attack(b"B", swap=True, delay=delay)
    drill, answerer = attacked(tmp_path, attack, {"cancel": ["stop"]})
    with pytest.raises(Waiting, match="nothing was proposed"):
        walk(drill.session)
    assert not of_kind(drill, Kind.PLANNED)
    (question,) = answerer.questions("cancel")
    assert question.choices[0][0] == "stop"
    assert f"{NAME} was 0x{compared(drill).hex()}, now it is 0x{attack.ids[0].hex()}" in question.text
    assert question.text in [event.data["question"] for event in of_kind(drill, Kind.ANSWERED)]


def test_back_goes_to_the_step_before_and_the_new_operation_is_then_what_was_compared(tmp_path: Path) -> None:
    attack = Attack(b"B", swap=True)
    drill, answerer = attacked(tmp_path, attack, {"cancel": ["back"]})
    assert walk(drill.session) is Ending.CONTAINED
    assert path(drill)[:6] == ["detect", "compare", "declare", "cancel", "declare", "another"]  # `cancel` goes on
    assert len(answerer.questions("cancel")) == 2
    assert state(drill, attack.ids[0]) == 0


def test_going_back_by_oneself_does_not_make_the_change_look_compared(tmp_path: Path) -> None:
    attack = Attack(b"B", swap=True)
    drill, answerer = attacked(tmp_path, attack, {"cancel": ["stop", "stop"]})
    for _ in range(2):
        with pytest.raises(Waiting, match="nothing was proposed"):
            walk(drill.session)
    assert len(answerer.questions("cancel")) == 2


def test_the_end_of_the_value_is_typed_and_not_read_off_the_question(tmp_path: Path) -> None:
    answerer = Scripted({"cancel": ["cancel the hostile operation"]})
    drill = begun(tmp_path, "compromised-key", answerer=answerer)
    flow.watch(drill)
    with pytest.raises(Waiting, match="not confirmed"):
        walk(drill.session)
    (question,) = answerer.questions("cancel")
    value = compared(drill).hex()
    assert question.phrase == f"cancel the hostile operation {value[-8:]}"
    assert question.phrase not in question.text
    assert f"the last 8 characters of {NAME}" in question.text and value in question.text


def test_values_of_one_thing_stay_together() -> None:
    values = ("id", "1"), ("to", "x"), ("id", "2"), ("to", "y"), ("id", "3")
    found = [Found(name, "int", text) for name, text in values]
    texts = [{name: one.text for name, one in group.items()} for group in grouped("checks.c.", found)]
    assert texts == [
        {"checks.c.id": "1", "checks.c.to": "x"},
        {"checks.c.id": "2", "checks.c.to": "y"},
        {"checks.c.id": "3"},
    ]
    assert grouped("checks.c.", ()) == []
