"""Delegates of a Safe's owners in its transaction service: they may propose, never confirm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from incident_cli.errors import Misused, Refused
from incident_cli.evm import Address
from incident_cli.flows.clock import Clock
from incident_cli.flows.multisig.authority import require_owner
from incident_cli.flows.multisig.standing import read_chain_side
from incident_cli.safe.signing import Signer, signed_by
from incident_cli.safe.typed_data import delegate_typed_data, totp_of

if TYPE_CHECKING:
    from incident_cli.flows.multisig.place import Place
    from incident_cli.safe.service import TransactionService


@dataclass(frozen=True, slots=True)
class Delegate:
    """Who may propose for which owner. `counts` is False where that owner is none (any more)."""

    address: Address
    owner: Address
    label: str
    expires: str | None
    counts: bool

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "delegate": self.address,
            "owner": self.owner,
            "label": self.label,
            "expires": self.expires,
            "owner_is_current": self.counts,
        }


def delegates_of(place: Place, service: TransactionService) -> tuple[Delegate, ...]:
    """Every delegate that the service lists, with whether its owner is one now."""
    owners = read_chain_side(place)[0].owners
    return tuple(
        Delegate(one.delegate, one.delegator, one.label, one.expires, one.delegator in owners)
        for one in service.delegates(place.safe)
    )


def add(
    place: Place, service: TransactionService, signer: Signer, delegate: Address, label: str, *, clock: Clock
) -> Delegate:
    """Let `delegate` propose for the signer, who must be an owner; read back by the service's client."""
    require_addable(place, signer, delegate)
    service.add_delegate(place.safe, delegate, signer.address, label, signature(place, signer, delegate, clock))
    return Delegate(delegate, signer.address, label, None, True)


def require_addable(place: Place, signer: Signer, delegate: Address) -> None:
    """Raises Refused where the signer is no owner, Misused where the delegate is one."""
    owners = read_chain_side(place)[0].owners
    require_owner(owners, signer.address, place.safe)
    if delegate in owners:
        raise Misused(f"{delegate} is an owner: it proposes and confirms by itself", "name another account")


def remove(
    place: Place,
    service: TransactionService,
    signer: Signer,
    delegate: Address,
    *,
    owner: Address | None = None,
    clock: Clock,
) -> Delegate:
    """Take the right away again: signed by the owner who gave it, or by the delegate itself (then `owner` is named).

    An owner who was rotated out may do so too: nothing is asked of the Safe.
    """
    giver = owner or signer.address
    if signer.address not in (giver, delegate):
        raise Refused(f"{signer.address} is neither {giver} nor {delegate}", "one of the two signs this; nothing was")
    listed = [one for one in service.delegates(place.safe) if (one.delegate, one.delegator) == (delegate, giver)]
    if not listed:
        raise Refused(f"{delegate} is no delegate of {giver} in this Safe", "`incident safe delegate list` shows them")
    service.remove_delegate(place.safe, delegate, giver, signature(place, signer, delegate, clock))
    return Delegate(delegate, giver, listed[0].label, listed[0].expires, False)


def signature(place: Place, signer: Signer, delegate: Address, clock: Clock) -> bytes:
    """The signature over the delegate and the hour it is given in."""
    return signed_by(signer, delegate_typed_data(place.chain_id, delegate, totp_of(clock.now().timestamp())))
