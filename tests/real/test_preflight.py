"""Preflight on a real Safe: each fault that is put in is found, by its own line, and by no other line."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from incident_cli.chain.state_diff import MODULES_SLOT, OWNERS_SLOT, THRESHOLD_SLOT, mapping_slot
from incident_cli.evm import checksummed
from incident_cli.flows.pinning.look import look
from incident_cli.flows.preflight.checklist import Preflight
from incident_cli.safe import contracts
from incident_cli.safe.contracts import RELEASES, SENTINEL
from tests.cli.command import run
from tests.contracts.packages import Packages
from tests.contracts.safes import place_release
from tests.fakes.anvil import Anvil
from tests.fakes.node import Node
from tests.fakes.safe_service import SafeService, delegate, queued
from tests.real.switchboard import (
    BEHIND_TOO,
    CHAIN_ID,
    DAY,
    GUARD,
    HANDLER,
    HOOK,
    IMPLEMENTATION,
    KEY,
    MODULE,
    MODULE_GUARD,
    OTHER_GUARD,
    PROXY,
    Later,
    Switchboard,
    build_board,
    of_another_chain,
    through,
)

STEP = "switched/pause@ETH-USD"
LEVER = "exchange.pause_market@council"
STRANGER = checksummed("0x" + "77" * 20)
Fault = Callable[[Switchboard], None]


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switchboard]:
    """Everything ready, built once."""
    folder = tmp_path_factory.mktemp("ready")
    with (
        Anvil(packages.anvil, chain_id=CHAIN_ID, timestamp=int(time.time()) - DAY) as anvil,
        SafeService(KEY, CHAIN_ID) as service,
    ):
        nodes = [Node(through(anvil)) for _ in range(3)]
        with nodes[0], nodes[1], nodes[2]:
            yield build_board(anvil, service, nodes, folder)


@pytest.fixture(scope="module")
def before(built: Switchboard) -> Preflight:
    """The preflight of it, with nothing wrong."""
    return built.look()


@pytest.fixture
def board(built: Switchboard, before: Preflight, tmp_path: Path) -> Iterator[Switchboard]:
    """Everything as it was built, for this test alone; its files are the test's own."""
    shutil.copytree(built.folder, tmp_path / "own")
    snapshot = built.anvil.snapshot()
    mine = Switchboard(
        built.anvil,
        built.council,
        built.governance,
        built.exchange,
        built.layout,
        built.service,
        built.nodes,
        tmp_path / "own",
        dict(built.environment),
    )
    yield mine
    built.anvil.revert(snapshot)
    for one in built.nodes:
        one.answer, one.fault = through(built.anvil), None
    built.service.status, built.service.body, built.service.chain_id = 200, None, CHAIN_ID
    built.service.queue.clear()
    built.service.delegates.clear()


def test_with_nothing_wrong_everything_is_ready(before: Preflight) -> None:
    assert [(one.id, one.status, one.detail) for one in before.items if one.status != "ready"] == []
    assert before.status == "ready"
    ids = {one.id for one in before.items}
    assert ids >= {
        "chain-id:anvil",
        "nodes:anvil",
        "head:anvil",
        "pin:exchange.exchange",
        "pin:feed.feed",
        "pin:council.singleton",
        "token:USDC",
        "safe-version:council",
        "safe-owners:council",
        "safe-threshold:council",
        "safe-guard:council",
        "safe-module-guard:council",
        "safe-modules:council",
        "safe-fallback-handler:council",
        "nonce-queue:council",
        "delegates:council",
        "service:anvil",
        "gas:anvil",
        "contacts:council",
        f"role:{LEVER}",
        f"role-expiry:{LEVER}",
        f"authority:{LEVER}",
        "over-privilege:council",
        f"simulate:{STEP}",
        f"undo:{STEP}",
        "drill-age:switched",
    }
    simulated = next(one for one in before.items if one.id == f"simulate:{STEP}")
    assert "not exercised: signatures)" in simulated.detail, "the guard and the state changes were seen"


def wrong_chain(board: Switchboard) -> None:
    board.nodes[2].answer = of_another_chain(board.nodes[2].answer)


def dead_node(board: Switchboard) -> None:
    board.nodes[2].fault = "reset"


def chain_stands_still(board: Switchboard) -> None:
    board.clock = Later(seconds=DAY)


def code_changed(board: Switchboard) -> None:
    code = board.anvil.rpc("eth_getCode", board.exchange, "latest")
    board.anvil.set_code(board.exchange, bytes.fromhex(code[2:]) + b"\x00")


def upgraded(board: Switchboard) -> None:
    board.store(PROXY, IMPLEMENTATION, BEHIND_TOO)


def code_behind_changed(board: Switchboard) -> None:
    board.anvil.set_code(checksummed("0x" + "00" * 18 + "9803"), bytes.fromhex("600160005260206000f300"))


