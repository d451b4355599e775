"""What is refused while containing, by contracts that really do the bad thing; and what two people may overrule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from incident_cli.abi import encode_call, parse_signature
from incident_cli.evm import Address, Call, checksummed, hex_bytes, keccak
from incident_cli.flows.desk import Prompt, Stop
from incident_cli.flows.session import Session
from incident_cli.incident.events import Kind
from incident_cli.transport import Endpoint, Json, Request, RpcError
from tests.contracts.misbehaviour import compiled
from tests.contracts.openzeppelin import BUILD
from tests.contracts.packages import Packages
from tests.contracts.solidity import artifact
from tests.fakes.anvil import Refused as Reverted
from tests.fakes.desk import Scripted
from tests.real.containing import (
    BTC,
    STRANGER,
    Site,
    as_founded,
    card,
    code_hash,
    events,
    files,
    founded,
    is_open,
    outcome,
    overruling,
    refused,
    stops,
    waits,
)

IMPLEMENTATION = int.from_bytes(keccak(b"eip1967.proxy.implementation")) - 1
ADMIN = int.from_bytes(keccak(b"eip1967.proxy.admin")) - 1
ANN, BEN = ("Ann", "the upgrade is ours"), ("Ben", "I read its code")
APPOINT = "appoint(address guardian)"
THRESHOLD = parse_signature("changeThreshold(uint256 threshold)")
UNSIMULATED = ("eth_simulateV1", "debug_traceCall", "evm_snapshot")


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The chain, built once."""
    with founded(packages, tmp_path_factory.mktemp("built")) as found:
        yield found


@pytest.fixture
def site(built: Site, tmp_path: Path) -> Iterator[Site]:
    """The chain as it was built, and an empty place, for this test alone."""
    with as_founded(built, tmp_path) as found:
        yield found


# --- what nobody may overrule


@pytest.mark.parametrize(("afterwards", "says"), [(False, "not through this guard"), (True, "not past this guard")])
def test_a_guard_that_blocks_is_the_reason(site: Site, afterwards: bool, says: str) -> None:
    guard = site.anvil.deploy(compiled("blocking_guard"), ["bool"], [afterwards])
    site.as_safe("setGuard(address guard)", guard)
    words = refused(site.begin())
    assert "the simulation failed" in words and says in words
    assert "without its guard, they succeed" in words
    site.as_safe("setGuard(address guard)", Address("0x" + "0" * 40))
    assert site.contained() and site.paused()


def test_a_lever_that_writes_to_another_contract(site: Site) -> None:
    words = refused(site.begin(site.order("exchange.tell")))
    assert f"the storage of {site.other}, which the calls do not declare to write, changes at 0x0" in words
    assert "`writes` in its protocol file" in words
    assert site.market not in words.partition("changes")[2], "what is declared is no problem"


def test_a_lever_that_moves_money(site: Site) -> None:
    words = refused(site.begin(site.order("exchange.pay")))
    assert f"the balance of {site.other} grows by 7 wei" in words
    assert f"the balance of {site.market} falls by 7 wei" in words


def test_a_lever_that_makes_an_owner_of_the_safe_through_a_module(site: Site) -> None:
    site.as_safe("enableModule(address module)", site.market)
    words = refused(site.begin(site.order("exchange.enlist")))
    for what in ("the list of owners", "the number of owners", "the threshold"):
        assert f"{what} of the Safe {site.council.address} changes from" in words
    assert site.anvil.view(site.council.address, "getThreshold() returns (uint256)") == (2,)


def test_a_lever_that_hands_its_guardian_on(site: Site) -> None:
    words = refused(site.begin(site.order("exchange.abdicate")))
    assert f"exchange.guardian() would not be {site.council.address}: it would be {site.other}" in words


def test_a_lever_that_stops_another_market_as_well(site: Site) -> None:
    words = refused(site.begin(site.order("exchange.pause_two")))
    assert "exchange.paused(BTC-USD) would not be false: it would be true" in words
    site.council.execute(site.call("set_paused(bytes32 market, bool paused)", hex_bytes(BTC), True))
    assert waits(site.begin(site.order("exchange.pause_two"))), "what stood already does not change"


