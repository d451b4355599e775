"""Whether an execution changed what its simulation did not show: a contract may behave otherwise for real."""

from __future__ import annotations

from typing import Any

from incident_cli.chain.state_diff import StateDiff, executed_diff
from incident_cli.chain.undeclared import undeclared
from incident_cli.errors import Unread
from incident_cli.evm import ADDRESS, Address, Block, Missing, checksummed
from incident_cli.flows.session import Session
from incident_cli.transport import Json, Request, RpcError

TRACER: Json = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}


def compare_execution(session: Session, proposal: dict[str, Any], sent: str, block: Block) -> tuple[str, ...] | Missing:
    """What the transaction changed that nobody declared, in words; Missing where the node does not trace it."""
    requests = [
        Request("debug_traceTransaction", (sent, TRACER)),
        Request("eth_getTransactionByHash", (sent,)),
        Request("eth_getBlockByHash", (block.hash, False)),
    ]
    try:
        trace, transaction, header = session.reader.endpoint.exchange(requests)
    except Unread as problem:
        return Missing(problem.message)
    safe = Address(proposal["safe_tx"]["safe"])
    diff, sender, earner = executed_diff(trace, safe), address_of(transaction, "from"), address_of(header, "miner")
    if not isinstance(diff, StateDiff):
        return diff
    if sender is None:
        return Missing("the node does not say who sent the transaction")
    allowed = [Address(one) for one in proposal.get("writes", ())]
    return undeclared(diff, allowed=allowed, safe=safe, sender=sender, fee_recipient=earner)


def address_of(answer: Json | RpcError, key: str) -> Address | None:
    """An address in an object that a node answered."""
    value = answer.get(key) if isinstance(answer, dict) else None
    return checksummed(value) if isinstance(value, str) and ADDRESS.fullmatch(value) else None
