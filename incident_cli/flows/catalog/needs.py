"""What must be known before a lever's calldata can be written, and the flags and the YAML that say it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from incident_cli.abi import Signature
from incident_cli.flows.catalog.find import NamedLever
from incident_cli.protocols.definitions import LeverDefinition, ReadDefinition
from incident_cli.protocols.worth import expressions
from incident_cli.runbook.model import PARAMETER_TYPES
from incident_cli.runbook.skeleton import call as lever_call
from incident_cli.runbook.skeleton import slot_name


@dataclass(frozen=True, slots=True)
class Needs:
    """Names of what a lever's calls, proof and undo are made of; `optional` reads only say whether it holds already."""

    args: tuple[str, ...]
    slots: tuple[str, ...]
    reads: tuple[str, ...]
    optional: tuple[str, ...]
    by: bool


def needs_of(lever: NamedLever) -> Needs:
    """What must be known to write its calls. The role and the delay are left out: only a chain can tell."""
    definition, protocol = lever.definition, lever.protocol
    names = {
        one.removeprefix("before.")
        for worth in definition.worths()
        for each in expressions(worth)
        for one in each.names
    }
    before = names | (set(definition.expect) if definition.undo else set())
    asked = {name: one for name, one in protocol.reads.items() if name in definition.expect}
    mentioned = names | {one for read in asked.values() for one in read.fixed_names}
    wanted = {one.removeprefix("before.") for one in definition.satisfied.names} if definition.satisfied else set()
    slots = {*own_slots(definition), *(one.on for one in asked.values()), *mentioned, *filled(definition, asked)}
    return Needs(
        tuple(name for name, one in definition.args.items() if one.default is None),
        tuple(one for one in protocol.slots if one in slots),
        tuple(one for one in protocol.reads if one in before),
        tuple(one for one in protocol.reads if one in wanted and one not in before),
        "by" in mentioned,
    )


def own_slots(definition: LeverDefinition) -> Iterator[str]:
    """The slots it calls, its undo included."""
    yield definition.on
    yield from (one.on for one in definition.first)
    if definition.undo is not None and definition.undo.on is not None:
        yield definition.undo.on


def filled(definition: LeverDefinition, asked: Mapping[str, ReadDefinition]) -> Iterator[str]:
    """The parameters that no `with` gives: an argument or a slot of that name fills them."""
    every: list[tuple[Signature, Mapping[str, object]]] = [(definition.call, definition.with_)]
    every += [(one.call, one.with_) for one in definition.first]
    every += [(one.call, one.with_) for one in asked.values()]
    if definition.undo is not None:
        every.append((definition.undo.call or definition.call, definition.undo.with_))
    return (one.name for call, given in every for one in call.inputs if one.name not in given)


def flags(lever: NamedLever, needs: Needs) -> dict[str, str]:
    """The flag for each thing that must be given, with what is wanted as its value in capitals."""
    kinds, reads = lever.definition.args, lever.protocol.reads
    found = {f"slot {one}": f"--at {one}=ADDRESS" for one in needs.slots}
    found |= {f"argument {one}": argument_flag(one, kinds[one].type) for one in needs.args}
    found |= {f"read {one}": f"--before {one}={kind_word(reads[one].value_type.type)}" for one in needs.reads}
    return {**found, **({"by": "--by ADDRESS"} if needs.by else {})}


def argument_flag(name: str, kind: str) -> str:
    """A market is given with its id, an amount with its token's decimals."""
    if kind == "market":
        return "--market NAME=BYTES32"
    return f"--arg {name}={kind.upper()}" + (" --token SYMBOL=DECIMALS" if kind == "amount" else "")


def kind_word(kind: str) -> str:
    """What is written for a value of an ABI type."""
    return "JSON" if kind.endswith((")", "]")) else kind.upper()


def encode_words(lever: NamedLever) -> str:
    """The command that encodes it, without the program; what is in capitals is to be replaced."""
    return " ".join([f"lever encode {lever.full_name}", *dict.fromkeys(flags(lever, needs_of(lever)).values())])


def snippet(lever: NamedLever) -> list[str]:
    """What a runbook says to pull it: parameters, slots and the step. Text in capitals is to be replaced."""
    slot = slot_name(lever.protocol.protocol)
    return [
        "params:",
        *(f"  {name}: {{type: {kind}}}" for name, kind in parameters(lever.definition).items()),
        "slots:",
        f"  {slot}: {{protocol: {lever.protocol.protocol}}}",
        "  council: {protocol: safe}",
        "steps:",
        f"  - id: {lever.name}",
        "    contain:",
        "      by: council",
        "      calls:",
        *f"        - {pulled(slot, lever)}".splitlines(),
        f"    confirm: {{type: {json.dumps(confirmation(lever), ensure_ascii=False)}}}",
        "    deadline: 15m",
    ]


def parameters(definition: LeverDefinition) -> dict[str, str]:
    """The market, and the arguments that need a value and that a parameter can give: each with its type."""
    given = {name: one.type for name, one in definition.args.items() if one.default is None}
    return {"market": "market", **{name: kind for name, kind in given.items() if kind in PARAMETER_TYPES[1:]}}


def pulled(slot: str, lever: NamedLever) -> str:
    """The call of the step; bytes are written out, or come from a check."""
    text = lever_call(slot, lever.name, lever.definition)
    for name, one in lever.definition.args.items():
        if one.type not in PARAMETER_TYPES:
            text = text.replace(f'{name}: "{{{name}}}"', f'{name}: "{one.type.upper()}"')
    return text


def confirmation(lever: NamedLever) -> str:
    """What is typed: the market, and for what nobody can undo, its consequence."""
    return lever.definition.consequence or "{market}"
