"""A vault for real: a runbook whose step stops a market, armed on anvil, signed by owners, fired by a stranger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from incident_cli.drills.accounts import Account, account
from incident_cli.errors import Unread
from incident_cli.evm import Address
from incident_cli.flows.multisig.place import Place
from incident_cli.flows.vault.arming import Armed, ArmOrder, arm
from incident_cli.flows.vault.firing import Fire, fire
from incident_cli.flows.vault.following import Report
from incident_cli.flows.vault.intents import Intents, path_beside
from incident_cli.flows.vault.roads import Roads
from incident_cli.flows.vault.signing import sign_ladder
from incident_cli.flows.vault.status import Examined, examine, place_of_vault
from incident_cli.runbook.deployment import load_deployment
from incident_cli.safe.signing import Signer
from incident_cli.safe.vault import Vault
from incident_cli.transport import Endpoint, Json, Request, RpcError
from tests.fakes.desk import FakeClock, RecordingScreen
from tests.fakes.signers import AccountSigner
from tests.real.containing import ETHER, Site

RUNBOOK = """schema: incident/v1
id: emergency
title: Stop a market
meta: {{owner: risk, severity: SEV1}}
params: {{market: {{type: market}}}}
slots: {{exchange: {{protocol: guarded-market}}, council: {{protocol: safe}}}}
steps:
  - id: stop
    contain:
      by: council
      calls: [{calls}]
    confirm: {{type: "{{market}}"}}
    marks: contained
"""
PAUSE = '{lever: exchange.pause, market: "{market}"}'
MARKETS = ("ETH-USD", "BTC-USD")


@dataclass
class Armoury:
    """A site with a vault in it; whoever fires is a stranger with some coins."""

    site: Site
    vault: Vault
    screen: RecordingScreen = field(default_factory=RecordingScreen)
    clock: FakeClock = field(default_factory=FakeClock)

    @property
    def path(self) -> Path:
        """Where the vault's file would be."""
        return self.site.folder / "emergency.vault"

    @property
    def intents(self) -> Intents:
        """What was attempted, as the next process reads it."""
        return Intents(path_beside(self.path))

    @property
    def nonce(self) -> int:
        """The Safe's."""
        (found,) = self.site.anvil.view(self.site.council.address, "nonce() returns (uint256)")
        assert isinstance(found, int)
        return found

    @property
    def place(self) -> Place:
        """Where it stands in the deployment."""
        deployment, _ = load_deployment(self.site.deployment)
        return place_of_vault(self.vault, deployment, lambda name: None)

    def examined(self) -> Examined:
        """As `vault status` looks at it."""
        return examine(self.vault, self.place)

    def states(self, market: str = "ETH-USD") -> list[str]:
        """How a market's rungs stand."""
        found = self.examined().standing.conditions
        return [one.state for one in found if one.rung.market == market]

    def order(self, market: str = "ETH-USD", signer: Signer | None = None, *nodes: Endpoint) -> Fire:
        """What is fired, by a stranger unless somebody is named."""
        roads = Roads(nodes or (self.site.anvil.endpoint(),))
        by = signer or stranger(self.site)
        return Fire(self.vault, market, by, roads, self.intents, self.clock, self.screen)

    def fire(self, market: str = "ETH-USD", signer: Signer | None = None, *nodes: Endpoint) -> Report:
        """Fired and followed."""
        return fire(self.order(market, signer, *nodes))


def stranger(site: Site, number: int = 1) -> Signer:
    """A key that is no owner's, with a coin."""
    return rich(site, account(77, f"stranger {number}"))


def rich(site: Site, holder: Account) -> AccountSigner:
    """A signer with a coin."""
    site.anvil.rpc("anvil_setBalance", holder.address, hex(ETHER))
    return AccountSigner(holder)


def write_runbook(site: Site, calls: str = PAUSE) -> Path:
    """The runbook of the site."""
    path = site.folder / "emergency.yaml"
    path.write_text(RUNBOOK.format(calls=calls))
    return path


def arm_order(site: Site, calls: str = PAUSE, markets: Sequence[str] = MARKETS, rungs: int = 4) -> ArmOrder:
    """What `vault arm` is asked for."""
    return ArmOrder(write_runbook(site, calls), "stop", site.deployment, tuple(markets), rungs)


def armed(site: Site, order: ArmOrder | None = None) -> Armed:
    """A ladder without signatures."""
    return arm(order or arm_order(site), lambda name: None, FakeClock())


def armoury(site: Site, order: ArmOrder | None = None, signers: Sequence[int] = (0, 1)) -> Armoury:
    """A ladder that owners signed."""
    vault = armed(site, order).vault
    for one in signers:
        vault = sign_ladder(vault, AccountSigner(site.council.owners[one]))
    return Armoury(site, vault)


@dataclass
class Counting:
    """A node that counts its round trips, and dies or forgets where a test says so: `before` and `after` are told of
    each exchange."""

    inner: Endpoint
    exchanges: list[list[str]] = field(default_factory=list)
    before: Callable[[Sequence[Request]], None] = lambda requests: None
    after: Callable[[Sequence[Request]], None] = lambda requests: None

    @property
    def name(self) -> str:
        return self.inner.name

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        self.exchanges.append([one.method for one in requests])
        self.before(requests)
        answers = self.inner.exchange(requests)
        self.after(requests)
        return answers


class Killed(BaseException):
    """The process ends here."""


def dies_on(method: str) -> Callable[[Sequence[Request]], None]:
    """Ends the process at an exchange with this method."""

    def die(requests: Sequence[Request]) -> None:
        if any(one.method == method for one in requests):
            raise Killed

    return die


def deaf(requests: Sequence[Request]) -> None:
    """No answer comes back."""
    raise Unread("the node broke off", "try again")


def at_nonce(vault: Vault, first: int) -> tuple[int, ...]:
    """The nonces from there."""
    return tuple(one for one in vault.nonces if one >= first)


def without_signature(vault: Vault, owner: Address) -> Vault:
    """The vault as if an owner had not signed."""
    rungs = tuple(
        replace(one, signatures={who: each for who, each in one.signatures.items() if who != owner})
        for one in vault.rungs
    )
    return replace(vault, rungs=rungs)
