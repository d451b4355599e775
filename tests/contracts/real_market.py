"""A market of contracts nobody here wrote: Chainlink's mock aggregator, and a Uniswap v3 pool of WETH and USDC."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Protocol

from incident_cli.evm import Address
from tests.contracts.packages import Packages
from tests.contracts.solidity import artifact, compile_solidity
from tests.fakes.anvil import Anvil

MOCK_FEED = "@chainlink/contracts/src/v0.7/tests/MockV3Aggregator.sol"
FACTORY = "@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json"
PERIPHERY = "@uniswap/v3-periphery/artifacts/contracts"
POSITIONS = f"{PERIPHERY}/NonfungiblePositionManager.sol/NonfungiblePositionManager.json"
ROUTER = f"{PERIPHERY}/SwapRouter.sol/SwapRouter.json"
COIN = Path(__file__).with_name("Coin.sol")
FEE, WIDEST_TICK = 3_000, 887_220  # 0.3 %, and the last tick that its spacing of 60 allows
DECIMALS, WETH_DECIMALS, USDC_DECIMALS = 8, 18, 6
START = 2_000 * 10**DECIMALS
FOREVER = 2**255
MINT = (
    "mint((address token0, address token1, uint24 fee, int24 tickLower, int24 tickUpper, uint256 amount0Desired,"
    " uint256 amount1Desired, uint256 amount0Min, uint256 amount1Min, address recipient, uint256 deadline) params)"
)
SWAP = (
    "exactInputSingle((address tokenIn, address tokenOut, uint24 fee, address recipient, uint256 deadline,"
    " uint256 amountIn, uint256 amountOutMinimum, uint160 sqrtPriceLimitX96) params)"
)
RUNBOOK_CHAIN = "real"
MARKET_ID = "0x" + "11" * 32


@dataclass(frozen=True, slots=True)
class RealMarket:
    """The market on its node. Prices are USDC for one WETH as integers of 8 decimals, as the feed answers them."""

    anvil: Anvil
    owner: Address
    feed: Address
    pool: Address
    router: Address
    weth: Address
    usdc: Address

    @property
    def weth_first(self) -> bool:
        """Whether WETH is the pool's token0."""
        return int(self.weth, 16) < int(self.usdc, 16)

    def answer(self, price: int) -> None:
        """The feed answers this price from the next block on."""
        self.anvil.transact(self.owner, self.feed, "updateAnswer(int256 answer)", price)

    def trade_to(self, price: int) -> None:
        """One swap, large enough to move the pool to exactly this price; none where it stands there already."""
        limit = sqrt_price(price, self.weth_first)
        now = self.anvil.view(self.pool, "slot0() returns (uint160 sqrtPriceX96)")[0]
        assert isinstance(now, int)
        if now == limit:
            return
        sold, bought = (self.weth, self.usdc) if (limit < now) is self.weth_first else (self.usdc, self.weth)
        amount = 10 ** (6 + WETH_DECIMALS) if sold == self.weth else 10 ** (12 + USDC_DECIMALS)
        params = (sold, bought, FEE, self.owner, FOREVER, amount, 0, limit)
        self.anvil.transact(self.owner, self.router, SWAP, params)

    def catch_up(self, timestamp: int, *, answer: int = START, traded: int = START) -> None:
        """The pool has stood at `traded` for half an hour at `timestamp`, when the feed answers and the head is."""
        self.anvil.mine_at(timestamp - 1_824)
        self.trade_to(traded)
        self.anvil.rpc("evm_setNextBlockTimestamp", timestamp)
        self.answer(answer)

    def write_deployment(self, folder: Path) -> Path:
        """A deployment file with the slots `feed` (Chainlink) and `pool` (Uniswap v3) on this node."""
        path = folder / "deployment.yaml"
        path.write_text(
            "schema: incident-deployment/v1\n"
            "name: real-contracts\n"
            f"chains: {{{RUNBOOK_CHAIN}: {{id: {self.anvil.chain_id}, rpc: [{{url: '{self.anvil.url}'}}]}}}}\n"
            "tokens:\n"
            f"  WETH: {{chain: {RUNBOOK_CHAIN}, address: '{self.weth}', decimals: {WETH_DECIMALS}}}\n"
            f"  USDC: {{chain: {RUNBOOK_CHAIN}, address: '{self.usdc}', decimals: {USDC_DECIMALS}}}\n"
            "slots:\n"
            f"  feed: {{chain: {RUNBOOK_CHAIN}, addresses: {{feed: '{self.feed}'}}}}\n"
            f"  pool: {{chain: {RUNBOOK_CHAIN}, addresses: {{pool: '{self.pool}'}}}}\n"
            f"markets: {{ETH-USD: {{id: '{MARKET_ID}'}}}}\n",
            "utf-8",
        )
        return path


