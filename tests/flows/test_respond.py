"""A live response against a real HTTP node (the drill's chain): a file for the owners, and proof on chain, no key."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from incident_cli.abi import encode_call
from incident_cli.drills.founding import encoded
from incident_cli.drills.live_world import LiveWorld
from incident_cli.drills.serve import serve
from incident_cli.drills.setting import deployment_text
from incident_cli.errors import IncidentError, JournalBroken, Misused, Refused, Unread, Waiting
from incident_cli.flows import respond
from incident_cli.flows.desk import Answerer, Skip, Stop
from incident_cli.flows.respond import Order, Surroundings
from incident_cli.flows.session import Session
from incident_cli.flows.walk import walk
from incident_cli.incident.events import Event, Kind
from incident_cli.runbook.shipped import find_runbook
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.transaction import SafeTx
from incident_cli.transport import Endpoint, HttpEndpoint, Json, Request, RpcError
from tests.fakes.desk import FakeClock, RecordingScreen, Scripted
from tests.flows.rehearsal import EXECUTE, council_sends, fresh, is_paused, nonce_of, pause_data, quick, safe_sends

FAULT_SHOWS = 8


def unset(name: str) -> str | None:
    """An empty environment."""
    return None


@dataclass
class Site:
    """A served chain under attack, and the place a responder works from."""

    live: LiveWorld
    url: str
    folder: Path
    clock: FakeClock

    @property
    def home(self) -> Path:
        """Where incidents live."""
        return self.folder / "home"

    @property
    def deployment(self) -> Path:
        """The deployment file."""
        return self.folder / "deployment.yaml"

    def order(self, market: str = "ETH-USD", **params: str) -> Order:
        """Respond to the divergence."""
        return Order(find_runbook("oracle-divergence"), self.deployment, market, params)

    def around(self, answerer: Answerer | None = None) -> Surroundings:
        """A fake clock whose sleep lets the chain go on."""
        return Surroundings(self.home, self.clock, unset, RecordingScreen(), answerer or Scripted())

    def rewrite(self, change: Callable[[str], str]) -> None:
        """Change the deployment file."""
        self.deployment.write_text(change(self.deployment.read_text()))


@contextmanager
def served(folder: Path) -> Iterator[Site]:
    """A chain whose fault has begun, over HTTP."""
    live = fresh(7, "oracle-divergence", blocks=FAULT_SHOWS)
    with serve(live.rpc, 0) as node:
        yield placed(live, node.url, folder)


def placed(live: LiveWorld, url: str, folder: Path) -> Site:
    """A responder's place at a chain; while the responder sleeps, the chain goes on."""
    found = Site(live, url, folder, FakeClock(sleeping=lambda seconds: live.advance(12)))
    found.deployment.write_text(deployment_text(live.world, url))
    return found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site of its own."""
    with served(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One chain for the tests that change nothing on it."""
    with served(tmp_path_factory.mktemp("shared")) as found:
        yield found


@pytest.fixture
def still(shared: Site, tmp_path: Path) -> Site:
    """A responder's place at the shared chain."""
    return placed(shared.live, shared.url, tmp_path)


def proposed(site: Site, order: Order | None = None) -> tuple[Session, dict[str, Any]]:
    """Walked until the owners must sign; the session (let go of) and the file."""
    session = respond.begin(order or site.order(), site.around())
    with pytest.raises(Waiting) as caught:
        walk(session)
    assert (caught.value.waiting_for, caught.value.exit_code) == ("signatures", 5)
    session.recorder.journal.close()
    return session, json.loads(file_of(session).read_text())


def file_of(session: Session) -> Path:
    """The latest exported proposal."""
    exported = [event.data["path"] for event in session.events if event.kind is Kind.EXPORTED]
    return Path(exported[-1])


def taken_up(site: Site, answerer: Answerer | None = None) -> Session:
    """The incident of this home, resumed."""
    return respond.take_up("", site.around(answerer))


