"""Blocks by number or hash, as a chain's nodes have them: what a quorum says, or the first node that works."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from incident_cli.chain.answers import parse_header, parts
from incident_cli.chain.asks import REQUESTS_PER_EXCHANGE
from incident_cli.chain.nodes import ROUND_SECONDS, ChainNodes, Node, NoNode
from incident_cli.chain.parallel import gather
from incident_cli.chain.quorum import Timed, blame, elect, most_voices, told
from incident_cli.errors import IncidentError, Unread
from incident_cli.evm import Block
from incident_cli.text import plain
from incident_cli.transport import Deadline, Endpoint, Request

Wanted = int | str  # a number, or a hash
Blocks = Mapping[Wanted, Block]


def block_of(nodes: ChainNodes, wanted: Wanted, seconds: float = ROUND_SECONDS) -> Block:
    """The block of a number or of a hash (lower case); raises Unread where no quorum has the same one.

    With a quorum of one it is the first node's that has it.
    """
    nodes.begin_round()
    deadline = Deadline(seconds)
    if nodes.quorum == 1:
        return first_of(nodes, wanted, deadline)
    said = ask_members(nodes, [wanted], deadline)
    found = elect(nodes, {node: one.get(wanted) for node, one in said.items()})
    if found is None:
        raise Unread(no_quorum(nodes, wanted, said), "Try again, or name other nodes for this chain in the deployment.")
    for node, one in said.items():
        if one.get(wanted) != found:
            blame(nodes, node, described(one.get(wanted), found))
    return found


def hashes_at(nodes: ChainNodes, numbers: Sequence[int], seconds: float = ROUND_SECONDS) -> dict[int, str]:
    """The hash that the chain has at each number, in one exchange; those that are not known for certain are left out.

    Nothing is raised: of a chain that cannot be read, nothing is known.
    """
    wanted, deadline = list(dict.fromkeys(numbers)), Deadline(seconds)
    if not wanted:
        return {}
    try:
        if nodes.quorum == 1:
            found = ask(nodes.endpoint.by(deadline), nodes.chain, wanted)
            return {number: found[number].hash for number in wanted if number in found}
        said = ask_members(nodes, wanted, deadline)
    except IncidentError:
        return {}
    elected = {number: elect(nodes, {node: one.get(number) for node, one in said.items()}) for number in wanted}
    return {number: one.hash for number, one in elected.items() if one is not None}


def ask(endpoint: Endpoint, chain: str, wanted: Sequence[Wanted]) -> Blocks:
    """The blocks that a node has of these; raises Unread where it answers with another than was asked for."""
    found: dict[Wanted, Block] = {}
    for some in parts(wanted, REQUESTS_PER_EXCHANGE - 1):
        for one, answer in zip(some, endpoint.exchange([request(one) for one in some]), strict=True):
            if not isinstance(answer, dict):
                continue
            block = parse_header(chain, answer).block
            if one not in (block.number, block.hash):
                raise Unread(f"{endpoint.name} answered with another block than {one}", "Name another node.")
            found[one] = block
    return found


def request(wanted: Wanted) -> Request:
    """The request for one block."""
    if isinstance(wanted, int):
        return Request("eth_getBlockByNumber", (hex(wanted), False))
    return Request("eth_getBlockByHash", (wanted, False))


def ask_members(nodes: ChainNodes, wanted: Sequence[Wanted], deadline: Deadline) -> dict[Node, Blocks]:
    """What each node has of these blocks, without the nodes that fail."""

    def enough(some: Mapping[Node, Blocks]) -> bool:
        voices = [{node: one.get(number) for node, one in some.items()} for number in wanted]
        left = len(nodes.members) - len(some)
        return all(elect(nodes, said) or most_voices(said) + left < nodes.quorum for said in voices)

    works = {node: functools.partial(ask, Timed(node, deadline), nodes.chain, wanted) for node in nodes.members}
    found: dict[Node, Blocks | IncidentError] = gather(works, deadline.left, enough, nodes.tardy)
    return told(nodes, found)


def first_of(nodes: ChainNodes, wanted: Wanted, deadline: Deadline) -> Block:
    """The block of the first node that has it; raises the first one's Unread where none does."""
    problems: list[Unread] = []
    for _ in nodes.members:
        endpoint = nodes.endpoint.by(deadline)
        try:
            found = ask(endpoint, nodes.chain, [wanted])
            if wanted in found:
                return found[wanted]
            raise Unread(f"{endpoint.name} does not have block {wanted}", "Name a node that has it.")
        except NoNode as problem:
            problems.append(problem)
            break
        except Unread as problem:
            problems.append(problem)
            nodes.endpoint.demote(problem)
    raise problems[0]


def no_quorum(nodes: ChainNodes, wanted: Wanted, said: Mapping[Node, Blocks]) -> str:
    """Why there is no such block, naming who says what."""
    voices = {node: one.get(wanted) for node, one in said.items()}
    words = [f"{node.name} has {one.hash if one else 'none'}" for node, one in voices.items()]
    words += [node.failure for node in nodes.members if node not in said and node.failure]
    return plain(f"no {nodes.quorum} nodes of {nodes.chain} agree on block {wanted}: {'; '.join(words)}", 600)


def described(one: Block | None, found: Block) -> str:
    """What a node says against the block that the others have."""
    if one is None:
        return f"does not have block {found.number}, others do"
    if one.hash != found.hash:
        return f"has the hash {one.hash} for block {found.number}, others {found.hash}"
    return f"has block {found.number} at another time than others, {one.timestamp} and not {found.timestamp}"
