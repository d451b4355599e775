"""End to end through the transaction service: proposed, confirmed by two owners, executed, proven."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from incident_cli.drills.accounts import account
from incident_cli.errors import Refused, Waiting
from incident_cli.evm import hex_bytes
from incident_cli.flows import break_glass, respond
from incident_cli.flows.desk import Prompt, Stop
from incident_cli.flows.handing_over import Keys
from incident_cli.flows.multisig.proposing import parse_origin
from incident_cli.flows.respond import Surroundings
from incident_cli.flows.session import Session
from incident_cli.flows.walk import walk
from incident_cli.incident.events import Kind
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.service import TransactionService
from incident_cli.safe.signing import signed_by
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.typed_data import delegate_typed_data, safe_tx_typed_data, totp_of
from tests.contracts.packages import Packages
from tests.fakes.anvil import Anvil
from tests.fakes.desk import FakeClock, Scripted
from tests.fakes.safe_service import SafeService
from tests.fakes.signers import AccountSigner
from tests.real.containing import Site, as_founded, build_site, events, let_go, outcome
from tests.real.desking import serving

ETHER = 10**18


VERSIONS = ["1.4.1", *(pytest.param(one, marks=pytest.mark.campaign) for one in ("1.3.0", "1.5.0"))]
EVERY_VERSION = pytest.mark.parametrize("built", ["1.3.0", "1.4.1", "1.5.0"], indirect=True)


@pytest.fixture(scope="module", params=VERSIONS)
def built(
    request: pytest.FixtureRequest, packages: Packages, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with Anvil(packages.anvil) as anvil:
        yield build_site(anvil, tmp_path_factory.mktemp("service"), request.param)


@pytest.fixture
def served(built: Site, tmp_path: Path) -> Iterator[tuple[SafeService, Site]]:
    with as_founded(built, tmp_path) as site, serving(site) as (service, _, own):
        yield service, own


def desk(site: Site, keys: Keys, *, follows: bool = True, answerer: Scripted | None = None) -> Surroundings:
    for one in (keys.signer, keys.broadcaster):
        if one is not None:
            site.anvil.rpc("anvil_setBalance", one.address, hex(ETHER))
    around = site.around(answerer or Scripted({"mended": [Stop()]}))
    return replace(around, keys=keys, follows=follows)


def owner(site: Site, number: int) -> AccountSigner:
    return AccountSigner(site.council.owners[number])


def confirm(site: Site, service: SafeService, session: Session, number: int) -> None:
    """Another owner confirms in the service, from elsewhere."""
    tx = SafeTx.from_json(events(session, Kind.PLANNED)[-1].data["proposal"]["safe_tx"])
    signature = signed_by(owner(site, number), safe_tx_typed_data(tx))
    client = client_of(site, service)
    client.confirm(events(session, Kind.PLANNED)[-1].data["proposal"]["safe_tx_hash"], signature)


def client_of(site: Site, service: SafeService) -> TransactionService:
    """Somebody else's client of the service."""
    return TransactionService(service.url, chain="local", chain_id=site.anvil.chain_id)


def waits(session: Session, what: str) -> str:
    with pytest.raises(Waiting) as caught:
        walk(session)
    assert caught.value.waiting_for == what, caught.value.message
    let_go(session)
    return caught.value.message


@EVERY_VERSION
def test_proposed_followed_executed_and_proven(served: tuple[SafeService, Site]) -> None:
    service, site = served
    around = desk(site, Keys(owner(site, 0), AccountSigner(account(9, "payer"))))
    session = break_glass.begin(site.order(), around)
    slept: list[float] = []

    def meanwhile(seconds: float) -> None:
        slept.append(seconds)
        site.anvil.mine(1)
        if len(slept) == 2:
            confirm(site, service, session, 2)

    assert isinstance(around.clock, FakeClock)
    around.clock.sleeping = meanwhile
    waits(session, "operator")
    assert site.paused() and outcome(session) == "contained"
    (record,) = service.queue
    assert len(record.confirmations) == 2
    intended = events(session, Kind.PROPOSE_INTENDED)[0]
    origin = parse_origin(record.origin)
    assert origin is not None and record.origin == intended.data["origin"]
    assert session.runbook_hash.startswith(origin.runbook)
    assert {one.data["road"] for one in events(session, Kind.SEEN_SIGNED)} == {"service"}


def test_a_delegate_proposes_and_two_owners_confirm(served: tuple[SafeService, Site]) -> None:
    service, site = served
    delegate = AccountSigner(account(9, "delegate"))
    client = client_of(site, service)
    signature = signed_by(
        owner(site, 1), delegate_typed_data(site.anvil.chain_id, delegate.address, totp_of(service.now()))
    )
    client.add_delegate(site.council.address, delegate.address, owner(site, 1).address, "on call", signature)
    session = break_glass.begin(site.order(), desk(site, Keys(delegate), follows=False))
    assert "0 of 2 signed" in waits(session, "signatures")
    confirm(site, service, session, 0)
    confirm(site, service, session, 1)
    session = respond.take_up("", desk(site, Keys(None, AccountSigner(account(9, "payer")))))
    waits(session, "operator")
    assert site.paused() and outcome(session) == "contained"
    assert len(service.queue) == 1


