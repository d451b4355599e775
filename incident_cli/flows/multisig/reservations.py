"""Which nonces the incidents on this machine have spoken for: proposals that were made and may still execute, also of
incidents that are closed."""

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

OUT = (
    Kind.EXPORTED,
    Kind.SIGNED,
    Kind.PROPOSE_INTENDED,
    Kind.PROPOSED,
    Kind.SEEN_SIGNED,
    Kind.ADOPTED,
    Kind.SUBMIT_INTENDED,
    Kind.SUBMITTED,
    Kind.RISK_LEFT,
)
IS_OUT = frozenset(one.value for one in OUT)
PLANNED = Kind.PLANNED.value
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

    @property
    def is_out(self) -> bool:
        """Whether it left this program: whoever holds its signatures can execute it, whatever became of the step."""
        return self.stage in IS_OUT

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
    found = list(reservations_of(directory.name, events, chain_id, safe))
    mode = str(bodies[0].get("mode"))
    if mode == SIGNERS:  # what was signed in it stays executable when it is over
        return found if may_execute(events) else []
    if mode != LIVE:  # no other drill is on a real chain
        return []
    return found if closing(events) is None else [one for one in found if one.is_out]


def reservations_of(incident: str, events: Sequence[Event], chain_id: int, safe: Address) -> Iterator[Reservation]:
    """Every plan of that Safe that may still execute, as far as the incident's own record knows."""
    for plan, stage in standing_plans(events):
        proposal = plan.data["proposal"]
        tx = proposal["safe_tx"]
        if (tx["safe"], tx["chainId"]) == (safe, chain_id):
            label = "; ".join(plain(one["plain"], 200) for one in proposal["calls"])
            hash_ = plain(proposal["safe_tx_hash"], 66)
            yield Reservation(incident, plain(plan.step or "", 80), int(tx["nonce"]), hash_, label, stage)


def standing_plans(events: Sequence[Event]) -> list[tuple[Event, str]]:
    """The plans that may still execute, each with its stage; of two plans of one transaction the later.

    One that was only shown or confirmed is gone with the next of its leg, or once it is void. One that is out stays
    until it is executed; a reorganisation brings it back. Whether its nonce was used by another, the chain says.
    """
    plans: dict[str, Event] = {}
    stages: dict[str, str] = {}
    latest: dict[tuple[object, ...], str] = {}
    for event, plan in with_plans(events):
        own_hash = plan.data["proposal"]["safe_tx_hash"] if plan is not None else ""
        hash_ = str(event.data.get("left", own_hash))  # a risk that is left names its transaction, not its leg
        is_out = stages.get(hash_) in IS_OUT
        if event.kind is Kind.PLANNED:
            own = (event.step, event.data.get("leg"), event.data.get("chain"))
            before = latest.get(own, "")
            if stages.get(before) not in IS_OUT:
                stages.pop(before, None)
            latest[own], plans[hash_] = hash_, event
            stages.setdefault(hash_, PLANNED)
        elif event.kind is Kind.FAILED and event.data.get("revoked") and hash_ in plans:
            stages[hash_] = Kind.SUBMITTED.value
        elif event.kind in ENDED or (event.kind is Kind.FAILED and event.data.get("void") and not is_out):
            stages.pop(hash_, None)
        elif hash_ in stages and (event.kind in OUT or (event.kind is Kind.CONFIRMED and not is_out)):
            stages[hash_] = event.kind.value
    return [(plans[hash_], stage) for hash_, stage in stages.items()]
