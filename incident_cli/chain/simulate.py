"""Simulation: what calls would do if the Safe made them, asked of a node, with nothing sent.

The Safe delegates to Multicall3 inside a call that always reverts (StorageAccessible.simulateAndRevert, Safe 1.3.0 and
later), so that every call really has the Safe as its sender. Guards and signatures are not exercised by it; executing
with the collected signatures is the second simulation here, and exercises both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from incident_cli.abi import decode, encode_call, parse_signature
from incident_cli.chain.answers import LATEST_BLOCK, Answer, decode_result, parse_header, refused
from incident_cli.chain.asks import RequestAt, call_request
from incident_cli.chain.batch import exchange_at
from incident_cli.chain.multicall import MULTICALL3, Result, Seen, Target, decode_round, encode_round, revert_reason
from incident_cli.errors import Unread
from incident_cli.evm import Address, Block, Call, CallRead, Missing, Read, hex_bytes
from incident_cli.text import plain
from incident_cli.transport import Endpoint, Json, Request, RpcError

State = Literal["passed", "failed", "not-simulated"]
THROUGH_HANDLER = "simulate (fallback handler) + Multicall3"
DIRECTLY = "simulateAndRevert + Multicall3"
EXECUTION = "execTransaction by eth_call"
NOT_EXERCISED = ("guards", "signatures")
SIMULATE = parse_signature("simulate(address targetContract, bytes calldataPayload) returns (bytes response)")
SIMULATE_AND_REVERT = parse_signature("simulateAndRevert(address targetContract, bytes calldataPayload)")
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
    """What a simulation showed. `before` and `after` are the reads around the calls, all at `block`."""

    state: State
    method: str
    reason: str = ""
    not_exercised: tuple[str, ...] = ()
    before: Mapping[Read, Answer] = field(default_factory=dict)
    after: Mapping[Read, Answer] = field(default_factory=dict)
    block: Block | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """Reads, calls and the same reads again, as one round made by the Safe."""

    safe: Address
    calls: tuple[Call, ...]
    reads: tuple[CallRead, ...]
    targets: tuple[Target, ...]

    def requests(self, method: str) -> list[RequestAt]:
        """The eth_call to the Safe, then the code of each call's target."""
        signature = SIMULATE if method == THROUGH_HANDLER else SIMULATE_AND_REVERT
        data = encode_call(signature, (MULTICALL3, encode_round(self.targets)))
        return [asked(self.safe, data), *(code_of(one.to) for one in self.calls)]


@dataclass(frozen=True, slots=True)
class Ran:
    """A script that was run: the block it saw, what each target answered, and which calls have code to reach."""

    block: Block
    results: list[Result]
    codes: list[Json | RpcError]


class NotSimulated(Exception):
    """This method cannot simulate here, and why."""


def simulate(
    endpoint: Endpoint,
    chain: str,
    safe: Address,
    calls: Sequence[Call],
    reads: Sequence[Read],
    at: Block | None = None,
) -> Simulation:
    """What `calls`, made by the Safe in this order, would do to `reads`; at `at` or the latest block.

    Never "passed" without an answer to every call. Multicall3 must be deployed, and calls send no value.
    """
    reasons: list[str] = []
    try:
        script = write_script(safe, calls, reads)
        for method in (THROUGH_HANDLER, DIRECTLY):
            try:
                return judge(script, run(endpoint, chain, script, method, at), method, reads)
            except NotSimulated as problem:
                reasons.append(f"{method}: {problem}")
    except NotSimulated as problem:
        reasons.append(str(problem))
    except Unread as problem:
        reasons.append(problem.message)
    return Simulation("not-simulated", THROUGH_HANDLER, "; ".join(reasons), NOT_EXERCISED)


def write_script(safe: Address, calls: Sequence[Call], reads: Sequence[Read]) -> Script:
    """The round to run; raises NotSimulated where a call cannot be part of one."""
    if not calls:
        raise NotSimulated("there is no call to simulate")
    if any(one.value for one in calls):
        raise NotSimulated("a call sends value, which a delegated Multicall3 cannot")
    encoded: dict[CallRead, Target] = {}
    for read in reads:
        target = read_target(read)
        if isinstance(read, CallRead) and target is not None:
            encoded[read] = target
    try:
        made = [Target(one.to, one.data) for one in calls]
    except ValueError as problem:
        raise NotSimulated(plain(problem, 300)) from None
    return Script(safe, tuple(calls), tuple(encoded), (*encoded.values(), *made, *encoded.values()))


def read_target(read: Read) -> Target | None:
    """The call of a read, or None for one that cannot be made inside a simulation."""
    if not isinstance(read, CallRead):
        return None
    try:
        return Target(read.to, encode_call(read.signature, read.args))
    except ValueError:
        return None


def run(endpoint: Endpoint, chain: str, script: Script, method: str, at: Block | None) -> Ran:
    """Run the script at `at`, or at the latest block and at none other; raises NotSimulated."""
    requests = script.requests(method)
    if at is None:
        *found, latest = endpoint.exchange([*(one("latest") for one in requests), LATEST_BLOCK])
        header = parse_header(chain, latest)
        seen, results = open_simulation(method, found[0], len(script.targets))
        if header.agrees(seen):
            return Ran(header.block, results, found[1:])
        at = header.block
    found = exchange_at(endpoint, requests, at)
    seen, results = open_simulation(method, found[0], len(script.targets))
    if seen.timestamp != at.timestamp:
        raise NotSimulated(f"{endpoint.name} simulated at another block than {at.number}")
    return Ran(at, results, found[1:])


