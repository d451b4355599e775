"""A transaction made elsewhere, taken into the incident: its calls must be exactly what the step would propose.

From then on it is followed, executed and proven like one that was made here. One that is executed already (fired from
a vault, or sent by an owner) is planned as the chain stood just before its execution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from incident_cli.chain.simulate import Simulation
from incident_cli.errors import Misused, NotProven, Refused, Unread
from incident_cli.evm import Block, Read, Snapshot
from incident_cli.flows.aiming import LEG, lever_to_json, pulls, wanted_of
from incident_cli.flows.carry_out import Draft, propose
from incident_cli.flows.leg import Leg, leg_of
from incident_cli.flows.multisig.executed import executed_here
from incident_cli.flows.multisig.loading import Loaded
from incident_cli.flows.multisig.place import SAFE, place_of
from incident_cli.flows.multisig.standing import Standing, stand
from incident_cli.flows.multisig.taking_up import HASH, SERVICE, Counter, Matter, counter_of
from incident_cli.flows.preparing import prepare
from incident_cli.flows.proposal import Proposal, SafeState, Wanted, prove
from incident_cli.flows.pulling import plans_of, pulls_of, undo_to_json
from incident_cli.flows.reading import Reader
from incident_cli.flows.respond import Surroundings, take_up
from incident_cli.flows.session import Session
from incident_cli.flows.steps.contain_step import draft, on_leg, phrase_of
from incident_cli.incident.events import Kind
from incident_cli.incident.walk import Next, what_next
from incident_cli.levers.expectation import Expectation
from incident_cli.runbook.legs import legs_of
from incident_cli.runbook.model import ContainStep, Step
from incident_cli.safe.batch import fold
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.signature_file import differing
from incident_cli.safe.transaction import SafeTx

NO_BLOCKS: Mapping[str, Block] = MappingProxyType({})
CHAIN = "its execution on chain"
EXECUTED = "it was executed already: the chain itself shows its effect"


@dataclass(frozen=True, slots=True)
class At:
    """A chain as it stood at a block."""

    reader: Reader
    block: Block

    @property
    def chain(self) -> str:
        """The chain's name in the deployment."""
        return self.reader.chain

    @property
    def chain_id(self) -> int:
        """Its id."""
        return self.reader.chain_id

    def read(self, reads: Sequence[Read]) -> Snapshot:
        """All answers at the block; raises Unread."""
        return self.reader.read_at(reads, self.block)

    def read_at(self, reads: Sequence[Read], block: Block | None, others: Mapping[str, Block] = NO_BLOCKS) -> Snapshot:
        """All answers at another block; raises Unread."""
        return self.reader.read_at(reads, block, others)


def take_in(incident: str, target: str, around: Surroundings) -> Session:
    """The incident of that id (empty: the latest open one) with the transaction of a file or of a hash that a service
    of its deployment knows; ready to be walked on. Raises as `adopt` does; the journal is let go of then."""
    session = take_up(incident, around)
    try:
        path = Path(session.events[0].data["deployment_path"])
        counter = counter_of(path, around.environment, around.clock.sleep)
        with session.screen.working("looking for it, and reading how it stands"):
            matter = matter_of(session, counter, target)
            standing = stand(matter.place, matter.tx, service=matter.service, since=matter.since)
        source = matter.loaded.source
        adopt(session, standing, source if source in (SERVICE, CHAIN) else "its file")
    except BaseException:
        session.recorder.journal.close()
        raise
    return session


def matter_of(session: Session, counter: Counter, target: str) -> Matter:
    """The transaction of a file, or of a hash: by a service, else by its execution on a chain by a Safe of the runbook.

    Raises what the service's road raised where the chains show no execution either.
    """
    try:
        return counter.matter(target)
    except (Misused, Refused, Unread) as problem:
        if not HASH.fullmatch(target):
            raise
        found = on_chain(session, counter, target.lower())
        if found is not None:
            return found
        words = f"{problem.message}; and no Safe of {session.bound.runbook.id} executed it within about a week"
        raise type(problem)(words, problem.hint) from None


def on_chain(session: Session, counter: Counter, safe_tx_hash: str) -> Matter | None:
    """What a Safe of the runbook executed under that hash; raises Unread where a chain could not be searched."""
    slots = session.bound.slots.values()
    for chain, safe in dict.fromkeys((one.chain, one.addresses[SAFE]) for one in slots if SAFE in one.addresses):
        place = place_of(counter.deployment, chain, safe, counter.environment)
        tx = executed_here(place, safe_tx_hash)
        if tx is not None:
            return Matter(place, Loaded(tx, None, CHAIN, tx.to_json()), counter.services(chain))
    return None


def adopt(session: Session, standing: Standing, road: str) -> None:
    """Take the transaction into the contain step the walk stands at, once the operator has confirmed it.

    Raises Refused where it is not what the step would propose (with the differing fields), Waiting where it is not
    confirmed. The walk then goes on with it.
    """
    upcoming, here, part = waiting_step(session, standing.tx)
    leg = leg_of(here, part, LEG)
    if leg.is_confirmed and leg.is_handed_over:
        refuse_second(leg, standing.safe_tx_hash)
        return
    if standing.fate in ("displaced", "failed"):
        raise Refused(f"{standing.safe_tx_hash} is {standing.fate}: it can contain nothing", "nothing was recorded")
    for earlier in standing.earlier:
        session.screen.say(f"must execute first, at nonce {earlier.nonce}: {earlier.label}", "bad")
    session.attempt = here.attempt = upcoming.attempt
    if not upcoming.started:
        session.record(Kind.STEP_STARTED, upcoming.step)
    made = executed_draft(here, part, standing) if standing.fate == "executed" else open_draft(here, part, standing.tx)
    propose(here, leg_of(here, part, LEG), lambda: made)
    hash_ = standing.safe_tx_hash
    leg_of(here, part, LEG).record(here, Kind.ADOPTED, adopted=hash_, road=road, origin=standing.origin)
    session.screen.say(f"adopted {hash_}, found by {road}", "good")


