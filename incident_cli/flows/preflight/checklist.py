"""`incident preflight`: if it happened now, could this Safe really do what the runbooks say?

Everything that is asked has an item of its own with a stable id; what could not be seen is unknown and never ready.
One cause has one line that is not ready: what depends on it waits, and says for what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from incident_cli.binding import did_you_mean
from incident_cli.errors import IncidentError, Misused
from incident_cli.evm import Block, Missing, Read, Snapshot
from incident_cli.flows.check import CheckOrder, markets_of
from incident_cli.flows.clock import Clock
from incident_cli.flows.connecting import Environment
from incident_cli.flows.last_drills import last_answers, last_drills
from incident_cli.flows.pinning.proxies import followed
from incident_cli.flows.preflight.code import code_reads, pin_items, pins_of, token_items, used_places
from incident_cli.flows.preflight.ground import Stage, acting, is_whole, safes_of, settle, stages_of
from incident_cli.flows.preflight.item import Item, Status, judged, merged, together, unknown, waiting
from incident_cli.flows.preflight.levers import lever_items, power_item, role_reads, spare_pulls
from incident_cli.flows.preflight.nodes import Site, head_item, site_of
from incident_cli.flows.preflight.people import Answers, contacts_item, drill_item, gas_item
from incident_cli.flows.preflight.safe import SafeAt, SafeSeen, safe_items
from incident_cli.flows.preflight.service import service_items
from incident_cli.flows.preflight.steps import rehearse
from incident_cli.flows.preflight.undo import undo_item
from incident_cli.flows.reading import Reader
from incident_cli.levers.lever import asked
from incident_cli.levers.pull import Pull
from incident_cli.runbook.bind import Bound, bind
from incident_cli.runbook.deployment import Deployment, load_deployment
from incident_cli.runbook.load import LoadedRunbook, load_runbook
from incident_cli.runbook.model import ContainStep
from incident_cli.text import plain
from incident_cli.transport import Deadline

SCHEMA = "incident.preflight/v1"
STEPS_SECONDS = 120.0  # for all steps together, however slow the nodes are
Progress = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class PreflightOrder:
    """What is looked at. `markets` None: every market, empty: the deployment's only one; `home`: where drills are."""

    runbooks: Sequence[Path]
    deployment: Path
    markets: Sequence[str] | None
    params: Mapping[str, str]
    home: Path


@dataclass(frozen=True, slots=True)
class Preflight:
    """Everything that was looked at, in the order of the checklist."""

    deployment: str
    runbooks: tuple[str, ...]
    items: tuple[Item, ...]

    @property
    def status(self) -> Status:
        """Of all items together."""
        return together(self.items)

    def to_json(self) -> dict[str, Any]:
        """The object `incident preflight --json` prints."""
        return {
            "schema": SCHEMA,
            "deployment": self.deployment,
            "runbooks": list(self.runbooks),
            "ready": self.status == "ready",
            "items": [one.to_json() for one in self.items],
        }


@dataclass(frozen=True, slots=True)
class Scene:
    """What the items of one preflight are judged from: a snapshot of each chain, and why one could not be read."""

    deployment: Deployment
    bounds: Sequence[Bound]
    stages: Sequence[Stage]
    sites: Mapping[str, Site]
    now: int
    answers: Answers
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    gas: dict[str, int] = field(default_factory=dict)  # the most that a simulated step used, by chain

    @property
    def safes(self) -> tuple[SafeAt, ...]:
        """The Safes that contain or restore."""
        return safes_of(self.bounds)

    def seen(self, safe: SafeAt) -> SafeSeen:
        """A Safe with what was answered of it."""
        return SafeSeen(safe, self.snapshots[safe.chain])

    def reader(self, chain: str) -> Reader | None:
        """A reader whose own chain this is."""
        return self.sites[chain].reader(self.sites)


