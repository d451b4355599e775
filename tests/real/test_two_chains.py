"""Two chains in one incident: a Safe, a nonce and a proposal on each, contained only when both are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from incident_cli.drills.accounts import account
from incident_cli.errors import Misused, NotProven, Refused, Unread, Waiting
from incident_cli.evm import hex_bytes
from incident_cli.flows import respond
from incident_cli.flows.desk import Stop
from incident_cli.flows.handing_over import Keys
from incident_cli.flows.reading import Reader
from incident_cli.flows.respond import Order, Surroundings
from incident_cli.flows.session import Session
from incident_cli.flows.walk import walk
from incident_cli.incident.events import Kind
from incident_cli.safe.signature_file import SignatureFile, Signed, store
from incident_cli.safe.transaction import SafeTx
from tests.contracts.packages import Packages
from tests.fakes.anvil import Anvil
from tests.fakes.desk import FakeClock, Scripted
from tests.fakes.signers import AccountSigner
from tests.real.containing import ETH, PROTOCOL, Site, build_site, events, files, let_go, outcome

RUNBOOK = """schema: incident/v1
id: two-chains
title: The same market stands on two chains
meta: {owner: risk, severity: SEV1, status: stable, reviewed: 2026-11-01}
params: {market: {type: market}}
slots:
  near: {protocol: guarded-market}
  far: {protocol: guarded-market}
  council: {protocol: safe}
  far_council: {protocol: safe}
checks: {traded: {kind: invariant, holds: "near.limit() == near.limit()", summary: "traded"}}
steps:
  - id: pause
    contain:
      by: council
      also_by: [far_council]
      calls: [{lever: near.pause, market: "{market}"}, {lever: far.pause, market: "{market}"}]
    marks: contained
  - {id: look, ask: "Has it been mended?"}
  - {id: reopen, restore: pause, by: council}
  - {id: reopen_far, restore: pause, by: far_council}
