"""Proposing and confirming by hand: examined, shown with what it displaces, typed, signed, handed to the service, read
back. Where the same calls are queued already, that transaction is confirmed instead of posting a second one.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from incident_cli.errors import IncidentError, Misused, Unread
from incident_cli.evm import Address
from incident_cli.flows.clock import stamp
from incident_cli.flows.multisig.authority import Role, require_owner, role_of
from incident_cli.flows.multisig.carding import card_of
from incident_cli.flows.multisig.examining import examine
from incident_cli.flows.multisig.inspecting import ChainView, Inspection
from incident_cli.flows.multisig.plainly import describer
from incident_cli.flows.multisig.proposing import (
    WITHOUT_INCIDENT,
    Posted,
    confirm_signature,
    find_same,
    origin_of,
    post_signature,
    post_unsigned,
    read_back,
)
from incident_cli.flows.multisig.provenance import prepared_here, provenance
from incident_cli.flows.multisig.queued import Queued
from incident_cli.flows.multisig.queueing import AtNonce, Queue, queue_of
from incident_cli.flows.multisig.reservations import reserved_here
from incident_cli.flows.multisig.signing import SigningDesk, SigningOrder, ask, call_words
from incident_cli.flows.multisig.taking_up import Counter, Matter
from incident_cli.flows.multisig.trying import tried
from incident_cli.journal.store import read
from incident_cli.report.signing_card import Rival, SigningCard
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.leaving import leaving
from incident_cli.safe.rotation import refuse_excluded
from incident_cli.safe.signature_file import SignatureFile, Signed, file_name, read_signature_file, store
from incident_cli.safe.signing import Signer, signed_by
from incident_cli.safe.signing_record import Remembered, recall, remember
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.typed_data import safe_tx_typed_data
from incident_cli.text import plain

if TYPE_CHECKING:
    from incident_cli.safe.service import TransactionService
    from incident_cli.safe.service_records import ServiceTransaction

KEPT = "signatures"  # below the home of incidents: what was signed here, before it is handed in


@dataclass(frozen=True, slots=True)
class Submission:
    """A transaction that is to be handed in; `signer` is None where it is posted unsigned in the name of `owner`. With
    `again` it is posted although the same calls are queued already."""

    counter: Counter
    matter: Matter
    signer: Signer | None
    owner: Address | None = None
    again: bool = False

    @property
    def service(self) -> TransactionService:
        """The service of its place; raises Misused where there is none."""
        return self.counter.service_of(self.matter.place)


@dataclass(frozen=True, slots=True)
class Examined:
    """A transaction as the inspection and the chain show it."""

    found: Inspection
    view: ChainView


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of it, the state it was shown in, and what it stands beside at its nonce."""

    posted: Posted
    examined: Examined
    rivals: tuple[Rival, ...]

    @property
    def missing(self) -> int:
        """How many owners have not confirmed, by the service's count."""
        return max(0, self.examined.view.threshold - len(self.posted.confirmed_by))

    def to_json(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {
            "how": self.posted.how,
            "safe_tx_hash": self.posted.safe_tx_hash,
            "nonce": self.examined.found.tx.nonce,
            "confirmed_by": list(self.posted.confirmed_by),
            "threshold": self.examined.view.threshold,
            "missing": self.missing,
            "displaces": [{"safe_tx_hash": one.safe_tx_hash, "does": one.does} for one in self.rivals],
        }


def propose(order: Submission, desk: SigningDesk) -> Submitted:
    """Hand a transaction in, once. Raises Refused before anybody is asked where the signer is nobody to this Safe or
    the transaction is dangerous, NeedsTerminal, Waiting where the answer is no, Unread, NotProven."""
    matter, service = order.matter, order.service
    examined = examined_at(order)
    role = role_for(order, examined.view.owners, service)
    queue = queue_at(order, desk.home)
    if queue.service_problem:  # without the queue, a second proposal of the same could be posted
        raise Unread(f"the queue could not be read: {queue.service_problem}", "nothing was posted; run it again")
    same = find_same(tuple(one for at in queue.at for one in at.queued), matter.tx)
    if same is not None and not (order.again and same.safe_tx_hash != matter.safe_tx_hash):
        return join(order, desk, same, role, queue)
    rivals = rivals_in(queue, matter.tx.nonce, matter.safe_tx_hash)
    origin = origin_for(matter, desk.home)
    if order.signer is None:
        desk.show(card_for(order, examined, rivals))
        hashes = hash_transaction(matter.tx)
        return Submitted(post_unsigned(service, matter.tx, hashes, role.owner, origin), examined, rivals)
    signature = signed_when_shown(order, order.signer, desk, examined, rivals)
    is_delegate = role.kind == "delegate"
    hash_, sender = matter.safe_tx_hash, order.signer.address
    posted = post_signature(service, matter.tx, hash_, sender, signature, origin, delegate=is_delegate)
    return Submitted(posted, examined, rivals)


def join(order: Submission, desk: SigningDesk, same: Queued, role: Role, queue: Queue) -> Submitted:
    """Confirm what is queued already; a delegate, and whoever confirmed it before, has nothing to add."""
    assert same.tx is not None, "only a sound one is joined"
    where = f"at nonce {same.nonce}: {same.safe_tx_hash}"
    desk.say(f"the same calls are queued already, {where}", "warn")
    if same.nonce > queue.nonce:
        words = f"it executes only once the nonces {queue.nonce} to {same.nonce - 1} are used"
        desk.say(f"{words}; to go before it, propose at an earlier nonce with --again", "warn")
    loaded = replace(order.matter.loaded, tx=same.tx)
    joined = replace(order, matter=replace(order.matter, loaded=loaded))
    signer, rivals = order.signer, rivals_in(queue, same.nonce, same.safe_tx_hash)
    if signer is None or role.kind == "delegate":
        examined = examined_at(joined)
        posted = read_back(order.service, same.tx, same.safe_tx_hash, "there")
        return Submitted(posted, examined, rivals)
    return confirm(joined, desk, queue)


def confirm(order: Submission, desk: SigningDesk, queue: Queue | None = None) -> Submitted:
    """Add an owner's confirmation to a transaction of the service; raises as `propose` does."""
    matter, service, signer = order.matter, order.service, order.signer
    if signer is None:
        raise Misused("a confirmation needs a signer", "name one: --keystore FILE, --signer URL or --ledger")
    examined = examined_at(order)
    require_owner(examined.view.owners, signer.address, matter.tx.safe)
    there = service.transaction(matter.safe_tx_hash)
    if there is None:
        raise Misused(
            f"the transaction service does not know {matter.safe_tx_hash}",
            f"`incident safe propose {file_words(order)} --keystore FILE` puts it there; without the service, sign the"
            f" file: `incident safe sign {file_words(order)} --keystore FILE`",
        )
    queue = queue or queue_at(order, desk.home)
    tell_whence(order, desk, there, queue)
    rivals = rivals_in(queue, matter.tx.nonce, matter.safe_tx_hash)
    if signer.address in there.proven:
        return Submitted(read_back(service, matter.tx, matter.safe_tx_hash, "there"), examined, rivals)
    signature = signed_when_shown(order, signer, desk, examined, rivals)
    posted = confirm_signature(service, matter.tx, matter.safe_tx_hash, signer.address, signature)
    return Submitted(posted, examined, rivals)


def file_words(order: Submission) -> str:
    """The transaction's file and the deployment, as the next command names them."""
    return f"{shlex.quote(order.matter.loaded.source)} {order.counter.option}"


def tell_whence(order: Submission, desk: SigningDesk, there: ServiceTransaction, queue: Queue) -> None:
    """What it does in the deployment's words, who put it into the service, and whence: before the card is shown."""
    place, hash_ = order.matter.place, order.matter.safe_tx_hash
    names = {one.owner: one.name for one in place.deployment.contacts}
    at = next((one for one in queue.at if one.nonce == order.matter.tx.nonce), AtNonce(order.matter.tx.nonce))
    desk.say(describer(place, order.counter.aids.catalog)(order.matter.tx), "plain")
    for words in (*provenance(there.proposer or "", there.origin, names), *prepared_here(at, hash_)):
        desk.say(words, "plain")


def examined_at(order: Submission) -> Examined:
    """The transaction held against its place, and refused where it is dangerous."""
    _, found, view = examine(order.matter.loaded, order.counter.aids, order.counter.environment)
    return Examined(found, view)


def card_for(order: Submission, examined: Examined, rivals: tuple[Rival, ...]) -> SigningCard:
    """The card, with a simulation made here."""
    loaded, place = order.matter.loaded, order.matter.place
    return card_of(loaded, examined.found, rivals, place.chain, tried(loaded, place, examined.view))


def role_for(order: Submission, owners: tuple[Address, ...], service: TransactionService) -> Role:
    """In whose name it is posted; raises Refused or Misused."""
    safe = order.matter.tx.safe
    if order.signer is not None:
        return role_of(owners, service, safe, order.signer.address, order.owner)
    if order.owner is None:
        raise Misused(
            "an unsigned proposal is posted in an owner's name, and none is named",
            f"name one with --on-behalf-of; the owners are {', '.join(owners)}",
        )
    require_owner(owners, order.owner, safe)
    return Role("owner", order.owner)


def queue_at(order: Submission, home: Path) -> Queue:
    """The queue, with what open incidents here reserved, in the deployment's words."""
    place, tx = order.matter.place, order.matter.tx
    reserved = reserved_here(home, place.chain_id, place.safe, tx.nonce)
    service = order.counter.services(place.chain)
    return queue_of(place, service, reserved, describer(place, order.counter.aids.catalog))


def rivals_in(queue: Queue, nonce: int, safe_tx_hash: str) -> tuple[Rival, ...]:
    """What else stands at a nonce."""
    at = next((one for one in queue.at if one.nonce == nonce), AtNonce(nonce))
    pairs = zip(at.hashes, at.labels, strict=True)
    return tuple(Rival(hash_, label) for hash_, label in pairs if hash_ != safe_tx_hash)


def signed_when_shown(
    order: Submission, signer: Signer, desk: SigningDesk, examined: Examined, rivals: tuple[Rival, ...]
) -> bytes:
    """The signature, once the card was shown and the end of the hash typed; written down before the signer is asked."""
    tx, folder = order.matter.tx, desk.home / KEPT
    before = kept(folder, tx, signer.address)
    if before is not None:
        desk.say(f"{signer.address} signed exactly this here before: the same signature is handed in again", "plain")
        return before
    consent(order, signer, desk, examined, rivals)
    signature = signed_by(signer, safe_tx_typed_data(tx))
    path, _ = store(folder, SignatureFile(tx, (Signed(signer.address, signature),)))
    desk.say(f"signed; kept until it is handed in: {path}", "plain")
    return signature


def kept(folder: Path, tx: SafeTx, signer: Address) -> bytes | None:
    """A signature that was made here and may not have arrived; it is verified again when it is read."""
    path = folder / file_name(hash_transaction(tx).safe_tx_hash)
    found = read_signature_file(path).signatures if path.exists() else ()
    return next((one.signature for one in found if one.owner == signer), None)


def consent_to_approve(order: Submission, signer: Signer, desk: SigningDesk) -> None:
    """Everything that comes before an approval on chain, which is a confirmation like any other: examined, an owner's,
    shown, typed, written down; raises as `confirm` does."""
    examined = examined_at(order)
    require_owner(examined.view.owners, signer.address, order.matter.tx.safe)
    queue = queue_at(order, desk.home)
    consent(order, signer, desk, examined, rivals_in(queue, order.matter.tx.nonce, order.matter.safe_tx_hash))


def consent(
    order: Submission, signer: Signer, desk: SigningDesk, examined: Examined, rivals: tuple[Rival, ...]
) -> None:
    """The card shown, every difference to what was signed before, and the end of the hash typed; raises Waiting."""
    tx, loaded = order.matter.tx, order.matter.loaded
    refuse_excluded([signer.address], leaving(tx))
    card = card_for(order, examined, rivals)
    desk.show(card)
    signing = SigningOrder(loaded, order.counter.aids, signer, desk.home, rivals)
    ask(signing, desk, card.hashes.safe_tx_hash, recall(desk.home, tx))
    remember(desk.home, Remembered(stamp(desk.clock.now()), signer.address, tx, call_words(card)))


def origin_for(matter: Matter, home: Path) -> str:
    """Where it comes from: the runbook's hash and the head of its incident's journal, where both are here."""
    proposal = matter.proposal or {}
    incident, runbook_hash = proposal.get("incident"), proposal.get("runbook_hash")
    if not isinstance(incident, str) or not isinstance(runbook_hash, str) or "/" in incident:
        return WITHOUT_INCIDENT
    try:
        return origin_of(runbook_hash, read(home / plain(incident, 120)).records[-1].hash)
    except (IncidentError, OSError, ValueError, LookupError):
        return WITHOUT_INCIDENT
