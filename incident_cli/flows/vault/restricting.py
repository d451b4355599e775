"""Which levers may be signed in advance: those that only restrict, at once, and with calldata that do not age."""

from __future__ import annotations

import re
from collections.abc import Iterator

from incident_cli.errors import Refused
from incident_cli.levers.lever import Plan
from incident_cli.protocols.definitions import LeverDefinition, Worths
from incident_cli.protocols.worth import expressions

RELEASING = re.compile(
    "unpause|resume|unfreeze|restore|reopen|unlock|unblock|unhalt|unsuspend|unshut|uncage|restart|reactivate|reenable"
    "|uncurse|unstop"
)
STOPPING = re.compile("paus|froze|freez|halt|stop|shut|suspend|lock|close|disable")
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
HINT = "nothing was armed; propose such a step during the incident instead: `incident respond`"


def require_restricting(plan: Plan) -> None:
    """Raises Refused, with the reason, for a lever that may not be signed in advance."""
    for reason in reasons(plan):
        raise Refused(f"{plan.pull.label} cannot be signed in advance: {reason}", HINT)


def reasons(plan: Plan) -> Iterator[str]:
    """Everything that speaks against it, the gravest first."""
    definition = plan.pull.definition
    yield from releases(plan)
    if plan.delay is not None or definition.is_delayed:
        yield "it has to be scheduled and waited for, so its pre-signed call would do nothing at once"
    if not plan.expect:
        yield "nothing on chain would prove it"
    dated = sorted(aging(definition, frozenset(plan.pull.slot.protocol.reads)))
    if dated:
        words = ", ".join(dated)
        yield f"its calldata would hold what {words} answers today, and put that back whenever it is fired"
    if plan.until is not None:
        yield "the role it needs ends by itself, and the ladder does not"
    if plan.satisfied:
        yield "the chain shows it in effect already, so it cannot be tried; arm while the market is open"


def releases(plan: Plan) -> Iterator[str]:
    """Whether it lets something go, by its names and by what it is to bring about."""
    names = (plan.pull.name, plan.call.signature.name)
    words = {word.lower() for name in names for word in WORD.findall(name)}
    if found := sorted(one for one in words if RELEASING.match(one)):
        yield f"it does not restrict ({', '.join(found)}); whoever holds the file could reopen the market"
    for one in plan.expect:
        name = one.label.partition("(")[0].rpartition(".")[2]
        if one.value is False and any(STOPPING.match(word.lower()) for word in WORD.findall(name)):
            yield f"it would bring about that {one.label} is false; whoever holds the file could reopen the market"


def aging(definition: LeverDefinition, reads: frozenset[str]) -> Iterator[str]:
    """The reads whose answers of today would stand in the calldata, or decide which calls there are."""
    formulas: list[Worths] = [definition.with_, *(one.with_ for one in definition.first)]
    named = [name for given in formulas for name in names_of(given)]
    named += [name for one in definition.first for name in one.when.names]
    yield from ({name.removeprefix("before.") for name in named} & reads)


def names_of(given: Worths) -> Iterator[str]:
    """Every name that the formulas of ABI parameters mention."""
    for worth in given.values():
        for one in expressions(worth):
            yield from one.names
