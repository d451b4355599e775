"""The desk with a transaction service: proposed once, joined, confirmed, executed; and what a count does not prove."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from incident_cli.drills.accounts import account
from incident_cli.errors import Misused, Refused, Unread, Waiting
from incident_cli.evm import hex_bytes, keccak
from incident_cli.flows.clock import SystemClock
from incident_cli.flows.desk import Stop
from incident_cli.flows.multisig.approving import approve
from incident_cli.flows.multisig.authority import Role, role_of
from incident_cli.flows.multisig.collecting import collect
from incident_cli.flows.multisig.delegating import add, delegates_of, remove
from incident_cli.flows.multisig.proposing import confirm, join, origin_of, parse_origin, post, post_unsigned
from incident_cli.flows.multisig.queueing import choices_of, queue_of
from incident_cli.flows.multisig.readiness import readiness
from incident_cli.flows.multisig.rejecting import reject
from incident_cli.flows.multisig.reservations import Reserved
from incident_cli.flows.multisig.signing import SigningDesk
from incident_cli.flows.multisig.standing import Standing, stand
from incident_cli.flows.multisig.submitting import Submission, propose
from incident_cli.flows.multisig.submitting import confirm as confirm_by_hand
from incident_cli.flows.multisig.taking_up import counter_of
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.service import TransactionService
from incident_cli.safe.signatures import contract_signature, pack
from incident_cli.safe.transaction import SafeTx
from tests.contracts.packages import Packages
from tests.contracts.safes import Safe2of3, build_safe
from tests.fakes.desk import FakeClock, Scripted
from tests.fakes.safe_service import SafeService
from tests.fakes.signers import AccountSigner
from tests.real.desking import HASTY, Office, Told, as_opened, nothing, opened, serving

ORIGIN = origin_of("0x" + "ab" * 32, "cd" * 32)
NOTHING_RESERVED = Reserved()


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The chain, built once."""
    with opened(packages, tmp_path_factory.mktemp("desk")) as found:
        yield found


Desk = tuple[SafeService, TransactionService, Office]