def test_the_proposal_is_a_file_that_says_everything(site: Site) -> None:
    session, document = proposed(site)
    path = file_of(session)
    assert path.name == f"{document['safe_tx_hash']}.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    tx = SafeTx.from_json(document["safe_tx"])
    found = hash_transaction(tx)
    assert document["safe_tx_hash"] == found.safe_tx_hash
    assert (document["domain_hash"], document["message_hash"]) == (found.domain_hash, found.message_hash)
    assert document["calldata_digest"] == found.calldata_digest
    assert [one["function"] for one in document["calls"]] == [
        "setMarketPaused(bytes32,bool)",
        "setWithdrawalLimit(uint256,uint256)",
    ]
    assert all(one["plain"] and one["args"] for one in document["calls"])
    assert document["simulation"]["state"] == "passed" and document["simulation"]["method"]
    assert document["runbook_hash"] == session.runbook_hash
    engine = site.live.world.engine
    assert document["block"]["hash"] == engine.block(document["block"]["number"]).hash
    assert not is_paused(site.live.world)


def test_the_checks_of_a_round_are_judged_at_one_block(site: Site) -> None:
    session, _ = proposed(site)
    rounds = [event for event in session.events if event.kind is Kind.FINDINGS]
    assert len(rounds) >= 2
    for event in rounds:
        assert event.block is not None
        assert event.block.hash == site.live.world.engine.block(event.block.number).hash


def executed_by_owners(site: Site, document: dict[str, Any]) -> str:
    """The owners sign the file's transaction with their keys, and web3.py sends it over HTTP."""
    from web3 import Web3

    world, tx = site.live.world, SafeTx.from_json(document["safe_tx"])
    signers = sorted(world.council_owners[:2], key=lambda one: one.address.lower())
    signatures = b"".join(one.sign_hash(bytes.fromhex(document["safe_tx_hash"][2:])) for one in signers)
    fields = (tx.to, tx.value, tx.data, tx.operation, 0, 0, 0, tx.gas_token, tx.refund_receiver, signatures)
    raw = world.transaction(world.executor, tx.safe, encode_call(EXECUTE, fields))
    node = Web3(Web3.HTTPProvider(site.url))
    sent = node.eth.send_raw_transaction(raw)
    assert node.eth.wait_for_transaction_receipt(sent)["status"] == 1
    return "0x" + bytes(sent).hex()


def test_executed_by_the_owners_it_is_proven_contained(site: Site) -> None:
    _, document = proposed(site)
    sent = executed_by_owners(site, document)
    session = taken_up(site, Scripted({"cause": [Stop()]}))
    with pytest.raises(Waiting) as caught:
        walk(session)
    assert caught.value.waiting_for == "operator"
    outcomes = {one["id"]: one["outcome"] for one in respond.report(session, "operator")["steps"]}
    assert (outcomes["pause"], outcomes["prove"]) == ("done", "done")
    (proposal,) = respond.report(session, None)["proposals"]
    assert (proposal["safe_tx_hash"], proposal["transaction_hash"]) == (document["safe_tx_hash"], sent)
    assert respond.report(session, None)["outcome"] == "contained"
    proof = next(e for e in session.events if e.kind is Kind.STEP_ENDED and e.step == "prove").data["proof_block"]
    assert site.live.world.engine.block(proof["number"]).hash == proof["hash"]


def test_without_the_signatures_it_goes_on_waiting_for_the_same_proposal(site: Site) -> None:
    _, document = proposed(site)
    for _ in range(2):
        session = taken_up(site)
        with pytest.raises(Waiting) as caught:
            walk(session)
        session.recorder.journal.close()
        assert caught.value.waiting_for == "signatures" and document["safe_tx_hash"] in caught.value.message
    assert len([event for event in session.events if event.kind is Kind.EXPORTED]) == 1
    assert len(list(file_of(session).parent.iterdir())) == 1


def test_another_transaction_at_the_nonce_begins_the_step_again(site: Site) -> None:
    _, document = proposed(site)
    world = site.live.world
    council_sends(site.live, world.addresses.exchange, pause_data(world, "BTC-USD"))
    session = taken_up(site)
    with pytest.raises(Waiting) as caught:
        walk(session)
    assert caught.value.waiting_for == "signatures"
    anew = json.loads(file_of(session).read_text())
    assert anew["safe_tx_hash"] != document["safe_tx_hash"]
    assert (document["safe_tx"]["nonce"], anew["safe_tx"]["nonce"]) == (0, 1)
    first, second = respond.report(session, "signatures")["proposals"]
    session.recorder.journal.close()
    sent = executed_by_owners(site, anew)
    again = taken_up(site, Scripted({"cause": [Stop()]}))
    with pytest.raises(Waiting):
        walk(again)
    first, second = respond.report(again, None)["proposals"]
    assert (first["transaction_hash"], second["transaction_hash"]) == (None, sent)
    assert is_paused(world)


