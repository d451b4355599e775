"""No orphan: an incident does not close while a transaction it let out of its hands can still execute.

What was signed or written for others stays executable until its nonce is spent, whatever the record says of the step.
The same-nonce rejection is prepared, and the incident stays open until the chain shows one of the two, or the operator
leaves the risk in words that are recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from incident_cli.abi import parse_signature
from incident_cli.errors import IncidentError, Refused, Unread, Waiting
from incident_cli.evm import CallRead, Missing
from incident_cli.flows.desk import Prompt
from incident_cli.flows.recorder import LIVE
from incident_cli.flows.session import Session
from incident_cli.incident.events import Event, Kind, with_plans
from incident_cli.runbook.model import Step
from incident_cli.safe.batch import rejection
from incident_cli.safe.contracts import NONCE
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.transaction import SafeTx

OUT = (Kind.SIGNED, Kind.EXPORTED, Kind.PROPOSED, Kind.SEEN_SIGNED, Kind.ADOPTED)
NONCE_READ = parse_signature(NONCE)
CHOICES = (
    ("stop", "keep the incident open until the rejection, or the transaction itself, is executed"),
    ("leave", "close it all the same: the transaction can be executed later, by anybody who has its signatures"),
)
HELP = (
    "Whoever holds enough signatures can execute it at any time until its nonce is spent. Have the owners sign and "
    "execute the rejection: it does nothing but use up the nonce."
)


@dataclass(frozen=True, slots=True)
class Orphan:
    """A transaction of the incident that can still execute; `chain` is where, `words` what it would do."""

    step: Step
    chain: str
    tx: SafeTx
    safe_tx_hash: str
    words: str
    problem: str = ""


def settle_orphans(session: Session) -> None:
    """Return once none is left, or the operator took the risk; raises Waiting otherwise. Rehearsals leave none."""
    if session.recorder.mode != LIVE:
        return
    for one in orphans(session):
        unknown = f" (the chain could not be asked: {one.problem})" if one.problem else ""
        words = f"{one.safe_tx_hash} of step {one.step.id} can still be executed{unknown}: {one.words}"
        session.screen.say(words, "bad")
        withdraw(session, one)
        prompt = Prompt(one.step.id, "choice", f"{words}. What now?", choices=CHOICES, help=HELP)
        if session.ask(one.step, prompt) != "leave":
            raise Waiting(f"{words}; the incident stays open", "rejection", "owners execute the rejection, then resume")
        why = Prompt(one.step.id, "text", "Why may it be left, and who watches it?")
        reason, hash_ = session.ask(one.step, why), one.safe_tx_hash
        session.record(Kind.RISK_LEFT, one.step, None, hash_, left=hash_, reason=reason)


def orphans(session: Session) -> Iterator[Orphan]:
    """What was let out of our hands, is not executed, and whose nonce is not spent, as the chain shows it now."""
    for plan in let_out(session):
        proposal = plan.data["proposal"]
        tx, step = SafeTx.from_json(proposal["safe_tx"]), session.bound.runbook.step(plan.step or "")
        chain = str(plan.data.get("chain", "")) or (session.own or session.reader).chain
        spent, problem = is_spent(session, chain, tx)
        if not spent:
            said = "; ".join(one["plain"] for one in proposal["calls"])
            yield Orphan(step, chain, tx, proposal["safe_tx_hash"], said, problem)


def let_out(session: Session) -> list[Event]:
    """The plans that left this program and were neither executed nor given up knowingly, oldest first."""
    plans: dict[str, Event] = {}
    for event, plan in with_plans(session.events):
        hash_ = str(plan.data["proposal"]["safe_tx_hash"]) if plan is not None else ""
        if event.kind in OUT and plan is not None:
            plans[hash_] = plan
        elif event.kind in (Kind.EXECUTED, Kind.RISK_LEFT):
            plans.pop(str(event.data.get("left", hash_)), None)
        elif event.kind is Kind.FAILED and event.data.get("revoked") and plan is not None:
            plans[hash_] = plan
    return list(plans.values())


def is_spent(session: Session, chain: str, tx: SafeTx) -> tuple[bool, str]:
    """Whether the Safe's nonce is past this transaction's, as deep as the chain's finality; False with the reason where
    that is not known."""
    read, reader = CallRead(tx.safe, NONCE_READ), session.on(chain).reader
    depth = session.bound.deployment.chains[chain].finality
    try:
        block = reader.below(depth) if depth else None
        if isinstance(block, Missing):
            return False, block.reason
        answer = reader.read_at([read], block).value(read)
    except (Unread, Refused) as problem:
        return False, problem.message
    if isinstance(answer, Missing):
        return False, answer.reason
    return isinstance(answer, int) and answer > tx.nonce, ""


def withdraw(session: Session, one: Orphan) -> None:
    """Prepare the rejection at the same nonce once, and put it where the owners find it; what hinders that is said."""
    tx = rejection(chain_id=one.tx.chain_id, safe=one.tx.safe, version=one.tx.version, nonce=one.tx.nonce)
    hash_ = hash_transaction(tx).safe_tx_hash
    known = [event for event in session.events if event.kind is Kind.REJECTION]
    try:
        where = session.delivery.withdraw(session.on(one.chain), tx)
    except IncidentError as problem:
        session.screen.say(f"its rejection {hash_} could not be written: {problem.message}", "bad")
        return
    if not any(event.data["rejection"] == hash_ for event in known):
        session.record(Kind.REJECTION, one.step, None, one.safe_tx_hash, rejection=hash_, safe_tx=tx.to_json())
    session.screen.say(f"its rejection {hash_} is prepared: {where}", "warn")
