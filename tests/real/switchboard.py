"""A deployment in which everything is ready, on anvil: two real Safes, a guard, a proxy, a service, three nodes.

Every fault of `test_preflight.py` changes one thing of it.
"""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from incident_cli.chain.undeclared import named_slot
from incident_cli.evm import Address, Block, checksummed, to_hex
from incident_cli.flows import incidents
from incident_cli.flows.clock import SystemClock
from incident_cli.flows.pinning.look import look
from incident_cli.flows.preflight.checklist import Preflight, PreflightOrder, preflight
from incident_cli.incident.events import Kind
from incident_cli.safe import contracts
from incident_cli.transport import Json, Request, RpcError
from tests.contracts.safes import Safe2of3, build_safe
from tests.fakes.anvil import Anvil
from tests.fakes.node import Answer, Node
from tests.fakes.safe_service import SafeService

HERE = Path(__file__).parent
CHAIN_ID = 31_337
DAY = 86_400
KEY = "a key of the service"
ETHER = 10**18
MARKET_ID = bytes.fromhex("11" * 32)
GUARD, OTHER_GUARD, MODULE_GUARD, MODULE, HANDLER = (checksummed(f"0x{'00' * 18}99{one:02x}") for one in range(1, 6))
HOOK, PROXY, BEHIND, BEHIND_TOO = (checksummed(f"0x{'00' * 18}98{one:02x}") for one in range(1, 5))
STOP = bytes.fromhex("00")
STORING = bytes.fromhex("600160005500")  # 1 into slot 0
# reverts where slot 0 is set, else lets pass
BLOCKING_WHEN_SET = bytes.fromhex("600054600757005b60006000fd")
IMPLEMENTATION = named_slot("eip1967.proxy.implementation", 1)
DELEGATING = bytes.fromhex(
    f"3660006000376000600036600073{'00' * 20}5af4".replace(f"73{'00' * 20}", f"7f{IMPLEMENTATION:064x}54")
    + "3d600060003e3d6000f3"
)
ANSWERING_ONE = bytes.fromhex("600160005260206000f3")

PROTOCOL = """\
protocol: switched-exchange
source: tests/real/switched_exchange.vy
slots: {exchange: address}
reads:
  market_paused: {on: exchange, call: "marketPaused(bytes32 market) returns (bool)"}
  guardian: {on: exchange, call: "guardian() returns (address)"}
  governance: {on: exchange, call: "governance() returns (address)"}
  guardian_until: {on: exchange, call: "guardian_until() returns (uint256)"}
  sweeper: {on: exchange, call: "sweeper() returns (address)"}
  decimals: {on: exchange, call: "decimals() returns (uint8)"}
levers:
  pause_market:
    does: "Stops trading in one market."
    scope: market
    args: {market: {type: market}}
    on: exchange
    call: "setMarketPaused(bytes32 market, bool paused)"
    with: {paused: "True"}
    expect: {market_paused: "True"}
    writes: [exchange]
    satisfied: market_paused
    undo: {by: governance, with: {market: market, paused: before.market_paused}}
    role: {holder: by, when: "guardian == by", until: guardian_until}
    traps: ["Nobody trades in this market while it is paused."]
  sweep:
    does: "Takes everything."
    scope: protocol
    on: exchange
    call: "sweep()"
    expect: {decimals: "0"}
    writes: [exchange]
    role: {holder: by, when: "sweeper == by"}
    irreversible: true
    consequence: take everything
    traps: ["It cannot be undone."]
"""
FEED_PROTOCOL = """\
protocol: switched-feed
source: tests/real/switchboard.py
slots: {feed: address}
reads:
  answer: {on: feed, call: "answer() returns (uint256)"}
"""
RUNBOOK = """\
schema: incident/v1
id: switched
title: The exchange must be stopped
meta: {owner: risk-oncall, severity: SEV2, status: stable, drill_every: 30d}
params:
  market: {type: market}
slots:
  exchange: {protocol: switched-exchange}
  feed: {protocol: switched-feed}
  council: {protocol: safe}
  governance: {protocol: safe}
steps:
  - id: pause
    contain:
      by: council
      calls: [{lever: exchange.pause_market, market: "{market}"}]
    confirm: {type: "{market}"}
  - {id: prove, verify: ["exchange.market_paused(market) == True", "feed.answer() == 1"], marks: contained}
  - {id: reopen, restore: pause, by: governance, marks: recovered}
"""


@dataclass(frozen=True, slots=True)
class Later(SystemClock):
    """The machine's clock, so many seconds ahead."""

    seconds: int = 0

    def now(self) -> datetime:
        """Wall time, UTC."""
        return datetime.fromtimestamp(time.time() + self.seconds, UTC)


@dataclass(slots=True)
class Switchboard:
    """The deployment and everything in it that a fault may change."""

    anvil: Anvil
    council: Safe2of3
    governance: Safe2of3
    exchange: Address
    layout: Mapping[str, int]
    service: SafeService
    nodes: list[Node]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    clock: SystemClock = field(default_factory=SystemClock)

    @property
    def deployment(self) -> Path:
        """Its file."""
        return self.folder / "deployment.yaml"

    @property
    def runbook(self) -> Path:
        """The runbook's file."""
        return self.folder / "switched.yaml"

    @property
    def home(self) -> Path:
        """Where its drills are kept."""
        return self.folder / "home"

    @property
    def broadcaster(self) -> Address:
        """Who has the money for gas."""
        return self.council.executor

    def look(self) -> Preflight:
        """The preflight, now."""
        self.anvil.mine_at(max(int(time.time()), self.anvil.now() + 1))
        order = PreflightOrder([self.runbook], self.deployment, (), {}, self.home)
        return preflight(order, self.environment.get, self.clock, lambda text: nullcontext())

    def store(self, address: Address, slot: int | str, value: int | str) -> None:
        """One word of storage."""
        place = hex(slot) if isinstance(slot, int) else slot
        word = value if isinstance(value, int) else int(value, 16)
        self.anvil.rpc("anvil_setStorageAt", address, place, f"0x{word:064x}")

    def switch(self, name: str, value: int | str) -> None:
        """One switch of the exchange."""
        self.store(self.exchange, self.layout[name], value)

    def edit(self, path: Path, old: str, new: str) -> None:
        """One thing in a file."""
        text = path.read_text()
        assert text.count(old) == 1, (old, text)
        path.write_text(text.replace(old, new))


