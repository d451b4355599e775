"""Where a Safe stands: the slot of a deployment that is it, its chain, and a reader over that chain's nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from incident_cli.errors import Misused, Refused
from incident_cli.evm import Address
from incident_cli.flows.connecting import Environment, nodes_of
from incident_cli.flows.reading import Reader
from incident_cli.runbook.deployment import Deployment, ServiceEntry
from incident_cli.safe.transaction import SafeTx
from incident_cli.text import plain

SAFE = "safe"  # the name a Safe has among a slot's addresses


@dataclass(frozen=True, slots=True)
class Place:
    """One Safe of a deployment; `slots` are the names that stand for it."""

    deployment: Deployment
    chain: str
    chain_id: int
    safe: Address
    slots: tuple[str, ...]
    reader: Reader
    service: ServiceEntry | None


def safes_of(deployment: Deployment) -> Iterator[tuple[str, str, Address]]:
    """Every Safe that a deployment names, for all markets or for one: slot, chain, address."""
    markets = [market.slots for market in deployment.markets.values()]
    for slots in (deployment.slots, *markets):
        yield from ((name, one.chain, one.addresses[SAFE]) for name, one in slots.items() if SAFE in one.addresses)


def place_of_transaction(deployment: Deployment, tx: SafeTx, environment: Environment) -> Place:
    """The place of a transaction; raises Refused where the deployment names no such Safe on that chain."""
    ids = {name: chain.id for name, chain in deployment.chains.items()}
    for _, chain, safe in safes_of(deployment):
        if ids[chain] == tx.chain_id and safe == tx.safe:
            return place_of(deployment, chain, safe, environment)
    raise Refused(
        f"the deployment {deployment.name} names no Safe {tx.safe} on a chain with id {tx.chain_id}",
        "sign nothing: it is for another Safe or another chain than yours",
    )


def place_of_slot(deployment: Deployment, slot: str, environment: Environment) -> Place:
    """The place of a Safe by its slot's name, or by its whole address; raises Misused naming what there is."""
    found = {(chain, safe) for name, chain, safe in safes_of(deployment) if slot in (name, safe)}
    if len(found) != 1:
        names = ", ".join(sorted({name for name, _, _ in safes_of(deployment)})) or "none"
        what = "names several Safes" if found else "names no Safe"
        raise Misused(f"{plain(slot, 80)!r} {what} in {deployment.name}", f"Safes of this deployment: {names}")
    ((chain, safe),) = found
    return place_of(deployment, chain, safe, environment)


def place_of(deployment: Deployment, chain: str, safe: Address, environment: Environment) -> Place:
    """The place of a Safe on a chain of the deployment; raises Misused where no node has a URL."""
    reader = Reader(nodes_of(deployment, chain, environment), chain, deployment.chains[chain].id)
    return place_with(deployment, safe, reader)


def place_with(deployment: Deployment, safe: Address, reader: Reader) -> Place:
    """The place of a Safe on the chain of a reader."""
    chain = reader.chain
    names = tuple(dict.fromkeys(name for name, on, one in safes_of(deployment) if (on, one) == (chain, safe)))
    return Place(deployment, chain, reader.chain_id, safe, names, reader, deployment.services.get(chain))
