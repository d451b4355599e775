"""What is to be asked of a lever's call whichever way it works: what cannot be undone, and what its arguments name.

A lever may restrict and still be the wrong one: for good, for another operation, for a market that there is not, or
against somebody whom nothing but the calldata names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from incident_cli.evm import ZERO, Address
from incident_cli.flows.multisig.decoding import DecodedCall
from incident_cli.flows.multisig.naming import Names
from incident_cli.flows.vault.restricting import WORD
from incident_cli.levers.lever import Pull
from incident_cli.protocols.definitions import LeverDefinition
from incident_cli.safe.finding import InspectionFinding, refused, warned
from incident_cli.text import plain

CANCELLING = frozenset({"cancel", "veto", "revoke", "reject", "discard"})
IDS = frozenset({"id", "operation", "proposal", "op"})
OFFICES = frozenset({"owner", "heir", "admin", "guardian", "governor", "governance", "operator", "minter", "signer"})
NEAR = 3  # bytes in which the id of a market may differ from another's and still look like it


def doubts_of(call: DecodedCall, pulls: Sequence[Pull], safe: Address, names: Names) -> tuple[InspectionFinding, ...]:
    """The doubts about the levers that make a call; where none was worked out, about those that it may be."""
    number = f"call {call.made.number}"
    own = [one.lever for one in call.levers if one.lever is not None and not one.lever.comes_first]
    found: list[InspectionFinding] = []
    for definition in [one.definition for one in pulls] or [one.definition for one in own]:
        found += irreversible(definition, number)
    for pull in pulls:
        found += in_office(pull, call, number, safe, names)
        found += named(pull, number, call.made.call.to, safe, names)
    if not pulls:
        found += [
            warned("cancels", f"{number}: {one.label} cancels") for one in own if cancels(one.definition, one.name)
        ]
    return tuple(dict.fromkeys(found))


def in_office(pull: Pull, call: DecodedCall, number: str, safe: Address, names: Names) -> Iterator[InspectionFinding]:
    """Addresses that the protocol file itself gives, where the call may put somebody in charge, or names this Safe."""
    label = f"{number}: {pull.slot.name}.{pull.name}"
    for parameter, value in zip(pull.definition.call.inputs, call.values, strict=False):
        words = {word.lower() for word in WORD.findall(parameter.name)}
        if parameter.type == "address" and (words & OFFICES or value == safe):
            who = names.beside(str(value))
            yield warned("unknown-address", f"{label}: {parameter.name} is {who}: it may put somebody in charge")


def irreversible(definition: LeverDefinition, number: str) -> Iterator[InspectionFinding]:
    """What nobody can put back."""
    if definition.irreversible:
        words = definition.consequence or definition.does
        yield warned("irreversible", plain(f"{number} cannot be undone by anyone; it is to {words}", 600))


def named(pull: Pull, number: str, contract: Address, safe: Address, names: Names) -> Iterator[InspectionFinding]:
    """What the arguments of a lever name."""
    definition, label = pull.definition, f"{number}: {pull.slot.name}.{pull.name}"
    ends = cancels(definition, pull.name)
    if ends:
        listed = ", ".join(f"{name} {shown(value)}" for name, value in pull.args.items()) or "whatever is pending"
        yield warned("cancels", f"{label} puts away {listed}: what that would do was not read")
    for name, value in pull.args.items():
        kind = definition.args[name].type
        if kind == "address":
            yield from an_address(f"{label}: {name}", Address(str(value)), contract, safe, names)
        elif kind == "market" and isinstance(value, bytes):
            yield from a_market(f"{label}: {name}", value, names)
        elif kind.startswith("bytes") and not ends:
            code = "cancels" if name in IDS else "direction-unknown"
            yield warned(code, f"{label}: nothing says what {name} {shown(value)} is")


def cancels(definition: LeverDefinition, name: str) -> bool:
    """Whether a lever puts away what somebody else has begun."""
    words = {word.lower() for text in (name, definition.call.name) for word in WORD.findall(text)}
    return definition.cancels or bool(words & CANCELLING)


def shown(value: object) -> str:
    """An argument as it stands in the calldata."""
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)


def an_address(
    label: str, value: Address, contract: Address, safe: Address, names: Names
) -> Iterator[InspectionFinding]:
    """Whom a lever is pulled against: nothing but the calldata says so."""
    who = {safe: "this Safe itself", ZERO: "the zero address", contract: "the contract that is called"}.get(value)
    if who is not None:
        yield warned("unknown-address", f"{label} is {value}, {who}")
    else:
        yield warned("direction-unknown", f"{label} is {names.beside(value)}, and nothing says whom it may be")


def a_market(label: str, value: bytes, names: Names) -> Iterator[InspectionFinding]:
    """A market that the deployment does not have: nothing would stop there."""
    if shown(value) in names.markets:
        return
    near = [f"{name} ({known})" for known, name in names.markets.items() if is_near(bytes.fromhex(known[2:]), value)]
    if near:
        yield refused("unknown-market", f"{label} is {shown(value)}, which is no market, and looks like {near[0]}")
    else:
        yield warned("unknown-market", f"{label} is {shown(value)}, and the deployment has no such market")


def is_near(known: bytes, value: bytes) -> bool:
    """Whether two ids differ in a few bytes, or but for their case."""
    return sum(one != two for one, two in zip(known, value, strict=False)) <= NEAR or known.lower() == value.lower()
