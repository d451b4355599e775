"""From calls to a proposal that may be shown: folded, hashed by independent code, inspected, simulated.

Nothing here sends or signs. Whatever would make the transaction dangerous or its effect other than stated is a
refusal, with the reason. What only two people may overrule (a changed code hash, no simulation, a cooldown) is an
objection, and never passes by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from incident_cli.abi import encode_call, parse_signature
from incident_cli.chain.simulate import Simulation, Trial, simulate
from incident_cli.chain.state_diff import StateDiff
from incident_cli.chain.undeclared import undeclared
from incident_cli.errors import Refused
from incident_cli.evm import Address, Call, CallRead, CodeRead, Missing, Snapshot, keccak, to_hex
from incident_cli.flows.guarding import NO_TOKENS, demand, guarded_by, tokens_of
from incident_cli.flows.overruling import overruled
from incident_cli.flows.pinning.pinned import changed_since_pinned
from incident_cli.flows.proposal import SAFE_READS, Objection, Proposal, SafeState, Wanted, show
from incident_cli.flows.reading import Reader
from incident_cli.flows.session import Session
from incident_cli.levers.expectation import Expectation
from incident_cli.runbook.deployment import PinEntry
from incident_cli.runbook.model import Step
from incident_cli.safe import contracts
from incident_cli.safe.batch import fold
from incident_cli.safe.finding import is_refused
from incident_cli.safe.hashes import SafeHashes
from incident_cli.safe.inspect import inspect
from incident_cli.safe.second_opinion import agree
from incident_cli.safe.signatures import pack, pre_validated
from incident_cli.safe.transaction import SafeTx
from incident_cli.text import plain

# what parse_diff says of a trace that came and cannot be read: a contract can bring that about
UNREADABLE = ("the node's trace", "an address in", "an account in", "the storage in", "a position in", "a word in")
TRANSACTION_HASH = parse_signature(contracts.GET_TRANSACTION_HASH)
EXEC = parse_signature(contracts.EXEC_TRANSACTION)
Pins = Sequence[PinEntry]


@dataclass(frozen=True, slots=True)
class Drafted:
    """A proposal, and what still stands against it."""

    proposal: Proposal
    objections: tuple[Objection, ...]


# How the steps prepare a proposal: `prepare`, or what a unit test without any chain has in its place.
Preparer = Callable[[Session, Step, Wanted], Proposal]


def prepare(session: Session, step: Step, wanted: Wanted) -> Proposal:
    """A proposal that makes exactly these calls; raises Refused, Unread or Waiting with the reason."""
    tokens = tokens_of(session.bound.deployment, session.reader.chain)
    drafted = draft(session.reader, session.bound.deployment.pins, wanted, tokens)
    overrides = (*session.overrides, *overruled(session, step, drafted.objections))
    return replace(drafted.proposal, overrides=overrides)


def draft(reader: Reader, pins: Pins, wanted: Wanted, tokens: Mapping[str, Address] = NO_TOKENS) -> Drafted:
    """The proposal with the objections to it; raises Refused where nobody may overrule, Unread where it cannot know.

    `tokens` (by symbol, on this chain) are those whose balance the Safe must keep.
    """
    state, guarded = read_safe(reader, wanted.safe), guarded_by(reader, wanted.safe, tokens)
    raw = [one.call for one in wanted.calls]
    tx = fold(raw, chain_id=reader.chain_id, safe=wanted.safe, version=state.version, nonce=state.nonce)
    contract_hash, code_hash = read_contract_opinion(reader, tx)
    hashes = agree(tx, contract_hash=contract_hash)
    require_harmless(tx, raw, reader.chain_id, state, code_hash)
    objections = [*wanted.objections, *changed_since_pinned(reader, pins, touched(wanted), wanted.safe)]
    trial = trial_of(state, tx, hashes)
    simulation = rehearsed(reader, trial, wanted, guarded)
    objections += judge_simulation(simulation, trial, wanted, guarded)
    shown = (wanted.calls, wanted.expect, wanted.unchanged, simulation)
    return Drafted(Proposal(state, tx, hashes, *shown, writes=wanted.writes, guarded=guarded), tuple(objections))


def recheck(session: Session, wanted: Wanted, proposal: Proposal) -> None:
    """Once more what `prepare` did, after people took their time; raises Refused for what stands against it now and was
    not overruled. Where nothing could be simulated there is nothing to compare with."""
    if proposal.simulation.state != "passed":
        return
    tokens = tokens_of(session.bound.deployment, session.reader.chain)
    again = draft(session.reader, session.bound.deployment.pins, wanted, tokens)
    known = {(one.code, one.message) for one in proposal.overrides}
    new = [one for one in again.objections if (one.code, one.message) not in known and one not in wanted.objections]
    if new:
        words = "; ".join(f"{one.code}: {one.message}" for one in new)
        raise Refused(f"since it was shown: {words}", "nothing was confirmed; resume to look at it as it is now")


def touched(wanted: Wanted) -> tuple[Address, ...]:
    """Every contract that the proposal runs: the Safe, what it calls, and what those may write to."""
    return tuple(dict.fromkeys((wanted.safe, *(one.call.to for one in wanted.calls), *wanted.writes)))


def read_safe(reader: Reader, address: Address) -> SafeState:
    """The Safe's nonce, threshold, owners and version; raises Unread where one is missing."""
    reads = {name: CallRead(address, signature) for name, signature in SAFE_READS.items()}
    snapshot = reader.read(list(reads.values()))
    values = {name: demand(f"the Safe's {name}", snapshot.value(read)) for name, read in reads.items()}
    return SafeState(
        address,
        cast(int, values["nonce"]),
        cast(int, values["threshold"]),
        tuple(cast(Sequence[Address], values["owners"])),
        plain(values["version"], 40),
        snapshot.block,
    )


