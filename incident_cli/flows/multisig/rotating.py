"""The ceremony of rotating a Safe's owners: the Safe is read, the rotation decided, folded, hashed by three, inspected
for what it must be and nothing else, simulated by the owners who stay, and written for them to sign. Needs no key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incident_cli import __version__
from incident_cli.abi import encode_call, parse_signature
from incident_cli.chain.simulate import Simulation, Trial, simulate
from incident_cli.errors import Misused, Refused
from incident_cli.evm import Address, CallRead, parse_address
from incident_cli.flows.connecting import Environment
from incident_cli.flows.guarding import guarded_by
from incident_cli.flows.multisig.place import Place, place_of_slot
from incident_cli.flows.multisig.pre_signed import those_of
from incident_cli.flows.multisig.rotation_ground import NOTHING_DONE, ground_of, read_opinion, read_safe
from incident_cli.flows.multisig.rotation_trial import check_rotated
from incident_cli.flows.preflight.safe import SafeSeen
from incident_cli.flows.proposal import PlannedCall
from incident_cli.incident.events import block_to_json
from incident_cli.levers.expectation import Expectation
from incident_cli.runbook.deployment import load_deployment
from incident_cli.safe import contracts
from incident_cli.safe.batch import fold
from incident_cli.safe.files import write_proposal
from incident_cli.safe.finding import InspectionFinding, is_refused
from incident_cli.safe.hashes import SafeHashes
from incident_cli.safe.rotation import ADD, CHANGE, REMOVE, SCHEMA, SWAP, Rotation, decide, require_quorum
from incident_cli.safe.rotation_inspection import WEAKENS, inspect_rotation
from incident_cli.safe.second_opinion import agree
from incident_cli.safe.signatures import number_of, pack, pre_validated
from incident_cli.safe.survival import PreSigned, Survival, statement, survivals
from incident_cli.safe.transaction import SafeTx
from incident_cli.text import plain

EXEC = parse_signature(contracts.EXEC_TRANSACTION)
OWNERS, THRESHOLD = parse_signature(contracts.GET_OWNERS), parse_signature(contracts.GET_THRESHOLD)
CHANGED = ("the Safe's owners", "the Safe's threshold")


@dataclass(frozen=True, slots=True)
class RotationOrder:
    """What was asked for: a Safe of a deployment, who goes, who comes, how many must sign then (None: as before)."""

    deployment: Path
    slot: str
    outgoing: tuple[str, ...]
    incoming: tuple[str, ...]
    threshold: int | None = None
    weaken: bool = False
    pre_signed: tuple[tuple[SafeTx, PreSigned], ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedRotation:
    """A rotation that may be shown and written: nothing forbids it, and its simulation showed exactly it."""

    place: Place
    rotation: Rotation
    tx: SafeTx
    hashes: SafeHashes
    findings: tuple[InspectionFinding, ...]
    simulation: Simulation
    guarded: tuple[Expectation, ...]
    survivals: tuple[Survival, ...]

    @property
    def expect(self) -> tuple[Expectation, ...]:
        """What the chain must show afterwards."""
        return expected(self.rotation)

    @property
    def calls(self) -> tuple[PlannedCall, ...]:
        """The calls and their meaning."""
        return planned(self.rotation)

    @property
    def is_weakening(self) -> bool:
        """Whether each who signs must allow that fewer keys act for the Safe: the file cannot do it for them."""
        return any(one.code == WEAKENS for one in self.findings)

    @property
    def statement(self) -> tuple[str, ...]:
        """What becomes of everything that was signed before."""
        return statement(self.rotation, self.tx.nonce)

    def name_of(self, owner: Address) -> str:
        """The name of an owner's contact; empty where there is none."""
        return next((one.name for one in self.place.deployment.contacts if one.owner == owner), "")

    def document(self) -> dict[str, Any]:
        """The proposal file: what `sign`, `merge` and `execute` take, with who may not sign it."""
        decided, simulation = self.rotation, self.simulation
        assert simulation.block is not None, "a simulation that ran has a block"
        return {
            "schema": SCHEMA,
            "safe_tx": self.tx.to_json(),
            "safe_tx_hash": self.hashes.safe_tx_hash,
            "domain_hash": self.hashes.domain_hash,
            "message_hash": self.hashes.message_hash,
            "calldata_digest": self.hashes.calldata_digest,
            "calldata_bytes": self.hashes.calldata_bytes,
            "calls": [one.to_json() for one in self.calls],
            "rotation": decided.to_json(),
            "excluded": list(decided.outgoing),
            "signers": list(decided.remaining),
            "safe": {"address": self.tx.safe, "threshold": decided.threshold, "owners": list(decided.owners)},
            "simulation": {
                "state": simulation.state,
                "method": simulation.method,
                "reason": simulation.reason,
                "not_exercised": list(simulation.not_exercised),
                "overridden": list(simulation.overridden),
            },
            "findings": [one.to_json() for one in self.findings],
            "expect": [one.to_json() for one in self.expect],
            "unchanged": [],
            "guarded": [one.to_json() for one in self.guarded],
            "writes": [],
            "pre_signed": {"statement": list(self.statement), "known": [one.to_json() for one in self.survivals]},
            "deployment": self.place.deployment.name,
            "chain": self.place.chain,
            "block": block_to_json(simulation.block),
            "version": __version__,
        }

    def write(self, directory: Path) -> Path:
        """Write `<safe_tx_hash>.json`; raises Misused."""
        return write_proposal(directory, f"{self.hashes.safe_tx_hash}.json", self.document())


