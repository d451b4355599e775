"""Levers of one batch that touch the same reads: each was weighed against the chain as it stands before the batch.

What the first of two brings about, the second may take back. Only levers that change and are worked out from different
things are judged one by one; what they share otherwise (who holds the role) does not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from incident_cli.evm import Address, CallRead
from incident_cli.levers.lever import Plan, needed
from incident_cli.protocols.worth import expressions
from incident_cli.safe.finding import InspectionFinding, warned

View = tuple[Address, str, tuple[object, ...]]  # a contract, a view of it, and what it is asked


@dataclass(frozen=True, slots=True)
class Touched:
    """The views that a lever changes, those that its calls are worked out from, and all that it looks at."""

    changed: frozenset[View]
    used: frozenset[View]
    seen: frozenset[View]

    def shared(self, other: Touched) -> frozenset[View]:
        """What one of two levers changes and the other looks at, and what both are worked out from."""
        return self.changed & other.seen | other.changed & self.seen | self.used & other.used


def interfering(plans: Mapping[str, Plan]) -> dict[str, InspectionFinding]:
    """For a call, by its number, the nearest call before it that touches what it touches."""
    before: list[tuple[str, Touched]] = []
    found: dict[str, InspectionFinding] = {}
    for number, plan in plans.items():
        own = touched_by(plan)
        for other, touched in reversed(before):
            if shared := own.shared(touched):
                view = min(name for _, name, _ in shared)
                words = f"call {number} and call {other} both concern {view}: together they may come to something else"
                found[number] = warned("calls-interfere", words)
                break
        before.append((number, own))
    return found


def touched_by(plan: Plan) -> Touched:
    """What the reads of a lever are to it."""
    definition, reads = plan.pull.definition, needed(plan.pull)
    formulas = [one for worth in definition.worths() for one in expressions(worth)]
    formulas += [definition.satisfied] if definition.satisfied else []
    used = {name.removeprefix("before.") for one in formulas for name in one.names} | set(definition.expect)
    seen = {name: view_of(read) for name, read in reads.items()}
    return Touched(
        frozenset(seen[name] for name in definition.expect),
        frozenset(view for name, view in seen.items() if name in used),
        frozenset(seen.values()),
    )


def view_of(read: CallRead) -> View:
    """A read, whatever its outputs are called."""
    return read.to, read.signature.canonical, read.args
