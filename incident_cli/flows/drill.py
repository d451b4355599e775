"""A drill: the same walk as a live incident, in a world that is built from a seed and rebuilt from the journal."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from incident_cli.checks.check import Verdict, worst
from incident_cli.document import Document, parse_document
from incident_cli.drills.live_world import LiveWorld
from incident_cli.drills.script import Script, find_script, load_script
from incident_cli.drills.setting import deployment_text
from incident_cli.drills.world import CHAIN_ID, GENESIS_TIME, Advance, World, turn_from_json
from incident_cli.errors import JournalBroken, Misused
from incident_cli.evm import Block
from incident_cli.flows import incidents
from incident_cli.flows.clock import Clock
from incident_cli.flows.desk import Answerer, Screen
from incident_cli.flows.hands import RehearsedHands
from incident_cli.flows.pacing import ThinkingTime
from incident_cli.flows.reading import Reader
from incident_cli.flows.recorder import Recorder
from incident_cli.flows.session import Session
from incident_cli.flows.walk import walk
from incident_cli.incident.events import Event, Kind, every
from incident_cli.incident.walk import Ending
from incident_cli.runbook.bind import Bound, bind, runbook_hash
from incident_cli.runbook.deployment import sound
from incident_cli.runbook.load import LoadedRunbook, load_runbook
from incident_cli.runbook.model import CheckStep
from incident_cli.runbook.shipped import find_runbook, shipped_folder

WATCH_BLOCKS = 200
DEFAULT_RUNBOOK = "oracle-divergence"


@dataclass(frozen=True, slots=True)
class DrillPlan:
    """What is rehearsed: the runbook, the scenario, the seed, and when the world's time begins (seconds)."""

    loaded: LoadedRunbook
    script: Script
    seed: int
    genesis_time: int = GENESIS_TIME


class DrillPace:
    """Chain time passes by mining."""

    def __init__(self, live: LiveWorld) -> None:
        self.live = live

    def wait(self, seconds: int) -> None:
        """Mine until this much time has passed."""
        self.live.advance(seconds)

    def recovered(self) -> None:
        """The scenario's fault ends."""
        self.live.end_fault()


@dataclass(slots=True)
class Drill:
    """A drill under way."""

    plan: DrillPlan
    live: LiveWorld
    session: Session
    ending: Ending | None = None

    @property
    def recorder(self) -> Recorder:
        """Its record."""
        return self.session.recorder

    def let_time_pass(self) -> None:
        """From here on the world also goes on while the operator thinks."""
        session = self.session
        session.answerer = ThinkingTime(session.answerer, self.live, self.recorder.clock)


@dataclass(frozen=True, slots=True)
class People:
    """Who sees and who answers."""

    screen: Screen
    answerer: Answerer


def plan_drill(runbook: str | None, scenario: str | None, seed: int, genesis_time: int | None = None) -> DrillPlan:
    """The runbook and the scenario that go together; raises Misused or WrongFile. The time: far ahead, or now (s)."""
    if runbook is None and scenario is None:
        runbook = DEFAULT_RUNBOOK
    path = None if runbook is None else find_runbook(runbook)
    folder = shipped_folder() if path is None else path.parent
    script = find_script(folder / "drills", None if path is None else path.stem, scenario)
    loaded = load_runbook(path or find_runbook(script.scenario.runbook))
    if loaded.runbook.id != script.scenario.runbook:
        raise Misused(
            f"the scenario {script.scenario.id} rehearses {script.scenario.runbook}, not {loaded.runbook.id}",
            f"leave out the runbook, or name a scenario of {loaded.runbook.id}",
        )
    return DrillPlan(loaded, script, seed, GENESIS_TIME if genesis_time is None else genesis_time)


def begin(plan: DrillPlan, home: Path, clock: Clock, people: People) -> Drill:
    """Build the world and open the incident."""
    return begin_in(
        LiveWorld(World.build(plan.seed, plan.script.scenario, plan.genesis_time)), plan, home, clock, people
    )


