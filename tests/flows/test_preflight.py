"""Preflight over the drill's world: what is ready there, and that what cannot be seen is unknown and never ready."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from incident_cli.errors import Misused, Refused, Unread
from incident_cli.flows.clock import SystemClock
from incident_cli.flows.pinning.look import look
from incident_cli.flows.preflight.checklist import Preflight, PreflightOrder, preflight
from incident_cli.flows.preflight.item import Item, judged, merged, not_ready, ready, together, unknown, waiting
from incident_cli.runbook.shipped import find_runbook
from incident_cli.safe.contracts import GUARD_SLOT
from incident_cli.transport import Json, Request, RpcError
from tests.cli.deployments import deployment as closed_deployment
from tests.fakes.node import Answer
from tests.fakes.safe_service import SafeService
from tests.fakes.served_world import ServedWorld

SHIPPED = (
    "compromised-key",
    "emergency-shutdown",
    "liquidity-drain",
    "oracle-divergence",
    "upstream-contagion",
    "withdrawal-rush",
)
NO_CHAIN_NEEDED = {"authority", "service", "drill-age"}
SLOW_PROTOCOL = """\
protocol: slow-exchange
source: the drill's exchange, its governance behind a time-lock
slots:
  exchange: address
  timelock: {read: "exchange.governance() returns (address)"}
reads:
  market_paused: {on: exchange, call: "marketPaused(bytes32 market) returns (bool)"}
  wait: {on: timelock, call: "getMinDelay() returns (uint256)"}
  may_propose:
    on: timelock
    call: "hasRole(bytes32 role, address account) returns (bool)"
    with: {role: "keccak('PROPOSER_ROLE')", account: by}
levers:
  pause_market:
    does: "Stops one market, after the delay of the time-lock."
    scope: market
    args: {market: {type: market}}
    on: exchange
    call: "setMarketPaused(bytes32 market, bool paused)"
    with: {paused: "True"}
    expect: {market_paused: "True"}
    writes: [exchange]
    satisfied: market_paused
    undo: {with: {market: market, paused: before.market_paused}}
    role: {holder: by, when: may_propose}
    delay: {road: timelock, on: timelock, seconds: wait}
    traps: ["It takes effect only after the delay."]
"""
SLOW_RUNBOOK = """\
schema: incident/v1
id: slow
title: A market must be stopped, slowly
meta: {owner: risk-oncall, severity: SEV2}
params: {market: {type: market}}
slots:
  exchange: {protocol: slow-exchange}
  senate: {protocol: safe}
steps:
  - id: pause
    contain: {by: senate, calls: [{lever: exchange.pause_market, market: "{market}"}]}
    confirm: {type: "{market}"}
    deadline: 2h
  - {id: prove, verify: ["exchange.market_paused(market) == True"], timeout: 5m, marks: contained}
"""


@pytest.fixture(scope="module")
def world() -> Iterator[ServedWorld]:
    """The drill's world behind three nodes."""
    with ServedWorld("oracle-divergence", 3, (None, None, None)) as served:
        yield served


@pytest.fixture
def prepared(world: ServedWorld, tmp_path: Path) -> Path:
    """A deployment of it in which everybody has a contact and everything is pinned; two of three nodes must agree."""
    contacts = [
        f'  - {{name: owner-{number}, owner: "{one.address}", reach: pager}}'
        for number, one in enumerate(world.world.people.council_owners, 1)
    ]
    path = world.deployment(tmp_path, quorum=2, more="contacts:\n" + "\n".join(contacts) + "\n")
    for node in world.nodes:
        node.fault, node.spare_first = None, 0
    look(path, unset).write()
    return path


def unset(name: str) -> str | None:
    """An environment without anything in it."""
    return None


def looked(deployment: Path, *runbooks: str | Path, markets: list[str] | None = None) -> Preflight:
    """The preflight of shipped runbooks or files, at ETH-USD."""
    paths = [find_runbook(one) if isinstance(one, str) else one for one in runbooks]
    order = PreflightOrder(paths, deployment, markets or ["ETH-USD"], {}, deployment.parent / "home")
    return preflight(order, unset, SystemClock(), lambda text: nullcontext())


