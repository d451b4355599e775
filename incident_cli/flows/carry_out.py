"""Carrying a leg through: plan, show, confirm, deliver, prove. The same for containing and for restoring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from incident_cli.chain.execution import Execution
from incident_cli.chain.simulate import Simulation
from incident_cli.errors import NotProven, Waiting
from incident_cli.evm import Block, CallRead, Missing, Snapshot
from incident_cli.flows.comparing import compare_execution
from incident_cli.flows.delivery import check_evidence, has_failed
from incident_cli.flows.desk import Card, Prompt
from incident_cli.flows.finality import require_final
from incident_cli.flows.following import followed
from incident_cli.flows.leg import Leg, leg_of
from incident_cli.flows.moments import lapse_words
from incident_cli.flows.proposal import Override, Proposal, counted, prove, show
from incident_cli.flows.session import Session, SkipStep
from incident_cli.incident.events import Event, Kind, block_from_json, block_to_json, last
from incident_cli.levers.expectation import Expectation
from incident_cli.runbook.model import Step
from incident_cli.units import Token

STILL_NOT_PROVEN = (
    ("stop", "leave the incident here; resume to look again"),
    ("leave", "leave this step behind: it counts as skipped, never as contained"),
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A prepared proposal with what else is shown and remembered: undo records, dropped calls, the reopening.

    `request` says what is to be typed where the phrase itself is not to be read off the question; `bound` are the
    values found by checks that the calls take. `blast` says who loses what meanwhile, `lapses` the reads of when it
    ends by itself, and `levers` are those whose effect it brings about.
    """

    proposal: Proposal
    title: str
    phrase: str
    dropped: tuple[str, ...] = ()
    displaces: tuple[str, ...] = ()
    reopening: str = ""
    undo: list[dict[str, object]] = field(default_factory=list)
    request: str = ""
    bound: Mapping[str, str] = field(default_factory=dict)
    blast: tuple[str, ...] = ()
    lapses: tuple[tuple[str, CallRead], ...] = ()
    levers: list[dict[str, object]] = field(default_factory=list)
    look_again: Callable[[], None] = lambda: None  # after the phrase: raises where something is not as it was shown


def carry_out(session: Session, step: Step, name: str, draft: Callable[[], Draft]) -> Block:
    """The block that proves the leg's effect, waited for where the delivery follows and no other leg goes on beside it;
    else raises Waiting until then."""
    if session.legs:
        return advance(session, step, name, draft)
    chain = session.reader.chain
    return followed(session, step, {chain: lambda: advance(session, step, name, draft)})[chain]


def advance(session: Session, step: Step, name: str, draft: Callable[[], Draft]) -> Block:
    """The block that proves the leg's effect. Every stage that is already recorded is passed over."""
    leg = leg_of(session, step, name)
    if not (leg.is_confirmed and leg.is_handed_over):
        propose(session, leg, draft)
        leg = leg_of(session, step, name)
    if leg.executed is None:
        with session.screen.working("waiting for the execution"):
            evidence = session.delivery.deliver(session, leg)
        execute(session, leg_of(session, step, name), evidence)
        leg = leg_of(session, step, name)
    proven = leg.find(Kind.PROVEN)
    if proven:
        return block_from_json(proven.data["proof_block"])
    require_final(session, leg)
    return prove_leg(session, leg)


def propose(session: Session, leg: Leg, draft: Callable[[], Draft]) -> None:
    """Plan anew (values may have changed since an unconfirmed plan), show everything, and have it confirmed."""
    with session.screen.working("reading, hashing and simulating"):
        made = draft()
    leg.record(
        session,
        Kind.PLANNED,
        made.proposal.safe.block,
        proposal=made.proposal.to_json(),
        undo=made.undo,
        dropped=list(made.dropped),
        displaces=list(made.displaces),
        reopening=made.reopening,
        bound=dict(made.bound),
        blast=list(made.blast),
        lapses=[Expectation(label, read, 0).to_json() for label, read in made.lapses],
        levers=made.levers,
    )
    session.screen.card(card_of(session, made))
    prompt = Prompt(
        leg.step.id,
        "type",
        f"Type {made.request or repr(made.phrase)} to confirm: {made.title}",
        made.phrase,
        help="Compare the four hashes and the calls with what you mean to do. Nothing has been signed or sent yet.",
        typed=bool(made.request),  # what must be typed is on the card: a wrong try must not give it away
    )
    if session.ask(leg.step, prompt) != made.phrase:
        raise Waiting("not confirmed: what was typed differs; nothing was signed or sent", "operator")
    with session.screen.working("looking once more"):
        made.look_again()
    leg_of(session, leg.step, leg.name).record(session, Kind.CONFIRMED, typed=made.phrase)


