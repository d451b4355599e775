"""Bringing a signed Safe transaction onto the chain: simulated, intended, sent, waited for, and read back at a depth.

The intent (the raw bytes) is handed to the caller before anything is sent. After an interruption the caller hands the
intents back as `earlier`: the same bytes are sent again, never a second transaction beside them, since every attempt
uses the same nonce of the broadcaster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from incident_cli.chain.execution import Execution, execution_of
from incident_cli.chain.fees import CAP, Quote, quote
from incident_cli.errors import NotProven, Refused, Unread, Waiting
from incident_cli.evm import CallRead
from incident_cli.flows.clock import Clock
from incident_cli.flows.multisig.broadcasting import Attempt, attempt_of, send_everywhere
from incident_cli.flows.multisig.fate import settle
from incident_cli.flows.multisig.readiness import ready
from incident_cli.flows.proposal import SAFE_READS
from incident_cli.safe.execution_data import execution_data
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.signing import Signer, raw_by
from incident_cli.safe.transaction import SafeTx

if TYPE_CHECKING:
    from incident_cli.flows.multisig.place import Place

POLL_SECONDS = 3.0
BUMP_SECONDS = 45.0  # about four blocks of Ethereum without inclusion
MOST_BUMPS = 6
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


@dataclass(slots=True)
class Journey:
    """One execution on its way: who is told what, and every attempt so far."""

    place: Place
    tx: SafeTx
    safe_tx_hash: str
    broadcaster: Signer
    intent: Callable[[bytes], None]
    sent: Callable[[str], None]
    say: Callable[[str], None]
    clock: Clock
    road: Road
    attempts: list[Attempt] = field(default_factory=list)

    def evidence(self) -> tuple[str, Execution] | None:
        """The attempt that was mined, if one was."""
        for one in reversed(self.attempts):
            found = execution_of(
                self.place.reader.endpoint, self.place.chain, self.tx.safe, self.safe_tx_hash, one.hash
            )
            if found.mined:
                return one.hash, found
        return None

    def dispatch(self, attempt: Attempt, *, known: bool = False) -> None:
        """Intend, then send; `known` intents are on the disk already."""
        if not known:
            self.intent(attempt.raw)
        self.attempts.append(attempt)
        private = self.road.private_url if len(self.attempts) == 1 else None
        self.sent(send_everywhere(self.place, attempt, private))

    def priced(self, data: bytes, replacing: Attempt | None = None) -> Quote:
        """The transaction with the fees of now; raises Refused where it would revert or cannot be paid."""
        place, road = self.place, self.road
        outgoing = None if replacing is None else replacing.outgoing
        rest = {"used": road.gas_used, "cap": road.cap}
        endpoint, sender = place.reader.endpoint, self.broadcaster.address
        return quote(endpoint, place.chain_id, sender, self.tx.safe, data, replacing=outgoing, **rest)


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
    """The evidence of the execution, at the road's depth.

    `intent` gets the raw transaction before it is sent (the caller makes it durable), `sent` its hash afterwards, `say`
    progress in words. `earlier` are intents of a process that ended. Raises Refused where it would fail (nothing was
    sent), Waiting where it is not included yet, Unread, NotProven where a reorganisation took it back.
    """
    safe_tx_hash = hash_transaction(tx).safe_tx_hash
    journey = Journey(place, tx, safe_tx_hash, broadcaster, intent, sent, say, clock, road or Road())
    journey.attempts = [attempt_of(raw) for raw in earlier]
    found = journey.evidence()
    if found is not None and found[1].status == 0:  # it reverted, the Safe's nonce is not spent: it may be tried again
        journey.attempts, found = [], None
    if found is None:
        begin(journey, packed)
        found = wait(journey)
    return settled(journey, *found)


def begin(journey: Journey, packed: bytes) -> None:
    """Send it: the latest earlier intent again where its nonce is still free, else a new one."""
    shown = ready(journey.place, journey.tx, packed, journey.broadcaster.address)
    if shown.state != "passed":
        words = shown.reason or "the node does not say why"
        raise Refused(
            f"with the collected signatures the execution would fail: {words}"
            if shown.state == "failed"
            else f"the execution could not be simulated: {words}",
            "nothing was sent; `incident safe status` shows what stands",
        )
    priced = journey.priced(execution_data(journey.tx, packed))
    last = journey.attempts[-1] if journey.attempts else None
    if last is not None and last.outgoing.nonce >= priced.sender.nonce - priced.sender.waiting:
        journey.say(f"sending the same transaction again: {last.hash}")
        journey.attempts.pop()
        journey.dispatch(last, known=True)
        return
    journey.dispatch(attempt_of(raw_by(journey.broadcaster, priced.outgoing)))


def wait(journey: Journey) -> tuple[str, Execution]:
    """Until an attempt is mined; raises the fee when that takes long; raises Waiting when patience ends."""
    waited = since_bump = 0.0
    bumps = 0
    while True:
        found = journey.evidence() or by_others(journey)
        if found is not None:
            return found
        if waited >= journey.road.patience:
            raise Waiting(
                f"{journey.attempts[-1].hash} was sent and is not included after {waited:.0f} s",
                "inclusion",
                "run it again: the same transaction is looked for and sent again, never a second one",
            )
        if since_bump >= journey.road.bump and bumps < MOST_BUMPS:
            bumps, since_bump = bumps + 1, 0.0
            raise_fee(journey)
        if waited % SAY_SECONDS < journey.road.poll:
            journey.say(f"sent {journey.attempts[-1].hash}; not included after {waited:.0f} s")
        journey.clock.sleep(journey.road.poll)
        waited, since_bump = waited + journey.road.poll, since_bump + journey.road.poll


def raise_fee(journey: Journey) -> None:
    """The same transaction at the same nonce with a fee that nodes take as a replacement."""
    last = journey.attempts[-1]
    try:
        outgoing = journey.priced(last.outgoing.data, last).outgoing
        journey.say(f"raising the fee to {outgoing.max_fee} wei per gas")
        journey.dispatch(attempt_of(raw_by(journey.broadcaster, outgoing)))
    except (Refused, Unread) as problem:  # the one before may have been included meanwhile
        journey.say(f"the raised fee was not taken: {problem.message}")


def by_others(journey: Journey) -> tuple[str, Execution] | None:
    """The execution by somebody else, where the Safe's nonce moved on meanwhile; raises Refused where another
    transaction took the nonce: ours can only revert, and changes nothing."""
    tx, read = journey.tx, CallRead(journey.tx.safe, SAFE_READS["nonce"])
    snapshot = journey.place.reader.read([read])
    nonce = snapshot.value(read)
    if not isinstance(nonce, int) or nonce <= tx.nonce:
        return None
    found = settle(journey.place, tx, journey.safe_tx_hash, nonce, snapshot.block.number, None)
    if found.transaction_hash is None:
        raise Refused(
            f"another transaction took nonce {tx.nonce} of the Safe while {journey.attempts[-1].hash} was on its way",
            "it can only revert now; `incident safe queue` shows what stands next",
        )
    if all(one.hash != found.transaction_hash for one in journey.attempts):
        journey.say(f"somebody else executed it: {found.transaction_hash}")
    endpoint, chain = journey.place.reader.endpoint, journey.place.chain
    return found.transaction_hash, execution_of(endpoint, chain, tx.safe, journey.safe_tx_hash, found.transaction_hash)


def settled(journey: Journey, transaction_hash: str, evidence: Execution) -> Execution:
    """The evidence once it lies deep enough, read again there, with the Safe's nonce past it."""
    while evidence.block is not None:
        head = journey.place.reader.read([CallRead(journey.tx.safe, SAFE_READS["nonce"])]).block.number
        if head - evidence.block.number >= journey.road.depth:
            break
        journey.say(
            f"included in block {evidence.block.number}; {head - evidence.block.number} of {journey.road.depth}"
        )
        journey.clock.sleep(journey.road.poll)
    again = execution_of(
        journey.place.reader.endpoint, journey.place.chain, journey.tx.safe, journey.safe_tx_hash, transaction_hash
    )
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