def open_simulation(method: str, answer: Json | RpcError, count: int) -> tuple[Seen, list[Result]]:
    """What the round inside answered; raises NotSimulated with the reason there is none."""
    inside = returned(answer) if method == THROUGH_HANDLER else reverted(answer)
    try:
        return decode_round(inside, count)
    except ValueError as problem:
        raise NotSimulated(plain(problem, 300)) from None


def returned(answer: Json | RpcError) -> bytes:
    """The response that the fallback handler returns; raises NotSimulated."""
    if isinstance(answer, RpcError):
        raise NotSimulated(error_reason(answer))
    try:
        (response,) = decode(SIMULATE.output_types, hex_bytes(answer if isinstance(answer, str) else ""))
    except ValueError:
        raise NotSimulated("the Safe has no fallback handler that simulates") from None
    return response if isinstance(response, bytes) else b""


def reverted(answer: Json | RpcError) -> bytes:
    """The response in simulateAndRevert's revert data: success, size, response; raises NotSimulated.

    Source: safe-smart-account, StorageAccessible.sol.
    """
    if not isinstance(answer, RpcError):
        raise NotSimulated("no Safe of version 1.3.0 or later answered")
    data = hex_bytes(answer.data) if answer.data else b""
    success, size, response = int.from_bytes(data[:32]), int.from_bytes(data[32:64]), data[64:]
    if len(data) < 64 or success > 1 or size != len(response):
        raise NotSimulated(error_reason(answer))
    if not success:
        raise NotSimulated(f"Multicall3 {revert_reason(response)}")
    return response


def judge(script: Script, ran: Ran, method: str, reads: Sequence[Read]) -> Simulation:
    """The verdict on a script that ran: failed where any call reverts or reaches no code."""
    size, count = len(script.reads), len(script.calls)
    before = dict(zip(script.reads, map(decode_result, script.reads, ran.results[:size]), strict=True))
    after = dict(zip(script.reads, map(decode_result, script.reads, ran.results[size + count :]), strict=True))
    outcomes = zip(script.calls, ran.results[size : size + count], ran.codes, strict=True)
    problems = [
        f"call {place} of {count} ({call.signature.name} on {call.to}) {problem}"
        for place, (call, result, code) in enumerate(outcomes, 1)
        if (problem := call_problem(result, code))
    ]
    if problems:  # the Safe would undo every call with the one that fails
        after = dict.fromkeys(script.reads, Missing("the calls would not take effect: one of them fails"))
    return Simulation(
        "failed" if problems else "passed",
        method,
        "; ".join(problems),
        NOT_EXERCISED,
        whole(reads, before),
        whole(reads, after),
        ran.block,
    )


def whole(reads: Sequence[Read], answers: Mapping[CallRead, Answer]) -> dict[Read, Answer]:
    """An answer for every read that was asked for."""
    outside = Missing("it cannot be read inside a simulation")
    return {read: answers.get(read, outside) if isinstance(read, CallRead) else outside for read in reads}


def call_problem(result: Result, code: Json | RpcError) -> str:
    """Why a call does not do what it says, or nothing. A call to an address without code succeeds and does nothing."""
    if not result.success:
        return revert_reason(result.data)
    if isinstance(code, RpcError) or not isinstance(code, str):
        return "reaches an address whose code could not be read"
    return "" if len(code) > 2 else "reaches an address without code"


def simulate_execution(
    endpoint: Endpoint, chain: str, safe: Address, exec_calldata: bytes, sender: Address
) -> Simulation:
    """What execTransaction with its collected signatures would do now, sent by `sender`; guards run in it."""
    transaction: Json = {"from": sender, "to": safe, "data": "0x" + exec_calldata.hex()}
    try:
        first, answer, last = endpoint.exchange(
            [LATEST_BLOCK, Request("eth_call", (transaction, "latest")), LATEST_BLOCK]
        )
        before, after = parse_header(chain, first).block, parse_header(chain, last).block
    except Unread as problem:
        return Simulation("not-simulated", EXECUTION, problem.message)
    state, reason = execution_verdict(answer)
    return Simulation(state, EXECUTION, reason, block=before if before == after else None)


def execution_verdict(answer: Json | RpcError) -> tuple[State, str]:
    """The state and its reason: only the word `true` passes."""
    if isinstance(answer, RpcError):
        reason = error_reason(answer)
        return ("not-simulated" if refused(answer) else "failed"), reason
    if answer == "0x" + "0" * 63 + "1":
        return "passed", ""
    if answer == "0x" + "0" * 64:
        return "failed", "execTransaction answers false: the call fails and the nonce would be spent"
    return "not-simulated", "no Safe answered"


def error_reason(error: RpcError) -> str:
    """The reason of an error, with the meaning of the Safe's own codes."""
    reason = revert_reason(hex_bytes(error.data)) if error.data else plain(error.message, 300)
    meaning = next((words for code, words in SAFE_ERRORS.items() if code in reason), "")
    return f"{reason} ({meaning})" if meaning else reason


def asked(to: Address, data: bytes) -> RequestAt:
    """An eth_call at whichever block is given later."""
    return lambda at: call_request(Target(to, data), at)


def code_of(address: Address) -> RequestAt:
    """An eth_getCode at whichever block is given later."""
    return lambda at: Request("eth_getCode", (address, at))
