"""A drill's world: a chain with a council, a time-lock, an exchange and people who act in every block.

The same seed, scenario, genesis time and turns give the same block hashes. A world holds nothing that is not on its
chain or follows from its seed, except whether the faults were ended, which every turn carries.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from incident_cli.abi import decode, encode_call, parse_signature
from incident_cli.drills import actors, distress, safe_setup, surface
from incident_cli.drills.accounts import Account, Order, People, population
from incident_cli.drills.actors import ATTACK_CAPITAL, MARKETS, Deed, Holder, Price, View
from incident_cli.drills.distress import Act, Scene
from incident_cli.drills.engine import Engine
from incident_cli.drills.engine_values import Receipt
from incident_cli.drills.founding import POOL, PUSH_MARKS, Addresses, Founding, answers, encoded
from incident_cli.drills.scenario import Scenario
from incident_cli.evm import Address, Block, to_hex

CHAIN_ID = 31_337
GENESIS_TIME = 4_102_444_800  # 2100-01-01: later than any wall clock a drill runs under
PAST_SECONDS = 6 * 3_600  # how long the world has stood quietly before it begins, so that windows have a past
ETHER = 10**18
GAS = 1_500_000


@dataclass(frozen=True, slots=True)
class Turn:
    """What went into one block: all that is needed to play it again."""

    transactions: tuple[bytes, ...]
    seconds: int
    actors: bool = True
    fault_over: bool = False

    def to_json(self) -> dict[str, object]:
        """For a journal."""
        transactions = [to_hex(raw) for raw in self.transactions]
        return {
            "transactions": transactions,
            "seconds": self.seconds,
            "actors": self.actors,
            "fault_over": self.fault_over,
        }


def turn_from_json(record: Mapping[str, object]) -> Turn:
    """A turn as `to_json` wrote it; raises KeyError, TypeError or ValueError where it did not."""
    raws, seconds = record["transactions"], record["seconds"]
    if not isinstance(raws, list) or not isinstance(seconds, int):
        raise TypeError("no turn of a drill")
    transactions = tuple(bytes.fromhex(str(raw).removeprefix("0x")) for raw in raws)
    return Turn(transactions, seconds, bool(record["actors"]), bool(record["fault_over"]))


@dataclass(frozen=True, slots=True)
class Books:
    """USDC units at one block, read from the chain. `attacker_gain` is what the attacker holds beyond its capital."""

    block: Block
    pool: int
    balances: int
    vault: int
    attacker_gain: int
    attacker_withdrawn: int
    holders: Mapping[str, Holder]

    @property
    def is_conserved(self) -> bool:
        """Whether the exchange holds exactly what it owes."""
        return self.vault == self.pool + self.balances


@dataclass(frozen=True, slots=True)
class Advance:
    """One block played: its turn, the receipts of the turn's transactions, those of the actors, the books after it."""

    turn: Turn
    block: Block
    receipts: tuple[Receipt, ...]
    actor_receipts: tuple[Receipt, ...]
    books: Books


