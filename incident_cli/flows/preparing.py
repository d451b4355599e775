"""From calls to a proposal that may be shown: folded, hashed by independent code, inspected, simulated.

Nothing here sends or signs. Whatever would make the transaction dangerous or its effect other than stated is a
refusal, with the reason. What only two people may overrule (a changed code hash, no simulation, a cooldown) is an
objection, and never passes by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from incident_cli.chain.simulate import Simulation, Trial
from incident_cli.chain.state_diff import StateDiff, Unreadable
from incident_cli.chain.undeclared import undeclared
from incident_cli.errors import Refused
from incident_cli.evm import Address, Call, CallRead, Missing, Read, Snapshot
from incident_cli.flows.guarding import NO_TOKENS, balance_reads, control_reads, demand, guarded_by, tokens_of
from incident_cli.flows.looking import Source
from incident_cli.flows.overruling import overruled
from incident_cli.flows.pinning.pinned import changed_since_pinned, watched
from incident_cli.flows.pinning.proxies import beacon_reads
from incident_cli.flows.proposal import SAFE_READS, Objection, Proposal, SafeState, Wanted, show
from incident_cli.flows.reading import Reader
from incident_cli.flows.session import Session
from incident_cli.flows.trying import trial_of, try_out
from incident_cli.levers.expectation import Expectation
from incident_cli.runbook.deployment import PinEntry
from incident_cli.runbook.model import Step
from incident_cli.safe.batch import fold
from incident_cli.safe.finding import is_refused
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.inspect import inspect
from incident_cli.safe.second_opinion import agree
from incident_cli.safe.transaction import SafeTx
from incident_cli.text import plain

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
    pinned = watched(pins, reader.chain, touched(wanted), wanted.safe)
    look = reader.look(first_reads(reader.chain, pins, tokens, wanted.safe, touched(wanted)))
    state, guarded = read_safe(look, wanted.safe), guarded_by(look, wanted.safe, tokens)
    raw = [one.call for one in wanted.calls]
    nonce = state.nonce if wanted.nonce is None else wanted.nonce
    tx = fold(raw, chain_id=reader.chain_id, safe=wanted.safe, version=state.version, nonce=nonce)
    trial = trial_of(state, tx, hash_transaction(tx).safe_tx_hash)
    late = beacon_reads(look.snapshot, pinned.addresses, reader.chain)
    tried = try_out(reader, look, tx, trial, (raw, shown_reads(wanted, guarded)), late)
    contract_hash = cast(str, demand("the Safe's own transaction hash", tried.contract_hash))
    hashes = agree(tx, contract_hash=contract_hash)
    require_harmless(tx, raw, reader.chain_id, state, tried.code_hash)
    objections = [*wanted.objections, *changed_since_pinned(look, pinned)]
    objections += judge_simulation(tried.simulation, trial, wanted, guarded)
    shown = (wanted.calls, wanted.expect, wanted.unchanged, tried.simulation)
    return Drafted(Proposal(state, tx, hashes, *shown, writes=wanted.writes, guarded=guarded), tuple(objections))


def first_reads(
    chain: str, pins: Pins, tokens: Mapping[str, Address], safe: Address, addresses: Collection[Address]
) -> list[Read]:
    """What a proposal of this Safe that touches these addresses is prepared from, whatever it does."""
    views: list[Read] = [
        *safe_reads(safe).values(),
        *control_reads(safe).values(),
        *balance_reads(safe, tokens).values(),
    ]
    return [*views, *watched(pins, chain, addresses, safe).reads()]


def shown_reads(wanted: Wanted, guarded: Sequence[Expectation]) -> list[Read]:
    """What the simulation reads around the calls."""
    shown = (*wanted.expect, *wanted.unchanged, *guarded)
    return [*(one.read for one in shown), *(read for _, read in wanted.watch)]


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


def safe_reads(address: Address) -> dict[str, CallRead]:
    """What a Safe says of itself: name → read."""
    return {name: CallRead(address, signature) for name, signature in SAFE_READS.items()}


def read_safe(source: Source, address: Address) -> SafeState:
    """The Safe's nonce, threshold, owners and version; raises Unread where one is missing."""
    reads = safe_reads(address)
    snapshot = source.read(list(reads.values()))
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
    if isinstance(simulation.diff, Unreadable):
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
