"""Containing for real: an in-house protocol, a deployment, a 2-of-3 Safe on anvil, owners who sign what they get."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from incident_cli.abi import parse_signature
from incident_cli.errors import Refused, Waiting
from incident_cli.evm import Address, Call, checksummed, hex_bytes, keccak, to_hex
from incident_cli.flows import break_glass, respond
from incident_cli.flows.break_glass import GlassOrder
from incident_cli.flows.desk import Answerer, Card, Stop
from incident_cli.flows.respond import Surroundings
from incident_cli.flows.session import Session
from incident_cli.flows.walk import walk
from incident_cli.incident.events import Event, Kind
from incident_cli.safe.transaction import SafeTx
from tests.contracts.misbehaviour import compiled
from tests.contracts.packages import Packages
from tests.contracts.safes import Safe2of3, build_safe
from tests.fakes.anvil import Anvil
from tests.fakes.desk import FakeClock, RecordingScreen, Said, Scripted

ETHER = 10**18
LONGEST_SLEEP_SECONDS = 900  # of the chain for each second that a responder sleeps
STRANGER = checksummed(b"\x5e" * 20)
ETH, BTC = (to_hex(one.ljust(32, b"\0")) for one in (b"ETH-USD", b"BTC-USD"))
BECAUSE = "two of us saw the feed stand still"
GUARDIAN = "role: {when: guardian == by}"
PAUSES = 'scope: market, args: {market: {type: market}}, on: venue, expect: {paused: "True"}, writes: [venue]'
BACK = 'undo: {by: same, call: "set_paused(bytes32 market, bool paused)", with: {paused: before.paused}}'

PROTOCOL = f"""protocol: guarded-market
source: "the tests' own guarded_market.vy"
slots: {{venue: address, other: address, safe: address}}
reads:
  guardian: {{on: venue, call: "guardian() returns (address)"}}
  guardian_until: {{on: venue, call: "guardian_until() returns (uint256)", unit: time}}
  paused: {{on: venue, call: "paused(bytes32 market) returns (bool)"}}
  limit: {{on: venue, call: "limit() returns (uint256)"}}
  pending: {{on: venue, call: "pending(bytes32 operation) returns (bool)"}}
  is_shut: {{on: venue, call: "is_shut() returns (bool)"}}
  at_risk: {{on: venue, call: "at_risk() returns (uint256)"}}
levers:
  pause:
    does: "Stops one market."
    scope: market
    args: {{market: {{type: market}}}}
    on: venue
    call: "set_paused(bytes32 market, bool paused)"
    with: {{paused: "True"}}
    expect: {{paused: "True"}}
    writes: [venue]
    satisfied: paused
    undo: {{by: same, with: {{paused: before.paused}}}}
    role: {{when: guardian == by, until: guardian_until}}
    blast_radius: [{{who: "Traders of this market", loses: "cannot close their positions", measure: at_risk}}]
    traps: ["Nobody is liquidated meanwhile."]
  tighten:
    does: "Lets less through."
    scope: protocol
    args: {{most: {{type: int}}}}
    on: venue
    call: "set_limit(uint256 limit)"
    with: {{limit: most}}
    expect: {{limit: most}}
    writes: [venue]
    satisfied: limit == most
    undo: {{by: governance, with: {{limit: before.limit}}}}
    {GUARDIAN}
  cancel:
    does: "Takes a hostile operation away."
    scope: function
    args: {{operation: {{type: bytes32}}}}
    on: venue
    call: "cancel(bytes32 operation)"
    expect: {{pending: "False"}}
    writes: [venue]
    cancels: true
    irreversible: true
    consequence: cancel the hostile operation
    {GUARDIAN}
  shut:
    does: "Shuts everything for good."
    scope: protocol
    on: venue
    call: "shut()"
    expect: {{is_shut: "True"}}
    writes: [venue]
    irreversible: true
    consequence: shut every market for good
    {GUARDIAN}
  tell:
    {{does: "And writes elsewhere.", {PAUSES}, {BACK}, {GUARDIAN},
      call: "pause_and_tell(bytes32 market, address other)"}}
  pay:
    {{does: "And pays.", {PAUSES}, {BACK}, {GUARDIAN}, call: "pause_and_pay(bytes32 market, address receiver)",
      with: {{receiver: other}}}}
  enlist:
    {{does: "And makes an owner.", {PAUSES}, {BACK}, {GUARDIAN},
      call: "pause_and_enlist(bytes32 market, address safe, address owner)", with: {{owner: other}}}}
  abdicate:
    {{does: "And hands over.", {PAUSES}, {BACK}, {GUARDIAN}, call: "pause_and_abdicate(bytes32 market, address heir)",
      with: {{heir: other}}}}
  tell_in_earnest:
    {{does: "And writes elsewhere once it is paid for.", {PAUSES}, {BACK}, {GUARDIAN},
      call: "pause_and_tell_in_earnest(bytes32 market, address other)"}}
  pause_two:
    {{does: "And stops another market.", {PAUSES}, {BACK}, {GUARDIAN}, call: "pause_two(bytes32 market, bytes32 other)",
      with: {{other: "'{BTC}'"}}}}
