"""A live options market of Lyra v1: a board with strikes, liquidity, a trader, and a council that owns its levers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from incident_cli.evm import Address
from tests.contracts.lyra_parameters import (
    BASE_IV,
    BOARD_LIFE,
    POOL_DEPOSIT,
    SKEWS,
    STRIKES,
    TRADER_BASE,
    TRADER_QUOTE,
    wad,
)
from tests.contracts.lyra_system import BASE, System, build_system
from tests.contracts.packages import Packages
from tests.contracts.synthetix import key
from tests.fakes.anvil import Anvil

BOARD, STRIKE = 1, 2  # the first board, and of its strikes the one at 2,000
LONG_CALL, SHORT_CALL = 0, 2  # a short call is covered by base
ONE = wad("1")
TRADE = (
    "((uint256 strikeId, uint256 positionId, uint256 iterations, uint8 optionType, uint256 amount,"
    " uint256 setCollateralTo, uint256 minTotalCost, uint256 maxTotalCost) params)"
)
OPTION_BOARD = (
    "getOptionBoard(uint256 boardId) returns"
    " ((uint256 id, uint256 expiry, uint256 iv, bool frozen, uint256[] strikeIds) board)"
)
POSITION = (
    "getOptionPosition(uint256 positionId) returns ((uint256 positionId, uint256 strikeId, uint8 optionType,"
    " uint256 amount, uint256 collateral, uint8 state) position)"
)


@dataclass(frozen=True, slots=True)
class Lyra:
    """The market on its node. `council` owns `adapter` and `market`; amounts and prices have 18 decimals."""

    anvil: Anvil
    adapter: Address
    market: Address
    pool: Address
    token: Address
    greeks: Address
    collateral: Address
    rates: Address
    quote: Address
    owner: Address
    council: Address
    trader: Address

    def buy_call(self, amount: int = ONE, *, strike: int = STRIKE) -> int:
        """The trader buys calls; the id of the new position. Raises Refused."""
        return self.position_of(self.trade("openPosition", amount, strike=strike))

    def write_call(self, collateral: int) -> int:
        """The trader sells the market one call of its own, covered by so much base; the id. Raises Refused."""
        return self.position_of(self.trade("openPosition", ONE, kind=SHORT_CALL, collateral=collateral))

    def position_of(self, receipt: dict[str, Any]) -> int:
        """The position that a trade minted."""
        minted = [one for one in receipt["logs"] if one["address"].lower() == self.token.lower()]
        return next(int(one["topics"][3], 16) for one in minted if len(one["topics"]) == 4)

    def sell_call(self, position: int, amount: int = ONE, *, strike: int = STRIKE) -> None:
        """The trader closes a position, or a part of it; raises Refused."""
        self.trade("closePosition", amount, position=position, strike=strike)

    def trade(
        self,
        function: str,
        amount: int,
        *,
        position: int = 0,
        strike: int = STRIKE,
        kind: int = LONG_CALL,
        collateral: int = 0,
    ) -> dict[str, Any]:
        """A trade at whatever it costs; the receipt. Raises Refused."""
        params = (strike, position, 1, kind, amount, collateral, 0, 2**256 - 1)
        return self.anvil.transact(self.trader, self.market, f"{function}{TRADE}", params)

    def pause_market(self, sender: Address, paused: bool) -> None:
        """This market; raises Refused."""
        signature = "setMarketPaused(address contractAddress, bool isPaused)"
        self.anvil.transact(sender, self.adapter, signature, self.market, paused)

    def pause_all(self, sender: Address, paused: bool) -> None:
        """Every market of the adapter; raises Refused."""
        self.anvil.transact(sender, self.adapter, "setGlobalPaused(bool isPaused)", paused)

    def freeze_board(self, sender: Address, frozen: bool, *, board: int = BOARD) -> None:
        """One board; raises Refused."""
        self.anvil.transact(sender, self.market, "setBoardFrozen(uint256 boardId, bool frozen)", board, frozen)

    def settle_board(self, sender: Address, *, board: int = BOARD) -> None:
        """Settles a board before its expiry, for ever; raises Refused."""
        self.anvil.transact(sender, self.market, "forceSettleBoard(uint256 boardId)", board)

    def settle(self, position: int) -> None:
        """Pays out a position of a settled board; raises Refused."""
        self.anvil.transact(self.trader, self.collateral, "settleOptions(uint256[] positionIds)", [position])

    def queue_deposit(self, amount: int) -> None:
        """The owner deposits quote, which waits in the pool's queue; raises Refused."""
        self.anvil.transact(self.owner, self.quote, "mint(address account, uint256 amount)", self.owner, amount)
        self.anvil.transact(self.owner, self.quote, "approve(address spender, uint256 amount)", self.pool, amount)
        deposit = "initiateDeposit(address beneficiary, uint256 amountQuote)"
        self.anvil.transact(self.owner, self.pool, deposit, self.owner, amount)

    def price(self, spot: int) -> None:
        """The base asset's price from the next block on."""
        signature = "setRateAndInvalid(bytes32 currencyKey, uint256 rate, bool invalid)"
        self.anvil.transact(self.owner, self.rates, signature, key(BASE), spot, False)

    def refresh(self) -> None:
        """Anyone may bring the board's cached greeks up to date; raises Refused."""
        self.anvil.transact(self.trader, self.greeks, "updateBoardCachedGreeks(uint256 boardId)", BOARD)

    def read(self, to: Address, signature: str, *args: object) -> object:
        """The one output of a view."""
        (found,) = self.anvil.view(to, signature, *args)
        return found

    @property
    def market_paused(self) -> bool:
        """Whether this market is paused by itself."""
        return bool(self.read(self.adapter, "isMarketPaused(address market) returns (bool)", self.market))

    @property
    def all_paused(self) -> bool:
        """Whether every market is paused."""
        return bool(self.read(self.adapter, "isGlobalPaused() returns (bool)"))

    @property
    def board_frozen(self) -> bool:
        """Whether the board is frozen."""
        board = self.read(self.market, OPTION_BOARD, BOARD)
        assert isinstance(board, tuple)
        return bool(board[3])

    @property
    def breaker_until(self) -> int:
        """Until when the protocol's own breaker holds back deposits and withdrawals of liquidity (seconds, or 0)."""
        found = self.read(self.pool, "CBTimestamp() returns (uint256)")
        assert isinstance(found, int)
        return found


