"""A proposal brought to its execution while somebody watches: signed and posted, its confirmations followed, executed
once the chain would take it. Without keys and without a service it is what is written to files.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from incident_cli.chain.execution import Execution, execution_of, find_execution
from incident_cli.chain.fees import Unpayable
from incident_cli.errors import IncidentError, Refused, Waiting
from incident_cli.evm import Address, checksummed, hex_bytes, keccak, to_hex
from incident_cli.flows.clock import Clock
from incident_cli.flows.delivery import FileDelivery, Replaced, place_here, queue_here
from incident_cli.flows.desk import Prompt
from incident_cli.flows.following import INCLUSION, SIGNATURES
from incident_cli.flows.handing_over import Keys, NotTaken, Outlet, hand_over
from incident_cli.flows.leg import Leg, leg_of
from incident_cli.flows.multisig.executing import Road, advance_execution
from incident_cli.flows.multisig.place import Place
from incident_cli.flows.multisig.readiness import Readiness, readiness
from incident_cli.flows.multisig.standing import Standing, Waiter, stand
from incident_cli.flows.session import Session
from incident_cli.incident.events import Event, Kind, every
from incident_cli.runbook.model import ContainStep
from incident_cli.safe.signature_file import SignatureFile, file_name, read_signature_file
from incident_cli.safe.signing import Signer
from incident_cli.safe.transaction import SafeTx

if TYPE_CHECKING:
    from incident_cli.flows.connecting import Services
    from incident_cli.flows.multisig.queueing import Queue

POLL_SECONDS = 5.0  # the hosted service allows five requests a second; one look takes at most three
PATIENCE_NS, FOR_GOOD_NS = 60 * 10**9, 10**18  # until a service that failed, or refused, is asked again
STRANGER = checksummed(b"\xde\xad".rjust(20, b"\0"))  # sends nothing: whoever has no broadcaster asks as somebody else


@dataclass(slots=True)
class LiveDelivery:
    """By signatures, service and broadcaster where there are any, and always as a file too."""

    files: FileDelivery
    keys: Keys
    services: Services
    clock: Clock
    home: Path
    follows: bool = True
    told: set[str] = field(default_factory=set)
    words: dict[str, str] = field(default_factory=dict)
    consents: dict[Address, bool] = field(default_factory=dict)  # owners who pay: whether that confirms
    untaken: dict[str, int] = field(default_factory=dict)  # safe_tx_hash → when posting it is tried again (ns)

    @property
    def hurries(self) -> bool:
        """Whether not even blocks are waited for."""
        return not self.follows

    def pause(self, session: Session) -> None:
        """A few seconds, while the screen says who is waited for on each chain."""
        with session.screen.working("; ".join(self.words.values()) or "waiting for the owners"):
            self.clock.sleep(POLL_SECONDS)

    def keep_reopening(self, session: Session, step: ContainStep) -> None:
        """The way back, as a file."""
        self.files.keep_reopening(session, step)

    def deliver(self, session: Session, leg: Leg) -> Execution:
        """The evidence once the chain has it; until then everything that can be done here is done, then Waiting."""
        tx = SafeTx.from_json(leg.proposal["safe_tx"])
        place = place_here(session, tx.safe, session.reader)
        standing = self.look(session, leg, place, tx)
        if standing.fate == "displaced":
            raise Replaced(f"another transaction took nonce {tx.nonce} of the Safe {tx.safe}")
        if standing.fate in ("executed", "failed"):
            return self.found(session, leg, str(standing.executed_by))
        if not leg.is_handed_over and standing.nonce > tx.nonce:
            raise Replaced(f"the Safe {tx.safe} moved on to nonce {standing.nonce} while it was being confirmed")
        self.files.export(session, leg)
        if self.hand_over(session, leg, standing):
            standing = self.look(session, leg, place, tx)
        self.tell(session, leg, standing)
        return self.executed(session, leg_of(session, leg.step, leg.name), place, standing)

    def queue(self, session: Session, safe: Address) -> Queue | None:
        """What stands in the service, and what other incidents on this machine have proposed."""
        return queue_here(session, safe, self.services(session.reader.chain))

    def look(self, session: Session, leg: Leg, place: Place, tx: SafeTx) -> Standing:
        """How it stands by chain, service and the files beside it."""
        service, beside = self.services(session.reader.chain), self.signatures(session, leg)
        given = {one.owner: one.signature for one in beside.signatures} if beside else {}
        claims = [(one.owner, one.signature) for one in beside.claims] if beside else []
        return stand(place, tx, service=service, signatures=given, claims=claims, since=leg.planned_at.number)

    def signatures(self, session: Session, leg: Leg) -> SignatureFile | None:
        """The signatures beside the proposal; a file that is not what it says is told of, and counts for nothing."""
        path = self.files.directory / file_name(leg.proposal["safe_tx_hash"])
        try:
            return read_signature_file(path) if os.path.lexists(path) else None
        except IncidentError as problem:
            self.once(session, f"{path} is left out: {problem.message}")
            return None

    def hand_over(self, session: Session, leg: Leg, standing: Standing) -> bool:
        """Sign and post where that was not done yet."""
        hash_, now = standing.safe_tx_hash, self.clock.monotonic_ns()
        service = self.services(session.reader.chain) if now >= self.untaken.get(hash_, 0) else None
        outlet = Outlet(self.files.directory, service, self.keys, self.clock, self.home)
        try:
            return hand_over(outlet, session, leg_of(session, leg.step, leg.name), standing)
        except NotTaken as problem:
            self.untaken[hash_] = now + (PATIENCE_NS if problem.may_be_taken_later else FOR_GOOD_NS)
            self.once(session, f"{problem}; the file is there all the same")
            return False

    def withdraw(self, session: Session, tx: SafeTx) -> str:
        """As a file: nobody signs it here unasked."""
        return self.files.withdraw(session, tx)

    def tell(self, session: Session, leg: Leg, standing: Standing) -> None:
        """Every confirmation once, for the record too; what does not count, what rivals it, what cannot be read."""
        known = {one.data["owner"] for one in every(leg.events, Kind.SEEN_SIGNED)}
        for one in standing.confirmations:
            if one.owner not in known:
                leg.record(session, Kind.SEEN_SIGNED, standing.block, owner=one.owner, road=one.road, how=one.kind)
                count = f"{len(standing.confirmations)} of {standing.threshold}"
                session.screen.say(f"{named(session, one.owner)}: {one.kind} by {one.road}; {count}", "good")
        for bad in standing.invalid:
            self.once(session, f"does NOT count: the confirmation of {bad.owner} by {bad.road}: {bad.reason}")
        for rival in standing.rivals:
            words = f"RIVAL at nonce {rival.nonce}: {rival.label} ({rival.safe_tx_hash})"
            self.once(session, f"{words}; whichever executes first displaces the other")
        for earlier in standing.earlier:
            self.once(session, f"must execute first, at nonce {earlier.nonce}: {earlier.label}")
        if standing.service_problem:
            self.once(session, f"confirmations made in the service are not seen: {standing.service_problem}")

    def once(self, session: Session, words: str, tone: Literal["plain", "bad"] = "bad") -> None:
        """Said once in this session."""
        if words not in self.told:
            self.told.add(words)
            session.screen.say(words, tone)

    def executed(self, session: Session, leg: Leg, place: Place, standing: Standing) -> Execution:
        """The evidence of the execution, brought one step further by the broadcaster where it is ready.

        Raises Waiting for whoever must act, or for its inclusion; Refused where it would fail.
        """
        broadcaster = self.keys.broadcaster
        found = readiness(place, standing, broadcaster.address if broadcaster else STRANGER)
        intents = list(every(leg.events, Kind.SUBMIT_INTENDED))
        if broadcaster is None or (found.state != "ready" and not intents):
            raise self.waiting(session, leg, standing, found)
        packed = found.collected.packed if found.collected is not None and found.state == "ready" else None
        if found.collected is not None and found.collected.by_sender and packed is not None:
            self.require_consent(session, leg, standing, broadcaster.address)
        try:
            evidence = self.advanced(session, leg, place, broadcaster, packed, intents)
        except Unpayable as problem:
            self.once(session, problem.message)
            raise self.waiting(session, leg, standing, found) from None
        if evidence is None and found.state != "ready":
            raise self.waiting(session, leg, standing, found)
        if evidence is None:
            raise Waiting(
                f"{standing.safe_tx_hash} was sent and is not included yet", INCLUSION, "resume to look again"
            )
        return self.settled(session, leg, evidence, standing.block.number)

    def advanced(
        self,
        session: Session,
        leg: Leg,
        place: Place,
        broadcaster: Signer,
        packed: bytes | None,
        intents: Sequence[Event],
    ) -> Execution | None:
        """One step of the execution; its intents and what was sent are recorded as they come."""
        known = {one.data["transaction_hash"] for one in every(leg.events, Kind.SUBMITTED)}

        def intend(raw: bytes) -> None:
            leg.record(session, Kind.SUBMIT_INTENDED, raw=to_hex(raw), transaction_hash=to_hex(keccak(raw)))

        def sent(hash_: str) -> None:
            if hash_ not in known:
                leg.record(session, Kind.SUBMITTED, transaction_hash=hash_)
                session.screen.say(f"sent: {hash_}", "good")

        return advance_execution(
            place,
            SafeTx.from_json(leg.proposal["safe_tx"]),
            packed,
            broadcaster,
            intent=intend,
            sent=sent,
            say=lambda words: self.once(session, words, "plain"),
            road=Road(private_url=self.keys.private_url),
            earlier=[hex_bytes(one.data["raw"]) for one in intents],
            idle=self.idle_since(intents),
        )

    def require_consent(self, session: Session, leg: Leg, standing: Standing, payer: Address) -> None:
        """An owner who sends counts as one who confirms: asked about once, and by default the others are waited for."""
        if payer not in self.consents:
            text = (
                f"{named(session, payer)} pays, and is an owner: sending it is that owner's confirmation. Is it meant?"
            )
            prompt = Prompt(leg.step.id, "yes-no", text, help="No waits for the other owners' confirmations.")
            self.consents[payer] = session.ask(leg.step, prompt) == "yes"
        if not self.consents[payer]:
            raise self.waiting(session, leg, standing, Readiness("waiting", "the payer does not confirm"))

    def idle_since(self, intents: Sequence[Event]) -> float:
        """Seconds since the last intent; 0 where there is none."""
        if not intents:
            return 0.0
        return max(0.0, (self.clock.now() - datetime.fromisoformat(intents[-1].at)).total_seconds())

    def settled(self, session: Session, leg: Leg, evidence: Execution, since: int) -> Execution:
        """The evidence, with the attempt that was mined as the last one of the record: fees may have been raised."""
        tx = SafeTx.from_json(leg.proposal["safe_tx"])
        first = min(since, evidence.block.number) if evidence.block else since
        mined = find_execution(
            session.reader.endpoint, session.reader.chain, tx.safe, leg.proposal["safe_tx_hash"], first
        )
        last = leg_of(session, leg.step, leg.name).find(Kind.SUBMITTED)
        if mined is not None and (last is None or last.data["transaction_hash"] != mined):
            leg.record(session, Kind.SUBMITTED, transaction_hash=mined)
        return evidence

    def found(self, session: Session, leg: Leg, executed_by: str) -> Execution:
        """The evidence of an execution that is on chain, whoever sent it."""
        last = leg.find(Kind.SUBMITTED)
        if last is None or last.data["transaction_hash"] != executed_by:
            own = any(one.data["transaction_hash"] == executed_by for one in every(leg.events, Kind.SUBMIT_INTENDED))
            by: dict[str, Any] = {} if own else {"by": "others"}
            leg.record(session, Kind.SUBMITTED, transaction_hash=executed_by, **by)
        tx = SafeTx.from_json(leg.proposal["safe_tx"])
        hash_ = leg.proposal["safe_tx_hash"]
        return execution_of(session.reader.endpoint, session.reader.chain, tx.safe, hash_, executed_by)

    def waiting(self, session: Session, leg: Leg, standing: Standing, found: Readiness) -> Waiting:
        """Who is waited for, and what they do; the same words stand on the screen meanwhile."""
        hash_ = standing.safe_tx_hash
        if found.state == "refused":
            raise Refused(
                f"{hash_} has its confirmations, and its execution would fail: {found.reason}",
                "nothing was sent; look at the Safe and its guard, then resume",
            )
        if found.state == "ready":
            words = f"{hash_} is ready: it was simulated with its signatures; anybody may execute it"
            hint = f"incident safe execute {hash_} --deployment FILE --keystore FILE"
        else:
            count = f"{len(standing.confirmations)} of {standing.threshold}"
            missing = "; ".join(waiter_words(one, self.clock) for one in standing.waiting)
            words = f"{count} signed {hash_}; missing: {missing}"
            hint = f"owners sign {self.files.directory / (hash_ + '.json')}"
        if found.state in ("queued", "unknown"):
            words = f"{words}; {found.reason}"
        self.words[session.reader.chain] = words
        return Waiting(words, SIGNATURES, hint)


def named(session: Session, owner: Address) -> str:
    """`council-1 (0x…)`, or the address alone."""
    name = next((one.name for one in session.bound.deployment.contacts if one.owner == owner), "")
    return f"{name} ({owner})" if name else owner


def waiter_words(one: Waiter, clock: Clock) -> str:
    """`council-2 0x… by pager, Mon 04:10 in Europe/Berlin`."""
    when = one.local_time(clock.now())
    reach = f" by {one.reach}" if one.reach else ""
    return " ".join(filter(None, (one.name, one.owner))) + reach + (f", {when}" if when else "")