def by_id(found: Preflight) -> dict[str, Item]:
    """Its items."""
    items = {one.id: one for one in found.items}
    assert len(items) == len(found.items), "an id stands twice"
    return items


def test_every_runbook_of_the_drills_is_ready_but_for_what_its_chain_cannot_do(prepared: Path) -> None:
    found = by_id(looked(prepared, *SHIPPED, markets=["ETH-USD", "BTC-USD"]))
    assert {one.group for one in found.values() if one.status == "not-ready"} <= {"drill-age"}
    undone = [one for one in found.values() if one.status == "unknown"]
    assert undone and all(one.group == "undo" and "eth_simulateV1" in one.detail for one in undone)
    simulated = [one for one in found.values() if one.group == "simulate"]
    assert len(simulated) >= 2 * 5 and all(one.status == "ready" for one in simulated)
    assert "cannot be undone by anyone" in found["undo:emergency-shutdown/shutdown@ETH-USD"].detail


def test_a_step_that_takes_a_found_value_is_ready_and_says_that_it_was_not_simulated(prepared: Path) -> None:
    found = by_id(looked(prepared, "compromised-key"))
    late = [one for one in found.values() if "a value that a check finds" in one.detail]
    assert {one.group for one in late} == {"simulate", "undo"}
    assert all(one.status == "ready" and "not simulated" in one.detail for one in late)
    assert found["role:governance.cancel_operation@council"].status == "ready"


def test_levers_of_the_chain_beyond_need_are_named_and_refused_only_beyond_what_is_granted(prepared: Path) -> None:
    item = by_id(looked(prepared, "oracle-divergence"))["over-privilege:council"]
    assert item.status == "ready" and "exchange.shutdown" in item.detail
    text = prepared.read_text()
    prepared.write_text(text.replace("  - {by: council, levers: [exchange.shutdown], severity: SEV1}\n", ""))
    item = by_id(looked(prepared, "oracle-divergence"))["over-privilege:council"]
    assert item.status == "not-ready" and "exchange.shutdown" in item.detail
    assert (
        by_id(looked(prepared, "oracle-divergence", "emergency-shutdown"))["over-privilege:council"].status == "ready"
    )


def test_a_lost_quorum_leaves_nothing_of_the_chain_ready(world: ServedWorld, prepared: Path) -> None:
    world.nodes[0].fault = world.nodes[1].fault = "reset"
    found = by_id(looked(prepared, "oracle-divergence"))
    assert [one.id for one in found.values() if one.status == "not-ready" and one.group != "drill-age"] == [
        "nodes:drill"
    ]
    assert "QUORUM IS LOST" in found["nodes:drill"].detail
    blind = [one for one in found.values() if one.group not in {*NO_CHAIN_NEEDED, "nodes", "chain-id"}]
    assert blind and all(one.status == "unknown" for one in blind), blind
    assert "nodes:drill" in found["role:exchange.pause_market@council"].detail


def test_a_chain_that_is_not_there_is_said_for_everything_at_once(tmp_path: Path) -> None:
    path = tmp_path / "deployment.yaml"
    path.write_text(closed_deployment())
    started = time.monotonic()
    found = looked(path, "oracle-divergence")
    assert time.monotonic() - started < 9
    assert found.status == "not-ready"
    assert {one.group for one in found.items if one.status == "ready"} <= NO_CHAIN_NEEDED


def test_a_node_without_its_variable_is_a_dead_one(prepared: Path) -> None:
    text = prepared.read_text()
    start, end = text.index('{url: "'), text.index("}", text.index('{url: "')) + 1
    prepared.write_text(f"{text[:start]}{{env: INCIDENT_RPC_A}}{text[end:]}")
    item = by_id(looked(prepared, "oracle-divergence"))["nodes:drill"]
    assert item.status == "not-ready" and "INCIDENT_RPC_A is not set" in item.detail
    assert "2 of 3" in item.detail and "LOST" not in item.detail