class World:
    """See the module. `height` counts blocks since the world was ready; `history[height]` are the books then."""

    def __init__(self, seed: int, scenario: Scenario, engine: Engine, people: People, addresses: Addresses) -> None:
        self.seed, self.scenario, self.engine, self.people, self.addresses = seed, scenario, engine, people, addresses
        self.markets: dict[str, bytes] = {terms.name: terms.id for terms in MARKETS}
        self.first_block = engine.head
        self.prices = actors.first_prices()
        self.fault_over = False
        self._view, books = look(engine, people, addresses)
        self.history: list[Books] = [books]

    @classmethod
    def build(
        cls, seed: int, scenario: Scenario, genesis_time: int = GENESIS_TIME, *, guardian: Address | None = None
    ) -> World:
        """A world ready to live in, its first block just after `genesis_time` (seconds).

        `guardian` holds the exchange's restricting role, by default the council.
        """
        people = population(seed, [terms.name for terms in MARKETS])
        engine = Engine(
            seed=seed,
            chain_id=CHAIN_ID,
            genesis_time=genesis_time - PAST_SECONDS,
            balances={one.address: 1_000 * ETHER for one in people.everyone()},
            codes=safe_setup.genesis_codes(),
        )
        founding = Founding(people, seed, CHAIN_ID, guardian, genesis_time)
        receipts = engine.mine(founding.transactions, senders=founding.senders).receipts
        failed = [place for place, receipt in enumerate(receipts) if not receipt.status]
        if failed:
            raise RuntimeError(f"the world cannot be founded: transactions {failed} failed")
        live_on(engine, people, founding.addresses, seed, scenario.lived, genesis_time)
        return cls(seed, scenario, engine, people, founding.addresses)

    @property
    def height(self) -> int:
        """Blocks since the world was ready."""
        return self.engine.head.number - self.first_block.number

    @property
    def council_owners(self) -> tuple[Account, ...]:
        """The owners of the council, 2 of whom must sign."""
        return self.people.council_owners

    @property
    def governance_owners(self) -> tuple[Account, ...]:
        """The owners of the governance Safe, 2 of whom must sign."""
        return self.people.governance_owners

    @property
    def executor(self) -> Account:
        """Who sends, and pays for, what others have signed."""
        return self.people.executor

    def transaction(
        self, sender: Account, to: Address, data: bytes, *, gas: int = GAS, value: int = 0, ahead: int = 0
    ) -> bytes:
        """A signed transaction for the next block; `ahead` counts those of the same sender before it in that block."""
        nonce = self.engine.nonce(sender.address) + ahead
        return sender.transaction(Order(CHAIN_ID, nonce, to, data, gas, value))

    def end_fault(self) -> None:
        """From the next block on every source is honest again. The turns carry it, so a journal of turns does too."""
        self.fault_over = True

    def advance(
        self, transactions: Sequence[bytes] = (), *, seconds: int | None = None, actors: bool = True
    ) -> Advance:
        """Mine one block: the keeper's prices, these transactions, then the attacker and the traders.

        Without `actors` nobody but the given transactions acts. Raises engine_values.InvalidTransaction where one of
        the transactions cannot enter a block; then nothing has happened.
        """
        spent = self.engine.block_time if seconds is None else seconds
        return self.play(Turn(tuple(transactions), spent, actors, self.fault_over))

    def play(self, turn: Turn) -> Advance:
        """Mine the block of this turn."""
        prices, time = self._next_prices(turn), self.engine.head.timestamp + turn.seconds
        pushes = self._push(prices, time, turn.fault_over) if turn.actors else []
        signed = self._signed([*pushes, *self._act(prices, turn.fault_over)] if turn.actors else [])
        first, last = list(signed)[: len(pushes)], list(signed)[len(pushes) :]
        mined = self.engine.mine([*first, *turn.transactions, *last], time, signed)
        self.prices, self.fault_over = prices, turn.fault_over
        self._view, books = look(self.engine, self.people, self.addresses)
        self.history.append(books)
        given = slice(len(first), len(first) + len(turn.transactions))
        others = (*mined.receipts[: given.start], *mined.receipts[given.stop :])
        return Advance(turn, mined.block, mined.receipts[given], others, books)

    def books(self) -> Books:
        """The books at the head."""
        return self.history[-1]

    def without_containment(self, blocks: int) -> int:
        """USDC units the attacker would have gained after this many blocks if nobody had done anything."""
        return actors.undisturbed_gain(self.seed, self.scenario, blocks, POOL)

    def scene(self, over: bool = False) -> Scene:
        """What everybody sees before the next block."""
        holders = self.books().holders
        told = (self.seed, self.height + 1, self.scenario, over, self.people, self.addresses, self._view, holders)
        return Scene(*told, self._ask)

    def _next_prices(self, turn: Turn) -> dict[str, Price]:
        height = self.height + 1
        faults = self.scenario.active(height, turn.fault_over)
        prices = actors.next_prices(self.prices, self.seed, height, faults)
        if turn.actors:
            return prices
        return {name: replace(self.prices[name], true=price.true) for name, price in prices.items()}

    def _push(self, prices: Mapping[str, Price], time: int, over: bool) -> list[Act]:
        keeper, at = self.people.keeper, self.addresses
        pushed = Deed("push((address,int256)[] answers)", (answers(at, prices),))
        return [Act(keeper, at.keeper, pushed), *self._mark(prices, time, over)]

    def _mark(self, prices: Mapping[str, Price], time: int, over: bool) -> list[Act]:
        """The marks of a market that this drill bends; elsewhere the first ones stay, which keeps a block quick."""
        bending = [one for one in self.scenario.faults if one.kind == "surface-bent"]
        active = self.scenario.active(self.height + 1, over, "surface-bent")
        expiries = [self.engine.block(0).timestamp + one - time for one in surface.EXPIRIES]
        found = []
        for terms in distress.named(one.market for one in bending):
            marks = surface.marks(prices[terms.name].true, terms.spot, expiries)
            for fault in (one for one in active if one.market == terms.name):
                marks = marks.bent(fault.move)
            deed = Deed(PUSH_MARKS, (terms.id, marks.arguments()))
            found.append(Act(self.people.keeper, self.addresses.marks, deed))
        return found

    def _act(self, prices: Mapping[str, Price], over: bool) -> list[Act]:
        scene = self.scene(over)
        attacks = self._attack(scene.height, prices) if self.scenario.attacker else []
        run = distress.rush(scene)
        return [*attacks, *(self._trade(scene.height, prices) if run is None else run), *distress.acts(scene)]

    def _ask(self, to: Address, function: str, *args: object) -> tuple[object, ...]:
        signature = parse_signature(function)
        return decode(signature.output_types, self.engine.call(to, encode_call(signature, args)))

    def _trade(self, height: int, prices: Mapping[str, Price]) -> list[Act]:
        view, holders, exchange = self._view, self.books().holders, self.addresses.exchange
        found = []
        for terms in MARKETS:
            trader = self.people.traders[terms.name]
            deed = actors.trade(self.seed, height, terms, prices[terms.name], view, holders[trader.label])
            found += [Act(trader, exchange, deed)] if deed else []
        provider = self.people.provider
        deed = actors.provision(self.seed, height, view, holders[provider.label])
        return [*found, Act(provider, exchange, deed)] if deed else found

    def _attack(self, height: int, prices: Mapping[str, Price]) -> list[Act]:
        attacker, holder = self.people.attacker, self.books().holders[self.people.attacker.label]
        deed = actors.attack(self.seed, height, prices, self._view, holder, self.scenario.appetite)
        return [Act(attacker, self.addresses.attacker, deed)] if deed else []

    def _signed(self, acts: Sequence[Act]) -> dict[bytes, Address]:
        """The transactions of these acts in order, each with its sender."""
        sent: Counter[Address] = Counter()
        found = {}
        for act in acts:
            data = encoded(act.deed.function, *act.deed.args)
            ahead = sent[act.sender.address]
            found[self.transaction(act.sender, act.to, data, ahead=ahead)] = act.sender.address
            sent[act.sender.address] += 1
        return found


