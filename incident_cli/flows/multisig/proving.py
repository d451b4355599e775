"""After an execution: what its proposal said the chain must show, read again at the block that executed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from incident_cli.abi import SignatureError
from incident_cli.errors import Misused
from incident_cli.evm import Block, Missing
from incident_cli.flows.proposal import show
from incident_cli.levers.expectation import Expectation
from incident_cli.text import plain

if TYPE_CHECKING:
    from incident_cli.flows.multisig.place import Place


@dataclass(frozen=True, slots=True)
class Shown:
    """One expectation and what the chain answers; `holds` is None where it could not be read, `found` then says why."""

    label: str
    wanted: str
    found: str
    holds: bool | None

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {"label": self.label, "wanted": self.wanted, "found": self.found, "holds": self.holds}


def expectations_of(proposal: Mapping[str, Any] | None) -> list[Expectation]:
    """What a proposal file says must be seen, and must not change; raises Misused where it cannot be read."""
    try:
        records = [one for name in ("expect", "unchanged") for one in (proposal or {}).get(name, ())]
        return [Expectation.from_json(one) for one in records]
    except (KeyError, TypeError, ValueError, AttributeError, SignatureError) as problem:
        raise Misused(
            f"what the proposal expects cannot be read: {plain(problem, 200)}", "Ask for its file again."
        ) from problem


def shown_after(place: Place, expectations: list[Expectation], block: Block) -> tuple[Shown, ...]:
    """What the chain shows at the block of the execution; at the head where a node forgot that block's state."""
    if not expectations:
        return ()
    reads = [one.read for one in expectations]
    snapshot = place.reader.read_at(reads, block)
    if any(isinstance(snapshot.value(one), Missing) for one in reads):
        snapshot = place.reader.read(reads)
    found: list[Shown] = []
    for one in expectations:
        value, holds = snapshot.value(one.read), one.judge(snapshot)
        words = plain(value.reason) if isinstance(value, Missing) else show(value)
        label = plain(one.label, 200)
        found.append(Shown(label, show(one.value), words, None if isinstance(holds, Missing) else holds))
    return tuple(found)
