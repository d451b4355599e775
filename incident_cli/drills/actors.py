"""Who lives in a drill: prices that walk, a keeper that pushes them, traders, a liquidity provider, an attacker.

Every decision is a pure function of the seed, the height and what the chain showed before the block, so a world
rebuilt from its seed acts the same. Prices have 8 decimals, money 6 (USDC), a quantity of 1_000_000 is one call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from incident_cli.drills.scenario import Fault, Scenario
from incident_cli.evm import keccak
from incident_cli.units import BPS

PRICE_UNIT = 10**8
ONE_CALL = 10**6
USDC = 10**6
WALK = 8  # bps a block, at most, either way
ATTACK_CAPITAL = 150_000 * USDC
ATTACK_TARGET = (2_000 * USDC, 20_000 * USDC)  # what the attacker wants to gain in a block
ATTACK_LEAST = 100 * USDC
TRADE_BUDGET = (500 * USDC, 3_000 * USDC)
WITHDRAWAL = (100 * USDC, 1_000 * USDC)
RAID = "raid(bytes32 market, uint256 quantity, uint256 maxPremium, uint256 withdrawal)"
PRICE_FIRST = {"price-crash": 0, "feed-frozen": 1}  # the other faults bend what these leave
SLIPPAGE = 100  # bps a trader accepts above the premium seen


@dataclass(frozen=True, slots=True)
class Terms:
    """A market of the drill: where its price starts, its strike and the time value of its call (8 decimals)."""

    name: str
    spot: int
    strike: int
    time_value: int

    @property
    def id(self) -> bytes:
        """The 32 bytes that name the market on chain."""
        return keccak(self.name.encode())

    def premium(self, feed: int, quantity: int) -> int:
        """What buying costs while the feed shows this price; rounded up, as the exchange does."""
        return -(-quantity * (max(0, feed - self.strike) + self.time_value) // PRICE_UNIT)

    def payoff(self, reference: int, quantity: int) -> int:
        """What exercising pays while the reference shows this price; rounded down."""
        return quantity * max(0, reference - self.strike) // PRICE_UNIT


MARKETS = (
    Terms("ETH-USD", 4_000 * PRICE_UNIT, 3_800 * PRICE_UNIT, 24 * PRICE_UNIT),
    Terms("BTC-USD", 100_000 * PRICE_UNIT, 95_000 * PRICE_UNIT, 600 * PRICE_UNIT),
    Terms("SOL-USD", 200 * PRICE_UNIT, 190 * PRICE_UNIT, 12 * PRICE_UNIT // 10),
)


@dataclass(frozen=True, slots=True)
class Price:
    """One market at one height: the true price, what its two sources show, and whether the feed was pushed now."""

    true: int
    feed: int
    reference: int
    feed_pushed: bool = True


@dataclass(frozen=True, slots=True)
class Raid:
    """Calls bought and exercised in one transaction, and the USDC that takes from the pool."""

    market: Terms
    quantity: int
    premium: int
    gain: int


@dataclass(frozen=True, slots=True)
class Means:
    """What bounds a raid: the attacker's capital, what the pool can pay, and how often its usual target it wants."""

    capital: int
    pool: int
    appetite: int = 1


@dataclass(frozen=True, slots=True)
class Holder:
    """What the exchange shows of one account: its balance, and the calls it holds in its own market."""

    balance: int
    position: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """What an actor sees of the exchange before a block."""

    paused: frozenset[str]
    shut_down: bool
    available: int
    pool: int

    def is_open(self, market: str) -> bool:
        """Whether it trades."""
        return not self.shut_down and market not in self.paused


@dataclass(frozen=True, slots=True)
class Deed:
    """One call to the exchange that an actor has decided on: the function's signature and its arguments."""

    function: str
    args: tuple[object, ...]


def draw(seed: int, label: str, height: int, least: int, most: int) -> int:
    """A number of `least … most`, always the same for the same arguments."""
    digest = keccak(f"{seed} {label} {height}".encode())
    return least + int.from_bytes(digest, "big") % (most - least + 1)


def first_prices() -> dict[str, Price]:
    """Every source at its market's first price."""
    return {terms.name: Price(terms.spot, terms.spot, terms.spot) for terms in MARKETS}


def past_prices(seed: int, minutes: int) -> dict[str, Price]:
    """Every source so many minutes before the drill: near the first price, and at it where the drill begins."""
    drawn = {
        terms.name: moved(terms.spot, draw(seed, f"past {terms.name}", minutes, -WALK, WALK) if minutes else 0)
        for terms in MARKETS
    }
    return {name: Price(spot, spot, spot) for name, spot in drawn.items()}


def next_prices(prices: Mapping[str, Price], seed: int, height: int, faults: Iterable[Fault]) -> dict[str, Price]:
    """One block later: the true prices walk, and each active fault bends what a source shows."""
    walked = {name: walk(price, seed, name, height) for name, price in prices.items()}
    for fault in sorted(faults, key=lambda one: PRICE_FIRST.get(one.kind, len(PRICE_FIRST))):
        if fault.market is not None:
            walked[fault.market] = bent(fault, walked[fault.market], prices[fault.market], height)
    return walked


def walk(price: Price, seed: int, market: str, height: int) -> Price:
    """An honest step of at most WALK bps, shown by both sources."""
    true = moved(price.true, draw(seed, f"walk {market}", height, -WALK, WALK))
    return Price(true, true, true)


