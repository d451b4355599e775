"""What a fork drill showed: the object `incident drill --fork --json` prints. A fork knows of no losses."""

from __future__ import annotations

from typing import Any

from incident_cli.flows.drill_report import SCHEMA, proposals_of
from incident_cli.flows.fork.drill import ForkDrill
from incident_cli.incident.events import Kind, every
from incident_cli.incident.timeline import Moment, metrics, moments
from incident_cli.incident.walk import Ending, ending, latest_outcomes
from incident_cli.text import plain


def fork_moments(drill: ForkDrill) -> dict[str, Moment]:
    """The moments of the drill, with the fault: the block of the first injection."""
    found = moments(drill.session.bound.runbook, drill.recorder.events)
    injected = next((one.block for one in every(drill.recorder.events, Kind.INJECTED) if one.block), None)
    return {"fault": Moment("fault", injected), **found} if injected else found


def report(drill: ForkDrill) -> dict[str, Any]:
    """The object."""
    spans = metrics(fork_moments(drill))
    script, bound = drill.plan.script, drill.session.bound
    chain = {"name": bound.chain, "id": drill.session.reader.chain_id, "block": drill.fork.block}
    return {
        "schema": SCHEMA,
        "mode": "fork",
        "runbook": bound.runbook.id,
        "scenario": script.scenario.id if script else None,
        "market": bound.market.name,
        "chain": chain,
        "outcome": present_ending(drill).value,
        "intended": intended(drill),
        "verdict": sentence(drill),
        "steps": steps_of(drill),
        "safe": safe_to_json(drill),
        "signatures": "impersonated",
        "injected": injected(drill),
        "unpinned": [{"name": plain(one.name, 80), "address": one.address} for one in drill.unpinned],
        "proposals": list(proposals_of(drill.recorder.events)),
        "metrics": {name: None if one is None else one.to_json() for name, one in spans.items()},
        "losses": None,
        "journal": str(drill.recorder.directory / "journal.jsonl"),
    }


def injected(drill: ForkDrill) -> list[dict[str, Any]]:
    """What was injected, and at which block."""
    events = every(drill.recorder.events, Kind.INJECTED)
    return [{"block": one.block.number, "what": one.data["text"]} for one in events if one.block]


def steps_of(drill: ForkDrill) -> list[dict[str, str]]:
    """Every step in order with how it ended."""
    outcomes = latest_outcomes(drill.recorder.events)
    return [
        {"id": step.id, "verb": step.verb, "outcome": outcomes[step.id].value if step.id in outcomes else "not-reached"}
        for step in drill.session.bound.runbook.steps
    ]


def safe_to_json(drill: ForkDrill) -> dict[str, Any] | None:
    """The Safe that contains, as the fork shows it."""
    safe = drill.safe
    if safe is None:
        return None
    return {"address": safe.address, "threshold": safe.threshold, "owners": list(safe.owners)}


def intended(drill: ForkDrill) -> str | None:
    """How the scenario is meant to end; None where nothing was injected."""
    return drill.plan.script.scenario.intended if drill.plan.script else None


def present_ending(drill: ForkDrill) -> Ending:
    """How it ended, or stands."""
    return drill.ending or ending(drill.session.bound.runbook, drill.recorder.events)


def sentence(drill: ForkDrill) -> str:
    """Whether the ending was the right one, in words."""
    found, wanted = present_ending(drill).value, intended(drill)
    if wanted is None:
        return "Nothing was injected: this is where the runbook leads on the chain as it is."
    if found == wanted:
        contained = "Right: it had to be contained, and the fork proves that it is."
        stood_down = "Right: nothing had to be contained. Nobody was restricted for nothing."
        unfired = "" if ever_fired(drill) else " But no check ever fired: only the lever was rehearsed."
        return contained + unfired if wanted == "contained" else stood_down
    if found == "contained":
        return "Wrong: nothing had to be contained. Users were restricted for it."
    if found == "stood-down":
        return "Wrong: it had to be contained, and it was left to run."
    skipped = [one["id"] for one in steps_of(drill) if one["outcome"] == "skipped"]
    return "Not contained" + (f": skipped {', '.join(skipped)}." if skipped else ".")


def ever_fired(drill: ForkDrill) -> bool:
    """Whether any check fired in it."""
    found = [one for event in every(drill.recorder.events, Kind.FINDINGS) for one in event.data["findings"]]
    return any(one["verdict"] == "firing" for one in found)


def exit_code(drill: ForkDrill) -> int:
    """0 where it ended as the scenario intends; 1 contained for nothing; 6 not contained though it had to be."""
    found, wanted = present_ending(drill).value, intended(drill)
    if found == wanted or (wanted is None and found in ("contained", "stood-down")):
        return 0
    return 1 if found == "contained" else 6
