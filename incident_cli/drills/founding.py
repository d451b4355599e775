"""Founding a world: the transactions of its first block, and the addresses they lead to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from incident_cli.abi import encode_call, parse_signature
from incident_cli.drills import actors, safe_setup, surface
from incident_cli.drills import margin as lending
from incident_cli.drills.accounts import Account, Order, People, created_address
from incident_cli.drills.actors import ATTACK_CAPITAL, MARKETS, USDC, Price
from incident_cli.drills.artefacts import artefact
from incident_cli.evm import Address

TIMELOCK_DELAY = 3_600
POOL = 20_000_000 * USDC
TRADER_MONEY = 100_000 * USDC
WITHDRAWAL_LIMIT = (1_000_000 * USDC, 3_600)
CREATION_GAS = 8_000_000
# the subject of the lane from Ethereum: its chain selector 5009297550715157269, right-aligned in 16 bytes
LANE = bytes.fromhex("000000000000000045849994fc9c7b15")
PUSH_MARKS = "push(bytes32 market, (uint256[],uint256[],uint256[],uint256[],uint256[]) marks)"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Every contract of the world; feeds and references by market name."""

    exchange: Address
    token: Address
    timelock: Address
    council: Address
    governance: Address
    keeper: Address
    attacker: Address
    feeds: Mapping[str, Address]
    references: Mapping[str, Address]
    margin: Address
    marks: Address
    rmn: Address
    safe_singleton: Address = safe_setup.SINGLETON
    proxy_factory: Address = safe_setup.PROXY_FACTORY
    fallback_handler: Address = safe_setup.FALLBACK_HANDLER
    multi_send: Address = safe_setup.MULTI_SEND_CALL_ONLY
    multicall: Address = safe_setup.MULTICALL3


