"""The owners are asked: the transaction is written, signed by whoever's key is at hand, posted, and who answers is
looked for again and again.

Each stage is on the disk before the next: a killed drill is taken up where it stood, and posts the very same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from incident_cli.errors import IncidentError, Refused, Unread
from incident_cli.evm import Address, hex_bytes, to_hex
from incident_cli.flows.clock import stamp
from incident_cli.flows.multisig.authority import role_of
from incident_cli.flows.multisig.plainly import describer
from incident_cli.flows.multisig.standing import Standing, stand
from incident_cli.flows.multisig.submitting import Submission, examined_at, queue_at, rivals_in, signed_when_shown
from incident_cli.flows.signers.answers import (
    HERE,
    ROADS,
    answers_of,
    asked_at,
    is_out,
    reached_after,
    seconds_between,
    span_words,
)
from incident_cli.flows.signers.drill import Room, SignerDrill
from incident_cli.incident.events import Event, Kind, every, last
from incident_cli.safe.files import write_proposal
from incident_cli.safe.signature_file import SignatureFile, Signed, read_signature_file, store

if TYPE_CHECKING:
    from incident_cli.safe.signing import Signer

POLL_SECONDS = 5.0  # the hosted service allows five requests a second; one look takes at most three
ORIGIN_DIGITS = 32  # of the journal's head


def let_out(drill: SignerDrill, room: Room) -> None:
    """Write the file, sign and post it, as far as that was not done before. Raises Refused where the signer is nobody
    to this Safe, NeedsTerminal, Waiting where the operator does not sign."""
    if drill.is_closed:
        return
    if not is_out(drill.recorder.events):
        path = write_proposal(drill.folder, drill.file.name, drill.tx.to_json())
        drill.record(Kind.EXPORTED, path=str(path))
    signed = last(drill.recorder.events, Kind.SIGNED)
    if room.signer is not None and signed is None:
        sign(drill, room, room.signer)
    elif room.signer is not None and signed is not None and room.signer.address not in signed.data["signers"]:
        words = f"{room.signer.address} is not asked: {', '.join(signed.data['signers'])} signed here before"
        room.desk.say(f"{words}. To answer as well: `incident safe confirm` or `sign`", "warn")
    post(drill, room)


def sign(drill: SignerDrill, room: Room, signer: Signer) -> Event:
    """The signature of the key at hand, once the card was shown and the end of the hash typed. An owner's is an
    answer, and stands in the drill's file of signatures too; a delegate's only proposes."""
    matter = drill.matter
    order = Submission(drill.counter, matter, signer)
    examined = examined_at(order)
    role = role_of(examined.view.owners, matter.service, drill.tx.safe, signer.address)
    rivals = rivals_in(queue_at(order, room.desk.home), drill.tx.nonce, drill.safe_tx_hash)
    signature = signed_when_shown(order, signer, room.desk, examined, rivals)
    is_owner = role.kind == "owner"
    if is_owner:
        store(drill.folder, SignatureFile(drill.tx, (Signed(signer.address, signature),)))
    return drill.record(
        Kind.SIGNED, signatures=to_hex(signature), signers=[signer.address], as_owner=is_owner, by=signer.kind
    )


def post(drill: SignerDrill, room: Room) -> None:
    """Put what was signed into the service, once; a service that fails is said, and asked again at the next look."""
    events, service = drill.recorder.events, drill.matter.service
    signed = last(events, Kind.SIGNED)
    if service is None or signed is None or last(events, Kind.PROPOSED) is not None:
        return
    intended = last(events, Kind.PROPOSE_INTENDED)
    look_first = intended is not None  # an intent from before may have arrived
    intended = intended or drill.record(Kind.PROPOSE_INTENDED, origin=origin_of_drill(drill))
    sender, is_owner = Address(signed.data["signers"][0]), bool(signed.data["as_owner"])
    try:
        service.propose(
            drill.tx,
            drill.safe_tx_hash,
            sender,
            hex_bytes(signed.data["signatures"]),
            str(intended.data["origin"]),
            delegate=not is_owner,
            look_first=look_first,
        )
    except (Unread, Refused) as problem:
        once(drill, room, f"not in the service yet: {problem.message}; the file is there all the same")
        return
    drill.record(Kind.PROPOSED, sender=sender, road="service")
    room.desk.say(f"proposed to {service.name} by {sender}, and read back", "good")


def origin_of_drill(drill: SignerDrill) -> str:
    """What signers read beside it in the service: that it is a drill, which one, and the head of its journal before
    the intent (at most 110 characters of the 200 a service takes)."""
    head = drill.recorder.journal.head[:ORIGIN_DIGITS]
    return f"incident drill --signers {drill.recorder.incident} {head}"


def ask(drill: SignerDrill, room: Room) -> None:
    """Let it out, then follow it; raises as both do."""
    let_out(drill, room)
    follow(drill, room)


def follow(drill: SignerDrill, room: Room) -> None:
    """Look until it has ended; where nobody waits here, look once.

    Whatever stops it, when it was looked at last is recorded: who answers later had not answered then.
    """
    try:
        if not drill.is_closed:
            look(drill, room)
        while not drill.is_closed and room.follows:
            with room.working(waiting_words(drill)):
                room.desk.clock.sleep(POLL_SECONDS)
            post(drill, room)
            look(drill, room)
    finally:
        if drill.looked is not None and not drill.is_closed:
            drill.record(Kind.NOTED, look=drill.looked)


def look(drill: SignerDrill, room: Room) -> None:
    """One look at chain, service and files; who answered since is recorded and said.

    While others are waited for, a node that fails is said, and asked again; else raises Unread.
    """
    began, since = room.desk.clock.now(), drill.harmless.block.number
    service, words = drill.matter.service, describer(drill.place, drill.counter.aids.catalog)
    given = by_file(drill, room)
    try:
        standing = stand(drill.place, drill.tx, service=service, signatures=given, since=since, words=words)
    except Unread as problem:
        if not room.follows:
            raise
        drill.unseen = problem.message
        once(drill, room, f"who answered is not seen: {problem.message}")
        return
    drill.owners, drill.threshold, drill.unseen = standing.owners, standing.threshold, standing.service_problem
    record_answers(drill, room, standing)
    tell_trouble(drill, room, standing)
    settle(drill, standing)
    if not standing.service_problem:
        drill.looked = stamp(began)


def by_file(drill: SignerDrill, room: Room) -> dict[Address, bytes]:
    """The signatures in the drill's folder; a file that is not what it says is told of, and counts for nothing."""
    path = drill.signatures
    try:
        found = read_signature_file(path).signatures if path.exists() else ()
    except IncidentError as problem:
        once(drill, room, f"{path} is left out: {problem.message}")
        return {}
    return {one.owner: one.signature for one in found}


