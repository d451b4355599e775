"""`incident drill --signers`: begun, or taken up from its journal; what left this program is never made a second time.

Its journal is that of an incident of its own mode: no live incident, no drill on a chain of its own, no pull.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from incident_cli.errors import Refused, Unread, Waiting
from incident_cli.evm import Address
from incident_cli.flows import incidents
from incident_cli.flows.multisig.loading import Loaded
from incident_cli.flows.multisig.place import Place
from incident_cli.flows.multisig.signing import SigningDesk
from incident_cli.flows.multisig.standing import waiters
from incident_cli.flows.multisig.taking_up import Counter, Matter, counter_of
from incident_cli.flows.recorder import SIGNERS, Recorder
from incident_cli.flows.signers.answers import answers_of, asked_at, is_out, last_look, reached_after
from incident_cli.flows.signers.planning import HarmlessPlan, plan_harmless, require_signer
from incident_cli.incident.events import Event, Kind, closing, last
from incident_cli.safe.signature_file import file_name
from incident_cli.safe.signing import Signer
from incident_cli.safe.transaction import SafeTx

SCHEMA = "incident.signer-drill/v1"
STEP = "sign"


@dataclass(frozen=True, slots=True)
class SignerOrder:
    """Which Safe of which deployment; `everybody`: until every owner has answered, not only as many as must."""

    deployment: Path
    slot: str
    everybody: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """Who is there: the desk, whose key is at hand, and whether others are waited for here (`follows`)."""

    desk: SigningDesk
    signer: Signer | None
    follows: bool
    working: Callable[[str], AbstractContextManager[object]]


@dataclass(slots=True)
class SignerDrill:
    """An open drill; `owners` and `threshold` are those of the last look at the chain, `looked` when everything
    was last seen (ISO 8601 UTC), `unseen` why the last look did not see every answer."""

    recorder: Recorder
    counter: Counter
    place: Place
    deployment: Path
    everybody: bool
    owners: tuple[Address, ...] = ()
    threshold: int = 0
    looked: str | None = None
    unseen: str = ""
    told: set[str] = field(default_factory=set)

    @property
    def plan(self) -> Event:
        """The event that planned its transaction."""
        found = last(self.recorder.events, Kind.PLANNED)
        assert found is not None, "it was planned when it was opened"
        return found

    @property
    def tx(self) -> SafeTx:
        """The transaction, as it was recorded."""
        return SafeTx.from_json(self.plan.data["proposal"]["safe_tx"])

    @property
    def safe_tx_hash(self) -> str:
        """Its hash."""
        return str(self.plan.data["proposal"]["safe_tx_hash"])

    @property
    def harmless(self) -> HarmlessPlan:
        """The plan, as it was recorded."""
        data, block = self.plan.data, self.plan.block
        assert block is not None, "a plan was made at a block"
        owners = tuple(Address(one) for one in data["owners"])
        return HarmlessPlan(self.tx, owners, int(data["threshold"]), block, int(data["behind"]), str(data["unknown"]))

    @property
    def folder(self) -> Path:
        """Where its transaction and its file of signatures are."""
        return self.recorder.directory / "proposals"

    @property
    def file(self) -> Path:
        """The file that owners sign."""
        return self.folder / f"{self.safe_tx_hash}.json"

    @property
    def signatures(self) -> Path:
        """The file in which their signatures are looked for."""
        return self.folder / file_name(self.safe_tx_hash)

    @property
    def matter(self) -> Matter:
        """The transaction at its place, as the desk's own commands take it up."""
        loaded = Loaded(self.tx, None, str(self.file), self.tx.to_json())
        return Matter(self.place, loaded, self.counter.services(self.place.chain))

    @property
    def is_closed(self) -> bool:
        """Whether it has ended."""
        return closing(self.recorder.events) is not None

    @property
    def is_posted(self) -> bool:
        """Whether this drill put it into the service."""
        return last(self.recorder.events, Kind.PROPOSED) is not None

    @property
    def ending(self) -> str | None:
        """How it ended: `answered`, `executed` or `displaced`; None while it is open."""
        ended = closing(self.recorder.events)
        return None if ended is None else str(ended.data["ending"])

    @property
    def reached(self) -> int | None:
        """The seconds after which the threshold had answered; None where it has not."""
        ended = closing(self.recorder.events)
        if ended is not None and ended.data.get("reached") is not None:
            return int(ended.data["reached"])
        return reached_after(answers_of(self.recorder.events), self.owners, self.threshold)

    def record(self, kind: Kind, **data: Any) -> Event:
        """An event of its one transaction."""
        block, hash_ = data.pop("block", None), self.safe_tx_hash
        return self.recorder.record(kind, step=STEP, block=block, proposal=hash_, data=data)