def build_board(anvil: Anvil, service: SafeService, nodes: list[Node], folder: Path) -> Switchboard:
    """Everything, ready: deployed, pinned by `incident pin`'s own flow, drilled."""
    council, governance = (build_safe(anvil, "1.5.0", number=number) for number in (0, 1))
    until = int(time.time()) + 365 * DAY
    creation, layout = compiled()
    types = ("address", "address", "uint256")
    exchange = anvil.deploy(creation, types, (council.address, governance.address, until))
    board = Switchboard(anvil, council, governance, exchange, layout, service, nodes, folder)
    codes = {GUARD: BLOCKING_WHEN_SET, OTHER_GUARD: STOP, MODULE_GUARD: STOP, MODULE: STOP, HANDLER: STOP}
    codes |= {HOOK: STORING, PROXY: DELEGATING, BEHIND: ANSWERING_ONE, BEHIND_TOO: ANSWERING_ONE}
    for address, code in codes.items():
        anvil.set_code(address, code)
    board.store(PROXY, IMPLEMENTATION, BEHIND)
    board.store(council.address, contracts.GUARD_SLOT, GUARD)
    anvil.rpc("anvil_setBalance", board.broadcaster, hex(ETHER))
    board.environment["SERVICE_KEY"] = KEY
    write_files(board)
    return board


def write_files(board: Switchboard) -> None:
    """The runbook, its protocols, the deployment with its pins, and the journal of a drill."""
    (board.folder / "protocols").mkdir(exist_ok=True)
    (board.folder / "protocols" / "switched-exchange.yaml").write_text(PROTOCOL)
    (board.folder / "protocols" / "switched-feed.yaml").write_text(FEED_PROTOCOL)
    board.runbook.write_text(RUNBOOK)
    board.deployment.write_text(deployment_text(board))
    look(board.deployment, board.environment.get).write()
    drilled(board.home, RUNBOOK)


def deployment_text(board: Switchboard) -> str:
    """The deployment, not pinned yet."""
    rpc = ", ".join(f'{{url: "{one.url}"}}' for one in board.nodes)
    people = [(f"council-{number}", one.address) for number, one in enumerate(board.council.owners, 1)]
    return "\n".join(
        [
            "schema: incident-deployment/v1",
            "name: switchboard",
            f"chains: {{anvil: {{id: {CHAIN_ID}, rpc: [{rpc}], quorum: 2}}}}",
            f'tokens: {{USDC: {{chain: anvil, address: "{board.exchange}", decimals: 6}}}}',
            "slots:",
            f'  exchange: {{chain: anvil, addresses: {{exchange: "{board.exchange}"}}}}',
            f'  feed: {{chain: anvil, addresses: {{feed: "{PROXY}"}}}}',
            f'  council: {{chain: anvil, addresses: {{safe: "{board.council.address}"}}}}',
            f'  governance: {{chain: anvil, addresses: {{safe: "{board.governance.address}"}}}}',
            f'markets: {{ETH-USD: {{id: "{to_hex(MARKET_ID)}"}}}}',
            f'services: {{anvil: {{url: "{board.service.url}", credential: {{env: SERVICE_KEY}}}}}}',
            "authority: [{by: council, levers: [exchange.pause_market], severity: SEV2}]",
            "contacts:",
            *(f'  - {{name: {name}, owner: "{address}", reach: pager}}' for name, address in people),
            f'broadcasters: [{{name: relay, chain: anvil, address: "{board.broadcaster}"}}]',
            "",
        ]
    )


def drilled(home: Path, text: str) -> None:
    """The journal of a drill of that text, ended now."""
    recorder = incidents.create(home, "switched", "drill", "world", SystemClock())
    digest = hashlib.sha256(text.encode()).hexdigest()
    opened = {"runbook": "switched", "market": "ETH-USD", "runbook_sha256": digest}
    recorder.record(Kind.OPENED, block=Block("world", 1, "0x" + "00" * 32, 1), data=opened)
    recorder.record(Kind.CLOSED, data={"ending": "contained"})
    recorder.journal.close()


def through(anvil: Anvil) -> Answer:
    """A node that answers as anvil does."""
    endpoint = anvil.endpoint()

    def answer(request: Request) -> Json | RpcError:
        return endpoint.exchange([request])[0]

    return answer


def of_another_chain(answer: Answer) -> Answer:
    """The same node, on chain 5."""
    return lambda request: "0x5" if request.method == "eth_chainId" else answer(request)


@functools.cache
def compiled() -> tuple[bytes, dict[str, int]]:
    """The exchange's creation code, and the slot of each of its switches."""
    from vyper.compiler import compile_code

    source = (HERE / "switched_exchange.vy").read_text(encoding="utf-8")
    found: dict[str, Any] = compile_code(source, output_formats=["bytecode", "layout"])
    layout = found["layout"]["storage_layout"]
    return bytes.fromhex(found["bytecode"][2:]), {name: int(one["slot"]) for name, one in layout.items()}
