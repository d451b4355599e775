"""Files of signatures: verified when read, merged without loss, whole at any instant."""

from __future__ import annotations

import itertools
import json
import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from incident_cli.drills.accounts import account
from incident_cli.errors import Misused, Refused
from incident_cli.evm import Call, checksummed, hex_bytes, keccak, to_hex
from incident_cli.safe.contracts import SENTINEL
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.rotation import SWAP
from incident_cli.safe.signature_file import (
    Merged,
    SignatureFile,
    Signed,
    adding,
    differing,
    file_name,
    merge,
    read_signature_file,
    store,
)
from incident_cli.safe.signatures import PERSONAL_MESSAGE, contract_signature, pre_validated
from incident_cli.safe.transaction import SafeTx

SAFE, TARGET = checksummed(b"\x5a" * 20), checksummed(b"\xfe" * 20)
TX = SafeTx(chain_id=1, safe=SAFE, version="1.4.1", to=TARGET, value=0, data=b"\x01\x02", operation=0, nonce=7)
HASH = hash_transaction(TX).safe_tx_hash
OWNERS = [account(1, f"owner {number}") for number in range(6)]


def signed(number: int, tx: SafeTx = TX) -> Signed:
    """An owner's signature."""
    owner = OWNERS[number]
    return Signed(owner.address, owner.sign_hash(hex_bytes(hash_transaction(tx).safe_tx_hash)))


def eth_signed(number: int) -> Signed:
    """The same by eth_sign."""
    made = OWNERS[number].sign_hash(keccak(PERSONAL_MESSAGE + hex_bytes(HASH)))
    return Signed(OWNERS[number].address, made[:64] + bytes([made[64] + 4]))


def file_of(*signatures: Signed, tx: SafeTx = TX) -> SignatureFile:
    """A file with these."""
    return adding(SignatureFile(tx), signatures).file


def document(*signatures: Signed, **changes: Any) -> dict[str, Any]:
    """A file's JSON, changed."""
    found: dict[str, Any] = json.loads(json.dumps(file_of(*signatures).to_json()))
    return {**found, **changes}


def test_a_file_is_read_back_sorted_by_owner_with_every_kind() -> None:
    contract = Signed(SAFE, contract_signature(SAFE, b"inner"))
    approved = Signed(TARGET, pre_validated(TARGET))
    file = file_of(signed(2), eth_signed(0), contract, signed(1), approved)
    back = SignatureFile.from_json(json.loads(json.dumps(file.to_json())))
    assert back == file and back.name == f"{HASH}.signatures.json" == file_name(HASH)
    assert [int(one.owner, 16) for one in back.signatures] == sorted(int(one.owner, 16) for one in back.signatures)
    assert {one.kind for one in back.signatures} == {"ecdsa", "eth-sign", "contract", "approved-hash"}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"safe_tx_hash": "0x" + "00" * 32}, "hashes to"),
        ({"safe_tx": {**TX.to_json(), "nonce": 8}}, "hashes to"),
        ({"signatures": [signed(0).to_json() | {"owner": OWNERS[1].address}]}, "is one by"),
        ({"signatures": [signed(0, replace(TX, nonce=8)).to_json()]}, "is one by"),
        ({"signatures": [signed(0).to_json() | {"kind": "approved-hash"}]}, "of the kind ecdsa"),
        ({"signatures": [signed(0).to_json() | {"signature": "0x" + "00" * 65}]}, "of the kind contract"),
        ({"signatures": [{"owner": SAFE, "signature": "0x" + "00" * 65}]}, "right behind"),
        ({"signatures": [signed(0).to_json() | {"signature": "0x12", "kind": "ecdsa"}]}, "no known kind"),
    ],
)
def test_what_is_not_what_it_says_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=why):
        SignatureFile.from_json(document(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "incident.signatures/v2"},
        {"signatures": None},
        {"signatures": [signed(0).to_json()] * 257},
        {"signatures": ["0x"]},
        {"signatures": [{"owner": 1, "signature": "0x"}]},
        {"signatures": [signed(0).to_json() | {"owner": OWNERS[0].address.lower()}]},
        {"signatures": [signed(0).to_json() | {"signature": "12"}]},
        {"signatures": [signed(0).to_json() | {"signature": "0x" + "00" * 70_000}]},
        {"safe_tx": {}},
    ],
)
def test_another_form_is_misused(changes: dict[str, Any]) -> None:
    with pytest.raises(Misused):
        SignatureFile.from_json(document(**changes))


def test_merging_is_a_union_whatever_the_order() -> None:
    one, other = file_of(signed(0), signed(1)), file_of(signed(1), signed(2))
    assert merge(one, other).file == merge(other, one).file == file_of(signed(0), signed(1), signed(2))
    assert not merge(one, other).set_aside


def test_of_two_signatures_of_one_owner_the_surer_is_kept_and_the_other_is_told_of() -> None:
    approved = Signed(OWNERS[0].address, pre_validated(OWNERS[0].address))
    for first, second in ((approved, signed(0)), (signed(0), approved), (eth_signed(0), signed(0))):
        merged = merge(file_of(first), file_of(second))
        assert merged.file.signatures == (signed(0),)
        assert merged.set_aside == (second if first == signed(0) else first,)


