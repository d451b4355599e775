"""What a rotation is held against: the Safe as the chain shows it now, and what the deployment knows. Also for whoever
is asked to sign or to execute a rotation that others decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from incident_cli.abi import parse_signature
from incident_cli.errors import Refused
from incident_cli.evm import ZERO, Address, CallRead, CodeRead, Missing, Snapshot, keccak, to_hex
from incident_cli.flows.guarding import demand
from incident_cli.flows.multisig.place import Place
from incident_cli.flows.preflight.safe import FIRST_WITH_MODULE_GUARD, MODULE_PAGE, SafeAt, SafeSeen
from incident_cli.safe import contracts
from incident_cli.safe.finding import InspectionFinding, refused
from incident_cli.safe.leaving import leaving
from incident_cli.safe.rotation import Rotation, excluded_of
from incident_cli.safe.rotation_inspection import Ground, inspect_rotation
from incident_cli.safe.transaction import SafeTx, parse_version

TRANSACTION_HASH = parse_signature(contracts.GET_TRANSACTION_HASH)
NOTHING_DONE = "nothing was written or signed"


def inspect_written(
    place: Place, tx: SafeTx, document: Mapping[str, object], *, weaken: bool = False
) -> tuple[Rotation, tuple[InspectionFinding, ...]]:
    """The rotation of a proposal file (schema incident.rotation/v1) and what is found about it as the Safe stands now.

    What the file says was decided is only believed once the transaction's own calls and the chain show the same; that
    it weakens the Safe is allowed by `weaken`, the caller's own word. Raises Misused or Refused where the file holds
    no rotation, Unread where it cannot know.
    """
    decided = Rotation.from_json(document.get("rotation"))
    seen = SafeSeen(*read_safe(place, decided.incoming))
    _, code_hash = read_opinion(place, tx)
    ground = ground_of(place, seen, decided.incoming, code_hash)
    return decided, (*inspect_claims(tx, decided, document), *inspect_rotation(tx, decided, ground, weaken=weaken))


def inspect_claims(tx: SafeTx, decided: Rotation, document: Mapping[str, object]) -> Iterator[InspectionFinding]:
    """Whether the file says of who goes what the calls of its transaction do."""
    gone = leaving(tx)
    for name, said in (("outgoing", decided.outgoing), ("excluded", excluded_of(document))):
        if said != gone:
            words = f"its {name} are {', '.join(said) or 'nobody'}; the calls take out {', '.join(gone) or 'nobody'}"
            yield refused("rotation-claims", words)


def read_safe(place: Place, incoming: Sequence[Address]) -> tuple[SafeAt, Snapshot]:
    """The Safe and the code at the new owners' addresses, at one block."""
    at = SafeAt(place.slots[0], place.chain, place.safe)
    return at, place.reader.read([*at.reads, *(CodeRead(one) for one in incoming)])


def ground_of(place: Place, seen: SafeSeen, incoming: Sequence[Address], code_hash: str | None) -> Ground:
    """What the inspection is held against; raises Unread where something is not known, Refused for too many modules."""
    if len(seen.modules) >= MODULE_PAGE:
        raise Refused(f"the Safe has {MODULE_PAGE} modules or more: who acts for it cannot be shown", NOTHING_DONE)
    slots = ["guard"]
    if parse_version(seen.version) >= FIRST_WITH_MODULE_GUARD:
        slots.append("module-guard")
    named = [one for slot in place.deployment.slots.values() for one in slot.addresses.values()]
    with_code = [one for one in incoming if demand(f"the code at {one}", seen.snapshot.value(CodeRead(one)))]
    contacts = tuple(one.owner for one in place.deployment.contacts)
    return Ground(
        place.chain_id,
        seen.version,
        seen.nonce,
        seen.owners,
        seen.threshold,
        code_hash,
        seen.modules,
        tuple(one for one in map(seen.held, slots) if one != ZERO),
        tuple(with_code),
        (*named, *contacts),
        contacts,
    )


def read_opinion(place: Place, tx: SafeTx) -> tuple[str, str | None]:
    """The Safe's own hash of the transaction, and the hash of the code it would call (None: not read)."""
    read, code = CallRead(tx.safe, TRANSACTION_HASH, (*tx.arguments, tx.nonce)), CodeRead(tx.to)
    snapshot = place.reader.read([read, code])
    by_contract = cast(bytes, demand("the Safe's own transaction hash", snapshot.value(read)))
    found = snapshot.value(code)
    return to_hex(by_contract), None if isinstance(found, Missing) else to_hex(keccak(cast(bytes, found)))
