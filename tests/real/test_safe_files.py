"""The road without the service, on anvil: owners sign files on machines of their own; anybody executes the result."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from incident_cli.abi import encode_call, parse_signature
from incident_cli.chain.execution import execution_of
from incident_cli.drills.accounts import account
from incident_cli.errors import Misused, Refused, Waiting
from incident_cli.evm import Call, hex_bytes, to_hex
from incident_cli.flows.desk import Answerer, Skip, Stop
from incident_cli.flows.multisig.aids import aids_of
from incident_cli.flows.multisig.exporting import Exported, Format, export, write
from incident_cli.flows.multisig.importing import Imported, Into, import_file, keep
from incident_cli.flows.multisig.inspecting import view_of
from incident_cli.flows.multisig.loading import load_transaction
from incident_cli.flows.multisig.merging import MergeResult, merge_files
from incident_cli.flows.multisig.rotating import RotationOrder, plan
from incident_cli.flows.multisig.signing import AGAIN, SignedFile, SigningDesk, SigningOrder, sign
from incident_cli.flows.multisig.trying import tried
from incident_cli.outgoing import Outgoing
from incident_cli.report.signing_card import SigningCard, text
from incident_cli.safe.builder import checksum
from incident_cli.safe.contracts import APPROVE_HASH
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.rotation import decide
from incident_cli.safe.signature_file import SignatureFile, Signed, adding, file_name, read_signature_file, store
from incident_cli.safe.signatures import contract_signature, pack
from incident_cli.safe.signing_record import record_path
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.typed_data import TypedData
from incident_cli.safe.unfolding import unfold
from tests.contracts.packages import Packages
from tests.contracts.safes import VERSIONS, build_safe
from tests.fakes.desk import FakeClock, Scripted
from tests.fakes.signers import AccountSigner
from tests.real.containing import files, founded, waits
from tests.real.desking import BTC, Office, as_opened, nothing, opened

NOW_MS = 1_700_000_000_000
NEWCOMER, OTHER = account(5, "new owner").address, account(6, "other owner").address


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The chain, built once."""
    with opened(packages, tmp_path_factory.mktemp("files")) as found:
        yield found


@pytest.fixture
def office(built: Office, tmp_path: Path) -> Iterator[Office]:
    """The chain as it was built, for this test alone."""
    with as_opened(built, tmp_path) as found:
        yield found


def proposal(office: Office, calls: Sequence[Call] = (), tx: SafeTx | None = None, **more: Any) -> Path:
    """A proposal file as it reaches an owner, with what it says of its calls."""
    made = list(calls) or [office.pause()]
    tx = tx or office.transaction(made)
    hashes = hash_transaction(tx)
    records = [
        {
            "to": one.to,
            "function": one.signature.canonical,
            "args": {},
            "plain": "exchange.pause: Stops one market.",
            "signature": one.signature.source,
            "data": to_hex(one.data),
        }
        for one in made
    ]
    document = {
        "schema": "incident.proposal/v1",
        "safe_tx": tx.to_json(),
        "safe_tx_hash": hashes.safe_tx_hash,
        "domain_hash": hashes.domain_hash,
        "message_hash": hashes.message_hash,
        "calldata_digest": hashes.calldata_digest,
        "calldata_bytes": hashes.calldata_bytes,
        "calls": records,
        **more,
    }
    path = office.folder / f"{hashes.safe_tx_hash}.json"
    path.write_text(json.dumps(document))
    return path


@dataclass
class Machine:
    """One owner's machine: a home, a folder, what was shown and said there."""

    office: Office
    name: str
    signer: AccountSigner
    cards: list[SigningCard] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.office.folder / self.name

    def sign(self, file: Path, answerer: Answerer | None = None, weaken: bool = False) -> SignedFile:
        """The owner signs a file, typing whatever is asked."""
        aids = aids_of(self.office.deployment_file, (), (), None, None)
        order = SigningOrder(load_transaction(file, None), aids, self.signer, self.home / "out", weaken=weaken)
        say = lambda words, tone: self.said.append(words)  # noqa: E731
        desk = SigningDesk(self.cards.append, say, answerer or Scripted(), FakeClock(), self.home, nothing)
        return sign(order, desk)


def machine(office: Office, owner: int) -> Machine:
    """The machine of an owner."""
    return Machine(office, f"owner-{owner}", office.signer(owner))


