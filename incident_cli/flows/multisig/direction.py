"""Whether a lever's call restricts, held against what the chain answers now.

The lever is pulled once more, on paper: with the chain's answers it must make the very call that is inspected. A number
is compared with what stands by the lever's own words (`comparing`); where several levers make the same call, all are
weighed. What cannot be compared so is not known, and what is not known is not clean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from incident_cli.abi import encode_call
from incident_cli.errors import Refused, Unread
from incident_cli.evm import CallRead, Missing, Snapshot
from incident_cli.flows.multisig.comparing import compared, values_of, which
from incident_cli.flows.proposal import counted
from incident_cli.flows.vault.restricting import RELEASING, STOPPING, WORD
from incident_cli.levers.lever import Plan, Pull, needed, plan
from incident_cli.protocols.worth import expressions
from incident_cli.safe.batch import InnerCall
from incident_cli.text import plain
from incident_cli.units import Token

SCOPES = ("function", "market", "protocol")  # the narrowest first
NOT_HELD = "how it stands now was not read"
NO_TRACE = "what the lever was given cannot be worked back from the calldata"


@dataclass(frozen=True, slots=True)
class Weight:
    """What a call comes to: `code` is empty where it restricts, `why` says why not, `plan` is the lever pulled anew,
    `others` are levers that make the very same call, or may for all that was read, and mean something else."""

    code: str = ""
    why: str = ""
    plan: Plan | None = None
    others: tuple[Pull, ...] = ()

    @property
    def rank(self) -> int:
        """The order of explanations: the nearest to a clean one first."""
        return ("", "not-restricting", "lever-refused", "direction-unknown", "other-values").index(self.code)

    @property
    def meaning(self) -> tuple[str, str] | None:
        """What the lever pulled anew means."""
        return None if self.plan is None else meaning_of(self.plan.pull)

    @property
    def reach(self) -> int:
        """How much of the protocol the lever pulled anew concerns."""
        return -1 if self.plan is None else SCOPES.index(self.plan.pull.definition.scope)


def weigh(pulls: Sequence[Pull], call: InnerCall, snapshot: Snapshot | None) -> Weight:
    """What may be said of a call: of all levers that make it, the one that reaches furthest, and beside it the others
    that say something else of it."""
    if not pulls:
        return Weight("direction-unknown", NO_TRACE)
    if snapshot is None:
        is_open = any(leans_on_chain(one) for one in pulls)
        return Weight("direction-unknown", NOT_HELD) if is_open else Weight()
    best: dict[tuple[str, str], tuple[Weight, Pull]] = {}
    for one in pulls:
        found, lever = weighed(one, call, snapshot), (one.slot.name, one.name)
        if lever not in best or found.rank < best[lever][0].rank:
            best[lever] = found, one
    possible = {meaning_of(pull): pull for one, pull in best.values() if one.code != "other-values"}
    made = [one for one, _ in best.values() if one.plan is not None]
    if not made:
        nearest = min((one for one, _ in best.values()), key=lambda one: one.rank)
        return replace(nearest, others=tuple(possible.values()) if len(possible) > 1 else ())
    widest = max(made, key=lambda one: one.reach)
    others = tuple(one for meaning, one in possible.items() if meaning != widest.meaning)
    return replace(min(made, key=lambda one: one.rank), plan=widest.plan, others=others)


def meaning_of(one: Pull) -> tuple[str, str]:
    """What tells a lever from another that makes the same call."""
    return one.definition.does, one.definition.scope


def weighed(pull: Pull, call: InnerCall, snapshot: Snapshot) -> Weight:
    """One way."""
    try:
        one = plan(pull, snapshot)
        if (one.call.to, one.call.data) != (call.to, call.data):
            return Weight("other-values", f"as the chain stands, the lever would be {written(one)}")
        if released := next(releasing(one, snapshot), ""):
            return Weight("not-restricting", released, one)
        code, why = compared(one, snapshot)
        return Weight(code, why, one)
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


def leans_on_chain(pull: Pull) -> bool:
    """Whether its direction is unknown without the chain."""
    reads = set(pull.slot.protocol.reads)
    formulas = [one for worth in pull.definition.with_.values() for one in expressions(worth)]
    mentioned = {name.removeprefix("before.") for one in formulas for name in one.names}
    return bool(mentioned & reads) or bool(set(values_of(pull.definition)) - which(pull))


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