def record_answers(drill: SignerDrill, room: Room, standing: Standing) -> None:
    """Every answer once, with the block and how it came."""
    known = {one.data["owner"] for one in every(drill.recorder.events, Kind.SEEN_SIGNED)}
    own = {
        who
        for one in every(drill.recorder.events, Kind.SIGNED)
        for who in (one.data["signers"] if one.data["as_owner"] else ())
    }
    names = {one.owner: one.name for one in drill.place.deployment.contacts}
    for count, one in enumerate(standing.confirmations, 1):
        if one.owner in known:
            continue
        road = HERE if one.owner in own else one.road
        drill.record(
            Kind.SEEN_SIGNED, block=standing.block, owner=one.owner, road=road, how=one.kind, not_before=drill.looked
        )
        after = next(each for each in answers_of(drill.recorder.events) if each.owner == one.owner)
        who = f"{names[one.owner]} ({one.owner})" if one.owner in names else one.owner
        how = f"answered {ROADS[road]}, {span_words(after.not_before, after.seconds)}"
        room.desk.say(f"{who} {how}; {count} of {standing.threshold}", "good")


def tell_trouble(drill: SignerDrill, room: Room, standing: Standing) -> None:
    """What does not count, what rivals it, what cannot be read: once each."""
    for bad in standing.invalid:
        once(drill, room, f"does NOT count: the answer of {bad.owner} by {bad.road}: {bad.reason}")
    for rival in standing.rivals:
        words = f"RIVAL at nonce {rival.nonce}: {rival.label} ({rival.safe_tx_hash})"
        once(drill, room, f"{words}; whichever executes first displaces the other")
    if standing.service_problem:
        once(drill, room, f"answers in the service are not seen: {standing.service_problem}")


def settle(drill: SignerDrill, standing: Standing) -> None:
    """Close it where enough have answered, or where its nonce is used: then nobody can answer any more."""
    found = answers_of(drill.recorder.events)
    reached = reached_after(found, standing.owners, standing.threshold)
    if standing.fate in ("executed", "failed"):  # as many as must had signed, by whatever road
        seen = seconds_between(asked_at(drill.recorder.events), stamp(drill.recorder.clock.now()))
        drill.record(Kind.CLOSED, ending="executed", reached=seen if reached is None else reached)
    elif standing.fate == "displaced":
        drill.record(Kind.CLOSED, ending="displaced", reached=reached)
    elif reached is not None and not (drill.everybody and standing.waiting):
        drill.record(Kind.CLOSED, ending="answered", reached=reached)


def once(drill: SignerDrill, room: Room, words: str) -> None:
    """Said once in this process."""
    if words not in drill.told:
        drill.told.add(words)
        room.desk.say(words, "bad")


def waiting_words(drill: SignerDrill) -> str:
    """What is waited for, while it is."""
    wanted = "all" if drill.everybody else str(drill.threshold)
    count = len(answers_of(drill.recorder.events))
    return f"{count} of {len(drill.owners)} owners answered, {wanted} must; Ctrl-C stops, and it can be resumed"