class Founding:
    """The transactions that found a world, in order, and the addresses they lead to."""

    def __init__(self, people: People, seed: int, chain_id: int, guardian: Address | None, genesis_time: int) -> None:
        self.people, self._chain_id, self._seed, self._genesis_time = people, chain_id, seed, genesis_time
        self.transactions: list[bytes] = []
        self.senders: dict[bytes, Address] = {}
        self._nonces: dict[Address, int] = {}
        council = self._council(people.council_owners, seed)
        governance = self._council(people.governance_owners, seed)
        self._safe_contracts(council, governance)
        self.addresses = self._exchange(council.address, governance.address, guardian or council.address)
        self._fund()

    def _safe_contracts(self, *councils: safe_setup.Council) -> None:
        for data in safe_setup.canonical_deployments():
            self._send(self.people.deployer, safe_setup.DEPLOYER, data)
        for one in councils:
            self._send(self.people.deployer, safe_setup.PROXY_FACTORY, one.creation)

    def _council(self, owners: Sequence[Account], seed: int) -> safe_setup.Council:
        return safe_setup.council([one.address for one in owners], 2, seed)

    def _exchange(self, council: Address, governance: Address, guardian: Address) -> Addresses:
        deployer = self.people.deployer
        proposers = [governance, self.people.operations.address]
        timelock = self._create(deployer, "timelock", proposers, [council], TIMELOCK_DELAY)
        token = self._create(deployer, "usd_token")
        keeper = self._create(self.people.keeper, "price_keeper")
        feeds = {
            one.name: self._create(deployer, "price_feed", keeper, one.name.replace("-", " / ")) for one in MARKETS
        }
        references = {
            one.name: self._create(deployer, "price_feed", keeper, f"{one.name} reference") for one in MARKETS
        }
        listed = [(one.id, feeds[one.name], references[one.name], one.strike, one.time_value) for one in MARKETS]
        exchange = self._create(deployer, "options_exchange", token, guardian, timelock, listed, *WITHDRAWAL_LIMIT)
        attacker = self._create(self.people.attacker, "attacker", exchange)
        roles = (guardian, timelock)
        margin, marks, rmn = self._margin(token, feeds, roles), self._marks(roles), self._rmn()
        safes = (council, governance)
        return Addresses(exchange, token, timelock, *safes, keeper, attacker, feeds, references, margin, marks, rmn)

    def _margin(self, token: Address, feeds: Mapping[str, Address], roles: tuple[Address, Address]) -> Address:
        reserves = [lending.CASH, lending.INSURANCE, lending.BACKSTOP]
        listings = [(one.id, feeds[one.name]) for one in MARKETS]
        opened = [one.arguments() for one in lending.openings(self._seed, self.people.borrowers)]
        address = self._next_address(self.people.deployer, ahead=1)  # its money is there before it is
        self._send(self.people.deployer, token, encoded("mint(address,uint256)", address, sum(reserves)))
        terms = (token, *roles, listings, opened, reserves, *lending.LIQUIDATION_LIMIT)
        return self._create(self.people.deployer, "margin_market", *terms)

    def _marks(self, roles: tuple[Address, Address]) -> Address:
        expiries = [self._genesis_time + one for one in surface.EXPIRIES]
        grids = [(one.id, expiries, surface.strikes(one.spot)) for one in MARKETS]
        return self._create(self.people.deployer, "option_marks", self.people.keeper.address, *roles, grids)

    def _rmn(self) -> Address:
        return self._create(self.people.deployer, "rmn", self.people.keeper.address)

    def _fund(self) -> None:
        people, at = self.people, self.addresses
        deposits = {people.provider: POOL + TRADER_MONEY, **dict.fromkeys(people.traders.values(), TRADER_MONEY)}
        total = sum(deposits.values())
        prices = encoded("push((address,int256)[] answers)", answers(at, actors.first_prices()))
        self._send(people.keeper, at.keeper, prices)
        self._send(people.deployer, at.token, encoded("mint(address,uint256)", people.deployer.address, total))
        self._send(people.deployer, at.token, encoded("approve(address,uint256)", at.exchange, total))
        for holder, amount in deposits.items():
            data = encoded("depositFor(address,uint256)", holder.address, amount)
            self._send(people.deployer, at.exchange, data)
        self._send(people.provider, at.exchange, encoded("provide(uint256)", POOL))
        self._send(people.deployer, at.token, encoded("mint(address,uint256)", at.attacker, ATTACK_CAPITAL))
        self._send(people.attacker, at.attacker, encoded("enter()"))
        liquidator, money = people.liquidator, lending.LIQUIDATOR_MONEY
        self._send(people.deployer, at.token, encoded("mint(address,uint256)", liquidator.address, money))
        self._send(liquidator, at.token, encoded("approve(address,uint256)", at.margin, money))
        for one in MARKETS:
            found = surface.marks(one.spot, one.spot, surface.EXPIRIES)
            self._send(people.keeper, at.marks, encoded(PUSH_MARKS, one.id, found.arguments()))

    def _create(self, sender: Account, contract: str, *args: object) -> Address:
        address = self._next_address(sender)
        self._send(sender, None, artefact(contract).creation(args))
        return address

    def _next_address(self, sender: Account, ahead: int = 0) -> Address:
        return created_address(sender.address, self._nonces.get(sender.address, 0) + ahead)

    def _send(self, sender: Account, to: Address | None, data: bytes) -> None:
        nonce = self._nonces.get(sender.address, 0)
        self._nonces[sender.address] = nonce + 1
        raw = sender.transaction(Order(self._chain_id, nonce, to, data, CREATION_GAS))
        self.transactions.append(raw)
        self.senders[raw] = sender.address


def answers(addresses: Addresses, prices: Mapping[str, Price]) -> list[tuple[Address, int]]:
    """What the keeper pushes for these prices: a frozen feed is left out."""
    feeds = [(addresses.feeds[name], price.feed) for name, price in prices.items() if price.feed_pushed]
    return feeds + [(addresses.references[name], price.reference) for name, price in prices.items()]


def encoded(signature: str, *args: object) -> bytes:
    """Calldata of a function of the world's contracts."""
    return encode_call(parse_signature(signature), args)