def test_nodes_that_fall_silent_hold_nothing_up_for_long(world: ServedWorld, prepared: Path) -> None:
    for node in world.nodes:
        node.fault, node.spare_first = "silent", node.exchanges + 1  # it says which chain it is, and nothing more
    started = time.monotonic()
    found = by_id(looked(prepared, "oracle-divergence"))
    assert time.monotonic() - started < 30
    assert found["nodes:drill"].status == "ready"
    assert found["simulate:oracle-divergence/pause@ETH-USD"].status == "unknown"
    assert found["safe-guard:council"].status == found["gas:drill"].status == "unknown"


def lying(answer: Answer) -> Answer:
    """A node that answers every call with nothing but zeros."""

    def lie(request: Request) -> Json | RpcError:
        honest = answer(request)
        return "0x" + "00" * 640 if request.method == "eth_call" and isinstance(honest, str) else honest

    return lie


def test_where_nodes_disagree_nothing_that_they_said_is_ready(tmp_path: Path) -> None:
    with ServedWorld("oracle-divergence", 3, (None, lying)) as split:
        found = by_id(looked(split.deployment(tmp_path, quorum=2), "oracle-divergence"))
    for name in (
        "role:exchange.pause_market@council",
        "safe-owners:council",
        "simulate:oracle-divergence/pause@ETH-USD",
    ):
        assert found[name].status == "unknown", found[name]


def guarded(answer: Answer) -> Answer:
    """A node on which every Safe has a guard."""

    def told(request: Request) -> Json | RpcError:
        slot = int(GUARD_SLOT, 16)
        if request.method == "eth_getStorageAt" and int(str(request.params[1]), 16) == slot:
            return "0x" + "00" * 12 + "99" * 20
        return answer(request)

    return told


def test_a_guard_that_the_simulation_did_not_run_leaves_the_step_unknown(tmp_path: Path) -> None:
    with ServedWorld("oracle-divergence", 3, (guarded,)) as served:
        found = by_id(looked(served.deployment(tmp_path), "oracle-divergence"))
    assert found["safe-guard:council"].status == "not-ready"
    step = found["simulate:oracle-divergence/pause@ETH-USD"]
    assert step.status == "unknown" and "guard" in step.detail


def test_a_node_of_another_chain_is_named_and_not_read(tmp_path: Path) -> None:
    def elsewhere(answer: Answer) -> Answer:
        return lambda request: "0x5" if request.method == "eth_chainId" else answer(request)

    with ServedWorld("oracle-divergence", 3, (None, elsewhere, None)) as served:
        found = by_id(looked(served.deployment(tmp_path, quorum=2), "oracle-divergence"))
        alone = by_id(looked(served.deployment(tmp_path, quorum=3), "oracle-divergence"))
    assert found["chain-id:drill"].status == "not-ready" and "id 5" in found["chain-id:drill"].detail
    assert found["nodes:drill"].status == found["safe-guard:council"].status == "ready"
    assert alone["nodes:drill"].status == "unknown" and "chain-id:drill" in alone["nodes:drill"].detail
    assert alone["safe-guard:council"].status == "unknown"


@pytest.fixture
def slow(world: ServedWorld, prepared: Path) -> Path:
    """A runbook whose one lever goes through the time-lock, where the exchange says that this is."""
    folder = prepared.parent
    (folder / "protocols").mkdir()
    (folder / "protocols" / "slow-exchange.yaml").write_text(SLOW_PROTOCOL)
    (folder / "slow.yaml").write_text(SLOW_RUNBOOK)
    at = world.world.addresses
    senate = f'  senate: {{chain: drill, addresses: {{safe: "{at.governance}"}}}}\n'
    grant = "  - {by: senate, levers: [exchange.pause_market], severity: SEV2}\n"
    text = (
        prepared.read_text().replace("slots:\n", "slots:\n" + senate, 1).replace("authority:\n", f"authority:\n{grant}")
    )
    prepared.write_text(text.replace("protocol: drill-exchange", "protocol: slow-exchange"))
    return folder / "slow.yaml"


