"""`incident check`: judge a runbook's checks once, for one market or all, without opening an incident."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from incident_cli.binding import did_you_mean
from incident_cli.chain.nodes import ChainNodes
from incident_cli.checks.check import Finding, Verdict, worst
from incident_cli.errors import Misused, Refused, Unread
from incident_cli.evm import BYTES32, Block, Snapshot
from incident_cli.flows.clock import Clock
from incident_cli.flows.connecting import Environment, reader_of, resolved
from incident_cli.flows.judging import Bench, Judged, Wired, wired
from incident_cli.flows.reading import Reader
from incident_cli.runbook.bind import Bound, bind
from incident_cli.runbook.deployment import Deployment, load_deployment
from incident_cli.runbook.load import LoadedRunbook, load_runbook
from incident_cli.runbook.model import Runbook
from incident_cli.text import plain

SCHEMA = "incident.check/v1"


@dataclass(frozen=True, slots=True)
class CheckOrder:
    """What is judged. `markets` None: every market, empty: the deployment's only one; `only` empty: every check."""

    runbook: Path
    deployment: Path
    markets: Sequence[str] | None
    only: Sequence[str]
    params: Mapping[str, str]
    block: str | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """One market's runbook, bound."""

    bound: Bound
    checks: Mapping[str, Wired]


@dataclass(frozen=True, slots=True)
class Post:
    """A check at a market, and what it came to."""

    market: str
    check: str
    wired: Wired
    finding: Finding


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Everything that was judged, where, and through whom."""

    runbook: str
    deployment: str
    posts: tuple[Post, ...]
    snapshot: Snapshot
    now: int
    reader: Reader

    def age(self, block: Block) -> int:
        """How old a block is by the wall clock, in seconds."""
        return self.now - block.timestamp

    @property
    def verdict(self) -> Verdict:
        """Of all checks together: firing wins over unknown, unknown over pending and quiet."""
        return worst([one.finding.verdict for one in self.posts])

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Every block that something was judged at, of each chain; none where nothing was read."""
        found = (self.snapshot.block, *self.snapshot.others.values(), *(one.finding.block for one in self.posts))
        return tuple(dict.fromkeys(one for one in found if one.hash))


def check(order: CheckOrder, environment: Environment, clock: Clock) -> CheckReport:
    """Judge; raises WrongFile or Misused. A chain that cannot be read, or is another one, makes every check unknown."""
    loaded = load_runbook(order.runbook)
    deployment, document = load_deployment(order.deployment)
    markets = markets_of(order, deployment)
    every = [bind(loaded, deployment, document, market, order.params) for market in markets]
    reader = reader_of(every[0], environment, *every[1:])
    every = [resolved(bound, reader) for bound in every]
    grounds = [Ground(bound, chosen(loaded.runbook, wired(bound), order.only)) for bound in every]
    judged = judge(order, reader, named(grounds), int(clock.now().timestamp()))
    return report(loaded, deployment, grounds, judged, reader, int(clock.now().timestamp()))


def judge(order: CheckOrder, reader: Reader, checks: Mapping[str, Wired], now: int) -> Judged:
    """The findings of one round; where there is no block at all, every one is unknown with the reason."""
    try:
        with reader.judgement():
            at = None if order.block is None else pinned(reader, order.block)
            bench = Bench(reader, checks, lambda block: None if block is None or at else now - block.timestamp)
            return bench.judge(list(checks), (), at)
    except (Unread, Refused) as problem:
        nowhere = Block(reader.chain, 0, "", 0)
        findings = tuple(nothing_read(name, one, nowhere, problem.message) for name, one in checks.items())
        return Judged(findings, Snapshot(nowhere))


def nothing_read(name: str, one: Wired, nowhere: Block, problem: str) -> Finding:
    """The finding of a check where nothing could be read."""
    reading = replace(one.check.judge(one.wiring, Snapshot(nowhere)), holds=None, value=None, reason=problem)
    return Finding(name, one.kind, Verdict.UNKNOWN, reading, nowhere)


def markets_of(order: CheckOrder, deployment: Deployment) -> Sequence[str]:
    """The markets asked for; raises Misused where there is none."""
    markets = list(deployment.markets) if order.markets is None else list(dict.fromkeys(order.markets))
    if not markets and len(deployment.markets) == 1:
        return list(deployment.markets)
    if not markets:
        known = ", ".join(deployment.markets) or "none; add one under `markets:`"
        raise Misused("no market was chosen", f"--all-markets, or --market with one of {deployment.name}: {known}")
    return markets