def test_no_claim_takes_the_place_of_what_was_verified_and_none_is_lost() -> None:
    owner = OWNERS[0].address
    junk, other = (Signed(owner, contract_signature(owner, data)) for data in (b"junk", b"other"))
    approved = Signed(owner, pre_validated(owner))
    for claims in itertools.permutations((junk, approved, other)):
        file = file_of(*claims)
        assert file.signatures == claims[:1] and file.claims == claims[1:]
        back = SignatureFile.from_json(json.loads(json.dumps(file.to_json())))
        assert back == file
        merged = merge(file, file_of(signed(0)))
        assert merged.file == file_of(signed(0)) and set(merged.set_aside) == set(claims)


def test_claims_beyond_the_cap_are_told_of_and_the_file_can_still_be_read() -> None:
    owner = OWNERS[0].address
    many = [Signed(owner, contract_signature(owner, bytes([one % 256, one // 256]))) for one in range(300)]
    merged = adding(SignatureFile(TX), [*many, signed(1)])
    assert len(merged.file.signatures) + len(merged.file.claims) == 256 and len(merged.set_aside) == 45
    assert SignatureFile.from_json(json.loads(json.dumps(merged.file.to_json()))) == merged.file
    strangers = [
        Signed(one, pre_validated(one)) for one in (checksummed(bytes(18) + bytes([1, n])) for n in range(256))
    ]
    with pytest.raises(Refused, match="256 owners"):
        adding(SignatureFile(TX), [*strangers, signed(1)])


def test_whoever_goes_has_no_place_in_the_file(tmp_path: Path) -> None:
    gone, stays = OWNERS[0], OWNERS[1]
    call = Call(SAFE, SWAP, (SENTINEL, gone.address, OWNERS[2].address))
    tx = replace(TX, to=SAFE, data=call.data)
    both = [signed(0, tx), signed(1, tx)]
    path, stored = store(tmp_path, SignatureFile(tx, tuple(both)))
    assert stored.excluded == (both[0],) and [one.owner for one in stored.file.signatures] == [stays.address]
    raw = {**SignatureFile(tx).to_json(), "signatures": [one.to_json() for one in both]}
    found = Merged.from_json(json.loads(json.dumps(raw)))
    assert found.excluded == (both[0],) and found.file == read_signature_file(path)
    path.write_text(json.dumps(raw))
    path, stored = store(tmp_path, SignatureFile(tx, (both[1],)))
    assert stored.excluded == (both[0],) and read_signature_file(path).signatures == (both[1],)


def test_two_transactions_are_refused_with_the_fields_that_differ() -> None:
    other = replace(TX, nonce=8, data=b"\x01\x03", value=5)
    with pytest.raises(Refused, match="two transactions") as caught:
        merge(file_of(signed(0)), file_of(signed(1, other), tx=other))
    for words in ("nonce 7 / 8", "value 0 / 5", "data 0x0102 / 0x0103"):
        assert words in caught.value.message


def test_long_data_are_told_by_where_they_part() -> None:
    long = bytes(1_000)
    (line,) = differing(replace(TX, data=long), replace(TX, data=long[:700] + b"\xff" + long[701:]))
    assert "1000 / 1000 bytes" in line and "byte 700" in line
    (line,) = differing(replace(TX, data=long), replace(TX, data=long + b"\x01"))
    assert "1000 / 1001 bytes" in line and "byte 1000" in line


def test_it_is_stored_with_what_is_there_already(tmp_path: Path) -> None:
    path, _ = store(tmp_path / "new", file_of(signed(0)))
    again, merged = store(tmp_path / "new", file_of(signed(1)))
    assert path == again and read_signature_file(path) == merged.file == file_of(signed(0), signed(1))
    assert path.stat().st_mode & 0o777 == 0o600 and [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_damaged_file_is_not_overwritten(tmp_path: Path) -> None:
    path, _ = store(tmp_path, file_of(signed(0)))
    for content, failure in (("{", Misused), ("[]", Misused), (json.dumps(document(safe_tx_hash="0x")), Refused)):
        path.write_text(content)
        with pytest.raises(failure):
            store(tmp_path, file_of(signed(1)))
        assert path.read_text() == content


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("{}")
    (tmp_path / file_name(HASH)).symlink_to(elsewhere)
    with pytest.raises(Misused):
        store(tmp_path, file_of(signed(0)))
    assert elsewhere.read_text() == "{}"


def put(folder: Path, number: int) -> None:
    """What another process does."""
    store(folder, file_of(signed(number)))


def test_owners_who_store_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    running = [context.Process(target=put, args=(tmp_path, number)) for number in range(len(OWNERS))]
    for one in running:
        one.start()
    for one in running:
        one.join()
    found = read_signature_file(tmp_path / file_name(HASH))
    assert {one.owner for one in found.signatures} == {one.address for one in OWNERS}


def test_the_json_says_what_it_is() -> None:
    (record,) = document(signed(3))["signatures"]
    assert record == {"owner": OWNERS[3].address, "signature": to_hex(signed(3).signature), "kind": "ecdsa"}