def preflight(order: PreflightOrder, environment: Environment, clock: Clock, progress: Progress) -> Preflight:
    """Look at everything; raises WrongFile or Misused. What the chain or a service fails to say is an item."""
    loaded = [load_runbook(one) for one in dict.fromkeys(order.runbooks)]
    deployment, document = load_deployment(order.deployment)
    refuse_unknown(loaded, order.params)
    markets = markets_of(CheckOrder(order.runbooks[0], order.deployment, order.markets, (), {}), deployment)
    bounds = [
        bind(one, deployment, document, market, given_to(one, order.params)) for one in loaded for market in markets
    ]
    with progress("asking each node"):
        chains = sorted({name for one in bounds for name in (one.chain, *(s.chain for s in one.slots.values()))})
        sites = {name: site_of(deployment, name, environment) for name in chains}
        settled = [settle(one, sites) for one in bounds]
    whole = [one for one, _ in settled if is_whole(one)]
    stages = [stage for one in whole for stage in stages_of(one)]
    now = clock.now()
    scene = Scene(deployment, whole, stages, sites, int(now.timestamp()), Answers(last_answers(order.home), now))
    items = [item for one in sites.values() for item in one.items]
    items += [item for bound, found in settled if found is not None for item in (found, *unplaced(bound, found))]
    with progress("reading the chains, all at one block each"):
        items += list(standing_items(scene))
    with progress("asking the transaction service"):
        items += list(outside_items(scene, environment))
    drilled = last_drills(order.home)
    items += [drill_item(one, drilled, now) for one in loaded]
    items += list(step_items(scene, {one.id: one for one in merged(items)}, progress))
    items += list(gas_items(scene))
    return Preflight(deployment.name, tuple(one.runbook.id for one in loaded), merged(items))


def unplaced(bound: Bound, found: Item) -> Iterator[Item]:
    """The items of the steps of a runbook whose derived slots were not found: they wait for that."""
    if not is_whole(bound):
        for step in bound.runbook.steps:
            if isinstance(step, ContainStep):
                name = f"{bound.runbook.id}/{step.id}@{bound.market.name}"
                yield from (waiting(f"{kind}:{name}", [found.id]) for kind in ("simulate", "undo"))


def refuse_unknown(loaded: Sequence[LoadedRunbook], params: Mapping[str, str]) -> None:
    """Raises Misused for a parameter that none of the runbooks has."""
    known = {name: None for one in loaded for name in one.runbook.params}
    for name in params:
        if name not in known:
            words = f"{plain(name, 60)!r} is no parameter of these runbooks{did_you_mean(name, known)}"
            raise Misused(words, f"parameters: {', '.join(known) or 'none'}")


def given_to(loaded: LoadedRunbook, params: Mapping[str, str]) -> dict[str, str]:
    """The parameters that a runbook has; where several are looked at, each takes its own."""
    return {name: value for name, value in params.items() if name in loaded.runbook.params}


def standing_items(scene: Scene) -> Iterator[Item]:
    """What one round of reads a chain tells: code, tokens, Safes, contacts, roles, and power beyond need."""
    needed = frozenset(
        one.id("").removeprefix(":").rpartition("@")[0] for stage in scene.stages for one in stage.pulled
    )
    spare = {safe: spare_pulls(scene.bounds, needed, safe) for safe in acting(scene.stages)}
    for chain in scene.sites:
        reads = [*code_reads(scene.deployment, chain)]
        reads += [read for safe in scene.safes if safe.chain == chain for read in safe.reads]
        pulls = [one.pull for stage in scene.stages for one in stage.pulled if stage.safe.chain == chain]
        reads += [read for pull in pulls for read in asked_of(pull)]
        reads += [
            read
            for safe, some in spare.items()
            if safe.chain == chain
            for one in some.values()
            for read in role_reads(one)
        ]
        yield from chain_items(scene, chain, reads)
    yield from contact_items(scene)
    for stage in scene.stages:
        for pulled in stage.pulled:
            yield from lever_items(pulled, scene.snapshots[stage.safe.chain])
    for safe, some in spare.items():
        look = partial(power_item, safe, scene.bounds, some, scene.snapshots[safe.chain])
        yield judged(f"over-privilege:{safe.name}", look)