def merged(office: Office, *files: Path, on_chain: bool = True) -> MergeResult:
    """What was collected, merged by whoever collects."""
    loaded = [load_transaction(one, None) for one in files]
    return merge_files(loaded, office.deployment if on_chain else None, nothing, office.folder / "merged")


def exported(office: Office, file: Path, form: Format, on_chain: bool = False) -> Exported:
    """A file in another form."""
    return export(
        load_transaction(file, None), form, NOW_MS, office.deployment if on_chain else None, nothing, file.parent
    )


def executed_by_anybody(office: Office, found: Exported, tx: SafeTx) -> None:
    """Some account sends the calldata; the Safe states success, and the market is paused."""
    document = found.document
    receipt = office.anvil.send(office.anvil.accounts[5], document["to"], hex_bytes(document["data"]))
    evidence = execution_of(
        office.anvil.endpoint(), "local", tx.safe, hash_transaction(tx).safe_tx_hash, receipt["transactionHash"]
    )
    assert evidence.succeeded, evidence
    assert office.paused()


@pytest.mark.parametrize("version", VERSIONS)
def test_two_owners_sign_files_and_anybody_executes(packages: Packages, tmp_path: Path, version: str) -> None:
    with opened(packages, tmp_path, version) as office:
        file = proposal(office)
        tx = load_transaction(file, None).tx
        first = machine(office, 0).sign(file)
        alone = merged(office, first.path)
        assert (alone.exit_code, alone.to_json()["waiting_for"], alone.to_json()["missing"]) == (5, "signatures", 1)
        second = machine(office, 2).sign(file)
        assert first.path != second.path and second.owners == (office.council.owners[2].address,)
        assert first.path.stat().st_mode & 0o777 == 0o600
        both = merged(office, second.path, file, first.path)
        assert (both.exit_code, both.to_json()["ready"]) == (0, True)
        assert both.path is not None
        found = exported(office, both.path, "calldata", on_chain=True)
        assert exported(office, both.path, "calldata").document["data"] == found.document["data"]
        executed_by_anybody(office, found, tx)
        assert merged(office, both.path).to_json()["state"] == "executed"


@pytest.mark.parametrize("version", VERSIONS)
def test_one_owner_approves_on_chain_and_one_signs_a_file(packages: Packages, tmp_path: Path, version: str) -> None:
    with opened(packages, tmp_path, version) as office:
        file = proposal(office)
        tx = load_transaction(file, None).tx
        hash_ = hex_bytes(hash_transaction(tx).safe_tx_hash)
        approver = office.council.owners[1]
        office.anvil.rpc("anvil_setBalance", approver.address, hex(10**18))
        office.anvil.transact(approver.address, tx.safe, APPROVE_HASH, hash_)
        signed = machine(office, 0).sign(file)
        both = merged(office, signed.path)
        kinds = {one["owner"]: one["kind"] for one in both.to_json()["signatures"]}
        assert kinds == {approver.address: "approved-hash", office.council.owners[0].address: "ecdsa"}
        assert both.to_json()["ready"] and both.path is not None
        assert set(read_signature_file(both.path).signatures) == set(both.file.signatures)
        executed_by_anybody(office, exported(office, both.path, "calldata", on_chain=True), tx)


def test_a_pretended_approval_does_not_count(office: Office) -> None:
    file = proposal(office)
    tx = load_transaction(file, None).tx
    pretended = Signed(office.council.owners[1].address, hex_bytes("0x" + pre_validated_hex(office, 1)))
    path, _ = store(office.folder / "sent", SignatureFile(tx, (pretended,)))
    found = merged(office, path, machine(office, 0).sign(file).path)
    (bad,) = [one for one in found.to_json()["signatures"] if not one["counts"]]
    assert "none stands there" in bad["reason"] and found.exit_code == 5
    with pytest.raises(Refused, match="not ready"):
        exported(office, found.path or path, "calldata", on_chain=True)


def pre_validated_hex(office: Office, owner: int) -> str:
    """v = 1, which anybody can write."""
    return office.council.owners[owner].address[2:].rjust(64, "0") + "0" * 64 + "01"