def test_a_lever_that_must_wait_is_scheduled_in_the_simulation(prepared: Path, slow: Path) -> None:
    found = by_id(looked(prepared, slow))
    lever, step = "exchange.pause_market@senate", "slow/pause@ETH-USD"
    assert found["slots:slow@ETH-USD"].status == "ready" and "exchange.timelock" in found["slots:slow@ETH-USD"].detail
    assert found[f"role:{lever}"].status == found[f"simulate:{step}"].status == "ready"
    assert "schedule exchange.pause_market" in found[f"simulate:{step}"].detail
    assert (found[f"delay:{lever}"].status, found[f"delay:{lever}"].detail) == (
        "ready",
        "it must be scheduled and then waits 1h",
    )
    assert "must be scheduled first" in found[f"undo:{step}"].detail
    slow.write_text(SLOW_RUNBOOK.replace("deadline: 2h", "deadline: 15m"))
    late = by_id(looked(prepared, slow))
    assert {one.id for one in late.values() if one.status == "not-ready"} - {
        one.id for one in found.values() if one.status == "not-ready"
    } == {f"delay:{lever}"}
    assert "within 15m" in late[f"delay:{lever}"].detail


def test_a_slot_that_the_chain_does_not_name_holds_up_its_steps_and_says_so(prepared: Path, slow: Path) -> None:
    protocol = slow.parent / "protocols" / "slow-exchange.yaml"
    protocol.write_text(SLOW_PROTOCOL.replace("exchange.governance()", "exchange.senate()"))
    found = by_id(looked(prepared, slow, "oracle-divergence"))
    assert found["slots:slow@ETH-USD"].status == "unknown"
    for kind in ("simulate", "undo"):
        item = found[f"{kind}:slow/pause@ETH-USD"]
        assert item.status == "unknown" and "slots:slow@ETH-USD" in item.detail
    assert found["simulate:oracle-divergence/pause@ETH-USD"].status == "ready"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda service: setattr(service, "body", b'{"version": 7}'), "no transaction service"),
        (lambda service: setattr(service, "body", b"[" * 10_000), "JSON"),
        (lambda service: setattr(service, "body", b"x" * 20_000_000), "larger"),
        (lambda service: setattr(service, "status", 302), "redirects"),
        (lambda service: setattr(service, "status", 429), "throttling"),
    ],
    ids=["another thing", "deep", "endless", "redirect", "throttled"],
)
def test_a_service_that_does_not_answer_as_one_is_not_ready_and_its_queue_unknown(
    prepared: Path, spoil: Callable[[SafeService], None], words: str
) -> None:
    with SafeService() as service:
        spoil(service)
        prepared.write_text(prepared.read_text() + f'services: {{drill: {{url: "{service.url}/"}}}}\n')
        found = by_id(looked(prepared, "oracle-divergence"))
    assert found["service:drill"].status == "not-ready" and words in found["service:drill"].detail
    assert found["nonce-queue:council"].status == found["delegates:council"].status == "unknown"


def test_a_service_without_tls_elsewhere_gets_no_request_and_no_key(prepared: Path) -> None:
    prepared.write_text(prepared.read_text() + 'services: {drill: {url: "http://service.example"}}\n')
    item = by_id(looked(prepared, "oracle-divergence"))["service:drill"]
    assert item.status == "not-ready" and "not https" in item.detail


def test_without_a_market_or_with_an_unknown_one_nothing_is_read(prepared: Path) -> None:
    with pytest.raises(Misused, match="no market"):
        looked(prepared, "oracle-divergence", markets=["DOGE-USD"])


def raising(problem: Exception) -> Callable[[], Item]:
    """A look that fails."""

    def look() -> Item:
        raise problem

    return look


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (Unread("gone"), "unknown"),
        (Refused("bad"), "not-ready"),
        (ValueError("odd"), "unknown"),
        (KeyError("x"), "unknown"),
    ],
)
def test_what_fails_is_never_ready(problem: Exception, status: str) -> None:
    item = judged("pin:a", raising(problem))
    assert (item.id, item.status) == ("pin:a", status) and item.detail and item.fix


