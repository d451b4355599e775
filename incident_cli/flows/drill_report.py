"""What a drill showed, as the one object `incident drill --json` prints, and as the numbers of the scorecard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from incident_cli.drills.score import Losses, losses, verdict
from incident_cli.evm import Block
from incident_cli.flows.drill import Drill
from incident_cli.incident.events import Event, Kind, with_plans
from incident_cli.incident.timeline import Moment, metrics, moments
from incident_cli.incident.walk import Ending, ending, latest_outcomes

SCHEMA = "incident.drill/v1"


def drill_moments(drill: Drill) -> dict[str, Moment]:
    """The moments of the drill, with the fault: in a drill its first block is known from the scenario."""
    world = drill.live.world
    fault = min((one.at_block for one in world.scenario.faults), default=None)
    found = moments(drill.session.bound.runbook, drill.recorder.events)
    if fault is not None and fault <= world.height:
        block = world.engine.block(world.first_block.number + fault)
        found = {"fault": Moment("fault", block), **found}
    return found


def drill_losses(drill: Drill) -> Losses:
    """What the attacker took and what the response saved."""
    found = drill_moments(drill)
    return losses(drill.live.world, block_of(found, "detected"), contained_block(drill))


def contained_block(drill: Drill) -> Block | None:
    """The block that executed the containment, where one did."""
    for event in drill.recorder.events:
        if event.kind is Kind.EXECUTED and event.data.get("leg") == "contain":
            return event.block
    return None


def block_of(found: Mapping[str, Moment], name: str) -> Block | None:
    """The block of a moment."""
    return found[name].block if name in found else None


def steps_of(drill: Drill) -> list[dict[str, str]]:
    """Every step in order with how it ended."""
    outcomes = latest_outcomes(drill.recorder.events)
    return [
        {"id": step.id, "verb": step.verb, "outcome": outcomes[step.id].value if step.id in outcomes else "not-reached"}
        for step in drill.session.bound.runbook.steps
    ]


def proposals_of(events: Sequence[Event]) -> Iterator[dict[str, Any]]:
    """Every proposal that was confirmed, once, with the transaction that executed it."""
    confirmed: dict[str, dict[str, Any]] = {}
    for event, plan in with_plans(events):
        if event.kind in (Kind.CONFIRMED, Kind.EXECUTED) and plan is not None:
            proposal = plan.data["proposal"]
            shown = confirmed.setdefault(proposal["safe_tx_hash"], {**printed(proposal), "transaction_hash": None})
            shown["transaction_hash"] = event.data.get("transaction_hash") or shown["transaction_hash"]
    yield from confirmed.values()


def printed(proposal: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded proposal as `--json` prints it."""
    keys = ("safe_tx", "safe_tx_hash", "domain_hash", "message_hash", "calldata_digest")
    calls = [{key: one[key] for key in ("to", "function", "args", "plain")} for one in proposal["calls"]]
    simulation = {key: proposal["simulation"][key] for key in ("state", "method")}
    return {**{key: proposal[key] for key in keys}, "calls": calls, "simulation": simulation}


def safe_of(drill: Drill) -> dict[str, Any]:
    """The council of the world as it was founded."""
    world = drill.live.world
    owners = [one.address for one in world.council_owners]
    return {"address": world.addresses.council, "threshold": 2, "owners": owners}


def report(drill: Drill) -> dict[str, Any]:
    """The object `incident drill --json` prints."""
    spans = metrics(drill_moments(drill))
    return {
        "schema": SCHEMA,
        "runbook": drill.session.bound.runbook.id,
        "scenario": drill.live.world.scenario.id,
        "seed": drill.plan.seed,
        "outcome": present_ending(drill).value,
        "intended": drill.live.world.scenario.intended,
        "verdict": sentence(drill),
        "steps": steps_of(drill),
        "safe": safe_of(drill),
        "proposals": list(proposals_of(drill.recorder.events)),
        "metrics": {name: None if one is None else one.to_json() for name, one in spans.items()},
        "losses": drill_losses(drill).to_json(),
        "journal": str(drill.recorder.directory / "journal.jsonl"),
    }


def present_ending(drill: Drill) -> Ending:
    """How it ended, or stands."""
    return drill.ending or ending(drill.session.bound.runbook, drill.recorder.events)


def sentence(drill: Drill) -> str:
    """Whether the ending was the right one, in words."""
    steps = {one["id"]: one["outcome"] for one in steps_of(drill)}
    return verdict(drill.live.world.scenario, present_ending(drill).value, steps)


def exit_code(drill: Drill) -> int:
    """0 where it ended as the scenario intends; 1 contained for nothing; 6 not contained though it had to be."""
    found, intended = present_ending(drill).value, drill.live.world.scenario.intended
    if found == intended:
        return 0
    return 1 if found == "contained" else 6
