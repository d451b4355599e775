"""The rotation of a Safe's owners after a compromise: what exactly is decided, the calls that do it, and what is
dangerous about a transaction that should be it.

A rotation is never part of a containment: `safe/inspect.py` refuses every change of owners, and here everything else is
refused. Nobody who is rotated out may sign it, or anything after it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from types import MappingProxyType
from typing import Any

from incident_cli.abi import parse_signature
from incident_cli.errors import Misused, Refused
from incident_cli.evm import ZERO, Address, Call, parse_address
from incident_cli.safe.contracts import SENTINEL
from incident_cli.text import plain

SCHEMA = "incident.rotation/v1"
MOST = 50  # owners in or out at once
SWAP = parse_signature("swapOwner(address prevOwner, address oldOwner, address newOwner)")
REMOVE = parse_signature("removeOwner(address prevOwner, address owner, uint256 threshold)")
ADD = parse_signature("addOwnerWithThreshold(address owner, uint256 threshold)")
CHANGE = parse_signature("changeThreshold(uint256 threshold)")
OWNER_FUNCTIONS: Mapping[bytes, str] = MappingProxyType(
    {one.selector: one.canonical for one in (SWAP, REMOVE, ADD, CHANGE)}
)
PHRASE_LETTERS = 8
FORM = (
    "A rotation is {safe, owners, threshold, outgoing, incoming, new_threshold}, as `incident safe rotate` writes it."
)


@dataclass(frozen=True, slots=True)
class Rotation:
    """What was decided: of `owners` (in the order of getOwners) who goes, who comes, and how many must sign then."""

    safe: Address
    owners: tuple[Address, ...]
    threshold: int
    outgoing: tuple[Address, ...]
    incoming: tuple[Address, ...]
    new_threshold: int

    @property
    def remaining(self) -> tuple[Address, ...]:
        """Whoever may sign the rotation: the owners who stay."""
        return tuple(one for one in self.owners if one not in self.outgoing)

    @property
    def owners_after(self) -> tuple[Address, ...]:
        """The owners in the order that getOwners will list them."""
        *_, (_, owners) = self.moves()
        return owners

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls of the Safe to itself, in their order."""
        made = tuple(call for call, _ in self.moves())
        ends_right = any(one.signature in (REMOVE, ADD) for one in made) or self.new_threshold == self.threshold
        return made if ends_right else (*made, Call(self.safe, CHANGE, (self.new_threshold,)))

    @property
    def phrase(self) -> str:
        """What must be typed: the last eight characters of each new owner (where there is none, of each that goes)."""
        return " ".join(one[-PHRASE_LETTERS:] for one in self.incoming or self.outgoing)

    def moves(self) -> Iterator[tuple[Call, tuple[Address, ...]]]:
        """Each call with the owners as they stand after it. One who goes is swapped for one who comes."""
        owners = self.owners
        for gone, new in zip_longest(self.outgoing, self.incoming):
            if gone is None:
                owners = (new, *owners)  # the contract puts a new owner at the head of its list
                must = self.new_threshold if new == self.incoming[-1] else self.threshold
                yield Call(self.safe, ADD, (new, must)), owners
                continue
            at = owners.index(gone)
            before = owners[at - 1] if at else SENTINEL
            if new is None:
                owners = (*owners[:at], *owners[at + 1 :])
                yield Call(self.safe, REMOVE, (before, gone, self.new_threshold)), owners
            else:
                owners = (*owners[:at], new, *owners[at + 1 :])
                yield Call(self.safe, SWAP, (before, gone, new)), owners

    def to_json(self) -> dict[str, Any]:
        """As the proposal file holds it: `from_json` reads it, and the rest is for people."""
        return {
            "safe": self.safe,
            "owners": list(self.owners),
            "threshold": self.threshold,
            "outgoing": list(self.outgoing),
            "incoming": list(self.incoming),
            "new_threshold": self.new_threshold,
            "owners_after": list(self.owners_after),
        }

    @classmethod
    def from_json(cls, record: object) -> Rotation:
        """The rotation of a proposal file, decided again; raises Misused for its form, Refused as `decide` does."""
        if not isinstance(record, Mapping):
            raise Misused("the file holds no rotation", FORM)
        owners, gone, new = (addresses_of(record, name) for name in ("owners", "outgoing", "incoming"))
        (safe,) = addresses_of({"safe": [record.get("safe")]}, "safe")
        threshold, then = record.get("threshold"), record.get("new_threshold")
        if type(threshold) is not int or type(then) is not int:
            raise Misused("a rotation's thresholds are whole numbers", FORM)
        return decide(safe, owners, threshold, outgoing=gone, incoming=new, new_threshold=then)


