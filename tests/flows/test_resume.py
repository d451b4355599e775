"""Killed at any instant, a drill resumes where it stood: same ending, same hashes, nothing done twice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident_cli.errors import IncidentError, JournalBroken, Misused
from incident_cli.flows import drill as flow
from incident_cli.flows.drill import Drill
from incident_cli.flows.drill_report import report
from incident_cli.incident.events import Event, Kind
from incident_cli.journal.store import Journal
from incident_cli.runbook.shipped import shipped_folder
from incident_cli.transport import Request
from tests.fakes.desk import FakeClock
from tests.flows.rehearsal import begun, executed_hashes, lie, nonce_of, of_kind, people, taken_up


class Killed(BaseException):
    """The process is gone."""


class Dying(Journal):
    """A journal whose process dies at one of its records: before it is written, or just after."""

    dies_at = 0
    after = False

    def append(self, body: Mapping[str, object], *, durable: bool = True) -> Any:
        here = len(self.records) + 1 == self.dies_at
        if here and not self.after:
            raise Killed
        made = super().append(body, durable=durable)
        if here:
            raise Killed
        return made


@dataclass(frozen=True)
class Course:
    """A drill that was not interrupted: what every interrupted one must come to as well."""

    scenario: str
    ending: object
    proposals: object
    blocks: list[str]
    records: int
    places: Mapping[Kind, int]


def hashes(drill: Drill) -> list[str]:
    """The hash of every block since the world was ready."""
    engine, first = drill.live.world.engine, drill.live.world.first_block.number
    return [engine.block(number).hash for number in range(first, engine.head.number + 1)]


def uninterrupted(home: Path, scenario: str) -> Course:
    """A drill without an interruption."""
    drill = begun(home, scenario)
    ending = flow.run(drill)
    places = {event.kind: event.seq for event in reversed(drill.recorder.events)}
    return Course(scenario, ending, confirmed(report(drill)), hashes(drill), len(drill.recorder.events), places)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """Contained, proven, and reopened through the time-lock."""
    return uninterrupted(tmp_path_factory.mktemp("home"), "quick")


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """One proposal, and nothing to reopen."""
    return uninterrupted(tmp_path_factory.mktemp("home"), "shutdown")


def confirmed(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every proposal with its transaction."""
    return [(one["safe_tx_hash"], one["transaction_hash"]) for one in found["proposals"]]


def killed(home: Path, course: Course, at: int, after: bool) -> Drill:
    """A drill of this course that dies at its record `at`."""
    drill = begun(home, course.scenario)
    journal = drill.recorder.journal
    journal.__class__ = Dying
    assert isinstance(journal, Dying)
    journal.dies_at, journal.after = at, after
    with pytest.raises(Killed):
        flow.run(drill)
    let_go(drill)
    return drill


def let_go(drill: Drill) -> None:
    """What the system does for a process that died: its lock is gone, what was written stays."""
    drill.recorder.journal.close()


def resumes(home: Path, whole: Course, gone: Drill) -> None:
    """Taken up again and run to its end, it has come to the same."""
    again = taken_up(home)
    rebuilt = hashes(again)
    assert rebuilt == hashes(gone)[: len(rebuilt)]
    assert flow.run(again) == whole.ending
    world, found = again.live.world, report(again)
    assert confirmed(found) == whole.proposals
    at = world.addresses
    executed = [*executed_hashes(world, at.council), *executed_hashes(world, at.governance)]
    assert executed == [one for one, _ in confirmed(found)]
    assert nonce_of(world, at.council) + nonce_of(world, at.governance) == len(executed)
    assert all(books.is_conserved for books in world.history)
    shared = min(len(rebuilt), len(whole.blocks))
    assert rebuilt[:shared] == whole.blocks[:shared]
    let_go(again)


