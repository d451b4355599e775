"""The best rung: execTransaction itself in eth_simulateV1, so that the Safe's guard runs; reads before and after it.

The calls are made in one simulated block: Multicall3, the Safe, Multicall3. The same exchange holds a trace of the
state that changes, the code of each call's target, and the block that all of it is held against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from incident_cli.chain.answers import LATEST_BLOCK, Header, parse_header, refused
from incident_cli.chain.asks import RequestAt
from incident_cli.chain.batch import exchange_pinned
from incident_cli.chain.multicall import MULTICALL3, Result, Target, encode_round, revert_reason, runtime_code
from incident_cli.chain.simulated_block import Outcome, on_top, parse_simulated, read_outcome
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
from incident_cli.evm import Block, Missing, to_hex
from incident_cli.text import plain
from incident_cli.transport import Endpoint, Json, Request, RpcError

V1 = "execTransaction by eth_simulateV1"
LENT = "Multicall3's code lent"
NO_MULTICALL = "no Multicall3 answered"


@dataclass(frozen=True, slots=True)
class Experiment:
    """A script and the trial that makes its calls."""

    script: Script
    trial: Trial
    lends: bool = False

    @property
    def requests(self) -> list[RequestAt]:
        """The simulation, the trace of what changes, and the code of each call's target."""
        return [self.simulation, self.trial.traced_diff(self.script.safe), *self.script.codes()]

    def simulation(self, at: Json) -> Request:
        """The eth_simulateV1 on top of a block."""
        safe, overrides = self.script.safe, self.trial.state_overrides(self.script.safe)
        if self.lends:
            overrides[MULTICALL3] = {"code": to_hex(runtime_code())}
        calls: list[Json] = [
            self.reading([*self.trial.probes(safe), *self.script.targets.values()]),
            self.trial.transaction(safe),
            self.reading(list(self.script.targets.values())),
        ]
        block: Json = {"stateOverrides": overrides, "calls": calls}
        return Request("eth_simulateV1", ({"blockStateCalls": [block], "validation": False}, at))

    def reading(self, targets: Sequence[Target]) -> dict[str, Json]:
        """A call of Multicall3."""
        return {"from": self.trial.sender, "to": MULTICALL3, "data": to_hex(encode_round(targets))}


def simulate_v1(endpoint: Endpoint, chain: str, script: Script, trial: Trial, at: Block | None) -> Simulation:
    """The calls as the Safe would execute them, at `at` or the latest block.

    Raises NotSimulated where the node cannot, and Unread where it does not answer.
    """
    try:
        return held(endpoint, chain, Experiment(script, trial), at)
    except NotSimulated as problem:
        if str(problem) != NO_MULTICALL:
            raise
    return held(endpoint, chain, Experiment(script, trial, lends=True), at)


def held(endpoint: Endpoint, chain: str, experiment: Experiment, at: Block | None) -> Simulation:
    """The simulation on top of one block and of no other; raises NotSimulated."""
    if at is None:
        *found, latest = endpoint.exchange([*(one("latest") for one in experiment.requests), LATEST_BLOCK])
        header = parse_header(chain, latest)
        shown = opened(experiment, found, header)
        if shown is not None:
            return shown
        at = header.block
    pinned = exchange_pinned(endpoint, [(at, one) for one in experiment.requests])
    shown = opened(experiment, [answer for _, answer in pinned], pinned[0][0])
    if shown is None:
        raise NotSimulated(f"{endpoint.name} simulated on another block than {at.number}")
    return shown


def opened(experiment: Experiment, found: Sequence[Json | RpcError], header: Header) -> Simulation | None:
    """What the answers show, or None where they are for another block; raises NotSimulated."""
    simulation, traced, *codes = found
    if isinstance(simulation, RpcError) and not refused(simulation):  # a revert is a verdict, wherever it stands
        return reverted(experiment, error_reason(simulation), header.block)
    traces = not (isinstance(traced, RpcError) and refused(traced))
    try:
        block = parse_simulated(simulation)
        before, executed, after = block.outcomes
        probes, targets = experiment.trial.probes(experiment.script.safe), experiment.script.targets
        wanted = [Result(True, value.to_bytes(32)) for value in probes.values()]
        seen, results = read_outcome(before, len(probes) + len(targets))
        seen_after, results_after = read_outcome(after, len(targets))
    except ValueError as problem:
        raise NotSimulated(plain(problem, 300), traces=traces) from None
    if not on_top(block, seen, header) or seen != seen_after:
        return None
    if list(results[: len(probes)]) != wanted:
        raise NotSimulated("the node ignores the overrides", traces=traces)
    return concluded(experiment, executed, codes, (results[len(probes) :], results_after), header.block, traced)


def reverted(experiment: Experiment, reason: str, block: Block) -> Simulation:
    """The verdict where the node gives nothing but a revert."""
    script, trial = experiment.script, experiment.trial
    before = script.whole(dict.fromkeys(script.targets, Missing("not read: the simulation reverts")))
    fixed = (trial.not_exercised, before, script.undone(), block, NOTHING_CHANGES, trial.overridden)
    return Simulation("failed", V1, f"execTransaction {reason}", *fixed)


def concluded(
    experiment: Experiment,
    executed: Outcome,
    codes: Sequence[Json | RpcError],
    results: tuple[Sequence[Result], Sequence[Result]],
    block: Block,
    traced: Json | RpcError,
) -> Simulation:
    """The verdict; raises NotSimulated where no Safe answered."""
    script, trial = experiment.script, experiment.trial
    reason = why_failed(executed) or script.no_code(codes) or too_much_gas(executed.gas)
    diff = executed_diff(traced, script.safe) if not reason else NOTHING_CHANGES
    blind = () if isinstance(diff, StateDiff) or reason else ("state changes",)
    before = script.answers(results[0])
    after = script.undone() if reason else script.answers(results[1])
    return Simulation(
        "failed" if reason else "passed",
        V1,
        reason,
        (*trial.not_exercised, *blind),
        trial.unhidden(script.safe, before),
        trial.unhidden(script.safe, after),
        block,
        diff,
        (*trial.overridden, *([LENT] if experiment.lends else [])),
        executed.gas,
    )


def why_failed(executed: Outcome) -> str:
    """Why execTransaction did not do its work, or nothing; raises NotSimulated where no Safe answered."""
    data = executed.result.data
    if not executed.result.success:
        return f"execTransaction {revert_reason(data) if data or not executed.message else executed.message}"
    answered = answered_true(to_hex(data))
    if answered is None:
        raise NotSimulated("no Safe answered")
    return "" if answered else ANSWERS_FALSE