def live_on(engine: Engine, people: People, addresses: Addresses, seed: int, seconds: int, until: int) -> None:
    """The quiet before a drill: a block a minute for so many seconds, in which only the keeper acts; then the first."""
    keeper = people.keeper
    for minutes in range(seconds // 60, -1, -1):
        prices = actors.past_prices(seed, minutes)
        data = encoded("push((address,int256)[] answers)", answers(addresses, prices))
        order = Order(CHAIN_ID, engine.nonce(keeper.address), addresses.keeper, data, GAS)
        engine.mine([keeper.transaction(order)], until + engine.block_time - 60 * minutes)


def look(engine: Engine, people: People, addresses: Addresses) -> tuple[View, Books]:
    """The exchange at the head, in one call: what the actors see of it, and its books."""
    exchange, token, trading = addresses.exchange, addresses.token, [(one, people.traders[one.name]) for one in MARKETS]
    owners = {people.provider: people.provider.address, **{trader: trader.address for _, trader in trading}}
    owners[people.attacker] = addresses.attacker
    calls = [(exchange, encoded(f"{view}()")) for view in ("shutDown", "withdrawalAvailable", "pool", "totalBalances")]
    calls += [(token, encoded("balanceOf(address)", holder)) for holder in (exchange, addresses.attacker)]
    calls += [(exchange, encoded("marketPaused(bytes32)", terms.id)) for terms in MARKETS]
    calls += [(exchange, encoded("position(address,bytes32)", one.address, terms.id)) for terms, one in trading]
    calls += [(exchange, encoded("balanceOf(address)", holder)) for holder in owners.values()]
    found = iter(batch(engine, addresses.multicall, calls))
    shut_down, available, pool, balances, vault, withdrawn = (next(found) for _ in range(6))
    paused = frozenset(terms.name for terms in MARKETS if next(found))
    calls_held = {trader: next(found) for _, trader in trading}
    holders = {one.label: Holder(next(found), calls_held.get(one, 0)) for one in owners}
    gain = holders[people.attacker.label].balance + withdrawn - ATTACK_CAPITAL
    books = Books(engine.head, pool, balances, vault, gain, withdrawn, holders)
    return View(paused, bool(shut_down), available, pool), books


def batch(engine: Engine, multicall: Address, calls: Sequence[tuple[Address, bytes]]) -> list[int]:
    """The answers to view calls that return one word each, all at the head (Multicall3)."""
    data = encoded("aggregate3((address,bool,bytes)[])", [(to, False, call) for to, call in calls])
    (results,) = decode(["(bool,bytes)[]"], engine.call(multicall, data))
    if not isinstance(results, tuple):
        raise TypeError("Multicall3 answered something else")
    return [int.from_bytes(answer, "big") for _, answer in results]
