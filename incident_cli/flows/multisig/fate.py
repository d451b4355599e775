"""How a Safe transaction ended whose nonce is spent: executed, failed, or displaced by another. Said only where the
chain's own events show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from incident_cli.abi import parse_signature
from incident_cli.chain.execution import Execution, execution_of, find_outcomes, outcome_hash
from incident_cli.errors import Unread
from incident_cli.evm import Block, hex_bytes, to_hex
from incident_cli.flows.multisig.spender import spent_by_another
from incident_cli.safe.contracts import NONCE
from incident_cli.safe.transaction import SafeTx
from incident_cli.transport import Endpoint, Json, Request, RpcError

if TYPE_CHECKING:
    from incident_cli.flows.multisig.place import Place

Fate = Literal["open", "executed", "failed", "displaced"]
LOOK_BACK_BLOCKS = 50_000  # a week of Ethereum: 10 ranges of 5,000 blocks, one exchange


@dataclass(frozen=True, slots=True)
class Settled:
    """How it ended; the execution's hash and block where there was one."""

    fate: Fate = "open"
    transaction_hash: str | None = None
    block: Block | None = None


def settle(
    place: Place, tx: SafeTx, safe_tx_hash: str, nonce: int, head: int, since: int | None, hint: str | None = None
) -> Settled:
    """How a transaction ended that stands below the Safe's `nonce`; raises Unread where the events do not show it.

    `hint` is the hash of what may be its execution; `since` the block it was prepared at, after which it is looked for
    (else about a week). `displaced` is said only where an execution is proven to have used this very nonce, or where
    the events account for every nonce used since: a node's events may lag behind its state.
    """
    endpoint, chain = place.reader.endpoint, place.reader.chain
    if hint is not None:
        evidence = execution_of(endpoint, chain, tx.safe, safe_tx_hash, hint)
        if evidence.mined and evidence.safe_outcome != "absent":
            return ended(hint, evidence)
    before = head - LOOK_BACK_BLOCKS - 1 if since is None else since
    outcomes = list(find_outcomes(endpoint, chain, tx.safe, before + 1))
    found = next((one for one in outcomes if outcome_hash(one) == safe_tx_hash), None)
    if found is not None:
        evidence = execution_of(endpoint, chain, tx.safe, safe_tx_hash, found.transaction_hash)
        return ended(found.transaction_hash, evidence)
    if spent_by_another(endpoint, tx, outcomes) or all_accounted_for(endpoint, tx, before, len(outcomes)):
        return Settled("displaced")
    raise Unread(
        f"the Safe's nonce is {nonce}, past {tx.nonce}, but {endpoint.name} shows no execution of {safe_tx_hash}"
        f" after block {max(before, 0)}",
        "whether it was executed or displaced is not known: its events may lag; look again in a moment, name another"
        " node, or look at it in an explorer",
    )


def all_accounted_for(endpoint: Endpoint, tx: SafeTx, before: int, shown: int) -> bool:
    """Whether so many executions after a block are all that there were, by the Safe's nonce then and now; False where
    the node does not know that any more, or the nonce was used up to that block."""
    then = nonce_at(endpoint, tx, hex(before)) if before >= 0 else 0
    now = nonce_at(endpoint, tx, "latest")  # asked after the events: what came meanwhile is missing among them
    return then is not None and now is not None and then <= tx.nonce < now and shown >= now - then


def nonce_at(endpoint: Endpoint, tx: SafeTx, block: str) -> int | None:
    """The Safe's nonce at a block (0 before it was deployed), or None where the node does not say."""
    call: Json = {"to": tx.safe, "data": to_hex(parse_signature(NONCE).selector)}
    answer = endpoint.exchange([Request("eth_call", (call, block))])[0]
    if isinstance(answer, RpcError) or not isinstance(answer, str):
        return None
    try:
        return int.from_bytes(hex_bytes(answer)) if len(answer) in (2, 66) else None
    except ValueError:
        return None


def ended(transaction_hash: str, evidence: Execution) -> Settled:
    """The end that the evidence shows; raises Unread where it does not hold."""
    if evidence.problem or not evidence.mined:
        raise Unread(f"the execution {transaction_hash} is not proven: {evidence.problem}", "look again in a moment")
    return Settled("executed" if evidence.succeeded else "failed", transaction_hash, evidence.block)
