"""A Safe transaction that nobody here holds, found where it was executed: by its hash among the Safe's own events, and
rebuilt from the calldata of that execution. It counts only where what is rebuilt hashes to exactly the hash."""

from __future__ import annotations

from dataclasses import replace

from incident_cli.chain.execution import find_execution
from incident_cli.errors import Unread
from incident_cli.evm import ZERO
from incident_cli.flows.multisig.fate import LOOK_BACK_BLOCKS
from incident_cli.flows.multisig.place import Place
from incident_cli.flows.multisig.spender import MOST_CALLS, calldata_of, transaction_in
from incident_cli.flows.multisig.standing import ChainSide, read_chain_side
from incident_cli.safe.execution_data import SELECTOR
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.transaction import CALL, SafeTx
from incident_cli.transport import Request

MOST_NONCES = 2_000  # back from the Safe's own: what was executed lately is among the first


def executed_here(place: Place, safe_tx_hash: str) -> SafeTx | None:
    """The transaction of that hash which this Safe executed within about a week; None where its events show none.

    Raises Unread where the events cannot be searched, or the execution shows no transaction of that hash.
    """
    chain, _ = read_chain_side(place)
    endpoint, since = place.reader.endpoint, chain.block.number - LOOK_BACK_BLOCKS
    found = find_execution(endpoint, place.chain, place.safe, safe_tx_hash, since)
    if found is None:
        return None
    calldata = calldata_of(endpoint.exchange([Request("eth_getTransactionByHash", (found,))])[0])
    tx = rebuilt(place, chain, calldata, safe_tx_hash.lower())
    if tx is None:
        words = f"{safe_tx_hash} was executed by {found}, whose calldata show no transaction of that hash"
        raise Unread(words, "name the file that it was proposed or signed from")
    return tx


def rebuilt(place: Place, chain: ChainSide, calldata: bytes, safe_tx_hash: str) -> SafeTx | None:
    """What hashes to the hash, at whichever nonce that the Safe has used: calldata of an execution hold none."""
    at = calldata.find(SELECTOR)
    for _ in range(MOST_CALLS):
        if at < 0:
            return None
        found = transaction_in(blank(place, chain), calldata[at:])
        if found is not None:
            for nonce in range(chain.nonce - 1, max(-1, chain.nonce - 1 - MOST_NONCES), -1):
                tx = replace(found, nonce=nonce)
                if hash_transaction(tx).safe_tx_hash == safe_tx_hash:
                    return tx
        at = calldata.find(SELECTOR, at + 1)
    return None


def blank(place: Place, chain: ChainSide) -> SafeTx:
    """What a transaction of this Safe has whatever it does."""
    return SafeTx(
        chain_id=place.chain_id,
        version=chain.version,
        safe=place.safe,
        nonce=0,
        to=place.safe,
        value=0,
        data=b"",
        operation=CALL,
        safe_tx_gas=0,
        base_gas=0,
        gas_price=0,
        gas_token=ZERO,
        refund_receiver=ZERO,
    )
