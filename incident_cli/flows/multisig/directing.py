"""Every lever that a transaction calls, held against the chain: which way it works, and what stands now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from incident_cli.evm import Address, CallRead, Snapshot
from incident_cli.flows.multisig.decoding import DecodedCall
from incident_cli.flows.multisig.direction import NOT_HELD, Weight, reads_of, standing_words, weigh
from incident_cli.flows.multisig.doubts import doubts_of
from incident_cli.flows.multisig.interfering import interfering
from incident_cli.flows.multisig.naming import Names
from incident_cli.flows.multisig.pulls import BoundLever, pulls_of
from incident_cli.levers.lever import Pull
from incident_cli.safe.finding import InspectionFinding, warned
from incident_cli.safe.transaction import DELEGATECALL
from incident_cli.text import plain

MOST_CALLS, MOST_WAYS, MOST_READS = (
    100,
    600,
    600,
)  # beyond, a call's direction is not known: no node is asked without end
CODES = {"other-values": "not-restricting"}


def senders_of(calls: Sequence[DecodedCall], safe: Address) -> dict[str, Address]:
    """Who makes each call, by its number: the Safe, or the contract that was handed it."""
    senders: dict[str, Address] = {}
    made = {one.made.number: one.made for one in calls}
    for number, one in made.items():
        above = made.get(number.rpartition(".")[0])
        if above is None:
            senders[number] = safe
        else:
            same = one.road == "multicall" or above.call.operation == DELEGATECALL
            senders[number] = senders[above.number] if same else above.call.to
    return senders


def own_levers(call: DecodedCall) -> list[BoundLever]:
    """The levers that a call may be, at their addresses."""
    return [one.lever for one in call.levers if one.lever is not None and not one.lever.comes_first]


def ways(calls: Sequence[DecodedCall], safe: Address, names: Names) -> dict[str, list[Pull]]:
    """The ways in which each call may have come about, by its number, for as many calls as are weighed."""
    senders, found, count = senders_of(calls, safe), {}, 0
    for one in [two for two in calls if own_levers(two)][:MOST_CALLS]:
        if count >= MOST_WAYS:
            break
        number = one.made.number
        pullers = dict.fromkeys((senders[number], safe))  # the role of a delayed lever is that of who schedules it
        pairs = [(lever, by) for lever in own_levers(one) for by in pullers]
        found[number] = [pull for lever, by in pairs for pull in pulls_of(lever, one.values, by, names.markets)]
        count += len(found[number])
    return found


def reads_of_levers(calls: Sequence[DecodedCall], safe: Address, names: Names) -> Iterator[CallRead]:
    """What has to be read, each once and at most so many."""
    every = dict.fromkeys(read for pulls in ways(calls, safe, names).values() for read in reads_of(pulls))
    yield from list(every)[:MOST_READS]


def with_direction(
    calls: Sequence[DecodedCall], safe: Address, names: Names, snapshot: Snapshot | None
) -> tuple[DecodedCall, ...]:
    """The calls with what stands now in their words, and a finding for each whose direction is not known or wrong."""
    found = ways(calls, safe, names)
    weights = {one.made.number: weight_of(one, found, snapshot) for one in calls if one.levers and not is_first(one)}
    plans = [one.plan for one in weights.values() if one.plan is not None and not one.code]
    planned = {(call.to, call.data) for one in plans for call in one.calls[:-1]}
    weighed = [directed(one, weights.get(one.made.number), planned, names, snapshot) for one in calls]
    between = interfering({number: one.plan for number, one in weights.items() if one.plan is not None})
    doubted = (with_doubts(one, weights.get(one.made.number), safe, names) for one in weighed)
    return tuple(
        replace(one, findings=(*one.findings, between[one.made.number])) if one.made.number in between else one
        for one in doubted
    )


def with_doubts(call: DecodedCall, weight: Weight | None, safe: Address, names: Names) -> DecodedCall:
    """A call with what is to be asked of it whichever way it works: what it ends, whom it names, and what else it may
    be."""
    pulls = [] if weight is None else list(weight.others)
    if weight is not None and weight.plan is not None:
        pulls.insert(0, weight.plan.pull)
    doubts = doubts_of(call, pulls, safe, names)
    known = list(dict.fromkeys(words_of(one) for one in pulls))
    if weight is not None and not pulls and not weight.code:
        known = list(dict.fromkeys(one.meaning for one in call.levers))
    words = f"call {call.made.number} is the call of several levers: {' | '.join(known)}"
    several = (warned("ambiguous-function", plain(words, 1_200)),) if len(known) > 1 else ()
    return replace(call, findings=(*call.findings, *several, *doubts))


def is_first(call: DecodedCall) -> bool:
    """Whether it is but a preparation for a lever."""
    return bool(call.levers) and all(one.lever is not None and one.lever.comes_first for one in call.levers)


def weight_of(call: DecodedCall, found: Mapping[str, list[Pull]], snapshot: Snapshot | None) -> Weight:
    """What a lever's call comes to."""
    if not own_levers(call):
        return Weight("direction-unknown", "the deployment does not give every address of its protocol")
    if call.made.number not in found:
        return Weight("direction-unknown", NOT_HELD)
    return weigh(found[call.made.number], call.made.call, snapshot)


def directed(
    call: DecodedCall,
    weight: Weight | None,
    planned: set[tuple[Address, bytes]],
    names: Names,
    snapshot: Snapshot | None,
) -> DecodedCall:
    """A call with what was found of its direction."""
    if not call.levers:
        return call
    label = call.levers[0].meaning.partition(":")[0]
    if weight is None or weight.code:
        if (call.made.call.to, call.made.call.data) in planned:
            return call
        if weight is None:
            words = f"call {call.made.number}: {label} And no such lever is pulled after it."
            return replace(call, findings=(*call.findings, warned("no-known-meaning", words)))
    assert weight is not None, "what only comes first was answered"
    plain_words = call.plain
    if weight.plan is not None and snapshot is not None:
        own = words_of(weight.plan.pull)
        tokens = {one.symbol: one for one in names.tokens.values()}
        stands = standing_words(weight.plan.pull, snapshot, tokens)
        plain_words = f"{call.plain.replace(call.levers[0].meaning, own, 1)} {stands}"
        label = own.partition(":")[0]
    return replace(call, plain=plain_words, findings=(*call.findings, *finding_of(call, label, weight)))


def words_of(one: Pull) -> str:
    """What the catalogue says of a lever, as a call of it is shown."""
    return plain(f"{one.slot.name}.{one.name}: {one.definition.does}")


def finding_of(call: DecodedCall, label: str, weight: Weight) -> Iterator[InspectionFinding]:
    """Why a lever's call is not known to restrict."""
    if weight.code:
        words = f"call {call.made.number}: {label}: {plain(weight.why, 600)}"
        yield warned(CODES.get(weight.code, weight.code), words)
