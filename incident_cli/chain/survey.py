"""A survey: every read of a round, on every chain, each chain at one block; all of it within ten seconds."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from incident_cli.chain.answers import Answer
from incident_cli.chain.benchmark import read_benchmark
from incident_cli.chain.node_round import NodeRound, read_node, whole
from incident_cli.chain.nodes import ROUND_SECONDS, ChainNodes, NoNode
from incident_cli.chain.parallel import gather
from incident_cli.chain.quorum import read_quorum
from incident_cli.errors import IncidentError, Unread
from incident_cli.evm import BenchmarkRead, Block, LogsRead, Missing, PastRead, Read, Snapshot
from incident_cli.text import plain
from incident_cli.transport import Deadline
from incident_cli.units import Span

SLACK_SECONDS = 0.5  # by which a chain's own deadline comes first, with its better reason
NO_BLOCK = Missing("a benchmark belongs to no block: its past cannot be read")


@dataclass(frozen=True, slots=True)
class ChainSurvey:
    """What was read of one chain (or of the benchmarks, which have no block)."""

    block: Block | None
    answers: dict[Read, Answer]
    past_blocks: dict[Span, Block] = field(default_factory=dict)


def survey(
    chains: Mapping[str, ChainNodes],
    main: str,
    reads: Sequence[Read],
    at: Block | None = None,
    seconds: float = ROUND_SECONDS,
    pinned: Mapping[str, Block] = MappingProxyType({}),
) -> Snapshot:
    """The answers to `reads`, each chain at one block: `main` at `at`, the others as `pinned`, else at their latest.

    Raises Unread (or Refused, for a node of another chain) where `main` cannot be read; on another chain that cannot
    be read, the reads are Missing with the reason. Chains without reads are not asked, `main` always is.
    """
    benchmarks = tuple(dict.fromkeys(read for read in reads if isinstance(read, BenchmarkRead)))
    by_chain = split(reads, main)
    spans = spans_elsewhere(reads, main)
    blocks_at = {**pinned, main: at}
    works: dict[str, Callable[[], ChainSurvey]] = {
        name: functools.partial(
            survey_chain, chains[name], some, blocks_at.get(name), spans if name == main else (), seconds
        )
        for name, some in by_chain.items()
        if name in chains
    }
    if benchmarks and at is None:
        works[""] = lambda: ChainSurvey(None, dict(read_benchmarks(benchmarks, seconds)))
    found = gather(works, seconds + SLACK_SECONDS) if len(works) > 1 else {main: works[main]()}
    first = found[main]
    if isinstance(first, IncidentError):
        raise first
    if first.block is None:
        raise Unread(f"no block of {main} could be read")
    others = {name: found.get(name) or Unread(f"the chain {name} has no node") for name in by_chain if name != main}
    blocks = {name: one.block for name, one in others.items() if isinstance(one, ChainSurvey) and one.block is not None}
    answers: dict[Read, Answer] = dict(first.answers)
    past_blocks = {(main, span): block for span, block in first.past_blocks.items()}
    for name, one in others.items():
        answers |= one.answers if isinstance(one, ChainSurvey) else missing(by_chain[name], one)
        if isinstance(one, ChainSurvey):
            past_blocks |= {(name, span): block for span, block in one.past_blocks.items()}
    answers |= dict.fromkeys(benchmarks, NO_BLOCK) if at is not None else benchmark_answers(benchmarks, found.get(""))
    return Snapshot(first.block, answers, blocks, past_blocks)


def split(reads: Sequence[Read], main: str) -> dict[str, tuple[Read, ...]]:
    """The reads of each chain, each read once; `main` always."""
    found: dict[str, dict[Read, None]] = {main: {}}
    for read in reads:
        if not isinstance(read, BenchmarkRead):
            found.setdefault(read.chain or main, {})[read] = None
    return {name: tuple(some) for name, some in found.items()}


def spans_elsewhere(reads: Sequence[Read], main: str) -> tuple[Span, ...]:
    """How long ago other chains are read: the main chain's block of then is needed with theirs (see Snapshot.back)."""
    far = [read for read in reads if read.chain not in ("", main)]
    spans = [
        read.ago if isinstance(read, PastRead) else read.until for read in far if isinstance(read, PastRead | LogsRead)
    ]
    return tuple(dict.fromkeys(span for span in spans if span))


def survey_chain(
    nodes: ChainNodes, reads: Sequence[Read], at: Block | None, spans: Sequence[Span], seconds: float
) -> ChainSurvey:
    """One chain, by as many nodes as must agree; raises Unread where no block can be held."""
    deadline = Deadline(seconds)
    if nodes.quorum > 1:
        agreed = read_quorum(nodes, reads, at, spans, deadline)
        return ChainSurvey(agreed.block, whole(reads, agreed.answers), agreed.past_blocks)
    nodes.begin_round()
    found = read_first(nodes, reads, at, spans, deadline)
    nodes.answered = (nodes.endpoint.name,)
    return ChainSurvey(found.block, whole(reads, found.answers), found.past_blocks)


def read_first(
    nodes: ChainNodes, reads: Sequence[Read], at: Block | None, spans: Sequence[Span], deadline: Deadline
) -> NodeRound:
    """The round of the first node whose answers make one; raises the first one's Unread where none do."""
    problems: list[Unread] = []
    for _ in nodes.members:
        try:
            return read_node(nodes.endpoint.by(deadline), nodes.chain, reads, at, spans)
        except NoNode as problem:
            problems.append(problem)
            break
        except Unread as problem:
            problems.append(problem)
            nodes.endpoint.demote(problem)
    raise problems[0]


def missing(reads: Sequence[Read], problem: IncidentError | None) -> dict[Read, Answer]:
    """The reads of a chain that could not be read."""
    return dict.fromkeys(reads, Missing(plain(problem.message if problem else "it was not read", 500)))


def read_benchmarks(reads: Sequence[BenchmarkRead], seconds: float) -> dict[Read, Answer]:
    """Every benchmark, all at once."""
    found = gather({read: functools.partial(read_benchmark, read) for read in reads}, seconds)
    return {read: Missing(one.message) if isinstance(one, IncidentError) else one for read, one in found.items()}


def benchmark_answers(reads: Sequence[BenchmarkRead], found: ChainSurvey | IncidentError | None) -> dict[Read, Answer]:
    """The answers of the benchmarks, or why there are none."""
    return found.answers if isinstance(found, ChainSurvey) else missing(reads, found)