@pytest.mark.parametrize("version", ["1.4.1", "1.5.0"])
def test_a_contract_owners_signature_travels_in_a_file(packages: Packages, tmp_path: Path, version: str) -> None:
    with opened(packages, tmp_path, version) as office:
        inner = build_safe(office.anvil, version, number=7)
        office.as_safe("addOwnerWithThreshold(address owner, uint256 threshold)", inner.address, 2)
        file = proposal(office)
        tx, found = load_transaction(file, None).tx, hash_transaction(load_transaction(file, None).tx)
        preimage = b"\x19\x01" + hex_bytes(found.domain_hash) + hex_bytes(found.message_hash)
        asked = hex_bytes(found.safe_tx_hash) if version == "1.5.0" else preimage
        message = asked if version != "1.5.0" else encode_call(parse_signature("f(bytes32 a)"), (asked,))[4:]
        (digest,) = office.anvil.view(inner.address, "getMessageHash(bytes message) returns (bytes32)", message)
        assert isinstance(digest, bytes)
        data = pack({one.address: one.sign_hash(digest) for one in inner.owners[:2]})
        sent = SignatureFile(tx, (Signed(inner.address, contract_signature(inner.address, data)),))
        path, _ = store(tmp_path / "sent", sent)
        both = merged(office, machine(office, 0).sign(file).path, path)
        assert both.to_json()["ready"], both.to_json()
        assert both.path is not None
        executed_by_anybody(office, exported(office, both.path, "calldata", on_chain=True), tx)


def test_a_stranger_is_not_even_asked(office: Office) -> None:
    class Untouched:
        address, kind = office.council.executor, "test key"

        def sign_typed_data(self, data: TypedData) -> bytes:
            raise AssertionError("it was asked to sign")

        def sign_transaction(self, outgoing: Outgoing) -> bytes:
            raise AssertionError("it was asked to sign")

    mine = machine(office, 0)
    mine.signer = Untouched()  # type: ignore[assignment]  # any signer will do
    with pytest.raises(Refused, match="no owner") as caught:
        mine.sign(proposal(office))
    assert office.council.owners[0].address in caught.value.hint
    assert not mine.cards and not record_path(mine.home, office.transaction()).exists()


def test_the_card_shows_what_runs_and_the_hash_is_typed(office: Office) -> None:
    file, mine, script = proposal(office, reopening="Mon 08:00 UTC by governance"), machine(office, 0), Scripted()
    found = mine.sign(file, script)
    (card,) = mine.cards
    shown = text(card)
    assert "set_paused(bytes32,bool)" in shown and "Stops one market." in shown and "next to execute" in shown
    assert card.simulation.state == "passed" and "Mon 08:00 UTC" in shown and office.market in shown
    (asked,) = script.questions("sign")
    assert asked.phrase == found.safe_tx_hash[-8:] and asked.typed


@pytest.mark.parametrize("reply", [Stop(), Skip("no"), "00000000"])
def test_without_the_typed_hash_nothing_is_signed(office: Office, reply: Any) -> None:
    mine = machine(office, 0)
    with pytest.raises(Waiting, match="nothing was signed"):
        mine.sign(proposal(office), Scripted({"sign": [reply]}))
    assert not (mine.home / "out").exists() and not record_path(mine.home, office.transaction()).exists()


def test_sign_again_shows_every_difference_and_is_answered_first(office: Office) -> None:
    mine, first = machine(office, 0), proposal(office)
    mine.sign(first)
    other = proposal(office, [office.pause(BTC)])
    script = Scripted({"sign-again": [Stop()]})
    with pytest.raises(Waiting, match="nothing was signed"):
        mine.sign(other, script)
    (asked,) = script.questions("sign-again")
    assert asked.phrase == AGAIN and "ANOTHER" in asked.text and not script.questions("sign")
    told = "\n".join(mine.said)
    assert "before / now: data" in told and "it did: set_paused(bytes32,bool)" in told
    assert mine.sign(other).safe_tx_hash != hash_transaction(load_transaction(first, None).tx).safe_tx_hash


def test_the_same_calls_at_another_nonce_are_another_transaction(office: Office) -> None:
    mine = machine(office, 0)
    mine.sign(proposal(office))
    script = Scripted()
    mine.sign(proposal(office, tx=office.transaction(nonce=3)), script)
    assert script.questions("sign-again") and any("nonce 0 / 3" in one for one in mine.said)
    assert mine.cards[-1].simulation.state == "not-simulated"


def test_exactly_the_same_again_is_said_to_be_that(office: Office) -> None:
    mine, script = machine(office, 0), Scripted()
    mine.sign(proposal(office))
    mine.sign(proposal(office), script)
    assert not script.questions("sign-again") and any("exactly this before" in one for one in mine.said)


