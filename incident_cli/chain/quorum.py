"""A round over several nodes: believed is what as many of them as the quorum say, of the same block.

Two trips, each to all nodes at once: how far each has come; then everything, at the highest block that a quorum of
them has. A node that lags, lies, serves another chain or does not answer is named, and changes no verdict. The others
are not waited for only once a quorum agrees on all there is: who answers first may be the one that lies.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from incident_cli.chain.answers import LATEST_BLOCK, Answer, parse_header
from incident_cli.chain.node_round import NodeRound, read_node
from incident_cli.chain.nodes import ChainNodes, Node, timely
from incident_cli.chain.parallel import gather
from incident_cli.errors import IncidentError, Refused, Unread
from incident_cli.evm import Block, LogsRead, Missing, PastRead, Read
from incident_cli.text import plain
from incident_cli.transport import Deadline, Json, Request, RpcError
from incident_cli.units import Span

HEAD_SHARE = 3  # of the time, for the first trip
TARGETS = 3
NEAR_BLOCKS = 2  # by which heads that agree differ; beyond it the slower nodes are heard before a height is chosen
Said = TypeVar("Said")
Rounds = Mapping[Node, NodeRound]


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a quorum of the nodes agrees on."""

    block: Block
    answers: dict[Read, Answer]
    past_blocks: dict[Span, Block] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Timed:
    """A node for the length of one round."""

    node: Node
    deadline: Deadline

    @property
    def name(self) -> str:
        """How messages call it."""
        return self.node.name

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        """The node's answers; raises Unread, also where the time is up."""
        return timely(self.node, requests, self.deadline.left)


def read_quorum(
    nodes: ChainNodes, reads: Sequence[Read], at: Block | None, spans: Sequence[Span], deadline: Deadline
) -> Agreed:
    """The answers that a quorum gives at one block; where there is none every read is Missing.

    Raises Unread where no node shows a block, Refused where all that answer serve another chain.
    """
    nodes.begin_round()
    if at is not None:
        rounds = ask(nodes, nodes.members, reads, at, spans, deadline)
        return count(nodes, rounds, reads) or short(nodes, at, rounds, reads)
    heads, candidates = ask_heads(nodes, Deadline(deadline.left / HEAD_SHARE))
    best, rounds = max(heads.values(), key=lambda one: one.number), dict[Node, NodeRound]()
    if len(heads) < nodes.quorum:
        return short(nodes, best, heads, reads)
    numbers = sorted((one.number for one in heads.values()), reverse=True)
    best = next(one for one in heads.values() if one.number == numbers[nodes.quorum - 1])
    for number in list(dict.fromkeys(numbers[nodes.quorum - 1 :]))[:TARGETS]:
        rounds = ask(nodes, candidates, reads, number, spans, deadline)
        agreed = count(nodes, rounds, reads)
        if agreed is not None:
            return agreed
    return short(nodes, next((one.block for one in rounds.values()), best), rounds, reads)


def ask_heads(nodes: ChainNodes, deadline: Deadline) -> tuple[dict[Node, Block], list[Node]]:
    """How far each node has come, without those that do not say; and those that may be asked on, which they may be.

    Raises Unread or Refused where none says.
    """

    def head(node: Node) -> Block:
        return parse_header(nodes.chain, Timed(node, deadline).exchange([LATEST_BLOCK])[0]).block

    def enough(some: Mapping[Node, Block]) -> bool:
        numbers = sorted((one.number for one in some.values()), reverse=True)
        return len(numbers) >= nodes.quorum and numbers[0] - numbers[nodes.quorum - 1] <= NEAR_BLOCKS

    works = {node: functools.partial(head, node) for node in nodes.members}
    found: dict[Node, Block | IncidentError] = gather(works, deadline.left, enough, nodes.tardy)
    heads = told(nodes, found)
    if heads:
        return heads, [node for node, one in found.items() if not isinstance(one, Refused)]
    reasons = "; ".join(one.failure for one in nodes.members)
    strangers = [one for one in found.values() if isinstance(one, Refused)]
    if len(strangers) == len(nodes.members):
        raise Refused(reasons, strangers[0].hint)
    raise Unread(f"no node of {nodes.chain} could be read: {reasons}", "Try again, or name another node.")


