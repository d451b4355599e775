"""Each contain step made now, in a simulation: what its levers would do, held against what the runbook expects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from incident_cli.errors import Unread
from incident_cli.evm import ZERO, Snapshot, keccak
from incident_cli.flows.guarding import demand
from incident_cli.flows.preflight.ground import Pulled, Stage
from incident_cli.flows.preflight.item import Item, judged, ready, unknown, waiting
from incident_cli.flows.preflight.levers import ends_later
from incident_cli.flows.preflight.safe import SafeSeen
from incident_cli.flows.preparing import draft
from incident_cli.flows.proposal import PlannedCall, Wanted
from incident_cli.flows.pulling import kept, planned_calls, standing_still
from incident_cli.flows.reading import Reader
from incident_cli.flows.scheduling import schedule_call
from incident_cli.levers.expectation import Expectation
from incident_cli.levers.lever import Plan, plan
from incident_cli.runbook.lint import bound_names
from incident_cli.safe.contracts import RELEASES

GUARDS = "guards"  # as simulations say that the Safe's guard did not run
BETTER = "Name a node that simulates whole transactions: one with eth_simulateV1."
SALT = keccak(b"incident preflight")


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A step's item, the plans that its undo is worked out from (none where it could not be planned), and the items
    that it waits for. `gas` is what its simulated execution used, where that is known."""

    item: Item
    plans: tuple[Plan, ...] = ()
    causes: tuple[str, ...] = ()
    gas: int | None = None


def rehearse(stage: Stage, reader: Reader, snapshot: Snapshot, items: Mapping[str, Item]) -> Rehearsed:
    """Plan and simulate a step, unless a condition that has its own item is missing."""
    name = stage.id("simulate")
    if found := bound_names(stage.step):
        words = f"not simulated: it takes a value that a check finds in the incident ({', '.join(found)})"
        return Rehearsed(ready(name, words))
    safe = SafeSeen(stage.safe, snapshot)
    if causes := [*unfit(safe), *(one for lever in stage.pulled for one in missing_conditions(lever, items, snapshot))]:
        return Rehearsed(waiting(name, causes), (), tuple(causes))
    made: list[Plan] = []
    spent: list[int] = []

    def look() -> Item:
        made.extend(plan(one.pull, snapshot) for one in stage.pulled)
        return simulated(name, stage, reader, made, spent, has_guard=safe.held("guard") != ZERO)

    item = judged(name, look)
    return Rehearsed(item, tuple(made) if len(made) == len(stage.pulled) else (), (), max(spent, default=None))


def unfit(safe: SafeSeen) -> list[str]:
    """The items of a Safe that could execute nothing at all: a version nobody measured, more signatures than owners.

    What could not be read is left to the simulation, which then cannot be made either.
    """
    try:
        unsupported = safe.version.removesuffix("+L2") not in RELEASES
        beyond = not 0 < safe.threshold <= len(safe.owners)
    except Unread:
        return []
    kinds = {"safe-version": unsupported, "safe-threshold": beyond}
    return [f"{kind}:{safe.safe.name}" for kind, is_so in kinds.items() if is_so]


def missing_conditions(one: Pulled, items: Mapping[str, Item], snapshot: Snapshot) -> list[str]:
    """The items of a lever that are not ready and without which it reverts; a role that only ends soon is there."""
    if items[one.id("role")].status != "ready":
        return [one.id("role")]
    return [] if ends_later(one, snapshot) else [one.id("role-expiry")]


def simulated(
    name: str, stage: Stage, reader: Reader, plans: Sequence[Plan], spent: list[int], *, has_guard: bool
) -> Item:
    """The item of a step that was planned; raises Refused where its effect is not the one stated.

    The gas that the simulation used is put into `spent`, where it is known.
    """
    open_ = [one for one in plans if not one.satisfied]
    if not open_:
        return ready(name, "every call is already satisfied on chain: there is nothing to do")
    drafted = draft(reader, (), wanted_of(stage, reader, open_))  # pins have items of their own
    shown = drafted.proposal.simulation
    spent += [] if shown.gas is None else [shown.gas]
    if shown.state != "passed":
        words = "; ".join(one.message for one in drafted.objections) or shown.reason
        return unknown(
            name, f"NOT simulated: {words}", "Name a node that can simulate, such as one with eth_simulateV1."
        )
    if has_guard and GUARDS in shown.not_exercised:
        return unknown(name, f"simulated without the Safe's guard ({shown.method}): it may block this", BETTER)
    labels = ", ".join(one.label for one in drafted.proposal.calls)
    blind = f"; not exercised: {', '.join(shown.not_exercised)}" if shown.not_exercised else ""
    return ready(name, f"{labels}: shows what is expected ({shown.method}{blind})")


def wanted_of(stage: Stage, reader: Reader, plans: Sequence[Plan]) -> Wanted:
    """What the step's proposal would be now: its levers, those that must wait scheduled."""
    at_once = [one for one in plans if one.delay is None]
    still = standing_still(stage.bound, reader, stage.step.contain.must_not_change)
    expect = (*(wish for one in at_once for wish in one.expect), *scheduled(reader, plans))
    taken = {one.read for one in (*still, *expect)}
    return Wanted(
        stage.safe.address,
        tuple(call for one in plans for call in calls_to_make(one)),
        expect,
        (*still, *(one for one in kept(plans) if one.read not in taken)),
        tuple(dict.fromkeys(to for one in plans for to in (*one.writes, *([one.delay.at] if one.delay else [])))),
    )


def calls_to_make(one: Plan) -> tuple[PlannedCall, ...]:
    """A lever's calls as they are, or what schedules them."""
    delay = one.delay
    return tuple(call if delay is None else schedule_call(delay, call, SALT) for call in planned_calls(one))


def scheduled(reader: Reader, plans: Sequence[Plan]) -> list[Expectation]:
    """What must be seen of each scheduled operation."""
    operations = [(one.delay, call) for one in plans if one.delay is not None for call in one.calls]
    counters = [delay.counter(call, SALT) for delay, call in operations]
    snapshot = reader.read(counters) if counters else None
    found: list[Expectation] = []
    for (delay, call), read in zip(operations, counters, strict=True):
        count = demand("how often it was scheduled", snapshot.value(read) if snapshot is not None else 0)
        assert isinstance(count, int), "a counter answers a number"
        found.append(delay.scheduled(call, SALT, count))
    return found
