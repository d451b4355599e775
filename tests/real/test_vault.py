"""The vault from arming to proof, on a real node with real Safes; every way it may not be fired; every way it dies."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from incident_cli.abi import parse_signature
from incident_cli.errors import Misused, Refused, Unread
from incident_cli.evm import Call, checksummed, hex_bytes, to_hex
from incident_cli.flows.guarding import PLACES
from incident_cli.flows.pinning.proxies import IMPLEMENTATION_SLOT
from incident_cli.flows.vault.firing import fire
from incident_cli.flows.vault.intents import path_beside
from incident_cli.flows.vault.revoking import revoke
from incident_cli.flows.vault.roads import Roads
from incident_cli.flows.vault.signing import sign_ladder, with_signatures
from incident_cli.flows.vault.status import examine
from incident_cli.flows.vault.watching import Sighting, watch
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.vault import Vault
from incident_cli.transport import Request
from tests.contracts.misbehaviour import compiled
from tests.contracts.packages import Packages
from tests.contracts.safes import build_safe
from tests.fakes.anvil import Anvil
from tests.fakes.node import Node
from tests.fakes.signers import AccountSigner
from tests.real.containing import BTC, ETH, ETHER, STRANGER, Site, as_founded, build_site
from tests.real.test_vault_table import SWAP, Post, before_in_list, build_old_safe
from tests.real.vaulting import (
    PAUSE,
    Armoury,
    Counting,
    Killed,
    arm_order,
    armed,
    armoury,
    dies_on,
    rich,
    stranger,
    without_signature,
)

TIGHTEN = "{lever: exchange.tighten, most: 20}"
SET_LIMIT = "set_limit(uint256 limit)"


@pytest.fixture(scope="module")
def anvil(packages: Packages) -> Iterator[Anvil]:
    with Anvil(packages.anvil) as found:
        yield found


@pytest.fixture(scope="module")
def built(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return build_site(anvil, tmp_path_factory.mktemp("built"))


@pytest.fixture
def site(built: Site, tmp_path: Path) -> Iterator[Site]:
    with as_founded(built, tmp_path) as found:
        yield found


@pytest.fixture
def ready(site: Site) -> Armoury:
    """A ladder of four rungs for two markets, signed by two of three."""
    return armoury(site)


# from arming to the proof


@pytest.mark.parametrize("version", ["1.3.0", "1.4.1", "1.5.0"])
def test_armed_signed_and_fired_by_a_stranger(anvil: Anvil, tmp_path: Path, version: str) -> None:
    before = anvil.snapshot()
    council = build_safe(anvil, version, seed=9)
    market = anvil.deploy(compiled("guarded_market"))
    anvil.transact(anvil.accounts[0], market, "appoint(address guardian)", council.address)
    store = armoury(Site(council, market, market, tmp_path))
    assert store.states() == ["ready", "behind", "behind", "behind"]
    report = store.fire()
    assert (report.outcome, report.exit_code, store.nonce) == ("contained", 0, 1)
    assert store.site.paused(ETH) and not store.site.paused(BTC)
    assert report.block is not None and report.block.number == int(anvil.rpc("eth_blockNumber"), 16)
    assert store.fire("BTC-USD").outcome == "contained" and store.site.paused(BTC) and store.nonce == 2
    anvil.revert(before)


def test_a_batch_goes_through_multisend_call_only(site: Site) -> None:
    store = armoury(site, arm_order(site, f"{PAUSE}, {TIGHTEN}", ["ETH-USD"], 3))
    assert {one.tx.operation for one in store.vault.rungs} == {1}
    assert store.fire().outcome == "contained" and site.paused()
    assert site.anvil.view(site.market, "limit() returns (uint256)") == (20,)


def test_two_round_trips_from_the_decrypted_key_to_sent(ready: Armoury) -> None:
    node = Counting(ready.site.anvil.endpoint())
    ready.fire("ETH-USD", None, node)
    sent = next(at for at, methods in enumerate(node.exchanges) if "eth_sendRawTransaction" in methods)
    assert sent == 1 and node.exchanges[1] == ["eth_sendRawTransaction"]


def test_what_is_contained_already_is_not_fired(ready: Armoury) -> None:
    pause_otherwise(ready.site)
    report = ready.fire()
    assert (report.outcome, report.exit_code, ready.nonce) == ("already-contained", 0, 0)
    assert not path_beside(ready.path).exists()
    assert ready.states() == ["satisfied"] * 4 and ready.examined().exit_code == 0


def pause_otherwise(site: Site) -> None:
    """The Safe pauses by another road than its own transactions."""
    site.anvil.rpc("anvil_setBalance", site.council.address, hex(ETHER))
    site.anvil.transact(
        site.council.address, site.market, "set_paused(bytes32 market, bool paused)", hex_bytes(ETH), True
    )


def test_fired_again_after_a_reopening_uses_the_next_rung(ready: Armoury) -> None:
    assert ready.fire().outcome == "contained"
    site = ready.site
    site.anvil.rpc("anvil_setBalance", site.council.address, hex(ETHER))
    site.anvil.transact(
        site.council.address, site.market, "set_paused(bytes32 market, bool paused)", hex_bytes(ETH), False
    )
    report = ready.fire()
    assert (report.outcome, ready.nonce) == ("contained", 2)
    assert report.rung is not None and report.rung.tx.nonce == 1 and site.paused()


# what is not armed


def refusal(site: Site, calls: str, **changes: object) -> str:
    with pytest.raises((Refused, Misused)) as caught:
        armed(site, replace(arm_order(site, calls, ["ETH-USD"], 3), **changes))  # type: ignore[arg-type]
    return caught.value.message


def test_what_is_not_armed(site: Site) -> None:
    protocol = site.deployment.parent / "protocols" / "guarded-market.yaml"
    text = protocol.read_text()
    releasing = text.replace("  tighten:\n", UNPAUSE + "  tighten:\n")
    assert releasing != text
    said = {}
    for lever in ("unpause", "open_up", "copy_limit", "wait"):
        said[lever] = refusal_with(site, releasing, f'{{lever: exchange.{lever}, market: "{{market}}"}}')
    assert "does not restrict (unpause)" in said["unpause"]
    assert "is false; whoever holds the file" in said["open_up"]
    assert "what limit answers today" in said["copy_limit"]
    assert "scheduled" in said["wait"]


UNPAUSE = """  unpause:
    {does: "Opens.", scope: market, args: {market: {type: market}}, on: venue,
      call: "set_paused(bytes32 market, bool paused)", with: {paused: "False"}, expect: {is_shut: "True"},
      writes: [venue], irreversible: true, consequence: open every market again}
  open_up:
    {does: "Opens as well.", scope: market, args: {market: {type: market}}, on: venue,
      call: "set_paused(bytes32 market, bool paused)", with: {paused: "False"}, expect: {paused: "False"},
      writes: [venue], undo: {by: same, with: {paused: before.paused}}}
  copy_limit:
    {does: "Keeps what stands.", scope: market, args: {market: {type: market}}, on: venue,
      call: "set_limit(uint256 limit)", with: {limit: before.limit}, expect: {is_shut: "True"},
      writes: [venue], irreversible: true, consequence: keep the limit as it stands}
  wait:
    {does: "Waits.", scope: market, args: {market: {type: market}}, on: venue,
      call: "set_paused(bytes32 market, bool paused)", with: {paused: "True"}, expect: {paused: "True"},
      writes: [venue], delay: {road: timelock, on: other, seconds: at_risk},
      undo: {by: same, with: {paused: before.paused}}}
