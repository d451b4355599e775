"""A live response: the walk against a JSON-RPC node. It needs no key; proposals go to files for their owners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from incident_cli.abi import parse_signature
from incident_cli.errors import JournalBroken, Refused, Unread
from incident_cli.evm import CallRead, Missing
from incident_cli.flows import incidents
from incident_cli.flows.clock import Clock
from incident_cli.flows.connecting import Environment, derived_addresses, reader_of, resolved, services_of
from incident_cli.flows.delivery import Delivery, FileDelivery
from incident_cli.flows.desk import Answerer, Screen
from incident_cli.flows.drill_report import proposals_of
from incident_cli.flows.handing_over import NO_KEYS, Keys
from incident_cli.flows.live_delivery import LiveDelivery
from incident_cli.flows.pacing import LivePace
from incident_cli.flows.reading import Reader
from incident_cli.flows.recorder import Recorder
from incident_cli.flows.session import Session
from incident_cli.incident.events import Kind
from incident_cli.incident.timeline import metrics, moments
from incident_cli.incident.walk import ending, latest_outcomes
from incident_cli.runbook.bind import Bound, bind, runbook_hash
from incident_cli.runbook.deployment import load_deployment
from incident_cli.runbook.load import load_runbook

SCHEMA = "incident.respond/v1"
DECIMALS = parse_signature("decimals() returns (uint8)")


@dataclass(frozen=True, slots=True)
class Order:
    """What to respond with: the runbook, the deployment, the market, parameters, and where proposals are written."""

    runbook: Path
    deployment: Path
    market: str
    params: Mapping[str, str]
    out: Path | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where incidents live, the clock, the environment, and the people: their keys, and whether they wait for others
    here (`follows`) or come back later."""

    home: Path
    clock: Clock
    environment: Environment
    screen: Screen
    answerer: Answerer
    keys: Keys = NO_KEYS
    follows: bool = True


def begin(order: Order, around: Surroundings) -> Session:
    """Open a live incident; nothing is recorded before every file, the market and the chain id are sound."""
    bound, reader = grounded(order, around)
    recorder = incidents.create(around.home, bound.runbook.id, "live", bound.chain, around.clock)
    return opened(order, bound, reader, recorder, around)


def grounded(order: Order, around: Surroundings) -> tuple[Bound, Reader]:
    """Everything bound, the chain id and the tokens held against the chain, and derived slots found."""
    bound = bind_order(order)
    reader = reader_of(bound, around.environment)
    check_tokens(bound, reader)
    return resolved(bound, reader), reader


def opened(
    order: Order,
    bound: Bound,
    reader: Reader,
    recorder: Recorder,
    around: Surroundings,
    said: Mapping[str, str] = MappingProxyType({}),
) -> Session:
    """The session of an incident whose first event this records; `said` is what the operator said of it."""
    out = order.out or recorder.directory / "proposals"
    session = assemble(bound, reader, recorder, out, around)
    recorder.record(
        Kind.OPENED,
        block=reader.head,
        data={
            "runbook": bound.runbook.id,
            "runbook_path": str(order.runbook.resolve()),
            "deployment_path": str(order.deployment.resolve()),
            "runbook_hash": session.runbook_hash,
            "market": bound.market.name,
            "params": dict(order.params),
            "out": str(out.resolve()),
            "derived": derived_addresses(bound),
            **said,
        },
    )
    return session


def take_up(incident: str, around: Surroundings) -> Session:
    """Resume a live incident from its journal; raises JournalBroken where its files have changed."""
    recorder = incidents.resume(around.home, incident, "live", around.clock)
    with incidents.closing_on_failure(recorder.journal):
        return rebuilt(recorder, around)


def rebuilt(recorder: Recorder, around: Surroundings) -> Session:
    """The session of a record."""
    first = recorder.events[0].data
    order = Order(
        Path(first["runbook_path"]),
        Path(first["deployment_path"]),
        first["market"],
        first["params"],
        Path(first["out"]),
    )
    bound = bind_order(order)
    if runbook_hash(bound) != first["runbook_hash"]:
        raise JournalBroken(
            "the runbook, a protocol file or the deployment has changed since this incident began",
            f"put {order.runbook} and {order.deployment} back as they were, or begin a new incident",
        )
    reader = reader_of(bound, around.environment)
    reader.read([])
    bound = resolved(bound, reader, first.get("derived", {}))
    return assemble(bound, reader, recorder, Path(first["out"]), around)


def bind_order(order: Order) -> Bound:
    """Every file read and bound."""
    loaded = load_runbook(order.runbook)
    deployment, document = load_deployment(order.deployment)
    return bind(loaded, deployment, document, order.market, order.params)


def check_tokens(bound: Bound, reader: Reader) -> None:
    """Hold the deployment's decimals against the chain's: a wrong one would sign another amount than is shown."""
    chains = {reader.chain, *reader.others}
    tokens = {name: one for name, one in bound.deployment.tokens.items() if one.chain in chains}
    reads = {name: CallRead(one.address, DECIMALS, chain=one.chain) for name, one in tokens.items()}
    snapshot = reader.read(list(reads.values()))
    for name, read in reads.items():
        found = snapshot.value(read)
        if isinstance(found, Missing):
            raise Unread(f"the decimals of {name} could not be read: {found.reason}", "correct its address")
        if found != tokens[name].decimals:
            raise Refused(
                f"{name} has {found} decimals on chain, the deployment says {tokens[name].decimals}",
                "correct the deployment: every amount would be wrong",
            )


def assemble(bound: Bound, reader: Reader, recorder: Recorder, out: Path, around: Surroundings) -> Session:
    """The session of a live incident."""
    return Session(
        bound,
        recorder,
        reader,
        around.screen,
        around.answerer,
        delivery_of(bound, out, around),
        LivePace(reader, around.clock),
        runbook_hash(bound),
    )


def delivery_of(bound: Bound, out: Path, around: Surroundings) -> Delivery:
    """By files alone where the deployment names no service and no key is at hand; else followed to its execution."""
    files = FileDelivery(out)
    if not bound.deployment.services and around.keys == NO_KEYS:
        return files
    services = services_of(bound.deployment, around.environment, around.clock.sleep)
    return LiveDelivery(files, around.keys, services, around.clock, around.home, around.follows)


def report(session: Session, waiting_for: str | None) -> dict[str, Any]:
    """The object `incident respond --json` prints."""
    outcomes = latest_outcomes(session.events)
    spans = metrics(moments(session.bound.runbook, session.events))
    exported = [event.data["path"] for event in session.events if event.kind is Kind.EXPORTED]
    return {
        "schema": SCHEMA,
        "incident": session.recorder.incident,
        "runbook": session.bound.runbook.id,
        "market": session.bound.market.name,
        "outcome": "waiting" if waiting_for else ending(session.bound.runbook, session.events).value,
        "waiting_for": waiting_for,
        "steps": [
            {"id": one.id, "verb": one.verb, "outcome": outcomes[one.id].value if one.id in outcomes else "not-reached"}
            for one in session.bound.runbook.steps
        ],
        "proposals": list(proposals_of(session.events)),
        "files": exported,
        "metrics": {name: None if one is None else one.to_json() for name, one in spans.items()},
        "journal": str(session.recorder.directory / "journal.jsonl"),
    }
