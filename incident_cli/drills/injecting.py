"""From a scenario's entries to injections: each typed by the protocol file's ABI, every problem at its own line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from incident_cli.abi import encode
from incident_cli.binding import did_you_mean
from incident_cli.drills.fork_script import ForkScript, InjectEntry, StorageEntry
from incident_cli.drills.injection import (
    AnswerInjection,
    CodeInjection,
    FeedInjection,
    ImplementationInjection,
    Injection,
    StorageInjection,
)
from incident_cli.evm import Address, CallRead, to_hex
from incident_cli.expression import ExpressionError
from incident_cli.protocols.slot import BoundSlot
from incident_cli.runbook.abi_series import NoValue, constant_of, parse_value
from incident_cli.runbook.bind import Bound
from incident_cli.text import plain
from incident_cli.units import format_duration

VIEW = re.compile(r"(?P<slot>[a-z][a-z0-9_]*)\.(?P<read>[a-z][a-z0-9_]*)\((?P<args>.*)\)")
FEED = "feed"


class Unusable(ValueError):
    """An entry that cannot be injected, and why."""


def injections(script: ForkScript, bound: Bound) -> tuple[Injection, ...]:
    """Every entry typed; raises WrongFile with every problem."""
    found: list[Injection] = []
    for entry in script.scenario.inject:
        try:
            found.append(injection(entry, bound))
        except NoValue as problem:
            script.document.wrong(problem.place, problem.code, str(problem), problem.hint)
        except (ValueError, ExpressionError, LookupError) as problem:
            script.document.wrong(entry.place, "bad-injection", plain(problem, 300))
    script.document.refuse_if_wrong()
    return tuple(found)


def injection(entry: InjectEntry, bound: Bound) -> Injection:
    """One entry typed; raises Unusable, NoValue, or what a read's own values raise."""
    if entry.storage is not None:
        return storage(entry, entry.storage, bound)
    if entry.feed is not None:
        return feed(entry, entry.feed, bound)
    if entry.change is not None:
        slot = slot_of(bound, entry.slot or "")
        made = CodeInjection if entry.change == "code" else ImplementationInjection
        words = f"{slot.name} gets other {entry.change}, a copy that does the same"
        return made(entry.at_block, words, only_address(slot))
    return answer(entry, bound)


def storage(entry: InjectEntry, wanted: StorageEntry, bound: Bound) -> StorageInjection:
    """A word of storage."""
    slot = slot_of(bound, wanted.slot)
    if wanted.address not in slot.addresses:
        raise Unusable(f"the slot {slot.name} has no address {wanted.address!r}: {', '.join(slot.addresses)}")
    words = f"storage of {wanted.slot}.{wanted.address} at {wanted.position} becomes {wanted.value}"
    return StorageInjection(entry.at_block, words, slot.addresses[wanted.address], wanted.position, wanted.value)


def feed(entry: InjectEntry, name: str, bound: Bound) -> FeedInjection:
    """A feed's answer."""
    slot = slot_of(bound, name)
    address = slot.addresses[FEED] if FEED in slot.addresses else only_address(slot)
    old = "in new rounds" if entry.age is None else f"{format_duration(entry.age)} old"
    words = f"the feed {name} answers {entry.answer}, {old}"
    return FeedInjection(entry.at_block, words, address, Decimal(entry.answer or ""), entry.age)


def answer(entry: InjectEntry, bound: Bound) -> AnswerInjection:
    """A view with a fixed answer."""
    read = view_of(entry.answer or "", bound)
    kind = read.signature.output_at(read.path).type
    value = constant_of(kind, entry.value, bound)
    encode([kind], [value])
    words = f"{plain(entry.answer, 120)} answers {plain(shown(value), 200)}"
    return AnswerInjection(entry.at_block, words, read, value)


def shown(value: object) -> str:
    """An ABI value as people write it: bytes as hex, true and false as YAML has them."""
    if isinstance(value, tuple):
        return f"[{', '.join(shown(one) for one in value)}]"
    return to_hex(value) if isinstance(value, bytes) else str(value).lower() if isinstance(value, bool) else str(value)


def view_of(text: str, bound: Bound) -> CallRead:
    """`slot.read(values)` as the read it names; raises Unusable."""
    match = VIEW.fullmatch(text)
    if match is None:
        raise Unusable(f"{text!r} is no view: write it like vault.owner() or exchange.market_paused(ETH-USD)")
    slot, name = slot_of(bound, match["slot"]), match["read"]
    definition = slot.protocol.reads.get(name)
    if definition is None:
        raise Unusable(f"{slot.name} has no read {name!r}{did_you_mean(name, slot.protocol.reads)}")
    given = [one.strip() for one in split(match["args"])]
    wanted = definition.parameters
    if len(given) != len(wanted):
        names = ", ".join(one.name or one.type for one in wanted) or "nothing"
        raise Unusable(f"{slot.name}.{name} takes {names}; here it has {len(given)} values")
    values = [parse_value(one.type, word, bound) for one, word in zip(wanted, given, strict=True)]
    return slot.read(name, values)


def split(text: str) -> Sequence[str]:
    """Values between commas; none where there is nothing."""
    return re.split(r",(?![^\[]*\])", text) if text.strip() else ()


def slot_of(bound: Bound, name: str) -> BoundSlot:
    """A slot of the runbook on the chain that is forked; raises Unusable."""
    slot = bound.slots.get(name)
    if slot is None:
        raise Unusable(f"the runbook has no slot {name!r}{did_you_mean(name, bound.slots)}")
    if slot.chain != bound.chain:
        raise Unusable(f"{name} stands on {slot.chain}; only {bound.chain}, where the Safe acts, is forked")
    return slot


def only_address(slot: BoundSlot) -> Address:
    """The address of a slot that has one; raises Unusable."""
    if len(slot.addresses) != 1:
        raise Unusable(f"the slot {slot.name} has several addresses: {', '.join(slot.addresses)}")
    return next(iter(slot.addresses.values()))