def build_lyra(anvil: Anvil, packages: Packages, council: Address) -> Lyra:
    """Deploys the market with a board of three strikes and half a million of liquidity; `accounts[2]` trades."""
    system = build_system(anvil, packages)
    owner, trader = anvil.accounts[0], anvil.accounts[2]
    fund(system, owner, trader)
    system.act("ShortPoolHedger", "openShortAccount")
    system.act("OptionMarket", "createOptionBoard", anvil.now() + BOARD_LIFE, BASE_IV, STRIKES, SKEWS, False)
    for owned in ("SynthetixAdapter", "OptionMarket"):
        hand_over(system, owned, council)
    place = system.addresses
    return Lyra(
        anvil,
        adapter=place["SynthetixAdapter"],
        market=place["OptionMarket"],
        pool=place["LiquidityPool"],
        token=place["OptionToken"],
        greeks=place["OptionGreekCache"],
        collateral=place["ShortCollateral"],
        rates=place["ExchangeRates"],
        quote=place["quote"],
        owner=owner,
        council=council,
        trader=trader,
    )


def fund(system: System, owner: Address, trader: Address) -> None:
    """Liquidity from the owner, and coins for the trader, who lets the market take them."""
    system.act("quote", "mint", owner, POOL_DEPOSIT)
    system.act("quote", "approve", system.addresses["LiquidityPool"], POOL_DEPOSIT)
    system.act("LiquidityPool", "initiateDeposit", owner, POOL_DEPOSIT)
    for asset, amount in (("quote", TRADER_QUOTE), ("base", TRADER_BASE)):
        system.act(asset, "mint", trader, amount)
        approve = "approve(address spender, uint256 amount)"
        system.anvil.transact(trader, system.addresses[asset], approve, system.addresses["OptionMarket"], amount)


def hand_over(system: System, contract: str, council: Address) -> None:
    """Ownership in its two steps; the council's may be a contract's, so it is given what gas costs."""
    system.act(contract, "nominateNewOwner", council)
    system.anvil.rpc("anvil_setBalance", council, hex(ONE))
    system.anvil.transact(council, system.addresses[contract], "acceptOwnership()")
