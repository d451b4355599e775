"""Whether a lever's call restricts, held against what the chain answers now.

The lever is pulled once more, on paper: with the chain's answers it must make the very call that is inspected. A number
that the protocol file bounds by what stands (or whose role does) is then no looser than that. A number it does not
bound is compared by the lever's own words for "it is in effect": they must hold of the new values as if what stands
had been asked for. What cannot be compared so is not known, and what is not known is not clean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from incident_cli.abi import encode_call
from incident_cli.errors import Refused, Unread
from incident_cli.evm import CallRead, Missing, Snapshot
from incident_cli.expression import Expression
from incident_cli.flows.proposal import counted
from incident_cli.flows.vault.restricting import RELEASING, STOPPING, WORD
from incident_cli.levers.lever import Plan, Pull, needed, plan
from incident_cli.levers.pull import Standing
from incident_cli.protocols.definitions import LeverDefinition
from incident_cli.protocols.slot import abi_value
from incident_cli.protocols.worth import expressions
from incident_cli.safe.batch import InnerCall
from incident_cli.text import plain
from incident_cli.units import Token

VALUES = frozenset({"int", "bps", "duration", "amount", "bool"})
NOT_HELD = "how it stands now was not read"
NO_TRACE = "what the lever was given cannot be worked back from the calldata"


@dataclass(frozen=True, slots=True)
class Weight:
    """What a call comes to: `code` is empty where it restricts, `why` says why not, `plan` is the lever pulled anew."""

    code: str = ""
    why: str = ""
    plan: Plan | None = None

    @property
    def rank(self) -> int:
        """The order of explanations: the nearest to a clean one first."""
        return ("", "not-restricting", "lever-refused", "direction-unknown", "other-values").index(self.code)


def weigh(pulls: Sequence[Pull], call: InnerCall, snapshot: Snapshot | None) -> Weight:
    """The best that may be said of a call by any of the ways in which it may have come about."""
    if not pulls:
        return Weight("direction-unknown", NO_TRACE)
    if snapshot is None:
        is_open = any(leans_on_chain(one) for one in pulls)
        return Weight("direction-unknown", NOT_HELD) if is_open else Weight()
    return min((weighed(one, call, snapshot) for one in pulls), key=lambda one: one.rank)


def weighed(pull: Pull, call: InnerCall, snapshot: Snapshot) -> Weight:
    """One way."""
    try:
        one = plan(pull, snapshot)
        if (one.call.to, one.call.data) != (call.to, call.data):
            return Weight("other-values", f"as the chain stands, the lever would be {written(one)}")
        if released := next(releasing(one, snapshot), ""):
            return Weight("not-restricting", released, one)
        unbound = sorted(set(values_of(pull.definition)) - set(bound_by_chain(pull)))
        return compared(pull, one, unbound, snapshot) if unbound else Weight(plan=one)
    except Unread as problem:
        return Weight("direction-unknown", problem.message)
    except Refused as problem:
        return Weight("lever-refused", problem.message)


def releasing(one: Plan, snapshot: Snapshot) -> Iterator[str]:
    """What the lever lets go: by its name, or a stop that stands now and would be false."""
    words = {word for name in (one.pull.name, one.call.signature.name) for word in WORD.findall(name)}
    yield from (f"it lets go, by its name ({word})" for word in sorted(words) if RELEASING.match(word.lower()))
    for expected in one.expect:
        name = expected.label.partition("(")[0].rpartition(".")[2]
        stops = any(STOPPING.match(word.lower()) for word in WORD.findall(name))
        if stops and expected.value is False and snapshot.value(expected.read) is not False:
            yield f"{expected.label} stands, and would be false"


def written(one: Plan) -> str:
    """A call that would be made instead."""
    return plain(f"{one.call.signature.name}({', '.join(map(str, one.call.args))})", 300)


def values_of(definition: LeverDefinition) -> Iterator[str]:
    """The arguments that may have a direction."""
    yield from (name for name, one in definition.args.items() if one.type in VALUES)


def which(pull: Pull) -> frozenset[str]:
    """The arguments by which the lever's reads are asked: they say which thing is meant."""
    reads = [pull.slot.protocol.reads[name] for name in pull.definition.expect]
    return frozenset(name for one in reads for name in (*one.fixed_names, *(two.name for two in one.parameters)))


def bound_by_chain(pull: Pull) -> Iterator[str]:
    """The arguments that say which, and those that a formula or the role holds against what stands."""
    definition, reads = pull.definition, set(pull.slot.protocol.reads)
    yield from which(pull)
    if definition.role is not None:
        yield from definition.role.when.names
    for worth in definition.with_.values():
        for formula in expressions(worth):
            if {name.removeprefix("before.") for name in formula.names} & reads:
                yield from formula.names


def leans_on_chain(pull: Pull) -> bool:
    """Whether its direction is unknown without the chain."""
    reads = set(pull.slot.protocol.reads)
    formulas = [one for worth in pull.definition.with_.values() for one in expressions(worth)]
    mentioned = {name.removeprefix("before.") for one in formulas for name in one.names}
    return bool(mentioned & reads) or bool(set(values_of(pull.definition)) - which(pull))


def compared(pull: Pull, one: Plan, unbound: Sequence[str], snapshot: Snapshot) -> Weight:
    """Numbers that nothing bounds: what they bring about must be in effect already if what stands were asked for."""
    definition = pull.definition
    stands = {worth.source.strip(): name for name, worth in definition.expect.items() if isinstance(worth, Expression)}
    satisfied, missing = definition.satisfied, [name for name in unbound if name not in stands]
    if satisfied is None or missing or not set(unbound) <= set(satisfied.names):
        return Weight("direction-unknown", f"nothing says which way {', '.join(unbound)} restricts", one)
    values = {name: snapshot.value(read) for name, read in needed(pull).items()}
    new = {stands[name]: abi_value(pull.args[name]) for name in unbound}
    before = replace(pull, args={**pull.args, **{name: values[stands[name]] for name in unbound}})
    is_same = all(new[name] == values[name] for name in new)
    if Standing(before, {**values, **new}).formula(satisfied) is True and (is_same or not one.satisfied):
        zeros = [name for name in new if new[name] == 0 != values[name]]
        why = f"{', '.join(zeros)} would be 0, which may also mean that there is no limit"
        return Weight("direction-unknown", why, one) if zeros else Weight(plan=one)
    if one.satisfied:
        return Weight("not-restricting", "what stands is stricter than what it gives", one)
    return Weight("direction-unknown", "it is neither stricter than what stands nor plainly looser", one)


def standing_words(pull: Pull, snapshot: Snapshot, tokens: Mapping[str, Token]) -> str:
    """What the reads that a lever must change answer now."""
    said = []
    for name in pull.definition.expect:
        value = snapshot.value(pull.read(name))
        unit = pull.slot.protocol.reads[name].unit
        words = "not read" if isinstance(value, Missing) else counted(value, unit, tokens)
        said.append(f"{pull.describe(name)} is {words}")
    return plain(f"Now {'; '.join(said)}.", 600)


def reads_of(pulls: Sequence[Pull]) -> Iterator[CallRead]:
    """Everything that has to be read to weigh them; nothing of one whose reads do not take its values."""
    for one in pulls:
        with suppress(Refused, ValueError):
            reads = list(needed(one).values())
            for read in reads:
                encode_call(read.signature, read.args)
            yield from reads