def plan(order: RotationOrder, environment: Environment) -> PlannedRotation:
    """The rotation, ready to be shown; raises Misused, Refused with the reason, or Unread where it cannot know."""
    deployment, _ = load_deployment(order.deployment)
    place = place_of_slot(deployment, order.slot, environment)
    incoming, outgoing = parsed("--in-owner", order.incoming), parsed("--out-owner", order.outgoing)
    seen = SafeSeen(*read_safe(place, incoming))
    guarded = tuple(one for one in guarded_by(place.reader, place.safe, {}) if one.label not in CHANGED)
    rotation = decide(
        place.safe, seen.owners, seen.threshold, outgoing=outgoing, incoming=incoming, new_threshold=order.threshold
    )
    require_quorum(rotation, seen.modules)
    tx = fold(rotation.calls, chain_id=place.chain_id, safe=place.safe, version=seen.version, nonce=seen.nonce)
    contract_hash, code_hash = read_opinion(place, tx)
    hashes = agree(tx, contract_hash=contract_hash)
    findings = inspect_rotation(tx, rotation, ground_of(place, seen, incoming, code_hash), weaken=order.weaken)
    require_allowed(findings)
    simulation = rehearsed(place, rotation, tx, hashes, guarded)
    check_rotated(simulation, rotation, (*expected(rotation), *guarded))
    known = those_of(order.pre_signed, place.chain_id, place.safe)
    fates = survivals(known, rotation, tx.nonce)
    return PlannedRotation(place, rotation, tx, hashes, findings, simulation, guarded, fates)


def parsed(flag: str, given: Sequence[str]) -> tuple[Address, ...]:
    """Whole, checksummed addresses; raises Misused."""
    try:
        return tuple(parse_address(one) for one in given)
    except ValueError as problem:
        raise Misused(f"{flag}: {plain(problem, 200)}", "Give the whole address, with its checksum.") from problem


def require_allowed(findings: Sequence[InspectionFinding]) -> None:
    """Refuse what is dangerous about it."""
    if is_refused(findings):
        words = "; ".join(f"{one.code}: {one.message}" for one in findings if one.severity == "refused")
        raise Refused(f"this rotation is refused: {words}", NOTHING_DONE)


def rehearsed(
    place: Place, rotation: Rotation, tx: SafeTx, hashes: SafeHashes, guarded: Sequence[Expectation]
) -> Simulation:
    """The very execTransaction, by owners who stay, with the reads after it."""
    signers = sorted(rotation.remaining, key=number_of)[: rotation.threshold]
    signatures = pack({owner: pre_validated(owner) for owner in signers})
    calldata = encode_call(EXEC, (*tx.arguments, signatures))
    trial = Trial(calldata, signers[0], tuple(signers[1:]), hashes.safe_tx_hash)
    reads = [one.read for one in (*expected(rotation), *guarded)]
    return simulate(place.reader.endpoint, place.chain, place.safe, rotation.calls, reads, trial=trial)


def expected(rotation: Rotation) -> tuple[Expectation, ...]:
    """The owners, in their order, and the threshold as they must be afterwards."""
    owners, threshold = CallRead(rotation.safe, OWNERS), CallRead(rotation.safe, THRESHOLD)
    return (
        Expectation(CHANGED[0], owners, rotation.owners_after),
        Expectation(CHANGED[1], threshold, rotation.new_threshold),
    )


def planned(rotation: Rotation) -> tuple[PlannedCall, ...]:
    """Each call in plain words."""
    words = {
        SWAP.selector: "{1} is no owner any more; {2} takes its place",
        REMOVE.selector: "{1} is no owner any more; {2} owners must sign",
        ADD.selector: "{0} becomes an owner; {1} owners must sign",
        CHANGE.selector: "{0} owners must sign",
    }
    return tuple(
        PlannedCall(one, f"safe.{one.signature.name}", words[one.signature.selector].format(*one.args))
        for one in rotation.calls
    )