def test_a_crash_between_the_file_and_its_record_writes_the_same_file(site: Site) -> None:
    session = respond.begin(site.order(), site.around())
    recorder = session.recorder

    class Gone(BaseException):
        pass

    original = recorder.journal.append

    def append(body: Any, *, durable: bool = True) -> Any:
        if body["kind"] == "exported":
            raise Gone
        return original(body, durable=durable)

    recorder.journal.append = append  # type: ignore[method-assign]
    with pytest.raises(Gone):
        walk(session)
    recorder.journal.close()
    again = taken_up(site)
    with pytest.raises(Waiting):
        walk(again)
    assert len(list(file_of(again).parent.iterdir())) == 1


def test_a_whole_response_reopens_through_the_timelock(site: Site) -> None:
    runbook = quick(site.folder / "files").loaded.path
    _, document = proposed(site, replace(site.order(), runbook=runbook))
    executed_by_owners(site, document)
    site.live.end_fault()
    site.clock.sleeping = lambda seconds: site.live.advance(63)
    session = taken_up(site)
    for leg in ("schedule", "execute"):
        with pytest.raises(Waiting) as caught:
            walk(session)
        assert caught.value.waiting_for == "signatures"
        planned_leg = [event for event in session.events if event.kind is Kind.PLANNED][-1]
        assert planned_leg.data["leg"] == leg
        session.recorder.journal.close()
        if leg == "execute":
            planned_leg = nonce_taken(site, leg)
        governed(site, planned_leg.data["proposal"])
        site.live.advance(3_600)
        session = taken_up(site)
    assert walk(session).value == "contained"
    assert not is_paused(site.live.world)
    assert nonce_of(site.live.world, site.live.world.addresses.governance) == 3


def nonce_taken(site: Site, leg: str) -> Event:
    """Governance did something else at that nonce: the same leg is planned again, and none before it."""
    at = site.live.world.addresses
    data = encoded("approve(address,uint256)", at.exchange, 0)
    safe_sends(site.live, at.governance, site.live.world.governance_owners, at.token, data)
    session = taken_up(site)
    with pytest.raises(Waiting):
        walk(session)
    session.recorder.journal.close()
    plans = [event for event in session.events if event.kind is Kind.PLANNED]
    assert [one.data["leg"] for one in plans] == ["contain", "schedule", "execute", leg]
    return plans[-1]


def governed(site: Site, proposal: dict[str, Any]) -> None:
    """The governance owners sign and execute."""
    world, tx = site.live.world, SafeTx.from_json(proposal["safe_tx"])
    signers = sorted(world.governance_owners[:2], key=lambda one: one.address.lower())
    signatures = b"".join(one.sign_hash(bytes.fromhex(proposal["safe_tx_hash"][2:])) for one in signers)
    fields = (tx.to, tx.value, tx.data, tx.operation, 0, 0, 0, tx.gas_token, tx.refund_receiver, signatures)
    site.live.submit(world.transaction(world.executor, tx.safe, encode_call(EXECUTE, fields)))


def nothing_begun(still: Site, order: Order, kind: type[IncidentError]) -> IncidentError:
    """Beginning fails in this way, and no incident is left behind."""
    with pytest.raises(kind) as caught:
        respond.begin(order, still.around())
    assert not still.home.exists() or not list(still.home.iterdir())
    return caught.value


def test_an_unreachable_node_is_unread(still: Site) -> None:
    still.rewrite(lambda text: text.replace(still.url, "http://127.0.0.1:9"))
    assert nothing_begun(still, still.order(), Unread).exit_code == 3


def test_a_wrong_chain_id_is_refused(still: Site) -> None:
    still.rewrite(lambda text: text.replace("id: 31337", "id: 1"))
    assert "31337" in nothing_begun(still, still.order(), Refused).message


def test_a_node_from_the_environment_must_be_set(still: Site) -> None:
    still.rewrite(lambda text: text.replace(f'{{url: "{still.url}"}}', "{env: INCIDENT_RPC_1A}"))
    assert "INCIDENT_RPC_1A" in nothing_begun(still, still.order(), Misused).message


@pytest.mark.parametrize("market", ["", "ETH", "eth-usd", "DOGE-USD"])
def test_an_unknown_market_is_misused(market: str, still: Site) -> None:
    assert nothing_begun(still, still.order(market), Misused).exit_code == 2


