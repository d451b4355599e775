"""From a deployment to its nodes: where their URLs come from, how many must agree, and a reader over them all."""

from __future__ import annotations

from collections.abc import Callable

from incident_cli.chain.nodes import ChainNodes
from incident_cli.errors import Misused
from incident_cli.flows.reading import Reader
from incident_cli.runbook.bind import Bound
from incident_cli.runbook.deployment import Deployment, RpcSource
from incident_cli.transport import Endpoint, HttpEndpoint

Environment = Callable[[str], str | None]


def reader_of(bound: Bound, environment: Environment, *more: Bound) -> Reader:
    """Every chain that these bound runbooks read, through the nodes of their one deployment; the first one's is main.

    A node's chain id is verified before anything else it says is believed.
    """
    chains = {slot.chain for one in (bound, *more) for slot in one.slots.values()}
    nodes = {name: nodes_of(bound.deployment, name, environment) for name in sorted({bound.chain, *chains})}
    main = nodes.pop(bound.chain)
    return Reader(main, bound.chain, main.chain_id, others=nodes)


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


def unset(deployment: Deployment, chain: str, environment: Environment) -> list[str]:
    """The variables of the environment that a chain's nodes name and that are not set."""
    sources = deployment.chains[chain].rpc
    return [str(one.env) for one in sources if url_of(one, environment) is None]


def url_of(source: RpcSource, environment: Environment) -> str | None:
    """A node's URL, from the file or the environment."""
    return source.url if source.env is None else environment(source.env)
