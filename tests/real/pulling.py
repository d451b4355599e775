"""A Safe that pulls levers on a node: every execution is held against what the lever says it writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from incident_cli.chain.state_diff import StateDiff, parse_diff
from incident_cli.chain.undeclared import undeclared
from incident_cli.evm import Address, Call, checksummed
from incident_cli.levers.lever import Plan
from incident_cli.protocols.catalog import Catalog
from incident_cli.protocols.protocol import Protocol
from tests.contracts.safes import Safe2of3, build_safe
from tests.contracts.solidity import type_of
from tests.fakes.anvil import Anvil
from tests.levers.driving import Execute, Ground

TRACER = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}


@dataclass(frozen=True, slots=True)
class Lever:
    """One lever of a ground with its arguments, in a Safe's hands; `undone_by` undoes it where the Safe may not."""

    ground: Ground
    name: str
    safe: Safe2of3
    args: dict[str, object]
    undone_by: Address | None = None

    @property
    def by(self) -> Address:
        """Who pulls it."""
        return self.safe.address

    def pull(self) -> Plan:
        """Pulled and proven, and nothing changed but what the lever writes."""
        writes = self.ground.plan(self.name, self.by, **self.args).writes
        return self.ground.pull(self.name, self.by, executor(self.safe, writes), **self.args)

    def undo(self, made: Plan) -> None:
        """Put back by whoever may."""
        back = executor(self.safe, made.writes)
        if self.undone_by is not None:
            back = sender(self.safe.anvil, self.undone_by)
        self.ground.undo(made, back)

    def is_satisfied(self) -> bool:
        """Whether it would be dropped now."""
        return self.ground.plan(self.name, self.by, **self.args).satisfied

    def refused(self, by: Address) -> str:
        """Why the protocol file refuses it to another."""
        return self.ground.refuses(self.name, by, **self.args)

    def calls(self) -> tuple[Call, ...]:
        """What the Safe would execute now."""
        return self.ground.plan(self.name, self.by, **self.args).calls


def executor(safe: Safe2of3, writes: Sequence[Address]) -> Execute:
    """The Safe; it fails where the execution changes more than `writes`."""

    def execute(calls: Sequence[Call]) -> None:
        receipt = safe.execute(list(calls))
        diff = traced(safe.anvil, str(receipt["transactionHash"]))
        header = safe.anvil.rpc("eth_getBlockByHash", receipt["blockHash"], False)
        miner = checksummed(header["miner"])
        found = undeclared(diff, allowed=writes, safe=safe.address, sender=safe.executor, fee_recipient=miner)
        assert found == ()
        assert {one for one, change in diff.accounts.items() if change.slots} - {safe.address}, "it changed nothing"

    return execute


def traced(anvil: Anvil, sent: str) -> StateDiff:
    """What a transaction changed."""
    diff = parse_diff(anvil.rpc("debug_traceTransaction", sent, TRACER))
    assert isinstance(diff, StateDiff), diff
    return diff


def sender(anvil: Anvil, account: Address) -> Execute:
    """An account of the node that makes the calls one by one."""

    def execute(calls: Sequence[Call]) -> None:
        for call in calls:
            anvil.call(account, call)

    return execute


def shipped(name: str) -> Protocol:
    """A shipped protocol file."""
    found = Catalog().find(name)
    assert found is not None
    assert found.proof == "real"
    return found


def foreign(protocol: Protocol, *abis: Sequence[Mapping[str, Any]]) -> list[str]:
    """Everything the file asks, calls or listens to that stands otherwise, or not at all, in the contracts' ABIs."""
    entries = [one for abi in abis for one in abi]
    functions = [one for one in entries if one["type"] == "function"]
    known: set[tuple[str, str, tuple[object, ...] | None]] = set()
    known |= {("function", canonical(one), outputs(one)) for one in functions}
    known |= {("function", canonical(one), None) for one in functions}
    known |= {("event", canonical(one), indexed(one)) for one in entries if one["type"] == "event"}
    asked: set[tuple[str, str, tuple[object, ...] | None]] = {
        ("function", read.call.canonical, tuple(read.call.output_types)) for read in protocol.reads.values()
    }
    for lever in protocol.levers.values():
        back = [lever.undo.call] if lever.undo and lever.undo.call else []
        asked |= {("function", one.canonical, None) for one in (lever.call, *back)}
    for event in protocol.events.values():
        flags = tuple(one.indexed for one in event.event.inputs)
        asked.add(("event", event.event.canonical, flags))
    return sorted(map(str, asked - known))


def canonical(entry: Mapping[str, Any]) -> str:
    """A function or an event of an ABI as `name(type,type)`."""
    return f"{entry['name']}({','.join(type_of(one) for one in entry['inputs'])})"


def outputs(entry: Mapping[str, Any]) -> tuple[object, ...]:
    """The types that a function answers."""
    return tuple(type_of(one) for one in entry["outputs"])


def indexed(entry: Mapping[str, Any]) -> tuple[object, ...]:
    """Which inputs of an event are indexed."""
    return tuple(one["indexed"] for one in entry["inputs"])


def council_on(anvil: Anvil) -> Safe2of3:
    """The 2-of-3 Safe with what its part in impersonated transactions costs."""
    safe = build_safe(anvil)
    anvil.rpc("anvil_setBalance", safe.address, hex(10**18))
    return safe