def test_a_damaged_record_is_said(office: Office) -> None:
    mine, file = machine(office, 0), proposal(office)
    mine.sign(file)
    with record_path(mine.home, office.transaction()).open("a") as record:
        record.write('{"torn')
    mine.sign(file)
    assert any("1 lines" in one for one in mine.said)
    mine.sign(file)
    assert sum("exactly this before" in one for one in mine.said) == 2


def test_what_is_dangerous_is_refused_before_anybody_is_asked(office: Office) -> None:
    mine, tx = machine(office, 0), office.transaction()
    for dangerous in (replace(tx, safe_tx_gas=1), replace(tx, gas_price=1), replace(tx, nonce=99)):
        with pytest.raises(Refused, match="refused"):
            mine.sign(proposal(office, tx=dangerous))
    assert not mine.cards


def test_a_file_that_says_another_call_than_it_makes_is_refused(office: Office) -> None:
    lying = proposal(office, [office.pause(BTC)], tx=office.transaction([office.pause()]))
    with pytest.raises(Refused, match="call-differs"):
        machine(office, 0).sign(lying)


def test_different_transactions_are_not_merged(office: Office) -> None:
    one = machine(office, 0).sign(proposal(office))
    two = machine(office, 1).sign(proposal(office, tx=office.transaction(nonce=2)))
    with pytest.raises(Refused, match="two transactions") as caught:
        merged(office, one.path, two.path)
    assert "nonce 0 / 2" in caught.value.message


def test_a_stranger_in_the_file_is_kept_and_said_not_to_count(office: Office) -> None:
    file = proposal(office)
    tx = load_transaction(file, None).tx
    stranger = account(99, "stranger")
    signed = Signed(stranger.address, stranger.sign_hash(hex_bytes(hash_transaction(tx).safe_tx_hash)))
    path, _ = store(office.folder / "sent", SignatureFile(tx, (signed,)))
    found = merged(office, path, *(machine(office, one).sign(file).path for one in (0, 1)))
    by_owner = {one["owner"]: one for one in found.to_json()["signatures"]}
    assert not by_owner[stranger.address]["counts"] and "no owner" in by_owner[stranger.address]["reason"]
    assert found.to_json()["ready"] and len(by_owner) == 3


def test_a_builder_file_comes_back_as_the_same_transaction(office: Office) -> None:
    calls = [office.pause(), office.pause(BTC), office.limit(5)]
    file = proposal(office, calls)
    found = exported(office, file, "tx-builder")
    assert [one["data"] for one in found.document["transactions"]] == [None] * 3
    assert "nonce" in found.says
    built, beside = write(office.folder / "out", found)
    again = write(office.folder / "out", replace(found, document={**found.document, "createdAt": 1}))
    assert again == (built, beside) and load_transaction(beside, None).tx == load_transaction(file, None).tx
    back = imported(office, built)
    assert back.examined.tx == load_transaction(file, None).tx and back.source == "transaction-builder"
    kept = keep(office.folder / "in", back)
    assert load_transaction(kept.path, None).tx == load_transaction(file, None).tx


def imported(office: Office, file: Path, nonce: int | None = None) -> Imported:
    """A file taken in for the council."""
    return import_file(file, Into(office.place, aids_of(office.deployment_file, (), (), None, None), nothing), nonce)


def test_a_batch_takes_the_nonce_on_chain_or_the_one_given(office: Office) -> None:
    (built, _) = write(office.folder / "out", exported(office, proposal(office), "tx-builder"))
    assert imported(office, built).examined.tx.nonce == 0 and imported(office, built, 4).examined.tx.nonce == 4


def altered(path: Path, **meta: Any) -> Path:
    """A batch with other entries, under a checksum that is right."""
    document = json.loads(path.read_text())
    document |= {name: value for name, value in meta.items() if name in document}
    document["meta"] |= {name: value for name, value in meta.items() if name not in document}
    document["meta"]["checksum"] = checksum(document)
    path.write_text(json.dumps(document))
    return path


def test_a_batch_for_elsewhere_or_with_danger_is_not_written(office: Office) -> None:
    (built, _) = write(office.folder / "out", exported(office, proposal(office), "tx-builder"))
    genuine = built.read_text()
    for changes, why in (
        ({"chainId": "1"}, "chain 1"),
        ({"createdFromSafeAddress": office.market}, "made for the Safe"),
        ({"transactions": [enabling(office)]}, "refused"),
    ):
        built.write_text(genuine)
        with pytest.raises(Refused, match=why):
            imported(office, altered(built, **changes))
    built.write_text(genuine.replace('"value": "0"', '"value": "1"'))
    with pytest.raises(Refused, match="checksum"):
        imported(office, built)


