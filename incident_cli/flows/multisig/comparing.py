"""Whether the numbers and flags of a lever are no looser than what stands, by the lever's own words alone.

A number is compared only where the lever expects a read to show that very number (or the lesser of it and what stands),
and the lever's own condition for "it is in effect" orders the two: it must hold of the new values as if what stands
had been asked for, and not the other way round. That a number is mentioned somewhere bounds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from incident_cli.evm import Snapshot
from incident_cli.expression import Expression
from incident_cli.flows.vault.restricting import STOPPING, WORD
from incident_cli.levers.lever import Plan, Pull, needed
from incident_cli.levers.pull import Standing
from incident_cli.protocols.definitions import LeverDefinition
from incident_cli.protocols.slot import abi_value
from incident_cli.protocols.worth import expressions

VALUES = frozenset({"int", "bps", "duration", "amount", "bool"})
UNKNOWN, LOOSER = "direction-unknown", "not-restricting"
Judged = tuple[str, str]  # a code, empty where it restricts, and why


def values_of(definition: LeverDefinition) -> Iterator[str]:
    """The arguments that may have a direction."""
    yield from (name for name, one in definition.args.items() if one.type in VALUES)


def which(pull: Pull) -> frozenset[str]:
    """The numbers that say which thing is meant: the lever's reads are asked by them, or they are the place of a bit
    that is set beside those that stand."""
    reads = [pull.slot.protocol.reads[name] for name in pull.definition.expect]
    asked = {name for one in reads for name in (*one.fixed_names, *(two.name for two in one.parameters))}
    bits = {
        name
        for name in values_of(pull.definition)
        for read, worth in pull.definition.expect.items()
        if isinstance(worth, Expression) and worth.source.strip() == f"set_bit(before.{read}, {name})"
    }
    return frozenset(asked | bits)


def compared(one: Plan, snapshot: Snapshot) -> Judged:
    """What the numbers and flags of a lever come to; raises Refused or Unread where its formulas have no value."""
    definition = one.pull.definition
    open_ones = sorted(set(values_of(definition)) - which(one.pull))
    flags = [name for name in open_ones if definition.args[name].type == "bool"]
    unknown = [name for name in flags if not only_stops(one, name, snapshot)]
    if unknown:
        return UNKNOWN, f"nothing says which way {', '.join(unknown)} restricts"
    numbers = [name for name in open_ones if name not in flags]
    return compared_numbers(one, numbers, snapshot) if numbers else ("", "")


def only_stops(one: Plan, flag: str, snapshot: Snapshot) -> bool:
    """Whether all that a flag moves are stops, by their names, and none that stands would be let go."""
    moved = 0
    for expected, (name, worth) in zip(one.expect, one.pull.definition.expect.items(), strict=True):
        if not any(flag in formula.names for formula in expressions(worth)):
            continue
        moved += 1
        is_stop = any(STOPPING.match(word.lower()) for word in WORD.findall(name))
        if not is_stop or (expected.value is not True and snapshot.value(expected.read) is not False):
            return False
    return moved > 0


def shown_by(definition: LeverDefinition, number: str) -> str:
    """The read that must show a number, or the lesser of it and what stands; empty where there is none."""
    for read, worth in definition.expect.items():
        source = worth.source.strip() if isinstance(worth, Expression) else ""
        if source in (number, f"min({number}, before.{read})"):
            return read
    return ""


def compared_numbers(one: Plan, numbers: Sequence[str], snapshot: Snapshot) -> Judged:
    """Numbers: what they bring about must be in effect already if what stands were asked for."""
    pull, satisfied = one.pull, one.pull.definition.satisfied
    shown = {name: shown_by(pull.definition, name) for name in numbers}
    missing = [name for name, read in shown.items() if not read or satisfied is None or name not in satisfied.names]
    if missing or satisfied is None:
        return UNKNOWN, f"nothing says which way {', '.join(missing)} restricts"
    values = {name: snapshot.value(read) for name, read in needed(pull).items()}
    brought = dict(zip(pull.definition.expect, (abi_value(two.value) for two in one.expect), strict=True))
    new = {read: brought[read] for read in shown.values()}
    before = replace(pull, args={**pull.args, **{name: values[read] for name, read in shown.items()}})
    after = replace(pull, args={**pull.args, **{name: new[read] for name, read in shown.items()}})
    is_same = all(new[read] == values[read] for read in new)
    holds = Standing(before, {**values, **new}).formula(satisfied) is True
    backwards = Standing(after, values).formula(satisfied) is True
    if holds and (is_same or not backwards):
        zeros = [name for name, read in shown.items() if new[read] == 0 != values[read]]
        return (UNKNOWN, f"{', '.join(zeros)} would be 0, which may also mean no limit") if zeros else ("", "")
    if backwards:
        return LOOSER, "what stands is stricter than what it gives"
    return UNKNOWN, "it is neither stricter than what stands nor plainly looser"