def bent(fault: Fault, now: Price, before: Price, height: int) -> Price:
    """What the market shows under a fault; most faults leave prices alone."""
    match fault.kind:
        case "feed-moved":
            return replace(now, feed=moved(now.true, fault.move))
        case "reference-moved":
            return replace(now, reference=moved(now.true, fault.move))
        case "feed-shaken":
            upwards = (height - fault.at_block) % 2 == 0
            return replace(now, feed=moved(now.true, fault.move if upwards else -fault.move))
        case "feed-frozen":
            drifted = moved(now.true, fault.move)
            return Price(drifted, before.feed, drifted, feed_pushed=False)
        case "price-crash":
            drifted = moved(now.true, fault.move)
            return Price(drifted, drifted, drifted)
        case _:
            return now


def moved(price: int, bps: int) -> int:
    """A price moved by basis points; a price is never nothing."""
    return max(1, price * (BPS + bps) // BPS)


def best_raid(
    seed: int, height: int, prices: Mapping[str, Price], markets: Sequence[Terms], means: Means
) -> Raid | None:
    """What the attacker does in this block: the market whose feed is worth most to it, or nothing."""
    raids = [raid(seed, height, terms, prices[terms.name], means) for terms in markets]
    return max((one for one in raids if one is not None), key=lambda one: one.gain, default=None)


def raid(seed: int, height: int, terms: Terms, price: Price, means: Means) -> Raid | None:
    """As many mispriced calls as the attacker wants and can pay, and the pool too; None where nothing is to be had."""
    cost, worth = terms.premium(price.feed, ONE_CALL), terms.payoff(price.reference, ONE_CALL)
    gain = worth - cost
    if gain <= 0:
        return None
    target = draw(seed, "raid", height, *ATTACK_TARGET) * means.appetite
    most = min((means.capital - 1) * ONE_CALL // cost, means.pool * ONE_CALL // worth)
    quantity = min(target * ONE_CALL // gain, most)
    premium = terms.premium(price.feed, quantity)
    taken = terms.payoff(price.reference, quantity) - premium
    return Raid(terms, quantity, premium, taken) if taken >= ATTACK_LEAST else None


def attack(
    seed: int, height: int, prices: Mapping[str, Price], view: View, holder: Holder, appetite: int = 1
) -> Deed | None:
    """The attacker raids while a mispriced market trades, and takes its money out once something was closed."""
    tradable = [terms for terms in MARKETS if view.is_open(terms.name)]
    means = Means(min(holder.balance, ATTACK_CAPITAL), view.pool, appetite)
    found = best_raid(seed, height, prices, tradable, means)
    if found:
        loot = max(0, min(view.available, holder.balance - ATTACK_CAPITAL))
        return Deed(RAID, (found.market.id, found.quantity, found.premium, loot))
    amount = min(view.available, holder.balance) if view.paused or view.shut_down else 0
    return Deed("leave(uint256 withdrawal)", (amount,)) if amount else None


def undisturbed_gain(seed: int, scenario: Scenario, blocks: int, pool: int) -> int:
    """USDC units the attacker takes in this many blocks from a pool of this size if nobody does anything."""
    if not scenario.attacker:
        return 0
    prices, total = first_prices(), 0
    for height in range(1, blocks + 1):
        prices = next_prices(prices, seed, height, scenario.active(height, over=False))
        found = best_raid(seed, height, prices, MARKETS, Means(ATTACK_CAPITAL, pool - total, scenario.appetite))
        total += found.gain if found else 0
    return total


def trade(seed: int, height: int, terms: Terms, price: Price, view: View, holder: Holder) -> Deed | None:
    """What this market's trader does in this block; in a closed market, at most a withdrawal."""
    mood = draw(seed, f"mood {terms.name}", height, 0, 99)
    if view.shut_down and holder.position:
        return Deed("settle(bytes32 market)", (terms.id,))
    if mood < 10 or not view.is_open(terms.name):
        return withdrawal(seed, height, terms.name, view, holder) if mood < 30 else None
    if mood < 40 and holder.position:
        return Deed("exercise(bytes32 market, uint256 quantity)", (terms.id, holder.position))
    return purchase(seed, height, terms, price, holder)


def purchase(seed: int, height: int, terms: Terms, price: Price, holder: Holder) -> Deed | None:
    """A few calls for a small budget, or None where the money is gone."""
    budget = min(draw(seed, f"budget {terms.name}", height, *TRADE_BUDGET), holder.balance)
    most = budget * BPS // (BPS + SLIPPAGE)
    quantity = (most - 1) * ONE_CALL // terms.premium(price.feed, ONE_CALL)
    if quantity <= 0:
        return None
    return Deed("buy(bytes32 market, uint256 quantity, uint256 maxPremium)", (terms.id, quantity, budget))


def withdrawal(seed: int, height: int, label: str, view: View, holder: Holder) -> Deed | None:
    """A little money out, or None where the balance or the limit has none."""
    wanted = draw(seed, f"withdrawal {label}", height, *WITHDRAWAL)
    amount = min(wanted, holder.balance, view.available // 4)
    return Deed("withdraw(uint256 amount)", (amount,)) if amount > 0 else None


def provision(seed: int, height: int, view: View, holder: Holder) -> Deed | None:
    """The liquidity provider adds a little to the pool every fifth block."""
    if height % 5 or view.shut_down:
        return None
    amount = min(draw(seed, "provision", height, *TRADE_BUDGET), holder.balance)
    return Deed("provide(uint256 amount)", (amount,)) if amount > 0 else None
