"""What a simulation is: its result, what it may be given to try, and why there is none. The rungs are files beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from incident_cli.abi import encode_call
from incident_cli.chain.answers import Answer, decode_result
from incident_cli.chain.asks import RequestAt
from incident_cli.chain.multicall import Result, Target, revert_reason
from incident_cli.chain.state_diff import StateDiff
from incident_cli.evm import Address, Block, Call, CallRead, Missing, Read, hex_bytes
from incident_cli.text import plain
from incident_cli.transport import Json, Request, RpcError

State = Literal["passed", "failed", "not-simulated"]
TRUE, FALSE = "0x" + "0" * 63 + "1", "0x" + "0" * 64
ANSWERS_FALSE = "execTransaction answers false: the call fails and the nonce would be spent"
MOST_GAS = 2**24  # of one transaction (EIP-7825)
NO_DIFF = Missing("this method shows no state changes")
UNDONE = Missing("the calls would not take effect: one of them fails")
NOTHING_CHANGES = Missing("nothing changes: the transaction fails")
SAFE_ERRORS = {
    "GS010": "not enough gas for the Safe transaction",
    "GS013": "the Safe's call fails",
    "GS020": "there are fewer signatures than the threshold",
    "GS021": "a contract signature points into the signatures",
    "GS022": "a contract signature lies outside the signatures",
    "GS023": "a contract signature is incomplete",
    "GS024": "a contract owner rejects its signature",
    "GS025": "an owner has not approved this hash",
    "GS026": "a signature is not an owner's, is out of order, or is for another hash or nonce",
}


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a simulation showed. `before` and `after` are the reads around the calls, all at `block`.

    `overridden` says in words what was not as on the chain. `diff` is every change of state, or why it is not known;
    hold it against what may change with `state_diff.undeclared`. `gas` is what the execution used, where it is known.
    """

    state: State
    method: str
    reason: str = ""
    not_exercised: tuple[str, ...] = ()
    before: Mapping[Read, Answer] = field(default_factory=dict)
    after: Mapping[Read, Answer] = field(default_factory=dict)
    block: Block | None = None
    diff: StateDiff | Missing = NO_DIFF
    overridden: tuple[str, ...] = ()
    gas: int | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """Reads, calls and the same reads again."""

    safe: Address
    calls: tuple[Call, ...]
    reads: tuple[Read, ...]
    targets: Mapping[CallRead, Target]

    def codes(self) -> list[RequestAt]:
        """The code of each call's target."""
        return [code_of(one.to) for one in self.calls]

    def no_code(self, codes: Sequence[Json | RpcError]) -> str:
        """Which calls reach no code, or nothing: such a call succeeds and does nothing."""
        pairs = zip(self.calls, codes, strict=True)
        return self.named([code_problem(code) if one.data else "" for one, code in pairs])

    def named(self, problems: Sequence[str]) -> str:
        """The problems with the call of each (empty where it has none), or nothing."""
        return "; ".join(
            f"call {place} of {len(self.calls)} ({call.signature.name} on {call.to}) {problem}"
            for place, (call, problem) in enumerate(zip(self.calls, problems, strict=True), 1)
            if problem
        )

    def answers(self, results: Sequence[Result]) -> dict[Read, Answer]:
        """An answer for every read that was asked for, from the results of those that could be made."""
        found = {read: decode_result(read, one) for read, one in zip(self.targets, results, strict=True)}
        return self.whole(found)

    def undone(self) -> dict[Read, Answer]:
        """The reads after calls of which one fails: the Safe would undo them all."""
        return self.whole(dict.fromkeys(self.targets, UNDONE))

    def whole(self, answers: Mapping[CallRead, Answer]) -> dict[Read, Answer]:
        """An answer for every read that was asked for."""
        outside = Missing("it cannot be read inside a simulation")
        return {read: answers.get(read, outside) if isinstance(read, CallRead) else outside for read in self.reads}


class NotSimulated(Exception):
    """This method cannot simulate here, and why. `traces` is False where the node was seen to have no tracer."""

    def __init__(self, reason: str, *, traces: bool = True) -> None:
        super().__init__(reason)
        self.traces = traces


def write_script(safe: Address, calls: Sequence[Call], reads: Sequence[Read]) -> Script:
    """What is to be simulated; raises NotSimulated where a call cannot be."""
    if not calls:
        raise NotSimulated("there is no call to simulate")
    try:
        for one in calls:
            Target(one.to, one.data)
    except ValueError as problem:
        raise NotSimulated(plain(problem, 300)) from None
    targets = {
        read: target for read in reads if isinstance(read, CallRead) and (target := read_target(read)) is not None
    }
    return Script(safe, tuple(calls), tuple(reads), targets)


def read_target(read: CallRead) -> Target | None:
    """The call of a read, or None for one that cannot be made."""
    try:
        return Target(read.to, encode_call(read.signature, read.args))
    except ValueError:
        return None


def too_much_gas(gas: int | None) -> str:
    """Why an execution that succeeds in a simulation fits into no transaction, or nothing."""
    if gas is None or gas <= MOST_GAS:
        return ""
    return f"the execution uses {gas} gas, and one transaction may use {MOST_GAS} (EIP-7825): nobody can send it"


def code_problem(code: Json | RpcError) -> str:
    """Why an address cannot do what a call asks of it, or nothing."""
    if not isinstance(code, str):
        return "reaches an address whose code could not be read"
    return "" if len(code) > 2 else "reaches an address without code"


def code_of(address: Address) -> RequestAt:
    """An eth_getCode at whichever block is given later."""
    return lambda at: Request("eth_getCode", (address, at))


def error_reason(error: RpcError) -> str:
    """The reason of an error, with the meaning of the Safe's own codes."""
    return explained(revert_reason(hex_bytes(error.data)) if error.data else plain(error.message, 300))


def explained(reason: str) -> str:
    """A reason with the meaning of the Safe's own code in it."""
    meaning = next((words for code, words in SAFE_ERRORS.items() if code in reason), "")
    return f"{reason} ({meaning})" if meaning else reason
