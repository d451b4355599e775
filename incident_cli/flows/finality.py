"""An execution counts once the chain will not take it back: so many blocks deep as the deployment states."""

from __future__ import annotations

from incident_cli.errors import NotProven, Waiting
from incident_cli.evm import Block
from incident_cli.flows.following import FINALITY
from incident_cli.flows.leg import Leg
from incident_cli.flows.session import Session
from incident_cli.incident.events import Kind


def require_final(session: Session, leg: Leg) -> None:
    """Return once the execution lies as deep as the chain's `finality` says, and is still what the chain has there;
    without a depth, once it still is.

    Raises Waiting while it is not deep enough, NotProven where a reorganisation took it back: the leg is then carried
    on from its delivery, and the same transaction is looked for again.
    """
    executed, depth = leg.executed, session.bound.deployment.chains[session.reader.chain].finality
    if executed is None or executed.block is None:
        return
    block = executed.block
    head = session.reader.read([]).block
    if session.reader.block(block.number).hash != block.hash:
        revoke(session, leg, block)
    if head.number - block.number < depth:
        deep = head.number - block.number
        words = f"executed in block {block.number} of {block.chain}; it counts {depth} blocks later, {deep} so far"
        raise Waiting(words, FINALITY, "resume: it is looked at again")


def revoke(session: Session, leg: Leg, block: Block) -> None:
    """Record that the execution is gone; raises NotProven."""
    words = f"a reorganisation took the execution back: block {block.number} of {block.chain} is another one now"
    leg.record(session, Kind.FAILED, problem=words, revoked=True)
    session.screen.say(words, "bad")
    raise NotProven(words, "the market is NOT proven contained; resume: the same transaction is looked for again")
