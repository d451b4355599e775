"""From calls to a proposal that may be shown: folded, hashed by independent code, inspected, simulated.

Nothing here sends or signs. Whatever would make the transaction dangerous or its effect other than stated
is a refusal, with the reason; "not simulated" is its own state and never passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from incident_cli.abi import decode_call, parse_signature
from incident_cli.chain.simulate import Simulation, simulate
from incident_cli.errors import NotProven, Refused, Unread
from incident_cli.evm import Address, Block, Call, CallRead, CodeRead, Missing, Snapshot, hex_bytes, keccak, to_hex
from incident_cli.flows.desk import CallLine
from incident_cli.flows.session import Session
from incident_cli.levers.expectation import Expectation
from incident_cli.safe import contracts
from incident_cli.safe.batch import fold
from incident_cli.safe.hashes import SafeHashes
from incident_cli.safe.inspect import inspect, is_refused
from incident_cli.safe.second_opinion import agree
from incident_cli.safe.transaction import SafeTx
from incident_cli.text import plain

SAFE_READS = {
    "nonce": parse_signature(contracts.NONCE),
    "threshold": parse_signature(contracts.GET_THRESHOLD),
    "owners": parse_signature(contracts.GET_OWNERS),
    "version": parse_signature(contracts.VERSION),
}
TRANSACTION_HASH = parse_signature(contracts.GET_TRANSACTION_HASH)


@dataclass(frozen=True, slots=True)
class SafeState:
    """A Safe as the chain shows it at one block."""

    address: Address
    nonce: int
    threshold: int
    owners: tuple[Address, ...]
    version: str
    block: Block


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call of a proposal and its meaning."""

    call: Call
    label: str
    plain: str
    traps: tuple[str, ...] = ()

    def line(self) -> CallLine:
        """As it is shown."""
        args = {
            one.name or f"#{place}": show(value)
            for place, (one, value) in enumerate(zip(self.call.signature.inputs, self.call.args, strict=True))
        }
        return CallLine(self.label, self.call.to, self.call.signature.canonical, args, self.plain, self.traps)

    def to_json(self) -> dict[str, Any]:
        """As the journal, the proposal file and `--json` hold it."""
        line = self.line()
        return {
            "to": line.to,
            "function": line.function,
            "args": dict(line.args),
            "plain": plain(" ".join(f"{self.label}: {self.plain}".split())),
            "signature": self.call.signature.source,
            "data": to_hex(self.call.data),
        }


@dataclass(frozen=True, slots=True)
class Proposal:
    """A SafeTx with everything that must be known of it before it is signed, and seen after it."""

    safe: SafeState
    tx: SafeTx
    hashes: SafeHashes
    calls: tuple[PlannedCall, ...]
    expect: tuple[Expectation, ...]
    unchanged: tuple[Expectation, ...]
    simulation: Simulation

    def to_json(self) -> dict[str, Any]:
        """The record of a proposal: enough to sign it, follow it and prove it."""
        return {
            "safe_tx": self.tx.to_json(),
            "safe_tx_hash": self.hashes.safe_tx_hash,
            "domain_hash": self.hashes.domain_hash,
            "message_hash": self.hashes.message_hash,
            "calldata_digest": self.hashes.calldata_digest,
            "calldata_bytes": self.hashes.calldata_bytes,
            "calls": [one.to_json() for one in self.calls],
            "simulation": {
                "state": self.simulation.state,
                "method": self.simulation.method,
                "reason": self.simulation.reason,
                "not_exercised": list(self.simulation.not_exercised),
            },
            "safe": {
                "address": self.safe.address,
                "threshold": self.safe.threshold,
                "owners": list(self.safe.owners),
            },
            "expect": [one.to_json() for one in self.expect],
            "unchanged": [one.to_json() for one in self.unchanged],
        }


def show(value: object) -> str:
    """An ABI value as text: bytes as hex, addresses whole."""
    if isinstance(value, bytes):
        return to_hex(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(show(one) for one in value)}]"
    return plain(str(value).lower() if isinstance(value, bool) else value)


def call_from_json(record: Mapping[str, Any]) -> Call:
    """The call of a record."""
    signature = parse_signature(record["signature"])
    return Call(Address(record["to"]), signature, decode_call(signature, hex_bytes(record["data"])))


def read_safe(session: Session, address: Address) -> SafeState:
    """The Safe's nonce, threshold, owners and version; raises Unread where one is missing."""
    reads = {name: CallRead(address, signature) for name, signature in SAFE_READS.items()}
    snapshot = session.reader.read(list(reads.values()))
    values = {name: demand(f"the Safe's {name}", snapshot.value(read)) for name, read in reads.items()}
    return SafeState(
        address,
        cast(int, values["nonce"]),
        cast(int, values["threshold"]),
        tuple(cast(Sequence[Address], values["owners"])),
        plain(values["version"], 40),
        snapshot.block,
    )


