"""From an examined transaction to its signing card: what runs as it was decoded here, what its author says as such."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from incident_cli.errors import Misused
from incident_cli.evm import to_hex
from incident_cli.flows.multisig.decoding import DecodedCall
from incident_cli.flows.multisig.inspecting import Inspection
from incident_cli.flows.multisig.loading import Loaded
from incident_cli.flows.multisig.queued import describe
from incident_cli.report.signing_card import CardCall, CardHashes, CardSimulation, Rival, SigningCard
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.inspect import is_rejection
from incident_cli.safe.transaction import SafeTx

UNKNOWN = CardSimulation("not-simulated", reason="this file holds no simulation")
PROPOSAL = "proposal"  # the source of a name that nothing but the file gives: four bytes fit many names
BY_THE_FILE = " (named by the file alone)"
STATED = "the file says so, and nobody repeated it for this card"
MOST = 200  # entries of a list that a file holds


def card_of(
    loaded: Loaded,
    found: Inspection,
    displaces: Sequence[Rival] | None,
    chain: str = "",
    now: CardSimulation | None = None,
) -> SigningCard:
    """The card. `displaces` are the transactions known at the same nonce, None where nobody looked; `chain` is its name
    in the deployment; `now` a simulation made here, else the file's is shown as what it is."""
    tx, view, proposal = loaded.tx, found.view, loaded.document
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
        calls=() if is_rejection(tx) else tuple(calls_of(found.calls, proposal)),
        simulation=now or simulation_of(proposal),
        chain=chain,
        nonce_on_chain=view.standing.nonce if view else None,
        threshold=view.threshold if view else None,
        owners=[found.names.beside(one) for one in view.owners] if view else (),
        displaces=displaces,
        reopening=words(proposal, "reopening"),
        overrides=tuple(override_words(one) for one in listed(proposal, "overrides")),
        warnings=tuple(f"{one.severity} {one.code}: {one.message}" for one in found.findings),
        incident=words(proposal, "incident"),
        runbook=words(proposal, "runbook"),
        market=words(proposal, "market"),
        because=words(proposal, "because"),
    )


def calls_of(calls: Sequence[DecodedCall], proposal: Mapping[str, Any]) -> list[CardCall]:
    """Each call; its author's sentence stands beside the very call it was written for, and nowhere else."""
    outermost = iter(listed(proposal, "calls"))
    found: list[CardCall] = []
    for one in calls:
        stated = next(outermost, None) if not one.made.depth else None
        found.append(call_of(one, sentence_of(one, stated)))
    return found


def call_of(one: DecodedCall, says: str) -> CardCall:
    """One call as it was decoded; what nobody here knows is shown as its bytes."""
    call, road = one.made.call, f" (through {one.made.road})" if one.made.depth else ""
    if one.function:
        function, args = one.function + (BY_THE_FILE if one.source == PROPOSAL else ""), dict(one.args)
    elif call.data:
        function, args = f"unknown function {to_hex(call.data[:4])}", {"data": to_hex(call.data)}
    else:
        function, args = "no function: an empty call", {}
    operation = "" if call.operation == 0 else "DELEGATECALL "
    return CardCall(call.to, f"{operation}{function}{road}", args, call.value, says, one.name, one.plain)


def sentence_of(one: DecodedCall, stated: object) -> str:
    """What the file says of this very call."""
    if not isinstance(stated, Mapping):
        return ""
    same = (stated.get("to"), stated.get("data")) == (one.made.call.to, to_hex(one.made.call.data))
    return words(stated, "plain") if same else ""


def simulation_of(proposal: Mapping[str, Any]) -> CardSimulation:
    """The simulation that a proposal holds."""
    found = proposal.get("simulation")
    if not isinstance(found, Mapping):
        return UNKNOWN
    given = [str(one) for one in listed(found, "not_exercised")]
    overridden = [str(one) for one in listed(found, "overridden")]
    reason = "; ".join(filter(None, (words(found, "reason"), STATED)))
    return CardSimulation(words(found, "state"), words(found, "method"), reason, given, overridden)


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