"""


def refusal_with(site: Site, protocol: str, calls: str) -> str:
    order = arm_order(site, calls, ["ETH-USD"], 3)
    (site.folder / "protocols" / "guarded-market.yaml").write_text(protocol)
    with pytest.raises(Refused) as caught:
        armed(site, order)
    return caught.value.message


def test_nothing_is_armed_that_stands_already_or_at_a_spent_nonce(site: Site) -> None:
    pause_otherwise(site)
    assert "in effect already" in refusal(site, PAUSE)
    assert "1 to 50 rungs" in refusal(site, PAUSE, rungs=0)
    assert "no contain step" in refusal(site, PAUSE, step="nothing")
    assert "name each market once" in refusal(site, PAUSE, markets=("ETH-USD", "ETH-USD"))


def test_an_old_safe_is_not_armed(packages: Packages, tmp_path: Path) -> None:
    with Anvil(packages.anvil) as anvil:
        council = build_old_safe(anvil)
        market = anvil.deploy(compiled("guarded_market"))
        anvil.transact(anvil.accounts[0], market, "appoint(address guardian)", council.address)
        said = refusal(Site(council, market, market, tmp_path), PAUSE)
    assert "1.1.1 cannot hold pre-signed transactions" in said


def test_a_ladder_that_begins_later_waits_for_its_turn(site: Site) -> None:
    made = armed(site, replace(arm_order(site), from_nonce=2))
    assert any("before nonce 2" in one for one in made.notes) and made.vault.nonces == (2, 3, 4, 5)
    store = armoury(site, replace(arm_order(site), from_nonce=2))
    with pytest.raises(Refused, match="before the ladder's first, 2"):
        store.fire()
    assert store.states() == ["behind"] * 4 and store.examined().exit_code == 1


# signatures


def test_only_an_owner_signs_and_only_once(site: Site) -> None:
    vault = armed(site).vault
    with pytest.raises(Refused, match="is no owner"):
        sign_ladder(vault, stranger(site))
    once = sign_ladder(vault, AccountSigner(site.council.owners[0]))
    again = sign_ladder(once, AccountSigner(site.council.owners[0]))
    assert again == once and all(len(one.signatures) == 1 for one in once.rungs)
    store = Armoury(site, once)
    assert store.states() == ["unsigned"] * 4
    with pytest.raises(Refused, match="1 of 2 signatures"):
        store.fire()


def test_signatures_of_files_are_held_against_their_rungs(ready: Armoury) -> None:
    vault = without_signature(ready.vault, ready.site.council.owners[1].address)
    owner = ready.site.council.owners[1]
    rung = ready.vault.rungs[0]
    good = rung.signatures[owner.address]
    merged, count = with_signatures(vault, [(rung.tx, {owner.address: good})])
    assert count == 1 and merged.rungs[0].signatures == rung.signatures
    other = ready.vault.rungs[2].signatures[owner.address]
    stray = replace(rung.tx, nonce=99)
    for tx, signature, words in (
        (rung.tx, other, "is 0x"),
        (rung.tx, good[:64] + b"\x01", "is no key's"),
        (stray, good, "is no rung"),
    ):
        with pytest.raises(Refused, match=words):
            with_signatures(vault, [(tx, {owner.address: signature})])


# what stands in the way of a fire


def test_a_routine_transaction_eats_a_rung_and_the_last_one_ends_the_ladder(ready: Armoury) -> None:
    for _ in range(4):
        ready.site.council.execute(Call(ready.site.market, parse_signature(SET_LIMIT), (7,)))
    assert ready.states() == ["burnt"] * 4 and ready.examined().exit_code == 1
    with pytest.raises(Refused, match="the ladder is used up"):
        ready.fire()


def test_another_chain_or_no_node_sends_nothing(ready: Armoury) -> None:
    other = replace(ready, vault=renamed(ready.vault, 1))
    with pytest.raises(Refused, match="serves the chain 31337"):
        other.fire()
    with Node(lambda request: None, fault="reset") as dead:
        with pytest.raises(Unread, match="no node answered"):
            ready.fire("ETH-USD", None, dead.endpoint())
        assert ready.fire("ETH-USD", None, dead.endpoint(), ready.site.anvil.endpoint()).outcome == "contained"


def renamed(vault: Vault, chain_id: int) -> Vault:
    """The vault as if it were of another chain."""
    rungs = tuple(replace(one, tx=replace(one.tx, chain_id=chain_id)) for one in vault.rungs)
    return replace(vault, chain_id=chain_id, rungs=rungs)


def test_a_broadcaster_without_money_sends_nothing(ready: Armoury) -> None:
    poor = stranger(ready.site)
    ready.site.anvil.rpc("anvil_setBalance", poor.address, hex(10**9))
    with pytest.raises(Refused, match="and this can cost"):
        ready.fire("ETH-USD", poor)
    assert not path_beside(ready.path).exists() and ready.nonce == 0


def rotate(site: Site, out: int) -> None:
    """An owner is exchanged, without a transaction of the Safe's own."""
    owner = site.council.owners[out].address
    previous = before_in_list(Post(site.council, site.market), owner)
    site.as_safe(SWAP, previous, owner, STRANGER)


