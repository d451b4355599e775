"""How a Safe transaction ended whose nonce is spent: executed, failed, or displaced by another. Said only where the
chain's own events show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from incident_cli.chain.execution import Execution, execution_of, find_outcomes, outcome_hash
from incident_cli.errors import Unread
from incident_cli.evm import Block
from incident_cli.safe.transaction import SafeTx

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

    `hint` is the hash of what may be its execution; `since` where to look from (else about a week).
    """
    endpoint, chain = place.reader.endpoint, place.reader.chain
    if hint is not None:
        evidence = execution_of(endpoint, chain, tx.safe, safe_tx_hash, hint)
        if evidence.mined and evidence.safe_outcome != "absent":
            return ended(hint, evidence)
    start = max(0, head - LOOK_BACK_BLOCKS) if since is None else since
    outcomes = list(find_outcomes(endpoint, chain, tx.safe, start))
    found = next((one for one in outcomes if outcome_hash(one) == safe_tx_hash), None)
    if found is not None:
        evidence = execution_of(endpoint, chain, tx.safe, safe_tx_hash, found.transaction_hash)
        return ended(found.transaction_hash, evidence)
    if len(outcomes) < nonce - tx.nonce:
        raise Unread(
            f"the Safe's nonce is {nonce}, past {tx.nonce}, but {endpoint.name} shows no execution of {safe_tx_hash}"
            f" since block {start}",
            "whether it was executed or displaced is not known; name another node, or look at it in an explorer",
        )
    return Settled("displaced")


def ended(transaction_hash: str, evidence: Execution) -> Settled:
    """The end that the evidence shows; raises Unread where it does not hold."""
    if evidence.problem or not evidence.mined:
        raise Unread(f"the execution {transaction_hash} is not proven: {evidence.problem}", "look again in a moment")
    return Settled("executed" if evidence.succeeded else "failed", transaction_hash, evidence.block)
