"""From a standing to the signatures that execTransaction takes: exactly as many as the threshold, sorted by owner."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from incident_cli.evm import Address
from incident_cli.flows.multisig.confirmation import Confirmation
from incident_cli.flows.multisig.standing import Standing
from incident_cli.safe.signatures import CONTRACT, ECDSA, pack, pre_validated

NOBODY: Collection[Address] = ()


@dataclass(frozen=True, slots=True)
class Collected:
    """Signatures of `signers`, packed; `missing` is how many more are needed. With `by_sender` they count only in a
    transaction which that owner sends."""

    packed: bytes
    signers: tuple[Address, ...]
    missing: int
    by_sender: bool = False


def collect(standing: Standing, sender: Address, without: Collection[Address] = NOBODY) -> Collected:
    """The signatures to execute with, sent by `sender`; none of the owners in `without` (a suspect's) is used.

    Signatures come before approvals and those before contracts' signatures. The sender's own sending counts, where
    the sender is an owner and one more is needed.
    """
    usable = sorted((one for one in standing.confirmations if one.owner not in without), key=preference)
    chosen = {one.owner: one.signature for one in usable[: standing.threshold]}
    by_sender = len(chosen) < standing.threshold and sender in standing.owners and sender not in {*chosen, *without}
    if by_sender:
        chosen[sender] = pre_validated(sender)
    missing = max(0, standing.threshold - len(chosen))
    return Collected(pack(chosen), tuple(sorted(chosen, key=str.lower)), missing, by_sender)


def preference(one: Confirmation) -> int:
    """Which signatures are taken first: those that anybody can check without asking the chain."""
    v = one.signature[64]
    return 2 if v == CONTRACT else 0 if v in ECDSA else 1
