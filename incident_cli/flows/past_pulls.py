"""When a lever was pulled last: what the journals on this machine say of it, of incidents of the same kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from incident_cli.errors import IncidentError
from incident_cli.flows.recorder import FORK
from incident_cli.incident.events import Event, Kind, event_of
from incident_cli.journal.store import list_journals, read
from incident_cli.levers.authority import LastPull


@dataclass(frozen=True, slots=True)
class Puller:
    """A Safe on its chain: the same address is another Safe elsewhere."""

    safe: str
    chain_id: int


def last_pull(home: Path, mode: str, label: str, by: Puller) -> LastPull | None:
    """The latest executed pull of that lever with the same arguments through that Safe; None where none is recorded.

    A journal that does not verify says nothing here: it is shown as broken by bare `incident`. On a fork there is none:
    what was pulled on another fork never happened on this one.
    """
    if mode == FORK:
        return None
    found = [one for directory in list_journals(home) for one in pulls_in(directory, mode, label, by)]
    return max(found, key=lambda one: one.timestamp, default=None)


def pulls_in(directory: Path, mode: str, label: str, by: Puller) -> list[LastPull]:
    """The executed pulls of one journal."""
    try:
        journal = read(directory)
        bodies = [record.body or {} for record in journal.records] if journal.valid else []
        if not bodies or bodies[0].get("mode") != mode:
            return []
        events = [event_of(place, body) for place, body in enumerate(bodies, 1)]
    except (IncidentError, OSError, ValueError, LookupError, TypeError, AttributeError):
        return []
    return [LastPull(timestamp, directory.name) for timestamp in executed(events, label, by)]


def executed(events: list[Event], label: str, by: Puller) -> list[int]:
    """The block times at which a plan with that lever was executed."""
    planned: Event | None = None
    found: list[int] = []
    for event in events:
        if event.kind is Kind.PLANNED:
            planned = event
        elif event.kind is Kind.EXECUTED and planned is not None and event.block is not None:
            labels = [one["label"] for one in planned.data.get("levers", ())]
            tx = planned.data["proposal"]["safe_tx"]
            if label in labels and (tx["safe"], tx["chainId"]) == (by.safe, by.chain_id):
                found.append(event.block.timestamp)
    return found
