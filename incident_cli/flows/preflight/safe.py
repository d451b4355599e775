"""A Safe as it stands: its version, owners, threshold, guards, modules and handler, each as its own item."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from incident_cli.abi import parse_signature
from incident_cli.evm import ZERO, Address, CallRead, Read, Snapshot, StorageRead, checksummed
from incident_cli.flows.guarding import demand
from incident_cli.flows.preflight.item import Item, judged, not_ready, ready
from incident_cli.runbook.deployment import Deployment, PinEntry
from incident_cli.safe import contracts
from incident_cli.safe.contracts import RELEASES, SENTINEL
from incident_cli.text import plain

MODULE_PAGE = 50
FIRST_WITH_MODULE_GUARD = (1, 5, 0)
VERSION = parse_signature(contracts.VERSION)
OWNERS = parse_signature(contracts.GET_OWNERS)
THRESHOLD = parse_signature(contracts.GET_THRESHOLD)
NONCE = parse_signature(contracts.NONCE)
MODULES = parse_signature(contracts.GET_MODULES_PAGINATED)
SLOTS = {
    "singleton": int(contracts.SINGLETON_SLOT, 16),
    "guard": int(contracts.GUARD_SLOT, 16),
    "module-guard": int(contracts.MODULE_GUARD_SLOT, 16),
    "fallback-handler": int(contracts.FALLBACK_HANDLER_SLOT, 16),
}
LOOK = (
    "Find out who set it. If it is meant to be there, accept it with `incident pin`; if not, have the owners undo it."
)


@dataclass(frozen=True, slots=True)
class SafeAt:
    """A Safe by the name of its slot (with its market where that gives it), on its chain."""

    name: str
    chain: str
    address: Address

    def call(self, signature: str) -> CallRead:
        """A view of it."""
        return CallRead(self.address, parse_signature(signature), (), self.chain)

    def slot(self, name: str) -> StorageRead:
        """A word of its storage, by name."""
        return StorageRead(self.address, SLOTS[name], self.chain)

    @property
    def modules(self) -> CallRead:
        """The first page of its modules."""
        return CallRead(self.address, MODULES, (SENTINEL, MODULE_PAGE), self.chain)

    @property
    def reads(self) -> list[Read]:
        """Everything that is looked at."""
        views = [self.call(one) for one in (contracts.VERSION, contracts.GET_OWNERS, contracts.GET_THRESHOLD)]
        views += [self.call(contracts.NONCE), self.modules]
        return [*views, *(self.slot(one) for one in SLOTS)]


@dataclass(frozen=True, slots=True)
class SafeSeen:
    """A Safe and the answers; every view raises Unread where its answer is missing."""

    safe: SafeAt
    snapshot: Snapshot

    @property
    def version(self) -> str:
        """`1.4.1`."""
        return plain(demand("its version", self.snapshot.value(self.safe.call(contracts.VERSION))), 40)

    @property
    def owners(self) -> tuple[Address, ...]:
        """Whoever signs."""
        found = demand("its owners", self.snapshot.value(self.safe.call(contracts.GET_OWNERS)))
        return tuple(Address(one) for one in cast(Sequence[str], found))

    @property
    def threshold(self) -> int:
        """How many must sign."""
        return cast(int, demand("its threshold", self.snapshot.value(self.safe.call(contracts.GET_THRESHOLD))))

    @property
    def nonce(self) -> int:
        """The next transaction's."""
        return cast(int, demand("its nonce", self.snapshot.value(self.safe.call(contracts.NONCE))))

    def held(self, name: str) -> Address:
        """The address in one of its slots; zero where there is none."""
        word = cast(bytes, demand(f"its {name}", self.snapshot.value(self.safe.slot(name))))
        return checksummed(word[-20:])

    @property
    def modules(self) -> tuple[Address, ...]:
        """What may act for it without any signature: the first page."""
        found = demand("its modules", self.snapshot.value(self.safe.modules))
        return tuple(Address(one) for one in cast(Sequence[str], found))


def safe_items(seen: SafeSeen, deployment: Deployment) -> list[Item]:
    """Every item of one Safe but its queue."""
    pins = [one for one in deployment.pins if one.chain == seen.safe.chain]
    known = {one.address for one in pins}
    contacted = {one.owner for one in deployment.contacts}
    looks: dict[str, Callable[[str], Item]] = {
        "safe-version": partial(version_item, seen=seen, pins=pins),
        "safe-owners": partial(owners_item, seen=seen),
        "safe-threshold": partial(threshold_item, seen=seen, contacted=contacted),
        "safe-guard": partial(holder_item, seen=seen, slot="guard", known=known),
        "safe-module-guard": partial(module_guard_item, seen=seen, known=known),
        "safe-modules": partial(modules_item, seen=seen, known=known),
        "safe-fallback-handler": partial(handler_item, seen=seen, known=known),
    }
    names = {kind: f"{kind}:{seen.safe.name}" for kind in looks}
    return [judged(names[kind], partial(look, names[kind])) for kind, look in looks.items()]


