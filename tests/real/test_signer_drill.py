"""A rehearsal of the people on a real node: who answered when; what it posts is harmless, and posted once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from incident_cli.drills.accounts import account
from incident_cli.errors import Refused, Unread, Waiting
from incident_cli.evm import hex_bytes
from incident_cli.flows.desk import Stop
from incident_cli.flows.incidents import COMMANDS, standings
from incident_cli.flows.last_drills import last_answers, last_drills
from incident_cli.flows.multisig.queueing import queue_of
from incident_cli.flows.multisig.reservations import Reservation, reserved_here
from incident_cli.flows.past_pulls import verified_events
from incident_cli.flows.recorder import LIVE, Recorder
from incident_cli.incident.events import Event, Kind, every
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.signature_file import SignatureFile, Signed, store
from incident_cli.safe.signing import signed_by
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.typed_data import delegate_typed_data, safe_tx_typed_data, totp_of
from tests.contracts.packages import Packages
from tests.fakes.safe_service_records import Confirmation as Given
from tests.fakes.signers import AccountSigner
from tests.real.desking import Office, as_opened, opened, serving
from tests.real.signing_up import Rehearsing


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with opened(packages, tmp_path_factory.mktemp("people")) as found:
        yield found


@pytest.fixture
def people(built: Office, tmp_path: Path) -> Iterator[Rehearsing]:
    """A desk with a service."""
    with as_opened(built, tmp_path) as office, serving(office) as (service, client, own):
        yield Rehearsing(service, client, own)


@pytest.fixture
def alone(built: Office, tmp_path: Path) -> Iterator[Rehearsing]:
    """A desk without a service."""
    with as_opened(built, tmp_path) as office:
        yield Rehearsing(None, None, office)


def kinds(people: Rehearsing) -> list[Kind]:
    return [one.kind for one in people.opened.recorder.events]


def stored(people: Rehearsing) -> int:
    """How many transactions the service holds."""
    assert people.service is not None
    return len(people.service.queue)


def test_two_owners_answer_at_different_times(people: Rehearsing) -> None:
    people.begin(people.owner(0), everybody=True)
    people.when({60: lambda: people.confirm(1), 200: lambda: people.confirm(2)})
    found = people.ask(people.owner(0))
    owners = [one.address for one in people.office.council.owners]
    assert [(one["owner"], one["name"], one["road"]) for one in found["answers"]] == [
        (owners[0], "ana", "here"),
        (owners[1], "bo", "service"),
        (owners[2], "cy", "service"),
    ]
    assert [one["seconds"] for one in found["answers"]] == [0, 60, 200]
    assert [one["not_before_seconds"] for one in found["answers"]] == [0, 55, 195]
    assert found["threshold_reached_after_seconds"] == 60 and found["missing"] == []
    blocks = [one["block"] for one in found["answers"]]
    assert blocks == sorted(set(blocks))
    assert stored(people) == 1 and people.opened.is_closed
    (card,) = people.cards
    assert card.hashes.safe_tx_hash == people.opened.safe_tx_hash, "shown before it is signed"


def test_the_threshold_is_enough_where_not_all_are_asked_for(people: Rehearsing) -> None:
    people.begin(people.owner(0))
    people.when({100: lambda: people.confirm(2)})
    found = people.ask(people.owner(0))
    assert found["threshold_reached_after_seconds"] == 100
    assert [(one["name"], one["reach"]) for one in found["missing"]] == [("bo", "telephone +49 30 1234")]
    assert "Asia/Tokyo" in found["missing"][0]["local_time"]


def test_nobody_answers_the_operator_stops_and_late_answers_are_seen(people: Rehearsing) -> None:
    people.begin(people.owner(0))

    def stop() -> None:
        raise KeyboardInterrupt

    people.when({100: stop})
    with pytest.raises(KeyboardInterrupt):
        people.ask(people.owner(0))
    assert [one["name"] for one in people.report()["missing"]] == ["bo", "cy"]
    people.confirm(1)
    people.clock.slept += 7_200
    people.when({})
    people.resume()
    found = people.ask(follows=False)
    late = found["answers"][1]
    assert (late["seconds"], late["not_before_seconds"]) == (7_300, 95), "when it was made is not known better"
    assert "after 1m 35s to 2h 1m" in people.words
    assert found["threshold_reached_after_seconds"] == 7_300 and stored(people) == 1


def test_without_waiting_it_comes_back_and_says_for_what(people: Rehearsing) -> None:
    people.begin(people.owner(0))
    with pytest.raises(Waiting, match="1 of 3 owners answered, 2 must") as caught:
        people.ask(people.owner(0), follows=False)
    assert caught.value.waiting_for == "signatures"
    (standing,) = standings(people.office.home)
    assert (standing.mode, standing.is_open, standing.step, standing.market) == ("signers", True, "sign", "council")
    assert COMMANDS[standing.mode] == "drill --signers --resume"


def test_a_service_that_is_down_when_it_is_posted_gets_the_same_bytes_later(people: Rehearsing) -> None:
    assert people.service is not None
    people.begin(people.owner(0))
    people.service.faults.arm("propose", "reset before", times=99)
    people.when({50: people.service.faults.clear, 200: lambda: people.confirm(1)})
    found = people.ask(people.owner(0))
    assert people.words.count("not in the service yet") == 1
    asked = [one for one in kinds(people) if one in (Kind.SIGNED, Kind.PROPOSE_INTENDED, Kind.PROPOSED)]
    assert asked == [Kind.SIGNED, Kind.PROPOSE_INTENDED, Kind.PROPOSED]
    assert found["threshold_reached_after_seconds"] == 150, "since it was posted, not since it was tried"
    assert stored(people) == 1


def test_without_the_queue_no_nonce_is_known_to_be_free(people: Rehearsing) -> None:
    assert people.service is not None
    people.service.status = 503
    with pytest.raises(Unread, match="no nonce is known to be free"):
        people.begin()
    assert standings(people.office.home) == []


@pytest.mark.parametrize("fault", ["reset after", "reset before"])  # it had arrived; it had not
def test_killed_between_the_intent_and_its_result_nothing_is_posted_twice(people: Rehearsing, fault: str) -> None:
    assert people.service is not None
    people.begin(people.owner(0))

    people.service.faults.arm("propose", fault, times=99)
    people.service.faults.arm("transaction", "reset before", times=99)
    with pytest.raises((Waiting, Unread)):
        people.ask(people.owner(0), follows=False)
    assert Kind.PROPOSE_INTENDED in kinds(people) and Kind.PROPOSED not in kinds(people)
    people.service.faults.clear()
    before = people.opened.safe_tx_hash
    people.resume()
    with pytest.raises(Waiting):
        people.ask(follows=False)
    assert people.opened.safe_tx_hash == before and Kind.PROPOSED in kinds(people)
    assert stored(people) == 1 and len(people.service.queue[0].confirmations) == 1
    assert people.service.queue[0].origin.startswith(f"incident drill --signers {people.opened.recorder.incident} ")


def test_killed_before_it_was_signed_it_is_asked_for_again_and_signed_once(people: Rehearsing) -> None:
    people.answerer.script = {"sign": [Stop()]}
    people.begin(people.owner(0))
    with pytest.raises(Waiting, match="nothing was signed"):
        people.ask(people.owner(0))
    assert stored(people) == 0 and Kind.SIGNED not in kinds(people)
    people.resume(people.owner(0))
    people.when({20: lambda: people.confirm(2)})
    assert people.ask(people.owner(0))["threshold_reached_after_seconds"] == 20
    assert kinds(people).count(Kind.PLANNED) == 1, "what was written keeps its nonce"


def test_a_plan_that_never_left_is_made_anew(people: Rehearsing) -> None:
    people.begin()
    people.office.council.execute(people.office.limit(4))
    people.resume()
    assert (people.opened.tx.nonce, kinds(people).count(Kind.PLANNED)) == (1, 2)
    assert [one.nonce for one in reserved(people)] == [1], "the plan before it is void"


def test_a_signer_who_is_nobody_is_refused_before_anything(people: Rehearsing) -> None:
    with pytest.raises(Refused, match="no owner"):
        people.begin(AccountSigner(account(9, "stranger")))
    assert standings(people.office.home) == [] and people.cards == [] and people.answerer.asked == []


def test_a_delegate_proposes_and_answers_for_nobody(people: Rehearsing) -> None:
    assert people.client is not None and people.service is not None
    delegate = AccountSigner(account(9, "delegate"))
    made = signed_by(
        people.owner(1),
        delegate_typed_data(people.office.anvil.chain_id, delegate.address, totp_of(people.service.now())),
    )
    people.client.add_delegate(
        people.office.council.address, delegate.address, people.owner(1).address, "on call", made
    )
    people.begin(delegate)
    people.when({30: lambda: people.confirm(0), 90: lambda: people.confirm(1)})
    found = people.ask(delegate)
    assert [(one["name"], one["seconds"]) for one in found["answers"]] == [("ana", 30), ("bo", 90)]


def test_by_files_alone(alone: Rehearsing) -> None:
    alone.begin()
    assert "UNKNOWN" in alone.opened.harmless.nonce_words, "a queue elsewhere is not seen"

    def signs(number: int) -> None:
        signature = signed_by(alone.owner(number), safe_tx_typed_data(alone.opened.tx))
        signed = Signed(alone.owner(number).address, signature)
        store(alone.opened.folder, SignatureFile(alone.opened.tx, (signed,)))

    alone.when({40: lambda: signs(1), 80: lambda: signs(2)})
    found = alone.ask()
    assert [(one["name"], one["road"], one["seconds"]) for one in found["answers"]] == [
        ("bo", "file", 40),
        ("cy", "file", 80),
    ]
    assert alone.opened.file.is_file()


def test_it_stands_behind_everything_and_displaces_nothing(people: Rehearsing) -> None:
    assert people.client is not None
    routine = people.office.transaction(nonce=3)
    hash_ = hash_transaction(routine).safe_tx_hash
    people.client.propose(
        routine, hash_, people.owner(1).address, signed_by(people.owner(1), safe_tx_typed_data(routine)), "routine"
    )
    people.begin()
    assert people.opened.tx.nonce == 4
    assert "displaces nothing now; it could execute only after nonces 0 to 3" in people.opened.harmless.nonce_words


def reserved(people: Rehearsing) -> list[Reservation]:
    place = people.office.place
    return list(reserved_here(people.office.home, place.chain_id, place.safe, 0).reservations)


@pytest.mark.parametrize("version", ["1.3.0", "1.4.1", "1.5.0"])
def test_it_is_harmless(version: str, packages: Packages, tmp_path: Path) -> None:
    with opened(packages, tmp_path, version) as office, serving(office) as (service, client, own):
        people = Rehearsing(service, client, own)
        people.begin()
        tx = people.opened.tx
        assert (tx.to, tx.value, tx.data, tx.operation, tx.gas_price) == (tx.safe, 0, b"", 0, 0)
        before = state_of(people, tx)
        office.anvil.send(office.council.executor, tx.safe, office.council.execution(tx, office.council.owners[:2]))
        after = state_of(people, tx)
        assert after.pop("nonce") == before.pop("nonce") + 1  # type: ignore[operator]
        assert after == before, "nothing but the nonce has changed"


def state_of(people: Rehearsing, tx: SafeTx) -> dict[str, object]:
    """Everything of the Safe that could change: its storage, its balance, its code, and the market."""
    anvil, safe = people.office.anvil, tx.safe
    (nonce,) = anvil.view(safe, "nonce() returns (uint256)")
    storage = {str(slot): anvil.rpc("eth_getStorageAt", safe, hex(slot), "latest") for slot in range(12) if slot != 5}
    views = ("getOwners() returns (address[])", "getThreshold() returns (uint256)")
    balance, code = (anvil.rpc(method, safe, "latest") for method in ("eth_getBalance", "eth_getCode"))
    return {
        "nonce": nonce,
        "storage": storage,
        "views": [anvil.view(safe, one) for one in views],
        "balance": balance,
        "code": code,
        "paused": people.office.paused(),
    }


def test_executed_meanwhile_the_threshold_had_signed(people: Rehearsing) -> None:
    people.begin(people.owner(0))
    office, tx = people.office, people.opened.tx
    execution = office.council.execution(tx, office.council.owners[:2])
    people.when({30: lambda: office.anvil.send(office.council.executor, tx.safe, execution)})
    found = people.ask(people.owner(0))
    assert found["threshold_reached_after_seconds"] == 30 and people.opened.is_closed
    assert reserved_after(people) == []


def test_displaced_nobody_can_answer_any_more(people: Rehearsing) -> None:
    people.begin(people.owner(0))
    office = people.office
    people.when({30: lambda: office.council.execute(office.limit(9))})
    with pytest.raises(Refused, match="another transaction took nonce 0"):
        people.ask(people.owner(0))
    assert people.opened.is_closed and people.report()["threshold_reached_after_seconds"] is None


def reserved_after(people: Rehearsing) -> list[int]:
    """The nonces reserved of the Safe from its present nonce on."""
    place = people.office.place
    queue = queue_of(place, None, reserved_here(people.office.home, place.chain_id, place.safe, 0))
    return [one.nonce for one in queue.at]


def test_its_nonce_is_reserved_while_it_can_execute_also_when_it_is_over(people: Rehearsing) -> None:
    people.begin(people.owner(0))
    assert reserved_after(people) == [0]
    people.when({30: lambda: people.confirm(1)})
    people.ask(people.owner(0))
    assert people.opened.is_closed and reserved_after(people) == [0]
    office, tx = people.office, people.opened.tx
    office.anvil.send(office.council.executor, tx.safe, office.council.execution(tx, office.council.owners[:2]))
    assert reserved_after(people) == []


def test_it_is_no_pull_no_runbook_drill_and_the_last_answers_are_known(people: Rehearsing) -> None:
    people.begin(people.owner(0))
    people.when({30: lambda: people.confirm(1)})
    people.ask(people.owner(0))
    home, directory = people.office.home, people.opened.recorder.directory
    assert verified_events(directory, LIVE) == () and last_drills(home) == {}
    found = last_answers(home)
    assert set(found) == {people.owner(0).address, people.owner(1).address}
    assert found[people.owner(1).address] == people.clock.at + timedelta(seconds=30)


def test_a_confirmation_that_does_not_count_is_no_answer(people: Rehearsing) -> None:
    assert people.service is not None
    people.begin(people.owner(0))
    stranger = account(9, "stranger").sign_hash(hex_bytes(people.opened.safe_tx_hash))

    def slipped() -> None:
        assert people.service is not None
        (record,) = people.service.queue
        record.confirmations[people.owner(2).address] = Given(people.owner(2).address, stranger, "")

    people.when({20: slipped, 60: lambda: people.confirm(1)})
    found = people.ask(people.owner(0))
    assert [one["name"] for one in found["answers"]] == ["ana", "bo"] and "does NOT count" in people.words
    assert [one.data["owner"] for one in every(people.opened.recorder.events, Kind.SEEN_SIGNED)] == [
        people.owner(0).address,
        people.owner(1).address,
    ]


def test_answers_that_cannot_be_seen_are_unknown_not_missing(people: Rehearsing) -> None:
    assert people.service is not None
    people.begin(people.owner(0))
    with pytest.raises(Waiting):
        people.ask(people.owner(0), follows=False)
    people.confirm(1)
    people.service.status = 503
    people.resume()
    with pytest.raises(Unread, match="1 of 3 owners answered, 2 must; whether more did is not known"):
        people.ask(follows=False)
    assert "503" in people.report()["unseen"]
    people.service.status = 200
    people.resume()
    assert people.ask(follows=False)["unseen"] == ""


def test_a_file_of_others_signatures_counts_for_nothing(alone: Rehearsing) -> None:
    alone.begin()
    with pytest.raises(Waiting):
        alone.ask(follows=False)
    other = alone.office.transaction()
    signed = Signed(alone.owner(1).address, signed_by(alone.owner(1), safe_tx_typed_data(other)))
    path, _ = store(alone.office.folder / "elsewhere", SignatureFile(other, (signed,)))
    alone.opened.signatures.write_bytes(path.read_bytes())
    with pytest.raises(Waiting, match="0 of 3"):
        alone.ask(follows=False)


class Killed(BaseException):
    """The process is gone."""


def killed_at(kind: Kind, before: bool, patch: pytest.MonkeyPatch) -> list[Recorder]:
    """The first record of this kind ends the process: before it is written, or after. Holds what must be let go of."""
    real = Recorder.record
    done: list[Recorder] = []

    def record(self: Recorder, what: Kind, **rest: Any) -> Event:
        if what is kind and not done:
            done.append(self)
            if not before:
                real(self, what, **rest)
            raise Killed
        if done:  # nothing is written by a process that is gone
            raise Killed
        return real(self, what, **rest)

    patch.setattr(Recorder, "record", record)
    return done


STAGES = (Kind.STEP_STARTED, Kind.PLANNED, Kind.EXPORTED, Kind.SIGNED, Kind.PROPOSE_INTENDED, Kind.PROPOSED)


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("kind", [*STAGES, Kind.SEEN_SIGNED, Kind.CLOSED], ids=lambda one: str(one))
def test_killed_at_any_record_nothing_is_lost_and_nothing_posted_twice(
    people: Rehearsing, kind: Kind, before: bool
) -> None:
    people.when({10: lambda: people.confirm(1)})
    with pytest.MonkeyPatch.context() as patch:
        gone = killed_at(kind, before, patch)
        with pytest.raises(Killed):
            people.begin(people.owner(0))
            people.ask(people.owner(0))
    gone[0].journal.close()
    if not (kind is Kind.CLOSED and not before):
        people.resume(people.owner(0))
        found = people.ask(people.owner(0))
        assert [one["name"] for one in found["answers"]] == ["ana", "bo"]
        assert kinds(people).count(Kind.SIGNED) == kinds(people).count(Kind.PROPOSED) == 1
    assert stored(people) == 1, "posted twice"
    assert people.service is not None and len(people.service.queue[0].confirmations) == 2
    (standing,) = standings(people.office.home)
    assert not standing.is_open
