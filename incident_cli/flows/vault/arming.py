"""Arming a vault: a containment of a runbook planned now, tried now, and written as a ladder of nonces to be signed.

Every market's calls pass what a proposal in an incident passes: planned from the chain, inspected, hashed by three
parties, simulated through the Safe, held against what the levers declare. What two people may overrule in an incident
is refused here: there is time to do it properly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from incident_cli.errors import Misused, Refused
from incident_cli.evm import Address, CallRead, to_hex
from incident_cli.flows.clock import Clock, stamp
from incident_cli.flows.connecting import Environment, reader_of, resolved
from incident_cli.flows.guarding import demand, tokens_of
from incident_cli.flows.preparing import Drafted, draft, read_safe, touched
from incident_cli.flows.proposal import TRANSACTION_HASH, SafeState, Wanted
from incident_cli.flows.pulling import kept, planned_calls, plans_of, pulls_of, standing_still
from incident_cli.flows.reading import Reader
from incident_cli.flows.respond import Order, bind_order, check_tokens
from incident_cli.flows.vault.observing import observed
from incident_cli.flows.vault.restricting import HINT, require_restricting
from incident_cli.flows.vault.trying import tried_later
from incident_cli.runbook.bind import Bound, runbook_hash
from incident_cli.runbook.lint import bound_names
from incident_cli.runbook.model import ContainStep
from incident_cli.safe.second_opinion import agree
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.vault import MOST_RUNGS, Effect, Rung, Target, Vault, require_harmless, require_version
from incident_cli.text import plain


@dataclass(frozen=True, slots=True)
class ArmOrder:
    """What to arm: the contain step of a runbook, for which markets, over how many nonces, from which one on (None: the
    Safe's own)."""

    runbook: Path
    step: str
    deployment: Path
    markets: tuple[str, ...]
    rungs: int
    from_nonce: int | None = None
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Armed:
    """A vault without signatures, what each market's proposal showed, and what must be said of it."""

    vault: Vault
    drafts: Mapping[str, Drafted]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Aimed:
    """One market's containment, planned and tried at the Safe's nonce of now."""

    market: str
    bound: Bound
    reader: Reader
    wanted: Wanted
    drafted: Drafted

    @property
    def safe(self) -> SafeState:
        """The Safe as it was read."""
        return self.drafted.proposal.safe


def arm(order: ArmOrder, environment: Environment, clock: Clock) -> Armed:
    """The ladder, unsigned; raises Misused, Refused or Unread where it may not or cannot be armed."""
    refuse_wrong(order)
    aimed = [aim(order, market, environment) for market in order.markets]
    first = aimed[0]
    require_one_safe(aimed)
    start = first_nonce(order, first.safe.nonce)
    ladder = [
        Rung(one.market, replace(one.drafted.proposal.tx, nonce=start + step), {})
        for step in range(order.rungs)
        for one in aimed
    ]
    require_agreed(first.reader, [one.tx for one in ladder])
    untried = tried_later(first.reader, first.safe, ladder)
    vault = vault_of(order, aimed, ladder, stamp(clock.now()))
    return Armed(
        vault, {one.market: one.drafted for one in aimed}, tuple(notes(order, first.safe, start, untried, aimed))
    )


def refuse_wrong(order: ArmOrder) -> None:
    """Raises Misused for a ladder without rungs or markets, or with too many, or with a market twice."""
    if not 1 <= order.rungs <= MOST_RUNGS:
        raise Misused(f"a ladder has 1 to {MOST_RUNGS} rungs, not {order.rungs}", "--rungs 10 is a good beginning")
    if not order.markets or len(set(order.markets)) != len(order.markets):
        raise Misused("name each market once", "--market ETH-USD --market BTC-USD: at each nonce either can be fired")


def aim(order: ArmOrder, market: str, environment: Environment) -> Aimed:
    """One market planned, inspected and simulated; raises Refused where a lever may not be signed in advance."""
    bound = bind_order(Order(order.runbook, order.deployment, market, order.params))
    step = contain_step(bound, order.step)
    reader = reader_of(bound, environment)
    check_tokens(bound, reader)
    bound = resolved(bound, reader)
    safe = bound.slots[step.contain.by].addresses["safe"]
    require_version(read_safe(reader, safe).version)
    wanted = wanted_in_advance(bound, reader, step, safe)
    drafted = draft(reader, bound.deployment.pins, wanted, tokens_of(bound.deployment, reader.chain))
    if drafted.objections:
        words = "; ".join(f"{one.code}: {one.message}" for one in drafted.objections)
        raise Refused(f"{market}: {words}", "put that right first; nothing was armed")
    require_harmless(drafted.proposal.tx)
    return Aimed(market, bound, reader, wanted, drafted)


def contain_step(bound: Bound, name: str) -> ContainStep:
    """The contain step of that name; raises Misused, or Refused where it needs what only an incident finds."""
    steps = {one.id: one for one in bound.runbook.steps if isinstance(one, ContainStep)}
    if name not in steps:
        known = ", ".join(steps) or "none"
        raise Misused(f"{bound.runbook.id} has no contain step {plain(name, 60)!r}", f"its contain steps: {known}")
    found = bound_names(steps[name])
    if found:
        raise Refused(
            f"{name} takes {', '.join(found)}, which a check finds only when it fires: it cannot be signed in advance",
            HINT,
        )
    return steps[name]


def wanted_in_advance(bound: Bound, reader: Reader, step: ContainStep, safe: Address) -> Wanted:
    """What the pre-signed transaction is to do, every lever of the step held against the rules."""
    plans = plans_of(reader, pulls_of(bound, step))
    for one in plans:
        require_restricting(one)
    still = standing_still(bound, reader, step.contain.must_not_change)
    expect = tuple(expectation for one in plans for expectation in one.expect)
    shown = {one.read for one in (*still, *expect)}
    return Wanted(
        safe,
        tuple(call for one in plans for call in planned_calls(one)),
        expect,
        (*still, *(one for one in kept(plans) if one.read not in shown)),
        tuple(dict.fromkeys(to for one in plans for to in one.writes)),
    )


def require_one_safe(aimed: Sequence[Aimed]) -> None:
    """Raises Refused where the markets are not guarded by one Safe on one chain: one ladder has one nonce."""
    places = {(one.reader.chain_id, one.safe.address) for one in aimed}
    if len(places) > 1:
        shown = ", ".join(f"{one.market}: {one.safe.address}" for one in aimed)
        raise Refused(f"the markets are guarded by several Safes: {shown}", "arm one vault for each Safe")


def first_nonce(order: ArmOrder, now: int) -> int:
    """Where the ladder begins; raises Misused for a nonce that is used up."""
    if order.from_nonce is None:
        return now
    if order.from_nonce < now:
        raise Misused(f"nonce {order.from_nonce} is used up: the Safe stands at {now}", "leave --from-nonce away")
    return order.from_nonce


def require_agreed(reader: Reader, ladder: Sequence[SafeTx]) -> None:
    """Raises Refused unless this program, safe-eth-py and the Safe itself hash every rung alike."""
    reads = {tx: CallRead(tx.safe, TRANSACTION_HASH, (*tx.arguments, tx.nonce)) for tx in ladder}
    snapshot = reader.read(list(reads.values()))
    for tx, read in reads.items():
        require_harmless(tx)
        agree(tx, contract_hash=to_hex(cast(bytes, demand("the Safe's own hash", snapshot.value(read)))))


def vault_of(order: ArmOrder, aimed: Sequence[Aimed], ladder: Sequence[Rung], at: str) -> Vault:
    """The vault with everything it is armed under."""
    first = aimed[0]
    addresses = dict.fromkeys(to for one in aimed for to in (*touched(one.wanted), one.drafted.proposal.tx.to))
    block, facts = observed(first.reader, first.safe, tuple(addresses))
    return Vault(
        deployment=first.bound.deployment.name,
        chain=first.reader.chain,
        chain_id=first.reader.chain_id,
        safe=first.safe.address,
        version=first.safe.version,
        threshold=first.safe.threshold,
        owners=first.safe.owners,
        runbook=first.bound.runbook.id,
        step=order.step,
        armed_at=at,
        block={"number": block.number, "hash": block.hash, "timestamp": block.timestamp},
        facts=facts,
        targets=tuple(target_of(one) for one in aimed),
        rungs=tuple(ladder),
    )


def target_of(one: Aimed) -> Target:
    """What a market's rungs do, and what proves it."""
    snapshot = one.reader.read([expected.read for expected in one.wanted.expect])
    effects = tuple(
        Effect(expected, demand(expected.label, snapshot.value(expected.read))) for expected in one.wanted.expect
    )
    return Target(one.market, runbook_hash(one.bound), tuple(call.to_json() for call in one.wanted.calls), effects)


def notes(order: ArmOrder, safe: SafeState, start: int, untried: str, aimed: Sequence[Aimed]) -> list[str]:
    """What whoever arms must know."""
    said = [
        "whoever holds this file and its passphrase can fire it: holding it is the power to pause",
        "any other transaction of this Safe uses up a rung: keep a dedicated emergency Safe for the vault",
        "it does not expire by itself: `incident vault revoke`, or a change of owners, takes it back",
    ]
    if start > safe.nonce:
        said.append(f"the Safe stands at nonce {safe.nonce}: nothing can be fired before nonce {start} is reached")
    if untried:
        said.append(f"only the rung at nonce {safe.nonce} was simulated: {untried}")
    missed = dict.fromkeys(what for one in aimed for what in one.drafted.proposal.simulation.not_exercised)
    if missed:
        said.append(f"the simulation did not exercise: {', '.join(missed)}")
    return said
