"""A contract upstream whose implementation, admin or code is no longer what it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from incident_cli.binding import IDENTIFIER, SPAN, one_of
from incident_cli.checks.change import Change
from incident_cli.checks.check import Reading, Wiring
from incident_cli.checks.contract_state import PROXY_SLOTS
from incident_cli.checks.watch import Watch
from incident_cli.evm import Read, Snapshot
from incident_cli.units import Span

PROXY_PART = one_of("part of a proxy", *PROXY_SLOTS, "code")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyWatch(Watch):
    """A change `of` a `slot` against what it was `ago` or what one can `expect`, as in the check `change`."""

    slot: Annotated[str, IDENTIFIER]
    of: Annotated[str, PROXY_PART] = "implementation"
    on: Annotated[str, IDENTIFIER] | None = None
    ago: Annotated[Span, SPAN] | None = None
    expect: str | None = None

    def __post_init__(self) -> None:
        self.change()

    def change(self) -> Change:
        """The same as a check of its own; raises ValueError."""
        return Change(slot=self.slot, of=self.of, on=self.on, ago=self.ago, expect=self.expect, place=self.place)

    def required(self) -> Mapping[str, tuple[str, ...]]:
        """The slot."""
        return self.change().required()

    def finds(self) -> Mapping[str, str]:
        """What it is and was."""
        return self.change().finds()

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """The part, now and then."""
        return self.change().reads(wiring)

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """One where it changed."""
        return self.change().judge(wiring, snapshot)
