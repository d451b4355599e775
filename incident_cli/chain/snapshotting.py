"""The last rung, for development chains alone: execute for real between a snapshot and the return to it.

Nothing is written to a node before it has said in its own words that it is a development chain, and the snapshot is
returned to whatever happens in between. The owner is impersonated; reads after it are at the block that is undone.
"""

from __future__ import annotations

from dataclasses import dataclass

from incident_cli.chain.answers import Answer, hash_text, quantity
from incident_cli.chain.batch import exchange_at, head, read_round
from incident_cli.chain.simulation import MOST_GAS, NOTHING_CHANGES, NotSimulated, Script, Simulation, error_reason
from incident_cli.chain.state_diff import StateDiff, executed_diff
from incident_cli.chain.trial import Trial, word
from incident_cli.errors import Unread
from incident_cli.evm import Block, Missing, Read, hex_bytes
from incident_cli.text import plain
from incident_cli.transport import Endpoint, Json, Request, RpcError

SNAPSHOT = "execTransaction on a development chain, between a snapshot and the return to it"
FUNDS = hex(10**21)  # wei, for the gas of an owner who may have none
FEES: dict[str, Json] = {"maxFeePerGas": hex(10**12), "maxPriorityFeePerGas": "0x0"}  # nothing for the block's maker
NOT_RETURNED = "the development chain did not return to its snapshot: its state is NOT as before"
RECEIPT_ASKED = 40  # times
SELF_DESCRIPTIONS = ("hardhat_metadata", "anvil_nodeInfo")


@dataclass(frozen=True, slots=True)
class Executed:
    """What the real execution showed: why it failed (or nothing), the reads after it, the trace of what changed."""

    reason: str
    after: dict[Read, Answer]
    diff: StateDiff | Missing


def simulate_by_snapshot(endpoint: Endpoint, chain: str, script: Script, trial: Trial, at: Block | None) -> Simulation:
    """The calls executed and undone; raises NotSimulated unless the node is a development chain and `at` its head."""
    require_development_chain(endpoint)
    start = head(endpoint, chain)
    if at is not None and at != start:
        raise NotSimulated("a development chain is tried at its head only")
    before = dict(read_round(endpoint, chain, script.reads, start).answers)
    codes = exchange_at(endpoint, script.codes(), start)
    executed = between_snapshots(endpoint, chain, script, trial)
    reason = executed.reason or script.no_code(codes)
    return Simulation(
        "failed" if reason else "passed",
        SNAPSHOT,
        reason,
        (*trial.not_exercised, *([] if reason or isinstance(executed.diff, StateDiff) else ["state changes"])),
        before,
        script.undone() if reason else executed.after,
        start,
        executed.diff,
        (*trial.overridden, f"{trial.sender} impersonated and funded"),
    )


def require_development_chain(endpoint: Endpoint) -> None:
    """NotSimulated unless the node says what only a development chain says, and mines what it is sent at once.

    On one that mines later, a transaction that is left waiting would outlive the snapshot and be executed after it.
    """
    *answers, mines = endpoint.exchange([*(Request(one) for one in SELF_DESCRIPTIONS), Request("hardhat_getAutomine")])
    if not any(isinstance(one, dict) and one for one in answers):
        raise NotSimulated("the node is no development chain")
    if mines is not True:
        raise NotSimulated("the development chain does not mine at once")


def between_snapshots(endpoint: Endpoint, chain: str, script: Script, trial: Trial) -> Executed:
    """Snapshot, execute, read, return; raises NotSimulated, also where the node does not return to the snapshot."""
    snapshot = done(endpoint, "evm_snapshot")
    if not isinstance(snapshot, str):
        raise NotSimulated("the node takes no snapshot")
    try:
        return execute(endpoint, chain, script, trial)
    except ValueError as problem:
        raise NotSimulated(plain(problem, 300)) from None
    finally:
        restore(endpoint, snapshot)


def restore(endpoint: Endpoint, snapshot: str) -> None:
    """Back to the snapshot; raises NotSimulated where that is not certain."""
    try:
        (answer,) = endpoint.exchange([Request("evm_revert", (snapshot,))])
    except Unread as problem:
        raise NotSimulated(f"{NOT_RETURNED}: {problem.message}") from None
    if answer is not True:
        raise NotSimulated(NOT_RETURNED)


def execute(endpoint: Endpoint, chain: str, script: Script, trial: Trial) -> Executed:
    """The owner's transaction, mined; raises NotSimulated, Unread, ValueError."""
    for slot, value in trial.storage.items():
        done(endpoint, "hardhat_setStorageAt", script.safe, hex(slot), word(value))
    done(endpoint, "hardhat_setBalance", trial.sender, FUNDS)
    done(endpoint, "hardhat_impersonateAccount", trial.sender)
    try:
        return sent(endpoint, chain, script, trial)
    finally:
        endpoint.exchange([Request("hardhat_stopImpersonatingAccount", (trial.sender,))])


def sent(endpoint: Endpoint, chain: str, script: Script, trial: Trial) -> Executed:
    """The transaction sent: first as a call, which gives the reason where it fails."""
    transaction = trial.transaction(script.safe)
    called, block = endpoint.exchange(
        [Request("eth_call", (transaction, "latest")), Request("eth_getBlockByNumber", ("latest", False))]
    )
    if isinstance(called, RpcError):
        return Executed(f"execTransaction fails: {error_reason(called)}", {}, NOTHING_CHANGES)
    if not isinstance(called, str) or len(hex_bytes(called)) != 32:
        raise NotSimulated("no Safe answered")
    limit = quantity(block.get("gasLimit")) if isinstance(block, dict) else 0
    gas: dict[str, Json] = {"gas": hex(min(limit, MOST_GAS)), **FEES}
    hash_ = hash_text(done(endpoint, "eth_sendTransaction", {**transaction, **gas}))
    receipt = receipt_of(endpoint, hash_)
    if receipt.get("status") != "0x1" or int(called, 16) != 1:
        return Executed("execTransaction fails, or answers false", {}, NOTHING_CHANGES)
    (traced,) = endpoint.exchange(
        [Request("debug_traceTransaction", (hash_, {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}))]
    )
    answers = dict(read_round(endpoint, chain, script.reads).answers)
    return Executed("", trial.unhidden(script.safe, answers), executed_diff(traced, script.safe))


def receipt_of(endpoint: Endpoint, hash_: str) -> dict[str, Json]:
    """The receipt of a transaction that is mined at once; raises NotSimulated. A busy node shows it a moment later."""
    for _ in range(RECEIPT_ASKED):
        receipt = done(endpoint, "eth_getTransactionReceipt", hash_)
        if isinstance(receipt, dict):
            return receipt
    raise NotSimulated("the development chain did not mine the transaction")


def done(endpoint: Endpoint, method: str, *params: Json) -> Json:
    """The answer to one request; raises NotSimulated where the node refuses it."""
    (answer,) = endpoint.exchange([Request(method, params)])
    if isinstance(answer, RpcError):
        raise NotSimulated(f"{method}: {error_reason(answer)}")
    return answer