def test_one_id_has_one_line_with_the_worst_and_everything_said_of_it() -> None:
    one, two, three = ready("role:a", "fine"), unknown("role:a", "unseen"), not_ready("role:a", "gone", "grant it")
    assert merged([one, two, three, one]) == (three,)
    assert merged([two, unknown("role:a", "late")])[0].detail == "unseen; late"
    assert (together([one]), together([one, two]), together([two, three])) == ("ready", "unknown", "not-ready")
    assert together([]) == "unknown"
    assert "role:a, role:b" in waiting("simulate:x", ["role:a", "role:b", "role:a"]).detail


def test_what_comes_from_outside_is_shown_plainly() -> None:
    assert "\x1b" not in not_ready("pin:\x1b[31m", "\x1b]52;c;x\x07", "\u202e").to_json().__repr__()


def simulating(result: Json | RpcError) -> Callable[[Answer], Answer]:
    """A node that has eth_simulateV1 for the undo alone, and always this answer to it."""

    def twist(answer: Answer) -> Answer:
        def told(request: Request) -> Json | RpcError:
            if request.method == "eth_simulateV1" and "stateOverrides" not in str(request.params):
                return result
            return answer(request)

        return told

    return twist


def outcome(data: str, *, fails: bool = False) -> dict[str, Json]:
    """One call of a simulated block."""
    return {"status": "0x0" if fails else "0x1", "returnData": data, "logs": [], "gasUsed": "0x5208"}


OPEN, PAUSED = "0x" + "00" * 32, "0x" + "00" * 31 + "01"
NOT_ALLOWED = "0x08c379a0" + "20".rjust(64, "0") + "0b".rjust(64, "0") + b"not allowed".hex().ljust(64, "0")
CAPACITY, PERIOD = (f"0x{one:064x}" for one in (1_000_000 * 10**6, 3_600))
PULLED: list[Json] = [outcome("0x")] * 6  # two levers, two undos scheduled in the time-lock, then made by it
REFUSED = outcome(NOT_ALLOWED, fails=True)


@pytest.mark.parametrize(
    ("result", "status", "words"),
    [
        ([{"calls": [*PULLED, outcome(CAPACITY), outcome(PERIOD), outcome(OPEN)]}], "ready", "puts back what stood"),
        ([{"calls": [*PULLED, outcome(CAPACITY), outcome(PERIOD), outcome(PAUSED)]}], "not-ready", "would be true"),
        ([{"calls": [*PULLED, outcome(CAPACITY), outcome(PERIOD), outcome("0x")]}], "unknown", "could not be read"),
        (
            [{"calls": [*PULLED[:4], REFUSED, *PULLED[:1], *PULLED[:3]]}],
            "not-ready",
            ": the undo of exchange.limit_withdrawals",
        ),
        (
            [{"calls": [*PULLED[:2], REFUSED, *PULLED[:3], *PULLED[:3]]}],
            "not-ready",
            ": scheduling the undo of exchange.limit_withdrawals",
        ),
        ([{"calls": PULLED}], "unknown", "malformed"),
        ([{"calls": None}], "unknown", "malformed"),
        ([], "unknown", "malformed"),
        ("0x", "unknown", "malformed"),
        (None, "unknown", "malformed"),
        ([{"calls": [{"status": "0x7"}] * 9}], "unknown", "malformed"),
        (RpcError(-32601, "no such method"), "unknown", "no such method"),
        (RpcError(3, "execution reverted", "0x"), "not-ready", "execution reverted"),
    ],
    ids=[
        "back",
        "not back",
        "unread",
        "reverts",
        "may not schedule",
        "too few",
        "no calls",
        "no block",
        "text",
        "null",
        "odd status",
        "no method",
        "all reverts",
    ],
)
def test_an_undo_is_ready_only_where_the_node_showed_what_stood_before(
    tmp_path: Path, result: Json | RpcError, status: str, words: str
) -> None:
    with ServedWorld("oracle-divergence", 3, (simulating(result),)) as served:
        item = by_id(looked(served.deployment(tmp_path), "oracle-divergence"))["undo:oracle-divergence/pause@ETH-USD"]
    assert (item.status, words in item.detail) == (status, True), item
