"""Which execution used a nonce of a Safe: told from its calldata, which hash to what the Safe emitted only with the
nonce that it used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from incident_cli.abi import decode_call, parse_signature
from incident_cli.chain.execution import Log, outcome_hash
from incident_cli.errors import IncidentError
from incident_cli.evm import Address, hex_bytes
from incident_cli.safe.contracts import EXEC_TRANSACTION
from incident_cli.safe.execution_data import SELECTOR
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.transaction import SafeTx
from incident_cli.transport import Endpoint, Json, Request, RpcError

MOST_LOOKED_AT = 40  # the latest: each is one request of one exchange
MOST_CALLS = 16  # in one transaction: an execution may stand within another contract's calldata
LONGEST = 256 * 1024


def spent_by_another(endpoint: Endpoint, tx: SafeTx, outcomes: Sequence[Log]) -> bool:
    """Whether one of these executions is proven to have used the very nonce of this transaction."""
    latest = list(outcomes)[-MOST_LOOKED_AT:]
    if not latest:
        return False
    hashes = list(dict.fromkeys(one.transaction_hash for one in latest))
    answers = endpoint.exchange([Request("eth_getTransactionByHash", (one,)) for one in hashes])
    emitted = {outcome_hash(one) for one in latest}
    return any(hash_ in emitted for answer in answers for hash_ in hashes_at(tx, calldata_of(answer)))


def calldata_of(answer: Json | RpcError) -> bytes:
    """The calldata of a transaction; empty where the node shows none, or too much."""
    text = answer.get("input") if isinstance(answer, dict) else None
    try:
        return hex_bytes(text) if isinstance(text, str) and len(text) <= 2 * LONGEST else b""
    except ValueError:
        return b""


def hashes_at(tx: SafeTx, calldata: bytes) -> Iterator[str]:
    """The safe_tx_hash of every execTransaction in the calldata, as the Safe computes it at the nonce of `tx`."""
    place = calldata.find(SELECTOR)
    for _ in range(MOST_CALLS):
        if place < 0:
            return
        other = transaction_in(tx, calldata[place:])
        if other is not None:
            yield hash_transaction(other).safe_tx_hash
        place = calldata.find(SELECTOR, place + 1)


def transaction_in(tx: SafeTx, calldata: bytes) -> SafeTx | None:
    """What is executed, at the nonce of `tx`; None where the calldata are no execution."""
    try:
        to, value, data, operation, safe_tx_gas, base_gas, price, token, receiver, _ = decode_call(
            parse_signature(EXEC_TRANSACTION), calldata
        )
        return SafeTx(
            chain_id=tx.chain_id,
            version=tx.version,
            safe=tx.safe,
            nonce=tx.nonce,
            to=cast(Address, to),
            value=cast(int, value),
            data=cast(bytes, data),
            operation=cast(int, operation),
            safe_tx_gas=cast(int, safe_tx_gas),
            base_gas=cast(int, base_gas),
            gas_price=cast(int, price),
            gas_token=cast(Address, token),
            refund_receiver=cast(Address, receiver),
        )
    except (ValueError, IncidentError):
        return None