def enabling(office: Office) -> dict[str, Any]:
    """A call that hands the Safe to a module."""
    data = encode_call(parse_signature("enableModule(address module)"), (office.market,))
    return {"to": office.council.address, "value": "0", "data": to_hex(data)}


def test_a_record_of_the_service_keeps_its_hash_and_its_signatures(office: Office) -> None:
    tx = office.transaction()
    path = office.folder / "record.json"
    path.write_text(json.dumps(service_record(office, tx)))
    found = imported(office, path)
    assert found.examined.tx == tx and [one.owner for one in found.signatures] == [office.council.owners[0].address]
    assert len(found.says) == 1 and "left out" in found.says[0]
    kept = keep(office.folder / "in", found)
    assert kept.signatures_path is not None and kept.signatures_path.name == file_name(found.safe_tx_hash)
    path.write_text(json.dumps(service_record(office, tx) | {"value": "1"}))
    with pytest.raises(Refused, match="hash to"):
        imported(office, path)
    with pytest.raises(Misused, match="--nonce"):
        imported(office, path, 3)


def service_record(office: Office, tx: SafeTx) -> dict[str, Any]:
    """As GET /multisig-transactions/{hash}/ answers, with a good confirmation and one that is another's."""
    (owner, signature), *_ = office.signed(tx, 0).items()
    other = office.council.owners[1].address
    kind = {"signatureType": "EOA", "submissionDate": "2026-11-22T03:00:00Z", "transactionHash": None}
    flat = tx.to_json()
    return {
        **{name: flat[name] for name in ("safe", "to", "value", "data", "operation", "gasToken", "refundReceiver")},
        **{name: int(str(flat[name])) for name in ("safeTxGas", "baseGas", "nonce")},
        "gasPrice": "0",
        "safeTxHash": hash_transaction(tx).safe_tx_hash,
        "isExecuted": False,
        "isSuccessful": None,
        "trusted": True,
        "transactionHash": None,
        "proposer": owner,
        "origin": "",
        "submissionDate": "2026-11-22T03:00:00Z",
        "confirmations": [
            {"owner": owner, "signature": to_hex(signature), **kind},
            {"owner": other, "signature": to_hex(signature), **kind},
        ],
    }


def test_calldata_need_signatures(office: Office) -> None:
    file = proposal(office)
    with pytest.raises(Misused, match="no signature"):
        exported(office, file, "calldata")
    signed = machine(office, 0).sign(file)
    (office.folder / signed.path.name).write_text(signed.path.read_text())
    assert len(exported(office, file, "signatures").document["signatures"]) == 1
    assert exported(office, file, "calldata").says == "Not held against the chain."


def test_the_signing_record_is_of_this_machine_alone(office: Office) -> None:
    file = proposal(office)
    one, two = machine(office, 0), machine(office, 1)
    one.sign(file)
    assert record_path(one.home, office.transaction()).stat().st_mode & 0o777 == 0o600
    assert not record_path(two.home, office.transaction()).exists()


def test_a_simulation_that_fails_is_on_the_card(office: Office) -> None:
    mine = machine(office, 0)
    office.anvil.transact(
        office.anvil.accounts[0], office.market, "appoint(address guardian)", office.anvil.accounts[1]
    )
    mine.sign(proposal(office, simulation={"state": "passed", "method": "eth_simulateV1", "reason": ""}))
    assert mine.cards[0].simulation.state == "failed" and "FAILED" in text(mine.cards[0])


def test_a_rotation_is_signed_by_those_who_stay(office: Office) -> None:
    going, staying, coming = office.council.owners[0], machine(office, 1), account(5, "new owner").address
    order = RotationOrder(office.deployment_file, "council", (going.address,), (coming,))
    file = plan(order, nothing).write(office.folder / "rotation")
    with pytest.raises(Refused, match="rotated out"):
        machine(office, 0).sign(file)
    signed = [staying.sign(file), machine(office, 2).sign(file)]
    shown = text(staying.cards[0])
    assert "swapOwner" in shown and coming in shown and staying.cards[0].simulation.state == "passed"
    both = merged(office, *(one.path for one in signed))
    assert both.to_json()["ready"] and both.path is not None
    document = exported(office, both.path, "calldata", on_chain=True).document
    office.anvil.send(office.anvil.accounts[5], document["to"], hex_bytes(document["data"]))
    assert coming in office.anvil.view(office.council.address, "getOwners() returns (address[])")[0]  # type: ignore[operator]


