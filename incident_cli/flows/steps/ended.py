"""How a step ended, and where the walk goes from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from incident_cli.evm import Block
from incident_cli.incident.events import Outcome, block_to_json
from incident_cli.runbook.model import Transition


@dataclass(frozen=True, slots=True)
class Ended:
    """The outcome; `to` names the next step where it is not the following one; `proof` is the block that shows it."""

    outcome: Outcome
    to: str | None = None
    proof: Block | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The data of the event."""
        proof = {} if self.proof is None else {"proof_block": block_to_json(self.proof)}
        return {"outcome": self.outcome.value, "to": self.to, **proof, **self.data}


def follow(outcome: Outcome, transition: Transition) -> Ended | None:
    """Ended by a `goto`; None where the transition is the operator's decision."""
    return None if transition.to is None else Ended(outcome, transition.to)
