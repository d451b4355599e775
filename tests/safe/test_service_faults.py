"""Every fault at every request of the client: nothing doubled, nothing believed that is not so, and it can go on."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from incident_cli.errors import IncidentError, Refused
from incident_cli.safe.service import TransactionService
from incident_cli.safe.service_explanations import EXPLANATIONS
from tests.fakes.safe_service import SafeService
from tests.fakes.safe_service_faults import FAULTS
from tests.safe.service_desk import (
    CHAIN_ID,
    FIRST,
    HASH,
    KEY,
    ORIGIN,
    OWNERS,
    SAFE,
    SECOND,
    TRUST,
    TX,
    client,
    kept,
    serving,
    transaction,
)

ALWAYS = 60
SLOW = {"silent before", "silent after", "drip"}
QUEUE = [kept(transaction(nonce)) for nonce in range(7, 7 + 203)]


def nothing(service: SafeService) -> None:
    """No transaction and no delegate."""


def proposed(service: SafeService) -> None:
    """The transaction, with its first owner's confirmation."""
    service.add(kept(TX, FIRST))


def crowded(service: SafeService) -> None:
    """Two pages of transactions, and one that is not trusted."""
    for record in QUEUE:
        service.add(record)
    service.add(kept(transaction(8, value=3), trusted=False))


def trusted(service: SafeService) -> None:
    """A delegate."""
    safe, (who, by, label, _) = SAFE, TRUST
    service.delegates.append({"safe": safe, "delegate": who, "delegator": by, "label": label, "expiryDate": None})


def propose(desk: TransactionService) -> bool:
    desk.propose(TX, HASH, OWNERS[0].address, FIRST, ORIGIN)
    return True


def confirm(desk: TransactionService) -> bool:
    desk.confirm(HASH, SECOND)
    return True


def read(desk: TransactionService) -> bool:
    found = desk.transaction(HASH)
    assert found is not None, "that it is not there is not known"
    assert found.safe_tx(CHAIN_ID, "1.4.1") == TX
    return set(found.proven.values()) <= {FIRST}


def list_queue(desk: TransactionService) -> bool:
    """Every record is shown, and shows what it is or is refused when it is looked at (tried with a few)."""
    found, wanted = desk.pending(SAFE, 7), {one.safe_tx_hash: one.tx for one in QUEUE}
    refused = 0
    for one in [*found[:5], *found[-5:]]:
        try:
            rebuilt = one.safe_tx(CHAIN_ID, "1.4.1")
            assert rebuilt == wanted.get(one.safe_tx_hash, rebuilt)
        except Refused:
            refused += 1
    return len(found) in (203, 204) and (refused > 0 or set(wanted) <= {one.safe_tx_hash for one in found})


def add(desk: TransactionService) -> bool:
    desk.add_delegate(SAFE, *TRUST)
    return True


def remove(desk: TransactionService) -> bool:
    desk.remove_delegate(SAFE, *TRUST[:2], TRUST[3])
    return True


def list_delegates(desk: TransactionService) -> bool:
    return [(one.delegate, one.delegator) for one in desk.delegates(SAFE)] == [TRUST[:2]]


def about(desk: TransactionService) -> bool:
    return desk.about().version == "6.10.1"


def holds_proposal(service: SafeService) -> bool:
    return [one.safe_tx_hash for one in service.queue] == [HASH] and confirmed_by(service) == [FIRST]


def holds_confirmation(service: SafeService) -> bool:
    return confirmed_by(service) == [FIRST, SECOND]


def confirmed_by(service: SafeService) -> list[bytes]:
    return [one.signature for record in service.queue for one in record.confirmations.values()]


def holds_delegate(service: SafeService) -> bool:
    return [(one["safe"], one["delegate"], one["delegator"]) for one in service.delegates] == [(SAFE, *TRUST[:2])]


def holds_no_delegate(service: SafeService) -> bool:
    return service.delegates == []


def anything(service: SafeService) -> bool:
    return True


@dataclass(frozen=True)
class Work:
    """Something that the client does: what stands before, what it asks in order, and what is so once it returned."""

    before: Callable[[SafeService], None]
    run: Callable[[TransactionService], bool]
    sites: tuple[str, ...]
    done: Callable[[SafeService], bool] = anything


WORKS = {
    "propose": Work(nothing, propose, ("transaction", "propose", "transaction"), holds_proposal),
    "confirm": Work(proposed, confirm, ("transaction", "confirm", "transaction"), holds_confirmation),
    "read": Work(proposed, read, ("transaction",)),
    "queue": Work(crowded, list_queue, ("pending 1", "pending 2", "untrusted 1")),
    "add delegate": Work(nothing, add, ("add delegate", "delegates"), holds_delegate),
    "remove delegate": Work(trusted, remove, ("delegates", "remove delegate", "delegates"), holds_no_delegate),
    "delegates": Work(trusted, list_delegates, ("delegates",)),
    "about": Work(nothing, about, ("about", "about")),
}
SITES = [(name, number) for name, work in WORKS.items() for number in range(len(work.sites))]


