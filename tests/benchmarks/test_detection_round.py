"""Goal 3: a detection round costs little more than one bare request to a node that takes 50 ms."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from incident_cli.abi import parse_signature
from incident_cli.chain.answers import LATEST_BLOCK
from incident_cli.chain.asks import plan
from incident_cli.chain.nodes import ChainNodes
from incident_cli.chain.survey import survey
from incident_cli.evm import CallRead, checksummed
from incident_cli.transport import HttpEndpoint
from tests.benchmarks.conftest import Say
from tests.benchmarks.pairs import ROOT, Work, measure

ROUNDS = 15
SIZES = (100, 500, 1_000)
BALANCE = parse_signature("balanceOf(address holder) returns (uint256)")
TOKEN = checksummed(b"\x70" * 20)


@pytest.fixture
def endpoint() -> Iterator[HttpEndpoint]:
    """A client of the slow node, which runs in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.slow_node"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None
        yield HttpEndpoint(node.stdout.readline().strip(), name="slow node")
        node.terminate()


def reads_of(size: int) -> list[CallRead]:
    return [CallRead(TOKEN, BALANCE, (checksummed(number.to_bytes(20, "big")),)) for number in range(size)]


def round_of(endpoint: HttpEndpoint, size: int) -> Work:
    reads, chains = reads_of(size), {"bench": ChainNodes([endpoint], "bench", 1)}

    def work() -> None:
        snapshot = survey(chains, "bench", reads)
        assert [snapshot.value(read) for read in reads[:500]] == list(range(min(size, 500)))

    return work


def undecoded(endpoint: HttpEndpoint, size: int) -> Work:
    """The same bytes there and back, neither planned nor read: what the node and the transport cost."""
    asks, _ = plan(reads_of(size))
    requests = [*(ask.request("latest") for ask in asks), LATEST_BLOCK]
    return lambda: endpoint.exchange(requests)


@pytest.mark.benchmark
def test_a_round_against_one_bare_request(endpoint: HttpEndpoint, say: Say) -> None:
    works: dict[str, Work] = {"bare request": lambda: endpoint.exchange([LATEST_BLOCK])}
    for size in SIZES:
        works |= {f"{size} reads": round_of(endpoint, size), f"{size} reads, undecoded": undecoded(endpoint, size)}
    found = measure(works, ROUNDS)
    say(f"\na detection round, node at 50 ms, medians of {ROUNDS} interleaved rounds (goal: 100 at 1.2 ×, 1000 at 2 ×)")
    for name in works:
        say(found.row(name, "bare request"))
