"""Whether a rotation's simulation showed exactly the rotation: the owners and the threshold, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from incident_cli.chain.simulate import Simulation
from incident_cli.chain.state_diff import (
    OWNER_COUNT_SLOT,
    OWNERS_SLOT,
    THRESHOLD_SLOT,
    StateDiff,
    mapping_slot,
)
from incident_cli.chain.undeclared import undeclared
from incident_cli.errors import Refused
from incident_cli.evm import Missing, Snapshot
from incident_cli.flows.multisig.rotation_ground import NOTHING_DONE
from incident_cli.flows.proposal import show
from incident_cli.levers.expectation import Expectation
from incident_cli.safe.contracts import SENTINEL
from incident_cli.safe.rotation import Rotation
from incident_cli.safe.signatures import number_of


def check_rotated(simulation: Simulation, rotation: Rotation, expectations: Sequence[Expectation]) -> None:
    """Refuse unless the simulation ran, showed every expectation, and changed only what a rotation changes."""
    if simulation.state != "passed" or simulation.block is None:
        word = "failed" if simulation.state == "failed" else "could not be made"
        raise Refused(
            f"the simulation of the rotation {word}: {simulation.reason}", f"{NOTHING_DONE}; try another node"
        )
    after = Snapshot(simulation.block, simulation.after)
    for one in expectations:
        found = one.judge(after)
        if found is not True:
            seen = found.reason if isinstance(found, Missing) else f"it would be {show(after.value(one.read))}"
            raise Refused(f"in the simulation {one.label} would not be {show(one.value)}: {seen}", NOTHING_DONE)
    if isinstance(simulation.diff, StateDiff):
        check_changes(simulation.diff, rotation)


def check_changes(diff: StateDiff, rotation: Rotation) -> None:
    """Refuse a change of anything but the Safe's list of owners, their number, the threshold and the nonce."""
    sender = min(rotation.remaining, key=number_of)
    problems = undeclared(without_owners(diff, rotation), allowed=(), safe=rotation.safe, sender=sender)
    if problems:
        raise Refused(f"the simulation changes more than the owners: {'; '.join(problems)}", NOTHING_DONE)


def without_owners(diff: StateDiff, rotation: Rotation) -> StateDiff:
    """The changes but those of a rotation itself; what the new list must be is read, and was judged before."""
    keys = {SENTINEL, *rotation.owners, *rotation.owners_after}
    own = {OWNER_COUNT_SLOT, THRESHOLD_SLOT, *(mapping_slot(one, OWNERS_SLOT) for one in keys)}
    accounts = dict(diff.accounts)
    change = accounts.get(rotation.safe)
    if change is not None:
        kept = {slot: pair for slot, pair in change.slots.items() if slot not in own}
        accounts[rotation.safe] = replace(change, slots=kept)
    return StateDiff(accounts)