def begin(order: SignerOrder, room: Room) -> SignerDrill:
    """Open a signer drill; nothing is recorded before the Safe was read, its queue seen, and the signer found to be an
    owner or a delegate. Raises Misused, Refused, Unread."""
    desk = room.desk
    counter = counter_of(order.deployment, desk.environment, desk.clock.sleep)
    place = counter.place(order.slot)
    require_signer(counter, place, room.signer)
    planned = plan_harmless(counter, place, desk.home)
    recorder = incidents.create(desk.home, SIGNERS, SIGNERS, place.chain, desk.clock)
    recorder.record(
        Kind.OPENED,
        block=planned.block,
        data={
            "runbook": SIGNERS,
            "market": order.slot,
            "deployment_path": str(order.deployment.resolve()),
            "safe": place.safe,
            "everybody": order.everybody,
        },
    )
    recorder.record(Kind.STEP_STARTED, step=STEP)
    return planned_into(SignerDrill(recorder, counter, place, order.deployment, order.everybody), planned)


def take_up(incident: str, room: Room, everybody: bool) -> SignerDrill:
    """Resume a signer drill (empty: the latest open one). What never left this program is planned anew: its nonce may
    not be free any more."""
    desk = room.desk
    recorder = incidents.resume(desk.home, incident, SIGNERS, desk.clock)
    with incidents.closing_on_failure(recorder.journal):
        if last(recorder.events, Kind.STEP_STARTED) is None:
            recorder.record(Kind.STEP_STARTED, step=STEP)
        opened = recorder.events[0].data
        path = Path(str(opened["deployment_path"]))
        counter = counter_of(path, desk.environment, desk.clock.sleep)
        place = counter.place_named(recorder.chain, str(opened["safe"]))
        drill = SignerDrill(recorder, counter, place, path, everybody or bool(opened["everybody"]))
        drill.looked = last_look(recorder.events)
        if is_out(recorder.events):
            return seen_at(drill, drill.harmless)
        require_signer(counter, place, room.signer)
        return planned_into(drill, plan_harmless(counter, place, desk.home, recorder.incident))


def planned_into(drill: SignerDrill, planned: HarmlessPlan) -> SignerDrill:
    """The drill with its plan on record."""
    data = planned.to_json(drill.recorder.incident)
    hash_ = str(data["proposal"]["safe_tx_hash"])
    drill.recorder.record(Kind.PLANNED, step=STEP, block=planned.block, proposal=hash_, data=data)
    return seen_at(drill, planned)


def seen_at(drill: SignerDrill, planned: HarmlessPlan) -> SignerDrill:
    """The drill with the owners as they were when it was planned, until the chain is looked at."""
    return replace(drill, owners=planned.owners, threshold=planned.threshold)


def report(drill: SignerDrill, waiting_for: str | None, room: Room) -> dict[str, Any]:
    """The object `incident drill --signers --json` prints."""
    names = {one.owner: one.name for one in drill.place.deployment.contacts}
    found = answers_of(drill.recorder.events)
    now = room.desk.clock.now()
    return {
        "schema": SCHEMA,
        "incident": drill.recorder.incident,
        "chain_id": drill.tx.chain_id,
        "safe": drill.tx.safe,
        "safe_tx_hash": drill.safe_tx_hash,
        "nonce": drill.tx.nonce,
        "threshold": drill.threshold,
        "file": str(drill.file),
        "asked_at": asked_at(drill.recorder.events),
        "answers": [one.to_json(names.get(one.owner, "")) for one in found],
        "missing": [one.to_json(now) for one in missing(drill)],
        "threshold_reached_after_seconds": drill.reached,
        "unseen": drill.unseen,
        "waiting_for": waiting_for,
    }


def missing(drill: SignerDrill) -> tuple[Any, ...]:
    """The owners who have not answered, with their contacts."""
    answered = {one.owner for one in answers_of(drill.recorder.events)}
    owners = [one for one in drill.owners if one not in answered]
    return waiters(drill.place, owners, ())


def how_it_ended(drill: SignerDrill) -> None:
    """Return where the threshold answered; raises Refused where nobody can any more, Unread where answers may be there
    that could not be seen, Waiting where somebody may answer."""
    if drill.is_closed and drill.reached is None:
        nonce, safe = drill.tx.nonce, drill.tx.safe
        raise Refused(
            f"another transaction took nonce {nonce} of the Safe {safe} before the threshold answered",
            "nobody can sign it any more; begin a new drill",
        )
    if drill.is_closed:
        return
    wanted = "all" if drill.everybody else str(drill.threshold)
    count = f"{len(answers_of(drill.recorder.events))} of {len(drill.owners)} owners answered, {wanted} must"
    if drill.unseen:
        raise Unread(f"{count}; whether more did is not known: {drill.unseen}", "resume it: they are seen then")
    raise Waiting(count, "signatures", "resume it: late answers are seen then")