def addresses_of(record: Mapping[str, object], name: str) -> tuple[Address, ...]:
    """A list of whole, checksummed addresses; raises Misused."""
    found = record.get(name)
    if not isinstance(found, list) or len(found) > 10 * MOST:
        raise Misused(f"a rotation's {name} is a list of addresses", FORM)
    try:
        return tuple(parse_address(one if isinstance(one, str) else "") for one in found)
    except ValueError as problem:
        raise Misused(f"a rotation's {name}: {plain(problem, 200)}", FORM) from problem


def decide(
    safe: Address,
    owners: Sequence[Address],
    threshold: int,
    *,
    outgoing: Sequence[Address],
    incoming: Sequence[Address],
    new_threshold: int | None = None,
) -> Rotation:
    """The rotation of these owners (as getOwners lists them); without `new_threshold` as many must sign as before.

    Raises Misused where nobody goes or comes, Refused where the Safe could not carry it out.
    """
    if not (outgoing or incoming) or max(len(outgoing), len(incoming)) > MOST:
        raise Misused("a rotation names an owner who goes, or one who comes", "Give --out-owner, --in-owner, or both.")
    then = threshold if new_threshold is None else new_threshold
    problems = [*outgoing_problems(owners, outgoing), *incoming_problems(safe, owners, incoming)]
    after = len(owners) - len(outgoing) + len(incoming)
    if not 0 < then <= after:
        problems.append(f"a threshold of {then} is not possible with {after} owners: give --threshold")
    if problems:
        raise Refused(f"this rotation is not possible: {'; '.join(problems)}", "nothing was written or signed")
    return Rotation(safe, tuple(owners), threshold, tuple(outgoing), tuple(incoming), then)


def outgoing_problems(owners: Sequence[Address], outgoing: Sequence[Address]) -> Iterator[str]:
    """Why one of them cannot go."""
    for one in outgoing:
        if one not in owners:
            yield f"{one} is no owner of the Safe (owners: {', '.join(owners)})"
    if len(set(outgoing)) != len(outgoing):
        yield "an owner who goes is named twice"


def incoming_problems(safe: Address, owners: Sequence[Address], incoming: Sequence[Address]) -> Iterator[str]:
    """Why one of them cannot be an owner: so says the contract, and one who goes cannot come back."""
    special = {ZERO: "the zero address", SENTINEL: "the head of the Safe's own list", safe: "the Safe itself"}
    for one in incoming:
        if one in special:
            yield f"{one} is {special[one]}, which can own nothing"
        elif one in owners:
            yield f"{one} is an owner of the Safe already"
    if len(set(incoming)) != len(incoming):
        yield "an owner who comes is named twice"


def require_quorum(rotation: Rotation, modules: Collection[Address]) -> None:
    """Refused where those who stay are too few to execute anything: what then is said, and what not to do."""
    have, need = len(rotation.remaining), rotation.threshold
    if have >= need:
        return
    acting = f"the modules {', '.join(modules)}, which act without signatures" if modules else "no module is enabled"
    raise Refused(
        f"without {', '.join(rotation.outgoing)} only {have} owners remain, and {need} must sign: they cannot rotate",
        f"what is left is a signature of whoever holds that key, and {acting}. Move what the Safe controls to another"
        " Safe by a road that does not need this one (governance, a guardian), and sign nothing beside that key.",
    )


def excluded_of(document: Mapping[str, object]) -> tuple[Address, ...]:
    """Whose signatures a proposal file refuses: its `excluded`, none where it has no such key; raises Misused."""
    return addresses_of(document, "excluded") if "excluded" in document else ()


def without_excluded(signatures: Mapping[Address, bytes], excluded: Collection[Address]) -> dict[Address, bytes]:
    """The signatures but those of an excluded owner, whose key may be in other hands."""
    return {owner: signature for owner, signature in signatures.items() if owner not in excluded}


def refuse_excluded(owners: Collection[Address], excluded: Collection[Address]) -> None:
    """Refused where one of these (who signed, or who would send) is excluded."""
    found = [one for one in owners if one in excluded]
    if found:
        raise Refused(
            f"{', '.join(found)} is being rotated out: the key may be in other hands, its signature is not taken",
            "Take the signatures of the owners who stay; find out who used that key.",
        )