def singleton_changed(board: Switchboard) -> None:
    place_release(board.anvil, "1.4.1")
    board.store(board.council.address, 0, RELEASES["1.4.1"].singletons_l2[0])


def singleton_code_changed(board: Switchboard) -> None:
    singleton = RELEASES["1.5.0"].singletons_l2[0]
    code = board.anvil.rpc("eth_getCode", singleton, "latest")
    board.anvil.set_code(singleton, bytes.fromhex(code[2:]) + b"\x00")


def threshold_beyond(board: Switchboard) -> None:
    board.store(board.council.address, THRESHOLD_SLOT, 4)


def threshold_of_one(board: Switchboard) -> None:
    board.store(board.council.address, THRESHOLD_SLOT, 1)


def owner_changed(board: Switchboard) -> None:
    first, second, third = (one.address for one in board.council.owners)
    safe = board.council.address
    linked = {SENTINEL: first, first: second, second: STRANGER, STRANGER: SENTINEL, third: "0x0"}
    for owner, following in linked.items():
        board.store(safe, mapping_slot(owner, OWNERS_SLOT), following)


def guard_set(board: Switchboard) -> None:
    board.store(board.council.address, contracts.GUARD_SLOT, OTHER_GUARD)


def guard_blocks(board: Switchboard) -> None:
    board.store(GUARD, 0, 1)


def module_guard_set(board: Switchboard) -> None:
    board.store(board.council.address, contracts.MODULE_GUARD_SLOT, MODULE_GUARD)


def module_enabled(board: Switchboard) -> None:
    safe = board.council.address
    board.store(safe, mapping_slot(SENTINEL, MODULES_SLOT), MODULE)
    board.store(safe, mapping_slot(MODULE, MODULES_SLOT), SENTINEL)


def handler_changed(board: Switchboard) -> None:
    board.store(board.council.address, contracts.FALLBACK_HANDLER_SLOT, HANDLER)


def role_lost(board: Switchboard) -> None:
    board.switch("guardian", STRANGER)


def role_ended(board: Switchboard) -> None:
    board.switch("guardian_until", board.anvil.now() - 1)


def role_ends_soon(board: Switchboard) -> None:
    board.switch("guardian_until", int(time.time()) + 3 * DAY)


def writes_elsewhere(board: Switchboard) -> None:
    board.switch("hook", HOOK)


def nobody_undoes(board: Switchboard) -> None:
    board.switch("governance", STRANGER)


def more_power(board: Switchboard) -> None:
    board.switch("sweeper", board.council.address)


def no_gas(board: Switchboard) -> None:
    board.anvil.rpc("anvil_setBalance", board.broadcaster, "0x0")


def wrong_decimals(board: Switchboard) -> None:
    board.switch("decimals", 18)


def service_down(board: Switchboard) -> None:
    board.service.status = 503


def service_of_another_chain(board: Switchboard) -> None:
    board.service.chain_id = 1


def service_is_a_page(board: Switchboard) -> None:
    board.service.body = b"<html>Welcome</html>"


def key_is_missing(board: Switchboard) -> None:
    del board.environment["SERVICE_KEY"]


def key_is_wrong(board: Switchboard) -> None:
    board.environment["SERVICE_KEY"] = "another"


def queue_occupied(board: Switchboard) -> None:
    board.service.queue.append(queued(board.council.address, 0))


def orphaned_delegate(board: Switchboard) -> None:
    board.service.delegates.append(delegate(board.council.address, STRANGER, STRANGER))


def contact_of_nobody(board: Switchboard) -> None:
    more = f'contacts:\n  - {{name: a-stranger, owner: "{STRANGER}", reach: pager}}'
    board.edit(board.deployment, "contacts:", more)


def contact_missing(board: Switchboard) -> None:
    third = board.council.owners[2].address
    board.edit(board.deployment, f'  - {{name: council-3, owner: "{third}", reach: pager}}\n', "")


def drill_overdue(board: Switchboard) -> None:
    board.edit(board.runbook, "title: The exchange must be stopped", "title: The exchange must be stopped now")


def authority_missing(board: Switchboard) -> None:
    board.edit(board.deployment, "levers: [exchange.pause_market]", "levers: [exchange.sweep]")


def authority_too_mild(board: Switchboard) -> None:
    board.edit(board.deployment, "[exchange.pause_market], severity: SEV2", "[exchange.pause_market], severity: SEV1")


