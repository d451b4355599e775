"""Goal 4: from planned levers to a proposal that may be shown, against safe-eth-py making the same reads.

Both speak HTTP to the same drill chain, which stands still and remembers its answers, so that the clients are
measured and not py-evm. safe-eth-py's part is what its users write: the Safe's state, the contracts' state call by
call, the transaction and its hash, and the gas of each call as the Safe would make it, its nearest to a simulation.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

import pytest

from incident_cli.abi import encode_call
from incident_cli.checks.check import Finding
from incident_cli.drills.world import CHAIN_ID
from incident_cli.evm import Block, CallRead, CodeRead, Read, Snapshot, to_hex
from incident_cli.flows.carry_out import Draft
from incident_cli.flows.clock import SystemClock
from incident_cli.flows.desk import Card, Header, Rehearsed
from incident_cli.flows.drill import Drill, People, begin, plan_drill, watch
from incident_cli.flows.preparing import prepare
from incident_cli.flows.reading import Reader
from incident_cli.flows.steps.contain_step import draft
from incident_cli.runbook.model import ContainStep, Step
from incident_cli.transport import Endpoint, Json, Request, RpcError
from tests.benchmarks.conftest import Say
from tests.benchmarks.pairs import Work, measure
from tests.fakes.node import Node

ROUNDS = 7


class Nobody:
    """A screen nobody looks at."""

    def step(self, header: Header, step: Step) -> None: ...

    def findings(self, findings: Sequence[Finding]) -> None: ...

    def card(self, card: Card) -> None: ...

    def say(self, text: str, tone: Literal["plain", "good", "bad", "warn"] = "plain") -> None: ...

    def working(self, text: str) -> AbstractContextManager[None]:
        return nullcontext()


class Noting(Reader):
    """A reader that remembers what was read."""

    def __init__(self, source: Endpoint, chain: str, chain_id: int, head: Block | None) -> None:
        super().__init__(source, chain, chain_id, head)
        self.noted: frozenset[Read] = frozenset()

    def read(self, reads: Sequence[Read]) -> Snapshot:
        self.noted |= frozenset(reads)
        return Reader.read(self, reads)


def firing_drill(home: Path) -> Drill:
    """A drill whose check fires."""
    people = People(Nobody(), Rehearsed({}, complete=True))
    drill = begin(plan_drill("oracle-divergence", None, 7), home, SystemClock(), people)
    watch(drill)
    for _ in range(4):
        drill.live.advance(12)
        drill.session.judge_checks(list(drill.session.bound.checks), None)
    return drill


def same_by_safe_eth(client: Any, reads: Sequence[Read], made: Draft) -> str:
    """The same reads, the same transaction and its hash, by safe-eth-py; the hash as 0x hex."""
    from safe_eth.safe import Safe

    tx = made.proposal.tx
    safe = Safe(tx.safe, client)
    for read in reads:
        if isinstance(read, CodeRead):
            client.w3.eth.get_code(read.to)
        elif isinstance(read, CallRead) and read.to != tx.safe:
            client.w3.eth.call({"to": read.to, "data": encode_call(read.signature, read.args)})
    safe.retrieve_nonce(), safe.retrieve_threshold(), safe.retrieve_owners(), safe.retrieve_version()
    for one in made.proposal.calls:
        safe.estimate_tx_gas_with_web3(one.call.to, one.call.value, one.call.data)
    built = safe.build_multisig_tx(tx.to, tx.value, tx.data, tx.operation, safe_nonce=tx.nonce)
    return to_hex(bytes(built.safe_tx_hash))


class StillNode(Node):
    """A chain that stands still, over HTTP: it remembers its answers, and takes `latency` seconds an exchange."""

    def __init__(self, endpoint: Endpoint, latency: float) -> None:
        self.latency = latency
        self.remembered: dict[str, Json | RpcError] = {}
        super().__init__(lambda request: self.recall(endpoint, request))

    def recall(self, endpoint: Endpoint, request: Request) -> Json | RpcError:
        asked = json.dumps([request.method, request.params])
        if asked not in self.remembered:
            self.remembered[asked] = endpoint.exchange([request])[0]
        return self.remembered[asked]

    def heard(self, body: Any, headers: dict[str, str], path: str) -> list[dict[str, Any]]:
        time.sleep(self.latency)
        return super().heard(body, headers, path)


def exchanges_of(node: Node, work: Work) -> int:
    """How many HTTP requests a work makes."""
    before = node.exchanges
    work()
    return node.exchanges - before


@pytest.mark.benchmark
@pytest.mark.parametrize("latency", [0.0, 0.050])
def test_from_plan_to_proposal(tmp_path: Path, say: Say, latency: float) -> None:
    from safe_eth.eth import EthereumClient

    drill = firing_drill(tmp_path)
    session = drill.session
    step = next(one for one in session.bound.runbook.steps if isinstance(one, ContainStep))
    with StillNode(drill.live.rpc, latency) as node:
        reader = Noting(node.endpoint(read_seconds=20), session.reader.chain, CHAIN_ID, session.reader.head)
        session.reader = reader
        made = draft(session, step, prepare)
        reads, client = sorted(reader.noted, key=repr), EthereumClient(node.url)
        works: dict[str, Work] = {
            "safe-eth-py": lambda: same_by_safe_eth(client, reads, made),
            "incident": lambda: draft(session, step, prepare),
        }
        assert works["safe-eth-py"]() == made.proposal.hashes.safe_tx_hash
        counts = {name: exchanges_of(node, work) for name, work in works.items()}
        found = measure(works, ROUNDS)
    node_at = f"node at {latency * 1_000:.0f} ms"
    say(f"\nplan to proposal, {len(reads)} reads, {node_at}, medians of {ROUNDS} interleaved rounds (goal: 0.3 ×)")
    for name, count in counts.items():
        say(f"{found.row(name, 'safe-eth-py')}  {count} HTTP requests")
