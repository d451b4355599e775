"""What is dangerous about a transaction that should be a rotation: it must be exactly the decided calls of the Safe to
itself, and what was decided must not weaken the Safe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from incident_cli.evm import Address
from incident_cli.safe.batch import InnerCall, is_batch
from incident_cli.safe.finding import InspectionFinding, refused, warned
from incident_cli.safe.inspect import (
    compare,
    inspect_delegatecall,
    inspect_nonce,
    inspect_place,
    inspect_refund,
    inspect_version,
    name_of,
)
from incident_cli.safe.lookalike import ends_of
from incident_cli.safe.rotation import OWNER_FUNCTIONS, Rotation
from incident_cli.safe.transaction import CALL, SafeTx
from incident_cli.safe.unfolding import unfold

WEAKENS = "rotation-weakens"
LONG_LIKE = 8  # digits at one end alone that are no chance

# code → what it means and why; `incident explain CODE` prints it
EXPLANATIONS: Mapping[str, str] = MappingProxyType(
    {
        "rotation-foreign": "A rotation is the Safe's own change of its owners or threshold, without value. Anything"
        " else beside it (a module, a guard, a handler, a call elsewhere) is refused.",
        "rotation-stale": "The Safe's owners or threshold are not those that the rotation was decided for: somebody"
        " changed them since. It must be decided again.",
        WEAKENS: "After it one key alone acts for the Safe, or fewer than a majority of its owners, and before it that"
        " was not so. Whoever signs must allow it themself, with `--weaken`; what the file says of it is not asked.",
        "rotation-weak": "After it one key alone acts for the Safe, or fewer than a majority of its owners. It was no"
        " better before: a higher threshold could come with the rotation.",
        "rotation-owners": "It changes who controls the Safe. Compare everybody who goes and comes, in whole, with what"
        " the owners decided, by another road than the one the file came by.",
        "rotation-claims": "Who goes is read from the calls of the transaction. The file says otherwise: whoever wrote"
        " it wants another to sign, or not to sign.",
        "rotation-unread": "A rotation is judged by the Safe's present owners and threshold. Without the chain only"
        " its calls are seen, and a call that changes owners is refused.",
        "rotation-lookalike": "A new owner's address looks like one that is known here: it may have been made to. An"
        " address is compared in whole, by another road than the one it came by.",
        "rotation-contract": "There is code at a new owner's address: a contract's signature, or a delegated account"
        " (EIP-7702). It signs in another way, and its code may change.",
        "rotation-stranger": "A new owner is in no contact of the deployment: nobody could be called to sign.",
        "rotation-module": "A module acts for the Safe without any signature, whoever owns it: a rotation does not stop"
        " it, and it may undo the rotation.",
        "rotation-guard": "A guard is asked before every execution: whoever controls it can stop the rotation.",
    }
)


@dataclass(frozen=True, slots=True)
class Ground:
    """What the chain says of the Safe, and what the deployment knows.

    `with_code`: the new owners at whose address there is code; `known`: addresses that a new owner must not look like;
    `contacts`: owners who can be reached (none: nothing is declared). The code hash at `tx.to` is None if not read.
    """

    chain_id: int
    version: str
    nonce: int
    owners: tuple[Address, ...]
    threshold: int
    multisend_code_hash: str | None = None
    modules: tuple[Address, ...] = ()
    guards: tuple[Address, ...] = ()
    with_code: tuple[Address, ...] = ()
    known: tuple[Address, ...] = ()
    contacts: tuple[Address, ...] = ()


def inspect_rotation(
    tx: SafeTx, decided: Rotation, ground: Ground, *, weaken: bool = False
) -> tuple[InspectionFinding, ...]:
    """Every finding about a transaction that should be exactly this rotation of the Safe as it stands now.

    `weaken`: whoever asks allows a threshold below 2, or below the majority, in so many words.
    """
    findings = [
        *inspect_place(tx, ground.chain_id, decided.safe),
        *inspect_version(tx, ground.version),
        *inspect_nonce(tx.nonce, ground.nonce),
        *inspect_refund(tx),
        *inspect_delegatecall(tx, ground.multisend_code_hash),
        *inspect_standing(decided, ground),
        *inspect_threshold(decided, ground, weaken),
        *inspect_newcomers(decided, ground),
        *inspect_bystanders(ground),
    ]
    unfolded = unfold(tx)
    findings += [refused("bad-batch", problem) for problem in unfolded.problems]
    for made in unfolded.calls:
        findings += inspect_owner_call(made.call, decided.safe)
    own = [one.call for one in unfolded.calls if not one.depth]
    return (*findings, *compare(own, decided.calls, tx))


def inspect_owner_call(call: InnerCall, safe: Address) -> Iterator[InspectionFinding]:
    """One call: of the Safe to itself, to one of its four functions about owners."""
    if call.operation != CALL:
        yield refused("inner-operation", f"the call to {call.to} has operation {call.operation}, it must be 0")
    if is_batch(call.data):
        yield refused("nested-batch", f"the call to {call.to} is a batch of further calls")
    if call.to != safe:
        yield refused("rotation-foreign", f"it calls {call.to}, which is not the Safe: {name_of(call.data)}")
    elif call.data[:4] not in OWNER_FUNCTIONS:
        yield refused("rotation-foreign", f"it calls no function about owners: {name_of(call.data)}")
    if call.value:
        yield refused("rotation-foreign", f"it sends {call.value} wei")


def inspect_standing(decided: Rotation, ground: Ground) -> Iterator[InspectionFinding]:
    """The Safe as it was decided for."""
    if decided.owners != ground.owners:
        yield refused(
            "rotation-stale", f"it was decided for the owners {', '.join(decided.owners)}; the Safe has others"
        )
    if decided.threshold != ground.threshold:
        words = f"it was decided for a threshold of {decided.threshold}, the Safe's is {ground.threshold}"
        yield refused("rotation-stale", words)


def inspect_threshold(decided: Rotation, ground: Ground, weaken: bool) -> Iterator[InspectionFinding]:
    """Not one key alone, and a majority: unless it was no better before, as the chain says, or it is allowed."""
    before, after = ground.threshold, decided.new_threshold
    of_before, of_after = len(ground.owners), len(decided.owners_after)
    found, own = (warned, "") if weaken else (refused, "; only whoever signs allows that, by `safe sign --weaken`")
    if after < 2:
        words = f"one key alone would act for the Safe (before: {before} of {of_before})"
        worse = before >= 2
    elif 2 * after <= of_after:
        words = f"{after} of {of_after} owners is no majority (before: {before} of {of_before})"
        worse = 2 * before > of_before or after < before
    else:
        return
    yield found(WEAKENS, words + own) if worse else warned("rotation-weak", words)


def inspect_newcomers(decided: Rotation, ground: Ground) -> Iterator[InspectionFinding]:
    """New owners who look like nobody else, and can sign and be reached."""
    known = dict.fromkeys((*decided.owners, decided.safe, *ground.known))
    for place, new in enumerate(decided.incoming):
        for other in (*known, *decided.incoming[:place]):
            if is_lookalike(new, other):
                yield refused("rotation-lookalike", f"the new owner {new} looks like {other}, and is another")
        if new in ground.with_code:
            yield warned("rotation-contract", f"there is code at the new owner {new}")
        if ground.contacts and new not in ground.contacts:
            yield warned("rotation-stranger", f"the new owner {new} is in no contact of the deployment")


def inspect_bystanders(ground: Ground) -> Iterator[InspectionFinding]:
    """Who acts beside the owners."""
    for one in ground.modules:
        yield warned("rotation-module", f"the module {one} acts for the Safe without signatures")
    for one in ground.guards:
        yield warned("rotation-guard", f"the guard {one} is asked before an execution")


def is_lookalike(one: Address, other: Address) -> bool:
    """Whether two different addresses agree at both ends, where people look, or for long at one."""
    a, b = one[2:].lower(), other[2:].lower()
    if a == b:
        return False
    return ends_of(one) == ends_of(other) or a[:LONG_LIKE] == b[:LONG_LIKE] or a[-LONG_LIKE:] == b[-LONG_LIKE:]
