"""Operations that wait in a time-lock and that nobody of ours expects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, cast

from incident_cli.binding import ADDRESS, BYTES32_KIND, IDENTIFIER, SPAN
from incident_cli.checks.check import Found, Reading, Wiring
from incident_cli.checks.event_log import SlotEvent, logged, logs_of
from incident_cli.checks.watch import Watch, unknown
from incident_cli.checks.window import require_window
from incident_cli.evm import CallRead, Log, LogsRead, Missing, Read, Snapshot, to_hex
from incident_cli.units import Span, format_duration

EVENT = "scheduled"
STATE, PENDING = "operation_state", "operation_pending"  # OpenZeppelin Contracts 5; 4 has isOperationPending only
UNSET, WAITING, READY, DONE = range(4)  # TimelockController.OperationState
MOST_OPERATIONS = 256
MOST_NAMED = 8  # of the other pending operations, in a reason that people read
SELECTOR_BYTES = 4


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as it was scheduled last: its calls, and when it may be executed (seconds since the epoch)."""

    id: bytes
    targets: tuple[str, ...]
    selectors: tuple[str, ...]
    due: int

    @property
    def calls(self) -> str:
        """`0x… (0x12345678)` for each call: the target and the selector."""
        return ", ".join(f"{to} ({selector})" for to, selector in zip(self.targets, self.selectors, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelockWatch(Watch):
    """A pending operation that is not allowed, of those scheduled within `window`.

    OpenZeppelin's TimelockController: CallScheduled (the event `scheduled`) names the operations; getOperationState
    (the read `operation_state`, else isOperationPending as `operation_pending`) says which wait or are ready. Allowed
    are the ids in `allowed`, and the operations all of whose targets are in `allow_targets`. The window must be longer
    than the delay, or a slow operation is scheduled out of its sight.
    Found: `operation_id` and `operation_target` of every one, the one that may be executed first before the others,
    and last of those whose state could not be read: they may wait too.
    """

    slot: Annotated[str, IDENTIFIER]
    window: Annotated[Span, SPAN]
    allowed: tuple[Annotated[str, BYTES32_KIND], ...] = ()
    allow_targets: tuple[Annotated[str, ADDRESS], ...] = ()

    def __post_init__(self) -> None:
        require_window(self.window)

    def required(self) -> Mapping[str, tuple[str, ...]]:
        """The slot; which read of an operation's state it has depends on its version."""
        return {self.slot: ()}

    def events(self) -> Mapping[str, tuple[str, ...]]:
        """What was scheduled."""
        return {self.slot: (EVENT,)}

    def finds(self) -> Mapping[str, str]:
        """The operation that may be executed first."""
        return {"operation_id": "bytes32", "operation_target": "address"}

    def logs(self, wiring: Wiring) -> LogsRead | Missing:
        """The read of what was scheduled in the window."""
        return logs_of(SlotEvent(self.slot, EVENT), {}, wiring, self.window)

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """What was scheduled."""
        found = self.logs(wiring)
        return () if isinstance(found, Missing) else (found,)

    def then(self, wiring: Wiring, snapshot: Snapshot) -> tuple[Read, ...]:
        """The state of every operation that is not allowed."""
        found = self.strangers(wiring, snapshot)
        return () if isinstance(found, Missing) else tuple(self.state(one, wiring) for one in found)

    def state(self, operation: Operation, wiring: Wiring) -> CallRead:
        """The read of an operation's state, or of whether it is pending."""
        slot = wiring.slots[self.slot]
        return slot.read(STATE if STATE in slot.protocol.reads else PENDING, (operation.id,))

    def strangers(self, wiring: Wiring, snapshot: Snapshot) -> tuple[Operation, ...] | Missing:
        """The operations of the window that are not allowed, the latest first, at most so many as are asked about."""
        read = self.logs(wiring)
        logs = logged(read, snapshot)
        if isinstance(logs, Missing) or isinstance(read, Missing):
            return logs if isinstance(logs, Missing) else Missing("it was not read")
        if not {STATE, PENDING} & wiring.slots[self.slot].protocol.reads.keys():
            return Missing(f"{self.slot} has no read {STATE}, and no {PENDING}")
        try:
            found = operations(read, logs)
        except (KeyError, TypeError) as problem:
            return Missing(f"{EVENT} of {self.slot} is no CallScheduled: {problem}")
        return tuple(one for one in reversed(found) if not self.allows(one))[: MOST_OPERATIONS + 1]

    def allows(self, operation: Operation) -> bool:
        """Whether it is expected: by its id, or by all its targets."""
        ids = {one.lower() for one in self.allowed}
        return to_hex(operation.id) in ids or set(operation.targets) <= set(self.allow_targets)

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """The pending operations that are not allowed; a state that could not be read is never quiet."""
        found = self.strangers(wiring, snapshot)
        if isinstance(found, Missing):
            return unknown(found)
        states = {one: self.state_of(one, wiring, snapshot) for one in found[:MOST_OPERATIONS]}
        pending = [one for one, state in states.items() if state in (WAITING, READY)]
        unread = {one: state for one, state in states.items() if isinstance(state, Missing)}
        if pending:
            return self.alarm(pending, snapshot, tuple(unread))
        if unread:
            return unknown(next(iter(unread.values())))
        if len(found) > MOST_OPERATIONS:
            return unknown(Missing(f"more than {MOST_OPERATIONS} operations were scheduled in {self.window}"))
        return Reading(False, 0, 0, "", f"no foreign operation waits in {self.slot}")

    def state_of(self, operation: Operation, wiring: Wiring, snapshot: Snapshot) -> int | Missing:
        """The state of an operation, or why it is not known."""
        value = snapshot.value(self.state(operation, wiring))
        if isinstance(value, Missing):
            return Missing(f"operation {to_hex(operation.id)}: {value.reason}")
        if isinstance(value, bool):
            return WAITING if value else UNSET
        if not isinstance(value, int) or value not in (UNSET, WAITING, READY, DONE):
            return Missing(f"operation {to_hex(operation.id)} is in no known state")
        return value

    def alarm(self, pending: list[Operation], snapshot: Snapshot, unread: tuple[Operation, ...]) -> Reading:
        """The one that may be executed first, and which others wait."""
        first, *others = sorted(pending, key=lambda one: (one.due, one.id))
        left = first.due - snapshot.block.timestamp
        when = f"in {format_duration(left)}" if left > 0 else "now"
        reason = f"operation {to_hex(first.id)} calls {first.calls} and may be executed {when}"
        rest = f"; {len(others)} more wait: {named(others)}" if others else ""
        rest += f"; {len(unread)} could not be read" if unread else ""
        found = tuple(value for one in (first, *others, *unread) for value in values_of(one))
        return Reading(True, len(pending), 0, "", reason + rest, found=found)


def named(operations: Sequence[Operation]) -> str:
    """The ids of operations in full, and how many are left out."""
    ids = ", ".join(to_hex(one.id) for one in operations[:MOST_NAMED])
    return f"{ids} and {len(operations) - MOST_NAMED} others" if len(operations) > MOST_NAMED else ids


def values_of(operation: Operation) -> tuple[Found, Found]:
    """What a step may bind of an operation."""
    target = operation.targets[0] if operation.targets else ""
    return (Found("operation_id", "bytes32", to_hex(operation.id)), Found("operation_target", "address", target))


def operations(read: LogsRead, logs: Iterable[Log]) -> tuple[Operation, ...]:
    """Operations from the calls that were logged, oldest first; one scheduled again counts as it is now. Raises
    KeyError or TypeError where the event is another."""
    places = [read.event.position(name) for name in ("id", "index", "target", "data", "delay")]
    found: dict[bytes, Operation] = {}
    for log in logs:
        id_, index, target, data, delay = (log.values[place] for place in places)
        if not (isinstance(id_, bytes) and isinstance(target, str) and isinstance(data, bytes)):
            raise TypeError("its values are of other types")
        call = Operation(id_, (target,), (to_hex(data[:SELECTOR_BYTES]),), log.timestamp + int(cast(int, delay)))
        before = found.pop(id_, None)
        found[id_] = call if before is None or index == 0 else joined(before, call)
    return tuple(found.values())


def joined(batch: Operation, call: Operation) -> Operation:
    """An operation of several calls with one more of them."""
    return replace(call, targets=(*batch.targets, *call.targets), selectors=(*batch.selectors, *call.selectors))
