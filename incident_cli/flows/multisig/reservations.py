"""Which nonces the incidents on this machine have spoken for: proposals that were made and are not executed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from incident_cli.errors import IncidentError
from incident_cli.evm import Address
from incident_cli.flows.recorder import LIVE, SIGNERS
from incident_cli.flows.signers.answers import may_execute
from incident_cli.incident.events import Event, Kind, closing, event_of, with_plans
from incident_cli.journal.store import list_journals, read
from incident_cli.text import plain

LEFT = (Kind.CONFIRMED, Kind.EXPORTED, Kind.SIGNED, Kind.SUBMIT_INTENDED, Kind.SUBMITTED)
ENDED = (Kind.EXECUTED, Kind.PROVEN)


@dataclass(frozen=True, slots=True)
class Reservation:
    """A proposal of an incident here at a nonce; `stage` is how far it came (`planned` was shown, not confirmed)."""

    incident: str
    step: str
    nonce: int
    safe_tx_hash: str
    label: str
    stage: str

    def to_json(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {
            "incident": self.incident,
            "step": self.step,
            "nonce": self.nonce,
            "safe_tx_hash": self.safe_tx_hash,
            "label": self.label,
            "stage": self.stage,
        }


@dataclass(frozen=True, slots=True)
class Reserved:
    """What incidents and signer drills reserved of one Safe; `unread` are journals that do not verify: what they hold
    is not known."""

    reservations: tuple[Reservation, ...] = ()
    unread: tuple[str, ...] = ()


def reserved_here(home: Path, chain_id: int, safe: Address, nonce_on_chain: int) -> Reserved:
    """The reservations of a Safe from its nonce on; earlier ones are stale and left out."""
    found: list[Reservation] = []
    unread: list[str] = []
    for directory in list_journals(home):
        try:
            found += [one for one in of_journal(directory, chain_id, safe) if one.nonce >= nonce_on_chain]
        except (IncidentError, OSError, ValueError, LookupError, TypeError, AttributeError):
            unread.append(plain(directory.name, 120))
    return Reserved(tuple(sorted(found, key=lambda one: one.nonce)), tuple(unread))


def of_journal(directory: Path, chain_id: int, safe: Address) -> list[Reservation]:
    """The reservations of one incident, if it holds any; raises where it does not verify."""
    journal = read(directory)
    bodies = [record.body or {} for record in journal.records]
    if not journal.valid or not bodies:
        raise ValueError("it does not verify")
    events = [event_of(place, body) for place, body in enumerate(bodies, 1)]
    if not holds_nonces(str(bodies[0].get("mode")), events):
        return []
    return list(reservations_of(directory.name, events, chain_id, safe))


def holds_nonces(mode: str, events: Sequence[Event]) -> bool:
    """Whether what it proposed must be reckoned with: an open live incident; a signer drill also when it is over, for
    what was signed in it stays executable. No other drill is on a real chain."""
    return may_execute(events) if mode == SIGNERS else mode == LIVE and closing(events) is None


def reservations_of(incident: str, events: Sequence[Event], chain_id: int, safe: Address) -> Iterator[Reservation]:
    """Every plan of that Safe that stands: the latest of its leg, neither executed nor void."""
    stages: dict[int, tuple[Event, str]] = {}
    latest: dict[tuple[object, ...], int] = {}
    for event, plan in with_plans(events):
        if plan is None:
            continue
        own = (event.step, event.data.get("leg"), event.data.get("chain"))
        if event.kind is Kind.PLANNED:
            stages.pop(latest.get(own, 0), None)
            latest[own], stages[event.seq] = event.seq, (event, "planned")
        elif event.kind in ENDED or (event.kind is Kind.FAILED and event.data.get("void")):
            stages.pop(plan.seq, None)
        elif event.kind in LEFT and plan.seq in stages:
            stages[plan.seq] = (plan, event.kind.value)
    for plan, stage in stages.values():
        proposal = plan.data["proposal"]
        tx = proposal["safe_tx"]
        if (tx["safe"], tx["chainId"]) == (safe, chain_id):
            label = "; ".join(plain(one["plain"], 200) for one in proposal["calls"])
            hash_ = plain(proposal["safe_tx_hash"], 66)
            yield Reservation(incident, plain(plan.step or "", 80), int(tx["nonce"]), hash_, label, stage)
