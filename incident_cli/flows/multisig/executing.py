"""Bringing a signed Safe transaction onto the chain: simulated, intended, sent, looked for, and read back at a depth.

The intent (the raw bytes) is handed to the caller before anything is sent. After an interruption the caller hands the
intents back as `earlier`: the same bytes are sent again. `advance_execution` takes one step and never waits; `execute`
takes one after another until it is included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from incident_cli.chain.execution import Execution
from incident_cli.chain.fees import CAP
from incident_cli.errors import NotProven, Unread, Waiting
from incident_cli.evm import CallRead
from incident_cli.flows.clock import Clock
from incident_cli.flows.multisig.broadcasting import attempt_of
from incident_cli.flows.multisig.journey import Found, Journey, look
from incident_cli.flows.multisig.sending import go_on
from incident_cli.flows.proposal import SAFE_READS
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.signing import Signer
from incident_cli.safe.transaction import SafeTx

if TYPE_CHECKING:
    from incident_cli.flows.multisig.place import Place

POLL_SECONDS = 3.0
BUMP_SECONDS = 45.0  # about four blocks of Ethereum without inclusion
PATIENCE_SECONDS = 600.0
SAY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Road:
    """How it is sent: each `poll` it is looked for, after `bump` seconds the fee is raised, after `patience` waiting
    ends (it may still be included). It counts at `depth` blocks. With `private_url` only that node gets it at first;
    the public nodes do with the first raised fee. `cap` is the most that is paid, in wei per gas; `gas_used` what a
    simulation with plenty of gas used (0: not known)."""

    private_url: str | None = None
    depth: int = 0
    poll: float = POLL_SECONDS
    bump: float = BUMP_SECONDS
    patience: float = PATIENCE_SECONDS
    cap: int = CAP
    gas_used: int = 0


def advance_execution(
    place: Place,
    tx: SafeTx,
    packed: bytes | None,
    broadcaster: Signer,
    *,
    intent: Callable[[bytes], None],
    sent: Callable[[str], None],
    say: Callable[[str], None] = lambda words: None,
    road: Road | None = None,
    earlier: Sequence[bytes] = (),
    idle: float = 0.0,
) -> Execution | None:
    """One step of an execution, which never waits: the evidence at the road's depth; None while it is not included.

    It looks for every attempt in `earlier` (the intents so far, oldest first), and sends what is due: the first one,
    the same bytes again where no node knows them, or the same with a higher fee once `idle` (seconds since the last of
    `earlier` was intended) reaches the road's `bump`. An attempt of another broadcaster is looked for and sent again,
    never outbid; this broadcaster begins its own once `idle` reaches `bump`, or where the other's cannot succeed.
    `packed` are the signatures collected now, None where they do not suffice: then nothing new is begun. `intent` gets
    new raw bytes before they are sent; `sent` may get one hash again, and `say` the same words, at each step.

    An attempt that was mined and reverted is returned as evidence (status 0): the caller leaves it out of `earlier`
    once that is recorded, and a next step tries again. Raises Unpayable (a Refused) where the broadcaster lacks the
    money, Refused where it would fail or another transaction took the nonce, Unread where the chain does not show it.
    """
    journey = journey_of(place, tx, broadcaster, intent, sent, say, road or Road(), earlier)
    found = step(journey, packed, idle)
    if found is None or missing_depth(journey, found[1]) > 0:
        return None
    return proven(journey, *found)


def execute(
    place: Place,
    tx: SafeTx,
    packed: bytes,
    broadcaster: Signer,
    *,
    intent: Callable[[bytes], None],
    sent: Callable[[str], None],
    clock: Clock,
    say: Callable[[str], None] = lambda words: None,
    road: Road | None = None,
    earlier: Sequence[bytes] = (),
) -> Execution:
    """The evidence of the execution, at the road's depth; `advance_execution`, step after step.

    `intent` gets the raw transaction before it is sent (the caller makes it durable), `sent` its hash afterwards, `say`
    progress in words. `earlier` are intents of a process that ended. Raises Refused where it would fail (nothing was
    sent), Waiting where it is not included yet, Unread, NotProven where a reorganisation took it back.
    """
    journey = journey_of(place, tx, broadcaster, intent, sent, say, road or Road(), earlier)
    reverted = {hash_ for hash_, found in journey.mined() if found.status == 0}  # they may be tried again
    journey.attempts = [one for one in journey.attempts if one.hash not in reverted]
    found = wait(journey, packed, clock)
    while missing_depth(journey, found[1]) > 0:
        clock.sleep(journey.road.poll)
    return proven(journey, *found)


def journey_of(
    place: Place,
    tx: SafeTx,
    broadcaster: Signer,
    intent: Callable[[bytes], None],
    sent: Callable[[str], None],
    say: Callable[[str], None],
    road: Road,
    earlier: Sequence[bytes],
) -> Journey:
    """The execution with the attempts so far; raises Misused where one of them is none."""
    attempts = [attempt_of(raw) for raw in earlier]
    return Journey(place, tx, hash_transaction(tx).safe_tx_hash, broadcaster, intent, sent, say, road, attempts)


def step(journey: Journey, packed: bytes | None, idle: float) -> Found | None:
    """What was included; where nothing was, what is due is sent and looked for once more."""
    found = look(journey)
    return look(journey) if found is None and go_on(journey, packed, idle) else found


def wait(journey: Journey, packed: bytes, clock: Clock) -> Found:
    """Until an attempt is mined; raises Waiting when patience ends. A chain that cannot be read for a moment is asked
    again, once something was sent."""
    waited = idle = 0.0
    while True:
        count, problem = len(journey.attempts), ""
        try:
            found = step(journey, packed, idle)
            if found is not None:
                return found
        except Unread as unread:
            if waited == 0 or waited >= journey.road.patience:
                raise
            problem = f": {unread.message}"
        if waited >= journey.road.patience:
            raise not_included(journey, waited)
        if len(journey.attempts) > count or idle >= journey.road.bump:
            idle = 0.0
        if waited % SAY_SECONDS < journey.road.poll:
            journey.say(f"sent {journey.attempts[-1].hash}; not included after {waited:.0f} s{problem}")
        clock.sleep(journey.road.poll)
        waited, idle = waited + journey.road.poll, idle + journey.road.poll


def not_included(journey: Journey, waited: float) -> Waiting:
    """It was sent, and nobody knows when it is included."""
    return Waiting(
        f"{journey.attempts[-1].hash} was sent and is not included after {waited:.0f} s",
        "inclusion",
        "run it again: the same transaction is looked for and sent again; the Safe executes it once, whoever sends",
    )


def missing_depth(journey: Journey, evidence: Execution) -> int:
    """How many blocks are still missing above the one that includes it; said where there are any."""
    if evidence.block is None or not journey.road.depth:
        return 0
    head = journey.place.reader.read([CallRead(journey.tx.safe, SAFE_READS["nonce"])]).block.number
    depth = head - evidence.block.number
    if depth < journey.road.depth:
        journey.say(f"included in block {evidence.block.number}; {depth} of {journey.road.depth}")
    return journey.road.depth - depth


def proven(journey: Journey, transaction_hash: str, evidence: Execution) -> Execution:
    """The evidence, read again now, with the Safe's nonce past it; raises NotProven where it is gone."""
    again = journey.evidence_of(transaction_hash)
    if not again.mined or again.block != evidence.block:
        raise NotProven(
            f"a reorganisation took {transaction_hash} back: it is not in the block that held it",
            "run it again: the same transaction is looked for and sent again",
        )
    if again.succeeded:
        require_spent(journey)
    return again


def require_spent(journey: Journey) -> None:
    """NotProven unless the Safe's nonce lies past this transaction's."""
    read = CallRead(journey.tx.safe, SAFE_READS["nonce"])
    answer = journey.place.reader.read([read]).value(read)
    if not isinstance(answer, int) or answer <= journey.tx.nonce:
        raise NotProven(
            f"the receipt states success, but the Safe's nonce reads {answer}",
            "ask another node: this one contradicts itself",
        )
