"""A chain before anything is asked of it: each node by itself, then a reader over those that may be believed."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from incident_cli.chain.nodes import ROUND_SECONDS, ChainNodes, Node
from incident_cli.chain.parallel import gather
from incident_cli.errors import IncidentError, Misused, Refused
from incident_cli.evm import Block
from incident_cli.flows.connecting import Environment, url_of
from incident_cli.flows.judging import not_now
from incident_cli.flows.preflight.item import Item, not_ready, ready, unknown, waiting
from incident_cli.flows.reading import Reader
from incident_cli.flows.session import MOST_AGE_SECONDS
from incident_cli.runbook.deployment import Chain, Deployment
from incident_cli.transport import Endpoint, HttpEndpoint, Request

HEIGHT = Request("eth_blockNumber")


@dataclass(frozen=True, slots=True)
class Probed:
    """The nodes of a chain, asked one by one: those that serve it, those of another chain, and those that are dead."""

    alive: Mapping[str, Endpoint]
    strangers: tuple[str, ...]
    dead: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Site:
    """A chain as far as it can be read; where it cannot, `causes` are the items that say why."""

    chain: str
    nodes: ChainNodes | None
    causes: tuple[str, ...]
    items: tuple[Item, ...]

    def reader(self, sites: Mapping[str, Site]) -> Reader | None:
        """A reader whose own chain this is; the others beside it."""
        if self.nodes is None:
            return None
        others = {name: one.nodes for name, one in sites.items() if name != self.chain and one.nodes is not None}
        return Reader(self.nodes, self.chain, self.nodes.chain_id, others=others)


def site_of(deployment: Deployment, chain: str, environment: Environment) -> Site:
    """Ask every node which chain it serves; only those of the right one are read from."""
    declared = deployment.chains[chain]
    probed = probe(deployment, chain, environment)
    identity, health = identity_item(chain, declared, probed), health_item(chain, declared, probed)
    causes = tuple(one.id for one in (identity, health) if one.status == "not-ready")
    usable = len(probed.alive) >= declared.quorum
    nodes = ChainNodes([*probed.alive.values()], chain, declared.id, declared.quorum) if usable else None
    return Site(chain, nodes, () if usable else causes, (identity, health))


def probe(deployment: Deployment, chain: str, environment: Environment) -> Probed:
    """Every declared node, all at once, within the time of one round."""
    declared = deployment.chains[chain]
    endpoints: dict[str, Endpoint] = {}
    dead: list[str] = []
    for number, source in enumerate(declared.rpc, 1):
        name, url = f"{chain} node {number}", url_of(source, environment)
        try:
            if url is None:
                raise Misused(f"{name} has no URL: {source.env} is not set")
            endpoints[name] = HttpEndpoint(url, name=name)
        except Misused as problem:
            dead.append(problem.message)
    nodes = {name: Node(one, chain, declared.id) for name, one in endpoints.items()}
    found = gather({name: functools.partial(one.exchange, [HEIGHT]) for name, one in nodes.items()}, ROUND_SECONDS)
    strangers = tuple(one.message for one in found.values() if isinstance(one, Refused))
    dead += [
        reason(name, one)
        for name, one in found.items()
        if isinstance(one, IncidentError) and not isinstance(one, Refused)
    ]
    alive = {name: endpoints[name] for name, one in found.items() if not isinstance(one, IncidentError)}
    return Probed(alive, strangers, tuple(dead))


def reason(name: str, problem: IncidentError) -> str:
    """Why a node failed, with its name."""
    return problem.message if name in problem.message else f"{name} {problem.message}"


def identity_item(chain: str, declared: Chain, probed: Probed) -> Item:
    """Whether every node that answers serves the chain that is declared."""
    name = f"chain-id:{chain}"
    if probed.strangers:
        return not_ready(name, "; ".join(probed.strangers), "Correct the node's URL or the chain's id.")
    if not probed.alive:
        return unknown(name, f"no node of {chain} says which chain it serves", f"Mend nodes:{chain} first.")
    return ready(name, f"{len(probed.alive)} nodes serve the chain with id {declared.id}")


def health_item(chain: str, declared: Chain, probed: Probed) -> Item:
    """Whether every node answers, and still as many as must agree."""
    name, usable = f"nodes:{chain}", len(probed.alive)
    stands = f"{usable} of {len(declared.rpc)} nodes of {chain} answer, {declared.quorum} must agree"
    if probed.dead:
        lost = ", the QUORUM IS LOST" if usable < declared.quorum else ""
        fix = "Repair or replace these nodes in the deployment, or set their variables."
        return not_ready(name, f"{stands}{lost}: {'; '.join(probed.dead)}", fix)
    if usable < declared.quorum:
        return waiting(name, [f"chain-id:{chain}"])
    return ready(name, stands)


def head_item(reader: Reader, block: Block, now: int) -> Item:
    """Whether the newest block is of now."""
    name, age = f"head:{reader.chain}", now - block.timestamp
    problem = not_now(block, age, MOST_AGE_SECONDS, reader.chain_id)
    if problem:
        return not_ready(name, problem, "The chain stands still or the nodes do not follow it: name other nodes.")
    when = f"{age} s old" if age >= 0 else f"{-age} s ahead of this machine's clock"
    return ready(name, f"block {block.number} of {reader.chain} is {when}")
