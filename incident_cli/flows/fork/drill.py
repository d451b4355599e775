"""A fork drill: the same walk as a live incident, on an anvil fork of the deployment's own chain.

The deployment is the same file; only the nodes of the chain that the Safe acts on are replaced by the fork. It lives as
long as its anvil: what is recorded stays, but it cannot be resumed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from incident_cli.chain.batch import head
from incident_cli.chain.nodes import ChainNodes
from incident_cli.checks.check import Verdict, worst
from incident_cli.drills.fork import BLOCK_SECONDS, Fork, require_anvil
from incident_cli.drills.fork_script import ForkScript, find_fork_script
from incident_cli.drills.injecting import injections
from incident_cli.drills.injection import Inject, Injection, Undo
from incident_cli.drills.relay import Relay
from incident_cli.drills.serve import serve
from incident_cli.errors import Misused
from incident_cli.evm import Address, Block
from incident_cli.flows import incidents
from incident_cli.flows.clock import Clock
from incident_cli.flows.connecting import Environment, derived_addresses, endpoints_of, reader_of, resolved, url_of
from incident_cli.flows.drill import People
from incident_cli.flows.fork.hands import ImpersonatedHands
from incident_cli.flows.pacing import ThinkingTime
from incident_cli.flows.preparing import read_safe
from incident_cli.flows.proposal import SafeState
from incident_cli.flows.recorder import FORK, Recorder
from incident_cli.flows.respond import check_tokens
from incident_cli.flows.session import Session
from incident_cli.flows.walk import walk
from incident_cli.incident.events import Kind
from incident_cli.incident.walk import Ending
from incident_cli.runbook.bind import Bound, bind, runbook_hash
from incident_cli.runbook.deployment import Chain, Deployment, PinEntry, RpcSource, load_deployment
from incident_cli.runbook.load import load_runbook
from incident_cli.runbook.model import CheckStep, ContainStep
from incident_cli.runbook.shipped import find_runbook
from incident_cli.text import plain
from incident_cli.transport import HttpEndpoint

WATCH_BLOCKS = 100  # after the last injection: 20 minutes
NODE_SECONDS, NODE_BYTES = 30, 64 * 1024 * 1024  # of one answer of the node that is forked


@dataclass(frozen=True, slots=True)
class ForkOrder:
    """What was asked for; without a market the deployment's only one, without a scenario the runbook's own."""

    runbook: str
    deployment: Path
    market: str | None = None
    scenario: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ForkPlan:
    """What is rehearsed: the runbook bound to its real deployment, and the scenario (None: nothing is injected)."""

    order: ForkOrder
    bound: Bound
    script: ForkScript | None

    @property
    def answers(self) -> Mapping[str, str]:
        """The scenario's rehearsed answers."""
        return self.script.scenario.answers if self.script else {}


@dataclass(slots=True)
class ForkWorld:
    """A fork whose time passes by mining, and whose fault begins and ends; each injection is an event."""

    fork: Fork
    recorder: Recorder
    waiting: list[tuple[Injection, Inject]]
    undo: list[Undo] = field(default_factory=list)

    def wait(self, seconds: int) -> None:
        """Mine until this much time has passed."""
        self.fork.advance(seconds)

    advance = wait

    def recovered(self) -> None:
        """The scenario's fault ends with the next block."""
        self.waiting.clear()
        if self.undo:
            ended = self.fork.mine(BLOCK_SECONDS)
            while self.undo:
                self.undo.pop()(ended)
            self.recorder.record(Kind.NOTED, block=ended, data={"text": "what was injected is taken back"})

    def inject(self, block: Block) -> None:
        """What is due at this block is put there before anybody reads it."""
        due = [one for one in self.waiting if block.number - self.fork.block >= one[0].at_block]
        for injection, inject in due:
            self.waiting.remove((injection, inject))
            self.undo.append(inject(block))
            self.recorder.record(Kind.INJECTED, block=block, data={"text": injection.words})


@dataclass(slots=True)
class ForkDrill:
    """A fork drill under way; `unpinned` are the pins that were dropped: an injection replaces what they pin."""

    plan: ForkPlan
    fork: Fork
    session: Session
    world: ForkWorld
    began: Block
    safe: SafeState | None
    unpinned: tuple[PinEntry, ...] = ()
    ending: Ending | None = None

    @property
    def recorder(self) -> Recorder:
        """Its record."""
        return self.session.recorder

    def let_time_pass(self) -> None:
        """From here on the chain also goes on while the operator thinks."""
        session = self.session
        session.answerer = ThinkingTime(session.answerer, self.world, self.recorder.clock)


def plan_fork(order: ForkOrder) -> ForkPlan:
    """Every file read, and bound to the real deployment; raises Misused or WrongFile."""
    path = find_runbook(order.runbook)
    loaded = load_runbook(path)
    script = find_fork_script(path.parent / "drills", path.stem, order.scenario)
    if script is not None and script.scenario.runbook != loaded.runbook.id:
        rehearsed = f"the scenario {script.scenario.id} rehearses {script.scenario.runbook}, not {loaded.runbook.id}"
        raise Misused(rehearsed, f"name a scenario of {loaded.runbook.id} with --scenario")
    deployment, document = load_deployment(order.deployment)
    market = order.market or only_market(deployment)
    params = {**(script.scenario.params if script else {}), **order.params}
    return ForkPlan(order, bind(loaded, deployment, document, market, params), script)