@pytest.fixture
def desk(built: Office, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The chain as it was built and an empty service, for this test alone."""
    with as_opened(built, tmp_path_factory.mktemp("one")) as office, serving(office) as found:
        yield found


def posted(desk: Desk, tx: SafeTx, owner: int = 0) -> str:
    """Proposed by an owner; its hash."""
    _, client, office = desk
    signer = office.signer(owner)
    return post(client, tx, hash_transaction(tx), signer, ORIGIN, role=Role("owner", signer.address)).safe_tx_hash


@pytest.mark.parametrize("version", ["1.3.0", "1.4.1", "1.5.0"])
def test_proposed_confirmed_ready_and_executed(
    version: str, packages: Packages, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with opened(packages, tmp_path_factory.mktemp(version), version) as one, serving(one) as desk:
        propose_confirm_execute(desk)


def propose_confirm_execute(desk: Desk) -> None:
    """The whole road with a service, on a batch of two calls."""
    _, client, office = desk
    tx = office.transaction([office.pause(), office.limit(5)])
    hash_ = posted(desk, tx)
    waiting = {one.owner for one in stand(office.place, tx, service=client).waiting}
    assert waiting == {one.address for one in office.council.owners[1:]}
    done = confirm(client, tx, office.signer(1))
    assert set(done.confirmed_by) == {one.address for one in office.council.owners[:2]}
    standing = stand(office.place, tx, service=client)
    assert (standing.on_service, standing.origin, standing.missing) == (True, ORIGIN, 0)
    assert {one.road for one in standing.confirmations} == {"service"}
    shown = readiness(office.place, standing, office.council.executor)
    assert shown.state == "ready" and shown.collected is not None
    assert office.execute(tx, shown.collected.packed, Told()).succeeded and office.paused()
    after = stand(office.place, tx, service=client)
    assert (after.fate, after.safe_tx_hash) == ("executed", hash_)


def test_the_origin_is_short_and_is_read_back() -> None:
    assert len(ORIGIN) <= 200
    found = parse_origin(ORIGIN)
    assert found is not None and (found.runbook, found.head) == ("ab" * 16, "cd" * 16)
    assert parse_origin('{"url":"elsewhere"}') is None
    with pytest.raises(Misused):
        origin_of("no hash", "cd" * 32)


def test_the_same_calls_are_joined_whatever_their_nonce_and_batch(desk: Desk) -> None:
    _, client, office = desk
    there = office.transaction([office.pause(), office.limit(5)], nonce=1)
    posted(desk, there)
    mine = office.transaction([office.pause(), office.limit(5)])
    found = join(office.place, client, mine, 0)
    assert found is not None and found.safe_tx_hash == hash_transaction(there).safe_tx_hash
    assert join(office.place, client, office.transaction([office.limit(5), office.pause()]), 0) is None
    assert join(office.place, client, replace(mine, version="1.4.1+L2"), 0) is not None, "the same Safe by another name"
    assert join(office.place, client, office.transaction(), 0) is None
    assert join(office.place, client, replace(mine, safe_tx_gas=0, data=mine.data[:-1] + b"\1"), 0) is None


def test_one_queued_far_behind_is_said_to_be_and_can_be_gone_before(desk: Desk, tmp_path: Path) -> None:
    office = desk[2]
    posted(desk, office.transaction(nonce=4))
    counter = counter_of(office.deployment_file, nothing, lambda seconds: None)
    file = tmp_path / "tx.json"
    file.write_text(json.dumps(office.transaction().to_json()))
    said: list[str] = []
    people = SigningDesk(
        lambda card: None, lambda words, tone: said.append(words), Scripted(), SystemClock(), office.home, nothing
    )
    order = Submission(counter, counter.matter(str(file)), office.signer(1))
    joined = propose(order, people)
    assert (joined.posted.how, joined.missing) == ("joined", 0) and "the nonces 0 to 3 are used" in said[1]
    again = propose(replace(order, again=True), people)
    assert (again.posted.how, again.posted.safe_tx_hash) == ("posted", order.matter.safe_tx_hash)
    assert propose(order, people).posted.how == "there"


def test_what_was_signed_and_did_not_arrive_is_handed_in_again_without_signing(desk: Desk, tmp_path: Path) -> None:
    service, _, office = desk
    hash_ = posted(desk, office.transaction())
    counter = counter_of(office.deployment_file, nothing, lambda seconds: None)
    answers, said = Scripted(), list[str]()

    def say(words: str, tone: str) -> None:
        said.append(words)
        service.status = 500 if words.startswith("signed") else 200

    people = SigningDesk(lambda card: None, say, answers, SystemClock(), office.home, nothing)
    order = Submission(counter, counter.matter(hash_), office.signer(1))
    with pytest.raises(Unread, match="HTTP 500"):
        confirm_by_hand(order, people)
    service.status = 200
    assert len(answers.asked) == 1
    done = confirm_by_hand(order, people)
    assert (done.posted.how, done.missing, len(answers.asked)) == ("joined", 0, 1)
    assert "the same signature is handed in again" in said[-1]


def test_whoever_is_no_owner_is_not_even_asked(desk: Desk) -> None:
    _, _, office = desk
    hash_ = posted(desk, office.transaction())
    counter = counter_of(office.deployment_file, nothing, lambda seconds: None)
    answers, shown = Scripted(), list[object]()
    people = SigningDesk(shown.append, lambda words, tone: None, answers, SystemClock(), office.home, nothing)
    order = Submission(counter, counter.matter(hash_), AccountSigner(account(9, "stranger")))
    for hand_in in (confirm_by_hand, propose):
        with pytest.raises(Refused, match="no owner"):
            hand_in(order, people)
    assert (answers.asked, shown) == ([], [])


def test_stopped_at_the_question_nothing_is_signed_or_sent(desk: Desk) -> None:
    service, _, office = desk
    hash_ = posted(desk, office.transaction())
    counter = counter_of(office.deployment_file, nothing, lambda seconds: None)
    stops = Scripted({"sign": [Stop()]})
    people = SigningDesk(lambda card: None, lambda words, tone: None, stops, SystemClock(), office.home, nothing)
    with pytest.raises(Waiting, match="nothing was signed"):
        confirm_by_hand(Submission(counter, counter.matter(hash_), office.signer(1)), people)
    assert len(service.queue[0].confirmations) == 1 and not (office.home / "signatures").exists()


def test_one_that_pays_a_refund_is_not_joined(desk: Desk) -> None:
    _, client, office = desk
    posted(desk, replace(office.transaction(), gas_price=1, refund_receiver=office.council.executor))
    assert join(office.place, client, office.transaction(), 0) is None


def test_what_nobody_signed_is_not_joined(desk: Desk) -> None:
    """Anybody may put an untrusted transaction there."""
    _, client, office = desk
    tx = office.transaction(nonce=1)
    post_unsigned(client, tx, hash_transaction(tx), office.council.owners[0].address, ORIGIN)
    assert join(office.place, client, office.transaction(), 0) is None


def test_rivals_and_earlier_ones_are_seen(desk: Desk) -> None:
    _, client, office = desk
    first, rival = office.transaction([office.limit(1)]), office.transaction([office.limit(2)], nonce=1)
    mine = office.transaction(nonce=1)
    for tx in (first, rival, mine):
        posted(desk, tx)
    standing = stand(office.place, mine, service=client)
    assert [one.safe_tx_hash for one in standing.rivals] == [hash_transaction(rival).safe_tx_hash]
    assert [one.safe_tx_hash for one in standing.earlier] == [hash_transaction(first).safe_tx_hash]
    queue = queue_of(office.place, client)
    assert [(one.nonce, one.are_rivals) for one in queue.at] == [(0, False), (1, True)]
    assert [(one.how, one.nonce, len(one.displaces)) for one in choices_of(queue)] == [
        ("on-chain", 0, 1),
        ("next-free", 2, 0),
        ("replace", 1, 2),
    ]


def test_gaps_are_named(desk: Desk) -> None:
    _, client, office = desk
    posted(desk, office.transaction(nonce=3))
    queue = queue_of(office.place, client)
    assert queue.gaps == (0, 1, 2) and queue.next_free == 4
    assert [one.how for one in choices_of(queue)] == ["on-chain", "gap", "gap", "next-free", "replace"]


def test_a_loser_of_an_earlier_nonce_is_left_out(desk: Desk) -> None:
    _, client, office = desk
    posted(desk, office.transaction())
    office.council.execute(office.limit(5))
    assert queue_of(office.place, client).at == ()


def test_a_service_that_is_down_leaves_the_rest_known(desk: Desk) -> None:
    service, client, office = desk
    service.status = 500
    tx = office.transaction()
    standing = stand(office.place, tx, service=client, signatures=office.signed(tx, 0, 1))
    assert standing.missing == 0 and "HTTP 500" in standing.service_problem
    queue = queue_of(office.place, client)
    assert "HTTP 500" in queue.service_problem and not queue.is_known
    assert [one.words for one in choices_of(queue)] == [
        "nonce 0: next to execute; whether something stands there is UNKNOWN"
    ]


def test_a_record_that_lies_about_its_hash_is_no_label(desk: Desk) -> None:
    service, client, office = desk
    posted(desk, office.transaction())
    service.queue[0].tx = office.transaction([office.limit(9)])
    (found,) = queue_of(office.place, client).at[0].queued
    assert found.tx is None and found.label.startswith("NOT what it claims to be")


def test_a_record_with_other_fields_under_our_hash_counts_for_nothing_and_is_said(desk: Desk) -> None:
    """The owners who look at the service see another transaction than the one they are asked for."""
    service, client, office = desk
    tx = office.transaction()
    posted(desk, tx)
    service.queue[0].tx = office.transaction([office.limit(9)])
    standing = stand(office.place, tx, service=client, signatures=office.signed(tx, 1))
    assert (
        "fields that hash to" in standing.service_problem and "nothing of its record counts" in standing.service_problem
    )
    assert not standing.on_service and standing.origin == ""
    assert [one.road for one in standing.confirmations] == ["file"]


def test_a_service_that_is_down_does_not_hide_what_another_knows(desk: Desk) -> None:
    service, _, office = desk
    tx = office.transaction()
    hash_ = posted(desk, tx)
    counter = counter_of(office.deployment_file, nothing, lambda seconds: None)
    down = TransactionService("http://127.0.0.1:9/", chain="down", chain_id=10)
    (entry,) = counter.deployment.services.values()
    services = {"down": down, "local": counter.services("local")}
    deployment = replace(counter.deployment, services={"down": entry, "local": entry})
    both = replace(counter, deployment=deployment, services=services.get)
    assert both.matter(hash_).tx == tx
    with pytest.raises(Unread, match="that could be asked knows"):
        both.matter("0x" + "ab" * 32)
    with pytest.raises(Refused, match="no transaction service"):
        counter.matter("0x" + "ab" * 32)
    assert len(service.queue) == 1


# --- rejecting


def test_a_rejection_displaces_and_takes_the_nonce(desk: Desk) -> None:
    _, client, office = desk
    tx = office.transaction()
    hash_ = posted(desk, tx)
    made = reject(office.place, client, 0, NOTHING_RESERVED, hash_)
    assert [one for one, _ in made.displaced] == [hash_]
    posted(desk, made.tx)
    confirm(client, made.tx, office.signer(1))
    packed = collect(stand(office.place, made.tx, service=client), office.council.executor).packed
    assert office.execute(made.tx, packed, Told()).succeeded and not office.paused()
    assert stand(office.place, tx, service=client).fate == "displaced"
    with pytest.raises(Refused, match="spent"):
        reject(office.place, client, 0, NOTHING_RESERVED)


def test_a_rejection_is_not_joined_at_another_nonce(desk: Desk) -> None:
    _, client, office = desk
    posted(desk, reject(office.place, client, 1, NOTHING_RESERVED).tx)
    assert join(office.place, client, reject(office.place, client, 0, NOTHING_RESERVED).tx, 0) is None


# --- approving on chain


def test_two_owners_approve_and_anybody_executes(desk: Desk) -> None:
    _, client, office = desk
    tx, said = office.transaction(), Told()
    for owner in (0, 1):
        done = approve(office.place, tx, office.signer(owner), clock=FakeClock(), say=said.say, road=HASTY)
        assert done.transaction_hash is not None
    again = approve(office.place, tx, office.signer(0), clock=FakeClock(), say=said.say, road=HASTY)
    assert again.transaction_hash is None
    packed = collect(stand(office.place, tx, service=client), office.council.executor).packed
    assert office.execute(tx, packed, Told()).succeeded and office.paused()


def test_a_stranger_does_not_approve(desk: Desk) -> None:
    office = desk[2]
    stranger = AccountSigner(account(9, "stranger"))
    with pytest.raises(Refused, match="no owner"):
        approve(office.place, office.transaction(), stranger, clock=FakeClock(), say=print, road=HASTY)


# --- delegates


def test_a_delegate_is_added_proposes_and_is_removed(desk: Desk) -> None:
    _, client, office = desk
    helper, owner, clock = AccountSigner(account(9, "on call")), office.signer(0), SystemClock()
    owners = [one.address for one in office.council.owners]
    with pytest.raises(Refused, match="no owner and no registered"):
        role_of(owners, client, office.council.address, helper.address)
    add(office.place, client, owner, helper.address, "on call", clock=clock)
    ((found),) = delegates_of(office.place, client)
    assert (found.address, found.owner, found.counts) == (helper.address, owner.address, True)
    role = role_of(owners, client, office.council.address, helper.address)
    assert role == Role("delegate", owner.address)
    tx = office.transaction()
    post(client, tx, hash_transaction(tx), helper, ORIGIN, role=role)
    standing = stand(office.place, tx, service=client)
    assert standing.on_service and standing.confirmations == ()
    with pytest.raises(Refused):
        role_of(owners, client, office.council.address, helper.address, owners[1])
    remove(office.place, client, owner, helper.address, clock=clock)
    assert delegates_of(office.place, client) == ()


def test_a_delegate_of_an_owner_rotated_out_may_nothing(desk: Desk) -> None:
    _, client, office = desk
    helper, owner = account(9, "on call").address, office.signer(0)
    add(office.place, client, owner, helper, "on call", clock=SystemClock())
    with pytest.raises(Refused, match="no owner and no registered"):
        role_of([office.council.owners[1].address], client, office.council.address, helper)


# --- a contract owner: the service accepts what the chain does not


@pytest.mark.parametrize("version", ["1.4.1", "1.5.0"])
def test_a_contracts_signature_counts_only_in_the_form_the_chain_asks(
    version: str, packages: Packages, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with opened(packages, tmp_path_factory.mktemp(version), version) as office, serving(office) as (_, client, desk):
        inner = build_safe(office.anvil, "1.4.1", seed=7, number=1)
        office.as_safe("addOwnerWithThreshold(address,uint256)", inner.address, 2)
        tx = desk.transaction()
        hashes = hash_transaction(tx)
        preimage = b"\x19\x01" + hex_bytes(hashes.domain_hash) + hex_bytes(hashes.message_hash)
        forms = {"1.4.1": preimage, "1.5.0": hex_bytes(hashes.safe_tx_hash)}
        right, wrong = forms[version], forms["1.5.0" if version == "1.4.1" else "1.4.1"]
        accepted = standing_with(desk, client, tx, inner, right)
        assert accepted.missing == 0 and accepted.invalid == ()
        shown = readiness(desk.place, accepted, office.council.executor)
        assert shown.state == "ready" and shown.collected is not None
        trapped = standing_with(desk, client, tx, inner, wrong)
        assert trapped.missing == 1 and f"as a Safe {version} asks" in trapped.invalid[0].reason
        assert readiness(desk.place, trapped, office.council.executor).state == "waiting"
        assert office.execute(tx, shown.collected.packed, Told()).succeeded and office.paused()


def standing_with(office: Office, client: TransactionService, tx: SafeTx, inner: Safe2of3, message: bytes) -> Standing:
    """How it stands with one key's signature and the inner Safe's over a message, both by files."""
    (separator,) = office.anvil.view(inner.address, "domainSeparator() returns (bytes32)")
    assert isinstance(separator, bytes)
    struct = keccak(keccak(b"SafeMessage(bytes message)") + keccak(message))
    digest = keccak(b"\x19\x01" + separator + struct)
    data = pack({one.address: one.sign_hash(digest) for one in inner.owners[:2]})
    given = {**office.signed(tx, 0), inner.address: contract_signature(inner.address, data)}
    return stand(office.place, tx, service=client, signatures=given)
