"""What a protocol depends on: one class for each kind of upstream, chosen by the key `what`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from incident_cli.checks.check import Reading, Wanted, Wiring
from incident_cli.document import Place
from incident_cli.evm import Missing, Read, Snapshot
from incident_cli.expression import Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One thing upstream. Its reading counts the signs of trouble: it holds when there is one."""

    place: Place

    def required(self) -> Mapping[str, tuple[str, ...]]:
        """The slots it reads, each with the names of the reads its protocol must have."""
        return {}

    def events(self) -> Mapping[str, tuple[str, ...]]:
        """The slots whose events it reads, each with their names."""
        return {}

    def formulas(self) -> Iterator[tuple[Expression, Wanted]]:
        """Every expression it evaluates."""
        yield from ()

    def finds(self) -> Mapping[str, str]:
        """The typed values its reading may carry: name → kind of value."""
        return {}

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """What to read first."""
        raise NotImplementedError

    def then(self, wiring: Wiring, snapshot: Snapshot) -> tuple[Read, ...]:
        """What to read once that is answered."""
        return ()

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """How many signs of trouble, or why it is not known."""
        raise NotImplementedError


def unknown(problem: Missing) -> Reading:
    """Nothing can be said, and why."""
    return Reading(None, None, 0, "", problem.reason)
