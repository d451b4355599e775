"""A deployment with the addresses that its protocols read from other contracts, as the chain names them now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from incident_cli.evm import Address, CallRead, Missing
from incident_cli.flows.multisig.place import Place
from incident_cli.protocols.catalog import Catalog
from incident_cli.runbook.deployment import Deployment, SlotEntry


def with_derived(place: Place, catalog: Catalog | None) -> Deployment:
    """The deployment of a place, each slot on its chain with its derived addresses; what cannot be read stays out, and
    so do the levers there. Raises Unread where no node answers."""
    deployment = place.deployment
    entries = [*deployment.slots.values(), *(one for two in deployment.markets.values() for one in two.slots.values())]
    reads = dict.fromkeys(read for one in entries for read in derived_reads(one, place.chain, catalog).values())
    if not reads:
        return deployment
    snapshot = place.reader.read(list(reads))
    found = {one: snapshot.value(one) for one in reads}

    def whole(entry: SlotEntry) -> SlotEntry:
        asked = derived_reads(entry, place.chain, catalog)
        own = {name: Address(str(found[read])) for name, read in asked.items() if not isinstance(found[read], Missing)}
        return replace(entry, addresses={**entry.addresses, **own}) if own else entry

    slots = {name: whole(one) for name, one in deployment.slots.items()}
    markets = {
        name: replace(one, slots={slot: whole(entry) for slot, entry in one.slots.items()})
        for name, one in deployment.markets.items()
    }
    return replace(deployment, slots=slots, markets=markets)


def derived_reads(entry: SlotEntry, chain: str, catalog: Catalog | None) -> Mapping[str, CallRead]:
    """The reads that say where the missing addresses of a slot are, by the names of the protocol's own slots."""
    protocol = catalog.find(entry.protocol) if catalog and entry.protocol and entry.chain == chain else None
    if protocol is None:
        return {}
    return {
        name: CallRead(entry.addresses[one.read.on], one.read.call)
        for name, one in protocol.slots.items()
        if one.read is not None and name not in entry.addresses and one.read.on in entry.addresses
    }
