"""The Safe desk's flows on a real node: how a transaction stands, its execution, and what must not pass for either."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from incident_cli.errors import NotProven, Refused, Waiting
from incident_cli.evm import hex_bytes
from incident_cli.flows.multisig.broadcasting import attempt_of, broadcaster_warning
from incident_cli.flows.multisig.collecting import collect
from incident_cli.flows.multisig.executing import Road
from incident_cli.flows.multisig.readiness import readiness, ready
from incident_cli.flows.multisig.standing import stand
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.signatures import pre_validated
from incident_cli.safe.transaction import SafeTx
from tests.contracts.packages import Packages
from tests.fakes.desk import FakeClock
from tests.real.desking import ETH, Office, Told, as_opened, opened

VERSIONS = ("1.3.0", "1.4.1", "1.5.0")


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The chain, built once."""
    with opened(packages, tmp_path_factory.mktemp("desk")) as found:
        yield found


@pytest.fixture
def office(built: Office, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The chain as it was built, for this test alone."""
    with as_opened(built, tmp_path_factory.mktemp("one")) as found:
        yield found


# --- how it stands


def test_a_transaction_nobody_signed_waits_for_every_owner(office: Office) -> None:
    standing = office.standing(office.transaction())
    assert (standing.nonce, standing.threshold, standing.missing, standing.fate) == (0, 2, 2, "open")
    assert [one.owner for one in standing.waiting] == list(standing.owners)
    stranger = office.council.executor
    assert readiness(office.place, standing, stranger).state == "waiting"


def test_who_is_missing_is_named_with_the_time_where_they_are(office: Office) -> None:
    standing = office.standing(office.transaction(), 0)
    three_at_night = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    found = {one.name: (one.reach, one.local_time(three_at_night)) for one in standing.waiting}
    assert found == {
        "bo": ("telephone +49 30 1234", "Sun 12:00 in Asia/Tokyo"),
        "cy": ("pager", "Sat 22:00 in America/New_York"),
    }


def test_two_exchanges_with_the_chain_whatever_is_asked(office: Office) -> None:
    place, tx = office.place, office.transaction()
    stand(place, tx)
    before = place.reader.nodes.requests
    stand(place, tx, signatures=office.signed(tx, 0, 1))
    assert place.reader.nodes.requests - before == 2


def test_a_signature_over_another_transaction_does_not_count(office: Office) -> None:
    tx, other = office.transaction(), office.transaction(nonce=7)
    standing = stand(office.place, tx, signatures=office.signed(other, 0, 1))
    assert standing.confirmations == () and len(standing.invalid) == 2
    assert "another transaction or another key" in standing.invalid[0].reason


def test_an_owner_rotated_out_does_not_count(office: Office) -> None:
    tx, owners = office.transaction(), office.council.owners
    signatures = office.signed(tx, 0, 1)
    office.as_safe(
        "swapOwner(address,address,address)",
        before_in_list(office, owners[1].address),
        owners[1].address,
        office.anvil.accounts[0],
    )
    standing = stand(office.place, tx, signatures=signatures)
    assert [one.owner for one in standing.confirmations] == [owners[0].address]
    ((invalid),) = standing.invalid
    assert invalid.owner == owners[1].address and "no owner of the Safe now" in invalid.reason
    assert standing.missing == 1


def before_in_list(office: Office, owner: str) -> str:
    """The owner before another in the Safe's linked list, or its sentinel."""
    ((owners),) = office.anvil.view(office.council.address, "getOwners() returns (address[])")
    assert isinstance(owners, tuple | list)
    place = list(owners).index(owner)
    return str(owners[place - 1]) if place else "0x" + "0" * 39 + "1"


def test_an_approval_that_is_claimed_and_does_not_stand(office: Office) -> None:
    tx, owner = office.transaction(), office.signer(0).address
    claimed = stand(office.place, tx, signatures={owner: pre_validated(owner)})
    assert claimed.confirmations == () and "none stands there" in claimed.invalid[0].reason
    approve(office, tx, 0)
    found = stand(office.place, tx)
    assert [(one.owner, one.road, one.kind) for one in found.confirmations] == [(owner, "chain", "approval on chain")]


def approve(office: Office, tx: SafeTx, *owners: int) -> None:
    """These owners approve the hash on chain."""
    hash_ = hex_bytes(hash_transaction(tx).safe_tx_hash)
    for owner in owners:
        office.anvil.transact(office.signer(owner).address, office.council.address, "approveHash(bytes32)", hash_)


def test_what_another_transaction_displaced_can_never_execute(office: Office) -> None:
    tx = office.transaction()
    office.council.execute(office.limit(5))
    standing = office.standing(tx, 0, 1)
    assert (standing.fate, standing.nonce) == ("displaced", 1)
    found = readiness(office.place, standing, office.council.executor)
    assert found.state == "displaced" and "never" in found.reason


def test_a_failed_execution_is_not_an_executed_one(office: Office) -> None:
    stranger_call = replace(office.pause(), args=(hex_bytes(ETH), True), to=office.market)
    office.anvil.transact(
        office.anvil.accounts[0], office.market, "appoint(address guardian)", office.anvil.accounts[3]
    )
    tx = replace(office.transaction([stranger_call]), safe_tx_gas=50_000)
    office.anvil.send(
        office.council.executor,
        office.council.address,
        office.council.execution(tx, office.council.owners[:2]),
    )
    standing = office.standing(tx, 0, 1)
    assert (standing.fate, standing.nonce) == ("failed", 1)
    assert "failure" in readiness(office.place, standing, office.council.executor).reason


# --- ready, and executed


@pytest.mark.parametrize("version", VERSIONS)
def test_signed_by_two_ready_executed_and_found_again(
    version: str, packages: Packages, built: Office, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if version == "1.4.1":
        with as_opened(built, tmp_path_factory.mktemp(version)) as office:
            sign_and_execute(office)
    else:
        with opened(packages, tmp_path_factory.mktemp(version), version) as office:
            sign_and_execute(office)


def sign_and_execute(office: Office) -> None:
    """By two signatures in files, sent by the third owner."""
    tx, told = office.transaction(), Told()
    standing = office.standing(tx, 0, 1)
    assert [(one.road, one.kind) for one in standing.confirmations] == [("file", "signature")] * 2
    shown = readiness(office.place, standing, office.council.owners[2].address)
    assert (shown.state, shown.reason) == ("ready", "")
    assert shown.collected is not None and not shown.collected.by_sender
    evidence = office.execute(tx, shown.collected.packed, told)
    assert evidence.succeeded and office.paused()
    assert told.kinds == ["intent", "sent"]
    after = office.standing(tx, 0, 1)
    assert (after.fate, ("sent", after.executed_by) in told.events) == ("executed", True)


def test_by_two_approvals_without_any_signature(office: Office) -> None:
    tx = office.transaction()
    approve(office, tx, 0, 1)
    standing = stand(office.place, tx)
    collected = collect(standing, office.council.executor)
    assert (collected.missing, collected.by_sender) == (0, False)
    assert office.execute(tx, collected.packed, Told()).succeeded and office.paused()


def test_the_sender_counts_where_one_more_is_needed(office: Office) -> None:
    tx, sender = office.transaction(), office.council.owners[2].address
    collected = collect(office.standing(tx, 0), sender)
    assert (collected.missing, collected.by_sender) == (0, True)
    assert ready(office.place, tx, collected.packed, office.council.executor).state == "failed"
    assert office.execute(tx, collected.packed, Told()).succeeded


def test_a_suspects_signature_is_left_out(office: Office) -> None:
    tx, owners = office.transaction(), office.council.owners
    collected = collect(office.standing(tx, 0, 1, 2), office.council.executor, without=[owners[0].address])
    assert set(collected.signers) == {owners[1].address, owners[2].address}
    assert office.execute(tx, collected.packed, Told()).succeeded


def test_enough_confirmations_are_not_ready_where_the_execution_fails(office: Office) -> None:
    tx = office.transaction()
    office.anvil.transact(
        office.anvil.accounts[0], office.market, "appoint(address guardian)", office.anvil.accounts[3]
    )
    standing, told = office.standing(tx, 0, 1), Told()
    assert standing.missing == 0
    shown = readiness(office.place, standing, office.council.executor)
    assert shown.state == "refused" and "GS013" in shown.reason
    assert shown.collected is not None
    with pytest.raises(Refused, match="would fail"):
        office.execute(tx, shown.collected.packed, told)
    assert told.events == []


def test_behind_earlier_nonces_it_is_queued(office: Office) -> None:
    tx = office.transaction(nonce=2)
    shown = readiness(office.place, office.standing(tx, 0, 1), office.council.executor)
    assert shown.state == "queued" and "2 must execute before it" in shown.reason


# --- interrupted, slow, taken back


class Killed(Exception):
    """The process ends here."""


def test_killed_after_the_intent_the_same_bytes_are_sent_again(office: Office) -> None:
    tx, told = office.transaction(), Told()
    packed = collect(office.standing(tx, 0, 1), office.council.executor).packed

    def dies(raw: bytes) -> None:
        told.intent(raw)
        raise Killed

    with pytest.raises(Killed):
        office.execute(tx, packed, told, intent=dies)
    assert not office.paused()
    again = Told()
    assert office.execute(tx, packed, again, earlier=told.intents).succeeded
    assert again.intents == [] and again.kinds == ["sent"]
    assert ("sent", attempt_of(told.intents[0]).hash) in again.events


def test_killed_after_sending_nothing_is_sent_again(office: Office) -> None:
    tx, told, again = office.transaction(), Told(), Told()
    packed = collect(office.standing(tx, 0, 1), office.council.executor).packed
    office.execute(tx, packed, told)
    evidence = office.execute(tx, packed, again, earlier=told.intents)
    assert evidence.succeeded and again.kinds == []


@pytest.fixture
def slow(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A chain that mines only when it is told to."""
    with opened(packages, tmp_path_factory.mktemp("slow"), automine=False) as found:
        yield found


def test_what_is_not_included_gets_a_higher_fee_at_the_same_nonce(slow: Office) -> None:
    office = slow
    tx, told, clock = office.transaction(), Told(), FakeClock()
    packed = collect(office.standing(tx, 0, 1), office.council.executor).packed

    def sleeping(seconds: float) -> None:
        if len(told.intents) == 2:
            office.anvil.mine()

    clock.sleeping = sleeping
    assert office.execute(tx, packed, told, clock).succeeded
    first, second = (attempt_of(raw).outgoing for raw in told.intents)
    assert first.nonce == second.nonce
    assert second.priority_fee * 8 >= first.priority_fee * 9 and second.max_fee * 8 >= first.max_fee * 9


@pytest.mark.parametrize("same", [True, False])
def test_somebody_else_may_be_quicker(same: bool, slow: Office) -> None:
    office, told, clock = slow, Told(), FakeClock()
    tx, other = office.transaction(), office.transaction([office.limit(5)])
    packed = collect(office.standing(tx, 0, 1), office.council.executor).packed
    theirs = office.council.execution(tx if same else other, office.council.owners[:2])

    def sleeping(seconds: float) -> None:
        office.anvil.rpc("anvil_dropAllTransactions")
        office.anvil.send(office.council.executor, office.council.address, theirs)

    clock.sleeping = sleeping
    if same:
        assert office.execute(tx, packed, told, clock).succeeded and office.paused()
    else:
        with pytest.raises(Refused, match="another transaction took nonce 0"):
            office.execute(tx, packed, told, clock)


def test_patience_ends_and_the_same_is_found_later(slow: Office) -> None:
    office = slow
    tx, told, again = office.transaction(), Told(), Told()
    packed = collect(office.standing(tx, 0, 1), office.council.executor).packed
    with pytest.raises(Waiting) as caught:
        office.execute(tx, packed, told, road=Road(poll=1, bump=99, patience=3))
    assert caught.value.waiting_for == "inclusion"
    office.anvil.mine()
    assert office.execute(tx, packed, again, earlier=told.intents).succeeded and again.kinds == []


def test_a_reorganisation_takes_an_execution_back(slow: Office) -> None:
    office = slow
    tx, told, clock = office.transaction(), Told(), FakeClock()
    packed = collect(office.standing(tx, 0, 1), office.council.executor).packed
    office.signer(2)
    before, steps = office.anvil.snapshot(), iter(("mine", "reorganise", "mine", "mine", "mine"))

    def sleeping(seconds: float) -> None:
        if next(steps) == "reorganise":
            office.anvil.revert(before)
            office.anvil.mine(4)
        else:
            office.anvil.mine()

    clock.sleeping = sleeping
    with pytest.raises(NotProven, match="reorganisation"):
        office.execute(tx, packed, told, clock, road=Road(poll=1, bump=99, patience=60, depth=3))


def test_a_broadcaster_who_is_not_named_is_warned_of(office: Office) -> None:
    sender, named = office.council.owners[2].address, office.council.executor
    assert broadcaster_warning(office.place, sender) == ""
    extra = f'broadcasters: [{{name: hot, chain: local, address: "{named}"}}]\n'
    place = replace(office, extra=extra).place
    assert broadcaster_warning(place, named) == ""
    assert f"hot ({named})" in broadcaster_warning(place, sender)
