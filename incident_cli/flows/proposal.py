"""What a proposal is: its calls and their meaning, what is wanted of it, and what is known before it is signed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from incident_cli.abi import decode_call, parse_signature
from incident_cli.chain.simulate import Simulation
from incident_cli.errors import NotProven
from incident_cli.evm import Address, Block, Call, CallRead, Missing, hex_bytes, to_hex
from incident_cli.flows.desk import CallLine
from incident_cli.flows.moments import moment
from incident_cli.flows.session import Session
from incident_cli.levers.expectation import Expectation
from incident_cli.safe import contracts
from incident_cli.safe.hashes import SafeHashes
from incident_cli.safe.transaction import SafeTx
from incident_cli.text import plain
from incident_cli.units import Token, format_amount, format_bps, format_duration

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
class Objection:
    """Why a proposal is refused unless two named people overrule it, each with a reason."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Override:
    """An objection that two people overruled: who and why, as they said it."""

    code: str
    message: str
    people: tuple[tuple[str, str], ...]

    def to_json(self) -> dict[str, Any]:
        """As the journal and the proposal file hold it."""
        people = [{"name": name, "reason": reason} for name, reason in self.people]
        return {"code": self.code, "message": self.message, "people": people}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a proposal is to do: its calls, what must be seen after it, what must not change, and which contracts it
    may write to. `watch` are reads whose answers are shown as the simulation leaves them; `objections` what stands
    against it already. `nonce` is the Safe nonce that was chosen; None: the one the chain stands at."""

    safe: Address
    calls: tuple[PlannedCall, ...]
    expect: tuple[Expectation, ...]
    unchanged: tuple[Expectation, ...] = ()
    writes: tuple[Address, ...] = ()
    watch: tuple[tuple[str, CallRead], ...] = ()
    objections: tuple[Objection, ...] = ()
    nonce: int | None = None


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
    overrides: tuple[Override, ...] = ()
    writes: tuple[Address, ...] = ()
    guarded: tuple[Expectation, ...] = ()  # who controls the Safe, and what it holds: never changed by a proposal

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
                "overridden": list(self.simulation.overridden),
            },
            "overrides": [one.to_json() for one in self.overrides],
            "safe": {
                "address": self.safe.address,
                "nonce": self.safe.nonce,
                "threshold": self.safe.threshold,
                "owners": list(self.safe.owners),
            },
            "expect": [one.to_json() for one in self.expect],
            "unchanged": [one.to_json() for one in self.unchanged],
            "guarded": [one.to_json() for one in self.guarded],
            "writes": list(self.writes),
        }


def show(value: object) -> str:
    """An ABI value as text: bytes as hex, addresses whole."""
    if isinstance(value, bytes):
        return to_hex(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(show(one) for one in value)}]"
    return plain(str(value).lower() if isinstance(value, bool) else value)


def counted(value: object, unit: str | None, tokens: Mapping[str, Token]) -> str:
    """A read's value with what it counts: `250,000.00 USDC`, `1h`, `150 bps`, a moment; else as it is."""
    if unit and isinstance(value, int) and not isinstance(value, bool):
        if unit in tokens:
            return format_amount(value, tokens[unit])
        words: Mapping[str, Callable[[int], str]] = {"seconds": format_duration, "time": moment, "bps": format_bps}
        return words[unit](value) if unit in words else show(value)
    return show(value)


def call_from_json(record: Mapping[str, Any]) -> Call:
    """The call of a record."""
    signature = parse_signature(record["signature"])
    return Call(Address(record["to"]), signature, decode_call(signature, hex_bytes(record["data"])))


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