def demand(what: str, answer: object | Missing) -> object:
    """A value that must be known before anything is prepared."""
    if isinstance(answer, Missing):
        raise Unread(f"{what} could not be read: {answer.reason}", "try again, or use another node; nothing was sent")
    return answer


def prepare(
    session: Session,
    safe: Address,
    calls: Sequence[PlannedCall],
    expect: Sequence[Expectation],
    unchanged: Sequence[Expectation],
) -> Proposal:
    """A proposal that makes exactly these calls; raises Refused, Unread or NotProven with the reason."""
    state = read_safe(session, safe)
    raw = [one.call for one in calls]
    chain_id = session.reader.chain_id
    tx = fold(raw, chain_id=chain_id, safe=safe, version=state.version, nonce=state.nonce)
    contract_hash, code_hash = read_contract_opinion(session, tx)
    hashes = agree(tx, contract_hash=contract_hash)
    require_harmless(tx, raw, chain_id, state, code_hash)
    reads = [one.read for one in (*expect, *unchanged)]
    simulation = simulate(session.reader.endpoint, session.reader.chain, safe, raw, reads)
    check_simulation(simulation, expect, unchanged)
    return Proposal(state, tx, hashes, tuple(calls), tuple(expect), tuple(unchanged), simulation)


# How the steps prepare a proposal: `prepare`, or what a unit test without any chain has in its place.
Preparer = Callable[
    [Session, Address, Sequence[PlannedCall], Sequence[Expectation], Sequence[Expectation]],
    Proposal,
]


def require_harmless(tx: SafeTx, raw: Sequence[Call], chain_id: int, safe: SafeState, code_hash: str | None) -> None:
    """Refuse what is dangerous about a transaction that should make exactly these calls."""
    findings = inspect(
        tx,
        expected=raw,
        chain_id=chain_id,
        safe=safe.address,
        version=safe.version,
        nonce_on_chain=safe.nonce,
        multisend_code_hash=code_hash,
    )
    if is_refused(findings):
        words = "; ".join(f"{one.code}: {one.message}" for one in findings if one.severity == "refused")
        raise Refused(f"this transaction is refused: {words}", "nothing was signed or sent")


def read_contract_opinion(session: Session, tx: SafeTx) -> tuple[str, str | None]:
    """The Safe's own hash of the transaction, and the hash of the code it would call (None where there is none)."""
    read, code = CallRead(tx.safe, TRANSACTION_HASH, (*tx.arguments, tx.nonce)), CodeRead(tx.to)
    snapshot = session.reader.read([read, code])
    contract_hash = cast(bytes, demand("the Safe's own transaction hash", snapshot.value(read)))
    found = snapshot.value(code)
    return to_hex(contract_hash), None if isinstance(found, Missing) else to_hex(keccak(cast(bytes, found)))


def check_simulation(simulation: Simulation, expect: Sequence[Expectation], unchanged: Sequence[Expectation]) -> None:
    """Refuse unless the simulation ran, every call succeeded, and it showed exactly what must be shown."""
    if simulation.state == "not-simulated":
        raise Refused(
            f"not simulated: {simulation.reason}",
            "use a node that can simulate; this version never proposes what it could not simulate",
        )
    if simulation.state == "failed":
        raise Refused(f"the simulation failed: {simulation.reason}", "nothing was signed or sent")
    assert simulation.block is not None, "a simulation that ran has a block"
    after = Snapshot(simulation.block, simulation.after)
    for one in (*expect, *unchanged):
        shown = one.judge(after)
        if shown is True:
            continue
        seen = shown.reason if isinstance(shown, Missing) else f"it would be {show(after.value(one.read))}"
        raise Refused(
            f"in the simulation {one.label} would not be {show(one.value)}: {seen}",
            "the calls do not have the effect the runbook states; nothing was signed or sent",
        )


def prove(session: Session, expectations: Sequence[Expectation], at: Block | None = None) -> Block:
    """The block (the head, or `at`) that shows every expectation; raises NotProven naming the first it does not."""
    reads = [one.read for one in expectations]
    snapshot = session.reader.read(reads) if at is None else session.reader.read_at(reads, at)
    if at is not None and any(isinstance(snapshot.value(one), Missing) for one in reads):
        snapshot = session.reader.read(reads)  # a node without an archive forgets a past block's state
    for one in expectations:
        shown = one.judge(snapshot)
        if isinstance(shown, Missing):
            raise NotProven(f"{one.label} could not be read: {shown.reason}", "resume to look again")
        if not shown:
            found = show(snapshot.value(one.read))
            raise NotProven(
                f"the transaction was executed, but {one.label} is {found}, not {show(one.value)}",
                "the market is NOT proven contained; look at the contract, then resume",
            )
    return snapshot.block
