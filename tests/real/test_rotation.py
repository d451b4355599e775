"""`incident safe rotate` on real Safes 1.3.0, 1.4.1 and 1.5.0: who goes signs nothing that counts, what was signed with
that key is dead, and whoever came can sign."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from incident_cli.abi import parse_signature
from incident_cli.drills.accounts import Account, account
from incident_cli.errors import Misused, Refused
from incident_cli.evm import Address, Call, checksummed, hex_bytes
from incident_cli.flows.multisig.aids import Aids, aids_of
from incident_cli.flows.multisig.examining import examine, inspected
from incident_cli.flows.multisig.loading import load_transaction
from incident_cli.flows.multisig.pre_signed import of_vault, pre_signed_of
from incident_cli.flows.multisig.rotating import PlannedRotation, RotationOrder, plan
from incident_cli.flows.multisig.rotation_ground import inspect_written
from incident_cli.levers.expectation import Expectation
from incident_cli.safe.contracts import GET_OWNERS, GET_THRESHOLD, NONCE
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.rotation import Rotation, excluded_of, refuse_excluded
from incident_cli.safe.signature_file import SignatureFile, Signed, store
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.vault import Rung, Vault
from tests.cli.command import run
from tests.contracts.misbehaviour import compiled
from tests.contracts.packages import Packages
from tests.contracts.safes import VERSIONS, Safe2of3, build_safe
from tests.fakes.anvil import Anvil
from tests.fakes.anvil import Refused as Reverted
from tests.fakes.terminal import Terminal

FRESH, OTHER = account(9, "fresh owner"), account(9, "other owner")
ETH = b"\x01" * 32


@dataclass(frozen=True, slots=True)
class Desk:
    """A Safe with something to pause, and a deployment that names both."""

    council: Safe2of3
    market: Address
    folder: Path

    @property
    def owners(self) -> tuple[Address, ...]:
        (found,) = self.council.anvil.view(self.council.address, GET_OWNERS)
        assert isinstance(found, tuple)
        return found

    @property
    def deployment(self) -> Path:
        anvil, path = self.council.anvil, self.folder / "deployment.yaml"
        people = "".join(
            f'  - {{name: council-{place}, owner: "{one.address}", reach: pager}}\n'
            for place, one in enumerate((*self.council.owners, FRESH), 1)
        )
        path.write_text(f"""schema: incident-deployment/v1
name: test
chains: {{local: {{id: {anvil.chain_id}, rpc: [{{url: "{anvil.url}"}}]}}}}
slots:
  council: {{chain: local, protocol: safe, addresses: {{safe: "{self.council.address}"}}}}