# --- what changes while it happens


def test_a_role_that_was_lost_since_detection(site: Site) -> None:
    session = site.begin()
    site.govern(APPOINT, STRANGER)
    words = refused(session)
    assert f"{site.council.address} does not hold the role exchange.pause needs: guardian == by does not hold" in words


def test_a_role_that_was_lost_after_the_owners_were_asked_contains_nothing(site: Site) -> None:
    _, document = waits(site.begin())
    site.govern(APPOINT, STRANGER)
    with pytest.raises(Reverted, match="GS013"):
        site.sign(document)
    session, _ = waits(site.take_up())
    assert is_open(session) and not site.paused()


def test_a_role_whose_window_has_passed(site: Site) -> None:
    ends = site.anvil.now() + 600
    site.govern("appoint_until(uint256 moment)", ends)
    session = site.begin()
    site.anvil.mine_at(ends)
    words = refused(session)
    assert f"the role that exchange.pause needs has expired: {ends} is not after the block's {ends}" in words


def test_a_role_whose_window_is_still_open(site: Site) -> None:
    site.govern("appoint_until(uint256 moment)", site.anvil.now() + 600)
    assert site.contained()


def raised(site: Site) -> Callable[[Prompt], str]:
    """The owners raise the threshold through their Safe while the operator types."""

    def typed(prompt: Prompt) -> str:
        site.council.execute(Call(site.council.address, THRESHOLD, (3,)))
        return prompt.phrase

    return typed


def test_a_threshold_raised_before_it_is_confirmed_is_planned_and_shown_anew(site: Site) -> None:
    session, document = waits(site.begin(answerer=Scripted({"contain": [raised(site)]})))
    assert [one.threshold for one in site.screen.cards] == [2, 3]
    (reopened,) = events(session, Kind.STEP_REOPENED)
    assert "moved on to nonce 1 while 0 was being confirmed" in reopened.data["reason"]
    assert (document["safe_tx"]["nonce"], document["safe"]["threshold"], len(files(session))) == (1, 3, 1)
    with pytest.raises(Reverted, match="GS020"):
        site.sign(document)
    session, _ = waits(site.take_up())
    assert is_open(session) and not site.paused()
    site.sign(document, (0, 1, 2))
    session = site.take_up(Scripted({"mended": [Stop()]}))
    stops(session)
    assert outcome(session) == "contained" and site.paused()


def test_a_threshold_raised_before_it_is_executed_voids_it(site: Site) -> None:
    _, document = waits(site.begin())
    site.council.execute(Call(site.council.address, THRESHOLD, (3,)))
    with pytest.raises((Reverted, AssertionError)):
        site.sign(document)
    session, anew = waits(site.take_up())
    assert is_open(session) and not site.paused()
    assert anew["safe_tx_hash"] != document["safe_tx_hash"] and card(site).threshold == 3
    assert "another transaction took nonce 0" in events(session, Kind.STEP_REOPENED)[0].data["reason"]
    assert not events(session, Kind.EXECUTED)


def test_a_threshold_raised_by_a_module_leaves_the_proposal_waiting(site: Site) -> None:
    site.as_safe("enableModule(address module)", site.market)
    _, document = waits(site.begin())
    site.govern("raise_threshold(address safe, uint256 threshold)", site.council.address, 3)
    with pytest.raises(Reverted, match="GS020"):
        site.sign(document)
    session, same = waits(site.take_up())
    assert same == document and is_open(session) and not site.paused()
    site.sign(document, (0, 1, 2))
    session = site.take_up(Scripted({"mended": [Stop()]}))
    stops(session)
    assert outcome(session) == "contained" and site.paused()


