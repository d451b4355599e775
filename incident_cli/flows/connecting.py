"""From a deployment to its nodes: where their URLs come from, how many must agree, and a reader over them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from incident_cli.chain.nodes import ChainNodes
from incident_cli.errors import Misused, Unread
from incident_cli.evm import Address, Missing
from incident_cli.flows.reading import Reader
from incident_cli.protocols.slot import BoundSlot
from incident_cli.runbook.bind import Bound
from incident_cli.runbook.deployment import Deployment, RpcSource, ServiceEntry
from incident_cli.transport import Endpoint, HttpEndpoint

if TYPE_CHECKING:
    from incident_cli.safe.service import TransactionService

Environment = Callable[[str], str | None]
Services = Callable[[str], "TransactionService | None"]  # by the name of a chain


def reader_of(bound: Bound, environment: Environment, *more: Bound) -> Reader:
    """Every chain that these bound runbooks read, through the nodes of their one deployment; the first one's is main.

    A node's chain id is verified before anything else it says is believed.
    """
    chains = {slot.chain for one in (bound, *more) for slot in one.slots.values()}
    nodes = {name: nodes_of(bound.deployment, name, environment) for name in sorted({bound.chain, *chains})}
    main = nodes.pop(bound.chain)
    return Reader(main, bound.chain, main.chain_id, others=nodes)


def resolved(bound: Bound, reader: Reader, known: Mapping[str, str] = MappingProxyType({})) -> Bound:
    """The bound runbook with every derived slot's address: as it is `known` (`slot.name`), given by the deployment, or
    read now. Raises Unread where one cannot be read."""
    wanted = {
        f"{slot.name}.{name}": read
        for slot in bound.slots.values()
        for name, read in slot.derived().items()
        if name not in slot.addresses
    }
    asked = {name: read for name, read in wanted.items() if name not in known}
    snapshot = reader.read(list(asked.values())) if asked else None
    found = {name: Address(one) for name, one in known.items() if name in wanted}
    for name, read in asked.items():
        answer = snapshot.value(read) if snapshot is not None else Missing("it was not read")
        if isinstance(answer, Missing):
            raise Unread(f"the address of {name} could not be read: {answer.reason}", "correct the deployment")
        found[name] = Address(str(answer))
    slots = {name: placed(slot, found) for name, slot in bound.slots.items()}
    return replace(bound, slots=slots)


def placed(slot: BoundSlot, found: Mapping[str, Address]) -> BoundSlot:
    """A slot with the derived addresses that are its own."""
    own = {name: found[f"{slot.name}.{name}"] for name in slot.derived() if f"{slot.name}.{name}" in found}
    return replace(slot, addresses={**slot.addresses, **own}) if own else slot


def derived_addresses(bound: Bound) -> dict[str, str]:
    """The address of every derived slot, by `slot.name`, as the journal keeps them."""
    return {f"{slot.name}.{name}": slot.addresses[name] for slot in bound.slots.values() for name in slot.derived()}


def nodes_of(deployment: Deployment, chain: str, environment: Environment) -> ChainNodes:
    """The nodes of a chain; raises Misused where fewer URLs are known than must agree."""
    declared = deployment.chains[chain]
    found = endpoints_of(deployment, chain, environment)
    if len(found) < declared.quorum:
        raise Misused(
            f"{declared.quorum} nodes of {chain} must agree, but only {len(found)} has a URL",
            f"export {', '.join(unset(deployment, chain, environment))}",
        )
    return ChainNodes(found, chain, declared.id, declared.quorum)


def endpoints_of(deployment: Deployment, chain: str, environment: Environment) -> list[Endpoint]:
    """A connection to each node whose URL is known; raises Misused where there is none."""
    urls = [(number, url_of(one, environment)) for number, one in enumerate(deployment.chains[chain].rpc, 1)]
    found: list[Endpoint] = [HttpEndpoint(url, name=f"{chain} node {number}") for number, url in urls if url]
    if not found:
        names = unset(deployment, chain, environment)
        raise Misused(f"no node of {chain} has a URL: {', '.join(names)} is not set", f"export {names[0]}=https://…")
    return found


def services_of(deployment: Deployment, environment: Environment, sleep: Callable[[float], None]) -> Services:
    """Chain → its transaction service, connected once; None where the deployment names none.

    Raises Misused, when it is asked for, where the variable of its key is not set.
    """
    made: dict[str, TransactionService] = {}

    def service(chain: str) -> TransactionService | None:
        entry = deployment.services.get(chain)
        if entry is not None and chain not in made:
            made[chain] = connected(entry, chain, deployment.chains[chain].id, environment, sleep)
        return made.get(chain)

    return service


def connected(
    entry: ServiceEntry,
    chain: str,
    chain_id: int,
    environment: Environment,
    sleep: Callable[[float], None] | None = None,
) -> TransactionService:
    """The client of a service; raises Misused where the variable that holds its key is not set.

    Without `sleep` it waits for nothing where the service throttles.
    """
    from incident_cli.safe.service import TransactionService

    key = None if entry.credential is None else environment(entry.credential.env)
    if entry.credential is not None and key is None:
        name = entry.credential.env
        raise Misused(f"the transaction service of {chain} needs a key, and {name} is not set", f"export {name}=…")
    return TransactionService(entry.url, chain=chain, chain_id=chain_id, key=key, sleep=sleep)


def unset(deployment: Deployment, chain: str, environment: Environment) -> list[str]:
    """The variables of the environment that a chain's nodes name and that are not set."""
    sources = deployment.chains[chain].rpc
    return [str(one.env) for one in sources if url_of(one, environment) is None]


def url_of(source: RpcSource, environment: Environment) -> str | None:
    """A node's URL, from the file or the environment."""
    return source.url if source.env is None else environment(source.env)