contacts:
{people}""")
        return path

    def order(self, out: Sequence[Address], new: Sequence[Address], **more: object) -> RotationOrder:
        return RotationOrder(self.deployment, "council", tuple(out), tuple(new), **more)  # type: ignore[arg-type]

    def plan(self, out: Sequence[Address], new: Sequence[Address], **more: object) -> PlannedRotation:
        return plan(self.order(out, new, **more), lambda name: None)

    def refused(self, out: Sequence[Address], new: Sequence[Address], **more: object) -> str:
        with pytest.raises(Refused) as caught:
            self.plan(out, new, **more)
        return f"{caught.value.message} | {caught.value.hint}"

    def as_safe(self, signature: str, *args: object) -> None:
        anvil = self.council.anvil
        anvil.rpc("anvil_setBalance", self.council.address, hex(10**18))
        anvil.transact(self.council.address, self.council.address, signature, *args)

    def pause(self, nonce: int) -> SafeTx:
        """A transaction at a nonce of its own that pauses the market."""
        call = Call(self.market, parse_signature("pause(bytes32 market)"), (ETH,))
        return dataclasses.replace(self.council.transaction([call]), nonce=nonce)

    def execute(self, tx: SafeTx, signers: Sequence[Account]) -> None:
        self.council.anvil.send(self.council.executor, self.council.address, self.council.execution(tx, list(signers)))


@pytest.fixture(scope="module")
def safes(packages: Packages) -> Iterator[dict[str, Desk]]:
    """A node with a Safe of each version."""
    with Anvil(packages.anvil) as anvil:
        found = {}
        for version in VERSIONS:
            council = build_safe(anvil, version)
            market = anvil.deploy(compiled("guarded_market"))
            anvil.transact(anvil.accounts[0], market, "appoint(address guardian)", council.address)
            found[version] = Desk(council, market, Path())
        yield found


@pytest.fixture(params=VERSIONS)
def desk(request: pytest.FixtureRequest, safes: dict[str, Desk], tmp_path: Path) -> Iterator[Desk]:
    """Each version, as it was built."""
    yield from as_built(safes[request.param], tmp_path)


@pytest.fixture
def newer(safes: dict[str, Desk], tmp_path: Path) -> Iterator[Desk]:
    """The Safe 1.4.1, as it was built."""
    yield from as_built(safes["1.4.1"], tmp_path)


def as_built(built: Desk, folder: Path) -> Iterator[Desk]:
    before = built.council.anvil.snapshot()
    yield dataclasses.replace(built, folder=folder)
    built.council.anvil.revert(before)


def signed(tx: SafeTx, signers: Sequence[Account]) -> SignatureFile:
    digest = hex_bytes(hash_transaction(tx).safe_tx_hash)
    every = sorted(signers, key=lambda one: int(one.address, 16))
    return SignatureFile(tx, tuple(Signed(one.address, one.sign_hash(digest)) for one in every))


def test_the_old_owner_is_dead_and_the_new_one_signs(desk: Desk) -> None:
    suspect, *staying = desk.council.owners
    (nonce,) = desk.council.anvil.view(desk.council.address, NONCE)
    assert nonce == 0
    rungs = {
        "eaten": signed(desk.pause(0), staying),
        "dead": signed(desk.pause(1), [suspect, staying[0]]),
        "alive": signed(desk.pause(2), staying),
    }
    paths = [store(desk.folder, one)[0] for one in rungs.values()]
    planned = desk.plan([suspect.address], [FRESH.address], pre_signed=pre_signed_of(paths))
    assert [one.survives for one in planned.survivals] == ["eaten", "dead", "alive"]
    document = json.loads(planned.write(desk.folder).read_text())
    assert Rotation.from_json(document["rotation"]) == planned.rotation
    assert (document["schema"], excluded_of(document)) == ("incident.rotation/v1", (suspect.address,))
    assert document["signers"] == [one for one in desk.owners if one != suspect.address]
    loaded = load_transaction(desk.folder / f"{document['safe_tx_hash']}.json", None)
    assert loaded.proposal is not None
    assert inspect_written(planned.place, loaded.tx, loaded.proposal) == (planned.rotation, ())
    desk.execute(loaded.tx, staying)
    (stale,) = {one.code for one in inspect_written(planned.place, loaded.tx, loaded.proposal)[1]} - {"rotation-stale"}
    assert stale == "nonce-stale"
    shown = {record["label"]: Expectation.from_json(record).value for record in document["expect"]}
    assert shown["the Safe's owners"] == desk.owners and suspect.address not in desk.owners
    assert desk.council.anvil.view(desk.council.address, GET_THRESHOLD) == (shown["the Safe's threshold"],) == (2,)
    with pytest.raises(Reverted):
        desk.execute(rungs["dead"].tx, [suspect, staying[0]])
    with pytest.raises(Reverted):
        desk.execute(rungs["eaten"].tx, staying)
    desk.execute(rungs["dead"].tx, [FRESH, staying[0]])  # the same transaction, by who came
    desk.execute(rungs["alive"].tx, staying)


def test_a_signature_too_many_lives_once_it_is_taken_out(desk: Desk) -> None:
    suspect, *staying = desk.council.owners
    every = signed(desk.pause(1), [suspect, *staying])
    lowest = every.signatures[0].owner == suspect.address
    path, _ = store(desk.folder, every)
    planned = desk.plan([suspect.address], [FRESH.address], pre_signed=pre_signed_of([path]))
    (found,) = planned.survivals
    read_first = suspect.address in [one.owner for one in every.signatures[:2]]
    assert found.survives == ("repack" if read_first else "alive") and (read_first or not lowest)
    desk.execute(planned.tx, staying)
    if read_first:
        with pytest.raises(Reverted):
            desk.execute(every.tx, [suspect, *staying])
    desk.execute(every.tx, staying)


@pytest.mark.parametrize("version", ["1.4.1", "1.5.0"])
def test_several_changes_are_one_batch(version: str, safes: dict[str, Desk], tmp_path: Path) -> None:
    for desk in as_built(safes[version], tmp_path):
        suspect, *staying = desk.council.owners
        planned = desk.plan([suspect.address], [FRESH.address, OTHER.address], threshold=3)
        assert [one.call.signature.name for one in planned.calls] == ["swapOwner", "addOwnerWithThreshold"]
        assert planned.tx.operation == 1 and planned.simulation.state == "passed"
        desk.execute(planned.tx, staying)
        assert desk.owners == planned.rotation.owners_after and len(desk.owners) == 4
        desk.execute(desk.pause(1), [FRESH, OTHER, staying[0]])


def test_an_owner_is_removed_without_another(newer: Desk) -> None:
    suspect, *staying = newer.council.owners
    planned = newer.plan([suspect.address], [])
    newer.execute(planned.tx, staying)
    assert newer.owners == planned.rotation.owners_after and len(newer.owners) == 2


def test_the_simulation_is_by_those_who_stay(newer: Desk) -> None:
    suspect = newer.council.owners[0].address
    shown = newer.plan([suspect], [FRESH.address]).simulation
    assert shown.state == "passed" and suspect not in " ".join(shown.overridden)
    refuse_excluded(newer.plan([suspect], [FRESH.address]).rotation.remaining, (suspect,))


def test_what_is_refused(newer: Desk) -> None:
    suspect, other, _ = (one.address for one in newer.council.owners)
    poser = checksummed(bytes.fromhex(other[2:6]) + b"\x11" * 16 + bytes.fromhex(other[-4:]))
    assert "rotation-lookalike" in newer.refused([suspect], [poser])
    assert "rotation-weakens" in newer.refused([suspect], [FRESH.address], threshold=1)
    assert "only 1 owners remain, and 2 must sign" in newer.refused([suspect, other], [FRESH.address, OTHER.address])
    assert "is no owner of the Safe" in newer.refused([FRESH.address], [OTHER.address])
    assert "the Safe itself" in newer.refused([suspect], [newer.council.address])
    with pytest.raises(Misused, match="--in-owner"):
        newer.plan([suspect], [Address(FRESH.address.lower())])
    assert newer.plan([suspect], [FRESH.address], threshold=1, weaken=True).rotation.new_threshold == 1
    foreign = dataclasses.replace(newer.pause(1), safe=newer.market)
    path, _ = store(newer.folder, SignatureFile(foreign))
    assert "name the files of this Safe" in newer.refused([suspect], [FRESH.address], pre_signed=pre_signed_of([path]))


def test_a_file_that_was_changed_is_refused(newer: Desk) -> None:
    suspect, other, _ = (one.address for one in newer.council.owners)
    planned = newer.plan([suspect], [FRESH.address])
    document = planned.document()
    for excluded in ([], [other], [suspect, other]):
        _, found = inspect_written(planned.place, planned.tx, {**document, "excluded": excluded})
        assert {one.code for one in found if one.severity == "refused"} == {"rotation-claims"}
    instead = {**document["rotation"], "incoming": [OTHER.address]}
    _, found = inspect_written(planned.place, planned.tx, {**document, "rotation": instead})
    assert {one.code for one in found if one.severity == "refused"} == {"call-differs"}


def test_a_file_says_nothing_about_how_weak_the_safe_may_become(newer: Desk) -> None:
    suspect = newer.council.owners[0].address
    planned = newer.plan([suspect], [FRESH.address], threshold=1, weaken=True)
    document = {**planned.document(), "weaken": True}
    for allowed, severity in ((False, "refused"), (True, "warned")):
        _, found = inspect_written(planned.place, planned.tx, document, weaken=allowed)
        assert [(one.code, one.severity) for one in found] == [("rotation-weakens", severity)]


def test_inspect_and_sign_judge_a_rotation_alike(newer: Desk) -> None:
    suspect = newer.council.owners[0].address
    path = newer.plan([suspect], [FRESH.address]).write(newer.folder)
    aids = aids_of(newer.deployment, (), (), None, None)
    found = inspected(load_transaction(path, None), aids, lambda name: None)
    assert (
        found.verdict != "refused"
        and found.findings == examine(load_transaction(path, None), aids, lambda name: None)[1].findings
    )
    on_paper = inspected(load_transaction(path, None), Aids(), lambda name: None)
    assert {"rotation-unread", "control-change"} <= {one.code for one in on_paper.findings}
    assert run(["safe", "inspect", str(path), "--deployment", str(newer.deployment)], newer.folder).code == 0


def test_the_rungs_of_a_vault_are_told(newer: Desk) -> None:
    suspect, *staying = newer.council.owners
    signers = {1: [suspect, staying[0]], 2: staying}
    rungs = tuple(
        Rung("ETH-USD", file.tx, {one.owner: one.signature for one in file.signatures})
        for file in (signed(newer.pause(nonce), who) for nonce, who in signers.items())
    )
    found = of_vault(vault_of(newer, rungs))
    planned = newer.plan([suspect.address], [FRESH.address], pre_signed=found)
    assert [(one.signed.label, one.survives) for one in planned.survivals] == [
        ("rung 1 for ETH-USD", "dead"),
        ("rung 2 for ETH-USD", "alive"),
    ]


def vault_of(desk: Desk, rungs: tuple[Rung, ...]) -> Vault:
    """A vault of these rungs, with nothing else that matters here."""
    council = desk.council
    return Vault(
        deployment="test", chain="local", chain_id=council.anvil.chain_id, safe=council.address,
        version=council.version, threshold=2, owners=tuple(one.address for one in council.owners), runbook="pause",
        step="pause", armed_at="2026-11-29T00:00:00Z", block={}, facts=(), targets=(), rungs=rungs,
    )  # fmt: skip


def test_a_module_and_a_contract_are_said(newer: Desk) -> None:
    suspect = newer.council.owners[0].address
    newer.as_safe("enableModule(address module)", newer.market)
    codes = {one.code for one in newer.plan([suspect], [newer.market]).findings}
    assert codes == {"rotation-module", "rotation-contract", "rotation-stranger"}


def test_a_guard_that_forbids_it_is_seen(newer: Desk) -> None:
    guard = newer.council.anvil.deploy(compiled("blocking_guard"), ["bool"], [False])
    newer.as_safe("setGuard(address guard)", guard)
    said = newer.refused([newer.council.owners[0].address], [FRESH.address])
    assert "the simulation of the rotation failed" in said


def words(desk: Desk, *more: str) -> list[str]:
    suspect = desk.council.owners[0].address
    who = ["--out-owner", suspect, "--in-owner", FRESH.address]
    return ["safe", "rotate", "--deployment", str(desk.deployment), "--safe", "council", *who, *more]


def test_the_command_asks_for_the_end_of_the_new_address(newer: Desk) -> None:
    suspect, *staying = newer.council.owners
    out = newer.folder / "out"
    with Terminal(words(newer, "--out", str(out)), newer.folder, size=(140, 60)) as terminal:
        terminal.answer(suspect.address[-8:])
        terminal.answer(FRESH.address[-8:])
        assert terminal.finish() == 0
        text = terminal.text
    for said in (
        f"{suspect.address}  council-1  GOES",
        f"{FRESH.address}  council-4  COMES",
        "threshold: 2 of 3 before",
    ):
        assert said in text
    assert f"may NOT sign: {suspect.address}" in text and "that is not it" in text
    (path,) = out.iterdir()
    document = json.loads(path.read_text())
    assert document["safe_tx_hash"] in text and path.stem == document["safe_tx_hash"]
    newer.execute(SafeTx.from_json(document["safe_tx"]), staying)


def test_whoever_goes_is_not_asked_for_their_own_address(newer: Desk) -> None:
    suspect, out = newer.council.owners[0].address, newer.folder / "out"
    line = ["safe", "rotate", "--deployment", str(newer.deployment), "--safe", "council", "--out-owner", suspect]
    with Terminal([*line, "--out", str(out)], newer.folder, size=(140, 60)) as terminal:
        terminal.answer(suspect[-8:].lower())
        assert terminal.finish() == 0, terminal.text
    assert "as your own records have it" in terminal.text and "as its holder reads" not in terminal.text
    (path,) = out.iterdir()
    command = f"safe sign {path} --deployment {newer.deployment} --keystore FILE"
    assert command.replace(" ", "") in "".join(terminal.text.split()), "a terminal breaks it where the line ends"


def test_without_a_terminal_nothing_is_written(newer: Desk) -> None:
    ended = run(words(newer, "--out", str(newer.folder / "out"), "--json"), newer.folder)
    assert (ended.code, ended.object["schema"]) == (4, "incident.error/v1") and not (newer.folder / "out").exists()
    assert "OWNER ROTATION" in ended.err and "Nothing was written" in ended.err