def test_a_contract_that_behaves_while_it_is_simulated_is_noticed_once_it_was_executed(site: Site) -> None:
    _, document = waits(site.begin(site.order("exchange.tell_in_earnest")))
    assert document["simulation"]["state"] == "passed"
    site.sign(document)
    session = site.take_up(Scripted({"mended": [Stop()]}))
    stops(session)
    (noted,) = [one.data["text"] for one in events(session, Kind.NOTED)]
    assert f"the execution changed what nobody declared: the storage of {site.other}" in noted


# --- what two people may overrule: code that changed since it was pinned


def behind_proxy(site: Site, packages: Packages) -> Site:
    """The site with its market behind an upgradeable proxy, pinned as it stands."""
    proxy = artifact(packages, f"{BUILD}/TransparentUpgradeableProxy.json")
    admin = site.anvil.accounts[0]
    begun = encode_call(parse_signature(APPOINT), (site.council.address,))
    address = site.anvil.deploy(proxy.creation, proxy.constructor, (site.market, admin, begun))
    words = f'implementation: "{site.market}", implementation_codehash: "{code_hash(site.anvil, site.market)}"'
    pins = f'pins: [{{name: venue, chain: local, address: "{address}", codehash: "{code_hash(site.anvil, address)}"'
    return replace(site, market=address, extra=f"{pins}, {words}}}]\n")


def upgraded(site: Site) -> Address:
    """The proxy's owner puts other code behind it, which does the same and more."""
    code = site.anvil.deploy(compiled("guarded_market"))
    manager = checksummed(site.anvil.rpc("eth_getStorageAt", site.market, hex(ADMIN), "latest")[-40:])
    signature = "upgradeAndCall(address proxy, address implementation, bytes data)"
    site.anvil.transact(site.anvil.accounts[0], manager, signature, site.market, code, b"")
    return code


def test_a_proxy_as_it_was_pinned_is_no_objection(site: Site, packages: Packages) -> None:
    site = behind_proxy(site, packages)
    session = site.contained()
    assert site.paused() and not events(session, Kind.OVERRULED)


def test_an_upgrade_since_it_was_pinned_stops_it(site: Site, packages: Packages) -> None:
    site = behind_proxy(site, packages)
    code = upgraded(site)
    words = refused(site.begin(answerer=Scripted({"contain": ["stop"]})))
    assert "code-changed: venue at" in words and f"was upgraded: it runs {code}" in words


def test_code_replaced_behind_the_proxy_stops_it_too(site: Site, packages: Packages) -> None:
    site = behind_proxy(site, packages)
    pinned = checksummed(site.anvil.rpc("eth_getStorageAt", site.market, hex(IMPLEMENTATION), "latest")[-40:])
    site.anvil.set_code(pinned, hex_bytes(site.anvil.rpc("eth_getCode", site.other, "latest")) + b"\0")
    words = refused(site.begin(answerer=Scripted({"contain": ["stop"]})))
    assert f"code-changed: the code behind venue at {pinned} has changed" in words


def test_two_people_overrule_an_upgrade_by_name_and_with_reasons(site: Site, packages: Packages) -> None:
    site = behind_proxy(site, packages)
    upgraded(site)
    answerer = overruling(ANN, BEN)
    session, document = waits(site.begin(answerer=answerer))
    (override,) = document["overrides"]
    assert (override["code"], "was upgraded" in override["message"]) == ("code-changed", True)
    people = [{"name": name, "reason": reason} for name, reason in (ANN, BEN)]
    assert override["people"] == people
    (recorded,) = events(session, Kind.OVERRULED)
    assert recorded.data["override"] == override
    (shown,) = card(site).overrides
    assert all(one in shown for one in (*ANN, *BEN))
    assert [one.question for one in answerer.asked] == ["choice", "text", "text", "text", "text", "type"]
    site.sign(document)
    session = site.take_up(Scripted({"mended": [Stop()]}))
    stops(session)
    assert outcome(session) == "contained" and site.paused()


