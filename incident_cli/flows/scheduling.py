"""Calls that must be scheduled, awaited and executed: as planned calls in words, and the waiting between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from incident_cli.errors import Waiting
from incident_cli.evm import Call, CallRead, Missing
from incident_cli.flows.delivery import Replaced
from incident_cli.flows.desk import Prompt
from incident_cli.flows.guarding import demand
from incident_cli.flows.proposal import PlannedCall
from incident_cli.flows.session import Session
from incident_cli.levers.delay import DONE_TIMESTAMP, Delay
from incident_cli.levers.expectation import Expectation
from incident_cli.runbook.model import Step
from incident_cli.units import format_duration

SAMPLE_SECONDS = 120
ANEW = "again"
GONE = (
    ("stop", "leave the incident here; it can be resumed"),
    (ANEW, "schedule it anew: it waits its whole delay again"),
)
GONE_HELP = "Find out who cancelled it before it is scheduled again: they may do it once more."


def ask_whether_anew(session: Session, step: Step, words: str) -> None:
    """What was scheduled is gone: the operator decides. Raises Waiting, or Replaced to schedule it anew."""
    prompt = Prompt(step.id, "choice", f"{words[0].upper()}{words[1:]}. What now?", choices=GONE, help=GONE_HELP)
    if session.ask(step, prompt) != ANEW:
        raise Waiting(f"{words}; nothing is done by it", "operator")
    raise Replaced(words)


def schedule_call(delay: Delay, planned: PlannedCall, salt: bytes) -> PlannedCall:
    """The call that schedules another; nothing changes until that is executed."""
    words = f"Schedules for {format_duration(delay.seconds)} from now: {carried(planned)}. {planned.plain}"
    return PlannedCall(delay.schedule(planned.call, salt), f"schedule {planned.label}", words, planned.traps)


def execute_call(delay: Delay, planned: PlannedCall, salt: bytes) -> PlannedCall:
    """The call that carries out a scheduled one."""
    words = f"Executes: {carried(planned)}. {planned.plain}"
    return PlannedCall(delay.execute(planned.call, salt), f"execute {planned.label}", words, planned.traps)


def carried(planned: PlannedCall) -> str:
    """The call that is handed over, decoded: `0x….setMarketPaused(market = 0x…, paused = false)`."""
    line = planned.line()
    arguments = ", ".join(f"{name} = {value}" for name, value in line.args.items())
    paying = f" with {planned.call.value} wei" if planned.call.value else ""
    return f"{line.to}.{planned.call.signature.name}({arguments}){paying}"


def scheduled_states(session: Session, operations: Sequence[tuple[Delay, Call]], salt: bytes) -> list[Expectation]:
    """What must be seen of each operation once it is scheduled."""
    counters = [delay.counter(call, salt) for delay, call in operations]
    snapshot = session.reader.recent.read(counters)
    counts = [cast(int, demand("how often it was scheduled", snapshot.value(read))) for read in counters]
    return [delay.scheduled(call, salt, count) for (delay, call), count in zip(operations, counts, strict=True)]


def wait_until_ready(session: Session, reads: Sequence[CallRead], where: str) -> None:
    """Wait until every operation may be executed, by the contract's own timestamps; unread is asked again.

    Nothing is waited for where an operation has no time any more: it was cancelled, or it lapsed.
    """
    while True:
        snapshot = session.reader.read(reads)
        stamps = [snapshot.value(read) for read in reads]
        known = [cast(int, one) for one in stamps if not isinstance(one, Missing)]
        left = max(known) - snapshot.block.timestamp if len(known) == len(stamps) else SAMPLE_SECONDS
        if left <= 0 or 0 in known:
            return
        if session.legs > 1:  # other chains go on meanwhile
            raise Waiting(f"the {where} on {session.reader.chain} opens in {left} s of chain time", "delay")
        with session.screen.working(f"the {where} opens in {left} s of chain time"):
            session.pace.wait(left)


def is_scheduled(session: Session, reads: Sequence[CallRead]) -> bool:
    """Whether every operation has a time and is not executed yet; unknown is no."""
    snapshot = session.reader.read(reads)
    stamps = [snapshot.value(read) for read in reads]
    return all(not isinstance(one, Missing) and cast(int, one) > DONE_TIMESTAMP for one in stamps)


def ready_times(session: Session, reads: Sequence[CallRead]) -> dict[CallRead, int]:
    """When each operation may be executed (unix seconds; 0: not scheduled, 1: done); raises Unread where unknown."""
    snapshot = session.reader.recent.read(reads)
    return {read: cast(int, demand("when it may be executed", snapshot.value(read))) for read in reads}
