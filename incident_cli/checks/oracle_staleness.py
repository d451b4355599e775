"""A price feed that has stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from incident_cli.binding import DURATION, IDENTIFIER
from incident_cli.checks.check import Check, Reading, SourceReading
from incident_cli.checks.price_source import READS, Round, fault_of, latest_round, reads_of
from incident_cli.evm import Missing, Read, Snapshot
from incident_cli.protocols.slot import BoundSlot


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleStaleness(Check):
    """Fires when a feed's last update is older than `heartbeat` + `grace`, or its answer must not be believed.

    age = block time − updatedAt, in seconds (Chainlink publishes a heartbeat per feed; ETH/USD: 3600 s).
    An answer ≤ 0, an update time that is no past time, or a round answered in an earlier one fires as well:
    a feed that serves −1 does not revert. A feed that cannot be read makes the verdict unknown.
    """

    slot: Annotated[str, IDENTIFIER]
    heartbeat: Annotated[int, DURATION]
    grace: Annotated[int, DURATION] = 120

    def __post_init__(self) -> None:
        if self.heartbeat <= 0:
            raise ValueError("heartbeat must be more than 0s")

    def required(self) -> Mapping[str, tuple[str, ...]]:
        """The slot serves a Chainlink-style round."""
        return {self.slot: READS}

    def reads(self, slots: Mapping[str, BoundSlot]) -> tuple[Read, ...]:
        """The latest round and the decimals."""
        return reads_of(slots[self.slot])

    def judge(self, slots: Mapping[str, BoundSlot], snapshot: Snapshot) -> Reading:
        """The age of the last update in seconds against heartbeat + grace."""
        limit = self.heartbeat + self.grace
        latest = latest_round(slots[self.slot], snapshot)
        if isinstance(latest, Missing):
            source = SourceReading(self.slot, "", None, None, latest.reason)
            return Reading(None, None, limit, "s", f"{self.slot}: {latest.reason}", (source,))
        now = snapshot.block.timestamp
        age = now - latest.updated_at
        fault = fault_of(latest, now)
        reason = f"{self.slot}: {fault}" if fault else f"{self.slot} was last updated {age} s ago"
        return Reading(bool(fault) or age > limit, age, limit, "s", reason, (self.source(latest, fault),))

    def source(self, latest: Round, fault: str) -> SourceReading:
        """The price the feed serves, as far as it is one."""
        price = None if fault else latest.answer * 10**18 // 10**latest.decimals
        return SourceReading(self.slot, "", price, latest.updated_at, fault)
