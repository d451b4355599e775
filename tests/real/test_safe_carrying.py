"""Executing by hand: what is kept on this machine before anything is sent, and what the chain must show afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from incident_cli.abi import parse_signature
from incident_cli.drills.accounts import account
from incident_cli.errors import Misused, Refused, Waiting
from incident_cli.evm import CallRead, hex_bytes
from incident_cli.flows.multisig.broadcasting import attempt_of
from incident_cli.flows.multisig.carrying import Carried, Hands, carried_before, carry, price, weigh
from incident_cli.flows.multisig.executing import execute
from incident_cli.flows.multisig.following import Watch, follow
from incident_cli.flows.multisig.intents import Intents
from incident_cli.flows.multisig.rotating import RotationOrder, plan
from incident_cli.flows.multisig.taking_up import Matter, counter_of
from incident_cli.flows.proposal import PlannedCall
from incident_cli.levers.expectation import Expectation
from incident_cli.safe.contracts import APPROVE_HASH
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.signature_file import SignatureFile, Signed, store
from incident_cli.safe.signing import raw_by
from incident_cli.safe.transaction import SafeTx
from tests.contracts.packages import Packages
from tests.fakes.desk import FakeClock
from tests.fakes.signers import AccountSigner
from tests.real.desking import ETH, HASTY, Office, Told, as_opened, nothing, opened

PAUSED = parse_signature("paused(bytes32 market) returns (bool)")


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The chain, built once."""
    with opened(packages, tmp_path_factory.mktemp("carrying")) as found:
        yield found


@pytest.fixture
def office(built: Office, tmp_path: Path) -> Iterator[Office]:
    """The chain as it was built, for this test alone."""
    with as_opened(built, tmp_path) as found:
        yield found


def proposal_file(office: Office, tx: SafeTx, paused: bool = True) -> Path:
    """A proposal file as `respond` writes it, expecting the market to be paused (or not)."""
    expect = Expectation("exchange.paused(ETH-USD)", CallRead(office.market, PAUSED, (hex_bytes(ETH),)), paused)
    document: dict[str, Any] = {
        "schema": "incident.proposal/v1",
        "safe_tx": tx.to_json(),
        "safe_tx_hash": hash_transaction(tx).safe_tx_hash,
        "calls": [PlannedCall(office.pause(), "exchange.pause", "Stops one market.").to_json()],
        "expect": [expect.to_json()],
        "unchanged": [],
        "block": {"chain": "local", "number": 0, "hash": "0x" + "0" * 64, "timestamp": 0},
    }
    path = office.folder / "proposal.json"
    path.write_text(json.dumps(document))
    return path


def watch_over(office: Office, target: str | Path, tx: SafeTx, *owners: int) -> Watch:
    """The transaction taken up, with these owners' signatures in a file."""
    counter = counter_of(office.deployment_file, nothing, lambda seconds: None)
    signed = tuple(Signed(owner, signature) for owner, signature in sorted(office.signed(tx, *owners).items()))
    path, _ = store(office.folder / "signatures", SignatureFile(tx, signed))
    return follow(counter, counter.matter(str(target)), [path])


def hands_of(office: Office, told: Told) -> Hands:
    """The third owner sends."""
    return Hands(office.signer(2), office.home, FakeClock(), told.say, HASTY)


def carried(office: Office, watch: Watch, told: Told) -> Carried:
    """Weighed and carried."""
    hands = hands_of(office, told)
    return carry(watch.matter, weigh(watch, watch.look().standing, hands), hands)


def test_executed_and_shown_is_proven(office: Office) -> None:
    tx, told = office.transaction(), Told()
    watch = watch_over(office, proposal_file(office, tx), tx, 0, 1)
    done = carried(office, watch, told)
    assert done.is_proven and [one.holds for one in done.shown] == [True] and office.paused()
    (raw,) = Intents(office.home, done.safe_tx_hash, FakeClock()).earlier
    assert attempt_of(raw).hash == done.transaction_hash
    found = watch.look()
    assert (found.state, found.exit_code) == ("executed", 0)
    again = carried_before(watch.matter, found.standing, 0)
    assert again.is_proven and again.transaction_hash == done.transaction_hash


def test_executed_and_not_shown_is_not_proven(office: Office) -> None:
    tx = office.transaction()
    watch = watch_over(office, proposal_file(office, tx, paused=False), tx, 0, 1)
    done = carried(office, watch, Told())
    assert done.evidence.succeeded and not done.is_proven
    assert [(one.wanted, one.found, one.holds) for one in done.shown] == [("false", "true", False)]


def test_one_signature_is_not_enough_and_says_so(office: Office) -> None:
    tx = office.transaction([office.limit(3)])
    path = office.folder / "flat.json"
    path.write_text(json.dumps(tx.to_json()))
    watch = watch_over(office, path, tx)
    stranger = replace(hands_of(office, Told()), broadcaster=office.signer(2))
    with pytest.raises(Waiting) as caught:
        weigh(watch, watch.look().standing, stranger)
    assert caught.value.waiting_for == "signatures"


