"""Goal 4: from planned levers to a proposal that may be shown, against safe-eth-py making the same reads.

Both speak HTTP to the same anvil with a real 2-of-3 Safe, through a node that stands still and remembers its answers,
so that the clients are measured and not the EVM. safe-eth-py's part is what its users write: the Safe's state, the
contracts' state call by call, the transaction and its hash, and the gas of each call as the Safe would make it, its
nearest to a simulation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from incident_cli.abi import encode_call
from incident_cli.evm import Block, CallRead, CodeRead, Read, Snapshot, to_hex
from incident_cli.flows.aiming import pulls
from incident_cli.flows.carry_out import Draft
from incident_cli.flows.preparing import prepare
from incident_cli.flows.reading import Reader
from incident_cli.flows.session import Session
from incident_cli.flows.steps.contain_step import draft
from incident_cli.runbook.model import ContainStep
from incident_cli.transport import Endpoint, Json, Request, RpcError
from tests.benchmarks.conftest import Say
from tests.benchmarks.pairs import Work, measure
from tests.contracts.packages import Packages
from tests.contracts.packages import packages as installed_packages
from tests.fakes.relay import Relay
from tests.real.containing import Site, founded

ROUNDS = 7


class Noting(Reader):
    """A reader that remembers what was read."""

    def __init__(self, source: Endpoint, chain: str, chain_id: int, head: Block | None) -> None:
        super().__init__(source, chain, chain_id, head)
        self.noted: frozenset[Read] = frozenset()

    def read(self, reads: Sequence[Read]) -> Snapshot:
        self.noted |= frozenset(reads)
        return Reader.read(self, reads)


@pytest.fixture(scope="module")
def packages() -> Packages:
    """The npm packages; where they cannot be installed, the benchmark fails."""
    return installed_packages()


@pytest.fixture(scope="module")
def site(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A Safe and the market that it guards."""
    with founded(packages, tmp_path_factory.mktemp("site")) as found:
        yield found


def planned(session: Session, step: ContainStep) -> Draft:
    """As a step does it: begun anew, its levers planned, and what is not done yet proposed."""
    session.reader.forget()
    pulls(session, step)
    return draft(session, step, prepare)


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


class StillNode(Relay):
    """A chain that stands still, over HTTP: it remembers its answers, and takes `latency` seconds an exchange."""

    def __init__(self, endpoint: Endpoint, latency: float) -> None:
        self.remembered: dict[str, Json | RpcError] = {}
        super().__init__(endpoint, latency=latency)

    def passed_on(self, endpoint: Endpoint, request: Request) -> Json | RpcError:
        asked = json.dumps([request.method, request.params])
        if asked not in self.remembered:
            self.remembered[asked] = super().passed_on(endpoint, request)
        return self.remembered[asked]


def trips_of(node: StillNode, work: Work) -> list[tuple[str, ...]]:
    """The round trips of a work, by their methods; neither client has two under way at once."""
    before = len(node.trips)
    work()
    return node.trips[before:]


@pytest.mark.benchmark
@pytest.mark.parametrize("latency", [0.0, 0.050])
def test_from_plan_to_proposal(site: Site, tmp_path: Path, say: Say, latency: float) -> None:
    from safe_eth.eth import EthereumClient

    site.folder = tmp_path
    session = site.begin()
    step = next(one for one in session.bound.runbook.steps if isinstance(one, ContainStep))
    with StillNode(site.anvil.endpoint(), latency) as node:
        reader = Noting(node.endpoint(read_seconds=20), session.reader.chain, site.anvil.chain_id, session.reader.head)
        session.reader = reader
        made = planned(session, step)
        reads, client = sorted({*reader.noted, CodeRead(made.proposal.tx.to)}, key=repr), EthereumClient(node.url)
        works: dict[str, Work] = {
            "safe-eth-py": lambda: same_by_safe_eth(client, reads, made),
            "incident": lambda: planned(session, step),
        }
        assert works["safe-eth-py"]() == made.proposal.hashes.safe_tx_hash
        trips = {name: trips_of(node, work) for name, work in works.items()}
        found = measure(works, ROUNDS)
    node_at = f"node at {latency * 1_000:.0f} ms"
    say(f"\nplan to proposal, {len(reads)} reads, {node_at}, medians of {ROUNDS} interleaved rounds (goal: 0.3 ×)")
    for name, some in trips.items():
        say(f"{found.row(name, 'safe-eth-py')}  {len(some)} round trips, one after the other")