def test_a_rotated_signer_kills_the_ladder(ready: Armoury) -> None:
    rotate(ready.site, 0)
    assert ready.states() == ["dead"] * 4
    with pytest.raises(Refused, match="is no owner any more"):
        ready.fire()
    assert not ready.site.paused() and ready.nonce == 0


def test_two_of_three_signers_who_stay_are_enough(site: Site) -> None:
    store = armoury(site, signers=(0, 1, 2))
    rotate(site, 0)
    found = store.examined()
    assert found.standing.changed == ("owners",) and found.exit_code == 1
    assert store.fire().outcome == "contained" and site.paused()


def test_a_raised_threshold_takes_another_signature(ready: Armoury) -> None:
    ready.site.as_safe("changeThreshold(uint256 threshold)", 3)
    assert ready.states() == ["unsigned"] * 4
    with pytest.raises(Refused, match="2 of 3 signatures"):
        ready.fire()
    ready.vault = sign_ladder(ready.vault, AccountSigner(ready.site.council.owners[2]))
    assert ready.fire().outcome == "contained"


def test_changed_code_takes_two_people(ready: Armoury) -> None:
    site = ready.site
    code = hex_bytes(site.anvil.rpc("eth_getCode", site.market, "latest"))
    site.anvil.set_code(site.market, code + b"\0")
    assert ready.states() == ["changed"] * 4
    with pytest.raises(Refused, match=f"code of {site.market}") as caught:
        ready.fire()
    assert "--overrule" in caught.value.hint
    ada, bob = ("Ada", "our own upgrade, read it"), ("Bob", "I read it too")
    for people in ([ada], [ada, ("ada", "me again")], [ada, ("Bob", " ")]):
        with pytest.raises(Refused, match="two people"):
            fire(replace(ready.order(), overruled=people))
    assert fire(replace(ready.order(), overruled=[ada, bob])).outcome == "contained"
    assert [one["name"] for one in ready.intents.records[0]["overruled"]] == ["Ada", "Bob"]


