"""When a lever was pulled last: what the journals on this machine say of it, of incidents of the same kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from incident_cli.errors import IncidentError
from incident_cli.flows.recorder import LIVE
from incident_cli.incident.events import Event, Kind, event_of, with_plans
from incident_cli.journal.store import list_journals, read
from incident_cli.levers.authority import LastPull
from incident_cli.text import plain


@dataclass(frozen=True, slots=True)
class Puller:
    """A Safe on its chain: the same address is another Safe elsewhere."""

    safe: str
    chain_id: int


@dataclass(slots=True)
class PastPulls:
    """The incidents of a home as their journals have them. `unread` names one that does not verify.

    A rehearsal knows only itself: what was pulled in another drill, on another chain of its own, never happened here.
    `known` are the events of `own` where this process has them: then its file is not read again. Every other journal
    is read once, however often it is asked.
    """

    own: Path
    mode: str
    known: Sequence[Event] | None = None
    unread: str = ""
    _read: dict[Path, Sequence[Event] | None] = field(default_factory=dict)

    def last(self, to: str, data: str, by: Puller) -> LastPull | None:
        """The latest time that this call was executed, or exported for signatures by another incident and not executed
        yet, through that Safe; None where none is recorded."""
        directories = list_journals(self.own.parent) if self.mode == LIVE else [self.own]
        found = [one for directory in directories for one in self.within(directory, to, data, by)]
        return max(found, key=lambda one: one.timestamp, default=None)

    def within(self, directory: Path, to: str, data: str, by: Puller) -> list[LastPull]:
        """The pulls of one journal; one that does not verify is remembered."""
        try:
            found = list(pulled(self.events_in(directory), to, data, by, directory != self.own))
        except (IncidentError, OSError, ValueError, LookupError, TypeError, AttributeError):
            self.unread = plain(directory.name, 120)
            return []
        return [LastPull(one, directory.name) for one in found]

    def events_in(self, directory: Path) -> Sequence[Event]:
        """The events of a journal, none where it is of another mode; raises IncidentError, OSError, ValueError, … where
        it cannot be read."""
        if directory == self.own and self.known is not None:
            return self.known
        if directory not in self._read:
            self._read[directory] = None
            self._read[directory] = verified_events(directory, self.mode)
        events = self._read[directory]
        if events is None:
            raise ValueError("it could not be read before")
        return events


def verified_events(directory: Path, mode: str) -> Sequence[Event]:
    """The events of a journal of this mode, none of another's; raises what reading it raises, ValueError where it does
    not verify."""
    journal = read(directory)
    bodies = [record.body or {} for record in journal.records]
    if bodies and bodies[0].get("mode") != mode:
        return ()
    if not journal.valid or not bodies:
        raise ValueError("it does not verify")
    return tuple(event_of(place, body) for place, body in enumerate(bodies, 1))


def pulled(events: Sequence[Event], to: str, data: str, by: Puller, is_other: bool) -> Iterator[int]:
    """The block times at which a plan with that call was executed; of another incident also exported and left open."""
    out: int | None = None
    for event, plan in with_plans(events):
        if plan is None or event.block is None or not makes(plan, to, data, by):
            continue
        if event.kind in (Kind.EXPORTED, Kind.PROPOSED):
            out = event.block.timestamp
        elif event.kind is Kind.EXECUTED:
            out = None
            yield event.block.timestamp
    if is_other and out is not None:
        yield out


def makes(plan: Event, to: str, data: str, by: Puller) -> bool:
    """Whether a plan brings that call about, through that Safe."""
    calls = [(one.get("to"), one.get("data")) for one in plan.data.get("levers", ())]
    tx = plan.data["proposal"]["safe_tx"]
    return (to, data) in calls and (tx["safe"], tx["chainId"]) == (by.safe, by.chain_id)
