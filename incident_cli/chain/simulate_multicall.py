"""The third rung, for every node: the calls and the reads as one round of Multicall3 that the Safe delegates to.

It does so inside a call that always reverts (StorageAccessible.simulateAndRevert, Safe 1.3.0 and later), so that every
call really has the Safe as its sender. Guards and signatures are not exercised by it.
"""

from __future__ import annotations

from dataclasses import dataclass

from incident_cli.abi import decode, encode_call, parse_signature
from incident_cli.chain.answers import LATEST_BLOCK, parse_header
from incident_cli.chain.asks import RequestAt, call_request
from incident_cli.chain.batch import exchange_at
from incident_cli.chain.multicall import MULTICALL3, Result, Seen, Target, decode_round, encode_round, revert_reason
from incident_cli.chain.simulation import NotSimulated, Script, Simulation, code_problem, error_reason
from incident_cli.evm import Address, Block, hex_bytes
from incident_cli.text import plain
from incident_cli.transport import Endpoint, Json, RpcError

THROUGH_HANDLER = "simulate (fallback handler) + Multicall3"
DIRECTLY = "simulateAndRevert + Multicall3"
NOT_EXERCISED = ("guards", "signatures")
SIMULATE = parse_signature("simulate(address targetContract, bytes calldataPayload) returns (bytes response)")
SIMULATE_AND_REVERT = parse_signature("simulateAndRevert(address targetContract, bytes calldataPayload)")


@dataclass(frozen=True, slots=True)
class Ran:
    """A script that was run: the block it saw, what each target answered, and which calls have code to reach."""

    block: Block
    results: list[Result]
    codes: list[Json | RpcError]


def simulate_multicall(endpoint: Endpoint, chain: str, script: Script, at: Block | None) -> Simulation:
    """The calls made in the Safe's place, at `at` or the latest block; raises NotSimulated, Unread."""
    if any(one.value for one in script.calls):
        raise NotSimulated("a call sends value, which a delegated Multicall3 cannot")
    reasons: list[str] = []
    for method in (THROUGH_HANDLER, DIRECTLY):
        try:
            return judge(script, run(endpoint, chain, script, method, at), method)
        except NotSimulated as problem:
            reasons.append(f"{method}: {problem}")
    raise NotSimulated("; ".join(reasons))


def requests_of(script: Script, method: str) -> list[RequestAt]:
    """The eth_call to the Safe, then the code of each call's target."""
    signature = SIMULATE if method == THROUGH_HANDLER else SIMULATE_AND_REVERT
    data = encode_call(signature, (MULTICALL3, encode_round(targets_of(script))))
    return [asked(script.safe, data), *script.codes()]


def targets_of(script: Script) -> list[Target]:
    """Reads, calls and the same reads again."""
    reads = script.targets.values()
    return [*reads, *(Target(one.to, one.data) for one in script.calls), *reads]


def run(endpoint: Endpoint, chain: str, script: Script, method: str, at: Block | None) -> Ran:
    """Run the script at `at`, or at the latest block and at none other; raises NotSimulated."""
    requests, count = requests_of(script, method), len(targets_of(script))
    if at is None:
        *found, latest = endpoint.exchange([*(one("latest") for one in requests), LATEST_BLOCK])
        header = parse_header(chain, latest)
        seen, results = open_simulation(method, found[0], count)
        if header.agrees(seen):
            return Ran(header.block, results, found[1:])
        at = header.block
    found = exchange_at(endpoint, requests, at)
    seen, results = open_simulation(method, found[0], count)
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


def judge(script: Script, ran: Ran, method: str) -> Simulation:
    """The verdict on a script that ran: failed where any call reverts or reaches no code."""
    size, count = len(script.targets), len(script.calls)
    made = zip(ran.results[size : size + count], ran.codes, strict=True)
    problem = script.named([call_problem(result, code) for result, code in made])
    return Simulation(
        "failed" if problem else "passed",
        method,
        problem,
        NOT_EXERCISED,
        script.answers(ran.results[:size]),
        script.undone() if problem else script.answers(ran.results[size + count :]),
        ran.block,
    )


def call_problem(result: Result, code: Json | RpcError) -> str:
    """Why a call does not do what it says, or nothing. A call to an address without code succeeds and does nothing."""
    return code_problem(code) if result.success else revert_reason(result.data)


def asked(to: Address, data: bytes) -> RequestAt:
    """An eth_call at whichever block is given later."""
    return lambda at: call_request(Target(to, data), at)