@pytest.mark.parametrize(
    ("change", "args", "name"),
    [
        ("enableModule(address module)", (STRANGER,), "modules"),
        ("setFallbackHandler(address handler)", (STRANGER,), "fallback handler"),
        ("changeThreshold(uint256 threshold)", (1,), "threshold"),
    ],
)
def test_whoever_changes_who_controls_the_safe_is_seen(
    ready: Armoury, change: str, args: tuple[object, ...], name: str
) -> None:
    ready.site.as_safe(change, *args)
    found = ready.examined()
    assert found.standing.changed == (name,) and found.exit_code == 1
    assert any(name in one for one in found.alarms)


@pytest.mark.parametrize("name", ["guard", "module guard", "fallback handler", "singleton"])
def test_every_place_of_the_safe_is_watched(ready: Armoury, name: str) -> None:
    anvil, safe = ready.site.anvil, ready.site.council.address
    word = hex_bytes(anvil.rpc("eth_getStorageAt", safe, PLACES["singleton"], "latest"))
    twin = checksummed(b"\x77" * 20)
    anvil.set_code(twin, hex_bytes(anvil.rpc("eth_getCode", checksummed(word[-20:]), "latest")))
    anvil.rpc("anvil_setStorageAt", safe, PLACES[name], "0x" + "0" * 24 + twin[2:])
    found = ready.examined()
    assert found.standing.changed == (name,) and found.exit_code == 1
    assert set(ready.states()) == {"changed"}
    if name == "singleton":
        with pytest.raises(Refused, match="since the arming: singleton"):
            ready.fire()


