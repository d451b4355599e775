"""What an adversary found about a containment that is followed: each was untrue, lost, or a trap once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from incident_cli.drills.accounts import account
from incident_cli.errors import IncidentError, NotProven, Refused, Unread, Waiting
from incident_cli.evm import Address, hex_bytes
from incident_cli.flows import break_glass, respond
from incident_cli.flows.desk import Back, Stop
from incident_cli.flows.handing_over import Keys
from incident_cli.flows.reading import Reader
from incident_cli.flows.recorder import Recorder
from incident_cli.flows.respond import Surroundings
from incident_cli.flows.session import Session
from incident_cli.flows.walk import walk
from incident_cli.incident.events import Event, Kind
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.signature_file import SignatureFile, Signed, store
from incident_cli.safe.transaction import SafeTx
from tests.contracts.packages import Packages
from tests.fakes.desk import FakeClock, Scripted
from tests.fakes.signers import AccountSigner
from tests.real.containing import ETH, Site, as_founded, events, files, founded, let_go, outcome, waits

ETHER = 10**18
PAUSE = "set_paused(bytes32 market, bool paused)"
IS_SHUT = "is_shut() returns (bool)"


class Enough(BaseException):
    """It went on longer than it may."""


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with founded(packages, tmp_path_factory.mktemp("troubles")) as site:
        yield site


@pytest.fixture
def site(built: Site, tmp_path: Path) -> Iterator[Site]:
    with as_founded(built, tmp_path) as site:
        yield site


def desk(
    site: Site, *, signer: int | None = None, pays: bool = False, follows: bool = True, answers: Scripted | None = None
) -> Surroundings:
    own = None if signer is None else AccountSigner(site.council.owners[signer])
    payer = AccountSigner(account(9, "payer")) if pays else None
    if payer is not None:
        site.anvil.rpc("anvil_setBalance", payer.address, hex(ETHER))
    return replace(site.around(answers or stopping()), keys=Keys(own, payer), follows=follows)


def stopping(**answers: list[str]) -> Scripted:
    return Scripted({"mended": [Stop()], **answers})


def run(session: Session) -> IncidentError | None:
    """Walked to whatever stops it; let go of."""
    try:
        walk(session)
    except IncidentError as problem:
        return problem
    finally:
        let_go(session)
    return None


def signs(site: Site, session: Session, owner: int) -> None:
    """Another owner signs the proposal elsewhere and sends the file back."""
    plan = events(session, Kind.PLANNED)[-1].data["proposal"]
    tx, one = SafeTx.from_json(plan["safe_tx"]), site.council.owners[owner]
    signature = one.sign_hash(hex_bytes(hash_transaction(tx).safe_tx_hash))
    store(Path(session.events[0].data["out"]), SignatureFile(tx, (Signed(one.address, signature),)))


def passing(around: Surroundings, then: object) -> None:
    """What happens while the responder waits."""
    assert isinstance(around.clock, FakeClock)
    around.clock.sleeping = then  # type: ignore[assignment]


def is_shut(site: Site) -> bool:
    (found,) = site.anvil.view(site.market, IS_SHUT)
    return found is True


def reorganised(site: Site, before: str) -> Surroundings:
    """A responder under whose eyes the execution is taken back."""
    around, gone = site.around(stopping()), list[float]()

    def sleeping(seconds: float) -> None:
        if not gone:
            site.anvil.revert(before)
            site.anvil.mine(3, 7)
        gone.append(seconds)
        site.anvil.mine(1)

    passing(around, sleeping)
    return around


@pytest.mark.parametrize("follows", [True, False])
def test_stop_stops_at_the_first_word(site: Site, follows: bool) -> None:
    answers = stopping(contain=["stop", "stop", "stop"])
    session = break_glass.begin(site.order(), desk(site, signer=0, follows=False))
    run(session)
    around, polls = desk(site, signer=0, follows=follows, answers=answers), list[float]()

    def interrupted(seconds: float) -> None:
        polls.append(seconds)
        if len(polls) > 5:
            raise Enough
        raise KeyboardInterrupt

    passing(around, interrupted)
    problem = run(respond.take_up("", around))
    assert isinstance(problem, Waiting) and problem.waiting_for == "signatures"
    assert len(answers.questions("contain")) == 1


def test_a_failed_read_does_not_end_the_following(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    session = break_glass.begin(site.order(), desk(site, signer=0, follows=False))
    run(session)
    around, polls, real = desk(site, signer=0, pays=True), list[float](), Reader.read

    def sleeping(seconds: float) -> None:
        polls.append(seconds)
        site.anvil.mine(1)
        if len(polls) == 2:
            signs(site, session, 1)

    def read(self: Reader, reads: object) -> object:
        if len(polls) == 1:
            raise Unread("the node is away for a moment")
        return real(self, reads)  # type: ignore[arg-type]

    passing(around, sleeping)
    monkeypatch.setattr(Reader, "read", read)
    session = respond.take_up("", around)
    assert isinstance(run(session), Waiting)
    assert site.paused() and outcome(session) == "contained"
    assert "away for a moment" in "\n".join(site.screen.lines)


def test_what_would_fail_can_be_given_up(site: Site) -> None:
    session = break_glass.begin(site.order(), desk(site, signer=0, follows=False))
    run(session)
    signs(site, session, 1)
    site.govern("appoint(address guardian)", site.other)
    answers = Scripted({"contain": ["give-up", "the role is gone", "stop"]})
    problem = run(respond.take_up("", desk(site, pays=True, answers=answers)))
    assert isinstance(problem, Waiting) and problem.waiting_for == "rejection"


def test_another_owner_s_key_signs_as_well(site: Site) -> None:
    session = break_glass.begin(site.order(), desk(site, signer=0, follows=False))
    run(session)
    session = respond.take_up("", desk(site, signer=1, pays=True))
    run(session)
    assert site.paused() and outcome(session) == "contained"
    assert [one.data["signers"] for one in events(session, Kind.SIGNED)] == [
        [one.address] for one in site.council.owners[:2]
    ]


def test_nothing_is_written_again_at_every_look(site: Site) -> None:
    around, polls = desk(site, signer=0), list[float]()

    def sleeping(seconds: float) -> None:
        polls.append(seconds)
        if len(polls) == 5:
            raise KeyboardInterrupt
        site.anvil.mine(1)

    passing(around, sleeping)
    run(break_glass.begin(site.order(), around))
    assert sum("proposal written" in line for line in site.screen.lines) == 1


def test_a_file_of_an_earlier_plan_is_superseded_and_nobody_is_accused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Recorder.record

    def killed(self: Recorder, kind: Kind, **rest: object) -> Event:
        if kind is Kind.EXPORTED:
            raise Enough
        return real(self, kind, **rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, pytest.raises(Enough):
        patch.setattr(Recorder, "record", killed)
        session = site.begin()
        walk(session)
    let_go(session)
    site.anvil.mine(1)
    session, document = waits(site.take_up(stopping()))
    (path,) = files(session)
    assert json.loads(path.read_text()) == document
    assert len(list(path.parent.glob("*.superseded-1.json"))) == 1

    changed = {**document, "market": "BTC-USD", "block": {**document["block"], "number": 1}}
    path.write_text(json.dumps(changed))
    problem = run(site.take_up(stopping()))
    assert isinstance(problem, Refused) and "somebody changed it" in problem.message


def test_given_up_and_back_is_proposed_again(site: Site) -> None:
    waits(site.begin())
    site.anvil.mine(1)
    answers = Scripted({"contain": ["give-up", "a false alarm"], "mended": [Back()]})
    problem = run(site.take_up(answers))
    assert isinstance(problem, Waiting) and problem.waiting_for == "signatures"


def test_confirmed_but_never_let_out_and_satisfied_by_others_ends(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*anything: object) -> None:
        raise Enough

    with monkeypatch.context() as patch, pytest.raises(Enough):
        patch.setattr("incident_cli.flows.delivery.write_proposal", gone)
        session = site.begin()
        walk(session)
    let_go(session)
    site.anvil.transact(site.council.address, site.market, PAUSE, hex_bytes(ETH), True)
    session = site.take_up(stopping())
    problem = run(session)
    assert isinstance(problem, Waiting) and problem.waiting_for == "operator"
    assert "already satisfied" in "\n".join(site.screen.lines)


def test_what_a_reorganisation_took_back_is_an_orphan_again(site: Site) -> None:
    site = replace(site, finality=4)
    _, document = waits(site.begin(site.order("exchange.shut")))
    before = site.anvil.snapshot()
    site.sign(document)
    assert isinstance(run(respond.take_up("", reorganised(site, before))), NotProven)
    answers = Scripted({"contain": ["give-up", "a false alarm", "stop"]})
    problem = run(site.take_up(answers))
    assert isinstance(problem, Waiting) and problem.waiting_for == "rejection"
    assert not is_shut(site)


def test_a_rejection_counts_at_the_same_depth(site: Site) -> None:
    site = replace(site, finality=4)
    waits(site.begin(site.order("exchange.shut")))
    session = site.take_up(Scripted({"contain": ["give-up", "a false alarm", "stop"]}))
    run(session)
    site.sign({"safe_tx": events(session, Kind.REJECTION)[0].data["safe_tx"]})
    problem = run(site.take_up(Scripted({"contain": ["stop"]})))
    assert isinstance(problem, Waiting) and problem.waiting_for == "rejection"
    site.anvil.mine(4)
    session = site.take_up(Scripted())
    assert run(session) is None and events(session, Kind.CLOSED)


def test_the_risk_can_be_left_while_the_node_is_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    waits(site.begin())
    run(site.take_up(Scripted({"contain": ["give-up", "a false alarm", "stop"]})))
    session = site.take_up(Scripted({"contain": ["leave", "the owners watch it"]}))

    def away(self: Reader, reads: object, *rest: object) -> object:
        raise Unread("the node is away")

    monkeypatch.setattr(Reader, "read_at", away)
    assert run(session) is None and events(session, Kind.RISK_LEFT) and events(session, Kind.CLOSED)


@pytest.mark.parametrize("mined_again", [False, True])
def test_without_a_depth_a_reorganised_execution_is_noticed_too(
    site: Site, monkeypatch: pytest.MonkeyPatch, mined_again: bool
) -> None:
    _, document = waits(site.begin())
    before, real = site.anvil.snapshot(), Recorder.record
    site.sign(document)

    def killed(self: Recorder, kind: Kind, **rest: object) -> Event:
        made = real(self, kind, **rest)  # type: ignore[arg-type]
        if kind is Kind.EXECUTED:
            raise Enough
        return made

    with monkeypatch.context() as patch, pytest.raises(Enough):
        patch.setattr(Recorder, "record", killed)
        session = site.take_up(stopping())
        walk(session)
    let_go(session)
    site.anvil.revert(before)
    site.anvil.mine(1, 7)
    if mined_again:
        site.sign(document)
    site.anvil.mine(5)
    problem = run(site.take_up(stopping()))
    assert isinstance(problem, NotProven) and "reorganisation" in problem.message
    if not mined_again:
        site.sign(document)
    session = site.take_up(stopping())
    run(session)
    assert outcome(session) == "contained" and site.paused()


def test_a_restore_that_is_refused_can_be_left_to_hands(site: Site) -> None:
    site.contained()
    site.anvil.transact(site.council.address, site.market, PAUSE, hex_bytes(ETH), False)
    session = site.take_up(Scripted({"reopen": ["by-hand"]}))
    assert run(session) is None
    assert events(session, Kind.CLOSED)


def test_no_wait_does_not_sit_out_the_depth(site: Site) -> None:
    site = replace(site, finality=64)
    _, document = waits(site.begin())
    site.sign(document)
    around = desk(site, signer=0, follows=False)
    passing(around, lambda seconds: pytest.fail("it slept"))
    problem = run(respond.take_up("", around))
    assert isinstance(problem, Waiting) and problem.waiting_for == "finality"


def test_a_broadcaster_without_money_does_not_end_the_following(site: Site) -> None:
    around, polls = desk(site, signer=0, pays=True), list[float]()
    payer = account(9, "payer").address
    site.anvil.rpc("anvil_setBalance", payer, "0x0")
    session = break_glass.begin(site.order(), around)

    def sleeping(seconds: float) -> None:
        polls.append(seconds)
        site.anvil.mine(1)
        if len(polls) == 2:
            signs(site, session, 1)
        if len(polls) == 4:
            site.anvil.rpc("anvil_setBalance", Address(payer), hex(ETHER))
        if len(polls) > 12:
            raise Enough

    passing(around, sleeping)
    run(session)
    assert site.paused() and outcome(session) == "contained"
