"""One leg: a proposal from its plan to its proof, each stage an event, resumable between any two of them.

Order: planned → confirmed → (exported | signed → submit intended → submitted) → executed → proven. A stage that
was recorded is never done again; an intent without a result is settled by asking the chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from incident_cli.evm import Block
from incident_cli.flows.session import Session
from incident_cli.incident.events import Event, Kind, last, within
from incident_cli.runbook.model import Step


@dataclass(frozen=True, slots=True)
class Leg:
    """The events of one proposal of a step; `name` and `chain` tell the legs of a step apart.

    `chain` is empty on the incident's own chain.
    """

    step: Step
    name: str
    events: tuple[Event, ...]
    chain: str = ""

    def find(self, kind: Kind) -> Event | None:
        """The latest event of a kind in this leg."""
        return last(self.events, kind)

    @property
    def is_confirmed(self) -> bool:
        """Whether it was confirmed and can still execute; a plan that never can is made anew."""
        failed = self.find(Kind.FAILED)
        return self.find(Kind.CONFIRMED) is not None and not (failed and failed.data.get("void"))

    @property
    def is_handed_over(self) -> bool:
        """Whether it has left this program: signed, or written for others to sign. Before that it is planned anew."""
        return any(self.find(kind) is not None for kind in (Kind.EXPORTED, Kind.SIGNED, Kind.ADOPTED))

    @property
    def executed(self) -> Event | None:
        """The event of its execution, unless a reorganisation took it back."""
        found, failed = self.find(Kind.EXECUTED), self.find(Kind.FAILED)
        is_revoked = found and failed and failed.seq > found.seq and failed.data.get("revoked")
        return None if is_revoked else found

    @property
    def proposal(self) -> dict[str, Any]:
        """The planned proposal as it was recorded."""
        return dict(self.plan.data["proposal"])

    @property
    def plan(self) -> Event:
        """The event that planned it."""
        found = self.find(Kind.PLANNED)
        assert found is not None, "a leg is planned before anything else"
        return found

    @property
    def planned_at(self) -> Block:
        """The block it was planned at."""
        assert self.plan.block is not None, "a plan was made at a block"
        return self.plan.block

    def record(self, session: Session, kind: Kind, block: Block | None = None, **data: Any) -> Event:
        """Record an event of this leg."""
        proposal = data.get("proposal", self.proposal if self.find(Kind.PLANNED) else {})
        hash_ = proposal.get("safe_tx_hash")
        chain = {"chain": self.chain} if self.chain else {}
        return session.record(kind, self.step, block, hash_, leg=self.name, **chain, **data)


def leg_of(session: Session, step: Step, name: str) -> Leg:
    """The leg as it stands on the session's chain; planning again starts it anew."""
    events: list[Event] = []
    for event in within(session.events, step.id):
        if event.data.get("leg") == name and event.data.get("chain", "") == session.elsewhere:
            events = [event] if event.kind is Kind.PLANNED else [*events, event]
    return Leg(step, name, tuple(events), session.elsewhere)
