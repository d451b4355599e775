"""When each runbook was last rehearsed on this machine, by the digest of its text; when each owner last answered."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from incident_cli.errors import IncidentError
from incident_cli.evm import Address
from incident_cli.flows.recorder import DRILL, FORK, SIGNERS
from incident_cli.incident.events import Kind, closing, event_of, every
from incident_cli.journal.store import list_journals, read


def last_drills(home: Path) -> dict[str, datetime]:
    """SHA-256 (hex) of a runbook's bytes → when the last drill of exactly that text ended."""
    found: dict[str, datetime] = {}
    for directory in list_journals(home):
        try:
            digest, ended = rehearsal(directory)
        except (IncidentError, OSError, LookupError, TypeError, AttributeError, ValueError):
            continue  # a journal that cannot be read proves no drill
        if digest and ended is not None:
            found[digest] = max(ended, found.get(digest, ended))
    return found


def rehearsal(directory: Path) -> tuple[str, datetime | None]:
    """The digest of the runbook a drill rehearsed, and when it ended; None where it is live, open or broken.

    A drill on a fork counts as one on the embedded chain does.
    """
    record = read(directory)
    bodies = [one.body or {} for one in record.records]
    events = [event_of(place, body) for place, body in enumerate(bodies, 1)]
    ended = closing(events)
    drilled = record.valid and bodies[0]["mode"] in (DRILL, FORK) and events[0].kind is Kind.OPENED
    digest = str(events[0].data.get("runbook_sha256", ""))
    return digest, None if ended is None or not drilled else datetime.fromisoformat(ended.at)


def last_answers(home: Path) -> dict[Address, datetime]:
    """Owner → when they were last seen to answer a signer drill of this machine, whichever Safe it was for."""
    found: dict[Address, datetime] = {}
    for directory in list_journals(home):
        try:
            answers = answers_in(directory)
        except (IncidentError, OSError, LookupError, TypeError, AttributeError, ValueError):
            continue  # a journal that cannot be read proves no answer
        for owner, at in answers:
            found[owner] = max(at, found.get(owner, at))
    return found


def answers_in(directory: Path) -> list[tuple[Address, datetime]]:
    """Who answered a signer drill, and when that was seen; nothing where the journal is of something else or broken."""
    record = read(directory)
    bodies = [one.body or {} for one in record.records]
    if not record.valid or bodies[0]["mode"] != SIGNERS:
        return []
    events = [event_of(place, body) for place, body in enumerate(bodies, 1)]
    seen = every(events, Kind.SEEN_SIGNED)
    return [(Address(str(one.data["owner"])), datetime.fromisoformat(one.at)) for one in seen]