FAULTS: list[tuple[Fault, set[str], str]] = [
    (wrong_chain, {"chain-id:anvil"}, "id 5"),
    (dead_node, {"nodes:anvil"}, "2 of 3 nodes"),
    (chain_stands_still, {"head:anvil"}, "old"),
    (code_changed, {"pin:exchange.exchange"}, "has changed"),
    (upgraded, {"pin:feed.feed"}, "was upgraded"),
    (code_behind_changed, {"pin:feed.feed"}, "the code behind"),
    (singleton_changed, {"safe-version:council"}, "(1.4.1), pinned was"),
    (singleton_code_changed, {"pin:council.singleton", "pin:governance.singleton"}, "has changed"),
    (threshold_beyond, {"safe-threshold:council"}, "only 3 can be reached"),
    (threshold_of_one, {"safe-threshold:council"}, "one key alone"),
    (owner_changed, {"contacts:council"}, STRANGER),
    (guard_set, {"safe-guard:council"}, OTHER_GUARD),
    (guard_blocks, {f"simulate:{STEP}"}, "without its guard, they succeed"),
    (module_guard_set, {"safe-module-guard:council"}, MODULE_GUARD),
    (module_enabled, {"safe-modules:council"}, MODULE),
    (handler_changed, {"safe-fallback-handler:council"}, HANDLER),
    (role_lost, {f"role:{LEVER}"}, "does not hold"),
    (role_ended, {f"role-expiry:{LEVER}"}, "it has ended"),
    (role_ends_soon, {f"role-expiry:{LEVER}"}, "it ends in"),
    (writes_elsewhere, {f"simulate:{STEP}"}, HOOK),
    (nobody_undoes, {f"undo:{STEP}"}, "not allowed"),
    (more_power, {"over-privilege:council"}, "exchange.sweep"),
    (no_gas, {"gas:anvil"}, "nobody can pay"),
    (wrong_decimals, {"token:USDC"}, "18 decimals"),
    (service_down, {"service:anvil"}, "503"),
    (service_of_another_chain, {"service:anvil"}, "chain with id 1,"),
    (service_is_a_page, {"service:anvil"}, "JSON"),
    (key_is_missing, {"service:anvil"}, "SERVICE_KEY"),
    (key_is_wrong, {"service:anvil"}, "refused the credential"),
    (queue_occupied, {"nonce-queue:council"}, "nonce 0"),
    (orphaned_delegate, {"delegates:council"}, STRANGER),
    (contact_of_nobody, {"contacts:council", "contacts:governance"}, "a-stranger"),
    (contact_missing, {"contacts:council", "contacts:governance"}, "how to reach"),
    (drill_overdue, {"drill-age:switched"}, "no drill of exactly this text"),
    (authority_missing, {f"authority:{LEVER}"}, "granted to nobody"),
    (authority_too_mild, {f"authority:{LEVER}"}, "from SEV1 on"),
]


@pytest.mark.parametrize(("fault", "wanted", "words"), FAULTS, ids=[fault.__name__ for fault, _, _ in FAULTS])
def test_a_fault_is_found_by_its_own_line_and_no_other(
    board: Switchboard, before: Preflight, fault: Fault, wanted: set[str], words: str
) -> None:
    fault(board)
    found = board.look()
    assert found.status == "not-ready"
    wrong = {one.id: one for one in found.items if one.status == "not-ready"}
    assert set(wrong) == wanted, [(one.id, one.detail) for one in found.items if one.status != "ready"]
    assert all(words in one.detail and one.fix for one in wrong.values()), wrong
    assert [one.id for one in found.items] == [one.id for one in before.items]
    for one in found.items:  # what depends on it waits and says for what; everything else is as before
        assert one.status == "ready" or one.id in wrong or any(name in one.detail for name in wrong), one


def test_the_command_exits_zero_and_never_shows_the_key(board: Switchboard) -> None:
    board.look()  # a block of now
    words = ["preflight", str(board.runbook), "--deployment", str(board.deployment), "--json"]
    ended = run(words, board.home, SERVICE_KEY=KEY)
    assert ended.code == 0, ended.err
    assert ended.object["ready"] is True and KEY not in ended.out + ended.err
    assert ended.err.splitlines()[-1].startswith("together: ready")
    assert run(words, board.home, SERVICE_KEY="another").code == 1


def test_what_a_safe_acts_with_is_pinned_anew_only_when_it_is_accepted(board: Switchboard) -> None:
    guard_set(board)
    module_enabled(board)
    found = look(board.deployment, board.environment.get)
    states = {one.pin.name: one.state for one in found.pins if one.state != "same"}
    assert states == {"council.guard": "changed", "council.module-1": "new"}
    found.write()
    assert board.look().status == "ready", "what is accepted is not found again"
    board.store(board.council.address, contracts.GUARD_SLOT, 0)
    gone = look(board.deployment, board.environment.get)
    assert {one.pin.name: one.state for one in gone.pins if one.state != "same"} == {"council.guard": "gone"}
    gone.write()
    assert OTHER_GUARD not in board.deployment.read_text()
    guard_set(board)
    again = {one.id: one.status for one in board.look().items}
    assert again["safe-guard:council"] == "not-ready", "a guard that was taken out of the pins is a stranger again"