def waiting_step(session: Session, tx: SafeTx) -> tuple[Next, Session, ContainStep]:
    """The contain step that the walk stands at, on the transaction's chain; raises Refused."""
    upcoming = what_next(session.bound.runbook, session.events)
    if not isinstance(upcoming, Next) or not isinstance(upcoming.step, ContainStep):
        where = f"step {upcoming.step.id} ({upcoming.step.verb})" if isinstance(upcoming, Next) else "its end"
        raise Refused(
            f"the incident stands at {where}, not at a containment",
            f"walk on with `incident respond --resume {session.recorder.incident}` to the contain step, then adopt",
        )
    parts = legs_of(upcoming.step, session.bound.slots)
    for chain, part in parts.items():
        here = on_leg(session, chain, len(parts))
        safe = session.bound.slots[part.contain.by].addresses["safe"]
        if (here.reader.chain_id, safe) == (tx.chain_id, tx.safe):
            return upcoming, here, part
    raise Refused(
        f"it is of the Safe {tx.safe} on chain {tx.chain_id}, through which step {upcoming.step.id} does not act",
        "nothing was recorded",
    )


def refuse_second(leg: Leg, safe_tx_hash: str) -> None:
    """Refused where the step follows another transaction already; Misused where it is this one."""
    known = leg.proposal["safe_tx_hash"]
    if known == safe_tx_hash:
        raise Misused(f"{safe_tx_hash} is followed by step {leg.step.id} already", "resume the incident")
    raise Refused(
        f"step {leg.step.id} has its own transaction out, {known}",
        "resume and give that one up first: two that do the same would both have to be watched",
    )


def open_draft(session: Session, step: ContainStep, tx: SafeTx) -> Draft:
    """What the step would propose at the transaction's nonce, which must be the transaction itself.

    Raises Refused where the step has to schedule: what only schedules contains nothing.
    """
    if any(one.delay is not None and not one.satisfied for one in pulls(session, step)):
        raise Refused(
            f"step {step.id} schedules its calls and executes them after a delay: neither half is adopted",
            "resume the incident: it finds what is scheduled already, and proposes what is left",
        )

    def same(session: Session, step: Step, wanted: Wanted) -> Proposal:
        made = prepare(session, step, wanted)
        require_same(made.tx, tx)
        return made

    return draft(session, step, same, nonce=tx.nonce)


def executed_draft(session: Session, step: ContainStep, standing: Standing) -> Draft:
    """What the step would have proposed just before the execution, which must be the transaction."""
    if standing.executed_in is None:
        raise Unread("the block of its execution is not known", "try another node")
    before = session.reader.parent_of(standing.executed_in)
    if before is None:
        raise Unread("the block before its execution cannot be read", "name a node with an archive, then adopt again")
    was = replace_reader(session, before)
    plans = plans_of(At(session.reader, before), pulls_of(session.bound, step, session.found()))
    wanted = [one for one in plans if not one.satisfied and one.delay is None]
    if not wanted:
        raise Refused("before it nothing was left to contain, or it had to be scheduled", "nothing was recorded")
    aim = wanted_of(was, step, wanted, None)
    require_standing_now(session, aim.expect)
    calls = [one.call for one in aim.calls]
    tx = standing.tx
    made = fold(calls, chain_id=tx.chain_id, safe=tx.safe, version=tx.version, nonce=tx.nonce)
    require_same(made, tx)
    state = SafeState(tx.safe, tx.nonce, standing.threshold, standing.owners, standing.version, before)
    simulation = Simulation("not-simulated", "nobody", EXECUTED)
    proposal = Proposal(
        state, tx, hash_transaction(tx), aim.calls, aim.expect, aim.unchanged, simulation, writes=aim.writes
    )
    return Draft(
        proposal,
        title=f"adopt what was executed: {' and '.join(one.label for one in aim.calls)}",
        phrase=phrase_of(session, step, wanted),
        undo=[undo_to_json(one.undo, one) for one in wanted if one.undo is not None],
        lapses=tuple(one.lapses for one in wanted if one.lapses),
        levers=[lever_to_json(session, step, one) for one in wanted],
    )


def require_standing_now(session: Session, expectations: Sequence[Expectation]) -> None:
    """Refused where what it brought about does not stand now: it was executed once, and reversed since."""
    try:
        prove(session, expectations)
    except NotProven as problem:
        raise Refused(
            f"it was executed, and what it did does not stand any more: {problem.message}", "contain anew: resume"
        ) from None


def replace_reader(session: Session, block: Block) -> Session:
    """The session with its reader's head at a block, for what is planned there."""
    reader = session.reader.on(session.reader.chain)
    reader.head = block
    return replace(session, reader=reader)


def require_same(made: SafeTx, tx: SafeTx) -> None:
    """Refused with every differing field unless both are one transaction."""
    if made == tx:
        return
    words = "; ".join(differing(made, tx))
    raise Refused(
        f"it is not what the step would propose (its own / the other's): {words}",
        "nothing was recorded; `incident safe inspect` shows what it does",
    )