@pytest.mark.parametrize("fault", ["reset before", "html 201 before", "refused 422"])
def test_a_service_that_fails_holds_nobody_up_and_gets_the_same_bytes_later(
    served: tuple[SafeService, Site], fault: str
) -> None:
    service, site = served
    service.faults.arm("propose", fault, times=9)
    session = break_glass.begin(site.order(), desk(site, Keys(owner(site, 0)), follows=False))
    waits(session, "signatures")
    assert "not in the service" in "\n".join(site.screen.lines)
    assert not events(session, Kind.PROPOSED)
    service.faults.clear()
    session = respond.take_up("", desk(site, Keys(owner(site, 0)), follows=False, answerer=Scripted()))
    waits(session, "signatures")
    assert len(service.queue) == 1 and len(service.queue[0].confirmations) == 1
    assert len(events(session, Kind.SIGNED)) == len(events(session, Kind.PROPOSE_INTENDED)) == 1


def test_what_stands_at_the_nonce_is_shown_and_the_choice_is_kept(served: tuple[SafeService, Site]) -> None:
    service, site = served
    routine = site.council.transaction([site.call("set_limit(uint256 limit)", 7)])
    client = client_of(site, service)
    signature = signed_by(owner(site, 1), safe_tx_typed_data(routine))
    client.propose(routine, hash_transaction(routine).safe_tx_hash, owner(site, 1).address, signature, "routine")
    asked: list[Prompt] = []

    def choose(prompt: Prompt) -> str:
        asked.append(prompt)
        return "last"

    answers = Scripted({"contain": [choose]})
    session = break_glass.begin(site.order(), desk(site, Keys(owner(site, 0)), follows=False, answerer=answers))
    message = waits(session, "signatures")
    assert "this makes impossible" in dict(asked[0].choices)["on"]
    proposal = events(session, Kind.PLANNED)[-1].data["proposal"]
    assert proposal["safe_tx"]["nonce"] == routine.nonce + 1
    assert "must execute first" in "\n".join(site.screen.lines) and "1 of 2" in message


def test_what_is_displaced_stands_on_the_card(served: tuple[SafeService, Site]) -> None:
    service, site = served
    routine = site.council.transaction([site.call("set_limit(uint256 limit)", 7)])
    signature = signed_by(owner(site, 1), safe_tx_typed_data(routine))
    hash_ = hash_transaction(routine).safe_tx_hash
    client_of(site, service).propose(routine, hash_, owner(site, 1).address, signature, "routine")
    session = break_glass.begin(site.order(), desk(site, Keys(owner(site, 0)), follows=False))
    waits(session, "signatures")
    (displaced,) = site.screen.cards[-1].displaces
    assert site.market in displaced
    assert "RIVAL at nonce" in "\n".join(site.screen.lines)


def test_an_unsigned_post_that_anybody_can_make_holds_nobody_up(served: tuple[SafeService, Site]) -> None:
    service, site = served
    forged = replace(site.council.transaction([site.call("set_limit(uint256 limit)", 7)]), nonce=0)
    hash_ = hash_transaction(forged).safe_tx_hash
    client_of(site, service).propose(forged, hash_, owner(site, 1).address, b"", "forged")
    answers = Scripted()
    session = break_glass.begin(site.order(), desk(site, Keys(owner(site, 0)), follows=False, answerer=answers))
    waits(session, "signatures")
    assert [one.question for one in answers.questions("contain")] == ["type"]
    assert "NOT trusted by the service" in "\n".join(site.screen.lines)


def test_the_very_same_transaction_is_joined(served: tuple[SafeService, Site]) -> None:
    service, site = served
    tx = site.council.transaction(
        [
            site.call(
                "set_paused(bytes32 market, bool paused)", hex_bytes("0x" + b"ETH-USD".ljust(32, b"\0").hex()), True
            )
        ]
    )
    client = client_of(site, service)
    signature = signed_by(owner(site, 1), safe_tx_typed_data(tx))
    client.propose(tx, hash_transaction(tx).safe_tx_hash, owner(site, 1).address, signature, "elsewhere")
    keys = Keys(owner(site, 0), AccountSigner(account(9, "payer")))
    session = break_glass.begin(site.order(), desk(site, keys))
    waits(session, "operator")
    assert site.paused() and outcome(session) == "contained"
    assert len(service.queue) == 1 and len(service.queue[0].confirmations) == 2


def test_signatures_that_the_chain_would_not_take_are_not_called_ready(served: tuple[SafeService, Site]) -> None:
    service, site = served
    session = break_glass.begin(site.order(), desk(site, Keys(owner(site, 0)), follows=False))
    waits(session, "signatures")
    confirm(site, service, session, 1)
    site.govern("appoint(address guardian)", site.other)  # the Safe loses its role: the call reverts now
    payer = Keys(None, AccountSigner(account(9, "payer")))
    session = respond.take_up("", desk(site, payer))
    with pytest.raises(Refused, match="would fail"):
        walk(session)
    let_go(session)
    assert not events(session, Kind.SUBMIT_INTENDED)