def begin_in(live: LiveWorld, plan: DrillPlan, home: Path, clock: Clock, people: People) -> Drill:
    """Open the incident in a world that is ready."""
    bound = bind_world(plan, live.world)
    recorder = incidents.create(home, plan.loaded.runbook.id, "drill", bound.chain, clock)
    drill = assemble(plan, live, bound, recorder, people)
    opened = {
        "runbook": plan.loaded.runbook.id,
        "runbook_path": str(plan.loaded.path.resolve()),
        "scenario": plan.script.scenario.id,
        "scenario_path": str(Path(plan.script.document.name).resolve()),
        "runbook_hash": drill.session.runbook_hash,
        "runbook_sha256": hashlib.sha256(plan.loaded.document.raw).hexdigest(),
        "market": bound.market.name,
        "seed": plan.seed,
        "genesis_time": plan.genesis_time,
    }
    recorder.record(Kind.OPENED, block=live.world.engine.head, data=opened)
    return drill


def take_up(home: Path, incident: str, clock: Clock, people: Callable[[DrillPlan], People]) -> Drill:
    """Resume a drill: the world is built again from the seed and the recorded blocks, to the same block hashes."""
    recorder = incidents.resume(home, incident, "drill", clock)
    with incidents.closing_on_failure(recorder.journal):
        return rebuilt(recorder, people)


def rebuilt(recorder: Recorder, people: Callable[[DrillPlan], People]) -> Drill:
    """The drill of a record; raises JournalBroken where a file has changed since."""
    opened = recorder.events[0].data
    loaded = load_runbook(Path(opened["runbook_path"]))
    script = load_script(Path(opened["scenario_path"]))
    plan = DrillPlan(loaded, script, opened["seed"], opened["genesis_time"])
    live = LiveWorld(World.build(plan.seed, script.scenario, plan.genesis_time))
    for event in every(recorder.events, Kind.ADVANCED):
        rebuild(live, event)
    bound = bind_world(plan, live.world)
    if runbook_hash(bound) != opened["runbook_hash"]:
        raise JournalBroken(
            f"{loaded.path} (or a protocol file it uses) has changed since this drill began",
            "put it back as it was, or begin a new drill",
        )
    return assemble(plan, live, bound, recorder, people(plan))


def rebuild(live: LiveWorld, event: Event) -> None:
    """Play one recorded block again; raises JournalBroken where it comes out otherwise."""
    made = live.replay(turn_from_json(event.data))
    if event.block is None or made.block.hash != event.block.hash:
        wanted = event.block.hash if event.block else "no block"
        raise JournalBroken(
            f"the world cannot be rebuilt: block {made.block.number} is {made.block.hash}, the journal says {wanted}",
            "resume with the version of incident that began this drill",
        )


def bind_world(plan: DrillPlan, world: World) -> Bound:
    """The runbook bound to the world through a deployment file like any other."""
    document: Document = parse_document(deployment_text(world).encode(), "drill deployment")
    return bind(plan.loaded, sound(document), document, plan.script.scenario.market, {})


def assemble(plan: DrillPlan, live: LiveWorld, bound: Bound, recorder: Recorder, people: People) -> Drill:
    """The session over a world; from here on every block is recorded."""
    reader = Reader(live.rpc, bound.chain, CHAIN_ID, live.world.engine.head)
    hands = RehearsedHands(live.world)
    pace = DrillPace(live)
    session = Session(bound, recorder, reader, people.screen, people.answerer, hands, pace, runbook_hash(bound))
    live.listener = lambda made: record_block(recorder, made)
    return Drill(plan, live, session)


def record_block(recorder: Recorder, made: Advance) -> None:
    """A block of the world as an event: all that is needed to play it again."""
    recorder.record(Kind.ADVANCED, block=made.block, durable=False, data=made.turn.to_json())


def run(drill: Drill) -> Ending:
    """Watch until the first check is not quiet, then walk to the end."""
    if not any(event.kind is Kind.STEP_STARTED for event in drill.recorder.events):
        watch(drill)
    drill.ending = walk(drill.session)
    return drill.ending


def watch(drill: Drill) -> Block:
    """The monitor's part: judge the first check step's checks at every block until one is not quiet."""
    steps = drill.session.bound.runbook.steps
    names = next(one.check for one in steps if isinstance(one, CheckStep))
    with drill.session.screen.working("watching every block"):
        for _ in range(WATCH_BLOCKS):
            found = drill.session.judge_checks(names, None)
            if worst([one.verdict for one in found]) is not Verdict.QUIET:
                return found[0].block
            drill.session.pace.wait(drill.live.world.engine.block_time)
    raise Misused(
        f"nothing was detected in {WATCH_BLOCKS} blocks: the scenario does not trip {', '.join(names)}",
        "make the scenario's fault larger, or its runbook's threshold smaller",
    )