def rotated(office: Office, **changes: Any) -> tuple[Path, Path]:
    """The file of a rotation of the first owner, and the same with what its author changed in it."""
    order = RotationOrder(office.deployment_file, "council", (office.council.owners[0].address,), (NEWCOMER,))
    file = plan(order, nothing).write(office.folder / "rotation")
    changed = office.folder / "changed.json"
    changed.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return file, changed


def test_no_file_lets_one_sign_who_goes_or_bars_one_who_stays(office: Office) -> None:
    owners = [one.address for one in office.council.owners]
    for excluded in ([], owners[1:]):
        _, changed = rotated(office, excluded=excluded)
        for owner in (0, 1):
            with pytest.raises(Refused, match=r"rotation-claims|rotated out"):
                machine(office, owner).sign(changed)


@pytest.mark.parametrize("on_chain", [False, True])
def test_the_suspects_signature_is_left_out_wherever_it_comes_from(office: Office, on_chain: bool) -> None:
    file, _ = rotated(office)
    tx, suspect = load_transaction(file, None).tx, office.council.owners[0]
    theirs = Signed(suspect.address, suspect.sign_hash(hex_bytes(hash_transaction(tx).safe_tx_hash)))
    raw = {**SignatureFile(tx).to_json(), "signatures": [theirs.to_json()]}
    sent = office.folder / "sent.json"
    sent.write_text(json.dumps(raw))
    signed = machine(office, 1).sign(file)
    if on_chain:
        office.anvil.rpc("anvil_setBalance", suspect.address, hex(10**18))
        office.anvil.transact(suspect.address, tx.safe, APPROVE_HASH, hex_bytes(hash_transaction(tx).safe_tx_hash))
    for files_ in ([sent, signed.path], [file, sent, signed.path], [signed.path, sent]):
        found = merged(office, *files_)
        told = found.to_json()
        assert (found.exit_code, told["state"], told["missing"]) == (5, "waiting", 1), told
        assert [one["owner"] for one in told["excluded"]] == [suspect.address]
        assert [one["owner"] for one in told["signatures"]] == [signed.signer]
        assert found.standing is not None and suspect.address not in [one.owner for one in found.standing.waiting]
    packed = exported(office, found.path or file, "calldata")
    assert suspect.address not in packed.says  # it is not in the merged file any more
    with pytest.raises(Misused, match="no signature") as caught:
        exported(office, sent, "calldata")
    assert suspect.address in caught.value.hint and "rotated out" in caught.value.hint
    with pytest.raises(Refused, match="not ready"):
        exported(office, signed.path, "calldata", on_chain=True)


def test_a_weaker_safe_is_the_signers_own_word(office: Office) -> None:
    owners = [one.address for one in office.council.owners]
    (in_order,) = office.anvil.view(office.council.address, "getOwners() returns (address[])")
    rotation = decide(office.council.address, in_order, 2, outgoing=(), incoming=(NEWCOMER,), new_threshold=1)  # type: ignore[arg-type]
    made = list(rotation.calls)
    more: dict[str, Any] = {"rotation": rotation.to_json(), "weaken": True, "excluded": []}
    file = proposal(office, made, schema="incident.rotation/v1", **more)
    mine, script = machine(office, 1), Scripted()
    with pytest.raises(Refused, match=r"rotation-weakens.*--weaken"):
        mine.sign(file, script)
    assert not script.asked and not mine.cards
    with pytest.raises(Waiting, match="nothing was signed"):
        mine.sign(file, Scripted({"weaken": [Stop()]}), weaken=True)
    found = mine.sign(file, script, weaken=True)
    (asked,) = script.questions("weaken")
    assert "one key alone" in asked.text and asked.typed and asked.phrase == "weaken" and found.signer in owners


