"""What the tests of the flows share: a drill at any stage, endpoints that lie, and people who act on the chain."""

from __future__ import annotations

import copy
import copyreg
import functools
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eth_keys.backends.coincurve import CoinCurveECCBackend
from lru import LRU

from incident_cli.abi import decode, encode_call, parse_signature
from incident_cli.drills.accounts import Account
from incident_cli.drills.founding import encoded
from incident_cli.drills.live_world import LiveWorld
from incident_cli.drills.world import World
from incident_cli.evm import ZERO, Address, keccak
from incident_cli.flows import drill as flow
from incident_cli.flows.desk import Answerer, Rehearsed
from incident_cli.flows.drill import Drill, DrillPlan, People
from incident_cli.incident.events import Event, Kind
from incident_cli.runbook.shipped import shipped_folder
from incident_cli.transport import Endpoint, Json, Request, RpcError
from tests.fakes.desk import FakeClock, RecordingScreen

EXECUTE = parse_signature(
    "execTransaction(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas,"
    " uint256 gasPrice, address gasToken, address refundReceiver, bytes signatures)"
)
HASH = parse_signature(
    "getTransactionHash(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,uint256) returns (bytes32)"
)
SCHEDULE = "schedule(address,uint256,bytes,bytes32,bytes32,uint256)"
TIMELOCK_EXECUTE = "execute(address,uint256,bytes,bytes32,bytes32)"
SUCCESS = keccak(b"ExecutionSuccess(bytes32,uint256)")
Answered = Json | RpcError
Lie = Callable[[Request, Answered], Answered]


def people(answerer: Answerer | None = None, plan: DrillPlan | None = None) -> People:
    """A screen that remembers and, unless one is given, the scenario's own answers."""
    rehearsed = Rehearsed(plan.script.scenario.answers if plan else {}, complete=True)
    return People(RecordingScreen(), answerer or rehearsed)


def planned(scenario: str = "oracle-divergence", seed: int = 7) -> DrillPlan:
    """A shipped scenario."""
    return flow.plan_drill(None, scenario, seed)


def quick(folder: Path, seed: int = 7) -> DrillPlan:
    """The shipped divergence without its waits: the fault shows at once, fires at once, and quiet is five minutes."""
    shipped = shipped_folder()
    runbook, scenario = folder / "oracle-divergence.yaml", folder / "drills/quick.yaml"
    scenario.parent.mkdir(parents=True, exist_ok=True)
    text = (shipped / "oracle-divergence.yaml").read_text()
    runbook.write_text(text.replace("    for: 36s\n", "").replace("'30m'", "'5m'"))
    text = (shipped / "drills/oracle-divergence.yaml").read_text()
    scenario.write_text(text.replace("id: oracle-divergence", "id: quick").replace("at_block: 4", "at_block: 1"))
    return flow.plan_drill(str(runbook), "quick", seed)


@functools.cache
def founded(seed: int, scenario: str, guardian: Address | None, blocks: int) -> World:
    """A world nobody touches: what `fresh` copies, for founding one takes a hundred times as long."""
    with tempfile.TemporaryDirectory() as folder:
        plan = quick(Path(folder), seed) if scenario == "quick" else planned(scenario, seed)
    world = World.build(seed, plan.script.scenario, plan.genesis_time, guardian=guardian)
    for _ in range(blocks):
        world.advance()
    return world


def fresh(seed: int, scenario: str, guardian: Address | None = None, blocks: int = 0) -> LiveWorld:
    """A world of its own, after this many blocks."""
    return LiveWorld(copy.deepcopy(founded(seed, scenario, guardian, blocks)))


def cache_of(size: int, items: Sequence[tuple[object, object]]) -> LRU[object, object]:
    """A copy of one of py-evm's caches, which do not copy by themselves."""
    made: LRU[object, object] = LRU(size)
    for key, value in items:
        made[key] = value
    return made


copyreg.pickle(LRU, lambda one: (cache_of, (one.get_size(), tuple(reversed(one.items())))))
copyreg.pickle(CoinCurveECCBackend, lambda one: (CoinCurveECCBackend, ()))  # it holds a module, where it is used


def begun(
    home: Path,
    scenario: str = "quick",
    seed: int = 7,
    answerer: Answerer | None = None,
    guardian: Address | None = None,
) -> Drill:
    """A drill that is open and has not been watched yet."""
    plan = quick(home / "files", seed) if scenario == "quick" else planned(scenario, seed)
    return flow.begin_in(fresh(seed, scenario, guardian), plan, home, FakeClock(), people(answerer, plan))