def test_whoever_goes_counts_for_nothing_not_even_by_sending(office: Office) -> None:
    suspect, stays, other = (one.address for one in office.council.owners)
    order = RotationOrder(office.deployment_file, "council", (suspect,), (account(5, "new owner").address,))
    planned = plan(order, nothing)
    path = planned.write(office.folder)
    document = {**json.loads(path.read_text()), "excluded": []}
    path.write_text(json.dumps(document))
    watch = watch_over(office, path, planned.tx, 0, 1)
    theirs = office.signed(planned.tx, 0)
    office.anvil.rpc("anvil_setBalance", suspect, hex(10**18))
    office.anvil.transact(suspect, planned.tx.safe, APPROVE_HASH, hex_bytes(planned.hashes.safe_tx_hash))
    for one in (watch, replace(watch, signatures={**watch.signatures, **theirs})):
        standing = one.look().standing
        assert [found.owner for found in standing.confirmations] == [stays] and standing.missing == 1
        assert [waiter.owner for waiter in standing.waiting] == [other]
        assert any(bad.owner == suspect and "rotated out" in bad.reason for bad in standing.invalid)
        with pytest.raises(Waiting, match="1 of 2"):
            weigh(one, standing, replace(hands_of(office, Told()), broadcaster=office.signer(0)))
        assert weigh(one, standing, hands_of(office, Told())).state == "ready"  # another who stays, by sending it


def test_whoever_cannot_pay_is_told_before_anybody_is_asked(office: Office) -> None:
    tx, told = office.transaction(), Told()
    watch = watch_over(office, proposal_file(office, tx), tx, 0, 1)
    hands = replace(hands_of(office, told), broadcaster=AccountSigner(account(9, "poor")))
    weighed = weigh(watch, watch.look().standing, hands)
    with pytest.raises(Refused, match="holds nothing"):
        price(watch.matter, weighed, hands)
    assert price(watch.matter, weighed, hands_of(office, told)).most_cost > 0


class Killed(Exception):
    """The process ends here."""


def test_killed_between_intent_and_sending_the_next_run_sends_the_same(office: Office) -> None:
    tx, told, again = office.transaction(), Told(), Told()
    watch = watch_over(office, proposal_file(office, tx), tx, 0, 1)
    hands = hands_of(office, told)
    weighed = weigh(watch, watch.look().standing, hands)
    intents = hands.intents_of(watch.matter.safe_tx_hash)

    def dies(raw: bytes) -> None:
        intents.intend(raw)
        raise Killed

    assert weighed.collected is not None
    with pytest.raises(Killed):
        execute(
            watch.matter.place,
            tx,
            weighed.collected.packed,
            hands.broadcaster,
            intent=dies,
            sent=told.sent,
            clock=FakeClock(),
            road=HASTY,
        )
    assert not office.paused()
    done = carried(office, watch, again)
    (raw,) = intents.earlier
    assert done.is_proven and done.transaction_hash == attempt_of(raw).hash


def test_what_another_broadcaster_was_about_to_send_is_sent_for_it(office: Office) -> None:
    tx, told = office.transaction(), Told()
    watch = watch_over(office, proposal_file(office, tx), tx, 0, 1)
    one = hands_of(office, told)
    other = replace(one, broadcaster=office.signer(1))
    weighed = weigh(watch, watch.look().standing, other)
    made = attempt_of(raw_by(other.broadcaster, price(watch.matter, weighed, other).outgoing))
    one.intents_of(watch.matter.safe_tx_hash).intend(made.raw)
    done = carried(office, watch, told)
    assert done.is_proven and done.transaction_hash == made.hash and made.sender == other.broadcaster.address
    assert one.intents_of(watch.matter.safe_tx_hash).earlier == [made.raw], "nothing beside it"


def test_half_a_line_was_never_sent_and_a_damaged_one_is_said(office: Office) -> None:
    tx, told = office.transaction(), Told()
    watch = watch_over(office, proposal_file(office, tx), tx, 0, 1)
    intents = hands_of(office, told).intents_of(watch.matter.safe_tx_hash)
    intents.path.parent.mkdir(parents=True)
    intents.path.write_bytes(b'{"at": "2026", "raw": "0x02')
    assert intents.earlier == []
    assert carried(office, watch, told).is_proven
    assert len(intents.earlier) == 1
    intents.path.write_bytes(b'{"raw": "0x02"}\n')
    with pytest.raises(Misused, match="EIP-1559"):
        _ = intents.earlier
    intents.path.write_bytes(b"nonsense\n")
    with pytest.raises(Misused, match="damaged"):
        _ = intents.earlier


def test_two_processes_do_not_execute_the_same(office: Office) -> None:
    intents = Intents(office.home, "0x" + "ab" * 32, FakeClock())
    with intents.held(), pytest.raises(Refused, match="another process"), intents.held():
        pass
    with intents.held():
        pass


def test_signatures_of_another_transaction_are_refused(office: Office) -> None:
    tx, other = office.transaction(), office.transaction([office.limit(3)])
    counter = counter_of(office.deployment_file, nothing, lambda seconds: None)
    path, _ = store(office.folder, SignatureFile(other, ()))
    matter: Matter = counter.matter(str(proposal_file(office, tx)))
    with pytest.raises(Refused, match="holds signatures of"):
        follow(counter, matter, [path])


def test_a_hash_alone_says_nothing_without_a_service(office: Office) -> None:
    counter = counter_of(office.deployment_file, nothing, lambda seconds: None)
    with pytest.raises(Misused, match="names no transaction service"):
        counter.matter("0x" + "ab" * 32)


def test_the_private_node_gets_it_first(office: Office) -> None:
    tx, told = office.transaction(), Told()
    watch = watch_over(office, proposal_file(office, tx), tx, 0, 1)
    hands = replace(hands_of(office, told), road=replace(HASTY, private_url="http://127.0.0.1:9/"))
    weighed = weigh(watch, watch.look().standing, hands)
    with pytest.raises(Exception, match="private broadcast node"):
        carry(watch.matter, weighed, hands)
    assert not office.paused(), "nobody else was given it"
    assert carried(office, watch, told).is_proven