def test_an_upgrade_behind_a_proxy_is_seen(site: Site) -> None:
    """The market's code moves behind a proxy before the arming; afterwards the proxy is pointed elsewhere."""
    anvil = site.anvil
    first, second = (checksummed(bytes([number]) * 20) for number in (0x71, 0x72))
    code = hex_bytes(anvil.rpc("eth_getCode", site.market, "latest"))
    for one in (first, second):
        anvil.set_code(one, code)
    anvil.set_code(site.market, proxy_code())
    point(site, first)
    store = armoury(site, arm_order(site, markets=["ETH-USD"], rungs=3))
    assert store.states() == ["ready", "behind", "behind"]
    point(site, second)
    assert store.states() == ["changed"] * 3
    with pytest.raises(Refused, match=f"what {site.market} runs"):
        store.fire()


def point(site: Site, to: str) -> None:
    """The market's proxy runs something else."""
    site.anvil.rpc("anvil_setStorageAt", site.market, hex(IMPLEMENTATION_SLOT), "0x" + "0" * 24 + to[2:])


def proxy_code() -> bytes:
    """Delegates everything to the address in the slot of EIP-1967, which stands in the code as one word."""
    slot = IMPLEMENTATION_SLOT.to_bytes(32, "big")
    return bytes.fromhex("365f5f375f5f365f7f" + slot.hex() + "545af43d5f5f3e5f3d91603757fd5bf3")


def test_a_limit_that_stands_lower_already_is_not_raised(site: Site) -> None:
    set_limit(site, 100)
    store = armoury(site, arm_order(site, TIGHTEN, ["ETH-USD"], 3))
    assert store.states() == ["ready", "behind", "behind"]
    set_limit(site, 5)
    assert store.states() == ["changed"] * 3
    with pytest.raises(Refused, match="would loosen"):
        store.fire()
    set_limit(site, 50)
    assert store.fire().outcome == "contained"


def set_limit(site: Site, limit: int) -> None:
    """The Safe sets the limit by another road."""
    site.anvil.rpc("anvil_setBalance", site.council.address, hex(ETHER))
    site.anvil.transact(site.council.address, site.market, SET_LIMIT, limit)


def test_a_role_that_was_taken_away_is_seen_before_anything_is_sent(ready: Armoury) -> None:
    ready.site.govern("appoint(address guardian)", STRANGER)
    assert ready.states() == ["dead"] * 4
    with pytest.raises(Refused, match="its execution fails"):
        ready.fire()
    assert ready.nonce == 0 and not path_beside(ready.path).exists()


# killed and taken up


def killed(store: Armoury, node: Counting) -> None:
    """A fire whose process ends where the node says."""
    with pytest.raises(Killed):
        store.fire("ETH-USD", None, node)


def test_killed_between_the_intent_and_the_sending(ready: Armoury) -> None:
    killed(ready, Counting(ready.site.anvil.endpoint(), before=dies_on("eth_sendRawTransaction")))
    (intended,) = ready.intents.attempts(one.safe_tx_hash for one in ready.vault.rungs)
    assert not ready.site.paused() and ready.nonce == 0
    report = ready.fire()
    assert (report.outcome, report.transaction_hash) == ("contained", intended.transaction_hash)
    assert [one.transaction_hash for one in report.attempts] == [intended.transaction_hash]
    assert ready.nonce == 1


def test_killed_after_the_sending(ready: Armoury) -> None:
    killed(ready, Counting(ready.site.anvil.endpoint(), after=dies_on("eth_sendRawTransaction")))
    (intended,) = ready.intents.attempts(one.safe_tx_hash for one in ready.vault.rungs)
    assert ready.site.paused() and ready.nonce == 1
    node = Counting(ready.site.anvil.endpoint())
    report = ready.fire("ETH-USD", None, node)
    assert (report.outcome, report.transaction_hash) == ("contained", intended.transaction_hash)
    assert not any("eth_sendRawTransaction" in one for one in node.exchanges) and ready.nonce == 1


def test_half_a_line_of_a_killed_process_is_passed_over(ready: Armoury) -> None:
    path_beside(ready.path).write_text('{"schema": "incident.vault-fire/v1", "kind": "int')
    assert ready.fire().outcome == "contained"
    assert [one["kind"] for one in ready.intents.records] == ["intent", "outcome"]