"""


@pytest.fixture(scope="module")
def chains(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Site]]:
    """A Safe and its market on each of two nodes with chain ids of their own."""
    with Anvil(packages.anvil) as near, Anvil(packages.anvil, chain_id=31_338) as far:
        yield build_site(near, tmp_path_factory.mktemp("near")), build_site(far, tmp_path_factory.mktemp("far"))


@pytest.fixture
def sites(chains: tuple[Site, Site]) -> Iterator[tuple[Site, Site]]:
    """Both as they were founded."""
    before = [one.anvil.snapshot() for one in chains]
    yield chains
    for site, snapshot in zip(chains, before, strict=True):
        site.anvil.revert(snapshot)


def order_of(near: Site, far: Site, folder: Path, runbook: str = RUNBOOK) -> Order:
    """The files, written."""
    (folder / "protocols").mkdir(exist_ok=True)
    (folder / "protocols" / "guarded-market.yaml").write_text(PROTOCOL)
    (folder / "two-chains.yaml").write_text(runbook)
    slots = "".join(
        f'  {name}: {{chain: {name}, addresses: {{venue: "{site.market}", other: "{site.other}",'
        f' safe: "{site.council.address}"}}}}\n'
        f'  {council}: {{chain: {name}, addresses: {{safe: "{site.council.address}"}}}}\n'
        for name, council, site in (("near", "council", near), ("far", "far_council", far))
    )
    chains = ", ".join(
        f'{name}: {{id: {site.anvil.chain_id}, rpc: [{{url: "{site.anvil.url}"}}]}}'
        for name, site in (("near", near), ("far", far))
    )
    text = f"schema: incident-deployment/v1\nname: two\nchains: {{{chains}}}\nslots:\n{slots}"
    (folder / "deployment.yaml").write_text(f'{text}markets: {{ETH-USD: {{id: "{ETH}"}}}}\n')
    return Order(folder / "two-chains.yaml", folder / "deployment.yaml", "ETH-USD", {})


def begin(sites: tuple[Site, Site], folder: Path, answerer: Scripted | None = None) -> Session:
    """An incident begun, its home in the folder."""
    near, far = sites
    near.folder = folder
    return respond.begin(order_of(near, far, folder), near.around(answerer))


def take_up(sites: tuple[Site, Site], answerer: Scripted | None = None) -> Session:
    """Resumed by another process."""
    return respond.take_up("", sites[0].around(answerer))


def waits(session: Session) -> str:
    """Walked until signatures are needed; let go of."""
    with pytest.raises(Waiting) as caught:
        walk(session)
    assert caught.value.waiting_for == "signatures", caught.value.message
    let_go(session)
    return caught.value.message


def documents(session: Session) -> list[dict[str, Any]]:
    """The proposals as they were written."""
    return [json.loads(one.read_text()) for one in files(session)]


def test_each_chain_gets_its_own_proposal_and_only_both_are_containment(
    sites: tuple[Site, Site], tmp_path: Path
) -> None:
    near, far = sites
    session = begin(sites, tmp_path)
    message = waits(session)
    assert message.startswith("contained on 0 of 2 chains")
    one, two = documents(session)
    assert [SafeTx.from_json(each["safe_tx"]).chain_id for each in (one, two)] == [31_337, 31_338]
    assert [each["calls"][0]["to"] for each in (one, two)] == [near.market, far.market]
    assert [one.title.endswith(f"on {name}") for one, name in zip(near.screen.cards, ("near", "far"), strict=True)]

    far.sign(two)  # the second one first
    session = take_up(sites)
    assert waits(session).startswith("contained on 1 of 2 chains")
    assert outcome(session) != "contained"
    assert len(events(session, Kind.EXPORTED)) == 2, "nothing is proposed twice"

    near.sign(one)
    session = take_up(sites, Scripted({"look": [Stop()]}))
    with pytest.raises(Waiting):
        walk(session)
    let_go(session)
    assert outcome(session) == "contained"
    assert near.paused() and far.paused()
    proofs = events(session, Kind.PROVEN)
    assert {one.block.chain for one in proofs if one.block} == {"near", "far"}
    kept = {path.name: json.loads(path.read_text()) for path in (tmp_path / "home").rglob("reopening-*.json")}
    assert {name: one["calls"][0]["to"] for name, one in kept.items()} == {
        "reopening-pause-1.json": near.market,
        "reopening-pause-far-1.json": far.market,
    }


def test_each_chain_is_reopened_by_its_own_authority(sites: tuple[Site, Site], tmp_path: Path) -> None:
    near, far = sites
    session = begin(sites, tmp_path)
    waits(session)
    for site, document in zip((near, far), documents(session), strict=True):
        site.sign(document)
    session = take_up(sites)
    assert waits(session).startswith("the proposal")
    near.sign(documents(session)[-1])
    session = take_up(sites)
    waits(session)
    assert not near.paused() and far.paused()
    far.sign(documents(session)[-1])
    session = take_up(sites)
    walk(session)
    let_go(session)
    assert not near.paused() and not far.paused()


def test_a_chain_that_shows_it_already_is_left_alone(sites: tuple[Site, Site], tmp_path: Path) -> None:
    near, _ = sites
    near.anvil.transact(
        near.council.address, near.market, "set_paused(bytes32 market, bool paused)", hex_bytes(ETH), True
    )
    session = begin(sites, tmp_path)
    assert waits(session).startswith("contained on 1 of 2 chains")
    (document,) = documents(session)
    assert document["safe_tx"]["chainId"] == 31_338


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("      also_by: [far_council]\n", "", "far.pause stands on far, where none of council is"),
        (', {lever: far.pause, market: "{market}"}', "", "far_council has nothing to call on far"),
        ("also_by: [far_council]", "also_by: [council]", "names council twice|nothing|stands on far"),
    ],
)
def test_a_leg_without_a_safe_or_without_a_call_is_refused(
    sites: tuple[Site, Site], tmp_path: Path, before: str, after: str, words: str
) -> None:
    near, far = sites
    assert before in RUNBOOK
    with pytest.raises(Misused, match=words):
        respond.bind_order(order_of(near, far, tmp_path, RUNBOOK.replace(before, after)))


def desk(sites: tuple[Site, Site], *, pays: bool = True, follows: bool = False) -> Surroundings:
    """Somebody who pays on both chains, and stops once it is contained."""
    payer = AccountSigner(account(9, "payer"))
    for site in sites:
        site.anvil.rpc("anvil_setBalance", payer.address, hex(10**18))
    around = sites[0].around(Scripted({"look": [Stop()]}))
    return replace(around, keys=Keys(None, payer if pays else None), follows=follows)


def signed_on(site: Site, session: Session) -> None:
    """Two owners sign the proposal of one chain, by file."""
    (document,) = [one for one in documents(session) if one["safe_tx"]["chainId"] == site.anvil.chain_id]
    digest = hex_bytes(document["safe_tx_hash"])
    signatures = tuple(Signed(one.address, one.sign_hash(digest)) for one in site.council.owners[:2])
    store(Path(session.events[0].data["out"]), SignatureFile(SafeTx.from_json(document["safe_tx"]), signatures))


def begun_live(sites: tuple[Site, Site], folder: Path) -> Session:
    sites[0].folder = folder
    session = respond.begin(order_of(*sites, folder), desk(sites, pays=False))
    waits(session)
    return session


def test_a_leg_that_would_fail_does_not_hold_up_the_other(sites: tuple[Site, Site], tmp_path: Path) -> None:
    near, far = sites
    session = begun_live(sites, tmp_path)
    for site in sites:
        signed_on(site, session)
    near.govern("appoint(address guardian)", near.other)
    session = respond.take_up("", desk(sites))
    with pytest.raises(Refused, match="would fail"):
        walk(session)
    let_go(session)
    assert far.paused() and not near.paused() and outcome(session) != "contained"


def test_a_node_that_is_away_does_not_hold_up_the_other(
    sites: tuple[Site, Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, far = sites
    session = begun_live(sites, tmp_path)
    for site in sites:
        signed_on(site, session)
    session, real = respond.take_up("", desk(sites)), Reader.read_at

    def away(self: Reader, *anything: Any) -> Any:
        if self.chain == "near":
            raise Unread("near is away")
        return real(self, *anything)

    monkeypatch.setattr(Reader, "read_at", away)
    with pytest.raises(Unread):
        walk(session)
    let_go(session)
    assert far.paused() and outcome(session) != "contained"


def test_what_was_reversed_while_the_other_was_waited_for_is_not_contained(
    sites: tuple[Site, Site], tmp_path: Path
) -> None:
    near, far = sites
    session = begun_live(sites, tmp_path)
    signed_on(near, session)
    around, polls = desk(sites, follows=True), list[float]()

    def sleeping(seconds: float) -> None:
        polls.append(seconds)
        for site in sites:
            site.anvil.mine(1)
        if len(polls) == 2:
            pause = "set_paused(bytes32 market, bool paused)"
            near.anvil.transact(near.council.address, near.market, pause, hex_bytes(ETH), False)
        if len(polls) == 3:
            signed_on(far, session)
        if len(polls) > 10:
            raise KeyboardInterrupt

    assert isinstance(around.clock, FakeClock)
    around.clock.sleeping = sleeping
    session = respond.take_up("", around)
    with pytest.raises(NotProven):
        walk(session)
    let_go(session)
    assert far.paused() and not near.paused() and outcome(session) != "contained"
    assert "it was reversed since" in "\n".join(near.screen.lines)


def test_what_must_not_change_where_the_step_does_not_act_is_refused(sites: tuple[Site, Site], tmp_path: Path) -> None:
    text = RUNBOOK.replace("      also_by: [far_council]\n", "      must_not_change: [{read: far.limit}]\n")
    text = text.replace(', {lever: far.pause, market: "{market}"}', "")
    with pytest.raises(Misused, match=r"must_not_change reads far\.limit on far, where the step does not act"):
        respond.bind_order(order_of(*sites, tmp_path, text))


def test_one_chain_under_two_names_is_refused(sites: tuple[Site, Site], tmp_path: Path) -> None:
    near, _ = sites
    with pytest.raises(Misused, match="has the id 31337 of near"):
        respond.bind_order(order_of(near, near, tmp_path))