def only_market(deployment: Deployment) -> str:
    """The market of a deployment that has one; raises Misused."""
    if len(deployment.markets) != 1:
        known = ", ".join(deployment.markets) or "none"
        raise Misused(f"which market of {deployment.name}? it has {len(deployment.markets)}", f"--market: {known}")
    return next(iter(deployment.markets))


@contextmanager
def forked(plan: ForkPlan, anvil: str | None, environment: Environment) -> Iterator[Fork]:
    """A fork of the chain that the Safe acts on, at its head, through its first node that has a URL; it ends with this.

    Raises Misused where there is no anvil or no URL, Refused where the node serves another chain, Unread.
    """
    executable, bound = require_anvil(anvil), plan.bound
    declared = bound.deployment.chains[bound.chain]
    nodes = ChainNodes(endpoints_of(bound.deployment, bound.chain, environment)[:1], bound.chain, declared.id)
    number = head(nodes.endpoint, bound.chain).number
    url = next(url for one in declared.rpc if (url := url_of(one, environment)))
    node = HttpEndpoint(url, name=nodes.names[0], read_seconds=NODE_SECONDS, cap_bytes=NODE_BYTES)
    with serve(Relay(node)) as relay, Fork(executable, relay.url, number, bound.chain) as fork:
        yield fork


def begin(plan: ForkPlan, fork: Fork, environment: Environment, home: Path, clock: Clock, people: People) -> ForkDrill:
    """Open the incident on the fork; everything that can be wrong is found before anything is recorded."""
    bound = on_fork(plan.bound, fork)
    reader = reader_of(bound, environment)
    check_tokens(bound, reader)
    bound = resolved(bound, reader)
    wanted = injections(plan.script, bound) if plan.script else ()
    ready = [(one, one.prepare(fork)) for one in wanted]
    bound, unpinned = without_pins(bound, wanted)
    safe = safe_of(bound)
    state = read_safe(reader, safe) if safe else None
    began = fork.head()
    recorder = incidents.create(home, bound.runbook.id, FORK, bound.chain, clock)
    world = ForkWorld(fork, recorder, ready)
    hands = ImpersonatedHands(fork)
    session = Session(bound, recorder, reader, people.screen, people.answerer, hands, world, runbook_hash(bound))
    made = ForkDrill(plan, fork, session, world, began, state, unpinned)
    recorder.record(Kind.OPENED, block=began, data=opened(made))
    fork.listener = world.inject
    return made


def opened(drill: ForkDrill) -> dict[str, object]:
    """What the first record says of a fork drill."""
    plan, bound = drill.plan, drill.session.bound
    return {
        "runbook": bound.runbook.id,
        "runbook_path": str(bound.loaded.path.resolve()),
        "deployment_path": str(plan.order.deployment.resolve()),
        "scenario": plan.script.scenario.id if plan.script else None,
        "scenario_path": str(plan.script.path.resolve()) if plan.script else None,
        "runbook_hash": drill.session.runbook_hash,
        "runbook_sha256": hashlib.sha256(bound.loaded.document.raw).hexdigest(),
        "market": bound.market.name,
        "params": {name: str(given.value) for name, given in bound.scope.items()},
        "derived": derived_addresses(bound),
        "signatures": "impersonated",
        "unpinned": [{"name": plain(one.name, 80), "address": one.address} for one in drill.unpinned],
    }


def on_fork(bound: Bound, fork: Fork) -> Bound:
    """The same deployment, with the fork as the one node of the chain that is forked."""
    declared = bound.deployment.chains[bound.chain]
    chain = Chain(id=declared.id, rpc=(RpcSource(url=fork.url),), quorum=1)
    chains = {**bound.deployment.chains, bound.chain: chain}
    return replace(bound, deployment=replace(bound.deployment, chains=chains))


def without_pins(bound: Bound, wanted: tuple[Injection, ...]) -> tuple[Bound, tuple[PinEntry, ...]]:
    """The deployment without the pins of what injections replace, and those pins."""
    replaced = {one.replaces for one in wanted if one.replaces is not None}
    pins = bound.deployment.pins
    dropped = tuple(one for one in pins if one.chain == bound.chain and {one.address, one.implementation} & replaced)
    kept = tuple(one for one in pins if one not in dropped)
    return replace(bound, deployment=replace(bound.deployment, pins=kept)), dropped


def safe_of(bound: Bound) -> Address | None:
    """The Safe of the first containment, where there is one."""
    by = next((one.contain.by for one in bound.runbook.steps if isinstance(one, ContainStep)), None)
    return bound.slots[by].addresses.get("safe") if by else None


def run(drill: ForkDrill) -> Ending:
    """Watch until the first check is not quiet, then walk to the end; without injections there is nothing to watch."""
    if drill.world.waiting:
        watch(drill)
    drill.ending = walk(drill.session)
    return drill.ending


def watch(drill: ForkDrill) -> None:
    """The monitor's part: judge the first check step's checks at every block until one is not quiet."""
    steps = drill.session.bound.runbook.steps
    names = next((one.check for one in steps if isinstance(one, CheckStep)), ())
    if not names:
        return
    blocks = max(one.at_block for one, _ in drill.world.waiting) + WATCH_BLOCKS
    with drill.session.screen.working("watching every block of the fork"):
        for _ in range(blocks):
            found = drill.session.judge_checks(names, None)
            if worst([one.verdict for one in found]) is not Verdict.QUIET:
                return
            drill.world.wait(BLOCK_SECONDS)
    raise Misused(
        f"nothing was detected in {blocks} blocks: what was injected does not trip {', '.join(names)}",
        "inject more, or look at the check",
    )
