"""Killed at any record of a followed containment, then resumed: nothing is lost, nothing is done twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from incident_cli.drills.accounts import account
from incident_cli.errors import Waiting
from incident_cli.evm import hex_bytes, keccak, to_hex
from incident_cli.flows import break_glass, respond
from incident_cli.flows.desk import Stop
from incident_cli.flows.handing_over import Keys
from incident_cli.flows.recorder import Recorder
from incident_cli.flows.respond import Surroundings
from incident_cli.flows.session import Session
from incident_cli.flows.walk import walk
from incident_cli.incident.events import Event, Kind
from incident_cli.safe.service import TransactionService
from incident_cli.safe.signing import signed_by
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.typed_data import safe_tx_typed_data
from tests.contracts.packages import Packages
from tests.fakes.desk import Scripted
from tests.fakes.safe_service import SafeService
from tests.fakes.signers import AccountSigner
from tests.real.containing import Site, as_founded, events, founded, let_go, outcome
from tests.real.desking import serving

ETHER = 10**18
LEFT_BEHIND = (Kind.SIGNED, Kind.PROPOSE_INTENDED, Kind.PROPOSED, Kind.SUBMIT_INTENDED, Kind.SUBMITTED, Kind.EXECUTED)
OTHERS: tuple[Kind, ...] = (
    Kind.STEP_STARTED,
    Kind.PLANNED,
    Kind.CONFIRMED,
    Kind.EXPORTED,
    Kind.SEEN_SIGNED,
    Kind.PROVEN,
)
OTHERS += (Kind.STEP_ENDED,)


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with founded(packages, tmp_path_factory.mktemp("killed")) as site:
        yield site


@pytest.fixture
def served(built: Site, tmp_path: Path) -> Iterator[tuple[SafeService, Site]]:
    with as_founded(built, tmp_path) as site, serving(site) as (service, _, own):
        yield service, own


def around(site: Site, service: SafeService) -> Surroundings:
    """A desk whose second owner confirms in the service as soon as somebody waits."""
    payer = AccountSigner(account(9, "payer"))
    site.anvil.rpc("anvil_setBalance", payer.address, hex(ETHER))
    desk = site.around(Scripted({"mended": [Stop()]}))

    def meanwhile(seconds: float) -> None:
        site.anvil.mine(1)
        for record in service.queue:
            if len(record.confirmations) < 2:
                confirm(site, record.tx, record.safe_tx_hash, service)

    desk.clock.sleeping = meanwhile  # type: ignore[attr-defined]
    return replace(desk, keys=Keys(AccountSigner(site.council.owners[0]), payer))


def confirm(site: Site, tx: SafeTx, safe_tx_hash: str, service: SafeService) -> None:
    client = TransactionService(service.url, chain="local", chain_id=site.anvil.chain_id)
    client.confirm(safe_tx_hash, signed_by(AccountSigner(site.council.owners[1]), safe_tx_typed_data(tx)))


def killed_at(kind: Kind, before: bool, patch: pytest.MonkeyPatch) -> None:
    """The first record of this kind ends the process: before it is written, or after."""
    real = Recorder.record
    done: list[Kind] = []

    def record(self: Recorder, what: Kind, **rest: Any) -> Event:
        if what is kind and not done:
            done.append(what)
            if before:
                raise Killed
            real(self, what, **rest)
            raise Killed
        return real(self, what, **rest)

    patch.setattr(Recorder, "record", record)


def ended(session: Session) -> None:
    with pytest.raises(Waiting) as caught:
        walk(session)
    let_go(session)
    assert caught.value.waiting_for == "operator", caught.value.message


def check_killed(served: tuple[SafeService, Site], kind: Kind, before: bool) -> None:
    service, site = served
    session = break_glass.begin(site.order(), around(site, service))
    with pytest.MonkeyPatch.context() as patch:
        killed_at(kind, before, patch)
        with pytest.raises(Killed):
            walk(session)
    let_go(session)
    session = respond.take_up("", around(site, service))
    ended(session)
    assert outcome(session) == "contained" and site.paused()
    assert len(service.queue) == 1, "proposed twice"
    signatures = {one.data["signatures"] for one in events(session, Kind.SIGNED)}
    assert len(signatures) == 1
    raws = {one.data["raw"] for one in events(session, Kind.SUBMIT_INTENDED)}
    sent = [hash_ for hash_ in raws if site.anvil.rpc("eth_getTransactionReceipt", sent_hash(hash_)) is not None]
    assert len(raws) == 1 and len(sent) == 1, "sent twice"
    (nonce,) = site.anvil.view(site.council.address, "nonce() returns (uint256)")
    assert nonce == 1


def sent_hash(raw: str) -> str:
    return to_hex(keccak(hex_bytes(raw)))


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("kind", LEFT_BEHIND)
def test_killed_at_a_record_that_leaves_something_behind(
    served: tuple[SafeService, Site], kind: Kind, before: bool
) -> None:
    check_killed(served, kind, before)


@pytest.mark.campaign
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("kind", OTHERS)
def test_killed_at_every_other_record(served: tuple[SafeService, Site], kind: Kind, before: bool) -> None:
    check_killed(served, kind, before)
