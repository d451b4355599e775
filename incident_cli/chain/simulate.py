"""Simulation: what calls would do if the Safe made them, asked of a node, with nothing sent.

The ladder, best first; a rung is tried only where the node cannot do the one above, never because the calls revert:

1. eth_simulateV1 of execTransaction itself: guard exercised, reads around it, state changes traced, one exchange;
2. debug_traceCall of it: guard exercised, state changes; the reads from the third;
3. Multicall3 in the Safe's place (simulateAndRevert): neither guard nor state changes;
4. executed between a snapshot and the return to it, on what says of itself that it is a development chain.

The first two and the last need a `Trial`, made of a SafeTx `tx`, its hash, and `threshold` owners ascending:

    signers = sorted(owners, key=str.lower)[:threshold]
    signatures = pack({owner: pre_validated(owner) for owner in signers})
    trial = Trial(encode_call(EXEC, (*tx.arguments, signatures)), signers[0], tuple(signers[1:]), safe_tx_hash)
    shown = simulate(endpoint, chain, safe, calls, reads, trial=trial)
    if isinstance(shown.diff, StateDiff):
        problems = undeclared(shown.diff, allowed=written, safe=safe, sender=trial.sender, values=sent)

Show `method`, `not_exercised` and `overridden` wherever a simulation is shown. Executing with the collected
signatures is the second simulation here, `simulate_execution`, and exercises those too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from incident_cli.chain.answers import LATEST_BLOCK, parse_header, refused
from incident_cli.chain.simulate_multicall import DIRECTLY as DIRECTLY
from incident_cli.chain.simulate_multicall import NOT_EXERCISED as NOT_EXERCISED
from incident_cli.chain.simulate_multicall import THROUGH_HANDLER as THROUGH_HANDLER
from incident_cli.chain.simulate_multicall import simulate_multicall
from incident_cli.chain.simulate_v1 import V1 as V1
from incident_cli.chain.simulate_v1 import simulate_v1
from incident_cli.chain.simulation import (
    ANSWERS_FALSE,
    FALSE,
    TRUE,
    NotSimulated,
    Script,
    State,
    error_reason,
    explained,
    write_script,
)
from incident_cli.chain.simulation import Simulation as Simulation
from incident_cli.chain.snapshotting import SNAPSHOT as SNAPSHOT
from incident_cli.chain.snapshotting import simulate_by_snapshot
from incident_cli.chain.trace import TRACE as TRACE
from incident_cli.chain.trace import simulate_by_trace
from incident_cli.chain.trial import NONCE_TAKEN
from incident_cli.chain.trial import Trial as Trial
from incident_cli.errors import Unread
from incident_cli.evm import Address, Block, Call, Read
from incident_cli.transport import Endpoint, Json, Request, RpcError

EXECUTION = "execTransaction by eth_call"
BLIND = (*NOT_EXERCISED, "state changes")


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to simulate, whether it is a trace, and whether it writes to the node."""

    run: Callable[[], Simulation]
    traces: bool = False
    writes: bool = False


def simulate(
    endpoint: Endpoint,
    chain: str,
    safe: Address,
    calls: Sequence[Call],
    reads: Sequence[Read],
    at: Block | None = None,
    trial: Trial | None = None,
) -> Simulation:
    """What `calls`, made by the Safe in this order, would do to `reads`; at `at` or the latest block.

    Never "passed" without an answer to every call. Without a `trial` only the third rung is tried, for which
    Multicall3 must be deployed and calls send no value.
    """
    try:
        script = write_script(safe, calls, reads)
    except NotSimulated as problem:
        return Simulation("not-simulated", THROUGH_HANDLER, str(problem), NOT_EXERCISED)
    if trial is None:
        return climb_down([Rung(lambda: simulate_multicall(endpoint, chain, script, at))], NOT_EXERCISED)
    shown = climb_down(rungs(endpoint, chain, script, trial, at), BLIND)
    return diagnosed(endpoint, chain, script, shown) if shown.state == "failed" else shown


def rungs(endpoint: Endpoint, chain: str, script: Script, trial: Trial, at: Block | None) -> list[Rung]:
    """The whole ladder, best first."""

    def in_its_place() -> Simulation:
        shown = simulate_multicall(endpoint, chain, script, at)
        return replace(shown, not_exercised=(*BLIND, *(() if trial.nonce is None else (NONCE_TAKEN,))))

    return [
        Rung(lambda: simulate_v1(endpoint, chain, script, trial, at)),
        Rung(lambda: simulate_by_trace(endpoint, chain, script, trial, at), traces=True),
        Rung(in_its_place),
        Rung(lambda: simulate_by_snapshot(endpoint, chain, script, trial, at), writes=True),
    ]


def climb_down(ladder: Sequence[Rung], not_exercised: tuple[str, ...]) -> Simulation:
    """The first rung that holds, or why none does.

    Some nodes refuse a whole batch for one unknown method, so a lost exchange costs a rung too; after one there is
    neither a trace nor anything written.
    """
    reasons: list[str] = []
    traces, lost = True, False
    for rung in ladder:
        if (rung.traces and not traces) or (rung.writes and lost):
            continue
        try:
            return rung.run()
        except NotSimulated as problem:
            reasons.append(str(problem))
            traces = traces and problem.traces
        except Unread as problem:
            reasons.append(problem.message)
            traces, lost = False, True
    return Simulation("not-simulated", THROUGH_HANDLER, "; ".join(dict.fromkeys(reasons)), not_exercised)


def diagnosed(endpoint: Endpoint, chain: str, script: Script, shown: Simulation) -> Simulation:
    """A failed execution with the call that fails, or that none does; Safe 1.5.0 passes a call's own reason on.

    So the Safe's codes are explained only where they are not a call's words.
    """
    if shown.method not in (V1, TRACE, SNAPSHOT) or not shown.reason.startswith("execTransaction"):
        return shown
    try:
        alone = simulate_multicall(endpoint, chain, script, shown.block)
    except (NotSimulated, Unread):
        return replace(shown, reason=explained(shown.reason))
    if alone.state == "failed":
        own = shown.reason if "GS013" not in shown.reason else explained(shown.reason)
        return replace(shown, reason=f"{own}; {alone.reason}")
    return replace(
        shown, reason=f"{explained(shown.reason)}; made in the Safe's place, without its guard, they succeed"
    )


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
    if answer == TRUE:
        return "passed", ""
    if answer == FALSE:
        return "failed", ANSWERS_FALSE
    return "not-simulated", "no Safe answered"