def card_of(session: Session, made: Draft) -> Card:
    """What is shown before confirming."""
    proposal, simulation = made.proposal, made.proposal.simulation
    after = Snapshot(simulation.block or proposal.safe.block, simulation.after)
    tokens = session.bound.deployment.token_units()
    return Card(
        title=made.title,
        safe=proposal.safe.address,
        chain_id=session.reader.chain_id,
        nonce=proposal.tx.nonce,
        threshold=proposal.safe.threshold,
        owners=proposal.safe.owners,
        calls=[one.line() for one in proposal.calls],
        dropped=made.dropped,
        displaces=made.displaces,
        hashes={
            "domain hash": proposal.hashes.domain_hash,
            "message hash": proposal.hashes.message_hash,
            "safeTxHash": proposal.hashes.safe_tx_hash,
            "calldata digest": f"{proposal.hashes.calldata_digest} ({proposal.hashes.calldata_bytes} bytes)",
        },
        agreed_by=("incident", "safe-eth-py", "the Safe itself"),
        simulation=simulation_words(simulation),
        simulated=simulation.state == "passed",
        because=str(session.events[0].data.get("because", "")),
        overrides=[override_words(one) for one in proposal.overrides],
        blast=made.blast,
        lapses=[lapse_words(label, after.value(read)) for label, read in made.lapses],
        shows=[described(one, tokens) for one in proposal.expect],
        unchanged=[*(described(one, tokens) for one in proposal.unchanged), *guarded_words(proposal)],
        reopening=made.reopening,
    )


def guarded_words(proposal: Proposal) -> list[str]:
    """What of the Safe itself must stay, in one line."""
    names = [one.label.removeprefix("the Safe's ") for one in proposal.guarded]
    return [f"the Safe's {', '.join(names[:-1])} and {names[-1]}"] if len(names) > 1 else []


def simulation_words(simulation: Simulation) -> str:
    """`passed by eth_simulateV1; taken as given: …; not exercised: signatures`."""
    given = f"; taken as given: {', '.join(simulation.overridden)}" if simulation.overridden else ""
    without = f"; not exercised: {', '.join(simulation.not_exercised)}" if simulation.not_exercised else ""
    reason = f": {simulation.reason}" if simulation.state == "not-simulated" else ""
    return f"{simulation.state} by {simulation.method}{reason}{given}{without}"


def override_words(one: Override) -> str:
    """An overruled objection and who overruled it."""
    people = "; ".join(f"{name}: {reason}" for name, reason in one.people)
    return f"{one.code}: {one.message} (overruled by {people})"


def described(one: Expectation, tokens: Mapping[str, Token]) -> str:
    """`exchange.market_paused(ETH-USD) = true`, an amount with its token."""
    return f"{one.label} = {counted(one.value, one.unit, tokens)}"


def execute(session: Session, leg: Leg, evidence: Execution) -> None:
    """Record a proven execution; one that is not proven is recorded as failed and raised."""
    try:
        block = check_evidence(evidence)
    except NotProven as problem:
        void = has_failed(evidence)
        leg.record(session, Kind.FAILED, problem=problem.message, void=void)
        if not void:
            leave_if_asked(session, leg.step, leg.events, problem)
        raise
    submitted = leg.find(Kind.SUBMITTED)
    sent = submitted.data["transaction_hash"] if submitted else None
    stale = changed_before(session, leg, block)
    leg.record(session, Kind.EXECUTED, block, transaction_hash=sent, stale=stale)
    held_against_simulation(session, leg, sent, block)
    for words in stale:
        session.screen.say(f"it was not what the plan recorded when it was executed: {words}", "bad")
    session.screen.say(f"executed in block {block.number}: {sent or leg.proposal['safe_tx_hash']}", "good")


