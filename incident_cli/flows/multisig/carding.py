"""From an examined transaction to its signing card: what runs as it was decoded here, what its author says as such."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from incident_cli.errors import Misused
from incident_cli.evm import ZERO, Address, to_hex
from incident_cli.flows.multisig.decoding import DecodedCall
from incident_cli.flows.multisig.inspecting import Inspection
from incident_cli.flows.multisig.loading import Loaded
from incident_cli.flows.multisig.queued import describe
from incident_cli.report.signing_card import CardCall, CardHashes, CardSimulation, Rival, SigningCard
from incident_cli.safe.contracts import CONTROL_FUNCTIONS
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.inspect import is_rejection
from incident_cli.safe.transaction import SafeTx

UNTRIED = CardSimulation("not-simulated", reason="nobody tried it for this card")
PROPOSAL = "proposal"  # the source of a name that nothing but the file gives: four bytes fit many names
BY_THE_FILE = " (named by the file alone)"
ABOUT = ("incident", "runbook", "market", "because", "reopening")  # what a file may say, each in a line of its own
MOST = 200  # entries of a list that a file holds


def card_of(
    loaded: Loaded,
    found: Inspection,
    displaces: Sequence[Rival] | None,
    chain: str = "",
    now: CardSimulation | None = None,
) -> SigningCard:
    """The card. `displaces` are the transactions known at the same nonce, None where nobody looked; `chain` is its name
    in the deployment; `now` a simulation made here: the file's own is only its author's word."""
    tx, view = loaded.tx, found.view
    hashes = hash_transaction(tx)
    return SigningCard(
        chain_id=tx.chain_id,
        safe=tx.safe,
        version=tx.version,
        nonce=tx.nonce,
        batch=any(one.made.road == "batch" for one in found.calls),
        hashes=CardHashes(
            hashes.domain_hash,
            hashes.message_hash,
            hashes.safe_tx_hash,
            hashes.calldata_digest,
            hashes.calldata_bytes,
        ),
        calls=() if is_rejection(tx) else tuple(call_of(one, tx.safe) for one in found.calls),
        simulation=now or UNTRIED,
        chain=chain,
        nonce_on_chain=view.standing.nonce if view else None,
        threshold=view.threshold if view else None,
        owners=[found.names.beside(one) for one in view.owners] if view else (),
        displaces=displaces,
        warnings=tuple(f"{one.severity} {one.code}: {one.message}" for one in found.findings),
        extras=extras_of(tx),
        claims=tuple(claims_of(loaded.document, found.calls)),
    )


def extras_of(tx: SafeTx) -> dict[str, str]:
    """The fields of gas and refund that are not zero, by the names that a device shows."""
    amounts = {"safeTxGas": tx.safe_tx_gas, "baseGas": tx.base_gas, "gasPrice": tx.gas_price}
    addresses = {"gasToken": tx.gas_token, "refundReceiver": tx.refund_receiver}
    shown = {name: str(amount) for name, amount in amounts.items() if amount}
    return shown | {name: one for name, one in addresses.items() if one != ZERO}


def claims_of(document: Mapping[str, Any], calls: Sequence[DecodedCall]) -> Iterator[tuple[str, str]]:
    """What the file says of itself and of its calls: nothing of it was checked."""
    yield from ((name, words(document, name)) for name in ABOUT if words(document, name))
    yield from sentences_of(calls, document)
    simulation = simulation_words(document.get("simulation"))
    yield from [("simulation", simulation)] if simulation else []
    yield from (("overruled", override_words(one)) for one in listed(document, "overrides"))


def sentences_of(calls: Sequence[DecodedCall], document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Its author's sentence for each call that it was written for, and for no other."""
    outermost = [one for one in calls if not one.made.depth]
    for one, stated in zip(outermost, listed(document, "calls"), strict=False):
        sentence = sentence_of(one, stated)
        if sentence and sentence != one.plain:
            yield f"call {one.made.number}", sentence


def call_of(one: DecodedCall, safe: Address) -> CardCall:
    """One call as it was decoded; what nobody here knows is shown as its bytes."""
    call, road = one.made.call, f" (through {one.made.road})" if one.made.depth else ""
    if one.function:
        function, args = one.function + (BY_THE_FILE if is_named_by_the_file(one, safe) else ""), dict(one.args)
    elif call.data:
        function, args = f"unknown function {to_hex(call.data[:4])}", {"data": to_hex(call.data)}
    else:
        function, args = "no function: an empty call", {}
    operation = "" if call.operation == 0 else "DELEGATECALL "
    return CardCall(call.to, f"{operation}{function}{road}", args, call.value, one.name, one.plain)


def is_named_by_the_file(one: DecodedCall, safe: Address) -> bool:
    """Whether nothing but the file gives this name; the functions of the Safe over itself are known here."""
    call = one.made.call
    return one.source == PROPOSAL and not (call.to == safe and CONTROL_FUNCTIONS.get(call.data[:4]) == one.function)


def sentence_of(one: DecodedCall, stated: object) -> str:
    """What the file says of this very call."""
    if not isinstance(stated, Mapping):
        return ""
    same = (stated.get("to"), stated.get("data")) == (one.made.call.to, to_hex(one.made.call.data))
    return words(stated, "plain") if same else ""


def simulation_words(found: object) -> str:
    """The simulation that a file claims, in one line; empty where it claims none."""
    if not isinstance(found, Mapping) or not words(found, "state"):
        return ""
    by = f" by {words(found, 'method')}" if words(found, "method") else ""
    left_out = ", ".join(str(one) for one in (*listed(found, "not_exercised"), *listed(found, "overridden")))
    parts = (words(found, "state") + by, words(found, "reason"), left_out)
    return "; ".join(filter(None, parts))


def override_words(record: object) -> str:
    """An objection and who overruled it."""
    if not isinstance(record, Mapping):
        return str(record)
    people = [one for one in listed(record, "people") if isinstance(one, Mapping)]
    names = ", ".join(f"{words(one, 'name')} ({words(one, 'reason')})" for one in people)
    return f"{words(record, 'code')}: {words(record, 'message')}; overruled by {names or 'nobody who is named'}"


def words(record: Mapping[str, Any], key: str) -> str:
    """A text of a record, empty where it is none."""
    found = record.get(key)
    return found if isinstance(found, str) else ""


def listed(record: Mapping[str, Any], key: str) -> list[Any]:
    """A list of a record, capped; empty where it is none."""
    found = record.get(key)
    return list(found[:MOST]) if isinstance(found, list | tuple) else []


def rivals_of(tx: SafeTx, others: Sequence[Loaded]) -> tuple[Rival, ...]:
    """The transactions of other files at the same nonce; raises Misused for one of another Safe or nonce."""
    own = hash_transaction(tx).safe_tx_hash
    for one in others:
        if (one.tx.chain_id, one.tx.safe, one.tx.nonce) != (tx.chain_id, tx.safe, tx.nonce):
            raise Misused(
                f"{one.source} is for nonce {one.tx.nonce} of the Safe {one.tx.safe} on chain {one.tx.chain_id}: "
                "nothing of it is displaced",
                "Name transactions of the same Safe at the same nonce.",
            )
    hashed = {hash_transaction(one.tx).safe_tx_hash: one.tx for one in others}
    return tuple(Rival(hash_, describe(other)) for hash_, other in hashed.items() if hash_ != own)