"""


@dataclass
class Site:
    """The chain with its Safe and its market, and the place a responder works from.

    `extra` are lines that the deployment gets beside its slots: `pins`, `authority`.
    """

    council: Safe2of3
    market: Address
    other: Address
    folder: Path
    screen: RecordingScreen = field(default_factory=RecordingScreen)
    extra: str = ""
    slots: str = ""
    finality: int = 0

    @property
    def anvil(self) -> Anvil:
        """The node."""
        return self.council.anvil

    @property
    def home(self) -> Path:
        """Where incidents live."""
        return self.folder / "home"

    @property
    def deployment(self) -> Path:
        """The deployment file, as it is written now."""
        (self.folder / "protocols").mkdir(exist_ok=True)
        (self.folder / "protocols" / "guarded-market.yaml").write_text(PROTOCOL)
        path = self.folder / "deployment.yaml"
        path.write_text(self.deployment_text())
        return path

    def deployment_text(self) -> str:
        """Two markets of one contract, and the Safe that guards them."""
        final = f", finality: {self.finality} blocks" if self.finality else ""
        at = f'venue: "{self.market}", other: "{self.other}", safe: "{self.council.address}"'
        return f"""schema: incident-deployment/v1
name: test
chains: {{local: {{id: {self.anvil.chain_id}, rpc: [{{url: "{self.anvil.url}"}}]{final}}}}}
slots:
  exchange: {{chain: local, protocol: guarded-market, addresses: {{{at}}}}}
  council: {{chain: local, protocol: safe, addresses: {{safe: "{self.council.address}"}}}}
{self.slots}markets: {{ETH-USD: {{id: "{ETH}"}}, BTC-USD: {{id: "{BTC}"}}}}
{self.extra}"""

    def around(self, answerer: Answerer | None = None) -> Surroundings:
        """The clock on the wall is the chain's; sleeping lets the chain go on."""
        clock = FakeClock(datetime.fromtimestamp(self.anvil.now(), UTC))

        def sleeping(seconds: float) -> None:
            self.anvil.mine(1, LONGEST_SLEEP_SECONDS)
            clock.slept += LONGEST_SLEEP_SECONDS - seconds

        clock.sleeping = sleeping
        self.screen = RecordingScreen()
        return Surroundings(self.home, clock, lambda name: None, self.screen, answerer or Scripted())

    def order(self, lever: str = "exchange.pause", market: str = "ETH-USD", **args: str) -> GlassOrder:
        """Break the glass for a lever."""
        return GlassOrder(lever, self.deployment, market, args, BECAUSE)

    def begin(self, order: GlassOrder | None = None, answerer: Answerer | None = None) -> Session:
        """An incident begun."""
        return break_glass.begin(order or self.order(), self.around(answerer))

    def take_up(self, answerer: Answerer | None = None, incident: str = "") -> Session:
        """The latest open incident, resumed by another process."""
        return respond.take_up(incident, self.around(answerer))

    def paused(self, market: str = ETH) -> bool:
        """Whether the chain shows a market paused."""
        (found,) = self.anvil.view(self.market, "paused(bytes32) returns (bool)", hex_bytes(market))
        return found is True

    def govern(self, signature: str, *args: object) -> None:
        """Somebody else does something to the market."""
        self.anvil.transact(self.anvil.accounts[0], self.market, signature, *args)

    def call(self, signature: str, *args: object) -> Call:
        """A call of the market."""
        return Call(self.market, parse_signature(signature), args)

    def as_safe(self, signature: str, *args: object) -> None:
        """The Safe does something to itself by another road than its own transactions: its nonce stays."""
        self.anvil.rpc("anvil_setBalance", self.council.address, hex(ETHER))
        self.anvil.transact(self.council.address, self.council.address, signature, *args)

    def sign(self, document: Mapping[str, Any], signers: Sequence[int] = (0, 1)) -> str:
        """The owners sign and execute exactly the transaction of a proposal file; the hash of the execution."""
        tx = SafeTx.from_json(document["safe_tx"])
        data = self.council.execution(tx, [self.council.owners[one] for one in signers])
        return str(self.anvil.send(self.council.executor, self.council.address, data)["transactionHash"])

    def contained(self, order: GlassOrder | None = None) -> Session:
        """Proposed, signed, and seen to be contained by the process after."""
        _, document = waits(self.begin(order))
        self.sign(document)
        session = self.take_up(Scripted({"mended": [Stop()]}))
        stops(session)
        assert outcome(session) == "contained"
        return session