def test_a_missing_slot_is_misused(still: Site) -> None:
    still.rewrite(lambda text: "\n".join(line for line in text.split("\n") if "council:" not in line))
    assert "council" in str(nothing_begun(still, still.order(), Misused))


def test_a_wrong_checksum_is_misused(still: Site) -> None:
    at = still.live.world.addresses.exchange
    still.rewrite(lambda text: text.replace(at, at.lower()))
    assert "checksum" in str(nothing_begun(still, still.order(), Misused))


def test_an_unknown_parameter_is_misused(still: Site) -> None:
    nothing_begun(still, still.order(limit="3"), Misused)
    nothing_begun(still, still.order(max="banana"), Misused)
    nothing_begun(still, still.order(max="5000"), Misused)


def test_a_deployment_that_changed_is_not_gone_on_with(site: Site) -> None:
    proposed(site)
    site.rewrite(lambda text: text + "# changed\n")
    for _ in range(2):
        with pytest.raises(JournalBroken):
            taken_up(site)


def test_a_node_that_dies_on_the_way_is_unread_and_loses_nothing(site: Site) -> None:
    _, document = proposed(site)
    with serve(site.live.rpc, 0) as dying:
        session = taken_up(site)
        node = HttpEndpoint(dying.url, name="a dying node")
        session.reader.endpoint = node
        with pytest.raises(Waiting):
            walk(session)
    with pytest.raises(Unread) as caught:
        walk(session)
    assert caught.value.exit_code == 3
    session.recorder.journal.close()
    again = taken_up(site)
    with pytest.raises(Waiting) as waiting:
        walk(again)
    assert document["safe_tx_hash"] in waiting.value.message


@dataclass
class WithoutEvents:
    """A node whose search of events finds nothing, as one that is still indexing."""

    inner: Endpoint
    name: str = "indexing node"

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        """Everything but events."""
        answers = self.inner.exchange(requests)
        return [[] if one.method == "eth_getLogs" else answer for one, answer in zip(requests, answers, strict=True)]


def test_a_node_without_events_does_not_make_our_own_execution_another_s(site: Site) -> None:
    _, document = proposed(site)
    executed_by_owners(site, document)
    session = taken_up(site)
    session.reader.endpoint = WithoutEvents(session.reader.endpoint)
    with pytest.raises(Unread, match="shows 0 executions"):
        walk(session)
    session.recorder.journal.close()
    again = taken_up(site, Scripted({"cause": [Stop()]}))
    with pytest.raises(Waiting):
        walk(again)
    assert respond.report(again, None)["outcome"] == "contained"


def test_a_proposal_file_that_was_changed_is_refused_and_a_lost_one_written_again(site: Site) -> None:
    session, document = proposed(site)
    path = file_of(session)
    path.write_text(json.dumps({**document, "safe_tx": {**document["safe_tx"], "to": "0x" + "11" * 20}}))
    again = taken_up(site)
    with pytest.raises(Refused, match="somebody changed it"):
        walk(again)
    again.recorder.journal.close()
    path.unlink()
    once_more = taken_up(site)
    with pytest.raises(Waiting):
        walk(once_more)
    assert json.loads(path.read_text()) == document


def test_what_others_do_later_does_not_undo_the_proof_of_our_execution(site: Site) -> None:
    _, document = proposed(site)
    executed_by_owners(site, document)
    council_sends(site.live, site.live.world.addresses.exchange, pause_data(site.live.world, "BTC-USD"))
    session = taken_up(site, Scripted({"cause": [Stop()]}))
    with pytest.raises(Waiting):
        walk(session)
    assert respond.report(session, None)["outcome"] == "contained"


def test_wrong_decimals_are_refused_before_anything_is_begun(still: Site) -> None:
    still.rewrite(lambda text: text.replace("decimals: 6", "decimals: 2"))
    found = nothing_begun(still, still.order(), Refused)
    assert "has 6 decimals on chain, the deployment says 2" in found.message


def test_a_decision_that_is_skipped_is_not_taken(site: Site) -> None:
    session = respond.begin(site.order(), site.around(Scripted({"declare": [Skip("the leader sleeps")]})))
    assert walk(session).value == "stood-down"
    assert not any(event.kind is Kind.PLANNED for event in session.events)