def chosen(runbook: Runbook, checks: Mapping[str, Wired], only: Sequence[str]) -> dict[str, Wired]:
    """The checks asked for; raises Misused where one does not exist, or the runbook has none."""
    for name in only:
        if name not in checks:
            raise Misused(
                f"{plain(name, 60)!r} is no check of {runbook.id}{did_you_mean(name, checks)}",
                f"checks: {', '.join(checks) or 'none'}",
            )
    if not checks:
        raise Misused(f"{runbook.id} has no checks", "add one under `checks:`")
    return {name: one for name, one in checks.items() if not only or name in only}


def named(grounds: Sequence[Ground]) -> dict[str, Wired]:
    """The checks of all markets, by `market/check`."""
    return {f"{ground.bound.market.name}/{name}": one for ground in grounds for name, one in ground.checks.items()}


def pinned(reader: Reader, said: str) -> Block:
    """The block of that number or hash, as a quorum has it; raises Misused or Unread."""
    if not (said.isascii() and said.isdigit() and len(said) <= 18) and not BYTES32.fullmatch(said):
        raise Misused(f"{plain(said, 80)!r} is no block", "give a number, or the block's whole hash")
    return reader.block(int(said) if said.isdigit() else said.lower())


def report(
    loaded: LoadedRunbook,
    deployment: Deployment,
    grounds: Sequence[Ground],
    judged: Judged,
    reader: Reader,
    now: int,
) -> CheckReport:
    """The posts in order; a check whose past is not known is unknown here, for nobody will judge it again."""
    found = {one.check: settled(one, judged.unproven.get(one.check, "")) for one in judged.findings}
    posts = tuple(
        Post(ground.bound.market.name, name, one, found[f"{ground.bound.market.name}/{name}"])
        for ground in grounds
        for name, one in ground.checks.items()
    )
    return CheckReport(loaded.runbook.id, deployment.name, posts, judged.snapshot, now, reader)


def settled(finding: Finding, unproven: str) -> Finding:
    """A finding whose past could not be read is unknown: it may have been firing for long, or m of n may hold."""
    if not unproven or finding.verdict not in (Verdict.PENDING, Verdict.QUIET):
        return finding
    reason = f"{finding.reading.reason}; what was before is not known: {unproven}"
    return replace(finding, verdict=Verdict.UNKNOWN, reading=replace(finding.reading, reason=reason))


def to_json(found: CheckReport) -> dict[str, Any]:
    """The object `incident check --json` prints."""
    every = [found.reader.nodes, *found.reader.others.values()]
    return {
        "schema": SCHEMA,
        "runbook": found.runbook,
        "deployment": found.deployment,
        "blocks": [
            {
                "chain": one.chain,
                "number": one.number,
                "hash": one.hash,
                "timestamp": one.timestamp,
                "age_seconds": found.age(one),
            }
            for one in found.blocks
        ],
        "nodes": [
            {"name": name, "answered": name in nodes.answered, "problem": problem_of(nodes, name)}
            for nodes in every
            for name in nodes.names
        ],
        "requests": sum(one.requests for one in every),
        "checks": [post_to_json(one) for one in found.posts],
        "verdict": found.verdict.value,
    }


def problem_of(nodes: ChainNodes, name: str) -> str:
    """Why a node failed, or what it said against the others."""
    return plain(nodes.failures.get(name) or nodes.disagreements.get(name, ""), 300)


def post_to_json(post: Post) -> dict[str, Any]:
    """One check's part of the object; whole numbers are decimal text."""
    finding = post.finding
    reading = finding.reading
    return {
        "id": post.check,
        "kind": finding.kind,
        "market": post.market,
        "verdict": finding.verdict.value,
        "value": None if reading.value is None else str(reading.value),
        "limit": str(reading.limit),
        "unit": reading.unit,
        "since_block": finding.since_block,
        "sources": [
            {
                "name": one.name,
                "independence": one.independence,
                "value": None if one.value is None else str(one.value),
                "updated_at": one.updated_at,
                "problem": one.problem,
            }
            for one in reading.sources
        ],
        "reason": reading.reason,
        "summary": finding.summary,
        "false_positives": list(post.wired.check.false_positives),
    }