def test_another_broadcaster_takes_over_only_when_told_to(ready: Armoury) -> None:
    killed(ready, Counting(ready.site.anvil.endpoint(), before=dies_on("eth_sendRawTransaction")))
    other = stranger(ready.site, 2)
    with pytest.raises(Refused, match="fired this rung"):
        ready.fire("ETH-USD", other)
    assert fire(replace(ready.order("ETH-USD", other), take_over=True)).outcome == "contained"


def test_what_the_node_refuses_is_sent_nowhere_and_fired_by_another(ready: Armoury) -> None:
    site = ready.site

    def poor(requests: Sequence[Request]) -> None:
        if any(one.method == "eth_estimateGas" for one in requests):
            site.anvil.rpc("anvil_setBalance", stranger_address, hex(10**9))

    stranger_address = stranger(site).address
    with pytest.raises(Refused, match="did not take the transaction"):
        ready.fire("ETH-USD", None, Counting(site.anvil.endpoint(), after=poor))
    assert [one["kind"] for one in ready.intents.records] == ["intent", "refused"]
    assert ready.fire("ETH-USD", stranger(site, 2)).outcome == "contained"


# a pool that waits


@pytest.fixture
def slow(packages: Packages, tmp_path: Path) -> Iterator[Armoury]:
    """A ladder on a chain that has no block before somebody mines it."""
    with Anvil(packages.anvil) as anvil:
        store = armoury(build_site(anvil, tmp_path))
        anvil.rpc("evm_setAutomine", False)
        yield store


def test_a_fee_that_is_too_low_is_raised_at_the_same_nonce(slow: Armoury) -> None:
    anvil, blocks = slow.site.anvil, list[int]()

    def sleeping(seconds: float) -> None:
        blocks.append(1)
        if len(blocks) <= 4:  # the chain goes on without it
            hold(anvil)
        else:
            anvil.mine()

    slow.clock.sleeping = sleeping
    report = slow.fire()
    assert report.outcome == "contained" and len(report.attempts) >= 2
    nonces = {one.nonce for one in report.attempts}
    fees = [(one.max_fee, one.priority_fee) for one in report.attempts]
    assert len(nonces) == 1 and report.transaction_hash == report.attempts[-1].transaction_hash
    for (low, low_tip), (high, high_tip) in itertools.pairwise(fees):
        assert high * 8 >= low * 9 and high_tip * 8 >= low_tip * 9


def hold(anvil: Anvil) -> None:
    """A block without what waits in the pool."""
    waiting = anvil.rpc("txpool_content")["pending"]
    raws = [each for one in waiting.values() for each in one.values()]
    for one in raws:
        anvil.rpc("anvil_dropTransaction", one["hash"])
    anvil.mine()


def test_others_who_execute_the_same_rung_are_named(slow: Armoury) -> None:
    anvil, site = slow.site.anvil, slow.site
    rung = slow.vault.rungs_for("ETH-USD")[0]
    digest = [site.council.owners[one] for one in (0, 1)]
    data = site.council.execution(rung.tx, digest)

    def sleeping(seconds: float) -> None:
        for sender in list(anvil.rpc("txpool_content")["pending"].values()):
            for one in sender.values():
                anvil.rpc("anvil_dropTransaction", one["hash"])
        with suppress(Exception):
            anvil.submit(site.council.executor, site.council.address, data)
        anvil.mine()

    slow.clock.sleeping = sleeping
    report = slow.fire()
    assert (report.outcome, report.exit_code) == ("contained-by-others", 0)
    assert "others executed this rung: 0x" in report.problem and site.paused()


def test_what_is_not_mined_in_time_is_unknown_and_taken_up(slow: Armoury) -> None:
    with pytest.raises(Unread, match="nothing is mined"):
        fire(replace(slow.order(), seconds=4.0))
    slow.site.anvil.mine()
    assert slow.fire().outcome == "contained" and slow.nonce == 1


def test_the_private_node_is_sent_to_first(ready: Armoury) -> None:
    public, private = (Counting(ready.site.anvil.endpoint()) for _ in range(2))
    order = ready.order()
    report = fire(replace(order, roads=Roads((public,), private)))
    assert report.outcome == "contained"
    assert ["eth_sendRawTransaction"] in private.exchanges
    assert not any("eth_sendRawTransaction" in one for one in public.exchanges)