def held_against_simulation(session: Session, leg: Leg, sent: str | None, block: Block) -> None:
    """Say and record what the execution changed that its simulation did not show, or that it cannot be told."""
    if sent is None:
        return
    found = compare_execution(session, leg.proposal, sent, block)
    if isinstance(found, Missing):
        session.screen.say(f"what it changed was not held against the simulation: {found.reason}")
        return
    if found:
        words = f"the execution changed what nobody declared: {'; '.join(found)}"
        leg.record(session, Kind.NOTED, block, text=words)
        session.screen.say(words, "bad")


def changed_before(session: Session, leg: Leg, executed: Block) -> list[str]:
    """Which recorded values did not stand any more just before the execution, in words; none where not known."""
    recorded = [Expectation.from_json(one) for record in leg.plan.data["undo"] for one in record["expect"]]
    parent = session.reader.parent_of(executed) if recorded else None
    if parent is None:
        return []
    snapshot = session.reader.read_at([one.read for one in recorded], parent)
    found = [(one, snapshot.value(one.read)) for one in recorded if one.judge(snapshot) is False]
    return [f"{one.label} was {show(value)}, not {show(one.value)}" for one, value in found]


def prove_leg(session: Session, leg: Leg) -> Block:
    """Read the chain again: only what it shows counts."""
    proposal = leg.proposal
    expectations = [Expectation.from_json(one) for one in (*proposal["expect"], *proposal["unchanged"])]
    try:
        block = prove(session, expectations, executed_at(leg))
    except NotProven as problem:
        leg.record(session, Kind.FAILED, problem=problem.message)
        leave_if_asked(session, leg.step, leg.events, problem)
        raise
    lapses = lapsing(session, leg)
    leg.record(session, Kind.PROVEN, block, proof_block=block_to_json(block), lapses=lapses, due=due_at(leg, block))
    for one in expectations[: len(proposal["expect"])]:
        shown = described(one, session.bound.deployment.token_units())
        session.screen.say(f"block {block.number} shows {shown}", "good")
    for lapse in lapses:
        session.screen.say(f"it ends {lapse_words(lapse['label'], lapse['at'])}", "warn")
    return block


def lapsing(session: Session, leg: Leg) -> list[dict[str, Any]]:
    """When the effect ends by itself, as the chain says now: unix seconds, None where it cannot be read."""
    asked = [Expectation.from_json(one) for one in leg.plan.data.get("lapses", ())]
    snapshot = session.snapshot([one.read for one in asked]) if asked else None
    values = [(one.label, snapshot.value(one.read)) for one in asked if snapshot is not None]
    return [{"label": label, "at": None if isinstance(value, Missing) else value} for label, value in values]


def due_at(leg: Leg, proven: Block) -> int | None:
    """Until when what was pulled may last by the deployment's authority (unix seconds), from its execution on."""
    lasting = [one["longest"] for one in leg.plan.data.get("levers", ()) if one["longest"] is not None]
    since = executed_at(leg) or proven
    return since.timestamp + min(lasting) if lasting else None


def executed_at(leg: Leg) -> Block | None:
    """The block of the execution: what the calls did is judged there, whatever others did since."""
    return leg.executed.block if leg.executed else None


def leave_if_asked(session: Session, step: Step, earlier: Sequence[Event], problem: NotProven) -> None:
    """What failed before and fails again may never hold: the operator may leave the step, which proves nothing."""
    if last(earlier, Kind.FAILED) is None:
        return
    prompt = Prompt(step.id, "choice", f"Again: {problem.message}. What now?", choices=STILL_NOT_PROVEN)
    if session.ask(step, prompt) == "leave":
        raise SkipStep(problem.message)
