"""Every call that a transaction makes: itself, the entries of its batch, and what those hand on to others to make.

Handed on are the payloads of time-locks, of other Safes, of multicalls, and of executors of any kind. Nothing is left
out in silence: what cannot be read is a problem with its place, and so is a nesting or a number beyond the caps.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from incident_cli.abi import Signature, parse_signature
from incident_cli.evm import Address, keccak
from incident_cli.safe import known_functions
from incident_cli.safe.batch import DEPTH_LIMIT, BatchError, InnerCall, entries_of, is_batch
from incident_cli.safe.contracts import MULTISEND_CODE_HASHES
from incident_cli.safe.strict_abi import NotCanonical, decode_exactly
from incident_cli.safe.transaction import CALL, DELEGATECALL, SafeTx

CALL_LIMIT = 2_000
Road = Literal["", "batch", "time-lock", "other Safe", "Multicall3", "multicall", "executor"]


@dataclass(frozen=True, slots=True)
class MadeCall:
    """One call and its place: `number` such as `2.1`, and the road by which it comes ("": from the Safe itself)."""

    number: str
    road: Road
    call: InnerCall

    @property
    def depth(self) -> int:
        """How many others hand it on."""
        return self.number.count(".")


@dataclass(slots=True)
class Unfolding:
    """The calls in the order in which they are made, those handed on after the one that does; what went wrong."""

    calls: list[MadeCall] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def outermost(self) -> list[InnerCall]:
        """What the Safe itself calls: the transaction's own call, or the entries of its batch."""
        return [one.call for one in self.calls if not one.depth]

    def add(self, calls: Sequence[InnerCall], road: Road, above: str = "") -> None:
        """These calls and everything within them."""
        for place, call in enumerate(calls, start=1):
            number = f"{above}{place}"
            if len(self.calls) >= CALL_LIMIT:
                self.problem(f"there are more than {CALL_LIMIT} calls")
                return
            self.calls.append(MadeCall(number, road, call))
            self.within(call, number)

    def within(self, call: InnerCall, number: str) -> None:
        """What a call hands on."""
        try:
            carried = carried_by(call)
        except BatchError as problem:
            self.problem(f"call {number}: {problem}")
            return
        if carried and number.count(".") >= DEPTH_LIMIT:
            self.problem(f"call {number}: calls nested more than {DEPTH_LIMIT} deep")
            return
        for road, calls in carried:
            self.add(calls, road, f"{number}.")

    def problem(self, text: str) -> None:
        """Something that cannot be shown, said once."""
        if text not in self.problems:
            self.problems.append(text)


def own_call(tx: SafeTx) -> InnerCall:
    """The transaction itself as a call."""
    return InnerCall(tx.operation, tx.to, tx.value, tx.data)


def unfold(tx: SafeTx) -> Unfolding:
    """Every call of a transaction."""
    found = Unfolding()
    own = own_call(tx)
    if tx.operation != DELEGATECALL or tx.to not in MULTISEND_CODE_HASHES:
        found.add((own,), "")
        return found
    try:
        found.add(entries_of(tx.data), "batch")
    except BatchError as problem:
        found.problem(f"the batch cannot be read: {problem}")
        found.calls.append(MadeCall("1", "", own))
    return found


def carried_by(call: InnerCall) -> list[tuple[Road, tuple[InnerCall, ...]]]:
    """What one call hands on, by its road; raises BatchError where it does and cannot be read."""
    if is_batch(call.data):
        return [("batch", entries_of(call.data))]
    known = roads().get(call.data[:4])
    if known is None:
        return []
    road, signature, read = known
    return [(road, tuple(read(call, arguments(signature, call.data))))]


def arguments(signature: Signature, data: bytes) -> tuple[Any, ...]:
    """The arguments of a function that hands calls on; raises BatchError for any but the canonical encoding."""
    try:
        return decode_exactly(signature, data)
    except NotCanonical as problem:
        raise BatchError(f"the arguments of {signature.name} cannot be read: {problem}") from problem


@functools.cache
def roads() -> dict[bytes, tuple[Road, Signature, Any]]:
    """Every function that hands calls on, by selector."""
    signatures = ((road, parse_signature(text), read) for road, texts, read in ROADS for text in texts)
    return {one.selector: (road, one, read) for road, one, read in signatures}


def of_timelock(call: InnerCall, args: tuple[Any, ...]) -> Iterator[InnerCall]:
    """What a time-lock is asked to schedule or execute."""
    if isinstance(args[0], str):
        yield InnerCall(CALL, Address(args[0]), args[1], args[2])
        return
    targets, values, payloads = args[:3]
    if not len(targets) == len(values) == len(payloads):
        raise BatchError(f"a time-lock is handed {len(targets)} targets and {len(payloads)} payloads")
    for to, value, data in zip(targets, values, payloads, strict=True):
        yield InnerCall(CALL, Address(to), value, data)


def of_other_safe(call: InnerCall, args: tuple[Any, ...]) -> Iterator[InnerCall]:
    """What another Safe is made to execute."""
    to, value, data, operation = args[:4]
    yield InnerCall(operation, Address(to), value, data)


def of_multicall3(call: InnerCall, args: tuple[Any, ...]) -> Iterator[InnerCall]:
    """What Multicall3 is asked to call."""
    for one in args[-1]:
        yield InnerCall(CALL, Address(one[0]), one[2] if len(one) == 4 else 0, one[-1])


def of_own_multicall(call: InnerCall, args: tuple[Any, ...]) -> Iterator[InnerCall]:
    """What a contract is asked to call on itself."""
    for data in args[-1]:
        yield InnerCall(CALL, call.to, 0, data)


def of_executor(call: InnerCall, args: tuple[Any, ...]) -> Iterator[InnerCall]:
    """What an executor is asked to call, without a value where it is given none."""
    if isinstance(args[0], str):
        yield InnerCall(CALL, Address(args[0]), args[1] if isinstance(args[1], int) else 0, args[-1])
        return
    values = args[1] if len(args) == 3 else (0,) * len(args[0])
    if not len(args[0]) == len(values) == len(args[-1]):
        raise BatchError(f"an executor is handed {len(args[0])} targets and {len(args[-1])} payloads")
    for to, value, data in zip(args[0], values, args[-1], strict=True):
        yield InnerCall(CALL, Address(to), value, data)


def of_scheduler(call: InnerCall, args: tuple[Any, ...]) -> Iterator[InnerCall]:
    """What a manager of access is asked to call later."""
    yield InnerCall(CALL, Address(args[0]), 0, args[1])


def of_text_timelock(call: InnerCall, args: tuple[Any, ...]) -> Iterator[InnerCall]:
    """What a time-lock calls that is handed the function as text; the data are whole where there is no text."""
    to, value, text, data, _ = args
    yield InnerCall(CALL, Address(to), value, keccak(text.encode())[:4] + data if text else data)


ROADS: tuple[tuple[Road, tuple[str, ...], Any], ...] = (
    ("time-lock", known_functions.TIMELOCK[:4], of_timelock),
    ("other Safe", known_functions.OTHER_SAFE, of_other_safe),
    ("Multicall3", known_functions.MULTICALL, of_multicall3),
    ("multicall", known_functions.SELF_MULTICALL, of_own_multicall),
    ("executor", (*known_functions.EXECUTOR[:3], *known_functions.EXECUTOR_OF_MANY), of_executor),
    ("executor", known_functions.EXECUTOR[3:], of_scheduler),
    ("executor", known_functions.ROLE, of_other_safe),
    ("time-lock", known_functions.TEXT_TIMELOCK, of_text_timelock),
)
