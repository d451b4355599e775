"""Incidents on this machine: where they live, what they are called, and how they stand."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from incident_cli.errors import IncidentError, Misused
from incident_cli.flows.clock import Clock
from incident_cli.flows.moments import lapse_words, moment
from incident_cli.flows.recorder import FORK, SIGNERS, Recorder, resume_recorder
from incident_cli.incident.events import Event, Kind, closing, event_of, last, with_plans
from incident_cli.journal.store import Journal, list_journals, read
from incident_cli.text import plain


@dataclass(frozen=True, slots=True)
class Standing:
    """One incident as its journal shows it; `problem` where the journal does not verify."""

    incident: str
    directory: Path
    mode: str
    runbook: str
    market: str
    step: str
    ending: str
    problem: str = ""
    reminders: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return not self.ending


def new_incident_id(home: Path, runbook: str, now: datetime, token: Callable[[int], str] = secrets.token_hex) -> str:
    """`YYYYMMDD-HHMM-<runbook>-<4 hex>`, in UTC; one that is taken (1 in 65,536 within a minute) is drawn again."""
    while (home / (drawn := f"{now:%Y%m%d-%H%M}-{runbook}-{token(2)}")).exists():
        continue
    return drawn


def create(home: Path, runbook: str, mode: str, chain: str, clock: Clock) -> Recorder:
    """A new incident with an empty journal."""
    with needing(home):
        incident = new_incident_id(home, runbook, clock.now())
        journal = Journal.create(home / incident)
    return Recorder(journal, clock, incident, mode, chain)


def resume(home: Path, incident: str, mode: str, clock: Clock) -> Recorder:
    """The incident of that id (empty: the latest open one of this mode); raises Misused where there is none."""
    directory = locate(home, incident, mode)
    journal = Journal.open(directory)
    with closing_on_failure(journal):
        recorder = resume_recorder(journal, clock)
        if recorder.mode != mode:
            called = CALLED.get(recorder.mode, recorder.mode)
            raise Misused(f"{directory.name} is a {called}", f"resume it with `{COMMANDS[recorder.mode]}`")
    recorder.record(Kind.RESUMED, data={"repaired": journal.repaired})
    return recorder


def locate(home: Path, incident: str, mode: str) -> Path:
    """The directory of that incident (empty: the latest open one of this mode); raises Misused where there is none."""
    chosen = incident or latest(home, mode)
    directory = home / chosen
    if Path(chosen).name != chosen or not directory.is_dir():
        raise Misused(f"there is no incident {plain(chosen, 120)!r}", "bare `incident` lists the open ones")
    if standing(directory).mode == FORK:
        hint = "incident drill RUNBOOK --deployment FILE --fork"
        raise Misused(f"{chosen} cannot be resumed: {FORK_IS_GONE}", hint)
    return directory


@contextmanager
def needing(home: Path) -> Iterator[None]:
    """Where the home of the incidents cannot be used, say so; raises Misused."""
    try:
        yield
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        hint = "set INCIDENT_HOME to a folder that can be made and written"
        raise Misused(f"incidents cannot be kept in {plain(home)}: {reason}", hint) from problem


@contextmanager
def closing_on_failure(journal: Journal) -> Iterator[None]:
    """Let others open the journal where it cannot be gone on with here."""
    try:
        yield
    except BaseException:
        journal.close()
        raise


COMMANDS = {"drill": "drill --resume", "live": "respond --resume", SIGNERS: "drill --signers --resume"}
CALLED = {SIGNERS: "signer drill"}  # what an incident of a mode is called, where not by its mode
FORK_IS_GONE = "a fork is gone with its process; begin a new one"


def latest(home: Path, mode: str) -> str:
    """The id of the latest open incident of a mode; raises Misused where there is none."""
    open_ones = [one for one in standings(home) if one.is_open and one.mode == mode and not one.problem]
    if not open_ones:
        hint = "bare `incident` lists the open incidents"
        raise Misused(f"there is no open {CALLED.get(mode, mode)} to resume", hint)
    return open_ones[-1].incident


def standings(home: Path) -> list[Standing]:
    """Every incident, oldest first; a broken journal is listed with its problem, never left out."""
    with needing(home):
        return [standing(directory) for directory in list_journals(home)]


def standing(directory: Path) -> Standing:
    """How one incident stands."""
    try:
        found = read(directory)
        if not found.valid:
            raise Misused(found.problem)
        bodies = [record.body or {} for record in found.records]
        events = [event_of(place, body) for place, body in enumerate(bodies, 1)]
        opened = events[0].data
        return Standing(
            directory.name,
            directory,
            plain(bodies[0]["mode"]),
            plain(opened.get("runbook", "?")),
            plain(opened.get("market", "?")),
            plain(present_step(events)),
            plain(ending_of(events)),
            reminders=tuple(reminders_of(events)),
        )
    except IncidentError as problem:
        reason = problem.message
    except (OSError, LookupError, TypeError, AttributeError, ValueError) as problem:  # a sound chain of nonsense
        reason = f"its records are no events of an incident ({type(problem).__name__})"
    return Standing(plain(directory.name), directory, "?", "?", "?", "?", "", plain(reason))


def reminders_of(events: Sequence[Event]) -> Iterator[str]:
    """When what was contained ends by itself, and until when it may last, unless it was opened again since."""
    standing, waiting = outstanding(events)
    for proven in standing:
        for lapse in proven.data.get("lapses", ()):
            yield plain(f"the containment ends {lapse_words(lapse['label'], lapse['at'])}")
        due = proven.data.get("due")
        if isinstance(due, int):
            yield f"it may last until {moment(due)} by the deployment's authority: reopen it, or have that changed"
    if waiting:
        yield plain(
            f"what step {waiting} scheduled was not executed: whoever may can still do so; cancel it, or resume"
        )


def outstanding(events: Sequence[Event]) -> tuple[list[Event], str]:
    """The proofs of what is contained and was not opened again, and the step whose scheduled operations still wait."""
    standing: list[Event] = []
    waiting = ""
    for event, plan in with_plans(events):
        leg = event.data.get("leg")
        if event.kind is Kind.EXECUTED:
            waiting = event.step or "" if leg == "schedule" else ""
        elif event.kind is Kind.PROVEN and plan is not None:
            if plan.data.get("levers"):
                standing.append(event)
            elif leg in ("restore", "execute"):
                chain = event.data.get("chain")
                standing = [one for one in standing if one.data.get("chain") != chain]
    return standing, waiting


def present_step(events: Sequence[Event]) -> str:
    """The step that was begun last."""
    started = last(events, Kind.STEP_STARTED)
    return started.step or "" if started else "not begun"


def ending_of(events: Sequence[Event]) -> str:
    """How it ended, empty while it is open."""
    found = closing(events)
    return str(found.data.get("ending", "")) if found else ""
