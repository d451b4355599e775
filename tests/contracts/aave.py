"""Aave v3's own market with two reserves, a lender and a borrower; a council Safe is its emergency admin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from incident_cli.abi import parse_signature
from incident_cli.evm import ZERO, Address, Call
from tests.contracts.linking import Linker
from tests.contracts.packages import Packages
from tests.fakes.anvil import Anvil

ARTIFACTS = "@aave/core-v3/artifacts"
POOL, TOKENS, MOCKS = "contracts/protocol/pool", "contracts/protocol/tokenization", "contracts/mocks"
CONFIGURATION = "contracts/protocol/configuration"
RAY, UNLIMITED = 10**27, 2**256 - 1
VARIABLE = 2  # the interest rate mode
LTV, THRESHOLD, BONUS = 8_000, 8_250, 10_500  # basis points
PRICE = 10**8  # of one base currency unit
WETH_DECIMALS, USDC_DECIMALS = 18, 6
WETH, USDC = 10**WETH_DECIMALS, 10**USDC_DECIMALS
START = {"WETH": 2_000 * PRICE, "USDC": PRICE}
LENT, COLLATERAL, BORROWED, POCKET = 1_000_000 * USDC, 100 * WETH, 50_000 * USDC, 10**9
INIT_RESERVES = (
    "initReserves((address aTokenImpl, address stableDebtTokenImpl, address variableDebtTokenImpl,"
    " uint8 underlyingAssetDecimals, address interestRateStrategyAddress, address underlyingAsset, address treasury,"
    " address incentivesController, string aTokenName, string aTokenSymbol, string variableDebtTokenName,"
    " string variableDebtTokenSymbol, string stableDebtTokenName, string stableDebtTokenSymbol, bytes params)[] input)"
)
CONFIGURATION_DATA = (
    "getReserveConfigurationData(address asset) view returns (uint256 decimals, uint256 ltv,"
    " uint256 liquidationThreshold, uint256 liquidationBonus, uint256 reserveFactor, bool usageAsCollateralEnabled,"
    " bool borrowingEnabled, bool stableBorrowRateEnabled, bool isActive, bool isFrozen)"
)


@dataclass(frozen=True, slots=True)
class Aave:
    """The market on its node. Amounts are base units of the asset, prices have 8 decimals.

    `governance` is pool admin, and alone hands out roles; `council` is emergency admin. The lender has supplied
    1,000,000 USDC; the borrower has supplied 100 WETH and owes 50,000 USDC; both, and the liquidator, hold more.
    """

    anvil: Anvil
    governance: Address
    council: Address
    provider: Address
    pool: Address
    configurator: Address
    data_provider: Address
    acl_manager: Address
    oracle: Address
    weth: Address
    usdc: Address

    @property
    def assets(self) -> tuple[Address, Address]:
        """The reserves, in the order of the pool's list."""
        return self.weth, self.usdc

    @property
    def lender(self) -> Address:
        """Who has lent USDC."""
        return self.anvil.accounts[1]

    @property
    def borrower(self) -> Address:
        """Who has borrowed USDC against WETH."""
        return self.anvil.accounts[2]

    @property
    def liquidator(self) -> Address:
        """Who holds USDC and no position."""
        return self.anvil.accounts[3]

    def supply(self, account: Address, asset: Address, amount: int) -> dict[str, Any]:
        """Lends; raises Refused."""
        signature = "supply(address asset, uint256 amount, address onBehalfOf, uint16 referralCode)"
        return self.anvil.transact(account, self.pool, signature, asset, amount, account, 0)

    def withdraw(self, account: Address, asset: Address, amount: int) -> dict[str, Any]:
        """Takes back what was lent; raises Refused."""
        signature = "withdraw(address asset, uint256 amount, address to)"
        return self.anvil.transact(account, self.pool, signature, asset, amount, account)

    def borrow(self, account: Address, asset: Address, amount: int) -> dict[str, Any]:
        """Borrows at the variable rate; raises Refused."""
        signature = (
            "borrow(address asset, uint256 amount, uint256 interestRateMode, uint16 referralCode, address onBehalfOf)"
        )
        return self.anvil.transact(account, self.pool, signature, asset, amount, VARIABLE, 0, account)

    def repay(self, account: Address, asset: Address, amount: int) -> dict[str, Any]:
        """Pays debt back; raises Refused."""
        signature = "repay(address asset, uint256 amount, uint256 interestRateMode, address onBehalfOf)"
        return self.anvil.transact(account, self.pool, signature, asset, amount, VARIABLE, account)

    def liquidate(self, debt_to_cover: int) -> dict[str, Any]:
        """The liquidator pays some of the borrower's USDC debt for WETH; raises Refused."""
        signature = (
            "liquidationCall(address collateralAsset, address debtAsset, address user, uint256 debtToCover,"
            " bool receiveAToken)"
        )
        args = (self.weth, self.usdc, self.borrower, debt_to_cover, False)
        return self.anvil.transact(self.liquidator, self.pool, signature, *args)

    def set_price(self, asset: Address, price: int) -> None:
        """The oracle's price from the next block on."""
        self.anvil.transact(self.governance, self.oracle, "setAssetPrice(address asset, uint256 price)", asset, price)

    def grant_risk_admin(self) -> None:
        """Makes the council RISK_ADMIN too: from then on it may freeze and set caps."""
        self.anvil.transact(self.governance, self.acl_manager, "addRiskAdmin(address admin)", self.council)

    def configure(self, signature: str, *args: object) -> Call:
        """A call of the PoolConfigurator, for whoever is to send it."""
        return Call(self.configurator, parse_signature(signature), args)

    def paused(self, asset: Address) -> bool:
        """Whether a reserve is paused."""
        found = self.anvil.view(self.data_provider, "getPaused(address asset) view returns (bool isPaused)", asset)
        return found == (True,)

    def frozen(self, asset: Address) -> bool:
        """Whether a reserve is frozen."""
        return self.anvil.view(self.data_provider, CONFIGURATION_DATA, asset)[-1] is True

    def caps(self, asset: Address) -> tuple[object, ...]:
        """The caps on borrowing and on supplying, in whole tokens; 0 is none."""
        signature = "getReserveCaps(address asset) view returns (uint256 borrowCap, uint256 supplyCap)"
        return self.anvil.view(self.data_provider, signature, asset)


