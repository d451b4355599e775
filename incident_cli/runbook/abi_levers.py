"""What looks like an emergency function in an ABI: pausing pairs, switches, limits; and who may use them.

Recognised by names alone, as the field has them. A name promises nothing, so whatever is recognised is for review.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from incident_cli.runbook.abi_file import ContractAbi, Function

PAUSING = re.compile(r"(?P<verb>pause|freeze|halt)(?P<what>[A-Z][A-Za-z0-9]*)?")
BACK = {"pause": ("unpause", "resume"), "freeze": ("unfreeze",), "halt": ("resume", "unhalt")}
STATE = {"pause": "Paused", "freeze": "Frozen", "halt": "Halted"}
SWITCH = re.compile(r"set(?P<what>[A-Z][A-Za-z0-9]*?)?(?P<state>Paused|Frozen|Halted)")
LIMIT = re.compile(r"set(?P<what>(?:[A-Z][A-Za-z0-9]*)?(?:Cap|Limit|Ceiling)|Max[A-Z][A-Za-z0-9]*)")
KEY = re.compile(r"bytes32|address|uint[0-9]{1,3}")
ROLE = re.compile(r"[A-Z][A-Z0-9_]*_ROLE")
OWNERS = ("owner", "getOwner", "governance", "governor", "admin", "getAdmin", "timelock")
GUARDIANS = ("guardian", "pauser", "pauseGuardian", "emergencyAdmin", "emergencyCouncil")
ROLE_WORDS = {
    "pause": ("PAUS", "GUARDIAN", "EMERGENCY", "FREEZ", "HALT", "SECURITY"),
    "limit": ("LIMIT", "CAP", "RISK", "GUARDIAN", "EMERGENCY", "MANAGER"),
}


@dataclass(frozen=True, slots=True)
class FoundLever:
    """An emergency function: what it sets (`pause`: something stops; `limit`: a number), and how it is undone.

    `view` shows the effect. `key` is the type of the one thing that it is for (a market, an asset), or None.
    `back` is the function that takes it back, or None where the same one does, with the value from before.
    """

    kind: str
    call: Function
    view: Function
    key: str | None = None
    back: Function | None = None


@dataclass(frozen=True, slots=True)
class FoundRoles:
    """Views that may say who pulls levers: addresses by themselves, and role constants of an AccessControl."""

    owners: tuple[Function, ...] = ()
    guardians: tuple[Function, ...] = ()
    has_role: Function | None = None
    constants: tuple[str, ...] = ()

    def constant_for(self, kind: str) -> str | None:
        """The role whose name fits a kind of lever best, or None."""
        for word in ROLE_WORDS[kind] if self.has_role else ():
            found = next((one for one in self.constants if word in one), None)
            if found is not None:
                return found
        return None


def find_levers(abi: ContractAbi) -> list[FoundLever]:
    """Every lever that its names show, the pausing ones first, and of them those without a key."""
    found = [one for function in abi.functions if not function.is_view for one in levers_of(abi, function)]
    return sorted(found, key=lambda one: (one.kind != "pause", one.key is not None))


def levers_of(abi: ContractAbi, function: Function) -> Iterator[FoundLever]:
    """The lever that a function is, if it is one."""
    for form, reading in ((PAUSING, pausing), (SWITCH, switch), (LIMIT, limit)):
        match = form.fullmatch(function.name)
        lever = None if match is None else reading(abi, function, match)
        if lever is not None:
            yield lever


def pausing(abi: ContractAbi, function: Function, match: re.Match[str]) -> FoundLever | None:
    """`pause()` with `unpause()` and `paused()`; also with one key, and of one thing (`pauseDeposits`)."""
    verb, what = match["verb"], match["what"] or ""
    if not is_keyed(function.inputs):
        return None
    ways = (abi.find(f"{one}{what}", *function.inputs) for one in BACK[verb])
    back = next((one for one in ways if one is not None and not one.is_view), None)
    view = state_view(abi, what, STATE[verb], function.inputs)
    if back is None or view is None:
        return None
    return FoundLever("pause", function, view, key_of(function.inputs), back)


def switch(abi: ContractAbi, function: Function, match: re.Match[str]) -> FoundLever | None:
    """`setPaused(bool)` with `paused()`; also with one key before it, and of one thing."""
    if not function.inputs or function.inputs[-1] != "bool" or not is_keyed(function.inputs[:-1]):
        return None
    view = state_view(abi, match["what"] or "", match["state"], function.inputs[:-1])
    return None if view is None else FoundLever("pause", function, view, key_of(function.inputs[:-1]))


def limit(abi: ContractAbi, function: Function, match: re.Match[str]) -> FoundLever | None:
    """`setBorrowCap(uint256)` with `borrowCap()`; also with one key before it."""
    if not function.inputs or function.inputs[-1] != "uint256" or not is_keyed(function.inputs[:-1]):
        return None
    what = match["what"]
    for name in (lowered(what), what, f"get{what}"):
        view = abi.view(name, *function.inputs[:-1], answers="uint256")
        if view is not None:
            return FoundLever("limit", function, view, key_of(function.inputs[:-1]))
    return None


def is_keyed(inputs: tuple[str, ...]) -> bool:
    """Whether it takes nothing, or one thing that may be a key."""
    return not inputs or (len(inputs) == 1 and KEY.fullmatch(inputs[0]) is not None)


def key_of(inputs: tuple[str, ...]) -> str | None:
    """The type of the key, or None."""
    return inputs[0] if inputs else None


def state_view(abi: ContractAbi, what: str, state: str, inputs: tuple[str, ...]) -> Function | None:
    """The view that says whether something is paused (frozen, halted)."""
    word = state[0].lower() + state[1:]
    names = (
        (f"{lowered(what)}{state}", f"is{what}{state}", f"{word}{what}", f"get{what}{state}")
        if what
        else (word, f"is{state}", f"get{state}")
    )
    found = (abi.view(name, *inputs, answers="bool") for name in names)
    return next((one for one in found if one is not None), None)


def lowered(what: str) -> str:
    """`BorrowCap` is `borrowCap`."""
    return what[:1].lower() + what[1:]


def find_roles(abi: ContractAbi) -> FoundRoles:
    """Who may use the levers, as far as names say it."""
    constants = [
        one.name
        for one in abi.functions
        if ROLE.fullmatch(one.name) and one.is_view and not one.inputs and one.answers == "bytes32"
    ]
    return FoundRoles(
        addresses(abi, OWNERS),
        addresses(abi, GUARDIANS),
        abi.view("hasRole", "bytes32", "address", answers="bool"),
        tuple(constants),
    )


def addresses(abi: ContractAbi, names: tuple[str, ...]) -> tuple[Function, ...]:
    """The views of these names that answer one address."""
    found = (abi.view(name, answers="address") for name in names)
    return tuple(one for one in found if one is not None)
