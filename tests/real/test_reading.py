"""A round of reads against contracts nobody here wrote: what they answer is what was done to them, at one block."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal, localcontext

import pytest

from incident_cli.abi import parse_signature
from incident_cli.chain.batch import head, read_round
from incident_cli.errors import Unread
from incident_cli.evm import Address, CallRead, Missing
from tests.contracts.real_market import DECIMALS, START, USDC_DECIMALS, WETH_DECIMALS, RealMarket

ROUND = parse_signature(
    "latestRoundData() returns"
    " (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)"
)
SCALE = parse_signature("decimals() returns (uint8)")
OBSERVE = parse_signature("observe(uint32[] secondsAgos) returns (int56[] tickCumulatives, uint160[] liquidity)")
ONE = 10**DECIMALS
BLOCK = 12  # seconds from one block to the next
WALK = ((2_050, 100), (2_100, 60), (1_850, 200), (1_999, 40))  # a price in USDC, and the seconds it stood


def observe(pool: Address, *seconds_ago: int) -> CallRead:
    """The pool's cumulative ticks."""
    return CallRead(pool, OBSERVE, (seconds_ago,))


def tick_of(price: int, weth_first: bool) -> int:
    """⌊log₁.₀₀₀₁(token1 / token0)⌋ in base units, from the price alone (Uniswap v3 whitepaper, 6.1)."""
    with localcontext(prec=60):
        ratio = Decimal(price) * Decimal(10) ** (USDC_DECIMALS - WETH_DECIMALS)
        tick = (ratio if weth_first else 1 / ratio).ln() / Decimal("1.0001").ln()
        return int(tick.to_integral_value(ROUND_FLOOR))


def test_chainlinks_feed_serves_its_round(market: RealMarket) -> None:
    market.answer(1_987 * ONE + 1)
    reads = (CallRead(market.feed, ROUND), CallRead(market.feed, SCALE))
    snapshot = read_round(market.anvil.endpoint(), "real", reads)
    at = snapshot.block.timestamp
    assert at == market.anvil.now()
    assert snapshot.answer(reads[0]) == (2, 1_987 * ONE + 1, at, at, 2)
    assert snapshot.answer(reads[1]) == (DECIMALS,)


def test_a_negative_answer_keeps_its_sign(market: RealMarket) -> None:
    market.answer(-1)
    read = CallRead(market.feed, ROUND)
    answer = read_round(market.anvil.endpoint(), "real", [read]).answer(read)
    assert not isinstance(answer, Missing)
    assert answer[1] == -1


def test_uniswaps_pool_serves_the_average_of_what_was_traded(market: RealMarket) -> None:
    walked = walk(market)
    seconds = sum(stood for _, stood in WALK)
    read = observe(market.pool, seconds, 0)
    answer = read_round(market.anvil.endpoint(), "real", [read]).value(read)
    assert isinstance(answer, tuple)
    assert answer[1] - answer[0] == walked
    assert (answer[1] - answer[0]) // seconds == walked // seconds


def walk(market: RealMarket) -> int:
    """Trades along WALK, each price for its seconds; the sum of tick · seconds, from the prices alone."""
    for price, stood in WALK:
        market.trade_to(price * ONE)
        market.anvil.mine(1, seconds=stood - BLOCK)
    market.anvil.mine(1, seconds=BLOCK)
    return sum(tick_of(price, market.weth_first) * stood for price, stood in WALK)


def test_a_window_longer_than_the_pools_memory_is_missing_with_the_pools_word(market: RealMarket) -> None:
    read = observe(market.pool, 1_000_000, 0)
    missing = read_round(market.anvil.endpoint(), "real", [read]).answer(read)
    assert isinstance(missing, Missing)
    assert "OLD" in missing.reason


def test_a_round_is_pinned_to_its_block(market: RealMarket) -> None:
    endpoint, read = market.anvil.endpoint(), CallRead(market.feed, ROUND)
    then = head(endpoint, "real")
    market.answer(5)
    market.anvil.mine(3)
    past = read_round(endpoint, "real", [read], then)
    assert past.block == then
    assert isinstance(answer := past.answer(read), tuple)
    assert answer[1] == START
    assert isinstance(answer := read_round(endpoint, "real", [read]).answer(read), tuple)
    assert answer[1] == 5


def test_a_block_that_the_chain_lost_is_not_read(market: RealMarket) -> None:
    endpoint, read, before = market.anvil.endpoint(), CallRead(market.feed, ROUND), market.anvil.snapshot()
    market.answer(5)
    lost = head(endpoint, "real")
    market.anvil.revert(before)
    market.answer(6)
    with pytest.raises(Unread, match="does not have block"):
        read_round(endpoint, "real", [read], lost)