def test_a_pretended_claim_takes_no_approvals_place(office: Office) -> None:
    file = proposal(office)
    tx = load_transaction(file, None).tx
    approver = office.council.owners[1]
    office.anvil.rpc("anvil_setBalance", approver.address, hex(10**18))
    office.anvil.transact(approver.address, tx.safe, APPROVE_HASH, hex_bytes(hash_transaction(tx).safe_tx_hash))
    junk = [Signed(approver.address, contract_signature(approver.address, one)) for one in (b"a", b"b")]
    signed = machine(office, 0).sign(file)
    for order in (junk, junk[::-1]):
        path, _ = store(office.folder / f"sent-{order[0].signature[-1]}", adding(SignatureFile(tx), order).file)
        found = merged(office, path, signed.path)
        told = found.to_json()
        kinds = {one["owner"]: (one["kind"], one["counts"]) for one in told["signatures"]}
        assert kinds[approver.address] == ("approved-hash", True) and told["ready"], told
        assert {one["owner"] for one in (*told["set_aside"], *told["claims"])} == {approver.address}
        assert found.path is not None
        assert found.file.signatures == read_signature_file(found.path).signatures
        assert exported(office, found.path, "calldata", on_chain=True).document["data"]


def test_a_claim_beside_it_is_no_signature_that_is_here(office: Office) -> None:
    file, mine = proposal(office), machine(office, 0)
    tx, claimed = load_transaction(file, None).tx, office.council.owners[1].address
    store(mine.home / "out", SignatureFile(tx, (Signed(claimed, contract_signature(claimed, b"junk")),)))
    found = mine.sign(file)
    assert found.owners == (mine.signer.address,) and found.to_json()["missing"] == 1
    assert {one.owner for one in read_signature_file(found.path).signatures} == {mine.signer.address, claimed}


def test_who_a_plain_file_says_is_excluded_changes_nothing(office: Office) -> None:
    for excluded in ([one.address for one in office.council.owners], []):
        file, mine = proposal(office, excluded=excluded), machine(office, 0)
        assert mine.sign(file).signer == office.council.owners[0].address
        assert mine.cards[0].simulation.state == "passed"


def test_a_rotation_that_too_few_may_sign_is_not_tried(office: Office) -> None:
    place = office.place
    going = [one.address for one in office.council.owners[:2]]
    (in_order,) = office.anvil.view(office.council.address, "getOwners() returns (address[])")
    made = decide(office.council.address, in_order, 2, outgoing=going, incoming=(NEWCOMER, OTHER))  # type: ignore[arg-type]
    loaded = load_transaction(proposal(office, made.calls), None)
    view = view_of(place, loaded.tx, unfold(loaded.tx))
    assert "only 1 owners may sign" in tried(loaded, place, view).reason


def test_a_rotation_that_does_more_than_it_says_is_refused(office: Office) -> None:
    coming = account(5, "new owner").address
    order = RotationOrder(office.deployment_file, "council", (office.council.owners[0].address,), (coming,))
    document = json.loads(plan(order, nothing).write(office.folder / "rotation").read_text())
    document["rotation"]["incoming"] = [account(6, "another").address]
    path = office.folder / "lying.json"
    path.write_text(json.dumps(document))
    with pytest.raises(Refused):
        machine(office, 1).sign(path)


def test_a_containments_own_file_is_signed_and_ready(packages: Packages, tmp_path: Path) -> None:
    with founded(packages, tmp_path) as site:
        session, document = waits(site.begin())
        (file,) = files(session)
        aids = aids_of(site.deployment, (), (), None, None)
        cards: list[SigningCard] = []
        paths = []
        for owner in site.council.owners[:2]:
            desk = SigningDesk(
                cards.append, lambda words, tone: None, Scripted(), FakeClock(), tmp_path / "me", nothing
            )
            order = SigningOrder(load_transaction(file, None), aids, AccountSigner(owner), tmp_path / owner.label)
            paths.append(sign(order, desk).path)
        shown = " ".join(text(cards[0]).replace("\n> ", " ").split())
        assert "in words exchange.pause" in shown and "named by the file alone" not in shown
        assert document["reopening"] in shown
        assert cards[0].simulation.state == "passed" and dict(cards[0].claims)["because"]
        loaded = [load_transaction(one, None) for one in paths]
        found = merge_files(loaded, aids.deployment, nothing, tmp_path / "all")
        assert found.to_json()["ready"]
        assert found.path is not None
        data = export(load_transaction(found.path, None), "calldata", NOW_MS, aids.deployment, nothing).document["data"]
        site.anvil.send(site.anvil.accounts[5], site.council.address, hex_bytes(data))
        assert site.paused()
