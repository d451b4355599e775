"""The second rung: execTransaction in debug_traceCall, so that the Safe's guard runs, and the state it changes.

A trace cannot read afterwards: the reads come from Multicall3 in the Safe's place, at the same block.
"""

from __future__ import annotations

from dataclasses import replace

from incident_cli.chain.batch import exchange_at, head
from incident_cli.chain.multicall import revert_reason
from incident_cli.chain.simulate_multicall import simulate_multicall
from incident_cli.chain.simulated_block import used_gas
from incident_cli.chain.simulation import (
    ANSWERS_FALSE,
    NOTHING_CHANGES,
    NotSimulated,
    Script,
    Simulation,
    error_reason,
    too_much_gas,
)
from incident_cli.chain.state_diff import StateDiff, executed_diff
from incident_cli.chain.trial import Trial, answered_true
from incident_cli.evm import Block, Missing, hex_bytes
from incident_cli.text import plain
from incident_cli.transport import Endpoint, Json, RpcError

TRACE = "execTransaction by debug_traceCall, reads by Multicall3 in the Safe's place"
OVERRIDE_IGNORED = ("GS020", "GS025")


def simulate_by_trace(endpoint: Endpoint, chain: str, script: Script, trial: Trial, at: Block | None) -> Simulation:
    """The calls as the Safe would execute them, at `at` or the latest block; raises NotSimulated, Unread."""
    at = at or head(endpoint, chain)
    called = trial.traced(script.safe, "callTracer", {"onlyTopCall": True})
    answer, traced, *codes = exchange_at(endpoint, [called, trial.traced_diff(script.safe), *script.codes()], at)
    gas = traced_gas(answer)
    reason = why_failed(answer) or script.no_code(codes) or too_much_gas(gas)
    if reason:
        before = script.whole(dict.fromkeys(script.targets, Missing("not read: the transaction fails")))
        fixed = (trial.not_exercised, before, script.undone(), at, NOTHING_CHANGES, trial.overridden, gas)
        return Simulation("failed", TRACE, reason, *fixed)
    diff = executed_diff(traced, script.safe)
    shown = reads_of(endpoint, chain, script, at)
    return replace(
        shown,
        method=TRACE,
        not_exercised=(*trial.not_exercised, *(() if isinstance(diff, StateDiff) else ("state changes",))),
        before=trial.unhidden(script.safe, shown.before),
        after=trial.unhidden(script.safe, shown.after),
        diff=diff,
        overridden=trial.overridden,
        gas=gas,
    )


def reads_of(endpoint: Endpoint, chain: str, script: Script, at: Block) -> Simulation:
    """The reads around the calls that a trace saw succeed; where they cannot be had, none is answered."""
    try:
        shown = simulate_multicall(endpoint, chain, script, at)
    except NotSimulated as problem:
        missing = dict.fromkeys(script.targets, Missing(f"not read: {plain(problem, 300)}"))
        return Simulation("passed", TRACE, "", (), script.whole(missing), script.whole(missing), at)
    if shown.state == "failed":
        return replace(shown, reason=f"{shown.reason} when made in the Safe's place, though execTransaction succeeds")
    return shown


def traced_gas(answer: Json | RpcError) -> int | None:
    """The gas that a trace says was used, or None where it does not say."""
    try:
        return used_gas(answer) if isinstance(answer, dict) else None
    except ValueError:
        return None


def why_failed(answer: Json | RpcError) -> str:
    """Why execTransaction did not do its work, or nothing; raises NotSimulated where the trace does not say."""
    if isinstance(answer, RpcError):
        raise NotSimulated(error_reason(answer))
    if not isinstance(answer, dict) or answer.get("type") != "CALL":
        raise NotSimulated("the node's trace is malformed")
    output = answer.get("output", "0x")
    try:
        data = hex_bytes(output if isinstance(output, str) else "")
    except ValueError:
        raise NotSimulated("the node's trace is malformed") from None
    if "error" in answer:
        reason = revert_reason(data) if data else plain(answer["error"], 200)
        if any(code in reason for code in OVERRIDE_IGNORED):
            raise NotSimulated("the node may ignore the overrides: " + reason)
        return f"execTransaction {reason}"
    answered = answered_true("0x" + data.hex())
    if answered is None:
        raise NotSimulated("no Safe answered")
    return "" if answered else ANSWERS_FALSE
