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
from incident_cli.flows.multisig.proposing import origin_of
from incident_cli.flows.session import Session
from incident_cli.incident.events import Event, Kind
from incident_cli.safe.signature_file import SignatureFile, Signed, store
from incident_cli.safe.signing import Signer, signed_by
from incident_cli.safe.signing_record import Remembered, recall, remember
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.typed_data import safe_tx_typed_data

if TYPE_CHECKING:
    from pathlib import Path

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


def hand_over(outlet: Outlet, session: Session, leg: Leg, owners: tuple[Address, ...]) -> bool:
    """Sign and post what is not signed and posted yet; whether anything was done.

    Raises Refused where the signer is neither an owner nor a delegate, before it is asked for anything. A service that
    cannot be reached is said, and tried again the next time.
    """
    signer = outlet.keys.signer
    signed = leg.find(Kind.SIGNED)
    if signer is not None and signed is None:
        signed = sign(outlet, session, leg, signer, owners)
    elif leg.find(Kind.PROPOSED) is not None or outlet.service is None:
        return False
    return post(outlet, session, leg_of(session, leg.step, leg.name), signed) or signer is not None


def sign(outlet: Outlet, session: Session, leg: Leg, signer: Signer, owners: tuple[Address, ...]) -> Event:
    """The signer's own signature over the typed data as they are rebuilt from the record; an owner's also as a file."""
    tx = SafeTx.from_json(leg.proposal["safe_tx"])
    is_owner = signer.address in owners
    if not is_owner:
        require_delegate(outlet.service, tx, signer, owners)
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


def require_delegate(
    service: TransactionService | None, tx: SafeTx, signer: Signer, owners: tuple[Address, ...]
) -> None:
    """Refused unless the service knows the signer as the delegate of somebody who is an owner now."""
    listed = service.delegates(tx.safe) if service is not None else ()
    if not any(one.delegate == signer.address and one.delegator in owners for one in listed):
        raise Refused(
            f"{signer.address} is no owner of the Safe {tx.safe}, and no owner's delegate",
            "use an owner's key, have an owner register a delegate (`incident safe delegate add`), or leave the keys "
            "out: the proposal is then a file for the owners",
        )


def say_differences(outlet: Outlet, session: Session, tx: SafeTx, signer: Signer) -> None:
    """What the same signer was asked before at this nonce or for this call: "it failed, sign again" is how Safes were
    emptied."""
    for one in recall(outlet.home, tx).related(signer.address, tx):
        words = "; ".join(one.calls) or "calls that were not recorded"
        session.screen.say(
            f"{signer.address} was asked before, {one.at}, for nonce {one.tx.nonce}: {words} ({one.safe_tx_hash})",
            "warn",
        )


def post(outlet: Outlet, session: Session, leg: Leg, signed: Event | None) -> bool:
    """Post the signed transaction; whether it stands there now. Unsigned ones are left to the owners."""
    if outlet.service is None or signed is None or leg.find(Kind.PROPOSED) is not None:
        return False
    intended = leg.find(Kind.PROPOSE_INTENDED)
    look_first = intended is not None  # an intent from before may have arrived; the queue was read just now otherwise
    intended = intended or intend(session, leg)
    proposal, sender = leg.proposal, Address(signed.data["signers"][0])
    try:
        outlet.service.propose(
            SafeTx.from_json(proposal["safe_tx"]),
            proposal["safe_tx_hash"],
            sender,
            hex_bytes(signed.data["signatures"]),
            str(intended.data["origin"]),
            delegate=not signed.data.get("as_owner", True),
            look_first=look_first,
        )
    except (Unread, Refused) as problem:
        session.screen.say(f"not in the service: {problem.message}; the file is there all the same", "bad")
        return False
    leg.record(session, Kind.PROPOSED, sender=sender, road="service")
    session.screen.say(f"proposed to {outlet.service.name} by {sender}, and read back", "good")
    return True


def intend(session: Session, leg: Leg) -> Event:
    """What will be posted, with the origin: the runbook's hash and the journal's head before this very record."""
    origin = origin_of(session.runbook_hash, session.recorder.journal.head)
    return leg.record(session, Kind.PROPOSE_INTENDED, origin=origin)
