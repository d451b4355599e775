"""The events of a slot over a window, as checks read them: `event: exchange.withdrawal`, `only: {market: market}`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, cast

from incident_cli.binding import REFERENCE, TEXT, Kind
from incident_cli.checks.check import Wiring
from incident_cli.checks.measure import ChainValues, value_of
from incident_cli.evm import Log, LogsRead, Missing, Snapshot, past
from incident_cli.expression import Expression, ExpressionError, Unknown
from incident_cli.expression import parse as parse_expression
from incident_cli.protocols.worth import fixed_value
from incident_cli.units import Span

FORM = re.compile(r"([a-z][a-z0-9_]{0,39})\.([a-z][a-z0-9_]{0,39})")


@dataclass(frozen=True, slots=True)
class SlotEvent:
    """An event by the slot whose protocol declares it, and its name there."""

    slot: str
    name: str

    def __str__(self) -> str:
        return f"{self.slot}.{self.name}"


def parse_slot_event(text: str) -> SlotEvent:
    """`exchange.withdrawal`; raises ValueError."""
    match = FORM.fullmatch(text)
    if match is None:
        raise ValueError("it is written slot.event, such as exchange.withdrawal")
    return SlotEvent(match.group(1), match.group(2))


SLOT_EVENT = Kind("event of a slot", parse_slot_event, pattern=FORM.pattern)
EventName = Annotated[SlotEvent, SLOT_EVENT]
Only = Mapping[Annotated[str, TEXT], Annotated[str, TEXT]]


def conditions(only: Only) -> Iterator[tuple[str, Expression]]:
    """What each indexed value must equal: `{market}` or an expression over parameters. Raises ValueError."""
    for name, text in only.items():
        match = REFERENCE.fullmatch(text)
        try:
            yield name, parse_expression(match.group(1) if match else text)
        except ExpressionError as problem:
            raise ValueError(f"only {name}: {problem.message} (column {problem.column})") from problem


def logs_of(
    event: SlotEvent, only: Only, wiring: Wiring, window: Span, until: Span | None = None
) -> LogsRead | Missing:
    """The read of the events of a window that ended `until` ago, or why they cannot be asked for."""
    slot = wiring.slots.get(event.slot)
    definition = None if slot is None else slot.protocol.events.get(event.name)
    if slot is None or definition is None:
        return Missing(f"there is no event {event}")
    kinds = {one.name: one.type for one in definition.event.inputs if one.indexed}
    wanted: dict[str, object] = {}
    for name, expression in conditions(only):
        if name not in kinds:
            return Missing(f"{name!r} is no indexed value of {event}: it has {', '.join(kinds) or 'none'}")
        value = value_of(expression, ChainValues(wiring))
        if isinstance(value, Unknown):
            return Missing(f"only {name}: {value.reason}")
        wanted[name] = value
    try:
        wanted = {name: fixed_value(kinds[name], value) for name, value in wanted.items()}
        read = slot.logs(event.name, window, wanted)
    except ValueError as problem:
        return Missing(f"only: {problem}")
    return cast(LogsRead, past(read, until)) if until else read


def logged(read: LogsRead | Missing, snapshot: Snapshot) -> tuple[Log, ...] | Missing:
    """The events that were found, oldest first, or why it is not known."""
    found = read if isinstance(read, Missing) else snapshot.answer(read)
    if isinstance(found, Missing):
        return found
    logs = tuple(one for one in found if isinstance(one, Log))
    return logs if len(logs) == len(found) else Missing("the answer is no list of events")


def amounts(read: LogsRead, logs: tuple[Log, ...], name: str) -> tuple[int, ...] | Missing:
    """The whole number of that name in every event, or why there is none."""
    names = [one.name for one in read.event.inputs]
    if name not in names:
        return Missing(f"{read.event.name} has no value {name!r}: it has {', '.join(names)}")
    values = [log.values[names.index(name)] for log in logs]
    sound = tuple(one for one in values if isinstance(one, int) and not isinstance(one, bool) and one >= 0)
    return sound if len(sound) == len(values) else Missing(f"{name!r} in {read.event.name} is no amount")