@pytest.mark.parametrize(
    ("people", "says"),
    [
        ((ANN, ("Ann", "again")), "one person cannot overrule it twice"),
        ((ANN, ("  aNN ", "again")), "one person cannot overrule it twice"),
        ((("Ann Lee", "mine"), ("ann  LEE.", "again")), "one person cannot overrule it twice"),
        ((ANN, ("An\u200bn", "again")), "one person cannot overrule it twice"),
        ((ANN, ("\uff21\uff4e\uff4e", "again")), "one person cannot overrule it twice"),
        ((ANN, ("-", "why")), "takes a name and a reason"),
        ((("Ann", "  "), BEN), "takes a name and a reason"),
        ((ANN, ("Ben", "")), "takes a name and a reason"),
        ((ANN, (" ", "why")), "takes a name and a reason"),
    ],
)
def test_one_person_or_none_or_no_reason_overrules_nothing(
    site: Site, packages: Packages, people: Sequence[tuple[str, str]], says: str
) -> None:
    site = behind_proxy(site, packages)
    upgraded(site)
    session = site.begin(answerer=overruling(*people))
    assert says in refused(session)
    assert not events(session, Kind.OVERRULED)


# --- what two people may overrule: no simulation


@dataclass
class Unsimulating:
    """A node of a Safe without a fallback handler that offers nothing to simulate with."""

    inner: Endpoint
    name: str = "a plain node"

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        """Everything but what simulates; simulateAndRevert comes back without its data, as from many a provider."""
        answers = self.inner.exchange(requests)
        return [self.plainly(*one) for one in zip(requests, answers, strict=True)]

    def plainly(self, request: Request, answer: Json | RpcError) -> Json | RpcError:
        """The answer as a plain node gives it."""
        if request.method in UNSIMULATED:
            return RpcError(-32601, "the method does not exist")
        return RpcError(3, "execution reverted") if isinstance(answer, RpcError) else answer


def unsimulated(site: Site, answerer: Scripted) -> Session:
    """An incident begun on a node that cannot simulate, with a Safe that has no handler for it."""
    site.as_safe("setFallbackHandler(address handler)", Address("0x" + "0" * 40))
    session = site.begin(answerer=answerer)
    session.reader.endpoint = Unsimulating(session.reader.endpoint)
    return session


def test_what_cannot_be_simulated_stops_it(site: Site) -> None:
    words = refused(unsimulated(site, Scripted({"contain": ["stop"]})))
    assert "not-simulated: it could not be simulated: " in words
    assert "the method does not exist" in words and "no fallback handler" in words


def test_two_people_overrule_that_it_was_not_simulated_and_it_is_shown_as_such(site: Site) -> None:
    session, document = waits(unsimulated(site, overruling(ANN, BEN)))
    assert [one["code"] for one in document["overrides"]] == ["not-simulated"]
    assert document["simulation"]["state"] == "not-simulated"
    assert not card(site).simulated and card(site).simulation.startswith("not-simulated by ")
    assert len(events(session, Kind.OVERRULED)) == 1
    site.sign(document)
    session = site.take_up(Scripted({"mended": [Stop()]}))
    stops(session)
    assert outcome(session) == "contained" and site.paused()


def test_every_objection_is_overruled_by_itself(site: Site, packages: Packages) -> None:
    site = behind_proxy(site, packages)
    upgraded(site)
    once = Scripted({"contain": ["overrule", *ANN, *BEN, "stop"]})
    assert "not-simulated" in refused(unsimulated(site, once))
    twice = Scripted({"contain": ["overrule", *ANN, *BEN, "overrule", *ANN, *BEN]})
    session = site.begin(answerer=twice)
    session.reader.endpoint = Unsimulating(session.reader.endpoint)
    _, document = waits(session)
    assert [one["code"] for one in document["overrides"]] == ["code-changed", "not-simulated"]


def test_without_a_simulation_the_role_and_the_safe_are_still_looked_at(site: Site) -> None:
    site.govern(APPOINT, STRANGER)
    assert "does not hold the role" in refused(unsimulated(site, overruling(ANN, BEN)))
