"""Calls that must be scheduled, awaited and then executed: through a time-lock, or through an access manager. Pure.

Sources: OpenZeppelin Contracts 5, TimelockController.sol (schedule, execute, hashOperation, getTimestamp,
getOperationState) and AccessManager.sol (schedule, execute, hashOperation, getSchedule, getNonce).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from incident_cli.abi import encode, parse_signature
from incident_cli.errors import Refused
from incident_cli.evm import Address, Call, CallRead, keccak
from incident_cli.levers.expectation import Expectation
from incident_cli.levers.pull import Pull, Standing
from incident_cli.protocols.definitions import DelayDefinition

Road = Literal["timelock", "access_manager"]
SCHEDULE = parse_signature(
    "schedule(address target, uint256 value, bytes data, bytes32 predecessor, bytes32 salt, uint256 delay)"
)
EXECUTE = parse_signature("execute(address target, uint256 value, bytes payload, bytes32 predecessor, bytes32 salt)")
TIMESTAMP = parse_signature("getTimestamp(bytes32 id) returns (uint256)")
STATE = parse_signature("getOperationState(bytes32 id) returns (uint8)")
MANAGED_SCHEDULE = parse_signature(
    "schedule(address target, bytes data, uint48 when) returns (bytes32 operationId, uint32 nonce)"
)
MANAGED_EXECUTE = parse_signature("execute(address target, bytes data) returns (uint32)")
GET_SCHEDULE = parse_signature("getSchedule(bytes32 id) returns (uint48)")
GET_NONCE = parse_signature("getNonce(bytes32 id) returns (uint32)")
OPERATION = ("address", "uint256", "bytes", "bytes32", "bytes32")
NO_PREDECESSOR = bytes(32)
AS_SOON_AS_ALLOWED = 0  # AccessManager.schedule: the earliest moment its delay allows
WAITING, READY, DONE = 1, 2, 3  # TimelockController.OperationState
SCHEDULED = (WAITING, READY, DONE)
STATE_WORDS = "1 waiting, 2 ready, 3 done"
DONE_TIMESTAMP = 1  # TimelockController: an operation that was executed


@dataclass(frozen=True, slots=True)
class Delay:
    """How long a call must wait (s), and at which contract it is scheduled by whom."""

    road: Road
    at: Address
    by: Address
    seconds: int
    chain: str = ""

    def schedule(self, call: Call, salt: bytes) -> Call:
        """The call that schedules another."""
        if self.road == "timelock":
            args = (call.to, call.value, call.data, NO_PREDECESSOR, salt, self.seconds)
            return Call(self.at, SCHEDULE, args)
        return Call(self.at, MANAGED_SCHEDULE, (call.to, call.data, AS_SOON_AS_ALLOWED))

    def execute(self, call: Call, salt: bytes) -> Call:
        """The call that carries out a scheduled one."""
        if self.road == "timelock":
            return Call(self.at, EXECUTE, (call.to, call.value, call.data, NO_PREDECESSOR, salt))
        return Call(self.at, MANAGED_EXECUTE, (call.to, call.data))

    def operation(self, call: Call, salt: bytes) -> bytes:
        """The id of the scheduled operation, as hashOperation of either contract."""
        if self.road == "timelock":
            return operation_id(call, salt)
        return keccak(encode(("address", "address", "bytes"), (self.by, call.to, call.data)))

    def ready_at(self, call: Call, salt: bytes) -> CallRead:
        """The read that answers when the operation may be executed (unix seconds): 0 while nothing is scheduled."""
        view = TIMESTAMP if self.road == "timelock" else GET_SCHEDULE
        return CallRead(self.at, view, (self.operation(call, salt),), self.chain)

    def counter(self, call: Call, salt: bytes) -> CallRead:
        """The read that scheduling changes: a time-lock's state of the operation, a manager's count of schedulings."""
        view = STATE if self.road == "timelock" else GET_NONCE
        return CallRead(self.at, view, (self.operation(call, salt),), self.chain)

    def scheduled(self, call: Call, salt: bytes, count: int) -> Expectation:
        """What scheduling it must bring about, where the counter now stands at `count`."""
        state = WAITING if self.seconds else READY
        wanted, words = (state, f"state ({STATE_WORDS})") if self.road == "timelock" else (count + 1, "schedulings")
        shown = f"{words} of operation 0x{self.operation(call, salt).hex()} at {self.at}"
        return Expectation(shown, self.counter(call, salt), wanted)


def operation_id(call: Call, salt: bytes) -> bytes:
    """keccak256(abi.encode(target, value, data, predecessor, salt)), as TimelockController.hashOperation."""
    return keccak(encode(OPERATION, (call.to, call.value, call.data, NO_PREDECESSOR, salt)))


def operation_states(name: str, timelock: Address, ids: list[bytes], state: int, chain: str = "") -> list[Expectation]:
    """Every operation of a time-lock in this state."""
    return [
        Expectation(f"{name} state ({STATE_WORDS}) of operation 0x{one.hex()}", read, state)
        for one in ids
        for read in [CallRead(timelock, STATE, (one,), chain)]
    ]


def delay_of(pull: Pull, standing: Standing, declared: DelayDefinition | None) -> Delay | None:
    """A declared delay as it is now, or None where the call is made at once; raises Refused where it is no duration.

    A time-lock is gone through whatever its delay: the contract obeys nobody else.
    """
    if declared is None or declared.on is None or declared.seconds is None:
        return None
    seconds = standing.formula(declared.seconds)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 0:
        raise Refused(f"{declared.seconds.source!r} is no delay in seconds", "correct the protocol file")
    road: Road = "timelock" if declared.road == "timelock" else "access_manager"
    if seconds == 0 and road == "access_manager":
        return None
    return Delay(road, pull.slot.addresses[declared.on], pull.by, seconds, pull.slot.chain)
