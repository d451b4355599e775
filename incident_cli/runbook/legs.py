"""A containment on several chains: one leg a chain, each with its own Safe, its own calls and its own proposal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from incident_cli.errors import Misused
from incident_cli.protocols.slot import BoundSlot
from incident_cli.runbook.model import ContainStep

Slots = Mapping[str, BoundSlot]


def legs_of(step: ContainStep, slots: Slots) -> dict[str, ContainStep]:
    """Chain → the step with only what stands on that chain, in the order of its Safes.

    Raises Misused where two Safes share a chain, a call's chain has no Safe, or a Safe has nothing to call.
    """
    safes: dict[str, str] = {}
    for name in step.authorities:
        other = safes.setdefault(slots[name].chain, name)
        if other != name:
            raise Misused(
                f"step {step.id}: {other} and {name} are both on {slots[name].chain}",
                "a containment has one Safe for each chain: take one of them out of `also_by`",
            )
    made = {chain: on_chain(step, slots, chain, by) for chain, by in safes.items()}
    refuse_stranded(step, slots, made)
    return made


def on_chain(step: ContainStep, slots: Slots, chain: str, by: str) -> ContainStep:
    """The step as it is on one chain."""
    here = tuple(one for one in step.levers if slots[slot_of(one.lever)].chain == chain)
    still = tuple(one for one in step.contain.must_not_change if slots[slot_of(one.read)].chain == chain)
    made = replace(step, contain=replace(step.contain, by=by, also_by=(), must_not_change=still))
    object.__setattr__(made, "levers", here)
    return made


def slot_of(dotted: str) -> str:
    """The slot of `slot.name`."""
    return dotted.partition(".")[0]


def refuse_stranded(step: ContainStep, slots: Slots, made: Mapping[str, ContainStep]) -> None:
    """Raises Misused for a call without a Safe on its chain, for what must not change where the step does not act, and
    for a Safe without a call on its own chain."""
    for one in step.contain.must_not_change:
        chain = slots[slot_of(one.read)].chain
        if chain not in made:
            raise Misused(
                f"step {step.id}: must_not_change reads {one.read} on {chain}, where the step does not act",
                "it could not be held against the simulation there: prove it in a `verify` step",
            )
    for call in step.levers:
        chain = slots[slot_of(call.lever)].chain
        if chain not in made:
            raise Misused(
                f"step {step.id}: {call.lever} stands on {chain}, where none of {', '.join(step.authorities)} is",
                "name a Safe of that chain under `also_by`",
            )
    for chain, leg in made.items():
        if not leg.levers:
            raise Misused(f"step {step.id}: {leg.contain.by} has nothing to call on {chain}", "take it out")