def attempt(work: Work, desk: TransactionService, service: SafeService) -> str:
    """Run it: what it did is so, or it says what failed, without a secret. Nothing is there twice."""
    try:
        believed = work.run(desk)
        words = ""
    except IncidentError as problem:
        believed, words = True, f"{problem.message} {problem.hint}"
        assert problem.message and problem.hint
        assert KEY not in words + repr(problem) + "".join(traceback.format_exception(problem))
        assert "\x1b" not in words
        assert all(code in EXPLANATIONS for code in re.findall(r"incident explain ([a-z-]+)", words))
    assert believed, "what was returned is not so"
    assert words or work.done(service), "it returned, and it is not so"
    hashes = [one.safe_tx_hash for one in service.queue]
    assert len(set(hashes)) == len(hashes)
    assert len({(one["safe"], one["delegate"]) for one in service.delegates}) == len(service.delegates)
    return words


def resumed(work: Work, service: SafeService) -> None:
    """Without the fault it goes through."""
    service.faults.clear()
    assert attempt(work, client(service), service) == ""
    assert work.done(service)


def test_the_works_ask_what_they_are_said_to_ask() -> None:
    for name, work in WORKS.items():
        with serving() as service:
            work.before(service)
            assert attempt(work, client(service), service) == "", name
            assert tuple(site for _, site in service.requests) == work.sites


@pytest.mark.parametrize("times", [1, ALWAYS], ids=["once", "always"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_request_doubles_nothing_and_is_not_believed(fault: str, times: int) -> None:
    options = {"connect_seconds": 0.1, "read_seconds": 0.15} if fault in SLOW else {}
    for name, number in SITES:
        work = WORKS[name]
        if (fault in SLOW or times > 1) and (times > 1 or name == "queue") and number != 1:
            continue  # each of these waits for the deadline; the place in the code is the same
        with serving() as service:
            work.before(service)
            site = work.sites[number]
            service.faults.arm(site, fault, times, skip=work.sites[:number].count(site))
            attempt(work, client(service, **options), service)
            resumed(work, service)


@pytest.mark.parametrize(("name", "number"), SITES)
def test_a_service_that_is_gone_from_any_request_on_is_found_again(name: str, number: int) -> None:
    work = WORKS[name]
    with serving() as service:
        work.before(service)
        desk = client(service)
        if number == 0:
            service.close()
        service.faults.refuse_after(number)
        words = attempt(work, desk, service)
        assert words or name == "about", "what cannot be read is not said to be"
        service.faults.clear()
        service.reopen()
        resumed(work, service)


def test_what_anybody_can_fill_hides_nothing_that_is_trusted_and_is_missed_for_no_other_reason() -> None:
    with serving() as service:
        crowded(service)
        for fault in sorted(set(FAULTS) - SLOW):
            service.faults.clear()
            service.faults.arm("untrusted 1", fault, ALWAYS)
            try:
                assert len(client(service).pending(SAFE, 7)) == 203 + (fault != "huge")
            except IncidentError:
                assert fault != "huge"


@pytest.mark.parametrize("fault", ["silent after", "reset after", "cut", "html 200 after", "html 502 after", "huge"])
@pytest.mark.parametrize("name", ["propose", "confirm"])
def test_what_arrived_although_its_answer_did_not_is_found_and_not_sent_again(name: str, fault: str) -> None:
    work = WORKS[name]
    options = {"connect_seconds": 0.5, "read_seconds": 0.5} if fault in SLOW else {}
    with serving() as service:
        work.before(service)
        service.faults.arm(name, fault)
        assert attempt(work, client(service, **options), service) == ""
        assert [site for _, site in service.requests].count(name) == 1


@pytest.mark.parametrize("fault", ["silent before", "reset before", "html 200 before", "html 201 before"])
@pytest.mark.parametrize("name", ["propose", "confirm"])
def test_what_did_not_arrive_is_sent_again_byte_for_byte_and_not_for_ever(name: str, fault: str) -> None:
    work = WORKS[name]
    options = {"connect_seconds": 0.5, "read_seconds": 0.5} if fault in SLOW else {}
    with serving() as service:
        work.before(service)
        service.faults.arm(name, fault)
        assert attempt(work, client(service, **options), service) == ""
        assert len(set(service.bodies[name])) == 1 and len(service.bodies[name]) == 2
    with serving() as service:
        work.before(service)
        service.faults.arm(name, fault, ALWAYS)
        assert "sent 3 times" in attempt(work, client(service, **options), service)
        assert len(service.bodies[name]) == 3


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("silent before", "could not be read back"),
        ("wrong hash", "answered with"),
        ("wrong value", "hash to"),
        ("another safe", "hash to"),
        ("wrong signature", "neither the one sent"),
        ("no checksum", "that is none"),
        ("html 404", "JSON"),
        ("html 200 after", "JSON"),
        ("wrong key", "credential"),
        ("banned 451", "451"),
        ("throttled long", "3600"),
        ("redirect 301", "turn a POST into a GET"),
    ],
)
def test_a_read_back_that_shows_something_else_is_no_success(fault: str, words: str) -> None:
    options = {"connect_seconds": 0.5, "read_seconds": 0.5} if fault in SLOW else {}
    with serving() as service:
        service.faults.arm("transaction", fault, ALWAYS, skip=1)
        said = attempt(WORKS["propose"], client(service, **options), service)
        assert words in said
        assert holds_proposal(service), "it did arrive"
        if words in ("could not be read back", "JSON"):
            assert "It may have arrived" in said and "idempotent" in said