@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_killed_at_any_record_a_drill_comes_to_the_same_end(
    whole: Course, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    at, after = data.draw(st.integers(2, whole.records)), data.draw(st.booleans())
    home = tmp_path_factory.mktemp("home")
    resumes(home, whole, killed(home, whole, at, after))


@pytest.mark.campaign
@pytest.mark.parametrize("after", [False, True], ids=["before it is written", "after it is written"])
def test_killed_at_every_record_a_drill_comes_to_the_same_end(
    whole: Course, tmp_path_factory: pytest.TempPathFactory, after: bool
) -> None:
    for at in range(2, whole.records + 1):
        home = tmp_path_factory.mktemp("home")
        resumes(home, whole, killed(home, whole, at, after))
    print(f"{whole.records - 1} interruptions")


@pytest.mark.parametrize(
    ("kind", "after"),
    [
        (Kind.CONFIRMED, True),
        (Kind.SUBMIT_INTENDED, False),
        (Kind.SUBMIT_INTENDED, True),
        (Kind.SUBMITTED, False),
        (Kind.PROVEN, False),
    ],
)
def test_killed_around_the_send_nothing_is_sent_twice(kind: Kind, after: bool, short: Course, tmp_path: Path) -> None:
    resumes(tmp_path, short, killed(tmp_path, short, short.places[kind], after))


def test_killed_after_the_send_before_its_block_is_recorded(short: Course, tmp_path: Path) -> None:
    drill = begun(tmp_path, "shutdown")
    deaths: list[Request] = []

    def die(request: Request) -> None:
        if request.method != "eth_sendRawTransaction" or deaths:
            return
        deaths.append(request)
        drill.live.submit(bytes.fromhex(str(request.params[0])[2:]))
        raise Killed

    recorder = drill.recorder
    drill.live.listener = lambda made: None if deaths else flow.record_block(recorder, made)
    lie(drill, lambda request, answer: answer, die)
    with pytest.raises(Killed):
        flow.run(drill)
    assert nonce_of(drill.live.world, drill.live.world.addresses.council) == 1
    let_go(drill)
    resumes(tmp_path, short, drill)


def test_killed_after_the_send_and_its_block(short: Course, tmp_path: Path) -> None:
    drill = begun(tmp_path, "shutdown")

    def die(request: Request) -> None:
        if request.method == "eth_getTransactionReceipt":
            raise Killed

    lie(drill, lambda request, answer: answer, die)
    with pytest.raises(Killed):
        flow.run(drill)
    let_go(drill)
    resumes(tmp_path, short, drill)


def test_a_drill_that_ended_is_taken_up_and_stays_ended(tmp_path: Path) -> None:
    drill = begun(tmp_path, "false-alarm")
    flow.run(drill)
    let_go(drill)
    again = taken_up(tmp_path)
    assert flow.run(again) == drill.ending
    assert len(of_kind(again, Kind.CLOSED)) == 1
    assert report(again) == report(drill)


def stopped_early(home: Path, runbook: Path) -> Drill:
    """A drill of these files, left after its first block."""
    plan = flow.plan_drill(str(runbook), "false-alarm", 7)
    drill = flow.begin(plan, home, FakeClock(), people(None, plan))
    drill.live.advance(12)
    let_go(drill)
    return drill


def copied(folder: Path) -> Path:
    """The shipped runbook and its scenario, where a test may change them."""
    shipped = shipped_folder()
    (folder / "drills").mkdir(parents=True)
    for name in ("oracle-divergence.yaml", "drills/false-alarm.yaml"):
        (folder / name).write_bytes((shipped / name).read_bytes())
    return folder / "oracle-divergence.yaml"


def refused(home: Path, kind: type[IncidentError]) -> IncidentError:
    """Taking it up fails in this way, in words and with what to do, and holds no lock afterwards."""
    with pytest.raises(kind) as caught:
        taken_up(home)
    assert caught.value.hint
    with pytest.raises(kind):
        taken_up(home)
    return caught.value


def test_a_changed_runbook_is_not_gone_on_with(tmp_path: Path) -> None:
    runbook = copied(tmp_path / "files")
    stopped_early(tmp_path / "home", runbook)
    text = runbook.read_text()
    runbook.write_text(text + "# changed\n")
    assert "has changed since this drill began" in refused(tmp_path / "home", JournalBroken).message
    runbook.write_text(text)
    let_go(taken_up(tmp_path / "home"))


def test_a_changed_scenario_is_not_gone_on_with(tmp_path: Path) -> None:
    runbook = copied(tmp_path / "files")
    drill = stopped_early(tmp_path / "home", runbook)
    assert of_kind(drill, Kind.ADVANCED)
    scenario = tmp_path / "files/drills/false-alarm.yaml"
    scenario.write_text(scenario.read_text().replace("at_block: 4", "at_block: 1"))
    assert "cannot be rebuilt" in refused(tmp_path / "home", JournalBroken).message


@pytest.mark.parametrize("name", ["oracle-divergence.yaml", "drills/false-alarm.yaml"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    runbook = copied(tmp_path / "files")
    stopped_early(tmp_path / "home", runbook)
    (tmp_path / "files" / name).unlink()
    assert name.rpartition("/")[2] in refused(tmp_path / "home", Misused).message


def test_one_changed_byte_of_the_journal_is_seen(tmp_path: Path) -> None:
    runbook = copied(tmp_path / "files")
    drill = stopped_early(tmp_path / "home", runbook)
    path = drill.recorder.directory / "journal.jsonl"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    refused(tmp_path / "home", JournalBroken)


def test_a_torn_tail_is_dropped_and_reported(tmp_path: Path) -> None:
    runbook = copied(tmp_path / "files")
    drill = stopped_early(tmp_path / "home", runbook)
    path = drill.recorder.directory / "journal.jsonl"
    with path.open("ab") as file:
        file.write(b'{"seq":')
    again = taken_up(tmp_path / "home")
    resumed: Event = of_kind(again, Kind.RESUMED)[-1]
    assert resumed.data["repaired"]


def test_an_incident_that_does_not_exist_is_misused(tmp_path: Path) -> None:
    tmp_path.joinpath("other").mkdir()
    for name in ("20261122-0300-nothing-0000", "../other", ""):
        with pytest.raises(Misused):
            flow.take_up(tmp_path, name, FakeClock(), lambda plan: people())


def test_two_processes_do_not_walk_one_incident(tmp_path: Path) -> None:
    drill = begun(tmp_path)
    with pytest.raises(Misused):
        taken_up(tmp_path)
    assert json.dumps(report(drill))