def ask(
    nodes: ChainNodes,
    members: Sequence[Node],
    reads: Sequence[Read],
    at: Block | int,
    spans: Sequence[Span],
    deadline: Deadline,
) -> dict[Node, NodeRound]:
    """The round of each node that could read at that block."""

    def enough(some: Rounds) -> bool:
        return is_decided(nodes, some, reads, len(members) - len(some))

    works = {
        node: functools.partial(read_node, Timed(node, deadline), nodes.chain, reads, at, spans) for node in members
    }
    found: dict[Node, NodeRound | IncidentError] = gather(works, deadline.left, enough, nodes.tardy)
    return told(nodes, found)


def is_decided(nodes: ChainNodes, some: Rounds, reads: Sequence[Read], left: int) -> bool:
    """Whether a quorum agrees on the block and on everything that as many more nodes could still make it agree on."""
    group = largest(some)
    if len(group) < nodes.quorum:
        return False
    past_blocks = past_blocks_of(nodes, group)
    open_: list[Mapping[Node, object]] = [
        {node: one.past_blocks.get(span) for node, one in group.items()}
        for span in spans_in(group)
        if span not in past_blocks
    ]
    for read in dict.fromkeys(reads):
        said = said_of(group, read, past_blocks)
        if winner_of(nodes, group, read, said) is None:
            open_.append(said)
    return all(most_voices(said) + left < nodes.quorum for said in open_)


def told(nodes: ChainNodes, found: Mapping[Node, Said | IncidentError]) -> dict[Node, Said]:
    """What the nodes said; those that failed remember why."""
    for node, one in found.items():
        if isinstance(one, IncidentError):
            node.failure = one.message if one.message.startswith(node.name) else f"{node.name}: {one.message}"
            nodes.tardy[node] = node.failure
        elif node in nodes.tardy:
            nodes.tardy[node] = ""
    return {node: one for node, one in found.items() if not isinstance(one, IncidentError)}


def largest(rounds: Rounds) -> dict[Node, NodeRound]:
    """The nodes that read at the same block; none where two groups are equally large."""
    groups: dict[Block, dict[Node, NodeRound]] = {}
    for node, one in rounds.items():
        groups.setdefault(one.block, {})[node] = one
    ordered = sorted(groups.values(), key=len, reverse=True)
    tied = len(ordered) > 1 and len(ordered[0]) == len(ordered[1])
    return ordered[0] if ordered and not tied else {}


def count(nodes: ChainNodes, rounds: Rounds, reads: Sequence[Read]) -> Agreed | None:
    """What the largest group agrees on, or None where it is no quorum."""
    group = largest(rounds)
    if len(group) < nodes.quorum:
        return None
    block = next(iter(group.values())).block
    nodes.answered = tuple(one.name for one in group)
    for node, one in rounds.items():
        if node not in group:
            blame(nodes, node, f"has the hash {one.block.hash} for block {one.block.number}, others {block.hash}")
    past_blocks = past_blocks_of(nodes, group)
    answers = {read: answer_of(nodes, group, read, past_blocks) for read in dict.fromkeys(reads)}
    return Agreed(block, answers, past_blocks)


def spans_in(group: Rounds) -> list[Span]:
    """Every span of which some node found the block."""
    return list(dict.fromkeys(span for one in group.values() for span in one.past_blocks))


def past_blocks_of(nodes: ChainNodes, group: Rounds) -> dict[Span, Block]:
    """The block of each span that a quorum of the group agrees on."""
    elected = {
        span: elect(nodes, {node: one.past_blocks.get(span) for node, one in group.items()}) for span in spans_in(group)
    }
    return {span: block for span, block in elected.items() if block is not None}