def asked_of(pull: Pull) -> Sequence[Read]:
    """Every read of a pull; none where its protocol file is wrong, which its items say."""
    try:
        return asked(pull)
    except (IncidentError, LookupError):
        return []


def chain_items(scene: Scene, chain: str, reads: Sequence[Read]) -> Iterator[Item]:
    """The items of one chain, from one snapshot of it."""
    reader = scene.reader(chain)
    snapshot = scene.snapshots[chain] = read_all(scene, chain, reads)
    if reader is not None and chain not in scene.problems:
        yield judged(f"head:{chain}", lambda: head_item(reader, snapshot.block, scene.now))
    places = [*used_places(scene.bounds)]
    yield from pin_items(scene.deployment, chain, places, snapshot)
    yield from token_items(scene.deployment, chain, snapshot)
    for safe in scene.safes:
        if safe.chain == chain:
            yield from safe_items(scene.seen(safe), scene.deployment)


def read_all(scene: Scene, chain: str, reads: Sequence[Read]) -> Snapshot:
    """Every answer at one block; where the chain cannot be read, every one is missing with the reason."""
    reader = scene.reader(chain)
    problem = f"{chain} cannot be read: see {', '.join(scene.sites[chain].causes)}"
    if reader is not None:
        try:
            pins = [one.address for one in pins_of(scene.deployment, chain)]
            return followed(reader, reader.read(reads), pins, chain)
        except IncidentError as failed:
            problem = failed.message
    scene.problems[chain] = problem
    return Snapshot(Block(chain, 0, "", 0), dict.fromkeys(reads, Missing(problem)))


def contact_items(scene: Scene) -> Iterator[Item]:
    """The contacts of each Safe's owners."""
    for safe in scene.safes:
        name = f"contacts:{safe.name}"

        def look(name: str = name, safe: SafeAt = safe) -> Item:
            every = frozenset(owner for one in scene.safes for owner in scene.seen(one).owners)
            return contacts_item(name, scene.seen(safe), scene.deployment, every, scene.answers)

        yield judged(name, look)


def outside_items(scene: Scene, environment: Environment) -> Iterator[Item]:
    """The service of each chain on which something is contained or restored."""
    for chain in dict.fromkeys(one.chain for one in scene.safes):
        seen = {one.name: scene.seen(one) for one in scene.safes if one.chain == chain}
        entry, number = scene.deployment.services.get(chain), scene.deployment.chains[chain].id
        yield from service_items(chain, number, entry, seen, environment)


def gas_items(scene: Scene) -> Iterator[Item]:
    """The gas of each chain on which something is contained or restored: after the steps, which say how much."""
    for chain in dict.fromkeys(one.chain for one in scene.safes):
        seen = {one.name: scene.seen(one) for one in scene.safes if one.chain == chain}
        name, reader = f"gas:{chain}", scene.reader(chain)
        if reader is None:
            yield waiting(name, scene.sites[chain].causes)
        else:
            yield judged(name, partial(funds_item, reader, scene, seen))


def funds_item(reader: Reader, scene: Scene, safes: Mapping[str, SafeSeen]) -> Item:
    """The gas of one chain; raises Unread."""
    owners = [owner for one in safes.values() for owner in one.owners]
    return gas_item(reader, scene.deployment, owners, scene.gas.get(reader.chain))


def step_items(scene: Scene, items: Mapping[str, Item], progress: Progress) -> Iterator[Item]:
    """Every contain step made now in a simulation, and undone in one."""
    deadline = Deadline(STEPS_SECONDS)
    for stage in scene.stages:
        chain = stage.safe.chain
        reader = scene.reader(chain)
        problem = scene.problems.get(chain, "" if deadline.left else "the time for all steps is up")
        if reader is None or problem:
            yield from (unknown(stage.id(kind), problem) for kind in ("simulate", "undo"))
            continue
        with progress(f"simulating {stage.step.id} at {stage.bound.market.name}"):
            made = rehearse(stage, reader, scene.snapshots[chain], items)
            scene.gas.update({chain: max(scene.gas.get(chain, 0), made.gas)} if made.gas is not None else {})
            undo = undo_item(stage, made, reader)
        yield from (made.item, undo)
