"""The client of the transaction service: what it sends, what it believes, what it refuses before and after."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from incident_cli.errors import Misused, Refused, Unread
from incident_cli.evm import checksummed, to_hex
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.service import About, TransactionService
from incident_cli.safe.signatures import recover
from incident_cli.safe.typed_data import delegate_typed_data, totp_of
from tests.fakes.node import closed_port
from tests.fakes.safe_service import SafeService
from tests.fakes.safe_service_records import Confirmation
from tests.fakes.signers import digest_of, mirrored
from tests.safe.service_desk import (
    CHAIN_ID,
    FIRST,
    HASH,
    HELPER,
    KEY,
    ORIGIN,
    OWNERS,
    SAFE,
    SECOND,
    STRANGER,
    TRUST,
    TX,
    client,
    kept,
    serving,
    shown,
    transaction,
)

OWNER = OWNERS[0].address


def sites(service: SafeService) -> list[str]:
    """What was asked, in order."""
    return [site for _, site in service.requests]


def test_a_proposal_is_posted_read_back_and_confirmed() -> None:
    with serving() as service:
        desk = client(service)
        desk.propose(TX, HASH, OWNER, FIRST, ORIGIN)
        assert sites(service) == ["transaction", "propose", "transaction"]
        desk.confirm(HASH, SECOND)
        found = desk.transaction(HASH)
        assert found is not None
        assert found.safe_tx(CHAIN_ID, "1.4.1") == TX
        assert (found.origin, found.proposer, found.trusted, found.executed) == (ORIGIN, OWNER, True, False)
        assert found.proven == {OWNERS[0].address: FIRST, OWNERS[1].address: SECOND}
        assert [one.kind for one in found.confirmations] == ["EOA", "EOA"]
        service.execute(HASH)
        done = desk.transaction(HASH)
        assert done is not None
        assert (done.executed, done.successful, done.transaction_hash) == (True, True, "0x" + "ee" * 32)
        assert desk.transaction("0x" + "ab" * 32) is None


def test_what_stands_there_already_is_not_posted_again() -> None:
    with serving() as service:
        desk = client(service)
        desk.propose(TX, HASH, OWNER, FIRST, ORIGIN)
        desk.confirm(HASH, SECOND)
        service.requests.clear()
        desk.propose(TX, HASH, OWNER, FIRST, ORIGIN)
        desk.confirm(HASH, SECOND)
        assert sites(service) == ["transaction", "transaction"]


def test_whoever_has_just_read_the_queue_need_not_look_first() -> None:
    with serving() as service:
        client(service).propose(TX, HASH, OWNER, FIRST, ORIGIN, look_first=False)
        assert sites(service) == ["propose", "transaction"]


def test_another_owners_proposal_of_the_same_adds_a_confirmation() -> None:
    with serving() as service:
        desk = client(service)
        desk.propose(TX, HASH, OWNER, FIRST, ORIGIN)
        desk.propose(TX, HASH, OWNERS[1].address, SECOND, "another")
        (record,) = service.queue
        assert shown(record) == {OWNER: to_hex(FIRST), OWNERS[1].address: to_hex(SECOND)}
        assert record.origin == ORIGIN


def test_an_unsigned_proposal_is_there_untrusted_and_listed_all_the_same() -> None:
    with serving() as service:
        desk = client(service)
        desk.propose(TX, HASH, OWNER, b"", ORIGIN)
        (found,) = desk.pending(SAFE, 7)
        assert not found.trusted and not found.confirmations and found.safe_tx_hash == HASH
        with pytest.raises(Refused, match="not trusted"):
            desk.propose(TX, HASH, OWNER, None, ORIGIN)
        with pytest.raises(Refused, match="is not an owner or delegate"):
            desk.propose(transaction(8), hash_of(8), STRANGER.address, b"", ORIGIN)


def hash_of(nonce: int) -> str:
    return hash_transaction(transaction(nonce)).safe_tx_hash


def test_a_delegate_may_propose_and_not_confirm() -> None:
    signature = HELPER.sign_hash(bytes.fromhex(HASH[2:]))
    with serving() as service:
        desk = client(service)
        with pytest.raises(Refused, match="is not an owner or delegate"):
            desk.propose(TX, HASH, HELPER.address, signature, ORIGIN)
        desk.add_delegate(SAFE, *TRUST)
        assert [(one.delegate, one.delegator, one.label) for one in desk.delegates(SAFE)] == [TRUST[:3]]
        desk.propose(TX, HASH, HELPER.address, signature, ORIGIN)
        (found,) = desk.pending(SAFE, 7)
        assert (found.delegate, found.proposer, found.confirmations) == (HELPER.address, OWNER, ())
        with pytest.raises(Refused, match="is not an owner"):
            desk.confirm(HASH, signature)
        desk.remove_delegate(SAFE, *TRUST[:2], TRUST[3])
        assert desk.delegates(SAFE) == ()
        service.requests.clear()
        desk.remove_delegate(SAFE, *TRUST[:2], TRUST[3])
        assert sites(service) == ["delegates"]


def test_a_delegate_who_comes_second_to_an_owner_has_proposed_as_well() -> None:
    signature = HELPER.sign_hash(bytes.fromhex(HASH[2:]))
    with serving() as service:
        desk = client(service)
        desk.add_delegate(SAFE, *TRUST)
        desk.propose(TX, HASH, OWNER, FIRST, ORIGIN)
        desk.propose(TX, HASH, HELPER.address, signature, ORIGIN, delegate=True)
        assert len(service.queue) == 1


def test_the_delegates_data_hash_as_the_librarys_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from safe_eth.safe.api.transaction_service_api import transaction_service_messages as library

    monkeypatch.setattr(library, "get_totp", lambda: 498_713)
    own = delegate_typed_data(10, HELPER.address, 498_713)
    assert digest_of(library.get_delegate_message(HELPER.address, 10)) == own.digest == digest_of(own.to_json())
    assert totp_of(498_713 * 3600 + 3599.9) == 498_713


def test_a_delegates_signature_of_yesterday_is_refused_in_the_services_words() -> None:
    old = OWNERS[0].sign_hash(delegate_typed_data(CHAIN_ID, HELPER.address, 1).digest)
    with serving() as service, pytest.raises(Refused, match="Signature does not match provided delegator"):
        client(service).add_delegate(SAFE, *TRUST[:3], old)


@pytest.mark.parametrize("label", ["", " ", "x" * 51])
def test_a_delegate_needs_a_label(label: str) -> None:
    with serving() as service, pytest.raises(Misused, match="label"):
        client(service).add_delegate(SAFE, *TRUST[:2], label, TRUST[3])


@pytest.mark.parametrize("origin", ["", "  ", "x" * 201, None, {"a": 1}])
def test_an_origin_that_the_service_refuses_is_refused_before_anything_is_sent(origin: str) -> None:
    with serving() as service:
        with pytest.raises(Misused, match="origin"):
            client(service).propose(TX, HASH, OWNER, FIRST, origin)
        assert service.requests == []


def test_what_can_be_known_wrong_is_not_sent() -> None:
    with serving() as service:
        desk = client(service)
        with pytest.raises(Refused, match="the fields hash to"):
            desk.propose(TX, "0x" + "11" * 32, OWNER, FIRST, ORIGIN)
        with pytest.raises(Refused, match="the signature is not one of"):
            desk.propose(TX, HASH, OWNER, SECOND, ORIGIN)
        with pytest.raises(Misused, match="chain with id 1"):
            other = replace(TX, chain_id=1)
            desk.propose(other, hash_transaction(other).safe_tx_hash, OWNER, FIRST, ORIGIN)
        with pytest.raises(Misused, match="safeTxHash"):
            desk.transaction("0x1234/../../delegates")
        assert service.requests == []


def test_what_was_executed_cannot_be_proposed_again() -> None:
    with serving() as service:
        desk = client(service)
        desk.propose(TX, HASH, OWNER, FIRST, ORIGIN)
        service.execute(HASH)
        with pytest.raises(Refused, match="already executed in tx-hash"):
            desk.propose(TX, HASH, OWNERS[1].address, SECOND, ORIGIN)
        with pytest.raises(Refused, match="was already executed"):
            desk.confirm(HASH, SECOND)


def test_a_confirmation_of_what_is_not_there_is_refused() -> None:
    with serving() as service, pytest.raises(Refused, match="does not know"):
        client(service).confirm(HASH, FIRST)


def test_another_genuine_signature_of_the_same_owner_counts_and_is_not_replaced() -> None:
    with serving() as service:
        service.add(kept(TX, mirrored(FIRST)))
        assert recover(HASH, mirrored(FIRST)) == OWNER
        client(service).confirm(HASH, FIRST)
        assert sites(service) == ["transaction"]


def test_a_contracts_signature_must_be_shown_byte_for_byte() -> None:
    contract = checksummed("0x" + "c0" * 20)
    head = bytes.fromhex(contract[2:]).rjust(32, b"\0") + (65).to_bytes(32, "big") + b"\0"
    signature = head + (65).to_bytes(32, "big") + FIRST
    with serving() as service:
        service.safes[SAFE].owners += (contract,)
        service.add(kept(TX))
        client(service).confirm(HASH, signature)
        (record,) = service.queue
        assert shown(record) == {contract: to_hex(signature)}
        found = client(service).transaction(HASH)
        assert found is not None
        assert found.proven == {} and found.confirmations[0].kind == "CONTRACT_SIGNATURE"
        record.confirmations[contract] = Confirmation(contract, signature[:-1] + b"\x1b\x1b", "")
        with pytest.raises(Unread, match=r"not there|does not show"):
            client(service).confirm(HASH, signature)


def test_the_queue_begins_at_the_nonce_and_shows_rivals_and_gaps_in_order() -> None:
    rejection = transaction(7, to=SAFE, data=b"")
    with serving() as service:
        for tx in (transaction(9), TX, rejection, transaction(6), transaction(30)):
            service.add(kept(tx))
        service.add(kept(transaction(8), trusted=False))
        service.add(kept(transaction(10)))
        service.execute(hash_of(10))
        found = client(service).pending(SAFE, 7)
        assert [one.nonce for one in found] == [7, 7, 8, 9, 30]
        assert found[1].safe_tx(CHAIN_ID, "1.4.1") == rejection
        assert client(service).pending(checksummed("0x" + "77" * 20), 0) == ()


def test_every_page_is_read_by_its_own_offset() -> None:
    with serving() as service:
        for nonce in range(7, 7 + 450):
            service.add(kept(transaction(nonce)))
        service.faults.arm("pending 1", "endless list")  # what `next` says is never followed
        found = client(service).pending(SAFE, 7)
        assert [one.nonce for one in found] == list(range(7, 457))
        assert sites(service) == ["pending 1", "pending 2", "pending 3", "untrusted 1"]


def test_a_queue_without_end_ends() -> None:
    with serving() as service:
        service.add(kept(TX))
        service.faults.arm("*", "endless list", times=40)
        with pytest.raises(Unread, match="more than 2000"):
            client(service).pending(SAFE, 7)
        assert len(service.requests) == 10


def test_a_queue_that_changes_while_it_is_read_is_read_again() -> None:
    with serving() as service:
        service.add(kept(TX))
        service.faults.arm("pending 1", "growing list")
        assert len(client(service).pending(SAFE, 7)) == 1
        assert sites(service) == ["pending 1", "pending 1", "untrusted 1"]
        service.faults.arm("pending 1", "growing list", times=9)
        with pytest.raises(Unread, match="something else each time"):
            client(service).pending(SAFE, 7)


def test_a_record_whose_fields_are_others_than_its_hash_is_never_the_transaction() -> None:
    with serving() as service:
        service.add(kept(TX, FIRST))
        service.faults.arm("*", "wrong value", times=3)
        (found,) = client(service).pending(SAFE, 7)
        with pytest.raises(Refused, match="hash to"):
            found.safe_tx(CHAIN_ID, "1.4.1")
        genuine = client(service).transaction(HASH)
        assert genuine is not None
        with pytest.raises(Refused, match="hash to"):
            genuine.safe_tx(1, "1.4.1")
        with pytest.raises(Refused, match="hash to"):
            genuine.safe_tx(CHAIN_ID, "1.1.1")


def test_it_waits_as_long_as_it_is_asked_to_and_no_longer_than_its_patience() -> None:
    waited: list[float] = []
    with serving() as service:
        desk = client(service, sleep=waited.append)
        service.faults.arm("transaction", "throttled", times=2)
        assert desk.transaction(HASH) is None
        assert waited == [2, 2]
        service.faults.arm("transaction", "throttled", times=99)
        with pytest.raises(Unread, match=r"throttling .* for another 2 s"):
            desk.transaction(HASH)
        assert sum(waited) == 4 + 60
        service.faults.clear()
        service.faults.arm("transaction", "throttled long")
        with pytest.raises(Unread, match="for another 3600 s"):
            desk.transaction(HASH)
        service.faults.arm("transaction", "throttled until")
        with pytest.raises(Unread, match="until 2033-05-18T03:33:20Z"):
            desk.transaction(HASH)
        service.faults.arm("transaction", "throttled")
        with pytest.raises(Unread, match="for another 2 s"):
            client(service, sleep=None).transaction(HASH)


def test_about_says_whom_it_serves() -> None:
    with serving() as service:
        assert client(service).about() == About("Safe Transaction Service", "6.10.1", CHAIN_ID)
        service.chain_id = 0
        assert client(service).about().chain_id is None
        service.body = b'{"version": 7}'
        with pytest.raises(Unread, match="no transaction service"):
            client(service).about()


def test_neither_netrc_nor_the_environments_proxy_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    with serving() as service:
        assert client(service).transaction(HASH) is None


def test_a_proxy_is_used_where_one_is_given() -> None:
    with serving() as proxy:
        nowhere = f"http://127.0.0.1:{closed_port()}"
        secret = f"http://someone:{KEY}@127.0.0.1:{proxy.url.rpartition(':')[2]}"
        desk = TransactionService(nowhere, chain="anvil", chain_id=CHAIN_ID, key=KEY, proxy=secret)
        assert desk.transaction(HASH) is None
        proxy.close()
        gone = TransactionService(nowhere, chain="anvil", chain_id=CHAIN_ID, key=KEY, proxy=secret)
        with pytest.raises(Unread, match="proxy") as caught:
            gone.transaction(HASH)
        assert KEY not in f"{caught.value!r} {caught.value.hint}"


def test_without_tls_only_this_machine_is_asked() -> None:
    with pytest.raises(Misused, match="not https") as caught:
        TransactionService(f"http://u:{KEY}@service.example/{KEY}", chain="anvil", chain_id=1, key=KEY)
    assert KEY not in f"{caught.value!r} {caught.value.hint}"
    with pytest.raises(Misused, match="header") as caught:
        TransactionService("https://service.example", chain="anvil", chain_id=1, key=f"{KEY}\n")
    assert KEY not in f"{caught.value!r} {caught.value.hint}"


def test_a_refusal_is_quoted_in_one_line_without_the_key_that_it_repeats() -> None:
    with serving() as service:
        service.status, service.body = 422, f'{{"origin": ["\\u001b[2J Bearer {KEY} is bad", "{"x" * 900}"]}}'.encode()
        with pytest.raises(Refused, match=r"HTTP 422.*origin: <U\+001B>\[2J .* is bad; origin: x") as caught:
            client(service).transaction(HASH)
        assert KEY not in caught.value.message
        assert len(caught.value.message) < 800
        assert KEY not in repr(client(service)) + str(vars(client(service)))
