"""How one Safe transaction stands: chain, transaction service and files held against each other, nothing counted that
does not count on chain.

Two exchanges with the chain and at most two with the service, whatever the number of owners.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from incident_cli.errors import Refused, Unread
from incident_cli.evm import Address, Block, CallRead, to_hex
from incident_cli.flows.guarding import demand
from incident_cli.flows.multisig.confirmation import (
    Confirmation,
    Given,
    Invalid,
    by_files,
    judged,
    reads_of,
)
from incident_cli.flows.multisig.fate import Fate, Settled, settle
from incident_cli.flows.multisig.queued import Describe, Queued, queued_of
from incident_cli.flows.proposal import SAFE_READS, TRANSACTION_HASH
from incident_cli.safe.leaving import GONE, leaving
from incident_cli.safe.second_opinion import agree_with_contract
from incident_cli.safe.transaction import SafeTx
from incident_cli.text import plain

if TYPE_CHECKING:
    from incident_cli.flows.multisig.place import Place
    from incident_cli.safe.service import TransactionService
    from incident_cli.safe.service_records import ServiceTransaction

NO_SIGNATURES: Mapping[Address, bytes] = {}


@dataclass(frozen=True, slots=True)
class Waiter:
    """An owner who has not confirmed, and how the deployment says to reach them (empty where it does not)."""

    owner: Address
    name: str = ""
    reach: str = ""
    zone: str = ""

    def local_time(self, now: datetime) -> str:
        """`Mon 04:10 in Europe/Berlin`; empty where no zone is known here."""
        try:
            return f"{now.astimezone(ZoneInfo(self.zone)):%a %H:%M} in {self.zone}" if self.zone else ""
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return ""

    def to_json(self, now: datetime) -> dict[str, object]:
        """As `--json` prints it; `local_time` is empty where it is not known."""
        return {"owner": self.owner, "name": self.name, "reach": self.reach, "local_time": self.local_time(now)}


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything known of one Safe transaction at `block`.

    `confirmations` count on chain, one an owner; `waiting` are the owners without one; `rivals` share its nonce,
    `earlier` must execute first. `fate` is `open` while its nonce is ahead or next; else how that ended, with
    `executed_by` (the hash of the execution) where there was one. `service_problem` says why the service could not be
    read: then rivals, and confirmations made there, are unknown.
    """

    tx: SafeTx
    safe_tx_hash: str
    owners: tuple[Address, ...]
    threshold: int
    nonce: int
    version: str
    block: Block
    confirmations: tuple[Confirmation, ...]
    waiting: tuple[Waiter, ...]
    invalid: tuple[Invalid, ...] = ()
    rivals: tuple[Queued, ...] = ()
    earlier: tuple[Queued, ...] = ()
    fate: Fate = "open"
    executed_by: str | None = None
    executed_in: Block | None = None
    on_service: bool = False
    origin: str = ""
    service_problem: str = ""

    @property
    def missing(self) -> int:
        """How many confirmations are still needed."""
        return max(0, self.threshold - len(self.confirmations))

    @property
    def is_next(self) -> bool:
        """Whether the Safe's nonce is this transaction's: nothing must execute before it."""
        return self.nonce == self.tx.nonce

    def to_json(self, now: datetime) -> dict[str, Any]:
        """As `--json` prints it; signatures are left out: they are in the service, in the files, or on chain."""
        confirmed = [{"owner": one.owner, "kind": one.kind, "road": one.road} for one in self.confirmations]
        invalid = [{"owner": one.owner, "road": one.road, "reason": one.reason} for one in self.invalid]
        return {
            "safe_tx_hash": self.safe_tx_hash,
            "safe": self.tx.safe,
            "chain_id": self.tx.chain_id,
            "nonce": self.tx.nonce,
            "nonce_on_chain": self.nonce,
            "threshold": self.threshold,
            "owners": list(self.owners),
            "fate": self.fate,
            "transaction_hash": self.executed_by,
            "confirmed": confirmed,
            "missing": self.missing,
            "waiting": [one.to_json(now) for one in self.waiting],
            "invalid": invalid,
            "rivals": [one.to_json() for one in self.rivals],
            "earlier": [one.to_json() for one in self.earlier],
            "on_service": self.on_service,
            "service_problem": self.service_problem,
            "block": self.block.number,
        }


@dataclass(frozen=True, slots=True)
class ChainSide:
    """The Safe as the chain shows it at one block."""

    owners: tuple[Address, ...]
    threshold: int
    nonce: int
    version: str
    block: Block


@dataclass(frozen=True, slots=True)
class ServiceSide:
    """What a transaction service holds: this transaction (None: it does not), and all that is pending."""

    own: ServiceTransaction | None = None
    pending: tuple[ServiceTransaction, ...] = ()
    problem: str = ""


