"""A price feed that has stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from incident_cli.binding import DURATION, IDENTIFIER, INTEGER
from incident_cli.checks.chainlink_source import READS, Bounds, Round, fault_of, latest_round, reads_of
from incident_cli.checks.check import Check, Reading, SourceReading, Wiring
from incident_cli.checks.price_source import scaled, time_on
from incident_cli.evm import Missing, Read, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleStaleness(Check):
    """Fires when a feed's last update is older than `heartbeat` + `grace`, or its answer must not be believed.

    age = block time − updatedAt, in seconds (Chainlink publishes a heartbeat per feed; ETH/USD: 3600 s).
    An answer ≤ 0 or at a bound (`lowest`, `highest`: the aggregator's minAnswer and maxAnswer), an update time that
    is no past time, or a round answered in an earlier one fires as well: a feed that serves −1 does not revert.
    A feed that cannot be read makes the verdict unknown.
    """

    slot: Annotated[str, IDENTIFIER]
    heartbeat: Annotated[int, DURATION]
    grace: Annotated[int, DURATION] = 120
    lowest: Annotated[int, INTEGER] | None = None
    highest: Annotated[int, INTEGER] | None = None

    def review(self) -> None:
        """A heartbeat is some time, and bounds have something between them."""
        if self.heartbeat <= 0:
            raise ValueError("heartbeat must be more than 0s")
        Bounds(self.lowest, self.highest).review()

    def required(self) -> Mapping[str, tuple[str, ...]]:
        """The slot serves a Chainlink-style round."""
        return {self.slot: READS}

    def names(self) -> tuple[str, ...]:
        """The feed."""
        return (self.slot,)

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """The latest round and the decimals."""
        return reads_of(wiring.slots[self.slot])

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """The age of the last update in seconds against heartbeat + grace."""
        slot, limit = wiring.slots[self.slot], self.heartbeat + self.grace
        latest, now = latest_round(slot, snapshot), time_on(slot.chain, snapshot)
        if isinstance(latest, Missing):
            return self.unknown(latest, limit)
        if isinstance(now, Missing):
            return self.unknown(now, limit)
        age = now - latest.updated_at
        fault = fault_of(latest, now, Bounds(self.lowest, self.highest))
        reason = f"{self.slot}: {fault}" if fault else f"{self.slot} was last updated {age} s ago"
        return Reading(bool(fault) or age > limit, age, limit, "s", reason, (self.source(latest, fault),))

    def unknown(self, missing: Missing, limit: int) -> Reading:
        """The feed could not be read."""
        source = SourceReading(self.slot, "", None, None, missing.reason)
        return Reading(None, None, limit, "s", f"{self.slot}: {missing.reason}", (source,))

    def source(self, latest: Round, fault: str) -> SourceReading:
        """The price the feed serves, as far as it is one."""
        price = None if fault else scaled(latest.answer, latest.decimals)
        return SourceReading(self.slot, "", price, latest.updated_at, fault)
