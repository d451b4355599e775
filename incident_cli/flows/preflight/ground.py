"""What a preflight is about: the runbooks bound at each market, their levers, and the Safes that pull them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from incident_cli.document import Text
from incident_cli.flows.connecting import resolved
from incident_cli.flows.pinning.places import slot_name
from incident_cli.flows.preflight.item import Item, judged, ready, waiting
from incident_cli.flows.preflight.nodes import Site
from incident_cli.flows.preflight.safe import SafeAt
from incident_cli.levers.pull import Pull
from incident_cli.runbook.bind import Bound, acting_slots
from incident_cli.runbook.legs import legs_of
from incident_cli.runbook.model import ContainStep, LeverCall
from incident_cli.runbook.steps import found_samples

SAFE = "safe"


@dataclass(frozen=True, slots=True)
class Pulled:
    """One lever that a contain step pulls. `unfound` are the arguments that a check finds in the incident; until then
    a placeholder stands for them."""

    bound: Bound
    step: ContainStep
    pull: Pull
    safe: SafeAt
    unfound: frozenset[str]

    @property
    def lever(self) -> str:
        """`exchange.pause_market`, as the authority names it."""
        return f"{self.pull.slot.name}.{self.pull.name}"

    def id(self, kind: str) -> str:
        """`role:exchange.pause_market@council`."""
        slot = slot_name(self.bound.deployment, self.bound.market.name, self.pull.slot.name)
        return f"{kind}:{slot}.{self.pull.name}@{self.safe.name}"


@dataclass(frozen=True, slots=True)
class Stage:
    """One contain step at one market."""

    bound: Bound
    step: ContainStep
    safe: SafeAt
    pulled: tuple[Pulled, ...]

    def id(self, kind: str) -> str:
        """`simulate:oracle-divergence/pause@ETH-USD`."""
        elsewhere = f" on {self.safe.chain}" if self.safe.chain != self.bound.chain else ""
        return f"{kind}:{self.bound.runbook.id}/{self.step.id}@{self.bound.market.name}{elsewhere}"


def settle(bound: Bound, sites: Mapping[str, Site]) -> tuple[Bound, Item | None]:
    """The bound runbook with its derived slots, and the item that says whether they were found; None without any."""
    derived = {f"{slot.name}.{name}" for slot in bound.slots.values() for name in slot.derived()}
    if not derived:
        return bound, None
    name = f"slots:{bound.runbook.id}@{bound.market.name}"
    site = sites[bound.chain]
    reader = site.reader(sites)
    if reader is None:
        return bound, waiting(name, site.causes)
    found: list[Bound] = []

    def look() -> Item:
        found.append(resolved(bound, reader))
        return ready(name, f"the chain says where these stand: {', '.join(sorted(derived))}")

    item = judged(name, look)
    return (found[0] if found else bound), item


def is_whole(bound: Bound) -> bool:
    """Whether every address of its slots is known."""
    return all(name in slot.addresses for slot in bound.slots.values() for name in slot.derived())


def stages_of(bound: Bound) -> Iterator[Stage]:
    """Every contain step, its levers with their typed arguments; raises WrongFile or Misused."""
    found = found_samples(bound.checks)
    for step in bound.runbook.steps:
        for leg in legs_of(step, bound.slots).values() if isinstance(step, ContainStep) else ():
            safe = safe_at(bound, leg.contain.by)
            made = []
            for call in leg.levers:
                slot, _, name = call.lever.partition(".")
                pull = Pull(bound.slots[slot], name, bound.lever_args(call, found), safe.address)
                made.append(Pulled(bound, leg, pull, safe, unfound(call)))
            yield Stage(bound, leg, safe, tuple(made))


def unfound(call: LeverCall) -> frozenset[str]:
    """The arguments whose value a check finds."""
    written = {name: entry.value for name, entry in call.args.entries.items()}
    return frozenset(
        name for name, node in written.items() if isinstance(node, Text) and node.value.startswith("{checks.")
    )


def safe_at(bound: Bound, slot: str) -> SafeAt:
    """The Safe in a slot."""
    one = bound.slots[slot]
    return SafeAt(slot_name(bound.deployment, bound.market.name, slot), one.chain, one.addresses[SAFE])


def safes_of(bounds: Sequence[Bound]) -> tuple[SafeAt, ...]:
    """The Safes that contain or restore in any of these runbooks."""
    found: dict[SafeAt, None] = {}
    for bound in bounds:
        names = (name for step in bound.runbook.steps for name in acting_slots(step))
        found |= {safe_at(bound, name): None for name in names if SAFE in bound.slots[name].addresses}
    return tuple(found)


def acting(stages: Sequence[Stage]) -> tuple[SafeAt, ...]:
    """The Safes that pull levers."""
    return tuple(dict.fromkeys(one.safe for one in stages))


def placeholders(bound: Bound, slot: str, lever: str) -> dict[str, object]:
    """The arguments of a lever that no step pulls, as far as they are known: its markets."""
    definition = bound.slots[slot].protocol.levers[lever]
    return {name: bound.market for name, one in definition.args.items() if one.type == "market"}


def elsewhere(bound: Bound, slot: str, lever: str, safe: SafeAt) -> Pull:
    """A lever of the deployment as that Safe would pull it."""
    return Pull(bound.slots[slot], lever, placeholders(bound, slot, lever), safe.address)
