"""The commands of the desk with a service, as people and scripts call them: real terminals, real processes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from incident_cli.cli import main
from incident_cli.drills.accounts import account
from incident_cli.flows.multisig.authority import Role
from incident_cli.flows.multisig.proposing import WITHOUT_INCIDENT, confirm, post
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.service import TransactionService
from incident_cli.safe.signature_file import SignatureFile, Signed, store
from incident_cli.safe.signing import signed_by
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.typed_data import safe_tx_typed_data
from tests.cli.command import Ended
from tests.contracts.packages import Packages
from tests.fakes.safe_service import SafeService
from tests.fakes.terminal import Terminal
from tests.real.containing import PROTOCOL
from tests.real.desking import ETH, PASSPHRASE, Office, as_opened, keystore, opened, serving
from tests.real.test_safe_carrying import proposal_file

Desk = tuple[SafeService, TransactionService, Office]


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The chain, built once."""
    with opened(packages, tmp_path_factory.mktemp("commands")) as found:
        yield found


@pytest.fixture
def desk(built: Office, tmp_path: Path) -> Iterator[Desk]:
    """The chain as it was built and an empty service, for this test alone."""
    with as_opened(built, tmp_path) as office, serving(office) as found:
        yield found


Run = Callable[..., Ended]


@pytest.fixture
def run(desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """One command without a terminal, in this process: its libraries are loaded once."""
    mine = desk[2]

    def running(*arguments: str | Path, office: Office = mine) -> Ended:
        where = () if "--help" in arguments else ("--deployment", office.deployment_file)
        monkeypatch.setenv("INCIDENT_HOME", str(office.home))
        monkeypatch.setattr(sys, "argv", ["incident", "safe", *map(str, (*arguments, *where))])
        capsys.readouterr()
        code = main.ended()
        return Ended(code, *capsys.readouterr())

    return running


def by_hand(office: Office, owner: int, words: Sequence[str | Path], *answers: str) -> tuple[int, str]:
    """One command in a terminal, by an owner's keystore; its exit code and everything that was on the screen."""
    sealed, key = keystore(office, owner)
    line = [*map(str, words), "--deployment", str(office.deployment_file), "--keystore", str(sealed)]
    with Terminal(["safe", *line], office.home) as terminal:
        for answer in answers:
            terminal.answer(answer)
        terminal.wait_for("passphrase of")
        terminal.child.send(PASSPHRASE + "\r")
        code = terminal.finish()
        for secret in (PASSPHRASE, key.hex()):
            assert secret not in terminal.raw
        return code, terminal.text


def queued(desk: Desk, tx: SafeTx, *owners: int) -> str:
    """A transaction in the service, confirmed by these owners; its hash."""
    _, client, office = desk
    first, *others = [office.signer(one) for one in owners]
    hashes = hash_transaction(tx)
    post(client, tx, hashes, first, WITHOUT_INCIDENT, role=Role("owner", first.address))
    for one in others:
        confirm(client, tx, one)
    return hashes.safe_tx_hash


def test_proposed_joined_executed_and_proven_by_people(desk: Desk) -> None:
    service, _, office = desk
    tx = office.transaction()
    hash_, file = hash_transaction(tx).safe_tx_hash, proposal_file(office, tx)
    code, screen = by_hand(office, 0, ["propose", file], hash_[-8:])
    assert code == 0 and "proposed, and read back" in screen and "1 of 2 confirmations" in screen, screen
    assert [one.origin for one in service.queue] == [WITHOUT_INCIDENT]
    same = office.folder / "same.json"
    same.write_text(json.dumps(office.transaction(nonce=5).to_json()))
    code, screen = by_hand(office, 1, ["propose", same], hash_[-8:])
    assert code == 0 and "the same calls are queued already, at nonce 0" in screen, screen
    assert "confirmed, and read back" in screen and len(service.queue) == 1
    office.signer(2)
    code, screen = by_hand(office, 2, ["execute", file], hash_[-8:])
    assert code == 0 and "EXECUTED in block" in screen and office.paused(), screen
    assert "the chain shows exchange.paused(ETH-USD) = true" in " ".join(screen.split())


def test_without_a_terminal_nothing_is_handed_in(desk: Desk, run: Run) -> None:
    service, _, office = desk
    file, (sealed, _) = proposal_file(office, office.transaction()), keystore(office, 0)
    for verb in ("propose", "confirm", "execute", "approve"):
        passphrase = office.folder / "passphrase"
        passphrase.write_text(PASSPHRASE)
        ended = run(verb, file, "--keystore", sealed, "--json")
        assert (ended.code, ended.object["schema"]) == (4, "incident.error/v1"), ended.err
        assert run(verb, file).code == 2, "nobody is named"
    assert service.queue == [] and not office.paused()
    ended = run("confirm", file, "--keystore", sealed)
    assert ended.code == 4 and "the end of the hash is" in ended.err, "what cannot be done is said first"
    assert "--passphrase-fd" not in ended.err


def test_status_is_a_number_for_scripts(desk: Desk, run: Run) -> None:
    service, client, office = desk
    tx = office.transaction()
    hash_ = queued(desk, tx, 0)
    waiting = run("status", hash_, "--json")
    assert (waiting.code, waiting.object["state"], waiting.object["waiting_for"]) == (5, "waiting", "signatures")
    assert [one["name"] for one in waiting.object["waiting"] if one["local_time"]] == ["bo", "cy"]
    confirm(client, tx, office.signer(1))
    ready = run("status", hash_, "--json")
    assert (ready.code, ready.object["state"]) == (0, "ready")
    assert [one["road"] for one in ready.object["confirmed"]] == ["service", "service"]
    service.status = 503
    flat = office.folder / "flat.json"
    flat.write_text(json.dumps(tx.to_json()))
    unknown = run("status", flat, "--json")
    assert (unknown.code, unknown.object["state"]) == (3, "unknown") and "HTTP 503" in unknown.err
    service.status = 200
    office.council.execute(office.limit(4))
    displaced = run("status", hash_, "--json")
    assert (displaced.code, displaced.object["fate"]) == (1, "displaced")


def test_waiting_follows_until_it_is_ready(desk: Desk) -> None:
    _, client, office = desk
    tx = office.transaction()
    hash_ = queued(desk, tx, 0)
    words = ["safe", "status", hash_, "--deployment", str(office.deployment_file), "--wait", "--every", "2"]
    with Terminal(words, office.home) as terminal:
        terminal.wait_for("WAITING")
        confirm(client, tx, office.signer(1))
        terminal.wait_for("READY")
        assert terminal.finish() == 0


def test_the_queue_alarms_rivals(desk: Desk, run: Run) -> None:
    _, _, office = desk
    empty = run("queue", "council")
    assert empty.code == 0 and "nothing is queued" in empty.err
    queued(desk, office.transaction(), 0)
    queued(desk, office.transaction([office.limit(4)]), 1)
    ended = run("queue", office.council.address, "--json")
    (at,) = ended.object["at"]
    assert ended.code == 0 and at["rivals"] is True and len(at["queued"]) == 2
    assert "RIVALS: 2 transactions want this nonce" in ended.err


def test_the_queue_names_the_market_the_proposer_and_the_origin(desk: Desk, run: Run) -> None:
    _, _, office = desk
    (office.folder / "protocols").mkdir()
    (office.folder / "protocols" / "guarded-market.yaml").write_text(PROTOCOL)
    at = f'{{venue: "{office.market}", other: "{office.market}", safe: "{office.council.address}"}}'
    slot = f"{{exchange: {{chain: local, protocol: guarded-market, addresses: {at}}}}}"
    named = replace(office, extra=f'{office.extra}markets: {{ETH-USD: {{id: "{ETH}", slots: {slot}}}}}\n')
    hash_ = queued(desk, office.transaction(), 0)
    ended = run("queue", "council", "--json", office=named)
    said = " ".join(ended.err.split())
    code, screen = by_hand(named, 1, ["confirm", hash_], hash_[-8:])
    assert code == 0 and f"proposed by {office.council.owners[0].address} (ana)" in " ".join(screen.split()), screen
    assert f"market {ETH} (market ETH-USD)" in " ".join(screen.split())
    assert f"market {ETH} (market ETH-USD)" in said, said
    assert f"proposed by {office.council.owners[0].address} (ana), by the service's word" in said
    assert "its origin: this program, by hand and outside an incident" in said
    assert ended.object["at"][0]["queued"][0]["origin"] == WITHOUT_INCIDENT


def test_a_service_that_is_down_is_unknown_and_never_empty(desk: Desk, run: Run) -> None:
    service, _, _ = desk
    service.status = 500
    ended = run("queue", "council", "--json")
    assert ended.code == 3 and "HTTP 500" in ended.object["service_problem"]
    assert "displaces nothing" not in ended.err and "nothing is known to be queued" in ended.err


def test_unsigned_it_is_posted_in_an_owners_name(desk: Desk, run: Run) -> None:
    service, _, office = desk
    file, owner = proposal_file(office, office.transaction()), office.council.owners[0].address
    assert run("propose", file, "--unsigned").code == 2, "in whose name is not said"
    ended = run("propose", file, "--unsigned", "--on-behalf-of", owner, "--json")
    assert (ended.code, ended.object["how"], ended.object["confirmed_by"]) == (0, "posted", [])
    assert [(one.proposer, one.trusted) for one in service.queue] == [(owner, False)]


def test_a_rejection_is_a_file_that_says_what_it_displaces(desk: Desk, run: Run) -> None:
    _, _, office = desk
    hash_ = queued(desk, office.transaction(), 0)
    ended = run("reject", hash_, "--out", office.folder / "out", "--json")
    assert ended.code == 0 and [one["safe_tx_hash"] for one in ended.object["displaces"]] == [hash_]
    tx = SafeTx.from_json(json.loads(Path(ended.object["file"]).read_text()))
    assert (tx.to, tx.data, tx.nonce) == (office.council.address, b"", 0)
    said = " ".join(ended.err.split())
    assert "1 of 2 signatures by the service's count" in said
    assert "can be executed as soon as enough owners have signed it" in said and "by anybody" not in said
    by_nonce = run("reject", "--nonce", "0", "--safe", "council", "--out", office.folder / "out", "--json")
    assert by_nonce.object["safe_tx_hash"] == ended.object["safe_tx_hash"]
    assert run("reject", "--out", office.folder / "out").code == 2


def test_a_file_of_signatures_is_executed_by_itself(desk: Desk, run: Run) -> None:
    _, _, office = desk
    tx = office.transaction()
    given = tuple(Signed(one.address, signed_by(one, safe_tx_typed_data(tx))) for one in map(office.signer, (0, 1)))
    paths = [store(office.folder / str(place), SignatureFile(tx, (one,)))[0] for place, one in enumerate(given)]
    half = run("status", paths[0], "--signatures", paths[1])
    assert half.code == 0 and f"--signatures {paths[1]} --keystore FILE" in half.err, half.err
    merged = run("merge", *paths, "--out", office.folder / "out")
    path = office.folder / "out" / paths[0].name
    assert f"safe execute {path} --deployment {office.deployment_file} --keystore FILE" in merged.err, merged.err
    assert run("status", path).code == 0
    office.signer(2)
    code, screen = by_hand(office, 2, ["execute", path], hash_transaction(tx).safe_tx_hash[-8:].upper())
    assert code == 0 and "EXECUTED in block" in screen and office.paused(), screen


def test_a_delegate_is_shown_and_asked_for(desk: Desk, run: Run) -> None:
    _, client, office = desk
    words = ["delegate", "add", account(5, "on call").address, "--safe", "council"]
    sealed, _ = keystore(office, 0)
    ended = run(*words, "--keystore", sealed)
    assert ended.code == 4 and "--passphrase-fd" not in ended.err
    line = [*words, "--deployment", str(office.deployment_file), "--keystore", str(sealed)]
    with Terminal(["safe", *line], office.home) as terminal:
        terminal.answer("no", "yes or no")
        assert terminal.finish() == 5
    assert f"may propose for {office.council.owners[0].address}" in " ".join(terminal.text.split())
    assert client.delegates(office.council.address) == ()
    code, screen = by_hand(office, 0, words, "yes")
    assert code == 0 and "added, and read back" in screen, screen


def test_delegates_are_listed(run: Run) -> None:
    ended = run("delegate", "list", "--safe", "council", "--json")
    assert (ended.code, ended.object["delegates"]) == (0, [])
    assert run("delegate", "add", "0x12", "--safe", "council").code == 2


@pytest.mark.parametrize("verb", ["propose", "confirm", "status", "queue", "execute", "approve", "reject", "delegate"])
def test_every_command_shows_an_example(verb: str, run: Run) -> None:
    ended = run(verb, "--help")
    assert ended.code == 0 and "Example: incident safe " in ended.out
