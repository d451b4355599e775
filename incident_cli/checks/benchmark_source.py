"""A price from outside the chain: an HTTPS JSON service that the deployment lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from incident_cli.binding import DURATION, IDENTIFIER
from incident_cli.checks.check import SourceReading, Wiring
from incident_cli.checks.price_source import PriceSource
from incident_cli.evm import Missing, Read, Snapshot
from incident_cli.units import format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkSource(PriceSource):
    """The number that the deployment's benchmark of this name answers.

    Only the deployment names hosts, so a runbook cannot send a question elsewhere. A benchmark belongs to no block:
    at a past block it is unknown. Where the deployment says where its time stands (`time_pointer`), an answer further
    than `max_age` from the block's time is stale; where it does not, the answer is as old as the question.
    """

    has_past: ClassVar[bool] = False

    benchmark: Annotated[str, IDENTIFIER]
    name_: Annotated[str, IDENTIFIER] | None = None
    max_age: Annotated[int, DURATION] = 60

    @property
    def name(self) -> str:
        """The given name, else the benchmark's."""
        return self.name_ or self.benchmark

    def review(self) -> None:
        """An age is some time."""
        if self.max_age <= 0:
            raise ValueError("max_age must be more than 0s")

    def benchmarks(self) -> tuple[str, ...]:
        """The one."""
        return (self.benchmark,)

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """The number, if the deployment has the benchmark."""
        read = wiring.benchmarks.get(self.benchmark)
        return () if read is None else (read,)

    def price(self, wiring: Wiring, snapshot: Snapshot) -> SourceReading:
        """The number, unless it is stale or none."""
        read = wiring.benchmarks.get(self.benchmark)
        if read is None:
            return self.unread(f"the deployment lists no benchmark {self.benchmark}")
        answer = snapshot.answer(read)
        if isinstance(answer, Missing):
            return self.unread(answer)
        price, published = (*answer, None, None)[:2]
        if not isinstance(price, int) or not isinstance(published, int | None):
            return self.unread("it answers no number")
        if published is None and read.time_pointer:
            return self.unread("it does not say of when its number is")
        fault = f"it answers {price}" if price <= 0 else self.stale(published, snapshot.block.timestamp)
        return self.unread(fault, published) if fault else self.read_as(price, published)

    def stale(self, published: int | None, now: int) -> str:
        """Why an answer of that time (seconds) is no price at a block's time, or nothing."""
        if published is None or abs(now - published) <= self.max_age:
            return ""
        when = f"{format_duration(abs(now - published))} {'ago' if published < now else 'ahead of the block'}"
        return f"stale, not divergent: its number is from {when}, more than {format_duration(self.max_age)}"