def test_a_private_node_that_refuses_is_passed_over(ready: Armoury) -> None:
    with Node(lambda request: None, fault="reset") as dead:
        report = fire(replace(ready.order(), roads=Roads((ready.site.anvil.endpoint(),), dead.endpoint())))
    assert report.outcome == "contained" and any("private node" in one for one in ready.screen.lines)


# revoked and watched


def test_revoking_one_rung_shows_the_next_and_all_kill_the_ladder(ready: Armoury, tmp_path: Path) -> None:
    found = revoke(ready.vault, ready.place, whole=False)
    assert [one.nonce for one in found.rejections] == [0] and found.remaining == 3
    assert [(one.tx.nonce, one.market) for one in found.next_live] == [(1, "ETH-USD"), (1, "BTC-USD")]
    (path,) = found.write(tmp_path / "out", ready.place)
    execute_file(ready.site, path)
    assert ready.states() == ["burnt", "ready", "behind", "behind"]
    rest = revoke(ready.vault, ready.place, whole=True)
    assert [one.nonce for one in rest.rejections] == [1, 2, 3] and not rest.next_live and rest.remaining == 0
    for one in rest.write(tmp_path / "out", ready.place):
        execute_file(ready.site, one)
    with pytest.raises(Refused, match="used up"):
        ready.fire()
    with pytest.raises(Refused, match="nothing is left to revoke"):
        revoke(ready.vault, ready.place, whole=True)


def execute_file(site: Site, path: Path) -> None:
    """The owners sign and execute what the file holds."""
    tx = SafeTx.from_json(json.loads(path.read_text())["safe_tx"])
    data = site.council.execution(tx, site.council.owners[:2])
    site.anvil.send(site.council.executor, site.council.address, data)


class Enough(Exception):
    """The watch has seen what it had to."""


def test_watching_says_what_changes_and_when_few_are_left(ready: Armoury) -> None:
    site, seen = ready.site, list[Sighting]()
    events: list[Callable[[], object]] = [
        lambda: site.council.execute(site.call(SET_LIMIT, 7)),
        lambda: site.council.execute(site.call(SET_LIMIT, 8)),
        lambda: site.as_safe("enableModule(address module)", STRANGER),
    ]

    def sleeping(seconds: float) -> None:
        if not events:
            raise Enough
        events.pop(0)()

    ready.clock.sleeping = sleeping
    with suppress(Enough):
        watch(ready.vault, ready.place, ready.clock, 12, seen.append)
    assert [one.exit_code for one in seen] == [0, 0, 1, 1]
    assert [one.is_news for one in seen] == [True, False, True, True]
    assert "2 nonces are left" in seen[2].alarms[0]
    assert any("modules is not as it was" in one for one in seen[3].alarms)


def test_a_node_that_does_not_answer_is_unknown_and_never_quiet(ready: Armoury) -> None:
    place = ready.place
    with Node(lambda request: None, fault="reset") as dead:
        place.reader.endpoint = dead.endpoint()
        seen: list[Sighting] = []
        assert watch(ready.vault, place, ready.clock, 12, seen.append, once=True).exit_code == 3


def test_status_takes_one_round_trip_and_prices_the_fire(ready: Armoury) -> None:
    site = ready.site
    payer = rich(site, site.council.owners[2]).address
    site.extra = f'broadcasters: [{{name: duty, chain: local, address: "{payer}"}}]\n'
    place = ready.place
    node = Counting(site.anvil.endpoint())
    place.reader.endpoint = node
    found = examine(ready.vault, place)
    assert len(node.exchanges) == 1
    assert found.exit_code == 0 and found.cost is not None and found.cost > 0
    assert [(one.name, one.enough) for one in found.purses] == [("duty", True)]
    site.anvil.rpc("anvil_setBalance", payer, "0x1")
    poor = examine(ready.vault, place)
    assert poor.exit_code == 1 and "duty" in poor.alarms[0]
    document = poor.to_json()
    assert document["verdict"] == "not-ready" and json.dumps(document)
    assert not any(to_hex(one)[2:] in json.dumps(document) for one in ready.vault.rungs[0].signatures.values())
