"""The way back: when a containment can be undone at the earliest, by whom, and the calls of a time-lock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from incident_cli.abi import encode, parse_signature
from incident_cli.evm import Address, Call, CallRead, keccak
from incident_cli.flows.proposal import PlannedCall, demand
from incident_cli.flows.session import Session
from incident_cli.levers.expectation import Expectation
from incident_cli.protocols.slot import BoundSlot
from incident_cli.runbook.model import ContainStep, RestoreStep
from incident_cli.units import format_duration

SCHEDULE = parse_signature(
    "schedule(address target, uint256 value, bytes data, bytes32 predecessor, bytes32 salt, uint256 delay)"
)
EXECUTE = parse_signature("execute(address target, uint256 value, bytes payload, bytes32 predecessor, bytes32 salt)")
OPERATION = ("address", "uint256", "bytes", "bytes32", "bytes32")
NO_PREDECESSOR = bytes(32)
WAITING, READY, DONE = 1, 2, 3  # TimelockController.OperationState
SCHEDULED = (WAITING, READY, DONE)
STATE_WORDS = "1 waiting, 2 ready, 3 done"


def reopening_of(session: Session, step: ContainStep, irreversible: bool) -> str:
    """One sentence for the confirmation: the earliest reopening and who may do it."""
    if irreversible:
        return "NEVER: at least one of these calls cannot be undone by anyone."
    restore = next(
        (one for one in session.bound.runbook.steps if isinstance(one, RestoreStep) and one.restore == step.id), None
    )
    if restore is None:
        return "This runbook has no restore step: whoever may undo these levers must do it by hand."
    slot = session.bound.slots[restore.by]
    condition = f", once {restore.requires.source}" if restore.requires else ""
    if slot.protocol.protocol != "timelock":
        return f"At once, by the Safe {slot.addresses['safe']}{condition}."
    delay = delay_of(session, slot)
    assert session.reader.head is not None, "the delay was read at a block"
    earliest = datetime.fromtimestamp(session.reader.head.timestamp + delay, UTC)
    return (
        f"Not before {earliest:%Y-%m-%d %H:%M:%S} UTC ({format_duration(delay)} time-lock){condition}; "
        f"only the Safe {slot.addresses['proposer']} may schedule it, through {slot.addresses['timelock']}."
    )


def delay_of(session: Session, timelock: BoundSlot) -> int:
    """The time-lock's minimum delay in seconds."""
    read = timelock.read("delay")
    return cast(int, demand("the time-lock's delay", session.reader.read([read]).value(read)))


def operation_id(call: Call, salt: bytes) -> bytes:
    """keccak256(abi.encode(target, value, data, predecessor, salt)), as TimelockController.hashOperation."""
    return keccak(encode(OPERATION, (call.to, call.value, call.data, NO_PREDECESSOR, salt)))


def schedule_call(timelock: Address, undo: PlannedCall, salt: bytes, delay: int) -> PlannedCall:
    """The call that schedules an undo."""
    call = undo.call
    args = (call.to, call.value, call.data, NO_PREDECESSOR, salt, delay)
    words = f"Schedules this for {format_duration(delay)} from now: {undo.plain}"
    return PlannedCall(Call(timelock, SCHEDULE, args), f"schedule {undo.label}", words)


def execute_call(timelock: Address, undo: PlannedCall, salt: bytes) -> PlannedCall:
    """The call that carries out a scheduled undo."""
    call = undo.call
    args = (call.to, call.value, call.data, NO_PREDECESSOR, salt)
    return PlannedCall(Call(timelock, EXECUTE, args), f"execute {undo.label}", undo.plain)


def operation_states(timelock: BoundSlot, ids: Sequence[bytes], state: int) -> list[Expectation]:
    """Every operation in this state."""
    reads: list[CallRead] = [timelock.read("operation_state", (one,)) for one in ids]
    return [
        Expectation(f"{timelock.name} state ({STATE_WORDS}) of operation 0x{one.hex()}", read, state)
        for one, read in zip(ids, reads, strict=True)
    ]