def said_of(group: Rounds, read: Read, past_blocks: Mapping[Span, Block]) -> dict[Node, Answer]:
    """What each node of the group answers to one read."""
    said = {node: one.answers.get(read, Missing("it was not read")) for node, one in group.items()}
    if isinstance(read, PastRead) and read.ago in past_blocks:  # an answer at another block is no answer to this
        elsewhere = Missing(f"reads another block for {read.ago} ago")
        return {
            node: one if group[node].past_blocks.get(read.ago) == past_blocks[read.ago] else elsewhere
            for node, one in said.items()
        }
    return said


def winner_of(nodes: ChainNodes, group: Rounds, read: Read, said: Mapping[Node, Answer]) -> Answer | None:
    """The answer to one read that a quorum of the group gives; None where none does."""
    winner = elect(nodes, said)
    if winner is None and isinstance(read, LogsRead):
        return elect(nodes, {node: group[node].untimed.get(read, one) for node, one in said.items()})
    return winner


def answer_of(nodes: ChainNodes, group: Rounds, read: Read, past_blocks: Mapping[Span, Block]) -> Answer:
    """The answer to one read that a quorum of the group gives; Missing, naming who says what, where none does."""
    said = said_of(group, read, past_blocks)
    winner = winner_of(nodes, group, read, said)
    if winner is not None:
        for node, one in said.items():
            if one != winner and not (isinstance(read, LogsRead) and same_events(one, winner)):
                blame(nodes, node, f"says {shown(one)}, others {shown(winner)}")
        return winner
    values = [node for node, one in said.items() if not isinstance(one, Missing)]
    reasons = "; ".join(f"{node.name} says {shown(one)}" for node, one in said.items())
    if len(values) > 1:
        return Missing(plain(f"nodes disagree: {reasons}", 600))
    return Missing(plain(f"only {len(values)} of {nodes.quorum} nodes answered: {reasons}", 600))


def elect(nodes: ChainNodes, said: Mapping[Node, Said]) -> Said | None:
    """What a quorum of the nodes says; None where none does, or two do."""
    winners = [one for one, number in voices_of(said) if number >= nodes.quorum]
    return winners[0] if len(winners) == 1 else None


def voices_of(said: Mapping[Node, Said]) -> list[tuple[Said, int]]:
    """Everything that is said, and how many nodes say it."""
    voices: list[tuple[Said, int]] = []
    for one in said.values():
        place = next((place for place, (other, _) in enumerate(voices) if other == one), None)
        if place is None:
            voices.append((one, 1))
        else:
            voices[place] = (one, voices[place][1] + 1)
    return voices


def most_voices(said: Mapping[Node, object]) -> int:
    """How many nodes say the value that most say; 0 where none says a value."""
    return max((count for one, count in voices_of(said) if one is not None and not isinstance(one, Missing)), default=0)


def same_events(one: Answer, other: Answer) -> bool:
    """Whether two answers hold the same logs but for their times."""
    if isinstance(one, Missing) or isinstance(other, Missing):
        return False
    return [(getattr(x, "block", x), getattr(x, "values", x)) for x in one] == [
        (getattr(x, "block", x), getattr(x, "values", x)) for x in other
    ]


def short(nodes: ChainNodes, block: Block, some: Mapping[Node, object], reads: Sequence[Read]) -> Agreed:
    """Every read Missing: there are too few nodes, or they do not agree on the block."""
    if len(some) >= nodes.quorum:
        hashes = {node: one.block.hash for node, one in some.items() if isinstance(one, NodeRound)}
        reason = "nodes disagree about the block: " + "; ".join(f"{n.name} has {one}" for n, one in hashes.items())
    else:
        failures = "; ".join(one.failure for one in nodes.members if one.failure)
        reason = f"only {len(some)} of {nodes.quorum} nodes answered: {failures}"
    nodes.answered = tuple(one.name for one in some)
    return Agreed(block, dict.fromkeys(reads, Missing(plain(reason, 600))))


def blame(nodes: ChainNodes, node: Node, what: str) -> None:
    """Remember the first thing that a node said against the others."""
    nodes.disagreements.setdefault(node.name, plain(f"{node.name} {what}", 400))


def shown(answer: Answer) -> str:
    """An answer in a few words."""
    if isinstance(answer, Missing):
        return answer.reason[:120]
    return plain(", ".join(map(repr, answer[:3])), 120)