def build_site(anvil: Anvil, folder: Path, version: str = "1.4.1") -> Site:
    """The Safe, its market (with some wei), and one more contract of the same kind."""
    council = build_safe(anvil, version)
    market, other = (anvil.deploy(compiled("guarded_market")) for _ in range(2))
    anvil.transact(anvil.accounts[0], market, "appoint(address guardian)", council.address)
    for one in (market, council.address):
        anvil.rpc("anvil_setBalance", one, hex(ETHER))
    return Site(council, market, other, folder)


@contextmanager
def founded(packages: Packages, folder: Path) -> Iterator[Site]:
    """A node of its own with everything on it."""
    with Anvil(packages.anvil) as anvil:
        yield build_site(anvil, folder)


@contextmanager
def as_founded(built: Site, folder: Path) -> Iterator[Site]:
    """The chain as it was founded and an empty place; afterwards the chain is so again."""
    before = built.anvil.snapshot()
    yield replace(built, folder=folder)
    built.anvil.revert(before)


def let_go(session: Session) -> Session:
    """As if its process had ended."""
    session.recorder.journal.close()
    return session


def waits(session: Session) -> tuple[Session, dict[str, Any]]:
    """Walked until the owners must sign; the session (let go of) and the file."""
    with pytest.raises(Waiting) as caught:
        walk(session)
    assert caught.value.waiting_for == "signatures", caught.value.message
    let_go(session)
    return session, json.loads(files(session)[-1].read_text())


def stops(session: Session) -> Waiting:
    """Walked until the operator stops it; let go of."""
    with pytest.raises(Waiting) as caught:
        walk(session)
    assert caught.value.waiting_for == "operator", caught.value.message
    let_go(session)
    return caught.value


def refused(session: Session) -> str:
    """Walked until it is refused; nothing may have left the program. The reason, and what to do."""
    with pytest.raises(Refused) as caught:
        walk(session)
    let_go(session)
    assert files(session) == [] and not list(session.recorder.directory.glob("proposals/*"))
    assert not {Kind.CONFIRMED, Kind.EXPORTED, Kind.EXECUTED, Kind.PROVEN} & {one.kind for one in session.events}
    assert outcome(session) != "contained"
    return f"{caught.value.message} | {caught.value.hint}"


def files(session: Session) -> list[Path]:
    """The proposals that were exported."""
    return [Path(one.data["path"]) for one in events(session, Kind.EXPORTED)]


def events(session: Session, kind: Kind) -> list[Event]:
    """Every event of a kind."""
    return [one for one in session.events if one.kind is kind]


def outcome(session: Session) -> str:
    """How the incident stands."""
    return str(respond.report(session, None)["outcome"])


def is_open(session: Session) -> bool:
    """Whether nothing is proven yet: the containment has not ended, and nothing says that it has."""
    kinds = {one.kind for one in session.events}
    report = respond.report(session, "signatures")
    steps = {one["id"]: one["outcome"] for one in report["steps"]}
    assert (report["outcome"], steps["contain"]) == ("waiting", "not-reached")
    return not {Kind.EXECUTED, Kind.PROVEN, Kind.CLOSED} & kinds


def card(site: Site) -> Card:
    """The last card that was shown."""
    return site.screen.cards[-1]


def overruling(*people: tuple[str, str]) -> Scripted:
    """Answers of a contain step: overrule, the people in turn, then what is asked goes on."""
    answers: list[Said] = ["overrule", *(text for one in people for text in one)]
    return Scripted({"contain": answers})


def code_hash(anvil: Anvil, address: Address) -> str:
    """Keccak-256 of what stands at an address."""
    return to_hex(keccak(hex_bytes(anvil.rpc("eth_getCode", address, "latest"))))
