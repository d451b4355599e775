"""A confirmed proposal leaves: signed by whoever is at hand, posted to the service, both before anybody is waited for.

An owner's signature is a confirmation; a delegate's only puts the transaction into the service. What was signed and
what was about to be posted is written down first, so that a resumed session posts the very same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from incident_cli.errors import Refused, Unread
from incident_cli.evm import Address, hex_bytes, to_hex
from incident_cli.flows.clock import Clock, stamp
from incident_cli.flows.leg import Leg, leg_of
from incident_cli.flows.multisig.authority import role_of
from incident_cli.flows.multisig.proposing import origin_of
from incident_cli.flows.session import Session
from incident_cli.incident.events import Event, Kind, every
from incident_cli.safe.signature_file import SignatureFile, Signed, store
from incident_cli.safe.signatures import ECDSA
from incident_cli.safe.signing import Signer, signed_by
from incident_cli.safe.signing_record import Remembered, recall, remember
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.typed_data import safe_tx_typed_data

if TYPE_CHECKING:
    from pathlib import Path

    from incident_cli.flows.multisig.standing import Standing
    from incident_cli.safe.service import TransactionService


@dataclass(frozen=True, slots=True)
class Keys:
    """Whose keys are at hand: `signer` confirms or proposes, `broadcaster` pays for the execution.

    `private_url` is a node that gets the execution first, alone.
    """

    signer: Signer | None = None
    broadcaster: Signer | None = None
    private_url: str | None = None


NO_KEYS = Keys()


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where a proposal goes: the folder of its files, the service of its chain where there is one, who signs."""

    directory: Path
    service: TransactionService | None
    keys: Keys
    clock: Clock
    home: Path


class NotTaken(Exception):
    """The service did not take it; `may_be_taken_later`: it could not be asked, rather than said no."""

    def __init__(self, message: str, may_be_taken_later: bool) -> None:
        super().__init__(message)
        self.may_be_taken_later = may_be_taken_later


def hand_over(outlet: Outlet, session: Session, leg: Leg, standing: Standing) -> bool:
    """Sign and post what is not signed and posted yet; whether anything was done.

    Raises Refused where the signer is neither an owner nor a delegate, before it is asked for anything, and NotTaken
    where the service did not take it: the file is there all the same.
    """
    signer, acted = outlet.keys.signer, False
    signed = signed_by_key(leg, signer)
    if signer is not None and signed is None:
        signed = made_before(session, leg, signer, standing) or sign(outlet, session, leg, signer, standing.owners)
        leg, acted = leg_of(session, leg.step, leg.name), True
    signed = signed or leg.find(Kind.SIGNED)
    return post(outlet, session, leg, signed, standing) or acted


def signed_by_key(leg: Leg, signer: Signer | None) -> Event | None:
    """The record of this very signer's signature; None where it did not sign yet."""
    if signer is None:
        return None
    return next((one for one in every(leg.events, Kind.SIGNED) if one.data["signers"] == [signer.address]), None)


def made_before(session: Session, leg: Leg, signer: Signer, standing: Standing) -> Event | None:
    """The record of a signature of this signer that stands already: made here before a kill, or elsewhere; nothing is
    signed twice."""
    own = next((one for one in standing.confirmations if one.owner == signer.address), None)
    if own is None or own.signature[64] not in ECDSA:
        return None
    known = to_hex(own.signature)
    return leg.record(session, Kind.SIGNED, signatures=known, signers=[signer.address], as_owner=True, by=own.road)


def sign(outlet: Outlet, session: Session, leg: Leg, signer: Signer, owners: tuple[Address, ...]) -> Event:
    """The signer's own signature over the typed data as they are rebuilt from the record; an owner's also as a file."""
    tx = SafeTx.from_json(leg.proposal["safe_tx"])
    is_owner = role_of(owners, outlet.service, tx.safe, signer.address).kind == "owner"
    say_differences(outlet, session, tx, signer)
    calls = tuple(one["plain"] for one in leg.proposal["calls"])
    remember(outlet.home, Remembered(stamp(outlet.clock.now()), signer.address, tx, calls))
    signature = signed_by(signer, safe_tx_typed_data(tx))
    if is_owner:
        store(outlet.directory, SignatureFile(tx, (Signed(signer.address, signature),)))
    event = leg.record(
        session, Kind.SIGNED, signatures=to_hex(signature), signers=[signer.address], as_owner=is_owner, by=signer.kind
    )
    role = "an owner" if is_owner else "a delegate: this proposes, it does not confirm"
    session.screen.say(f"signed with the {signer.kind} of {signer.address}, {role}", "good")
    return event


def say_differences(outlet: Outlet, session: Session, tx: SafeTx, signer: Signer) -> None:
    """What the same signer was asked before at this nonce or for this call: "it failed, sign again" is how Safes were
    emptied."""
    for one in recall(outlet.home, tx).related(signer.address, tx):
        words = "; ".join(one.calls) or "calls that were not recorded"
        session.screen.say(
            f"{signer.address} was asked before, {one.at}, for nonce {one.tx.nonce}: {words} ({one.safe_tx_hash})",
            "warn",
        )


def post(outlet: Outlet, session: Session, leg: Leg, signed: Event | None, standing: Standing) -> bool:
    """Post the signed transaction, or this owner's confirmation of one that is there; whether anything was posted.

    Unsigned ones are left to the owners. Raises NotTaken.
    """
    if outlet.service is None or signed is None:
        return False
    sender = Address(signed.data["signers"][0])
    if is_there(leg, standing, sender, bool(signed.data.get("as_owner", True))):
        return False
    intended = leg.find(Kind.PROPOSE_INTENDED)
    look_first = intended is not None  # an intent from before may have arrived; the queue was read just now otherwise
    intended = intended or intend(session, leg)
    try:
        outlet.service.propose(
            SafeTx.from_json(leg.proposal["safe_tx"]),
            leg.proposal["safe_tx_hash"],
            sender,
            hex_bytes(signed.data["signatures"]),
            str(intended.data["origin"]),
            delegate=not signed.data.get("as_owner", True),
            look_first=look_first,
        )
    except (Unread, Refused) as problem:
        raise NotTaken(f"not in the service: {problem.message}", isinstance(problem, Unread)) from None
    leg.record(session, Kind.PROPOSED, sender=sender, road="service")
    session.screen.say(f"proposed to {outlet.service.name} by {sender}, and read back", "good")
    session.screen.say(f"owners confirm it: incident safe confirm {leg.proposal['safe_tx_hash']} --deployment FILE")
    return True


def is_there(leg: Leg, standing: Standing, sender: Address, as_owner: bool) -> bool:
    """Whether the service has it from this sender: an owner's confirmation, or a delegate's proposal."""
    posted = any(one.data["sender"] == sender for one in every(leg.events, Kind.PROPOSED))
    seen = any(one.owner == sender and one.road == "service" for one in standing.confirmations)
    return posted or seen or (not as_owner and standing.on_service)


def intend(session: Session, leg: Leg) -> Event:
    """What will be posted, with the origin: the runbook's hash and the journal's head before this very record."""
    origin = origin_of(session.runbook_hash, session.recorder.journal.head)
    return leg.record(session, Kind.PROPOSE_INTENDED, origin=origin)
