"""`incident safe inspect`: everything that can be known of a transaction before anybody signs it.

The offline part always comes out: hashes by two implementations, every call unfolded and decoded, every rule. With a
deployment its chain is read as well. Without one (or where no node answers) the verdict is at best "warned", with the
code `chain-not-read`: whether the nonce is used up, the code at an address exchanged, or the Safe another than it says
cannot be seen on paper, and "clean" means that nothing at all is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from incident_cli.abi import parse_signature
from incident_cli.errors import IncidentError, Refused, Unread
from incident_cli.evm import Address, CallRead, CodeRead, Snapshot, keccak, to_hex
from incident_cli.flows.connecting import Environment
from incident_cli.flows.guarding import demand
from incident_cli.flows.multisig.aids import Aids, chain_of, functions_of
from incident_cli.flows.multisig.decoding import DecodedCall, decode_call
from incident_cli.flows.multisig.deriving import with_derived
from incident_cli.flows.multisig.directing import reads_of_levers, with_direction
from incident_cli.flows.multisig.expectation import Difference, Expected, expected_of, held_against
from incident_cli.flows.multisig.loading import Loaded
from incident_cli.flows.multisig.naming import Names, names_of
from incident_cli.flows.multisig.place import Place, place_of, safes_of
from incident_cli.flows.proposal import SAFE_READS
from incident_cli.runbook.deployment import Deployment
from incident_cli.safe import contracts
from incident_cli.safe.alone import Standing, inspect_alone
from incident_cli.safe.finding import InspectionFinding, Verdict, ordered, refused, verdict_of, warned
from incident_cli.safe.hashes import SafeHashes, calldata_digest, hash_transaction
from incident_cli.safe.inspect import is_rejection
from incident_cli.safe.second_opinion import agree
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.unfolding import Unfolding, unfold
from incident_cli.text import plain

HASH = parse_signature(contracts.GET_TRANSACTION_HASH)
SCHEMA = "incident.safe-inspect/v1"


@dataclass(frozen=True, slots=True)
class ChainView:
    """The Safe as the chain shows it, the hash that the Safe itself computes, and all that the levers called ask."""

    standing: Standing
    owners: tuple[Address, ...]
    threshold: int
    contract_hash: str
    block: int
    snapshot: Snapshot | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """Everything that is shown. `unread` says why the chain that was asked for could not be read."""

    tx: SafeTx
    verdict: Verdict
    findings: tuple[InspectionFinding, ...]
    calls: tuple[DecodedCall, ...]
    hashes: SafeHashes | None
    names: Names
    differences: tuple[Difference, ...] = ()
    view: ChainView | None = None
    unread: IncidentError | None = None
    opinions: tuple[str, ...] = field(default=())

    @property
    def outermost(self) -> int:
        """How many calls the Safe itself makes."""
        return sum(not one.made.depth for one in self.calls)

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        hashes = self.hashes
        return {
            "schema": SCHEMA,
            "verdict": self.verdict,
            "findings": [one.to_json() for one in self.findings],
            "calls": [one.to_json() for one in self.calls],
            "differences": [one.to_json() for one in self.differences],
            "safe_tx": self.tx.to_json(),
            "safe_tx_hash": hashes.safe_tx_hash if hashes else None,
            "domain_hash": hashes.domain_hash if hashes else None,
            "message_hash": hashes.message_hash if hashes else None,
            "calldata_digest": to_hex(calldata_digest(self.tx.data)),
            "calldata_bytes": len(self.tx.data),
            "hashed_by": list(self.opinions),
            "chain": chain_object(self.view),
        }


def chain_object(view: ChainView | None) -> dict[str, Any] | None:
    """What was read of the chain, or nothing."""
    if view is None:
        return None
    return {
        "block": view.block,
        "nonce": view.standing.nonce,
        "version": view.standing.version,
        "threshold": view.threshold,
        "owners": list(view.owners),
    }


def inspect_transaction(loaded: Loaded, aids: Aids, environment: Environment) -> Inspection:
    """Inspect a transaction; raises Misused for an aid that is wrong. An unread chain is in the answer."""
    place, misplaced = placed(loaded.tx, aids.deployment, environment)
    if place is None:
        return judge(loaded, aids, None, misplaced)
    try:
        whole = replace(aids, deployment=with_derived(place, aids.catalog))
        view: ChainView | IncidentError = view_of(place, loaded.tx, unfold(loaded.tx), lever_reads(loaded.tx, whole))
    except (Unread, Refused) as problem:
        whole, view = aids, problem
    return judge(loaded, whole, view, misplaced)


def judge(
    loaded: Loaded, aids: Aids, view: ChainView | IncidentError | None, misplaced: Sequence[InspectionFinding] = ()
) -> Inspection:
    """The inspection with what the chain shows, why it could not be read, or None where it was not asked for."""
    tx, unread = loaded.tx, view if isinstance(view, IncidentError) else None
    view = None if isinstance(view, IncidentError) else view
    names = names_of(aids.deployment, chain_of(tx, aids.deployment), tx.safe)
    expected = expectations(loaded, aids.expect)
    calls = with_direction(decoded_calls(tx, aids, expected, names), tx.safe, names, view.snapshot if view else None)
    hashes, disputed = hashed(tx, view)
    findings = [*misplaced, *disputed, *displacing(tx), *because_unread(alone(tx, calls, view, names), unread)]
    findings += [two for one in calls for two in one.findings]
    held = [held_against(tx, one) for one in expected]
    findings += [two for found, _ in held for two in found]
    opinions = ("incident", "safe-eth-py", *(("the Safe itself",) if view else ())) if hashes else ()
    differences = tuple(dict.fromkeys(two for _, shown in held for two in shown))
    verdict = verdict_of(findings)
    return Inspection(tx, verdict, ordered(findings), calls, hashes, names, differences, view, unread, opinions)


def displacing(tx: SafeTx) -> Iterator[InspectionFinding]:
    """What a rejection puts away is not looked for here."""
    if is_rejection(tx):
        words = f"it takes nonce {tx.nonce} from whatever stands there; `incident safe queue` shows what"
        yield warned("displaces-unknown", words)


def decoded_calls(tx: SafeTx, aids: Aids, expected: Sequence[Expected], names: Names) -> tuple[DecodedCall, ...]:
    """Every call in words."""
    functions = functions_of(tx, aids, [call for one in expected for call in one.calls])
    return tuple(decode_call(one, tx, functions, names) for one in unfold(tx).calls)


def alone(
    tx: SafeTx, calls: Sequence[DecodedCall], view: ChainView | None, names: Names
) -> tuple[InspectionFinding, ...]:
    """Every rule that needs no expectation."""
    return inspect_alone(
        tx,
        unfold(tx),
        standing=view.standing if view else None,
        named=None if names.own is None else {*names.own, *(view.owners if view else ())},
        mentioned=[address for one in calls for address in one.addresses],
    )


def placed(
    tx: SafeTx, deployment: Deployment | None, environment: Environment
) -> tuple[Place | None, list[InspectionFinding]]:
    """Where the deployment has this Safe, or what is wrong about the transaction's chain and Safe."""
    if deployment is None:
        return None, []
    chain = chain_of(tx, deployment)
    if chain is None:
        return None, [refused("wrong-chain", f"the deployment {deployment.name} has no chain with id {tx.chain_id}")]
    if (chain, tx.safe) not in {(on, safe) for _, on, safe in safes_of(deployment)}:
        return None, [refused("wrong-safe", f"the deployment {deployment.name} names no Safe {tx.safe} on {chain}")]
    return place_of(deployment, chain, tx.safe, environment), []