def build_aave(anvil: Anvil, packages: Packages, council: Address) -> Aave:
    """Deploys the market and opens its positions."""
    linker = Linker(anvil, packages, ARTIFACTS)
    weth, usdc = (
        linker.deploy(f"{MOCKS}/tokens/MintableERC20.sol", (f"Test {symbol}", symbol, decimals))
        for symbol, decimals in (("WETH", WETH_DECIMALS), ("USDC", USDC_DECIMALS))
    )
    aave = build_pool(linker, council, weth, usdc)
    list_reserves(linker, aave)
    open_positions(aave)
    return aave


def build_pool(linker: Linker, council: Address, weth: Address, usdc: Address) -> Aave:
    """The provider and all that it points to, with the roles handed out; no reserve yet."""
    anvil, owner = linker.anvil, linker.anvil.accounts[0]
    provider = linker.deploy(f"{CONFIGURATION}/PoolAddressesProvider.sol", ("test market", owner))

    def point(function: str, to: Address) -> Address:
        anvil.transact(owner, provider, f"{function}(address target)", to)
        return to

    point("setACLAdmin", owner)
    acl_manager = point("setACLManager", linker.deploy(f"{CONFIGURATION}/ACLManager.sol", (provider,)))
    anvil.transact(owner, acl_manager, "addPoolAdmin(address admin)", owner)
    anvil.transact(owner, acl_manager, "addEmergencyAdmin(address admin)", council)
    data_provider = linker.deploy("contracts/misc/AaveProtocolDataProvider.sol", (provider,))
    point("setPoolDataProvider", data_provider)
    oracle = point("setPriceOracle", linker.deploy(f"{MOCKS}/oracle/PriceOracle.sol"))
    point("setPoolImpl", linker.deploy(f"{POOL}/Pool.sol", (provider,)))
    point("setPoolConfiguratorImpl", linker.deploy(f"{POOL}/PoolConfigurator.sol"))
    pool, configurator = (
        Address(str(anvil.view(provider, f"{function}() view returns (address)")[0]))
        for function in ("getPool", "getPoolConfigurator")
    )
    roles = (owner, council, provider, pool, configurator)
    return Aave(anvil, *roles, data_provider, acl_manager, oracle, weth, usdc)


def list_reserves(linker: Linker, aave: Aave) -> None:
    """Both assets with one rate strategy, as collateral and to be borrowed."""
    tokens = tuple(
        linker.deploy(f"{TOKENS}/{name}.sol", (aave.pool,))
        for name in ("AToken", "StableDebtToken", "VariableDebtToken")
    )
    rates = (RAY * 8 // 10, 0, RAY * 4 // 100, RAY * 6 // 10, RAY * 5 // 1_000, RAY * 6 // 10, RAY // 100)
    curve = (aave.provider, *rates, RAY * 8 // 100, RAY * 2 // 10)
    strategy = linker.deploy(f"{POOL}/DefaultReserveInterestRateStrategy.sol", curve)
    reserves = (("WETH", WETH_DECIMALS, aave.weth), ("USDC", USDC_DECIMALS, aave.usdc))
    listed = [
        (*tokens, decimals, strategy, asset, aave.governance, ZERO, *names(symbol), b"")
        for symbol, decimals, asset in reserves
    ]
    govern(aave, INIT_RESERVES, listed)
    collateral = (
        "configureReserveAsCollateral(address asset, uint256 ltv, uint256 liquidationThreshold,"
        " uint256 liquidationBonus)"
    )
    for symbol, _, asset in reserves:
        govern(aave, collateral, asset, LTV, THRESHOLD, BONUS)
        govern(aave, "setReserveBorrowing(address asset, bool enabled)", asset, True)
        aave.set_price(asset, START[symbol])


def names(symbol: str) -> tuple[str, ...]:
    """Name and symbol of the aToken, of the variable and of the stable debt token."""
    kinds = (("Aave", "a"), ("Aave Variable Debt", "variableDebt"), ("Aave Stable Debt", "stableDebt"))
    return tuple(one for name, prefix in kinds for one in (f"{name} {symbol}", prefix + symbol))


def govern(aave: Aave, signature: str, *args: object) -> None:
    """A call of the PoolConfigurator by the pool admin."""
    aave.anvil.call(aave.governance, aave.configure(signature, *args))


def open_positions(aave: Aave) -> None:
    """Everybody rich, the pool approved, the loans made."""
    for account in (aave.lender, aave.borrower, aave.liquidator):
        for asset, one in ((aave.weth, WETH), (aave.usdc, USDC)):
            aave.anvil.transact(account, asset, "mint(uint256 value)", POCKET * one)
            aave.anvil.transact(account, asset, "approve(address spender, uint256 amount)", aave.pool, UNLIMITED)
    aave.supply(aave.lender, aave.usdc, LENT)
    aave.supply(aave.borrower, aave.weth, COLLATERAL)
    aave.borrow(aave.borrower, aave.usdc, BORROWED)