def stand(
    place: Place,
    tx: SafeTx,
    *,
    service: TransactionService | None = None,
    signatures: Mapping[Address, bytes] = NO_SIGNATURES,
    claims: Sequence[tuple[Address, bytes]] = (),
    since: int | None = None,
    words: Describe | None = None,
) -> Standing:
    """How a transaction of this place stands; raises Unread where the chain cannot be read, Refused where the Safe
    itself hashes it otherwise.

    `signatures` are those of files by owner, 65 bytes each (a contract's as it stands alone), `claims` further ones of
    the same owners; a confirmation of whoever the transaction takes out never counts. `since` is the block it was
    prepared at: where it is known, an execution is looked for after it. `words` says what other transactions do.
    """
    chain, safe_tx_hash = read_safe_side(place, tx)
    desk = ask_service(service, tx, safe_tx_hash, chain.nonce)
    given = [*confirmed_at(desk.own), *by_files(signatures), *(Given(*one, "file") for one in claims)]
    seen = place.reader.read_at(reads_of(tx, chain.owners, given), chain.block)
    confirmations, invalid = staying(tx, *judged(tx, chain.owners, given, seen))
    settled = settle_of(place, tx, safe_tx_hash, chain, desk, since)
    others = [queued_of(one, place.chain_id, chain.version, words) for one in desk.pending]
    return Standing(
        tx,
        safe_tx_hash,
        chain.owners,
        chain.threshold,
        chain.nonce,
        chain.version,
        chain.block,
        confirmations,
        waiters(place, [one for one in chain.owners if one not in leaving(tx)], confirmations),
        invalid,
        tuple(one for one in others if one.nonce == tx.nonce and one.safe_tx_hash != safe_tx_hash),
        tuple(one for one in others if chain.nonce <= one.nonce < tx.nonce),
        settled.fate,
        settled.transaction_hash,
        settled.block,
        desk.own is not None,
        plain(desk.own.origin, 200) if desk.own is not None else "",
        desk.problem,
    )


def staying(
    tx: SafeTx, confirmations: Sequence[Confirmation], invalid: Sequence[Invalid]
) -> tuple[tuple[Confirmation, ...], tuple[Invalid, ...]]:
    """The confirmations of the owners who stay; the others do not count, wherever they came from."""
    gone = leaving(tx)
    out = [Invalid(one.owner, one.road, GONE) for one in confirmations if one.owner in gone]
    return tuple(one for one in confirmations if one.owner not in gone), (*invalid, *out)


def read_safe_side(place: Place, tx: SafeTx) -> tuple[ChainSide, str]:
    """The Safe, and the hash once the Safe says the same (the third opinion), in one exchange."""
    require_own(place, tx)
    own_hash = CallRead(tx.safe, TRANSACTION_HASH, (*tx.arguments, tx.nonce))
    chain, seen = read_chain_side(place, [own_hash])
    contract_hash = cast(bytes, demand("the Safe's own transaction hash", seen[own_hash]))
    return chain, agree_with_contract(tx, to_hex(contract_hash)).safe_tx_hash


def read_chain_side(place: Place, more: Sequence[CallRead] = ()) -> tuple[ChainSide, dict[CallRead, object]]:
    """The Safe at the head and the answers to further reads at the same block; raises Unread."""
    reads = {name: CallRead(place.safe, signature) for name, signature in SAFE_READS.items()}
    snapshot = place.reader.read([*reads.values(), *more])
    values = {name: demand(f"the Safe's {name}", snapshot.value(read)) for name, read in reads.items()}
    side = ChainSide(
        tuple(cast(Sequence[Address], values["owners"])),
        cast(int, values["threshold"]),
        cast(int, values["nonce"]),
        plain(values["version"], 40),
        snapshot.block,
    )
    return side, {read: snapshot.value(read) for read in more}


def require_own(place: Place, tx: SafeTx) -> None:
    """Refused unless the transaction is of this Safe on this chain."""
    if (tx.safe, tx.chain_id) != (place.safe, place.chain_id):
        raise Refused(
            f"the transaction is of the Safe {tx.safe} on chain {tx.chain_id}, not of {place.safe} on {place.chain_id}",
            "Nothing was done with it.",
        )


def ask_service(service: TransactionService | None, tx: SafeTx, safe_tx_hash: str, nonce: int) -> ServiceSide:
    """What the service holds; a service that cannot be read is a problem that is said, not the end. So is one which
    shows other fields under this hash: whoever signs by its screen signs something else."""
    if service is None:
        return ServiceSide()
    try:
        pending = service.pending(tx.safe, nonce)
        own = next((one for one in pending if one.safe_tx_hash == safe_tx_hash), None)
        own = own or service.transaction(safe_tx_hash)
    except (Unread, Refused) as problem:
        return ServiceSide(problem=problem.message)
    try:
        if own is not None:
            own.safe_tx(tx.chain_id, tx.version)
    except Refused as problem:
        return ServiceSide(None, pending, f"{problem.message}: nothing of its record counts. {problem.hint}".rstrip())
    return ServiceSide(own, pending)


def confirmed_at(own: ServiceTransaction | None) -> list[Given]:
    """The confirmations a service holds, as given: nothing of them is believed yet."""
    return [] if own is None else [Given(one.owner, one.signature, "service") for one in own.confirmations]


def settle_of(
    place: Place, tx: SafeTx, safe_tx_hash: str, chain: ChainSide, desk: ServiceSide, since: int | None
) -> Settled:
    """How it ended, where its nonce is spent; the service's word where to look is only a hint."""
    if chain.nonce <= tx.nonce:
        return Settled()
    hint = desk.own.transaction_hash if desk.own is not None else None
    return settle(place, tx, safe_tx_hash, chain.nonce, chain.block.number, since, hint)


def waiters(place: Place, owners: Sequence[Address], confirmations: Sequence[Confirmation]) -> tuple[Waiter, ...]:
    """The owners without a confirmation, with their contacts."""
    done = {one.owner for one in confirmations}
    contacts = {one.owner: one for one in place.deployment.contacts}
    return tuple(
        Waiter(owner, contacts[owner].name, contacts[owner].reach, contacts[owner].zone)
        if owner in contacts
        else Waiter(owner)
        for owner in owners
        if owner not in done
    )