def version_item(name: str, seen: SafeSeen, pins: Sequence[PinEntry]) -> Item:
    """A version that was measured, and the singleton that was pinned, else a canonical one."""
    version, singleton = seen.version.removesuffix("+L2"), seen.held("singleton")
    release = RELEASES.get(version)
    if release is None:
        return not_ready(name, f"a Safe {version} is not supported", f"Use a Safe {', '.join(RELEASES)}.")
    pinned = next((one for one in pins if one.name == f"{seen.safe.name}.singleton"), None)
    if pinned is not None and pinned.address != singleton:
        words = f"its code is that of {singleton} ({version}), pinned was {pinned.address}"
        return not_ready(name, words, LOOK)
    is_pinned = pinned is not None or singleton in {one.address for one in pins}
    if not is_pinned and singleton not in (*release.singletons, *release.singletons_l2):
        return not_ready(name, f"its singleton {singleton} is no canonical Safe {version}", LOOK)
    return ready(name, f"Safe {version}, its singleton {singleton} is {'pinned' if is_pinned else 'canonical'}")


def owners_item(name: str, seen: SafeSeen) -> Item:
    """Owners that are there and differ."""
    owners = seen.owners
    if not owners or len(set(owners)) != len(owners) or {ZERO, SENTINEL, seen.safe.address} & set(owners):
        return not_ready(name, f"these cannot all be owners: {', '.join(owners) or 'nobody'}", "Look at the Safe.")
    return ready(name, f"{len(owners)} owners: {', '.join(owners)}")


def threshold_item(name: str, seen: SafeSeen, contacted: Collection[Address]) -> Item:
    """More than one must sign, and as many as must can be reached (contacts; all of them where none is declared)."""
    threshold, owners = seen.threshold, seen.owners
    reachable = [one for one in owners if not contacted or one in contacted]
    words = f"{threshold} of {len(owners)} owners must sign"
    if threshold <= 1:
        return not_ready(name, f"{words}: one key alone acts for the Safe", "Have the owners raise the threshold.")
    if threshold > len(reachable):
        can = f"{words}, but only {len(reachable)} can be reached"
        return not_ready(name, can, "Add contacts for owners, or have the owners lower the threshold.")
    return ready(name, words)


def holder_item(name: str, seen: SafeSeen, slot: str, known: Collection[Address]) -> Item:
    """Nobody, or somebody who is pinned."""
    holder = seen.held(slot)
    if holder == ZERO:
        return ready(name, f"no {slot} is set")
    if holder in known:
        return ready(name, f"the {slot} {holder} is pinned")
    return not_ready(name, f"a {slot} is set that is not pinned: {holder}", LOOK)


def module_guard_item(name: str, seen: SafeSeen, known: Collection[Address]) -> Item:
    """The same for the guard of modules, which exists since 1.5.0."""
    version = seen.version.removesuffix("+L2")
    if tuple(int(one) for one in version.split(".")) < FIRST_WITH_MODULE_GUARD:
        return ready(name, f"a Safe {version} has no module guard")
    return holder_item(name, seen, "module-guard", known)


def modules_item(name: str, seen: SafeSeen, known: Collection[Address]) -> Item:
    """No module, or only pinned ones: a module acts without any signature."""
    modules = seen.modules
    strangers = [one for one in modules if one not in known]
    if strangers or len(modules) >= MODULE_PAGE:
        more = " and perhaps more" if len(modules) >= MODULE_PAGE else ""
        words = f"modules act without any signature, and these are not pinned: {', '.join(strangers)}{more}"
        return not_ready(name, words, LOOK)
    return ready(name, f"{len(modules)} modules, all pinned" if modules else "no module is enabled")


def handler_item(name: str, seen: SafeSeen, known: Collection[Address]) -> Item:
    """None, a canonical one, or one that is pinned."""
    handler = seen.held("fallback-handler")
    canonical = {one for release in RELEASES.values() for one in release.fallback_handlers}
    if handler == ZERO:
        return ready(name, "no fallback handler is set")
    if handler in canonical or handler in known:
        return ready(name, f"the fallback handler {handler} is {'pinned' if handler in known else 'canonical'}")
    return not_ready(name, f"the fallback handler {handler} is neither canonical nor pinned", LOOK)
