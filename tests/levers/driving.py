"""Pulling a lever of a protocol file on a chain, as the flows do it: read, plan, execute through the holder, prove.

The chain is any endpoint with Multicall3; `execute` is whoever holds the role, usually a 2-of-3 Safe, and raises where
the transaction reverts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from incident_cli.errors import Refused
from incident_cli.evm import Address, Call, Missing, checksummed
from incident_cli.flows.reading import Reader
from incident_cli.levers.expectation import Expectation
from incident_cli.levers.lever import Plan, asked, plan
from incident_cli.levers.pull import Pull
from incident_cli.protocols.catalog import Catalog
from incident_cli.protocols.slot import BoundSlot
from incident_cli.transport import Endpoint

Execute = Callable[[Sequence[Call]], object]
STRANGER = checksummed(b"\x5e" * 20)


@dataclass(frozen=True, slots=True)
class Ground:
    """One protocol of the catalogue at its addresses on a chain; derived slots are read."""

    endpoint: Endpoint
    chain_id: int
    slot: BoundSlot

    @classmethod
    def of(
        cls,
        endpoint: Endpoint,
        chain_id: int,
        protocol: str,
        addresses: Mapping[str, Address],
        catalog: Catalog | None = None,
    ) -> Ground:
        """The shipped protocol of that name, or one of another catalogue."""
        found = (catalog or Catalog()).find(protocol)
        assert found is not None, f"{protocol}.yaml is missing or wrong"
        given = BoundSlot(protocol.replace("-", "_"), found, "test", dict(addresses))
        derived = given.derived()
        snapshot = Reader(endpoint, "test", chain_id).read(list(derived.values()))
        read = {name: Address(str(snapshot.value(one))) for name, one in derived.items()}
        return cls(endpoint, chain_id, BoundSlot(given.name, found, "test", {**addresses, **read}))

    @property
    def reader(self) -> Reader:
        """A reader of the chain."""
        return Reader(self.endpoint, "test", self.chain_id)

    def plan(self, lever: str, by: Address, **args: object) -> Plan:
        """The lever planned now; raises what `levers.plan` raises."""
        pull = Pull(self.slot, lever, args, by)
        return plan(pull, self.reader.read(asked(pull)))

    def pull(self, lever: str, by: Address, execute: Execute, **args: object) -> Plan:
        """Planned, executed, and everything it expects seen on the chain."""
        made = self.plan(lever, by, **args)
        assert not made.satisfied, f"{lever} is satisfied before it was pulled"
        assert self.unmet(made.expect), f"{lever}: the chain shows the effect already: the test proves nothing"
        execute(made.calls)
        assert self.unmet(made.expect) == []
        assert self.unmet(made.authority) == []
        return made

    def undo(self, made: Plan, execute: Execute) -> None:
        """Put back, and everything seen as it was before."""
        assert made.undo is not None, f"{made.pull.label} cannot be undone"
        assert self.unmet(made.undo.only_if) == []
        execute([made.undo.call])
        assert self.unmet(made.undo.expect) == []

    def unmet(self, expectations: Sequence[Expectation]) -> list[str]:
        """What the chain does not show, in words; an answer that is missing is not shown."""
        snapshot = self.reader.read([one.read for one in expectations])
        return [
            f"{one.label}: wanted {one.value!r}, found {snapshot.value(one.read)!r}"
            for one in expectations
            if isinstance(judged := one.judge(snapshot), Missing) or not judged
        ]

    def refuses(self, lever: str, by: Address = STRANGER, **args: object) -> str:
        """Why `by` may not pull the lever by the protocol file's own role; fails where it may."""
        try:
            self.plan(lever, by, **args)
        except Refused as problem:
            return problem.message
        raise AssertionError(f"{by} was not refused {lever}")
