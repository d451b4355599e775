"""A world and a bench to judge a shipped runbook's checks in it, in process; the node may be made to forget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from incident_cli.chain.nodes import ChainNodes
from incident_cli.document import parse_document
from incident_cli.drills.live_world import LiveWorld
from incident_cli.drills.setting import deployment_text
from incident_cli.drills.world import CHAIN_ID, World
from incident_cli.evm import Block
from incident_cli.flows.judging import Bench, Judged, wired
from incident_cli.flows.reading import Reader
from incident_cli.incident.events import Event, Kind, finding_to_json
from incident_cli.runbook.bind import Bound, bind
from incident_cli.runbook.deployment import sound
from incident_cli.runbook.load import load_runbook
from incident_cli.runbook.shipped import find_runbook
from incident_cli.transport import Endpoint, Json, Request, RpcError
from tests.fakes.served_world import SEED, scenario

MARKET = "ETH-USD"
GONE = RpcError(-32000, "missing trie node")


@dataclass(slots=True)
class Watched:
    """A node that counts its exchanges; `forgetful`, it holds the state of its newest block only."""

    live: LiveWorld
    name: str = "node"
    forgetful: bool = False
    exchanges: int = 0
    asked: list[Request] = field(default_factory=list)

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        """As the world answers."""
        self.exchanges += 1
        self.asked += requests
        return [GONE if self.forgotten(one) else self.live.rpc.exchange([one])[0] for one in requests]

    def forgotten(self, request: Request) -> bool:
        """Whether it asks for the state of an older block."""
        if not self.forgetful or request.method not in ("eth_call", "eth_getCode", "eth_getStorageAt"):
            return False
        at, head = request.params[-1], self.live.world.engine.head
        if isinstance(at, dict):
            return at.get("blockHash") != head.hash
        return at not in ("latest", hex(head.number))


def world(name: str, blocks: int) -> LiveWorld:
    """A scenario's world so many blocks on."""
    live = LiveWorld(World.build(SEED, scenario(name)))
    for _ in range(blocks):
        live.advance(12)
    return live


def bound(live: LiveWorld, runbook: str, params: Mapping[str, str] | None = None, text: str | None = None) -> Bound:
    """A shipped runbook bound to the world."""
    document = parse_document((text or deployment_text(live.world)).encode(), "deployment")
    return bind(load_runbook(find_runbook(runbook)), sound(document), document, MARKET, dict(params or {}))


def bench(
    node: Endpoint,
    to: Bound,
    age: int | None = None,
    others: Mapping[str, ChainNodes] | None = None,
) -> Bench:
    """Everything that judging needs."""
    reader = Reader(node, to.chain, CHAIN_ID, others=others)
    return Bench(reader, wired(to), lambda block: age)


def recorded(judged: Judged, seq: int = 1) -> Event:
    """A round as the journal holds it."""
    data = {"findings": [finding_to_json(one) for one in judged.findings], "reads": list(judged.remembered)}
    return Event(seq, Kind.FINDINGS, "2026-11-22T03:00:00.000Z", None, 0, judged.snapshot.block, data)


def block_of(live: LiveWorld) -> Block:
    """The head."""
    return live.world.engine.head