class WriteDeployment(Protocol):
    """Writes the market's deployment into a folder, as it stands now by the wall clock."""

    def __call__(self, folder: Path, *, answer: int = START, traded: int = START) -> Path:
        """The file. The feed has just answered `answer`; the pool has stood at `traded` for half an hour."""


def sqrt_price(price: int, weth_first: bool) -> int:
    """The pool's sqrtPriceX96 at a price: √(token1 / token0) · 2^96, both in base units."""
    usdc, weth = price * 10**USDC_DECIMALS, 10 ** (DECIMALS + WETH_DECIMALS)
    return isqrt((usdc << 192) // weth if weth_first else (weth << 192) // usdc)


def build_market(anvil: Anvil, packages: Packages, price: int = START) -> RealMarket:
    """Deploys everything; feed and pool stand at `price`, and the pool holds 1,000 WETH and as much in USDC."""
    owner = anvil.accounts[0]
    mock = compile_solidity(packages, packages.path(MOCK_FEED), "MockV3Aggregator")
    feed = anvil.deploy(mock.creation, mock.constructor, (DECIMALS, price))
    weth = deploy_coin(anvil, packages, ("Wrapped Ether", "WETH", WETH_DECIMALS, 10**9 * 10**WETH_DECIMALS))
    usdc = deploy_coin(anvil, packages, ("USD Coin", "USDC", USDC_DECIMALS, 10**15 * 10**USDC_DECIMALS))
    factory = anvil.deploy(artifact(packages, FACTORY).creation)
    positions, router = (artifact(packages, one) for one in (POSITIONS, ROUTER))
    manager = anvil.deploy(positions.creation, positions.constructor, (factory, weth, weth))
    swaps = anvil.deploy(router.creation, router.constructor, (factory, weth))
    for spender in (manager, swaps):
        for coin in (weth, usdc):
            anvil.transact(owner, coin, "approve(address spender, uint256 amount)", spender, 2**256 - 1)
    pool = create_pool(anvil, factory, weth, usdc, price)
    market = RealMarket(anvil, owner, feed, pool, swaps, weth, usdc)
    add_liquidity(market, manager, price)
    return market


def deploy_coin(anvil: Anvil, packages: Packages, args: tuple[object, ...]) -> Address:
    """An OpenZeppelin ERC-20: name, symbol, decimals, supply."""
    coin = compile_solidity(packages, COIN, "Coin")
    return anvil.deploy(coin.creation, coin.constructor, args)


def create_pool(anvil: Anvil, factory: Address, weth: Address, usdc: Address, price: int) -> Address:
    """A pool of the factory, opened at a price, that remembers 200 observations."""
    owner = anvil.accounts[0]
    anvil.transact(owner, factory, "createPool(address tokenA, address tokenB, uint24 fee)", weth, usdc, FEE)
    found = anvil.view(factory, "getPool(address, address, uint24) returns (address pool)", weth, usdc, FEE)
    pool = Address(str(found[0]))
    opening = sqrt_price(price, int(weth, 16) < int(usdc, 16))
    anvil.transact(owner, pool, "initialize(uint160 sqrtPriceX96)", opening)
    anvil.transact(owner, pool, "increaseObservationCardinalityNext(uint16 observationCardinalityNext)", 200)
    return pool


def add_liquidity(market: RealMarket, manager: Address, price: int) -> None:
    """1,000 WETH and their worth in USDC, over the whole range."""
    weth = (market.weth, 1_000 * 10**WETH_DECIMALS)
    usdc = (market.usdc, 1_000 * price * 10**USDC_DECIMALS // 10**DECIMALS)
    (token0, amount0), (token1, amount1) = (weth, usdc) if market.weth_first else (usdc, weth)
    params = (token0, token1, FEE, -WIDEST_TICK, WIDEST_TICK, amount0, amount1, 0, 0, market.owner, FOREVER)
    market.anvil.transact(market.owner, manager, MINT, params)