def lever_reads(tx: SafeTx, aids: Aids) -> list[CallRead]:
    """What has to be read to know which way the levers called work."""
    names = names_of(aids.deployment, chain_of(tx, aids.deployment), tx.safe)
    return list(reads_of_levers(decoded_calls(tx, aids, (), names), tx.safe, names))


def view_of(place: Place, tx: SafeTx, unfolded: Unfolding, more: Sequence[CallRead] = ()) -> ChainView:
    """One round: the Safe, the hash it computes, the code at every address called, and more; raises Unread."""
    reads = {name: CallRead(tx.safe, signature) for name, signature in SAFE_READS.items()}
    own = CallRead(tx.safe, HASH, (*tx.arguments, tx.nonce))
    codes = {one: CodeRead(one) for one in dict.fromkeys([tx.to, *(made.call.to for made in unfolded.calls)])}
    snapshot = place.reader.read([*reads.values(), own, *codes.values(), *more])
    values = {name: demand(f"the Safe's {name}", snapshot.value(read)) for name, read in reads.items()}
    code = {one: cast(bytes, demand(f"the code at {one}", snapshot.value(read))) for one, read in codes.items()}
    hashes: Mapping[Address, str | None] = {one: to_hex(keccak(data)) if data else None for one, data in code.items()}
    contract_hash = cast(bytes, demand("the Safe's own transaction hash", snapshot.value(own)))
    return ChainView(
        Standing(cast(int, values["nonce"]), plain(values["version"], 40), hashes),
        tuple(cast(Sequence[Address], values["owners"])),
        cast(int, values["threshold"]),
        to_hex(contract_hash),
        snapshot.block.number,
        snapshot,
    )


def because_unread(findings: Sequence[InspectionFinding], unread: IncidentError | None) -> list[InspectionFinding]:
    """The findings, with the reason why the chain was not read where it was asked for."""
    if unread is None:
        return list(findings)
    reason = warned("chain-not-read", f"the chain was asked for and could not be read: {plain(unread.message, 600)}")
    return [reason if one.code == "chain-not-read" else one for one in findings]


def hashed(tx: SafeTx, view: ChainView | None) -> tuple[SafeHashes | None, list[InspectionFinding]]:
    """The hashes all parties agree on; none for a version that nobody knows (which is a finding of its own)."""
    try:
        hash_transaction(tx)
    except Refused:
        return None, []
    try:
        return agree(tx, contract_hash=view.contract_hash if view else None), []
    except Refused as problem:
        return None, [refused("hash-disputed", problem.message)]


def expectations(loaded: Loaded, expect: Loaded | None) -> list[Expected]:
    """What the transaction is held against: its own proposal file, and the one that was named."""
    files = [one for one in (loaded, expect) if one is not None and (one is expect or one.proposal is not None)]
    return [expected_of(one) for one in files]