def taken_up(home: Path, answerer: Answerer | None = None, incident: str = "") -> Drill:
    """The only drill of a home, or the one named, resumed."""
    name = incident or next(one.name for one in home.iterdir() if (one / "journal.jsonl").is_file())
    return flow.take_up(home, name, FakeClock(), lambda plan: people(answerer, plan))


@dataclass(slots=True)
class Lying:
    """An endpoint whose answers pass through a lie; `before` sees every request first."""

    honest: Endpoint
    lie: Lie = lambda request, answer: answer
    before: Callable[[Request], None] = lambda request: None

    @property
    def name(self) -> str:
        return "a lying node"

    def exchange(self, requests: Sequence[Request]) -> list[Answered]:
        for request in requests:
            self.before(request)
        answers = self.honest.exchange(requests)
        return [self.lie(request, answer) for request, answer in zip(requests, answers, strict=True)]


def lie(drill: Drill, about: Lie, before: Callable[[Request], None] = lambda request: None) -> None:
    """From here on the drill reads through a node that lies."""
    reader = drill.session.reader
    reader.endpoint = Lying(reader.endpoint, about, before)


def once_sending(drill: Drill, deed: Callable[[], object]) -> None:
    """Do something in the last instant before the first transaction is sent."""
    done: list[bool] = []

    def before(request: Request) -> None:
        if request.method == "eth_sendRawTransaction" and not done:
            done.append(True)
            deed()

    lie(drill, lambda request, answer: answer, before)


def view(world: World, to: Address, function: str, *args: object) -> object:
    """The first output of a view at the head."""
    signature = parse_signature(function)
    return decode(signature.output_types, world.engine.call(to, encode_call(signature, args)))[0]


def safe_sends(
    live: LiveWorld, safe: Address, owners: Sequence[Account], to: Address, data: bytes, signers: int = 2
) -> str:
    """Some owners of a Safe sign and execute a call of their own, beside the drill; the transaction's hash."""
    world = live.world
    nonce = view(world, safe, "nonce() returns (uint256)")
    fields = (to, 0, data, 0, 0, 0, 0, ZERO, ZERO)
    digest = decode(["bytes32"], world.engine.call(safe, encode_call(HASH, (*fields, nonce))))[0]
    assert isinstance(digest, bytes)
    chosen = sorted(owners[:signers], key=lambda one: one.address.lower())
    signatures = b"".join(one.sign_hash(digest) for one in chosen)
    raw = world.transaction(world.people.deployer, safe, encode_call(EXECUTE, (*fields, signatures)))
    return live.submit(raw)


def council_sends(live: LiveWorld, to: Address, data: bytes, signers: int = 2) -> str:
    """The council acts beside the drill: its nonce moves on."""
    return safe_sends(live, live.world.addresses.council, live.world.council_owners, to, data, signers)


def pause_data(world: World, market: str, paused: bool = True) -> bytes:
    """Calldata of setMarketPaused."""
    return encoded("setMarketPaused(bytes32,bool)", world.markets[market], paused)


def governance_schedules(live: LiveWorld, data: bytes) -> None:
    """Governance schedules a call to the exchange, and the delay passes."""
    at = live.world.addresses
    call = encoded(SCHEDULE, at.exchange, 0, data, bytes(32), bytes(32), 3_600)
    safe_sends(live, at.governance, live.world.governance_owners, at.timelock, call)
    live.advance(3_601)


def governance_executes(live: LiveWorld, data: bytes) -> None:
    """Governance executes what it scheduled."""
    at = live.world.addresses
    call = encoded(TIMELOCK_EXECUTE, at.exchange, 0, data, bytes(32), bytes(32))
    safe_sends(live, at.governance, live.world.governance_owners, at.timelock, call)


def is_paused(world: World, market: str = "ETH-USD") -> bool:
    """What the exchange itself says."""
    return bool(view(world, world.addresses.exchange, "marketPaused(bytes32) returns (bool)", world.markets[market]))


def nonce_of(world: World, safe: Address) -> int:
    """The Safe's nonce."""
    found = view(world, safe, "nonce() returns (uint256)")
    assert isinstance(found, int)
    return found


def executed_hashes(world: World, safe: Address) -> list[str]:
    """Every safe_tx_hash the Safe ever executed with success, in order."""
    logs = world.engine.logs(0, world.engine.head.number, [safe], [[SUCCESS]])
    return ["0x" + bytes(one.log.topics[1]).hex() for one in logs]


def of_kind(drill: Drill, kind: Kind) -> list[Event]:
    """Every event of a kind."""
    return [event for event in drill.recorder.events if event.kind is kind]
