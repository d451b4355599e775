"""A containment followed live: signed here, confirmed by others, executed, proven."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from incident_cli.drills.accounts import account
from incident_cli.errors import Refused, Waiting
from incident_cli.evm import hex_bytes
from incident_cli.flows import break_glass, respond
from incident_cli.flows.desk import Stop
from incident_cli.flows.handing_over import Keys
from incident_cli.flows.respond import Surroundings
from incident_cli.flows.session import Session
from incident_cli.flows.walk import walk
from incident_cli.incident.events import Kind
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.signature_file import SignatureFile, Signed, store
from incident_cli.safe.transaction import SafeTx
from tests.contracts.packages import Packages
from tests.fakes.desk import Scripted
from tests.fakes.signers import AccountSigner
from tests.real.containing import Site, as_founded, events, founded, let_go, outcome

ETHER = 10**18


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with founded(packages, tmp_path_factory.mktemp("live")) as site:
        yield site


@pytest.fixture
def site(built: Site, tmp_path: Path) -> Iterator[Site]:
    with as_founded(built, tmp_path) as site:
        yield site


def around(site: Site, *, signer: int | None = None, pays: bool = False, follows: bool = True) -> Surroundings:
    """A desk with the key of an owner, and of somebody who pays; it is left once the market is contained."""
    own = None if signer is None else AccountSigner(site.council.owners[signer])
    payer = AccountSigner(account(9, "payer")) if pays else None
    if payer is not None:
        site.anvil.rpc("anvil_setBalance", payer.address, hex(ETHER))
    desk = site.around(Scripted({"mended": [Stop()]}))
    return replace(desk, keys=Keys(own, payer), follows=follows)


def begun(site: Site, desk: Surroundings) -> Session:
    """An incident begun at this desk."""
    return break_glass.begin(site.order(), desk)


def waits(session: Session, what: str = "signatures") -> str:
    """Walked until it waits; let go of."""
    with pytest.raises(Waiting) as caught:
        walk(session)
    assert caught.value.waiting_for == what, caught.value.message
    let_go(session)
    return f"{caught.value.message} | {caught.value.hint}"


def signs(site: Site, session: Session, owner: int) -> None:
    """Another owner signs the proposal elsewhere and sends the file back."""
    plan = events(session, Kind.PLANNED)[-1].data["proposal"]
    tx, one = SafeTx.from_json(plan["safe_tx"]), site.council.owners[owner]
    signature = one.sign_hash(hex_bytes(hash_transaction(tx).safe_tx_hash))
    store(Path(session.events[0].data["out"]), SignatureFile(tx, (Signed(one.address, signature),)))


def test_signed_here_confirmed_by_a_file_and_executed_by_a_broadcaster(site: Site) -> None:
    session = begun(site, around(site, signer=0, pays=True, follows=False))
    words = waits(session)
    assert "1 of 2 signed" in words
    assert all(one.address in words for one in site.council.owners[1:])
    assert not site.paused()
    (signed,) = events(session, Kind.SIGNED)
    assert signed.data["signers"] == [site.council.owners[0].address]

    signs(site, session, 1)
    session = respond.take_up("", around(site, signer=0, pays=True))
    waits(session, "operator")
    assert site.paused() and outcome(session) == "contained"
    assert [one.data["owner"] for one in events(session, Kind.SEEN_SIGNED)] == [
        one.address for one in site.council.owners[:2]
    ]
    assert len(events(session, Kind.SIGNED)) == len(events(session, Kind.SUBMIT_INTENDED)) == 1


def test_it_is_followed_until_the_other_owner_has_signed(site: Site) -> None:
    desk = around(site, signer=0, pays=True)
    session = begun(site, desk)
    slept: list[float] = []

    def meanwhile(seconds: float) -> None:
        slept.append(seconds)
        site.anvil.mine(1)
        if len(slept) == 3:
            signs(site, session, 2)

    desk.clock.sleeping = meanwhile  # type: ignore[attr-defined]
    waits(session, "operator")
    assert site.paused() and outcome(session) == "contained" and len(slept) >= 3


def test_a_stranger_is_not_asked_to_sign(site: Site) -> None:
    desk = around(site)
    stranger = AccountSigner(account(9, "stranger"))
    session = begun(site, replace(desk, keys=Keys(stranger)))
    with pytest.raises(Refused, match="is no owner and no registered delegate"):
        walk(session)
    let_go(session)
    assert not events(session, Kind.SIGNED)


def test_the_first_of_two_signers_may_also_send(site: Site) -> None:
    """An owner who sends counts without a signature: with one other signature that is two."""
    desk = around(site)
    owner = AccountSigner(site.council.owners[0])
    site.anvil.rpc("anvil_setBalance", owner.address, hex(ETHER))
    session = begun(site, replace(desk, keys=Keys(None, owner), follows=False))
    waits(session)
    signs(site, session, 1)
    session = respond.take_up("", replace(around(site), keys=Keys(None, owner)))
    waits(session, "operator")
    assert site.paused() and outcome(session) == "contained"
