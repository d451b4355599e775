"""Who a signer is to a Safe: an owner, whose signature confirms; a delegate, whose signature only proposes; nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from incident_cli.errors import Refused
from incident_cli.evm import Address

if TYPE_CHECKING:
    from incident_cli.safe.service import TransactionService


@dataclass(frozen=True, slots=True)
class Role:
    """What a signer is; a delegate proposes for `owner`."""

    kind: Literal["owner", "delegate"]
    owner: Address


def require_owner(owners: Sequence[Address], signer: Address, safe: Address) -> None:
    """Refused unless the signer is an owner now; asked before anything is signed."""
    if signer not in owners:
        raise Refused(
            f"{signer} is no owner of the Safe {safe}",
            f"nothing was signed; the owners are {', '.join(owners)}",
        )


def role_of(
    owners: Sequence[Address],
    service: TransactionService | None,
    safe: Address,
    signer: Address,
    on_behalf_of: Address | None = None,
) -> Role:
    """The signer's role; raises Refused where it is neither an owner nor a registered delegate of a present owner.

    `on_behalf_of` names the owner whose delegate it must be.
    """
    if on_behalf_of is None and signer in owners:
        return Role("owner", signer)
    if on_behalf_of is not None:
        require_owner(owners, on_behalf_of, safe)
    listed = service.delegates(safe) if service is not None else ()
    for one in listed:
        if one.delegate == signer and one.delegator in owners and on_behalf_of in (None, one.delegator):
            return Role("delegate", one.delegator)
    whose = f"delegate of {on_behalf_of}" if on_behalf_of else "delegate of an owner"
    raise Refused(
        f"{signer} is {'no' if on_behalf_of else 'no owner and no'} registered {whose} of the Safe {safe}",
        "nothing was signed; an owner registers one with `incident safe delegate add`",
    )