def require_harmless(tx: SafeTx, raw: Sequence[Call], chain_id: int, safe: SafeState, code_hash: str | None) -> None:
    """Refuse what is dangerous about a transaction that should make exactly these calls."""
    findings = inspect(
        tx,
        expected=raw,
        chain_id=chain_id,
        safe=safe.address,
        version=safe.version,
        nonce_on_chain=safe.nonce,
        multisend_code_hash=code_hash,
    )
    if is_refused(findings):
        words = "; ".join(f"{one.code}: {one.message}" for one in findings if one.severity == "refused")
        raise Refused(f"this transaction is refused: {words}", "nothing was signed or sent")


def read_contract_opinion(reader: Reader, tx: SafeTx) -> tuple[str, str | None]:
    """The Safe's own hash of the transaction, and the hash of the code it would call (None where there is none)."""
    read, code = CallRead(tx.safe, TRANSACTION_HASH, (*tx.arguments, tx.nonce)), CodeRead(tx.to)
    snapshot = reader.read([read, code])
    contract_hash = cast(bytes, demand("the Safe's own transaction hash", snapshot.value(read)))
    found = snapshot.value(code)
    return to_hex(contract_hash), None if isinstance(found, Missing) else to_hex(keccak(cast(bytes, found)))


def rehearsed(reader: Reader, trial: Trial | None, wanted: Wanted, guarded: Sequence[Expectation]) -> Simulation:
    """The simulation: the very execTransaction by as many owners as must sign, where the node can do that."""
    shown = (*wanted.expect, *wanted.unchanged, *guarded)
    reads = [*(one.read for one in shown), *(read for _, read in wanted.watch)]
    raw = [one.call for one in wanted.calls]
    return simulate(reader.endpoint, reader.chain, wanted.safe, raw, reads, trial=trial)


def trial_of(state: SafeState, tx: SafeTx, hashes: SafeHashes) -> Trial | None:
    """The execution by the first `threshold` owners, their signatures taken as given; None where there are too few."""
    signers = sorted(state.owners, key=str.lower)[: state.threshold]
    if not 0 < state.threshold <= len(state.owners):
        return None
    signatures = pack({owner: pre_validated(owner) for owner in signers})
    data = encode_call(EXEC, (*tx.arguments, signatures))
    return Trial(data, signers[0], tuple(signers[1:]), hashes.safe_tx_hash)


def judge_simulation(
    simulation: Simulation, trial: Trial | None, wanted: Wanted, guarded: Sequence[Expectation]
) -> list[Objection]:
    """Refuse unless every call succeeded, showed exactly what must be shown, and changed nothing else.

    Not simulated is an objection, and so is a trace that came and could not be read: a contract can cause that.
    """
    if simulation.state == "not-simulated":
        return [Objection("not-simulated", f"it could not be simulated: {simulation.reason}")]
    if simulation.state == "failed":
        raise Refused(f"the simulation failed: {simulation.reason}", "nothing was signed or sent")
    check_shown(simulation, (*wanted.expect, *wanted.unchanged))
    if isinstance(simulation.diff, StateDiff) and trial is not None:  # else "state changes" are said not exercised
        check_changes(simulation.diff, trial.sender, wanted)
    check_shown(simulation, guarded)
    if isinstance(simulation.diff, Missing) and simulation.diff.reason.startswith(UNREADABLE):
        return [Objection("not-simulated", f"what it changes could not be seen: {simulation.diff.reason}")]
    return []


def check_shown(simulation: Simulation, expectations: Sequence[Expectation]) -> None:
    """Refuse where the simulation shows something else than what must be shown."""
    assert simulation.block is not None, "a simulation that ran has a block"
    after = Snapshot(simulation.block, simulation.after)
    for one in expectations:
        shown = one.judge(after)
        if shown is True:
            continue
        seen = shown.reason if isinstance(shown, Missing) else f"it would be {show(after.value(one.read))}"
        raise Refused(
            f"in the simulation {one.label} would not be {show(one.value)}: {seen}",
            "the calls do not have the effect the runbook states; nothing was signed or sent",
        )


def check_changes(diff: StateDiff, sender: Address, wanted: Wanted) -> None:
    """Refuse where the simulation changes a contract that no lever declares, a balance, or who controls the Safe."""
    values: dict[Address, int] = {}
    for one in wanted.calls:
        values[one.call.to] = values.get(one.call.to, 0) + one.call.value
    sent = {to: wei for to, wei in values.items() if wei}
    problems = undeclared(diff, allowed=wanted.writes, safe=wanted.safe, sender=sender, values=sent)
    if problems:
        raise Refused(
            f"the simulation changes what nobody declared: {'; '.join(problems)}",
            "look at the contract and at `writes` in its protocol file; nothing was signed or sent",
        )
