"""Confirmations of one Safe transaction: where each was found, of what kind it is, and why one does not count.

A confirmation count is not proof: a signature counts once it recovers to a present owner, an approval once it stands
on chain, a contract's signature once that contract accepts it in the form in which this Safe's version asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from incident_cli.abi import parse_signature
from incident_cli.errors import IncidentError
from incident_cli.evm import Address, CallRead, Missing, Snapshot, hex_bytes
from incident_cli.safe import contracts
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.signatures import (
    CONTRACT,
    LENGTH,
    PRE_VALIDATED,
    claimed_owner,
    contract_data,
    owner_of,
    pre_validated,
)
from incident_cli.safe.transaction import SafeTx, parse_version
from incident_cli.text import plain

Road = Literal["service", "file", "chain"]
APPROVED_HASHES = parse_signature(contracts.APPROVED_HASHES)
HASH_CHECK_SINCE = (1, 5, 0)  # from here on a contract owner is asked about the hash, before about its preimage
LEGACY_MAGIC, LEGACY_CHECK = (
    bytes.fromhex("20c13b0b"),
    parse_signature("isValidSignature(bytes data, bytes signature) view returns (bytes4)"),
)
MAGIC, CHECK = (
    bytes.fromhex("1626ba7e"),
    parse_signature("isValidSignature(bytes32 hash, bytes signature) view returns (bytes4)"),
)
WORDS = {1: "approval on chain", 0: "contract signature", 31: "eth_sign signature", 32: "eth_sign signature"}


@dataclass(frozen=True, slots=True)
class Given:
    """A signature as it was handed over: who is said to have made it, by which road it came."""

    owner: Address
    signature: bytes
    road: Road


@dataclass(frozen=True, slots=True)
class Confirmation:
    """One owner's confirmation that counts."""

    owner: Address
    signature: bytes
    road: Road

    @property
    def kind(self) -> str:
        """What it is, in words."""
        return WORDS.get(self.signature[64], "signature")


@dataclass(frozen=True, slots=True)
class Invalid:
    """What was handed over as a confirmation and does not count, and why."""

    owner: Address
    road: Road
    reason: str


def reads_of(tx: SafeTx, owners: Sequence[Address], given: Sequence[Given]) -> list[CallRead]:
    """What must be read to judge confirmations: every owner's approval, and what contracts say of their signatures."""
    contract_reads = [read for one in given if (read := contract_read(tx, one.signature)) is not None]
    return [*(approval_read(tx, owner) for owner in owners), *contract_reads]


def approval_read(tx: SafeTx, owner: Address) -> CallRead:
    """Whether an owner approved this hash on chain."""
    return CallRead(tx.safe, APPROVED_HASHES, (owner, hex_bytes(hash_transaction(tx).safe_tx_hash)))


def contract_read(tx: SafeTx, signature: bytes) -> CallRead | None:
    """The question that this Safe's version puts to a contract owner; None for other or broken signatures."""
    if len(signature) < LENGTH or signature[64] != CONTRACT:
        return None
    try:
        owner, data = claimed_owner(signature), contract_data(signature)
    except IncidentError:
        return None
    hashes = hash_transaction(tx)
    if parse_version(tx.version) >= HASH_CHECK_SINCE:
        return CallRead(owner, CHECK, (hex_bytes(hashes.safe_tx_hash), data))
    preimage = b"\x19\x01" + hex_bytes(hashes.domain_hash) + hex_bytes(hashes.message_hash)
    return CallRead(owner, LEGACY_CHECK, (preimage, data))


def judged(
    tx: SafeTx, owners: Sequence[Address], given: Iterable[Given], seen: Snapshot
) -> tuple[tuple[Confirmation, ...], tuple[Invalid, ...]]:
    """The confirmations that count, one an owner in the owners' order, and what does not count.

    An owner's own signature is preferred to an approval: it needs nothing that stands on chain.
    """
    found: dict[Address, Confirmation] = {}
    invalid: list[Invalid] = []
    for one in given:
        reason = problem_of(tx, owners, one, seen)
        if reason:
            invalid.append(Invalid(one.owner, one.road, reason))
        elif one.owner not in found:
            found[one.owner] = Confirmation(one.owner, one.signature, one.road)
    for owner in approvers(tx, owners, seen):
        found.setdefault(owner, Confirmation(owner, pre_validated(owner), "chain"))
    return tuple(found[owner] for owner in owners if owner in found), tuple(invalid)


def approvers(tx: SafeTx, owners: Sequence[Address], seen: Snapshot) -> Iterator[Address]:
    """The owners whose approval of this hash stands on chain."""
    for owner in owners:
        answer = seen.value(approval_read(tx, owner))
        if isinstance(answer, int) and answer > 0:
            yield owner


def problem_of(tx: SafeTx, owners: Sequence[Address], one: Given, seen: Snapshot) -> str:
    """Why this does not count, or nothing."""
    signer, problem = signer_of(tx, one.signature)
    if problem:
        return problem
    if signer != one.owner:
        return f"it is not {one.owner}'s: it recovers to {signer}, so another transaction or another key was signed"
    if signer not in owners:
        return "no owner of the Safe now: rotated out, or never one"
    if one.signature[64] == PRE_VALIDATED:
        stands = signer in set(approvers(tx, owners, seen))
        return "" if stands else "it claims an approval on chain, and none stands there"
    return contract_problem(tx, one.signature, seen)


def signer_of(tx: SafeTx, signature: bytes) -> tuple[Address | None, str]:
    """Whose signature it is, or what is wrong with it."""
    try:
        return owner_of(hash_transaction(tx).safe_tx_hash, signature), ""
    except IncidentError as problem:
        return None, problem.message


def contract_problem(tx: SafeTx, signature: bytes, seen: Snapshot) -> str:
    """Why a contract's signature does not count, or nothing; empty for other kinds."""
    read = contract_read(tx, signature)
    if read is None:
        return ""
    answer = seen.value(read)
    if isinstance(answer, Missing):
        return f"the contract owner does not accept it as a Safe {tx.version} asks: {plain(answer.reason, 200)}"
    accepted = MAGIC if parse_version(tx.version) >= HASH_CHECK_SINCE else LEGACY_MAGIC
    return "" if answer == accepted else f"the contract owner does not accept it as a Safe {tx.version} asks"


def by_files(signatures: Mapping[Address, bytes]) -> list[Given]:
    """Signatures that came in files."""
    return [Given(owner, signature, "file") for owner, signature in signatures.items()]
